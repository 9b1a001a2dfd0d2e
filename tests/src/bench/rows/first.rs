//! First lookups of a process, one family and both, missing names, and lookups without a DNS server.

use super::firewalls::FIREWALL;
use super::{MISSING, at_most, first, median_of, of_glibc, with_instant, within};
use crate::bench::clients::{Backend, Found};
use crate::bench::measure::{Bench, Change, Lookup};
use crate::bench::pairs::{Medium, Pairs};
use crate::bench::responder::Responder;
use crate::bench::stats::{Samples, show};
use crate::bench::table::Row;
use crate::lan::Families;
use crate::module;

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    let dual = first_lookups(bench)?;
    single_family(bench, &dual)?;
    silent_about_v6(bench)?;
    without_v6(bench)?;
    missing(bench)
}

/// The results with which later rows are compared. None if the row was not selected.
struct Dual {
    zeroconf: Option<Samples>,
}

fn first_lookups(bench: &mut Bench) -> Result<Dual, String> {
    let mut dual = Dual { zeroconf: None };
    for (responder, name, questions, serving) in [
        ("Avahi", "avahi.local", "both", Responder::Avahi),
        ("zeroconf", "zeroconf.local", "both", Responder::Zeroconf),
        ("systemd-resolved", "resolved.local", "each", Responder::Resolved),
    ] {
        let row = format!("first lookup, dual stack, {responder}");
        if bench.wants(&row) {
            bench.serve(serving)?;
            let cells = bench.measure(first(&["lookup", name], Some(&["bare", name, questions])), bench.count(20))?;
            let [ours, _, resolve, _] = &cells;
            let met = ours.median() <= resolve.median();
            bench.add(&Row::of_times(&row, "at most nss-resolve's, all addresses", Some(met), &cells));
            if responder == "zeroconf" {
                dual.zeroconf = Some(ours.clone());
            }
            bench.bars.push((format!("Dual-stack host ({responder})"), cells));
        }
        let row = format!("the querier's own part, {responder}");
        if bench.wants(&row) {
            bench.serve(serving)?;
            let cells = own_part(bench, name, questions)?;
            let [ours, _, _, bare] = &cells;
            let met = ours.median() <= 1.5 * bare.median();
            bench.add(&Row::of_times(&row, "at most 1.5 times the bare query", Some(met), &cells));
        }
    }
    let row = "the same, daemons have it cached, Avahi";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { cold: false, ..first(&["lookup", "avahi.local"], None) };
        let cells = bench.measure(lookup, bench.count(40))?;
        bench.add(&Row::of_times(row, "", None, &cells));
    }
    Ok(dual)
}

fn own_part(bench: &Bench, name: &str, questions: &str) -> Result<[Samples; 4], String> {
    let file = module::file_name("mdns_minimal");
    let wire = ["wire", &file, "mdns_minimal", name];
    let bare = ["bare-wire", name, questions];
    let lookup = Lookup { words: &wire, bare: Some(&bare), cold: false, by: &[Backend::Ours] };
    bench.measure(lookup, bench.count(100))
}

/// Hosts with IPv4 alone that do not say that they have no IPv6 address.
fn silent_about_v6(bench: &mut Bench) -> Result<(), String> {
    let name = Responder::SilentV4.name();
    for (row, words, limit) in [
        ("first lookup, IPv4 alone, silent on ANY and AAAA", &["lookup", name][..], 25e6),
        ("the same, AF_INET6", &["lookup", name, "v6"], 100e6),
    ] {
        if bench.wants(row) {
            bench.serve(Responder::SilentV4)?;
            let bare = ["bare", name, "v4"];
            let lookup = Lookup { by: &[Backend::Ours], ..first(words, Some(&bare)) };
            let cells = bench.measure(lookup, bench.count(20))?;
            bench.add(&at_most(row, limit, &cells));
        }
    }
    Ok(())
}

/// On a link without IPv6, the responder's answer decides alone.
fn without_v6(bench: &Bench) -> Result<(), String> {
    let row = "`getent hosts`, link without IPv6, Avahi, whole process";
    if bench.wants(row) {
        let pairs = Pairs::new(1, Responder::AvahiV4, Medium::Cable(Families::V4))?;
        let samples = pairs.side_by_side(bench.count(40), |pair| {
            std::thread::sleep(pair.responder.pause());
            pair.client.getent(pair.responder.name())
        })?;
        bench.add(&within(row, 5e6, &Samples::of(&samples), pairs.addresses()));
    }
    Ok(())
}

fn single_family(bench: &mut Bench, dual: &Dual) -> Result<(), String> {
    let row = "first lookup, IPv4 alone, zeroconf (NSEC)";
    if bench.wants(row) {
        bench.serve(Responder::ZeroconfV4)?;
        let words = ["bare", "zeroconf4.local", "v4"];
        let cells = bench.measure(first(&["lookup", "zeroconf4.local"], Some(&words)), bench.count(20))?;
        let met = dual.zeroconf.as_ref().map(|dual| cells[0].median() <= 1.5 * dual.median());
        bench.add(&Row::of_times(row, "at most 1.5 times the dual-stack figure", met, &cells));
        bench.bars.push(("IPv4-only host (zeroconf)".into(), cells));
    }
    let row = "first lookup, IPv4 alone, Avahi (no NSEC)";
    if bench.wants(row) {
        bench.serve(Responder::AvahiV4)?;
        let words = ["bare", "avahi4.local", "v4"];
        let cells = bench.measure(first(&["lookup", "avahi4.local"], Some(&words)), bench.count(20))?;
        bench.add(&at_most(row, 25e6, &cells));
        bench.bars.push(("IPv4-only host (Avahi)".into(), cells));
    }
    let row = "`getent hosts`, IPv4 alone, Avahi, whole process";
    if bench.wants(row) {
        bench.serve(Responder::AvahiV4)?;
        let cells = bench.measure(first(&["getent", "avahi4.local"], None), bench.count(20))?;
        bench.add(&at_most(row, 30e6, &cells));
        bench.bars.push(("getent hosts, IPv4-only (Avahi)".into(), cells));
    }
    Ok(())
}

fn missing(bench: &mut Bench) -> Result<(), String> {
    let row = "missing name";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { cold: false, ..first(&["lookup", MISSING], None) };
        let cells = bench.measure(lookup, bench.count(20))?;
        let met = (2.0e9..=2.1e9).contains(&cells[0].median());
        bench.add(&Row::of_times(row, "2.0–2.1 s", Some(met), &cells));
        bench.bars.push(("A name that nobody has".into(), cells));
    }
    let row = "missing name, again in the process";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { cold: false, ..first(&["twice", MISSING], None) };
        let cells = bench.measure(lookup, bench.count(20))?;
        let cells = with_instant(bench, cells, lookup.words)?;
        let mut row = of_glibc(at_most(row, 50e3, &cells), &cells);
        row.cells[0] += &third_lookup(bench)?;
        bench.add(&row);
    }
    Ok(())
}

/// A third lookup: the second one runs with cold processor caches, because the first one slept for two seconds.
fn third_lookup(bench: &Bench) -> Result<String, String> {
    let file = module::file_name("mdns_minimal");
    let found: Vec<Found> = (0..bench.count(5))
        .map(|number| {
            let name = MISSING.replace('#', &format!("warm{number}"));
            bench.client(Backend::Ours).probe(&["thrice", &file, "mdns_minimal", &name])
        })
        .collect::<Result<_, _>>()?;
    let [third, own] = [0, 1].map(|which| median_of(&found, which));
    Ok(format!("; a third call {}, the module's own part of it {}", show(third), show(own)))
}

/// The lookups of earlier rows without a DNS server; those of the peers where that affects them.
pub(super) fn unreachable_dns(bench: &mut Bench) -> Result<(), String> {
    fn of<'a>(words: &'a [&'a str], by: &'a [Backend]) -> Lookup<'a> {
        Lookup { words, bare: None, cold: true, by }
    }
    let peers = &Backend::ALL[1..];
    let rows = [
        ("dual stack, Avahi", Responder::Avahi, of(&["lookup", "avahi.local"], peers)),
        ("dual stack, zeroconf", Responder::Zeroconf, of(&["lookup", "zeroconf.local"], &[])),
        ("dual stack, systemd-resolved", Responder::Resolved, of(&["lookup", "resolved.local"], &[])),
        ("IPv4 alone, zeroconf", Responder::ZeroconfV4, of(&["lookup", "zeroconf4.local"], &[])),
        ("IPv4 alone, Avahi", Responder::AvahiV4, of(&["lookup", "avahi4.local"], &[])),
        ("`getent hosts`, IPv4 alone, Avahi", Responder::AvahiV4, of(&["getent", "avahi4.local"], peers)),
        ("missing name", Responder::Avahi, Lookup { cold: false, ..of(&["lookup", MISSING], &[]) }),
    ];
    for (what, serving, lookup) in rows {
        let row = format!("DNS server unreachable: {what}");
        if !bench.wants(&row) {
            continue;
        }
        bench.serve(serving)?;
        let count = bench.count(20);
        let [reachable, unreachable] = bench.compare_change(lookup, count, Change::WithoutDns)?;
        let mut cells = bench.without_dns(|| bench.measure(lookup, count))?;
        // 10 % is noise.
        let met = unreachable.median() <= 1.1 * reachable.median();
        let target = format!("unchanged ({} in turn with this)", show(reachable.median()));
        cells[0] = unreachable;
        bench.add(&Row::of_times(&row, &target, Some(met), &cells));
    }
    let row = "DNS server unreachable: behind a stateful firewall, dual stack, Avahi";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { words: &["lookup", "avahi.local"], bare: None, cold: false, by: &[Backend::Ours] };
        let count = bench.count(20);
        let [reachable, unreachable] =
            bench.behind(FIREWALL, || bench.compare_change(lookup, count, Change::WithoutDns))?;
        let met = unreachable.median() <= 1.1 * reachable.median();
        let target = format!("unchanged ({} in turn with this)", show(reachable.median()));
        let cells = [unreachable, Samples::default(), Samples::default(), Samples::default()];
        bench.add(&Row::of_times(row, &target, Some(met), &cells));
    }
    Ok(())
}
