//! Networks whose DNS server serves names under `.local`, which the search domains in `/etc/resolv.conf` show: Active
//! Directory, a Kubernetes cluster, a site with the domain `local`. dnsmasq is the DNS server. With the usual hosts
//! lines, names of such a network are resolved by DNS, and `.local` names of hosts on the link by the module.

use std::time::Duration;

use tests::helpers::{Capture, Dns, capture, dnsmasq};
use tests::lan::Host;
use tests::lookups::{AT_ONCE, addresses, all, found, not_found_at_once, python, v4};
use tests::responders::scripted;
use tests::run::Outcome;
use tests::scenario::{Scenario, with_scripted};

const SETTINGS: &str = "/etc/nss-mdns.conf";
const ALLOW: &str = "/etc/mdns.allow";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// With each of these, a name that nobody on the link has is not looked up in DNS.
const LINES: [&str; 4] = [
    "files mdns_minimal [NOTFOUND=return] dns",
    "files mdns4_minimal [NOTFOUND=return] dns",
    "files mdns [NOTFOUND=return] dns",
    "files mdns4 [NOTFOUND=return] dns",
];

/// The records of the DNS server. The printer's address differs from that on the link.
const RECORDS: [&str; 5] = [
    "corp.local,192.0.2.1,2001:db8::1",
    "dc1.corp.local,192.0.2.10,2001:db8::10",
    "web.default.svc.cluster.local,192.0.2.20",
    "intranet.local,192.0.2.30,2001:db8::30",
    "printer.local,192.0.2.99",
];

/// A LAN with a printer, and a client with a DNS server of its own.
struct Site {
    lan: Scenario,
}

impl Site {
    fn new() -> Result<Self, String> {
        let lan = with_scripted("printer.local", &["--other", "additional"])?;
        lan.client.write(SETTINGS, "timeout = 300\n")?;
        Ok(Self { lan })
    }

    fn client(&self) -> &Host {
        &self.lan.client
    }

    fn tools(&self) -> Result<(Dns<'_>, Capture<'_>), String> {
        Ok((dnsmasq(self.client(), &RECORDS)?, capture(self.client(), "eth0")?))
    }

    /// Writes the end of resolv.conf: the lines after the name server.
    fn configure(&self, lines: &str) -> Result<(), String> {
        let text = format!("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n{lines}");
        // A new file, as network managers write it.
        self.client().write(format!("{RESOLV_CONF}.new"), &text)?;
        self.client().script(&format!("mv {RESOLV_CONF}.new {RESOLV_CONF}")).map(drop)
    }

    fn ahosts(&self, name: &str) -> Outcome {
        self.client().run(&["getent", "ahosts", name])
    }

    /// Checks that the printer's addresses come from the link.
    fn printer_is_found_on_the_link(&self, line: &str) {
        let outcome = self.ahosts("printer.local");
        let expected = match line {
            _ if line.contains("mdns4") => v4(&self.lan.printer),
            _ => all(&self.lan.printer, self.client().eth0()),
        };
        assert_eq!(found(&outcome), expected, "{line}: {outcome:?}");
    }
}

/// Checks that a name is resolved by DNS at once, for each way in which programs look up names.
fn is_found_in_dns(client: &Host, capture: &Capture<'_>, name: &str, number: u8) {
    let before = capture.to_group().len();
    let (v4, v6) = (format!("192.0.2.{number}"), format!("2001:db8::{number}"));
    for (words, expected) in [
        (["getent", "ahosts", name], &[&v4, &v6][..]),
        (["getent", "ahostsv4", name], &[&v4]),
        (["getent", "ahostsv6", name], &[&v6]),
        (["getent", "hosts", name], &[&v6]),
    ] {
        let outcome = client.run(&words);
        let expected = expected.iter().map(|&address| address.clone()).collect();
        assert_eq!(found(&outcome), expected, "{words:?}: {outcome:?}");
    }
    assert_eq!(capture.to_group().len(), before, "{name} was queried on the link");
}

#[test]
fn the_names_of_an_active_directory_belong_to_dns() -> Result<(), String> {
    let site = Site::new()?;
    let (server, capture) = site.tools()?;
    site.configure("search corp.local example.org\n")?;
    for settings in ["", "labels = any\n"] {
        site.client().write(SETTINGS, &format!("timeout = 300\n{settings}"))?;
        for line in LINES {
            site.client().use_services(line)?;
            is_found_in_dns(site.client(), &capture, "corp.local", 1);
            is_found_in_dns(site.client(), &capture, "CORP.local.", 1);
            is_found_in_dns(site.client(), &capture, "dc1.corp.local", 10);
            not_found_at_once(&site.ahosts("missing.corp.local"));
            site.printer_is_found_on_the_link(line);
        }
    }
    assert!(!server.names().iter().any(|name| name == "printer.local"), "{:?}", server.names());
    Ok(())
}

/// As in a pod: three search domains, and `ndots:5`.
#[test]
fn the_names_of_a_cluster_belong_to_dns() -> Result<(), String> {
    let site = Site::new()?;
    let (server, capture) = site.tools()?;
    site.configure("search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")?;
    site.client().write(SETTINGS, "timeout = 300\nlabels = any\n")?;
    for line in LINES {
        site.client().use_services(line)?;
        let before = capture.to_group().len();
        for name in ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local"] {
            let outcome = site.ahosts(name);
            assert_eq!(found(&outcome), ["192.0.2.20".to_owned()].into(), "{line}: {name}: {outcome:?}");
        }
        for name in ["cluster.local", "missing.default.svc.cluster.local"] {
            not_found_at_once(&site.ahosts(name));
        }
        assert_eq!(capture.to_group().len(), before, "{line}");
        site.printer_is_found_on_the_link(line);
    }
    let asked = server.names();
    assert!(asked.iter().any(|name| name == "cluster.local"), "{asked:?}");
    assert!(!asked.iter().any(|name| name == "printer.local"), "{asked:?}");
    Ok(())
}

#[test]
fn with_the_search_domain_local_the_link_is_queried_first_and_then_dns() -> Result<(), String> {
    let site = Site::new()?;
    let (server, capture) = site.tools()?;
    for search in ["search local\n", "domain LOCAL.\n", "search example.org local"] {
        site.configure(search)?;
        for line in LINES {
            site.client().use_services(line)?;
            site.printer_is_found_on_the_link(line);
            let before = capture.to_group().len();
            let outcome = site.ahosts("intranet.local");
            let expected = ["192.0.2.30", "2001:db8::30"].map(str::to_owned);
            assert_eq!(addresses(&outcome), expected.into(), "{search}: {line}: {outcome:?}");
            assert!(capture.to_group().len() > before, "{search}: {line}: the link was not queried");
            let outcome = site.client().run(&["getent", "ahostsv6", "intranet.local"]);
            assert_eq!(addresses(&outcome), ["2001:db8::30".to_owned()].into(), "{search}: {line}: {outcome:?}");
            assert_eq!(site.ahosts("missing.local").code, Some(2), "{search}: {line}");
        }
    }
    assert!(!server.names().iter().any(|name| name == "printer.local"), "{:?}", server.names());
    Ok(())
}

/// The second lookup of a name finds in the cache that nobody on the link has it.
#[test]
fn a_cached_no_response_is_looked_up_in_dns_too() -> Result<(), String> {
    let site = Site::new()?;
    let (_server, capture) = site.tools()?;
    site.configure("search local\n")?;
    site.client().write(SETTINGS, "timeout = 300\nretries = none\n")?;
    let script = "
import socket
for _ in range(3):
    print(socket.getaddrinfo('intranet.local', 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
";
    let outcome = python(site.client(), script, &[]);
    assert_eq!(outcome.stdout, "192.0.2.30\n".repeat(3), "{outcome:?}");
    assert_eq!(capture.to_group().len(), 3, "only the first lookup queries the link");
    Ok(())
}

/// Without a service after the module, the program is told that the name does not exist, not to try again.
#[test]
fn a_name_that_no_service_has_does_not_exist() -> Result<(), String> {
    let site = Site::new()?;
    site.configure("search local corp.local\n")?;
    let script = "
import socket
for name in 'missing.local', 'missing.local', 'corp.local':
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror as error:
        print(error.errno == socket.EAI_NONAME)
";
    for service in ["mdns_minimal", "mdns4_minimal", "mdns"] {
        site.client().use_services(&format!("files {service}"))?;
        let outcome = python(site.client(), script, &[]);
        assert_eq!(outcome.stdout, "True\n".repeat(3), "{service}: {outcome:?}");
    }
    Ok(())
}

/// One process, as on a laptop that is carried from home to the office and back. At home, the name that it looks up
/// exists nowhere.
#[test]
fn a_running_process_follows_the_search_domains() -> Result<(), String> {
    let site = Site::new()?;
    let (server, _capture) = site.tools()?;
    site.configure("")?;
    let script = "
import os, socket, sys
def move(lines):
    with open('/etc/resolv.conf.new', 'w') as file:
        file.write('nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' + lines)
    os.rename('/etc/resolv.conf.new', '/etc/resolv.conf')
def look_up(name):
    try:
        print(socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0], end=' ')
    except socket.gaierror:
        print('none', end=' ')
for search in sys.argv[1:]:
    move(search)
    look_up('corp.local')
    look_up('intranet.local')
    print()
";
    let office = "search corp.local\n";
    for line in LINES {
        site.client().use_services(line)?;
        let outcome = python(site.client(), script, &["", office, "", "search local\n", "domain corp.local\n", ""]);
        let (home, at_office, site_of_local) = ("none none \n", "192.0.2.1 none \n", "192.0.2.1 192.0.2.30 \n");
        let expected = [home, at_office, home, site_of_local, at_office, home].concat();
        assert_eq!(outcome.stdout, expected, "{line}: {outcome:?}");
    }
    let asked = server.names();
    assert_eq!(asked.iter().filter(|name| *name == "intranet.local").count(), LINES.len(), "{asked:?}");
    Ok(())
}

/// The list has changed, so the machine is on another network.
#[test]
fn a_changed_list_of_search_domains_under_local_empties_the_cache() -> Result<(), String> {
    let site = Site::new()?;
    let script = "
import socket, sys
def look_up(name):
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror:
        pass
look_up('printer.local')
with open('/etc/resolv.conf', 'a') as file:
    file.write(sys.argv[1])
look_up('nobody.local')
look_up('printer.local')
";
    let queries = |added: &str| {
        site.configure("")?;
        site.client().write(SETTINGS, "timeout = 300\nretries = none\n")?;
        let capture = capture(site.client(), "eth0")?;
        assert!(python(site.client(), script, &[added]).success());
        Ok::<_, String>(capture.to_group().len())
    };
    assert_eq!(queries("search example.org\n")?, 3 + 3, "two names");
    assert_eq!(queries("search corp.local\n")?, 3 + 3 + 3, "the printer is queried again");
    Ok(())
}

#[test]
fn if_unicast_local_is_off_the_link_alone_is_queried() -> Result<(), String> {
    let site = Site::new()?;
    let (server, capture) = site.tools()?;
    site.configure("search corp.local local\n")?;
    site.client().write(SETTINGS, "timeout = 300\nlabels = any\nunicast-local = off\n")?;
    let _responder = scripted(&site.lan.printer, "scanner.corp.local", &["--other", "additional"])?;
    for line in LINES {
        site.client().use_services(line)?;
        for name in ["corp.local", "dc1.corp.local", "intranet.local"] {
            let before = capture.to_group().len();
            assert_eq!(site.ahosts(name).code, Some(2), "{line}: {name}");
            assert!(capture.to_group().len() > before, "{line}: {name} was not queried on the link");
        }
        let scanner = found(&site.ahosts("scanner.corp.local"));
        assert!(scanner.is_superset(&v4(&site.lan.printer)), "{line}: {scanner:?}");
    }
    assert_eq!(server.names(), [""; 0]);
    Ok(())
}

/// An administrator who wants a domain resolved by multicast although DNS serves it lists that domain.
#[test]
fn an_entry_of_mdns_allow_for_the_search_domain_takes_precedence() -> Result<(), String> {
    let site = Site::new()?;
    let (server, capture) = site.tools()?;
    site.configure("search corp.local\n")?;
    site.client().use_services("files mdns [NOTFOUND=return] dns")?;
    let _responder = scripted(&site.lan.printer, "scanner.corp.local", &["--other", "additional"])?;
    for list in [".local\n.local.\n", "*\n", ".local\n.example\n.other.corp.local\n"] {
        site.client().write(ALLOW, list)?;
        is_found_in_dns(site.client(), &capture, "corp.local", 1);
        is_found_in_dns(site.client(), &capture, "dc1.corp.local", 10);
        not_found_at_once(&site.ahosts("scanner.corp.local"));
    }
    let on_link = all(&site.lan.printer, site.client().eth0());
    for list in [".corp.local\n", ".local\n.scanner.local\n.CORP.Local\n"] {
        site.client().write(ALLOW, list)?;
        assert_eq!(found(&site.ahosts("scanner.corp.local")), on_link, "{list}");
        let before = server.names().len();
        assert_eq!(site.ahosts("dc1.corp.local").code, Some(2), "{list}");
        assert_eq!(server.names().len(), before, "{list}");
    }
    // The minimal services do not read the list.
    site.client().use_services("files mdns_minimal [NOTFOUND=return] dns")?;
    is_found_in_dns(site.client(), &capture, "dc1.corp.local", 10);
    Ok(())
}

/// glibc's own functions fail if the file is a folder or a loop of links.
#[test]
fn a_resolv_conf_that_is_missing_or_too_long_has_no_search_domains() -> Result<(), String> {
    let site = Site::new()?;
    let (_server, capture) = site.tools()?;
    for script in [
        "rm -f /etc/resolv.conf",
        "head -c 200000 /dev/zero >/etc/resolv.conf",
        "(head -c 70000 /dev/zero | tr '\\0' '#'; printf '\\nsearch corp.local\\n') >/etc/resolv.conf",
    ] {
        site.client().script(script)?;
        site.printer_is_found_on_the_link(LINES[0]);
        let before = capture.to_group().len();
        assert_eq!(site.ahosts("corp.local").code, Some(2), "{script}");
        assert!(capture.to_group().len() > before, "{script}");
    }
    // A line may be long, end in CRLF, or be the last one without a line end.
    for text in [
        &format!("nameserver 127.0.0.1\nsearch {}corp.local\r\n", "example.org ".repeat(2000)),
        "nameserver 127.0.0.1\nsearch\tlab.local\tcorp.local",
    ] {
        site.client().write(RESOLV_CONF, text)?;
        is_found_in_dns(site.client(), &capture, "corp.local", 1);
    }
    Ok(())
}

/// How often a process accesses resolv.conf for these lookups. glibc does too, as often for any name.
fn accesses(client: &Host, names: &[&str]) -> usize {
    let lookup = |name: &&str| format!("try: socket.getaddrinfo(b'{name}', 80)\nexcept OSError: pass\n");
    let script = format!("import socket\n{}", names.iter().map(lookup).collect::<String>());
    let outcome = client.run(&["strace", "-f", "-qq", "-e", "trace=%file", "/usr/bin/python3", "-c", &script]);
    assert!(outcome.success(), "{:?}", outcome.stderr.lines().last());
    outcome.stderr.lines().filter(|line| line.contains(RESOLV_CONF)).count()
}

#[test]
fn the_file_is_accessed_only_if_the_lookup_depends_on_it() -> Result<(), String> {
    let site = Site::new()?;
    site.configure("search corp.local\n")?;
    for service in ["mdns_minimal", "mdns"] {
        site.client().use_services(&format!("files {service}"))?;
        for (names, expected) in [
            // Neither for names that the service does not handle, nor for a cached answer.
            (&["host", "www.example.test", "a..local", "local"][..], 0),
            (&["a.b.local", "a.b.local"], 0),
            // Checked and read.
            (&["printer.local"], 2),
            (&["printer.local", "printer.local", "printer.local"], 2),
            // Checked once more for each lookup without a response.
            (&["printer.local", "nobody.local", "nobody.local"], 4),
        ] {
            let by_glibc = accesses(site.client(), &vec!["host.example"; names.len()]);
            assert_eq!(accesses(site.client(), names) - by_glibc, expected, "{service}: {names:?}");
        }
    }
    Ok(())
}

/// The lines that `nss-mdns check` prints with this subject, and its exit status.
fn check(client: &Host, subject: &str, names: &[&str]) -> Result<(Vec<String>, Option<i32>), String> {
    let program = tests::module::path()?.with_file_name("nss-mdns");
    let outcome = client.run(&[&[&*program.to_string_lossy(), "check"], names].concat());
    let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix(subject)?.strip_prefix(": "));
    Ok((lines.map(str::to_owned).collect(), outcome.code))
}

#[test]
fn the_check_says_which_names_are_left_to_dns() -> Result<(), String> {
    let site = Site::new()?;
    for (search, settings, expected) in [
        ("search example.org\n", "", &["/etc/resolv.conf has no search domain under .local"][..]),
        (
            "search corp.local lab.local\n",
            "",
            &["names equal to or below these search domains are left to DNS: corp.local, lab.local"],
        ),
        (
            "search local corp.local\n",
            "",
            &[
                "names equal to or below these search domains are left to DNS: corp.local",
                "local is a search domain: .local names that nobody answers for are left to DNS",
            ],
        ),
        (
            "search local corp.local\n",
            "unicast-local = off\n",
            &["search domains are ignored, because unicast-local is off: local, corp.local"],
        ),
    ] {
        site.configure(search)?;
        site.client().write(SETTINGS, settings)?;
        let (lines, status) = check(site.client(), "dns", &[])?;
        assert_eq!(
            (&lines[..], status),
            (&expected.iter().map(|&line| line.to_owned()).collect::<Vec<_>>()[..], Some(0))
        );
    }
    site.client().script("rm -f /etc/resolv.conf; mkfifo /etc/resolv.conf")?;
    let (lines, status) = check(site.client(), "dns", &[])?;
    assert_eq!(lines, ["problem: /etc/resolv.conf: expected a regular file"]);
    assert_eq!(status, Some(1));
    Ok(())
}

#[test]
fn the_check_says_why_a_name_is_left_to_dns() -> Result<(), String> {
    let site = Site::new()?;
    site.configure("search corp.local lab.local\n")?;
    let lookup = |name: &str| {
        let (mut lines, status) = check(site.client(), &format!("lookup {name}"), &[name])?;
        lines.retain(|line| !line.starts_with("remedy: "));
        assert_eq!(lines.len(), 1, "{lines:?}");
        Ok::<_, String>((lines.concat(), status))
    };
    for (name, settings) in
        [("lab.local", "unicast-local = off"), ("a.b.lab.local", "labels = any and unicast-local = off")]
    {
        let expected = format!(
            "left to DNS, and not asked for on the link: lab.local is a search domain in /etc/resolv.conf; {settings} in \
             /etc/nss-mdns.conf would change that"
        );
        assert_eq!(lookup(name)?, (expected, Some(0)), "{name}");
    }
    let (line, status) = lookup("a.other.local")?;
    assert!(
        line.starts_with(
            "problem: not asked for: it has 3 labels, and only names of 2 are asked for (the setting labels)"
        ),
        "{line}"
    );
    assert_eq!(status, Some(1));
    site.configure("search local\n")?;
    let (line, status) = lookup("intranet.local")?;
    assert!(
        line.starts_with("problem: it is left to DNS, because local is a search domain and nobody on the link answers"),
        "{line}"
    );
    assert_eq!(status, Some(1));
    Ok(())
}

/// A search domain outside `.local` changes nothing.
#[test]
fn other_search_domains_make_no_difference() -> Result<(), String> {
    let site = Site::new()?;
    let (server, _capture) = site.tools()?;
    site.configure("search example.org notlocal local.example.org\n")?;
    let outcome = site.ahosts("intranet.local");
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.elapsed > Duration::from_millis(300) && outcome.elapsed < AT_ONCE, "{outcome:?}");
    assert_eq!(server.names(), [""; 0]);
    Ok(())
}
