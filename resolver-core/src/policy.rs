//! Which names and addresses are multicast DNS's affair, and which names are this host's own.

use std::net::IpAddr;

use crate::allow::Allowed;
use crate::answer::is_link_local;
use crate::config::Labels;
use crate::error::LookupError;
use crate::wire::Name;

/// True if `text` ends in `.local`, or `.local.`. Takes no memory and makes no system call: every name that any program
/// on the machine looks up comes by here.
pub fn is_local(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    text.last_chunk::<6>().is_some_and(|end| end.eq_ignore_ascii_case(b".local"))
}

/// Of which names a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRange {
    /// Those under `.local`, whatever `/etc/mdns.allow` says: the minimal services.
    Local,
    /// Those that `/etc/mdns.allow` says, where it is there.
    Allowed,
}

impl NameRange {
    /// The name that `text` spells, if it may be in the range, whatever the settings are: told without a system call.
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] for a name that is left to other services, [`LookupError::Malformed`] for one under
    /// `.local` that no host can have.
    pub fn host_name(self, text: &[u8]) -> Result<Name, LookupError> {
        let is_local = is_local(text);
        if !is_local && (self == Self::Local || !has_dot_within(text)) {
            return Err(LookupError::NotOurs);
        }
        Name::from_text(text).map_err(|_| if is_local { LookupError::Malformed } else { LookupError::NotOurs })
    }

    /// True if `name`, spelled so, is in the range. `labels` is only asked where it matters.
    pub(crate) fn contains(
        self,
        name: &Name,
        spelling: &[u8],
        allowed: &Allowed,
        labels: impl FnOnce() -> Labels,
    ) -> bool {
        match (self, allowed) {
            (Self::Allowed, Allowed::Listed(suffixes)) => suffixes.contain(spelling),
            _ => name.is_local() && (is_of_two_labels(name) || labels() == Labels::Any),
        }
    }
}

/// True if there is a dot in `text` that is not its last octet.
fn has_dot_within(text: &[u8]) -> bool {
    text.strip_suffix(b".").unwrap_or(text).contains(&b'.')
}

/// True for `printer.local`, false for `a.b.local`.
pub(crate) fn is_of_two_labels(name: &Name) -> bool {
    name.labels().count() == 2
}

/// Of which addresses the names are looked up. The less, the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReverseRange {
    /// None.
    Nothing,
    /// Link-local addresses only (RFC 6762, section 4).
    LinkLocal,
    /// Those, and addresses within a prefix of one of this host's interfaces.
    OnLink,
}

impl ReverseRange {
    /// False if `ip` cannot be in the range, whatever this host's prefixes are: told without a system call.
    pub fn may_contain(self, ip: IpAddr) -> bool {
        match self {
            Self::Nothing => false,
            Self::LinkLocal => is_link_local(ip),
            Self::OnLink => is_link_local(ip) || is_host_address(ip),
        }
    }
}

/// True unless `ip` can be no single host's address on a network: the unspecified, loopback, multicast and broadcast
/// ones, 0.0.0.0/8, and IPv4 addresses in IPv6's clothes.
pub(crate) fn is_host_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && !ip.is_loopback() && !ip.is_multicast() && !ip.is_broadcast()
        }
        // The first 96 bits zero: the unspecified and loopback addresses and the old compatible ones.
        IpAddr::V6(ip) => !ip.is_multicast() && ip.to_ipv4_mapped().is_none() && u128::from(ip) >> 32 != 0,
    }
}

/// True if `name` is `<label>.local`, where `<label>` is the first label of this machine's host name.
pub(crate) fn is_own_name(name: &Name, host_name: &[u8]) -> bool {
    let own = host_name.split(|&octet| octet == b'.').next().unwrap_or_default();
    let is_own = |label: &[u8]| !own.is_empty() && label.eq_ignore_ascii_case(own);
    name.is_local() && is_of_two_labels(name) && name.labels().next().is_some_and(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow::Suffixes;

    #[test]
    fn names_that_may_be_ours() {
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
        ] {
            assert_eq!(NameRange::Local.host_name(text.as_bytes()).map(|_| ()), local, "{text:?}");
            assert_eq!(NameRange::Allowed.host_name(text.as_bytes()).map(|_| ()), allowed, "{text:?}");
        }
        let long = format!("{}.local", "a".repeat(64));
        assert_eq!(NameRange::Local.host_name(long.as_bytes()).err(), Some(LookupError::Malformed));
    }

    #[test]
    fn names_that_are_ours() {
        let listed = |text: &str| Allowed::Listed(Suffixes::parse(text.as_bytes(), &mut |_| {}));
        let (none, empty, example, all) = (Allowed::Local, listed(""), listed(".example"), listed("*"));
        for (text, range, labels, allowed, expected) in [
            ("printer.local", NameRange::Local, Labels::Two, &none, true),
            ("a.b.local", NameRange::Local, Labels::Two, &none, false),
            ("a.b.local", NameRange::Local, Labels::Any, &none, true),
            ("printer.local", NameRange::Local, Labels::Two, &empty, true),
            ("printer.local", NameRange::Allowed, Labels::Two, &none, true),
            ("a.b.local", NameRange::Allowed, Labels::Two, &none, false),
            ("a.b.local", NameRange::Allowed, Labels::Any, &none, true),
            ("printer.example", NameRange::Allowed, Labels::Any, &none, false),
            ("printer.local", NameRange::Allowed, Labels::Two, &empty, false),
            ("printer.local", NameRange::Allowed, Labels::Any, &example, false),
            ("printer.example", NameRange::Allowed, Labels::Two, &example, true),
            ("a.b.example", NameRange::Allowed, Labels::Two, &example, true),
            ("a.b.local", NameRange::Allowed, Labels::Two, &all, true),
            ("www.example.org.", NameRange::Allowed, Labels::Two, &all, true),
        ] {
            let name = range.host_name(text.as_bytes()).unwrap();
            assert_eq!(
                range.contains(&name, text.as_bytes(), allowed, || labels),
                expected,
                "{text} {range:?} {labels:?} {allowed:?}"
            );
        }
    }

    #[test]
    fn addresses_that_may_be_in_a_range() {
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
    fn own_names() {
        let name = Name::from_text(b"Desk.local").unwrap();
        assert!(is_own_name(&name, b"desk"));
        assert!(is_own_name(&name, b"desk.example.org"));
        assert!(!is_own_name(&name, b"desktop"));
        assert!(!is_own_name(&name, b""));
        assert!(!is_own_name(&Name::from_text(b"desk.a.local").unwrap(), b"desk"));
        assert!(!is_own_name(&Name::from_text(b"desk.example").unwrap(), b"desk"));
    }
}
