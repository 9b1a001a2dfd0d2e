//! What the check says about the machine: hosts line, files, daemons, settings, firewall; and as JSON.

use std::time::Instant;
use tests::lan::{Families, Host, Network};
use tests::lookups::{python, python_daemon};
use tests::responders::avahi;
use tests::scenario::{Scenario, with_scripted};

use super::{Tested, check, check_by, program};

/// The file that the links of the other services lead to.
const MODULE: &str = "libnss_mdns_minimal.so.2";

/// A client whose module is changed by a python expression on its octets, `octets`.
fn with_changed_module(change: &str) -> Result<(Scenario, String), String> {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.use_services("files mdns4_minimal [NOTFOUND=return] dns")?;
    let folder = tests::module::library_folder()?.display().to_string();
    let script = "import sys
path = sys.argv[1]
octets = open(path, 'rb').read()
octets = eval(sys.argv[2])
import os; os.unlink(path)
open(path, 'wb').write(octets)";
    let outcome = python(&lan.client, script, &[&format!("{folder}/{MODULE}"), change]);
    assert!(outcome.success(), "{outcome:?}");
    Ok((lan, folder))
}

/// The output's lines about files and their remedies, with LIBDIR in place of the library folder.
fn files(host: &Host, folder: &str) -> Result<(Vec<String>, Option<i32>), String> {
    let told = check(host, &[])?;
    let about_files = told.lines().into_iter().filter_map(|line| line.strip_prefix("files: "));
    Ok((about_files.map(|line| line.replace(folder, "LIBDIR")).collect(), told.status))
}

const INSTALL_WITHOUT_SUDO: &str = "remedy: ./install.sh  # in a copy of the source; or install the package again, and in a \
    root shell (su -), because sudo does not work";
const INSTALL: &str = "remedy: sudo ./install.sh  # in a copy of the source; or install the package again";

#[test]
fn the_file_that_glibc_loads_is_named_with_its_version() -> Tested {
    let (lan, folder) = with_changed_module("octets")?;
    let version = env!("CARGO_PKG_VERSION");
    let (lines, status) = files(&lan.client, &folder)?;
    let line = format!(
        "glibc loads LIBDIR/libnss_mdns4_minimal.so.2 -> LIBDIR/libnss_mdns_minimal.so.2 for mdns4_minimal: this module, version {version}"
    );
    assert_eq!((lines, status), (vec![line], Some(0)));
    Ok(())
}

#[test]
fn another_version_another_module_and_a_damaged_one_are_problems() -> Tested {
    let version = env!("CARGO_PKG_VERSION");
    let link = "LIBDIR/libnss_mdns4_minimal.so.2 -> LIBDIR/libnss_mdns_minimal.so.2";
    for (change, problem) in [
        (
            format!("octets.replace(b'nss-mdns\\x00\\x00\\x00\\x00{version}\\x00', b'nss-mdns\\x00\\x00\\x00\\x00' + b'9.9.9\\x00')"),
            format!(
                "problem: glibc loads {link} for mdns4_minimal: this module, but version 9.9.9, and this program is {version}: \
                 what it says here may not be what the module does"
            ),
        ),
        (
            "octets.replace(b'nss-mdns\\x00\\x00\\x00\\x00', b'NSS-MDNS\\x00\\x00\\x00\\x00')".into(),
            format!("problem: glibc loads {link} for mdns4_minimal, and it is not this module (of no package)"),
        ),
        (
            "octets[:8192]".into(),
            "problem: glibc cannot load the module for mdns4_minimal, so programs that look up any host crash: the process that \
             loads its file ends with signal 7"
                .into(),
        ),
    ] {
        let (lan, folder) = with_changed_module(&change)?;
        let (lines, status) = files(&lan.client, &folder)?;
        // sudo would crash, too.
        let remedy = if problem.contains("crash") { INSTALL_WITHOUT_SUDO } else { INSTALL };
        assert_eq!((lines, status), (vec![problem, remedy.into()], Some(1)), "{change}");
    }
    Ok(())
}

#[test]
fn a_module_that_is_missing_is_a_problem() -> Tested {
    let network = Network::new()?;
    let lan = network.lan(Families::V4)?;
    let host = network.host("bare", &[&lan])?;
    // The machine may have the module, or another of that name.
    let folder = tests::module::library_folder()?.display().to_string();
    host.script(&format!(
        "mkdir -p /run/host/lib /run/host/lib-work
         mount -t overlay -o lowerdir={folder},upperdir=/run/host/lib,workdir=/run/host/lib-work overlay {folder}
         rm -f {folder}/libnss_mdns*"
    ))?;
    host.use_services("files mdns4_minimal [NOTFOUND=return] nowhere dns")?;
    let told = check(&host, &["--", "nobody.local"])?;
    told.has_status(1);
    let problem =
        told.after("files: problem: glibc cannot load the module for mdns4_minimal, so programs do without it: ");
    assert!(problem.starts_with("libnss_mdns4_minimal.so.2: cannot open shared object file"), "{problem}");
    let note = told.after("files: note: glibc skips the service nowhere on the hosts line: ");
    assert!(note.starts_with("libnss_nowhere.so.2: cannot open shared object file"), "{note}");
    Ok(())
}

/// The loader says of these files that they do not exist.
#[test]
fn a_module_that_cannot_be_loaded_is_told_with_its_cause() -> Tested {
    let architecture = "octets[:18] + b'\\xb7\\x00' + octets[20:]";
    for (change, why) in
        [(architecture, "is for AArch64, this is"), ("b'x' * 5000", "is damaged"), ("b''", "is damaged")]
    {
        let (lan, folder) = with_changed_module(change)?;
        let told = check(&lan.client, &[])?;
        told.has_status(1);
        let path = format!("{folder}/libnss_mdns4_minimal.so.2");
        let problem =
            told.after("files: problem: glibc cannot load the module for mdns4_minimal, so programs do without it: ");
        assert!(problem.starts_with(&format!("its file cannot be loaded: {path} {why}")), "{problem}");
        told.after(&format!("hosts: problem: libnss_mdns4_minimal.so.2 cannot be loaded: {path} {why}"));
        told.has_no("not installed");
        told.has_no("No such file");
    }
    Ok(())
}

#[test]
fn a_module_that_some_users_cannot_read_is_a_problem() -> Tested {
    let (lan, folder) = with_changed_module("octets")?;
    lan.client.script(&format!("chmod 600 {folder}/{MODULE}"))?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        format!(
            "files: problem: {folder}/{MODULE} is not readable by every user: the programs of other users do without the module"
        ),
        format!("files: remedy: sudo chmod a+rX {folder}/{MODULE}"),
    ]);
    told.apply_remedy(&lan.client, "files")?;
    check(&lan.client, &[])?.has_status(0);
    Ok(())
}

/// What its constructor does, the program that loads it does.
#[test]
fn a_library_that_crashes_or_hangs_is_a_problem() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.use_services("files nowhere mdns_minimal [NOTFOUND=return] dns")?;
    let folder = tests::module::library_folder()?.display().to_string();
    for (statement, why) in [("abort()", "ends with signal 6"), ("for (;;) pause()", "hangs")] {
        lan.client.script(&format!(
            "printf '#include <stdlib.h>\n#include <unistd.h>\n__attribute__((constructor)) void f(void) {{ {statement}; }}' |
             cc -shared -fPIC -x c -o {folder}/libnss_nowhere.so.2 -"
        ))?;
        let told = check(&lan.client, &[])?;
        told.has(&[format!(
            "files: problem: the service nowhere on the hosts line breaks programs that look up hosts: the process that loads its \
             file {why}"
        )]);
        told.has_status(1);
    }
    Ok(())
}

#[test]
fn an_architecture_without_the_module_is_named() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.script(
        "mkdir -p /run/host/usr /run/host/usr-work
         mount -t overlay -o lowerdir=/usr/lib,upperdir=/run/host/usr,workdir=/run/host/usr-work overlay /usr/lib
         mkdir -p /usr/lib/riscv64-linux-gnu
         { printf '\\177ELF\\002\\001\\001'; head -c 9 /dev/zero; printf '\\003\\000\\363\\000'; } \
             >/usr/lib/riscv64-linux-gnu/libc.so.6",
    )?;
    let told = check(&lan.client, &[])?;
    told.has(&[
        "files: note: programs for RISC-V, whose C library is in /usr/lib/riscv64-linux-gnu, have no module and do not find \
         .local names: build it for RISC-V, and install it there with install.sh --libdir (docs/32-bit.md shows how)",
    ]);
    told.has_no("--module FILE");
    lan.client.script("cp /usr/lib/riscv64-linux-gnu/libc.so.6 /usr/lib/riscv64-linux-gnu/libnss_mdns_minimal.so.2")?;
    check(&lan.client, &[])?.has_no("RISC-V");
    Ok(())
}

/// libc6-i386 is a part of compilers, too.
#[test]
fn a_32_bit_c_library_without_its_loader_is_not_named() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.script(
        "mkdir -p /run/host/usr /run/host/usr-work
         mount -t overlay -o lowerdir=/usr,upperdir=/run/host/usr,workdir=/run/host/usr-work overlay /usr
         rm -f /usr/lib/ld-linux.so.2; mkdir -p /usr/lib32
         { printf '\\177ELF\\001\\001\\001'; head -c 9 /dev/zero; printf '\\003\\000\\003\\000'; } >/usr/lib32/libc.so.6",
    )?;
    check(&lan.client, &[])?.has_no("i386");
    lan.client.script("touch /lib/ld-linux.so.2")?;
    check(&lan.client, &[])?.after("files: note: programs for i386, whose C library is in /usr/lib32, have no module");
    Ok(())
}

#[test]
fn an_interface_that_could_be_queried_has_a_remedy() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    let deny = |line: &str| format!("printf '# mine\\n{line}\\n' >/etc/nss-mdns.conf");
    for (situation, expected, remedy) in [
        ("ip link set eth0 down".into(), "interface eth0: note: it is down", Some("sudo ip link set eth0 up")),
        (
            "ip link set eth0 multicast off".into(),
            "interface eth0: note: multicast is off",
            Some("sudo ip link set eth0 multicast on"),
        ),
        (
            deny("deny-interfaces = *"),
            "interface: note: line 2 of /etc/nss-mdns.conf, deny-interfaces = *, excludes eth0",
            None,
        ),
        (
            deny("allow-interfaces = wlan0"),
            "interface: note: line 2 of /etc/nss-mdns.conf, allow-interfaces = wlan0, excludes eth0",
            None,
        ),
    ] {
        lan.client.script(&format!("rm -f /etc/nss-mdns.conf; {situation}"))?;
        let told = check(&lan.client, &[])?;
        told.has_status(1);
        told.has(&["interface: problem: none can be queried: glibc asks the next service", expected]);
        if let Some(remedy) = remedy {
            told.has(&[format!("interface eth0: remedy: {remedy}")]);
            told.apply_remedy(&lan.client, "interface eth0")?;
            check(&lan.client, &[])?.has_no("interface: problem: none can be queried");
        }
    }
    Ok(())
}

#[test]
fn the_hosts_line_is_explained_with_a_remedy() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.use_services("files dns")?;
    let told = check(&lan.client, &[])?;
    told.has_status(1);
    told.after("hosts: problem: none of the module's services is on the line");
    told.has(&["hosts: remedy: sudo nss-mdns hosts add"]);
    assert_eq!(told.lines().last(), Some(&"check: 1 problem: hosts"));
    let direct = check(&lan.client, &["printer.local"])?;
    let head = direct.after("lookup printer.local: ");
    assert!(head.ends_with(" ms; asked directly, not through glibc)"), "{head}");
    told.apply_remedy(&lan.client, "hosts")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    told.has_no("asked directly");
    assert_eq!(told.lines().last(), Some(&"check: no problem"));
    // Callers that want IPv4 alone never get an address.
    lan.client.use_services("files mdns6_minimal [NOTFOUND=return] mdns4_minimal [NOTFOUND=return] dns")?;
    let told = check(&lan.client, &[])?;
    told.has_status(1);
    told.has(&[
        "hosts: problem: mdns6_minimal [NOTFOUND=return] ends the search for programs that want IPv4 addresses only, and for \
         hosts that have no IPv6 address, so glibc never asks mdns4_minimal for them: write: hosts: files mdns_minimal \
         [NOTFOUND=return] dns",
    ]);
    told.apply_remedy(&lan.client, "hosts")?;
    check(&lan.client, &[])?.has_status(0);
    Ok(())
}

/// Odd files, each behind a symbolic link, and what their remedy makes of them.
#[test]
fn the_remedy_of_the_hosts_line_helps_whatever_the_file_holds() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    let both = "hosts: files mdns_minimal [NOTFOUND=return] dns\n";
    for (content, expected) in [
        ("  hosts files dns mdns_minimal\nrpc: db\n", format!("{both}rpc: db\n")),
        ("hosts: files [NOTFOUND=return] dns\n", both.into()),
        ("hosts: files dns\nrpc: db\nhosts: files\tdns\n", format!("rpc: db\n{both}")),
        (&format!("{both}rpc: db\nhosts: files dns"), format!("{both}rpc: db\n")),
        ("rpc: db\nhosts: files mdns-minimal [NOTFOUND=return] dns\n", format!("rpc: db\n{both}")),
        ("rpc: db\nhosts: files mdns_minimal [NOTFOUND=retrun] dns\n", format!("rpc: db\n{both}")),
        ("hosts: files, mdns_minimal [NOTFOUND=return, dns\n", both.into()),
        ("hosts:\nrpc: db\n", format!("{both}rpc: db\n")),
        ("hosts: [NOTFOUND=return] files dns\n", both.into()),
        (&format!("{both}rpc: db\nhosts:\n"), format!("{both}rpc: db\n")),
        ("hosts: files mdns_minimal [NOTFOUND return] dns [\n", both.into()),
        ("hosts: files dns # x [NOTFOUND=return\n", both.into()),
        (&format!("passwd: files [=return] systemd\n{both}"), format!("passwd: files systemd\n{both}")),
        (&format!("group: files [\n{both}"), format!("group: files\n{both}")),
        ("hosts: files\u{a0}mdns_minimal\u{a0}[NOTFOUND=return] dns\n", both.into()),
        ("hosts: files;mdns_minimal;[NOTFOUND=return];dns\n", both.into()),
        ("hosts: files mdns_minimal [NOTFOUND=return dns]\n", both.into()),
        ("hosts: 'files' \"mdns_minimal\" [NOTFOUND=return] \"dns\"\n", both.into()),
        ("hosts: files mdns_minimal NOTFOUND=return] dns\n", both.into()),
        ("hosts: files mdns_minimal (NOTFOUND=return) dns\n", both.into()),
        ("hosts: files mdns_minimal [NOTFOUND=return]] ; dns \\\n", both.into()),
        ("hosts: hosts: files dns\n", both.into()),
        ("hosts: files mdns_minimal [NOTFOUND=return] \\\n  dns\nrpc: db\n", format!("{both}rpc: db\n")),
        ("hosts: files dns#x\n", both.into()),
        ("# hosts: files dns\n", format!("# hosts: files dns\n\n{both}")),
        ("rpc: db", format!("rpc: db\n{both}")),
        ("rpc: db\nhosts: files mdns_minimal", "rpc: db\nhosts: files mdns_minimal\n\n".into()),
    ] {
        lan.client.script("mkdir -p /etc/site; ln -sf site/switch /etc/nsswitch.conf")?;
        lan.client.write("/etc/site/switch", content)?;
        check(&lan.client, &[])?.apply_remedy(&lan.client, "hosts")?;
        assert_eq!(lan.client.script("cat /etc/site/switch")?, expected);
        check(&lan.client, &[])?.has_status(0);
    }
    for preparation in ["chmod 640 /etc/site/switch", "rm /etc/site/switch"] {
        lan.client.script(preparation)?;
        check(&lan.client, &[])?.apply_remedy(&lan.client, "hosts")?;
        check(&lan.client, &[])?.has_status(0);
    }
    lan.client.script("test -L /etc/nsswitch.conf")?;
    // A missing file, of which there may be a backup, a folder, and links that lead nowhere.
    for (preparation, advice, expected) in [
        ("", "nsswitch.conf.example is such a file", format!("\n{both}")),
        (
            "printf 'hosts: files dns\\nrpc: db\\n' >nsswitch.conf.before-nss-mdns",
            "/etc/nsswitch.conf.before-nss-mdns is a backup of it: copy it back",
            format!("{both}rpc: db\n"),
        ),
        ("mkdir nsswitch.conf", "it is a folder: move it away, and write a file", format!("\n{both}")),
        (
            "ln -s loop nsswitch.conf; ln -s loop loop",
            "it is a symbolic link to loop: restore it, or write one",
            format!("\n{both}"),
        ),
        (
            "ln -s none/switch nsswitch.conf",
            "it is a symbolic link to none/switch: restore it, or write one",
            format!("\n{both}"),
        ),
        (
            "ln -s site/other nsswitch.conf; touch site/other.before-nss-mdns",
            "it is a symbolic link to site/other; /etc/site/other.before-nss-mdns is a backup of that file: restore it, or write one",
            format!("\n{both}"),
        ),
    ] {
        lan.client.script(&format!("cd /etc; rm -rf nsswitch.conf; {preparation}"))?;
        let told = check(&lan.client, &[])?;
        let problem = told.after("hosts: problem: /etc/nsswitch.conf cannot be read ");
        assert!(problem.contains(advice), "{problem}");
        told.apply_remedy(&lan.client, "hosts")?;
        assert_eq!(lan.client.script("cat /etc/nsswitch.conf")?, expected);
        check(&lan.client, &[])?.has_status(0);
    }
    lan.client.script("cd /etc; rm -r nsswitch.conf*; ln -sf site/switch nsswitch.conf")?;
    // The services for one family, where sed must keep the link too.
    lan.client.use_services("files mdns6_minimal [NOTFOUND=return] mdns4_minimal [NOTFOUND=return] dns")?;
    check(&lan.client, &[])?.apply_remedy(&lan.client, "hosts")?;
    assert_eq!(lan.client.script("cat /etc/site/switch")?, both);
    lan.client.script("test -L /etc/nsswitch.conf")?;
    Ok(())
}

#[test]
fn a_setting_without_a_value_is_a_problem_and_the_default_holds() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write("/etc/nss-mdns.conf", "allow-interfaces =\nretries =\n")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        "settings: problem: /etc/nss-mdns.conf:1: allow-interfaces: expected names of interfaces, with *, ? and [...] as in a \
         shell, or none, found \"\"",
        "settings: problem: /etc/nss-mdns.conf:2: retries: expected at most 4 ascending times of 20 to 10000 milliseconds, or \
         none, found \"\"",
        "settings: line 1 is ignored, and the default of allow-interfaces is *",
        "settings: line 2 is ignored, and the default of retries is 30 250 1250",
        "settings: /etc/nss-mdns.conf has: allow-interfaces =; retries =",
        "interface eth0: queried over IPv4 and IPv6",
    ]);
    assert!(told.after("lookup printer.local: ").contains("10.77.1.1"), "{}", told.text);
    Ok(())
}

#[test]
fn daemons_that_take_part_are_named() -> Tested {
    let mut lan = Scenario::silent(Families::V4)?;
    check(&lan.client, &[])?.has(&["daemons: no daemon answers lookups, and no process uses UDP port 5353"]);
    let listener = "import os, socket, sys, time
os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(16)
print('ready', flush=True)
time.sleep(60)";
    let _resolved = python_daemon(&lan.client, listener, &["/run/systemd/resolve/io.systemd.Resolve"])?;
    lan.daemons.push(avahi(&lan.client, "client")?);
    lan.client.write("/etc/nss-mdns.conf", "daemon = off\n")?;
    // Programs that look up a user now wait for it.
    let _nscd = python_daemon(&lan.client, listener, &["/run/nscd/socket"])?;
    check(&lan.client, &[])?.has(&[
        "daemons: note: nscd answers the programs' lookups: it caches answers, asks the services with the hosts line and the \
         module that it loaded when it started, and drops the interface of link-local addresses",
        "daemons: remedy: sudo systemctl restart nscd",
        "daemons: avahi-daemon runs: lookups do not ask it, because daemon = off",
        "daemons: systemd-resolved runs: lookups do not ask it; the service resolve would",
        "daemons: UDP port 5353 is open in processes of root",
    ]);
    Ok(())
}

#[test]
fn a_listener_that_is_omitted_is_told_with_its_cause() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    let told = check_by(&lan.client, &["prlimit", "--nofile=22"], &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        "firewall eth0: problem: over IPv4 and IPv6, not tested: there is no multicast listener on this interface, so hosts \
         there that respond by multicast only are not found: Too many open files (os error 24)",
    ]);
    for family in ["IPv4", "IPv6"] {
        told.has(&[format!(
            "there is no multicast listener on port 5353 over {family}: Too many open files (os error 24)"
        )]);
    }
    told.has_no("igmp_max_memberships");
    lan.client.script("echo 0 >/proc/sys/net/ipv4/igmp_max_memberships")?;
    let told = check(&lan.client, &["nobody.local"])?;
    told.has(&[
        "firewall eth0: remedy: sudo sysctl net.ipv4.igmp_max_memberships=64",
        "could not ask on eth0 from port 5353: 224.0.0.251 for A and AAAA: there is no multicast listener on port 5353",
    ]);
    told.apply_remedy(&lan.client, "firewall eth0")?;
    check(&lan.client, &[])?.has_status(0);
    Ok(())
}

#[test]
fn a_program_that_does_not_share_the_port_is_a_problem() -> Tested {
    let lan = Scenario::silent(Families::Both)?;
    let holder = "import socket, time
for family in (socket.AF_INET, socket.AF_INET6):
    holder = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1); second = holder
    else: first = holder
    holder.bind(('', 5353))
print('ready', flush=True)
time.sleep(60)";
    let _holder = python_daemon(&lan.client, holder, &[])?;
    let told = check(&lan.client, &[])?;
    told.has_status(1);
    told.has(&[
        "firewall eth0: problem: over IPv4 and IPv6, not tested: UDP port 5353 is in use by a program that does not share it",
    ]);
    told.has(&["firewall eth0: remedy: sudo ss --listening --udp --numeric --processes 'sport = 5353'"]);
    Ok(())
}

#[test]
fn the_check_needs_no_privileges_no_interface_and_no_system() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    check_by(&lan.client, &["unshare", "--user"], &["printer.local"])?.has_status(0);
    let told = check_by(&lan.client, &["unshare", "--net"], &["printer.local"])?;
    told.has(&["interface: problem: none can be queried: glibc asks the next service"]);
    told.has_status(1);
    // A chroot with the program and its libraries alone.
    let program = program()?;
    lan.client.script(&format!(
        "mkdir -p /run/host/root
         cp {program} /run/host/root/
         for file in $(ldd {program} | grep -o '/[^ ]*'); do cp --parents \"$file\" /run/host/root; done"
    ))?;
    let outcome = lan.client.run(&["chroot", "/run/host/root", "/nss-mdns", "check", "printer.local"]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stdout.contains("hosts: problem: /etc/nsswitch.conf cannot be read"), "{outcome:?}");
    let daemons = "daemons: no daemon answers lookups; /proc/net/udp cannot be read\n";
    assert!(outcome.stdout.contains(daemons), "{outcome:?}");
    assert!(outcome.stdout.contains("lookup printer.local: ") && outcome.stdout.contains("10.77.1.1"), "{outcome:?}");
    Ok(())
}

/// Otherwise a machine with twenty networks of containers would need ten seconds.
#[test]
fn all_interfaces_are_tested_at_the_same_time() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.script(
        "for number in $(seq 20); do
             ip link add link$number type veth peer name peer$number && ip link set link$number up &&
                 ip link set peer$number up && ip address add 10.78.$number.1/24 dev link$number || exit 1
         done",
    )?;
    lan.client.firewall("table inet t { chain i { type filter hook input priority 0; udp dport 5353 drop; }; }")?;
    let start = Instant::now();
    let told = check(&lan.client, &[])?;
    let seconds = start.elapsed().as_secs();
    let dropped = told.lines().iter().filter(|line| line.contains("a firewall here drops incoming")).count();
    assert!(dropped >= 16, "{dropped} of the interfaces:\n{}", told.text);
    assert!(seconds < 5, "{seconds} s");
    Ok(())
}

/// Tools that are not installed, or not active, are not offered.
#[test]
fn a_firewall_is_opened_by_the_tool_that_is_active() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.firewall("table inet t { chain i { type filter hook input priority 0; udp dport 5353 drop; }; }")?;
    let remedy = |tools: &str| {
        lan.client.script(&format!("rm -rf /run/host/bin /etc/ufw; mkdir -p /run/host/bin /etc/ufw; {tools}"))?;
        let told = check_by(&lan.client, &["env", "PATH=/run/host/bin:/usr/bin:/bin"], &[])?;
        told.has_status(1);
        Ok::<_, String>(
            told.lines().into_iter().find_map(|line| line.strip_prefix("firewall eth0: remedy: ").map(str::to_owned)),
        )
    };
    let tool = |name: &str, status: u8| {
        format!("printf '#!/bin/sh\\nexit {status}\\n' >/run/host/bin/{name}; chmod +x /run/host/bin/{name}; ")
    };
    let conf = |enabled: &str| format!("echo ENABLED={enabled} >/etc/ufw/ufw.conf");
    let firewalld = "sudo firewall-cmd --permanent --add-service=mdns && sudo firewall-cmd --reload";
    assert_eq!(remedy(&(tool("ufw", 0) + &conf("yes")))?.as_deref(), Some("sudo ufw allow mdns"));
    assert_eq!(remedy(&(tool("ufw", 0) + &tool("firewall-cmd", 0) + &conf("no")))?.as_deref(), Some(firewalld));
    assert_eq!(remedy(&(tool("ufw", 0) + &tool("firewall-cmd", 252) + &conf("no")))?, None);
    // With the zone of the interface, if that is not the default zone.
    let zone = "echo '[ $1 != --get-zone-of-interface=eth0 ] || echo trusted-home' >>/run/host/bin/firewall-cmd; ";
    let expected = firewalld.replacen("--permanent", "--permanent --zone=trusted-home", 1);
    let reply = tool("firewall-cmd", 0).replace("exit 0", "true") + zone;
    assert_eq!(remedy(&(reply + &conf("no")))?, Some(expected));
    Ok(())
}

/// Prints what `--json` says in the form of the text output.
const AS_TEXT: &str = "import json, sys
report = json.load(open(sys.argv[1]))
for finding in report['findings']:
    level = finding.get('level')
    print(finding['subject'] + ': ' + (level + ': ' if level else '') + finding['text'])
    if 'remedy' in finding:
        print(finding['subject'] + ': remedy: ' + finding['remedy'])
[lookup, other] = report['lookups']
assert (lookup['name'], other['name'], report['problem']) == ('printer.local', 'a.b.local', True)
assert any(address.startswith('10.77.') for address in lookup['answer']['addresses'])
kinds = [event['event'] for event in lookup['events']]
assert kinds[:3] == ['source', 'round', 'sent'] and 'received' in kinds, kinds
received = [event for event in lookup['events'] if event['event'] == 'received' and 'ignored_because' not in event]
assert received[0]['records'][0]['owner'] == 'printer.local' and received[0]['hop_limit'] == 255
assert all(earlier['ms'] <= later['ms'] for earlier, later in zip(lookup['events'], lookup['events'][1:]))
assert other['events'][0]['reason'] == 'labels'";

#[test]
fn json_has_the_same_content() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.write("/etc/nss-mdns.conf", "timeout = 1s # \"quoted\" \\ \u{fc}\n")?;
    let names = ["printer.local", "a.b.local"];
    let json = check(&lan.client, &[&["--json"], &names[..]].concat())?;
    json.has_status(1);
    lan.client.write("/run/host/report.json", &json.text)?;
    let outcome = python(&lan.client, AS_TEXT, &["/run/host/report.json"]);
    assert!(outcome.success(), "{outcome:?}\n{}", json.text);
    // The findings, without the result of the lookup, which has a time.
    let findings = |text: &str| {
        let is_finding = |line: &&str| !line.starts_with(' ') && !line.starts_with("lookup printer.local: ");
        text.lines().filter(is_finding).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(findings(&outcome.stdout), findings(&check(&lan.client, &names)?.text));
    Ok(())
}
