//! Which names and addresses are looked up by multicast DNS, and which name is this machine's own.

use std::net::IpAddr;

use crate::address::{is_host_address, is_link_local};
use crate::error::LookupError;
use crate::host_name::HostName;
use crate::wire::Name;

/// True if `text` ends in `.local` or `.local.`. Allocates nothing and makes no system call: every name that a program
/// on this machine looks up is checked here.
pub fn is_local(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    text.last_chunk::<6>().is_some_and(|end| end.eq_ignore_ascii_case(b".local"))
}

/// The names that a service looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRange {
    /// Names under `.local`, whatever `/etc/mdns.allow` says: the minimal services.
    Local,
    /// Names in the domains that `/etc/mdns.allow` lists; names under `.local` if there is no such file.
    Allowed,
}

impl NameRange {
    /// The name that `text` stands for, unless it is outside this range whatever the settings are. Makes no system
    /// call.
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] for a name outside the range, [`LookupError::Malformed`] for text that ends in `.local`
    /// but is not a valid name.
    pub fn host_name(self, text: &[u8]) -> Result<HostName, LookupError> {
        let is_local = is_local(text);
        if !is_local && (self == Self::Local || !has_inner_dot(text)) {
            return Err(LookupError::NotOurs);
        }
        parse(text, is_local)
    }
}

/// The name that `text` stands for. Not inlined, so that other names are rejected without a stack frame for the result.
#[inline(never)]
fn parse(text: &[u8], is_local: bool) -> Result<HostName, LookupError> {
    let error = if is_local { LookupError::Malformed } else { LookupError::NotOurs };
    let host = HostName::from_text(text).map_err(|_| error)?;
    // An escaped dot separates no labels.
    let has_range = if is_local { host.name.is_local() } else { host.name.labels().count() > 1 };
    // Programs write a name with its escapes decoded, so what is looked up must be a name that they can write. A dot or a
    // backslash within a label would make it another name.
    let is_escaped = host.name.text_len() < text.strip_suffix(b".").unwrap_or(text).len();
    if has_range && (!is_escaped || host.name.is_clean_with_spaces()) { Ok(host) } else { Err(LookupError::NotOurs) }
}

/// True if `text` has a dot before its last octet.
fn has_inner_dot(text: &[u8]) -> bool {
    text.strip_suffix(b".").unwrap_or(text).contains(&b'.')
}

/// Who serves a name under `.local`, according to the search domains in `/etc/resolv.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// The hosts on the link.
    Link,
    /// The hosts on the link, or DNS if none of them responds: `local` is a search domain.
    LinkThenDns,
    /// DNS: the name is a search domain, or below one.
    Dns,
}

impl NameSource {
    /// Why a lookup has no answer, if `error` is the reason where the link alone serves the name.
    pub(crate) fn error_for(self, error: LookupError) -> LookupError {
        match self {
            Self::Link => error,
            Self::LinkThenDns => LookupError::LeftToDns,
            Self::Dns => LookupError::NotOurs,
        }
    }
}

/// How many labels a name under `.local` may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Two: `printer.local`.
    Two,
    /// Any number: `a.b.local` too.
    Any,
}

impl Labels {
    /// True if `name` is under `.local` and has no more labels than this allows. `labels` is called only if the name
    /// has more than two.
    pub(crate) fn allow(labels: impl FnOnce() -> Self, name: &Name) -> bool {
        name.is_local() && (has_two_labels(name) || labels() == Self::Any)
    }
}

/// True for `printer.local`, false for `a.b.local`.
fn has_two_labels(name: &Name) -> bool {
    name.labels().count() == 2
}

/// The addresses whose names are looked up. Ordered: a smaller range is contained in a larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReverseRange {
    /// None.
    Nothing,
    /// Link-local addresses (RFC 6762, section 4).
    LinkLocal,
    /// Link-local addresses, and addresses within a prefix of one of this machine's interfaces.
    OnLink,
}

impl ReverseRange {
    /// False if `ip` cannot be in this range, whatever the interfaces' prefixes are. Makes no system call.
    pub fn may_contain(self, ip: IpAddr) -> bool {
        match self {
            Self::Nothing => false,
            Self::LinkLocal => is_link_local(ip),
            Self::OnLink => is_link_local(ip) || is_host_address(ip),
        }
    }

    /// `ip` as the subject of a reverse lookup within this range.
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] if it cannot be in the range.
    pub fn address(self, ip: IpAddr) -> Result<ReverseAddress, LookupError> {
        if self.may_contain(ip) { Ok(ReverseAddress { ip, range: self }) } else { Err(LookupError::NotOurs) }
    }
}

/// The subject of a reverse lookup: an address, and the range of the service. [`ReverseRange::may_contain`] is true for
/// the two.
#[derive(Clone, Copy, Debug)]
pub struct ReverseAddress {
    pub(crate) ip: IpAddr,
    pub(crate) range: ReverseRange,
}

/// This machine's own name: `<label>.local`, where `<label>` is the first label of its host name. None if that is not a
/// valid name, or not one that any program can print safely.
pub(crate) fn own_name(host_name: &[u8]) -> Option<Name> {
    const SUFFIX: &[u8] = b".local";
    let label = first_label(host_name);
    // Longer than any valid label.
    let mut text = [0; 64 + SUFFIX.len()];
    text.iter_mut().zip(label.iter().chain(SUFFIX)).for_each(|(place, octet)| *place = *octet);
    let name = Name::from_text(text.get(..label.len() + SUFFIX.len())?).ok()?;
    (has_two_labels(&name) && name.is_clean()).then_some(name)
}

fn first_label(host_name: &[u8]) -> &[u8] {
    host_name.split(|&octet| octet == b'.').next().unwrap_or_default()
}

/// True if `name` is `<label>.local` and `<label>` is the first label of this machine's host name.
pub(crate) fn is_own_name(name: &Name, host_name: &[u8]) -> bool {
    let own = first_label(host_name);
    let is_own = |label: &[u8]| !own.is_empty() && label.eq_ignore_ascii_case(own);
    name.is_local() && has_two_labels(name) && name.labels().next().is_some_and(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_in_the_range_are_rejected() {
        let (ours, not_ours, malformed) = (Ok(()), Err(LookupError::NotOurs), Err(LookupError::Malformed));
        for (text, local, allowed) in [
            ("printer.local", ours, ours),
            ("PRINTER.LOCAL.", ours, ours),
            ("a.b.local", ours, ours),
            ("b\u{fc}ro drucker.local", ours, ours),
            ("", not_ours, not_ours),
            (".", not_ours, not_ours),
            ("local", not_ours, not_ours),
            ("printer", not_ours, not_ours),
            ("printer.", not_ours, not_ours),
            ("printer.example", not_ours, ours),
            ("printer.notlocal", not_ours, ours),
            ("printer.local.example", not_ours, ours),
            ("a..example", not_ours, not_ours),
            (".local", malformed, malformed),
            (".local.", malformed, malformed),
            ("a..local", malformed, malformed),
            ("a.local..", not_ours, not_ours),
            ("a\tb.local", malformed, malformed),
            ("b\\195\\188ro.local", ours, ours),
            ("a\\.b.local", not_ours, not_ours),
            ("a\\\\b.local", not_ours, not_ours),
            ("x\\255.local", not_ours, not_ours),
            ("\\045a.local", not_ours, not_ours),
            ("Johns\\032Mac.local", ours, ours),
            ("a\\009b.local", malformed, malformed),
            ("a\\.local", not_ours, not_ours),
            ("a.\\local", not_ours, ours),
            ("a\\b.local", ours, ours),
            ("a\\.example", not_ours, not_ours),
            ("a.example\\", not_ours, ours),
        ] {
            assert_eq!(NameRange::Local.host_name(text.as_bytes()).map(|_| ()), local, "{text:?}");
            assert_eq!(NameRange::Allowed.host_name(text.as_bytes()).map(|_| ()), allowed, "{text:?}");
        }
        let long = format!("{}.local", "a".repeat(64));
        assert_eq!(NameRange::Local.host_name(long.as_bytes()).err(), Some(LookupError::Malformed));
    }

    #[test]
    fn only_addresses_that_a_host_can_have_may_be_in_a_range() {
        for (ip, link_local, on_link) in [
            ("169.254.1.2", true, true),
            ("fe80::1", true, true),
            ("febf::1", true, true),
            ("fec0::1", false, true),
            ("10.0.0.1", false, true),
            ("2001:db8::1", false, true),
            ("127.0.0.1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("224.0.0.251", false, false),
            ("255.255.255.255", false, false),
            ("::", false, false),
            ("::1", false, false),
            ("::10.0.0.1", false, false),
            ("::ffff:10.0.0.1", false, false),
            ("ff02::fb", false, false),
        ] {
            let ip = ip.parse().unwrap();
            assert!(!ReverseRange::Nothing.may_contain(ip), "{ip}");
            assert_eq!(ReverseRange::LinkLocal.may_contain(ip), link_local, "{ip}");
            assert_eq!(ReverseRange::OnLink.may_contain(ip), on_link, "{ip}");
        }
    }

    #[test]
    fn the_own_name_is_the_first_label_of_the_host_name_under_local() {
        let name = Name::from_text(b"Desk.local").unwrap();
        assert!(is_own_name(&name, b"desk"));
        assert!(is_own_name(&name, b"desk.example.org"));
        assert!(!is_own_name(&name, b"desktop"));
        assert!(!is_own_name(&name, b""));
        assert!(!is_own_name(&Name::from_text(b"desk.a.local").unwrap(), b"desk"));
        assert!(!is_own_name(&Name::from_text(b"desk.example").unwrap(), b"desk"));
        let longest = "a".repeat(63);
        for (host_name, expected) in [
            ("desk", Some("desk.local")),
            ("Desk.example.org", Some("Desk.local")),
            (&longest, Some(&*format!("{longest}.local"))),
            ("", None),
            (".example", None),
            ("a b", None),
            (&"a".repeat(64), None),
            (&"a".repeat(80), None),
        ] {
            let expected = expected.map(|text| Name::from_text(text.as_bytes()).unwrap());
            assert_eq!(own_name(host_name.as_bytes()), expected, "{host_name:?}");
        }
    }
}
