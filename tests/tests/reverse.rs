//! Names of addresses: link-local ones by every service, on-link ones by the full services, others by none.

use tests::helpers::{capture, dns};
use tests::lan::Families;
use tests::lookups::{AT_ONCE, not_found_at_once, python_gethostbyaddr, python_getnameinfo};
use tests::responders::{avahi, scripted};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_avahi, with_scripted};

/// Checks that a lookup printed the printer's name without waiting for silence.
fn is_printer(outcome: &Outcome) {
    let names: Vec<_> = outcome.stdout.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!((outcome.code, names.as_slice()), (Some(0), ["printer.local"].as_slice()), "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
}

#[test]
fn link_local_ipv6_address_has_a_name() -> Result<(), String> {
    // Avahi gives out a link-local address only where it is the only one.
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
fn link_local_ipv4_address_has_a_name() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.printer.script("ip address add 169.254.7.1/16 dev eth0")?;
    lan.client.script("ip address add 169.254.7.2/16 dev eth0")?;
    let _responder = scripted(&lan.printer, "printer.local", &["--a", "169.254.7.1"])?;
    is_printer(&lan.client.run(&["getent", "hosts", "169.254.7.1"]));
    is_printer(&python_gethostbyaddr(&lan.client, "169.254.7.1"));
    Ok(())
}

#[test]
fn on_link_addresses_have_names_by_the_full_services() -> Result<(), String> {
    let lan = with_avahi()?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    let printer = lan.printer.eth0();
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v4.ok_or("no IPv4")?.to_string()]));
    is_printer(&lan.client.run(&["getent", "hosts", &printer.v6.ok_or("no IPv6")?.to_string()]));
    Ok(())
}

/// What reaches the responder: the question to the group, or the one to the address itself.
fn is_named_where_only(arrives: &str) -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
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
fn the_address_itself_is_asked() -> Result<(), String> {
    is_named_where_only("unicast")
}

#[test]
fn the_group_is_asked_besides() -> Result<(), String> {
    is_named_where_only("multicast")
}

#[test]
fn on_link_addresses_are_left_to_dns_by_the_minimal_services() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let capture = capture(&lan.client, "eth0")?;
    let address = lan.printer.eth0().v4.ok_or("no IPv4")?.to_string();
    not_found_at_once(&lan.client.run(&["getent", "hosts", &address]));
    assert!(!server.names().is_empty(), "DNS was not asked");
    let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
    let asked: Vec<_> = capture.to_group().into_iter().filter(|packet| packet.starts_with(&own)).collect();
    assert_eq!(asked, [""; 0], "the LAN was asked");
    Ok(())
}

#[test]
fn off_link_addresses_are_left_to_dns_by_every_service() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    for (count, service) in (1..).zip(["mdns", "mdns_minimal"]) {
        lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
        not_found_at_once(&lan.client.run(&["getent", "hosts", "192.0.2.1"]));
        assert!(server.names().len() >= count, "{service}: DNS was not asked");
    }
    Ok(())
}

#[test]
fn address_without_a_name_is_given_up_within_a_second() -> Result<(), String> {
    let lan = with_avahi()?;
    not_found_at_once(&lan.client.run(&["getent", "hosts", "fe80::dead:beef"]));
    Ok(())
}

#[test]
fn number_is_printed_for_an_address_without_a_name() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let script = "import socket; print(socket.getnameinfo(('169.254.9.9', 0), 0)[0])";
    let outcome = tests::lookups::python(&lan.client, script, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "169.254.9.9\n"), "{outcome:?}");
    Ok(())
}
