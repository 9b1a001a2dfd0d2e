//! Real responders: how to start each, and how to tell that it is ready; and how to start the scripted one.

use crate::deps::{file, java_archive, library_path, package, python, unpacked};
use crate::helpers::{binary, query};
use crate::lan::{Host, Interface, READY};
use crate::module::workspace;
use crate::run::Daemon;
use std::net::IpAddr;
use std::process::Command;
use std::time::Instant;

/// avahi-daemon, for a host name without `.local`. It announces no link-local IPv6 address if the host has another.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn avahi(host: &Host, name: &str) -> Result<Daemon, String> {
    avahi_with(host, name, "")
}

/// avahi-daemon, after IPv6 is disabled on the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn avahi_v4(host: &Host, name: &str) -> Result<Daemon, String> {
    host.script("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")?;
    avahi(host, name)
}

/// avahi-daemon with additional lines in the `[publish]` section of its configuration.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn avahi_with(host: &Host, name: &str, publish: &str) -> Result<Daemon, String> {
    let program = unpacked("usr/sbin/avahi-daemon")?;
    let config = format!(
        "[server]\nhost-name={name}\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=no\n\
         [wide-area]\nenable-wide-area=no\n\
         [publish]\npublish-hinfo=no\npublish-workstation=no\n{publish}\n"
    );
    host.write("/run/avahi/avahi-daemon.conf", &config)?;
    let mut command = host.command("env");
    command.arg(format!("LD_LIBRARY_PATH={}", library_path())).arg(program);
    command.args(["--no-drop-root", "--no-chroot", "--no-rlimits", "--file", "/run/avahi/avahi-daemon.conf"]);
    let daemon = host.daemon("avahi-daemon", command)?;
    daemon.wait_for("Server startup complete", READY)?;
    Ok(daemon)
}

/// python-zeroconf with all addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn zeroconf(host: &Host, name: &str) -> Result<Daemon, String> {
    start_zeroconf(host, host.command(python()?), &[IpAddr::is_ipv4, IpAddr::is_ipv6], name)
}

/// An older version of python-zeroconf, with all addresses of the host, for the host name.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn old_zeroconf(host: &Host, version: &str) -> Result<Daemon, String> {
    let mut command = host.command("env");
    let packages = file(&format!("zeroconf-{version}"))?;
    command.arg(format!("PYTHONPATH={}", packages.display())).arg(python()?);
    start_zeroconf(host, command, &[IpAddr::is_ipv4, IpAddr::is_ipv6], &host.name)
}

/// python-zeroconf with only the IPv4 addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn zeroconf_v4(host: &Host, name: &str) -> Result<Daemon, String> {
    start_zeroconf(host, host.command(python()?), &[IpAddr::is_ipv4], name)
}

fn start_zeroconf(host: &Host, mut python: Command, families: &[IsFamily], name: &str) -> Result<Daemon, String> {
    python.arg(workspace().join("tests/responders/zeroconf_host.py")).arg(format!("{name}.local"));
    python.args(all_addresses(host, families));
    host.ready_daemon("zeroconf", python)
}

/// Whether an address is of a family.
type IsFamily = fn(&IpAddr) -> bool;

/// The addresses of a host in these families, as arguments: for each interface the IPv4 address first and the
/// link-local one last.
fn all_addresses(host: &Host, families: &[IsFamily]) -> Vec<String> {
    let of_interface = |interface: &Interface| {
        let v6 = [interface.v6, interface.link_local].into_iter().flatten().map(IpAddr::V6);
        interface.v4.map(IpAddr::V4).into_iter().chain(v6).collect::<Vec<_>>()
    };
    let all = host.interfaces.iter().flat_map(of_interface);
    all.filter(|address| families.iter().any(|is_family| is_family(address))).map(|it| it.to_string()).collect()
}

/// systemd-resolved with mDNS on all interfaces, for the host name. It does not respond to queries from its own host.
///
/// # Errors
/// If it is missing or does not start.
pub fn resolved(host: &Host) -> Result<Daemon, String> {
    enable_mdns(host)?;
    start_resolved(host, "yes", "debug")
}

/// [`resolved`] without the debug log, which takes time. Its process id is in `/run/host/resolved.pid`.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn resolved_without_log(host: &Host) -> Result<Daemon, String> {
    enable_mdns(host)?;
    let daemon = start_resolved(host, "yes", "info")?;
    wait_for_resolved(host, &daemon)?;
    Ok(daemon)
}

/// systemd-resolved without mDNS: it queries only the servers in `/etc/resolv.conf`.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn resolved_without_mdns(host: &Host) -> Result<Daemon, String> {
    let daemon = start_resolved(host, "no", "debug")?;
    wait_for_resolved(host, &daemon)?;
    Ok(daemon)
}

/// Writes the state files of networkd with which resolved enables mDNS on an interface.
fn enable_mdns(host: &Host) -> Result<(), String> {
    host.interfaces.iter().try_for_each(|interface| {
        let link = "ADMIN_STATE=configured\nOPER_STATE=routable\nMDNS=yes\n";
        host.write(format!("/run/systemd/netif/links/{}", interface.index), link)
    })
}

/// The socket that nss-resolve connects to.
const RESOLVED_SOCKET: &str = "/run/systemd/resolve/io.systemd.Resolve";

fn start_resolved(host: &Host, mdns: &str, log_level: &str) -> Result<Daemon, String> {
    let program = unpacked("lib/systemd/systemd-resolved")?;
    let config = format!("[Resolve]\nMulticastDNS={mdns}\nLLMNR=no\nDNSStubListener=no\nDNSSEC=no\n");
    host.write("/run/systemd/resolved.conf.d/lan.conf", &config)?;
    host.script(&format!("rm -f {RESOLVED_SOCKET}"))?;
    let mut command = host.command("sh");
    command.args(["-euc", r#"echo $$ >/run/host/resolved.pid; exec env "$@""#, "sh"]);
    command
        .args([format!("LD_LIBRARY_PATH={}", library_path()), format!("SYSTEMD_LOG_LEVEL={log_level}")])
        .arg(program);
    host.daemon("systemd-resolved", command)
}

fn wait_for_resolved(host: &Host, daemon: &Daemon) -> Result<(), String> {
    host.script(&format!("for i in $(seq 150); do [ ! -S {RESOLVED_SOCKET} ] || exit 0; sleep 0.1; done; exit 1"))
        .map_err(|_| format!("systemd-resolved does not start. Its output:\n{}", daemon.lines().join("\n")))?;
    Ok(())
}

/// troglobit's mdnsd, for the host name.
///
/// # Errors
/// If it is missing or does not start.
pub fn mdnsd(host: &Host) -> Result<Daemon, String> {
    let program = unpacked("usr/sbin/mdnsd")?;
    host.write("/run/mdns.d/host.service", &format!("name {}\ntype _discard._tcp\nport 9\n", host.name))?;
    let mut command = host.command("env");
    command.arg(format!("LD_LIBRARY_PATH={}", library_path())).arg(program);
    command.args(["-n", "-l", "debug", "/run/mdns.d"]);
    host.daemon("mdnsd", command)
}

/// Whether it is version 1.0 or later, which uses IPv6 as well. Debian 13 has 0.12.
pub fn mdnsd_uses_ipv6() -> bool {
    package("mdnsd").is_ok_and(|archive| !archive.to_string_lossy().contains("/mdnsd_0."))
}

/// The Rust crate mdns-sd with all addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn mdns_sd(host: &Host) -> Result<Daemon, String> {
    with_addresses(host, "rust/release/mdns_sd", &[IpAddr::is_ipv4, IpAddr::is_ipv6])
}

/// Version 0.5 of the Rust crate mdns-sd with the IPv4 addresses of the host, which are the only ones that it supports.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn mdns_sd_0_5(host: &Host) -> Result<Daemon, String> {
    with_addresses(host, "rust/release/mdns_sd_0_5", &[IpAddr::is_ipv4])
}

/// The Rust crate simple-mdns with all addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn simple_mdns(host: &Host) -> Result<Daemon, String> {
    route_multicast(host)?;
    with_addresses(host, "rust/release/simple_mdns", &[IpAddr::is_ipv4, IpAddr::is_ipv6])
}

/// The Go package hashicorp/mdns with all addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn hashicorp(host: &Host) -> Result<Daemon, String> {
    with_addresses(host, "go/hashicorp", &[IpAddr::is_ipv4, IpAddr::is_ipv6])
}

/// The Go package pion/mdns. It answers with the IPv4 address of the interface.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn pion(host: &Host) -> Result<Daemon, String> {
    route_multicast(host)?;
    with_addresses(host, "go/pion", &[])
}

/// The Java library jmdns with the first address of the host. The library supports only one.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn jmdns(host: &Host) -> Result<Daemon, String> {
    let mut command = host.command("java");
    let path = [file("java")?, java_archive("jmdns")?, java_archive("slf4j-api")?].map(|it| it.display().to_string());
    // Starts in half of the time.
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &path.join(":"), "JmdnsHost"]);
    command.arg(format!("{}.local", host.name));
    command.args(all_addresses(host, &[IpAddr::is_ipv4, IpAddr::is_ipv6]).first());
    host.ready_daemon("jmdns", command)
}

/// A program that was built by `tests/deps` and takes the name of the host and its addresses in these families.
fn with_addresses(host: &Host, program: &str, families: &[IsFamily]) -> Result<Daemon, String> {
    let mut command = host.command(file(program)?);
    command.arg(format!("{}.local", host.name)).args(all_addresses(host, families));
    host.ready_daemon(program, command)
}

/// The Rust crate libmdns, for the host name.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn libmdns(host: &Host) -> Result<Daemon, String> {
    route_multicast(host)?;
    host.ready_daemon("libmdns", host.command(file("rust/release/libmdns")?))
}

/// A responder for Node.js: one of the scripts in `tests/responders/npm`.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn node(host: &Host, script: &str) -> Result<Daemon, String> {
    route_multicast(host)?;
    let mut command = host.command("env");
    command.arg(format!("NODE_PATH={}", file("npm/node_modules")?.display())).arg("node");
    command.arg(workspace().join("tests/responders/npm").join(script)).arg(format!("{}.local", host.name));
    // Only multicast_dns.js uses them.
    command.args(all_addresses(host, &[IpAddr::is_ipv4, IpAddr::is_ipv6]));
    host.ready_daemon(script, command)
}

/// Adds a route for multicast. Some responders let the routing table choose the interface, and there is no default
/// route.
fn route_multicast(host: &Host) -> Result<(), String> {
    host.script("ip route replace 224.0.0.0/4 dev eth0").map(|_| ())
}

/// Waits until a bare query from this host is answered. For daemons that do not report when they are ready.
///
/// # Errors
/// If that does not happen in time.
pub fn answered(client: &Host, name: &str, types: &[&str], daemon: &Daemon) -> Result<(), String> {
    let deadline = Instant::now() + READY;
    while !types.iter().all(|rtype| query(client, name, rtype).success()) {
        if Instant::now() > deadline {
            return Err(format!("no response for {name}. The output of the daemon:\n{}", daemon.lines().join("\n")));
        }
    }
    Ok(())
}

/// The scripted responder for a name such as `printer.local`, with all addresses of the host and these options.
///
/// # Errors
/// If it does not start.
pub fn scripted(host: &Host, name: &str, options: &[&str]) -> Result<Daemon, String> {
    let addresses = addresses(host);
    let addresses = addresses.iter().map(String::as_str);
    let options: Vec<&str> = ["--name", name].into_iter().chain(addresses).chain(options.iter().copied()).collect();
    scripted_with(host, &options)
}

/// The scripted responder with only these options, which must include names and addresses.
///
/// # Errors
/// If it does not start.
pub fn scripted_with(host: &Host, options: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("responder")?);
    command.args(options);
    host.ready_daemon("responder", command)
}

/// The addresses of a host as options of the scripted responder.
pub fn addresses(host: &Host) -> Vec<String> {
    let options = host.interfaces.iter().flat_map(|interface| {
        let v4 = interface.v4.iter().map(|address| ["--a".to_owned(), address.to_string()]);
        let v6 = interface.v6.iter().chain(&interface.link_local);
        v4.chain(v6.map(|address| ["--aaaa".to_owned(), address.to_string()])).flatten()
    });
    options.collect()
}
