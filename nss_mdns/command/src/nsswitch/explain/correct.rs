//! The line to write in place of one with a mistake. Separators and quotes become spaces, and misspelt statuses and actions
//! are corrected. What cannot be corrected is left out, so that every version of glibc reads the line.

use super::super::parse::DATABASES;
use super::super::{Glibc, Reading, SERVICES, read};
use super::USUAL;
use crate::text::distance;

/// The words that may stand in brackets.
const STATUSES: [&str; 4] = ["SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"];
const ACTIONS: [&str; 3] = ["return", "continue", "merge"];

/// Services of other packages that are often on a line.
#[rustfmt::skip]
const OTHERS: [&str; 22] = [
    "altfiles", "cache", "compat", "db", "dns", "extrausers", "files", "hesiod", "ldap", "libvirt", "libvirt_guest",
    "myhostname", "mymachines", "nis", "nisplus", "resolve", "sss", "systemd", "usrfiles", "winbind", "wins", "gw_name",
];

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

/// The line with its mistakes corrected or left out. None if there is no mistake.
pub(super) fn corrected(line: &str) -> Option<String> {
    let start = line.trim_start();
    let length = start.find(|character: char| character.is_whitespace() || character == ':').unwrap_or(start.len());
    let (database, rest) = start.split_at(length);
    if database.is_empty() || database.starts_with('#') {
        return None;
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let mut words = services(&tokens(rest), database == "hosts");
    if words.is_empty() {
        words.push(if database == "hosts" { USUAL } else { "files" }.into());
    }
    let new = format!("{database}: {}", words.join(" "));
    let is_correct = |glibc| match read(format!("{new}\n").as_bytes(), glibc) {
        Reading::Line(line) => line.end.is_none() && !line.services.is_empty(),
        Reading::Default => database != "hosts",
        Reading::Broken(_) => false,
    };
    (is_correct(Glibc::V2_31) && is_correct(Glibc::V2_33) && new != line).then_some(new)
}

/// Whether the name of a service can contain this character.
pub(super) fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_.+-".contains(character)
}

/// Whether this character is a quotation mark.
pub(super) fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}')
}

/// Whether this character looks like a space, or like no character at all, but separates nothing for glibc.
pub(super) fn is_foreign_blank(character: char) -> bool {
    !character.is_ascii()
        && (character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
}

fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || is_foreign_blank(character)
        || is_quote(character)
        || matches!(character, ',' | ';' | '|' | '&' | '\\')
}

/// What a line consists of. Brackets of all kinds are the same.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Equals,
    Colon,
    Not,
    Word(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        let delimiter = match character {
            '[' | '(' | '{' | '<' => Some(Token::Open),
            ']' | ')' | '}' | '>' => Some(Token::Close),
            '=' => Some(Token::Equals),
            ':' => Some(Token::Colon),
            '!' => Some(Token::Not),
            _ if is_separator(character) => None,
            _ => {
                word.push(character);
                continue;
            }
        };
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(&mut word)));
        }
        tokens.extend(delimiter);
    }
    if !word.is_empty() {
        tokens.push(Token::Word(word));
    }
    tokens
}

/// The services, each with its actions in one pair of brackets. Actions before the first service are left out.
fn services(mut tokens: &[Token], is_hosts: bool) -> Vec<String> {
    let mut services: Vec<(&str, Vec<String>)> = Vec::new();
    // In brackets that hold no action yet.
    let mut expects_action = false;
    while let Some((token, after)) = tokens.split_first() {
        if let Some((action, after)) = action(tokens) {
            // The hosts database does not support merge.
            if let Some((_, actions)) = services.last_mut().filter(|_| !(is_hosts && action.ends_with("merge"))) {
                actions.push(action);
            }
            expects_action = false;
            tokens = after;
            continue;
        }
        tokens = after;
        match token {
            Token::Open => expects_action = true,
            Token::Close => expects_action = false,
            Token::Word(word) => match after {
                [Token::Colon, ..] if DATABASES.contains(&word.as_str()) => {}
                [Token::Equals, Token::Word(action), after @ ..] if !is_known(word) && !is_known(action) => {
                    tokens = after
                }
                [Token::Equals, ..] if !is_known(word) => {}
                _ => services.extend(service(word, expects_action).map(|name| (name, Vec::new()))),
            },
            Token::Equals | Token::Colon | Token::Not => {}
        }
    }
    let shown = |(name, actions): (&str, Vec<String>)| {
        if actions.is_empty() { name.to_owned() } else { format!("{name} [{}]", actions.join(" ")) }
    };
    services.into_iter().map(shown).collect()
}

/// The action that these tokens begin with, and what follows it.
fn action(tokens: &[Token]) -> Option<(String, &[Token])> {
    let (negation, rest) = match tokens {
        [Token::Not, rest @ ..] => ("!", rest),
        _ => ("", tokens),
    };
    let [Token::Word(status), rest @ ..] = rest else { return None };
    let separators = rest.iter().take_while(|token| matches!(token, Token::Equals | Token::Colon)).count();
    let [Token::Word(action), rest @ ..] = rest.get(separators..)? else { return None };
    Some((format!("{negation}{}={}", intended(status, &STATUSES)?, intended(action, &ACTIONS)?), rest))
}

/// The service that a word names. A word with other characters, or in brackets, may be anything.
fn service(word: &str, is_in_brackets: bool) -> Option<&str> {
    let name = word.trim_matches(|character| !is_plain(character));
    let is_keyword = || intended(name, &STATUSES).is_some() || intended(name, &ACTIONS).is_some();
    let is_service = name.contains(|character: char| character.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
        && name == word
        && !is_in_brackets
        && !is_keyword();
    (is_service || is_known(name)).then_some(name)
}

fn is_known(service: &str) -> bool {
    SERVICES.contains(&service) || OTHERS.contains(&service)
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

    /// Lines, and what is to be written in their place.
    #[rustfmt::skip]
    const LINES: &[(&str, Option<&str>)] = &[
        ("hosts: files dns", None),
        ("", None),
        ("# hosts: files, dns", None),
        // Actions.
        ("hosts: files mdns_minimal [NOTFOUND=return dns", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts: files mdns_minimal [NOTFOUND=retrun] dns", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts: files mdns [!UNAVIL=return] dns", Some("hosts: files mdns [!UNAVAIL=return] dns")),
        ("hosts: files, mdns [NOTFOUND=return", Some("hosts: files mdns [NOTFOUND=return]")),
        ("passwd: files [NOTFOND=return] sss", Some("passwd: files [NOTFOUND=return] sss")),
        ("hosts files [NOTFOUND=retrun]", Some("hosts: files [NOTFOUND=return]")),
        ("hosts: files mdns [NOTFOUND return] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns [NOTFOUND:return] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns [NOTFOUND==return] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns [! NOTFOUND=return] dns", Some("hosts: files mdns [!NOTFOUND=return] dns")),
        ("hosts: files mdns [NOTFOUND=return,UNAVAIL=return] dns", Some("hosts: files mdns [NOTFOUND=return UNAVAIL=return] dns")),
        ("hosts: files mdns [NOTFOUND=return] [UNAVAIL=continue] dns", Some("hosts: files mdns [NOTFOUND=return UNAVAIL=continue] dns")),
        // Actions that cannot be corrected.
        ("hosts: files mdns [NOTFOUND=stop] dns", Some("hosts: files mdns dns")),
        ("hosts: files mdns [x] dns", Some("hosts: files mdns dns")),
        ("hosts: files mdns [x=return] dns", Some("hosts: files mdns dns")),
        ("hosts: files mdns [x=return dns", Some("hosts: files mdns dns")),
        ("hosts: files dns [", Some("hosts: files dns")),
        ("hosts: files [] dns", Some("hosts: files dns")),
        ("hosts: files [=return] dns", Some("hosts: files dns")),
        ("hosts: files [NOTFOUND] dns", Some("hosts: files dns")),
        ("hosts: files [NOTFOUND=] dns", Some("hosts: files dns")),
        ("hosts: files [NOTFOUND= dns", Some("hosts: files dns")),
        ("hosts: files [NOTFOUND=merge] dns", Some("hosts: files dns")),
        ("hosts: [NOTFOUND=retrun] dns", Some("hosts: dns")),
        ("passwd: files [", Some("passwd: files")),
        ("passwd: [", Some("passwd: files")),
        ("group: files [SUCCESS=merge systemd", Some("group: files [SUCCESS=merge] systemd")),
        ("hosts: [", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts:", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        // A service in the brackets.
        ("hosts: files mdns_minimal [NOTFOUND=return dns]", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts: files [dns]", Some("hosts: files dns")),
        // Separators and quotes.
        ("hosts: files, dns", Some("hosts: files dns")),
        ("hosts: files;mdns_minimal;dns", Some("hosts: files mdns_minimal dns")),
        ("hosts: files ; dns", Some("hosts: files dns")),
        ("hosts: files\u{a0}mdns_minimal\u{3000}dns", Some("hosts: files mdns_minimal dns")),
        ("hosts: files\u{200b}dns\u{feff}", Some("hosts: files dns")),
        ("hosts: \"files\" 'mdns_minimal' [NOTFOUND=return] \u{201c}dns\u{201d}", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        ("hosts: 'files''dns'", Some("hosts: files dns")),
        ("hosts: \"files dns\"", Some("hosts: files dns")),
        // Other characters.
        ("hosts: files dns \\", Some("hosts: files dns")),
        ("hosts: files [NOTFOUND=retrun] \\", Some("hosts: files [NOTFOUND=return]")),
        ("hosts: files mdns [NOTFOUND=return]] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns [[NOTFOUND=return] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns (NOTFOUND=return) dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns {NOTFOUND=return} dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns NOTFOUND=return] dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: files mdns NOTFOUND=return dns", Some("hosts: files mdns [NOTFOUND=return] dns")),
        ("hosts: hosts: files dns", Some("hosts: files dns")),
        ("hosts:hosts:files dns", Some("hosts: files dns")),
        ("hosts: files: dns?", Some("hosts: files dns")),
        ("hosts: files = dns", Some("hosts: files dns")),
        ("hosts = files dns", Some("hosts: files dns")),
        ("hosts: files f\u{fc}r /usr/lib dns", Some("hosts: files dns")),
        ("hosts::files dns", Some("hosts: files dns")),
        // Comments.
        ("hosts: files dns # x [NOTFOUND=return", Some("hosts: files dns")),
        ("hosts: files dns#x", Some("hosts: files dns")),
    ];

    #[test]
    fn mistakes_are_corrected_or_left_out() {
        for (line, expected) in LINES {
            assert_eq!(corrected(line).as_deref(), *expected, "{line}");
            let again = expected.and_then(corrected);
            assert_eq!(again, None, "{line}");
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
