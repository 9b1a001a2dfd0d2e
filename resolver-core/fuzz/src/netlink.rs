//! Any octets as the kernel's tables of links and addresses, and as a line of `/proc/net/if_inet6`.

use std::net::{IpAddr, Ipv6Addr};

use resolver_core::fuzzing::{self, LinkFacts, OwnFacts, Tables};

/// Reads `data` both ways.
pub fn check(data: &[u8]) {
    let sequence = data.get(8..12).map_or(0, |field| u32::from_ne_bytes(field.try_into().expect("four octets")));
    for sequence in [sequence, 18, 22] {
        assert_eq!(fuzzing::netlink_tables(data, sequence).ok(), tables(data, sequence));
    }
    data.split(|&octet| octet == b'\n').filter_map(|line| std::str::from_utf8(line).ok()).for_each(check_line);
}

/// The messages of a datagram as `netlink(7)` lays them out, read a second time.
fn tables(data: &[u8], sequence: u32) -> Option<Tables> {
    let mut tables = Tables::default();
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
            3 => {
                tables.ended = true;
                return Some(tables);
            }
            16 => tables.links.push(link(&message[16..])),
            20 => tables.addresses.push(address(&message[16..])),
            _ => {}
        }
    }
    Some(tables)
}

fn link(body: &[u8]) -> Option<LinkFacts> {
    let attributes = attributes(body.get(16..)?);
    let nested = attributes.iter().filter(|(kind, _)| *kind == 18).flat_map(|(_, info)| self::attributes(info));
    let master = nested.into_iter().find(|(kind, _)| *kind == 4).map(|(_, name)| name);
    let ports: [&[u8]; 4] = [b"bridge", b"bond", b"team", b"openvswitch"];
    let is_port = master.is_some_and(|name| ports.contains(&name.strip_suffix(&[0]).unwrap_or(name)));
    Some((u32_at(body, 4)?, u32_at(body, 8)? as i32, is_port))
}

fn address(body: &[u8]) -> Option<OwnFacts> {
    let attributes = attributes(body.get(8..)?);
    let last = |number| attributes.iter().rev().find(|(kind, _)| *kind == number).map(|(_, value)| *value);
    if attributes.iter().any(|(kind, value)| *kind == 8 && value.len() < 4) {
        return None;
    }
    let flags = last(8).map_or(Some(u32::from(body[2])), |value| u32_at(value, 0))?;
    let (optimistic, failed, tentative) = (flags & 4 != 0, flags & 8 != 0, flags & 0x40 != 0);
    if failed || tentative && !optimistic {
        return None;
    }
    let ip = |value: &[u8]| match body[0] {
        2 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        10 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    };
    let ip = last(2).and_then(ip).or_else(|| last(1).and_then(ip))?;
    Some((u32_at(body, 4)?, ip, body[1]))
}

fn attributes(octets: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut list, mut at) = (Vec::new(), 0);
    while let (Some(length), Some(kind)) = (u16_at(octets, at), u16_at(octets, at + 2)) {
        let Some(value) = octets.get(at + 4..at + usize::from(length)) else { break };
        list.push((kind & 0x3fff, value));
        at += usize::from(length).div_ceil(4) * 4;
    }
    list
}

/// Fields are hexadecimal: what was read is what is written there.
fn check_line(line: &str) {
    let Some((ip, prefix_length, name)) = fuzzing::ipv6_line(line) else { return };
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let number = |field: usize| u128::from_str_radix(fields[field], 16).expect("it was read");
    assert_eq!(ip, Ipv6Addr::from(number(0)));
    assert_eq!(u128::from(prefix_length), number(2));
    assert_eq!(number(4) & 0x48, 0, "tentative, or a duplicate");
    let length = fields[5].len().min(15);
    assert_eq!(name[..length], fields[5].as_bytes()[..length]);
    assert_eq!(name[15], 0, "it ends in NUL");
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}
