//! The packets that leave an interface, with the kernel's time stamps: what a lookup sends, and when it starts to send.

use crate::datagram::Datagram;
use crate::packet_socket::Link;
use std::io;
use std::time::{Duration, SystemTime};
use test_packet::{MDNS_PORT, RESPONSE};

/// What a packet is to the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketType {
    /// A query to a multicast DNS group.
    Query,
    /// A query to port 5353 of a host.
    DirectQuery,
    /// A response to port 5353.
    Response,
    /// IGMP or MLD.
    Membership,
    /// Anything else.
    Other,
}

/// A packet that left by the interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) packet_type: PacketType,
    pub(super) at: SystemTime,
}

/// A packet socket on one interface.
pub(super) struct Tap(Link);

impl Tap {
    pub(super) fn open(interface: &str) -> io::Result<Tap> {
        let link = Link::open(interface)?;
        link.set_nonblocking()?;
        // The first request switches time stamps on, which the kernel does a little later.
        let _ = link.timestamp();
        std::thread::sleep(Duration::from_millis(50));
        Ok(Tap(link))
    }

    /// All packets that left since the last call, except those for which the socket had no room.
    pub(super) fn sent(&self) -> Vec<Sent> {
        const MAX_PACKETS: usize = 10_000;
        let mut sent = Vec::new();
        let mut buffer = [0u8; 2048];
        for _ in 0..MAX_PACKETS {
            let Ok(arrival) = self.0.receive(&mut buffer) else { break };
            let packet = buffer.get(..arrival.length).filter(|_| arrival.is_outgoing);
            if let (Some(packet), Some(at)) = (packet, self.0.timestamp()) {
                sent.push(Sent { packet_type: packet_type(packet), at });
            }
        }
        sent
    }
}

fn packet_type(packet: &[u8]) -> PacketType {
    if is_membership(packet) {
        return PacketType::Membership;
    }
    let Some(datagram) = Datagram::parse(packet) else { return PacketType::Other };
    let flags = datagram.payload.get(2..4).map(|flags| u16::from_be_bytes([flags[0], flags[1]]));
    match (datagram.destination.port(), flags) {
        (MDNS_PORT, Some(flags)) if flags & RESPONSE != 0 => PacketType::Response,
        (MDNS_PORT, Some(_)) if datagram.destination.ip().is_multicast() => PacketType::Query,
        (MDNS_PORT, Some(_)) => PacketType::DirectQuery,
        _ => PacketType::Other,
    }
}

/// Whether a packet is IGMP, or MLD behind the hop-by-hop header that MLD always has (RFC 3810, section 5).
fn is_membership(packet: &[u8]) -> bool {
    const IGMP: u8 = 2;
    const ICMPV6: u8 = 58;
    const MLD: [u8; 4] = [130, 131, 132, 143];
    let octet = |at: usize| packet.get(at).copied().unwrap_or_default();
    match octet(0) >> 4 {
        4 => octet(9) == IGMP,
        6 => octet(6) == 0 && octet(40) == ICMPV6 && MLD.contains(&octet(48)),
        _ => false,
    }
}
