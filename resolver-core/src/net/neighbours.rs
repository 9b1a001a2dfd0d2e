//! Reads the kernel's neighbour table with `rtnetlink(7)`: the hosts on the link that this machine has recently
//! exchanged packets with. A lookup can query them directly by unicast (RFC 6762, section 5.5). Reading the table needs
//! no privilege.
//!
//! The kernel keeps three ages for each entry. As observed over 90 s on Linux 6.18 with its default settings:
//!
//! | traffic | confirmed | used | updated |
//! |---|---|---|---|
//! | one ping or UDP exchange | time since then | the same | restarts when the entry becomes STALE: after 29 or 37 s |
//! | a UDP exchange every second | up to 40 s | up to 35 s | up to 35 s |
//! | a TCP exchange every second | up to 1 s | time since the first | the same |
//! | only the host sends (IPv4) | over 60 s | time since its ARP request | the same |
//! | a UDP exchange every second, PERMANENT entry | time since it was added | time since the first | as confirmed |
//!
//! So the lesser of `confirmed` and `used` is the time since packets were exchanged. `updated` is not: the kernel
//! resets it without any packet. PERMANENT entries are ignored: their ages do not follow the traffic, and they exist
//! even if their hosts do not.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::address::{Family, is_host_address};
use crate::net::interfaces::Interfaces;
use crate::net::netlink::{Netlink, attributes, ip, u16_at, u32_at};
use crate::try_alloc;

/// The maximum number of neighbours that are returned for one interface. Each question to the neighbours costs a packet
/// for each of them.
const MAX_NEIGHBOURS: usize = 16;

/// The greatest age of a neighbour that is returned. With the kernel's default settings, the age of an entry in
/// constant use stays below this: the kernel confirms the entry again after 15 to 45 s (`base_reachable_time_ms` in
/// `arp(7)`).
const MAX_AGE: Duration = Duration::from_secs(60);

/// The unit of the ages: 1/`USER_HZ`, the same on every architecture that Rust supports.
const TICK: Duration = Duration::from_millis(10);

/// The size of an ndmsg, in octets.
const NDMSG: usize = 12;

/// A host that this machine has recently exchanged packets with. A host with several addresses can occur once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// The address.
    pub(crate) ip: IpAddr,
    /// The index of the interface on whose link it is.
    pub(crate) interface: u32,
    /// Its link-layer address. Two addresses of one network card have the same.
    pub(crate) link_layer: LinkLayerAddress,
    /// The time since packets were exchanged. Can be up to 45 s too long, because the kernel does not record every
    /// packet.
    pub(crate) age: Duration,
}

/// A link-layer address, such as an Ethernet address: its first octets, and zeros.
pub(crate) type LinkLayerAddress = [u8; 8];

/// Reads the neighbours on the interfaces to query, the youngest first: at most [`MAX_NEIGHBOURS`] on each interface,
/// none older than [`MAX_AGE`].
///
/// # Errors
/// Those of [`Netlink::open`] and [`Netlink::dump`]; `ENOMEM`.
pub(crate) fn read(interfaces: &Interfaces) -> io::Result<Vec<Neighbour>> {
    let (mut neighbours, mut is_complete) = (Vec::new(), true);
    // An ndmsg of zeros requests the neighbours of all families on all interfaces.
    Netlink::open()?.dump(libc::RTM_GETNEIGH, &[0; NDMSG], &mut |message_type, body| {
        is_complete &= add(&mut neighbours, interfaces, message_type, body);
    })?;
    if is_complete { Ok(neighbours) } else { Err(io::Error::from_raw_os_error(libc::ENOMEM)) }
}

/// Adds the neighbour that a message describes, if it can be queried. False if there is no memory for it.
fn add(neighbours: &mut Vec<Neighbour>, interfaces: &Interfaces, message_type: u16, body: &[u8]) -> bool {
    if message_type != libc::RTM_NEWNEIGH {
        return true;
    }
    match neighbour(body).filter(|neighbour| is_queried(interfaces, neighbour)) {
        Some(neighbour) => insert(neighbours, neighbour),
        None => true,
    }
}

/// True if the neighbour is another host on the link, and its interface is queried over its family. After a change of
/// this machine's address, the table still has addresses that are no longer on the link.
fn is_queried(interfaces: &Interfaces, neighbour: &Neighbour) -> bool {
    let Neighbour { ip, interface: index, .. } = *neighbour;
    let mut queried = interfaces.iter().filter(|interface| interface.index == index);
    queried.any(|interface| interface.families.contains(Family::of(ip)))
        && !interfaces.is_local(ip)
        && interfaces.is_on_link(ip, index)
}

/// Inserts a neighbour in the order of age, and removes the oldest on its interface if there are now too many. False if
/// there is no memory for it.
fn insert(neighbours: &mut Vec<Neighbour>, new: Neighbour) -> bool {
    if !try_alloc::reserve(neighbours, 1) {
        return false;
    }
    neighbours.insert(neighbours.partition_point(|other| other.age <= new.age), new);
    let is_on_its_interface = |other: &Neighbour| other.interface == new.interface;
    if neighbours.iter().copied().filter(is_on_its_interface).count() > MAX_NEIGHBOURS {
        if let Some(oldest) = neighbours.iter().rposition(is_on_its_interface) {
            neighbours.remove(oldest);
        }
    }
    true
}

/// Parses an ndmsg and its attributes. None if it is malformed, if it does not describe a resolved host, or if its age
/// exceeds [`MAX_AGE`].
pub(crate) fn neighbour(body: &[u8]) -> Option<Neighbour> {
    // struct ndmsg { u8 family; u8 pad1; u16 pad2; s32 interface; u16 state; u8 flags; u8 type; }
    let (&family, interface, state) = (body.first()?, u32_at(body, 4)?, u16_at(body, 8)?);
    let (&flags, &address_type) = (body.get(10)?, body.get(11)?);
    let (mut destination, mut link_layer, mut age) = (None, None, None);
    for (attribute, value) in attributes(body.get(NDMSG..)?) {
        match attribute {
            libc::NDA_DST => destination = ip(family, value),
            libc::NDA_LLADDR => link_layer = Some(first_octets(value)),
            // struct nda_cacheinfo { u32 confirmed; u32 used; u32 updated; u32 references; }
            libc::NDA_CACHEINFO => age = Some(TICK * u32_at(value, 0)?.min(u32_at(value, 4)?)),
            _ => {}
        }
    }
    let is_host = matches!(state, libc::NUD_REACHABLE | libc::NUD_STALE | libc::NUD_DELAY | libc::NUD_PROBE)
        && flags & libc::NTF_PROXY == 0
        && address_type == libc::RTN_UNICAST;
    let (ip, age) = (destination?, age?);
    let link_layer = link_layer.filter(|octets| *octets != LinkLayerAddress::default())?;
    (is_host && is_host_address(ip) && age <= MAX_AGE).then_some(Neighbour { ip, interface, link_layer, age })
}

fn first_octets(octets: &[u8]) -> LinkLayerAddress {
    let mut address = LinkLayerAddress::default();
    address.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces::tests::with;
    use crate::net::netlink::pair;

    const FE80: &str = "fe80::2";

    fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut attribute = [&pair(length, number)[..], value].concat();
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    fn destination(text: &str) -> Vec<u8> {
        match text.parse().unwrap() {
            IpAddr::V4(ip) => attribute(libc::NDA_DST, &ip.octets()),
            IpAddr::V6(ip) => attribute(libc::NDA_DST, &ip.octets()),
        }
    }

    fn link_layer_address() -> Vec<u8> {
        attribute(libc::NDA_LLADDR, &[2, 0, 0, 0, 0, 2])
    }

    fn ages(confirmed: u32, used: u32, updated: u32) -> Vec<u8> {
        let fields = [confirmed, used, updated, 1].map(u32::to_ne_bytes);
        attribute(libc::NDA_CACHEINFO, fields.as_flattened())
    }

    fn ndmsg(ip: &str, interface: u32, state: u16, flags: u8, address_type: u8) -> Vec<u8> {
        let family = u8::try_from(if ip.contains(':') { libc::AF_INET6 } else { libc::AF_INET }).unwrap();
        let [low, high] = state.to_ne_bytes();
        let [a, b, c, d] = interface.to_ne_bytes();
        vec![family, 0, 0, 0, a, b, c, d, low, high, flags, address_type]
    }

    /// The body of a message about a neighbour.
    fn body(ip: &str, interface: u32, state: u16, ages: &[u8]) -> Vec<u8> {
        let header = ndmsg(ip, interface, state, 0, libc::RTN_UNICAST);
        [&header[..], &destination(ip), &link_layer_address(), ages].concat()
    }

    fn reachable(ip: &str, interface: u32) -> Vec<u8> {
        body(ip, interface, libc::NUD_REACHABLE, &ages(100, 100, 100))
    }

    /// The neighbours that messages with these bodies describe.
    fn collected(bodies: &[Vec<u8>], interfaces: &Interfaces) -> Vec<Neighbour> {
        let mut neighbours = Vec::new();
        assert!(bodies.iter().all(|body| add(&mut neighbours, interfaces, libc::RTM_NEWNEIGH, body)));
        neighbours
    }

    /// The dump was captured on a little-endian machine.
    #[cfg(target_endian = "little")]
    #[test]
    fn a_captured_table_is_read() {
        use crate::net::netlink::messages;

        let captured = |interfaces: &Interfaces| {
            let mut neighbours = Vec::new();
            let dump = include_bytes!("../../testdata/kernel-neighbours.bin");
            let ended = messages(dump, libc::RTM_GETNEIGH.into(), &mut |message_type, body| {
                assert!(add(&mut neighbours, interfaces, message_type, body));
            });
            assert!(ended.unwrap(), "the datagram holds the whole table");
            let rows = neighbours.iter().map(|found| (found.interface, found.ip.to_string(), found.age.as_millis()));
            rows.collect::<Vec<_>>()
        };
        let expected = [
            (2, "fd09::8", 300),
            (2, "fd09::3", 560),
            (3, "fe80::ff:fe00:107", 560),
            (2, "fe80::ff:fe00:2", 1950),
            (2, "10.9.0.2", 1960),
            (2, "fd09::2", 1960),
            (2, "10.9.0.5", 2220),
            (2, "fd09::5", 2220),
            (2, "10.9.0.8", 5470),
            (3, "10.9.1.7", 5600),
            (3, "fd09:1::7", 5600),
            (2, "10.9.0.3", 5710),
            (2, "fe80::ff:fe00:5", 57640),
            (2, "fe80::ff:fe00:8", 57640),
            (2, "fe80::ff:fe00:4", 57900),
        ];
        let rows = |is_wanted: fn(u32, &str) -> bool| {
            let wanted = expected.iter().filter(|(interface, ip, _)| is_wanted(*interface, ip));
            wanted.map(|&(interface, ip, age)| (interface, ip.to_owned(), age)).collect::<Vec<_>>()
        };
        let addresses = [(2, "10.9.0.1/24"), (2, "fd09::1/64"), (3, "10.9.1.1/24"), (3, "fd09:1::1/64")];
        assert_eq!(captured(&with(&addresses)), rows(|_, _| true));
        assert_eq!(captured(&with(&addresses[2..])), rows(|interface, _| interface == 3));
        assert_eq!(captured(&with(&addresses[..1])), rows(|interface, ip| interface == 2 && !ip.contains(':')));
    }

    #[test]
    fn the_table_of_this_machine_is_read() {
        let interfaces = with(&[(1, "127.0.0.1/8"), (1, "::1/128")]);
        assert_eq!(read(&interfaces).unwrap(), []);
    }

    #[test]
    fn only_entries_in_the_states_of_resolved_hosts_are_returned() {
        for (state, counts) in [
            (libc::NUD_NONE, false),
            (libc::NUD_INCOMPLETE, false),
            (libc::NUD_REACHABLE, true),
            (libc::NUD_STALE, true),
            (libc::NUD_DELAY, true),
            (libc::NUD_PROBE, true),
            (libc::NUD_FAILED, false),
            (libc::NUD_NOARP, false),
            (libc::NUD_PERMANENT, false),
        ] {
            assert_eq!(neighbour(&body(FE80, 2, state, &ages(0, 0, 0))).is_some(), counts, "{state:#x}");
        }
    }

    #[test]
    fn proxies_and_addresses_that_no_host_can_have_are_omitted() {
        for (ip, flags, address_type, counts) in [
            ("10.0.0.2", 0, libc::RTN_UNICAST, true),
            ("10.0.0.2", libc::NTF_ROUTER, libc::RTN_UNICAST, true),
            ("10.0.0.2", libc::NTF_PROXY, libc::RTN_UNICAST, false),
            ("10.0.0.2", 0, libc::RTN_LOCAL, false),
            ("10.0.0.255", 0, libc::RTN_BROADCAST, false),
            ("224.0.0.251", 0, libc::RTN_UNICAST, false),
            ("ff02::fb", 0, libc::RTN_UNICAST, false),
            ("255.255.255.255", 0, libc::RTN_UNICAST, false),
            ("127.0.0.2", 0, libc::RTN_UNICAST, false),
            ("::", 0, libc::RTN_UNICAST, false),
            ("fd00::2", 0, libc::RTN_UNICAST, true),
        ] {
            let header = ndmsg(ip, 2, libc::NUD_STALE, flags, address_type);
            let body = [header, destination(ip), link_layer_address(), ages(0, 0, 0)].concat();
            assert_eq!(neighbour(&body).is_some(), counts, "{ip}, flags {flags:#x}, type {address_type}");
        }
    }

    #[test]
    fn the_age_is_the_lesser_of_confirmed_and_used() {
        for (confirmed, used, updated, age) in [
            (0, 0, 0, Some(0)),
            (250, 5000, 5000, Some(2500)),
            (6571, 571, 571, Some(5710)),
            (6000, 9000, 9000, Some(60_000)),
            (6001, 9000, 0, None),
            (u32::MAX, 100, 100, Some(1000)),
            (u32::MAX, u32::MAX, u32::MAX, None),
        ] {
            let found = neighbour(&body("10.0.0.2", 2, libc::NUD_STALE, &ages(confirmed, used, updated)));
            assert_eq!(found.map(|found| found.age), age.map(Duration::from_millis), "{confirmed} {used} {updated}");
        }
    }

    #[test]
    fn incomplete_messages_describe_no_neighbour() {
        let whole = reachable(FE80, 2);
        assert!(neighbour(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(neighbour(&whole[..length]), None, "{length} octets");
        }
        let header = ndmsg(FE80, 2, libc::NUD_REACHABLE, 0, libc::RTN_UNICAST);
        let v4_destination = destination("10.0.0.2");
        for attributes in [
            [link_layer_address(), ages(0, 0, 0)].concat(),
            [destination(FE80), ages(0, 0, 0)].concat(),
            [destination(FE80), attribute(libc::NDA_LLADDR, &[]), ages(0, 0, 0)].concat(),
            [destination(FE80), link_layer_address()].concat(),
            [destination(FE80), link_layer_address(), attribute(libc::NDA_CACHEINFO, &[0; 7])].concat(),
            [v4_destination, link_layer_address(), ages(0, 0, 0)].concat(),
        ] {
            assert_eq!(neighbour(&[&header[..], &attributes].concat()), None, "{attributes:?}");
        }
        let mut other_family = whole;
        other_family[0] = u8::try_from(libc::AF_BRIDGE).unwrap();
        assert_eq!(neighbour(&other_family), None);
    }

    #[test]
    fn own_addresses_those_off_the_link_and_interfaces_that_are_not_queried_are_omitted() {
        // The second interface has IPv4 only.
        let interfaces = with(&[(2, "10.0.0.1/24"), (2, "fe80::1/64"), (3, "10.0.0.5/24")]);
        for (ip, interface, expected) in [
            ("10.0.0.2", 2, 1),
            (FE80, 2, 1),
            ("10.0.0.1", 2, 0),
            ("fe80::1", 2, 0),
            ("10.0.0.5", 2, 0),
            ("10.0.1.2", 2, 0),
            ("10.0.0.1", 3, 0),
            ("10.0.0.2", 3, 1),
            (FE80, 3, 0),
            ("10.0.0.2", 4, 0),
        ] {
            assert_eq!(collected(&[reachable(ip, interface)], &interfaces).len(), expected, "{ip} on {interface}");
        }
        let mut neighbours = Vec::new();
        assert!(add(&mut neighbours, &interfaces, libc::RTM_NEWROUTE, &reachable(FE80, 2)));
        assert_eq!(neighbours, []);
    }

    #[test]
    fn the_youngest_on_each_interface_are_returned_in_the_order_of_age() {
        let interfaces = with(&[(2, "10.9.1.1/16"), (3, "10.9.2.1/16")]);
        let bodies: Vec<_> = (0..200)
            .flat_map(|number| {
                // 7 and 200 have no common factor, so each age occurs once, and the ages are not sorted.
                let age = number * 7 % 200;
                let state = [libc::NUD_STALE, libc::NUD_REACHABLE][usize::from(number % 2 == 0)];
                [2, 3].map(|interface| body(&format!("10.9.0.{age}"), interface, state, &ages(age, 9000, 9000)))
            })
            .collect();
        let found = collected(&bodies, &interfaces);
        assert!(found.is_sorted_by_key(|neighbour| neighbour.age));
        for interface in [2, 3] {
            let of_interface = found.iter().filter(|neighbour| neighbour.interface == interface);
            let expected: Vec<_> = (0..16).map(|age| format!("10.9.0.{age}")).collect();
            assert_eq!(of_interface.map(|neighbour| neighbour.ip.to_string()).collect::<Vec<_>>(), expected);
        }
    }
}
