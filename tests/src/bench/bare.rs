//! The limit for any resolver: a question for A and one for AAAA from a socket that is open already, and the wait for
//! the replies.

use crate::netif::index;
use crate::wire::{Data, Message};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, Packet, types};

/// How long replies are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The questions, each with the family it is asked over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// A and AAAA over IPv4.
    BothOverV4,
    /// A over IPv4 and AAAA over IPv6, for responders that keep to that.
    EachOverItsOwn,
    /// A over IPv4: all that an IPv4-only host will answer.
    V4Alone,
    /// A and AAAA over IPv4, and AAAA over IPv6: what the module sends. The first two replies are waited for.
    AsTheModule,
}

pub(super) const WORDS: [(&str, Asked); 4] = [
    ("both", Asked::BothOverV4),
    ("each", Asked::EachOverItsOwn),
    ("v4", Asked::V4Alone),
    ("module", Asked::AsTheModule),
];

/// What came back.
pub(super) struct Replies {
    pub(super) elapsed: Duration,
    pub(super) end: SystemTime,
    pub(super) addresses: Vec<IpAddr>,
}

pub(super) fn ask(name: &str, asked: Asked) -> Result<Replies, String> {
    let interface = index("eth0").and_then(NonZeroU32::new).ok_or("no eth0")?;
    let v4 = open_v4(interface).map_err(|why| format!("socket: {why}"))?;
    let v6 = open_v6(interface.get()).map_err(|why| format!("socket: {why}"))?;
    let groups: [SocketAddr; 2] = [
        SocketAddrV4::new(GROUP_V4, MDNS_PORT).into(),
        SocketAddrV6::new(GROUP_V6, MDNS_PORT, 0, interface.get()).into(),
    ];
    let [a, aaaa] = [types::A, types::AAAA].map(|rtype| query(name, rtype));
    let start = Instant::now();
    let mut sent = vec![v4.send_to(&a, groups[0])];
    match asked {
        Asked::BothOverV4 => sent.push(v4.send_to(&aaaa, groups[0])),
        Asked::EachOverItsOwn => sent.push(v6.send_to(&aaaa, groups[1])),
        Asked::V4Alone => {}
        Asked::AsTheModule => sent.extend([v4.send_to(&aaaa, groups[0]), v6.send_to(&aaaa, groups[1])]),
    }
    let sent: Vec<usize> = sent.into_iter().collect::<Result<_, _>>().map_err(|why| format!("send: {why}"))?;
    let mut addresses = Vec::new();
    for _ in sent.iter().take(2) {
        let reply = receive(&[&v4, &v6], start + PATIENCE).ok_or("no reply to a bare query")?;
        let records = reply.answers.iter().chain(&reply.additional);
        addresses.extend(records.filter_map(|record| match record.data {
            Data::Address(address) => Some(address),
            _ => None,
        }));
    }
    Ok(Replies { elapsed: start.elapsed(), end: SystemTime::now(), addresses })
}

/// A fresh id each time: some responders drop a packet that is the same as the last one.
fn query(name: &str, rtype: u16) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let [_, _, high, low] = (now / 16).to_be_bytes();
    let id = u16::from_be_bytes([high, low]).wrapping_add(rtype);
    Packet::query(id).question(name, rtype).into_octets()
}

fn open_v4(interface: NonZeroU32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device_by_index_v4(interface.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn open_v6(interface: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    SockRef::from(&socket).set_multicast_if_v6(interface)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The next message with an answer, from either socket.
fn receive(sockets: &[&UdpSocket; 2], deadline: Instant) -> Option<Message> {
    let mut buffer = [0u8; 9000];
    loop {
        for socket in sockets {
            let read = socket.recv(&mut buffer).ok();
            let message = read.and_then(|length| Message::parse(buffer.get(..length)?));
            if let Some(message) = message.filter(|message| !message.answers.is_empty()) {
                return Some(message);
            }
        }
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let poll = |socket: &&UdpSocket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut ready = sockets.each_ref().map(poll);
        let timeout = i32::try_from(left.as_millis()).ok()?.saturating_add(1);
        // SAFETY: a pointer to two pollfd, which outlive the call.
        unsafe { libc::poll(ready.as_mut_ptr(), 2, timeout) };
    }
}
