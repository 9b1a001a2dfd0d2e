//! Target `files`: arbitrary octets as `nss-mdns.conf`, `mdns.allow` or `resolv.conf`. A second, independent parser of
//! each file must give the same result: the same settings, all in their ranges, and problems on the same lines; the same
//! names allowed; the same search domains.

use std::collections::HashMap;
use std::time::Duration;

use resolver_core::HostName;
use resolver_core::config::allow::Suffixes;
use resolver_core::config::resolv_conf::LocalDomains;
use resolver_core::config::{self, Config, InterfacePatterns, Kind, SETTINGS};
use resolver_core::policy::{Labels, ReverseRange};

use crate::input::Input;

/// Parses one of the files.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => check_settings(&data[1.min(data.len())..]),
        1 => check_allowed(&mut input),
        _ => check_resolv_conf(&mut input),
    }
}

fn check_settings(text: &[u8]) {
    let mut lines_with_problems = Vec::new();
    let config = config::parse(text, &mut |problem| {
        assert!(!problem.to_string().contains(['\n', '\0']), "{problem}");
        lines_with_problems.push(problem.line);
    });
    check_ranges(&config);
    let (expected, expected_problems) = parse_settings(text);
    lines_with_problems.sort_unstable();
    assert_eq!(lines_with_problems, expected_problems);
    for setting in SETTINGS {
        let value = expected.get(setting.key).map_or(setting.default, String::as_str);
        assert!(is_set(&config, setting.key, value), "{} = {value} in {config:?}", setting.key);
    }
}

fn check_ranges(config: &Config) {
    let ms = Duration::from_millis;
    assert!((ms(50)..=ms(10_000)).contains(&config.timeout));
    assert!((ms(50)..=ms(10_000)).contains(&config.reverse_timeout));
    assert!(config.grace_min <= config.grace_max && config.grace_max <= ms(2000));
    assert!(config.cache_size <= 4096 && config.ttl_max <= Duration::from_secs(3600));
    let retries: Vec<_> = (0..).map_while(|index| config.retries.get(index)).collect();
    assert!(
        retries.len() <= 4 && retries.is_sorted() && retries.iter().all(|time| (ms(20)..=ms(10_000)).contains(time))
    );
}

/// The settings, with values in the form that [`is_set`] takes, and the numbers of the invalid lines.
fn parse_settings(text: &[u8]) -> (HashMap<&'static str, String>, Vec<usize>) {
    let (mut values, mut set_on, mut problems) = (HashMap::new(), HashMap::new(), Vec::new());
    let text: String =
        text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).iter().map(|&octet| char::from(octet)).collect();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.find('#').map_or(line, |at| &line[..at]).trim_matches(is_blank);
        if line.is_empty() {
            continue;
        }
        let setting = line.split_once('=').and_then(|(key, value)| {
            let key = key.trim_matches(is_blank).to_ascii_lowercase();
            let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
            let value = parse_value(&setting.kind, &value.trim_matches(is_blank).to_ascii_lowercase())?;
            Some((setting.key, value)).filter(|(key, _)| !values.contains_key(key))
        });
        match setting {
            Some((key, value)) => {
                values.insert(key, value);
                set_on.insert(key, index + 1);
            }
            None => problems.push(index + 1),
        }
    }
    let grace = |key: &str, default: u32| values.get(key).map_or(default, |value| value.parse().unwrap());
    if grace("grace-min", 20) > grace("grace-max", 100) {
        let line = |key: &str| set_on.get(key).copied().unwrap_or(0);
        problems.push(line("grace-min").max(line("grace-max")));
        values.remove("grace-min");
        values.remove("grace-max");
    }
    problems.sort_unstable();
    (values, problems)
}

fn is_blank(char: char) -> bool {
    char.is_ascii_whitespace()
}

/// A value in its shortest form, if the setting accepts it.
fn parse_value(kind: &Kind, value: &str) -> Option<String> {
    let number = |text: &str, range: &std::ops::RangeInclusive<u16>| {
        let digits = text.trim_start_matches('0');
        let valid = !text.is_empty() && digits.len() <= 5 && text.chars().all(|char| char.is_ascii_digit());
        let number = valid.then(|| format!("0{digits}").parse::<u32>().unwrap())?;
        u16::try_from(number).ok().filter(|number| range.contains(number))
    };
    let items = || {
        let text = if is_none(value) { "" } else { value };
        let items: Vec<_> = text.split([' ', '\t', ',']).filter(|item| !item.is_empty()).collect();
        (is_none(value) || !items.is_empty()).then_some(items)
    };
    match kind {
        Kind::Milliseconds(range) | Kind::Seconds(range) | Kind::Number(range) => {
            number(value, range).map(|number| number.to_string())
        }
        Kind::Times(range) => {
            let times: Vec<_> = items()?.into_iter().map(|item| number(item, range)).collect::<Option<_>>()?;
            let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
            let text: Vec<_> = times.iter().map(u16::to_string).collect();
            (ascending && times.len() <= 4).then(|| if text.is_empty() { "none".into() } else { text.join(" ") })
        }
        Kind::Switch => matches!(value, "on" | "off").then(|| value.into()),
        Kind::Patterns => items()?.into_iter().all(is_pattern).then(|| value.into()),
        Kind::Word(words) => words.iter().find(|word| **word == value).map(|word| (*word).into()),
    }
}

/// True if every bracket is closed, and there is no character that interface names cannot have.
fn is_pattern(item: &str) -> bool {
    let chars: Vec<char> = item.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] == '[' {
            let first = at + 1 + usize::from(matches!(chars.get(at + 1), Some('!' | '^')));
            match chars.iter().skip(first + 1).position(|&char| char == ']') {
                Some(more) => at = first + 1 + more,
                None => return false,
            }
        }
        at += 1;
    }
    chars.len() <= 64 && !chars.iter().any(|&char| char <= ' ' || matches!(char, '/' | ',' | '\x7f'))
}

/// True if the setting has this value.
fn is_set(config: &Config, key: &str, value: &str) -> bool {
    let switch = |on: bool| (if on { "on" } else { "off" }) == value;
    let ms = |time: Duration| time.as_millis().to_string() == value;
    match key {
        "timeout" => ms(config.timeout),
        "grace-min" => ms(config.grace_min),
        "grace-max" => ms(config.grace_max),
        "reverse-timeout" => ms(config.reverse_timeout),
        "retries" => {
            let times: Vec<_> =
                (0..).map_while(|index| config.retries.get(index)).map(|time| time.as_millis().to_string()).collect();
            value == if times.is_empty() { "none".into() } else { times.join(" ") }
        }
        // Unit tests compare what the patterns match with fnmatch.
        "allow-interfaces" => is_none(value) == (config.allow_interfaces == InterfacePatterns::default()),
        "deny-interfaces" => is_none(value) == (config.deny_interfaces == InterfacePatterns::default()),
        "labels" => config.labels == if value == "any" { Labels::Any } else { Labels::Two },
        "reverse" => {
            config.reverse
                == match value {
                    "on-link" => ReverseRange::OnLink,
                    "link-local" => ReverseRange::LinkLocal,
                    _ => ReverseRange::Nothing,
                }
        }
        "unicast-local" => switch(config.unicast_local),
        "listener" => switch(config.listener),
        "neighbours" => switch(config.neighbours),
        "daemon" => switch(config.daemon),
        "own-name" => switch(config.own_name),
        "ipv6-link-local" => switch(config.ipv6_link_local),
        "cache-size" => config.cache_size.to_string() == value,
        "ttl-max" => config.ttl_max.as_secs().to_string() == value,
        _ => false,
    }
}

/// True for the empty list. A list without an item is invalid.
fn is_none(value: &str) -> bool {
    value == "none"
}

fn check_allowed(input: &mut Input<'_>) {
    let length = input.u8();
    let name = input.take(length.into()).to_vec();
    let text = input.take(usize::MAX);
    let mut problems = Vec::new();
    let suffixes = Suffixes::parse(text, &mut |problem| problems.push(problem.line));
    let (mut is_allowed, mut expected_problems) = (false, Vec::new());
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (index, line) in text.split(|&octet| octet == b'\n').enumerate() {
        let line: Vec<u8> = line.iter().copied().take_while(|&octet| octet != b'#').collect();
        let mut words = line.split(|octet| octet.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let entry = words.next().unwrap_or_default();
        match parse_entry(entry) {
            Some(suffix) => {
                let ends_in_it = name.len() > suffix.len() && name.to_ascii_lowercase().ends_with(&suffix);
                is_allowed |= suffix.is_empty() || ends_in_it;
            }
            None if entry.is_empty() => {}
            None => expected_problems.push(index + 1),
        }
    }
    assert_eq!(problems, expected_problems);
    if let Some(host) = host_name(&name) {
        assert_eq!(suffixes.contain(&host), is_allowed, "{name:?} in {text:?}");
    }
}

/// A name without escapes.
fn host_name(text: &[u8]) -> Option<HostName> {
    HostName::from_text(text).ok().filter(|_| !text.contains(&b'\\'))
}

fn check_resolv_conf(input: &mut Input<'_>) {
    let length = input.u8();
    let name = input.take(length.into()).to_ascii_lowercase();
    let text = input.take(usize::MAX);
    let domains = LocalDomains::parse(text);
    let mut list = Vec::new();
    for line in text.split(|&octet| octet == b'\n') {
        let line: Vec<u8> = line.iter().copied().take_while(|&octet| octet != 0).collect();
        let mut words = line.split(|octet| b" \t\r".contains(octet)).map(<[u8]>::to_ascii_lowercase);
        let limit = match line {
            _ if line.starts_with(b"search") => usize::MAX,
            _ if line.starts_with(b"domain") => 1,
            _ => continue,
        };
        let has_keyword = words.next().is_some_and(|word| word.len() == 6);
        let words: Vec<_> = words.filter(|word| has_keyword && !word.is_empty()).take(limit).collect();
        if !words.is_empty() {
            list = words;
        }
    }
    let list: Vec<_> = list.iter().map(|domain| domain.strip_suffix(b".").unwrap_or(domain)).collect();
    let is_below_local = |domain: &&[u8]| {
        domain.len() < 255 && domain.ends_with(b".local") && !domain.split(|&octet| octet == b'.').any(<[u8]>::is_empty)
    };
    let below: Vec<_> = list.iter().copied().filter(is_below_local).collect();
    let parsed: Vec<_> = domains.below_local().map(<[u8]>::to_ascii_lowercase).collect();
    assert_eq!(parsed, below, "{text:?}");
    assert_eq!(domains.has_local(), list.contains(&&b"local"[..]), "{text:?}");
    assert_eq!(domains.is_empty(), below.is_empty() && !domains.has_local());
    if let Some(host) = host_name(&name) {
        let name = name.strip_suffix(b".").unwrap_or(&name);
        let is_in = |domain: &&&[u8]| [b".", name].concat().ends_with(&[b".", **domain].concat());
        let domain = domains.domain_of(&host.name).map(<[u8]>::to_ascii_lowercase);
        assert_eq!(domain.as_deref(), below.iter().find(is_in).copied(), "{name:?} in {text:?}");
    }
}

/// The suffix, with its leading dot, of the names that an entry allows; empty for all names. None if the entry is
/// invalid.
fn parse_entry(entry: &[u8]) -> Option<Vec<u8>> {
    if entry == b"*" {
        return Some(Vec::new());
    }
    let mut suffix = entry.to_ascii_lowercase();
    if !suffix.starts_with(b".") {
        suffix.insert(0, b'.');
    }
    let labels = suffix[1..].strip_suffix(b".").unwrap_or(&suffix[1..]);
    let is_invalid = |octet: &u8| *octet <= b' ' || matches!(octet, b'*' | 0x7f);
    let has_empty_label = labels.split(|&octet| octet == b'.').any(<[u8]>::is_empty);
    let valid = entry.len() <= 255 && !has_empty_label && !labels.iter().any(is_invalid);
    valid.then_some(suffix)
}
