//! The attacks, by subject. "6762 s11" is section 11 of RFC 6762; "rule" is one of the querier's own.

mod addresses;
mod aliases;
mod compression;
mod denials;
mod header;
mod memory;
mod owners;
mod paths;
mod permitted;
mod pointers;
mod records;

use super::scene::{Scene, Shot};

/// What makes the packets of an attack.
pub type Shots = fn(&Scene<'_>) -> Vec<Shot>;

/// A lookup that is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Of `kN.local`, which is answered truly.
    Known,
    /// Of `mkN.local`, which nobody answers.
    Missing,
    /// Of `kN.local` and, in the same process, of `sN.local` (known) and `msN.local` (missing), whose lookups are left
    /// alone.
    KnownThenOthers,
    /// Of the name of 169.254.N.1, which has one.
    KnownAddress,
    /// Of the name of 169.254.N.2, which has none.
    MissingAddress,
}

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The truth, and all of it.
    Truth,
    /// Just these addresses, all of them the attacker's.
    Theirs(&'static [&'static str]),
    /// No more addresses than this.
    AtMost(usize),
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Attack {
    /// Its name.
    pub name: &'static str,
    /// What is sent.
    pub sent: &'static str,
    /// Why it must fail, or may succeed.
    pub why: &'static str,
    /// What makes its packets.
    pub shots: Shots,
    /// What it is tried on.
    pub lookups: Vec<Lookup>,
    /// What must come of the first lookup of each.
    pub expected: Expected,
}

/// An attack on a known and on a missing host; it must fail.
fn attack(name: &'static str, sent: &'static str, why: &'static str, shots: Shots) -> Attack {
    Attack { name, sent, why, shots, lookups: vec![Lookup::Known, Lookup::Missing], expected: Expected::Truth }
}

impl Attack {
    /// Tried on these instead.
    fn on(self, lookups: &[Lookup]) -> Attack {
        Attack { lookups: lookups.to_vec(), ..self }
    }

    /// Tried on an address with a name and on one without.
    fn on_addresses(self) -> Attack {
        self.on(&[Lookup::KnownAddress, Lookup::MissingAddress])
    }

    /// Tried on a name that nobody else answers; these addresses must come of it.
    fn gives(self, addresses: &'static [&'static str]) -> Attack {
        Attack { expected: Expected::Theirs(addresses), ..self.on(&[Lookup::Missing]) }
    }
}

/// The addresses of [`super::scene::EVIL_V4`] and [`super::scene::EVIL_V6`].
const EVIL: &[&str] = &["10.66.6.6", "fd66::6"];

/// The whole table. The number of an attack is its place here, from 1 on.
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
        pointers::attacks(),
        memory::attacks(),
        permitted::attacks(),
    ]
    .concat()
}

/// The host on which all attacks are made at once. Some of them need the k.
pub const EVERYTHING: &str = "kiosk.local";

/// The attacks that a name that is asked for is met with: its own, or, for `kiosk.local`, all that do not hold up the
/// lookup of a known host.
pub fn by_name<'a>(table: &'a [Attack], name: &str) -> Vec<(usize, &'a Attack)> {
    if name == EVERYTHING {
        let harmless = |attack: &&Attack| attack.expected == Expected::Truth && attack.lookups.contains(&Lookup::Known);
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
