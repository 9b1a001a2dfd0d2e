//! The `wildcard_responder` program: a responder for every name. The name itself says what the response is.
//!
//! | name | response |
//! |---|---|
//! | `nobody….local` | none |
//! | `slow<N>-….local` | an IPv4 and an IPv6 address after `N` milliseconds |
//! | `many<N>-….local` | `N` addresses: the first half IPv4, the others IPv6, every second of them link-local |
//! | any other name in `.local` | an IPv4 and an IPv6 address |
//! | the reverse name of a link-local IPv6 address | `reverse.local`, or none if the address ends in `dead` |

use crate::netif::index;
use crate::sockets::{Transport, responder};
use crate::wire::{Message, Question, parse_name};
use socket2::SockRef;
use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;
use test_packet::{IN, MDNS_PORT, Packet, pointer, types};

/// Prints `ready` when it listens on `eth0`, then answers until it is killed.
///
/// # Errors
/// If there is no `eth0`, or a socket cannot be opened.
pub fn main() -> Result<(), String> {
    let index = index("eth0").ok_or("no eth0")?;
    let open = |transport| -> std::io::Result<UdpSocket> {
        let socket = responder(transport, "eth0", index)?;
        // Many threads and processes query at the same time.
        SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
        Ok(socket)
    };
    let sockets = Transport::BOTH.into_iter().map(open).collect::<Result<Vec<_>, _>>();
    let sockets = sockets.map_err(|why| why.to_string())?;
    let threads: Vec<_> = sockets.into_iter().map(|socket| std::thread::spawn(|| serve(socket))).collect();
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

fn serve(socket: UdpSocket) {
    let mut buffer = [0u8; 9000];
    while let Ok((length, source)) = socket.recv_from(&mut buffer) {
        let packet = buffer.get(..length).unwrap_or_default();
        // Only legacy unicast queries (RFC 6762, section 6.7) with one question are answered.
        let Some(query) = Message::parse(packet).filter(|query| query.flags == 0 && source.port() != MDNS_PORT) else {
            continue;
        };
        let [question] = &query.questions[..] else { continue };
        let name = question.name.to_ascii_lowercase();
        let records = records(&name, question.rtype);
        if records.is_empty() {
            continue;
        }
        let Some(response) = response(packet, query.id, question, &records) else { continue };
        let delay = number_after(&name, "slow").unwrap_or(0);
        if delay == 0 {
            drop(socket.send_to(response.octets(), source));
        } else if let Ok(socket) = socket.try_clone() {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(delay));
                drop(socket.send_to(response.octets(), source));
            });
        }
    }
}

/// The data of each record in the response to a question.
fn records(name: &str, rtype: u16) -> Vec<Vec<u8>> {
    if rtype == types::PTR {
        // The nibbles are in reverse order.
        let known = name.ends_with("e.f.ip6.arpa") && !name.starts_with("d.a.e.d.");
        return if known { vec![b"\x07reverse\x05local\0".to_vec()] } else { Vec::new() };
    }
    if !name.ends_with(".local") || name.starts_with("nobody") {
        return Vec::new();
    }
    let count = number_after(name, "many").unwrap_or(2);
    let v4 = u16::try_from(count.div_ceil(2)).unwrap_or(0);
    let v6 = u16::try_from(count / 2).unwrap_or(0);
    let prefix = |number| if number % 2 == 0 { 0xfd77 } else { 0xfe80 };
    match rtype {
        types::A => (0..v4).map(|number| [[10, 88], number.to_be_bytes()].concat()).collect(),
        types::AAAA => {
            let address = |number| Ipv6Addr::new(prefix(number), 0, 0, 0, 0, 0, 0x88, number);
            (0..v6).map(|number| address(number).octets().to_vec()).collect()
        }
        _ => Vec::new(),
    }
}

/// The number after this word at the start of a name.
fn number_after(name: &str, word: &str) -> Option<u64> {
    let rest = name.strip_prefix(word)?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// The response to a query with one question. The owner of each record is a pointer to the name in the question.
fn response(query: &[u8], id: u16, question: &Question, records: &[Vec<u8>]) -> Option<Packet> {
    // The octets of the name are echoed, because they need not be UTF-8.
    let (_, end) = parse_name(query, 12)?;
    let rtype = question.rtype;
    let response = Packet::new(id).question_with(query.get(12..end)?, rtype, question.class);
    Some(records.iter().fold(response, |packet, data| packet.record_with(&pointer(12), rtype, IN, 10, data)))
}
