//! Packets that a strict reading of the rules would reject, from real situations: responders in another subnet, two
//! interfaces on one link, hosts with one name, addresses that change, and responders that never repeat a message id.
//! `attacks.rs` has the packets that must be rejected.

use std::collections::BTreeSet;
use std::time::Duration;

use test_packet::{IN, Packet, TOP_BIT, types, wire};
use tests::lan::{Families, Host, Network};
use tests::lookups::{AT_ONCE, addresses, python_daemon, routable, v4};
use tests::responders::{avahi, avahi_v4, libmdns, scripted, scripted_with};
use tests::run::{Daemon, Outcome};
use tests::scenario::{Scenario, with_scripted};

type Tested = Result<(), String>;

/// Answers every query for A over IPv4 with packets, each at a time in milliseconds after it: to the group or to the
/// querier.
const REPLAYER: &str = "import socket, struct, sys, time
hops, steps = int(sys.argv[1]), [step.split(':') for step in sys.argv[2:]]
replayer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
replayer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
replayer.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
replayer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)
replayer.bind(('', 5353))
interface = struct.pack('4s4si', socket.inet_aton('224.0.0.251'), bytes(4), socket.if_nametoindex('eth0'))
replayer.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, interface)
replayer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
replayer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
print('ready', flush=True)
while True:
    query, source = replayer.recvfrom(9000)
    if query[2] & 128 or query[-4:-2] != bytes([0, 1]):
        continue
    start = time.monotonic()
    for delay, to, octets in steps:
        time.sleep(max(0, start + int(delay) / 1000 - time.monotonic()))
        replayer.sendto(bytes.fromhex(octets), ('224.0.0.251', 5353) if to == 'group' else source)
";

/// Starts [`REPLAYER`] with this hop limit and these packets.
fn replay(host: &Host, hop_limit: u8, steps: &[(u16, &str, Packet)]) -> Result<Daemon, String> {
    let hex = |packet: &Packet| packet.octets().iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let step = |(delay, to, packet): &(u16, &str, Packet)| format!("{delay}:{to}:{}", hex(packet));
    let mut arguments = vec![hop_limit.to_string()];
    arguments.extend(steps.iter().map(step));
    python_daemon(host, REPLAYER, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn ahosts(client: &Host, name: &str) -> Outcome {
    client.run(&["getent", "ahosts", name])
}

/// A responder that only multicasts, on a host whose only address is in another subnet.
#[test]
fn a_multicast_response_is_accepted_whatever_its_source_is() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.printer.script("ip address flush dev eth0 scope global; ip address add 192.168.50.9/24 dev eth0")?;
    // The client's kernel accepts the packet if it has any route to the source.
    lan.client.script("ip route add default dev eth0")?;
    for start in [
        &(|host: &Host| scripted_with(host, &["--name", "printer.local", "--a", "192.168.50.9", "--unicast", "never"]))
            as &dyn Fn(&Host) -> Result<Daemon, String>,
        &libmdns,
    ] {
        let daemon = start(&lan.printer)?;
        let outcome = ahosts(&lan.client, "printer.local");
        assert_eq!(addresses(&outcome), ["192.168.50.9".to_owned()].into(), "{outcome:?}");
        drop(daemon);
    }
    Ok(())
}

/// Only unicast responses: on the client, nothing is received on the multicast listener.
const UNICAST_ONLY: &str = "listener = off\n";

#[test]
fn a_unicast_response_may_arrive_on_another_interface_of_the_same_link() -> Tested {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.client("client", &[&lan])?;
    let _avahi = avahi(&printer, "printer")?;
    client.write("/etc/nss-mdns.conf", UNICAST_ONLY)?;
    // The address is on a macvlan. The neighbour table of the printer has the link-layer address of its parent.
    let (own, prefix_length) = (client.eth0().v4.ok_or("no IPv4")?, 24);
    client.script(&format!(
        "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done
         ip -4 address flush dev eth0
         ip link add link eth0 name mv0 type macvlan mode bridge; ip link set mv0 up
         ip address add {own}/{prefix_length} dev mv0"
    ))?;
    let shown = client.script("ip -o link show eth0")?;
    let parent = shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).ok_or("no address")?;
    printer.script(&format!("ip neigh replace {own} lladdr {parent} dev eth0 nud permanent"))?;
    let outcome = client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(addresses(&outcome), v4(&printer), "{outcome:?}");
    Ok(())
}

/// A second interface on the same link has no IPv4 address, or a link-local one. A host that sends IPv6 addresses only
/// over IPv6 may respond there first.
#[test]
fn a_host_may_respond_on_two_interfaces_of_one_link() -> Tested {
    for own in ["", "ip address add 169.254.9.9/16 dev eth0"] {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let printer = network.host("printer", &[&lan])?;
        let client = network.client("client", &[&lan, &lan])?;
        client.script(&format!(
            "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done
             ip -4 address flush dev eth0; ip -6 address flush dev eth0 scope global; {own}"
        ))?;
        let _responder = scripted(&printer, "printer.local", &["--like", "resolved"])?;
        for _ in 0..4 {
            for (database, expected) in [("ahostsv4", v4(&printer)), ("ahosts", routable(&printer))] {
                let outcome = client.run(&["getent", database, "printer.local"]);
                let found: BTreeSet<_> =
                    addresses(&outcome).into_iter().filter(|address| !address.starts_with("fe80")).collect();
                assert_eq!((&expected, true), (&found, outcome.elapsed < AT_ONCE), "{own}: {outcome:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_second_host_with_the_same_name_is_not_mixed_with_the_first() -> Tested {
    let lan = Scenario::with(Families::Both, |printer| avahi_v4(printer, "printer"))?;
    let intruder = lan.network.host("intruder", &[&lan.lan])?;
    let v6 = intruder.eth0().v6.ok_or("no IPv6")?.to_string();
    let options = ["--name", "printer.local", "--aaaa", &v6, "--only-over", "4", "--delay", "5"];
    let _intruder = scripted_with(&intruder, &options)?;
    for _ in 0..5 {
        let outcome = ahosts(&lan.client, "printer.local");
        assert_eq!(addresses(&outcome), v4(&lan.printer), "{outcome:?}");
    }
    Ok(())
}

#[test]
fn an_address_that_changes_during_the_lookup_is_replaced() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    let of = |ip: &str| Packet::new(0).address("printer.local", ip);
    let goodbye = Packet::new(0).record_with(&wire("printer.local"), types::A, IN | TOP_BIT, 0, &[10, 77, 0, 99]);
    let steps = [(0, "group", of("10.77.0.99")), (6, "group", goodbye), (8, "group", of("10.77.0.42"))];
    let _replayer = replay(&lan.printer, 255, &steps)?;
    let outcome = ahosts(&lan.client, "printer.local");
    assert_eq!(addresses(&outcome), ["10.77.0.42".to_owned()].into(), "{outcome:?}");
    Ok(())
}

/// Without an id that only the link can know, the hop limit must show that no router has forwarded the response.
#[test]
fn a_responder_that_always_sends_id_0_is_found_if_its_hop_limit_is_255() -> Tested {
    for (hop_limit, expected) in [(255, Some("10.77.0.42".to_owned())), (64, None)] {
        let lan = Scenario::silent(Families::Both)?;
        let response = Packet::new(0).address("printer.local", "10.77.0.42");
        let _replayer = replay(&lan.printer, hop_limit, &[(0, "querier", response)])?;
        let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
        assert_eq!(addresses(&outcome), expected.into_iter().collect(), "{hop_limit}: {outcome:?}");
    }
    Ok(())
}

#[test]
fn the_records_of_a_response_that_is_too_long_count_as_far_as_they_were_received() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    let text = [&[255][..], &[b'x'; 255]].concat();
    let mut response = Packet::new(0).address("printer.local", "10.77.0.42");
    while response.octets().len() <= 9500 {
        response = response.record(&wire("filler.local"), types::TXT, &text);
    }
    let _replayer = replay(&lan.printer, 255, &[(0, "group", response)])?;
    let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(addresses(&outcome), ["10.77.0.42".to_owned()].into(), "{outcome:?}");
    Ok(())
}

#[test]
fn an_alias_of_a_name_with_spaces_leads_to_its_addresses() -> Tested {
    let lan = with_scripted("Bob's Mac mini.local", &["--alias", "printer.local=Bob's Mac mini.local"])?;
    let script = "import socket, sys
found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
print(found[0][3])
print(*sorted({address[0] for *_, address in found}))";
    let outcome = tests::lookups::python(&lan.client, script, &["printer.local"]);
    let mut lines = outcome.stdout.lines();
    assert_eq!(lines.next(), Some("printer.local"), "{outcome:?}");
    let found = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    assert!(v4(&lan.printer).is_subset(&found.collect()), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(1500), "{outcome:?}");
    Ok(())
}
