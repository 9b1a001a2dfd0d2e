//! What the module costs its process: repeated lookups, many threads, loading it, and its own part of a call.

use super::{SETTINGS, STACK_LIMIT, first, of_glibc, show_octets, with_instant};
use crate::bench::clients::{Backend, Client, Found, peer_module};
use crate::bench::measure::{Bench, Lookup};
use crate::bench::responder::{MANY, Responder};
use crate::bench::stats::{Samples, show};
use crate::bench::table::{Row, ratio};
use crate::guest::{Kind, compile};
use crate::module;
use std::time::Duration;

/// Repeated lookups in one process, and direct calls of the module.
pub(super) fn repeated(bench: &mut Bench) -> Result<(), String> {
    again(bench)?;
    module_alone(bench)
}

/// Many threads, loading the module, and the stack that it takes.
pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    many_threads(bench)?;
    load(bench)?;
    stack(bench)
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
pub(super) fn in_turn<'a>(
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
        let clients = [bench.client(Backend::Ours), bench.client(Backend::NssMdns)];
        let [ours, theirs] = whole_getent(clients, bench.count(500))?;
        let met = ours.median() <= 1.02 * theirs.median();
        let cells = [ours, theirs, Samples::default(), Samples::default()];
        bench.add(&Row::of_times(row, "at most 1.02 times", Some(met), &cells));
    }
    Ok(())
}

/// Measures `getent hosts localhost` on two clients in turn, whose modules pass the name through.
pub(super) fn whole_getent(clients: [&Client; 2], count: usize) -> Result<[Samples; 2], String> {
    clients.iter().try_for_each(|client| client.host.use_services("mdns4_minimal files"))?;
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..count {
        for (client, samples) in clients.iter().zip(&mut samples) {
            samples.push(client.getent("localhost")?);
        }
    }
    clients.iter().try_for_each(|client| client.restore_services())?;
    Ok(samples.each_ref().map(|samples| Samples::of(samples)))
}

fn stack(bench: &mut Bench) -> Result<(), String> {
    let row = "stack of the deepest call";
    if bench.wants(row) {
        bench.serve(Responder::EveryName)?;
        let octets = deepest_call(bench.client(Backend::Ours))?;
        let cells = [show_octets(octets), String::new(), String::new(), String::new()];
        let target = format!("at most {}", show_octets(STACK_LIMIT));
        bench.add(&Row { name: row.into(), target, met: Some(octets <= STACK_LIMIT), cells });
    }
    Ok(())
}

/// How many octets of stack a call takes at most: a lookup that is answered, cached, unanswered or passed through, and
/// the lookup of an address. `tests/guests/stack.c` prints a number for each of them. It fails beyond the limit.
pub(super) fn deepest_call(client: &Client) -> Result<f64, String> {
    let program = compile("stack", Kind::Program)?;
    client.host.write(SETTINGS, "# Read by the first call.\ntimeout = 2000\n")?;
    let ended = client.run(&[&program.to_string_lossy()])?;
    client.host.write(SETTINGS, "")?;
    // The last part is the size of the smallest stack.
    let parts = ended.output.split(';').filter(|part| !part.contains("and stacks of"));
    let numbers = parts.filter_map(|part| part.split_whitespace().last()?.parse::<f64>().ok());
    numbers.reduce(f64::max).ok_or_else(|| format!("{}: {}", program.display(), ended.output))
}
