//! Sends the queries of a captured exchange again, from the same ports and at the same times, and prints every packet
//! that passes the interface: `packet MICROSECONDS OCTETS`.

use crate::captures::{line, queries, read};
use crate::netif::interfaces;
use crate::packet_socket::Link;
use crate::sockets::{Transport, querier, responder};
use socket2::SockRef;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};
use test_packet::MDNS_PORT;

const USAGE: &str = "replay FILE RESPONDER";

/// How long responses to the last query may take.
const LAST: Duration = Duration::from_millis(500);

/// `replay FILE RESPONDER`: sends the queries on the first interface. Those that were sent to a host are sent to the one
/// with this IPv4 address.
pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(file), Some(host)) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let host: IpAddr = host.parse().map_err(|_| USAGE)?;
    let packets = read(Path::new(&file))?;
    let queries = queries(&packets);
    let (interface, index) = interfaces().ok().and_then(|all| all.into_iter().next()).ok_or("no interface")?;
    let link = Link::open(&interface).map_err(|why| format!("{interface}: {why}"))?;
    let mut sockets = BTreeMap::new();
    for query in &queries {
        let source = query.datagram.source;
        if let Entry::Vacant(entry) = sockets.entry(source) {
            entry.insert(socket(source, &interface, index).map_err(|why| format!("{source}: {why}"))?);
        }
    }
    let start = Instant::now();
    std::thread::spawn(move || print(&link, start));
    for query in &queries {
        let is_to_group = query.datagram.destination.ip().is_multicast();
        let group = Transport::of(query.datagram.source.ip()).group(index);
        let destination = if is_to_group { group } else { SocketAddr::new(host, MDNS_PORT) };
        std::thread::sleep((start + query.at).saturating_duration_since(Instant::now()));
        let socket = sockets.get(&query.datagram.source).ok_or("no socket")?;
        socket.send_to(query.datagram.payload, destination).map_err(|why| format!("send: {why}"))?;
    }
    std::thread::sleep(LAST);
    Ok(())
}

/// A socket with the port of this source address. It stays open, so that no response meets a closed port.
fn socket(source: SocketAddr, interface: &str, index: u32) -> io::Result<UdpSocket> {
    let transport = Transport::of(source.ip());
    if source.port() == MDNS_PORT {
        return responder(transport, interface, index);
    }
    let socket = querier(transport, index)?;
    let wildcard: IpAddr = match transport {
        Transport::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Transport::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    SockRef::from(&socket).bind(&SocketAddr::new(wildcard, source.port()).into())?;
    Ok(socket)
}

fn print(link: &Link, start: Instant) {
    let mut buffer = [0u8; 9000];
    while let Ok(arrival) = link.receive(&mut buffer) {
        println!("{}", line(start.elapsed(), buffer.get(..arrival.length).unwrap_or_default()));
    }
}
