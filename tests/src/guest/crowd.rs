//! A responder that knows every name: the `crowd` program. What a name has is said by the name itself.
//!
//! | name | what it has |
//! |---|---|
//! | `nobody….local` | nothing: there is no answer |
//! | `slow<N>-….local` | an answer after so many milliseconds |
//! | `many<N>-….local` | so many addresses: the first half IPv4, of the others every second link-local |
//! | any other under `.local` | an IPv4 and an IPv6 address |
//! | the reverse of a link-local address | the name `reverse.local`; none, if the address ends in `dead` |

use crate::netif::index;
use crate::sockets::{Transport, responder};
use crate::wire::{Message, Question, parse_name};
use socket2::SockRef;
use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;
use test_packet::{IN, MDNS_PORT, Packet, pointer, types};

/// Says `ready` when it listens on `eth0`, then answers until it is killed.
///
/// # Errors
/// Which socket cannot be had.
pub fn main() -> Result<(), String> {
    let index = index("eth0").ok_or("no eth0")?;
    let open = |transport| -> std::io::Result<UdpSocket> {
        let socket = responder(transport, "eth0", index)?;
        // Room for the questions of many at once.
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
        // Answered like a legacy unicast query (RFC 6762 section 6.7): one question, from an ephemeral port.
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

/// The data of the records that answer a question.
fn records(name: &str, rtype: u16) -> Vec<Vec<u8>> {
    if rtype == types::PTR {
        // fe80::/10, in nibbles from the last to the first.
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

/// The number in a name that begins with this word and the number.
fn number_after(name: &str, word: &str) -> Option<u64> {
    let rest = name.strip_prefix(word)?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// The answer to a query with one question. The owner of each record is a pointer to the question's name.
fn response(query: &[u8], id: u16, question: &Question, records: &[Vec<u8>]) -> Option<Packet> {
    // The name as it came: it need not be UTF-8.
    let (_, end) = parse_name(query, 12)?;
    let rtype = question.rtype;
    let response = Packet::new(id).question_with(query.get(12..end)?, rtype, question.class);
    Some(records.iter().fold(response, |packet, data| packet.record_with(&pointer(12), rtype, IN, 10, data)))
}
