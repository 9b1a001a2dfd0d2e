//! Links and local addresses, as the kernel's tables describe them.

use std::net::IpAddr;

use crate::sys::InterfaceName;

/// The kernel's tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// The links.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<LocalAddress>,
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
    /// The length of the prefix that it shares with every host on the link, in bits.
    pub prefix_length: u8,
}

impl LocalAddress {
    /// True if `ip` is within the prefix.
    pub(crate) fn prefix_contains(&self, ip: IpAddr) -> bool {
        let length = u32::from(self.prefix_length);
        match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            (IpAddr::V6(own), IpAddr::V6(ip)) => (own.to_bits() ^ ip.to_bits()).leading_zeros() >= length,
            _ => false,
        }
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
}
