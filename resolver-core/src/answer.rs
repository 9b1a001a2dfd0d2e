//! What a lookup returns.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::memory;
use crate::wire::Name;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: A records.
    V4,
    /// IPv6: AAAA records.
    V6,
}

impl Family {
    /// Both, in the order in which they are asked for.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The other one.
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
    /// IPv4 and IPv6.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// Just `family`.
    pub const fn only(family: Family) -> Self {
        match family {
            Family::V4 => Self { v4: true, v6: false },
            Family::V6 => Self { v4: false, v6: true },
        }
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

    /// Takes `family` out.
    pub fn remove(&mut self, family: Family) {
        *self.member(family) = false;
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

/// One address of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The index of the interface on which it was heard.
    pub interface: u32,
}

impl Address {
    /// True for 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291, section 2.5.6).
    pub fn is_link_local(&self) -> bool {
        is_link_local(self.ip)
    }

    /// What `sin6_scope_id` has to say: the interface for fe80::/10, and 0 for all else, because a scope on an address
    /// that has none breaks programs.
    pub fn scope_id(&self) -> u32 {
        if self.ip.is_ipv6() && self.is_link_local() { self.interface } else { 0 }
    }
}

/// True for 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291, section 2.5.6).
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Orders addresses by their rank, which is 0 to 3; those of one rank keep their order.
///
/// Not `sort_by_key`: that takes four kilobytes of stack, and memory for granted.
pub(crate) fn sort_by_rank(addresses: &mut [Address], rank: impl Fn(&Address) -> u8) {
    let mut sorted = 0;
    for wanted in 0..4 {
        let start = sorted;
        for index in start..addresses.len() {
            if let Some(unsorted) = addresses.get_mut(sorted..=index) {
                if unsorted.last().is_some_and(|address| rank(address) == wanted) {
                    unsorted.rotate_right(1);
                    sorted += 1;
                }
            }
        }
    }
}

/// The addresses of a host.
#[derive(Debug)]
pub struct Answer {
    /// The name that has the addresses: the one asked for, or that at the end of a chain of aliases.
    pub canonical: Name,
    /// The addresses, in the order in which a caller had best try them.
    pub addresses: Vec<Address>,
    /// The families of which it is known that the host has no address.
    pub absent: Families,
    /// When the first of the addresses is no longer good for use.
    pub expires: Instant,
}

impl Answer {
    /// The addresses of one family.
    pub fn of(&self, family: Family) -> impl Iterator<Item = &Address> + Clone {
        self.addresses.iter().filter(move |address| Family::of(address.ip) == family)
    }

    /// True if the host has an address of `family`.
    pub fn has(&self, family: Family) -> bool {
        self.of(family).next().is_some()
    }

    /// True if the host has an address of one of `families`.
    pub(crate) fn has_any(&self, families: Families) -> bool {
        self.addresses.iter().any(|address| families.contains(Family::of(address.ip)))
    }

    /// True if for each of `families` there are addresses, or it is known that there are none.
    pub fn settles(&self, families: Families) -> bool {
        families.iter().all(|family| self.has(family) || self.absent.contains(family))
    }

    /// How long the answer is good for, from `now`.
    pub fn ttl(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }

    /// A copy, or None where there is no memory for one.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            canonical: self.canonical.clone(),
            addresses: memory::copy_of(&self.addresses)?,
            absent: self.absent,
            expires: self.expires,
        })
    }

    /// Takes from an `older` answer, still good, the families of which this one knows nothing: a lookup for one family
    /// ends without waiting for the other, and what was known of that need not be forgotten.
    pub(crate) fn adopt(&mut self, older: &Self) {
        if older.canonical != self.canonical {
            return;
        }
        for family in Family::ALL {
            if self.has(family) || self.absent.contains(family) {
                continue;
            }
            if older.of(family).all(|&address| memory::push(&mut self.addresses, address)) && older.has(family) {
                self.expires = self.expires.min(older.expires);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_rank_keep_their_order() {
        let mut addresses: Vec<_> =
            (0..100).map(|number| Address { ip: IpAddr::from([10, 0, 0, number]), interface: 1 }).collect();
        let rank = |address: &Address| match address.ip {
            IpAddr::V4(ip) => ip.octets()[3] / 3 % 4,
            IpAddr::V6(_) => 0,
        };
        let mut expected = addresses.clone();
        expected.sort_by_key(rank);
        sort_by_rank(&mut addresses, rank);
        assert_eq!(addresses, expected);
    }
}
