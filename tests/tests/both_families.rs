//! A missing response is no evidence: both families are found when packets are lost, late or filtered, and when a
//! responder provides each family over the transport of that family only.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::firewalls::{firewalld, stateful, ufw};
use tests::helpers::capture;
use tests::lan::{Families, Host};
use tests::lookups::{addresses, python, routable, v4, v6};
use tests::loss::{Packets, lose};
use tests::responders::{avahi, avahi_v4, avahi_with, mdnsd, resolved, zeroconf};
use tests::run::Daemon;
use tests::scenario::{Scenario, with_avahi, with_scripted};

type Tested = Result<(), String>;

/// Which families a lookup requests. Each is a database of getent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Both,
    OnlyV4,
    OnlyV6,
}

/// The addresses that a fresh process finds, and how long it takes.
fn look_up(client: &Host, name: &str, wanted: Wanted) -> (BTreeSet<String>, Duration) {
    let database = match wanted {
        Wanted::Both => "ahosts",
        Wanted::OnlyV4 => "ahostsv4",
        Wanted::OnlyV6 => "ahostsv6",
    };
    // ahostsv6 prints IPv4-mapped addresses if there are no IPv6 addresses. These do not count.
    let outcome = client.run(&["getent", database, name]);
    let is_mapped = |address: &String| address.starts_with("::ffff:");
    (addresses(&outcome).into_iter().filter(|address| !is_mapped(address)).collect(), outcome.elapsed)
}

/// The addresses that are not link-local. Only some responders provide link-local ones.
fn without_link_local(found: BTreeSet<String>) -> BTreeSet<String> {
    found.into_iter().filter(|address| !address.starts_with("fe80")).collect()
}

/// Checks that the lookup finds the printer's addresses in these families, within this time.
#[track_caller]
fn assert_found(lan: &Scenario, wanted: Wanted, within_ms: u64, what: &str) {
    let (found, elapsed) = look_up(&lan.client, "printer.local", wanted);
    let expected = match wanted {
        Wanted::Both => routable(&lan.printer),
        Wanted::OnlyV4 => v4(&lan.printer),
        Wanted::OnlyV6 => v6(&lan.printer),
    };
    assert_eq!(without_link_local(found), expected, "{what}, {wanted:?}, after {elapsed:?}");
    assert!(elapsed < Duration::from_millis(within_ms), "{what}, {wanted:?}, after {elapsed:?}");
}

const ALL_WAYS: [Wanted; 3] = [Wanted::Both, Wanted::OnlyV4, Wanted::OnlyV6];

/// Twenty lookups of each kind at a loss of 30 % in each direction. By chance, the test fails about once in thousands
/// of runs. If a missing response counted as a negative answer, one lookup in three would lack a family.
#[test]
fn few_lookups_lack_a_family_if_packets_are_lost() -> Tested {
    let lan = with_avahi()?;
    // Not ARP: if its packets are lost, the kernel repeats them after one and two seconds only.
    lose(&lan.network, &lan.client, 30, Packets::Udp)?;
    let mut incomplete = 0;
    for _ in 0..20 {
        let (found, elapsed) = look_up(&lan.client, "printer.local", Wanted::OnlyV4);
        assert_eq!(found, v4(&lan.printer), "only IPv4 is wanted, after {elapsed:?}");
        let (found, _) = look_up(&lan.client, "printer.local", Wanted::Both);
        assert!(!found.is_empty());
        incomplete += u32::from(found != routable(&lan.printer));
    }
    assert!(incomplete <= 3, "{incomplete} of 20 lack a family");
    Ok(())
}

#[test]
fn an_ipv4_address_is_found_however_late_it_is() -> Tested {
    for delay in ["50", "100", "300", "500"] {
        let lan = with_scripted("printer.local", &["--delay-a", delay])?;
        assert_found(&lan, Wanted::OnlyV4, 1900, delay);
    }
    Ok(())
}

#[test]
fn an_ipv4_address_is_found_when_the_first_queries_for_it_are_lost() -> Tested {
    for (lost, delay) in [("1", "0"), ("1", "5"), ("1", "10"), ("1", "20"), ("2", "0"), ("2", "10"), ("3", "5")] {
        let lan = with_scripted("printer.local", &["--ignore-a", lost, "--delay", delay])?;
        assert_found(&lan, Wanted::OnlyV4, 1900, &format!("{lost} lost, delay {delay} ms"));
    }
    Ok(())
}

/// An NSEC record that is received over one transport denies nothing for the other: they are separate zones (RFC 6762,
/// section 20).
#[test]
fn what_is_denied_over_one_transport_is_found_over_the_other() -> Tested {
    let shape = ["--family-by-transport", "--negative", "always"];
    let lan = with_scripted("printer.local", &shape)?;
    let mut complete = 0;
    for _ in 0..5 {
        for wanted in [Wanted::OnlyV4, Wanted::OnlyV6] {
            assert_found(&lan, wanted, 1900, "at once");
        }
        // On a busy machine, the response over IPv6 may arrive after the short time that such a lookup waits for it.
        let (found, _) = look_up(&lan.client, "printer.local", Wanted::Both);
        complete += u32::from(without_link_local(found) == routable(&lan.printer));
    }
    assert!(complete >= 2, "{complete} of 5 lookups have both families");
    // A lookup of both families may end before that, because it has an IPv4 address.
    let lan = with_scripted("printer.local", &[&shape[..], &["--delay-v6", "12"]].concat())?;
    assert_found(&lan, Wanted::OnlyV6, 1900, "IPv6 12 ms later");
    Ok(())
}

#[test]
fn a_responder_that_answers_over_ipv6_only_provides_both_families() -> Tested {
    let lan = with_scripted("printer.local", &["--only-over", "6"])?;
    for wanted in ALL_WAYS {
        assert_found(&lan, wanted, 1900, "answers over IPv6 only");
    }
    Ok(())
}

/// Makes sending a query over IPv4 fail, like the kill switch of a VPN client.
const NO_IPV4_QUERIES: &str = "
table inet filter {
    chain output {
        type filter hook output priority 0;
        ip daddr 224.0.0.0/4 drop
    }
}";

#[test]
fn nothing_is_concluded_from_queries_that_could_not_be_sent() -> Tested {
    let lan = with_scripted("printer.local", &["--only-over", "6"])?;
    lan.client.firewall(NO_IPV4_QUERIES)?;
    for wanted in ALL_WAYS {
        assert_found(&lan, wanted, 1900, "no query over IPv4");
    }
    let lan = Scenario::with(Families::Both, |printer| {
        avahi_with(printer, "printer", "publish-a-on-ipv6=yes\n[server]\nuse-ipv4=no\n")
    })?;
    lan.client.firewall(NO_IPV4_QUERIES)?;
    for wanted in ALL_WAYS {
        assert_found(&lan, wanted, 1900, "Avahi over IPv6");
    }
    Ok(())
}

/// Behind each firewall, ten processes in succession find both families. A responder multicasts a record at most once a
/// second, so the later processes get their responses to direct queries.
fn assert_found_behind_firewalls(responder: &str, start: fn(&Host) -> Result<Daemon, String>) -> Tested {
    type Firewall = fn(&Host) -> Result<(), String>;
    let firewalls: [(&str, Firewall); 5] = [
        ("IPv4", |host| stateful(host, Families::V4)),
        ("IPv6", |host| stateful(host, Families::V6)),
        ("both", |host| stateful(host, Families::Both)),
        ("ufw", ufw),
        ("firewalld", |host| firewalld(host, &["mdns"])),
    ];
    for (firewall, load) in firewalls {
        let lan = Scenario::with(Families::Both, start)?;
        load(&lan.client)?;
        // The responder has just announced its records, and must not multicast them again within a second.
        std::thread::sleep(Duration::from_secs(2));
        let what = format!("{responder}, firewall for {firewall}");
        for process in 1..=10 {
            assert_found(&lan, Wanted::Both, 1000, &format!("{what}, process {process}"));
        }
        for wanted in [Wanted::OnlyV4, Wanted::OnlyV6] {
            assert_found(&lan, wanted, 1000, &what);
        }
    }
    Ok(())
}

#[test]
fn both_families_of_avahi_are_found_behind_firewalls() -> Tested {
    assert_found_behind_firewalls("Avahi", |host| avahi(host, "printer"))
}

#[test]
fn both_families_of_systemd_resolved_are_found_behind_firewalls() -> Tested {
    assert_found_behind_firewalls("systemd-resolved", resolved)
}

#[test]
fn both_families_of_zeroconf_are_found_behind_firewalls() -> Tested {
    assert_found_behind_firewalls("zeroconf", |host| zeroconf(host, "printer"))
}

/// After a second, the network is queried again for a family that is unknown, but not for one that the host has denied.
#[test]
fn an_unknown_family_is_cached_for_a_second_and_an_absent_one_for_longer() -> Tested {
    const LOOKUPS: &str = "
import socket, sys, time
def look_up(family):
    try: return len({a[4][0] for a in socket.getaddrinfo('printer.local', 80, family=family)})
    except socket.gaierror: return 0
for pause in (0, 0.1, 1.2):
    time.sleep(pause)
    print(look_up(socket.AF_INET6), look_up(socket.AF_INET), flush=True)";
    for (families, later) in [(Families::Both, true), (Families::V4, false)] {
        let lan = Scenario::with(families, |printer| avahi_v4(printer, "printer"))?;
        let capture = capture(&lan.client, "eth0")?;
        let outcome = python(&lan.client, LOOKUPS, &[]);
        assert_eq!(outcome.stdout, "0 1\n0 1\n0 1\n", "{outcome:?}");
        let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
        let first = format!("{own}:");
        let packets = capture.to_group();
        let over_v4 = packets.iter().filter(|packet| packet.starts_with(&first)).count();
        // A lookup that queries the network begins with two packets over IPv4.
        assert_eq!(over_v4 > 3, later, "{families:?}: {packets:#?}");
    }
    Ok(())
}

/// mdnsd answers ANY with one record only, which is not the IPv4 address: that denies nothing.
#[test]
fn a_response_to_any_with_one_record_denies_no_ipv4_address() -> Tested {
    const DROP_QUERIES_FOR_A: &str = "
table inet filter {
    chain output {
        type filter hook output priority 0;
        meta nfproto ipv4 ip daddr 224.0.0.251 udp dport 5353 @th,280,16 1 quota until 400 bytes drop
    }
}";
    let lan = Scenario::with(Families::Both, mdnsd)?;
    std::thread::sleep(Duration::from_secs(2));
    lan.client.firewall(DROP_QUERIES_FOR_A)?;
    assert_found(&lan, Wanted::OnlyV4, 1900, "mdnsd, several queries for A lost");
    Ok(())
}
