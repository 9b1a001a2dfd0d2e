//! Where people's programs are tried: a printer that runs Avahi and a web server, and a client with the module and a DNS
//! server of its own, which tells of another printer, and of a host with the printer's addresses.

use crate::helpers::{dns, http};
use crate::lookups::routable;
use crate::module::{compile, target, workspace};
use crate::run::Outcome;
use crate::sandbox::need_program;
use crate::scenario::{Scenario, with_avahi};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// The page that the printer serves.
pub const PAGE: &str = "this is printer";

/// The host that DNS knows.
pub const DNS_NAME: &str = "web.example.test";

/// Where DNS says that the printer is, and where nobody is: not reached from this LAN.
pub const DECOY: &str = "192.0.2.1";

/// Makes that LAN.
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

/// A program's source.
pub fn source(name: &str) -> PathBuf {
    workspace().join("tests/clients").join(name)
}

/// Builds `tests/clients/names.go`, with cgo or without.
///
/// # Errors
/// What the compiler said.
pub fn build_go(cgo: bool) -> Result<PathBuf, String> {
    need_program("go").map_err(|why| format!("{why}: run tests/deps"))?;
    let folder = target().join("clients");
    let program = folder.join(if cgo { "names-cgo" } else { "names-go" });
    let compiled = compile(&program, |output| {
        let mut command = Command::new("go");
        command.args(["build", "-o"]).arg(output).arg(source("names.go"));
        // One file, nothing from elsewhere, and no folder outside this one.
        command.envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("CGO_ENABLED", if cgo { "1" } else { "0" })]);
        command.env("GOCACHE", folder.join("go-cache"));
        command
    });
    compiled.map(|()| program)
}

/// Checks that a program printed these addresses, in any order, and after them the printer's page.
///
/// # Panics
/// If it did not.
pub fn saw(outcome: &Outcome, wanted: &BTreeSet<String>) {
    assert!(outcome.success(), "{outcome:?}");
    let addresses = outcome.stdout.lines().take_while(|line| line.parse::<std::net::IpAddr>().is_ok());
    assert_eq!(&addresses.map(compressed).collect::<BTreeSet<_>>(), wanted, "{outcome:?}");
    assert_eq!(outcome.stdout.lines().last(), Some(PAGE), "{outcome:?}");
}

/// Java writes IPv6 addresses in full.
fn compressed(address: &str) -> String {
    address.parse::<std::net::IpAddr>().map_or_else(|_| address.into(), |address| address.to_string())
}
