//! Plays a script that the fuzzer generates: this machine's interfaces, a lookup, its queries, and the datagrams that
//! arrive and when. A model of the lookup, independent of the code under test, says which datagrams must be accepted
//! and what the answer may contain.
//!
//! ```text
//! script   = topology, what the target reads itself, event...
//! event    = 0, milliseconds to wait (1 octet)
//!          | 1, milliseconds to wait (2 octets)
//!          | 2 (queries from an ephemeral port)
//!          | 3 (queries by the multicast listeners)
//!          | any other octet, datagram
//! datagram = flags, source, destination, interface (1 octet each), payload
//! payload  = length (2 octets), octets | number of records (1 octet), record...
//! ```
//! Zeros select the common case: a response from a host on the link to a query that was sent.

use std::net::IpAddr;
use std::time::Duration;

use resolver_core::Family;
use resolver_core::fuzzing::Lookup;
use resolver_core::net::links::{Link, LinkName, LocalAddress, Tables};
use resolver_core::net::socket::{Datagram, Received, SocketKind};
use resolver_core::wire::Name;

use crate::input::Input;
use crate::reference_parser;

/// The most events that are played.
const MAX_EVENTS: usize = 48;

/// The maximum time that an answer is cached.
pub const MAX_TTL: Duration = Duration::from_secs(10);

/// The multicast groups of IPv4 and IPv6.
const GROUPS: [&str; 2] = ["224.0.0.251", "ff02::fb"];

/// Addresses on the usual links, outside them, and some that no host can have.
const ADDRESSES: [&str; 32] = [
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.1",
    "192.168.1.9",
    "192.168.1.1",
    "169.254.3.4",
    "10.9.0.2",
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.0.9",
    "224.0.0.251",
    "239.1.2.3",
    "255.255.255.255",
    "8.8.8.8",
    "172.17.0.1",
    "fe80::2",
    "fd00::2",
    "fd00::1",
    "fd00:0:0:1::2",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "2001:db8::2",
    "::",
    "::1",
    "::10.0.0.2",
    "::ffff:10.0.0.2",
    "::ffff:127.0.0.1",
    "ff02::fb",
    "ff0e::1",
    "64:ff9b::a00:2",
];

/// Names for the records of packets, in wire form.
const NAMES: [&[u8]; 13] = [
    b"\x07printer\x05local\x00",
    b"\x07PRINTER\x05LoCaL\x00",
    b"\x05alias\x05local\x00",
    b"\x04host\x05local\x00",
    b"\x05other\x05local\x00",
    b"\x01a\x01b\x05local\x00",
    b"\x05local\x00",
    b"\x00",
    b"\x03www\x07example\x00",
    b"\x03a b\x05local\x00",
    b"\x03a\x1bb\x05local\x00",
    b"\x02-f\x05local\x00",
    b"\x03a.b\x05local\x00",
];

/// This machine's links and addresses.
#[derive(Debug)]
pub struct Topology {
    pub tables: Tables,
}

impl Topology {
    /// Reads a topology from the input: one of three common ones, or an arbitrary one.
    pub fn read(input: &mut Input<'_>) -> Self {
        const FLAGS: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST;
        let with = |addresses: &[(u32, &str, u8)]| Self {
            tables: Tables {
                links: vec![link(2, FLAGS, false), link(3, FLAGS, false)],
                addresses: addresses.iter().map(|&(interface, ip, length)| own(interface, parse(ip), length)).collect(),
            },
        };
        match input.u8() {
            0..=63 => with(&[(2, "10.0.0.1", 24), (2, "fd00::1", 64), (2, "fe80::1", 64), (3, "192.168.1.1", 16)]),
            64..=95 => with(&[(2, "10.0.0.1", 24)]),
            96..=127 => with(&[(2, "fe80::1", 64), (2, "fd00::1", 64)]),
            _ => Self::any(input),
        }
    }

    fn any(input: &mut Input<'_>) -> Self {
        let links = (0..input.u8() % 4).map(|_| link((input.u8() % 5).into(), input.u16().into(), input.u8() > 127));
        let links = links.collect();
        let addresses = (0..input.u8() % 5).map(|_| own((input.u8() % 5).into(), address(input), input.u8()));
        Self { tables: Tables { links, addresses: addresses.collect() } }
    }

    /// The addresses that count. A prefix of length 0 says nothing about a link.
    fn usable(&self) -> impl Iterator<Item = &LocalAddress> {
        self.tables.addresses.iter().filter(|own| own.prefix_length > 0)
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.usable().any(|own| own.ip == ip)
    }

    /// True if `ip` is link-local, or within a prefix of the interface.
    pub fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        let is_within =
            |own: &LocalAddress| own.interface == interface && share_bits(own.ip, ip, own.prefix_length.into());
        is_link_local(ip) || self.usable().any(is_within)
    }
}

fn link(index: u32, flags: i32, is_port: bool) -> Link {
    Link { index, name: LinkName::default(), flags, is_port }
}

fn own(interface: u32, ip: IpAddr, prefix_length: u8) -> LocalAddress {
    LocalAddress { interface, ip, prefix_length }
}

/// A datagram that was accepted as a response.
#[derive(Debug)]
pub struct Response {
    pub source: IpAddr,
    pub interface: u32,
    /// The name that the lookup asked for before this response.
    pub name_before: Vec<u8>,
    /// The name that the lookup asked for after this response.
    pub name_after: Vec<u8>,
    /// The time from the query that it answers or, if it is a multicast response, from the last query.
    pub delay: Duration,
    pub by_multicast: bool,
    /// Its usable records.
    pub records: Vec<UsableRecord>,
}

/// A record of class IN with a TTL greater than 0, and with valid data of one of the types in [`Data`].
#[derive(Debug)]
pub struct UsableRecord {
    pub owner: Vec<u8>,
    pub ttl: u32,
    pub data: Data,
}

/// The data of a record. Names are in wire form.
#[derive(Debug)]
pub enum Data {
    Address(IpAddr),
    Alias(Vec<u8>),
    Pointer(Vec<u8>),
}

impl Response {
    /// The data and the TTL of each record of `name`.
    pub fn records_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = (&'a Data, u32)> {
        let records = self.records.iter().filter(|record| reference_parser::is_same_name(&record.owner, name));
        records.map(|record| (&record.data, record.ttl))
    }

    /// The address and the TTL of each A and AAAA record of `name`.
    pub fn addresses_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = (IpAddr, u32)> + 'a {
        self.records_of(name).filter_map(|(data, ttl)| match data {
            Data::Address(ip) => Some((*ip, ttl)),
            _ => None,
        })
    }
}

impl UsableRecord {
    fn read(record: &reference_parser::Record<'_>) -> Option<Self> {
        let data = match record.rtype {
            1 | 28 => Data::Address(record.address()?),
            5 => Data::Alias(record.target()?),
            12 => Data::Pointer(record.target()?),
            _ => return None,
        };
        let owner = record.owner.clone()?;
        (record.class & 0x7fff == 1 && record.ttl > 0).then_some(Self { owner, ttl: record.ttl, data })
    }
}

/// An independent model of a lookup.
#[derive(Debug)]
pub struct Model {
    pub topology: Topology,
    /// The name that was looked up, in wire form.
    pub name: Vec<u8>,
    /// The accepted responses so far.
    pub responses: Vec<Response>,
    queries: Vec<Query>,
    // The interface and transport of each query by a multicast listener.
    listener_queries: Vec<(u32, Family)>,
    last_id: u16,
    last_query_at: Duration,
}

/// A query from an ephemeral port.
#[derive(Debug)]
struct Query {
    id: u16,
    interface: u32,
    transport: Family,
    /// The name that it asked for, in wire form.
    name: Vec<u8>,
    at: Duration,
}

impl Model {
    /// The model of a lookup of `name`.
    pub fn new(topology: Topology, name: &Name) -> Self {
        Self {
            topology,
            name: name.as_wire().to_vec(),
            responses: Vec::new(),
            queries: Vec::new(),
            listener_queries: Vec::new(),
            last_id: 0x1000,
            last_query_at: Duration::ZERO,
        }
    }

    /// True if the datagram must be accepted: the rules of `resolver_core::validate`, implemented a second time.
    fn accepts(&self, datagram: &Datagram, message: &reference_parser::Message<'_>) -> bool {
        let Datagram { socket, transport, received } = datagram;
        let family = if received.source.is_ipv4() { Family::V4 } else { Family::V6 };
        let is_from_the_link = received.hop_limit == Some(255)
            || self.topology.is_own(received.source)
            || self.topology.is_on_link(received.source, received.interface);
        let is_expected = match socket {
            SocketKind::MulticastListener => {
                let was_queried = self.queries.iter().any(|query| query.is_on_path_of(datagram))
                    || self.listener_queries.contains(&(received.interface, *transport));
                was_queried && received.destination.is_some_and(|to| GROUPS.iter().any(|group| parse(group) == to))
            }
            SocketKind::Ephemeral => {
                let is_about = |name: &[u8]| {
                    message.questions.iter().all(|question| {
                        question.as_ref().is_some_and(|question| reference_parser::is_same_name(question, name))
                    })
                };
                self.query(message.id, datagram).is_some_and(|query| is_about(&query.name))
                    && received.destination.is_some_and(|to| self.topology.is_own(to))
                    && message.questions.len() == message.question_count
            }
        };
        !received.truncated
            && received.port == 5353
            && family == *transport
            && is_from_the_link
            && message.is_response()
            && is_expected
    }

    /// The query with this id, if it was sent on the interface and transport of the datagram.
    fn query(&self, id: u16, datagram: &Datagram) -> Option<&Query> {
        self.queries.iter().find(|query| query.id == id && query.is_on_path_of(datagram))
    }

    /// Sends the queries that the lookup wants to send, on all interfaces.
    fn send_queries(&mut self, lookup: &mut Lookup, by_listener: bool, at: Duration) {
        for (interface, families) in lookup.queried_interfaces().collect::<Vec<_>>() {
            for transport in families.iter() {
                for &rtype in lookup.question_types(transport, families.contains(transport.other())) {
                    self.last_query_at = at;
                    if by_listener {
                        lookup.on_query_sent_by_listener(interface, transport, at);
                        self.listener_queries.push((interface, transport));
                    } else {
                        self.last_id += 1;
                        let id = self.last_id;
                        lookup.on_query_sent(id, interface, transport, rtype, at);
                        let name = lookup.name().as_wire().to_vec();
                        self.queries.push(Query { id, interface, transport, name, at });
                    }
                }
            }
        }
    }

    /// Delivers a datagram to the lookup, and checks that it is accepted exactly if it must be.
    fn deliver(&mut self, lookup: &mut Lookup, datagram: &Datagram, octets: &[u8], at: Duration) {
        let name_before = lookup.name().as_wire().to_vec();
        let accepted = reference_parser::Message::read(octets).filter(|message| self.accepts(datagram, message));
        let is_accepted = lookup.on_datagram(datagram, octets, at);
        assert_eq!(is_accepted, accepted.is_some(), "accepted: {datagram:?} {octets:?}");
        let Some(message) = accepted else { return };
        let by_multicast = datagram.socket == SocketKind::MulticastListener;
        let query = self.query(message.id, datagram).filter(|_| !by_multicast);
        let delay = at - query.map_or(self.last_query_at, |query| query.at);
        self.responses.push(Response {
            source: datagram.received.source,
            interface: datagram.received.interface,
            name_before,
            name_after: lookup.name().as_wire().to_vec(),
            delay,
            by_multicast,
            records: message.records.iter().filter_map(UsableRecord::read).collect(),
        });
    }
}

impl Query {
    /// True if the query left by the interface and over the transport that the datagram arrived on.
    fn is_on_path_of(&self, datagram: &Datagram) -> bool {
        (self.interface, self.transport) == (datagram.received.interface, datagram.transport)
    }
}

/// Plays the events of a script, and calls `observe` after each. Returns the time at which the script ends.
pub fn play(
    lookup: &mut Lookup,
    model: &mut Model,
    input: &mut Input<'_>,
    mut observe: impl FnMut(&Lookup, &Model, Duration),
) -> Duration {
    let mut at = Duration::ZERO;
    model.send_queries(lookup, false, at);
    for _ in 0..MAX_EVENTS {
        if input.is_empty() {
            break;
        }
        match input.u8() {
            0 => at += Duration::from_millis(input.u8().into()),
            1 => at += Duration::from_millis(input.u16().into()),
            2 => model.send_queries(lookup, false, at),
            3 => model.send_queries(lookup, true, at),
            _ => {
                let mut octets = Vec::new();
                let datagram = datagram(input, model, lookup.name(), &mut octets);
                model.deliver(lookup, &datagram, &octets, at);
            }
        }
        observe(lookup, model, at);
        if lookup.take_new_name() {
            assert!(!lookup.take_new_name(), "a new name is reported once");
            model.send_queries(lookup, false, at);
        }
    }
    at
}

/// Reads a datagram from the input, and writes its octets to `octets`.
fn datagram(input: &mut Input<'_>, model: &Model, name: &Name, octets: &mut Vec<u8>) -> Datagram {
    let (flags, source, destination, interface) = (input.u8(), input.u8(), input.u8(), input.u8());
    let to_group = flags & 1 != 0;
    let transport = if flags & 2 != 0 { Family::V6 } else { Family::V4 };
    let hop_limit = [None, Some(64), Some(254), Some(255)][usize::from(flags >> 2 & 3)];
    // It answers a query over the same transport on the same interface, or any query, or none.
    let query = match interface {
        0..=127 => nth(model.queries.iter().filter(|query| query.transport == transport), interface),
        128..=191 => nth(model.queries.iter(), interface),
        192.. => None,
    };
    let interface = query.filter(|_| interface < 128).map_or(u32::from(interface % 5), |query| query.interface);
    payload(input, model, name, flags & 16 != 0, octets);
    if let (Some(query), Some(id)) = (query, octets.get_mut(..2)) {
        id.copy_from_slice(&query.id.to_be_bytes());
    }
    let v6 = transport == Family::V6;
    let usual_destination = if to_group { GROUPS } else { ["10.0.0.1", "fd00::1"] };
    let received = Received {
        length: octets.len(),
        truncated: flags & 0x80 != 0,
        source: if source == 0 { parse(if v6 { "fe80::2" } else { "10.0.0.2" }) } else { known(source) },
        port: if flags & 0x40 != 0 { 53 } else { 5353 },
        destination: match destination {
            0 => Some(parse(usual_destination[usize::from(v6)])),
            255 => None,
            _ => Some(known(destination)),
        },
        interface,
        hop_limit,
    };
    let socket = if to_group { SocketKind::MulticastListener } else { SocketKind::Ephemeral };
    Datagram { socket, transport, received }
}

/// The item number `number`, counted from the start again after the last item. None if there are no items.
fn nth<'a, T>(items: impl Iterator<Item = &'a T> + Clone, number: u8) -> Option<&'a T> {
    let count = items.clone().count().max(1);
    items.clone().nth(usize::from(number) % count)
}

/// Reads the payload of a datagram: octets as they are if `raw`, otherwise a response that is built from records.
fn payload(input: &mut Input<'_>, model: &Model, name: &Name, raw: bool, octets: &mut Vec<u8>) {
    if raw {
        let length = input.u16();
        octets.extend_from_slice(input.take(length.into()));
        return;
    }
    let count = input.u8();
    octets.extend_from_slice(&[0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if count & 0x80 != 0 {
        octets[5] = 1;
        octets.extend_from_slice(a_name(input, model, name));
        octets.extend_from_slice(&[0, 1, 0, 1]);
    }
    let mut records = 0;
    for _ in 0..count % 8 {
        records += record(input, model, name, octets);
    }
    octets[6..8].copy_from_slice(&records.to_be_bytes());
}

/// Writes one record, or several records of a form that random input rarely has. Returns the number of records.
fn record(input: &mut Input<'_>, model: &Model, name: &Name, octets: &mut Vec<u8>) -> u16 {
    let owner = a_name(input, model, name);
    let (form, fields) = (input.u8(), input.u8());
    let class = [0x8001, 1, 3, 0x80ff][usize::from(fields & 3)];
    let ttl = [120, 10, 1, 0, u32::MAX, 4500, 2, 7][usize::from(fields >> 2 & 7)];
    let mut write_of = |owner: &[u8], rtype: u16, data: &[u8]| {
        octets.extend_from_slice(owner);
        octets.extend_from_slice(&rtype.to_be_bytes());
        octets.extend_from_slice(&u16::to_be_bytes(class));
        octets.extend_from_slice(&u32::to_be_bytes(ttl));
        octets.extend_from_slice(&u16::try_from(data.len()).expect("short").to_be_bytes());
        octets.extend_from_slice(data);
    };
    let mut write = |rtype: u16, data: &[u8]| write_of(owner, rtype, data);
    match form % 9 {
        0 | 1 => match address(input) {
            IpAddr::V4(ip) => write(1, &ip.octets()),
            IpAddr::V6(ip) => write(28, &ip.octets()),
        },
        2 => write(5, a_name(input, model, name)),
        3 => write(12, a_name(input, model, name)),
        4 => {
            let bitmap = input.u8();
            let bits = [bitmap & 0x40, 0, 0, bitmap & 8];
            write(47, &[a_name(input, model, name), &[bitmap & 1, 4], &bits].concat());
        }
        5 => {
            let (rtype, length) = (input.u8(), input.u8());
            write(rtype.into(), input.take((length % 64).into()));
        }
        6 => {
            let [high, low] = input.array();
            let count = if fields & 0x60 == 0x60 { 255 } else { 3 };
            for host in 1..=count {
                write(1, &[10, high, low, host]);
            }
            return count.into();
        }
        7 => {
            let data = input.array::<16>();
            write(28, &data);
        }
        _ => {
            // A chain of aliases that ends at an address.
            let count = input.u8() % 16;
            let name = |number: u8| [b"\x02c", &[b'a' + number][..], b"\x05local\x00"].concat();
            write(5, &name(0));
            (0..count).for_each(|number| write_of(&name(number), 5, &name(number + 1)));
            write_of(&name(count), 1, &[10, 0, 0, count]);
            return u16::from(count) + 2;
        }
    }
    1
}

/// The name that the lookup asks for, the name that was looked up, a pointer to the first name in the packet, a known
/// name, or arbitrary octets.
fn a_name<'a, 'i: 'a>(input: &mut Input<'i>, model: &'a Model, name: &'a Name) -> &'a [u8] {
    match input.u8() {
        0 => name.as_wire(),
        1 => &model.name,
        2 => b"\xc0\x0c",
        255 => {
            let length = input.u8();
            input.take(length.into())
        }
        number => NAMES[usize::from(number) % NAMES.len()],
    }
}

/// A known address, or an arbitrary one.
pub fn address(input: &mut Input<'_>) -> IpAddr {
    match input.u8() {
        254 => input.v4(),
        255 => input.v6(),
        number => known(number),
    }
}

fn known(number: u8) -> IpAddr {
    parse(ADDRESSES[usize::from(number) % ADDRESSES.len()])
}

fn parse(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// True for 169.254.0.0/16 and fe80::/10.
pub fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[..2] == [169, 254],
        IpAddr::V6(ip) => ip.octets()[0] == 0xfe && ip.octets()[1] & 0xc0 == 0x80,
    }
}

/// True if two addresses of one family have the same first `count` bits. False if they have fewer bits.
fn share_bits(one: IpAddr, other: IpAddr, count: usize) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same_bits(&one.octets(), &other.octets(), count),
        (IpAddr::V6(one), IpAddr::V6(other)) => same_bits(&one.octets(), &other.octets(), count),
        _ => false,
    }
}

fn same_bits(one: &[u8], other: &[u8], count: usize) -> bool {
    let bit = |octets: &[u8], number: usize| octets[number / 8] << (number % 8) & 128;
    count <= 8 * one.len() && (0..count).all(|number| bit(one, number) == bit(other, number))
}
