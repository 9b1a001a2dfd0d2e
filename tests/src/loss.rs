//! Loss of packets on the way between a host and its LANs.
//!
//! The ports of the bridges drop the packets, so the loss looks like loss on the link: a capture on the sender contains
//! a lost packet, and one on the receiver does not. A rule in the `output` hook of the host would act differently: it
//! makes `sendto(2)` fail with `EPERM`, and connection tracking does not see the packet.

use crate::lan::{Host, Network};
use std::fmt::Write as _;

/// Which packets can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packets {
    /// Every packet, ARP included.
    All,
    /// Those to IPv4 and IPv6 groups, neighbour discovery included. ARP requests are broadcast and are not lost.
    Multicast,
    /// UDP, to groups and to single hosts.
    Udp,
    /// UDP to the multicast DNS groups.
    Mdns,
}

impl Packets {
    /// The conditions that match these packets, in nft's language: one rule for each.
    fn matches(self) -> &'static [&'static str] {
        match self {
            Packets::All => &[""],
            Packets::Udp => &["meta l4proto udp"],
            Packets::Multicast => &["ip daddr 224.0.0.0/4", "ip6 daddr ff00::/8"],
            Packets::Mdns => &["ip daddr 224.0.0.251 udp dport 5353", "ip6 daddr ff02::fb udp dport 5353"],
        }
    }
}

/// Drops this percentage of the packets to a host, and of those from it, on all its interfaces. A second call replaces
/// the setting of the first; 0 ends the loss.
///
/// # Errors
/// What nft printed.
pub fn lose(network: &Network, host: &Host, percent: u8, packets: Packets) -> Result<(), String> {
    let ports = host.interfaces.iter().map(|interface| ruleset(&interface.port, percent, packets));
    network.script(&format!("nft -f - <<'END'\n{}END", ports.collect::<String>())).map(|_| ())
}

fn ruleset(port: &str, percent: u8, packets: Packets) -> String {
    let table = format!("netdev loss-{port}");
    let mut ruleset = format!("table {table}\ndelete table {table}\n");
    // nft refuses comparisons that are never or always true.
    let verdict = match percent {
        0 => return ruleset,
        1..=99 => format!("numgen random mod 100 < {percent} drop"),
        _ => "drop".into(),
    };
    for hook in ["ingress", "egress"] {
        let _ = writeln!(ruleset, "table {table} {{\nchain {hook} {{");
        let _ = writeln!(ruleset, "type filter hook {hook} device {port} priority 0");
        for rule in packets.matches() {
            let _ = writeln!(ruleset, "{rule} {verdict}");
        }
        ruleset += "}\n}\n";
    }
    ruleset
}
