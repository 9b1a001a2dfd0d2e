//! Reads the kernel's tables of links and addresses with `rtnetlink(7)`.
//!
//! `getifaddrs(3)` is not an alternative: glibc aborts the process if another thread closes its netlink descriptor, and
//! it uses five kilobytes of stack. Here a failed system call is an error, and the caller falls back to
//! [`crate::net::links_ioctl`].

use std::io;

use crate::net::links::{Link, LinkName, LocalAddress, Tables};
use crate::net::netlink::{Netlink, attributes, ip, pair, u32_at};
use crate::try_alloc;

pub(crate) const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
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

/// An ifinfomsg of zeros, and an attribute that omits the statistics.
const LINKS_REQUEST: [[u8; 4]; 6] =
    [[0; 4], [0; 4], [0; 4], [0; 4], pair(8, IFLA_EXT_MASK), RTEXT_FILTER_SKIP_STATS.to_ne_bytes()];

/// An ifaddrmsg of zeros: both families.
const ADDRESSES_REQUEST: [u8; 8] = [0; 8];

/// Reads the links and their addresses.
///
/// # Errors
/// Those of [`Netlink::open`] and [`Netlink::dump`]. Entries for which there is no memory are omitted.
pub(crate) fn read(tables: &mut Tables) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    netlink.dump(RTM_GETLINK, LINKS_REQUEST.as_flattened(), &mut |message_type, body| {
        if message_type == RTM_NEWLINK {
            if let Some(link) = link(body) {
                try_alloc::push(&mut tables.links, link);
            }
        }
    })?;
    netlink.dump(RTM_GETADDR, &ADDRESSES_REQUEST, &mut |message_type, body| {
        if message_type == RTM_NEWADDR {
            if let Some(address) = address(body) {
                try_alloc::push(&mut tables.addresses, address);
            }
        }
    })
}

/// Parses an ifinfomsg and its attributes. None if it is malformed.
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
        // The masters of these ports are queried instead. Members of a VRF are queried themselves.
        is_port: matches!(port_kind, Some(b"bridge" | b"bond" | b"team" | b"openvswitch")),
    })
}

/// Parses an ifaddrmsg and its attributes. None if it is malformed, or if the address is tentative (unless it is
/// optimistic) or has failed duplicate address detection.
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::net::netlink::messages;

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
