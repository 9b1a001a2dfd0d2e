//! The six services that the shared object provides, and how they differ.

use std::net::IpAddr;

use libc::c_int;
use resolver_core::policy::{NameRange, ReverseAddress, ReverseRange};
use resolver_core::{Families, Family, LookupError};

use crate::result_codes::Failure;

/// A service that can be named on the `hosts` line of `nsswitch.conf`.
pub(crate) struct Service {
    /// The address families that it returns.
    pub(crate) families: Families,
    /// The names that it looks up.
    pub(crate) names: NameRange,
    /// The addresses that it looks up.
    pub(crate) reverse: ReverseRange,
}

impl Service {
    /// A minimal service: names under `.local`, and link-local addresses, whatever `/etc/mdns.allow` says.
    pub(crate) const fn minimal(families: Families) -> Self {
        Self { families, names: NameRange::Local, reverse: ReverseRange::LinkLocal }
    }

    /// A full service: names that `/etc/mdns.allow` allows, link-local addresses, and addresses within a prefix of an
    /// interface.
    pub(crate) const fn full(families: Families) -> Self {
        Self { families, names: NameRange::Allowed, reverse: ReverseRange::OnLink }
    }

    /// Only `family`, or the empty set if this service does not return that family. With the empty set the lookup ends
    /// with "no data", not with "unavailable", so that `[NOTFOUND=return]` keeps glibc from asking DNS.
    pub(crate) fn only(&self, family: Family) -> Families {
        if self.families.contains(family) { Families::only(family) } else { Families::default() }
    }

    /// The subject of a reverse lookup of `ip` by this service.
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] if this service never looks up the name of `ip`.
    pub(crate) fn reverse_address(&self, ip: IpAddr) -> Result<ReverseAddress, LookupError> {
        if self.families.contains(Family::of(ip)) { self.reverse.address(ip) } else { Err(LookupError::NotOurs) }
    }
}

/// The address family that a call for `af` returns. `AF_UNSPEC` means IPv4, as for `gethostbyname`, which has no
/// argument for the family and whose callers expect addresses of four octets.
///
/// # Errors
/// [`Failure::BadFamily`] for any other number.
pub(crate) fn requested_family(af: c_int) -> Result<Family, Failure> {
    match af {
        libc::AF_UNSPEC | libc::AF_INET => Ok(Family::V4),
        libc::AF_INET6 => Ok(Family::V6),
        _ => Err(Failure::BadFamily),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_returns_one_family_that_the_service_has() {
        for (af, expected) in [
            (libc::AF_UNSPEC, Ok(Family::V4)),
            (libc::AF_INET, Ok(Family::V4)),
            (libc::AF_INET6, Ok(Family::V6)),
            (libc::AF_UNIX, Err(Failure::BadFamily)),
            (-1, Err(Failure::BadFamily)),
        ] {
            assert_eq!(requested_family(af), expected, "{af}");
        }
        let (v4, v6, neither) = (Families::only(Family::V4), Families::only(Family::V6), Families::default());
        for (families, of_v4, of_v6) in [(Families::BOTH, v4, v6), (v4, v4, neither), (v6, neither, v6)] {
            let service = Service::minimal(families);
            assert_eq!((service.only(Family::V4), service.only(Family::V6)), (of_v4, of_v6), "{families:?}");
        }
    }

    #[test]
    fn reverse_lookups_follow_family_and_range() {
        let v4 = Service::minimal(Families::only(Family::V4));
        assert!(v4.reverse_address("169.254.1.1".parse().unwrap()).is_ok());
        assert!(v4.reverse_address("10.0.0.1".parse().unwrap()).is_err());
        assert!(v4.reverse_address("fe80::1".parse().unwrap()).is_err());
        let both = Service::full(Families::BOTH);
        assert!(both.reverse_address("10.0.0.1".parse().unwrap()).is_ok());
    }
}
