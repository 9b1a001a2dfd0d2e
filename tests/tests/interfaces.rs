//! Clients with two interfaces, with one that is down, and with none; LANs with a single family; interfaces without a
//! LAN; and the order of addresses, which depends on the interface.

use std::time::Duration;

use tests::helpers::{capture, dns, tunnel};
use tests::lan::{Families, Host, Network};
use tests::lookups::{AT_ONCE, all, found, printed_addresses, python, python_getaddrinfo, routable};
use tests::responders::{avahi, scripted, scripted_with, zeroconf};
use tests::run::Daemon;
use tests::scenario::{Scenario, with_scripted};

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
fn a_host_is_found_when_the_other_interface_is_down() -> Result<(), String> {
    let lans = two_lans()?;
    lans.client.script("ip link set eth0 down")?;
    let outcome = lans.client.run(&["getent", "ahosts", "scanner.local"]);
    let eth1 = lans.client.interfaces.get(1).ok_or("one interface")?;
    assert_eq!(found(&outcome), all(&lans.scanner, eth1), "{outcome:?}");
    Ok(())
}

/// Checks that the module fails immediately and that glibc then queries the DNS server, which runs on the client. The
/// check does not use getent, which looks up no addresses on a host that has none itself.
fn next_service_is_tried_immediately(client: &Host) -> Result<(), String> {
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
fn without_interfaces_the_next_service_is_tried_immediately() -> Result<(), String> {
    let network = Network::new()?;
    next_service_is_tried_immediately(&network.client("client", &[])?)
}

#[test]
fn with_the_only_interface_down_the_next_service_is_tried_immediately() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.script("ip link set eth0 down")?;
    next_service_is_tried_immediately(&lan.client)
}

/// Checks which addresses of two responders are found on a LAN with these families.
fn one_family(families: Families) -> Result<(), String> {
    let mut lan = Scenario::with(families, |printer| avahi(printer, "printer"))?;
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(zeroconf(&scanner, "scanner")?);
    for host in [&lan.printer, &scanner] {
        let name = format!("{}.local", host.name);
        // getent sets AI_ADDRCONFIG, so glibc looks up only the family that the client has, and requests a hostent.
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
fn responders_are_found_on_an_ipv4_only_lan() -> Result<(), String> {
    one_family(Families::V4)
}

#[test]
fn responders_are_found_on_an_ipv6_only_lan() -> Result<(), String> {
    one_family(Families::V6)
}

#[test]
fn a_responder_on_the_clients_own_host_is_found() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let _responder = scripted(&lan.client, "printer.local", &[])?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.client, lan.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn multicast_responses_are_received_on_every_interface() -> Result<(), String> {
    let network = Network::new()?;
    let (first, second) = (network.lan(Families::Both)?, network.lan(Families::Both)?);
    let printer = network.host("printer", &[&first])?;
    let scanner = network.host("scanner", &[&second])?;
    let client = network.client("client", &[&first, &second])?;
    let options = ["--unicast", "never", "--other", "additional"];
    let start = |host: &Host| scripted(host, &format!("{}.local", host.name), &options);
    let _daemons = [start(&printer)?, start(&scanner)?];
    for (host, via) in [&printer, &scanner].into_iter().zip(&client.interfaces) {
        let capture = capture(&client, &via.name)?;
        let outcome = python_getaddrinfo(&client, &format!("{}.local", host.name));
        assert_eq!(printed_addresses(&outcome), all(host, via), "{outcome:?}");
        let port = |packet: &&String| packet.split(' ').next().is_some_and(|from| !from.ends_with(":5353"));
        let packets = capture.to_group();
        assert_eq!(packets.iter().filter(port).count(), 3, "there must be no retransmission: {packets:?}");
    }
    Ok(())
}

/// A printer that sends all its addresses in one packet, so that they arrive together even on a busy machine.
fn with_whole_answers() -> Result<Scenario, String> {
    with_scripted("printer.local", &["--other", "additional"])
}

/// Looks up the printer, which must need no retransmission. Returns how many queries were sent on another interface.
fn queries_elsewhere(lan: &Scenario, interface: &str) -> Result<usize, String> {
    let (on_lan, elsewhere) = (capture(&lan.client, "eth0")?, capture(&lan.client, interface)?);
    let outcome = python_getaddrinfo(&lan.client, "printer.local");
    assert_eq!(printed_addresses(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    std::thread::sleep(Duration::from_millis(100));
    let packets = on_lan.to_group();
    assert_eq!(packets.len(), 3, "{packets:?}");
    Ok(elsewhere.to_group().len())
}

#[test]
fn every_query_is_also_sent_to_a_container_bridge() -> Result<(), String> {
    let lan = with_whole_answers()?;
    // One container, in which no responder runs.
    lan.client.script(
        "ip link add docker0 type bridge
         ip address add 172.17.0.1/16 dev docker0
         ip link add container0 type veth peer name port0
         echo 1 >/proc/sys/net/ipv6/conf/container0/disable_ipv6
         ip link set port0 master docker0 up
         ip link set container0 up
         ip link set docker0 up
         for try in $(seq 100); do
             ! ip -6 address show docker0 | grep -q 'inet6 fe80' || exit 0
             sleep 0.05
         done
         exit 1",
    )?;
    assert_eq!(queries_elsewhere(&lan, "docker0")?, 3);
    Ok(())
}

#[test]
fn point_to_point_links_are_not_queried() -> Result<(), String> {
    let lan = with_whole_answers()?;
    let _tunnel = tunnel(&lan.client, "tun0")?;
    let shown = lan.client.script(
        "ip address add 10.8.0.1 peer 10.8.0.2 dev tun0
         ip link set tun0 up
         ip -o link show tun0",
    )?;
    for flag in ["POINTOPOINT", "MULTICAST", "LOWER_UP"] {
        assert!(shown.contains(flag), "there must be no other reason not to query it: {shown}");
    }
    assert_eq!(queries_elsewhere(&lan, "tun0")?, 0);
    Ok(())
}

/// The scripted responder with these addresses, in this order.
fn with_addresses(host: &Host, addresses: &[String]) -> Result<Daemon, String> {
    let option = |address: &String| if address.contains(':') { "--aaaa" } else { "--a" };
    let options = addresses.iter().flat_map(|address| [option(address), address]);
    scripted_with(host, &["--name", "printer.local"].into_iter().chain(options).collect::<Vec<_>>())
}

/// The test uses functions that return a hostent, because glibc does not sort the addresses in a hostent.
#[test]
fn addresses_on_the_link_come_first_and_link_local_ones_last() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.script("ip address add 169.254.7.2/16 dev eth0")?;
    let printer = lan.printer.eth0();
    let (v4, v6) = (printer.v4.ok_or("no IPv4")?.to_string(), printer.v6.ok_or("no IPv6")?.to_string());
    let link_local = printer.link_local.ok_or("no link-local address")?.to_string();
    let of_containers = ["169.254.7.1", "172.17.0.1", &v4, &link_local, "fd99::1", &v6].map(str::to_owned);
    let daemon = with_addresses(&lan.printer, &of_containers)?;
    let script = "import socket; print(*socket.gethostbyname_ex('printer.local')[2])";
    let outcome = python(&lan.client, script, &[]);
    assert_eq!(outcome.stdout.trim(), format!("{v4} 169.254.7.1 172.17.0.1"), "{outcome:?}");
    let in_order = || {
        let outcome = lan.client.run(&["getent", "hosts", "printer.local"]);
        outcome.stdout.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(in_order(), [v6, "fd99::1".into()], "link-local addresses cannot be used without their scope");
    drop(daemon);
    let _daemon = with_addresses(&lan.printer, std::slice::from_ref(&link_local))?;
    assert_eq!(in_order(), [link_local], "link-local addresses must be returned if there are no others");
    Ok(())
}
