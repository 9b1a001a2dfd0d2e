//! Sends a packet that a DNS server or a capture logs. Once this marker is in the log, everything that was sent before
//! it is in the log too.

use crate::netif::index;
use crate::sockets::{Transport, querier};
use std::net::{Ipv4Addr, UdpSocket};
use test_packet::{Packet, types};

/// The discard port, which nothing else here uses.
pub(super) const PORT: u16 = 9;

/// `marker dns NAME` queries the DNS server on this host; `marker INTERFACE LENGTH` sends `LENGTH` octets to the group.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(to), Some(marker)) = (arguments.next(), arguments.next()) else {
        return Err("marker dns NAME | INTERFACE LENGTH".into());
    };
    let sent = if to == "dns" { query(&marker) } else { send(&to, marker.parse().unwrap_or_default()) };
    sent.map_err(|why| format!("marker {to}: {why}"))
}

fn query(name: &str) -> std::io::Result<()> {
    let query = Packet::query(0).question(name, types::A);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.send_to(query.octets(), (Ipv4Addr::LOCALHOST, 53)).map(drop)
}

/// Sends over IPv6, or over IPv4 if the interface has no IPv6.
fn send(interface: &str, length: usize) -> std::io::Result<()> {
    let index = index(interface).unwrap_or_default();
    let send = |transport: Transport| {
        let mut group = transport.group(index);
        group.set_port(PORT);
        querier(transport, index)?.send_to(&vec![0; length], group).map(drop)
    };
    send(Transport::V6).or_else(|_| send(Transport::V4))
}
