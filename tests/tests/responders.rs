//! The programs people use, against real responders: Avahi and zeroconf, with both families and with IPv4
//! alone. Every address is found, with its scope, without waiting.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use tests::helpers;
use tests::lan::{Families, Host};
use tests::lookups::{expected, expected_v4, expected_v6, found, python_getaddrinfo};
use tests::responders::{avahi, avahi_v4, zeroconf, zeroconf_v4};
use tests::run::Daemon;
use tests::scenario::Scenario;

/// A LAN whose printer runs a responder and a web server.
fn scenario(start: fn(&Host, &str) -> Result<Daemon, String>) -> Result<Scenario, String> {
    let mut scenario = Scenario::with(Families::Both, |printer| start(printer, "printer"))?;
    scenario.daemons.push(helpers::http(&scenario.printer)?);
    Ok(scenario)
}

/// The addresses of the printer that its responder gives out.
fn given_out(printer: &Host, has_v6: bool) -> BTreeSet<String> {
    if has_v6 { expected(printer, "eth0") } else { expected_v4(printer) }
}

fn getent_ahosts(lan: &Scenario, has_v6: bool) {
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), given_out(&lan.printer, has_v6), "{outcome:?}");
}

fn getent_ahostsv4(lan: &Scenario, _: bool) {
    let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(found(&outcome), expected_v4(&lan.printer), "{outcome:?}");
}

/// getent asks for IPv4 addresses in IPv6's form where there are no others.
fn getent_ahostsv6(lan: &Scenario, has_v6: bool) {
    let outcome = lan.client.run(&["getent", "ahostsv6", "printer.local"]);
    let mapped = expected_v4(&lan.printer).iter().map(|address| format!("::ffff:{address}")).collect();
    let wanted = if has_v6 { expected_v6(&lan.printer, "eth0") } else { mapped };
    assert_eq!(found(&outcome), wanted, "{outcome:?}");
}

/// getent asks for IPv6 first and, only if there is none, for IPv4. There is no scope in a hostent, so a
/// link-local address is of no use there beside another.
fn getent_hosts(lan: &Scenario, has_v6: bool) {
    let outcome = lan.client.run(&["getent", "hosts", "printer.local"]);
    let v6 = lan.printer.eth0().v6.map(|address| address.to_string());
    let first = if has_v6 { v6.into_iter().collect() } else { expected_v4(&lan.printer) };
    let found = found(&outcome);
    assert!(found.is_superset(&first), "{outcome:?}");
    let link_local = lan.printer.eth0().link_local.map(|address| address.to_string());
    let others: BTreeSet<_> = found.difference(&first).cloned().collect();
    assert!(others.iter().all(|address| has_v6 && Some(address) == link_local.as_ref()), "{outcome:?}");
    assert!(outcome.stdout.lines().all(|line| line.ends_with("printer.local")), "{outcome:?}");
}

fn ping(lan: &Scenario, _: bool) {
    let outcome = lan.client.run(&["ping", "-c1", "-W2", "printer.local"]);
    assert!(outcome.success() && outcome.stdout.contains("1 received"), "{outcome:?}");
}

fn curl(lan: &Scenario, _: bool) {
    let outcome = lan.client.run(&["curl", "-sS", "--max-time", "5", "http://printer.local/"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "this is printer\n"), "{outcome:?}");
}

fn python(lan: &Scenario, has_v6: bool) {
    let outcome = python_getaddrinfo(&lan.client, "printer.local");
    let printer = lan.printer.eth0();
    let mut wanted: BTreeSet<_> = printer.v4.iter().map(|address| format!("{address} 0")).collect();
    if has_v6 {
        wanted.extend(printer.v6.map(|address| format!("{address} 0")));
        wanted.extend(printer.link_local.map(|address| format!("{address} {}", lan.client.eth0().index)));
    }
    found(&outcome);
    assert_eq!(outcome.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>(), wanted, "{outcome:?}");
}

/// One LAN for each responder, shared by its tests: a responder takes two seconds to start.
macro_rules! against {
    ($responder:ident, $start:expr, $has_v6:expr, [$($program:ident),*]) => {
        mod $responder {
            use super::*;

            fn lan() -> &'static Scenario {
                static LAN: OnceLock<Result<Scenario, String>> = OnceLock::new();
                LAN.get_or_init(|| scenario($start)).as_ref().unwrap_or_else(|why| panic!("{why}"))
            }

            $(#[test]
            fn $program() {
                super::$program(lan(), $has_v6);
            })*
        }
    };
    ($($responder:ident: $start:expr, $has_v6:expr;)*) => {
        $(against!($responder, $start, $has_v6, [
            getent_ahosts, getent_ahostsv4, getent_ahostsv6, getent_hosts, ping, curl, python
        ]);)*
    };
}

against! {
    avahi_with_both_families: avahi, true;
    avahi_with_ipv4_alone: avahi_v4, false;
    zeroconf_with_both_families: zeroconf, true;
    zeroconf_with_ipv4_alone: zeroconf_v4, false;
}
