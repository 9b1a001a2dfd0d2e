//! The line to write in place of one with a plain mistake: a misspelt name, status or action, a bracket that is not
//! closed, or commas.

use super::super::parse::is_space;
use super::super::{Glibc, Reading, SERVICES, read};
use crate::text::distance;

/// The words that may stand in brackets.
const STATUSES: [&str; 4] = ["SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"];
const ACTIONS: [&str; 3] = ["return", "continue", "merge"];

/// The service of the module that is meant by a name, if that is plain.
pub(super) fn intended_service(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    // dns is one letter from mdns.
    let is_near = |known: &&str| {
        name.starts_with('m') && distance(&name, known) <= if known.ends_with("_minimal") { 2 } else { 1 }
    };
    let near = SERVICES.into_iter().filter(is_near);
    near.min_by_key(|known| distance(&name, known))
}

/// The line with its mistakes corrected. None if what was meant is not plain, or if there is no mistake.
pub(super) fn corrected(line: &str) -> Option<String> {
    let (database, services) = line.split_once(':')?;
    let is_plain = |character: char| character.is_ascii_graphic() || is_space(character as u8);
    if !line.chars().all(is_plain) || line.contains(['\\', '\'', '#']) {
        return None;
    }
    let words = words(&services.replace(',', " "))?;
    let new = format!("{}: {}", database.trim(), words.join(" "));
    let is_correct = |glibc| match read(format!("{new}\n").as_bytes(), glibc) {
        Reading::Line(line) => line.end.is_none() && !line.services.is_empty(),
        Reading::Default => !new.starts_with("hosts:"),
        Reading::Broken(_) => false,
    };
    (is_correct(Glibc::V2_31) && is_correct(Glibc::V2_33) && new != line).then_some(new)
}

/// The services, and the actions in brackets, each in the usual form.
fn words(services: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = services;
    while let Some(start) = rest.find('[') {
        let (before, brackets) = rest.split_at(start);
        words.extend(before.split_ascii_whitespace().map(str::to_owned));
        let (actions, after) = actions(brackets.get(1..)?)?;
        words.push(format!("[{}]", actions.join(" ")));
        rest = after;
    }
    words.extend(rest.split_ascii_whitespace().map(str::to_owned));
    Some(words)
}

/// The actions after an opening bracket, and what follows them. They end where no equals sign follows a word.
fn actions(mut text: &str) -> Option<(Vec<String>, &str)> {
    let mut actions = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(after) = text.strip_prefix(']') {
            return (!actions.is_empty()).then_some((actions, after));
        }
        let end = text.find(|character: char| character.is_ascii_whitespace() || character == ']');
        let (word, after) = text.split_at(end.unwrap_or(text.len()));
        let Some((status, action)) = word.split_once('=') else {
            return (!actions.is_empty()).then_some((actions, text));
        };
        let (negation, status) = status.strip_prefix('!').map_or(("", status), |status| ("!", status));
        actions.push(format!("{negation}{}={}", intended(status, &STATUSES)?, intended(action, &ACTIONS)?));
        text = after;
    }
}

/// The word that is meant: this one, or the only one that is near.
fn intended<'word>(word: &str, known: &[&'word str]) -> Option<&'word str> {
    let word = word.to_ascii_lowercase();
    let mut near = known.iter().filter(|known| distance(&word, &known.to_ascii_lowercase()) <= 2);
    near.next().copied().filter(|_| near.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_mistake_is_corrected_and_no_other() {
        for (line, expected) in [
            ("hosts: files mdns_minimal [NOTFOUND=return dns", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
            (
                "hosts: files mdns_minimal [NOTFOUND=retrun] dns",
                Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
            ),
            ("hosts: files mdns [!UNAVIL=return] dns", Some("hosts: files mdns [!UNAVAIL=return] dns")),
            ("hosts: files, mdns [NOTFOUND=return", Some("hosts: files mdns [NOTFOUND=return]")),
            ("hosts: files, dns", Some("hosts: files dns")),
            ("passwd: files [NOTFOND=return] sss", Some("passwd: files [NOTFOUND=return] sss")),
            ("hosts: files mdns [NOTFOUND=stop] dns", None),
            ("hosts: files mdns [x] dns", None),
            ("hosts: files [NOTFOUND=retrun] \\", None),
            ("hosts: [NOTFOUND=retrun] dns", None),
            ("hosts: files dns", None),
            ("hosts files [NOTFOUND=retrun]", None),
        ] {
            assert_eq!(corrected(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_misspelt_service_is_recognised() {
        for (name, expected) in [
            ("mdns_minmal", Some("mdns_minimal")),
            ("mdns-minimal", Some("mdns_minimal")),
            ("mdns4-minimal", Some("mdns4_minimal")),
            ("MDNS4_Minimal", Some("mdns4_minimal")),
            ("mdsn", None),
            ("mdns5", Some("mdns")),
            ("dns", None),
            ("files", None),
            ("mymachines", None),
            ("", None),
        ] {
            assert_eq!(intended_service(name), expected, "{name}");
        }
    }
}
