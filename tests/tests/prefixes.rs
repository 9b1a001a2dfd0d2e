//! Interfaces with addresses in several IPv4 prefixes, or with a peer.

use std::collections::BTreeSet;

use tests::helpers::capture;
use tests::lan::{Families, Host};
use tests::lookups::{AT_ONCE, found, python_gethostbyaddr, v4};
use tests::responders::{scripted, scripted_with};
use tests::scenario::Scenario;

type Tested = Result<(), String>;

/// Makes the printer unable to respond to any other addresses than these. (Responders that bind a socket to an interface
/// reach every address that is really on the link. A host with a default route sends the response to its router.)
fn has_routes_to(printer: &Host, addresses: &str) -> Tested {
    printer.firewall(&format!(
        "table ip routes {{
            chain output {{
                type filter hook output priority 0
                udp sport 5353 ip daddr != {{ 224.0.0.251, {addresses} }} drop
            }}
        }}"
    ))
}

/// An IPv4 LAN with a scripted responder, whose client has these addresses, in this order, instead of its own.
fn with_client_addresses(addresses: impl FnOnce(&Host) -> Vec<String>) -> Result<Scenario, String> {
    let lan = Scenario::with(Families::V4, |printer| scripted(printer, "printer.local", &[]))?;
    let add = |address: String| format!("ip address add {address} dev eth0\n");
    let script: String = addresses(&lan.client).into_iter().map(add).collect();
    lan.client.script(&format!("ip address flush dev eth0\n{script}"))?;
    has_routes_to(&lan.printer, "10.77.1.0/24, 10.9.0.1")?;
    Ok(lan)
}

fn own(client: &Host) -> String {
    format!("{}/24", client.eth0().v4.expect("the LAN has IPv4"))
}

/// Checks that the printer is found without a retransmission, and that each of the two questions of the first round was
/// sent so many times.
fn is_found_with(lan: &Scenario, count: usize) -> Tested {
    is_found_at(lan, &v4(&lan.printer), count)
}

/// The same, with these addresses of the printer.
fn is_found_at(lan: &Scenario, addresses: &BTreeSet<String>, count: usize) -> Tested {
    let capture = capture(&lan.client, "eth0")?;
    let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(&found(&outcome), addresses, "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
    let packets = capture.to_group();
    assert_eq!(packets.len(), 2 * count, "{packets:?}");
    Ok(())
}

#[test]
fn a_host_in_the_second_prefix_of_an_interface_is_found() -> Tested {
    is_found_with(&with_client_addresses(|client| vec!["192.168.50.70/24".into(), own(client)])?, 2)
}

#[test]
fn several_addresses_in_one_prefix_cost_no_more_than_one() -> Tested {
    is_found_with(&with_client_addresses(|client| vec![own(client), "10.77.1.200/24".into()])?, 1)
}

#[test]
fn an_address_that_shares_its_prefix_with_no_host_is_not_the_source() -> Tested {
    is_found_with(&with_client_addresses(|client| vec!["10.255.0.1/32".into(), own(client)])?, 1)
}

#[test]
fn a_host_with_a_link_local_address_is_found_beside_a_dhcp_address() -> Tested {
    let mut lan = Scenario::silent(Families::V4)?;
    lan.client.script("ip address add 169.254.7.7/16 scope link dev eth0")?;
    lan.printer.script("ip address flush dev eth0; ip address add 169.254.7.1/16 scope link dev eth0")?;
    has_routes_to(&lan.printer, "169.254.0.0/16")?;
    lan.daemons.push(scripted_with(&lan.printer, &["--name", "printer.local", "--a", "169.254.7.1"])?);
    is_found_at(&lan, &["169.254.7.1".to_owned()].into(), 2)
}

#[test]
fn retransmissions_are_sent_from_every_prefix() -> Tested {
    let lan = with_client_addresses(|client| vec!["192.168.50.70/24".into(), own(client)])?;
    lan.client.write("/etc/nss-mdns.conf", "timeout = 200\nretries = 30\n")?;
    let capture = capture(&lan.client, "eth0")?;
    let outcome = lan.client.run(&["getent", "ahostsv4", "nobody.local"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let packets = capture.to_group();
    let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
    for source in ["192.168.50.70", &own] {
        let from = |port: &str| packets.iter().filter(|packet| packet.starts_with(&format!("{source}{port}"))).count();
        // Two questions, then each from both sockets.
        assert_eq!((from(":"), from(":5353 ")), (6, 2), "{source}: {packets:?}");
    }
    Ok(())
}

#[test]
fn the_link_of_an_address_with_a_peer_is_the_peers_prefix() -> Tested {
    let lan = with_client_addresses(|_| vec!["10.9.0.1 peer 10.77.1.0/24".into()])?;
    // Responses with a hop limit of 255 are accepted from any address.
    lan.printer.firewall(
        "table ip hops {
            chain output {
                type filter hook output priority 0
                udp sport 5353 ip ttl set 64
            }
        }",
    )?;
    lan.printer.script("ip route add 10.9.0.1 dev eth0")?;
    is_found_with(&lan, 1)?;
    // The full services look up the names of addresses on the link.
    lan.client.use_services("mdns")?;
    let address = lan.printer.eth0().v4.ok_or("no IPv4")?.to_string();
    let outcome = python_gethostbyaddr(&lan.client, &address);
    assert_eq!(outcome.stdout.trim(), "printer.local", "{outcome:?}");
    Ok(())
}
