//! The rows of the table: what is measured, and the targets.

use super::clients::{Backend, Found, peer_module};
use super::measure::{Bench, Change, Lookup, MANY, Responder};
use super::stats::{Samples, show};
use super::table::{Row, ratio};
use crate::module;
use std::time::Duration;

/// The notes under the table.
pub(super) const NOTES: &str = "\
Medians over separate processes (10th to 90th percentile), and in brackets the number of addresses found. × is the \
time of this module divided by that of the column. Unless the row says otherwise, the caches of the peers' daemons \
were empty: before every lookup avahi-daemon was restarted and the cache of systemd-resolved was flushed. These \
lookups are 1.3 s apart (zeroconf: 2.3 s), because responders do not multicast a record twice within a second. All \
programs share the processors, so only the responder of the row runs, and while one client is measured, the daemons of \
the others do not receive its queries.

- *First lookup*: the time of the first `getaddrinfo(AF_UNSPEC)` of a process, including the loading of the module. \
The bare query is one packet for A and one for AAAA from sockets that are already open, until both replies have \
arrived.
- *The querier's own part*: from the kernel's time stamp of the first query, on a packet socket of the client, to the \
return of `gethostbyname4_r`, which is called directly. This includes closing the sockets, but not opening them. The \
bare query is measured in the same way.
- *Again*: the median of many calls in one process, which the peers answer from the caches of their daemons. *Glibc \
itself*: the same calls with a module that returns a fixed answer at once (`tests/guests/instant.c`). In every call \
glibc checks its configuration files, reads `/etc/hosts`, and opens a socket for each address to sort the addresses. \
No module can be faster.
- *64 threads, 64 bare queries*: each thread opens two sockets, sends the three packets of the module and waits for \
two replies. The threads, the responder and the kernel need this time and that of glibc itself with any module.
- *No network system call*, *no system call*: one more call under a seccomp filter that kills the process at any such \
call.
- Lookups that take longer than 0.7 s ran concurrently, started 50 ms apart. All others ran one after the other, in \
turn.";

const MISSING: &str = "nobody-#.local";

/// Measures the selected rows and prints each when it is done.
pub(super) fn all(bench: &mut Bench) -> Result<(), String> {
    let dual = first_lookups(bench)?;
    single_family(bench, &dual)?;
    missing(bench)?;
    firewall(bench)?;
    unreachable_dns(bench)?;
    again(bench)?;
    module_alone(bench)?;
    loss(bench)?;
    packets(bench)?;
    many_threads(bench)?;
    load(bench)
}

fn first<'a>(words: &'a [&'a str], bare: Option<&'a [&'a str]>) -> Lookup<'a> {
    Lookup { words, bare, cold: true, by: &Backend::ALL }
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

fn at_most(row: &str, limit: f64, cells: &[Samples; 4]) -> Row {
    let met = cells[0].median() <= limit;
    Row::of_times(row, &format!("at most {}", show(limit).replace(".00", "").replace(".0", "")), Some(met), cells)
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

/// The median of one of the numbers that a probe prints.
fn median_of(found: &[Found], which: usize) -> f64 {
    let of_one = |found: &Found| found.numbers.get(which).copied().unwrap_or(f64::NAN);
    Samples::of_values(found.iter().map(of_one)).median()
}

/// A stateful firewall as distributions configure it: replies and multicast DNS are accepted, everything else is
/// dropped.
const FIREWALL: &str = "table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        ip daddr 224.0.0.251 udp dport 5353 accept
        ip6 daddr ff02::fb udp dport 5353 accept
    }
}";

fn firewall(bench: &mut Bench) -> Result<(), String> {
    for (responder, name, serving) in [
        ("Avahi", "avahi.local", Responder::Avahi),
        ("zeroconf", "zeroconf.local", Responder::Zeroconf),
        ("systemd-resolved", "resolved.local", Responder::Resolved),
    ] {
        let row = format!("behind a stateful firewall, dual stack, {responder}");
        if bench.wants(&row) {
            bench.serve(serving)?;
            let count = bench.count(20);
            // The firewall does not affect the peers' daemons, which use port 5353: they are measured with one
            // responder.
            let by = if responder == "Avahi" { &Backend::ALL[..] } else { &Backend::ALL[..1] };
            let lookup = Lookup { words: &["lookup", name], bare: None, cold: true, by };
            let cells = bench.behind(FIREWALL, || bench.measure(lookup, count))?;
            bench.add(&at_most(&row, 300e6, &cells));
            if responder == "Avahi" {
                bench.bars.push(("Behind a stateful firewall (Avahi)".into(), cells));
            }
        }
    }
    Ok(())
}

/// The lookups of earlier rows without a DNS server; those of the peers where that affects them.
fn unreachable_dns(bench: &mut Bench) -> Result<(), String> {
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

fn again(bench: &mut Bench) -> Result<(), String> {
    let row = "again in one process, dual stack, Avahi";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let lookup = Lookup { cold: false, ..first(&["again", "avahi.local", "300"], None) };
        let cells = bench.measure(lookup, bench.count(20))?;
        let cells = with_instant(bench, cells, lookup.words)?;
        let limit = cells[1].median().min(cells[2].median()) / 5.0;
        let met = cells[0].median() <= limit;
        let target = format!("at most 1/5 of the faster peer: {}", show(limit));
        bench.add(&of_glibc(Row::of_times(row, &target, Some(met), &cells), &cells));
        bench.bars.push(("Again in the same process".into(), cells));
    }
    Ok(())
}

/// Measures the lookup in turn with a module that returns a fixed answer at once. That is the lower bound for any
/// module, and goes into the column of the bare query.
fn with_instant(bench: &Bench, cells: [Samples; 4], words: &[&str]) -> Result<[Samples; 4], String> {
    let lookup = Lookup { words, bare: None, cold: false, by: &[Backend::Ours] };
    let [ours, instant] = bench.compare_change(lookup, bench.count(20), Change::InstantModule)?;
    let [_, mdns, resolve, _] = cells;
    Ok([ours, mdns, resolve, instant])
}

/// Labels the column of the bare query as glibc's own time, and adds what the module takes beyond it.
fn of_glibc(mut row: Row, cells: &[Samples; 4]) -> Row {
    let [ours, .., instant] = cells;
    row.cells[3] = format!("glibc itself: {}", row.cells[3]);
    let own = ours.median() - instant.median();
    row.cells[0] +=
        &if own > 0.0 { format!("; {} more than glibc itself", show(own)) } else { "; as glibc itself".into() };
    row
}

/// Direct calls of the module, without glibc.
fn module_alone(bench: &mut Bench) -> Result<(), String> {
    let (file, service) = (module::file_name("mdns_minimal"), "mdns_minimal");
    let row = "the module's own part of a cached hit";
    if bench.wants(row) {
        bench.serve(Responder::Avahi)?;
        let words = ["calls", &file, service, "avahi.local", "50"];
        let cells =
            bench.measure(Lookup { words: &words, bare: None, cold: false, by: &[Backend::Ours] }, bench.count(20))?;
        let silent = is_confined(bench, &["confined", &file, service, "avahi.local", "no-network"]);
        let met = cells[0].median() <= 2e3 && silent;
        let target = "at most 2 µs, no network system call";
        bench.add(&with_remark(Row::of_times(row, target, Some(met), &cells), silent, "network system call"));
    }
    let row = "pass-through call (`www.example.org`)";
    if bench.wants(row) {
        let peer = peer_module("mdns4_minimal")?.to_string_lossy().into_owned();
        let own = module::path()?.to_string_lossy();
        let count = bench.count(20);
        let [ours, theirs] =
            in_turn(bench, count, [&own, &peer], &|file| ["calls", file, "mdns4_minimal", "www.example.org", "1000"])?;
        let silent = is_confined(bench, &["confined", &file, service, "www.example.org", "nothing"]);
        let met = ours.median() <= 10.0 && silent;
        let cells = [ours, theirs, Samples::default(), Samples::default()];
        let target = "at most 10 ns, no system call, no allocation";
        bench.add(&with_remark(Row::of_times(row, target, Some(met), &cells), silent, "system call"));
    }
    Ok(())
}

fn is_confined(bench: &Bench, words: &[&str]) -> bool {
    bench.client(Backend::Ours).probe(words).is_ok_and(|found| found.numbers == [1.0])
}

fn with_remark(mut row: Row, silent: bool, what: &str) -> Row {
    row.cells[0] += &if silent { format!(", no {what}") } else { format!(", **makes a {what}**") };
    row
}

/// Probes two module files in turn, in separate processes of the same host.
fn in_turn<'a>(
    bench: &Bench,
    count: usize,
    files: [&'a str; 2],
    words: &dyn Fn(&'a str) -> [&'a str; 5],
) -> Result<[Samples; 2], String> {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..count {
        for (samples, file) in samples.iter_mut().zip(files) {
            let words = words(file);
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            samples.push(bench.client(Backend::Ours).probe(&words)?.sample());
        }
    }
    Ok(samples.each_ref().map(|samples| Samples::of(samples)))
}

fn loss(bench: &mut Bench) -> Result<(), String> {
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

fn packets(bench: &mut Bench) -> Result<(), String> {
    for (row, has_member) in [
        ("packets sent for one answered lookup, Avahi", false),
        ("the same, another member of the groups on the host", true),
    ] {
        if !bench.wants(row) {
            continue;
        }
        bench.serve(Responder::Avahi)?;
        let mut members = Vec::new();
        if has_member {
            members.push(bench.client(Backend::Ours).probe_daemon("member")?);
            std::thread::sleep(Duration::from_secs(2));
        }
        let by = if has_member { &Backend::ALL[..1] } else { &Backend::ALL };
        let found = bench.repeat(&["packets", "avahi.local"], 3, by, Duration::from_secs(60))?;
        let show_cell = |found: &Vec<Found>| {
            let [queries, reports, span] = [0, 1, 2].map(|which| median_of(found, which));
            format!("{queries:.0} mDNS within {}, {reports:.0} IGMP/MLD", show(span))
        };
        let met = median_of(&found[0], 0) <= 3.0 && median_of(&found[0], 2) < 5e6;
        let [ours, mdns, resolve] = found.each_ref().map(show_cell);
        let peers = |cell| if has_member { String::new() } else { cell };
        let cells = [ours, peers(mdns), peers(resolve), String::new()];
        bench.add(&Row { name: row.into(), target: "at most 3, at once".into(), met: Some(met), cells });
    }
    Ok(())
}

fn many_threads(bench: &mut Bench) -> Result<(), String> {
    /// The scripted responder answers every query, however soon it follows the last one.
    const PAUSE: Duration = Duration::from_millis(200);
    let row = "64 threads, 64 names, one process";
    if !bench.wants(row) {
        return Ok(());
    }
    bench.serve(Responder::Many)?;
    let ours = bench.client(Backend::Ours);
    let mut all: [Vec<Found>; 3] = Default::default();
    let (mut single, mut bare, mut glibc) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.count(20) {
        for (backend, found) in Backend::ALL.into_iter().zip(&mut all) {
            bench.client(backend).clear_cache(PAUSE)?;
            found.push(bench.alone(backend, || bench.client(backend).probe(&["threads", MANY, "64"]))?);
        }
        bench.alone(Backend::Ours, || {
            single.push(ours.probe(&["threads", MANY, "1"])?.sample());
            bare.push(ours.probe(&["threads-bare", MANY, "64"])?.sample());
            glibc.push(bench.with_instant_module(|| ours.probe(&["threads", MANY, "64"]))?.sample());
            Ok(())
        })?;
    }
    let [single, bare, glibc] = [single, bare, glibc].map(|samples| Samples::of(&samples));
    let answered = |found: &[Found]| {
        let of_one = |found: &Found| found.numbers.get(1).copied().unwrap_or(0.0);
        found.iter().map(of_one).fold(f64::INFINITY, f64::min)
    };
    let cells = all.each_ref().map(|found| {
        let times = Samples::of_values(found.iter().map(|found| found.sample().nanoseconds));
        (times, answered(found))
    });
    let (times, least) = &cells[0];
    let times_single = |samples: &Samples| ratio(samples.median() / single.median());
    let met = times.median() <= 5.0 * single.median() && *least >= 64.0;
    let one_alone = format!("; one alone: {}; {}", single.show(), times_single(times));
    let limits = [("64 bare queries", &bare), ("glibc itself", &glibc)]
        .map(|(what, samples)| format!("{what}: {}; {} of one lookup", samples.show(), times_single(samples)));
    let [mut first, second, third] = cells.map(|(times, answered)| format!("{}, {answered:.0} answered", times.show()));
    first += &one_alone;
    let target = "all answered, at most 5 times one lookup".into();
    bench.add(&Row { name: row.into(), target, met: Some(met), cells: [first, second, third, limits.join("; ")] });
    Ok(())
}

fn load(bench: &mut Bench) -> Result<(), String> {
    let peer = peer_module("mdns4_minimal")?.to_string_lossy().into_owned();
    let own = module::path()?.to_string_lossy();
    let row = "load: `dlopen` and six symbols";
    if bench.wants(row) {
        let words = |file| ["load", file, "mdns4_minimal", "", ""];
        let [ours, theirs] = in_turn(bench, bench.count(500), [&own, &peer], &words)?;
        let met = ours.median() <= 1.05 * theirs.median();
        let cells = [ours, theirs, Samples::default(), Samples::default()];
        bench.add(&Row::of_times(row, "at most 1.05 times", Some(met), &cells));
    }
    let row = "load: whole `getent hosts localhost`, module passed through";
    if bench.wants(row) {
        let with_us = [bench.client(Backend::Ours), bench.client(Backend::NssMdns)];
        with_us.iter().try_for_each(|client| client.host.use_services("mdns4_minimal files"))?;
        let mut samples = [Vec::new(), Vec::new()];
        for _ in 0..bench.count(500) {
            for (client, samples) in with_us.iter().zip(&mut samples) {
                samples.push(client.getent("localhost")?);
            }
        }
        let [ours, theirs] = samples.each_ref().map(|samples| Samples::of(samples));
        let met = ours.median() <= 1.02 * theirs.median();
        let cells = [ours, theirs, Samples::default(), Samples::default()];
        bench.add(&Row::of_times(row, "at most 1.02 times", Some(met), &cells));
        with_us.iter().try_for_each(|client| client.restore_services())?;
    }
    Ok(())
}
