//! The harness's firewalls: each drops a unicast response to a multicast query, and admits a multicast response and the
//! response to a direct query.

use tests::firewalls::{firewalld, stateful, ufw, ufw_log_lines};
use tests::helpers::query_with;
use tests::lan::{Families, Host, Network};
use tests::responders::scripted;

/// Which responses of a responder reach the client, over IPv4 and over IPv6.
#[derive(Debug, PartialEq, Eq)]
struct Admitted {
    unicast: [bool; 2],
    multicast: [bool; 2],
    direct: [bool; 2],
}

/// What all of the firewalls are expected to admit.
const MULTICAST_AND_DIRECT: Admitted = Admitted { unicast: [false; 2], multicast: [true; 2], direct: [true; 2] };

/// Returns what a firewall on the client admits, the client, and the network, which must outlive the client.
fn behind(firewall: impl FnOnce(&Host) -> Result<(), String>) -> Result<(Admitted, Host, Network), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    let _responder = scripted(&printer, "printer.local", &[])?;
    firewall(&client)?;
    Ok((admitted(&printer, &client)?, client, network))
}

fn admitted(printer: &Host, client: &Host) -> Result<Admitted, String> {
    let printer = printer.eth0();
    let v4 = printer.v4.ok_or("no IPv4")?.to_string();
    let (v6, link_local) = (printer.v6.ok_or("no IPv6")?.to_string(), printer.link_local.ok_or("no IPv6")?.to_string());
    let answered = |options: &[&str]| query_with(client, "printer.local", "a", options).success();
    let direct = |address: &str| answered(&["--direct", address]);
    assert_eq!(direct(&v6), direct(&link_local), "a response from a link-local address is like any other");
    Ok(Admitted {
        unicast: ["4", "6"].map(|transport| answered(&[transport])),
        multicast: ["4", "6"].map(|transport| answered(&[transport, "--from-5353"])),
        direct: [&*v4, &*v6].map(direct),
    })
}

#[test]
fn without_a_firewall_every_response_arrives() -> Result<(), String> {
    let (admitted, ..) = behind(|_| Ok(()))?;
    assert_eq!(admitted, Admitted { unicast: [true; 2], ..MULTICAST_AND_DIRECT });
    Ok(())
}

#[test]
fn ufw_admits_responses_to_the_group_and_to_direct_queries() -> Result<(), String> {
    let (admitted, client, _network) = behind(ufw)?;
    assert_eq!(admitted, MULTICAST_AND_DIRECT);
    // One dropped response over each of IPv4 and IPv6.
    assert_eq!(ufw_log_lines(&client)?, 2);
    Ok(())
}

#[test]
fn firewalld_with_mdns_admits_responses_to_the_group_and_to_direct_queries() -> Result<(), String> {
    let (admitted, ..) = behind(|host| firewalld(host, &["mdns"]))?;
    assert_eq!(admitted, MULTICAST_AND_DIRECT);
    Ok(())
}

#[test]
fn firewalld_without_mdns_admits_only_responses_to_direct_queries() -> Result<(), String> {
    let (admitted, ..) = behind(|host| firewalld(host, &[]))?;
    assert_eq!(admitted, Admitted { multicast: [false; 2], ..MULTICAST_AND_DIRECT });
    Ok(())
}

#[test]
fn a_stateful_firewall_filters_only_the_chosen_families() -> Result<(), String> {
    let (admitted, ..) = behind(|host| stateful(host, Families::Both))?;
    assert_eq!(admitted, MULTICAST_AND_DIRECT);
    let (admitted, ..) = behind(|host| stateful(host, Families::V4))?;
    assert_eq!(admitted, Admitted { unicast: [false, true], ..MULTICAST_AND_DIRECT });
    let (admitted, ..) = behind(|host| stateful(host, Families::V6))?;
    assert_eq!(admitted, Admitted { unicast: [true, false], ..MULTICAST_AND_DIRECT });
    Ok(())
}
