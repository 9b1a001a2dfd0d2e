//! Gives the fuzz targets in `fuzz/` access to internal parts that do no I/O. Compiled only with `--cfg fuzzing`, which
//! no release has.
//!
//! A [`Lookup`] is the querier without its sockets. The target asks for the questions, and reports which of them were
//! sent, which datagrams arrived, and when. Datagrams pass through the same validation and the same lookup code as in a
//! real lookup. Times are durations since the start of the lookup.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family};
use crate::config::Config;
use crate::error::LookupError;
use crate::lookup::answer::{Answer, Pointer};
use crate::lookup::host::HostLookup;
use crate::lookup::reverse::ReverseLookup;
use crate::lookup::{self, Destination, Progress};
use crate::net::interfaces::Interfaces;
use crate::net::links::{Link, LocalAddress, Tables};
use crate::net::socket::Datagram;
use crate::net::{daemon, links_ioctl, links_netlink, neighbours, netlink};
use crate::validate::{self, PendingQueries, SentQuery};
use crate::wire::{Name, RecordType};

/// How far a lookup has come: a [`Progress`] whose time is a duration since the start of the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No usable response has arrived.
    NoResponse,
    /// A response has arrived. The lookup waits for more until this time.
    WaitUntil(Duration),
    /// There is nothing to wait for.
    Done,
}

/// The questions of a lookup that has no response: a [`lookup::Round`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// At its start.
    First,
    /// To the neighbours.
    Neighbours,
    /// After silence.
    Repeat,
}

/// A question of a lookup: a [`lookup::Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The index of the interface that it leaves by.
    pub interface: u32,
    /// The family that it is sent over.
    pub transport: Family,
    /// Where it goes.
    pub to: To,
    /// The record type that it asks for.
    pub rtype: RecordType,
    /// It asks for a unicast response.
    pub unicast_response: bool,
}

/// Where a question goes: a [`Destination`] without its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To the group, from an ephemeral port.
    Group,
    /// To the group, from the multicast listener.
    GroupFromListener,
    /// To one host.
    Host(IpAddr),
    /// To each neighbour.
    Neighbours,
    /// To the addresses that belong to the same network card as this one.
    OtherAddresses(IpAddr),
}

impl From<lookup::Question> for Question {
    fn from(question: lookup::Question) -> Self {
        let lookup::Question { interface, to, rtype, unicast_response } = question;
        let transport = to.transport();
        let to = match to {
            Destination::Group(_) => To::Group,
            Destination::GroupFromListener(_) => To::GroupFromListener,
            Destination::Host(ip) => To::Host(ip),
            Destination::Neighbours(_) => To::Neighbours,
            Destination::OtherAddresses(ip, _) => To::OtherAddresses(ip),
        };
        Self { interface, transport, to, rtype, unicast_response }
    }
}

impl From<Question> for lookup::Question {
    fn from(question: Question) -> Self {
        let Question { interface, transport, to, rtype, unicast_response } = question;
        let to = match to {
            To::Group => Destination::Group(transport),
            To::GroupFromListener => Destination::GroupFromListener(transport),
            To::Host(ip) => Destination::Host(ip),
            To::Neighbours => Destination::Neighbours(transport),
            To::OtherAddresses(ip) => Destination::OtherAddresses(ip, transport),
        };
        Self { interface, to, rtype, unicast_response }
    }
}

/// A lookup without a network.
#[derive(Debug)]
pub struct Lookup {
    lookup: HostOrReverse,
    pending: PendingQueries,
    interfaces: Interfaces,
    start: Instant,
}

#[derive(Debug)]
enum HostOrReverse {
    Host(HostLookup),
    Reverse(ReverseLookup),
}

impl HostOrReverse {
    fn get(&self) -> &dyn lookup::Lookup {
        match self {
            Self::Host(lookup) => lookup,
            Self::Reverse(lookup) => lookup,
        }
    }

    fn get_mut(&mut self) -> &mut dyn lookup::Lookup {
        match self {
            Self::Host(lookup) => lookup,
            Self::Reverse(lookup) => lookup,
        }
    }
}

impl Lookup {
    /// A lookup of the addresses of `name`, on a machine with these links and addresses. `ipv6_link_local` is the setting of
    /// this name.
    pub fn of_host(name: &Name, wanted: Families, ipv6_link_local: bool, tables: &Tables) -> Self {
        let interfaces = interfaces(tables);
        let config = Config { ipv6_link_local, ..Config::default() };
        let lookup = HostLookup::new(name, wanted, &interfaces, &config);
        Self::new(HostOrReverse::Host(lookup), interfaces)
    }

    /// A lookup of the name of `ip`, on a machine with these links and addresses.
    pub fn of_address(ip: IpAddr, tables: &Tables) -> Self {
        let lookup = ReverseLookup::new(&Name::of_address(ip), ip, &Config::default());
        Self::new(HostOrReverse::Reverse(lookup), interfaces(tables))
    }

    fn new(lookup: HostOrReverse, interfaces: Interfaces) -> Self {
        Self { lookup, pending: PendingQueries::default(), interfaces, start: Instant::now() }
    }

    /// When the lookup started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The name that the lookup currently asks for.
    pub fn name(&self) -> &Name {
        self.lookup.get().name()
    }

    /// The interfaces to query: index and families.
    pub fn queried_interfaces(&self) -> impl Iterator<Item = (u32, Families)> {
        self.interfaces.iter().map(|interface| (interface.index, interface.families))
    }

    /// The questions of a round.
    pub fn round(&self, round: Round) -> Vec<Question> {
        let round = match round {
            Round::First => lookup::Round::First,
            Round::Neighbours => lookup::Round::Neighbours,
            Round::Repeat => lookup::Round::Repeat,
        };
        let mut questions = Vec::new();
        self.lookup.get().round(round, &self.interfaces, &mut questions);
        questions.into_iter().map(Question::from).collect()
    }

    /// The questions that are due, once something has arrived but is not complete.
    pub fn follow_up(&mut self, at: Duration) -> Vec<Question> {
        let mut questions = Vec::new();
        self.lookup.get_mut().follow_up(&self.interfaces, self.start + at, &mut questions);
        questions.into_iter().map(Question::from).collect()
    }

    /// Reports that a question was sent with this id, which the multicast listener does not use. `to` is where it went: a
    /// question to the neighbours goes to one of them.
    pub fn on_sent(&mut self, question: &Question, to: To, id: u16, at: Duration) {
        let Question { interface, transport, rtype, unicast_response, .. } = *question;
        let at = self.start + at;
        if to == To::GroupFromListener {
            self.pending.expect_multicast(interface, transport);
        } else {
            let name = self.name().clone();
            self.pending.add(SentQuery { id, interface, transport, rtype, unicast_response, at }, &name);
        }
        self.lookup.get_mut().on_sent(&(*question).into(), Ok(()), at);
    }

    /// Reports that a question could not be sent; from the multicast listener, because there is none.
    pub fn on_not_sent(&mut self, question: &Question, at: Duration) {
        let at = self.start + at;
        self.lookup.get_mut().on_sent(&(*question).into(), Err(LookupError::Refused(libc::ENOTSOCK)), at);
    }

    /// Reports that a daemon on this machine has reported an address.
    pub fn on_daemon_address(&mut self, address: Address, at: Duration) {
        let at = self.start + at;
        self.lookup.get_mut().on_daemon_address(address, at);
    }

    /// True, once, if another name must be asked for.
    pub fn take_new_name(&mut self) -> bool {
        self.lookup.get_mut().take_new_name()
    }

    /// Delivers a datagram. True if it is accepted as a response.
    pub fn on_datagram(&mut self, datagram: &Datagram, octets: &[u8], at: Duration) -> bool {
        let at = self.start + at;
        let response = validate::validate(datagram, octets, &self.pending, &self.interfaces);
        if let Ok(response) = &response {
            self.lookup.get_mut().on_response(response, at);
        }
        response.is_ok()
    }

    /// How far the lookup has come.
    pub fn state(&self, at: Duration) -> State {
        match self.lookup.get().poll(self.start + at) {
            Progress::NoResponse => State::NoResponse,
            Progress::WaitUntil(until) => State::WaitUntil(until.saturating_duration_since(self.start)),
            Progress::Done => State::Done,
        }
    }

    /// Ends the lookup of the host `name`. None if there is no answer, or for a lookup of an address.
    pub fn finish_host(self, name: &Name, at: Duration) -> Option<Answer> {
        match self.lookup {
            HostOrReverse::Host(mut lookup) => lookup.finish(name, &self.interfaces, self.start + at),
            HostOrReverse::Reverse(_) => None,
        }
    }

    /// Ends a lookup of an address. None if no name was found, or for a lookup of a host.
    pub fn finish_reverse(self, at: Duration) -> Option<Pointer> {
        match self.lookup {
            HostOrReverse::Reverse(lookup) => lookup.finish(self.start + at),
            HostOrReverse::Host(_) => None,
        }
    }
}

/// The interfaces to query, on a machine with these links and addresses.
fn interfaces(tables: &Tables) -> Interfaces {
    let mut tables = tables.clone();
    tables.links.sort_unstable_by_key(|link| link.index);
    Interfaces::select(tables, &Config::default())
}

/// What a netlink message describes. None if the message is malformed, or if the address or the neighbour cannot be
/// used.
#[derive(Debug)]
pub enum NetlinkMessage {
    /// A message of type RTM_NEWLINK.
    Link(Option<Link>),
    /// A message of type RTM_NEWADDR.
    Address(Option<LocalAddress>),
    /// A message of type RTM_NEWNEIGH: interface, address and age.
    Neighbour(Option<(u32, IpAddr, Duration)>),
}

/// Parses a netlink datagram: the messages about links, addresses and neighbours, and true if the datagram ends the
/// dump.
///
/// # Errors
/// `EPROTO` if the datagram is malformed or has an error message.
pub fn parse_netlink(datagram: &[u8], sequence: u32) -> io::Result<(Vec<NetlinkMessage>, bool)> {
    let mut messages = Vec::new();
    let ended = netlink::messages(datagram, sequence, &mut |message_type, body| match message_type {
        links_netlink::RTM_NEWLINK => messages.push(NetlinkMessage::Link(links_netlink::link(body))),
        links_netlink::RTM_NEWADDR => messages.push(NetlinkMessage::Address(links_netlink::address(body))),
        libc::RTM_NEWNEIGH => messages.push(NetlinkMessage::Neighbour(
            neighbours::neighbour(body).map(|neighbour| (neighbour.interface, neighbour.ip, neighbour.age)),
        )),
        _ => {}
    })?;
    Ok((messages, ended))
}

/// Parses a line of `/proc/net/if_inet6`: address, prefix length, and the interface's name padded with NULs.
pub fn ipv6_line(line: &str) -> Option<(IpAddr, u8, [u8; libc::IFNAMSIZ])> {
    let (ip, prefix_length, name) = links_ioctl::ipv6_line(line)?;
    Some((ip, prefix_length, name.map(|octet| u8::from_ne_bytes(octet.to_ne_bytes()))))
}

/// [`Answer::adopt`], which adds to an answer what an older one has.
pub fn adopt(answer: &mut Answer, older: &Answer) {
    answer.adopt(older);
}

/// What avahi-daemon has replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonReply {
    /// No whole line yet.
    Pending,
    /// An address of the host.
    Found(Address),
    /// Nobody responded to the daemon.
    NotFound,
    /// An error, or a line that is not understood.
    Failed,
}

/// What avahi-daemon's reply to a question for `family` means, given all that has arrived of it.
pub fn daemon_reply(received: &[u8], family: Family) -> DaemonReply {
    match daemon::interpret(received, family) {
        daemon::DaemonReply::Pending => DaemonReply::Pending,
        daemon::DaemonReply::Found(address) => DaemonReply::Found(address),
        daemon::DaemonReply::NotFound => DaemonReply::NotFound,
        daemon::DaemonReply::Failed => DaemonReply::Failed,
    }
}
