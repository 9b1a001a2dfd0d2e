//! This module beside another build of it, in turn in the same run, so that both meet the same load on the machine.

use super::firewalls::FIREWALL;
use super::process::{deepest_call, in_turn, whole_getent};
use super::{MISSING, STACK_LIMIT, show_octets};
use crate::bench::clients::Backend;
use crate::bench::measure::{Bench, Lookup};
use crate::bench::responder::Responder;
use crate::bench::stats::Samples;
use crate::bench::table::{cell, ratio};
use crate::module;

/// Up to this ratio, a difference is noise.
const NOISE: f64 = 1.05;

/// What precedes the rows.
const HEAD: &str = "
In turn with another build of the module. A ratio of up to 1.05 is noise.

| what | this module | baseline | ratio | not worse |
|---|---|---|---|---|";

/// A lookup: the name of its row, the responder, the words of the probe and the number of samples.
type Case = (&'static str, Responder, &'static [&'static str], usize);

const CASES: [Case; 8] = [
    ("first lookup, dual stack, Avahi", Responder::Avahi, &["lookup", "avahi.local"], 200),
    ("first lookup, dual stack, zeroconf", Responder::Zeroconf, &["lookup", "zeroconf.local"], 200),
    ("first lookup, dual stack, systemd-resolved", Responder::Resolved, &["lookup", "resolved.local"], 200),
    ("first lookup, IPv4 alone, zeroconf (NSEC)", Responder::ZeroconfV4, &["lookup", "zeroconf4.local"], 200),
    ("first lookup, IPv4 alone, Avahi (no NSEC)", Responder::AvahiV4, &["lookup", "avahi4.local"], 100),
    ("first lookup, IPv4 alone, silent on ANY and AAAA", Responder::SilentV4, &["lookup", "silent4.local"], 100),
    ("`getent hosts`, IPv4 alone, Avahi, whole process", Responder::AvahiV4, &["getent", "avahi4.local"], 100),
    ("missing name", Responder::Avahi, &["lookup", MISSING], 20),
];

/// The querier's own part of a lookup.
const OWN_PART: [Responder; 3] = [Responder::Avahi, Responder::Zeroconf, Responder::Resolved];

/// Prints a table of its own, if there is a baseline.
pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    let Some(baseline) = bench.baseline_module() else { return Ok(()) };
    println!("{HEAD}");
    for (row, responder, words, count) in CASES {
        lookups(bench, row, responder, words, count)?;
    }
    let file = module::file_name("mdns_minimal");
    for responder in OWN_PART {
        let row = format!("the querier's own part, {}", responder.label());
        lookups(bench, &row, responder, &["wire", &file, "mdns_minimal", responder.name()], 100)?;
    }
    behind_firewall(bench)?;
    direct_calls(bench, &baseline)?;
    stack(bench)
}

/// Whether a row is to be measured. `--only baseline` selects all of them.
fn wants(bench: &Bench, row: &str) -> bool {
    bench.wants(&format!("beside the baseline: {row}"))
}

fn add(row: &str, [ours, baseline]: &[Samples; 2]) {
    let times = ours.median() / baseline.median();
    let verdict = if times <= NOISE { "yes" } else { "**no**" };
    println!("| {row} | {} | {} | {} | {verdict} |", cell(ours), cell(baseline), ratio(times));
}

fn lookups(bench: &mut Bench, row: &str, responder: Responder, words: &[&str], count: usize) -> Result<(), String> {
    if wants(bench, row) {
        bench.serve(responder)?;
        let lookup = Lookup { words, bare: None, cold: false, by: &[Backend::Ours] };
        add(row, &bench.beside_baseline(lookup, bench.count(count))?);
    }
    Ok(())
}

/// Each lookup waits until the responder may multicast its records again.
fn behind_firewall(bench: &mut Bench) -> Result<(), String> {
    let row = "behind a stateful firewall, dual stack, Avahi";
    if wants(bench, row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { words: &["lookup", "avahi.local"], bare: None, cold: true, by: &[Backend::Ours] };
        let count = bench.count(20);
        add(row, &bench.behind(FIREWALL, || bench.beside_baseline(lookup, count))?);
    }
    Ok(())
}

/// A cached hit, a name that is passed through, and loading.
fn direct_calls(bench: &mut Bench, baseline: &str) -> Result<(), String> {
    let own = module::path()?.to_string_lossy();
    let files = [&*own, baseline];
    bench.serve(Responder::Avahi)?;
    for (row, words, count) in [
        ("the module's own part of a cached hit", ["calls", "avahi.local", "50"], 40),
        ("pass-through call (`www.example.org`)", ["calls", "www.example.org", "1000"], 40),
        ("load: `dlopen` and six symbols", ["load", "", ""], 500),
    ] {
        if wants(bench, row) {
            let [probe, name, calls] = words;
            add(row, &in_turn(bench, bench.count(count), files, &|file| [probe, file, "mdns_minimal", name, calls])?);
        }
    }
    let row = "load: whole `getent hosts localhost`, module passed through";
    if wants(bench, row) {
        let clients = [bench.client(Backend::Ours), bench.baseline().ok_or("no baseline")?];
        add(row, &whole_getent(clients, bench.count(500))?);
    }
    Ok(())
}

/// The baseline may take less: the limit is what counts.
fn stack(bench: &mut Bench) -> Result<(), String> {
    let row = "stack of the deepest call";
    if !wants(bench, row) {
        return Ok(());
    }
    bench.serve(Responder::EveryName)?;
    let ours = deepest_call(bench.client(Backend::Ours))?;
    let baseline = deepest_call(bench.baseline().ok_or("no baseline")?)?;
    let verdict = if ours <= STACK_LIMIT { "yes" } else { "**no**" };
    let [shown, shown_baseline] = [ours, baseline].map(show_octets);
    println!("| {row} | {shown} | {shown_baseline} | {} | {verdict} |", ratio(ours / baseline));
    Ok(())
}
