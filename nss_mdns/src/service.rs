//! The six services that one object serves, and in what they differ.

use std::net::IpAddr;

use libc::c_int;
use resolver_core::policy::ReverseRange;
use resolver_core::{Families, Family, LookupError};

use crate::abi::Failure;

/// One of the names that may stand on the hosts line of `nsswitch.conf`.
pub(crate) struct Service {
    /// The families that it returns.
    pub(crate) families: Families,
    /// Of which addresses it looks up the names.
    pub(crate) reverse: ReverseRange,
}

impl Service {
    /// A service that returns these families and looks up the names of these addresses.
    pub(crate) const fn new(families: Families, reverse: ReverseRange) -> Self {
        Self { families, reverse }
    }

    /// The family that a call for `af` returns. The older functions are called with `AF_UNSPEC` too and mean IPv4: programs
    /// that call `gethostbyname` have room for no more.
    ///
    /// # Errors
    /// [`Failure::BadFamily`] for a number that is none; [`LookupError::NoData`] for the family that this service never
    /// has: no other service is to be asked for that, DNS least of all.
    pub(crate) fn family(&self, af: c_int) -> Result<Family, Failure> {
        let family = match af {
            libc::AF_UNSPEC | libc::AF_INET => Family::V4,
            libc::AF_INET6 => Family::V6,
            _ => return Err(Failure::BadFamily),
        };
        if self.families.contains(family) { Ok(family) } else { Err(LookupError::NoData.into()) }
    }

    /// False if this service never looks up the name of `ip`.
    pub(crate) fn may_reverse(&self, ip: IpAddr) -> bool {
        self.families.contains(Family::of(ip)) && self.reverse.may_contain(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_calls() {
        let no_data = Err(Failure::Lookup(LookupError::NoData));
        let rows = [
            (Families::BOTH, libc::AF_UNSPEC, Ok(Family::V4)),
            (Families::BOTH, libc::AF_INET, Ok(Family::V4)),
            (Families::BOTH, libc::AF_INET6, Ok(Family::V6)),
            (Families::BOTH, libc::AF_UNIX, Err(Failure::BadFamily)),
            (Families::BOTH, -1, Err(Failure::BadFamily)),
            (Families::only(Family::V4), libc::AF_UNSPEC, Ok(Family::V4)),
            (Families::only(Family::V4), libc::AF_INET6, no_data),
            (Families::only(Family::V6), libc::AF_UNSPEC, no_data),
            (Families::only(Family::V6), libc::AF_INET, no_data),
        ];
        for (families, af, expected) in rows {
            assert_eq!(Service::new(families, ReverseRange::LinkLocal).family(af), expected, "{families:?}, {af}");
        }
    }

    #[test]
    fn reverse_lookups_follow_family_and_range() {
        let v4 = Service::new(Families::only(Family::V4), ReverseRange::LinkLocal);
        assert!(v4.may_reverse("169.254.1.1".parse().unwrap()));
        assert!(!v4.may_reverse("10.0.0.1".parse().unwrap()));
        assert!(!v4.may_reverse("fe80::1".parse().unwrap()));
        let both = Service::new(Families::BOTH, ReverseRange::OnLink);
        assert!(both.may_reverse("10.0.0.1".parse().unwrap()));
    }
}
