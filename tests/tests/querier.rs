//! The querier under difficult conditions: stateful firewalls, packet loss, port 5353 in use by another process,
//! aliases, the host's own name, bridge ports, a stopped process.

use std::time::Duration;

use tests::helpers::{capture, query};
use tests::lan::{Families, Network};
use tests::lookups::{all, found, printed_addresses, python, python_daemon, python_getaddrinfo, routable, v4};
use tests::responders::{avahi, avahi_v4, scripted};
use tests::scenario::{Scenario, with_scripted};

/// Accepts what ufw accepts by default, and firewalld with the service `mdns`: packets of established connections, and
/// multicast DNS to its groups.
const STATEFUL: &str = "
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        iifname lo accept
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        ip daddr 224.0.0.251 udp dport 5353 accept
        ip6 daddr ff02::fb udp dport 5353 accept
    }
}";

#[test]
fn a_retransmission_is_answered_through_a_stateful_firewall() -> Result<(), String> {
    let mut lan = with_scripted("printer.local", &[])?;
    lan.client.write("/etc/nss-mdns.conf", "neighbours = off\n")?;
    lan.client.firewall(STATEFUL)?;
    let bare = query(&lan.client, "printer.local", "a");
    assert!(!bare.success(), "the firewall accepts unicast responses, so this test proves nothing: {bare:?}");
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(28), "{outcome:?}");
    // Avahi also announces its records by multicast, so this lookup may end before the retransmission.
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(avahi(&scanner, "scanner")?);
    let outcome = lan.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), routable(&scanner), "{outcome:?}");
    Ok(())
}

/// The multicast listener of each family receives the responses that are sent to that family's group.
#[test]
fn a_name_is_found_through_a_stateful_firewall_over_either_family() -> Result<(), String> {
    for (families, rtype) in [(Families::V4, "a"), (Families::V6, "aaaa")] {
        let lan = Scenario::with(families, |printer| scripted(printer, "printer.local", &[]))?;
        lan.client.firewall(STATEFUL)?;
        let bare = query(&lan.client, "printer.local", rtype);
        assert!(!bare.success(), "the firewall accepts unicast responses, so this test proves nothing: {bare:?}");
        let outcome = python_getaddrinfo(&lan.client, "printer.local");
        assert_eq!(printed_addresses(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    }
    Ok(())
}

#[test]
fn lost_queries_are_retransmitted() -> Result<(), String> {
    // A lookup sends three queries at first, and six in each retransmission.
    for (lost, least) in [("3", 28), ("9", 240), ("15", 1240)] {
        let lan = with_scripted("printer.local", &["--ignore-first", lost])?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
        assert!(outcome.elapsed > Duration::from_millis(least), "{outcome:?}");
    }
    Ok(())
}

/// Drops the first query for `printer.local` with the record type `TYPE`, once over IPv4 and once over IPv6. The type
/// is in octets 27 and 28 of the message, which follows the 8 octets of the UDP header.
const DROP_FIRST_QUERY: &str = "
table inet filter {
    chain output {
        type filter hook output priority 0;
        meta nfproto ipv4 udp dport 5353 @th,280,16 TYPE quota until 100 bytes drop
        meta nfproto ipv6 udp dport 5353 @th,280,16 TYPE quota until 100 bytes drop
    }
}";

#[test]
fn both_families_are_found_when_one_query_is_lost() -> Result<(), String> {
    for rtype in ["1", "28"] {
        let lan = with_scripted("printer.local", &[])?;
        lan.client.firewall(&DROP_FIRST_QUERY.replace("TYPE", rtype))?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "type {rtype}: {outcome:?}");
        let dropped = lan.client.script("nft list ruleset")?;
        assert!(dropped.contains("used"), "the rule dropped nothing: {dropped}");
    }
    Ok(())
}

#[test]
fn an_answered_lookup_sends_three_packets_and_a_cached_one_sends_none() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let capture = capture(&lan.client, "eth0")?;
    let twice = "import socket; [socket.getaddrinfo('printer.local', 80) for _ in (1, 2)]";
    assert!(tests::lookups::python(&lan.client, twice, &[]).success());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(capture.to_group().len(), 3, "{:?}", capture.packets());
    Ok(())
}

#[test]
fn the_absence_of_a_family_is_cached() -> Result<(), String> {
    let lan = Scenario::with(Families::Both, |printer| avahi_v4(printer, "printer"))?;
    let capture = capture(&lan.client, "eth0")?;
    // getent looks up IPv6 first, then IPv4: three queries, and six more over IPv6 for the missing family.
    let outcome = lan.client.run(&["getent", "hosts", "printer.local"]);
    assert_eq!(found(&outcome), v4(&lan.printer), "{outcome:?}");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(capture.to_group().len(), 9, "{:?}", capture.packets());
    Ok(())
}

/// Binds port 5353 of all addresses without `SO_REUSEADDR` or `SO_REUSEPORT`, so that no other socket can share it.
const EXCLUSIVE_5353: &str = "import socket, time
for family, address in (socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::'):
    holder = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    holder.bind((address, 5353))
    globals()[f'holder{family}'] = holder
print('ready', flush=True)
time.sleep(60)";

#[test]
fn a_lookup_succeeds_when_port_5353_is_in_use() -> Result<(), String> {
    let mut lan = with_scripted("printer.local", &[])?;
    lan.daemons.push(python_daemon(&lan.client, EXCLUSIVE_5353, &[])?);
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    // This responder multicasts unless a unicast response is requested. Without the port, only a unicast response
    // arrives, which the retransmission requests.
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(scripted(&scanner, "scanner.local", &["--unicast", "requested"])?);
    let outcome = lan.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), all(&scanner, lan.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn a_reverse_lookup_is_sent_only_on_the_link_of_the_address() -> Result<(), String> {
    let network = Network::new()?;
    let (first, second) = (network.lan(Families::Both)?, network.lan(Families::Both)?);
    let printer = network.host("printer", &[&first])?;
    let client = network.client("client", &[&first, &second])?;
    client.use_services("files mdns")?;
    let elsewhere = capture(&client, "eth1")?;
    let _responder = scripted(&printer, "printer.local", &[])?;
    let address = printer.eth0().v4.ok_or("no IPv4")?.to_string();
    let outcome = tests::lookups::python_gethostbyaddr(&client, &address);
    assert_eq!(outcome.stdout, "printer.local\n", "{outcome:?}");
    assert_eq!(elsewhere.to_group(), [""; 0]);
    Ok(())
}

#[test]
fn aliases_are_followed_to_the_canonical_name() -> Result<(), String> {
    let chain = ["--alias", "alias.local=other.local", "--alias", "other.local=printer.local"];
    let lan = with_scripted("printer.local", &chain)?;
    let outcome = lan.client.run(&["getent", "ahosts", "alias.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    assert!(outcome.stdout.contains(" printer.local\n"), "{outcome:?}");
    let canonical = "import socket
print(socket.getaddrinfo('alias.local', 80, family=socket.AF_INET, flags=socket.AI_CANONNAME)[0][3])
print(socket.gethostbyname_ex('alias.local')[:2])";
    let outcome = tests::lookups::python(&lan.client, canonical, &[]);
    assert_eq!(outcome.stdout, "printer.local\n('printer.local', ['alias.local'])\n", "{outcome:?}");
    Ok(())
}

#[test]
fn a_loop_of_aliases_ends_as_not_found() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--alias", "a.local=b.local", "--alias", "b.local=a.local"])?;
    let outcome = lan.client.run(&["getent", "ahosts", "a.local"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(3500), "{outcome:?}");
    Ok(())
}

#[test]
fn the_hosts_own_name_resolves_without_a_responder() -> Result<(), String> {
    let mut lan = Scenario::silent(Families::Both)?;
    let own = all(&lan.client, lan.client.eth0());
    let outcome = lan.client.run(&["getent", "ahosts", "client.local"]);
    assert_eq!(found(&outcome), own, "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(240), "the network must be queried first: {outcome:?}");
    // If a host on the network responds for the name, its answer is used.
    lan.daemons.push(scripted(&lan.printer, "client.local", &[])?);
    let outcome = lan.client.run(&["getent", "ahosts", "client.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn bridge_ports_are_not_queried_in_addition_to_the_bridge() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let address = lan.client.eth0().v4.ok_or("no IPv4")?;
    // As on hosts of virtual machines: the addresses are on the bridge, and the port has only its link-local address.
    lan.client.script(&format!(
        "ip link add br0 type bridge mcast_snooping 0
         ip address del {address}/24 dev eth0
         ip link set eth0 master br0
         ip link set br0 up
         ip address add {address}/24 dev br0"
    ))?;
    let capture = capture(&lan.printer, "eth0")?;
    let outcome = python_getaddrinfo(&lan.client, "printer.local");
    assert!(found(&outcome).is_superset(&v4(&lan.printer)), "{outcome:?}");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(capture.to_group().len(), 3, "{:?}", capture.packets());
    Ok(())
}

/// Stops a process in its lookup before the responses arrive, and resumes it after the lookup's deadline. Meanwhile
/// another process sends queries, which the multicast listener receives as well.
const STOPPED: &str = "
import os, signal, socket, subprocess, sys, time
script = \"import socket; print(len({a[4][0] for a in socket.getaddrinfo('printer.local', 80)}))\"
child = subprocess.Popen([sys.executable, '-c', script])
time.sleep(0.5)
child.send_signal(signal.SIGSTOP)
time.sleep(0.4)
question = bytes(4) + b'\\0\\1' + bytes(6) + b'\\6nobody\\5local\\0\\0\\1\\0\\1'
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
    for _ in range(30):
        asker.sendto(question, ('224.0.0.251', 5353))
    time.sleep(1.8)
finally:
    child.send_signal(signal.SIGCONT)
sys.exit(child.wait())
";

#[test]
fn a_process_resumed_after_its_deadline_uses_responses_that_arrived_in_time() -> Result<(), String> {
    // First with unicast responses. Then with multicast responses alone: these are in the receive buffer of the only
    // listener, together with the other process's queries, and the IPv6 address comes after those.
    for unicast in [&[][..], &["--unicast", "never"]] {
        let options = [unicast, &["--aaaa", "fd77:1::77", "--delay", "800", "--delay-aaaa", "400"]].concat();
        let lan = Scenario::with(Families::V4, |printer| scripted(printer, "printer.local", &options))?;
        lan.client.write("/etc/nss-mdns.conf", "retries = none\n")?;
        let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
        let outcome = python(&lan.client, STOPPED, &[&own]);
        assert_eq!(outcome.stdout.trim(), "2", "{unicast:?}: {outcome:?}");
    }
    Ok(())
}
