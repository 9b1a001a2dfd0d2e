//! Hosts that the client has exchanged packets with in the last minute are found even if multicast packets are lost.

use std::time::Duration;

use tests::lan::{Families, Host};
use tests::lookups::{addresses, found, routable};
use tests::loss::{Packets, lose};
use tests::responders::{avahi, resolved, zeroconf};
use tests::run::Daemon;
use tests::scenario::Scenario;

type Tested = Result<(), String>;

/// Exchanges packets with the printer over IPv4 and over IPv6, so that it is in the neighbour table.
fn ping(client: &Host, printer: &Host) -> Tested {
    let (v4, v6) = (printer.eth0().v4.ok_or("no IPv4")?, printer.eth0().link_local.ok_or("no IPv6")?);
    client.script(&format!("ping -c 1 -W 2 {v4}; ping -c 1 -W 2 {v6}%eth0")).map(drop)
}

/// A LAN on which no multicast DNS packet passes, with this responder on the printer.
fn without_multicast(start: impl FnOnce(&Host) -> Result<Daemon, String>) -> Result<Scenario, String> {
    let lan = Scenario::with(Families::Both, start)?;
    // systemd-resolved does not report when it has finished probing its name.
    std::thread::sleep(Duration::from_secs(2));
    lose(&lan.network, &lan.client, 100, Packets::Mdns)?;
    Ok(lan)
}

#[test]
fn a_neighbour_is_found_without_multicast() -> Tested {
    type Start = fn(&Host) -> Result<Daemon, String>;
    let responders: [(&str, Start); 3] = [
        ("Avahi", |host| avahi(host, "printer")),
        ("systemd-resolved", resolved),
        ("zeroconf", |host| zeroconf(host, "printer")),
    ];
    for (responder, start) in responders {
        let lan = without_multicast(start)?;
        ping(&lan.client, &lan.printer)?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert!(addresses(&outcome).is_superset(&routable(&lan.printer)), "{responder}: {outcome:?}");
        assert!(outcome.elapsed < Duration::from_millis(500), "{responder}: {outcome:?}");
        lan.client.write("/etc/nss-mdns.conf", "neighbours = off\n")?;
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert!(addresses(&outcome).is_empty(), "{responder}, neighbours = off: {outcome:?}");
    }
    Ok(())
}

#[test]
fn a_host_without_a_recent_exchange_of_packets_is_not_queried_directly() -> Tested {
    let lan = without_multicast(|host| avahi(host, "printer"))?;
    let capture = tests::helpers::capture(&lan.client, "eth0")?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let (packets, to_group) = (capture.packets(), capture.to_group());
    assert_eq!(packets.len(), to_group.len(), "{packets:#?}");
    Ok(())
}

/// A lookup that gets a response within 2 ms queries nobody else.
#[test]
fn neighbours_are_not_queried_if_a_query_to_the_group_is_answered() -> Tested {
    let mut lan = Scenario::with(Families::Both, |host| avahi(host, "printer"))?;
    let scanner = lan.network.host("scanner", &[&lan.lan])?;
    lan.daemons.push(avahi(&scanner, "scanner")?);
    ping(&lan.client, &scanner)?;
    let capture = tests::helpers::capture(&scanner, "eth0")?;
    for _ in 0..10 {
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert_eq!(found(&outcome), routable(&lan.printer), "{outcome:?}");
    }
    let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
    let direct: Vec<_> = capture
        .packets()
        .into_iter()
        .filter(|packet| packet.starts_with(&format!("{own}:")) && !packet.contains(" 224.0.0.251:"))
        .collect();
    // On a busy machine a response may take longer than 2 ms, and neighbours are then queried.
    assert!(direct.len() <= 3, "{direct:#?}");
    Ok(())
}
