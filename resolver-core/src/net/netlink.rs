//! Reads the kernel's tables of links and addresses with `rtnetlink(7)`.
//!
//! `getifaddrs(3)` is not an alternative: glibc aborts the process if another thread closes its netlink descriptor, and
//! it uses five kilobytes of stack. Here every failure is an error, and the caller falls back to
//! [`crate::net::ifioctl`].

use std::io::{self, Read};
use std::net::IpAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::links::{Link, LinkName, LocalAddress, Tables};
use crate::sys;
use crate::try_alloc;

/// The size of the receive buffer, in octets. Every datagram of a dump is shorter than this: one that fills the buffer
/// counts as truncated.
const BUFFER_SIZE: usize = 32 * 1024;

/// The most datagrams that are read for one dump. A longer dump is an error.
const MAX_DATAGRAMS: usize = 256;

pub(crate) const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;

/// Reads the links and their addresses.
///
/// # Errors
/// Those of `socket(2)`, `send(2)` and `read(2)`; `EPROTO` if the kernel's response is malformed, too long or an error
/// message; `ENOMEM`.
pub(crate) fn read(tables: &mut Tables) -> io::Result<()> {
    let socket =
        Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.nonblocking(), Some(Protocol::from(libc::NETLINK_ROUTE)))
            .and_then(sys::above_stdio)?;
    let mut buffer = try_alloc::zeroed(BUFFER_SIZE).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    dump(&socket, &mut buffer, RTM_GETLINK, &mut |message_type, body| {
        if message_type == RTM_NEWLINK {
            if let Some(link) = link(body) {
                try_alloc::push(&mut tables.links, link);
            }
        }
    })?;
    dump(&socket, &mut buffer, RTM_GETADDR, &mut |message_type, body| {
        if message_type == RTM_NEWADDR {
            if let Some(address) = address(body) {
                try_alloc::push(&mut tables.addresses, address);
            }
        }
    })
}

/// Requests a dump of a table, and passes the type and the body of each message to `each`.
fn dump(socket: &Socket, buffer: &mut [u8], request: u16, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
    // An nlmsghdr; an ifinfomsg, whose zeros also serve as a (shorter) ifaddrmsg; an attribute that omits the
    // statistics.
    let mut message = [0u8; 40];
    let fields: [(usize, &[u8]); 7] = [
        (0, &40u32.to_ne_bytes()),
        (4, &request.to_ne_bytes()),
        (6, &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes()),
        (8, &u32::from(request).to_ne_bytes()), // the sequence number: each type is requested only once
        (32, &8u16.to_ne_bytes()),
        (34, &IFLA_EXT_MASK.to_ne_bytes()),
        (36, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes()),
    ];
    for (at, field) in fields {
        if let Some(place) = message.get_mut(at..at + field.len()) {
            place.copy_from_slice(field);
        }
    }
    socket.send_with_flags(&message, libc::MSG_NOSIGNAL)?;
    for _ in 0..MAX_DATAGRAMS {
        // The kernel queues each datagram of a dump before the call that precedes its read returns, so no wait is
        // needed.
        let length = (&*socket).read(buffer)?;
        let datagram =
            buffer.get(..length).filter(|datagram| datagram.len() < BUFFER_SIZE).ok_or_else(protocol_error)?;
        if messages(datagram, u32::from(request), each)? {
            return Ok(());
        }
    }
    Err(protocol_error())
}

/// Passes the type and the body of each message in a datagram to `each`, up to the end of the dump. True if that was in
/// this datagram.
///
/// # Errors
/// `EPROTO` if the datagram is malformed or has an error message.
pub(crate) fn messages(mut rest: &[u8], sequence: u32, each: &mut dyn FnMut(u16, &[u8])) -> io::Result<bool> {
    const HEADER: usize = 16;
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

/// Parses an ifinfomsg and its attributes.
pub(crate) fn link(body: &[u8]) -> Option<Link> {
    let (mut name, mut port_kind) = (&[][..], None);
    for (attribute, value) in attributes(body.get(16..)?) {
        match attribute {
            IFLA_IFNAME => name = value,
            IFLA_LINKINFO => {
                let found = attributes(value).find(|&(attribute, _)| attribute == IFLA_INFO_SLAVE_KIND);
                port_kind = port_kind.or(found.map(|(_, kind)| kind.strip_suffix(b"\0").unwrap_or(kind)));
            }
            _ => {}
        }
    }
    Some(Link {
        index: u32_at(body, 4)?,
        name: LinkName::new(name),
        flags: libc::c_int::from_ne_bytes(*body.get(8..)?.first_chunk()?),
        // The masters of these are queried instead. Members of a VRF are queried themselves.
        is_port: matches!(port_kind, Some(b"bridge" | b"bond" | b"team" | b"openvswitch")),
    })
}

/// Parses an ifaddrmsg and its attributes. Also None for an address that is tentative (unless it is optimistic) or has
/// failed duplicate address detection.
pub(crate) fn address(body: &[u8]) -> Option<LocalAddress> {
    let (&family, &prefix_length) = (body.first()?, body.get(1)?);
    let mut flags = u32::from(*body.get(2)?);
    let (mut own, mut peer) = (None, None);
    for (attribute, value) in attributes(body.get(8..)?) {
        match attribute {
            IFA_LOCAL => own = ip(family, value),
            IFA_ADDRESS => peer = ip(family, value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    let usable = match flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC) {
        IFA_F_TENTATIVE => false,
        _ => flags & IFA_F_DADFAILED == 0,
    };
    let ip = own.or(peer).filter(|_| usable)?;
    Some(LocalAddress { interface: u32_at(body, 4)?, ip, prefix_length })
}

fn ip(family: u8, octets: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        libc::AF_INET6 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The attributes in `rest`, as type and value, up to the first that is truncated.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = u16_at(rest, 2)? & 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((attribute, value))
    })
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|field| u16::from_ne_bytes(*field))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|field| u32::from_ne_bytes(*field))
}

fn protocol_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EPROTO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_and_its_address_are_read() {
        let mut tables = Tables::default();
        read(&mut tables).unwrap();
        let Tables { links, addresses } = tables;
        let lo = links.iter().find(|link| link.index == 1).unwrap();
        assert_eq!(lo.name.octets(), b"lo");
        assert_eq!(lo.flags & libc::IFF_LOOPBACK, libc::IFF_LOOPBACK);
        assert!(!lo.is_port);
        assert!(addresses.iter().any(|address| {
            address.interface == 1 && address.ip == IpAddr::from([127, 0, 0, 1]) && address.prefix_length == 8
        }));
    }

    /// The datagrams were captured on a little-endian machine.
    #[cfg(target_endian = "little")]
    #[test]
    fn captured_tables_are_read() {
        let (mut links, mut addresses) = (Vec::new(), Vec::new());
        for datagram in [
            &include_bytes!("../../testdata/kernel-link-ports.bin")[..],
            include_bytes!("../../testdata/kernel-link-others.bin"),
        ] {
            let ended = messages(datagram, RTM_GETLINK.into(), &mut |message_type, body| {
                assert_eq!(message_type, RTM_NEWLINK);
                links.push(link(body).unwrap());
            });
            assert!(!ended.unwrap(), "NLMSG_DONE arrives in a datagram of its own");
        }
        let ports: Vec<_> = links.iter().filter(|link| link.is_port).map(|link| link.index).collect();
        assert_eq!((links.len(), ports), (8, vec![4]));
        let datagram = include_bytes!("../../testdata/kernel-address.bin");
        messages(datagram, RTM_GETADDR.into(), &mut |_, body| addresses.extend(address(body))).unwrap();
        let found: Vec<_> =
            addresses.iter().map(|own| (own.interface, own.ip.to_string(), own.prefix_length)).collect();
        let expected = [
            (1, "127.0.0.1", 8),
            (3, "10.1.2.3", 24),
            (3, "192.0.2.1", 32),
            (7, "10.9.9.1", 32),
            (1, "::1", 128),
            (2, "fe80::1", 64),
            (3, "fd00::7", 128),
        ];
        assert_eq!(found, expected.map(|(interface, ip, length)| (interface, ip.to_owned(), length)));
    }

    #[test]
    fn malformed_datagrams_are_errors() {
        let mut each = |_: u16, _: &[u8]| {};
        for datagram in [&[1, 2, 3][..], &[0; 16], &[255; 16], &[17, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(messages(datagram, 0, &mut each).is_err(), "{datagram:?}");
        }
    }

    #[test]
    fn ports_are_recognised_by_their_slave_kind() {
        for (kind, is_port) in [(&b"bridge\0"[..], true), (b"bond\0", true), (b"vrf\0", false)] {
            let attribute = |number: u16, value: &[u8]| {
                let length = u16::try_from(4 + value.len()).unwrap();
                let mut attribute = [length.to_ne_bytes(), number.to_ne_bytes()].concat();
                attribute.extend_from_slice(value);
                attribute.resize(attribute.len().next_multiple_of(4), 0);
                attribute
            };
            let mut body = vec![0; 16];
            body[4] = 7;
            body.extend(attribute(IFLA_LINKINFO | 0x8000, &attribute(IFLA_INFO_SLAVE_KIND, kind)));
            let link = link(&body).unwrap();
            assert_eq!((link.index, link.is_port), (7, is_port));
        }
    }

    #[test]
    fn tentative_and_duplicate_addresses_are_omitted() {
        for (flags, usable) in [(0x80u32, true), (0x40, false), (0x44, true), (0x48, false), (0x08, false)] {
            let mut body = vec![10, 64, 0, 0, 3, 0, 0, 0, 20, 0, 1, 0];
            body.extend_from_slice(&"fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
            body.extend_from_slice(&[8, 0, 8, 0]);
            body.extend_from_slice(&flags.to_ne_bytes());
            assert_eq!(address(&body).is_some(), usable, "{flags:#x}");
        }
    }
}
