//! Control messages (`cmsg(3)`): the interface on which to send a datagram and its source address, and the interface,
//! destination and hop limit of a received one. They are written and read without `CMSG_NXTHDR`, so no pointer arithmetic is needed.
//!
//! A control message is a header (length, level, type), its data, and padding to a multiple of the word size. The data:
//!
//! ```text
//! struct in_pktinfo  { u32 interface; in_addr local; in_addr destination; }   IP_PKTINFO,   ip(7)
//! struct in6_pktinfo { in6_addr destination; u32 interface; }                 IPV6_PKTINFO, ipv6(7)
//! int hop_limit                                                               IP_TTL, IPV6_HOPLIMIT
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;

use crate::address::Family;

const HEADER: usize = size_of::<libc::cmsghdr>();
const WORD: usize = size_of::<usize>();
const IN_PKTINFO: usize = 12;
const IN6_PKTINFO: usize = 20;

/// Space for the control messages of one datagram, aligned for their headers.
#[derive(Debug)]
#[repr(align(8))]
pub(crate) struct Control([u8; Control::SIZE]);

impl Control {
    /// The size in octets: enough for the packet information and the hop limit of both families.
    const SIZE: usize = 128;

    /// No control messages yet.
    pub(crate) fn new() -> Self {
        Self([0; Self::SIZE])
    }

    /// The space itself, for `recvmsg(2)`.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The control messages that `recvmsg(2)` left in the first `length` octets.
    pub(crate) fn messages(&self, length: usize) -> impl Iterator<Item = Message> {
        decode(self.0.get(..length).unwrap_or(&self.0))
    }

    /// Writes the control message that sends a datagram on the interface with this index, and returns it. Without one,
    /// the routing table selects the interface. `source` is the source address of a datagram over IPv4; without it, the
    /// kernel selects an address of the interface.
    pub(crate) fn write_interface(&mut self, interface: u32, transport: Family, source: Option<Ipv4Addr>) -> &[u8] {
        let (level, message_type, length, index_at) = match transport {
            Family::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO, IN_PKTINFO, 0),
            Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, IN6_PKTINFO, 16),
        };
        self.0 = [0; Self::SIZE];
        let fields: [(usize, &[u8]); 4] = [
            (0, &(HEADER + length).to_ne_bytes()),
            (WORD, &level.to_ne_bytes()),
            (WORD + 4, &message_type.to_ne_bytes()),
            (HEADER + index_at, &interface.to_ne_bytes()),
        ];
        let source = source.filter(|_| transport == Family::V4).map(|ip| ip.octets());
        let source = source.as_ref().map(|octets| (HEADER + 4, &octets[..]));
        for (at, field) in fields.into_iter().chain(source) {
            if let Some(place) = self.0.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
        }
        self.0.get(..HEADER + length.next_multiple_of(WORD)).unwrap_or_default()
    }
}

/// A control message of a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// `IP_PKTINFO` or `IPV6_PKTINFO`.
    PacketInfo {
        /// The index of the interface that it arrived on.
        interface: u32,
        /// The destination address in its header.
        destination: IpAddr,
    },
    /// `IP_TTL` or `IPV6_HOPLIMIT`: the hop limit in its header.
    HopLimit(u8),
}

/// The control messages of the types in [`Message`], up to the first that is truncated. Others are skipped.
fn decode(mut rest: &[u8]) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        loop {
            let (header, tail) = rest.split_at_checked(HEADER)?;
            let (length, header) = header.split_first_chunk()?;
            let (level, header) = header.split_first_chunk()?;
            let (message_type, _) = header.split_first_chunk()?;
            let length = usize::from_ne_bytes(*length).checked_sub(HEADER)?;
            let data = tail.get(..length)?;
            rest = tail.get(length.next_multiple_of(WORD)..).unwrap_or_default();
            let message = decode_one(c_int::from_ne_bytes(*level), c_int::from_ne_bytes(*message_type), data);
            if message.is_some() {
                return message;
            }
        }
    })
}

fn decode_one(level: c_int, message_type: c_int, data: &[u8]) -> Option<Message> {
    let index = |octets: &[u8; 4]| u32::from_ne_bytes(*octets);
    match (level, message_type) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            let (interface, destination) = (index(data.first_chunk()?), *data.last_chunk::<4>()?);
            Some(Message::PacketInfo { interface, destination: Ipv4Addr::from(destination).into() })
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let (interface, destination) = (index(data.last_chunk()?), *data.first_chunk::<16>()?);
            Some(Message::PacketInfo { interface, destination: Ipv6Addr::from(destination).into() })
        }
        (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
            u8::try_from(c_int::from_ne_bytes(*data.first_chunk()?)).ok().map(Message::HopLimit)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A control message as the kernel writes it.
    fn encoded(level: c_int, message_type: c_int, data: &[u8]) -> Vec<u8> {
        let length = HEADER + data.len();
        let mut message = [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &message_type.to_ne_bytes(), data].concat();
        message.resize(message.len().next_multiple_of(WORD), 0);
        message
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for (transport, unspecified) in [(Family::V4, "0.0.0.0"), (Family::V6, "::")] {
            for interface in [1, 0x0102_0304, u32::MAX] {
                let mut control = Control::new();
                let length = control.write_interface(interface, transport, None).len();
                let expected = Message::PacketInfo { interface, destination: unspecified.parse().unwrap() };
                assert_eq!(control.messages(length).collect::<Vec<_>>(), [expected]);
            }
        }
    }

    #[test]
    fn the_source_address_is_written_for_ipv4() {
        let source = Some(Ipv4Addr::new(10, 0, 0, 1));
        let mut control = Control::new();
        let message = control.write_interface(7, Family::V4, source);
        assert_eq!(message[HEADER..HEADER + IN_PKTINFO], [&7u32.to_ne_bytes()[..], &[10, 0, 0, 1], &[0; 4]].concat());
        let without = Control::new().write_interface(7, Family::V6, None).to_vec();
        assert_eq!(Control::new().write_interface(7, Family::V6, source), without);
    }

    #[test]
    fn messages_of_the_kernel_are_read_and_others_skipped() {
        let v4 = [&7u32.to_ne_bytes()[..], &[10, 0, 0, 1], &[224, 0, 0, 251]].concat();
        let v6 = [&"ff02::fb".parse::<Ipv6Addr>().unwrap().octets()[..], &9u32.to_ne_bytes()].concat();
        let all = [
            encoded(libc::SOL_SOCKET, libc::SO_TIMESTAMP, &[0; 16]),
            encoded(libc::IPPROTO_IP, libc::IP_PKTINFO, &v4),
            encoded(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes()),
            encoded(libc::IPPROTO_IP, libc::IP_TTL, &256i32.to_ne_bytes()),
            encoded(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &v6),
            encoded(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &64i32.to_ne_bytes()),
        ]
        .concat();
        let info =
            |interface, destination: &str| Message::PacketInfo { interface, destination: destination.parse().unwrap() };
        let expected = [info(7, "224.0.0.251"), Message::HopLimit(255), info(9, "ff02::fb"), Message::HopLimit(64)];
        assert_eq!(decode(&all).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_message_that_is_truncated_or_has_a_wrong_length_ends_the_list() {
        let whole = encoded(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
        for length in 0..HEADER + 4 {
            assert_eq!(decode(&whole[..length]).count(), 0, "{length} octets");
        }
        for length in [0, 1, HEADER - 1, usize::MAX] {
            let mut message = whole.clone();
            message[..WORD].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(decode(&message).count(), 0, "a length of {length}");
        }
    }
}
