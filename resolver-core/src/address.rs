//! Address families, and the addresses that lookups return.

use std::net::IpAddr;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: A records.
    V4,
    /// IPv6: AAAA records.
    V6,
}

impl Family {
    /// Both families, in the order in which a lookup asks for them.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The other family.
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// A set of address families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    /// Neither family.
    pub const NONE: Self = Self { v4: false, v6: false };

    /// IPv4 and IPv6.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// Only `family`.
    pub const fn only(family: Family) -> Self {
        match family {
            Family::V4 => Self { v4: true, v6: false },
            Family::V6 => Self { v4: false, v6: true },
        }
    }

    /// True if neither family is in the set.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// True if `family` is in the set.
    pub fn contains(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Adds `family`.
    pub fn insert(&mut self, family: Family) {
        *self.member(family) = true;
    }

    /// Removes `family`.
    pub fn remove(&mut self, family: Family) {
        *self.member(family) = false;
    }

    /// The members of either set.
    pub fn union(self, other: Self) -> Self {
        Self { v4: self.v4 || other.v4, v6: self.v6 || other.v6 }
    }

    fn member(&mut self, family: Family) -> &mut bool {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// The members, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |&family| self.contains(family))
    }
}

impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::NONE;
        families.into_iter().for_each(|family| set.insert(family));
        set
    }
}

/// One address of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The index of the interface on whose link the host is.
    pub interface: u32,
}

impl Address {
    /// The value for `sin6_scope_id`: the interface's index for fe80::/10, otherwise 0. A scope on an address that
    /// needs none breaks programs such as mount.nfs.
    pub fn scope_id(&self) -> u32 {
        if self.needs_scope() { self.interface } else { 0 }
    }

    /// True for fe80::/10: such an address is ambiguous without the interface on whose link it is.
    pub fn needs_scope(&self) -> bool {
        self.ip.is_ipv6() && is_link_local(self.ip)
    }
}

/// True for 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291, section 2.5.6).
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// True if `ip` can be the address of one host on a network. False for the unspecified, loopback, multicast and
/// broadcast addresses, for 0.0.0.0/8, and for IPv4-mapped and IPv4-compatible IPv6 addresses.
pub(crate) fn is_host_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && !ip.is_loopback() && !ip.is_multicast() && !ip.is_broadcast()
        }
        // If the first 96 bits are zero, it is the unspecified address, the loopback address or IPv4-compatible.
        IpAddr::V6(ip) => !ip.is_multicast() && ip.to_ipv4_mapped().is_none() && u128::from(ip) >> 32 != 0,
    }
}
