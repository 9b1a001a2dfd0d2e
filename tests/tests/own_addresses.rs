//! This machine's own addresses: for its own name when no interface can be queried, in reverse lookups, and in the answers of
//! other hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::helpers::{capture, tunnel};
use tests::lan::{Families, Host};
use tests::lookups::{addresses, found, not_found_at_once, python, python_getaddrinfo};
use tests::responders::scripted_with;
use tests::run::Outcome;
use tests::scenario::Scenario;

type Tested = Result<(), String>;

/// A lookup that takes less than this has not waited for the network. (The own name waits 250 ms for a response, and a
/// reverse lookup a second.)
const WITHOUT_WAITING: Duration = Duration::from_millis(220);

/// Adds a bridge for containers, of which none runs.
const DOCKER: &str =
    "ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up";

/// Looks up the own name. (getent looks up no addresses on a host that has none itself.)
fn own_name(client: &Host) -> Vec<String> {
    let outcome = python_getaddrinfo(client, "client.local");
    assert!(outcome.elapsed < WITHOUT_WAITING + Duration::from_millis(250), "{outcome:?}");
    found(&outcome).into_iter().collect()
}

#[test]
fn the_own_name_resolves_when_every_interface_is_down() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.script("ip link set eth0 down")?;
    assert_eq!(own_name(&lan.client), ["127.0.0.1", "::1"]);
    lan.client.write("/etc/nss-mdns.conf", "own-name = off\n")?;
    let outcome = python_getaddrinfo(&lan.client, "client.local");
    assert!(!outcome.success(), "{outcome:?}");
    Ok(())
}

#[test]
fn the_own_name_resolves_to_the_address_of_a_tunnel_if_there_is_nothing_else() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    let _tunnel = tunnel(&lan.client, "tun0")?;
    lan.client.script(
        "ip link set eth0 down
         ip address add 10.8.0.1 peer 10.8.0.2 dev tun0
         ip link set tun0 up",
    )?;
    let found = own_name(&lan.client);
    assert!(found.contains(&"10.8.0.1".into()), "{found:?}");
    assert!(found.iter().all(|address| address == "10.8.0.1" || address.starts_with("fe80")), "{found:?}");
    Ok(())
}

/// The IPv4, the unique local and the link-local IPv6 address of a host.
fn of_eth0(host: &Host) -> Result<[String; 3], String> {
    let eth0 = host.eth0();
    let (Some(v4), Some(v6), Some(link_local)) = (eth0.v4, eth0.v6, eth0.link_local) else {
        return Err(format!("an address is missing: {eth0:?}"));
    };
    Ok([v4.to_string(), v6.to_string(), link_local.to_string()])
}

/// Checks that a program printed the own name and did not wait for the network.
fn is_client(outcome: &Outcome) {
    let names: Vec<_> = outcome.stdout.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!((outcome.code, names.as_slice()), (Some(0), ["client.local"].as_slice()), "{outcome:?}");
    assert!(outcome.elapsed < WITHOUT_WAITING, "{outcome:?}");
}

#[test]
fn a_reverse_lookup_of_an_own_address_returns_the_own_name_at_once() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    lan.client.script(DOCKER)?;
    let capture = capture(&lan.client, "eth0")?;
    let outcome = lan.client.run(&["hostname", "-A"]);
    let names: Vec<_> = outcome.stdout.split_whitespace().collect();
    assert_eq!(names, ["client.local"; 3], "one name for each address that is not link-local: {outcome:?}");
    assert!(outcome.elapsed < WITHOUT_WAITING, "{outcome:?}");
    let [v4, v6, link_local] = of_eth0(&lan.client)?;
    for address in [&v4, &v6, &link_local, "172.17.0.1"] {
        is_client(&lan.client.run(&["getent", "hosts", address]));
    }
    // The minimal services handle link-local addresses only.
    lan.client.use_services("mdns_minimal")?;
    is_client(&lan.client.run(&["getent", "hosts", &link_local]));
    not_found_at_once(&lan.client.run(&["getent", "hosts", &v4]));
    assert_eq!(capture.to_group(), [""; 0], "the network was queried");
    // Loopback addresses belong to /etc/hosts.
    lan.client.use_services("mdns")?;
    not_found_at_once(&lan.client.run(&["getent", "hosts", "127.0.0.1"]));
    lan.client.write("/etc/nss-mdns.conf", "own-name = off\n")?;
    not_found_at_once(&lan.client.run(&["getent", "hosts", &v4]));
    lan.client.write("/etc/nss-mdns.conf", "reverse = link-local\n")?;
    not_found_at_once(&lan.client.run(&["getent", "hosts", &v4]));
    is_client(&lan.client.run(&["getent", "hosts", &link_local]));
    Ok(())
}

#[test]
fn a_reverse_lookup_of_an_own_address_works_when_every_interface_is_down() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.use_services("mdns")?;
    lan.client.script("ip link set eth0 down")?;
    is_client(&lan.client.run(&["getent", "hosts", &lan.client.eth0().v4.ok_or("no IPv4")?.to_string()]));
    Ok(())
}

/// The addresses of the printer, which publishes these, in the order of a hostent.
fn published(lan: &mut Scenario, addresses: &[&str]) -> Result<Vec<String>, String> {
    lan.daemons.clear();
    let options = addresses.iter().flat_map(|address| ["--a", address]);
    let options: Vec<_> = ["--name", "printer.local", "--other", "additional"].into_iter().chain(options).collect();
    lan.daemons.push(scripted_with(&lan.printer, &options)?);
    let script = "import socket; print(*socket.gethostbyname_ex('printer.local')[2])";
    let outcome = python(&lan.client, script, &[]);
    assert!(outcome.success(), "{outcome:?}");
    Ok(outcome.stdout.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn own_addresses_are_not_returned_for_another_host() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    lan.client.script(DOCKER)?;
    let v4 = lan.printer.eth0().v4.ok_or("no IPv4")?.to_string();
    assert_eq!(published(&mut lan, &["172.17.0.1", &v4])?, [&*v4]);
    assert_eq!(published(&mut lan, &["172.17.0.1"])?, ["172.17.0.1"]);
    // On the link of another interface.
    assert_eq!(published(&mut lan, &["172.17.0.9", "192.0.2.9", &v4])?, [&*v4, "192.0.2.9", "172.17.0.9"]);
    // The responder runs on this machine.
    let own = lan.client.eth0().v4.ok_or("no IPv4")?.to_string();
    lan.daemons.clear();
    lan.daemons.push(scripted_with(&lan.client, &["--name", "printer.local", "--a", &own, "--a", &v4])?);
    let outcome = lan.client.run(&["getent", "ahostsv4", "printer.local"]);
    assert_eq!(addresses(&outcome), [own, v4].into(), "{outcome:?}");
    Ok(())
}

/// What a program finds for this machine's name while a responder with these options runs on the same host.
fn own_name_beside(lan: &mut Scenario, options: &[&str]) -> Result<BTreeSet<String>, String> {
    lan.daemons.push(scripted_with(&lan.client, &[&["--name", "client.local"], options].concat())?);
    Ok(found(&python_getaddrinfo(&lan.client, "client.local")))
}

/// The responder on this machine answers for one family only.
#[test]
fn own_addresses_about_which_the_own_responder_is_silent_are_added() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    let [v4, v6, link_local] = of_eth0(&lan.client)?;
    let own = BTreeSet::from([v4.clone(), v6.clone(), link_local.clone()]);
    for options in [&["--a", &v4][..], &["--aaaa", &v6, "--aaaa", &link_local]] {
        assert_eq!(own_name_beside(&mut lan, options)?, own, "{options:?}");
        let told = lan.client.run(&["python3", "-c", "import socket; print(socket.gethostbyname('client.local'))"]);
        assert_eq!(told.stdout.trim(), v4, "{options:?}: {told:?}");
        lan.daemons.clear();
    }
    Ok(())
}

#[test]
fn own_addresses_are_not_added_if_the_own_responder_denies_them() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    // Until the denial has arrived, on a busy machine too.
    lan.client.write("/etc/nss-mdns.conf", "grace-min = 200\ngrace-max = 200\n")?;
    let [v4, ..] = of_eth0(&lan.client)?;
    for denial in [["--negative", "nsec"], ["--other", "answer"]] {
        let options = [&["--a", &v4], &denial[..]].concat();
        assert_eq!(own_name_beside(&mut lan, &options)?, BTreeSet::from([v4.clone()]), "{denial:?}");
        lan.daemons.clear();
    }
    Ok(())
}

/// Another host may have the same name. The answer is that of this machine if the other one does not respond within 250 ms.
#[test]
fn own_addresses_are_not_added_to_the_answer_of_another_host() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    let [v4, ..] = of_eth0(&lan.printer)?;
    lan.daemons.push(scripted_with(&lan.printer, &["--name", "client.local", "--a", &v4])?);
    assert_eq!(found(&python_getaddrinfo(&lan.client, "client.local")), BTreeSet::from([v4]));
    Ok(())
}

#[test]
fn own_addresses_are_not_added_with_own_name_off() -> Tested {
    let mut lan = Scenario::silent(Families::Both)?;
    lan.client.write("/etc/nss-mdns.conf", "own-name = off\n")?;
    let [v4, ..] = of_eth0(&lan.client)?;
    assert_eq!(own_name_beside(&mut lan, &["--a", &v4])?, BTreeSet::from([v4]));
    Ok(())
}
