//! Target `netlink`: arbitrary octets as a datagram of the kernel's tables of links, addresses and neighbours, and as
//! lines of `/proc/net/if_inet6`.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use resolver_core::fuzzing::{self, NetlinkMessage};
use resolver_core::net::links::LocalAddress;

/// What a netlink message describes, as [`NetlinkMessage`] has it.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    Link(Option<Link>),
    Address(Option<LocalAddress>),
    Neighbour(Option<(u32, IpAddr, Duration)>),
}

/// A link whose name is plain octets, so that the name is compared too.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    index: u32,
    name: Vec<u8>,
    flags: i32,
    is_port: bool,
}

impl From<NetlinkMessage> for Message {
    fn from(message: NetlinkMessage) -> Self {
        match message {
            NetlinkMessage::Address(address) => Self::Address(address),
            NetlinkMessage::Neighbour(neighbour) => Self::Neighbour(neighbour),
            NetlinkMessage::Link(link) => Self::Link(link.map(|link| Link {
                index: link.index,
                name: link.name.octets().to_vec(),
                flags: link.flags,
                is_port: link.is_port,
            })),
        }
    }
}

/// Parses `data` in both formats.
pub fn check(data: &[u8]) {
    let sequence = data.get(8..12).map_or(0, |field| u32::from_ne_bytes(field.try_into().expect("four octets")));
    for sequence in [sequence, 18, 22, 30] {
        let parsed = fuzzing::parse_netlink(data, sequence).ok();
        let parsed = parsed.map(|(messages, ended)| (messages.into_iter().map(Message::from).collect(), ended));
        assert_eq!(parsed, parse(data, sequence));
    }
    data.split(|&octet| octet == b'\n').filter_map(|line| std::str::from_utf8(line).ok()).for_each(check_line);
}

/// An independent parser of a netlink datagram (`netlink(7)`). Returns its messages, and true if it ends the dump.
fn parse(data: &[u8], sequence: u32) -> Option<(Vec<Message>, bool)> {
    let mut messages = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let length = u32_at(data, at)? as usize;
        let message = data.get(at..at.checked_add(length)?).filter(|message| message.len() >= 16)?;
        at += length.div_ceil(4) * 4;
        if u32_at(message, 8) != Some(sequence) {
            continue;
        }
        match u16_at(message, 4)? {
            2 => return None,
            3 => return Some((messages, true)),
            16 => messages.push(Message::Link(link(&message[16..]))),
            20 => messages.push(Message::Address(address(&message[16..]))),
            28 => messages.push(Message::Neighbour(neighbour(&message[16..]))),
            _ => {}
        }
    }
    Some((messages, false))
}

fn link(body: &[u8]) -> Option<Link> {
    let attributes = attributes(body.get(16..)?);
    let nested = attributes.iter().filter(|(number, _)| *number == 18).flat_map(|(_, info)| self::attributes(info));
    let port_kind = nested.into_iter().find(|(number, _)| *number == 4).map(|(_, kind)| kind);
    let port_kinds: [&[u8]; 4] = [b"bridge", b"bond", b"team", b"openvswitch"];
    let name = attributes.iter().rfind(|(number, _)| *number == 3).map_or(&[][..], |(_, name)| name);
    Some(Link {
        index: u32_at(body, 4)?,
        name: name.iter().copied().take(15).take_while(|&octet| octet != 0).collect(),
        flags: u32_at(body, 8)? as i32,
        is_port: port_kind.is_some_and(|kind| port_kinds.contains(&kind.strip_suffix(&[0]).unwrap_or(kind))),
    })
}

fn address(body: &[u8]) -> Option<LocalAddress> {
    let attributes = attributes(body.get(8..)?);
    let last = |wanted| attributes.iter().rfind(|(number, _)| *number == wanted).map(|(_, value)| *value);
    if attributes.iter().any(|(number, value)| *number == 8 && value.len() < 4) {
        return None;
    }
    let flags = last(8).map_or(Some(u32::from(body[2])), |value| u32_at(value, 0))?;
    let (optimistic, failed, tentative) = (flags & 4 != 0, flags & 8 != 0, flags & 0x40 != 0);
    if failed || tentative && !optimistic {
        return None;
    }
    let ip = |value| ip(body[0], value);
    let (own, prefix) = (last(2).and_then(ip), last(1).and_then(ip));
    let ip = own.or(prefix)?;
    Some(LocalAddress { interface: u32_at(body, 4)?, ip, prefix: prefix.unwrap_or(ip), prefix_length: body[1] })
}

fn neighbour(body: &[u8]) -> Option<(u32, IpAddr, Duration)> {
    let attributes = attributes(body.get(12..)?);
    let last = |wanted| attributes.iter().rfind(|(number, _)| *number == wanted).map(|(_, value)| *value);
    if attributes.iter().any(|(number, value)| *number == 3 && value.len() < 8) {
        return None;
    }
    // Reachable, stale, delay or probe; not a proxy; unicast.
    let is_host = [2, 4, 8, 16].contains(&u16_at(body, 8)?) && body[10] & 8 == 0 && body[11] == 1;
    let (ip, link_layer_address, ages) = (ip(body[0], last(1)?)?, last(2)?, last(3)?);
    let is_unicast = match ip {
        IpAddr::V4(ip) => !matches!(ip.octets(), [0 | 127 | 224..=239, ..] | [255, 255, 255, 255]),
        IpAddr::V6(ip) => ip.octets()[0] != 255 && !matches!(ip.segments(), [0, 0, 0, 0, 0, 0 | 0xffff, ..]),
    };
    // Confirmed and used, in hundredths of a second.
    let age = u64::from(u32_at(ages, 0)?.min(u32_at(ages, 4)?)) * 10;
    // Zeros identify no network card. Eight octets are compared.
    let has_card = link_layer_address.iter().take(8).any(|&octet| octet != 0);
    (is_host && is_unicast && has_card && age <= 60_000).then_some((u32_at(body, 4)?, ip, Duration::from_millis(age)))
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        2 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        10 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The number and the value of each attribute.
fn attributes(octets: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut list, mut at) = (Vec::new(), 0);
    while let (Some(length), Some(number)) = (u16_at(octets, at), u16_at(octets, at + 2)) {
        let Some(value) = octets.get(at + 4..at + usize::from(length)) else { break };
        list.push((number & 0x3fff, value));
        at += usize::from(length).div_ceil(4) * 4;
    }
    list
}

/// Checks that a line that is accepted has the fields that were read from it.
fn check_line(line: &str) {
    let Some((ip, prefix_length, name)) = fuzzing::ipv6_line(line) else { return };
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let number = |field: usize| u128::from_str_radix(fields[field], 16).expect("the field was read as a number");
    assert_eq!(ip, Ipv6Addr::from(number(0)));
    assert_eq!(u128::from(prefix_length), number(2));
    assert_eq!(number(4) & 0x48, 0, "the address is tentative or a duplicate");
    let length = fields[5].len().min(15);
    assert_eq!(name[..length], fields[5].as_bytes()[..length]);
    assert_eq!(name[15], 0, "the name ends in NUL");
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}
