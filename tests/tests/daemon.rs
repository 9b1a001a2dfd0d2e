//! avahi-daemon on the client's host as a further source of answers: it is queried if there is no response from the
//! network, and its answer never takes precedence over one from the network.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::lan::{Families, Host};
use tests::lookups::{AT_ONCE, addresses, found, python_daemon, routable, v4};
use tests::responders::avahi;
use tests::run::{Daemon, Outcome};
use tests::scenario::{Scenario, with_avahi, with_scripted};

type Tested = Result<(), String>;

/// Looks up a name in a process without any usable network interface, as in a sandbox that shares only the daemon's
/// socket.
fn without_interface(client: &Host, name: &str) -> Outcome {
    client.run(&["unshare", "--net", "getent", "ahosts", name])
}

/// A LAN with avahi-daemon on the client. The daemon has cached the printer's addresses.
fn with_cached_printer() -> Result<Scenario, String> {
    let mut lan = with_avahi()?;
    lan.daemons.push(avahi(&lan.client, "client")?);
    // The first request makes the daemon query the network.
    assert_eq!(found(&without_interface(&lan.client, "printer.local")), routable(&lan.printer));
    Ok(lan)
}

#[test]
fn without_an_interface_the_daemon_answers() -> Tested {
    let lan = with_cached_printer()?;
    let outcome = without_interface(&lan.client, "printer.local");
    assert_eq!(found(&outcome), routable(&lan.printer), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(100), "{outcome:?}");
    // For a name that no host has, avahi-daemon replies only after five seconds. glibc does not ask the next service.
    let outcome = without_interface(&lan.client, "nobody.local");
    assert_eq!((outcome.code, &*outcome.stdout), (Some(2), ""), "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(1100), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(1900), "{outcome:?}");
    lan.client.write("/etc/nss-mdns.conf", "daemon = off\n")?;
    let outcome = without_interface(&lan.client, "printer.local");
    assert_eq!((outcome.code, &*outcome.stdout), (Some(2), ""), "{outcome:?}");
    assert!(outcome.elapsed < AT_ONCE, "{outcome:?}");
    Ok(())
}

#[test]
fn without_an_interface_a_host_with_one_family_is_found_at_once_for_every_caller() -> Tested {
    let mut lan = Scenario::with(Families::V4, |printer| avahi(printer, "printer"))?;
    lan.daemons.push(avahi(&lan.client, "client")?);
    let v4: BTreeSet<_> = v4(&lan.printer).into_iter().collect();
    // The first request makes the daemon query the network. The daemon replies about IPv6 after five seconds only.
    without_interface(&lan.client, "printer.local");
    let outcome = without_interface(&lan.client, "printer.local");
    assert_eq!(found(&outcome), v4, "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(150), "{outcome:?}");
    // A caller that wants IPv6 first, and then IPv4, in one process.
    let outcome = lan.client.run(&["unshare", "--net", "getent", "hosts", "printer.local"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(v4.iter().any(|ip| outcome.stdout.starts_with(&ip.to_string())), "{outcome:?}");
    Ok(())
}

#[test]
fn the_daemons_answer_is_used_if_the_network_does_not_respond() -> Tested {
    let mut lan = with_cached_printer()?;
    // The printer leaves the network without a goodbye packet (RFC 6762, section 10.1).
    lan.printer.script("ip link set eth0 down")?;
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), routable(&lan.printer), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(150), "{outcome:?}");
    lan.daemons.clear();
    let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(outcome.code, Some(2), "without the daemon: {outcome:?}");
    Ok(())
}

/// Listens on avahi-daemon's socket, prints each request, and answers with an address that no host has.
const FALSE_DAEMON: &str = "
import os, socket
os.makedirs('/run/avahi-daemon', exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind('/run/avahi-daemon/socket')
listener.listen(16)
print('ready', flush=True)
while True:
    connection, _ = listener.accept()
    question = connection.recv(1000).decode()
    print(question.strip(), flush=True)
    name = question.split()[1]
    connection.send(f'+ 2 0 {name} 10.66.66.66\\n'.encode() if 'IPV4' in question else b'-15 Timeout reached\\n')
    connection.close()";

fn with_false_daemon(options: &[&str]) -> Result<(Scenario, Daemon), String> {
    let lan = with_scripted("printer.local", options)?;
    let daemon = python_daemon(&lan.client, FALSE_DAEMON, &[])?;
    Ok((lan, daemon))
}

fn questions(daemon: &Daemon) -> Vec<String> {
    daemon.lines().into_iter().filter(|line| line.starts_with("RESOLVE")).collect()
}

#[test]
fn a_lookup_that_is_answered_promptly_does_not_query_the_daemon() -> Tested {
    let (lan, daemon) = with_false_daemon(&[])?;
    for _ in 0..20 {
        let outcome = lan.client.run(&["getent", "ahosts", "printer.local"]);
        assert!(found(&outcome).is_superset(&v4(&lan.printer)), "{outcome:?}");
    }
    assert_eq!(questions(&daemon), [""; 0]);
    Ok(())
}

#[test]
fn a_response_from_the_network_takes_precedence_over_the_daemons_answer() -> Tested {
    // The responder answers when the daemon has answered, but within the time that a response from the network has.
    // A busy machine may take longer, so a few of the lookups may return the daemon's answer.
    let (lan, daemon) = with_false_daemon(&["--delay", "36"])?;
    let of_network = (0..10).filter(|_| {
        let found = found(&lan.client.run(&["getent", "ahosts", "printer.local"]));
        found.is_superset(&v4(&lan.printer)) && !found.contains("10.66.66.66")
    });
    assert!(of_network.count() >= 6);
    assert!(!questions(&daemon).is_empty(), "the daemon was not queried");
    // Without a network interface, the daemon's answer is used.
    let outcome = without_interface(&lan.client, "printer.local");
    assert_eq!(addresses(&outcome), BTreeSet::from(["10.66.66.66".to_owned()]), "{outcome:?}");
    Ok(())
}

#[test]
fn names_that_the_daemon_would_parse_differently_are_not_sent_to_it() -> Tested {
    let (lan, daemon) = with_false_daemon(&[])?;
    let long = format!("{}.local", "a".repeat(60));
    for name in ["a\\032b.local", "a b.local", &long] {
        let outcome = without_interface(&lan.client, name);
        assert_eq!(outcome.code, Some(2), "{name}: {outcome:?}");
    }
    assert_eq!(questions(&daemon), [""; 0]);
    Ok(())
}
