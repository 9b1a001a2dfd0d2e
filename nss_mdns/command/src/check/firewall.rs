//! What admits multicast DNS through the firewall of this machine, by the tools that are installed and active.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where ufw notes whether it is enabled. Every user can read it.
const UFW_CONF: &str = "/etc/ufw/ufw.conf";

/// What to do if there is no tool with a command of its own. `nft` does not show the rules of iptables-legacy.
pub(crate) fn rule(chain: &str) -> String {
    format!(
        "in the {chain} chain that sudo nft list ruleset shows, add before its other rules: udp dport 5353 accept; if it shows \
         none: sudo iptables -I {} -p udp --dport 5353 -j ACCEPT, or ip6tables; then save it where the rules are kept",
        chain.to_uppercase()
    )
}

/// The command that admits incoming multicast DNS on this interface; None if no tool for that is active.
pub(crate) fn admit_incoming(interface: &str) -> Option<String> {
    if is_ufw_active() {
        return Some("sudo ufw allow mdns".into());
    }
    is_firewalld_active().then(|| {
        // Without the option, firewall-cmd changes the default zone, which applies to interfaces without their own.
        let zone = zone(interface).map(|zone| format!("--zone={zone} ")).unwrap_or_default();
        format!("sudo firewall-cmd --permanent {zone}--add-service=mdns && sudo firewall-cmd --reload")
    })
}

/// The command that admits outgoing multicast DNS; None if no tool for that is active.
pub(crate) fn admit_outgoing() -> Option<String> {
    is_ufw_active().then(|| "sudo ufw allow out 5353/udp".into())
}

fn is_ufw_active() -> bool {
    tool("ufw").is_some() && fs::read_to_string(UFW_CONF).is_ok_and(|conf| is_enabled(&conf))
}

fn is_enabled(ufw_conf: &str) -> bool {
    let mut values = ufw_conf.lines().filter_map(|line| line.trim().strip_prefix("ENABLED="));
    values.next_back().is_some_and(|value| value.trim_matches(['"', '\'']).eq_ignore_ascii_case("yes"))
}

fn is_firewalld_active() -> bool {
    firewall_cmd("--state").is_some()
}

/// The zone of firewalld to which an interface belongs, unless it is the default zone.
fn zone(interface: &str) -> Option<String> {
    let zone = firewall_cmd(&format!("--get-zone-of-interface={interface}"))?;
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"_-".contains(&octet);
    (!zone.is_empty() && zone.bytes().all(is_name)).then_some(zone)
}

/// What firewall-cmd prints; None if it is not installed or fails.
fn firewall_cmd(argument: &str) -> Option<String> {
    let output = Command::new(tool("firewall-cmd")?).arg(argument).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The path of an administrator's program. A user's PATH may lack the folders for such programs.
fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_enables_ufw() {
        assert!(is_enabled("# ENABLED=no\nENABLED=no\nENABLED=yes\nLOGLEVEL=low\n"));
        assert!(is_enabled("ENABLED=\"yes\""));
        assert!(!is_enabled("ENABLED=yes\nENABLED=no\n") && !is_enabled(""));
    }
}
