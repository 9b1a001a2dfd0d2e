//! A bare one-shot query (RFC 6762 section 5.1): one packet, the first answer, and how long it took.

use crate::netif::interfaces;
use crate::wire::{Data, Message};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, Packet, types};

/// `query NAME a|aaaa|ptr [4|6]`: asks on the first interface; status 1 if nothing comes within a second.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let name = arguments.next().ok_or("query NAME a|aaaa|ptr [4|6]")?;
    let rtype = match arguments.next().as_deref() {
        Some("aaaa") => types::AAAA,
        Some("ptr") => types::PTR,
        _ => types::A,
    };
    let over_v6 = arguments.next().map_or(rtype == types::AAAA, |family| family == "6");
    let (_, index) = interfaces().ok().and_then(|all| all.into_iter().next()).ok_or("no interface")?;
    let (socket, group) = open(over_v6, index).map_err(|why| format!("socket: {why}"))?;
    let query = Packet::query(0x1234).question(&name, rtype);
    let start = Instant::now();
    socket.send_to(query.octets(), group).map_err(|why| format!("send: {why}"))?;
    let answer = wait(&socket, &name, start + Duration::from_secs(1)).ok_or("no answer")?;
    let elapsed = start.elapsed();
    for record in answer.answers.iter().chain(&answer.additional) {
        match &record.data {
            Data::Address(address) => println!("{address}"),
            Data::Alias(target) | Data::Pointer(target) => println!("{target}"),
            Data::Types(_, types) => println!("only types {types:?}"),
        }
    }
    println!("after {} us", elapsed.as_micros());
    Ok(())
}

fn open(over_v6: bool, index: u32) -> std::io::Result<(UdpSocket, SocketAddr)> {
    if over_v6 {
        let socket: UdpSocket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?.into();
        SockRef::from(&socket).set_multicast_if_v6(index)?;
        return Ok((socket, SocketAddrV6::new(GROUP_V6, MDNS_PORT, 0, index).into()));
    }
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // The interface by its index: no route is needed then.
    socket.bind_device_by_index_v4(std::num::NonZeroU32::new(index))?;
    Ok((socket.into(), SocketAddrV4::new(GROUP_V4, MDNS_PORT).into()))
}

fn wait(socket: &UdpSocket, name: &str, deadline: Instant) -> Option<Message> {
    let mut buffer = [0u8; 9000];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        let (length, _) = socket.recv_from(&mut buffer).ok()?;
        let message = Message::parse(buffer.get(..length)?);
        let answers = |message: &Message| message.answers.iter().any(|record| record.name.eq_ignore_ascii_case(name));
        if let Some(message) = message.filter(answers) {
            return Some(message);
        }
    }
}
