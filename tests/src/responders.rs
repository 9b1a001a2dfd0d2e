//! Real responders: how each is started, and how it is known to be ready.

use crate::deps::{library_path, python, unpacked};
use crate::helpers::binary;
use crate::lan::Host;
use crate::module::workspace;
use crate::run::Daemon;
use std::time::Duration;

/// Probing takes 750 ms by the standard; the rest is for slow machines.
const READY: Duration = Duration::from_secs(15);

/// avahi-daemon, for a host name without `.local`. It gives out no link-local address if there is another.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn avahi(host: &Host, name: &str) -> Result<Daemon, String> {
    avahi_with(host, name, "")
}

/// avahi-daemon on a host whose IPv6 is switched off.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn avahi_v4(host: &Host, name: &str) -> Result<Daemon, String> {
    host.script("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")?;
    avahi(host, name)
}

/// avahi-daemon with more lines in the `[publish]` section of its configuration.
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

/// python-zeroconf with all addresses of the host's interfaces.
///
/// # Errors
/// If it is missing or does not get ready.
pub fn zeroconf(host: &Host, name: &str) -> Result<Daemon, String> {
    zeroconf_with(host, name, true)
}

/// python-zeroconf with the host's IPv4 addresses alone.
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
    let daemon = host.daemon("zeroconf", command)?;
    daemon.wait_for("ready", READY)?;
    Ok(daemon)
}

/// The scripted responder, named `name` (in full), with all addresses of the host and these options.
///
/// # Errors
/// If it does not start.
pub fn scripted(host: &Host, name: &str, options: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("responder")?);
    command.args(["--name", name]).args(addresses(host)).args(options);
    let daemon = host.daemon("responder", command)?;
    daemon.wait_for("ready", READY)?;
    Ok(daemon)
}

/// The addresses of a host as the scripted responder's options.
pub fn addresses(host: &Host) -> Vec<String> {
    let options = host.interfaces.iter().flat_map(|interface| {
        let v4 = interface.v4.iter().map(|address| ["--a".to_owned(), address.to_string()]);
        let v6 = interface.v6.iter().chain(&interface.link_local);
        v4.chain(v6.map(|address| ["--aaaa".to_owned(), address.to_string()])).flatten()
    });
    options.collect()
}
