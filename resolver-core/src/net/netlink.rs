//! Dumps of the kernel's tables with `netlink(7)`: requests them, and splits the response into messages and attributes.

use std::io::{self, Read};
use std::net::IpAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::sys;
use crate::try_alloc;

/// The size of the receive buffer, in octets. Every datagram of a dump is shorter than this, so one that fills the
/// buffer counts as truncated.
const BUFFER_SIZE: usize = 32 * 1024;

/// The maximum number of datagrams that are read for one dump. A longer dump is an error.
const MAX_DATAGRAMS: usize = 256;

/// The size of an nlmsghdr, in octets.
const HEADER: usize = 16;

/// The size of the longest request, in octets: that for a route of IPv6.
const MAX_REQUEST: usize = HEADER + 32;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;

/// A `NETLINK_ROUTE` socket, and a buffer for what it receives.
pub(crate) struct Netlink {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens the socket.
    ///
    /// # Errors
    /// Those of `socket(2)` and `fcntl(2)`; `ENOMEM`.
    pub(crate) fn open() -> io::Result<Self> {
        let (domain, protocol) = (Domain::from(libc::AF_NETLINK), Protocol::from(libc::NETLINK_ROUTE));
        let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(protocol)).and_then(sys::above_stdio)?;
        let buffer = try_alloc::zeroed(BUFFER_SIZE).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { socket, buffer })
    }

    /// Requests a dump with a message of the type `request`, and passes the type and the body of each message of the
    /// response to `each`. `request` is also the sequence number, so a socket may request a type again only after the response to the first
    /// request was received completely.
    ///
    /// # Errors
    /// Those of `send(2)` and `read(2)`; `EPROTO` if the kernel's response is malformed, too long or an error message.
    pub(crate) fn dump(&mut self, request: u16, body: &[u8], each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP, body)?;
        for _ in 0..MAX_DATAGRAMS {
            // No wait is needed: the kernel queues the first datagram of a dump during `send`, and each further one
            // during the read of the one before.
            if self.receive(request, each)? {
                return Ok(());
            }
        }
        Err(protocol_error())
    }

    /// Requests a single entry of a table with a message of the type `request`, and passes the type and the body of the
    /// response to `each`.
    ///
    /// # Errors
    /// Those of `send(2)` and `read(2)`; `EPROTO` if the kernel's response is malformed or an error message.
    pub(crate) fn get(&mut self, request: u16, body: &[u8], each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST, body)?;
        // No wait is needed here either.
        self.receive(request, each).map(|_| ())
    }

    fn send(&self, request: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let sequence = u32::from(request);
        let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
        let header = [
            length.to_ne_bytes(),
            pair(request, flags),
            sequence.to_ne_bytes(),
            [0; 4], // the port of the sender, which the kernel fills in
        ];
        let mut message = [0; MAX_REQUEST];
        for (place, octet) in message.iter_mut().zip(header.as_flattened().iter().chain(body)) {
            *place = *octet;
        }
        let message = message.get(..HEADER + body.len()).ok_or_else(protocol_error)?;
        self.socket.send_with_flags(message, libc::MSG_NOSIGNAL).map(|_| ())
    }

    /// Receives a datagram. True if it ends the dump.
    fn receive(&mut self, request: u16, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<bool> {
        let length = (&self.socket).read(&mut self.buffer)?;
        let datagram = self.buffer.get(..length).filter(|_| length < BUFFER_SIZE).ok_or_else(protocol_error)?;
        messages(datagram, request.into(), each)
    }
}

/// Passes the type and the body of each message in a datagram to `each`, up to the end of the dump. True if that was in
/// this datagram.
///
/// # Errors
/// `EPROTO` if the datagram is malformed or has an error message.
pub(crate) fn messages(mut rest: &[u8], sequence: u32, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<bool> {
    while !rest.is_empty() {
        let length = u32_at(rest, 0).and_then(|length| usize::try_from(length).ok()).ok_or_else(protocol_error)?;
        let message = rest.get(..length).filter(|_| length >= HEADER).ok_or_else(protocol_error)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        let (Some(message_type), Some(message_sequence)) = (u16_at(message, 4), u32_at(message, 8)) else {
            return Err(protocol_error());
        };
        if message_sequence != sequence {
            continue;
        }
        match message_type {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(protocol_error()),
            _ => each(message_type, message.get(HEADER..).unwrap_or_default()),
        }
    }
    Ok(false)
}

/// The attributes in `rest`, as type and value, up to the first that is truncated.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = u16_at(rest, 2)? & 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((attribute, value))
    })
}

/// The address in an attribute of a message with this address family. None for families other than IPv4 and IPv6, and
/// for a wrong number of octets.
pub(crate) fn ip(family: u8, octets: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        libc::AF_INET6 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Two adjacent fields of 16 bits, such as the length and the type of an attribute.
pub(crate) const fn pair(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    [a, b, c, d]
}

/// The 16-bit field at this offset, in host byte order.
pub(crate) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|field| u16::from_ne_bytes(*field))
}

/// The 32-bit field at this offset, in host byte order.
pub(crate) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|field| u32::from_ne_bytes(*field))
}

fn protocol_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EPROTO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_datagrams_are_errors() {
        let mut each = |_: u16, _: &[u8]| {};
        for datagram in [&[1, 2, 3][..], &[0; 16], &[255; 16], &[17, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(messages(datagram, 0, &mut each).is_err(), "{datagram:?}");
        }
    }
}
