//! Clients with two interfaces, with one that is down, with none; LANs of a single family.

use tests::helpers::dns;
use tests::lan::{Families, Host, Network};
use tests::lookups::{AT_ONCE, all, found, python_getaddrinfo, routable};
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
    let outcome = lans.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), routable(&lans.printer), "{outcome:?}");
    let eth1 = lans.client.interfaces.get(1).ok_or("one interface")?;
    let outcome = lans.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), all(&lans.scanner, eth1), "{outcome:?}");
    let scopes = python_getaddrinfo(&lans.client, "scanner.local");
    let link_local = lans.scanner.eth0().link_local.ok_or("no link-local address")?;
    assert!(scopes.stdout.contains(&format!("{link_local} {}\n", eth1.index)), "{scopes:?}");
    Ok(())
}

#[test]
fn interface_that_is_down_does_not_keep_the_other_from_answering() -> Result<(), String> {
    let lans = two_lans()?;
    lans.client.script("ip link set eth0 down")?;
    let outcome = lans.client.run(&["getent", "ahosts", "scanner.local"]);
    let eth1 = lans.client.interfaces.get(1).ok_or("one interface")?;
    assert_eq!(found(&outcome), all(&lans.scanner, eth1), "{outcome:?}");
    Ok(())
}

/// The client's own DNS server is asked after the module, which has given up at once. (Not with getent:
/// it asks for no addresses at all on a host that has none.)
fn falls_through_at_once(client: &Host) -> Result<(), String> {
    let server = dns(client, &["printer.local=192.0.2.5"])?;
    client.use_dns("127.0.0.1")?;
    let outcome = python_getaddrinfo(client, "printer.local");
    assert_eq!(found(&outcome), ["192.0.2.5".to_owned()].into(), "{outcome:?}");
    assert!(!server.names().is_empty());
    client.use_services("mdns_minimal")?;
    let outcome = python_getaddrinfo(client, "printer.local");
    assert!(!outcome.success() && outcome.elapsed < AT_ONCE, "{outcome:?}");
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
fn one_family(families: Families) -> Result<(), String> {
    let mut lan = Scenario::with(families, |printer| avahi(printer, "printer"))?;
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(zeroconf(&scanner, "scanner")?);
    for host in [&lan.printer, &scanner] {
        let name = format!("{}.local", host.name);
        // With AI_ADDRCONFIG, which getent sets, glibc asks for the one family there is: for a hostent.
        for database in ["ahosts", "hosts"] {
            let outcome = lan.client.run(&["getent", database, &name]);
            assert_eq!(found(&outcome), routable(host), "{outcome:?}");
        }
        let ping = lan.client.run(&["ping", "-c1", "-W2", &name]);
        assert!(ping.success(), "{ping:?}");
    }
    let addresses = all(&scanner, lan.client.eth0()).len();
    let outcome = python_getaddrinfo(&lan.client, "scanner.local");
    assert_eq!(found(&outcome).len(), addresses, "{outcome:?}");
    Ok(())
}

#[test]
fn lan_with_ipv4_alone() -> Result<(), String> {
    one_family(Families::V4)
}

#[test]
fn lan_with_ipv6_alone() -> Result<(), String> {
    one_family(Families::V6)
}

#[test]
fn responder_on_the_clients_own_host_is_found() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let _responder = scripted(&lan.client, "printer.local", &[])?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.client, lan.client.eth0()), "{outcome:?}");
    Ok(())
}
