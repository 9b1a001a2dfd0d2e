//! Go chooses for each name between its own resolver and libc's. It resolves `.local` names by libc, and so by the
//! module. If the hosts line has a service that Go does not recognise, it resolves all other names by libc as well.
//! Services whose names begin with `mdns` have this effect only if `/etc/mdns.allow` exists.

use std::path::PathBuf;
use std::sync::OnceLock;
use tests::clients::{DECOY, DNS_NAME, build_go, office, saw};
use tests::helpers::http;
use tests::lan::Host;
use tests::lookups::{routable, v4};
use tests::module::SERVICES;
use tests::run::Outcome;
use tests::scenario::with_scripted;

/// Runs the program built with cgo. The variable makes Go print which resolver it chooses.
fn run(host: &Host, name: &str) -> Outcome {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| build_go(true)).as_ref().unwrap_or_else(|why| panic!("{why}"));
    host.run(&["env", "GODEBUG=netdns=2", &program.to_string_lossy(), name])
}

/// What Go chose for a name: `cgo`, or the sources of its own resolver in their order.
fn choice<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let start = format!("go package net: hostLookupOrder({name}) = ");
    outcome.stderr.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn local_names_are_resolved_by_libc_and_other_names_by_go() -> Result<(), String> {
    let lan = office()?;
    let printer = routable(&lan.printer);
    let outcome = run(&lan.client, "printer.local");
    assert_eq!(choice(&outcome, "printer.local"), "cgo", "{outcome:?}");
    saw(&outcome, &printer);
    for service in SERVICES {
        lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
        let outcome = run(&lan.client, DNS_NAME);
        assert_eq!(choice(&outcome, DNS_NAME), "files,dns", "{service}: {outcome:?}");
        saw(&outcome, &printer);
    }
    lan.client.use_services("files another [NOTFOUND=return] dns")?;
    let outcome = run(&lan.client, DNS_NAME);
    assert_eq!(choice(&outcome, DNS_NAME), "cgo", "{outcome:?}");
    saw(&outcome, &printer);
    Ok(())
}

/// Go does not read the file; it checks only that it exists.
#[test]
fn all_names_are_resolved_by_libc_if_mdns_allow_exists() -> Result<(), String> {
    let lan = office()?;
    lan.client.write("/etc/mdns.allow", ".local\n.local.\n")?;
    for service in ["mdns_minimal", "mdns"] {
        lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
        for name in ["printer.local", DNS_NAME] {
            let outcome = run(&lan.client, name);
            assert_eq!(choice(&outcome, name), "cgo", "{service}: {outcome:?}");
            saw(&outcome, &routable(&lan.printer));
        }
    }
    Ok(())
}

/// Because Go uses libc in this case, Go programs also find names on the LAN that `/etc/mdns.allow` lists.
#[test]
fn names_that_mdns_allow_lists_are_found_on_the_lan() -> Result<(), String> {
    let lan = with_scripted("printer.lan", &["--other", "additional"])?;
    let _web = http(&lan.printer)?;
    lan.client.use_services("files mdns4 [NOTFOUND=return] dns")?;
    lan.client.write("/etc/mdns.allow", ".lan\n")?;
    saw(&run(&lan.client, "printer.lan"), &v4(&lan.printer));
    Ok(())
}

/// A program that is built without cgo does not use libc.
#[test]
fn a_program_without_cgo_resolves_all_names_by_dns() -> Result<(), String> {
    let lan = office()?;
    let program = build_go(false)?;
    let outcome = lan.client.run(&[&program.to_string_lossy(), "printer.local"]);
    assert_eq!(outcome.stdout.lines().next(), Some(DECOY), "{outcome:?}");
    Ok(())
}
