//! Real responders: how to start each, and how to tell that it is ready; and how to start the scripted one.

use crate::deps::{file, library_path, python, unpacked};
use crate::helpers::{binary, query};
use crate::lan::{Host, READY};
use crate::module::workspace;
use crate::run::Daemon;
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
    zeroconf_with(host, name, true)
}

/// python-zeroconf with only the IPv4 addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn zeroconf_v4(host: &Host, name: &str) -> Result<Daemon, String> {
    zeroconf_with(host, name, false)
}

fn zeroconf_with(host: &Host, name: &str, v6: bool) -> Result<Daemon, String> {
    let mut command = host.command(python()?);
    command.arg(workspace().join("tests/responders/zeroconf_host.py")).arg(format!("{name}.local"));
    for interface in &host.interfaces {
        command.args(interface.v4.iter().map(ToString::to_string));
        let all_v6 = interface.v6.iter().chain(&interface.link_local).filter(|_| v6);
        command.args(all_v6.map(ToString::to_string));
    }
    host.ready_daemon("zeroconf", command)
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

/// The Rust crate mdns-sd with all addresses of the host.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn mdns_sd(host: &Host) -> Result<Daemon, String> {
    let mut command = host.command(file("rust/release/mdns_sd")?);
    command.arg(format!("{}.local", host.name));
    for interface in &host.interfaces {
        command.args(interface.v4.iter().map(ToString::to_string));
        command.args(interface.v6.iter().chain(&interface.link_local).map(ToString::to_string));
    }
    host.ready_daemon("mdns-sd", command)
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
