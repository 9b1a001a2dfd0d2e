//! Go has a resolver of its own and chooses for each name between that and libc's. `.local` names it leaves to libc, and
//! so to the module. A service that it does not know sends all other names there, too; services whose names begin with
//! `mdns` do not, unless there is a file `/etc/mdns.allow`.

use std::path::PathBuf;
use std::sync::OnceLock;
use tests::clients::{DECOY, DNS_NAME, build_go, office, saw};
use tests::helpers::http;
use tests::lan::Host;
use tests::lookups::{routable, v4};
use tests::module::SERVICES;
use tests::run::Outcome;
use tests::scenario::with_scripted;

/// Runs the program with cgo, and makes Go say which resolver it takes.
fn run(host: &Host, name: &str) -> Outcome {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| build_go(true)).as_ref().unwrap_or_else(|why| panic!("{why}"));
    host.run(&["env", "GODEBUG=netdns=2", &program.to_string_lossy(), name])
}

/// What it said of a name: `cgo`, or the order of its own resolver.
fn choice<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let start = format!("go package net: hostLookupOrder({name}) = ");
    outcome.stderr.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn local_names_go_to_libc_and_others_stay_in_go() -> Result<(), String> {
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

/// Go does not read the file: that it is there is enough.
#[test]
fn all_names_go_to_libc_where_there_is_a_list_of_allowed_ones() -> Result<(), String> {
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

/// And so the names that the list allows are found on the LAN by Go programs, too.
#[test]
fn names_that_the_list_allows_are_found_on_the_lan() -> Result<(), String> {
    let lan = with_scripted("printer.lan", &["--other", "additional"])?;
    let _web = http(&lan.printer)?;
    lan.client.use_services("files mdns4 [NOTFOUND=return] dns")?;
    lan.client.write("/etc/mdns.allow", ".lan\n")?;
    saw(&run(&lan.client, "printer.lan"), &v4(&lan.printer));
    Ok(())
}

/// There is no libc in it.
#[test]
fn a_program_without_cgo_asks_dns_for_everything() -> Result<(), String> {
    let lan = office()?;
    let program = build_go(false)?;
    let outcome = lan.client.run(&[&program.to_string_lossy(), "printer.local"]);
    assert_eq!(outcome.stdout.lines().next(), Some(DECOY), "{outcome:?}");
    Ok(())
}
