//! The settings file, `nss-mdns.conf(5)`: lines of `key = value`, and comments that begin with `#`.
//!
//! An invalid line is ignored, and the other lines still apply: a typo must never break name resolution. Each problem
//! is passed to the caller's `report`; `nss-mdns check` prints them.

use std::fmt;

use super::Config;
use super::reload::without_byte_order_mark;
use super::settings::{Row, SETTINGS};

/// A line that is not valid. Its `Display` form has the line's number, the key and what was expected.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The line's number, from 1.
    pub line: usize,
    reason: Reason<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Reason<'a> {
    NotASetting { found: &'a [u8] },
    UnknownKey { key: &'a [u8] },
    BadValue { row: Row, found: &'a [u8] },
    AlreadySet { row: Row, line: usize },
    GraceRangeEmpty,
}

/// Parses the text of the file. Each problem is passed to `report`.
///
/// If `grace-min` is greater than `grace-max`, both keep their defaults.
pub fn parse(text: &[u8], report: &mut dyn FnMut(Problem<'_>)) -> Config {
    let mut config = Config::default();
    // The number of the line that set each setting, or 0.
    let mut set_on = [0; Row::COUNT];
    for (index, line) in without_byte_order_mark(text).split(|&octet| octet == b'\n').enumerate() {
        let line_number = index + 1;
        if let Err(reason) = apply_line(line, line_number, &mut config, &mut set_on) {
            report(Problem { line: line_number, reason });
        }
    }
    if config.grace_min > config.grace_max {
        let graces = [Row::grace_min, Row::grace_max];
        graces.into_iter().for_each(|row| row.reset(&mut config));
        let line = graces.into_iter().filter_map(|row| set_on.get(row as usize).copied()).max();
        report(Problem { line: line.unwrap_or(0), reason: Reason::GraceRangeEmpty });
    }
    config
}

/// Applies a line. `set_on` has, for each setting, the number of the line that set it, or 0.
fn apply_line<'a>(
    line: &'a [u8],
    line_number: usize,
    config: &mut Config,
    set_on: &mut [usize; Row::COUNT],
) -> Result<(), Reason<'a>> {
    // No valid value contains a number sign.
    let line = line.split(|&octet| octet == b'#').next().unwrap_or_default().trim_ascii();
    if line.is_empty() {
        return Ok(());
    }
    let mut parts = line.splitn(2, |&octet| octet == b'=').map(<[u8]>::trim_ascii);
    let (Some(key @ [_, ..]), Some(value)) = (parts.next(), parts.next()) else {
        return Err(Reason::NotASetting { found: line });
    };
    let row = Row::of(key).ok_or(Reason::UnknownKey { key })?;
    match set_on.get_mut(row as usize) {
        Some(&mut line) if line > 0 => Err(Reason::AlreadySet { row, line }),
        _ if !row.set(config, value) => Err(Reason::BadValue { row, found: value }),
        set_on => {
            set_on.into_iter().for_each(|set_on| *set_on = line_number);
            Ok(())
        }
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.line)?;
        let text = String::from_utf8_lossy;
        match self.reason {
            Reason::NotASetting { found } => write!(out, "expected `key = value`, found {:?}", text(found)),
            Reason::UnknownKey { key } => {
                let keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
                write!(out, "{}: no such key, expected one of: {}", text(key).escape_debug(), keys.join(", "))
            }
            Reason::BadValue { row, found } => {
                let setting = row.setting();
                write!(out, "{}: expected {}, found {:?}", setting.key, setting.kind, text(found))
            }
            Reason::AlreadySet { row, line } => {
                write!(out, "{}: already set on line {line}; this line is ignored", row.setting().key)
            }
            Reason::GraceRangeEmpty => {
                write!(out, "grace-max: expected at least grace-min; both keep their defaults")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::Labels;

    /// The settings, and the problems as text.
    fn read(text: &[u8]) -> (Config, Vec<String>) {
        let mut problems = Vec::new();
        let config = parse(text, &mut |problem| problems.push(problem.to_string()));
        (config, problems)
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        for text in ["", "\n\n", "# timeout = 1\n", "   \t\r\n#\r\n", "\u{feff}"] {
            assert_eq!(read(text.as_bytes()), (Config::default(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn blanks_case_comments_and_a_byte_order_mark_are_accepted() {
        let text =
            "\u{feff}timeout=300\r\n  Labels = any  # three, too\r\nown-name\t=\toff\nallow-interfaces = eth0, wlan*";
        let (config, problems) = read(text.as_bytes());
        assert_eq!(problems, [""; 0]);
        assert_eq!((config.timeout, config.labels, config.own_name), (Duration::from_millis(300), Labels::Any, false));
        assert!(config.allow_interfaces.matches(b"wlan1") && !config.allow_interfaces.matches(b"eth1"));
        assert_eq!(config.grace_max, Config::default().grace_max);
    }

    #[test]
    fn an_invalid_line_is_reported_and_changes_nothing() {
        for (text, expected) in [
            ("timeout = 2s", "1: timeout: expected 50 to 10000 milliseconds, found \"2s\""),
            ("\ntimeout =", "2: timeout: expected 50 to 10000 milliseconds, found \"\""),
            ("timeout", "1: expected `key = value`, found \"timeout\""),
            ("= 5", "1: expected `key = value`, found \"= 5\""),
            ("[server]", "1: expected `key = value`, found \"[server]\""),
            ("labels = 3", "1: labels: expected 2 or any, found \"3\""),
            ("reverse = on", "1: reverse: expected on-link or link-local or off, found \"on\""),
            ("grace-min = 200", "1: grace-max: expected at least grace-min; both keep their defaults"),
            ("grace-max = 5\ngrace-min = 6", "2: grace-max: expected at least grace-min; both keep their defaults"),
        ] {
            let (config, problems) = read(text.as_bytes());
            assert_eq!(problems, [expected], "{text:?}");
            assert_eq!(config, Config::default(), "{text:?}");
        }
        assert_eq!(read(b"labels = \xff").1, ["1: labels: expected 2 or any, found \"\u{fffd}\""]);
        let (_, problems) = read(b"time-out = 1");
        assert!(
            problems[0].starts_with("1: time-out: no such key, expected one of: timeout, retries, "),
            "{problems:?}"
        );
    }

    #[test]
    fn valid_lines_take_effect_even_if_others_are_invalid() {
        let (config, problems) = read(b"nonsense\ntimeout = 500\ntimeout = 600\nlistener = no\nlabels = any\n");
        assert_eq!(config, Config { timeout: Duration::from_millis(500), labels: Labels::Any, ..Config::default() });
        assert_eq!(
            problems,
            [
                "1: expected `key = value`, found \"nonsense\"",
                "3: timeout: already set on line 2; this line is ignored",
                "4: listener: expected on or off, found \"no\"",
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn settings_are_within_their_ranges_whatever_the_file_says(
            lines in prop::collection::vec((0..SETTINGS.len(), "[ -~]{0,12}"), 0..20),
        ) {
            let text: String =
                lines.iter().map(|(index, value)| format!("{} = {value}\n", SETTINGS[*index].key)).collect();
            let (config, _) = read(text.as_bytes());
            prop_assert!(config.grace_min <= config.grace_max && config.grace_max <= Duration::from_secs(2));
            prop_assert!(config.timeout >= Duration::from_millis(50) && config.timeout <= Duration::from_secs(10));
            prop_assert!(config.cache_size <= 4096);
        }
    }
}
