//! A bare query: one packet, the first response, and how long it took.
//!
//! By default it is a one-shot query to the group (RFC 6762, section 5.1). With `--direct` it is sent to one host
//! (section 5.5). With `--from-5353` it has the source port of a full querier, so the response is sent to the group.

use crate::netif::interfaces;
use crate::sockets::{Transport, querier, responder};
use crate::wire::{Data, Message};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};
use test_packet::{MDNS_PORT, Packet, types};

const USAGE: &str = "query NAME a|aaaa|any|ptr [4|6] [--direct ADDRESS] [--from-5353]";

/// What to query, and how.
struct Options {
    name: String,
    rtype: u16,
    transport: Transport,
    /// The host to which the query is sent, instead of the group.
    direct: Option<IpAddr>,
    from_5353: bool,
}

/// `query`: queries on the first interface, and fails if no response arrives within a second.
pub(super) fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let Options { name, rtype, transport, direct, from_5353 } = parse(arguments).ok_or(USAGE)?;
    let (interface, index) = interfaces().ok().and_then(|all| all.into_iter().next()).ok_or("no interface")?;
    let socket = if from_5353 { responder(transport, &interface, index) } else { querier(transport, index) };
    let socket = socket.map_err(|why| format!("socket: {why}"))?;
    let destination = match direct {
        Some(IpAddr::V6(address)) => SocketAddrV6::new(address, MDNS_PORT, 0, index).into(),
        Some(address) => SocketAddr::new(address, MDNS_PORT),
        None => transport.group(index),
    };
    let query = Packet::query(0x1234).question(&name, rtype);
    let start = Instant::now();
    socket.send_to(query.octets(), destination).map_err(|why| format!("send: {why}"))?;
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

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let name = words.next()?;
    let (rtype, transport) = match words.next()?.as_str() {
        "a" => (types::A, Transport::V4),
        "aaaa" => (types::AAAA, Transport::V6),
        "any" => (types::ANY, Transport::V4),
        "ptr" => (types::PTR, Transport::V4),
        _ => return None,
    };
    let mut options = Options { name, rtype, transport, direct: None, from_5353: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "4" => options.transport = Transport::V4,
            "6" => options.transport = Transport::V6,
            "--direct" => {
                let address = words.next()?.parse().ok()?;
                (options.direct, options.transport) = (Some(address), Transport::of(address));
            }
            "--from-5353" => options.from_5353 = true,
            _ => return None,
        }
    }
    Some(options)
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
