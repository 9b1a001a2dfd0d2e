//! The packets that a lookup sends.

use super::{MISSING, median_of, percent_of};
use crate::bench::clients::{Backend, Found};
use crate::bench::measure::Bench;
use crate::bench::responder::Responder;
use crate::bench::stats::show;
use crate::bench::table::Row;
use std::time::Duration;

/// How many answered lookups are searched for repeats.
const ANSWERED: usize = 200;

/// How many questions the groups get at the start of a lookup on an interface with both families.
const FIRST_QUESTIONS: f64 = 3.0;

/// The lookup of a row.
struct Case {
    what: &'static str,
    responder: Responder,
    /// The name, if it is not that of the responder.
    name: Option<&'static str>,
    by: &'static [Backend],
    /// Another program on the client is a member of the groups.
    has_member: bool,
    /// One question for each family and transport is enough.
    is_answered_at_once: bool,
}

const fn case(what: &'static str, responder: Responder) -> Case {
    Case { what, responder, name: None, by: &Backend::ALL, has_member: false, is_answered_at_once: true }
}

const OURS: &[Backend] = &[Backend::Ours];

const CASES: [Case; 6] = [
    case("dual stack, Avahi", Responder::Avahi),
    Case { by: OURS, has_member: true, ..case("dual stack, Avahi, another member of the groups", Responder::Avahi) },
    Case { by: OURS, ..case("dual stack, systemd-resolved", Responder::Resolved) },
    Case { by: OURS, ..case("dual stack, zeroconf", Responder::Zeroconf) },
    Case { by: OURS, is_answered_at_once: false, ..case("IPv4 alone, Avahi (no NSEC)", Responder::AvahiV4) },
    Case { name: Some(MISSING), is_answered_at_once: false, ..case("missing name", Responder::Avahi) },
];

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for case in &CASES {
        let row = format!("packets sent for one lookup, {}", case.what);
        if bench.wants(&row) {
            add_packets(bench, row, case)?;
        }
    }
    for responder in [Responder::Avahi, Responder::Resolved, Responder::Zeroconf] {
        let row = format!("repeats to the groups on a healthy link, dual stack, {}", responder.label());
        if bench.wants(&row) {
            add_repeats(bench, row, responder)?;
        }
    }
    Ok(())
}

fn add_packets(bench: &mut Bench, name: String, case: &Case) -> Result<(), String> {
    bench.serve(case.responder)?;
    let mut members = Vec::new();
    if case.has_member {
        members.push(bench.client(Backend::Ours).probe_daemon("member")?);
        std::thread::sleep(Duration::from_secs(2));
    }
    let words = ["packets", case.name.unwrap_or(case.responder.name()), "2000"];
    let found = bench.repeat(&words, 3, case.by, Duration::from_secs(60))?;
    let cell = |found: &Vec<Found>| {
        let [group, at_once, span, direct, reports] = [0, 1, 2, 3, 4].map(|which| median_of(found, which));
        let late = if group > at_once { format!(", {at_once:.0} of them at once") } else { String::new() };
        format!("{group:.0} to the groups within {}{late}; {direct:.0} direct; {reports:.0} IGMP/MLD", show(span))
    };
    let [group, at_once] = [0, 1].map(|which| median_of(&found[0], which));
    let met = at_once <= FIRST_QUESTIONS && (group <= at_once || !case.is_answered_at_once);
    let target = if case.is_answered_at_once { "at most 3 to the groups, at once" } else { "at most 3 at once" };
    let [ours, mdns, resolve] =
        found.each_ref().map(|found| if found.is_empty() { String::new() } else { cell(found) });
    let cells = [ours, mdns, resolve, String::new()];
    bench.add(&Row { name, target: target.into(), met: Some(met), cells });
    Ok(())
}

/// Searches answered lookups for questions to the groups after the first ones.
fn add_repeats(bench: &mut Bench, name: String, responder: Responder) -> Result<(), String> {
    bench.serve(responder)?;
    std::thread::sleep(bench.pause());
    let client = bench.client(Backend::Ours);
    let look_up = |_| client.probe(&["packets", responder.name(), "0"]);
    let found = (0..bench.count(ANSWERED)).map(look_up).collect::<Result<Vec<_>, String>>()?;
    let group = |found: &Found| found.numbers.first().copied().unwrap_or(f64::NAN);
    let direct = percent_of(&found, |found| found.numbers.get(3).is_some_and(|direct| *direct > 0.0));
    let repeated = found.iter().filter(|found| group(found) > FIRST_QUESTIONS).count();
    let unanswered = found.iter().filter(|found| found.addresses.is_empty()).count();
    let cell = format!(
        "in {repeated} of {} lookups, {unanswered} of them unanswered; direct questions in {direct:.0} %",
        found.len()
    );
    let cells = [cell, String::new(), String::new(), String::new()];
    bench.add(&Row { name, target: "none".into(), met: Some(repeated == 0 && unanswered == 0), cells });
    Ok(())
}
