//! The one table of the settings: key, values, default and reason. The manual page `nss-mdns.conf(5)` has the same rows,
//! and a test compares them.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Config, Labels, Retries};
use crate::globs::Globs;
use crate::policy::ReverseRange;

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// What stands before the `=`.
    pub key: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// What holds where the file does not say.
    pub default: &'static str,
    /// Why that is the default, or why one would want another.
    pub reason: &'static str,
}

/// What values a setting has, and where they go. Displayed, it says what is expected.
#[derive(Debug)]
pub enum Kind {
    /// A time in milliseconds.
    Milliseconds(RangeInclusive<u16>, fn(&mut Config) -> &mut Duration),
    /// A time in seconds.
    Seconds(RangeInclusive<u16>, fn(&mut Config) -> &mut Duration),
    /// A number.
    Number(RangeInclusive<u16>, fn(&mut Config) -> &mut usize),
    /// Several times in milliseconds, ascending, or `none`.
    Times(RangeInclusive<u16>, fn(&mut Config) -> &mut Retries),
    /// `on` or `off`.
    Switch(fn(&mut Config) -> &mut bool),
    /// Patterns of names, or `none`.
    Patterns(fn(&mut Config) -> &mut Globs),
    /// One of several words.
    Word(&'static [Choice]),
}

/// A word, and what it does.
pub type Choice = (&'static str, fn(&mut Config));

/// The longest time that a lookup can be told to wait, in milliseconds.
pub const LONGEST_TIMEOUT: u16 = 10_000;

/// The settings, in the order of the manual page.
pub static SETTINGS: [Setting; 14] = [
    Setting {
        key: "timeout",
        kind: Kind::Milliseconds(50..=LONGEST_TIMEOUT, |config| &mut config.timeout),
        default: "2000",
        reason: "the slowest responders answer within a second of the third question; \
            where DNS is asked next, a shorter time spares its hosts the wait",
    },
    Setting {
        key: "retries",
        kind: Kind::Times(20..=10_000, |config| &mut config.retries),
        default: "250 1250",
        reason: "the first makes up for a lost packet and passes firewalls; the second comes after the second in which a \
            responder need not multicast a record again (RFC 6762, section 6), and as long after the first, which asked from \
            port 5353 too (section 5.2)",
    },
    Setting {
        key: "grace-min",
        kind: Kind::Milliseconds(0..=1000, |config| &mut config.grace_min),
        default: "20",
        reason: "an answer for the other address family that was sent together with the first comes within milliseconds",
    },
    Setting {
        key: "grace-max",
        kind: Kind::Milliseconds(0..=2000, |config| &mut config.grace_max),
        default: "100",
        reason: "between the two the grace is twice the first answer's own delay; a slow network wants more",
    },
    Setting {
        key: "reverse-timeout",
        kind: Kind::Milliseconds(50..=LONGEST_TIMEOUT, |config| &mut config.reverse_timeout),
        default: "1000",
        reason: "sshd and traceroute look up the name of every address that they meet",
    },
    Setting {
        key: "allow-interfaces",
        kind: Kind::Patterns(|config| &mut config.allow_interfaces),
        default: "*",
        reason: "a host may be on any link; a point-to-point link is asked on only if its name stands here without a pattern",
    },
    Setting {
        key: "deny-interfaces",
        kind: Kind::Patterns(|config| &mut config.deny_interfaces),
        default: "none",
        reason: "wins over allow-interfaces: for links that are not trusted, or where a question costs something",
    },
    Setting {
        key: "labels",
        kind: Kind::Word(&[("2", |config| config.labels = Labels::Two), ("any", |config| config.labels = Labels::Any)]),
        default: "2",
        reason: "names of three and more labels are those of sites that serve .local by DNS; nss-mdns draws the same line",
    },
    Setting {
        key: "reverse",
        kind: Kind::Word(&[
            ("on-link", |config| config.reverse = ReverseRange::OnLink),
            ("link-local", |config| config.reverse = ReverseRange::LinkLocal),
            ("off", |config| config.reverse = ReverseRange::Nothing),
        ]),
        default: "on-link",
        reason: "nobody off the link answers; the minimal services never go beyond link-local addresses",
    },
    Setting {
        key: "listener",
        kind: Kind::Switch(|config| &mut config.listener),
        default: "on",
        reason: "hears responders that only multicast, and passes firewalls; off keeps the process out of the multicast group",
    },
    Setting {
        key: "own-name",
        kind: Kind::Switch(|config| &mut config.own_name),
        default: "on",
        reason: "a machine should know its own name though no responder runs on it",
    },
    Setting {
        key: "cache-size",
        kind: Kind::Number(0..=4096, |config| &mut config.cache_size),
        default: "256",
        reason: "names that a process remembers, of some 700 octets each; 0 remembers nothing",
    },
    Setting {
        key: "ttl-max",
        kind: Kind::Seconds(0..=3600, |config| &mut config.ttl_max),
        default: "10",
        reason: "goodbyes are not heard between lookups, which is why RFC 6762, section 6.7, has such queriers told ten \
            seconds at most",
    },
    Setting {
        key: "ipv6-link-local",
        kind: Kind::Switch(|config| &mut config.ipv6_link_local),
        default: "on",
        reason: "some hosts have no other IPv6 address; off for programs that cannot do with a scope",
    },
];

impl Setting {
    /// Sets it to what `value` says; false, and nothing is changed, if that says nothing valid.
    pub(crate) fn set(&self, config: &mut Config, value: &[u8]) -> bool {
        let in_range = |range: &RangeInclusive<u16>, text: &[u8]| number(text).filter(|number| range.contains(number));
        match &self.kind {
            Kind::Milliseconds(range, place) => {
                put(place(config), in_range(range, value).map(|time| Duration::from_millis(time.into())))
            }
            Kind::Seconds(range, place) => {
                put(place(config), in_range(range, value).map(|time| Duration::from_secs(time.into())))
            }
            Kind::Number(range, place) => put(place(config), in_range(range, value).map(usize::from)),
            Kind::Times(range, place) => put(place(config), times(value, |text| in_range(range, text))),
            Kind::Switch(place) => put(place(config), switch(value)),
            Kind::Patterns(place) => put(place(config), patterns(value)),
            Kind::Word(words) => {
                let found = words.iter().find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(value));
                found.map(|(_, choose)| choose(config)).is_some()
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |range: &RangeInclusive<u16>| format!("{} to {}", range.start(), range.end());
        match self {
            Self::Milliseconds(range, _) => write!(out, "{} milliseconds", between(range)),
            Self::Seconds(range, _) => write!(out, "{} seconds", between(range)),
            Self::Number(range, _) => write!(out, "{}", between(range)),
            Self::Times(range, _) => {
                write!(out, "at most {} ascending times of {} milliseconds, or none", Retries::MOST, between(range))
            }
            Self::Switch(_) => write!(out, "on or off"),
            Self::Patterns(_) => write!(out, "names of interfaces, with *, ? and [...] as in a shell, or none"),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                write!(out, "{}", words.join(" or "))
            }
        }
    }
}

fn put<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

/// Digits alone: no sign, no unit.
fn number(text: &[u8]) -> Option<u16> {
    let add = |number: u16, &octet: &u8| {
        let digit = char::from(octet).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u16::try_from(digit).ok()?)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

fn switch(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"on") => Some(true),
        _ if text.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// The items of a list, which blanks or commas stand between; none of the word `none`.
fn items(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = if text.eq_ignore_ascii_case(b"none") { &[] } else { text };
    text.split(|octet| matches!(octet, b' ' | b'\t' | b',')).filter(|item| !item.is_empty())
}

fn times(text: &[u8], read: impl Fn(&[u8]) -> Option<u16>) -> Option<Retries> {
    let mut retries = Retries::default();
    items(text).all(|item| read(item).is_some_and(|time| retries.push(time))).then_some(retries)
}

fn patterns(text: &[u8]) -> Option<Globs> {
    let mut globs = Globs::default();
    items(text).all(|item| globs.push(item)).then_some(globs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The setting with this key, and whether it takes this value.
    fn takes(key: &str, value: &str) -> bool {
        let setting = SETTINGS.iter().find(|setting| setting.key == key).unwrap();
        let (before, mut config) = (Config::default(), Config::default());
        let taken = setting.set(&mut config, value.as_bytes());
        assert!(taken || config == before, "{key} = {value} changes something");
        taken
    }

    #[test]
    fn values_that_are_taken_and_that_are_not() {
        for (key, good, bad) in [
            (
                "timeout",
                &["50", "10000", "0300"][..],
                &["", "49", "10001", "-50", "+50", "2s", "2000 ms", "1e3", "65586"][..],
            ),
            (
                "retries",
                &["none", "NONE", "20", "20,30", "20 , 30\t40 10000"],
                &["19", "30 20", "20 20", "1 2 3", "20 30 40 50 60", "10001", "none 20"],
            ),
            ("grace-min", &["0", "1000"], &["1001", "zero"]),
            ("listener", &["on", "off", "On", "OFF"], &["", "yes", "1", "true", "on off"]),
            ("cache-size", &["0", "4096"], &["4097", "-1", "many"]),
            ("ttl-max", &["0", "3600"], &["3601", "10s"]),
            ("labels", &["2", "any", "Any"], &["", "3", "all"]),
            ("reverse", &["on-link", "link-local", "off"], &["on", "none", ""]),
            ("allow-interfaces", &["*", "none", "eth0", "eth* wlan?,br-[a-f]*"], &["eth0 [a", "a/b"]),
        ] {
            for value in good {
                assert!(takes(key, value), "{key} = {value}");
            }
            for value in bad {
                assert!(!takes(key, value), "{key} = {value}");
            }
        }
    }

    #[test]
    fn every_default_is_a_value_and_every_row_has_a_reason() {
        for setting in &SETTINGS {
            assert!(takes(setting.key, setting.default), "{}", setting.key);
            assert!(!setting.reason.is_empty() && setting.reason.is_ascii());
            assert!(
                setting.key.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
            );
        }
    }

    #[test]
    fn a_row_says_what_it_expects() {
        let expected = |key| SETTINGS.iter().find(|setting| setting.key == key).unwrap().kind.to_string();
        assert_eq!(expected("timeout"), "50 to 10000 milliseconds");
        assert_eq!(expected("retries"), "at most 4 ascending times of 20 to 10000 milliseconds, or none");
        assert_eq!(expected("labels"), "2 or any");
    }
}
