//! A bare query: one packet, the first answer, and how long it took.
//!
//! By default it is a one-shot query to the group (RFC 6762 section 5.1). With `--direct` it is sent to one host
//! (section 5.5). With `--from-5353` it has the source port of a full querier, so the response is sent to the group.

use crate::netif::interfaces;
use crate::scripted::{GROUP_V4, GROUP_V6, PORT};
use crate::wire::{Data, IN, Message, Question, types};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

const USAGE: &str = "query NAME a|aaaa|ptr [4|6] [--direct ADDRESS] [--from-5353]";

/// What to ask, and how.
struct Options {
    name: String,
    rtype: u16,
    over_v6: bool,
    /// The only host to ask.
    direct: Option<IpAddr>,
    from_5353: bool,
}

/// `query`: asks on the first interface; status 1 if nothing comes within a second.
pub(super) fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let Options { name, rtype, over_v6, direct, from_5353 } = parse(arguments).ok_or(USAGE)?;
    let (_, index) = interfaces().ok().and_then(|all| all.into_iter().next()).ok_or("no interface")?;
    let (socket, group) = open(over_v6, index, from_5353).map_err(|why| format!("socket: {why}"))?;
    let to = match direct {
        Some(IpAddr::V6(address)) => SocketAddrV6::new(address, PORT, 0, index).into(),
        Some(address) => SocketAddr::new(address, PORT),
        None => group,
    };
    let question = Question { name: name.clone(), rtype, class: IN };
    let query = Message { id: 0x1234, questions: vec![question], ..Message::default() };
    let start = Instant::now();
    socket.send_to(&query.bytes(), to).map_err(|why| format!("send: {why}"))?;
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

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let name = words.next()?;
    let rtype = match words.next()?.as_str() {
        "a" => types::A,
        "aaaa" => types::AAAA,
        "ptr" => types::PTR,
        _ => return None,
    };
    let mut options = Options { name, rtype, over_v6: rtype == types::AAAA, direct: None, from_5353: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "4" | "6" => options.over_v6 = word == "6",
            "--direct" => {
                let address: IpAddr = words.next()?.parse().ok()?;
                (options.direct, options.over_v6) = (Some(address), address.is_ipv6());
            }
            "--from-5353" => options.from_5353 = true,
            _ => return None,
        }
    }
    Some(options)
}

/// A socket, on port 5353 a member of the group, and the group.
fn open(over_v6: bool, index: u32, from_5353: bool) -> std::io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(if over_v6 { Domain::IPV6 } else { Domain::IPV4 }, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(from_5353)?;
    if over_v6 {
        socket.set_only_v6(true)?;
        socket.set_multicast_if_v6(index)?;
        if from_5353 {
            socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0).into())?;
            socket.join_multicast_v6(&GROUP_V6, index)?;
        }
        return Ok((socket.into(), SocketAddrV6::new(GROUP_V6, PORT, 0, index).into()));
    }
    // The interface by its index: no route is needed then.
    socket.bind_device_by_index_v4(std::num::NonZeroU32::new(index))?;
    if from_5353 {
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into())?;
        socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
    }
    Ok((socket.into(), SocketAddrV4::new(GROUP_V4, PORT).into()))
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
