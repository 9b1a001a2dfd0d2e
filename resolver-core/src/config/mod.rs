//! The settings of a resolver, and the files that an administrator or the network's configuration writes.
//!
//! | module | subject |
//! |---|---|
//! | `settings` | [`SETTINGS`], the one table of the settings: key, values, default and reason |
//! | `file` | [`parse`] reads `/etc/nss-mdns.conf` |
//! | [`allow`] | `/etc/mdns.allow` |
//! | [`resolv_conf`] | the search domains under `.local` in `/etc/resolv.conf` |
//! | `patterns` | patterns of interface names |
//! | [`reload`] | re-reads a file when it has changed |

pub mod allow;
mod file;
mod patterns;
pub mod reload;
pub mod resolv_conf;
mod settings;

use std::ffi::CStr;
use std::time::Duration;

pub use file::{Problem, parse};
pub use patterns::InterfacePatterns;
pub use settings::{Kind, MAX_TIMEOUT, SETTINGS, Setting};

use crate::policy::{Labels, ReverseRange};

/// The path of the settings. The file is optional.
pub const FILE: &CStr = c"/etc/nss-mdns.conf";

/// The settings of a [`crate::Resolver`]. Each field has a row in [`SETTINGS`], which gives the reason for its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The maximum duration of a lookup, from its first query.
    pub timeout: Duration,
    /// When the queries are repeated if there has been no response.
    pub retries: Retries,
    /// The shortest time to wait for the second family once addresses of the first have arrived.
    pub grace_min: Duration,
    /// The longest time to wait for it, at least [`Config::grace_min`]. Between the two, the wait is twice the delay of
    /// the first response. (It can be longer if responses are delayed at random, as in RFC 6762, section 6, or if a
    /// firewall may have dropped one.)
    pub grace_max: Duration,
    /// The maximum duration of a reverse lookup, from its first query.
    pub reverse_timeout: Duration,
    /// The interfaces that may be queried.
    pub allow_interfaces: InterfacePatterns,
    /// The interfaces that must not be queried, even if [`Config::allow_interfaces`] matches them.
    pub deny_interfaces: InterfacePatterns,
    /// How many labels a name under `.local` may have, `local` included.
    pub labels: Labels,
    /// Whether DNS serves the names in the search domains under `.local`.
    pub unicast_local: bool,
    /// The addresses whose names are looked up. This is an upper bound; the range of a service may be smaller.
    pub reverse: ReverseRange,
    /// Whether lookups open multicast listeners on port 5353.
    pub listener: bool,
    /// Whether hosts that this machine has recently exchanged packets with are queried directly.
    pub neighbours: bool,
    /// Whether avahi-daemon on this machine is asked, if no interface can be queried or no host has responded.
    pub daemon: bool,
    /// Whether a lookup of this machine's own name returns its own addresses if nobody responds.
    pub own_name: bool,
    /// How many names are cached.
    pub cache_size: usize,
    /// The longest time that an answer is cached.
    pub ttl_max: Duration,
    /// Whether addresses in fe80::/10 are part of an answer.
    pub ipv6_link_local: bool,
}

/// The times at which a query is repeated, in ascending order, relative to the first query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    // In milliseconds. Two octets each, because every lookup has a copy on its stack.
    times: [u16; Self::MAX],
    count: u8,
}

impl Retries {
    /// The maximum number of times that a query is repeated.
    pub const MAX: usize = 4;

    /// The time of repeat number `index`, from 0; None if there are fewer.
    pub fn get(&self, index: usize) -> Option<Duration> {
        let times = self.times.get(..usize::from(self.count))?;
        times.get(index).map(|&time| Duration::from_millis(time.into()))
    }

    /// Adds a time in milliseconds. False if there are too many, or if it is not later than the last one.
    pub(crate) fn push(&mut self, time: u16) -> bool {
        let count = usize::from(self.count);
        let last = count.checked_sub(1).and_then(|last| self.times.get(last)).copied().unwrap_or(0);
        let Some(place) = self.times.get_mut(count).filter(|_| time > last) else { return false };
        *place = time;
        self.count += 1;
        true
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            timeout: Duration::ZERO,
            retries: Retries::default(),
            grace_min: Duration::ZERO,
            grace_max: Duration::ZERO,
            reverse_timeout: Duration::ZERO,
            allow_interfaces: InterfacePatterns::default(),
            deny_interfaces: InterfacePatterns::default(),
            labels: Labels::Two,
            unicast_local: false,
            reverse: ReverseRange::Nothing,
            listener: false,
            neighbours: false,
            daemon: false,
            own_name: false,
            cache_size: 0,
            ttl_max: Duration::ZERO,
            ipv6_link_local: false,
        };
        config.reset();
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_limited_and_ascending() {
        let mut retries = Retries::default();
        assert_eq!(retries.get(0), None);
        assert!(retries.push(250) && !retries.push(250) && !retries.push(249));
        assert!(retries.push(251) && retries.push(300) && retries.push(u16::MAX));
        assert!(!retries.push(u16::MAX));
        assert_eq!(retries.get(0), Some(Duration::from_millis(250)));
        assert_eq!(retries.get(3), Some(Duration::from_millis(65535)));
        assert_eq!(retries.get(4), None);
    }

    #[test]
    fn the_defaults_are_the_documented_values() {
        let config = Config::default();
        assert_eq!(config.timeout, Duration::from_millis(2000));
        assert_eq!(
            [0, 1, 2, 3].map(|index| config.retries.get(index)),
            [Some(30), Some(250), Some(1250), None].map(|ms| ms.map(Duration::from_millis))
        );
        assert_eq!((config.grace_min, config.grace_max), (Duration::from_millis(20), Duration::from_millis(100)));
        assert_eq!(config.reverse_timeout, Duration::from_secs(1));
        assert!(config.allow_interfaces.matches(b"eth0") && !config.deny_interfaces.matches(b"eth0"));
        assert_eq!((config.labels, config.reverse), (Labels::Two, ReverseRange::OnLink));
        assert!(config.listener && config.neighbours && config.daemon && config.own_name && config.ipv6_link_local);
        assert!(config.unicast_local);
        assert_eq!((config.cache_size, config.ttl_max), (256, Duration::from_secs(10)));
    }
}
