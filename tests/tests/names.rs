//! Which names are queried on the LAN, in which encoding, and what happens if a name does not exist.

use std::time::Duration;
use tests::helpers::{capture, dns, silent_dns};
use tests::lan::Families;
use tests::lookups::{all, found, python_getaddrinfo, routable, v4, v6};
use tests::responders::{avahi, scripted};
use tests::scenario::{Scenario, with_avahi, with_scripted};

#[test]
fn a_missing_name_takes_two_seconds_and_is_not_looked_up_in_dns() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &["missing.local=192.0.2.1"])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let outcome = lan.client.run(&["getent", "ahosts", "missing.local"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    let (least, most) = (Duration::from_millis(1900), Duration::from_millis(3500));
    assert!(outcome.elapsed > least && outcome.elapsed < most, "{outcome:?}");
    assert_eq!(server.names(), [""; 0], "the name leaked to DNS");
    Ok(())
}

#[test]
fn a_missing_name_is_looked_up_in_dns_if_the_hosts_line_says_so() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let _server = dns(&lan.printer, &["missing.local=192.0.2.1"])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    lan.client.use_services("files mdns_minimal dns")?;
    let outcome = lan.client.run(&["getent", "ahosts", "missing.local"]);
    assert_eq!(tests::lookups::addresses(&outcome), ["192.0.2.1".to_owned()].into(), "{outcome:?}");
    Ok(())
}

#[test]
fn names_outside_local_are_looked_up_in_dns_and_not_on_the_lan() -> Result<(), String> {
    let lan = with_scripted("printer.example.test", &[])?;
    let server = dns(&lan.printer, &["printer.example.test=192.0.2.7"])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let capture = capture(&lan.client, "eth0")?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.example.test"]);
    assert_eq!(found(&outcome), ["192.0.2.7".to_owned()].into(), "{outcome:?}");
    assert!(server.names().iter().all(|name| name == "printer.example.test"), "{:?}", server.names());
    assert_eq!(capture.to_group(), [""; 0]);
    Ok(())
}

#[test]
fn missing_names_outside_local_fail_immediately() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let _server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    for name in ["nobody.example.test", "nobody", "local.example.test", "printerlocal"] {
        tests::lookups::not_found_at_once(&lan.client.run(&["getent", "ahosts", name]));
    }
    Ok(())
}

#[test]
fn a_dns_server_that_never_answers_delays_no_local_name() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = silent_dns(&lan.printer)?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), routable(&lan.printer), "{outcome:?}");
    assert_eq!(server.names(), [""; 0], "the name leaked to DNS");
    Ok(())
}

#[test]
fn names_in_etc_hosts_take_precedence() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write("/etc/hosts", "192.0.2.9 printer.local\n")?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), ["192.0.2.9".to_owned()].into(), "{outcome:?}");
    Ok(())
}

#[test]
fn upper_case_and_a_trailing_dot_make_no_difference() -> Result<(), String> {
    let lan = with_avahi()?;
    for name in ["PRINTER.LOCAL", "Printer.Local", "printer.local.", "PRINTER.local."] {
        let outcome = lan.client.run(&["getent", "ahosts", name]);
        assert_eq!(found(&outcome), routable(&lan.printer), "{name}: {outcome:?}");
    }
    Ok(())
}

#[test]
fn utf8_names_are_sent_unchanged() -> Result<(), String> {
    let name = "drücker-im-büro.local";
    let lan = with_scripted(name, &[])?;
    let outcome = lan.client.run(&["getent", "--no-idn", "ahosts", name]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    assert!(python_getaddrinfo(&lan.client, name).success());
    Ok(())
}

/// As avahi-browse and other programs print them.
#[test]
fn escaped_names_are_decoded() -> Result<(), String> {
    let lan = with_scripted("büro.local", &["--name", "Johns MacBook.local"])?;
    let expected = all(&lan.printer, lan.client.eth0());
    for name in ["b\\195\\188ro.local", "Johns\\032MacBook.local."] {
        let outcome = lan.client.run(&["getent", "ahosts", name]);
        assert_eq!(found(&outcome), expected, "{name}: {outcome:?}");
    }
    // A control character, and a dot that ends no label.
    for name in ["a\\000b.local", "printer\\.local"] {
        tests::lookups::not_found_at_once(&lan.client.run(&["getent", "ahosts", name]));
    }
    Ok(())
}

#[test]
fn mdns4_returns_only_ipv4_and_mdns6_returns_only_ipv6() -> Result<(), String> {
    let lan = with_avahi()?;
    let (v4, v6) = (v4(&lan.printer), v6(&lan.printer));
    let both = &v4 | &v6;
    for (service, wanted) in [("mdns", &both), ("mdns4", &v4), ("mdns6", &v6)] {
        for service in [service.to_owned(), format!("{service}_minimal")] {
            lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
            let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
            assert_eq!(&found(&outcome), wanted, "{service}: {outcome:?}");
        }
    }
    Ok(())
}

#[test]
fn all_of_a_hosts_many_addresses_are_returned() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let more: Vec<String> = (100..120).map(|number| format!("10.77.1.{number}")).collect();
    let more6: Vec<String> = (100..120).map(|number| format!("fd77:1::{number}")).collect();
    let options = more.iter().flat_map(|address| ["--a", address]);
    let options: Vec<&str> = options.chain(more6.iter().flat_map(|address| ["--aaaa", address])).collect();
    let _responder = scripted(&lan.printer, "printer.local", &options)?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    let mut wanted = all(&lan.printer, lan.client.eth0());
    wanted.extend(more.into_iter().chain(more6));
    assert_eq!(found(&outcome), wanted, "{outcome:?}");
    Ok(())
}

/// Avahi provides a link-local address only if there is no other.
#[test]
fn two_ipv6_addresses_and_one_ipv4_address_from_avahi_are_returned() -> Result<(), String> {
    let mut lan = Scenario::silent(Families::Both)?;
    lan.printer.script("ip address add fd77:1::2:2/64 dev eth0 nodad")?;
    lan.daemons.push(avahi(&lan.printer, "printer")?);
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    let mut wanted = routable(&lan.printer);
    wanted.insert("fd77:1::2:2".into());
    assert_eq!(found(&outcome), wanted, "{outcome:?}");
    Ok(())
}

#[test]
fn the_canonical_name_is_returned_on_request() -> Result<(), String> {
    let lan = with_avahi()?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert!(first.ends_with(" printer.local"), "{outcome:?}");
    Ok(())
}

#[test]
fn the_canonical_name_is_returned_as_each_caller_has_written_it() -> Result<(), String> {
    let lan = with_avahi()?;
    let script = "import socket
for name in 'PRINTER.local', 'printer.local', 'Printer.Local':
    print(socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3], socket.gethostbyname_ex(name)[0])";
    let outcome = tests::lookups::python(&lan.client, script, &[]);
    let expected = "PRINTER.local PRINTER.local\nprinter.local printer.local\nPrinter.Local Printer.Local\n";
    assert_eq!(outcome.stdout, expected, "{outcome:?}");
    Ok(())
}
