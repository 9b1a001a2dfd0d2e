//! The attacks, by subject. In the reasons, "6762 s11" is RFC 6762, section 11, and "rule" marks a rule of the querier
//! that no RFC demands.

mod addresses;
mod aliases;
mod cache;
mod compression;
mod denials;
mod header;
mod owners;
mod paths;
mod permitted;
mod records;
mod reverse;

use super::context::{Context, Injection};

/// Builds the packets of an attack.
pub type Injections = fn(&Context<'_>) -> Vec<Injection>;

/// The lookup that is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Of `kN.local`, which has a genuine response.
    Known,
    /// Of `mkN.local`, which has none.
    Missing,
    /// Of `kN.local` and then, in the same process, of `sN.local` (known) and `msN.local` (missing). Only the first is
    /// attacked.
    KnownThenOthers,
    /// Of the name of 169.254.N.1, which has a genuine response.
    KnownAddress,
    /// Of the name of 169.254.N.2, which has none.
    MissingAddress,
}

/// The expected result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The genuine result, complete.
    Genuine,
    /// Exactly these forged addresses.
    Forged(&'static [&'static str]),
    /// At most this many addresses.
    AtMost(usize),
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Attack {
    /// A short name.
    pub name: &'static str,
    /// What is sent.
    pub sent: &'static str,
    /// Why it must fail, or may succeed.
    pub why: &'static str,
    /// Builds its packets.
    pub injections: Injections,
    /// The lookups that are attacked.
    pub lookups: Vec<Lookup>,
    /// The expected result of each; of [`Lookup::KnownThenOthers`], that of the first.
    pub expected: Expected,
    /// The lookups do not retransmit before 1.5 s, long after all packets have arrived.
    pub late_retransmission: bool,
}

/// An attack on a known and on a missing host that must fail.
fn attack(name: &'static str, sent: &'static str, why: &'static str, injections: Injections) -> Attack {
    let lookups = vec![Lookup::Known, Lookup::Missing];
    Attack { name, sent, why, injections, lookups, expected: Expected::Genuine, late_retransmission: false }
}

impl Attack {
    /// Attacks these lookups instead.
    fn on(self, lookups: &[Lookup]) -> Attack {
        Attack { lookups: lookups.to_vec(), ..self }
    }

    /// Attacks lookups that retransmit late.
    fn on_late_retransmission(self) -> Attack {
        Attack { late_retransmission: true, ..self }
    }

    /// Attacks the lookups of an address with a name and of one without.
    fn on_addresses(self) -> Attack {
        self.on(&[Lookup::KnownAddress, Lookup::MissingAddress])
    }

    /// Attacks a missing host only, and expects these addresses.
    fn expecting(self, addresses: &'static [&'static str]) -> Attack {
        Attack { expected: Expected::Forged(addresses), ..self.on(&[Lookup::Missing]) }
    }
}

/// [`super::context::FORGED_V4`] and [`super::context::FORGED_V6`].
const FORGED: &[&str] = &["10.66.6.6", "fd66::6"];

/// The whole table. The number of an attack is its position here, counted from 1.
pub fn all() -> Vec<Attack> {
    [
        paths::attacks(),
        header::attacks(),
        owners::attacks(),
        records::attacks(),
        compression::attacks(),
        addresses::attacks(),
        denials::attacks(),
        aliases::attacks(),
        reverse::attacks(),
        cache::attacks(),
        permitted::attacks(),
    ]
    .concat()
}

/// The host on which all attacks are made at once. Some attacks replace the `k` of the queried name, and one flips a
/// bit of its digits. In a name without either, they would change nothing.
pub const EVERYTHING: &str = "kiosk7.local";

/// The attacks on a queried name: its own, or, for [`EVERYTHING`], all that must not affect the lookup of a known host.
pub fn by_name<'a>(table: &'a [Attack], name: &str) -> Vec<(usize, &'a Attack)> {
    if name == EVERYTHING {
        let harmless =
            |attack: &&Attack| attack.expected == Expected::Genuine && attack.lookups.contains(&Lookup::Known);
        return table.iter().enumerate().map(|(at, attack)| (at + 1, attack)).filter(|(_, a)| harmless(a)).collect();
    }
    let number = number(name).unwrap_or_default();
    number.checked_sub(1).and_then(|at| table.get(at)).map(|attack| (number, attack)).into_iter().collect()
}

/// The number in `kN.local`, `mkN.local` or `X.N.254.169.in-addr.arpa`.
fn number(name: &str) -> Option<usize> {
    if let Some(address) = name.strip_suffix(".254.169.in-addr.arpa") {
        return address.split_once('.')?.1.parse().ok();
    }
    let label = name.strip_suffix(".local")?;
    label.strip_prefix("mk").or_else(|| label.strip_prefix('k'))?.parse().ok()
}
