//! What an attack starts from and what it sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::{Packet, types, wire};

/// The addresses that no lookup may return unless the table says so.
pub const EVIL_V4: Ipv4Addr = Ipv4Addr::new(10, 66, 6, 6);
/// See [`EVIL_V4`].
pub const EVIL_V6: Ipv6Addr = Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 6);

/// The LAN behind the router, where the second attacker is.
pub const OFF_LINK: u8 = 4;

/// A query that was seen.
#[derive(Debug, Clone)]
pub struct Query {
    /// The position of the attacker's interface that saw it, and of the victim's that sent it.
    pub link: usize,
    /// The name asked for.
    pub name: String,
    /// The type asked for.
    pub kind: u16,
    /// Its id.
    pub id: u16,
    /// The victim's address.
    pub ip: IpAddr,
    /// The victim's port.
    pub port: u16,
}

/// One of the victim's interfaces.
#[derive(Debug, Clone)]
pub struct Victim {
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address that can be reached through routers.
    pub v6: Ipv6Addr,
    /// Its link-local address.
    pub link_local: Ipv6Addr,
}

/// All that an attack may make use of.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The query that has just been seen.
    pub query: &'a Query,
    /// Those seen before it.
    pub earlier: &'a [Query],
    /// The victim's interfaces.
    pub victims: &'a [Victim],
}

/// Out of which door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// To the victim's interface at this position.
    Link(usize),
    /// From behind the router.
    Router,
}

/// To which address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The group, port 5353.
    Group,
    /// This one.
    At(IpAddr, u16),
}

/// A packet to be sent.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Its way.
    pub via: Via,
    /// Over IPv6. The source and the destination are of that family.
    pub over_v6: bool,
    /// Its source address, perhaps another's.
    pub source: IpAddr,
    /// Its source port.
    pub port: u16,
    /// Its destination.
    pub to: To,
    /// The hop limit it starts with.
    pub hop_limit: u8,
    /// How long after the query, in milliseconds.
    pub delay: u64,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Scene<'_> {
    /// The name asked for, in wire form.
    pub fn name(&self) -> Vec<u8> {
        wire(&self.query.name)
    }

    /// The first label of the name asked for: `k17`.
    pub fn label(&self) -> &str {
        self.query.name.split('.').next().unwrap_or_default()
    }

    /// A name that is looked up after this one in the same process: its first label with its `k` made an `s`.
    pub fn second(&self) -> Vec<u8> {
        wire(&self.query.name.replacen('k', "s", 1))
    }

    /// A response with the right id and question, and no records.
    pub fn response(&self) -> Packet {
        Packet::new(self.query.id).question(&self.name(), self.query.kind)
    }

    /// Adds the attacker's addresses under a name.
    pub fn claim(packet: Packet, owner: &[u8]) -> Packet {
        packet.address(owner, EVIL_V4).address(owner, EVIL_V6)
    }

    /// The right form of a forged answer, which wins where it is allowed to come.
    pub fn forged(&self) -> Packet {
        Self::claim(self.response(), &self.name())
    }

    /// A forged answer whose addresses are another name's.
    pub fn forged_for(&self, owner: &[u8]) -> Packet {
        Self::claim(self.response(), owner)
    }

    /// A response to a reverse lookup, with this target.
    pub fn pointing_to(&self, target: &[u8]) -> Packet {
        self.response().record(&self.name(), types::PTR, target)
    }

    /// A packet to the querier's own address and port, from a neighbour of its.
    pub fn unicast(&self, packet: Packet) -> Shot {
        let Query { link, ip, port, .. } = *self.query;
        Shot {
            via: Via::Link(link),
            over_v6: ip.is_ipv6(),
            source: self.neighbour(link, ip.is_ipv6()),
            port: 5353,
            to: To::At(ip, port),
            hop_limit: 255,
            delay: 0,
            payload: packet.into_octets(),
        }
    }

    /// A packet to the group, from a neighbour of the querier's.
    pub fn multicast(&self, packet: Packet) -> Shot {
        Shot { to: To::Group, ..self.unicast(packet) }
    }

    /// The packet both by unicast and by multicast.
    pub fn both(&self, packet: Packet) -> Vec<Shot> {
        vec![self.unicast(packet.clone()), self.multicast(packet)]
    }

    /// Both, from an address behind the router. The victim's link-local address cannot be reached from there.
    pub fn from_behind_the_router(&self, packet: Packet, source: impl Fn(bool) -> IpAddr) -> Vec<Shot> {
        let over_v6 = self.query.ip.is_ipv6();
        let ip = self.victims.get(self.query.link).map_or(self.query.ip, |victim| victim.ip(over_v6));
        let shots = self.both(packet).into_iter().map(|shot| Shot {
            via: Via::Router,
            source: source(over_v6),
            to: if shot.to == To::Group { To::Group } else { To::At(ip, self.query.port) },
            ..shot
        });
        // The router is on the first LAN.
        shots.filter(|_| self.query.link == 0).collect()
    }

    /// An address on the link with that position.
    pub fn neighbour(&self, link: usize, v6: bool) -> IpAddr {
        let lan = self.victims.get(link).map_or(0, |victim| victim.v4.octets()[2]);
        if v6 { Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66).into() } else { Ipv4Addr::new(10, 77, lan, 166).into() }
    }
}

impl Victim {
    /// Its address that can be reached through routers.
    pub fn ip(&self, v6: bool) -> IpAddr {
        if v6 { self.v6.into() } else { self.v4.into() }
    }
}

impl Shot {
    /// From another port.
    pub fn from_port(self, port: u16) -> Shot {
        Shot { port, ..self }
    }

    /// From another address.
    pub fn from(self, source: IpAddr) -> Shot {
        Shot { source, ..self }
    }

    /// To another address or port.
    pub fn at(self, ip: IpAddr, port: u16) -> Shot {
        Shot { to: To::At(ip, port), ..self }
    }

    /// By another interface.
    pub fn via(self, link: usize) -> Shot {
        Shot { via: Via::Link(link), ..self }
    }

    /// With another hop limit.
    pub fn hops(self, hop_limit: u8) -> Shot {
        Shot { hop_limit, ..self }
    }

    /// Later.
    pub fn after(self, delay: u64) -> Shot {
        Shot { delay, ..self }
    }
}

/// The address of the attacker behind the router.
pub fn off_link(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0xfd77, u16::from(OFF_LINK), 0, 0, 0, 0, 0, 0x66).into()
    } else {
        Ipv4Addr::new(10, 77, OFF_LINK, 66).into()
    }
}
