//! Where a service belongs on the hosts line, and how it is taken off again. Every other octet stays as it is.
//!
//! Only a line that both parsers of glibc read in the same way is edited, comments aside; any other is refused with the
//! reason. What follows a `#` is left alone.

use std::fmt;
use std::ops::Range;

use super::parse::{Entry, Line, Scanner, lines};
use super::{Glibc, Mistake, Reading, SERVICES, Service, read, text};

/// A change of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is replaced; empty for an insertion.
    pub span: Range<usize>,
    /// What takes its place.
    pub text: String,
}

impl Edit {
    /// The file after the change.
    pub fn apply(&self, file: &[u8]) -> Vec<u8> {
        let before = file.get(..self.span.start).unwrap_or_default();
        let after = file.get(self.span.end..).unwrap_or_default();
        [before, self.text.as_bytes(), after].concat()
    }
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It holds NUL octets.
    Nul,
    /// There is no hosts line.
    NoHostsLine,
    /// There are several; the last of these lines takes effect.
    SeveralHostsLines(Vec<usize>),
    /// No newline ends the hosts line, so glibc 2.33 and later ignore it.
    NoNewline(usize),
    /// The hosts line names no service.
    NoService(usize),
    /// glibc does not find what it expects on the hosts line.
    Mistake(Mistake, String),
    /// Because of a mistake on another line, every lookup fails.
    Broken(Mistake, String),
    /// A word on the hosts line that no service is called.
    OddService(usize, String),
    /// Another service of the module is on the line and would answer first, or never be asked.
    Conflict(usize, String),
    /// Not a service of the module.
    NotOurs(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Nul => formatter.write_str("it holds NUL bytes"),
            Refusal::NoHostsLine => formatter.write_str("it has no hosts line"),
            Refusal::SeveralHostsLines(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
                let all = numbers.join(", ");
                write!(formatter, "it has more than one hosts line (lines {all}): glibc uses the last one")
            }
            Refusal::NoNewline(line) => {
                write!(formatter, "line {line}: no newline ends its hosts line, so glibc does not read it")
            }
            Refusal::NoService(line) => write!(formatter, "line {line}: its hosts line names no service"),
            Refusal::Mistake(mistake, found) => {
                write!(formatter, "line {}: expected {}, found \"{found}\"", mistake.line, mistake.expected)
            }
            Refusal::Broken(mistake, found) => write!(
                formatter,
                "line {}: expected {}, found \"{found}\"; because of this, glibc 2.33 and later read nothing of the file",
                mistake.line, mistake.expected
            ),
            Refusal::OddService(line, word) => {
                write!(formatter, "line {line}: \"{word}\" on its hosts line is neither a service nor an action")
            }
            Refusal::Conflict(line, service) => {
                write!(formatter, "line {line}: {service} is on its hosts line already")
            }
            Refusal::NotOurs(service) => {
                write!(formatter, "{service} is none of the module's services: {}", SERVICES.join(", "))
            }
        }
    }
}

/// The change that adds a service, `mdns_minimal` if None; no change if it is there. For None, any service of the module
/// will do.
///
/// A minimal service belongs before `dns` and `resolve`, and nothing is asked after it for `.local` names. So does a full
/// one, unless a minimal one is there: then it belongs at the end, where it looks up what DNS does not know.
///
/// # Errors
/// Why the file is left alone.
pub fn insert(file: &[u8], service: Option<&str>) -> Result<Option<Edit>, Refusal> {
    let name = ours(service)?;
    let line = editable_line(file)?;
    let there: Vec<_> = line.services.iter().filter_map(|service| line.ours(file, service)).collect();
    if there.contains(&name) || (service.is_none() && !there.is_empty()) {
        return Ok(None);
    }
    if let Some(other) = there.iter().find(|other| is_minimal(other) == is_minimal(name)) {
        return Err(Refusal::Conflict(line.number, (*other).into()));
    }
    let asks_dns = |service: &&Service| matches!(file.get(service.name.clone()), Some(b"dns" | b"resolve"));
    let full = |service: &&Service| line.ours(file, service).is_some();
    let place = line.services.iter().find(|service| asks_dns(service) || full(service));
    let is_second = there.iter().any(|other| is_minimal(other));
    let edit = |at: usize, text: String| Ok(Some(Edit { line: line.number, span: at..at, text }));
    if let Some(place) = place.filter(|_| !is_second) {
        return edit(place.name.start, format!("{name} [NOTFOUND=return] "));
    }
    if let Some(word) = line.word_with_comment(file) {
        return Err(Refusal::OddService(line.number, word));
    }
    edit(line.end(), if is_second { format!(" {name}") } else { format!(" {name} [NOTFOUND=return]") })
}

/// The change that removes a service, `mdns_minimal` if None, with its actions; no change if it is not there.
///
/// # Errors
/// Why the file is left alone.
pub fn remove(file: &[u8], service: Option<&str>) -> Result<Option<Edit>, Refusal> {
    let name = ours(service)?;
    let line = match editable_line(file) {
        Ok(line) => line,
        // Nothing needs to be removed, however odd the file is.
        Err(_) if !file.windows(name.len()).any(|octets| octets == name.as_bytes()) => return Ok(None),
        Err(refusal) => return Err(refusal),
    };
    let Some(index) = line.services.iter().position(|service| line.ours(file, service) == Some(name)) else {
        return Ok(None);
    };
    let (before, rest) = line.services.split_at(index);
    let span = match (rest, before.last()) {
        ([service, next, ..], _) => service.span().start..next.name.start,
        ([service], Some(previous)) if line.word_with_comment(file).is_none() => {
            previous.span().end..service.span().end
        }
        // White space stays before a comment that would become part of the previous service.
        ([service], Some(_)) => service.span(),
        ([service], None) => service.span(),
        ([], _) => return Ok(None),
    };
    Ok(Some(Edit { line: line.number, span, text: String::new() }))
}

fn ours(service: Option<&str>) -> Result<&'static str, Refusal> {
    let name = service.unwrap_or(SERVICES[0]);
    SERVICES.into_iter().find(|ours| *ours == name).ok_or_else(|| Refusal::NotOurs(name.into()))
}

fn is_minimal(service: &str) -> bool {
    service.ends_with("_minimal")
}

/// A hosts line that can be edited: what comes before a comment.
struct EditableLine {
    number: usize,
    /// At least one.
    services: Vec<Service>,
}

impl EditableLine {
    /// The name of a service of the module; None for another service.
    fn ours(&self, file: &[u8], service: &Service) -> Option<&'static str> {
        let name = file.get(service.name.clone())?;
        SERVICES.into_iter().find(|ours| ours.as_bytes() == name)
    }

    /// The last service and the beginning of the comment, if no white space separates them: glibc 2.33 and later take
    /// both together for the name of a service.
    fn word_with_comment(&self, file: &[u8]) -> Option<String> {
        let span = self.services.last()?.span();
        let is_comment = file.get(span.end) == Some(&b'#');
        is_comment.then(|| text(file, &(span.start..span.end + 1)))
    }

    /// Behind the last service.
    fn end(&self) -> usize {
        self.services.last().map_or(0, |service| service.span().end)
    }
}

fn editable_line(file: &[u8]) -> Result<EditableLine, Refusal> {
    if file.contains(&0) {
        return Err(Refusal::Nul);
    }
    let (line, entry) = only_hosts_line(file)?;
    let services = file.get(entry.services.clone()).unwrap_or_default();
    let length = services.iter().position(|octet| *octet == b'#').unwrap_or(services.len());
    let span = entry.services.start..entry.services.start + length;
    let list = Scanner::new(file, line.number, span).list();
    // Odd words first: a word such as "\\" or "networks:" often explains the mistake that follows it.
    if let Some(odd) = list.services.iter().find(|service| !is_plain(file, &service.name)) {
        return Err(Refusal::OddService(line.number, text(file, &odd.name)));
    }
    if let Some(mistake) = list.end {
        let found = text(file, &mistake.found);
        return Err(Refusal::Mistake(mistake, found));
    }
    if list.services.is_empty() {
        return Err(Refusal::NoService(line.number));
    }
    if let Some(word) = word_with_colon(file, &line, &entry) {
        return Err(Refusal::OddService(line.number, word));
    }
    if let Reading::Broken(mistake) = read(file, Glibc::V2_33) {
        let found = text(file, &mistake.found);
        return Err(Refusal::Broken(mistake, found));
    }
    Ok(EditableLine { number: line.number, services: list.services })
}

/// The numbers of the lines that glibc takes for hosts lines, whether or not they take effect.
pub(super) fn hosts_lines(file: &[u8]) -> Vec<usize> {
    entries(file).map(|(line, _)| line.number).collect()
}

/// The hosts lines, with their parts. A last one that no newline ends is among them.
fn entries(file: &[u8]) -> impl Iterator<Item = (Line, Entry)> {
    lines(file).filter_map(|line| {
        let terminated = Line { is_terminated: true, span: line.span.clone(), ..line };
        let entry = terminated.entry(file, Glibc::V2_33)?;
        let is_hosts = file.get(entry.database.clone()) == Some(b"hosts");
        is_hosts.then_some((line, entry))
    })
}

fn only_hosts_line(file: &[u8]) -> Result<(Line, Entry), Refusal> {
    let mut found: Vec<_> = entries(file).collect();
    if found.len() > 1 {
        return Err(Refusal::SeveralHostsLines(found.iter().map(|(line, _)| line.number).collect()));
    }
    match found.pop() {
        None => Err(Refusal::NoHostsLine),
        Some((line, _)) if !line.is_terminated => Err(Refusal::NoNewline(line.number)),
        Some(found) => Ok(found),
    }
}

/// The colons before the first service that glibc 2.31 and 2.32 take for a part of its name.
fn word_with_colon(file: &[u8], line: &Line, entry: &Entry) -> Option<String> {
    let start = line.entry(file, Glibc::V2_31)?.services.start;
    let skipped = text(file, &(start..entry.services.start));
    let word = skipped.rsplit(|character: char| character.is_ascii_whitespace()).next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

/// Whether a library may have this name: the characters of names that services have.
fn is_plain(file: &[u8], name: &Range<usize>) -> bool {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"_.+-".contains(octet);
    file.get(name.clone()).is_some_and(|name| name.iter().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Contents of nsswitch.conf, and what `hosts add` makes of them: the new content, or a part of the refusal.
    #[rustfmt::skip]
    const FILES: &[(&str, Result<&str, &str>)] = &[
        ("hosts: files dns\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns\n")),
        ("hosts files dns\n", Ok("hosts files mdns_minimal [NOTFOUND=return] dns\n")),
        ("hosts: files dns\nrpc: db", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns\nrpc: db")),
        ("hosts:\tfiles\tdns\t\n", Ok("hosts:\tfiles\tmdns_minimal [NOTFOUND=return] dns\t\n")),
        (" \thosts : files   dns  \n", Ok(" \thosts : files   mdns_minimal [NOTFOUND=return] dns  \n")),
        ("hosts::dns\n", Err("line 1: \":\" on its hosts line is neither a service nor an action")),
        ("hosts :dns\n", Err("line 1: \":\" on its hosts line is neither a service nor an action")),
        ("hosts:dns\n", Ok("hosts:mdns_minimal [NOTFOUND=return] dns\n")),
        ("hosts: files[SUCCESS=return]dns\n", Ok("hosts: files[SUCCESS=return]mdns_minimal [NOTFOUND=return] dns\n")),
        ("# hosts: old\r\nhosts: files dns\r\nrpc: db\r\n", Ok("# hosts: old\r\nhosts: files mdns_minimal [NOTFOUND=return] dns\r\nrpc: db\r\n")),
        ("hosts: files\r\n", Ok("hosts: files mdns_minimal [NOTFOUND=return]\r\n")),
        ("hosts: files # not dns, nor mdns4\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] # not dns, nor mdns4\n")),
        ("hosts: files#x\n", Err("line 1: \"files#\" on its hosts line is neither a service nor an action")),
        ("hosts: files dns#x\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns#x\n")),
        ("rpc: dns\nhosts: my resolve [!UNAVAIL=return] files dns\n", Ok("rpc: dns\nhosts: my mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] files dns\n")),
        ("hosts: files [ NOTFOUND=continue  UNAVAIL=return ] nis\n", Ok("hosts: files [ NOTFOUND=continue  UNAVAIL=return ] nis mdns_minimal [NOTFOUND=return]\n")),
        ("# Größe\nhosts: files dns\n", Ok("# Größe\nhosts: files mdns_minimal [NOTFOUND=return] dns\n")),
        ("hosts: files adns dnsx dns\n", Ok("hosts: files adns dnsx mdns_minimal [NOTFOUND=return] dns\n")),
        ("hosts: files dns resolve\n", Ok("hosts: files mdns_minimal [NOTFOUND=return] dns resolve\n")),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", Ok("hosts: files mdns4_minimal [NOTFOUND=return] dns\n")),
        ("hosts:\tfiles dns\tmdns # last\n", Ok("hosts:\tfiles dns\tmdns # last\n")),
        ("hosts: files mdns6[NOTFOUND=return]dns\n", Ok("hosts: files mdns6[NOTFOUND=return]dns\n")),
        ("passwd: files\nhosts: files dns", Err("line 2: no newline ends its hosts line, so glibc does not read it")),
        ("passwd: files\n", Err("it has no hosts line")),
        ("", Err("it has no hosts line")),
        ("#hosts: files dns\nHosts: files dns\n", Err("it has no hosts line")),
        ("hosts: files dns\nhosts: files\n", Err("it has more than one hosts line (lines 1, 2): glibc uses the last one")),
        ("hosts: files dns\nhosts alpha\n", Err("it has more than one hosts line (lines 1, 2)")),
        ("hosts: files dns\nhosts\n", Err("it has more than one hosts line (lines 1, 2)")),
        ("hosts:\n", Err("line 1: its hosts line names no service")),
        ("hosts: # files dns\n", Err("line 1: its hosts line names no service")),
        ("hosts: files \\\n  dns\n", Err("line 1: \"\\\" on its hosts line is neither a service nor an action")),
        ("hosts: files dns networks: files\n", Err("line 1: \"networks:\" on its hosts line is neither")),
        ("hosts: files [NOTFOUND=return dns\n", Err("line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"dns\"")),
        ("hosts: files ] dns\n", Err("line 1: \"]\" on its hosts line is neither")),
        ("hosts: [NOTFOUND=return] dns\n", Err("line 1: expected the name of a service, which one pair of brackets at most may follow, found \"[NOTFOUND=return]\"")),
        ("hosts: files [NOTFOUND=stop] dns\n", Err("line 1: expected return, continue or merge, found \"stop]\"")),
        ("hosts: files [NOTFOUND=] dns\n", Err("line 1: expected return, continue or merge, found \"]\"")),
        ("hosts: files [NOTFOUND] dns\n", Err("line 1: expected an equals sign, found \"]\"")),
        ("hosts: files [! UNAVAIL=return] dns\n", Err("line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"\"")),
        ("hosts: files [] dns\n", Err("line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"]\"")),
        ("hosts: files [SUCCESS=return # x] dns\n", Err("line 1: expected SUCCESS")),
        ("hosts: files # [x]\n", Err("because of this, glibc 2.33 and later read nothing of the file")),
        ("hosts: files [SUCCESS=return] [UNAVAIL=return] dns\n", Err("line 1: expected the name of a service, which one pair of brackets at most may follow, found \"[UNAVAIL=return]\"")),
        ("passwd: files [x]\nhosts: files dns\n", Err("line 1: expected SUCCESS")),
        ("hosts: files\0 dns\n", Err("it holds NUL bytes")),
    ];

    fn added(file: &str, service: Option<&str>) -> Result<String, String> {
        let edit = insert(file.as_bytes(), service).map_err(|refusal| refusal.to_string())?;
        let octets = edit.map_or_else(|| file.as_bytes().to_vec(), |edit| edit.apply(file.as_bytes()));
        Ok(String::from_utf8(octets).unwrap())
    }

    #[test]
    fn the_service_goes_where_it_belongs_or_the_line_is_refused() {
        for (file, expected) in FILES {
            match (added(file, None), expected) {
                (Ok(new), Ok(expected)) => assert_eq!(new, *expected),
                (Err(refusal), Err(expected)) => assert!(refusal.contains(expected), "{file:?}: {refusal}"),
                (outcome, _) => panic!("{file:?}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn a_chosen_service_is_added_once_and_not_beside_its_like() {
        for (service, line, expected) in [
            ("mdns4_minimal", "files dns", Ok("files mdns4_minimal [NOTFOUND=return] dns")),
            ("mdns4_minimal", "files mdns4_minimal dns", Ok("files mdns4_minimal dns")),
            ("mdns4_minimal", "files mdns_minimal dns", Err("line 1: mdns_minimal is on its hosts line already")),
            ("mdns", "files mdns_minimal [NOTFOUND=return] dns", Ok("files mdns_minimal [NOTFOUND=return] dns mdns")),
            ("mdns", "files dns", Ok("files mdns [NOTFOUND=return] dns")),
            ("mdns", "files mdns4", Err("line 1: mdns4 is on its hosts line already")),
            ("mdns_minimal", "files mdns dns", Ok("files mdns_minimal [NOTFOUND=return] mdns dns")),
            ("dns", "files", Err("dns is none of the module's services")),
        ] {
            match (added(&format!("hosts: {line}\n"), Some(service)), expected) {
                (Ok(new), Ok(expected)) => assert_eq!(new, format!("hosts: {expected}\n")),
                (Err(refusal), Err(expected)) => assert!(refusal.starts_with(expected), "{line}: {refusal}"),
                (outcome, _) => panic!("{line}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn a_service_is_removed_with_its_actions() {
        for (service, line, expected) in [
            (None, "files mdns_minimal [NOTFOUND=return] dns", "files dns"),
            (None, "files mdns_minimal dns # unicast .local", "files dns # unicast .local"),
            (None, "dns mdns_minimal [NOTFOUND=return] # last", "dns # last"),
            (None, "dns mdns_minimal [NOTFOUND=return]#last", "dns #last"),
            (None, "mdns_minimal", ""),
            (None, "files mdns4_minimal dns", "files mdns4_minimal dns"),
            (Some("mdns4_minimal"), "files\tmdns4_minimal[NOTFOUND=return]dns", "files\tdns"),
        ] {
            let file = format!("passwd: files\nhosts: {line}\nrpc: db");
            let edit = remove(file.as_bytes(), service).unwrap();
            let new = edit.map_or_else(|| file.as_bytes().to_vec(), |edit| edit.apply(file.as_bytes()));
            assert_eq!(String::from_utf8(new).unwrap(), format!("passwd: files\nhosts: {expected}\nrpc: db"));
        }
    }

    #[test]
    fn an_odd_file_is_refused_only_if_it_names_the_service() {
        assert_eq!(remove(b"", None), Ok(None));
        assert_eq!(remove(b"hosts: a\nhosts: b\n", None), Ok(None));
        assert!(remove(b"hosts: a\nhosts: mdns_minimal\n", None).is_err());
    }

    /// Pieces that lines of nsswitch.conf are made of.
    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "hosts", ":", " ", "\t", "\n", "files", "dns", "resolve", "mdns", "mdns4", "mdns_minimal", "[NOTFOUND=return]",
        "[", "]", "!", "SUCCESS", "unavail", "=", "continue", "#", "\r", "\0", "\u{b}", "ü", "x", "\nhosts:", "passwd:",
    ];

    /// The names of the services that glibc asks, with their actions.
    fn services(file: &[u8], glibc: Glibc) -> Vec<(String, super::super::Actions)> {
        match read(file, glibc) {
            Reading::Line(line) => {
                line.services.iter().map(|service| (text(file, &service.name), service.actions)).collect()
            }
            _ => Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn adding_changes_nothing_else_and_removing_undoes_it(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12),
            prefix in prop::sample::select(&["", "hosts: files ", "hosts:"][..]),
            suffix in prop::sample::select(&["", "\n"][..]),
            service in prop::option::of(prop::sample::select(&SERVICES[..])),
        ) {
            let file = format!("{prefix}{}{suffix}", pieces.concat());
            let file = file.as_bytes();
            if let Ok(Some(edit)) = insert(file, service) {
                let new = edit.apply(file);
                let name = service.unwrap_or("mdns_minimal");
                let back = remove(&new, service).unwrap().unwrap().apply(&new);
                prop_assert_eq!(&back, file);
                prop_assert_eq!(insert(&new, service), Ok(None));
                for glibc in [Glibc::V2_31, Glibc::V2_33] {
                    let (before, mut after) = (services(file, glibc), services(&new, glibc));
                    let place = after.iter().position(|(other, _)| other == name).expect("it is on the line");
                    after.remove(place);
                    prop_assert_eq!(before, after);
                }
            }
        }
    }
}
