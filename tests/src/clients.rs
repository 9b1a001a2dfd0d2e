//! The LAN for tests with programs of other projects, such as Java, Go and Chromium: a printer with Avahi and a web
//! server, and a client with the module and a DNS server. The DNS server has a wrong address for the printer's `.local`
//! name, and the right addresses under another name.

use crate::helpers::{dns, http};
use crate::lookups::routable;
use crate::module::{compile, target, workspace};
use crate::run::Outcome;
use crate::sandbox::need_program;
use crate::scenario::{Scenario, with_avahi};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// The page that the printer's web server serves.
pub const PAGE: &str = "this is printer";

/// The printer's name in DNS.
pub const DNS_NAME: &str = "web.example.test";

/// The address of `printer.local` in DNS. No host has this address, and there is no route to it.
pub const DECOY: &str = "192.0.2.1";

/// Sets up the LAN.
///
/// # Errors
/// What failed.
pub fn office() -> Result<Scenario, String> {
    let mut office = with_avahi()?;
    office.daemons.push(http(&office.printer)?);
    let mut zone = vec![format!("printer.local={DECOY}")];
    zone.extend(routable(&office.printer).iter().map(|address| format!("{DNS_NAME}={address}")));
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    let server = dns(&office.client, &zone)?.daemon();
    office.daemons.push(server);
    Ok(office)
}

/// The source of a program in `tests/clients`.
pub fn source(name: &str) -> PathBuf {
    workspace().join("tests/clients").join(name)
}

/// Builds `tests/clients/names.go`, with cgo or without.
///
/// # Errors
/// If Go is not installed, or the compiler's messages.
pub fn build_go(cgo: bool) -> Result<PathBuf, String> {
    build_go_source("names", cgo)
}

/// Builds `tests/clients/NAME.go`, with cgo or without.
///
/// # Errors
/// If Go is not installed, or the compiler's messages.
pub fn build_go_source(name: &str, cgo: bool) -> Result<PathBuf, String> {
    need_program("go").map_err(|why| format!("{why}: run tests/deps"))?;
    let folder = target().join("clients");
    let program = folder.join(format!("{name}-{}", if cgo { "cgo" } else { "go" }));
    let compiled = compile(&program, |output| {
        let mut command = Command::new("go");
        command.args(["build", "-o"]).arg(output).arg(source(&format!("{name}.go")));
        // A single file without modules. Go writes to no other folder.
        command.envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("CGO_ENABLED", if cgo { "1" } else { "0" })]);
        command.env("GOCACHE", folder.join("go-cache"));
        command
    });
    compiled.map(|()| program)
}

/// Checks that a program printed these addresses, in any order, and then the printer's page.
///
/// # Panics
/// If the program failed, or printed anything else.
pub fn saw(outcome: &Outcome, wanted: &BTreeSet<String>) {
    assert!(outcome.success(), "{outcome:?}");
    let addresses = outcome.stdout.lines().take_while(|line| line.parse::<std::net::IpAddr>().is_ok());
    assert_eq!(&addresses.map(compressed).collect::<BTreeSet<_>>(), wanted, "{outcome:?}");
    assert_eq!(outcome.stdout.lines().last(), Some(PAGE), "{outcome:?}");
}

/// An address in the usual notation. Java does not compress IPv6 addresses.
fn compressed(address: &str) -> String {
    address.parse::<std::net::IpAddr>().map_or_else(|_| address.into(), |address| address.to_string())
}
