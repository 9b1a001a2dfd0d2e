//! Many lookups of one name at the same time, each in a process of its own: every one of them hears what the
//! others are answered by multicast, and none takes a part for the whole.

use tests::lan::{Families, Host};
use tests::lookups::{all, found};
use tests::responders::{scripted, zeroconf};
use tests::run::Daemon;
use tests::scenario::Scenario;

const PROCESSES: usize = 4;
const LOOKUPS: usize = 30;

fn all_find_everything(start: fn(&Host) -> Result<Daemon, String>) -> Result<(), String> {
    let lan = Scenario::with(Families::Both, start)?;
    let wanted = all(&lan.printer, lan.client.eth0());
    let partial = || {
        let outcomes = (0..LOOKUPS).map(|_| lan.client.run(&["getent", "ahosts", "printer.local"]));
        outcomes.filter(|outcome| found(outcome) != wanted).count()
    };
    let partial: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(partial)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(LOOKUPS)).sum()
    });
    assert_eq!(partial, 0, "of {} lookups, so many were partial or failed", PROCESSES * LOOKUPS);
    Ok(())
}

/// zeroconf answers by multicast besides, and leaves out there what it sent within the last second.
#[test]
fn zeroconf_is_found_with_all_addresses_by_everyone() -> Result<(), String> {
    all_find_everything(|printer| zeroconf(printer, "printer"))
}

#[test]
fn responder_that_only_multicasts_is_found_by_everyone() -> Result<(), String> {
    all_find_everything(|printer| scripted(printer, "printer.local", &["--like", "zephyr"]))
}
