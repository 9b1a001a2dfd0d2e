//! Sends one packet that is only there to be seen: what a server or a capture has noted once it has noted that is all
//! there was before it.

use crate::netif::index;
use crate::sockets::{Transport, querier};
use std::net::{Ipv4Addr, UdpSocket};
use test_packet::{Packet, types};

/// The discard port.
pub(super) const PORT: u16 = 9;

/// `mark dns NAME` asks the host's own DNS server; `mark INTERFACE LENGTH` sends so many octets to the group.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(to), Some(mark)) = (arguments.next(), arguments.next()) else {
        return Err("mark dns NAME | INTERFACE LENGTH".into());
    };
    let sent = if to == "dns" { ask(&mark) } else { send(&to, mark.parse().unwrap_or_default()) };
    sent.map_err(|why| format!("mark {to}: {why}"))
}

fn ask(name: &str) -> std::io::Result<()> {
    let query = Packet::query(0).question(name, types::A);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.send_to(query.octets(), (Ipv4Addr::LOCALHOST, 53)).map(drop)
}

/// Over IPv6 or, where the interface has none, over IPv4.
fn send(interface: &str, length: usize) -> std::io::Result<()> {
    let index = index(interface).unwrap_or_default();
    let send = |transport: Transport| {
        let mut group = transport.group(index);
        group.set_port(PORT);
        querier(transport, index)?.send_to(&vec![0; length], group).map(drop)
    };
    send(Transport::V6).or_else(|_| send(Transport::V4))
}
