//! `/etc/mdns.allow`, nss-mdns's list of the domains that multicast DNS is asked for, as the full services honour it.
//!
//! ```text
//! # a suffix a line, and what follows it is for people
//! .local     our printers
//! .local.
//! .example
//! ```
//! A suffix is compared with a name as it is spelled: `.local.` matches `printer.local.` alone, `.local` only that without
//! the dot at its end. `*` stands for all names. A file that lists nothing allows nothing.

use std::ffi::CStr;
use std::fmt;

use crate::memory;
use crate::watched::without_mark;

/// Where the list is. It need not be there.
pub const FILE: &CStr = c"/etc/mdns.allow";

/// The longest suffix, in octets: no name is longer. Longer lines are passed over as a whole.
const LONGEST: usize = 255;

/// What is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// There is no list: names under `.local`.
    Local,
    /// What the list says.
    Listed(Suffixes),
}

/// The entries of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suffixes {
    all: bool,
    // Each with a newline before it, and without the dot at its beginning.
    text: Vec<u8>,
}

/// A line that is no entry. Displayed: its number and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its number, from 1.
    pub line: usize,
}

impl Suffixes {
    /// Reads the list's text, and tells `report` of the lines that are passed over.
    pub fn parse(text: &[u8], report: &mut dyn FnMut(Problem)) -> Self {
        let mut suffixes = Self::default();
        for (index, line) in without_mark(text).split(|&octet| octet == b'\n').enumerate() {
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
        let valid = entry.len() <= LONGEST
            && labels.split(|&octet| octet == b'.').all(|label| !label.is_empty())
            && !labels.iter().any(|&octet| octet.is_ascii_control() || octet == b'*');
        valid
            && memory::reserve(&mut self.text, suffix.len() + 1)
            && memory::push(&mut self.text, b'\n')
            && memory::extend(&mut self.text, suffix)
    }

    /// True if no name is allowed.
    pub fn is_empty(&self) -> bool {
        !self.all && self.text.is_empty()
    }

    /// True if `name`, as it is spelled, ends in one of the suffixes, with a label or more before it.
    pub fn contain(&self, name: &[u8]) -> bool {
        let ends_in = |suffix: &[u8]| {
            let Some(at) = name.len().checked_sub(suffix.len()) else { return false };
            let Some((head, tail)) = name.split_at_checked(at) else { return false };
            tail.eq_ignore_ascii_case(suffix) && head.len() > 1 && head.ends_with(b".")
        };
        self.all || self.text.split(|&octet| octet == b'\n').skip(1).any(ends_in)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: expected a suffix such as .local, of at most {LONGEST} octets, or *", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Suffixes {
        Suffixes::parse(text.as_bytes(), &mut |problem| panic!("{problem}"))
    }

    #[test]
    fn names_that_lists_allow() {
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
            for name in allowed {
                assert!(suffixes.contain(name.as_bytes()), "{text:?} {name}");
            }
            for name in others {
                assert!(!suffixes.contain(name.as_bytes()), "{text:?} {name}");
            }
        }
    }

    #[test]
    fn lines_that_are_no_entries_are_passed_over_as_a_whole() {
        let long = format!("{}.local", "a.".repeat(200));
        for line in [&long, ".", "..", "a..b", "*.local", "a\x07b"] {
            let mut problems = Vec::new();
            let suffixes =
                Suffixes::parse(format!(".one\n{line}\n.two\n").as_bytes(), &mut |problem| problems.push(problem));
            assert_eq!(problems, [Problem { line: 2 }], "{line:?}");
            assert_eq!(suffixes, list(".one\n.two"), "{line:?}");
        }
    }

    /// nss-mdns reads lines of at most 127 octets, and takes what is left of a longer one for another entry.
    #[test]
    fn a_long_line_is_never_two_entries() {
        for padding in 100..300 {
            let suffixes = Suffixes::parse(format!("{}.local", "x".repeat(padding)).as_bytes(), &mut |_| {});
            assert!(!suffixes.contain(b"printer.local"), "{padding}");
        }
    }
}
