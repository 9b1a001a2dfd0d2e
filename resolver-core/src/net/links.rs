//! Links and local addresses, as the kernel's tables describe them.

use std::net::IpAddr;

use crate::sys::InterfaceName;

/// The kernel's tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The links.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<LocalAddress>,
    /// The index of the interface of the default route; 0 if there is none, or if it was not needed.
    pub default_route: u32,
}

/// A link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The interface's index.
    pub index: u32,
    /// Its name.
    pub name: LinkName,
    /// The `IFF_…` flags of `netdevice(7)`.
    pub flags: libc::c_int,
    /// True for a port of a bridge, bond or the like. Its master is queried instead.
    pub is_port: bool,
    /// What it is.
    pub kind: LinkKind,
    /// The index of its master, such as its bridge; 0 if it has none.
    pub master: u32,
    /// The index of the link that it is on top of, such as that of a VLAN; 0 if there is none.
    pub parent: u32,
}

/// What a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// A network card, or unknown.
    #[default]
    Card,
    /// A bridge of the kernel.
    Bridge,
    /// A VRF. Its members are queried themselves.
    Vrf,
    /// Another device without hardware of its own, such as a veth pair, a bond or a VLAN.
    Virtual,
}

/// The name of an interface, padded with NULs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkName([u8; libc::IFNAMSIZ]);

impl LinkName {
    /// The name in `octets`, which ends at the first NUL.
    pub(crate) fn new(octets: &[u8]) -> Self {
        let mut name = Self::default();
        // The last octet stays NUL.
        for (place, &octet) in
            name.0.iter_mut().take(libc::IFNAMSIZ - 1).zip(octets.iter().take_while(|&&octet| octet != 0))
        {
            *place = octet;
        }
        name
    }

    /// The name without the padding.
    pub fn octets(&self) -> &[u8] {
        self.0.split(|&octet| octet == 0).next().unwrap_or_default()
    }
}

impl From<InterfaceName> for LinkName {
    /// The interface's name in the label of an address, by which the ioctls of `netdevice(7)` identify it: the name
    /// alone, or the name, a colon and more text.
    fn from(label: InterfaceName) -> Self {
        let octets = label.map(|octet| u8::from_ne_bytes(octet.to_ne_bytes()));
        Self::new(octets.split(|&octet| octet == b':').next().unwrap_or_default())
    }
}

/// An address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The index of its interface.
    pub interface: u32,
    /// The address.
    pub ip: IpAddr,
    /// An address in the prefix of the link: the address itself or, if it was configured with a peer, the peer's address
    /// (`10.9.0.1 peer 10.77.0.0/24` is on the link 10.77.0.0/24).
    pub prefix: IpAddr,
    /// The length of that prefix, which all hosts on the link share, in bits.
    pub prefix_length: u8,
}

impl LocalAddress {
    /// True if `ip` is within the prefix. A prefix of length 0 contains every address, so it does not show what is on
    /// the link, and the result is false.
    pub(crate) fn prefix_contains(&self, ip: IpAddr) -> bool {
        let length = u32::from(self.prefix_length);
        let is_within = match (self.prefix, ip) {
            (IpAddr::V4(prefix), IpAddr::V4(ip)) => (prefix.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            (IpAddr::V6(prefix), IpAddr::V6(ip)) => (prefix.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            _ => false,
        };
        is_within && length > 0
    }

    /// True if the two addresses have the same prefix.
    pub(crate) fn has_prefix_of(&self, other: &Self) -> bool {
        self.prefix_length == other.prefix_length && self.prefix_contains(other.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_a_nul_and_labels_at_a_colon() {
        for (octets, expected) in
            [(&b"eth0\0"[..], &b"eth0"[..]), (b"eth0", b"eth0"), (b"", b""), (&[b'a'; 40], &[b'a'; 15])]
        {
            assert_eq!(LinkName::new(octets).octets(), expected);
        }
        let mut label: InterfaceName = [0; libc::IFNAMSIZ];
        for (place, octet) in label.iter_mut().zip(b"eth0:home") {
            *place = *octet as libc::c_char;
        }
        assert_eq!(LinkName::from(label).octets(), b"eth0");
    }

    #[test]
    fn the_prefix_is_that_of_the_peer() {
        let own = |ip: &str, prefix: &str, prefix_length| LocalAddress {
            interface: 2,
            ip: ip.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            prefix_length,
        };
        let with_peer = own("10.9.0.1", "10.77.0.0", 24);
        for (ip, expected) in [("10.77.0.9", true), ("10.9.0.9", false), ("10.77.1.9", false), ("fd00::1", false)] {
            assert_eq!(with_peer.prefix_contains(ip.parse().unwrap()), expected, "{ip}");
        }
        assert!(!own("5.5.5.5", "5.5.5.5", 0).prefix_contains("5.5.5.5".parse().unwrap()));
        assert!(with_peer.has_prefix_of(&own("10.77.0.1", "10.77.0.1", 24)));
        assert!(!with_peer.has_prefix_of(&own("10.77.0.1", "10.77.0.1", 25)));
        assert!(!with_peer.has_prefix_of(&own("10.9.0.2", "10.9.0.2", 24)));
    }
}
