//! Behaviour of real responders that a querier has to cope with, in the shapes of the scripted responder that
//! `shapes.rs` compares with their packets. Each test looks a name up many times, because most of these cases depend on
//! which packet arrives first.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::lan::{Families, Host};
use tests::lookups::{addresses, all, v4, v6};
use tests::loss::{Packets, lose};
use tests::responders::{old_zeroconf, scripted_with};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_scripted};

type Tested = Result<(), String>;

/// The number of lookups of each kind.
const LOOKUPS: usize = 12;

/// What a fresh process finds. For a single family, glibc requests a hostent, which has no room for a scope id, so the
/// module omits link-local addresses if there are others.
fn look_up(client: &Host, database: &str) -> (BTreeSet<String>, Outcome) {
    let outcome = client.run(&["getent", database, "printer.local"]);
    // ahostsv6 prints IPv4-mapped addresses if there are no IPv6 addresses.
    let found = addresses(&outcome).into_iter().filter(|address| !address.starts_with("::ffff:"));
    (found.collect(), outcome)
}

/// Checks that every one of [`LOOKUPS`] lookups finds these addresses, and that nearly all do so within this time. Some
/// may take longer because the machine is busy.
#[track_caller]
fn assert_always_found(client: &Host, database: &str, expected: &BTreeSet<String>, within_ms: u64) {
    let outcomes: Vec<_> = (0..LOOKUPS).map(|_| look_up(client, database)).collect();
    let wrong: Vec<_> = outcomes.iter().filter(|(found, _)| found != expected).collect();
    assert!(wrong.is_empty(), "{} of {LOOKUPS} lookups, {database}: {wrong:#?}", wrong.len());
    let times: Vec<_> = outcomes.iter().map(|(_, outcome)| outcome.elapsed).collect();
    let late = times.iter().filter(|elapsed| **elapsed > Duration::from_millis(within_ms)).count();
    assert!(late <= LOOKUPS / 4, "{late} of {LOOKUPS} lookups, {database}, take more than {within_ms} ms: {times:?}");
}

/// A LAN with both families. IPv6 is disabled on the printer, but not on the client.
fn printer_without_ipv6(options: &[&str]) -> Result<Scenario, String> {
    Scenario::with(Families::Both, |printer| {
        printer.script("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")?;
        let v4 = printer.eth0().v4.ok_or("no IPv4")?.to_string();
        scripted_with(printer, &[&["--name", "printer.local", "--a", &v4], options].concat())
    })
}

fn everything(lan: &Scenario) -> BTreeSet<String> {
    all(&lan.printer, lan.client.eth0())
}

/// It answers queries from port 5353 by unicast too. The id of a response is 0, unless the query has the
/// unicast-response bit.
#[test]
fn hashicorp_which_only_sends_unicast_and_rarely_the_id_is_found() -> Tested {
    let lan = with_scripted("printer.local", &["--like", "hashicorp"])?;
    assert_always_found(&lan.client, "ahosts", &everything(&lan), 200);
    assert_always_found(&lan.client, "ahostsv4", &v4(&lan.printer), 200);
    assert_always_found(&lan.client, "ahostsv6", &v6(&lan.printer), 200);
    Ok(())
}

#[test]
fn hashicorp_is_found_when_its_first_responses_are_lost() -> Tested {
    for lost in ["1", "2", "3"] {
        // It ignores the first queries that it ever receives, so each lookup needs a new responder.
        let lan = with_scripted("printer.local", &["--like", "hashicorp", "--ignore-first", lost])?;
        let (found, outcome) = look_up(&lan.client, "ahosts");
        assert_eq!(found, everything(&lan), "{lost} lost: {outcome:?}");
        assert!(outcome.elapsed < Duration::from_millis(1500), "{lost} lost: {outcome:?}");
    }
    Ok(())
}

#[test]
fn zeroconf_0_24_which_ignores_ephemeral_ports_is_found_with_the_first_repeat() -> Tested {
    let lan = with_scripted("printer.local", &["--like", "zeroconf-0.24"])?;
    assert_always_found(&lan.client, "ahosts", &everything(&lan), 200);
    assert_always_found(&lan.client, "ahostsv4", &v4(&lan.printer), 200);
    let lan = with_scripted("printer.local", &["--like", "zeroconf-0.24", "--ignore-first", "1"])?;
    let (found, outcome) = look_up(&lan.client, "ahosts");
    assert_eq!(found, everything(&lan), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(1500), "{outcome:?}");
    Ok(())
}

/// Twenty lookups at a loss of 20 % in each direction. Without repeated queries that request a unicast response, a third
/// of the lookups of hashicorp lack a family.
#[test]
fn few_lookups_of_these_are_incomplete_if_packets_are_lost() -> Tested {
    for shape in ["hashicorp", "zeroconf-0.24"] {
        let lan = with_scripted("printer.local", &["--like", shape])?;
        lose(&lan.network, &lan.client, 20, Packets::Udp)?;
        let outcomes: Vec<_> = (0..20).map(|_| look_up(&lan.client, "ahosts")).collect();
        let incomplete: Vec<_> = outcomes.iter().filter(|(found, _)| *found != everything(&lan)).collect();
        assert!(incomplete.len() <= 3, "{shape}: {} of 20: {incomplete:#?}", incomplete.len());
    }
    Ok(())
}

#[test]
fn the_real_zeroconf_0_24_is_found_with_the_first_repeat() -> Tested {
    let lan = Scenario::with(Families::Both, |printer| old_zeroconf(printer, "0.24.4"))?;
    std::thread::sleep(Duration::from_secs(2));
    let (found, outcome) = look_up(&lan.client, "ahosts");
    assert_eq!(found, everything(&lan), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(200), "{outcome:?}");
    Ok(())
}

/// The response to each question has all addresses, 25 to 200 ms later.
#[test]
fn esp_idf_with_both_families_is_found_with_its_first_response() -> Tested {
    let lan = with_scripted("printer.local", &["--like", "esp-idf"])?;
    assert_always_found(&lan.client, "ahosts", &everything(&lan), 260);
    Ok(())
}

/// An NSEC record with the type that the name lacks, in place of those that it has.
#[test]
fn a_denial_of_the_wrong_type_hides_no_address() -> Tested {
    let options = ["--unicast", "requested", "--id", "zero", "--no-question", "--negative", "inverted"];
    let options = [&options[..], &["--delay", "20-120"]].concat();
    let lan = printer_without_ipv6(&options)?;
    assert_always_found(&lan.client, "ahosts", &v4(&lan.printer), 700);
    assert_always_found(&lan.client, "ahostsv4", &v4(&lan.printer), 700);
    Ok(())
}

/// Its unicast response to a question for AAAA has the link-local address only. The multicast response with all
/// addresses comes up to 5 ms later.
#[test]
fn all_addresses_of_mdnsd_1_0_are_found() -> Tested {
    let lan = with_scripted("printer.local", &["--like", "mdnsd-1.0"])?;
    assert_always_found(&lan.client, "ahosts", &everything(&lan), 300);
    assert_always_found(&lan.client, "ahostsv6", &v6(&lan.printer), 300);
    Ok(())
}

#[test]
fn mdnsd_1_0_without_ipv6_is_found() -> Tested {
    let lan = printer_without_ipv6(&["--like", "mdnsd-1.0"])?;
    assert_always_found(&lan.client, "ahosts", &v4(&lan.printer), 400);
    Ok(())
}

/// It sends an NSEC record that contains A alone, even beside an AAAA record. The response with that comes a millisecond
/// after the one with A.
#[test]
fn a_denial_that_its_sender_contradicts_hides_no_address() -> Tested {
    let lan = with_scripted("printer.local", &["--like", "tinysvcmdns", "--delay-aaaa", "1"])?;
    assert_always_found(&lan.client, "ahostsv6", &v6(&lan.printer), 300);
    assert_always_found(&lan.client, "ahosts", &(&v4(&lan.printer) | &v6(&lan.printer)), 300);
    assert_always_found(&lan.client, "ahostsv4", &v4(&lan.printer), 300);
    Ok(())
}

/// A host without IPv6 answers the question for AAAA with its IPv4 address, which shows that it has no other. Its two
/// responses are up to 100 ms apart, and the later one is sent at most 200 ms after the query.
#[test]
fn esp_idf_without_ipv6_is_found_with_its_second_response() -> Tested {
    let lan = printer_without_ipv6(&["--like", "esp-idf"])?;
    assert_always_found(&lan.client, "ahosts", &v4(&lan.printer), 260);
    // With a constant delay, both responses arrive at the same time, and nothing is left to wait for.
    let lan = printer_without_ipv6(&["--like", "esp-idf", "--delay", "40"])?;
    assert_always_found(&lan.client, "ahosts", &v4(&lan.printer), 90);
    Ok(())
}
