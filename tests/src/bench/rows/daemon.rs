//! Lookups that only avahi-daemon on the client can answer, from its cache.

use super::within;
use crate::bench::measure::Bench;
use crate::bench::pairs::{Medium, Pair, Pairs};
use crate::bench::responder::Responder;
use crate::bench::stats::Samples;
use crate::lan::Families;
use crate::responders::avahi;

/// How many pairs of hosts measure a row side by side.
const PAIRS: usize = 4;

/// How many lookups a row has.
const LOOKUPS: usize = 20;

/// Runs a command without any network interface.
const WITHOUT_INTERFACE: [&str; 2] = ["unshare", "--net"];

/// The names of the rows, the targets for the median in nanoseconds, and whether the process has an interface.
const CASES: [(&str, f64, bool); 2] = [
    ("avahi-daemon on the client has it cached, the network is silent", 60e6, true),
    ("avahi-daemon on the client has it cached, no interface", 5e6, false),
];

pub(super) fn rows(bench: &Bench) -> Result<(), String> {
    if !CASES.iter().any(|(row, ..)| bench.selects(row)) {
        return Ok(());
    }
    let pairs = Pairs::new(bench.count(PAIRS), Responder::Avahi, Medium::Cable(Families::Both))?;
    let start = |pair: &Pair| avahi(&pair.client.host, "client");
    let _daemons = pairs.iter().map(start).collect::<Result<Vec<_>, String>>()?;
    for (row, limit, has_interface) in CASES {
        if bench.wants(row) {
            let found = pairs.side_by_side(bench.count(LOOKUPS), |pair| {
                fill_cache(pair)?;
                let words = ["lookup", pair.responder.name()];
                if !has_interface {
                    return pair.client.probe_within(&WITHOUT_INTERFACE, &words);
                }
                pairs.lose(pair, 100)?;
                let found = pair.client.probe(&words);
                pairs.lose(pair, 0)?;
                found
            })?;
            bench.add(&within(row, limit, &Samples::of_found(&found), pairs.addresses()));
        }
    }
    Ok(())
}

/// Makes the client's daemon ask the network, unless it has the host in its cache. A daemon removes records from its
/// cache when queries of others for them are not answered (RFC 6762, section 10.5), so one call is not enough.
fn fill_cache(pair: &Pair) -> Result<(), String> {
    let words = [&WITHOUT_INTERFACE[..], &["getent", "ahosts", pair.responder.name()]].concat();
    let ended = pair.client.run(&words)?;
    if ended.code == 0 { Ok(()) } else { Err(format!("avahi-daemon on the client has no answer: {}", ended.output)) }
}
