//! Many lookups of one name at the same time, each in its own process. Each receives the multicast responses to the
//! others, and must not mistake a partial response for the complete answer.

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
    assert_eq!(partial, 0, "number of lookups that failed or had a partial answer, of {}", PROCESSES * LOOKUPS);
    Ok(())
}

/// zeroconf also responds by multicast, where it omits records that it has sent within the last second.
#[test]
fn every_process_finds_all_addresses_of_zeroconf() -> Result<(), String> {
    all_find_everything(|printer| zeroconf(printer, "printer"))
}

#[test]
fn every_process_finds_all_addresses_of_a_multicast_only_responder() -> Result<(), String> {
    all_find_everything(|printer| scripted(printer, "printer.local", &["--unicast", "never"]))
}
