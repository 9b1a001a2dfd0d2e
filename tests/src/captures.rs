//! Packets captured from real responders, to compare the scripted one with them: reads pcap files, and describes
//! responses without what differs between two runs. `lan_helper replay` sends the queries of a capture again.

use crate::datagram::Datagram;
use crate::wire::{Data, Message, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use test_packet::{AUTHORITATIVE, IN, MDNS_PORT, RESPONSE, TOP_BIT, types};

/// A captured packet.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The time since the capture started.
    pub at: Duration,
    /// The IP packet.
    pub packet: Vec<u8>,
}

/// The size of an Ethernet header.
const ETHERNET: usize = 14;

/// Reads a pcap file (draft-ietf-opsawg-pcap). Times count from the first packet.
///
/// # Errors
/// If the file cannot be read, or is not a little-endian one of Ethernet frames with times in microseconds.
pub fn read(file: &Path) -> Result<Vec<Captured>, String> {
    let octets = std::fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
    parse(&octets).ok_or_else(|| format!("{}: not a little-endian pcap file of Ethernet frames", file.display()))
}

fn parse(octets: &[u8]) -> Option<Vec<Captured>> {
    const MICROSECONDS: u32 = 0xa1b2_c3d4;
    const LINKTYPE_ETHERNET: u32 = 1;
    let word = |at: usize| Some(u32::from_le_bytes(octets.get(at..at + 4)?.try_into().ok()?));
    if (word(0)?, word(20)?) != (MICROSECONDS, LINKTYPE_ETHERNET) {
        return None;
    }
    let (mut packets, mut first, mut at) = (Vec::new(), None, 24);
    while at < octets.len() {
        let time = Duration::from_secs(word(at)?.into()) + Duration::from_micros(word(at + 4)?.into());
        let end = at + 16 + usize::try_from(word(at + 8)?).ok()?;
        let packet = octets.get(at + 16 + ETHERNET..end)?.to_vec();
        packets.push(Captured { at: time.saturating_sub(*first.get_or_insert(time)), packet });
        at = end;
    }
    Some(packets)
}

/// The line in which `lan_helper replay` prints a packet.
pub(crate) fn line(at: Duration, packet: &[u8]) -> String {
    let mut line = format!("packet {} ", at.as_micros());
    for octet in packet {
        let _ = write!(line, "{octet:02x}");
    }
    line
}

/// The packets that `lan_helper replay` printed.
///
/// # Errors
/// The first line that is none.
pub fn printed(text: &str) -> Result<Vec<Captured>, String> {
    text.lines().map(|line| parse_line(line).ok_or_else(|| format!("not a packet: {line}"))).collect()
}

fn parse_line(line: &str) -> Option<Captured> {
    let (at, digits) = line.strip_prefix("packet ")?.split_once(' ')?;
    let octet = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let packet = (0..digits.len()).step_by(2).map(octet).collect::<Option<Vec<u8>>>()?;
    Some(Captured { at: Duration::from_micros(at.parse().ok()?), packet })
}

/// A multicast DNS message with its addresses.
pub(crate) struct Sent<'a> {
    pub(crate) at: Duration,
    pub(crate) datagram: Datagram<'a>,
    message: Message,
}

impl Sent<'_> {
    fn is_response(&self) -> bool {
        self.message.flags & RESPONSE != 0
    }

    fn is_over_v6(&self) -> bool {
        self.datagram.source.is_ipv6()
    }

    /// Whether this unicast response was sent to the source port of the query and has its id.
    fn repeats_id_of(&self, query: &Sent) -> bool {
        self.message.id == query.message.id
            && self.datagram.destination.port() == query.datagram.source.port()
            && self.is_over_v6() == query.is_over_v6()
    }
}

fn messages(packets: &[Captured]) -> impl Iterator<Item = Sent<'_>> {
    packets.iter().filter_map(|Captured { at, packet }| {
        let datagram = Datagram::parse(packet)?;
        let is_mdns = [datagram.source.port(), datagram.destination.port()].contains(&MDNS_PORT);
        let message = Message::parse(datagram.payload).filter(|_| is_mdns)?;
        Some(Sent { at: *at, datagram, message })
    })
}

/// The queries among the packets.
pub(crate) fn queries(packets: &[Captured]) -> Vec<Sent<'_>> {
    messages(packets).filter(|sent| !sent.is_response()).collect()
}

/// The host name that was queried, and the addresses of that host in the responses.
pub fn host(packets: &[Captured]) -> Option<(String, Vec<IpAddr>)> {
    let questions = queries(packets).into_iter().flat_map(|query| query.message.questions);
    let name = questions.map(|question| question.name).find(|name| !name.ends_with(".arpa"))?;
    let mut addresses = Vec::new();
    for response in messages(packets).filter(Sent::is_response) {
        for record in response.message.answers.iter().chain(&response.message.additional) {
            match record.data {
                Data::Address(address) if !addresses.contains(&address) => addresses.push(address),
                _ => {}
            }
        }
    }
    Some((name, addresses))
}

/// Describes the responses among the packets, and counts those with the same description. It has what a querier can
/// tell apart: the transport, unicast or multicast, ports, hop limit, whose id, the question, and the records with their
/// sections, TTLs and cache-flush bits. Addresses are reduced to their kind, and names are left out.
///
/// With `joins`, multicast responses with the same attributes count as one that has the records of all: for responders
/// that answer several queries with one multicast response, depending on when they arrive.
pub fn describe(packets: &[Captured], joins: bool) -> BTreeMap<String, usize> {
    let queries = queries(packets);
    let (mut descriptions, mut joined) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for response in messages(packets).filter(Sent::is_response) {
        let (attributes, records) = (attributes(&response, &queries), records(&response.message));
        if joins && is_multicast(&response) {
            joined.entry(attributes).or_default().extend(records);
        } else {
            *descriptions.entry(attributes + &records.concat()).or_default() += 1;
        }
    }
    for (attributes, records) in joined {
        descriptions.insert(attributes + &records.into_iter().collect::<String>(), 1);
    }
    descriptions
}

fn is_multicast(response: &Sent) -> bool {
    response.datagram.destination.ip().is_multicast()
}

fn attributes(response: &Sent, queries: &[Sent]) -> String {
    let Sent { datagram, message, .. } = response;
    let transport = if response.is_over_v6() { "IPv6" } else { "IPv4" };
    let to = match datagram.destination.port() {
        _ if is_multicast(response) => "multicast",
        MDNS_PORT => "unicast to port 5353",
        _ => "unicast to the ephemeral port",
    };
    let from = if datagram.source.port() == MDNS_PORT { "port 5353" } else { "an ephemeral port" };
    let repeats_id = |query: &Sent| match is_multicast(response) {
        true => query.message.id == message.id,
        false => response.repeats_id_of(query),
    };
    let id = match message.id {
        0 => "id 0",
        _ if queries.iter().any(repeats_id) => "id of the query",
        _ => "another id",
    };
    let mut text = format!("{transport}, {to} from {from}, hop limit {}, {id}", datagram.hop_limit);
    if message.flags != RESPONSE | AUTHORITATIVE {
        let _ = write!(text, ", flags {:04x}", message.flags);
    }
    for question in &message.questions {
        let unicast = if question.class & TOP_BIT != 0 { " QU" } else { "" };
        let _ = write!(text, "; question {}{unicast}", type_name(question.rtype));
    }
    text
}

/// The descriptions of the records, sorted in each section.
fn records(message: &Message) -> Vec<String> {
    let section = |name: &str, records: &[Record]| {
        let mut texts: Vec<_> = records.iter().map(|record| format!("; {name} {}", describe_record(record))).collect();
        texts.sort();
        texts
    };
    [section("answer", &message.answers), section("additional", &message.additional)].concat()
}

fn describe_record(record: &Record) -> String {
    let data = match &record.data {
        Data::Address(IpAddr::V4(_)) => "A".into(),
        Data::Address(IpAddr::V6(address)) if address.is_unicast_link_local() => "AAAA link-local".into(),
        Data::Address(IpAddr::V6(_)) => "AAAA".into(),
        Data::Cname(_) => "CNAME".into(),
        Data::Ptr(_) => "PTR".into(),
        Data::Nsec { types, .. } => {
            let names: Vec<_> = types.iter().copied().map(type_name).collect();
            format!("NSEC of {}", names.join(" "))
        }
    };
    let class = match record.class {
        IN => "",
        class if class == IN | TOP_BIT => " flush",
        _ => " of another class",
    };
    format!("{data} TTL {}{class}", record.ttl)
}

fn type_name(rtype: u16) -> String {
    match rtype {
        types::A => "A".into(),
        types::AAAA => "AAAA".into(),
        types::PTR => "PTR".into(),
        types::ANY => "ANY".into(),
        _ => format!("TYPE{rtype}"),
    }
}

/// The shortest time from a query to the unicast response that repeats its id, if there is one.
pub fn shortest_delay(packets: &[Captured]) -> Option<Duration> {
    let queries = queries(packets);
    let delay = |response: Sent| {
        let query = queries.iter().find(|query| query.message.id != 0 && response.repeats_id_of(query))?;
        Some(response.at.saturating_sub(query.at))
    };
    messages(packets).filter(|sent| sent.is_response() && !is_multicast(sent)).filter_map(delay).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_packet_reads_the_same() {
        let packets = printed(&line(Duration::from_micros(1500), &[0x45, 0, 0xff])).unwrap();
        assert_eq!((packets[0].at, &packets[0].packet[..]), (Duration::from_micros(1500), &[0x45, 0, 0xff][..]));
        assert!(printed("packet 1 4").is_err());
        assert!(printed("ready").is_err());
    }

    #[test]
    fn a_pcap_file_has_a_header_before_each_packet() {
        let header = [&0xa1b2_c3d4u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 12], &[1, 0, 0, 0]].concat();
        let frame = |seconds: u8, micros: u8, octet: u8| {
            [&[seconds, 0, 0, 0, micros, 0, 0, 0, 15, 0, 0, 0, 15, 0, 0, 0][..], &[0; ETHERNET], &[octet]].concat()
        };
        let file = [header.clone(), frame(7, 9, 1), frame(8, 10, 2)].concat();
        let packets = parse(&file).unwrap();
        assert_eq!((packets[0].at, &packets[0].packet[..]), (Duration::ZERO, &[1][..]));
        assert_eq!((packets[1].at, &packets[1].packet[..]), (Duration::from_micros(1_000_001), &[2][..]));
        assert!(parse(&file[..file.len() - 1]).is_none());
        assert!(parse(&header[4..]).is_none());
    }
}
