//! A LAN like Wi-Fi: group-addressed frames (multicast and broadcast) are lost or delayed; unicast frames are neither.
//!
//! An access point repeats a unicast frame until the station acknowledges it. It sends a group-addressed frame only
//! once, without acknowledgement, and holds it back until sleeping stations wake up (IEEE 802.11, DTIM). A station
//! sends its own group-addressed frames to the access point as acknowledged frames. A multicast frame between two
//! stations can therefore be lost once, on its way from the access point to its receiver. If only one of the hosts is
//! on Wi-Fi, only the frames towards that host can be lost. [`Conditions`] has settings for each direction.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! use tests::lan::{Families, Network};
//! use tests::wifi::{Multicast, Wifi};
//! let network = Network::new()?;
//! let wifi = Wifi::new(&network, Families::Both, Multicast { lost_percent: 20, late_ms: (100, 300) })?;
//! let printer = network.host("printer", &[&wifi.responder_side])?;
//! let client = network.client("client", &[&wifi.client_side])?;
//! # Ok(()) }
//! ```
//!
//! A veth pair connects two bridges. It carries unicast frames without leaving the kernel, and the bridges do not flood
//! group-addressed frames into it. Those go to a second port on each bridge, where `lan_helper relay` reads them: one
//! process for each direction. It sends what it forwards through the veth pair, so the other bridge learns the sender's
//! hardware address on the right port. The two ports of a bridge are isolated from each other: otherwise a forwarded
//! frame would reach the relay of the opposite direction and circulate endlessly.

use crate::helpers::binary;
use crate::lan::{Families, Lan, Network, READY};
use crate::run::Daemon;
use crate::sandbox::unique;

/// The hardware addresses of the multicast DNS groups (RFC 1112, section 6.4; RFC 2464, section 7).
pub(crate) const MDNS_MACS: [[u8; 6]; 2] = [[0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb], [0x33, 0x33, 0x00, 0x00, 0x00, 0xfb]];

/// What happens to group-addressed frames in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multicast {
    /// The percentage of frames that are lost.
    pub lost_percent: u8,
    /// The minimum and maximum delay of the other frames, in milliseconds. Each frame is delayed independently, so
    /// frames can be reordered.
    pub late_ms: (u16, u16),
}

impl Multicast {
    /// No loss and no delay.
    pub const PERFECT: Multicast = Multicast { lost_percent: 0, late_ms: (0, 0) };
}

/// What happens to group-addressed frames in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// On the way to the hosts on [`Wifi::client_side`].
    pub to_client: Multicast,
    /// On the way to the hosts on [`Wifi::responder_side`].
    pub to_responder: Multicast,
    /// Whether only frames to a multicast DNS group are lost or delayed. Then the others pass at once, such as ARP,
    /// neighbour discovery, IGMPv3 and MLD.
    pub only_mdns: bool,
    /// The seed of the random numbers. With the same seed and the same sequence of frames, the same frames are lost.
    pub seed: u64,
}

impl Conditions {
    /// The same loss and delay in both directions, for all group-addressed frames.
    pub fn both(multicast: Multicast) -> Conditions {
        Conditions { to_client: multicast, to_responder: multicast, only_mdns: false, seed: 1 }
    }
}

/// Two LANs that share a subnet.
#[derive(Debug)]
pub struct Wifi {
    _relays: [Daemon; 2],
    /// For the hosts that look names up.
    pub client_side: Lan,
    /// For the hosts that are looked up.
    pub responder_side: Lan,
}

impl Wifi {
    /// Wi-Fi with the same loss and delay in both directions, for all group-addressed frames.
    ///
    /// # Errors
    /// What failed.
    pub fn new(network: &Network, families: Families, multicast: Multicast) -> Result<Wifi, String> {
        Wifi::with(network, families, &Conditions::both(multicast))
    }

    /// Wi-Fi with these conditions.
    ///
    /// # Errors
    /// What failed.
    pub fn with(network: &Network, families: Families, conditions: &Conditions) -> Result<Wifi, String> {
        let client_side = network.lan(families)?;
        let responder_side = network.second_bridge(&client_side)?;
        let number = unique();
        let (client_link, responder_link) = (format!("link{number}c"), format!("link{number}r"));
        network.script(&format!("ip link add {client_link} type veth peer name {responder_link}"))?;
        let client_tap = connect(network, &client_side, &client_link)?;
        let responder_tap = connect(network, &responder_side, &responder_link)?;
        network.wait_for_port(&client_link)?;
        network.wait_for_port(&responder_link)?;
        let seeds = [conditions.seed, !conditions.seed];
        let relays = [
            relay(network, [&responder_tap, &responder_link], conditions.to_client, conditions.only_mdns, seeds[0])?,
            relay(network, [&client_tap, &client_link], conditions.to_responder, conditions.only_mdns, seeds[1])?,
        ];
        Ok(Wifi { _relays: relays, client_side, responder_side })
    }
}

/// Adds one end of the veth pair to a bridge, and a port for the relay. Returns the interface that the relay reads.
fn connect(network: &Network, lan: &Lan, link: &str) -> Result<String, String> {
    let (number, bridge) = (unique(), lan.bridge());
    let tap = format!("tap{number}");
    network.script(&format!(
        "ip link set {link} master {bridge} up
         ip link set {link} type bridge_slave isolated on mcast_flood off bcast_flood off
         ip link add relay{number} type veth peer name {tap}
         ip link set relay{number} master {bridge} up
         ip link set relay{number} type bridge_slave isolated on flood off
         ip link set {tap} up"
    ))?;
    network.wait_for_port(&format!("relay{number}"))?;
    Ok(tap)
}

fn relay(
    network: &Network,
    [from, to]: [&str; 2],
    multicast: Multicast,
    only_mdns: bool,
    seed: u64,
) -> Result<Daemon, String> {
    let mut command = network.command(binary("lan_helper")?);
    let (least, most) = multicast.late_ms;
    command.args(["relay", from, to, "--lost", &multicast.lost_percent.to_string()]);
    command.args(["--late", &format!("{least}-{most}"), "--seed", &seed.to_string()]);
    if only_mdns {
        command.arg("--only-mdns");
    }
    let daemon = Daemon::start(&format!("relay from {from}"), command)?;
    daemon.wait_for("ready", READY)?;
    Ok(daemon)
}
