//! Which names are asked for on the LAN, in what spelling, and what becomes of those that are not there.

use std::time::Duration;
use tests::helpers::{capture, dns, silent_dns};
use tests::lan::Families;
use tests::lookups::{all, found, python_getaddrinfo, routable, v4, v6};
use tests::responders::{avahi, scripted};
use tests::scenario::{Scenario, with_avahi, with_scripted};

#[test]
fn missing_name_takes_two_seconds_and_is_not_asked_of_dns() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = dns(&lan.printer, &["missing.local=192.0.2.1"])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let outcome = lan.client.run(&["getent", "ahosts", "missing.local"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    let (least, most) = (Duration::from_millis(1900), Duration::from_millis(3500));
    assert!(outcome.elapsed > least && outcome.elapsed < most, "{outcome:?}");
    assert_eq!(server.names(), [""; 0], "leaked to DNS");
    Ok(())
}

#[test]
fn missing_name_is_asked_of_dns_where_the_hosts_line_says_so() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let _server = dns(&lan.printer, &["missing.local=192.0.2.1"])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    lan.client.use_services("files mdns_minimal dns")?;
    let outcome = lan.client.run(&["getent", "ahosts", "missing.local"]);
    assert_eq!(tests::lookups::addresses(&outcome), ["192.0.2.1".to_owned()].into(), "{outcome:?}");
    Ok(())
}

#[test]
fn other_names_go_to_dns_and_not_to_the_lan() -> Result<(), String> {
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
fn other_names_that_are_missing_are_missing_at_once() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let _server = dns(&lan.printer, &[])?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    for name in ["nobody.example.test", "nobody", "local.example.test", "printerlocal"] {
        tests::lookups::not_found_at_once(&lan.client.run(&["getent", "ahosts", name]));
    }
    Ok(())
}

#[test]
fn dns_that_never_answers_delays_nothing() -> Result<(), String> {
    let lan = with_avahi()?;
    let server = silent_dns(&lan.printer)?;
    lan.client.use_dns(lan.printer.eth0().v4.ok_or("no IPv4")?)?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), routable(&lan.printer), "{outcome:?}");
    assert_eq!(server.names(), [""; 0], "leaked to DNS");
    Ok(())
}

#[test]
fn names_in_files_come_first() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write("/etc/hosts", "192.0.2.9 printer.local\n")?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), ["192.0.2.9".to_owned()].into(), "{outcome:?}");
    Ok(())
}

#[test]
fn upper_case_and_trailing_dot_are_the_same_name() -> Result<(), String> {
    let lan = with_avahi()?;
    for name in ["PRINTER.LOCAL", "Printer.Local", "printer.local.", "PRINTER.local."] {
        let outcome = lan.client.run(&["getent", "ahosts", name]);
        assert_eq!(found(&outcome), routable(&lan.printer), "{name}: {outcome:?}");
    }
    Ok(())
}

#[test]
fn utf8_names_are_sent_as_they_are() -> Result<(), String> {
    let name = "drücker-im-büro.local";
    let lan = with_scripted(name, &[])?;
    let outcome = lan.client.run(&["getent", "--no-idn", "ahosts", name]);
    assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{outcome:?}");
    assert!(python_getaddrinfo(&lan.client, name).success());
    Ok(())
}

#[test]
fn mdns4_gives_ipv4_and_mdns6_gives_ipv6_alone() -> Result<(), String> {
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
fn host_with_many_addresses_is_found_with_all_of_them() -> Result<(), String> {
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

/// Avahi gives out no link-local address where there is another.
#[test]
fn avahi_gives_two_ipv6_addresses_and_one_ipv4() -> Result<(), String> {
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
fn canonical_name_is_given_to_those_who_ask() -> Result<(), String> {
    let lan = with_avahi()?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert!(first.ends_with(" printer.local"), "{outcome:?}");
    Ok(())
}
