//! Gives the fuzz targets in `fuzz/` access to internal parts that do no I/O. Compiled only with `--cfg fuzzing`, which
//! no release has.
//!
//! A [`Lookup`] is the querier without its sockets. The target reports which queries were sent, which datagrams
//! arrived, and when. Datagrams pass through the same validation and the same lookup code as in a real lookup. Times
//! are durations since the start of the lookup.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family};
use crate::config::Config;
use crate::lookup::answer::{Answer, Pointer};
use crate::lookup::host::HostLookup;
use crate::lookup::reverse::ReverseLookup;
use crate::lookup::{self, Progress};
use crate::net::interfaces::Interfaces;
use crate::net::links::{Link, LocalAddress, Tables};
use crate::net::socket::Datagram;
use crate::net::{daemon, dump, ifioctl, neighbours, netlink};
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

impl Lookup {
    /// A lookup of the addresses of `name`, on a machine with these links and addresses.
    pub fn of_host(name: &Name, wanted: Families, tables: &Tables) -> Self {
        Self::new(HostOrReverse::Host(HostLookup::new(name, wanted, &Config::default())), tables)
    }

    /// A lookup of the name of `ip`, on a machine with these links and addresses.
    pub fn of_address(ip: IpAddr, tables: &Tables) -> Self {
        let lookup = ReverseLookup::new(&Name::of_address(ip), ip, &Config::default());
        Self::new(HostOrReverse::Reverse(lookup), tables)
    }

    fn new(lookup: HostOrReverse, tables: &Tables) -> Self {
        let mut tables = Tables { links: tables.links.clone(), addresses: tables.addresses.clone() };
        tables.links.sort_unstable_by_key(|link| link.index);
        let interfaces = Interfaces::select(tables, &Config::default());
        Self { lookup, pending: PendingQueries::default(), interfaces, start: Instant::now() }
    }

    fn get(&self) -> &dyn lookup::Lookup {
        match &self.lookup {
            HostOrReverse::Host(lookup) => lookup,
            HostOrReverse::Reverse(lookup) => lookup,
        }
    }

    fn get_mut(&mut self) -> &mut dyn lookup::Lookup {
        match &mut self.lookup {
            HostOrReverse::Host(lookup) => lookup,
            HostOrReverse::Reverse(lookup) => lookup,
        }
    }

    /// When the lookup started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The name that the lookup currently asks for.
    pub fn name(&self) -> &Name {
        self.get().name()
    }

    /// The record types that are still to be asked for over `transport`.
    pub fn question_types(&self, transport: Family, has_other_family: bool) -> &'static [RecordType] {
        self.get().question_types(transport, has_other_family)
    }

    /// The interfaces to query: index and families.
    pub fn queried_interfaces(&self) -> impl Iterator<Item = (u32, Families)> {
        self.interfaces.iter().map(|interface| (interface.index, interface.families))
    }

    /// Reports that a query was sent from an ephemeral port.
    pub fn on_query_sent(&mut self, id: u16, interface: u32, transport: Family, rtype: RecordType, at: Duration) {
        let at = self.start + at;
        let name = self.name().clone();
        self.pending.add(SentQuery { id, interface, transport, rtype, at }, &name);
        self.get_mut().on_query_sent(transport, at);
    }

    /// Reports that a query was sent by a multicast listener.
    pub fn on_query_sent_by_listener(&mut self, interface: u32, transport: Family, at: Duration) {
        let at = self.start + at;
        self.pending.expect_multicast(interface, transport);
        self.get_mut().on_query_sent(transport, at);
    }

    /// True, once, if another name must be asked for.
    pub fn take_new_name(&mut self) -> bool {
        self.get_mut().take_new_name()
    }

    /// Delivers a datagram. True if it is accepted as a response.
    pub fn on_datagram(&mut self, datagram: &Datagram, octets: &[u8], at: Duration) -> bool {
        let at = self.start + at;
        let response = validate::validate(datagram, octets, &self.pending, &self.interfaces);
        if let Some(response) = &response {
            self.get_mut().on_response(response, at);
        }
        response.is_some()
    }

    /// How far the lookup has come.
    pub fn state(&self, at: Duration) -> State {
        match self.get().poll(self.start + at) {
            Progress::NoResponse => State::NoResponse,
            Progress::WaitUntil(until) => State::WaitUntil(until.saturating_duration_since(self.start)),
            Progress::Done => State::Done,
        }
    }

    /// The time at which a missing family is asked for once more.
    pub fn ask_again_at(&self) -> Option<Duration> {
        self.get().ask_again_at().map(|again| again.saturating_duration_since(self.start))
    }

    /// Ends a lookup of a host. None if there is no answer, or for a lookup of an address.
    pub fn finish_host(self, at: Duration) -> Option<Answer> {
        match self.lookup {
            HostOrReverse::Host(mut lookup) => lookup.finish(&self.interfaces, self.start + at),
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
    let ended = dump::messages(datagram, sequence, &mut |message_type, body| match message_type {
        netlink::RTM_NEWLINK => messages.push(NetlinkMessage::Link(netlink::link(body))),
        netlink::RTM_NEWADDR => messages.push(NetlinkMessage::Address(netlink::address(body))),
        libc::RTM_NEWNEIGH => messages.push(NetlinkMessage::Neighbour(
            neighbours::neighbour(body).map(|neighbour| (neighbour.interface, neighbour.ip, neighbour.age)),
        )),
        _ => {}
    })?;
    Ok((messages, ended))
}

/// Parses a line of `/proc/net/if_inet6`: address, prefix length, and the interface's name padded with NULs.
pub fn ipv6_line(line: &str) -> Option<(IpAddr, u8, [u8; libc::IFNAMSIZ])> {
    let (ip, prefix_length, name) = ifioctl::ipv6_line(line)?;
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
