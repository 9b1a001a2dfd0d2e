//! `/etc/mdns.allow`: the list of the domains that the full services look up. The format is that of nss-mdns.
//!
//! ```text
//! # one suffix per line; the rest of the line is a comment
//! .local     our printers
//! .local.
//! .example
//! ```
//! A suffix is compared with the text of a name: `.local.` matches only names that are written with a dot at the end,
//! such as `printer.local.`, and `.local` only names without it. `*` matches every name. An empty list allows no name.

use std::ffi::CStr;
use std::fmt;

use super::reload::without_byte_order_mark;
use super::resolv_conf::LocalDomains;
use crate::host_name::HostName;
use crate::policy::{Labels, NameRange};
use crate::try_alloc;

/// The path of the list. The file is optional.
pub const FILE: &CStr = c"/etc/mdns.allow";

/// The maximum length of a suffix with its dots, in octets: no name is longer. A line with a longer suffix is invalid.
const MAX_SUFFIX: usize = 255;

/// The domains that the full services look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// There is no list: names under `.local`.
    Local,
    /// The names that the list allows.
    Listed(Suffixes),
}

impl Allowed {
    /// Checks that a service with this range looks up `host`. `labels` returns the setting, and is called only if the
    /// result depends on it.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn check(
        &self,
        range: NameRange,
        host: &HostName,
        labels: impl FnOnce() -> Labels,
    ) -> Result<(), Exclusion> {
        match (range, self) {
            (NameRange::Allowed, Self::Listed(suffixes)) if suffixes.contain(host) => Ok(()),
            (NameRange::Allowed, Self::Listed(_)) => Err(Exclusion::NotListed),
            _ if Labels::allow(labels, &host.name) => Ok(()),
            _ if host.name.is_local() => Err(Exclusion::Labels),
            _ => Err(Exclusion::NotLocal),
        }
    }

    /// True if the list has an entry for `host` that takes precedence over the search domains: one that is itself a
    /// search domain under `.local`, or below one.
    pub(crate) fn overrides(&self, domains: &LocalDomains, host: &HostName) -> bool {
        match self {
            Self::Local => false,
            Self::Listed(list) => list.matching(host).any(|suffix| domains.contain_suffix(suffix)),
        }
    }
}

/// Why a service does not look up a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It is not under `.local`, and there is no list.
    NotLocal,
    /// It has more labels than the setting `labels` allows.
    Labels,
    /// It ends in none of the suffixes on the list.
    NotListed,
}

/// The entries of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suffixes {
    all: bool,
    // Each suffix without its leading dot, after a newline: one allocation for the whole list.
    text: Vec<u8>,
}

/// A line that is not valid. Its `Display` form has the line's number and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line's number, from 1.
    pub line: usize,
}

impl Suffixes {
    /// Reads a list. Lines that are not valid are passed to `report` and ignored.
    pub fn parse(text: &[u8], report: &mut dyn FnMut(Problem)) -> Self {
        let mut suffixes = Self::default();
        for (index, line) in without_byte_order_mark(text).split(|&octet| octet == b'\n').enumerate() {
            let line = line.split(|&octet| octet == b'#').next().unwrap_or_default().trim_ascii();
            let entry = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            if !entry.is_empty() && !suffixes.push(entry) {
                report(Problem { line: index + 1 });
            }
        }
        suffixes
    }

    fn push(&mut self, entry: &[u8]) -> bool {
        if entry == b"*" {
            self.all = true;
            return true;
        }
        let suffix = entry.strip_prefix(b".").unwrap_or(entry);
        let labels = suffix.strip_suffix(b".").unwrap_or(suffix);
        let valid = entry.len() <= MAX_SUFFIX
            && labels.split(|&octet| octet == b'.').all(|label| !label.is_empty())
            && !labels.iter().any(|&octet| octet.is_ascii_control() || octet == b'*');
        valid
            && try_alloc::reserve(&mut self.text, suffix.len() + 1)
            && try_alloc::push(&mut self.text, b'\n')
            && try_alloc::extend(&mut self.text, suffix)
    }

    /// True if the list allows no name.
    pub fn is_empty(&self) -> bool {
        !self.all && self.text.is_empty()
    }

    /// True if `host` ends in one of the suffixes, with at least one label before it.
    pub fn contain(&self, host: &HostName) -> bool {
        self.all || self.matching(host).next().is_some()
    }

    /// The suffixes, without their leading dots, that `host` ends in.
    fn matching(&self, host: &HostName) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&octet| octet == b'\n').skip(1).filter(|suffix| host.ends_in(suffix))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: expected a suffix such as .local, of at most {MAX_SUFFIX} octets, or *", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Suffixes {
        Suffixes::parse(text.as_bytes(), &mut |problem| panic!("{problem}"))
    }

    #[test]
    fn a_list_allows_names_that_end_in_a_suffix() {
        for (text, allowed, others) in [
            ("", &[][..], &["printer.local", "a.example"][..]),
            ("# .local\n\n  \r\n", &[], &["printer.local"]),
            (
                ".local\n",
                &["printer.local", "PRINTER.LOCAL", "a.b.local"],
                &["printer.local.", "printer.example", "local", ".local", "xlocal"],
            ),
            ("local", &["printer.local"], &["printer.local.", "mylocal", "local"]),
            (
                "\u{feff}.local our printers\n.example\tand theirs",
                &["a.local", "a.example"],
                &["a.printers", "a.theirs"],
            ),
            (".local.\n", &["printer.local."], &["printer.local"]),
            (
                "  .Example.Org  # ours\r\n.local",
                &["a.example.org", "a.local"],
                &["example.org", "a.org", "anexample.org"],
            ),
            ("*", &["printer.local", "www.example.org", "a.b."], &[]),
        ] {
            let suffixes = list(text);
            let allows = |name: &str| HostName::from_text(name.as_bytes()).is_ok_and(|host| suffixes.contain(&host));
            for name in allowed {
                assert!(allows(name), "{text:?} {name}");
            }
            for name in others {
                assert!(!allows(name), "{text:?} {name}");
            }
        }
    }

    #[test]
    fn an_invalid_line_is_reported_and_allows_nothing() {
        let long = format!("{}.local", "a.".repeat(200));
        for line in [&long, ".", "..", "a..b", "*.local", "a\x07b"] {
            let mut problems = Vec::new();
            let suffixes =
                Suffixes::parse(format!(".one\n{line}\n.two\n").as_bytes(), &mut |problem| problems.push(problem));
            assert_eq!(problems, [Problem { line: 2 }], "{line:?}");
            assert_eq!(suffixes, list(".one\n.two"), "{line:?}");
        }
    }

    /// Unlike in nss-mdns, which reads at most 127 octets of a line and parses the rest as another entry.
    #[test]
    fn a_long_line_is_one_entry() {
        for padding in 100..300 {
            let suffixes = Suffixes::parse(format!("{}.local", "x".repeat(padding)).as_bytes(), &mut |_| {});
            assert!(!suffixes.contain(&HostName::from_text(b"printer.local").unwrap()), "{padding}");
        }
    }

    #[test]
    fn an_entry_for_a_search_domain_or_below_takes_precedence() {
        let domains = LocalDomains::parse(b"search local corp.local svc.cluster.local cluster.local\n");
        for (text, name, expected) in [
            (".corp.local", "printer.corp.local", true),
            (".Corp.Local.", "printer.corp.local.", true),
            (".a.corp.local", "printer.a.corp.local", true),
            (".a.corp.local", "printer.corp.local", false),
            (".cluster.local", "a.b.svc.cluster.local", true),
            (".local", "printer.corp.local", false),
            ("*", "printer.corp.local", false),
            (".local\n*\n.corp.local", "printer.corp.local", true),
            // The name of the domain itself does not end in the suffix.
            (".local\n.corp.local", "corp.local", false),
        ] {
            let host = HostName::from_text(name.as_bytes()).unwrap();
            assert_eq!(Allowed::Listed(list(text)).overrides(&domains, &host), expected, "{text:?} {name}");
            assert!(!Allowed::Local.overrides(&domains, &host));
        }
    }

    #[test]
    fn the_range_of_a_service_decides_whether_the_list_applies() {
        let listed = |text: &str| Allowed::Listed(Suffixes::parse(text.as_bytes(), &mut |_| {}));
        let (none, empty, example, all) = (Allowed::Local, listed(""), listed(".example"), listed("*"));
        for (text, range, labels, allowed, expected) in [
            ("printer.local", NameRange::Local, Labels::Two, &none, Ok(())),
            ("a.b.local", NameRange::Local, Labels::Two, &none, Err(Exclusion::Labels)),
            ("a.b.local", NameRange::Local, Labels::Any, &none, Ok(())),
            ("printer.local", NameRange::Local, Labels::Two, &empty, Ok(())),
            ("printer.local", NameRange::Allowed, Labels::Two, &none, Ok(())),
            ("a.b.local", NameRange::Allowed, Labels::Two, &none, Err(Exclusion::Labels)),
            ("a.b.local", NameRange::Allowed, Labels::Any, &none, Ok(())),
            ("printer.example", NameRange::Allowed, Labels::Any, &none, Err(Exclusion::NotLocal)),
            ("printer.local", NameRange::Allowed, Labels::Two, &empty, Err(Exclusion::NotListed)),
            ("printer.local", NameRange::Allowed, Labels::Any, &example, Err(Exclusion::NotListed)),
            ("printer.example", NameRange::Allowed, Labels::Two, &example, Ok(())),
            ("a.b.example", NameRange::Allowed, Labels::Two, &example, Ok(())),
            ("a.b.local", NameRange::Allowed, Labels::Two, &all, Ok(())),
            ("www.example.org.", NameRange::Allowed, Labels::Two, &all, Ok(())),
        ] {
            let host = range.host_name(text.as_bytes()).unwrap();
            assert_eq!(allowed.check(range, &host, || labels), expected, "{text} {range:?} {labels:?} {allowed:?}");
        }
    }
}
