//! Clients with two interfaces, with one that is down, with none; LANs of a single family.

use std::collections::BTreeSet;
use tests::helpers::dns;
use tests::lan::{Families, Host, Network};
use tests::lookups::{AT_ONCE, expected, expected_v4, expected_v6, found, not_found_at_once, python_getaddrinfo};
use tests::responders::{avahi, scripted, zeroconf};
use tests::run::Daemon;
use tests::scenario::Scenario;

/// A client on two LANs, with a printer on the first and a scanner on the second.
struct TwoLans {
    _daemons: [Daemon; 2],
    printer: Host,
    scanner: Host,
    client: Host,
    _network: Network,
}

fn two_lans() -> Result<TwoLans, String> {
    let network = Network::new()?;
    let (first, second) = (network.lan(Families::Both)?, network.lan(Families::Both)?);
    let printer = network.host("printer", &[&first])?;
    let scanner = network.host("scanner", &[&second])?;
    let client = network.client("client", &[&first, &second])?;
    let daemons = [avahi(&printer, "printer")?, zeroconf(&scanner, "scanner")?];
    Ok(TwoLans { _daemons: daemons, printer, scanner, client, _network: network })
}

#[test]
fn responders_on_both_interfaces_are_found_with_the_right_scope() -> Result<(), String> {
    let lans = two_lans()?;
    for (host, interface) in [(&lans.printer, "eth0"), (&lans.scanner, "eth1")] {
        let outcome = lans.client.run(&["getent", "ahosts", &format!("{}.local", host.name)]);
        assert_eq!(found(&outcome), expected(host, interface), "{outcome:?}");
    }
    let scopes = python_getaddrinfo(&lans.client, "scanner.local");
    let index = lans.client.interfaces.get(1).ok_or("one interface")?.index;
    let link_local = lans.scanner.eth0().link_local.ok_or("no link-local address")?;
    assert!(scopes.stdout.contains(&format!("{link_local} {index}\n")), "{scopes:?}");
    Ok(())
}

#[test]
fn interface_that_is_down_does_not_keep_the_other_from_answering() -> Result<(), String> {
    let lans = two_lans()?;
    lans.client.script("ip link set eth0 down")?;
    let outcome = lans.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), expected(&lans.scanner, "eth1"), "{outcome:?}");
    Ok(())
}

/// The client's own DNS server is asked after the module, which has given up at once.
fn falls_through_at_once(client: &Host) -> Result<(), String> {
    let server = dns(client, &["printer.local=192.0.2.5"])?;
    client.use_dns("127.0.0.1")?;
    let outcome = client.run(&["getent", "ahostsv4", "printer.local"]);
    // With AI_ADDRCONFIG and no address but loopback's, glibc may keep the answer from getent: then
    // only that DNS was asked shows that the next service had its turn.
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
    assert!(server.names().iter().any(|name| name == "printer.local"), "{outcome:?} {:?}", server.names());
    client.use_services("mdns_minimal")?;
    not_found_at_once(&client.run(&["getent", "ahosts", "printer.local"]));
    Ok(())
}

#[test]
fn without_interfaces_the_next_service_is_asked_at_once() -> Result<(), String> {
    let network = Network::new()?;
    falls_through_at_once(&network.client("client", &[])?)
}

#[test]
fn with_the_only_interface_down_the_next_service_is_asked_at_once() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.script("ip link set eth0 down")?;
    falls_through_at_once(&lan.client)
}

/// Both responders on a LAN of one family, and what each is found with.
fn one_family(families: Families, wanted: fn(&Host) -> BTreeSet<String>) -> Result<(), String> {
    let mut lan = Scenario::with(families, |printer| avahi(printer, "printer"))?;
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(zeroconf(&scanner, "scanner")?);
    for host in [&lan.printer, &scanner] {
        let name = format!("{}.local", host.name);
        for database in ["ahosts", "hosts"] {
            let outcome = lan.client.run(&["getent", database, &name]);
            let found = found(&outcome);
            assert!(!found.is_empty(), "{outcome:?}");
            if database == "ahosts" {
                assert_eq!(found, wanted(host), "{outcome:?}");
            }
        }
        let ping = lan.client.run(&["ping", "-c1", "-W2", &name]);
        assert!(ping.success(), "{ping:?}");
    }
    Ok(())
}

#[test]
fn lan_with_ipv4_alone() -> Result<(), String> {
    one_family(Families::V4, expected_v4)
}

#[test]
fn lan_with_ipv6_alone() -> Result<(), String> {
    one_family(Families::V6, |host| expected_v6(host, "eth0"))
}

#[test]
fn responder_on_the_clients_own_host_is_found() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let _responder = scripted(&lan.client, "printer.local", &[])?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), expected(&lan.client, "eth0"), "{outcome:?}");
    Ok(())
}
