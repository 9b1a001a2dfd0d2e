//! The settings of a resolver. Their defaults, ranges and reasons are in [`SETTINGS`], the one table of them; the file that
//! changes them is read by [`parse`].

mod file;
mod settings;

use std::time::Duration;

pub use file::{Problem, parse};
pub use settings::{Kind, LONGEST_TIMEOUT, SETTINGS, Setting};

use crate::globs::Globs;
use crate::policy::ReverseRange;

/// Where an administrator changes the settings. The file need not be there.
pub const FILE: &std::ffi::CStr = c"/etc/nss-mdns.conf";

/// The settings of a [`crate::Resolver`]. Each field is a row of [`SETTINGS`], which says why it is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a lookup waits, from its first query, before silence is the answer.
    pub timeout: Duration,
    /// When the question is asked again while nothing has been heard.
    pub retries: Retries,
    /// The shortest time to wait for the second family once the first has come.
    pub grace_min: Duration,
    /// The longest time to wait for it, at least [`Config::grace_min`]; between the two it is twice the first answer's own
    /// delay. (Answers by multicast that were held back, as RFC 6762, section 6, has it, may come further apart.)
    pub grace_max: Duration,
    /// How long a reverse lookup waits.
    pub reverse_timeout: Duration,
    /// The interfaces that may be asked on.
    pub allow_interfaces: Globs,
    /// Those among them that may not.
    pub deny_interfaces: Globs,
    /// How many labels a name under `.local` may have, that one included.
    pub labels: Labels,
    /// The addresses whose names are looked up, where the service does not draw the line nearer.
    pub reverse: ReverseRange,
    /// Whether there is an ear on the group and port 5353.
    pub listener: bool,
    /// Whether the host's own name is known without a responder.
    pub own_name: bool,
    /// How many names are remembered.
    pub cache_size: usize,
    /// The longest time that an answer is remembered.
    pub ttl_max: Duration,
    /// Whether addresses in fe80::/10 are answers.
    pub ipv6_link_local: bool,
}

/// How many labels a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// `printer.local` and no more.
    Two,
    /// `a.b.local` too.
    Any,
}

/// When a question is asked again, from the first query: so many times, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    // In milliseconds, and so small that a copy costs no stack.
    times: [u16; Self::MOST],
    count: u8,
}

impl Retries {
    /// How many there may be.
    pub const MOST: usize = 4;

    /// The retry number `index`, if there are so many.
    pub fn get(&self, index: usize) -> Option<Duration> {
        let times = self.times.get(..usize::from(self.count))?;
        times.get(index).map(|&time| Duration::from_millis(time.into()))
    }

    /// Adds a time in milliseconds; false if there are too many, or it is not later than the last.
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
            allow_interfaces: Globs::default(),
            deny_interfaces: Globs::default(),
            labels: Labels::Two,
            reverse: ReverseRange::Nothing,
            listener: false,
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
    fn retries_are_few_and_ascending() {
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
    fn the_defaults_are_those_that_were_measured() {
        let config = Config::default();
        assert_eq!(config.timeout, Duration::from_millis(2000));
        assert_eq!(
            [0, 1, 2].map(|index| config.retries.get(index)),
            [Some(250), Some(1250), None].map(|ms| ms.map(Duration::from_millis))
        );
        assert_eq!((config.grace_min, config.grace_max), (Duration::from_millis(20), Duration::from_millis(100)));
        assert_eq!(config.reverse_timeout, Duration::from_secs(1));
        assert!(config.allow_interfaces.matches(b"eth0") && !config.deny_interfaces.matches(b"eth0"));
        assert_eq!((config.labels, config.reverse), (Labels::Two, ReverseRange::OnLink));
        assert!(config.listener && config.own_name && config.ipv6_link_local);
        assert_eq!((config.cache_size, config.ttl_max), (256, Duration::from_secs(10)));
    }
}
