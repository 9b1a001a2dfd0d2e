//! Chromium has its own DNS client, which it uses only if it recognises every service of the hosts line. Of this
//! module's services, it recognises the minimal ones in front of `dns`. With any line, it resolves `.local` names by
//! getaddrinfo, and so by the module.
//!
//! The tests read in Chromium's log of network events which resolver it used. Chromium also looks up names of its
//! vendor, which the client's DNS server does not have; no packet can leave the namespace.

use tests::clients::{DNS_NAME, PAGE, office, source};
use tests::lan::Host;

const OPTIONS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir=/run/chromium/profile --log-net-log=/run/chromium/log --dump-dom";

/// Loads a host's page; returns the resolver that Chromium used for the name.
fn load(client: &Host, name: &str) -> Result<String, String> {
    client.script("mkdir -p /run/chromium")?;
    let start = ["env", "HOME=/run/chromium", "chromium"].into_iter().chain(OPTIONS.split_whitespace());
    let url = format!("http://{name}/");
    let outcome = client.run(&start.chain([url.as_str()]).collect::<Vec<_>>());
    assert!(outcome.success() && outcome.stdout.contains(PAGE), "{outcome:?}");
    let script = source("resolvers.py");
    let outcome = client.run(&["/usr/bin/python3", &script.to_string_lossy(), "/run/chromium/log", name]);
    assert!(outcome.success(), "{outcome:?}");
    Ok(outcome.stdout.trim().into())
}

fn resolver(services: &str, name: &str) -> Result<String, String> {
    let lan = office()?;
    lan.client.use_services(services)?;
    load(&lan.client, name)
}

const RECOMMENDED: &str = "files mdns_minimal [NOTFOUND=return] dns";

#[test]
fn local_names_are_resolved_by_the_module() -> Result<(), String> {
    assert_eq!(resolver(RECOMMENDED, "printer.local")?, "system");
    Ok(())
}

#[test]
fn other_names_are_resolved_by_chromiums_own_dns_client() -> Result<(), String> {
    assert_eq!(resolver(RECOMMENDED, DNS_NAME)?, "own");
    Ok(())
}

#[test]
fn a_full_service_in_front_of_dns_disables_chromiums_own_dns_client() -> Result<(), String> {
    assert_eq!(resolver("files mdns [NOTFOUND=return] dns", DNS_NAME)?, "system");
    Ok(())
}

/// The line is for a site whose DNS server serves `.local`.
#[test]
fn chromium_recognises_a_line_that_continues_with_dns() -> Result<(), String> {
    assert_eq!(resolver("files mdns_minimal dns", DNS_NAME)?, "own");
    Ok(())
}
