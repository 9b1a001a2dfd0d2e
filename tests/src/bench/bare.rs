//! The bare query, which is the lower bound for any resolver: one packet for A and one for AAAA from sockets that are
//! already open, and the wait for the replies.

use crate::netif::index;
use crate::sockets::{Transport, querier};
use crate::wire::{Data, Message};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};
use test_packet::{Packet, types};

/// How long to wait for replies.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Which questions to send, and over which transport.
#[derive(Debug, Clone, Copy)]
pub(super) enum Questions {
    /// A and AAAA over IPv4.
    BothOverV4,
    /// A over IPv4 and AAAA over IPv6, for responders that answer a family only over its own transport.
    EachOverItsOwn,
    /// A over IPv4: all that an IPv4-only host answers.
    V4Only,
    /// A and AAAA over IPv4, and AAAA over IPv6, as the module does. The first two replies count.
    AsTheModule,
}

pub(super) const WORDS: [(&str, Questions); 4] = [
    ("both", Questions::BothOverV4),
    ("each", Questions::EachOverItsOwn),
    ("v4", Questions::V4Only),
    ("module", Questions::AsTheModule),
];

/// What came back.
pub(super) struct Replies {
    pub(super) elapsed: Duration,
    pub(super) end: SystemTime,
    pub(super) addresses: Vec<IpAddr>,
}

pub(super) fn query(name: &str, questions: Questions) -> Result<Replies, String> {
    let interface = index("eth0").ok_or("no eth0")?;
    let open = |transport| {
        let socket = querier(transport, interface).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        socket.map_err(|why| format!("socket: {why}"))
    };
    let (v4, v6) = (open(Transport::V4)?, open(Transport::V6)?);
    let [group_v4, group_v6] = Transport::BOTH.map(|transport| transport.group(interface));
    let [a, aaaa] = [types::A, types::AAAA].map(|rtype| packet(name, rtype));
    let start = Instant::now();
    let mut sent = vec![v4.send_to(&a, group_v4)];
    match questions {
        Questions::BothOverV4 => sent.push(v4.send_to(&aaaa, group_v4)),
        Questions::EachOverItsOwn => sent.push(v6.send_to(&aaaa, group_v6)),
        Questions::V4Only => {}
        Questions::AsTheModule => sent.extend([v4.send_to(&aaaa, group_v4), v6.send_to(&aaaa, group_v6)]),
    }
    let sent: Vec<usize> = sent.into_iter().collect::<Result<_, _>>().map_err(|why| format!("send: {why}"))?;
    let mut addresses = Vec::new();
    for _ in sent.iter().take(2) {
        let reply = receive(&[&v4, &v6], start + TIMEOUT).ok_or("no reply to a bare query")?;
        let records = reply.answers.iter().chain(&reply.additional);
        addresses.extend(records.filter_map(|record| match record.data {
            Data::Address(address) => Some(address),
            _ => None,
        }));
    }
    Ok(Replies { elapsed: start.elapsed(), end: SystemTime::now(), addresses })
}

/// A query with a fresh id: some responders drop a packet that equals the previous one.
fn packet(name: &str, rtype: u16) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let [_, _, high, low] = (now / 16).to_be_bytes();
    let id = u16::from_be_bytes([high, low]).wrapping_add(rtype);
    Packet::query(id).question(name, rtype).into_octets()
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
