//! glibc's parsers of `nsswitch.conf`.

use std::ops::Range;

use super::{Action, Actions, Expected, Glibc, HostsLine, Mistake, Reading, Service, Status};

/// The databases that glibc 2.33 and later know. Lines of others (`sudoers`, `automount`) are skipped unread.
pub(super) const DATABASES: [&str; 17] = [
    "aliases",
    "ethers",
    "group",
    "group_compat",
    "gshadow",
    "hosts",
    "initgroups",
    "netgroup",
    "networks",
    "passwd",
    "passwd_compat",
    "protocols",
    "publickey",
    "rpc",
    "services",
    "shadow",
    "shadow_compat",
];

/// What this version of glibc makes of the file.
pub fn read(file: &[u8], glibc: Glibc) -> Reading {
    let mut reading = Reading::Default;
    for line in lines(file) {
        let Some(entry) = line.entry(file, glibc) else { continue };
        let list = Scanner::new(file, line.number, entry.services.clone()).list();
        let is_hosts = file.get(entry.database.clone()) == Some(b"hosts");
        if let (Glibc::V2_33, Some(mistake)) = (glibc, &list.end) {
            if mistake.expected != Expected::Service && is_known(file, &entry.database) {
                return Reading::Broken(mistake.clone());
            }
        }
        if is_hosts {
            reading = match glibc {
                Glibc::V2_31 if list.services.is_empty() => Reading::Default,
                _ => Reading::Line(HostsLine {
                    number: line.number,
                    span: line.span,
                    services: list.services,
                    end: list.end,
                }),
            };
        }
    }
    reading
}

fn is_known(file: &[u8], database: &Range<usize>) -> bool {
    file.get(database.clone()).is_some_and(|name| DATABASES.iter().any(|known| known.as_bytes() == name))
}

/// A line of the file.
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// Without the newline.
    pub(super) span: Range<usize>,
    /// Whether a newline ends it.
    pub(super) is_terminated: bool,
}

/// Where the parts of a line are.
pub(super) struct Entry {
    pub(super) database: Range<usize>,
    /// What follows the name and the colon, as far as glibc reads the line.
    pub(super) services: Range<usize>,
}

/// The lines of the file. An empty piece after the last newline is none.
pub(super) fn lines(file: &[u8]) -> impl Iterator<Item = Line> {
    let mut start = 0;
    file.split_inclusive(|&octet| octet == b'\n').enumerate().map(move |(index, line)| {
        let is_terminated = line.ends_with(b"\n");
        let end = start + line.len() - usize::from(is_terminated);
        let span = start..end;
        start += line.len();
        Line { number: index + 1, span, is_terminated }
    })
}

impl Line {
    /// The parts of the line, if this version of glibc finds a database on it.
    pub(super) fn entry(&self, file: &[u8], glibc: Glibc) -> Option<Entry> {
        if glibc == Glibc::V2_33 && !self.is_terminated {
            return None;
        }
        let whole = file.get(self.span.clone())?;
        let ends_line = |octet: &u8| *octet == 0 || (*octet == b'#' && glibc == Glibc::V2_31);
        let length = whole.iter().position(ends_line).unwrap_or(whole.len());
        let line = whole.get(..length)?;
        let name_start = line.iter().position(|octet| !is_space(*octet))?;
        let name = line.get(name_start..)?;
        let name_length = name.iter().position(|octet| is_space(*octet) || *octet == b':').unwrap_or(name.len());
        let name_end = name_start + name_length;
        // The newer parser sees the newline, which separates the name from nothing.
        let has_separator = name_end < length || (glibc == Glibc::V2_33 && length == whole.len());
        if name_length == 0 || !has_separator {
            return None;
        }
        let rest = line.get(name_end..)?;
        let skipped = match glibc {
            Glibc::V2_31 => 1,
            Glibc::V2_33 => rest.iter().position(|octet| !is_space(*octet) && *octet != b':').unwrap_or(rest.len()),
        };
        let at = |offset: usize| self.span.start + offset;
        Some(Entry { database: at(name_start)..at(name_end), services: at(name_end + skipped)..at(length) })
    }
}

/// `isspace` of the C locale.
pub(super) fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

/// The services of a line.
pub(super) struct List {
    pub(super) services: Vec<Service>,
    /// Why the list ends before the line does.
    pub(super) end: Option<Mistake>,
}

/// Reads services and actions. Both parsers have the same grammar for them:
///
/// ```text
/// ( service ( "[" ( "!"? status "=" action )+ "]" )? )*
/// ```
pub(super) struct Scanner<'file> {
    file: &'file [u8],
    line: usize,
    position: usize,
    end: usize,
}

impl<'file> Scanner<'file> {
    pub(super) fn new(file: &'file [u8], line: usize, span: Range<usize>) -> Scanner<'file> {
        Scanner { file, line, position: span.start, end: span.end }
    }

    pub(super) fn list(mut self) -> List {
        let mut services = Vec::new();
        loop {
            match self.service() {
                Ok(Some(service)) => services.push(service),
                Ok(None) => return List { services, end: None },
                Err(mistake) => return List { services, end: Some(mistake) },
            }
        }
    }

    /// The next service with its actions; None at the end of the line.
    fn service(&mut self) -> Result<Option<Service>, Mistake> {
        self.skip_space();
        if self.next().is_none() {
            return Ok(None);
        }
        let name = self.word(b"[");
        if name.is_empty() {
            return Err(self.mistake(self.position, Expected::Service));
        }
        self.skip_space();
        let mut service = Service { name, brackets: None, actions: Actions::default() };
        if self.next() == Some(b'[') {
            let start = self.position;
            self.position += 1;
            self.actions(&mut service.actions)?;
            service.brackets = Some(start..self.position);
        }
        Ok(Some(service))
    }

    /// What follows the opening bracket, and the closing one.
    fn actions(&mut self, actions: &mut Actions) -> Result<(), Mistake> {
        self.skip_space();
        loop {
            let except = self.skip(b'!');
            let status = self.keyword(&STATUSES, Expected::Status)?;
            self.skip_space();
            if !self.skip(b'=') {
                return Err(self.mistake(self.position, Expected::Equals));
            }
            self.skip_space();
            let action = self.keyword(&ACTIONS, Expected::Action)?;
            actions.set(status, except, action);
            self.skip_space();
            if self.skip(b']') {
                return Ok(());
            }
        }
    }

    fn keyword<T: Copy>(&mut self, table: &[(&str, T)], expected: Expected) -> Result<T, Mistake> {
        let word = self.word(b"=]");
        let text = self.file.get(word.clone()).unwrap_or_default();
        let found = table.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| self.mistake(word.start, expected))
    }

    /// What comes before white space, one of these delimiters or the end of the line.
    fn word(&mut self, delimiters: &[u8]) -> Range<usize> {
        let start = self.position;
        while self.next().is_some_and(|octet| !is_space(octet) && !delimiters.contains(&octet)) {
            self.position += 1;
        }
        start..self.position
    }

    fn skip_space(&mut self) {
        while self.next().is_some_and(is_space) {
            self.position += 1;
        }
    }

    fn skip(&mut self, octet: u8) -> bool {
        let is_there = self.next() == Some(octet);
        self.position += usize::from(is_there);
        is_there
    }

    fn next(&self) -> Option<u8> {
        self.file.get(self.position..self.end)?.first().copied()
    }

    /// A mistake at this position.
    fn mistake(&self, start: usize, expected: Expected) -> Mistake {
        let rest = self.file.get(start..self.end).unwrap_or_default();
        let length = rest.iter().position(|octet| is_space(*octet)).unwrap_or(rest.len());
        Mistake { line: self.line, found: start..start + length, expected }
    }
}

const STATUSES: [(&str, Status); 4] = [
    ("SUCCESS", Status::Success),
    ("NOTFOUND", Status::NotFound),
    ("UNAVAIL", Status::Unavail),
    ("TRYAGAIN", Status::TryAgain),
];

const ACTIONS: [(&str, Action); 3] =
    [("RETURN", Action::Return), ("CONTINUE", Action::Continue), ("MERGE", Action::Merge)];

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    /// The names of the services with their brackets, or what else the file means.
    fn reading(file: &str, glibc: Glibc) -> String {
        let octets = file.as_bytes();
        match read(octets, glibc) {
            Reading::Line(line) => {
                let services: Vec<_> = line.services.iter().map(|service| text(octets, &service.span())).collect();
                services.join("|")
            }
            Reading::Default => "default".into(),
            Reading::Broken(mistake) => format!("broken: line {}, {}", mistake.line, text(octets, &mistake.found)),
        }
    }

    /// A file, and what the two parsers make of it. tests/tests/nsswitch.rs has the real one read it.
    #[rustfmt::skip]
    const FILES: &[(&str, &str, &str)] = &[
        ("hosts: files dns\n", "files|dns", "files|dns"),
        ("hosts files dns\n", "files|dns", "files|dns"),
        ("hosts::files\n", ":files", "files"),
        (" \thosts : files\n", ":|files", "files"),
        ("Hosts: files\n", "default", "default"),
        ("hosts: files\r\n", "files", "files"),
        ("hosts: a\nhosts: b\n", "b", "b"),
        ("hosts: a\nhosts b\n", "b", "b"),
        ("hosts: a\nhosts:\n", "default", ""),
        ("hosts: a\nhosts\n", "a", ""),
        ("hosts: a\nhosts", "a", "a"),
        ("hosts: a", "a", "default"),
        ("hosts: a #b\n", "a", "a|#b"),
        ("hosts#: a\n", "default", "default"),
        ("#hosts: a\n", "default", "default"),
        ("hosts: a\0b\n", "a", "a"),
        ("hosts\0: a\n", "default", "default"),
        ("hosts:\0 a\n", "default", ""),
        ("hosts: a[notfound = RETURN !Unavail=merge]b\n", "a[notfound = RETURN !Unavail=merge]|b", "a[notfound = RETURN !Unavail=merge]|b"),
        ("hosts: a [SUCCESS=return] [UNAVAIL=return] b\n", "a [SUCCESS=return]", "a [SUCCESS=return]"),
        ("hosts: [SUCCESS=return] b\n", "default", ""),
        ("hosts: a b [] c\n", "a", "broken: line 1, ]"),
        ("hosts: a b [NOTFOUND=stop] c\n", "a", "broken: line 1, stop]"),
        ("hosts: a b [NOTFOUND return]\n", "a", "broken: line 1, return]"),
        ("hosts: a b [! NOTFOUND=return]\n", "a", "broken: line 1, "),
        ("hosts: a b [NOTFOUND=return\n", "a", "broken: line 1, "),
        ("passwd: files [x]\nhosts: a\n", "a", "broken: line 1, x]"),
        ("sudoers: files [x]\nhosts: a\n", "a", "a"),
        ("hosts: a] b: \\\n c\n", "a]|b:|\\", "a]|b:|\\"),
        ("", "default", "default"),
    ];

    #[test]
    fn both_parsers_are_followed() {
        for (file, old, new) in FILES {
            assert_eq!(reading(file, Glibc::V2_31), *old, "{file:?}, 2.31");
            assert_eq!(reading(file, Glibc::V2_33), *new, "{file:?}, 2.33");
        }
    }

    #[test]
    fn later_actions_override_earlier_ones() {
        let after = |brackets: &str| {
            let file = format!("hosts: a {brackets}\n");
            let Reading::Line(line) = read(file.as_bytes(), Glibc::V2_33) else { panic!("{brackets}") };
            Status::ALL.map(|status| line.services[0].actions.after(status))
        };
        use Action::{Continue, Merge, Return};
        assert_eq!(after(""), [Return, Continue, Continue, Continue]);
        assert_eq!(after("[!UNAVAIL=return]"), [Return, Return, Continue, Return]);
        assert_eq!(after("[!SUCCESS=return UNAVAIL=continue]"), [Return, Return, Continue, Return]);
        assert_eq!(after("[SUCCESS=merge TRYAGAIN=return TRYAGAIN=continue]"), [Merge, Continue, Continue, Continue]);
    }
}
