//! Well-formed DNS messages (RFC 1035, section 4), as far as the responders, the DNS server and the attacker need them.
//! Malformed ones are written with [`test_packet`].
//!
//! This shares no code with the module under test, so that a mistake there is not repeated here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::{Packet, Section, nsec_data, pointer, types, wire};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Name, in dotted form without the last dot.
    pub name: String,
    /// Type.
    pub rtype: u16,
    /// Class, with its top bit.
    pub class: u16,
}

/// The data of a record, for the types that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME.
    Cname(String),
    /// PTR.
    Ptr(String),
    /// NSEC whose next name is the owner.
    Nsec {
        /// Whether the next name is written as a pointer to the owner. False in a message that was read.
        compressed: bool,
        /// The types in the bitmap.
        types: Vec<u16>,
    },
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Owner.
    pub name: String,
    /// Class, with its top bit.
    pub class: u16,
    /// TTL, in seconds.
    pub ttl: u32,
    /// Data.
    pub data: Data,
}

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Identifier.
    pub id: u16,
    /// Flags, opcode and response code.
    pub flags: u16,
    /// Questions.
    pub questions: Vec<Question>,
    /// Answers.
    pub answers: Vec<Record>,
    /// Authority and additional records. They are written as additional records.
    pub additional: Vec<Record>,
    /// Whether a message that was read has a record without data, such as an empty OPT record.
    pub has_empty_record: bool,
}

impl Message {
    /// Reads a message. Records of other types than those of [`Data`] are left out. None if it is malformed.
    pub fn parse(packet: &[u8]) -> Option<Message> {
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let mut message = Message { id: word(0)?, flags: word(2)?, ..Message::default() };
        let mut at = 12;
        for _ in 0..word(4)? {
            let (name, end) = parse_name(packet, at)?;
            message.questions.push(Question { name, rtype: word(end)?, class: word(end + 2)? });
            at = end + 4;
        }
        let (answers, rest) = (word(6)?, word(8)?.checked_add(word(10)?)?);
        for number in 0..answers.checked_add(rest)? {
            let (name, end) = parse_name(packet, at)?;
            let (rtype, class, length) = (word(end)?, word(end + 2)?, usize::from(word(end + 8)?));
            let ttl = u32::from(word(end + 4)?) << 16 | u32::from(word(end + 6)?);
            at = end + 10 + length;
            message.has_empty_record |= length == 0;
            let Some(data) = parse_data(packet, rtype, end + 10, at) else { continue };
            let section = if number < answers { &mut message.answers } else { &mut message.additional };
            section.push(Record { name, class, ttl, data });
        }
        Some(message)
    }

    /// Writes a message. Names are not compressed, except where [`Data::Nsec`] says so.
    pub fn bytes(&self) -> Vec<u8> {
        let mut packet = Packet::new(self.id).flags(self.flags);
        for Question { name, rtype, class } in &self.questions {
            packet = packet.question_with(name, *rtype, *class);
        }
        packet = self.answers.iter().fold(packet, add_record).section(Section::Additional);
        self.additional.iter().fold(packet, add_record).into_octets()
    }
}

fn add_record(packet: Packet, record: &Record) -> Packet {
    let Record { name, class, ttl, data } = record;
    let (owner, rtype) = (packet.len(), data.rtype());
    match data {
        Data::Address(address) => packet.address_with(name, *class, *ttl, *address),
        Data::Cname(target) | Data::Ptr(target) => packet.record_with(name, rtype, *class, *ttl, &wire(target)),
        Data::Nsec { compressed, types } => {
            let data = if *compressed { nsec_data(&pointer(owner), 0, types) } else { nsec_data(name, 0, types) };
            packet.record_with(name, rtype, *class, *ttl, &data)
        }
    }
}

impl Data {
    /// The record type.
    pub fn rtype(&self) -> u16 {
        match self {
            Data::Address(IpAddr::V4(_)) => types::A,
            Data::Address(IpAddr::V6(_)) => types::AAAA,
            Data::Cname(_) => types::CNAME,
            Data::Ptr(_) => types::PTR,
            Data::Nsec { .. } => types::NSEC,
        }
    }
}

/// The name that a reverse lookup of an address queries (RFC 1035, section 3.5; RFC 3596, section 2.5).
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

/// Reads the name at an offset. Returns it in dotted form, and the offset after it. A compression pointer must point
/// to an offset before all octets of the name read so far.
pub fn parse_name(packet: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut labels, mut at, mut end, mut limit) = (Vec::new(), start, None, packet.len());
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => return Some((labels.join("."), end.unwrap_or(at + 1))),
            0xc0.. => {
                let target = (length & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
                end = end.or(Some(at + 2));
                if target >= limit.min(at) {
                    return None;
                }
                (at, limit) = (target, target);
            }
            1..64 => {
                labels.push(String::from_utf8_lossy(packet.get(at + 1..=at + length)?).into_owned());
                at += length + 1;
            }
            _ => return None,
        }
    }
}

fn parse_data(packet: &[u8], rtype: u16, start: usize, end: usize) -> Option<Data> {
    let bytes = packet.get(start..end)?;
    Some(match rtype {
        types::A => Data::Address(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        types::AAAA => Data::Address(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        types::CNAME => Data::Cname(parse_name(packet, start)?.0),
        types::PTR => Data::Ptr(parse_name(packet, start)?.0),
        types::NSEC => {
            let (_, bitmap) = parse_name(packet, start)?;
            let bits = packet.get(bitmap + 2..end)?;
            let types = (0..256u16)
                .filter(|rtype| bits.get(usize::from(rtype / 8)).is_some_and(|octet| octet & 0x80 >> (rtype % 8) != 0));
            Data::Nsec { compressed: false, types: types.collect() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_packet::{IN, RESPONSE};

    #[test]
    fn a_written_message_reads_the_same() {
        let record = |data| Record { name: "printer.local".into(), class: IN, ttl: 120, data };
        let message = Message {
            id: 7,
            flags: RESPONSE,
            questions: vec![Question { name: "printer.local".into(), rtype: types::A, class: IN }],
            answers: vec![
                record(Data::Address(Ipv4Addr::new(10, 0, 0, 1).into())),
                record(Data::Address(Ipv6Addr::LOCALHOST.into())),
                record(Data::Cname("other.local".into())),
                record(Data::Ptr("printer.local".into())),
            ],
            additional: vec![record(Data::Nsec { compressed: false, types: vec![types::A, types::AAAA] })],
            has_empty_record: false,
        };
        assert_eq!(Message::parse(&message.bytes()), Some(message));
    }

    #[test]
    fn reverse_names_are_those_of_the_rfcs() {
        assert_eq!(reverse_name(Ipv4Addr::new(10, 77, 1, 2).into()), "2.1.77.10.in-addr.arpa");
        let v6 = reverse_name(Ipv6Addr::LOCALHOST.into());
        assert!(v6.starts_with("1.0.0.") && v6.ends_with(".0.ip6.arpa") && v6.len() == 72, "{v6}");
    }
}
