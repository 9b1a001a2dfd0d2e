//! What an administrator can change: every setting of `/etc/nss-mdns.conf` and the list in `/etc/mdns.allow`, each seen to
//! have its effect on real lookups; when the files are looked at; and what `nss-mdns-check` says of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tests::helpers::{capture, tunnel};
use tests::lan::{Families, Host, Network};
use tests::lookups::{AT_ONCE, addresses, all, found, not_found_at_once, python, routable, v4};
use tests::responders::{scripted, scripted_with};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_scripted};

const SETTINGS: &str = "/etc/nss-mdns.conf";
const ALLOW: &str = "/etc/mdns.allow";

fn ahosts(client: &Host, name: &str) -> Outcome {
    client.run(&["getent", "ahosts", name])
}

/// How many questions a lookup of this name, which nobody has, sends.
fn questions(client: &Host, name: &str) -> Result<usize, String> {
    let capture = capture(client, "eth0")?;
    let outcome = ahosts(client, name);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    Ok(capture.to_group().len())
}

/// Three for the first attempt, and for each of the later ones three from the group's sockets and three for a unicast answer.
#[test]
fn timeout_and_retries_say_how_often_is_asked() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    for (number, (settings, expected)) in [
        ("", 3 + 6 + 6),
        ("retries = none\n", 3),
        ("retries = 100 200 300 400\n", 3 + 4 * 6),
        ("timeout = 200\n", 3),
        ("timeout = 600\n", 3 + 6),
        ("timeout = 600\nlistener = off\n", 3 + 3),
    ]
    .into_iter()
    .enumerate()
    {
        lan.client.write(SETTINGS, settings)?;
        assert_eq!(questions(&lan.client, &format!("nobody{number}.local"))?, expected, "{settings}");
    }
    Ok(())
}

/// The second family comes 400 ms late: later than is waited for, but not than can be.
#[test]
fn grace_says_how_long_the_other_family_is_waited_for() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--delay-aaaa", "400"])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), v4(&lan.printer));
    lan.client.write(SETTINGS, "grace-min = 1000\ngrace-max = 1000\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    // Between the two it is twice the first answer's own delay.
    let lan = with_scripted("printer.local", &["--delay", "200", "--delay-aaaa", "200"])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), v4(&lan.printer));
    lan.client.write(SETTINGS, "grace-max = 1000\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    Ok(())
}

#[test]
fn interfaces_are_allowed_and_denied() -> Result<(), String> {
    let network = Network::new()?;
    let (first, second) = (network.lan(Families::Both)?, network.lan(Families::Both)?);
    let client = network.client("client", &[&first, &second])?;
    let mut daemons = Vec::new();
    let mut hosts = Vec::new();
    for (name, lan) in [("printer", &first), ("scanner", &second)] {
        let host = network.host(name, &[lan])?;
        daemons.push(scripted(&host, &format!("{name}.local"), &[])?);
        hosts.push(host);
    }
    for (settings, printer, scanner) in [
        ("", true, true),
        ("allow-interfaces = eth0 wlan*\n", true, false),
        ("deny-interfaces = eth0\n", false, true),
        ("allow-interfaces = eth?\ndeny-interfaces = [!a-d]*1\n", true, false),
        ("deny-interfaces = *\n", false, false),
    ] {
        client.write(SETTINGS, &format!("timeout = 300\n{settings}"))?;
        for (name, expected) in [("printer.local", printer), ("scanner.local", scanner)] {
            let outcome = ahosts(&client, name);
            assert_eq!(outcome.success(), expected, "{settings}: {name}: {outcome:?}");
        }
    }
    Ok(())
}

#[test]
fn a_point_to_point_link_is_asked_on_if_it_is_named() -> Result<(), String> {
    let lan = Scenario::silent(Families::V4)?;
    let _tunnel = tunnel(&lan.client, "tun7")?;
    lan.client.script("ip link set tun7 multicast on up; ip address add 10.99.0.1/24 dev tun7")?;
    for (settings, expected) in [
        ("", false),
        ("allow-interfaces = tun*\n", false),
        ("allow-interfaces = * tun7\n", true),
        ("allow-interfaces = tun7\ndeny-interfaces = tun*\n", false),
    ] {
        lan.client.write(SETTINGS, &format!("timeout = 200\n{settings}"))?;
        let capture = capture(&lan.client, "tun7")?;
        assert_eq!(ahosts(&lan.client, "nobody.local").code, Some(2));
        assert_eq!(!capture.to_group().is_empty(), expected, "{settings}: {:?}", capture.packets());
    }
    Ok(())
}

#[test]
fn labels_say_which_names_under_local_are_ours() -> Result<(), String> {
    let lan = with_scripted("printer.office.local", &[])?;
    not_found_at_once(&ahosts(&lan.client, "printer.office.local"));
    lan.client.write(SETTINGS, "labels = any\n")?;
    for service in ["mdns_minimal", "mdns"] {
        lan.client.use_services(&format!("files {service} [NOTFOUND=return] dns"))?;
        let outcome = ahosts(&lan.client, "printer.office.local");
        assert_eq!(found(&outcome), all(&lan.printer, lan.client.eth0()), "{service}: {outcome:?}");
    }
    Ok(())
}

#[test]
fn reverse_says_which_addresses_have_names() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let (global, link_local) = (lan.printer.eth0().v4.ok_or("no IPv4")?, lan.printer.eth0().link_local.ok_or("none")?);
    lan.client.use_services("files mdns")?;
    for (settings, of_global, of_link_local) in [
        ("", true, true),
        ("reverse = on-link\n", true, true),
        ("reverse = link-local\n", false, true),
        ("reverse = off\n", false, false),
    ] {
        lan.client.write(SETTINGS, settings)?;
        for (address, expected) in [(global.to_string(), of_global), (link_local.to_string(), of_link_local)] {
            let outcome = lan.client.run(&["getent", "hosts", &address]);
            assert_eq!(outcome.success(), expected, "{settings}: {address}: {outcome:?}");
        }
    }
    Ok(())
}

#[test]
fn without_the_listener_those_that_only_multicast_are_not_heard() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--like", "zephyr"])?;
    lan.client.write(SETTINGS, "timeout = 400\n")?;
    assert!(ahosts(&lan.client, "printer.local").success());
    lan.client.write(SETTINGS, "timeout = 400\nlistener = off\n")?;
    assert_eq!(ahosts(&lan.client, "printer.local").code, Some(2));
    Ok(())
}

#[test]
fn the_own_name_is_known_or_not() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    assert!(ahosts(&lan.client, "client.local").success());
    lan.client.write(SETTINGS, "timeout = 400\nown-name = off\n")?;
    assert_eq!(ahosts(&lan.client, "client.local").code, Some(2));
    Ok(())
}

#[test]
fn link_local_answers_are_given_or_not() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    lan.client.write(SETTINGS, "ipv6-link-local = off\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), routable(&lan.printer));
    assert!(ahosts(&lan.client, "client.local").stdout.lines().all(|line| !line.starts_with("fe80")));
    // A host that has no other IPv6 address has none.
    let (v4, link_local) = (lan.printer.eth0().v4.ok_or("none")?, lan.printer.eth0().link_local.ok_or("none")?);
    let options = ["--name", "second.local", "--a", &v4.to_string(), "--aaaa", &link_local.to_string()];
    let _responder = scripted_with(&lan.printer, &options)?;
    assert_eq!(found(&ahosts(&lan.client, "second.local")), tests::lookups::v4(&lan.printer));
    let script = "import socket; socket.getaddrinfo('second.local', 80, socket.AF_INET6)";
    let outcome = python(&lan.client, script, &[]);
    assert!(!outcome.success() && outcome.elapsed < AT_ONCE, "{outcome:?}");
    Ok(())
}

/// Looks these names up in one process, the last of them after a while, and tells how many of the lookups ask the LAN.
fn asking(lan: &Scenario, names: &[&str]) -> Result<usize, String> {
    let capture = capture(&lan.client, "eth0")?;
    let script = "
import socket, sys, time
for name in sys.argv[1:-1]:
    socket.getaddrinfo(name, 80)
time.sleep(2.2)
socket.getaddrinfo(sys.argv[-1], 80)
";
    let outcome = python(&lan.client, script, names);
    assert!(outcome.success(), "{outcome:?}");
    Ok(capture.to_group().len() / 3)
}

#[test]
fn what_is_remembered_is_bounded_by_number_and_time() -> Result<(), String> {
    let lan = with_scripted("a.local", &["--name", "b.local"])?;
    let (same, both) = (["a.local", "a.local", "a.local"], ["a.local", "b.local", "a.local"]);
    for (settings, of_same, of_both) in [
        ("", 1, 2),
        ("cache-size = 0\n", 3, 3),
        ("cache-size = 1\n", 1, 3),
        ("ttl-max = 0\n", 3, 3),
        ("ttl-max = 2\n", 2, 3),
    ] {
        lan.client.write(SETTINGS, settings)?;
        assert_eq!((asking(&lan, &same)?, asking(&lan, &both)?), (of_same, of_both), "{settings}");
    }
    Ok(())
}

/// How many questions a reverse lookup of an address that nobody has sends: one to the group, and one to the address itself.
#[test]
fn reverse_timeout_says_how_long_an_addresss_name_is_asked_for() -> Result<(), String> {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.use_services("files mdns")?;
    for (settings, expected) in [("", 1 + 2), ("reverse-timeout = 200\n", 1), ("reverse-timeout = 2000\n", 1 + 2 + 2)] {
        lan.client.write(SETTINGS, settings)?;
        let capture = capture(&lan.client, "eth0")?;
        assert_eq!(lan.client.run(&["getent", "hosts", "10.77.1.200"]).code, Some(2));
        assert_eq!(capture.to_group().len(), expected, "{settings}: {:?}", capture.packets());
    }
    Ok(())
}

/// The host's other IPv6 address comes a moment after the link-local one, in a packet of its own.
#[test]
fn a_link_local_answer_that_is_left_out_is_not_the_end() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "ipv6-link-local = off\n")?;
    let (v6, link_local) = (lan.printer.eth0().v6.ok_or("none")?, lan.printer.eth0().link_local.ok_or("none")?);
    let start = |address: String, delay: &str| {
        scripted_with(&lan.printer, &["--name", "printer.local", "--aaaa", &address, "--delay", delay])
    };
    let _responders = [start(link_local.to_string(), "20")?, start(v6.to_string(), "40")?];
    let script = "import socket; print(socket.getaddrinfo('printer.local', 80, socket.AF_INET6)[0][4][0])";
    let outcome = python(&lan.client, script, &[]);
    assert_eq!(outcome.stdout.trim(), v6.to_string(), "{outcome:?}");
    Ok(())
}

#[test]
fn the_own_name_takes_no_longer_without_retries() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 9000\nretries = none\n")?;
    let outcome = ahosts(&lan.client, "client.local");
    assert!(outcome.success() && outcome.elapsed < std::time::Duration::from_secs(5), "{outcome:?}");
    Ok(())
}

/// A lookup that is under way while the settings change is not remembered: it was made by the old ones.
#[test]
fn what_was_begun_by_old_settings_is_not_remembered() -> Result<(), String> {
    let lan = with_scripted("slow.local", &["--delay", "600"])?;
    let _quick = scripted(&lan.printer, "quick.local", &[])?;
    let script = "
import os, socket, threading, time
def found(name):
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False
slow = threading.Thread(target=lambda: print(found('slow.local'), end=' '))
slow.start()
time.sleep(0.2)
with open('/etc/nss-mdns.conf', 'w') as file:
    file.write('timeout = 100\\ndeny-interfaces = *\\n')
print(found('quick.local'), end=' ')
slow.join()
print(found('slow.local'))
";
    lan.client.write(SETTINGS, "timeout = 3000\n")?;
    let outcome = python(&lan.client, script, &[]);
    assert_eq!(outcome.stdout, "False True False\n", "{outcome:?}");
    Ok(())
}

#[test]
fn a_bad_line_breaks_nothing_and_good_ones_beside_it_hold() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write(SETTINGS, "[server]\ntimeout = 2s\nipv6-link-local = off\n\u{1}\u{2}=\ngrace-min = 999\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), routable(&lan.printer));
    // Nor does anything that is no file at all.
    for script in [
        "rm /etc/nss-mdns.conf; mkfifo /etc/nss-mdns.conf",
        "rm /etc/nss-mdns.conf; mkdir /etc/nss-mdns.conf",
        "rmdir /etc/nss-mdns.conf; head -c 200000 /dev/zero >/etc/nss-mdns.conf",
        "rm /etc/nss-mdns.conf; ln -s nss-mdns.conf /etc/nss-mdns.conf",
    ] {
        lan.client.script(script)?;
        assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()), "{script}");
    }
    Ok(())
}

/// A long-lived process: what is remembered by the old settings is forgotten with them.
#[test]
fn a_change_is_seen_by_the_next_lookup_that_asks() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--name", "second.local"])?;
    let script = "
import os, socket
def count(name):
    print(len({a[4][0] for a in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)}), end=' ')
def write(path, text):
    with open(path + '.new', 'w') as file:
        file.write(text)
    os.rename(path + '.new', path)
count('printer.local')
write('/etc/nss-mdns.conf', 'ipv6-link-local = off\\n')
count('printer.local')
count('second.local')
count('printer.local')
os.remove('/etc/nss-mdns.conf')
count('printer.local')
";
    let outcome = python(&lan.client, script, &[]);
    // Remembered, and so not looked at; then another name is asked for, and the file with it.
    assert_eq!(outcome.stdout, "3 3 2 2 2 ", "{outcome:?}");
    Ok(())
}

#[test]
fn programs_with_more_rights_than_their_callers_read_the_same_file() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let ping = || lan.client.run(&["ping", "-c", "1", "-W", "2", "printer.local"]);
    assert!(ping().success());
    lan.client.write(SETTINGS, "timeout = 300\ndeny-interfaces = *\n")?;
    assert!(!ping().success());
    Ok(())
}

/// The system calls with a path of ours that a process makes, in order.
fn looks_at_files(client: &Host, script: &str) -> Vec<String> {
    let outcome = client.run(&["strace", "-f", "-qq", "-e", "trace=%file", "/usr/bin/python3", "-c", script]);
    assert!(outcome.success(), "{:?}", outcome.stderr.lines().last());
    let ours = |line: &&str| line.contains(SETTINGS) || line.contains(ALLOW);
    let call = |line: &str| {
        let (call, rest) = line.rsplit("] ").next().unwrap_or(line).split_once('(').unwrap_or((line, ""));
        let file = if rest.contains(ALLOW) { "allow" } else { "conf" };
        let call = if call.starts_with("open") { "open" } else { "stat" };
        format!("{call} {file}")
    };
    outcome.stderr.lines().filter(ours).map(call).collect()
}

#[test]
fn files_are_looked_at_only_where_the_lookup_depends_on_them() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let lookups = |names: &[&str]| {
        let lookup = |name: &&str| format!("try: socket.getaddrinfo(b'{name}', 80)\nexcept OSError: pass\n");
        format!("import socket\n{}", names.iter().map(lookup).collect::<String>())
    };
    for (service, files, names, expected) in [
        // Read once, for the lookup that asks; not for the one that is remembered, nor for a name that is not ours.
        (
            "mdns_minimal",
            true,
            &["printer.local", "printer.local", "www.example.test", "host"][..],
            &["stat conf", "open conf"][..],
        ),
        ("mdns_minimal", true, &["www.example.test", "a..local", "local"], &[]),
        ("mdns_minimal", false, &["printer.local", "printer.local"], &["stat conf"]),
        ("mdns_minimal", true, &["a.b.local", "a.b.local"], &["stat conf", "open conf", "stat conf"]),
        ("mdns", true, &["host", "local", "a..example"], &[]),
        ("mdns", true, &["www.example.test", "www.example.test"], &["stat allow", "open allow", "stat allow"]),
        (
            "mdns",
            true,
            &["printer.local", "printer.local"],
            &["stat allow", "open allow", "stat conf", "open conf", "stat allow"],
        ),
    ] {
        lan.client.use_services(&format!("files {service}"))?;
        lan.client.script(&format!("rm -f {SETTINGS} {ALLOW}"))?;
        if files {
            lan.client.write(SETTINGS, "timeout = 500\n")?;
            lan.client.write(ALLOW, ".local\n")?;
        }
        let looks = looks_at_files(&lan.client, &lookups(names));
        assert_eq!(looks, expected, "{service} {names:?}");
    }
    Ok(())
}

/// Whether each of the names is asked for on the LAN.
fn asked(client: &Host, names: &[&str]) -> Result<Vec<bool>, String> {
    names.iter().map(|name| questions(client, name).map(|count| count > 0)).collect()
}

#[test]
fn the_full_services_ask_for_what_mdns_allow_lists() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 100\n")?;
    let names = ["a.local", "a.local.", "a.b.local", "a.example", "A.B.EXAMPLE", "a.test"];
    for service in ["mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal"] {
        lan.client.use_services(&format!("files {service}"))?;
        lan.client.script(&format!("rm -f {ALLOW}"))?;
        assert_eq!(asked(&lan.client, &names)?, [true, true, false, false, false, false], "{service}");
        if service.ends_with("minimal") {
            lan.client.write(ALLOW, "*\n")?;
            assert_eq!(asked(&lan.client, &names)?, [true, true, false, false, false, false], "{service} ignores it");
        }
    }
    lan.client.use_services("files mdns")?;
    for (list, expected) in [
        ("", [false; 6]),
        ("# .local\n", [false; 6]),
        (".local\n", [true, false, true, false, false, false]),
        (".local.\n", [false, true, false, false, false, false]),
        ("  local   # ours\r\n.EXAMPLE\r\n", [true, false, true, true, true, false]),
        ("*\n", [true; 6]),
        (&format!("{}.local\n.test\n", "x".repeat(300)), [false, false, false, false, false, true]),
    ] {
        lan.client.write(ALLOW, list)?;
        assert_eq!(asked(&lan.client, &names)?, expected, "{list:?}");
    }
    Ok(())
}

#[test]
fn a_name_that_mdns_allow_lists_is_found_outside_of_local() -> Result<(), String> {
    let lan = with_scripted("printer.example", &[])?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    lan.client.write(ALLOW, ".example\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.example")), all(&lan.printer, lan.client.eth0()));
    Ok(())
}

/// It is built together with the module.
fn check_program() -> Result<PathBuf, String> {
    Ok(tests::module::path()?.with_file_name("nss-mdns-check"))
}

/// The lines of `nss-mdns-check`, and its exit status.
fn check(host: &Host, arguments: &[&str]) -> Result<(BTreeSet<String>, Option<i32>), String> {
    let program = check_program()?;
    let outcome = host.run(&[&[&*program.to_string_lossy()], arguments].concat());
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    Ok((outcome.stdout.lines().map(str::to_owned).collect(), outcome.code))
}

#[test]
fn the_check_finds_nothing_to_mend_where_all_is_well() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let (lines, status) = check(&lan.client, &[])?;
    let expected = [
        "settings: /etc/nss-mdns.conf is not there: the defaults hold",
        "allowed: /etc/mdns.allow is not there: the full services answer names under .local",
        "interface lo: not asked: it carries no multicast",
        "interface eth0: asked over IPv4 and IPv6",
        "firewall eth0: over IPv4, multicast DNS comes in",
        "firewall eth0: over IPv6, multicast DNS comes in",
    ];
    assert_eq!((lines, status), (expected.map(str::to_owned).into(), Some(0)));
    lan.client.write(SETTINGS, "timeout = 500\n")?;
    lan.client.write(ALLOW, ".local\n")?;
    let (lines, status) = check(&lan.client, &["printer.local"])?;
    assert!(lines.contains("settings: /etc/nss-mdns.conf is in order"), "{lines:?}");
    assert!(lines.contains("allowed: /etc/mdns.allow is in order"), "{lines:?}");
    let lookup = lines.iter().find_map(|line| line.strip_prefix("lookup printer.local: ")).ok_or("no lookup")?;
    let found: BTreeSet<_> = lookup.split(" (").next().unwrap_or_default().split(", ").map(str::to_owned).collect();
    let link_local = lan.printer.eth0().link_local.ok_or("none")?;
    let expected = &routable(&lan.printer) | &[format!("{link_local}%eth0")].into();
    assert_eq!((found, status), (expected, Some(0)));
    Ok(())
}

#[test]
fn the_check_says_which_services_a_name_is_for() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--name", "printer.example"])?;
    lan.client.write(ALLOW, ".example\n")?;
    let (lines, status) = check(&lan.client, &["printer.local", "printer.example"])?;
    let ends = |start: &str, end: &str| lines.iter().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(ends("lookup printer.local: ", " ms; by the minimal services alone)"), "{lines:#?}");
    assert!(ends("lookup printer.example: ", " ms; by the full services alone)"), "{lines:#?}");
    lan.client.write(ALLOW, "# nothing\n")?;
    let (lines, _) = check(&lan.client, &[])?;
    assert!(lines.contains("allowed: /etc/mdns.allow lists nothing: the full services answer no names"), "{lines:#?}");
    assert_eq!(status, Some(0));
    Ok(())
}

#[test]
fn the_check_names_what_is_to_mend() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let drops = |rule: &str| {
        format!(
            "nft add table inet t; nft add chain inet t c '{{ type filter hook input priority 0; }}'; nft add rule inet t c {rule}"
        )
    };
    for (situation, expected) in [
        (
            "printf '# ours\\ntimeout = 2s\\n' >/etc/nss-mdns.conf".to_owned(),
            "settings: to mend: /etc/nss-mdns.conf:2: timeout: expected 50 to 10000 milliseconds, found \"2s\"",
        ),
        (
            "printf 'times = 2\\n' >/etc/nss-mdns.conf".to_owned(),
            "settings: to mend: /etc/nss-mdns.conf:1: times: no such key, expected one of: timeout, retries, grace-min, grace-max, \
             reverse-timeout, allow-interfaces, deny-interfaces, labels, reverse, listener, own-name, cache-size, ttl-max, \
             ipv6-link-local",
        ),
        ("mkfifo /etc/nss-mdns.conf".to_owned(), "settings: to mend: /etc/nss-mdns.conf: expected a regular file"),
        (
            "printf '.local\\n' >/etc/mdns.allow; chmod 600 /etc/mdns.allow".to_owned(),
            "allowed: to mend: /etc/mdns.allow: expected to be readable by everyone: the programs of others do without it",
        ),
        (
            "head -c 70000 /dev/zero | tr '\\0' '#' >/etc/nss-mdns.conf".to_owned(),
            "settings: to mend: /etc/nss-mdns.conf: expected at most 65536 octets; the rest is not read",
        ),
        (
            "printf '.local\\n*.local\\n' >/etc/mdns.allow".to_owned(),
            "allowed: to mend: /etc/mdns.allow:2: expected a suffix such as .local, of at most 255 octets, or *",
        ),
        (
            "printf 'deny-interfaces = eth*\\n' >/etc/nss-mdns.conf".to_owned(),
            "interface: to mend: none can be asked on: the module leaves names to the next service",
        ),
        (
            drops("udp dport 5353 ip version 4 drop"),
            "firewall eth0: to mend: over IPv4, what is sent to the group and UDP port 5353 does not come in: \
             admit it (ufw allow mdns; firewall-cmd --add-service=mdns), or see whether a rule drops only packets that bear \
             this host's own address",
        ),
        (
            drops("udp dport 5353 ip6 version 6 drop"),
            "firewall eth0: to mend: over IPv6, what is sent to the group and UDP port 5353 does not come in: \
             admit it (ufw allow mdns; firewall-cmd --add-service=mdns), or see whether a rule drops only packets that bear \
             this host's own address",
        ),
        (
            "nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'
             nft add rule inet t c ip version 4 udp dport 5353 drop"
                .to_owned(),
            "firewall eth0: to mend: over IPv4, questions do not go out: Operation not permitted (os error 1)",
        ),
    ] {
        lan.client.script(&format!("rm -f {SETTINGS} {ALLOW}; nft flush ruleset; {situation}"))?;
        let (lines, status) = check(&lan.client, &[])?;
        assert!(lines.contains(expected), "{situation}: {lines:#?}");
        assert_eq!(status, Some(1), "{situation}");
    }
    Ok(())
}

/// A firewall that admits what is established, and multicast DNS, is none that drops it.
#[test]
fn a_stateful_firewall_with_multicast_dns_is_in_order() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.firewall(
        "table inet t { chain c { type filter hook input priority 0; policy drop;
            ct state established accept; iif lo accept; meta l4proto ipv6-icmp accept
            ip daddr 224.0.0.251 udp dport 5353 accept; ip6 daddr ff02::fb udp dport 5353 accept
         }
        }",
    )?;
    let (lines, status) = check(&lan.client, &[])?;
    assert_eq!(status, Some(0), "{lines:#?}");
    Ok(())
}

#[test]
fn the_check_says_why_an_interface_is_not_asked_on() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    for (situation, expected) in [
        ("ip link add d0 type veth peer name d1", "interface d0: not asked: it is down"),
        ("ip link set d0 up", "interface d0: not asked: it has no carrier"),
        (
            "ip link set d1 up; echo 1 >/proc/sys/net/ipv6/conf/d0/disable_ipv6",
            "interface d0: not asked: it has no address",
        ),
        (
            "ip link add br0 type bridge; ip link set d0 master br0",
            "interface d0: not asked: it is a member of a bridge or bond, which is asked on instead",
        ),
        ("echo 'deny-interfaces = d*' >/etc/nss-mdns.conf", "interface d0: not asked: deny-interfaces matches it"),
        (
            "echo 'allow-interfaces = eth*' >/etc/nss-mdns.conf",
            "interface d0: not asked: allow-interfaces does not match it",
        ),
    ] {
        lan.client.script(situation)?;
        // The kernel tells of a carrier some time after it is there.
        let looks = (0..50).map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            check(&lan.client, &[]).map(|(lines, _)| lines)
        });
        let seen = looks.map(Result::unwrap_or_default).any(|lines| lines.contains(expected));
        assert!(seen, "{situation}: {:#?}", check(&lan.client, &[])?.0);
    }
    Ok(())
}

#[test]
fn the_check_takes_no_options_that_it_does_not_know() -> Result<(), String> {
    let program = check_program()?;
    let run = |argument: &str| {
        let mut command = std::process::Command::new(&program);
        command.arg(argument);
        tests::run::run(command, std::time::Duration::from_secs(10))
    };
    let help = run("--help")?;
    assert!(help.success() && help.stdout.starts_with("Usage: nss-mdns-check [NAME]...\n"), "{help:?}");
    let version = run("--version")?;
    assert!(version.success() && version.stdout.starts_with("nss-mdns-check "), "{version:?}");
    let wrong = run("--wrong")?;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert_eq!(wrong.stderr, "nss-mdns-check: unknown option --wrong; see nss-mdns-check --help\n");
    Ok(())
}

#[test]
fn a_missing_name_makes_the_check_say_so() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 100\n")?;
    let (lines, status) = check(&lan.client, &["nobody.local", "www.example.org"])?;
    assert_eq!(status, Some(1));
    assert!(lines.iter().any(|line| line.starts_with("lookup nobody.local: to mend: nobody answered (1")), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("lookup www.example.org: to mend: it is left to other services")),
        "{lines:?}"
    );
    assert!(addresses(&ahosts(&lan.client, "nobody.local")).is_empty());
    Ok(())
}
