//! How the harness impairs networks: the LAN that is like Wi-Fi, and hosts that lose packets.

use std::time::Duration;
use tests::helpers::{query, query_with};
use tests::lan::{Families, Host, Network};
use tests::lookups::{python, python_daemon};
use tests::loss::{Packets, lose};
use tests::responders::scripted;
use tests::wifi::{Conditions, Multicast, Wifi};

/// Two hosts with Wi-Fi between them. The network is dropped last.
struct Pair {
    printer: Host,
    client: Host,
    _wifi: Wifi,
    _network: Network,
}

fn pair(conditions: &Conditions) -> Result<Pair, String> {
    let network = Network::new()?;
    let wifi = Wifi::with(&network, Families::Both, conditions)?;
    let printer = network.host("printer", &[&wifi.responder_side])?;
    let client = network.host("client", &[&wifi.client_side])?;
    Ok(Pair { printer, client, _wifi: wifi, _network: network })
}

fn only_mdns(to_client: Multicast, to_responder: Multicast) -> Conditions {
    Conditions { to_client, to_responder, only_mdns: true, seed: 1 }
}

/// The groups of multicast DNS.
const GROUPS: [&str; 2] = ["224.0.0.251", "ff02::fb"];

/// Prints the delay of each datagram to a group, in microseconds, and `done` after a datagram with the text `end`.
const RECEIVER: &str = "
import socket, struct, sys, time
group = sys.argv[1]
index = socket.if_nametoindex('eth0')
if ':' in group:
    receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.bind(('::', 5353))
    member = socket.inet_pton(socket.AF_INET6, group) + struct.pack('@I', index)
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
else:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(('', 5353))
    member = socket.inet_aton(group) + struct.pack('@4xi', index)
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
print('ready', flush=True)
while (datagram := receiver.recv(2000)) != b'end':
    assert len(datagram) == 1200
    print((time.monotonic_ns() - int(datagram)) // 1000)
print('done')
";

/// Sends datagrams to a group, one per millisecond, each with the time at which it was sent. Half a second later it
/// sends `end` by unicast to the receiver, many times because such a datagram can be lost too.
const SENDER: &str = "
import socket, sys, time
group, receiver, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sender = socket.socket(socket.AF_INET6 if ':' in group else socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')
for _ in range(count):
    sender.sendto(str(time.monotonic_ns()).rjust(1200).encode(), (group, 5353))
    time.sleep(0.001)
time.sleep(0.5)
# One of these arrives even if a host has to be found again and requests for that are lost.
for _ in range(50):
    sender.sendto(b'end', (receiver, 5353))
    time.sleep(0.03)
";

/// Sends `count` datagrams to each group. Returns the delays of those that arrived, for each group in ascending order.
fn send_to_groups(from: &Host, to: &Host, count: u32) -> Result<[Vec<Duration>; 2], String> {
    let mut delays = [Vec::new(), Vec::new()];
    for ((group, address), delays) in GROUPS.into_iter().zip(addresses(to)).zip(&mut delays) {
        let receiver = python_daemon(to, RECEIVER, &[group])?;
        let sent = python(from, SENDER, &[group, &address, &count.to_string()]);
        assert!(sent.success(), "a loss on the way must not be an error for the sender: {sent:?}");
        receiver.wait_for("done", Duration::from_secs(10))?;
        let lines = receiver.lines();
        delays.extend(lines.iter().filter_map(|line| line.parse().ok()).map(Duration::from_micros));
        delays.sort_unstable();
    }
    Ok(delays)
}

/// The round-trip times of the pings that were answered, in ascending order.
fn ping(from: &Host, to: &str, count: u32, options: &[&str]) -> Vec<Duration> {
    let count = count.to_string();
    let outcome = from.run(&[&["ping", "-n", "-i", "0.002", "-W", "2", "-c", &count, to], options].concat());
    assert!(!outcome.stdout.contains("wrong data"), "{outcome:?}");
    let time = |line: &str| line.split_once("time=")?.1.strip_suffix(" ms")?.parse::<f64>().ok();
    let mut times: Vec<_> =
        outcome.stdout.lines().filter_map(time).map(|ms| Duration::from_secs_f64(ms / 1000.0)).collect();
    times.sort_unstable();
    times
}

fn addresses(host: &Host) -> [String; 2] {
    let interface = host.eth0();
    [interface.v4.map(|address| address.to_string()), interface.v6.map(|address| address.to_string())]
        .map(|address| address.expect("both families"))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Checks that the number of arrived packets is within five standard deviations of the expected number.
#[track_caller]
fn assert_share(arrived: usize, sent: u32, percent: u32) {
    let (sent, share) = (f64::from(sent), f64::from(percent) / 100.0);
    let (expected, deviation) = (sent * share, (sent * share * (1.0 - share)).sqrt());
    let arrived = f64::from(u32::try_from(arrived).expect("a small number"));
    assert!((arrived - expected).abs() <= 5.0 * deviation, "{arrived} of {sent} arrived: not {percent} %");
}

#[test]
fn wifi_loses_and_delays_multicast_in_each_direction() -> Result<(), String> {
    let to_client = Multicast { lost_percent: 20, late_ms: (100, 300) };
    let to_responder = Multicast { lost_percent: 50, late_ms: (0, 0) };
    let Pair { printer, client, .. } = &pair(&only_mdns(to_client, to_responder))?;
    for to_client in send_to_groups(printer, client, 400)? {
        assert_share(to_client.len(), 400, 80);
        assert!(to_client.iter().all(|delay| *delay >= ms(100)), "{to_client:?}");
        let median = to_client[to_client.len() / 2];
        assert!((ms(160)..ms(280)).contains(&median), "{median:?}");
        assert!(to_client[to_client.len() / 10] < ms(180), "{to_client:?}");
        assert!(to_client[to_client.len() * 9 / 10] > ms(220), "{to_client:?}");
    }
    for to_responder in send_to_groups(client, printer, 400)? {
        assert_share(to_responder.len(), 400, 50);
        let median = to_responder[to_responder.len() / 2];
        assert!(median < ms(20), "{median:?}");
    }
    Ok(())
}

#[test]
fn wifi_loses_no_unicast_and_does_not_delay_it() -> Result<(), String> {
    let lost = Multicast { lost_percent: 100, late_ms: (0, 0) };
    let Pair { printer, client, .. } = &pair(&only_mdns(lost, lost))?;
    for address in &addresses(printer) {
        let times = ping(client, address, 200, &[]);
        assert_eq!(times.len(), 200, "{times:?}");
        assert!(times[100] < ms(3), "{times:?}");
        assert_eq!(ping(client, address, 20, &["-s", "20000"]).len(), 20);
    }
    assert_eq!(send_to_groups(client, printer, 50)?, [[], []]);
    Ok(())
}

#[test]
fn wifi_delays_neighbour_discovery_unless_only_mdns_is_affected() -> Result<(), String> {
    let late = Multicast { lost_percent: 0, late_ms: (200, 200) };
    let Pair { printer, client, .. } = &pair(&Conditions::both(late))?;
    for address in &addresses(printer) {
        let times = ping(client, address, 1, &[]);
        assert!(times.len() == 1 && times[0] >= ms(200), "{times:?}");
        let times = ping(client, address, 1, &[]);
        assert!(times.len() == 1 && times[0] < ms(100), "{times:?}");
    }
    let Pair { printer, client, .. } = &pair(&only_mdns(late, late))?;
    for address in &addresses(printer) {
        let times = ping(client, address, 1, &[]);
        assert!(times.len() == 1 && times[0] < ms(100), "{times:?}");
    }
    Ok(())
}

#[test]
fn a_responder_on_wifi_answers_late_by_unicast_and_later_by_multicast() -> Result<(), String> {
    let late = Multicast { lost_percent: 0, late_ms: (200, 200) };
    let Pair { printer, client, .. } = &pair(&only_mdns(late, late))?;
    let _responder = scripted(printer, "printer.local", &[])?;
    for rtype in ["a", "aaaa"] {
        let unicast = query(client, "printer.local", rtype);
        assert!(unicast.success() && (ms(200)..ms(390)).contains(&unicast.elapsed), "{unicast:?}");
        let multicast = query_with(client, "printer.local", rtype, &["--from-5353"]);
        assert!(multicast.success() && multicast.elapsed >= ms(400), "{multicast:?}");
    }
    for address in &addresses(printer) {
        let direct = query_with(client, "printer.local", "a", &["--direct", address]);
        assert!(direct.success() && direct.elapsed < ms(190), "{direct:?}");
    }
    Ok(())
}

#[test]
fn a_host_loses_packets_in_both_directions_without_an_error() -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    // Fills the neighbour table, so that a lost ARP request or neighbour solicitation cannot affect the counts below.
    for address in &addresses(&printer) {
        assert_eq!(ping(&client, address, 1, &[]).len(), 1);
    }
    lose(&network, &client, 30, Packets::All)?;
    for address in &addresses(&printer) {
        assert_share(ping(&client, address, 400, &[]).len(), 400, 49);
    }
    for (from, to) in [(&client, &printer), (&printer, &client)] {
        for arrived in send_to_groups(from, to, 400)? {
            assert_share(arrived.len(), 400, 70);
        }
    }
    lose(&network, &client, 0, Packets::All)?;
    for address in &addresses(&printer) {
        assert_eq!(ping(&client, address, 100, &[]).len(), 100);
    }
    Ok(())
}

#[test]
fn a_host_can_lose_multicast_or_udp_alone() -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    lose(&network, &client, 50, Packets::Mdns)?;
    for (from, to) in [(&client, &printer), (&printer, &client)] {
        for arrived in send_to_groups(from, to, 400)? {
            assert_share(arrived.len(), 400, 50);
        }
    }
    // Neighbour discovery is multicast as well, but only multicast DNS is lost so far.
    for address in &addresses(&printer) {
        assert_eq!(ping(&client, address, 50, &[]).len(), 50);
    }
    lose(&network, &client, 50, Packets::Udp)?;
    for arrived in send_to_groups(&printer, &client, 400)? {
        assert_share(arrived.len(), 400, 50);
    }
    for address in &addresses(&printer) {
        assert_eq!(ping(&client, address, 50, &[]).len(), 50);
    }
    lose(&network, &client, 100, Packets::Multicast)?;
    assert_eq!(send_to_groups(&client, &printer, 50)?, [[], []]);
    assert_eq!(send_to_groups(&printer, &client, 50)?, [[], []]);
    client.script("ip neighbour flush all")?;
    let [v4, v6] = addresses(&printer);
    assert_eq!(ping(&client, &v4, 50, &[]).len(), 50);
    assert_eq!(ping(&client, &v6, 1, &[]).len(), 0);
    Ok(())
}
