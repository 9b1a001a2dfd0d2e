//! Common programs with real responders: Avahi and zeroconf, with both families and with IPv4 only. Every address is
//! found, with its scope, before the timeout.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use tests::helpers;
use tests::lan::{Families, Host};
use tests::lookups::{all, found, python_getaddrinfo, routable, v4, v6};
use tests::responders::{avahi, avahi_v4, zeroconf, zeroconf_v4};
use tests::run::Daemon;
use tests::scenario::Scenario;

/// A LAN whose printer runs a responder and a web server.
fn scenario(start: fn(&Host, &str) -> Result<Daemon, String>) -> Result<Scenario, String> {
    let mut scenario = Scenario::with(Families::Both, |printer| start(printer, "printer"))?;
    scenario.daemons.push(helpers::http(&scenario.printer)?);
    Ok(scenario)
}

/// The addresses that a responder provides.
#[derive(Clone, Copy, PartialEq)]
enum Provides {
    /// IPv4 addresses only.
    V4,
    /// All addresses that need no scope.
    Routable,
    /// All addresses, link-local ones included.
    All,
}

impl Provides {
    fn addresses(self, lan: &Scenario) -> BTreeSet<String> {
        match self {
            Provides::V4 => v4(&lan.printer),
            Provides::Routable => routable(&lan.printer),
            Provides::All => all(&lan.printer, lan.client.eth0()),
        }
    }
}

fn getent_ahosts(lan: &Scenario, provides: Provides) {
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), provides.addresses(lan), "{outcome:?}");
}

fn getent_ahostsv4(lan: &Scenario, _: Provides) {
    let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(found(&outcome), v4(&lan.printer), "{outcome:?}");
}

/// For a single family, glibc requests a hostent, which has no room for a scope id, so the module omits link-local
/// addresses if there are others. getent requests IPv4-mapped addresses if there are no IPv6 addresses.
fn getent_ahostsv6(lan: &Scenario, provides: Provides) {
    let outcome = lan.client.run(&["getent", "ahostsv6", "printer.local"]);
    let mapped = || v4(&lan.printer).iter().map(|address| format!("::ffff:{address}")).collect();
    let wanted = if provides == Provides::V4 { mapped() } else { v6(&lan.printer) };
    assert_eq!(found(&outcome), wanted, "{outcome:?}");
}

/// getent looks up IPv6 addresses first, and IPv4 addresses only if there are none.
fn getent_hosts(lan: &Scenario, provides: Provides) {
    let outcome = lan.client.run(&["getent", "hosts", "printer.local"]);
    let wanted = if provides == Provides::V4 { v4(&lan.printer) } else { v6(&lan.printer) };
    assert_eq!(found(&outcome), wanted, "{outcome:?}");
    assert!(outcome.stdout.lines().all(|line| line.ends_with(" printer.local")), "{outcome:?}");
}

fn ping(lan: &Scenario, _: Provides) {
    let outcome = lan.client.run(&["ping", "-c1", "-W2", "printer.local"]);
    assert!(outcome.success() && outcome.stdout.contains("1 received"), "{outcome:?}");
}

fn curl(lan: &Scenario, _: Provides) {
    let outcome = lan.client.run(&["curl", "-sS", "--max-time", "5", "http://printer.local/"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "this is printer\n"), "{outcome:?}");
}

fn python(lan: &Scenario, provides: Provides) {
    let outcome = python_getaddrinfo(&lan.client, "printer.local");
    found(&outcome);
    let scoped = |address: String| match address.split_once('%') {
        Some((address, scope)) => format!("{address} {scope}"),
        None => format!("{address} 0"),
    };
    let wanted: BTreeSet<_> = provides.addresses(lan).into_iter().map(scoped).collect();
    assert_eq!(outcome.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>(), wanted, "{outcome:?}");
}

/// One LAN for each responder, shared by its tests, because a responder takes two seconds to start.
macro_rules! against {
    ($responder:ident, $start:expr, $provides:expr, [$($program:ident),*]) => {
        mod $responder {
            use super::*;

            fn lan() -> &'static Scenario {
                static LAN: OnceLock<Result<Scenario, String>> = OnceLock::new();
                LAN.get_or_init(|| scenario($start)).as_ref().unwrap_or_else(|why| panic!("{why}"))
            }

            $(#[test]
            fn $program() {
                super::$program(lan(), $provides);
            })*
        }
    };
    ($($responder:ident: $start:expr, $provides:expr;)*) => {
        $(against!($responder, $start, $provides, [
            getent_ahosts, getent_ahostsv4, getent_ahostsv6, getent_hosts, ping, curl, python
        ]);)*
    };
}

against! {
    avahi_with_both_families: avahi, Provides::Routable;
    avahi_with_ipv4_only: avahi_v4, Provides::V4;
    zeroconf_with_both_families: zeroconf, Provides::All;
    zeroconf_with_ipv4_only: zeroconf_v4, Provides::V4;
}
