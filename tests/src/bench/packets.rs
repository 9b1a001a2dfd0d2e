//! The packets of an interface with the kernel's time stamps: what a lookup sends, and when it began to.

use crate::netif::index;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};
use test_packet::RESPONSE;

/// `ioctl_sockios(7)`: the time of the packet that was read last. Not in the libc crate.
const SIOCGSTAMPNS: libc::c_ulong = 0x8907;

/// What a packet is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A query to port 5353.
    Query,
    /// A response, likewise.
    Response,
    /// IGMP or MLD.
    Membership,
    /// Anything else.
    Other,
}

/// A packet that left by the interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) kind: Kind,
    pub(super) at: SystemTime,
}

/// A packet socket on one interface.
pub(super) struct Tap(Socket);

impl Tap {
    pub(super) fn open(interface: &str) -> io::Result<Tap> {
        let all = libc::ETH_P_ALL.to_string().parse::<u16>().unwrap_or_default().to_be();
        let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::DGRAM, Some(Protocol::from(i32::from(all))))?;
        // SAFETY: a plain C struct of integers, for which all zeros is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = all;
        address.sll_ifindex = index(interface).and_then(|index| i32::try_from(index).ok()).unwrap_or(-1);
        let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
        // SAFETY: the pointer is to a sockaddr_ll of that length, which outlives the call.
        if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
            return Err(io::Error::last_os_error());
        }
        SockRef::from(&socket).set_nonblocking(true)?;
        let tap = Tap(socket);
        // Asking for a time stamp switches them on, and the kernel takes its time to.
        let _ = tap.stamp();
        std::thread::sleep(Duration::from_millis(50));
        Ok(tap)
    }

    /// All packets that left since the last call, and have not been lost for want of room.
    pub(super) fn sent(&self) -> Vec<Sent> {
        const MOST: usize = 10_000;
        let mut sent = Vec::new();
        let mut buffer = [0u8; 2048];
        for _ in 0..MOST {
            // SAFETY: as in `open`.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut room = libc::socklen_t::try_from(size_of_val(&from)).unwrap_or_default();
            let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
            // SAFETY: buffer and address are as long as is said, and outlive the call.
            let read =
                unsafe { libc::recvfrom(self.0.as_raw_fd(), start, length, 0, (&raw mut from).cast(), &raw mut room) };
            let Ok(read) = usize::try_from(read) else { break };
            if from.sll_pkttype == libc::PACKET_OUTGOING {
                if let (Some(packet), Some(at)) = (buffer.get(..read), self.stamp()) {
                    sent.push(Sent { kind: kind(packet), at });
                }
            }
        }
        sent
    }

    fn stamp(&self) -> Option<SystemTime> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: this request writes a timespec.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), SIOCGSTAMPNS, &raw mut time) };
        let since_1970 = Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
        (result == 0).then_some(SystemTime::UNIX_EPOCH + since_1970)
    }
}

fn kind(packet: &[u8]) -> Kind {
    const MLD: [u8; 4] = [130, 131, 132, 143];
    let octet = |at: usize| packet.get(at).copied().unwrap_or_default();
    let udp = match octet(0) >> 4 {
        4 if octet(9) == 2 => return Kind::Membership,
        4 if octet(9) == 17 => usize::from(octet(0) & 15) * 4,
        // MLD has a hop-by-hop option for routers before it.
        6 if octet(6) == 0 && octet(40) == 58 && MLD.contains(&octet(48)) => return Kind::Membership,
        6 if octet(6) == 17 => 40,
        _ => return Kind::Other,
    };
    let word = |at: usize| u16::from_be_bytes([octet(at), octet(at + 1)]);
    match word(udp + 2) {
        5353 if word(udp + 8 + 2) & RESPONSE == 0 => Kind::Query,
        5353 => Kind::Response,
        _ => Kind::Other,
    }
}
