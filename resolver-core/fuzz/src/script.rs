//! Plays a script that the fuzzer generates: this machine's interfaces, a lookup, its questions, and the datagrams that
//! arrive and when. A model of the lookup, independent of the code under test, says which datagrams must be accepted
//! and what the answer may contain.
//!
//! ```text
//! script   = topology, what the target reads itself, [255, failures], event...
//! event    = 0, milliseconds to wait (1 octet)
//!          | 1, milliseconds to wait (2 octets)
//!          | 2 (the questions are repeated, if there is no response yet)
//!          | 3 (the neighbours are asked, if there is no response yet)
//!          | 252, number of an address (a daemon on this machine reports the address)
//!          | 253, milliseconds (the process wakes up only then, because the machine is busy)
//!          | 254 (the lookup waits as long as it wants to)
//!          | 255, failures (which questions cannot be sent from now on: the bits of `Failures`)
//!          | any other octet, datagram
//! datagram = flags, source, destination, interface (1 octet each), payload
//! payload  = length (2 octets), octets
//!          | number of records and flags (1 octet), [name of a question], record...
//! ```
//! Zeros select the common case: a response from a host on the link to a question that was sent.
//!
//! The script decides when the rounds of a lookup without a response take place. Follow-up questions are sent whenever
//! the lookup is woken, as the querier does.

use std::net::IpAddr;
use std::time::Duration;

use resolver_core::fuzzing::{Lookup, Question, Round, State, To};
use resolver_core::net::links::{Link, LinkKind, LinkName, LocalAddress, Tables};
use resolver_core::net::socket::{Datagram, Received, SocketKind};
use resolver_core::wire::Name;
use resolver_core::{Address, Family};

use crate::input::Input;
use crate::reference_parser;

/// The most events that are played.
const MAX_EVENTS: usize = 48;

/// How long a lookup takes at most.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The neighbours that are asked, of IPv4 and IPv6.
const NEIGHBOURS: [&str; 2] = ["10.0.0.3", "fe80::3"];

/// The addresses that a daemon on this machine reports.
const FROM_DAEMON: [&str; 3] = ["10.0.0.2", "fd00::2", "fe80::2"];

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
                default_route: 0,
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
        Self { tables: Tables { links, addresses: addresses.collect(), default_route: 0 } }
    }

    /// True if `ip` is an address of this machine.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        self.tables.addresses.iter().any(|own| own.ip == ip)
    }

    /// True if `ip` is an address of this machine on this interface or, unless it needs a scope, on any.
    pub fn is_own_on(&self, ip: IpAddr, interface: u32) -> bool {
        let needs_scope = ip.is_ipv6() && is_link_local(ip);
        self.tables.addresses.iter().any(|own| own.ip == ip && (!needs_scope || own.interface == interface))
    }

    /// The addresses of this interface.
    fn of_interface(&self, interface: u32) -> impl Iterator<Item = &LocalAddress> {
        self.tables.addresses.iter().filter(move |own| own.interface == interface)
    }

    /// True if the interface has an IPv6 address that is not link-local.
    pub fn has_routable_v6(&self, interface: u32) -> bool {
        self.of_interface(interface).any(|own| own.ip.is_ipv6() && !is_link_local(own.ip))
    }

    /// True if `ip` is link-local, an address of the interface, or within a prefix of it.
    pub fn is_on_link(&self, ip: IpAddr, interface: u32) -> bool {
        is_link_local(ip) || self.of_interface(interface).any(|own| own.ip == ip || is_within(own, ip))
    }

    /// True if `ip` is within a prefix of the interface.
    fn is_in_prefix(&self, ip: IpAddr, interface: u32) -> bool {
        self.of_interface(interface).any(|own| is_within(own, ip))
    }

    /// True if `ip` is within a prefix of any interface.
    pub fn is_within_any(&self, ip: IpAddr) -> bool {
        self.tables.addresses.iter().any(|own| is_within(own, ip))
    }
}

fn link(index: u32, flags: i32, is_port: bool) -> Link {
    Link { index, name: LinkName::default(), flags, is_port, kind: LinkKind::Card, master: 0, parent: 0 }
}

/// True if `ip` is within the prefix of the address. A prefix of length 0 says nothing about a link.
fn is_within(own: &LocalAddress, ip: IpAddr) -> bool {
    own.prefix_length > 0 && share_bits(own.prefix, ip, own.prefix_length.into())
}

fn own(interface: u32, ip: IpAddr, prefix_length: u8) -> LocalAddress {
    LocalAddress { interface, ip, prefix: ip, prefix_length }
}

/// A datagram that was accepted as a response.
#[derive(Debug)]
pub struct Response {
    pub source: IpAddr,
    /// The interface on which the question was asked, for a unicast response; on which it arrived, for a multicast one.
    pub interface: u32,
    /// The question that it answers. None if it does not say: a multicast response, or one with the id 0.
    pub question: Option<Question>,
    /// The time from that question or, if it does not say which it answers, from the last question that was sent to the group or
    /// to the host.
    pub delay: Duration,
    /// Its TC bit is clear, and it has all records that its header counts.
    pub is_complete: bool,
    /// Its usable records.
    pub records: Vec<UsableRecord>,
    /// The addresses that its other records, with a TTL of 0, withdraw, with the records' owner.
    goodbyes: Vec<(Vec<u8>, IpAddr)>,
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
    /// An NSEC record: the next name, and whether the bitmap lists A and AAAA.
    Denial(Vec<u8>, bool, bool),
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

    /// The addresses of `name` that it withdraws.
    pub fn goodbyes_of<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = IpAddr> + 'a {
        self.goodbyes.iter().filter(|(owner, _)| reference_parser::is_same_name(owner, name)).map(|&(_, ip)| ip)
    }
}

/// The owner and the address of an A or AAAA record of class IN with a TTL of 0.
fn goodbye(record: &reference_parser::Record<'_>) -> Option<(Vec<u8>, IpAddr)> {
    let is_goodbye = matches!(record.rtype, 1 | 28) && record.class & 0x7fff == 1 && record.ttl == 0;
    if is_goodbye { Some((record.owner.clone()?, record.address()?)) } else { None }
}

impl UsableRecord {
    fn read(record: &reference_parser::Record<'_>) -> Option<Self> {
        let data = match record.rtype {
            1 | 28 => Data::Address(record.address()?),
            5 => Data::Alias(record.target()?),
            12 => Data::Pointer(record.target()?),
            47 => {
                let (next, has_a, has_aaaa) = record.nsec()?;
                Data::Denial(next, has_a, has_aaaa)
            }
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
    /// The questions so far.
    pub asked: Vec<Asked>,
    failures: Failures,
    last_id: u16,
}

/// A question, and what became of it.
#[derive(Debug)]
pub struct Asked {
    /// As the lookup asked it.
    pub question: Question,
    pub was_sent: bool,
    /// When it was sent, or could not be sent.
    pub at: Duration,
    /// Its id, if it was sent from an ephemeral port.
    id: Option<u16>,
    /// The name that it asked for, in wire form.
    name: Vec<u8>,
}

/// Which questions cannot be sent, as bits.
#[derive(Clone, Copy, Debug, Default)]
struct Failures(u8);

impl Failures {
    /// Questions to the group, to the group from the multicast listener, and to one host. For each, the next bit stands
    /// for IPv6.
    const GROUP: u8 = 1;
    const LISTENER: u8 = 1 << 2;
    const HOST: u8 = 1 << 4;
    /// The neighbour table is not empty. Questions to neighbours and to other addresses are sent to one host, unless
    /// [`Self::HOST`] prevents it; without this bit they cannot be sent.
    const HAS_NEIGHBOURS: u8 = 1 << 6;
    /// Only interfaces with an even index are affected.
    const EVEN: u8 = 1 << 7;

    /// Where the question is sent. None if it cannot be sent.
    fn apply(self, question: &Question) -> Option<To> {
        let (v6, has_neighbours) = (question.transport == Family::V6, self.0 & Self::HAS_NEIGHBOURS != 0);
        let (bit, to) = match question.to {
            To::Group => (Self::GROUP, question.to),
            To::GroupFromListener => (Self::LISTENER, question.to),
            To::Host(_) => (Self::HOST, question.to),
            To::Neighbours | To::OtherAddresses(_) if has_neighbours => {
                (Self::HOST, To::Host(parse(NEIGHBOURS[usize::from(v6)])))
            }
            To::Neighbours | To::OtherAddresses(_) => return None,
        };
        let is_affected = self.0 & Self::EVEN == 0 || question.interface % 2 == 0;
        let fails = is_affected && self.0 & bit << u8::from(v6) != 0;
        (!fails).then_some(to)
    }
}

impl Model {
    /// The model of a lookup of `name`.
    pub fn new(topology: Topology, name: &Name) -> Self {
        Self {
            topology,
            name: name.as_wire().to_vec(),
            responses: Vec::new(),
            asked: Vec::new(),
            failures: Failures::default(),
            last_id: 0x1000,
        }
    }

    /// If the datagram must be accepted, the interface of its sender and the question that it answers: the rules of
    /// `resolver_core::validate`, implemented a second time.
    fn accepts(
        &self,
        datagram: &Datagram,
        message: &reference_parser::Message<'_>,
    ) -> Option<(u32, Option<Question>, Option<Duration>)> {
        let Datagram { socket, transport, received } = datagram;
        let family = if received.source.is_ipv4() { Family::V4 } else { Family::V6 };
        if received.port != 5353 || family != *transport || !message.is_response() {
            return None;
        }
        let destination = received.destination?;
        let sent_on_path = |asked: &&Asked| asked.was_sent && asked.is_on_path_of(datagram);
        if *socket == SocketKind::MulticastListener {
            let is_to_group = GROUPS.iter().any(|group| parse(group) == destination);
            let was_queried = self.asked.iter().any(|asked| sent_on_path(&asked));
            return (is_to_group && was_queried).then_some((received.interface, None, None));
        }
        let is_about = |name: &[u8]| {
            message.questions.len() == message.question_count
                && message.questions.iter().all(|question| {
                    question.as_ref().is_some_and(|question| reference_parser::is_same_name(question, name))
                })
        };
        let is_ours = |asked: &&Asked| asked.id == Some(message.id) && asked.question.transport == *transport;
        if let Some(asked) = self.asked.iter().find(is_ours) {
            let interface = asked.question.interface;
            let is_from_the_link = if received.interface == interface {
                self.is_from_link_of(received, interface) && self.topology.is_own(destination)
            } else {
                let is_link_local_v6 = received.source.is_ipv6() && is_link_local(received.source);
                !is_link_local_v6
                    && self.topology.is_in_prefix(received.source, interface)
                    && self.topology.of_interface(interface).any(|own| own.ip == destination)
            };
            let is_accepted = is_from_the_link && is_about(&asked.name);
            return is_accepted.then_some((interface, Some(asked.question), Some(asked.at)));
        }
        // A responder that never repeats an id, after a repeat of ours, and certainly not through a router.
        let was_repeated = self.asked.iter().filter(sent_on_path).any(|asked| asked.question.unicast_response);
        let is_accepted = message.id == 0
            && was_repeated
            && received.hop_limit == Some(255)
            && self.topology.is_own(destination)
            && self.asked.iter().any(|asked| asked.id.is_some() && is_about(&asked.name));
        is_accepted.then_some((received.interface, None, None))
    }

    /// True if the sender is on the link of the interface that the datagram arrived on.
    fn is_from_link_of(&self, received: &Received, interface: u32) -> bool {
        received.hop_limit == Some(255)
            || self.topology.is_own(received.source)
            || self.topology.is_on_link(received.source, interface)
    }

    /// Sends these questions of the lookup, as far as they can be sent. Returns the index of the first in `asked`.
    fn send(&mut self, lookup: &mut Lookup, questions: Vec<Question>, at: Duration) -> usize {
        let first = self.asked.len();
        for question in questions {
            let sent_to = self.failures.apply(&question);
            match sent_to {
                Some(to) => {
                    self.last_id += 1;
                    lookup.on_sent(&question, to, self.last_id, at);
                }
                None => lookup.on_not_sent(&question, at),
            }
            let id = sent_to.filter(|to| *to != To::GroupFromListener).map(|_| self.last_id);
            let name = lookup.name().as_wire().to_vec();
            self.asked.push(Asked { question, was_sent: sent_to.is_some(), at, id, name });
        }
        first
    }

    /// Delivers a datagram to the lookup, and checks that it is accepted exactly if it must be. Returns the response.
    fn deliver(&mut self, lookup: &mut Lookup, datagram: &Datagram, octets: &[u8], at: Duration) -> Option<&Response> {
        let message = reference_parser::Message::read(octets);
        let accepted = message.as_ref().and_then(|message| self.accepts(datagram, message));
        let is_accepted = lookup.on_datagram(datagram, octets, at);
        assert_eq!(is_accepted, accepted.is_some(), "accepted: {datagram:?} {octets:?}");
        let ((interface, question, asked_at), message) = (accepted?, message?);
        // A response that does not say which question it answers: the earliest of the last 160 ms, or else the last.
        let sent = || self.asked.iter().filter(|asked| asked.was_sent && !asked.is_to_others()).map(|asked| asked.at);
        let is_recent = |sent_at: &Duration| at - *sent_at <= Duration::from_millis(160);
        let sent_at = asked_at.or_else(|| sent().find(is_recent)).or_else(|| sent().last());
        self.responses.push(Response {
            source: datagram.received.source,
            interface,
            question,
            delay: sent_at.map_or(Duration::ZERO, |sent_at| at - sent_at),
            is_complete: message.is_complete(),
            records: message.records.iter().filter_map(UsableRecord::read).collect(),
            goodbyes: message.records.iter().filter_map(goodbye).collect(),
        });
        self.responses.last()
    }
}

impl Asked {
    /// True for a question to hosts that are perhaps not the one that is looked up.
    pub fn is_to_others(&self) -> bool {
        matches!(self.question.to, To::Neighbours | To::OtherAddresses(_))
    }

    /// True if the question belongs to the interface and the transport that the datagram arrived on.
    fn is_on_path_of(&self, datagram: &Datagram) -> bool {
        (self.question.interface, self.question.transport) == (datagram.received.interface, datagram.transport)
    }
}

/// Something that happens to a lookup.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It asked the questions of a round.
    Round(Round, &'a [Asked]),
    /// It was woken while it waited, and asked these questions.
    FollowUp(&'a [Asked]),
    /// A response arrived.
    Response(&'a Response),
    /// A daemon on this machine reported an address.
    DaemonAddress(Address),
    /// Time passed, or a datagram arrived that is no response.
    Nothing,
}

/// Plays the events of a script, and calls `observe` after each. Returns the time at which the script ends.
pub fn play(
    lookup: &mut Lookup,
    model: &mut Model,
    input: &mut Input<'_>,
    observe: impl FnMut(&Lookup, &Model, Event<'_>, Duration),
) -> Duration {
    let mut player = Player { lookup, model, observe, at: Duration::ZERO };
    let mut rest = input.clone();
    if rest.u8() == 255 {
        player.model.failures = Failures(rest.u8());
        *input = rest;
    }
    player.ask(Round::First);
    for _ in 0..MAX_EVENTS {
        if input.is_empty() || player.at == TIMEOUT {
            break;
        }
        player.play_event(input);
    }
    player.at
}

struct Player<'p, Observe> {
    lookup: &'p mut Lookup,
    model: &'p mut Model,
    observe: Observe,
    at: Duration,
}

impl<Observe: FnMut(&Lookup, &Model, Event<'_>, Duration)> Player<'_, Observe> {
    fn play_event(&mut self, input: &mut Input<'_>) {
        match input.u8() {
            0 => self.wait(input.u8().into()),
            1 => self.wait(input.u16().into()),
            2 => self.ask(Round::Repeat),
            3 => self.ask(Round::Neighbours),
            252 => {
                let address = Address { ip: parse(input.pick(&FROM_DAEMON)), interface: 2 };
                self.lookup.on_daemon_address(address, self.at);
                (self.observe)(self.lookup, self.model, Event::DaemonAddress(address), self.at);
            }
            253 => self.pass(self.at + Duration::from_millis(input.u8().into())),
            254 => {
                if let State::WaitUntil(until) = self.lookup.state(self.at) {
                    self.pass(until);
                }
            }
            255 => self.model.failures = Failures(input.u8()),
            _ => self.deliver(input),
        }
    }

    /// Asks the questions of a round, if there is no response.
    fn ask(&mut self, round: Round) {
        if self.lookup.state(self.at) == State::NoResponse {
            let questions = self.lookup.round(round);
            let first = self.model.send(self.lookup, questions, self.at);
            let asked = &self.model.asked[first..];
            (self.observe)(self.lookup, self.model, Event::Round(round, asked), self.at);
        }
    }

    /// Waits as the querier does: the lookup is woken whenever it wants to be.
    fn wait(&mut self, milliseconds: u64) {
        let end = self.at + Duration::from_millis(milliseconds);
        while let State::WaitUntil(until) = self.lookup.state(self.at) {
            if until >= end || self.at == TIMEOUT {
                break;
            }
            self.pass(until);
        }
        self.pass(end);
    }

    /// Time passes, and the lookup is woken.
    fn pass(&mut self, until: Duration) {
        self.at = until.min(TIMEOUT);
        (self.observe)(self.lookup, self.model, Event::Nothing, self.at);
        self.wake();
    }

    /// Sends the follow-up questions that are due, if the lookup waits.
    fn wake(&mut self) {
        if matches!(self.lookup.state(self.at), State::WaitUntil(_)) {
            let questions = self.lookup.follow_up(self.at);
            let first = self.model.send(self.lookup, questions, self.at);
            let asked = &self.model.asked[first..];
            (self.observe)(self.lookup, self.model, Event::FollowUp(asked), self.at);
        }
    }

    /// A datagram arrives.
    fn deliver(&mut self, input: &mut Input<'_>) {
        let mut octets = Vec::new();
        let datagram = datagram(input, self.model, self.lookup.name(), &mut octets);
        let is_accepted = self.model.deliver(self.lookup, &datagram, &octets, self.at).is_some();
        let response = self.model.responses.last().filter(|_| is_accepted);
        let event = response.map_or(Event::Nothing, Event::Response);
        (self.observe)(self.lookup, self.model, event, self.at);
        if self.lookup.take_new_name() {
            assert!(!self.lookup.take_new_name(), "a new name is reported once");
            self.ask(Round::First);
        }
        self.wake();
    }
}

/// Reads a datagram from the input, and writes its octets to `octets`.
fn datagram(input: &mut Input<'_>, model: &Model, name: &Name, octets: &mut Vec<u8>) -> Datagram {
    let (flags, source, destination, interface) = (input.u8(), input.u8(), input.u8(), input.u8());
    let to_group = flags & 1 != 0;
    let transport = if flags & 2 != 0 { Family::V6 } else { Family::V4 };
    let hop_limit = [None, Some(64), Some(254), Some(255)][usize::from(flags >> 2 & 3)];
    // It answers a question over the same transport on the same interface, the last of them first from number 96 on; or
    // any question; or none.
    let asked = model.asked.iter().filter(|asked| asked.id.is_some());
    let answered = match interface {
        0..=95 => nth(asked.filter(|asked| asked.question.transport == transport), interface),
        96..=127 => nth(asked.filter(|asked| asked.question.transport == transport).rev(), interface - 96),
        128..=191 => nth(asked, interface),
        192.. => None,
    };
    let interface =
        answered.filter(|_| interface < 128).map_or((interface % 5).into(), |asked| asked.question.interface);
    payload(input, model, name, flags & 16 != 0, octets);
    if let (Some(id), Some(field)) = (answered.and_then(|asked| asked.id), octets.get_mut(..2)) {
        field.copy_from_slice(&id.to_be_bytes());
    }
    let v6 = transport == Family::V6;
    let usual_destination = if to_group { GROUPS } else { ["10.0.0.1", "fd00::1"] };
    let received = Received {
        length: octets.len(),
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

/// The flags beside the number of records in a payload: the message has a question; its TC bit is set; its header counts
/// one record more than there are.
const HAS_QUESTION: u8 = 0x80;
const IS_TRUNCATED: u8 = 0x40;
const LACKS_RECORD: u8 = 0x20;

/// Reads the payload of a datagram: octets as they are if `raw`, otherwise a response that is built from records.
fn payload(input: &mut Input<'_>, model: &Model, name: &Name, raw: bool, octets: &mut Vec<u8>) {
    if raw {
        let length = input.u16();
        octets.extend_from_slice(input.take(length.into()));
        return;
    }
    let count = input.u8();
    octets.extend_from_slice(&[0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if count & IS_TRUNCATED != 0 {
        octets[2] |= 2;
    }
    if count & HAS_QUESTION != 0 {
        octets[5] = 1;
        octets.extend_from_slice(a_name(input, model, name));
        octets.extend_from_slice(&[0, 1, 0, 1]);
    }
    let mut records = u16::from(count & LACKS_RECORD != 0);
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
