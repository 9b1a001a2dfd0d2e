//! Firewalls of distributions, loaded into a host of a test LAN.
//!
//! ufw and firewalld are the real programs, from their Debian packages, and generate the rules from their own files.
//! Neither needs D-Bus, NetworkManager or a running daemon for that. Both admit packets of known connections
//! and, with the settings that the functions describe, multicast DNS to its groups. A unicast response to a multicast
//! query belongs to no known connection: the query was sent to the group, and the response comes from another address.
//!
//! Each function expects a host without other rules. The rules exist as long as the host.

use crate::deps::{file, python, unpacked};
use crate::lan::{Families, Host};

/// ufw as `ufw enable` leaves it on a new Debian or Ubuntu system: incoming packets denied, outgoing ones allowed,
/// logging low. Multicast DNS to the groups is admitted.
///
/// # Errors
/// If it is missing, or what it printed.
pub fn ufw(host: &Host) -> Result<(), String> {
    let (config, defaults, share) = (file("root/etc/ufw")?, file("root/etc/default/ufw")?, file("root/usr/share/ufw")?);
    let (library, program) = (unpacked("lib/ufw")?, file("root/usr/sbin/ufw")?);
    // The package's postinst copies the rules to /etc/ufw.
    host.script(&format!(
        "root=/run/ufw
         mkdir -p $root/etc/default $root/lib $root/usr/share
         cp -r '{config}' $root/etc/ufw
         cp '{defaults}' $root/etc/default/ufw
         cp -r '{library}' $root/lib/ufw
         cp -r '{share}' $root/usr/share/ufw
         cp $root/usr/share/ufw/iptables/*.rules $root/usr/share/ufw/ufw.conf $root/etc/ufw
         sed -i s,^IPT_SYSCTL=.*,IPT_SYSCTL=$root/etc/ufw/sysctl.conf, $root/etc/default/ufw
         {PYTHON} '{python}' '{program}' --rootdir=$root --datadir=$root --force enable",
        config = config.display(),
        defaults = defaults.display(),
        share = share.display(),
        library = library.display(),
        program = program.display(),
        python = python()?.display(),
        PYTHON = python_environment()?,
    ))?;
    Ok(())
}

/// How many `[UFW BLOCK]` lines ufw has logged for dropped packets: up to ten in a burst, then three a minute, for each
/// of IPv4 and IPv6. The kernel counts these lines and does not write them, because it logs only packets of the initial
/// network namespace.
///
/// # Errors
/// If the rules cannot be read.
pub fn ufw_log_lines(host: &Host) -> Result<u32, String> {
    let rules =
        host.script("for program in iptables-save ip6tables-save; do $program --counters --table filter; done")?;
    let logging = rules.lines().filter(|rule| rule.contains("[UFW BLOCK]"));
    // [PACKETS:OCTETS] -A CHAIN ...
    let count = |rule: &str| rule.strip_prefix('[')?.split_once(':')?.0.parse::<u32>().ok();
    logging.map(|rule| count(rule).ok_or_else(|| format!("no counter: {rule}"))).sum()
}

/// firewalld with its default zone, `public`, which admits the services `ssh` and `dhcpv6-client`, and with these
/// additional services. With `mdns`, multicast DNS to the groups is admitted. Without it, which is the default,
/// multicast responses are rejected too.
///
/// # Errors
/// If it is missing, or what it printed.
pub fn firewalld(host: &Host, services: &[&str]) -> Result<(), String> {
    let (etc, usr) = (file("root/etc/firewalld")?, unpacked("usr/lib/firewalld")?);
    host.write("/run/host/firewalld.py", FIREWALLD)?;
    host.script(&format!(
        "cp -r '{etc}' /run/host/firewalld
         # With this setting of later versions, the kernel removes the rules when the process ends.
         sed -i s/^NftablesTableOwner=.*/NftablesTableOwner=no/ /run/host/firewalld/firewalld.conf
         {PYTHON} '{python}' /run/host/firewalld.py /run/host/firewalld '{usr}' {services}",
        etc = etc.display(),
        usr = usr.display(),
        python = python()?.display(),
        services = services.join(" "),
        PYTHON = python_environment()?,
    ))?;
    Ok(())
}

/// Does what the daemon does when it starts, without D-Bus and GLib. The module of firewalld that it replaces asks
/// NetworkManager over D-Bus for the zones of its connections. Later versions import GLib for the timers of temporary rules,
/// of which there are none.
const FIREWALLD: &str = "
import sys, types
no_manager = types.ModuleType('firewall.core.fw_nm')
no_manager.nm_get_bus_name = lambda: None
no_manager.nm_get_interfaces_in_zone = lambda zone: []
no_glib = types.ModuleType('gi.repository')
no_glib.GLib = None
for module in no_manager, types.ModuleType('gi'), no_glib:
    sys.modules[module.__name__] = module

from firewall import config
config.set_system_config_paths(sys.argv[1])
config.set_default_config_paths(sys.argv[2])

from firewall.core.fw import Firewall
firewall = Firewall()
firewall.start()
for service in sys.argv[3:]:
    firewall.zone.add_service(firewall.get_default_zone(), service)
";

/// A minimal stateful firewall for one address family or for both; packets of the other family pass. It admits known
/// connections, ICMPv6 and multicast DNS to the groups, and drops everything else.
///
/// # Errors
/// What nft printed.
pub fn stateful(host: &Host, filtered: Families) -> Result<(), String> {
    let unfiltered = match filtered {
        Families::Both => "",
        Families::V4 => "meta nfproto ipv6 accept",
        Families::V6 => "meta nfproto ipv4 accept",
    };
    host.firewall(&format!(
        "table inet filter {{
            chain input {{
                type filter hook input priority 0; policy drop;
                {unfiltered}
                iifname lo accept
                ct state established,related accept
                meta l4proto ipv6-icmp accept
                ip daddr 224.0.0.251 udp dport 5353 accept
                ip6 daddr ff02::fb udp dport 5353 accept
            }}
        }}"
    ))
}

/// The environment in which python finds the modules of the unpacked packages, as assignments before a command.
fn python_environment() -> Result<String, String> {
    let modules = file("root/usr/lib/python3/dist-packages")?;
    Ok(format!("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='{}'", modules.display()))
}
