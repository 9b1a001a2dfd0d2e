//! Opens the pure inner parts to the fuzz targets in `fuzz/`; compiled only with `--cfg fuzzing`, never in what ships.
//!
//! A [`Lookup`] is the querier without its sockets: the targets say what was asked, what came in and when, and get the
//! same validation and the same collectors that a real lookup has. Times are durations since its start.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::{Answer, Families, Family};
use crate::answers::AddressCollector;
use crate::collector::{Collector, Verdict};
use crate::config::Config;
use crate::interfaces::{Interfaces, Link, LinkName, OwnAddress};
use crate::netlink;
use crate::pointer::PointerCollector;
use crate::socket::{Channel, Datagram};
use crate::sys::Received;
use crate::validation::{self, Asked, Outstanding};
use crate::wire::{Name, RecordType};
use crate::without_netlink;

/// A packet with all that the kernel says of it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// It came by one of the group's sockets, not by an ephemeral one.
    pub group: bool,
    /// The family of that socket.
    pub over: Family,
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

/// Whether a lookup has what it wants: what [`Verdict`] is to the querier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing heard.
    Silent,
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
    collector: C,
    outstanding: Outstanding,
    interfaces: Interfaces,
    start: Instant,
}

/// A lookup of a host's addresses.
pub type HostLookup = Lookup<AddressesOf>;

/// A lookup of an address's name.
pub type PointerLookup = Lookup<PointerOf>;

/// The collector of a [`HostLookup`].
#[derive(Debug)]
pub struct AddressesOf(AddressCollector);

/// The collector of a [`PointerLookup`].
#[derive(Debug)]
pub struct PointerOf(PointerCollector);

/// A collector, by a name that may leave the crate.
#[allow(private_interfaces, missing_docs)]
pub trait Inner {
    fn get(&self) -> &dyn Collector;
    fn get_mut(&mut self) -> &mut dyn Collector;
}

#[allow(private_interfaces)]
impl Inner for AddressesOf {
    fn get(&self) -> &dyn Collector {
        &self.0
    }
    fn get_mut(&mut self) -> &mut dyn Collector {
        &mut self.0
    }
}

#[allow(private_interfaces)]
impl Inner for PointerOf {
    fn get(&self) -> &dyn Collector {
        &self.0
    }
    fn get_mut(&mut self) -> &mut dyn Collector {
        &mut self.0
    }
}

impl HostLookup {
    /// For the addresses of `name`, on a machine with these links and addresses.
    pub fn of_host(name: &Name, wanted: Families, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        Self::with(AddressesOf(AddressCollector::new(name, wanted, &Config::default())), links, own)
    }

    /// The answer, when the lookup has ended.
    pub fn finish(mut self, at: Duration) -> Option<Answer> {
        self.collector.0.finish(&self.interfaces, self.start + at)
    }
}

impl PointerLookup {
    /// For the name of `ip`.
    pub fn of_address(ip: IpAddr, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        Self::with(PointerOf(PointerCollector::new(&Name::of_address(ip), ip)), links, own)
    }

    /// The name and its time to live, when the lookup has ended.
    pub fn finish(self) -> Option<(Name, Duration)> {
        self.collector.0.finish()
    }
}

impl<C: Inner> Lookup<C> {
    fn with(collector: C, links: &[LinkFacts], own: &[OwnFacts]) -> Self {
        let interfaces = interfaces(links, own);
        Self { collector, outstanding: Outstanding::default(), interfaces, start: Instant::now() }
    }

    /// When the lookup began: what the times of an [`Answer`] are relative to.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The name that is asked for at present.
    pub fn name(&self) -> &Name {
        self.collector.get().name()
    }

    /// The types that are to be asked for over `over`.
    pub fn kinds(&self, over: Family, other: bool) -> &'static [RecordType] {
        self.collector.get().kinds(over, other)
    }

    /// The interfaces that would be asked on: index, IPv4, IPv6.
    pub fn asks_on(&self) -> impl Iterator<Item = (u32, bool, bool)> {
        self.interfaces.iter().map(|interface| (interface.index, interface.v4, interface.v6))
    }

    /// A question was sent from an ephemeral port.
    pub fn asked(&mut self, id: u16, interface: u32, over: Family, kind: RecordType, at: Duration) {
        let at = self.start + at;
        self.outstanding.add(Asked { id, interface, over, kind, at }, self.collector.get().name());
        self.collector.get_mut().asked(over, at);
    }

    /// A question was sent from a socket of the group.
    pub fn asked_from_group(&mut self, interface: u32, over: Family, at: Duration) {
        self.outstanding.expect_multicast(interface, over);
        self.collector.get_mut().asked(over, self.start + at);
    }

    /// True, once, if another name is to be asked for.
    pub fn take_new_name(&mut self) -> bool {
        self.collector.get_mut().take_new_name()
    }

    /// A packet came; true if it was believed.
    pub fn hear(&mut self, packet: &Packet<'_>, at: Duration) -> bool {
        let datagram = datagram(packet);
        let reply = validation::believe(&datagram, packet.octets, &self.outstanding, &self.interfaces);
        if let Some(reply) = &reply {
            self.collector.get_mut().take(reply, self.start + at);
        }
        reply.is_some()
    }

    /// What the lookup waits for.
    pub fn state(&self, at: Duration) -> State {
        match self.collector.get().verdict(self.start + at) {
            Verdict::Silent => State::Silent,
            Verdict::WaitUntil(until) => State::WaitUntil(until.saturating_duration_since(self.start)),
            Verdict::Done => State::Done,
        }
    }

    /// When it is worth while to ask again.
    pub fn ask_again_at(&self) -> Option<Duration> {
        self.collector.get().ask_again_at().map(|again| again.saturating_duration_since(self.start))
    }
}

fn datagram(packet: &Packet<'_>) -> Datagram {
    Datagram {
        channel: if packet.group { Channel::Group } else { Channel::Ephemeral },
        over: packet.over,
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
    let own = own.iter().map(|&(interface, ip, prefix_length)| OwnAddress { interface, ip, prefix_length });
    Interfaces::select(&links, own.collect(), &Config::default())
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
    let (ip, prefix_length, name) = without_netlink::ipv6_line(line)?;
    Some((ip, prefix_length, name.map(|octet| u8::from_ne_bytes(octet.to_ne_bytes()))))
}

/// [`Answer::adopt`], by which a lookup keeps what an older one found.
pub fn adopt(answer: &mut Answer, older: &Answer) {
    answer.adopt(older);
}
