//! `/etc/resolv.conf`: the search domains that are `local` or end in `.local`. A network whose DNS servers have such a
//! domain, such as one with Active Directory or a Kubernetes cluster, lists it there.
//!
//! ```text
//! search corp.local example.org
//! ```
//! Lines are read as glibc reads them (resolv.conf(5)). The keyword is at the start of the line, in lower case, and a
//! blank follows it. The last `search` or `domain` line with a domain counts. The search domains that glibc derives from
//! the host name, if there is no such line, and those in the environment variable `LOCALDOMAIN` are ignored: the first
//! say nothing about the network, and another thread may change the environment while it is read.

use std::ffi::CStr;

use crate::policy::NameSource;
use crate::try_alloc;
use crate::wire::{MAX_NAME, Name};

/// The path of the file.
pub const FILE: &CStr = c"/etc/resolv.conf";

/// The search domains that are `local` or end in `.local`, of which there may be any number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalDomains {
    has_local: bool,
    // Each domain below `local`, without a dot at its end, after a newline: one allocation for all of them.
    text: Vec<u8>,
}

impl LocalDomains {
    /// Reads the text of the file. Domains that are not valid names are ignored.
    pub fn parse(text: &[u8]) -> Self {
        let list = text.rsplit(|&octet| octet == b'\n').find_map(search_list).unwrap_or_default();
        let mut domains = Self::default();
        for domain in list.split(is_blank).filter(|domain| !domain.is_empty()) {
            domains.push(domain);
        }
        domains
    }

    fn push(&mut self, domain: &[u8]) {
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if domain.eq_ignore_ascii_case(b"local") {
            self.has_local = true;
        } else if is_within(domain, b"local")
            && is_valid(domain)
            && try_alloc::reserve(&mut self.text, domain.len() + 1)
            && try_alloc::push(&mut self.text, b'\n')
        {
            try_alloc::extend(&mut self.text, domain);
        }
    }

    /// True if no search domain is `local` or ends in `.local`.
    pub fn is_empty(&self) -> bool {
        !self.has_local && self.text.is_empty()
    }

    /// True if `local` itself is a search domain.
    pub fn has_local(&self) -> bool {
        self.has_local
    }

    /// The search domains that end in `.local`, in the order of the file.
    pub fn below_local(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&octet| octet == b'\n').skip(1)
    }

    /// The first search domain below `local` that `name` is equal to or below.
    pub fn domain_of(&self, name: &Name) -> Option<&[u8]> {
        self.below_local().find(|domain| name.labels_before(domain).is_some())
    }

    /// True if `suffix`, without a dot at its start, is equal to or below a search domain below `local`.
    pub(crate) fn contain_suffix(&self, suffix: &[u8]) -> bool {
        let suffix = suffix.strip_suffix(b".").unwrap_or(suffix);
        self.below_local().any(|domain| is_within(suffix, domain))
    }

    /// Who serves `name`, which is under `.local`. `is_listed` returns true if `/etc/mdns.allow` has an entry that takes
    /// precedence over the search domain; it is called only if there is one.
    pub(crate) fn source_of(&self, name: &Name, is_listed: impl FnOnce() -> bool) -> NameSource {
        if self.domain_of(name).is_some() && !is_listed() {
            NameSource::Dns
        } else if self.has_local {
            NameSource::LinkThenDns
        } else {
            NameSource::Link
        }
    }
}

/// The domains of a `search` or `domain` line, with blanks between them. None for any other line, and for a line
/// without a domain, which does not replace the domains of an earlier one.
fn search_list(line: &[u8]) -> Option<&[u8]> {
    // glibc's functions take a NUL for the end of the line.
    let line = line.split(|&octet| octet == 0).next().unwrap_or_default();
    let list = match line.strip_prefix(b"search") {
        Some(list) => list,
        None => line.strip_prefix(b"domain")?,
    };
    let first = list.split(is_blank).find(|domain| !domain.is_empty());
    let has_blank = list.first().is_some_and(is_blank);
    let first = first.filter(|_| has_blank)?;
    // A `domain` line has one domain only; what follows it is ignored.
    if line.starts_with(b"search") { Some(list) } else { Some(first) }
}

/// True between two domains. A carriage return counts too, for files with CRLF line ends, although glibc takes it for a
/// part of the domain.
fn is_blank(octet: &u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r')
}

/// True if `name` is `domain` or ends in its labels. Both are without a dot at the end.
fn is_within(name: &[u8], domain: &[u8]) -> bool {
    let split = name.len().checked_sub(domain.len()).and_then(|start| name.split_at_checked(start));
    split.is_some_and(|(before, end)| end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with(b".")))
}

/// True if a name can end in `domain`.
fn is_valid(domain: &[u8]) -> bool {
    domain.len() < MAX_NAME && domain.split(|&octet| octet == b'.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_text(text.as_bytes()).unwrap()
    }

    /// The search domains under `.local` of a file, `local` itself first.
    fn domains(text: &[u8]) -> Vec<String> {
        let domains = LocalDomains::parse(text);
        let below = domains.below_local().map(|domain| String::from_utf8(domain.to_vec()).unwrap());
        let all: Vec<_> = domains.has_local().then(|| "local".to_owned()).into_iter().chain(below).collect();
        assert_eq!(domains.is_empty(), all.is_empty());
        all
    }

    #[test]
    fn search_domains_under_local_are_read_as_glibc_reads_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("nameserver 192.0.2.1\n", &[]),
            ("search example.org corp.example\n", &[]),
            ("search corp.local\n", &["corp.local"]),
            ("nameserver 192.0.2.1\nsearch corp.local", &["corp.local"]),
            ("search\tcorp.local \t lab.local\t\n", &["corp.local", "lab.local"]),
            ("search example.org Corp.LOCAL. x.corp.local\n", &["Corp.LOCAL", "x.corp.local"]),
            ("search local\n", &["local"]),
            ("search corp.local LOCAL. example.org\n", &["local", "corp.local"]),
            // The last line with a domain counts.
            ("search a.local\ndomain b.local\n", &["b.local"]),
            ("domain b.local\nsearch a.local c.local\n", &["a.local", "c.local"]),
            ("search a.local\nsearch example.org\n", &[]),
            ("search a.local\nsearch\nsearch \t\ndomain\ndomain \n", &["a.local"]),
            // A domain line has one domain.
            ("domain a.local b.local\n", &["a.local"]),
            // Keywords are at the start of the line, in lower case, with a blank after them.
            (" search a.local\n", &[]),
            ("SEARCH a.local\n", &[]),
            ("searcha.local\nsearch:\ta.local\nsearching a.local\n", &[]),
            // Only a whole line can be a comment.
            ("# search a.local\n;search b.local\n", &[]),
            ("search a.local # b.local\n", &["a.local", "b.local"]),
            // As systemd-resolved writes it if there is no search domain.
            ("search .\n", &[]),
            ("search .local ..local a..local notlocal local.example .\n", &[]),
            ("search a.local\r\nnameserver 192.0.2.1\r\n", &["a.local"]),
            ("search a.local b.lo\0cal c.local\nsearch\0 d.local\n", &["a.local"]),
            // glibc had a limit of six domains and 256 characters before version 2.26.
            (
                "search 1.local 2.local 3.local 4.local 5.local 6.local 7.local\n",
                &["1.local", "2.local", "3.local", "4.local", "5.local", "6.local", "7.local"],
            ),
        ] {
            assert_eq!(domains(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn names_equal_to_or_below_a_search_domain_belong_to_dns() {
        use NameSource::{Dns, Link, LinkThenDns};
        for (search, text, expected) in [
            ("", "printer.local", Link),
            ("example.org", "printer.local", Link),
            ("corp.local", "printer.local", Link),
            ("corp.local", "corp.local", Dns),
            ("corp.local", "CORP.Local", Dns),
            ("Corp.Local.", "corp.local", Dns),
            ("corp.local", "dc1.corp.local", Dns),
            ("corp.local", "a.b.corp.local.", Dns),
            ("corp.local", "xcorp.local", Link),
            ("corp.local", "corp.x.local", Link),
            ("a.corp.local", "corp.local", Link),
            ("a.corp.local", "b.corp.local", Link),
            ("local", "printer.local", LinkThenDns),
            ("local", "a.b.local", LinkThenDns),
            ("local corp.local", "printer.local", LinkThenDns),
            ("local corp.local", "dc1.corp.local", Dns),
            ("default.svc.cluster.local svc.cluster.local cluster.local", "a.b.svc.cluster.local", Dns),
            ("default.svc.cluster.local svc.cluster.local cluster.local", "cluster.local", Dns),
        ] {
            let domains = LocalDomains::parse(format!("search {search}\n").as_bytes());
            assert_eq!(domains.source_of(&name(text), || false), expected, "search {search}: {text}");
            let if_listed = if domains.has_local() { LinkThenDns } else { Link };
            assert_eq!(domains.source_of(&name(text), || true), if_listed, "search {search}: {text} is listed");
        }
    }

    #[test]
    fn the_domain_of_a_name_is_the_first_that_it_is_equal_to_or_below() {
        let domains = LocalDomains::parse(b"search local a.corp.local corp.local\n");
        for (text, expected) in [
            ("printer.local", None),
            ("corp.local", Some(&b"corp.local"[..])),
            ("b.corp.local", Some(b"corp.local")),
            ("x.a.corp.local", Some(b"a.corp.local")),
        ] {
            assert_eq!(domains.domain_of(&name(text)), expected, "{text}");
        }
    }

    #[test]
    fn suffixes_are_compared_label_by_label() {
        let domains = LocalDomains::parse(b"search local corp.local\n");
        for (suffix, expected) in [
            ("corp.local", true),
            ("CORP.local.", true),
            ("a.corp.local", true),
            ("local", false),
            ("acorp.local", false),
            ("example", false),
        ] {
            assert_eq!(domains.contain_suffix(suffix.as_bytes()), expected, "{suffix}");
        }
    }

    #[test]
    fn a_domain_that_is_too_long_for_a_name_is_ignored() {
        let long = format!("{}local", "a.".repeat(150));
        let longest_line = format!("search {}b.local\n", "example.org ".repeat(5000));
        assert_eq!(domains(format!("search {long} a.local\n").as_bytes()), ["a.local"]);
        assert_eq!(domains(longest_line.as_bytes()), ["b.local"]);
    }
}
