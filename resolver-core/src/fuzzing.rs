//! Gives the fuzz targets in `fuzz/` access to the internal parts that do no I/O. Compiled only with `--cfg fuzzing`, never in
//! what ships.
//!
//! A [`Lookup`] is the querier without its sockets: a target says what was sent, what arrived and when, and the packets pass
//! through the same validation and the same lookup code as in a real lookup. Times are durations since its start.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family};
use crate::config::Config;
use crate::lookup::answer::{Answer, Pointer};
use crate::lookup::host;
use crate::lookup::reverse;
use crate::lookup::{self, Progress};
use crate::net::interfaces::Interfaces;
use crate::net::links::{Link, LinkName, LocalAddress, Tables as KernelTables};
use crate::net::socket::{Datagram, Received, SocketKind};
use crate::net::{daemon, ifioctl, netlink};
use crate::validate::{self, PendingQueries, SentQuery};
use crate::wire::{Name, RecordType};

/// A packet with all that the kernel says of it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// It came by one of the group's sockets, not by an ephemeral one.
    pub group: bool,
    /// The family of that socket.
    pub transport: Family,
    /// Longer than the buffer.
    pub truncated: bool,
    /// The sender's address.
    pub source: IpAddr,
    /// The sender's port.
    pub port: u16,
    /// The address it was sent to, where known.
    pub destination: Option<IpAddr>,
    /// The index of the interface.
    pub interface: u32,
    /// The hop limit, where known.
    pub hop_limit: Option<u8>,
    /// What is in it.
    pub octets: &'a [u8],
}

/// Whether a lookup has what it wants: what [`Progress`] is to the querier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has arrived.
    NoResponse,
    /// The rest is awaited until then.
    WaitUntil(Duration),
    /// Nothing to wait for.
    Done,
}

/// A link as the kernel describes it: index, flags, and whether it is a member of another.
pub type LinkFacts = (u32, i32, bool);

/// One of the host's own addresses: interface, address, prefix length.
pub type OwnFacts = (u32, IpAddr, u8);

/// A lookup without a network.
#[derive(Debug)]
pub struct Lookup<C> {
    lookup: C,
    pending: PendingQueries,
    interfaces: Interfaces,
    start: Instant,
}

/// A lookup of a host's addresses.
pub type HostLookup = Lookup<AddressesOf>;

/// A lookup of an address's name.
pub type PointerLookup = Lookup<PointerOf>;

/// The lookup of a [`HostLookup`].
#[derive(Debug)]
pub struct AddressesOf(host::HostLookup);

/// The lookup of a [`PointerLookup`].
#[derive(Debug)]
pub struct PointerOf(reverse::ReverseLookup);

/// A lookup, by a name that may leave the crate.
#[allow(private_interfaces, missing_docs)]
pub trait Inner {
    fn get(&self) -> &dyn lookup::Lookup;
    fn get_mut(&mut self) -> &mut dyn lookup::Lookup;
}

#[allow(private_interfaces)]
impl Inner for AddressesOf {
    fn get(&self) -> &dyn lookup::Lookup {
        &self.0
    }
    fn get_mut(&mut self) -> &mut dyn lookup::Lookup {
        &mut self.0
    }
}

#[allow(private_interfaces)]
impl Inner for PointerOf {
    fn get(&self) -> &dyn lookup::Lookup {
        &self.0
    }
    fn get_mut(&mut self) -> &mut dyn lookup::Lookup {
        &mut self.0
    }
}

impl HostLookup {
    /// For the addresses of `name`, on a machine with these links and addresses.
    pub fn of_host(name: &Name, wanted: Families, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        Self::with(AddressesOf(host::HostLookup::new(name, wanted, &Config::default())), links, own)
    }

    /// The answer, when the lookup has ended.
    pub fn finish(mut self, at: Duration) -> Option<Answer> {
        self.lookup.0.finish(&self.interfaces, self.start + at)
    }
}

impl PointerLookup {
    /// For the name of `ip`.
    pub fn of_address(ip: IpAddr, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        Self::with(PointerOf(reverse::ReverseLookup::new(&Name::of_address(ip), ip, &Config::default())), links, own)
    }

    /// The name and when it expires, once the lookup has ended.
    pub fn finish(self, at: Duration) -> Option<Pointer> {
        self.lookup.0.finish(self.start + at)
    }
}

impl<C: Inner> Lookup<C> {
    fn with(lookup: C, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        let interfaces = interfaces(links, own);
        Self { lookup, pending: PendingQueries::default(), interfaces, start: Instant::now() }
    }

    /// When the lookup began: what the times of an [`Answer`] are relative to.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The name that is asked for at present.
    pub fn name(&self) -> &Name {
        self.lookup.get().name()
    }

    /// The record types that are still to be asked for over `transport`.
    pub fn question_types(&self, transport: Family, has_other_family: bool) -> &'static [RecordType] {
        self.lookup.get().question_types(transport, has_other_family)
    }

    /// The interfaces that would be queried: index and families.
    pub fn queried_interfaces(&self) -> impl Iterator<Item = (u32, Families)> {
        self.interfaces.iter().map(|interface| (interface.index, interface.families))
    }

    /// A query was sent from an ephemeral port.
    pub fn on_query_sent(&mut self, id: u16, interface: u32, transport: Family, rtype: RecordType, at: Duration) {
        let at = self.start + at;
        self.pending.add(SentQuery { id, interface, transport, rtype, at }, self.lookup.get().name());
        self.lookup.get_mut().on_query_sent(transport, at);
    }

    /// A query was sent by a multicast listener.
    pub fn on_query_sent_by_listener(&mut self, interface: u32, transport: Family, at: Duration) {
        self.pending.expect_multicast(interface, transport);
        self.lookup.get_mut().on_query_sent(transport, self.start + at);
    }

    /// True, once, if another name is to be asked for.
    pub fn take_new_name(&mut self) -> bool {
        self.lookup.get_mut().take_new_name()
    }

    /// A packet arrived; true if it was accepted.
    pub fn on_packet(&mut self, packet: &Packet<'_>, at: Duration) -> bool {
        let response = validate::validate(&datagram(packet), packet.octets, &self.pending, &self.interfaces);
        if let Some(response) = &response {
            self.lookup.get_mut().on_response(response, self.start + at);
        }
        response.is_some()
    }

    /// How far the lookup has come.
    pub fn state(&self, at: Duration) -> State {
        match self.lookup.get().poll(self.start + at) {
            Progress::NoResponse => State::NoResponse,
            Progress::WaitUntil(until) => State::WaitUntil(until.saturating_duration_since(self.start)),
            Progress::Done => State::Done,
        }
    }

    /// The time at which a missing family is asked for once more.
    pub fn ask_again_at(&self) -> Option<Duration> {
        self.lookup.get().ask_again_at().map(|again| again.saturating_duration_since(self.start))
    }
}

fn datagram(packet: &Packet<'_>) -> Datagram {
    Datagram {
        socket: if packet.group { SocketKind::MulticastListener } else { SocketKind::Ephemeral },
        transport: packet.transport,
        received: Received {
            length: packet.octets.len(),
            truncated: packet.truncated,
            source: packet.source,
            port: packet.port,
            destination: packet.destination,
            interface: packet.interface,
            hop_limit: packet.hop_limit,
        },
    }
}

fn interfaces(links: &[LinkFacts], own: &[OwnFacts]) -> Interfaces {
    let link = |&(index, flags, is_port): &LinkFacts| Link { index, name: LinkName::default(), flags, is_port };
    let mut links: Vec<_> = links.iter().map(link).collect();
    links.sort_unstable_by_key(|link| link.index);
    let addresses = own.iter().map(|&(interface, ip, prefix_length)| LocalAddress { interface, ip, prefix_length });
    Interfaces::select(KernelTables { links, addresses: addresses.collect() }, &Config::default())
}

/// What a netlink datagram says. A message that describes nothing of use leaves a None.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Of its messages that describe a link.
    pub links: Vec<Option<LinkFacts>>,
    /// Of those that describe an address.
    pub addresses: Vec<Option<OwnFacts>>,
    /// The last message of the table was among them.
    pub ended: bool,
}

/// Reads a netlink datagram.
///
/// # Errors
/// If it is not understood.
pub fn netlink_tables(datagram: &[u8], sequence: u32) -> io::Result<Tables> {
    let (mut links, mut addresses) = (Vec::new(), Vec::new());
    let ended = netlink::messages(datagram, sequence, &mut |kind, body| match kind {
        netlink::RTM_NEWLINK => links.push(netlink::link(body).map(|link| (link.index, link.flags, link.is_port))),
        netlink::RTM_NEWADDR => {
            addresses.push(netlink::address(body).map(|own| (own.interface, own.ip, own.prefix_length)));
        }
        _ => {}
    })?;
    Ok(Tables { links, addresses, ended })
}

/// What a line of `/proc/net/if_inet6` says: address, prefix length and name, padded with zeros.
pub fn ipv6_line(line: &str) -> Option<(IpAddr, u8, [u8; libc::IFNAMSIZ])> {
    let (ip, prefix_length, name) = ifioctl::ipv6_line(line)?;
    Some((ip, prefix_length, name.map(|octet| u8::from_ne_bytes(octet.to_ne_bytes()))))
}

/// [`Answer::adopt`], by which a lookup keeps what an older one found.
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
