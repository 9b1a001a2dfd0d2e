//! Configuration: the effect on real lookups of every setting of `/etc/nss-mdns.conf` and of the list in
//! `/etc/mdns.allow`; when these files are read; and what `nss-mdns check` reports.

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

/// The number of queries that a lookup of this name sends. No host has the name.
fn questions(client: &Host, name: &str) -> Result<usize, String> {
    let capture = capture(client, "eth0")?;
    let outcome = ahosts(client, name);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    Ok(capture.to_group().len())
}

/// The first transmission is three queries. Each retransmission is three from the multicast listeners, and three that
/// request a unicast response.
#[test]
fn timeout_and_retries_set_the_number_of_queries() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    for (number, (settings, expected)) in [
        ("", 3 + 6 + 6 + 6),
        ("retries = none\n", 3),
        ("retries = 100 200 300 400\n", 3 + 4 * 6),
        ("timeout = 200\n", 3 + 6),
        ("timeout = 600\n", 3 + 6 + 6),
        ("timeout = 600\nlistener = off\n", 3 + 3 + 3),
    ]
    .into_iter()
    .enumerate()
    {
        lan.client.write(SETTINGS, settings)?;
        assert_eq!(questions(&lan.client, &format!("nobody{number}.local"))?, expected, "{settings}");
    }
    Ok(())
}

/// The second family arrives 400 ms late: after the default grace period, but within the longest one that can be set.
#[test]
fn grace_sets_how_long_a_lookup_waits_for_the_other_family() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--delay-aaaa", "400", "--ignore-any"])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), v4(&lan.printer));
    lan.client.write(SETTINGS, "grace-min = 1000\ngrace-max = 1000\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    // Between the minimum and the maximum, the grace period is twice the delay of the first response.
    let lan = with_scripted("printer.local", &["--delay", "200", "--delay-aaaa", "200", "--ignore-any"])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), v4(&lan.printer));
    lan.client.write(SETTINGS, "grace-max = 1000\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    Ok(())
}

#[test]
fn allow_interfaces_and_deny_interfaces_select_the_interfaces_to_query() -> Result<(), String> {
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
fn a_point_to_point_link_is_queried_only_if_it_is_named() -> Result<(), String> {
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
fn labels_set_which_names_under_local_are_handled() -> Result<(), String> {
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
fn reverse_sets_which_addresses_are_looked_up() -> Result<(), String> {
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
fn without_the_listener_multicast_only_responders_are_not_found() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--unicast", "never"])?;
    lan.client.write(SETTINGS, "timeout = 400\n")?;
    assert!(ahosts(&lan.client, "printer.local").success());
    lan.client.write(SETTINGS, "timeout = 400\nlistener = off\n")?;
    assert_eq!(ahosts(&lan.client, "printer.local").code, Some(2));
    Ok(())
}

#[test]
fn own_name_sets_whether_the_hosts_own_name_is_answered() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    assert!(ahosts(&lan.client, "client.local").success());
    lan.client.write(SETTINGS, "timeout = 400\nown-name = off\n")?;
    assert_eq!(ahosts(&lan.client, "client.local").code, Some(2));
    Ok(())
}

#[test]
fn ipv6_link_local_sets_whether_link_local_addresses_are_returned() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), all(&lan.printer, lan.client.eth0()));
    lan.client.write(SETTINGS, "ipv6-link-local = off\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), routable(&lan.printer));
    assert!(ahosts(&lan.client, "client.local").stdout.lines().all(|line| !line.starts_with("fe80")));
    // A host whose only IPv6 address is link-local is found with its IPv4 address only.
    let (v4, link_local) = (lan.printer.eth0().v4.ok_or("none")?, lan.printer.eth0().link_local.ok_or("none")?);
    let options = ["--name", "second.local", "--a", &v4.to_string(), "--aaaa", &link_local.to_string()];
    let _responder = scripted_with(&lan.printer, &options)?;
    assert_eq!(found(&ahosts(&lan.client, "second.local")), tests::lookups::v4(&lan.printer));
    let script = "import socket; socket.getaddrinfo('second.local', 80, socket.AF_INET6)";
    let outcome = python(&lan.client, script, &[]);
    assert!(!outcome.success() && outcome.elapsed < AT_ONCE, "{outcome:?}");
    Ok(())
}

/// Looks up these names in one process, the last of them after a pause of 2.2 s. Returns how many of the lookups query
/// the LAN.
fn uncached(lan: &Scenario, names: &[&str]) -> Result<usize, String> {
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
fn cache_size_and_ttl_max_limit_the_cache() -> Result<(), String> {
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
        assert_eq!((uncached(&lan, &same)?, uncached(&lan, &both)?), (of_same, of_both), "{settings}");
    }
    Ok(())
}

/// Each transmission of a reverse lookup is one query to the group, and one to the address itself.
#[test]
fn reverse_timeout_limits_a_reverse_lookup() -> Result<(), String> {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.use_services("files mdns")?;
    for (settings, expected) in
        [("", 1 + 2 + 2), ("reverse-timeout = 200\n", 1 + 2), ("reverse-timeout = 2000\n", 1 + 2 + 2 + 2)]
    {
        lan.client.write(SETTINGS, settings)?;
        let capture = capture(&lan.client, "eth0")?;
        assert_eq!(lan.client.run(&["getent", "hosts", "10.77.1.200"]).code, Some(2));
        assert_eq!(capture.to_group().len(), expected, "{settings}: {:?}", capture.packets());
    }
    Ok(())
}

/// The host's other IPv6 address arrives shortly after the link-local one, in another packet.
#[test]
fn a_lookup_does_not_end_at_a_link_local_address_that_is_omitted() -> Result<(), String> {
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
fn the_hosts_own_name_takes_no_longer_without_retries() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 9000\nretries = none\n")?;
    let outcome = ahosts(&lan.client, "client.local");
    assert!(outcome.success() && outcome.elapsed < std::time::Duration::from_secs(5), "{outcome:?}");
    Ok(())
}

/// The answer of a lookup during which the settings change is not cached, because it was made with the old settings.
#[test]
fn a_lookup_that_started_with_old_settings_is_not_cached() -> Result<(), String> {
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
fn invalid_lines_are_ignored_and_valid_lines_take_effect() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write(SETTINGS, "[server]\ntimeout = 2s\nipv6-link-local = off\n\u{1}\u{2}=\ngrace-min = 999\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.local")), routable(&lan.printer));
    // A file that is too large, or that is not a regular file, has no effect either.
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

/// A long-lived process reloads changed settings, and then drops the answers that it cached with the old ones.
#[test]
fn the_next_lookup_that_queries_the_network_sees_changed_settings() -> Result<(), String> {
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
    // A lookup that the cache answers does not check the file. The lookup of another name does.
    assert_eq!(outcome.stdout, "3 3 2 2 2 ", "{outcome:?}");
    Ok(())
}

#[test]
fn privileged_programs_read_the_same_settings() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let ping = || lan.client.run(&["ping", "-c", "1", "-W", "2", "printer.local"]);
    assert!(ping().success());
    lan.client.write(SETTINGS, "timeout = 300\ndeny-interfaces = *\n")?;
    assert!(!ping().success());
    Ok(())
}

/// The system calls of a process with the path of a configuration file, in order.
fn file_accesses(client: &Host, script: &str) -> Vec<String> {
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
fn files_are_accessed_only_if_the_lookup_depends_on_them() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let lookups = |names: &[&str]| {
        let lookup = |name: &&str| format!("try: socket.getaddrinfo(b'{name}', 80)\nexcept OSError: pass\n");
        format!("import socket\n{}", names.iter().map(lookup).collect::<String>())
    };
    for (service, files, names, expected) in [
        // Read once, for the lookup that sends queries: neither for a cached answer nor for names that the service does
        // not handle.
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
        let accesses = file_accesses(&lan.client, &lookups(names));
        assert_eq!(accesses, expected, "{service} {names:?}");
    }
    Ok(())
}

/// Whether each of the names is queried on the LAN.
fn queried(client: &Host, names: &[&str]) -> Result<Vec<bool>, String> {
    names.iter().map(|name| questions(client, name).map(|count| count > 0)).collect()
}

#[test]
fn the_full_services_query_the_names_that_mdns_allow_lists() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 100\n")?;
    let names = ["a.local", "a.local.", "a.b.local", "a.example", "A.B.EXAMPLE", "a.test"];
    for service in ["mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal"] {
        lan.client.use_services(&format!("files {service}"))?;
        lan.client.script(&format!("rm -f {ALLOW}"))?;
        assert_eq!(queried(&lan.client, &names)?, [true, true, false, false, false, false], "{service}");
        if service.ends_with("minimal") {
            lan.client.write(ALLOW, "*\n")?;
            assert_eq!(queried(&lan.client, &names)?, [true, true, false, false, false, false], "{service} ignores it");
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
        assert_eq!(queried(&lan.client, &names)?, expected, "{list:?}");
    }
    Ok(())
}

#[test]
fn a_name_outside_local_is_found_if_mdns_allow_lists_it() -> Result<(), String> {
    let lan = with_scripted("printer.example", &[])?;
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    lan.client.write(ALLOW, ".example\n")?;
    assert_eq!(found(&ahosts(&lan.client, "printer.example")), all(&lan.printer, lan.client.eth0()));
    Ok(())
}

/// The path of `nss-mdns`, which is built together with the module.
fn check_program() -> Result<PathBuf, String> {
    Ok(tests::module::path()?.with_file_name("nss-mdns"))
}

/// Runs `nss-mdns check`. Returns the lines that it prints, and its exit status.
fn check(host: &Host, arguments: &[&str]) -> Result<(BTreeSet<String>, Option<i32>), String> {
    let program = check_program()?;
    let outcome = host.run(&[&[&*program.to_string_lossy(), "check"], arguments].concat());
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    Ok((outcome.stdout.lines().map(str::to_owned).collect(), outcome.code))
}

#[test]
fn the_check_reports_no_problem_on_a_working_system() -> Result<(), String> {
    let lan = with_scripted("printer.local", &[])?;
    let (lines, status) = check(&lan.client, &[])?;
    let eth0 = lan.client.eth0();
    let (v4, v6, link_local) = (eth0.v4.ok_or("none")?, eth0.v6.ok_or("none")?, eth0.link_local.ok_or("none")?);
    let addresses = format!("interface eth0: its addresses are {v4}/24, {v6}/64 and {link_local}/64");
    let folder = tests::module::library_folder()?;
    let files = format!(
        "files: glibc loads {}/libnss_mdns_minimal.so.2 for mdns_minimal: this module, version {}",
        folder.display(),
        env!("CARGO_PKG_VERSION")
    );
    let is_of_machine = |line: &String| line.starts_with("versions: nss-mdns ") || line.starts_with("hosts: ");
    let (of_machine, lines): (BTreeSet<_>, BTreeSet<_>) = lines.into_iter().partition(is_of_machine);
    assert!(!of_machine.iter().any(|line| line.contains("problem: ") || line.contains("note: ")), "{of_machine:#?}");
    let expected = [
        &*files,
        &*addresses,
        "daemons: no daemon answers lookups, and no process uses UDP port 5353",
        "settings: /etc/nss-mdns.conf does not exist: the defaults hold",
        "allowed: /etc/mdns.allow does not exist: the full services look up names under .local",
        "dns: /etc/resolv.conf has no search domain under .local",
        "interface lo: not queried: it cannot multicast",
        "interface eth0: queried over IPv4 and IPv6",
        "firewall eth0: over IPv4 and IPv6, queries to UDP port 5353 are admitted",
        "check: no problem",
    ];
    assert_eq!((lines, status), (expected.map(str::to_owned).into(), Some(0)));
    lan.client.write(SETTINGS, "timeout = 500\n")?;
    lan.client.write(ALLOW, ".local\n")?;
    let (lines, status) = check(&lan.client, &["printer.local"])?;
    assert!(lines.contains("settings: /etc/nss-mdns.conf has no problems"), "{lines:?}");
    assert!(lines.contains("allowed: /etc/mdns.allow has no problems"), "{lines:?}");
    let lookup = lines.iter().find_map(|line| line.strip_prefix("lookup printer.local: ")).ok_or("no lookup")?;
    let found: BTreeSet<_> = lookup.split(" (").next().unwrap_or_default().split(", ").map(str::to_owned).collect();
    let link_local = lan.printer.eth0().link_local.ok_or("none")?;
    let expected = &routable(&lan.printer) | &[format!("{link_local}%eth0")].into();
    assert_eq!((found, status), (expected, Some(0)));
    Ok(())
}

#[test]
fn the_check_says_which_services_handle_a_name() -> Result<(), String> {
    let lan = with_scripted("printer.local", &["--name", "printer.example"])?;
    lan.client.use_services("files mdns_minimal [NOTFOUND=return] mdns")?;
    lan.client.write(ALLOW, ".example\n")?;
    let (lines, status) = check(&lan.client, &["printer.local", "printer.example"])?;
    let ends = |start: &str, end: &str| lines.iter().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(ends("lookup printer.local: ", " ms; by the minimal services only)"), "{lines:#?}");
    assert!(ends("lookup printer.example: ", " ms; by the full services only)"), "{lines:#?}");
    lan.client.write(ALLOW, "# nothing\n")?;
    let (lines, _) = check(&lan.client, &[])?;
    let expected = "allowed: note: /etc/mdns.allow lists nothing: the services mdns, mdns4 and mdns6 look up no names";
    assert!(lines.contains(expected), "{lines:#?}");
    assert!(lines.contains("allowed: remedy: printf '\\n.local\\n' | sudo tee -a /etc/mdns.allow"), "{lines:#?}");
    assert_eq!(status, Some(0));
    Ok(())
}

#[test]
fn the_check_reports_each_problem() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    let drops = |rule: &str| {
        format!(
            "nft add table inet t; nft add chain inet t c '{{ type filter hook input priority 0; }}'
             nft add rule inet t c {rule}"
        )
    };
    for (situation, expected) in [
        (
            "printf '# ours\\ntimeout = 2s\\n' >/etc/nss-mdns.conf".to_owned(),
            "settings: problem: /etc/nss-mdns.conf:2: timeout: expected 50 to 10000 milliseconds, found \"2s\"",
        ),
        (
            "printf 'times = 2\\n' >/etc/nss-mdns.conf".to_owned(),
            "settings: problem: /etc/nss-mdns.conf:1: times: no such key, expected one of: timeout, retries, \
             grace-min, grace-max, reverse-timeout, allow-interfaces, deny-interfaces, labels, unicast-local, \
             reverse, listener, neighbours, daemon, own-name, cache-size, ttl-max, ipv6-link-local",
        ),
        ("mkfifo /etc/nss-mdns.conf".to_owned(), "settings: problem: /etc/nss-mdns.conf: expected a regular file"),
        (
            "printf '.local\\n' >/etc/mdns.allow; chmod 600 /etc/mdns.allow".to_owned(),
            "allowed: problem: /etc/mdns.allow: expected to be readable by every user: other users' programs ignore it",
        ),
        (
            "head -c 70000 /dev/zero | tr '\\0' '#' >/etc/nss-mdns.conf".to_owned(),
            "settings: problem: /etc/nss-mdns.conf: expected at most 65536 octets; the rest is not read",
        ),
        (
            "printf '.local\\n*.local\\n' >/etc/mdns.allow".to_owned(),
            "allowed: problem: /etc/mdns.allow:2: expected a suffix such as .local, of at most 255 octets, or *",
        ),
        (
            "printf 'deny-interfaces = eth*\\n' >/etc/nss-mdns.conf".to_owned(),
            "interface: problem: none can be queried: glibc asks the next service",
        ),
        (
            drops("udp dport 5353 drop"),
            "firewall eth0: problem: over IPv4 and IPv6, a firewall here drops incoming multicast DNS (UDP port 5353): hosts that \
             answer only by multicast are not found (unless the rule drops only packets from this machine's own \
             addresses); in the input chain that sudo nft list ruleset shows, add before its other rules: \
             udp dport 5353 accept; if it shows none: sudo iptables -I INPUT -p udp --dport 5353 -j ACCEPT, or \
             ip6tables; then save it where the rules are kept",
        ),
        (
            drops("udp dport 5353 ip version 4 drop"),
            "firewall eth0: problem: over IPv4, a firewall here drops incoming multicast DNS (UDP port 5353): hosts that \
             answer only by multicast are not found (unless the rule drops only packets from this machine's own \
             addresses); in the input chain that sudo nft list ruleset shows, add before its other rules: \
             udp dport 5353 accept; if it shows none: sudo iptables -I INPUT -p udp --dport 5353 -j ACCEPT, or \
             ip6tables; then save it where the rules are kept",
        ),
        (
            drops("udp dport 5353 ip6 version 6 drop"),
            "firewall eth0: problem: over IPv6, a firewall here drops incoming multicast DNS (UDP port 5353): hosts that \
             answer only by multicast are not found (unless the rule drops only packets from this machine's own \
             addresses); in the input chain that sudo nft list ruleset shows, add before its other rules: \
             udp dport 5353 accept; if it shows none: sudo iptables -I INPUT -p udp --dport 5353 -j ACCEPT, or \
             ip6tables; then save it where the rules are kept",
        ),
        (
            "nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'
             nft add rule inet t c ip version 4 udp dport 5353 drop"
                .to_owned(),
            "firewall eth0: problem: over IPv4, a firewall here blocks sending: Operation not permitted (os error 1); in \
             the output chain that sudo nft list ruleset shows, add before its other rules: \
             udp dport 5353 accept; if it shows none: sudo iptables -I OUTPUT -p udp --dport 5353 -j ACCEPT, or \
             ip6tables; then save it where the rules are kept",
        ),
    ] {
        lan.client.script(&format!("rm -f {SETTINGS} {ALLOW}; nft flush ruleset; {situation}"))?;
        let (lines, status) = check(&lan.client, &[])?;
        assert!(lines.contains(expected), "{situation}: {lines:#?}");
        assert_eq!(status, Some(1), "{situation}");
    }
    Ok(())
}

/// The firewall accepts packets of established connections, and multicast DNS.
#[test]
fn a_stateful_firewall_that_admits_multicast_dns_is_not_reported() -> Result<(), String> {
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
fn the_check_says_why_an_interface_is_not_queried() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    for (situation, expected) in [
        ("ip link add d0 type veth peer name d1", "interface d0: not queried: it is down"),
        ("ip link set d0 up", "interface d0: not queried: it has no carrier"),
        (
            "ip link set d1 up; echo 1 >/proc/sys/net/ipv6/conf/d0/disable_ipv6",
            "interface d0: not queried: it has no address",
        ),
        (
            "ip link add br0 type bridge; ip link set d0 master br0",
            "interface d0: not queried: it is a port of a bridge or bond, which is queried instead",
        ),
        ("echo 'deny-interfaces = d*' >/etc/nss-mdns.conf", "interface d0: not queried: deny-interfaces matches it"),
        (
            "echo 'allow-interfaces = eth*' >/etc/nss-mdns.conf",
            "interface d0: not queried: allow-interfaces does not match it",
        ),
    ] {
        lan.client.script(situation)?;
        // The kernel reports a carrier with some delay.
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
fn the_program_rejects_unknown_options() -> Result<(), String> {
    let program = check_program()?;
    let run = |arguments: &str| {
        let mut command = std::process::Command::new(&program);
        command.args(arguments.split_whitespace());
        tests::run::run(command, std::time::Duration::from_secs(10))
    };
    let help = run("--help")?;
    assert!(help.success() && help.stdout.starts_with("Usage: nss-mdns check [--json] [NAME]...\n"), "{help:?}");
    assert_eq!(run("check --help")?.stdout, help.stdout);
    let version = run("--version")?;
    assert!(version.success() && version.stdout.starts_with("nss-mdns "), "{version:?}");
    for (arguments, complaint) in [
        ("", "a command is missing"),
        ("--wrong", "invalid option '--wrong'"),
        ("wrong", "unknown command \"wrong\""),
        ("check --wrong", "invalid option '--wrong'"),
    ] {
        let wrong = run(arguments)?;
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        assert_eq!(wrong.stderr, format!("nss-mdns: {complaint}; see nss-mdns --help\n"));
    }
    Ok(())
}

#[test]
fn the_check_reports_names_that_do_not_resolve() -> Result<(), String> {
    let lan = Scenario::silent(Families::Both)?;
    lan.client.write(SETTINGS, "timeout = 100\n")?;
    let (lines, status) = check(&lan.client, &["nobody.local", "www.example.org"])?;
    assert_eq!(status, Some(1));
    assert!(
        lines.iter().any(|line| line.starts_with("lookup nobody.local: problem: nobody responded on eth0 (1")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("lookup www.example.org: problem: not asked for: it is not under .local; ")),
        "{lines:?}"
    );
    assert!(addresses(&ahosts(&lan.client, "nobody.local")).is_empty());
    Ok(())
}
