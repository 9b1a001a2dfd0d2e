//! A bare one-shot query (RFC 6762, section 5.1): one packet, the first response, and how long it took.

use crate::netif::interfaces;
use crate::sockets::{Transport, querier};
use crate::wire::{Data, Message};
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use test_packet::{Packet, types};

/// `query NAME a|aaaa|ptr [4|6]`: queries on the first interface, and fails if no response arrives within a second.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let name = arguments.next().ok_or("query NAME a|aaaa|ptr [4|6]")?;
    let rtype = match arguments.next().as_deref() {
        Some("aaaa") => types::AAAA,
        Some("ptr") => types::PTR,
        _ => types::A,
    };
    let is_v6 = arguments.next().map_or(rtype == types::AAAA, |family| family == "6");
    let transport = if is_v6 { Transport::V6 } else { Transport::V4 };
    let (_, index) = interfaces().ok().and_then(|all| all.into_iter().next()).ok_or("no interface")?;
    let socket = querier(transport, index).map_err(|why| format!("socket: {why}"))?;
    let query = Packet::query(0x1234).question(&name, rtype);
    let start = Instant::now();
    socket.send_to(query.octets(), transport.group(index)).map_err(|why| format!("send: {why}"))?;
    let response = receive(&socket, &name, start + Duration::from_secs(1)).ok_or("no response")?;
    let elapsed = start.elapsed();
    for record in response.answers.iter().chain(&response.additional) {
        match &record.data {
            Data::Address(address) => println!("{address}"),
            Data::Cname(target) | Data::Ptr(target) => println!("{target}"),
            Data::Nsec { types, .. } => println!("only types {types:?}"),
        }
    }
    println!("after {} us", elapsed.as_micros());
    Ok(())
}

/// Waits for a message with an answer for the name.
fn receive(socket: &UdpSocket, name: &str, deadline: Instant) -> Option<Message> {
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
