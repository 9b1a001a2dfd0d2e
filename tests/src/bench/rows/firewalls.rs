//! Lookups behind firewalls on the client.

use super::{at_most, median_of, on_and_off, with_off, within};
use crate::bench::clients::{Backend, Found};
use crate::bench::measure::{Bench, Lookup};
use crate::bench::pairs::{Medium, Neighbours, Pairs};
use crate::bench::responder::Responder;
use crate::bench::stats::{Samples, show};
use crate::bench::table::Row;
use crate::firewalls::{stateful, ufw, ufw_log_lines};
use crate::lan::{Families, Host};
use std::time::Duration;

/// A stateful firewall as distributions configure it: replies and multicast DNS are accepted, everything else is
/// dropped.
pub(super) const FIREWALL: &str = "table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        ip daddr 224.0.0.251 udp dport 5353 accept
        ip6 daddr ff02::fb udp dport 5353 accept
    }
}";

/// How many pairs of hosts measure a row side by side.
const PAIRS: usize = 8;

/// How many lookups a row has.
const LOOKUPS: usize = 40;

/// With the peers, whose daemons it does not affect: they use port 5353. They are measured with one responder.
pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for serving in [Responder::Avahi, Responder::Zeroconf, Responder::Resolved] {
        let row = format!("behind a stateful firewall, dual stack, {}", serving.label());
        if bench.wants(&row) {
            bench.serve(serving)?;
            let count = bench.count(20);
            let by = if serving == Responder::Avahi { &Backend::ALL[..] } else { &Backend::ALL[..1] };
            let lookup = Lookup { words: &["lookup", serving.name()], bare: None, cold: true, by };
            let cells = bench.behind(FIREWALL, || bench.measure(lookup, count))?;
            bench.add(&at_most(&row, 60e6, &cells));
            if serving == Responder::Avahi {
                bench.bars.push(("Behind a stateful firewall (Avahi)".into(), cells));
            }
        }
    }
    for responder in [Responder::Avahi, Responder::Resolved] {
        behind(bench, responder, &UFW, ufw)?;
        behind(bench, responder, &V4_ONLY, |host| stateful(host, Families::V4))?;
    }
    Ok(())
}

/// A row behind a firewall: the start of its name, and what measures it.
type Measured = (&'static str, fn(&Bench, &Pairs, &str) -> Result<Row, String>);

const UFW: [Measured; 4] = [
    ("ufw, first lookup", |bench, pairs, row| first_lookup(bench, pairs, row, 60e6)),
    ("ufw, tenth process in a row", tenth_in_a_row),
    ("ufw, host pinged before", pinged),
    ("ufw, log lines of dropped responses", log_lines),
];

const V4_ONLY: [Measured; 1] =
    [("firewall for IPv4 alone, first lookup", |bench, pairs, row| first_lookup(bench, pairs, row, 100e6))];

/// Measures rows on pairs whose clients have this firewall.
fn behind(
    bench: &Bench,
    responder: Responder,
    rows: &[Measured],
    firewall: impl Fn(&Host) -> Result<(), String>,
) -> Result<(), String> {
    let name = |start: &str| format!("{start}, dual stack, {}", responder.label());
    if !rows.iter().any(|(start, _)| bench.selects(&name(start))) {
        return Ok(());
    }
    let pairs = Pairs::new(bench.count(PAIRS), responder, Medium::Cable(Families::Both))?;
    pairs.iter().try_for_each(|pair| firewall(&pair.client.host))?;
    for (start, measure) in rows {
        let row = name(start);
        if bench.wants(&row) {
            bench.add(&measure(bench, &pairs, &row)?);
        }
    }
    Ok(())
}

fn first_lookup(bench: &Bench, pairs: &Pairs, row: &str, limit: f64) -> Result<Row, String> {
    compared(bench, pairs, row, limit, Neighbours::Unknown)
}

/// Ten processes look the name up without a pause. What the first ones leave in the neighbour table helps the later.
fn tenth_in_a_row(bench: &Bench, pairs: &Pairs, row: &str) -> Result<Row, String> {
    let series = pairs.side_by_side(bench.count(LOOKUPS), |pair| {
        pair.prepare(Neighbours::Unknown)?;
        (0..10).map(|_| pair.lookup()).collect::<Result<Vec<Found>, String>>()
    })?;
    let of_process = |position: usize| Samples::of_found(series.iter().filter_map(|series| series.get(position)));
    let mut row = within(row, 100e6, &of_process(9), pairs.addresses());
    let [second, third] = [1, 2].map(|position| show(of_process(position).median()));
    row.cells[0] += &format!("; the second {second}, the third {third}");
    Ok(row)
}

fn pinged(bench: &Bench, pairs: &Pairs, row: &str) -> Result<Row, String> {
    compared(bench, pairs, row, 5e6, Neighbours::Pinged)
}

fn compared(bench: &Bench, pairs: &Pairs, row: &str, limit: f64, neighbours: Neighbours) -> Result<Row, String> {
    let found = on_and_off(pairs, bench.count(LOOKUPS), neighbours)?;
    Ok(with_off(within(row, limit, &Samples::of_found(&found[0]), pairs.addresses()), &found))
}

/// The lines that ufw logs for one lookup, if it logs every dropped packet.
fn log_lines(bench: &Bench, pairs: &Pairs, row: &str) -> Result<Row, String> {
    const WITHOUT_LIMIT: &str = r"for program in iptables ip6tables; do
        $program-save | sed '/UFW BLOCK/s/-m limit --limit [^ ]* \(--limit-burst [0-9]* \)\?//' | $program-restore
    done";
    pairs.iter().try_for_each(|pair| pair.client.host.script(WITHOUT_LIMIT).map(drop))?;
    let lines = |neighbours| {
        let found = pairs.side_by_side(bench.count(LOOKUPS), |pair| {
            pair.prepare(neighbours)?;
            let before = ufw_log_lines(&pair.client.host)?;
            let mut found = pair.lookup()?;
            // Later responses are dropped as well.
            std::thread::sleep(Duration::from_millis(200));
            found.numbers = vec![(ufw_log_lines(&pair.client.host)? - before).into()];
            Ok(found)
        })?;
        let most = Samples::of_found(&found).quantile(1.0);
        Ok::<_, String>(format!("median {:.0}, at most {most:.0}", median_of(&found, 0)))
    };
    let (first, pinged) = (lines(Neighbours::Unknown)?, lines(Neighbours::Pinged)?);
    let cells =
        [format!("first lookup: {first}; host pinged before: {pinged}"), String::new(), String::new(), String::new()];
    Ok(Row { name: row.into(), target: String::new(), met: None, cells })
}
