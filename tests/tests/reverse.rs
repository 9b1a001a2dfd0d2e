//! Reverse lookups: every service handles link-local addresses, the full services also handle on-link addresses, and no
//! service handles other addresses.

use tests::helpers::{capture, dns};
use tests::lan::Families;
use tests::lookups::{AT_ONCE, not_found_at_once, python_gethostbyaddr, python_getnameinfo};
use tests::responders::{avahi, scripted};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_avahi};

/// Checks that a lookup printed the printer's name without waiting for the timeout.
fn is_printer(outcome: &Outcome) {
    let names: Vec<_> = outcome.stdout.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!((outcome.code, names.as_slice()), (Some(0), ["printer.local"].as_slice()), "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
}

#[test]
fn the_name_of_a_link_local_ipv6_address_is_found() -> Result<(), String> {
    // Avahi provides a link-local address only if there is no other.
    let mut lan = Scenario::silent(Families::Both)?;
    lan.printer.script("ip -6 address flush dev eth0 scope global")?;
    lan.daemons.push(avahi(&lan.printer, "printer")?);
    let address = lan.printer.eth0().link_local.ok_or("no link-local address")?.to_string();
    is_printer(&lan.client.run(&["getent", "hosts", &address]));
    is_printer(&python_gethostbyaddr(&lan.client, &format!("{address}%eth0")));
    is_printer(&python_getnameinfo(&lan.client, &address, lan.client.eth0().index));
    Ok(())
}

#[test]
fn the_name_of_a_link_local_ipv4_address_is_found() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.printer.script("ip address add 169.254.7.1/16 dev eth0")?;
    lan.client.script("ip address add 169.254.7.2/16 dev eth0")?;
    let _responder = scripted(&lan.printer, "printer.local", &["--a", "169.254.7.1"])?;
    is_printer(&lan.client.run(&["getent", "hosts", "169.254.7.1"]));
    is_printer(&python_gethostbyaddr(&lan.client, "169.254.7.1"));
    Ok(())
}

#[test]
fn the_full_services_find_the_names_of_on_link_addresses() -> Result<(), String> {
    let lan = with_avahi()?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    let printer = lan.printer.eth0();
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v4.ok_or("no IPv4")?.to_string()]));
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v6.ok_or("no IPv6")?.to_string()]));
    Ok(())
}

/// Checks that the name is found if only one of the two queries arrives: the one to the group (`multicast`), or the one
/// to the address itself (`unicast`).
fn is_found_if_only(arrives: &str) -> Result<(), String> {
    let lan = Scenario::with(Families::Both, |printer| scripted(printer, "printer.local", &[]))?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    lan.printer.firewall(&format!(
        "table inet filter {{
            chain input {{
                type filter hook input priority 0;
                udp dport 5353 meta pkttype {arrives} accept
                udp dport 5353 drop
            }}
        }}"
    ))?;
    let printer = lan.printer.eth0();
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v4.ok_or("no IPv4")?.to_string()]));
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v6.ok_or("no IPv6")?.to_string()]));
    Ok(())
}

#[test]
fn a_reverse_query_is_sent_to_the_address_itself() -> Result<(), String> {
    is_found_if_only("unicast")
}

#[test]
fn a_reverse_query_is_also_sent_to_the_group() -> Result<(), String> {
    is_found_if_only("multicast")
}

#[test]
fn the_minimal_services_do_not_handle_on_link_addresses() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let capture = capture(&lan.client, "eth0")?;
    let address = lan.printer.eth0().v4.ok_or("no IPv4")?.to_string();
    not_found_at_once(&lan.client.run(&["getent", "hosts", &address]));
    assert!(!server.names().is_empty(), "DNS was not queried");
    let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
    let asked: Vec<_> = capture.to_group().into_iter().filter(|packet| packet.starts_with(&own)).collect();
    assert_eq!(asked, [""; 0], "the LAN was queried");
    Ok(())
}

#[test]
fn no_service_handles_off_link_addresses() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    for (count, service) in (1..).zip(["mdns", "mdns_minimal"]) {
        lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
        not_found_at_once(&lan.client.run(&["getent", "hosts", "192.0.2.1"]));
        assert!(server.names().len() >= count, "{service}: DNS was not queried");
    }
    Ok(())
}

#[test]
fn a_reverse_lookup_that_nobody_answers_ends_after_a_second() -> Result<(), String> {
    let lan = with_avahi()?;
    not_found_at_once(&lan.client.run(&["getent", "hosts", "fe80::dead:beef"]));
    Ok(())
}

#[test]
fn getnameinfo_returns_the_numeric_form_of_an_address_without_a_name() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let script = "import socket; print(socket.getnameinfo(('169.254.9.9', 0), 0)[0])";
    let outcome = tests::lookups::python(&lan.client, script, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "169.254.9.9\n"), "{outcome:?}");
    Ok(())
}
