//! Lookups on Wi-Fi, where multicast is lost and late, and unicast is neither.

use super::{at_most, on_and_off, with_off};
use crate::bench::measure::Bench;
use crate::bench::pairs::{Medium, Neighbours, Pairs};
use crate::bench::responder::Responder;
use crate::bench::stats::Samples;
use crate::bench::table::Row;
use crate::wifi::Multicast;

/// How many pairs of hosts measure a row side by side.
const PAIRS: usize = 8;

/// How many lookups a row has.
const LOOKUPS: usize = 40;

/// What the hosts know of each other, and the target for the median in nanoseconds.
const CASES: [(&str, Neighbours, Option<f64>); 2] =
    [("host pinged before", Neighbours::Pinged, Some(10e6)), ("host not known", Neighbours::Unknown, None)];

pub(super) fn rows(bench: &Bench) -> Result<(), String> {
    for lost_percent in [20, 50] {
        let name =
            |case: &str| format!("Wi-Fi, {lost_percent} % of multicast lost, the rest 100–300 ms late, {case}, Avahi");
        if !CASES.iter().any(|(case, ..)| bench.selects(&name(case))) {
            continue;
        }
        let medium = Medium::Wifi(Multicast { lost_percent, late_ms: (100, 300) });
        let pairs = Pairs::new(bench.count(PAIRS), Responder::Avahi, medium)?;
        for (case, neighbours, limit) in CASES {
            let row = name(case);
            if bench.wants(&row) {
                let found = on_and_off(&pairs, bench.count(LOOKUPS), neighbours)?;
                let cells = [Samples::of_found(&found[0]), Samples::default(), Samples::default(), Samples::default()];
                let of_times = || Row::of_times(&row, "", None, &cells);
                let row = limit.map_or_else(of_times, |limit| at_most(&row, limit, &cells));
                bench.add(&with_off(row, &found));
            }
        }
    }
    Ok(())
}
