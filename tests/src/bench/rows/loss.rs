//! Lookups while packets are lost in each direction, on the link between client and responder.

use super::percent_of;
use crate::bench::clients::{Backend, Found};
use crate::bench::measure::Bench;
use crate::bench::pairs::{Medium, Neighbours, Pair, Pairs};
use crate::bench::responder::Responder;
use crate::bench::stats::{Samples, show};
use crate::bench::table::Row;
use crate::lan::Families;
use std::time::Duration;

/// How many pairs of hosts measure a row side by side. With the pauses between lookups, they leave the processors idle
/// most of the time.
const PAIRS: usize = 40;

/// How many lookups of the module a row has.
const LOOKUPS: usize = 1000;

/// How long each peer is measured for a row.
const PEERS_LIMIT: Duration = Duration::from_secs(12);

const RESPONDERS: [Responder; 4] = [Responder::Avahi, Responder::Resolved, Responder::Zeroconf, Responder::MdnsSd];

/// What a lookup asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    V4,
    Both,
}

/// The conditions and the targets of a row.
struct Case {
    percent: u8,
    wanted: Wanted,
    neighbours: Neighbours,
    /// The highest percentage of lookups without a wanted family.
    most_lacking: Option<f64>,
    /// The lowest percentage of lookups with any address.
    least_answered: Option<f64>,
}

const fn case(percent: u8, wanted: Wanted, most_lacking: f64, least_answered: Option<f64>) -> Case {
    Case { percent, wanted, neighbours: Neighbours::Permanent, most_lacking: Some(most_lacking), least_answered }
}

/// The same while ARP and neighbour discovery are needed as well.
const fn unknown(percent: u8, wanted: Wanted) -> Case {
    Case { percent, wanted, neighbours: Neighbours::Unknown, most_lacking: None, least_answered: None }
}

const CASES: [Case; 8] = [
    case(10, Wanted::V4, 0.1, None),
    case(10, Wanted::Both, 0.5, None),
    case(30, Wanted::V4, 1.0, None),
    case(30, Wanted::Both, 5.0, Some(99.9)),
    unknown(10, Wanted::V4),
    unknown(10, Wanted::Both),
    unknown(30, Wanted::V4),
    unknown(30, Wanted::Both),
];

impl Case {
    /// Whether the case is measured with this responder. Avahi is measured in all cases.
    fn is_for(&self, responder: Responder) -> bool {
        let is_basic = self.wanted == Wanted::Both && self.neighbours == Neighbours::Permanent;
        is_basic || responder == Responder::Avahi
    }

    fn row(&self, responder: Responder) -> String {
        let wanted = if self.wanted == Wanted::V4 { "AF_INET" } else { "AF_UNSPEC" };
        let neighbours = if self.neighbours == Neighbours::Unknown { ", neighbour tables empty" } else { "" };
        format!("loss of {} % each way, {wanted}, {}{neighbours}", self.percent, responder.label())
    }

    /// The words of the probe.
    fn words(&self, responder: Responder) -> Vec<&'static str> {
        let family = if self.wanted == Wanted::V4 { Some("v4") } else { None };
        ["lookup", responder.name()].into_iter().chain(family).collect()
    }

    fn target(&self) -> String {
        let what = if self.wanted == Wanted::V4 { "without an address" } else { "lack a family" };
        let lacking = self.most_lacking.map(|most| format!("at most {most} % {what}"));
        let answered = self.least_answered.map(|least| format!("at least {least} % answered"));
        lacking.into_iter().chain(answered).collect::<Vec<_>>().join(", ")
    }

    /// Whether the targets are met. None if there are none.
    fn is_met(&self, found: &[Found]) -> Option<bool> {
        let is_answered = self.least_answered.is_none_or(|least| 100.0 - without_address(found) >= least);
        self.most_lacking.map(|most| self.lacking(found) <= most && is_answered)
    }

    /// The percentage of lookups that lack what they want.
    fn lacking(&self, found: &[Found]) -> f64 {
        match self.wanted {
            Wanted::V4 => without_address(found),
            Wanted::Both => percent_of(found, |found| !found.has_both_families()),
        }
    }

    fn show(&self, found: &[Found]) -> String {
        if found.is_empty() {
            return String::new();
        }
        let median = show(Samples::of_values(found.iter().map(|found| found.sample().nanoseconds)).median());
        let (lacking, answered) = (self.lacking(found), 100.0 - without_address(found));
        let what = match self.wanted {
            Wanted::V4 => format!("{lacking:.1} % without an address"),
            Wanted::Both => format!("{lacking:.1} % lack a family, {answered:.1} % answered"),
        };
        format!("{what}, of {}; median {median}", found.len())
    }
}

fn without_address(found: &[Found]) -> f64 {
    percent_of(found, |found| found.addresses.is_empty())
}

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for responder in RESPONDERS {
        let cases = || CASES.iter().filter(|case| case.is_for(responder));
        if !cases().any(|case| bench.selects(&case.row(responder))) {
            continue;
        }
        let pairs = Pairs::new(PAIRS, responder, Medium::Cable(Families::Both))?;
        for case in cases() {
            let row = case.row(responder);
            if bench.wants(&row) {
                let ours = measure(bench, &pairs, case)?;
                let [mdns, resolve] = measure_peers(bench, responder, case)?;
                let cells = [case.show(&ours), case.show(&mdns), case.show(&resolve), String::new()];
                bench.add(&Row { name: row, target: case.target(), met: case.is_met(&ours), cells });
            }
        }
    }
    Ok(())
}

fn measure(bench: &Bench, pairs: &Pairs, case: &Case) -> Result<Vec<Found>, String> {
    if case.neighbours == Neighbours::Permanent {
        pairs.iter().try_for_each(Pair::fix_neighbours)?;
    }
    let set = |percent| pairs.iter().try_for_each(|pair| pairs.lose(pair, percent));
    set(case.percent)?;
    let found = pairs.side_by_side(bench.count(LOOKUPS), |pair| {
        pair.prepare(case.neighbours)?;
        pair.client.probe(&case.words(pair.responder))
    });
    set(0)?;
    found
}

/// The lookups of the peers. They are measured with Avahi only, for a limited time, and with what their daemons have
/// left in the neighbour tables.
fn measure_peers(bench: &mut Bench, responder: Responder, case: &Case) -> Result<[Vec<Found>; 2], String> {
    if responder != Responder::Avahi || case.neighbours != Neighbours::Permanent {
        return Ok(Default::default());
    }
    bench.serve(responder)?;
    let (count, peers) = (bench.count(LOOKUPS), [Backend::NssMdns, Backend::NssResolve]);
    let words = case.words(responder);
    let [_, mdns, resolve] = bench.losing(case.percent, || bench.repeat(&words, count, &peers, PEERS_LIMIT))?;
    Ok([mdns, resolve])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many lookups that found this.
    fn lookups(count: usize, addresses: &[&str]) -> Vec<Found> {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        vec![Found { numbers: vec![1e6], addresses }; count]
    }

    #[test]
    fn a_lookup_without_an_answer_lacks_every_family() {
        let found = [lookups(997, &["10.0.0.1", "fd00::1"]), lookups(2, &["10.0.0.1"]), lookups(1, &[])].concat();
        let [v4, both] = [case(10, Wanted::V4, 0.1, None), case(30, Wanted::Both, 0.3, Some(99.9))];
        assert_eq!([&v4, &both].map(|case| case.is_met(&found)), [Some(true); 2]);
        assert_eq!(both.show(&found), "0.3 % lack a family, 99.9 % answered, of 1000; median 1.00 ms");
        let worse = [&found[..], &lookups(1, &[])].concat();
        assert_eq!([&v4, &both].map(|case| case.is_met(&worse)), [Some(false); 2]);
        assert_eq!(unknown(10, Wanted::V4).is_met(&worse), None);
    }
}
