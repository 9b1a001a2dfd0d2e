//! Plays a script that a fuzzer wrote: a machine, a lookup, what it asks, what comes in and when. Keeps an account of its
//! own, by which it knows what may be believed and what the answer may hold.
//!
//! ```text
//! script  = topology, whatever the target wants to know, event...
//! event   = 0 milliseconds (1 octet) | 1 milliseconds (2 octets) | 2 ask | 3 ask from the group | packet
//! packet  = flags, source, destination, interface (1 octet each), payload
//! payload = length (2 octets), octets | number of records (1 octet), record...
//! ```
//! Zeros choose what is usual: a neighbour's answer to a question that was asked.

use std::net::IpAddr;
use std::time::Duration;

use resolver_core::Family;
use resolver_core::fuzzing::{Inner, LinkFacts, Lookup, OwnFacts, Packet};
use resolver_core::wire::Name;

use crate::input::Input;
use crate::plain;

const MAX_EVENTS: usize = 48;

/// The longest time that an answer is cached.
pub const MAX_TTL: Duration = Duration::from_secs(10);

const GROUPS: [&str; 2] = ["224.0.0.251", "ff02::fb"];

/// Addresses in and around the usual links, and some that no host has.
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

/// Names that packets talk of, in wire form.
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

/// The machine's links and addresses.
#[derive(Debug)]
pub struct Topology {
    pub links: Vec<LinkFacts>,
    pub own: Vec<OwnFacts>,
}

impl Topology {
    /// One of the usual ones, or any.
    pub fn read(input: &mut Input<'_>) -> Self {
        const FLAGS: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST;
        let two_links = vec![(2, FLAGS, false), (3, FLAGS, false)];
        let own = |list: &[(u32, &str, u8)]| list.iter().map(|&(i, ip, length)| (i, parse(ip), length)).collect();
        match input.u8() {
            0..=63 => Self {
                links: two_links,
                own: own(&[(2, "10.0.0.1", 24), (2, "fd00::1", 64), (2, "fe80::1", 64), (3, "192.168.1.1", 16)]),
            },
            64..=95 => Self { links: two_links, own: own(&[(2, "10.0.0.1", 24)]) },
            96..=127 => Self { links: two_links, own: own(&[(2, "fe80::1", 64), (2, "fd00::1", 64)]) },
            _ => Self::any(input),
        }
    }

    fn any(input: &mut Input<'_>) -> Self {
        let links = (0..input.u8() % 4).map(|_| (u32::from(input.u8() % 5), i32::from(input.u16()), input.u8() > 127));
        let links = links.collect();
        let own = (0..input.u8() % 5).map(|_| (u32::from(input.u8() % 5), address(input), input.u8()));
        Self { links, own: own.collect() }
    }

    /// An address with a prefix of no bits tells nothing of any link.
    fn usable(&self) -> impl Iterator<Item = &OwnFacts> {
        self.own.iter().filter(|&&(_, _, length)| length > 0)
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.usable().any(|&(_, own, _)| own == ip)
    }

    /// Link-local, or within a prefix of the interface.
    pub fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        is_link_local(ip)
            || self
                .usable()
                .any(|&(own_interface, own, length)| own_interface == interface && share_bits(own, ip, length.into()))
    }
}

/// A packet that was believed.
#[derive(Debug)]
pub struct Heard {
    pub source: IpAddr,
    pub interface: u32,
    /// The name that the lookup had come to, before it and by it.
    pub names: [Vec<u8>; 2],
    /// How long after the question that it answers; after the last one, if it came by multicast.
    pub delay: Duration,
    pub by_multicast: bool,
    /// Its records that count.
    pub said: Vec<Said>,
}

/// A record of class IN that is no goodbye, and that says one of these things of its owner.
#[derive(Debug)]
pub struct Said {
    pub owner: Vec<u8>,
    pub ttl: u32,
    pub what: What,
}

/// What a record says.
#[derive(Debug)]
pub enum What {
    Address(IpAddr),
    Alias(Vec<u8>),
    Pointer(Vec<u8>),
}

impl Heard {
    /// What was said of `name`, with the time to live.
    pub fn of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = (&'a What, u32)> {
        self.said.iter().filter(|said| plain::same(&said.owner, name)).map(|said| (&said.what, said.ttl))
    }

    /// The addresses among it.
    pub fn addresses_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = (IpAddr, u32)> + 'a {
        self.of(name).filter_map(|(what, ttl)| match what {
            What::Address(ip) => Some((*ip, ttl)),
            _ => None,
        })
    }
}

impl Said {
    fn read(record: &plain::Record<'_>) -> Option<Self> {
        let what = match record.rtype {
            1 | 28 => What::Address(record.address()?),
            5 => What::Alias(record.target()?),
            12 => What::Pointer(record.target()?),
            _ => return None,
        };
        let owner = record.owner.clone()?;
        (record.class & 0x7fff == 1 && record.ttl > 0).then_some(Self { owner, ttl: record.ttl, what })
    }
}

/// The script's own account of a lookup.
#[derive(Debug)]
pub struct Account {
    pub topology: Topology,
    /// The name that was looked up, in wire form.
    pub name: Vec<u8>,
    /// The believed packets.
    pub heard: Vec<Heard>,
    asked: Vec<Asked>,
    asked_from_group: Vec<(u32, Family)>,
    last_id: u16,
    asked_at: Duration,
}

/// A question from an ephemeral port.
#[derive(Debug)]
struct Asked {
    id: u16,
    interface: u32,
    transport: Family,
    /// The name that it asked for, in wire form.
    name: Vec<u8>,
    at: Duration,
}

impl Account {
    /// Of a lookup of `name`.
    pub fn new(topology: Topology, name: &Name) -> Self {
        Self {
            topology,
            name: name.as_wire().to_vec(),
            heard: Vec::new(),
            asked: Vec::new(),
            asked_from_group: Vec::new(),
            last_id: 0x1000,
            asked_at: Duration::ZERO,
        }
    }

    /// The rules of who is believed, written a second time.
    fn believes(&self, packet: &Packet<'_>, message: &plain::Message<'_>) -> bool {
        let family = if packet.source.is_ipv4() { Family::V4 } else { Family::V6 };
        let from_the_link = packet.hop_limit == Some(255)
            || self.topology.is_own(packet.source)
            || self.topology.is_on_link(packet.source, packet.interface);
        let expected = if packet.group {
            let asked = self.asked.iter().any(|asked| asked.is_by(packet))
                || self.asked_from_group.contains(&(packet.interface, packet.transport));
            asked && packet.destination.is_some_and(|to| GROUPS.iter().any(|group| parse(group) == to))
        } else {
            let asks_for = |name: &Vec<u8>| {
                message.questions.iter().all(|asked| asked.as_ref().is_some_and(|asked| plain::same(asked, name)))
            };
            self.question(message.id, packet).is_some_and(|question| asks_for(&question.name))
                && packet.destination.is_some_and(|to| self.topology.is_own(to))
                && message.questions.len() == message.question_count
        };
        !packet.truncated
            && packet.port == 5353
            && family == packet.transport
            && from_the_link
            && message.is_response()
            && expected
    }

    /// The question with this id, where the packet came in.
    fn question(&self, id: u16, packet: &Packet<'_>) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.id == id && asked.is_by(packet))
    }

    fn ask<C: Inner>(&mut self, lookup: &mut Lookup<C>, from_group: bool, at: Duration) {
        for (interface, families) in lookup.queried_interfaces().collect::<Vec<_>>() {
            for transport in families.iter() {
                for &rtype in lookup.question_types(transport, families.contains(transport.other())) {
                    self.asked_at = at;
                    if from_group {
                        lookup.on_query_sent_by_listener(interface, transport, at);
                        self.asked_from_group.push((interface, transport));
                    } else {
                        self.last_id += 1;
                        let id = self.last_id;
                        lookup.on_query_sent(id, interface, transport, rtype, at);
                        let name = lookup.name().as_wire().to_vec();
                        self.asked.push(Asked { id, interface, transport, name, at });
                    }
                }
            }
        }
    }

    fn hear<C: Inner>(&mut self, lookup: &mut Lookup<C>, packet: &Packet<'_>, at: Duration) {
        let before = lookup.name().as_wire().to_vec();
        let message = plain::Message::read(packet.octets);
        let believed = message.filter(|message| self.believes(packet, message));
        assert_eq!(lookup.on_packet(packet, at), believed.is_some(), "believed or not: {packet:?}");
        let Some(message) = believed else { return };
        let question = self.question(message.id, packet).filter(|_| !packet.group);
        let delay = at - question.map_or(self.asked_at, |question| question.at);
        self.heard.push(Heard {
            source: packet.source,
            interface: packet.interface,
            names: [before, lookup.name().as_wire().to_vec()],
            delay,
            by_multicast: packet.group,
            said: message.records.iter().filter_map(Said::read).collect(),
        });
    }
}

impl Asked {
    fn is_by(&self, packet: &Packet<'_>) -> bool {
        (self.interface, self.transport) == (packet.interface, packet.transport)
    }
}

/// Plays the events of a script; `observe` sees the lookup after each. Returns when it ended.
pub fn play<C: Inner>(
    lookup: &mut Lookup<C>,
    account: &mut Account,
    input: &mut Input<'_>,
    mut observe: impl FnMut(&Lookup<C>, &Account, Duration),
) -> Duration {
    let mut at = Duration::ZERO;
    account.ask(lookup, false, at);
    for _ in 0..MAX_EVENTS {
        if input.is_empty() {
            break;
        }
        match input.u8() {
            0 => at += Duration::from_millis(input.u8().into()),
            1 => at += Duration::from_millis(input.u16().into()),
            2 => account.ask(lookup, false, at),
            3 => account.ask(lookup, true, at),
            _ => {
                let mut octets = Vec::new();
                let packet = packet(input, account, lookup.name(), &mut octets);
                account.hear(lookup, &packet, at);
            }
        }
        observe(lookup, account, at);
        if lookup.take_new_name() {
            assert!(!lookup.take_new_name(), "it is said once");
            account.ask(lookup, false, at);
        }
    }
    at
}

fn packet<'a>(input: &mut Input<'_>, account: &Account, name: &Name, octets: &'a mut Vec<u8>) -> Packet<'a> {
    let (flags, source, destination, interface) = (input.u8(), input.u8(), input.u8(), input.u8());
    let group = flags & 1 != 0;
    let transport = if flags & 2 != 0 { Family::V6 } else { Family::V4 };
    let hop_limit = [None, Some(64), Some(254), Some(255)][usize::from(flags >> 2 & 3)];
    // The id of a question that was asked, over the same family and there; or anywhere; or any id.
    let asked = match interface {
        0..=127 => nth(account.asked.iter().filter(|asked| asked.transport == transport), interface),
        128..=191 => nth(account.asked.iter(), interface),
        192.. => None,
    };
    let interface = asked.filter(|_| interface < 128).map_or(u32::from(interface % 5), |asked| asked.interface);
    payload(input, account, name, flags & 16 != 0, octets);
    if let (Some(asked), Some(place)) = (asked, octets.get_mut(..2)) {
        place.copy_from_slice(&asked.id.to_be_bytes());
    }
    let v6 = transport == Family::V6;
    let usual_destination = if group { GROUPS } else { ["10.0.0.1", "fd00::1"] };
    Packet {
        group,
        transport,
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
        octets,
    }
}

/// One of `items`, as far round as `number` says.
fn nth<'a, T>(items: impl Iterator<Item = &'a T> + Clone, number: u8) -> Option<&'a T> {
    let count = items.clone().count().max(1);
    items.clone().nth(usize::from(number) % count)
}

fn payload(input: &mut Input<'_>, account: &Account, name: &Name, raw: bool, octets: &mut Vec<u8>) {
    if raw {
        let length = input.u16();
        octets.extend_from_slice(input.take(length.into()));
        return;
    }
    let count = input.u8();
    octets.extend_from_slice(&[0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if count & 0x80 != 0 {
        octets[5] = 1;
        octets.extend_from_slice(a_name(input, account, name));
        octets.extend_from_slice(&[0, 1, 0, 1]);
    }
    let mut records = 0;
    for _ in 0..count % 8 {
        records += record(input, account, name, octets);
    }
    octets[6..8].copy_from_slice(&records.to_be_bytes());
}

/// Writes a record, or many of one rtype; returns how many.
fn record(input: &mut Input<'_>, account: &Account, name: &Name, octets: &mut Vec<u8>) -> u16 {
    let owner = a_name(input, account, name);
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
        2 => write(5, a_name(input, account, name)),
        3 => write(12, a_name(input, account, name)),
        4 => {
            let bitmap = input.u8();
            let bits = [bitmap & 0x40, 0, 0, bitmap & 8];
            write(47, &[a_name(input, account, name), &[bitmap & 1, 4], &bits].concat());
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
            // A chain of aliases, and an address at its end.
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

/// The name that is asked for, the one that was at first, another, or any octets.
fn a_name<'a, 'i: 'a>(input: &mut Input<'i>, account: &'a Account, name: &'a Name) -> &'a [u8] {
    match input.u8() {
        0 => name.as_wire(),
        1 => &account.name,
        2 => b"\xc0\x0c",
        255 => {
            let length = input.u8();
            input.take(length.into())
        }
        number => NAMES[usize::from(number) % NAMES.len()],
    }
}

/// One of the known addresses, or any.
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

/// 169.254.0.0/16 and fe80::/10.
pub fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[..2] == [169, 254],
        IpAddr::V6(ip) => ip.octets()[0] == 0xfe && ip.octets()[1] & 0xc0 == 0x80,
    }
}

/// True if the first so many bits of two addresses are there and the same.
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
