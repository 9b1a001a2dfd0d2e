//! Hosts on which daemons have bound port 5353 of all addresses: the module receives multicast responses, and the
//! daemons still receive their unicast packets.

use tests::helpers::capture;
use tests::lan::{Families, Host};
use tests::lookups::{all, printed_addresses, python_getaddrinfo};
use tests::responders::{answered, avahi, resolved, scripted};
use tests::run::Daemon;
use tests::scenario::Scenario;

type Start = fn(&Host) -> Result<Daemon, String>;

fn avahi_daemon(host: &Host) -> Result<Daemon, String> {
    avahi(host, &host.name)
}

/// A silent LAN whose client runs these daemons, each of which answers for `client.local`.
fn with_daemons(starts: &[Start]) -> Result<Scenario, String> {
    let mut lan = Scenario::silent(Families::Both)?;
    for start in starts {
        let daemon = start(&lan.client)?;
        answered(&lan.printer, "client.local", &["a", "aaaa"], &daemon)?;
        lan.daemons.push(daemon);
    }
    Ok(lan)
}

/// Queries port 5353 of a host by unicast, twenty times over each family, and prints how often it answered.
const ASK_DIRECTLY: &str = "import socket, sys, time
answered = 0
for address in sys.argv[1:]:
    family, rtype = (socket.AF_INET6, '001c') if ':' in address else (socket.AF_INET, '0001')
    query = bytes.fromhex('12340000000100000000000006636c69656e74056c6f63616c00' + rtype + '0001')
    for _ in range(20):
        asker = socket.socket(family, socket.SOCK_DGRAM)
        asker.settimeout(0.5)
        asker.sendto(query, (address, 5353))
        try: answered += len(asker.recv(9000)) > 12
        except TimeoutError: pass
        time.sleep(0.02)
print(answered)";

fn receives_its_unicast_packets(start: Start) -> Result<(), String> {
    let mut lan = with_daemons(&[start])?;
    // Meanwhile, successive lookups listen on port 5353 of the groups.
    let mut lookups = lan.client.command("sh");
    lookups.args(["-c", "echo ready; for name in a b c d e f; do getent ahosts missing-$name.local; done"]);
    let lookups = lan.client.daemon("lookups", lookups)?;
    lookups.wait_for("ready", std::time::Duration::from_secs(5))?;
    lan.daemons.push(lookups);
    let own = lan.client.eth0();
    let addresses = [own.v4.ok_or("no IPv4")?.to_string(), own.v6.ok_or("no IPv6")?.to_string()];
    let outcome = lan.printer.run(&["/usr/bin/python3", "-c", ASK_DIRECTLY, &addresses[0], &addresses[1]]);
    assert_eq!(outcome.stdout.trim(), "40", "{outcome:?}");
    Ok(())
}

#[test]
fn avahi_daemon_receives_its_unicast_packets() -> Result<(), String> {
    receives_its_unicast_packets(avahi_daemon)
}

#[test]
fn systemd_resolved_receives_its_unicast_packets() -> Result<(), String> {
    receives_its_unicast_packets(resolved)
}

/// Among the packets to the groups, only the module's queries come from ports other than 5353: three in the first
/// transmission, and three more in each retransmission.
fn multicast_responses_arrive_without_retransmission(starts: &[Start]) -> Result<(), String> {
    let mut lan = with_daemons(starts)?;
    let options = ["--unicast", "never", "--other", "additional"];
    lan.daemons.push(scripted(&lan.printer, "printer.local", &options)?);
    let capture = capture(&lan.client, "eth0")?;
    let outcome = python_getaddrinfo(&lan.client, "printer.local");
    assert_eq!(printed_addresses(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    let packets = capture.to_group();
    let ephemeral =
        packets.iter().filter(|packet| !packet.split(' ').next().is_some_and(|from| from.ends_with(":5353")));
    assert_eq!(ephemeral.count(), 3, "{packets:?}");
    Ok(())
}

#[test]
fn multicast_responses_are_received_without_a_daemon() -> Result<(), String> {
    multicast_responses_arrive_without_retransmission(&[])
}

#[test]
fn multicast_responses_are_received_beside_avahi_daemon() -> Result<(), String> {
    multicast_responses_arrive_without_retransmission(&[avahi_daemon])
}

#[test]
fn multicast_responses_are_received_beside_systemd_resolved() -> Result<(), String> {
    multicast_responses_arrive_without_retransmission(&[resolved])
}

#[test]
fn multicast_responses_are_received_beside_both_daemons() -> Result<(), String> {
    multicast_responses_arrive_without_retransmission(&[resolved, avahi_daemon])
}
