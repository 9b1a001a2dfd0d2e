//! The table of the settings: key, values, default and reason. The manual page `nss-mdns.conf(5)` has the same rows,
//! and a test compares them.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::patterns::InterfacePatterns;
use super::{Config, Retries};
use crate::policy::{Labels, ReverseRange};

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// The key, before the `=`.
    pub key: &'static str,
    /// The values that it accepts, after the `=`.
    pub kind: Kind,
    /// The value if the file does not set it.
    pub default: &'static str,
    /// Why this is the default, or when another value is useful.
    pub reason: &'static str,
}

/// The values that a setting accepts. Its `Display` form describes them in messages and in the manual page.
#[derive(Debug)]
pub enum Kind {
    /// A time in milliseconds.
    Milliseconds(RangeInclusive<u16>),
    /// A time in seconds.
    Seconds(RangeInclusive<u16>),
    /// A number.
    Number(RangeInclusive<u16>),
    /// Times in milliseconds, in ascending order, or `none`.
    Times(RangeInclusive<u16>),
    /// `on` or `off`.
    Switch,
    /// Interface name patterns, or `none`.
    Patterns,
    /// One of several words.
    Word(&'static [&'static str]),
}

/// The maximum value of a timeout, in milliseconds.
pub const MAX_TIMEOUT: u16 = 10_000;

/// Expands the table to [`SETTINGS`], which programs and tests read, and to code that parses values. `libnss_mdns.so.2`
/// uses only the code: each pointer in the data would be a relocation at load time in every process.
macro_rules! settings {
    ($( $(#[doc = $reason:literal])+ $key:literal $field:ident = $default:literal, $kind:ident $values:tt; )+) => {
        /// The settings, in the order of the manual page.
        pub static SETTINGS: &[Setting] = &[$(settings!(@row $key, $kind $values, $default, $($reason)+)),+];

        /// A row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(non_camel_case_types)]
        pub(crate) enum Row { $($field),+ }

        impl Row {
            /// The number of rows.
            pub(crate) const COUNT: usize = [$($key),+].len();

            /// The row with this key.
            pub(crate) fn of(key: &[u8]) -> Option<Self> {
                match () {
                    $(() if key.eq_ignore_ascii_case($key.as_bytes()) => Some(Self::$field),)+
                    () => None,
                }
            }

            /// The same data as in [`SETTINGS`].
            pub(crate) fn setting(self) -> &'static Setting {
                match self {
                    $(Self::$field => &const { settings!(@row $key, $kind $values, $default, $($reason)+) },)+
                }
            }

            /// Sets the row's field of `config` to `value`. If the value is invalid, returns false and changes nothing.
            pub(crate) fn set(self, config: &mut Config, value: &[u8]) -> bool {
                match self {
                    $(Self::$field => settings!(@set $kind $values, &mut config.$field, value),)+
                }
            }

            /// Sets the row's field of `config` to its default.
            pub(crate) fn reset(self, config: &mut Config) {
                let valid = match self { $(Self::$field => self.set(config, $default.as_bytes()),)+ };
                debug_assert!(valid, "the default of {self:?}");
            }
        }

        impl Config {
            /// Sets every setting to its default.
            pub(super) fn reset(&mut self) {
                $(Row::$field.reset(self);)+
            }
        }
    };
    (@row $key:literal, $kind:ident $values:tt, $default:literal, $($reason:literal)+) => {
        Setting {
            key: $key,
            kind: settings!(@kind $kind $values),
            default: $default,
            reason: concat!($($reason),+).trim_ascii_start(),
        }
    };
    (@kind milliseconds ($range:expr)) => { Kind::Milliseconds($range) };
    (@kind seconds ($range:expr)) => { Kind::Seconds($range) };
    (@kind number ($range:expr)) => { Kind::Number($range) };
    (@kind times ($range:expr)) => { Kind::Times($range) };
    (@kind switch ()) => { Kind::Switch };
    (@kind patterns ()) => { Kind::Patterns };
    (@kind word ($($word:literal: $choice:expr),+)) => { Kind::Word(&[$($word),+]) };
    (@set milliseconds ($range:expr), $place:expr, $value:expr) => {
        store($place, number($value, &$range).map(|time| Duration::from_millis(time.into())))
    };
    (@set seconds ($range:expr), $place:expr, $value:expr) => {
        store($place, number($value, &$range).map(|time| Duration::from_secs(time.into())))
    };
    (@set number ($range:expr), $place:expr, $value:expr) => {
        store($place, number($value, &$range).map(usize::from))
    };
    (@set times ($range:expr), $place:expr, $value:expr) => { store($place, times($value, &$range)) };
    (@set switch (), $place:expr, $value:expr) => { store($place, switch($value)) };
    (@set patterns (), $place:expr, $value:expr) => { store($place, patterns($value)) };
    (@set word ($($word:literal: $choice:expr),+), $place:expr, $value:expr) => {
        match () {
            $(() if $value.eq_ignore_ascii_case($word.as_bytes()) => store($place, Some($choice)),)+
            () => false,
        }
    };
}

settings! {
    /// leaves the slowest responders three quarters of a second after the last retransmission; if the hosts line
    /// continues with DNS, a shorter time finds its hosts sooner
    "timeout" timeout = "2000", milliseconds(50..=MAX_TIMEOUT);

    /// nearly every responder answers before the first, which passes firewalls; the second recovers from another loss,
    /// after the 120 ms by which many responders delay; the third comes after the second within which a responder need
    /// not multicast a record again (RFC 6762, section 6)
    "retries" retries = "30 250 1250", times(20..=10_000);

    /// an answer for the other address family that was sent together with the first arrives within milliseconds
    "grace-min" grace_min = "20", milliseconds(0..=1000);

    /// between the two limits the grace is twice the first answer's own delay; a slow network needs more
    "grace-max" grace_max = "100", milliseconds(0..=2000);

    /// sshd and traceroute look up the name of every address that they encounter
    "reverse-timeout" reverse_timeout = "1000", milliseconds(50..=MAX_TIMEOUT);

    /// a host may be on any link; a point-to-point link is queried only if its exact name is listed
    "allow-interfaces" allow_interfaces = "*", patterns();

    /// takes precedence over allow-interfaces: for links that are not trusted, or on which traffic is charged
    "deny-interfaces" deny_interfaces = "none", patterns();

    /// names of three or more labels usually belong to sites that serve .local by DNS; nss-mdns has the same limit
    "labels" labels = "2", word("2": Labels::Two, "any": Labels::Any);

    /// a network whose DNS servers serve names under .local lists their domain there, as with Active Directory or in a
    /// Kubernetes cluster; off queries the link for all .local names
    "unicast-local" unicast_local = "on", switch();

    /// no host off the link answers; the minimal services never go beyond link-local addresses
    "reverse" reverse = "on-link", word(
        "on-link": ReverseRange::OnLink,
        "link-local": ReverseRange::LinkLocal,
        "off": ReverseRange::Nothing
    );

    /// receives the responses of responders that only multicast, and passes firewalls; off keeps the process out of the
    /// multicast groups
    "listener" listener = "on", switch();

    /// finds hosts whose multicast packets a firewall drops or a wireless network loses, if this machine has exchanged
    /// packets with them in the last minute; off asks only the group
    "neighbours" neighbours = "on", switch();

    /// finds names where no interface can be queried, and those that avahi-daemon has cached while the network is
    /// silent; off asks only the network
    "daemon" daemon = "on", switch();

    /// a machine should know its own name even if no responder runs on it
    "own-name" own_name = "on", switch();

    /// names that a process caches, of about 700 octets each; 0 disables the cache
    "cache-size" cache_size = "256", number(0..=4096);

    /// goodbye packets are not received between lookups, which is why RFC 6762, section 6.7, limits the TTL that such
    /// queriers receive to ten seconds
    "ttl-max" ttl_max = "10", seconds(0..=3600);

    /// some hosts have no other IPv6 address; off for programs that do not support a scope id
    "ipv6-link-local" ipv6_link_local = "on", switch();
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |range: &RangeInclusive<u16>| format!("{} to {}", range.start(), range.end());
        match self {
            Self::Milliseconds(range) => write!(out, "{} milliseconds", between(range)),
            Self::Seconds(range) => write!(out, "{} seconds", between(range)),
            Self::Number(range) => write!(out, "{}", between(range)),
            Self::Times(range) => {
                write!(out, "at most {} ascending times of {} milliseconds, or none", Retries::MAX, between(range))
            }
            Self::Switch => write!(out, "on or off"),
            Self::Patterns => write!(out, "names of interfaces, with *, ? and [...] as in a shell, or none"),
            Self::Word(words) => write!(out, "{}", words.join(" or ")),
        }
    }
}

/// Stores a value, if there is one. True if there is.
fn store<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

/// Parses a number within the range, which must consist of digits only, without a sign or a unit.
fn number(text: &[u8], range: &RangeInclusive<u16>) -> Option<u16> {
    let add = |number: u16, &octet: &u8| {
        let digit = char::from(octet).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u16::try_from(digit).ok()?)
    };
    let number = if text.is_empty() { None } else { text.iter().try_fold(0, add) };
    number.filter(|number| range.contains(number))
}

fn switch(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"on") => Some(true),
        _ if text.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// The items of a list, separated by blanks or commas. The word `none` is the empty list. None for text without an item:
/// a line that was left unfinished must not switch a part of the module off.
fn items(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let is_none = text.eq_ignore_ascii_case(b"none");
    let list = if is_none { &[] } else { text };
    let mut items = list.split(|octet| matches!(octet, b' ' | b'\t' | b',')).filter(|item| !item.is_empty()).peekable();
    (is_none || items.peek().is_some()).then_some(items)
}

fn times(text: &[u8], range: &RangeInclusive<u16>) -> Option<Retries> {
    let mut retries = Retries::default();
    items(text)?.all(|item| number(item, range).is_some_and(|time| retries.push(time))).then_some(retries)
}

fn patterns(text: &[u8]) -> Option<InterfacePatterns> {
    let mut patterns = InterfacePatterns::default();
    items(text)?.all(|item| patterns.push(item)).then_some(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True if the setting with this key accepts this value.
    fn accepts(key: &str, value: &str) -> bool {
        let (before, mut config) = (Config::default(), Config::default());
        let accepted = Row::of(key.as_bytes()).unwrap().set(&mut config, value.as_bytes());
        assert!(accepted || config == before, "{key} = {value} is rejected but changes the settings");
        accepted
    }

    #[test]
    fn only_values_of_the_documented_form_are_accepted() {
        for (key, valid, invalid) in [
            (
                "timeout",
                &["50", "10000", "0300"][..],
                &["", "49", "10001", "-50", "+50", "2s", "2000 ms", "1e3", "65586"][..],
            ),
            (
                "retries",
                &["none", "NONE", "20", "20,30", "20 , 30\t40 10000"],
                &["", ",", "19", "30 20", "20 20", "1 2 3", "20 30 40 50 60", "10001", "none 20"],
            ),
            ("grace-min", &["0", "1000"], &["1001", "zero"]),
            ("listener", &["on", "off", "On", "OFF"], &["", "yes", "1", "true", "on off"]),
            ("cache-size", &["0", "4096"], &["4097", "-1", "many"]),
            ("ttl-max", &["0", "3600"], &["3601", "10s"]),
            ("labels", &["2", "any", "Any"], &["", "3", "all"]),
            ("reverse", &["on-link", "link-local", "off"], &["on", "none", ""]),
            ("allow-interfaces", &["*", "none", "eth0", "eth* wlan?,br-[a-f]*"], &["", ", ,", "eth0 [a", "a/b"]),
            ("deny-interfaces", &["*", "none"], &[""]),
        ] {
            for value in valid {
                assert!(accepts(key, value), "{key} = {value}");
            }
            for value in invalid {
                assert!(!accepts(key, value), "{key} = {value}");
            }
        }
    }

    #[test]
    fn every_default_is_valid_and_every_row_has_a_reason() {
        assert_eq!(SETTINGS.len(), Row::COUNT);
        for setting in SETTINGS {
            assert_eq!(Row::of(setting.key.as_bytes()).map(|row| SETTINGS[row as usize].key), Some(setting.key));
            assert!(accepts(setting.key, setting.default), "{}", setting.key);
            assert!(!setting.reason.is_empty() && setting.reason.is_ascii());
            assert!(
                setting.key.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
            );
        }
    }

    #[test]
    fn accepted_values_are_described() {
        let expected = |key| SETTINGS.iter().find(|setting| setting.key == key).unwrap().kind.to_string();
        assert_eq!(expected("timeout"), "50 to 10000 milliseconds");
        assert_eq!(expected("retries"), "at most 4 ascending times of 20 to 10000 milliseconds, or none");
        assert_eq!(expected("labels"), "2 or any");
    }
}
