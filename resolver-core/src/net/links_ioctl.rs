//! Reads the kernel's tables of links and addresses without netlink, which many sandboxes deny.
//!
//! IPv4 addresses come from the ioctls of `netdevice(7)` on a UDP socket, which a lookup needs anyway. IPv6 addresses
//! come from `/proc/net/if_inet6`. Entries that cannot be read are omitted.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socket2::{Domain, Socket, Type};

use crate::net::links::{Link, LinkKind, LocalAddress, Tables};
use crate::sys::{self, InterfaceName, InterfaceProperty};
use crate::try_alloc;

/// The maximum size that is read of `/proc/net/if_inet6`, in octets: about seven hundred addresses.
const MAX_OCTETS: usize = 40 * 1024;

/// Reads the links and their addresses.
///
/// # Errors
/// Those of `socket(2)` and `fcntl(2)`, if neither an IPv4 nor an IPv6 socket is available.
pub(crate) fn read(tables: &mut Tables) -> io::Result<()> {
    let Tables { links, addresses, .. } = tables;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)
        .or_else(|_| Socket::new(Domain::IPV6, Type::DGRAM, None))
        .and_then(sys::above_stdio)?;
    // If one family cannot be read, the other one is still useful.
    let _ = sys::ipv4_interfaces(&socket, |name, ip| {
        let Some(interface) = add_link(&socket, name, links) else { return };
        let property = |property| sys::interface_property(&socket, name, &property);
        let Ok(netmask) = property(InterfaceProperty::Netmask(ip)) else { return };
        let prefix_length = u8::try_from(netmask.leading_ones()).unwrap_or(32);
        // The peer's address or, without a peer, the address itself.
        let peer = property(InterfaceProperty::Destination(ip)).map(|peer| u32::from_ne_bytes(peer.to_ne_bytes()));
        let prefix = peer.map_or(ip, Ipv4Addr::from).into();
        try_alloc::push(addresses, LocalAddress { interface, ip: ip.into(), prefix, prefix_length });
    });
    let _ = read_ipv6(&socket, tables);
    Ok(())
}

/// Adds the link with this name if it is missing, and returns its index. None if its index or flags cannot be read.
fn add_link(socket: &Socket, name: InterfaceName, links: &mut Vec<Link>) -> Option<u32> {
    let index = sys::interface_property(socket, name, &InterfaceProperty::Index).ok()?.try_into().ok()?;
    if !links.iter().any(|link| link.index == index) {
        let flags = sys::interface_property(socket, name, &InterfaceProperty::Flags).ok()?;
        // Ports of a bond have this flag. Ports of a bridge do not: the few that have an address are queried.
        let is_port = flags & libc::IFF_SLAVE != 0;
        let name = name.into();
        try_alloc::push(links, Link { index, name, flags, is_port, kind: LinkKind::Card, master: 0, parent: 0 });
    }
    Some(index)
}

fn read_ipv6(socket: &Socket, tables: &mut Tables) -> io::Result<()> {
    let mut table = try_alloc::zeroed(MAX_OCTETS).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let mut file = File::open("/proc/net/if_inet6")?;
    let mut length = 0;
    while let Some(room) = table.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read(room)? {
            0 => break,
            count => length += count,
        }
    }
    for line in table.get(..length).unwrap_or_default().split(|&octet| octet == b'\n') {
        if let Some((ip, prefix_length, name)) = std::str::from_utf8(line).ok().and_then(ipv6_line) {
            if let Some(interface) = add_link(socket, name, &mut tables.links) {
                // The table does not have the addresses of peers.
                let own = LocalAddress { interface, ip, prefix: ip, prefix_length };
                try_alloc::push(&mut tables.addresses, own);
            }
        }
    }
    Ok(())
}

/// Parses a line of `/proc/net/if_inet6`: address, index, prefix length, scope and flags in hexadecimal, then the
/// interface's name. None if it is malformed, or if the address is tentative or has failed duplicate address detection.
pub(crate) fn ipv6_line(line: &str) -> Option<(IpAddr, u8, InterfaceName)> {
    const TENTATIVE_OR_FAILED: u8 = 0x48; // IFA_F_TENTATIVE | IFA_F_DADFAILED
    let mut fields = line.split_ascii_whitespace();
    let address = u128::from_str_radix(fields.next()?, 16).ok()?;
    let prefix_length = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
    let flags = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
    let mut name: InterfaceName = [0; libc::IFNAMSIZ];
    let text = fields.next()?;
    // The last octet remains NUL.
    for (place, octet) in name.iter_mut().take(libc::IFNAMSIZ - 1).zip(text.bytes()) {
        *place = octet as libc::c_char;
    }
    (flags & TENTATIVE_OR_FAILED == 0).then_some((Ipv6Addr::from(address).into(), prefix_length, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::links_netlink;

    #[test]
    fn the_loopback_interface_is_described_as_by_netlink() {
        let (mut tables, mut expected_tables) = (Tables::default(), Tables::default());
        read(&mut tables).unwrap();
        links_netlink::read(&mut expected_tables, 32).unwrap();
        let of_loopback = |address: &LocalAddress| address.interface == 1;
        let found: Vec<_> = tables.addresses.into_iter().filter(of_loopback).collect();
        let expected: Vec<_> = expected_tables.addresses.into_iter().filter(of_loopback).collect();
        assert!(!found.is_empty());
        assert_eq!(found, expected);
        let usual = libc::IFF_UP | libc::IFF_LOOPBACK | libc::IFF_RUNNING | libc::IFF_MULTICAST;
        let flags = |links: &[Link]| links.iter().find(|link| link.index == 1).map(|link| link.flags & usual);
        assert_eq!(flags(&tables.links), flags(&expected_tables.links));
    }

    #[test]
    fn lines_of_if_inet6_are_parsed() {
        let line = "fe800000000000000000000000000001 02 40 20 80     eth0";
        let (ip, prefix_length, name) = ipv6_line(line).unwrap();
        assert_eq!((ip, prefix_length), ("fe80::1".parse().unwrap(), 64));
        assert_eq!(name[..5], b"eth0\0".map(|octet| octet as libc::c_char));
        assert!(ipv6_line(&line.replace(" 80 ", " c0 ")).is_none());
        assert!(ipv6_line("fe80 02").is_none());
        assert!(ipv6_line("").is_none());
    }
}
