//! What an attack is built from, and the packets that it injects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::{MDNS_PORT, Packet, types, wire};

/// The forged addresses. No lookup may return them unless the table says so.
pub const FORGED_V4: Ipv4Addr = Ipv4Addr::new(10, 66, 6, 6);
/// See [`FORGED_V4`].
pub const FORGED_V6: Ipv6Addr = Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 6);

/// The number of the LAN behind the router, where the second attacker is.
pub const OFF_LINK: u8 = 4;

/// A question that the attacker saw on the network.
#[derive(Debug, Clone)]
pub struct Query {
    /// The position of the attacker's interface that saw it, which is also that of the victim's interface that sent it.
    pub link: usize,
    /// The queried name.
    pub name: String,
    /// The queried type.
    pub rtype: u16,
    /// The id of the message.
    pub id: u16,
    /// The victim's address.
    pub ip: IpAddr,
    /// The victim's port.
    pub port: u16,
}

/// An interface of the victim.
#[derive(Debug, Clone)]
pub struct Victim {
    /// Hardware address.
    pub mac: [u8; 6],
    /// IPv4 address.
    pub v4: Ipv4Addr,
    /// IPv6 address that can be reached through routers.
    pub v6: Ipv6Addr,
    /// Link-local IPv6 address.
    pub link_local: Ipv6Addr,
}

/// Everything an attack may use.
#[derive(Debug)]
pub struct Context<'a> {
    /// The query that was seen just now.
    pub query: &'a Query,
    /// The queries before it.
    pub earlier: &'a [Query],
    /// The victim's interfaces.
    pub victims: &'a [Victim],
}

/// How a packet gets to the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Over the link of the victim's interface at this position.
    Link(usize),
    /// From behind the router.
    Router,
}

/// Where a packet is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The group, port 5353.
    Group,
    /// This address and port.
    Address(IpAddr, u16),
}

/// A packet to inject.
#[derive(Debug, Clone)]
pub struct Injection {
    /// How it gets to the victim.
    pub route: Route,
    /// Source address, forged or not. The destination is of the same family.
    pub source: IpAddr,
    /// Source port.
    pub port: u16,
    /// Destination.
    pub destination: Destination,
    /// Hop limit as sent.
    pub hop_limit: u8,
    /// Delay after the query, in milliseconds.
    pub delay: u64,
    /// The message.
    pub payload: Vec<u8>,
}

impl Context<'_> {
    /// The queried name, in wire form.
    pub fn name(&self) -> Vec<u8> {
        wire(&self.query.name)
    }

    /// The first label of the queried name, such as `k17`.
    pub fn label(&self) -> &str {
        self.query.name.split('.').next().unwrap_or_default()
    }

    /// The name that the same process looks up next, in wire form: the queried name with its `k` replaced by an `s`.
    pub fn next_name(&self) -> Vec<u8> {
        wire(&self.query.name.replacen('k', "s", 1))
    }

    /// A response with the right id and question, and no records.
    pub fn response(&self) -> Packet {
        Packet::new(self.query.id).question(&self.name(), self.query.rtype)
    }

    /// A well-formed forged response. The module accepts it if its source, destination and interface are valid.
    pub fn forged(&self) -> Packet {
        self.forged_for(&self.name())
    }

    /// A forged response whose addresses have another owner.
    pub fn forged_for(&self, owner: &[u8]) -> Packet {
        add_forged_addresses(self.response(), owner)
    }

    /// A response to a reverse lookup, with this target.
    pub fn ptr_response(&self, target: &[u8]) -> Packet {
        self.response().name_record(&self.name(), types::PTR, target)
    }

    /// A packet from an on-link host to the querier's own address and port.
    pub fn unicast(&self, packet: Packet) -> Injection {
        let Query { link, ip, port, .. } = *self.query;
        Injection {
            route: Route::Link(link),
            source: self.neighbour(link, ip.is_ipv6()),
            port: MDNS_PORT,
            destination: Destination::Address(ip, port),
            hop_limit: 255,
            delay: 0,
            payload: packet.into_octets(),
        }
    }

    /// A packet from an on-link host to the group.
    pub fn multicast(&self, packet: Packet) -> Injection {
        Injection { destination: Destination::Group, ..self.unicast(packet) }
    }

    /// The packet by unicast and by multicast.
    pub fn both(&self, packet: Packet) -> Vec<Injection> {
        vec![self.unicast(packet.clone()), self.multicast(packet)]
    }

    /// The packet by unicast, from behind the router, with the source address that `source` returns for IPv6 (true) or
    /// IPv4 (false).
    pub fn unicast_from_behind_router(&self, packet: Packet, source: impl Fn(bool) -> IpAddr) -> Vec<Injection> {
        let is_v6 = self.query.ip.is_ipv6();
        // Routers do not forward to link-local addresses.
        let ip = self.victims.get(self.query.link).map_or(self.query.ip, |victim| victim.routable(is_v6));
        let injection = self.unicast(packet).to(ip, self.query.port);
        self.behind_router(injection.from_address(source(is_v6)))
    }

    /// The packet by multicast, from behind the router, which forwards the groups although it must not. The source
    /// address is off the link.
    pub fn multicast_from_behind_router(&self, packet: Packet) -> Vec<Injection> {
        self.behind_router(self.multicast(packet).from_address(off_link(self.query.ip.is_ipv6())))
    }

    /// The injection from behind the router; none for a query on another LAN than the first, where there is no router.
    fn behind_router(&self, injection: Injection) -> Vec<Injection> {
        let injection = Injection { route: Route::Router, ..injection };
        if self.query.link == 0 { vec![injection] } else { Vec::new() }
    }

    /// An on-link address that no host has, for the link at this position.
    pub fn neighbour(&self, link: usize, is_v6: bool) -> IpAddr {
        let lan = self.victims.get(link).map_or(0, |victim| victim.v4.octets()[2]);
        if is_v6 {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66).into()
        } else {
            Ipv4Addr::new(10, 77, lan, 166).into()
        }
    }
}

impl Victim {
    /// The address that can be reached through routers.
    pub fn routable(&self, is_v6: bool) -> IpAddr {
        if is_v6 { self.v6.into() } else { self.v4.into() }
    }
}

impl Injection {
    /// With another source port.
    pub fn from_port(self, port: u16) -> Injection {
        Injection { port, ..self }
    }

    /// With another source address.
    pub fn from_address(self, source: IpAddr) -> Injection {
        Injection { source, ..self }
    }

    /// To another address or port.
    pub fn to(self, ip: IpAddr, port: u16) -> Injection {
        Injection { destination: Destination::Address(ip, port), ..self }
    }

    /// Over another link.
    pub fn over_link(self, link: usize) -> Injection {
        Injection { route: Route::Link(link), ..self }
    }

    /// With another hop limit.
    pub fn with_hop_limit(self, hop_limit: u8) -> Injection {
        Injection { hop_limit, ..self }
    }

    /// With another delay after the query, in milliseconds.
    pub fn delayed_by(self, delay: u64) -> Injection {
        Injection { delay, ..self }
    }
}

/// Adds the forged addresses to a packet, with this owner.
pub fn add_forged_addresses(packet: Packet, owner: &[u8]) -> Packet {
    packet.address(owner, FORGED_V4).address(owner, FORGED_V6)
}

/// The address of the attacker behind the router.
pub fn off_link(is_v6: bool) -> IpAddr {
    if is_v6 {
        Ipv6Addr::new(0xfd77, u16::from(OFF_LINK), 0, 0, 0, 0, 0, 0x66).into()
    } else {
        Ipv4Addr::new(10, 77, OFF_LINK, 66).into()
    }
}
