//! Well-formed messages with a wrong source, port, id, destination or interface.

use super::{Attack, Lookup, attack};
use crate::attacks::context::{Context, Injection, Query, add_forged_addresses, off_link};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, Packet};

pub(super) fn attacks() -> Vec<Attack> {
    [sources(), ids(), destinations(), interfaces()].concat()
}

fn sources() -> Vec<Attack> {
    const LINK: &str = "6762 s11: the source must be on the link";
    const NO_ID: &str = "rule: without the id, the hop limit must be 255";
    vec![
        attack("behind a router, hop limit 255", "right id; unicast; 254 on arrival", LINK, |context| {
            context.unicast_from_behind_router(context.forged(), off_link)
        }),
        attack("behind a router, hop limit 64", "right id; unicast; 63 on arrival", LINK, |context| {
            let injections = context.unicast_from_behind_router(context.forged(), off_link);
            injections.into_iter().map(|injection| injection.with_hop_limit(64)).collect()
        }),
        attack(
            "behind a router, on-link address",
            "a forged on-link source, a wrong id; unicast",
            "6762 s6: the id, which a host off the link cannot know",
            |context| {
                let packet = wrong_id(context, context.query.id ^ 0x5555);
                context.unicast_from_behind_router(packet, |v6| context.neighbour(0, v6))
            },
        ),
        attack(
            "behind a router, id 0",
            "hop limit 255, a forged on-link source; unicast; 254 on arrival",
            NO_ID,
            |context| context.unicast_from_behind_router(wrong_id(context, 0), |v6| context.neighbour(0, v6)),
        ),
        attack("id 0, hop limit 64", "an on-link source; unicast", NO_ID, |context| {
            vec![context.unicast(wrong_id(context, 0)).with_hop_limit(64)]
        }),
        attack("off-link address on the link", "hop limit 254, right id; unicast", LINK, |context| {
            let source = off_link(context.query.ip.is_ipv6());
            vec![context.unicast(context.forged()).from_address(source).with_hop_limit(254)]
        }),
        attack(
            "address of another link",
            "an address in the prefix of the other interface, hop limit 254; unicast",
            LINK,
            |context| {
                let other = context.victims.get(1 - context.query.link.min(1)).map(|victim| victim.v4.octets()[2]);
                let lan = other.unwrap_or_default();
                let source: IpAddr = match context.query.ip {
                    IpAddr::V4(_) => Ipv4Addr::new(10, 77, lan, 166).into(),
                    IpAddr::V6(_) => Ipv6Addr::new(0xfd77, u16::from(lan), 0, 0, 0, 0, 0, 0x166).into(),
                };
                vec![context.unicast(context.forged()).from_address(source).with_hop_limit(254)]
            },
        ),
        attack("source port 53", "right id; unicast and group", "6762 s6: source port must be 5353", |context| {
            context.both(context.forged()).into_iter().map(|injection| injection.from_port(53)).collect()
        }),
        attack("source port 40000", "right id; unicast and group", "6762 s6: source port must be 5353", |context| {
            context.both(context.forged()).into_iter().map(|injection| injection.from_port(40_000)).collect()
        }),
    ]
}

/// The forged response with another id. An id that another question of this lookup happens to have is replaced.
fn wrong_id(context: &Context<'_>, mut id: u16) -> Packet {
    let is_pending = |id| context.earlier.iter().any(|query| query.name == context.query.name && query.id == id);
    while id != 0 && is_pending(id) {
        id = id.wrapping_add(7);
    }
    add_forged_addresses(Packet::new(id).question(&context.name(), context.query.rtype), &context.name())
}

/// Whether a query came from an ephemeral port. Queries from port 5353 have id 0, and their responses go to the group.
fn is_ephemeral(query: &Query) -> bool {
    query.port != MDNS_PORT
}

fn ids() -> Vec<Attack> {
    const ID: &str = "rule: a unicast response has the id of a pending query";
    vec![
        attack("wrong id", "some bits flipped; unicast", ID, |context| {
            vec![context.unicast(wrong_id(context, context.query.id ^ 0x5555))]
        }),
        attack("id off by one", "one more and one less; unicast", ID, |context| {
            let id = context.query.id;
            [id.wrapping_add(1), id.wrapping_sub(1)].map(|id| context.unicast(wrong_id(context, id))).to_vec()
        }),
        attack("id 0", "in reply to the first round; unicast", "rule: id 0 is accepted after a repeat", |context| {
            let asked = |query: &&Query| {
                query.name == context.query.name
                    && query.link == context.query.link
                    && query.ip.is_ipv6() == context.query.ip.is_ipv6()
            };
            let is_first_round = is_ephemeral(context.query)
                && context.earlier.iter().filter(asked).all(|query| query.rtype != context.query.rtype);
            if is_first_round { vec![context.unicast(wrong_id(context, 0))] } else { Vec::new() }
        })
        .on(&[Lookup::Known])
        .on_late_retransmission(),
        attack("reused id", "the id of an earlier lookup, of another name; unicast", ID, |context| {
            let same = |query: &&Query| query.name != context.query.name && query.ip == context.query.ip;
            let earlier = context.earlier.iter().rev().filter(|query| is_ephemeral(query)).find(same);
            let id = earlier.map_or(1, |query| query.id);
            vec![context.unicast(wrong_id(context, id))]
        }),
        attack("id of the other family", "the id of the IPv6 query over IPv4, and the reverse", ID, |context| {
            let other = |query: &&Query| {
                query.name == context.query.name
                    && query.link == context.query.link
                    && query.ip.is_ipv6() != context.query.ip.is_ipv6()
            };
            // A query from port 5353 has no id.
            let others =
                context.earlier.iter().filter(|query| is_ephemeral(query) && is_ephemeral(context.query)).filter(other);
            others.map(|query| Context { query, ..*context }.unicast(context.forged())).collect()
        }),
    ]
}

fn destinations() -> Vec<Attack> {
    const OWN: &str = "rule: a unicast response is addressed to the querier";
    fn groups(context: &Context<'_>, v4: Ipv4Addr, v6: Ipv6Addr, port: u16) -> Vec<Injection> {
        if !is_ephemeral(context.query) {
            return Vec::new();
        }
        let group: IpAddr = if context.query.ip.is_ipv6() { v6.into() } else { v4.into() };
        vec![context.unicast(context.forged()).to(group, port)]
    }
    const ALL_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    vec![
        attack("the group, querier's port", "right id, to 224.0.0.251 and ff02::fb", OWN, |context| {
            groups(context, GROUP_V4, GROUP_V6, context.query.port)
        }),
        attack("all hosts, querier's port", "right id, to 224.0.0.1 and ff02::1", OWN, |context| {
            groups(context, Ipv4Addr::new(224, 0, 0, 1), ALL_V6, context.query.port)
        }),
        attack("all hosts, port 5353", "to 224.0.0.1 and ff02::1", "6762 s3: the group is 224.0.0.251", |context| {
            groups(context, Ipv4Addr::new(224, 0, 0, 1), ALL_V6, MDNS_PORT)
        }),
        attack("broadcast", "right id, to 255.255.255.255 and 10.77.x.255, the querier's port", OWN, |context| {
            let IpAddr::V4(own) = context.query.ip else { return Vec::new() };
            let [a, b, c, _] = own.octets();
            let to = [Ipv4Addr::BROADCAST, Ipv4Addr::new(a, b, c, 255)];
            to.map(|ip| context.unicast(context.forged()).to(ip.into(), context.query.port)).to_vec()
        }),
        attack(
            "unicast to port 5353",
            "as a daemon on the victim would receive",
            "rule: the multicast listener accepts multicast only",
            |context| vec![context.unicast(context.forged()).to(context.query.ip, MDNS_PORT)],
        ),
    ]
}

fn interfaces() -> Vec<Attack> {
    vec![
        attack(
            "the id of the other interface",
            "the id of the query on one LAN, sent on the other to the address there",
            "rule: a response is addressed to the interface that was queried",
            |context| {
                let link = 1 - context.query.link.min(1);
                let Some(victim) = context.victims.get(link) else { return Vec::new() };
                let v6 = context.query.ip.is_ipv6();
                let to: IpAddr = if v6 { victim.link_local.into() } else { victim.v4.into() };
                let injection =
                    context.unicast(context.forged()).over_link(link).from_address(context.neighbour(link, v6));
                vec![injection.to(to, context.query.port)]
            },
        ),
        attack(
            "an address of the other interface's link",
            "right id to the address that the query came from, over the other LAN, hop limit 255",
            "rule: a response comes from the link that was queried",
            |context| {
                let link = 1 - context.query.link.min(1);
                let source = context.neighbour(link, context.query.ip.is_ipv6());
                vec![context.unicast(context.forged()).over_link(link).from_address(source)]
            },
        ),
        attack(
            "an interface that was not queried",
            "right id to the address there, and to the group",
            "rule: a response arrives on an interface that was queried",
            |context| {
                let link = 2;
                let Some(victim) = context.victims.get(link) else { return Vec::new() };
                let v6 = context.query.ip.is_ipv6();
                let from = |injection: Injection| injection.over_link(link).from_address(context.neighbour(link, v6));
                let unicast = from(context.unicast(context.forged())).to(victim.routable(v6), context.query.port);
                vec![unicast, from(context.multicast(context.forged()))]
            },
        ),
    ]
}
