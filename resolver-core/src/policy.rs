//! Which names and addresses are multicast DNS's affair, and which names are this host's own.

use std::net::IpAddr;

use crate::answer::is_link_local;
use crate::error::LookupError;
use crate::wire::Name;

/// How many labels a name under `.local` has that multicast DNS is asked for. Sites with a DNS zone of that name give
/// their hosts three and more, and nss-mdns draws the line at the same place.
const LABELS: usize = 2;

/// True if `text` ends in `.local`, or `.local.`. Takes no memory and makes no system call: every name that any program
/// on the machine looks up comes by here.
pub fn is_local(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    text.last_chunk::<6>().is_some_and(|end| end.eq_ignore_ascii_case(b".local"))
}

/// The name to ask for.
///
/// # Errors
/// [`LookupError::NotOurs`] for a name that is left to other services, [`LookupError::Malformed`] for one under `.local`
/// that no host can have.
pub fn host_name(text: &[u8]) -> Result<Name, LookupError> {
    if !is_local(text) {
        return Err(LookupError::NotOurs);
    }
    let name = Name::from_text(text).map_err(|_| LookupError::Malformed)?;
    if name.labels().count() > LABELS {
        return Err(LookupError::NotOurs);
    }
    Ok(name)
}

/// Of which addresses the names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverseRange {
    /// Link-local addresses only (RFC 6762, section 4).
    LinkLocal,
    /// Those, and addresses within a prefix of one of this host's interfaces.
    OnLink,
}

impl ReverseRange {
    /// False if `ip` cannot be in the range, whatever this host's prefixes are: told without a system call.
    pub fn may_contain(self, ip: IpAddr) -> bool {
        is_link_local(ip) || (self == Self::OnLink && is_host_address(ip))
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
    let mut labels = name.labels();
    !own.is_empty() && labels.next().is_some_and(|label| label.eq_ignore_ascii_case(own)) && labels.count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_ours() {
        for (text, expected) in [
            ("printer.local", Ok(())),
            ("PRINTER.LOCAL.", Ok(())),
            ("b\u{fc}ro drucker.local", Ok(())),
            ("", Err(LookupError::NotOurs)),
            (".", Err(LookupError::NotOurs)),
            ("local", Err(LookupError::NotOurs)),
            ("printer", Err(LookupError::NotOurs)),
            ("printer.example", Err(LookupError::NotOurs)),
            ("printer.notlocal", Err(LookupError::NotOurs)),
            ("printer.local.example", Err(LookupError::NotOurs)),
            ("a.b.local", Err(LookupError::NotOurs)),
            (".local", Err(LookupError::Malformed)),
            (".local.", Err(LookupError::Malformed)),
            ("a..local", Err(LookupError::Malformed)),
            ("a.local..", Err(LookupError::NotOurs)),
            ("a\tb.local", Err(LookupError::Malformed)),
        ] {
            assert_eq!(host_name(text.as_bytes()).map(|_| ()), expected, "{text:?}");
        }
        let long = format!("{}.local", "a".repeat(64));
        assert_eq!(host_name(long.as_bytes()).err(), Some(LookupError::Malformed));
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
    }
}
