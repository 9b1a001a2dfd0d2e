//! What a lookup returns.

use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family};
use crate::try_alloc;
use crate::wire::Name;

/// The addresses of a host.
#[derive(Debug)]
pub struct Answer {
    /// The name that owns the addresses: the name asked for, or the end of a chain of aliases. The name asked for too if
    /// the end of the chain cannot be returned to a program.
    pub canonical: Name,
    /// The addresses, in the order in which a caller should try them.
    pub addresses: Vec<Address>,
    /// The families in which the host is known to have no address.
    pub absent: Families,
    /// The wanted families in which it is not known whether the host has an address.
    pub unknown: Unknown,
    /// When the first of the addresses expires.
    pub expires: Instant,
}

/// Families in which it is not known whether the host has an address: nobody answered the questions for them, which
/// proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The families.
    pub families: Families,
    /// The lookup had no address in any wanted family, so it asked for these until nothing more could be expected.
    /// Otherwise it had an address of the other family, and ended earlier.
    pub asked_alone: bool,
    /// When they may be asked for again.
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

    /// True if the host has an address in one of `families`.
    pub(crate) fn has_any(&self, families: Families) -> bool {
        self.addresses.iter().any(|address| families.contains(Family::of(address.ip)))
    }

    /// True if, for each of `families`, the host has an address or is known to have none.
    pub fn settles(&self, families: Families) -> bool {
        families.iter().all(|family| self.has(family) || self.absent.contains(family))
    }

    /// True if `families` need not be asked for at `now`: each is settled, or unknown and not yet to be asked for
    /// again.
    pub(crate) fn suffices_for(&self, families: Families, now: Instant) -> bool {
        let Unknown { families: unknown, asked_alone, expires } = self.unknown;
        let may_skip_unknown = now < expires && (asked_alone || self.has_any(families));
        let is_unknown = |family| may_skip_unknown && unknown.contains(family);
        families.iter().all(|family| self.settles(Families::only(family)) || is_unknown(family))
    }

    /// The time until the answer expires, from `now`.
    pub fn ttl(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }

    /// A copy, or None if there is no memory for one.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            canonical: self.canonical.clone(),
            addresses: try_alloc::copy_of(&self.addresses)?,
            absent: self.absent,
            unknown: self.unknown,
            expires: self.expires,
        })
    }

    /// Takes over what an `older` answer, which has not expired, proved about each family that this answer does not
    /// settle. A lookup for one family does not wait for the other, and a packet may be lost; neither must displace
    /// what is known.
    pub(crate) fn adopt(&mut self, older: &Self) {
        if older.canonical != self.canonical {
            return;
        }
        for family in Family::ALL {
            let only = Families::only(family);
            if self.settles(only) || !older.settles(only) {
                continue;
            }
            if try_alloc::reserve(&mut self.addresses, older.of(family).count()) {
                self.addresses.extend(older.of(family));
                if !older.has(family) {
                    self.absent.insert(family);
                }
                self.expires = self.expires.min(older.expires);
            }
        }
    }
}

/// The name of an address.
#[derive(Clone, Debug)]
pub struct Pointer {
    /// The name: under `.local`, and safe to print.
    pub name: Name,
    /// When it expires.
    pub expires: Instant,
}

impl Pointer {
    /// The time until the name expires, from `now`.
    pub fn ttl(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }
}

/// When a record that arrived at `now` with this TTL expires, in a cache that keeps records for `ttl_max` at most.
pub(crate) fn expiry(now: Instant, ttl: Duration, ttl_max: Duration) -> Instant {
    now + ttl.min(ttl_max)
}

/// Orders addresses by rank, which is 0 to 3. Addresses of equal rank keep their order.
///
/// `sort_by_key` would take four kilobytes of stack, and abort the process if its allocation failed.
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn addresses_of_equal_rank_keep_their_order() {
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

    fn answer(addresses: &[&str], absent: Families, seconds: u64, now: Instant) -> Answer {
        let addresses = addresses.iter().map(|ip| Address { ip: ip.parse().unwrap(), interface: 1 }).collect();
        let expires = now + Duration::from_secs(seconds);
        let unknown = Unknown { families: Families::NONE, asked_alone: false, expires };
        Answer { canonical: Name::from_text(b"printer.local").unwrap(), addresses, absent, unknown, expires }
    }

    #[test]
    fn what_was_proven_before_outranks_what_is_unknown_now() {
        let now = Instant::now();
        let (none, v6) = (Families::NONE, Families::only(Family::V6));
        // The other family's addresses, and its absence, are taken over, with the earlier expiry.
        let mut newer = answer(&["10.0.0.2"], none, 9, now);
        newer.unknown.families = v6;
        newer.adopt(&answer(&["10.0.0.2", "fd00::2"], none, 5, now));
        assert!(newer.settles(Families::BOTH) && newer.has(Family::V6));
        assert_eq!(newer.ttl(now), Duration::from_secs(5));
        let mut newer = answer(&["10.0.0.2"], none, 9, now);
        newer.adopt(&answer(&["10.0.0.2"], v6, 5, now));
        assert!(newer.settles(Families::BOTH) && newer.absent.contains(Family::V6));
        // What the newer answer proves stays.
        let mut newer = answer(&["10.0.0.3"], v6, 9, now);
        newer.adopt(&answer(&["10.0.0.2", "fd00::2"], none, 5, now));
        assert!(!newer.has(Family::V6) && newer.addresses.len() == 1);
        assert_eq!(newer.ttl(now), Duration::from_secs(9));
    }

    #[test]
    fn an_unknown_family_is_not_asked_for_again_until_it_expires() {
        let now = Instant::now();
        let mut answer = answer(&["10.0.0.2"], Families::NONE, 9, now);
        let v6 = Families::only(Family::V6);
        let expires = now + Duration::from_secs(1);
        answer.unknown = Unknown { families: v6, asked_alone: false, expires };
        assert!(answer.suffices_for(Families::BOTH, now) && !answer.settles(Families::BOTH));
        assert!(!answer.suffices_for(Families::BOTH, expires));
        assert!(answer.suffices_for(Families::only(Family::V4), expires));
        // A lookup that had an address of the other family did not wait for this one.
        assert!(!answer.suffices_for(v6, now));
        answer.unknown.asked_alone = true;
        assert!(answer.suffices_for(v6, now) && !answer.suffices_for(v6, expires));
    }
}
