//! The stories of lookups that ask the network.

use std::time::Duration;

use tests::lan::{Families, Host};
use tests::lookups::python_daemon;
use tests::loss::{Packets, lose};
use tests::responders::{addresses, avahi, scripted, scripted_with, zeroconf_v4};
use tests::run::Daemon;
use tests::scenario::{Scenario, with_avahi, with_scripted};
use tests::{firewalls, helpers};

use super::{Tested, check, check_by};

/// The IPv4 address of a host, and the IPv6 address that is not link-local.
fn of(host: &Host) -> Result<(String, String), String> {
    let eth0 = host.eth0();
    Ok((eth0.v4.ok_or("no IPv4")?.to_string(), eth0.v6.ok_or("no IPv6")?.to_string()))
}

const FIRST: &str = "asked on eth0: 224.0.0.251 for A and AAAA, ff02::fb for AAAA";

#[test]
fn both_families_are_found_and_then_cached() -> Tested {
    let lan = with_avahi()?;
    let (v4, v6) = of(&lan.printer)?;
    let told = check(&lan.client, &["printer.local", "PRINTER.local"])?;
    told.has_status(0);
    told.has(&[
        FIRST,
        &format!("response from {v4} by unicast on eth0, hop limit 255: A {v4} (TTL 10 s)"),
        &format!("response from {v6} by unicast on eth0, hop limit 255: AAAA {v6} (TTL 10 s)"),
        "answered from the cache of this process",
    ]);
    let head = told.after("lookup printer.local: ");
    assert!(head.contains(&v4) && head.contains(&v6) && head.ends_with(" ms)"), "{head}");
    told.has_no("no IPv6 address");
    Ok(())
}

#[test]
fn what_denies_a_family_is_told() -> Tested {
    let lan = Scenario::with(Families::Both, |printer| zeroconf_v4(printer, "printer"))?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    told.has(&[
        "denies IPv6 addresses: an NSEC record that does not list it",
        "no IPv6 address: denied over IPv4, and unanswered over IPv6 (asked again after a second)",
    ]);
    // On a link without IPv6, the denial is complete.
    let lan = Scenario::with(Families::V4, |printer| zeroconf_v4(printer, "printer"))?;
    check(&lan.client, &["printer.local"])?.has(&["the host has no IPv6 address: denied over IPv4"]);
    // Avahi sends no NSEC record, but answers ANY with what it has.
    let lan = Scenario::with(Families::V4, |printer| avahi(printer, "printer"))?;
    check(&lan.client, &["printer.local"])?.has(&[
        "denies IPv6 addresses: an answer to a question of type ANY that has only the other family",
        "the host has no IPv6 address: denied over IPv4",
    ]);
    Ok(())
}

#[test]
fn silence_about_a_family_is_told() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    let (v4, _) = of(&lan.printer)?;
    let options = ["--name", "printer.local", "--a", &v4, "--ignore-any"];
    lan.daemons.push(scripted_with(&lan.printer, &options)?);
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    told.has(&[
        &*format!("followed up on eth0: {v4} for ANY"),
        "followed up on eth0 from port 5353: ff02::fb for AAAA",
    ]);
    let silence = told.after("no IPv6 address: ");
    assert!(silence.contains("neither answered nor denied"), "{silence}");
    told.has_no("denies");
    Ok(())
}

#[test]
fn the_whole_schedule_of_a_name_that_nobody_has_is_told() -> Tested {
    let lan = with_avahi()?;
    lan.client.write("/etc/nss-mdns.conf", "timeout = 300\nretries = 30\n")?;
    let told = check(&lan.client, &["nobody.local"])?;
    told.has_status(1);
    told.has(&[
        FIRST,
        "avahi-daemon on this machine cannot be asked (it does not run, or does not take this name)",
        "asked again on eth0 from port 5353: 224.0.0.251 for A and AAAA, ff02::fb for AAAA",
        "asked again on eth0 with the QU bit: 224.0.0.251 for A and AAAA, ff02::fb for AAAA",
        "gave up",
    ]);
    told.has(&[
        "lookup nobody.local: note: a firewall here may drop responses (UDP source port 5353): that can be tested only if a \
         host responds",
    ]);
    let head = told.after("lookup nobody.local: problem: nobody responded on eth0 (");
    let (time, rest) = head.split_once(" ms): ").ok_or("no time")?;
    assert!(
        time.parse().is_ok_and(|time: f64| time >= 300.0) && rest.starts_with("no host there has this name"),
        "{head}"
    );
    Ok(())
}

#[test]
fn a_firewall_that_drops_the_first_responses_is_told() -> Tested {
    // Unlike Avahi, it never announces its addresses, which a firewall would admit.
    let lan = with_scripted("printer.local", &[])?;
    firewalls::ufw(&lan.client)?;
    lan.client.write("/etc/nss-mdns.conf", "neighbours = off\n")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    told.has(&[
        "firewall eth0: over IPv4 and IPv6, queries to UDP port 5353 are admitted",
        "firewall: the kernel tracks connections, so a stateful firewall may drop the unicast responses to the first \
         questions; lookups then repeat the questions from port 5353, after about 30 ms",
        "lookup printer.local: note: no response to the first questions arrived: a firewall on this machine or on the host \
         drops them, or packets are lost",
    ]);
    // The response for either family may be the first. The other is then asked for directly, which the firewall admits.
    let is_multicast =
        |line: &str| line.starts_with("response from ") && line.contains(" by multicast on eth0, hop limit 255: ");
    assert!(told.lines().into_iter().any(is_multicast), "{}", told.text);
    Ok(())
}

#[test]
fn questions_that_cannot_be_sent_are_told() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client
        .firewall("table inet t { chain c { type filter hook output priority 0; ip daddr 224.0.0.251 drop; }; }")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        "could not ask on eth0: 224.0.0.251 for A and AAAA: Operation not permitted (os error 1)",
        "firewall eth0: problem: over IPv4, a firewall here blocks sending: Operation not permitted (os error 1); in the output \
         chain that sudo nft list ruleset shows, add before its other rules: \
             udp dport 5353 accept; if it shows none: sudo iptables -I OUTPUT -p udp --dport 5353 -j ACCEPT, or \
             ip6tables; then save it where the rules are kept",
    ]);
    Ok(())
}

/// Answers each query for A over IPv4 with packets that must be ignored, and then with the address.
const LIAR: &str = "import socket, struct, sys, time
own, off_link, querier_lan = sys.argv[1:4]
def bound(address, port=5353, ttl=64):
    it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    it.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    it.bind((address, port))
    return it
listener = bound('224.0.0.251')
interface = struct.pack('4s4si', socket.inet_aton('224.0.0.251'), bytes(4), socket.if_nametoindex('eth0'))
listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, interface)
near, near_255, far, odd = bound(own), bound(own, ttl=255), bound(off_link), bound(own, 4000)
def response(id, flags=0x8400, question=b'', name=b'\\7printer\\5local\\0'):
    header = struct.pack('>6H', id, flags, bool(question), 1, 0, 0)
    return header + question + name + struct.pack('>HHIH', 1, 1, 120, 4) + socket.inet_aton(own)
print('ready', flush=True)
while True:
    query, source = listener.recvfrom(9000)
    if query[2] & 128 or query[-4:-2] != bytes([0, 1]):
        continue
    id = query[0] * 256 + query[1]
    other = b'\\7scanner\\5local\\0\\0\\1\\0\\1'
    for sender, to, packet in [
        (odd, source, response(id)),
        (near, source, b'short'),
        (near, source, response(id, 0xa400)),
        (near, source, response(id, 0x8403)),
        (near, source, response(id ^ 0x5555)),
        (near_255, source, response(0)),
        (near, source, response(0)),
        (far, source, response(id)),
        (near, source, response(id, question=other)),
        (near, (querier_lan, source[1]), response(id)),
        (near, source, query),
    ]:
        sender.sendto(packet, to)
    time.sleep(0.01)
    near.sendto(response(id), source)
";

#[test]
fn each_packet_that_is_ignored_is_told_with_the_reason() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    let v4 = lan.printer.eth0().v4.ok_or("no IPv4")?;
    lan.printer.script("ip address add 192.168.50.9/24 dev eth0")?;
    lan.client.script("ip route add default dev eth0")?;
    let [a, b, c, _] = v4.octets();
    let _liar = python_daemon(&lan.printer, LIAR, &[&v4.to_string(), "192.168.50.9", &format!("{a}.{b}.{c}.255")])?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    let ignored = |source: &str, hop_limit: u8, records: &str, why: &str| {
        format!("ignored a packet from {source} by unicast on eth0, hop limit {hop_limit}: {records}: {why}")
    };
    let v4 = &v4.to_string();
    let answer = &format!("A {v4} (TTL 120 s)");
    told.has(&[
        ignored(v4, 64, answer, "it was sent from UDP port 4000, but responses come from 5353"),
        ignored(v4, 64, "no records", "it is too short for a message"),
        ignored(v4, 64, answer, "its opcode is not 0"),
        ignored(v4, 64, answer, "its response code is not 0"),
        ignored(v4, 64, answer, "its id is not that of a query of this lookup"),
        ignored(v4, 255, answer, "its id is 0, which is accepted only after the queries have been repeated"),
        ignored(v4, 64, answer, "its id is 0 and its hop limit is not 255, so it may come from beyond a router"),
        ignored(
            "192.168.50.9",
            64,
            answer,
            "its source is in no prefix of the queried interface, and its hop limit is not 255",
        ),
        ignored(v4, 64, answer, "it repeats a question about another name"),
        ignored(v4, 64, answer, "it was not sent to an address of the queried interface"),
        format!("response from {v4} by unicast on eth0, hop limit 64: {answer}"),
    ]);
    assert!(told.text.contains("queries, by this machine or by other hosts"), "{}", told.text);
    Ok(())
}

#[test]
fn two_hosts_with_one_name_are_told_apart() -> Tested {
    let mut lan = Scenario::silent(Families::V4)?;
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(scripted(&lan.printer, "printer.local", &["--ignore-any"])?);
    lan.daemons.push(scripted(&scanner, "printer.local", &["--delay", "8"])?);
    let told = check(&lan.client, &["printer.local"])?;
    told.has(&["ignored: another host responded first, and the addresses of two hosts are not mixed"]);
    Ok(())
}

#[test]
fn an_alias_is_told() -> Tested {
    let mut lan = Scenario::silent(Families::V4)?;
    let options: Vec<_> = ["--name", "host.local", "--alias", "printer.local=host.local"].map(str::to_owned).into();
    let options = [options, addresses(&lan.printer)].concat();
    lan.daemons.push(scripted_with(&lan.printer, &options.iter().map(String::as_str).collect::<Vec<_>>())?);
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    told.has(&["printer.local is an alias of host.local: that name is looked up"]);
    Ok(())
}

#[test]
fn neighbours_that_are_asked_are_told() -> Tested {
    let lan = Scenario::with(Families::Both, |printer| avahi(printer, "printer"))?;
    lose(&lan.network, &lan.client, 100, Packets::Mdns)?;
    let (v4, _) = of(&lan.printer)?;
    lan.client.script(&format!("ping -c 1 -W 2 {v4}"))?;
    let told = check(&lan.client, &["printer.local"])?;
    let asked = told.after("asked neighbours directly on eth0: ");
    assert!(asked.starts_with(&format!("{v4} for A")), "{asked}");
    told.has(&[format!("response from {v4} by unicast on eth0, hop limit 255: A {v4} (TTL 10 s)")]);
    // Without a recent exchange of packets there is nobody to ask.
    let lan = Scenario::silent(Families::V4)?;
    lan.client.write("/etc/nss-mdns.conf", "timeout = 100\n")?;
    lan.client.script("ip neighbour flush dev eth0")?;
    let told = check(&lan.client, &["nobody.local"])?;
    told.has(&["the kernel's neighbour table has no host that could be asked directly"]);
    Ok(())
}

#[test]
fn what_a_daemon_on_this_machine_says_is_told() -> Tested {
    let mut lan = with_avahi()?;
    lan.daemons.push(avahi(&lan.client, "client")?);
    let (v4, _) = of(&lan.printer)?;
    let asked = "asked avahi-daemon on this machine";
    let knows = format!("avahi-daemon on this machine knows {v4}");
    // The first request makes the daemon query the network.
    let told = check_by(&lan.client, &["unshare", "--net"], &["printer.local"])?;
    told.has(&[asked, "no interface can be queried", &knows]);
    lan.printer.script("ip link set eth0 down")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has(&[FIRST, asked, &knows, "daemons: avahi-daemon runs: lookups ask it too if nobody responds at once"]);
    Ok(())
}

#[test]
fn the_own_name_and_own_addresses_are_told() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    let capture = helpers::capture(&lan.client, "eth0")?;
    let (v4, v6) = of(&lan.client)?;
    // The firewall check sends queries of its own.
    lan.client.write("/etc/nss-mdns.conf", "listener = off\n")?;
    for address in [&v4, &v6] {
        let told = check(&lan.client, &[address])?;
        told.has(&["this is the machine's own address: the answer is its own name"]);
        let head = told.after(&format!("lookup {address}: "));
        assert!(head.starts_with("client.local (") && head.ends_with("; by the full services only)"), "{head}");
        told.has_no("asked on");
    }
    assert_eq!(capture.to_group(), [""; 0]);
    let told = check(&lan.client, &["client.local"])?;
    told.has_status(0);
    told.has(&[
        "this is the machine's own name: if nobody responds within 250 ms, the answer is the machine's own addresses",
        "nobody responded: the answer is the machine's own addresses",
    ]);
    assert!(told.after("lookup client.local: ").contains(&v4));
    Ok(())
}

#[test]
fn own_addresses_that_are_added_to_an_answer_are_reported() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    let (v4, v6) = of(&lan.client)?;
    lan.daemons.push(scripted_with(&lan.client, &["--name", "client.local", "--a", &v4])?);
    let told = check(&lan.client, &["client.local"])?;
    told.has_status(0);
    told.has(&["added the machine's own IPv6 addresses: its responder is silent about them"]);
    assert!(told.after("lookup client.local: ").contains(&v6));
    let json = check_by(&lan.client, &[], &["--json", "client.local"])?;
    let dense: String = json.text.split_whitespace().collect();
    assert!(dense.contains(r#""own_added","family":"IPv6""#), "{}", json.text);
    Ok(())
}

#[test]
fn a_reverse_lookup_is_told() -> Tested {
    // The first response ends the lookup. The delay ensures that it arrives over IPv4.
    let lan = with_scripted("printer.local", &["--reverse", "--delay-v6", "100"])?;
    let (v4, _) = of(&lan.printer)?;
    let told = check(&lan.client, &[&v4])?;
    told.has(&[
        format!("asked on eth0: 224.0.0.251, ff02::fb and {v4} for PTR"),
        format!("response from {v4} by unicast on eth0, hop limit 255: PTR printer.local (TTL 10 s)"),
        format!(
            "lookup {v4}: note: the hosts line has only minimal services, which look up the names of link-local addresses only"
        ),
    ]);
    assert!(told.after(&format!("lookup {v4}: ")).starts_with("printer.local ("));
    // As the check itself shows the address.
    let link_local = lan.printer.eth0().link_local.ok_or("no link-local address")?;
    let told = check(&lan.client, &[&format!("{link_local}%eth0")])?;
    told.after(&format!("lookup {link_local}: printer.local ("));
    let told = check(&lan.client, &["192.0.2.1"])?;
    told.has(&[
        "lookup 192.0.2.1: problem: not asked for: it is in no prefix of a queried interface, or the setting reverse \
                excludes it",
    ]);
    Ok(())
}

/// This machine's own addresses in another host's answer.
#[test]
fn addresses_that_are_left_out_are_told() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    lan.client
        .script("ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up")?;
    let (v4, _) = of(&lan.printer)?;
    let link_local = lan.printer.eth0().link_local.ok_or("no link-local address")?.to_string();
    let options = ["--name", "printer.local", "--a", &v4, "--a", "172.17.0.1", "--aaaa", &link_local];
    let start = |host: &Host| -> Result<Daemon, String> { scripted_with(host, &options) };
    lan.daemons.push(start(&lan.printer)?);
    lan.client.write("/etc/nss-mdns.conf", "ipv6-link-local = off\n")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has(&[
        "left 172.17.0.1 out of the answer: this machine has that address too, and a program would reach itself",
        "left out the link-local IPv6 addresses: ipv6-link-local = off",
    ]);
    assert!(told.after("lookup printer.local: ").starts_with(&format!("{v4} (")));
    Ok(())
}

/// A maintainer reads when something was asked, and when the answer came.
#[test]
fn times_are_those_of_the_lookup() -> Tested {
    let lan = with_scripted("printer.local", &["--delay", "60", "--ignore-any"])?;
    lan.client.write("/etc/nss-mdns.conf", "retries = 200\nneighbours = off\n")?;
    let told = check(&lan.client, &["printer.local"])?;
    let time = |text: &str| {
        let line = told.text.lines().find(|line| line.contains(text)).ok_or(format!("{text}: {}", told.text))?;
        let milliseconds = line.trim().split(' ').next().and_then(|time| time.parse::<f64>().ok());
        milliseconds.map(|ms| Duration::from_secs_f64(ms / 1000.0)).ok_or(line.to_owned())
    };
    assert!(time("  asked on eth0")? < Duration::from_millis(30), "{}", told.text);
    let answered = time("  response from ")?;
    assert!(answered >= Duration::from_millis(60) && answered < Duration::from_millis(150), "{}", told.text);
    Ok(())
}
