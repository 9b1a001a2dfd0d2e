//! Reads the kernel's tables of links and addresses with `rtnetlink(7)`.
//!
//! `getifaddrs(3)` is not an alternative: glibc aborts the process if another thread closes its netlink descriptor, and
//! it uses five kilobytes of stack. Here a failed system call is an error, and the caller falls back to
//! [`crate::net::links_ioctl`].

use std::io;
use std::net::Ipv6Addr;

use crate::net::links::{Link, LinkKind, LinkName, LocalAddress, Tables};
use crate::net::netlink::{Netlink, attributes, ip, pair, u32_at};
use crate::try_alloc;
use crate::wire::GROUP_V4;

pub(crate) const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
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

/// The same, with an attribute that omits links with a master. Only members of a VRF are queried themselves.
const LINKS_WITHOUT_MASTER_REQUEST: [[u8; 4]; 8] = {
    let [a, b, c, d, e, f] = LINKS_REQUEST;
    [a, b, c, d, e, f, pair(8, IFLA_MASTER), u32::MAX.to_ne_bytes()]
};

/// With more addresses than this, the links that have a master are not read, unless there is a VRF. The kernel takes
/// several microseconds for each link, and on such hosts most links are the ports of container bridges. A bridge is then
/// not known to lead to a network card, except by the default route.
const MANY_ADDRESSES: usize = 128;

/// An ifaddrmsg of zeros: both families.
const ADDRESSES_REQUEST: [u8; 8] = [0; 8];

/// Reads the links and their addresses, and the default route if there are more than `many` links.
///
/// # Errors
/// Those of [`Netlink::open`] and [`Netlink::dump`]. Entries for which there is no memory are omitted.
pub(crate) fn read(tables: &mut Tables, many: usize) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    netlink.dump(RTM_GETADDR, &ADDRESSES_REQUEST, &mut |message_type, body| {
        if message_type == RTM_NEWADDR {
            if let Some(address) = address(body) {
                try_alloc::push(&mut tables.addresses, address);
            }
        }
    })?;
    if tables.addresses.len() > MANY_ADDRESSES {
        read_links(&mut netlink, LINKS_WITHOUT_MASTER_REQUEST.as_flattened(), &mut tables.links)?;
    }
    // Linux before 5.16 sends an empty list.
    if tables.links.is_empty() || tables.links.iter().any(|link| link.kind == LinkKind::Vrf) {
        tables.links.clear();
        read_links(&mut netlink, LINKS_REQUEST.as_flattened(), &mut tables.links)?;
    }
    if tables.links.len() > many {
        let families = [(libc::AF_INET, &GROUP_V4.octets()[..]), (libc::AF_INET6, &ANY_GLOBAL_V6.octets())];
        let routes = families.map(|(family, to)| default_route(&mut netlink, family, to));
        tables.default_route = routes.into_iter().flatten().next().unwrap_or(0);
    }
    Ok(())
}

fn read_links(netlink: &mut Netlink, request: &[u8], links: &mut Vec<Link>) -> io::Result<()> {
    netlink.dump(RTM_GETLINK, request, &mut |message_type, body| {
        if message_type == RTM_NEWLINK {
            if let Some(link) = link(body) {
                try_alloc::push(links, link);
            }
        }
    })
}

/// An address that only the default route of IPv6 leads to.
const ANY_GLOBAL_V6: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1);

/// The index of the interface on which the routing table sends a packet to this address. No packet is sent. None if there
/// is no route, or if it cannot be read.
fn default_route(netlink: &mut Netlink, family: libc::c_int, to: &[u8]) -> Option<u32> {
    // struct rtmsg { u8 family; u8 dst_len; u8 src_len; u8 tos; u8 table; u8 protocol; u8 scope; u8 type; u32 flags; }
    let mut request = [0; RTMSG + 4 + 16];
    let (bits, length) = (u8::try_from(8 * to.len()).ok()?, u16::try_from(4 + to.len()).ok()?);
    let header = [u8::try_from(family).ok()?, bits];
    let parts = [(0, &header[..]), (RTMSG, &pair(length, RTA_DST)), (RTMSG + 4, to)];
    for (at, part) in parts {
        request.get_mut(at..at + part.len())?.copy_from_slice(part);
    }
    let mut found = None;
    let request = request.get(..RTMSG + usize::from(length))?;
    let result = netlink.get(RTM_GETROUTE, request, &mut |message_type, body| {
        if message_type == RTM_NEWROUTE {
            found = route(body);
        }
    });
    found.filter(|_| result.is_ok())
}

/// The size of an rtmsg, in octets.
const RTMSG: usize = 12;

/// Parses an rtmsg and its attributes: the index of the outgoing interface. None if there is none.
fn route(body: &[u8]) -> Option<u32> {
    let mut attributes = attributes(body.get(RTMSG..)?);
    attributes.find(|&(attribute, _)| attribute == RTA_OIF).and_then(|(_, value)| u32_at(value, 0))
}

/// Parses an ifinfomsg and its attributes. None if it is malformed.
pub(crate) fn link(body: &[u8]) -> Option<Link> {
    let (mut name, mut port_kind, mut kind) = (&[][..], None, LinkKind::Card);
    let (mut master, mut parent, mut is_parent_elsewhere) = (0, 0, false);
    for (attribute, value) in attributes(body.get(16..)?) {
        match attribute {
            IFLA_IFNAME => name = value,
            IFLA_LINK => parent = u32_at(value, 0).unwrap_or(0),
            IFLA_MASTER => master = u32_at(value, 0).unwrap_or(0),
            IFLA_LINK_NETNSID => is_parent_elsewhere = true,
            IFLA_LINKINFO => {
                let find = |wanted| attributes(value).find(|&(attribute, _)| attribute == wanted);
                let found = find(IFLA_INFO_SLAVE_KIND);
                port_kind = port_kind.or(found.map(|(_, kind)| kind.strip_suffix(b"\0").unwrap_or(kind)));
                kind = match find(IFLA_INFO_KIND) {
                    Some((_, b"bridge" | b"bridge\0")) => LinkKind::Bridge,
                    Some((_, b"vrf" | b"vrf\0")) => LinkKind::Vrf,
                    Some(_) => LinkKind::Virtual,
                    None => kind,
                };
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
        kind,
        master,
        // The index of a link in another network namespace means nothing here.
        parent: if is_parent_elsewhere { 0 } else { parent },
    })
}

/// Parses an ifaddrmsg and its attributes. None if it is malformed, or if the address is tentative (unless it is
/// optimistic) or has failed duplicate address detection.
pub(crate) fn address(body: &[u8]) -> Option<LocalAddress> {
    let (&family, &prefix_length) = (body.first()?, body.get(1)?);
    let mut flags = u32::from(*body.get(2)?);
    // Without a peer, both attributes of an IPv4 address have the address itself, and an IPv6 address has IFA_ADDRESS
    // alone.
    let (mut own, mut prefix) = (None, None);
    for (attribute, value) in attributes(body.get(8..)?) {
        match attribute {
            IFA_LOCAL => own = ip(family, value),
            IFA_ADDRESS => prefix = ip(family, value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    let usable = match flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC) {
        IFA_F_TENTATIVE => false,
        _ => flags & IFA_F_DADFAILED == 0,
    };
    let ip = own.or(prefix).filter(|_| usable)?;
    Some(LocalAddress { interface: u32_at(body, 4)?, ip, prefix: prefix.unwrap_or(ip), prefix_length })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn the_loopback_interface_and_its_address_are_read() {
        let mut tables = Tables::default();
        read(&mut tables, 0).unwrap();
        let Tables { links, addresses, .. } = tables;
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
        use crate::net::netlink::messages;

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
        let found: Vec<_> = addresses
            .iter()
            .map(|own| (own.interface, own.ip.to_string(), format!("{}/{}", own.prefix, own.prefix_length)))
            .collect();
        let expected = [
            (1, "127.0.0.1", "127.0.0.1/8"),
            (3, "10.1.2.3", "10.1.2.3/24"),
            (3, "192.0.2.1", "192.0.2.2/32"),
            (7, "10.9.9.1", "10.9.9.2/32"),
            (1, "::1", "::1/128"),
            (2, "fe80::1", "fe80::1/64"),
            (3, "fd00::7", "fd00::7/128"),
        ];
        assert_eq!(found, expected.map(|(interface, ip, prefix)| (interface, ip.to_owned(), prefix.to_owned())));
    }

    fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut attribute = [length.to_ne_bytes(), number.to_ne_bytes()].concat();
        attribute.extend_from_slice(value);
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    /// The link with the index 7 and these attributes.
    fn link_with(attributes: &[Vec<u8>]) -> Link {
        let mut body = vec![0; 16];
        body[4..8].copy_from_slice(&7u32.to_ne_bytes());
        body.extend(attributes.concat());
        let link = link(&body).unwrap();
        assert_eq!(link.index, 7);
        link
    }

    #[test]
    fn ports_are_recognised_by_their_slave_kind() {
        for (kind, is_port) in [(&b"bridge\0"[..], true), (b"bond\0", true), (b"vrf\0", false)] {
            let link = link_with(&[attribute(IFLA_LINKINFO | 0x8000, &attribute(IFLA_INFO_SLAVE_KIND, kind))]);
            assert_eq!((link.is_port, link.kind), (is_port, LinkKind::Card));
        }
    }

    #[test]
    fn virtual_links_are_recognised_by_their_kind_and_lead_to_others() {
        let of_kind = |kind: &[u8]| attribute(IFLA_LINKINFO | 0x8000, &attribute(IFLA_INFO_KIND, kind));
        let kind = of_kind(b"vlan\0");
        let number = |attribute_type, number: u32| attribute(attribute_type, &number.to_ne_bytes());
        let vlan = link_with(&[number(IFLA_LINK, 2), kind.clone(), number(IFLA_MASTER, 3)]);
        assert_eq!((vlan.kind, vlan.parent, vlan.master), (LinkKind::Virtual, 2, 3));
        // The other end of this veth pair is in another network namespace.
        let veth = link_with(&[number(IFLA_LINK, 2), number(IFLA_LINK_NETNSID, 0), kind]);
        assert_eq!((veth.kind, veth.parent, veth.master), (LinkKind::Virtual, 0, 0));
        let card = link_with(&[]);
        assert_eq!((card.kind, card.parent, card.master), (LinkKind::Card, 0, 0));
        assert_eq!(link_with(&[of_kind(b"bridge\0")]).kind, LinkKind::Bridge);
        assert_eq!(link_with(&[of_kind(b"vrf\0")]).kind, LinkKind::Vrf);
    }

    #[test]
    fn the_prefix_of_an_address_with_a_peer_is_the_peers() {
        let mut body = [[2, 24, 0, 0], 3u32.to_ne_bytes()].concat();
        body.extend(attribute(IFA_ADDRESS, &[10, 77, 0, 0]));
        body.extend(attribute(IFA_LOCAL, &[10, 9, 0, 1]));
        let own = address(&body).unwrap();
        assert_eq!((own.ip, own.prefix), ([10, 9, 0, 1].into(), [10, 77, 0, 0].into()));
        assert!(own.prefix_contains([10, 77, 0, 9].into()) && !own.prefix_contains([10, 9, 0, 9].into()));
    }

    #[test]
    fn links_without_a_master_can_be_read_alone() {
        let mut netlink = Netlink::open().unwrap();
        let (mut all, mut some) = (Vec::new(), Vec::new());
        read_links(&mut netlink, LINKS_REQUEST.as_flattened(), &mut all).unwrap();
        read_links(&mut netlink, LINKS_WITHOUT_MASTER_REQUEST.as_flattened(), &mut some).unwrap();
        all.retain(|link| link.master == 0);
        assert!(some.is_empty() || some == all, "{some:?} {all:?}");
    }

    #[test]
    fn the_interface_of_a_route_is_read() {
        let mut netlink = Netlink::open().unwrap();
        assert_eq!(default_route(&mut netlink, libc::AF_INET, &[127, 0, 0, 1]), Some(1));
        // One socket can read several.
        assert_eq!(default_route(&mut netlink, libc::AF_INET, &[127, 0, 0, 2]), Some(1));
        let mut body = vec![2; RTMSG];
        body.extend(attribute(RTA_DST, &[10, 0, 0, 1]));
        assert_eq!(route(&body), None);
        body.extend(attribute(RTA_OIF, &7u32.to_ne_bytes()));
        assert_eq!(route(&body), Some(7));
    }

    #[test]
    fn tentative_and_duplicate_addresses_are_omitted() {
        for (flags, usable) in [(0x80u32, true), (0x40, false), (0x44, true), (0x48, false), (0x08, false)] {
            let mut body = [[10, 64, 0, 0], 3u32.to_ne_bytes()].concat();
            body.extend(attribute(IFA_ADDRESS, &"fe80::1".parse::<Ipv6Addr>().unwrap().octets()));
            body.extend(attribute(IFA_FLAGS, &flags.to_ne_bytes()));
            assert_eq!(address(&body).is_some(), usable, "{flags:#x}");
        }
    }
}
