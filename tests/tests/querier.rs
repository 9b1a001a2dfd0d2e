//! How the querier asks and what it can do without: firewalls, loss, other holders of port 5353, aliases, own names.

use std::time::Duration;

use tests::helpers::{capture, query};
use tests::lan::{Families, Network};
use tests::lookups::{all, found, printed_addresses, python, python_daemon, python_getaddrinfo, routable, v4};
use tests::responders::{avahi, avahi_v4, scripted};
use tests::scenario::{Scenario, with_scripted};

/// What ufw and firewalld let in by default: answers of known connections, and multicast DNS to its groups.
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
fn a_stateful_firewall_lets_the_second_attempt_through() -> Result<(), String> {
    let mut lan = with_scripted("printer.local", &[])?;
    lan.client.firewall(STATEFUL)?;
    let bare = query(&lan.client, "printer.local", "a");
    assert!(!bare.success(), "a unicast answer passes this firewall, so it shows nothing: {bare:?}");
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(240), "{outcome:?}");
    // One that announces itself may be heard sooner.
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(avahi(&scanner, "scanner")?);
    let outcome = lan.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), routable(&scanner), "{outcome:?}");
    Ok(())
}

/// Each family's ear lets its own group's answers in.
#[test]
fn a_stateful_firewall_lets_either_family_through() -> Result<(), String> {
    for (families, rtype) in [(Families::V4, "a"), (Families::V6, "aaaa")] {
        let lan = Scenario::with(families, |printer| scripted(printer, "printer.local", &[]))?;
        lan.client.firewall(STATEFUL)?;
        let bare = query(&lan.client, "printer.local", rtype);
        assert!(!bare.success(), "a unicast answer passes this firewall, so it shows nothing: {bare:?}");
        let outcome = python_getaddrinfo(&lan.client, "printer.local");
        assert_eq!(printed_addresses(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    }
    Ok(())
}

#[test]
fn lost_packets_are_made_up_for() -> Result<(), String> {
    // A lookup asks three questions at first, and then six.
    for (lost, least) in [("3", 240), ("9", 1240)] {
        let lan = with_scripted("printer.local", &["--ignore-first", lost])?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
        assert!(outcome.elapsed > Duration::from_millis(least), "{outcome:?}");
    }
    Ok(())
}

/// Drops the first packet that asks for printer.local's addresses of one type, over IPv4 and over IPv6: `TYPE` is the
/// 27th and 28th octet of the message, behind the eight of the UDP header.
const FIRST_IS_LOST: &str = "
table inet filter {
    chain output {
        type filter hook output priority 0;
        meta nfproto ipv4 udp dport 5353 @th,280,16 TYPE quota until 100 bytes drop
        meta nfproto ipv6 udp dport 5353 @th,280,16 TYPE quota until 100 bytes drop
    }
}";

#[test]
fn one_lost_question_does_not_cost_a_family() -> Result<(), String> {
    for rtype in ["1", "28"] {
        let lan = with_scripted("printer.local", &[])?;
        lan.client.firewall(&FIRST_IS_LOST.replace("TYPE", rtype))?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "type {rtype}: {outcome:?}");
        let dropped = lan.client.script("nft list ruleset")?;
        assert!(dropped.contains("used"), "the rule counts what it drops: {dropped}");
    }
    Ok(())
}

#[test]
fn an_answered_lookup_sends_three_packets_and_a_remembered_one_none() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let capture = capture(&lan.client, "eth0")?;
    let twice = "import socket; [socket.getaddrinfo('printer.local', 80) for _ in (1, 2)]";
    assert!(tests::lookups::python(&lan.client, twice, &[]).success());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(capture.to_group().len(), 3, "{:?}", capture.packets());
    Ok(())
}

#[test]
fn the_absence_of_a_family_is_remembered() -> Result<(), String> {
    let lan = Scenario::with(Families::Both, |printer| avahi_v4(printer, "printer"))?;
    let capture = capture(&lan.client, "eth0")?;
    // First for IPv6, then for IPv4: three questions, and two more for the missing family.
    let outcome = lan.client.run(&["getent", "hosts", "printer.local"]);
    assert_eq!(found(&outcome), v4(&lan.printer), "{outcome:?}");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(capture.to_group().len(), 5, "{:?}", capture.packets());
    Ok(())
}

/// Holds port 5353 of all addresses without letting anyone share it.
const SELFISH: &str = "import socket, time
for family, address in (socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::'):
    holder = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    holder.bind((address, 5353))
    globals()[f'holder{family}'] = holder
print('ready', flush=True)
time.sleep(60)";

#[test]
fn without_port_5353_the_lookup_goes_on() -> Result<(), String> {
    let mut lan = with_scripted("printer.local", &[])?;
    lan.daemons.push(python_daemon(&lan.client, SELFISH, &[])?);
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    // And only the unicast answer that the third attempt asks for is heard from one that prefers to multicast.
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(scripted(&scanner, "scanner.local", &["--unicast", "requested"])?);
    let outcome = lan.client.run(&["getent", "ahosts", "scanner.local"]);
    assert_eq!(found(&outcome), all(&scanner, lan.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn a_reverse_lookup_is_asked_where_the_address_is() -> Result<(), String> {
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
fn aliases_lead_to_the_canonical_name() -> Result<(), String> {
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
fn a_circle_of_aliases_ends() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--alias", "a.local=b.local", "--alias", "b.local=a.local"])?;
    let outcome = lan.client.run(&["getent", "ahosts", "a.local"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(3500), "{outcome:?}");
    Ok(())
}

#[test]
fn the_hosts_own_name_needs_no_responder() -> Result<(), String> {
    let mut lan = Scenario::silent(Families::Both)?;
    let own = all(&lan.client, lan.client.eth0());
    let outcome = lan.client.run(&["getent", "ahosts", "client.local"]);
    assert_eq!(found(&outcome), own, "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(240), "the network is asked first: {outcome:?}");
    // With a responder, on whichever host, the network's answer wins.
    lan.daemons.push(scripted(&lan.printer, "client.local", &[])?);
    let outcome = lan.client.run(&["getent", "ahosts", "client.local"]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn members_of_a_bridge_are_left_to_the_bridge() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let address = lan.client.eth0().v4.ok_or("no IPv4")?;
    // As virtualisation hosts have it: the addresses are on the bridge. The member keeps its link-local one.
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

/// A process that is stopped before the answers come, and goes on when its time is up. The ear has heard others' questions
/// meanwhile.
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
fn a_process_that_did_not_run_takes_what_has_come_in_time() -> Result<(), String> {
    // By unicast, and all through the one ear that the others' questions fill, the IPv6 address behind them.
    for like in [&[][..], &["--like", "zephyr"]] {
        let options = [like, &["--aaaa", "fd77:1::77", "--delay", "800", "--delay-aaaa", "400"]].concat();
        let lan = Scenario::with(Families::V4, |printer| scripted(printer, "printer.local", &options))?;
        lan.client.write("/etc/nss-mdns.conf", "retries = none\n")?;
        let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
        let outcome = python(&lan.client, STOPPED, &[&own]);
        assert_eq!(outcome.stdout.trim(), "2", "{like:?}: {outcome:?}");
    }
    Ok(())
}
