//! Lookups while packets are lost.

use crate::bench::clients::{Backend, Found};
use crate::bench::measure::{Bench, Responder};
use crate::bench::stats::{Samples, show};
use crate::bench::table::Row;
use std::time::Duration;

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for (percent, wanted) in [(10, 99.0), (30, 90.0)] {
        let row = format!("loss of {percent} % each way, dual stack, Avahi");
        if !bench.wants(&row) {
            continue;
        }
        let ruleset = format!(
            "table inet loss {{
                chain input {{ type filter hook input priority 0; iif lo accept; numgen random mod 100 < {percent} drop; }}
                chain output {{ type filter hook output priority 0; oif lo accept; numgen random mod 100 < {percent} drop; }}
            }}"
        );
        bench.serve(Responder::Avahi)?;
        let all = bench.client(Backend::Ours).probe(&["bare", "avahi.local", "both"])?.addresses;
        let (count, limit) = (bench.count(200), Duration::from_secs(if bench.count(200) < 200 { 10 } else { 20 }));
        let found = bench.behind(&ruleset, || bench.repeat(&["lookup", "avahi.local"], count, &Backend::ALL, limit))?;
        let met = percent_with(&found[0], 1) >= wanted;
        let [ours, mdns, resolve] = found.each_ref().map(|found| {
            let median = Samples::of_values(found.iter().map(|found| found.sample().nanoseconds)).median();
            let (answered, complete) = (percent_with(found, 1), percent_with(found, all));
            format!("{answered:.1} % answered, {complete:.1} % complete, of {}; median {}", found.len(), show(median))
        });
        let target = format!("{wanted} % of 200 answered");
        bench.add(&Row { name: row, target, met: Some(met), cells: [ours, mdns, resolve, String::new()] });
    }
    Ok(())
}

/// The percentage of probes that found at least `addresses` addresses.
#[allow(clippy::cast_precision_loss)]
fn percent_with(found: &[Found], addresses: usize) -> f64 {
    let with = found.iter().filter(|found| found.addresses >= addresses).count();
    100.0 * with as f64 / found.len().max(1) as f64
}
