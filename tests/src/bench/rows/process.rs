//! What the module costs its process: repeated lookups, many threads, loading it, and its own part of a call.

use super::{first, of_glibc, with_instant};
use crate::bench::clients::{Backend, Found, peer_module};
use crate::bench::measure::{Bench, Lookup, MANY, Responder};
use crate::bench::stats::{Samples, show};
use crate::bench::table::{Row, ratio};
use crate::module;
use std::time::Duration;

/// Repeated lookups in one process, and direct calls of the module.
pub(super) fn repeated(bench: &mut Bench) -> Result<(), String> {
    again(bench)?;
    module_alone(bench)
}

/// Many threads, and loading the module.
pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    many_threads(bench)?;
    load(bench)
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
