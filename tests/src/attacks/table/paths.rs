//! Right messages that come the wrong way: source, port, id, destination, interface.

use super::{Attack, attack};
use crate::attacks::scene::{Query, Scene, Shot, off_link};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT, Packet};

pub(super) fn attacks() -> Vec<Attack> {
    [from_elsewhere(), ids(), destinations(), interfaces()].concat()
}

fn from_elsewhere() -> Vec<Attack> {
    const LINK: &str = "6762 s11: the source must be on the link";
    vec![
        attack("behind a router, hop limit 255", "right id; unicast and group; 254 on arrival", LINK, |scene| {
            scene.from_behind_the_router(scene.forged(), off_link)
        }),
        attack("behind a router, hop limit 64", "right id; unicast and group; 63 on arrival", LINK, |scene| {
            let shots = scene.from_behind_the_router(scene.forged(), off_link);
            shots.into_iter().map(|shot| shot.hops(64)).collect()
        }),
        attack(
            "behind a router, neighbour's address",
            "a forged source on the link, a wrong id; unicast",
            "6762 s6: id; who is not on the link cannot know it",
            |scene| {
                let packet = wrong_id(scene, scene.query.id ^ 0x5555);
                let shots = scene.from_behind_the_router(packet, |v6| scene.neighbour(0, v6));
                shots.into_iter().take(1).collect()
            },
        ),
        attack("off-link address on the link", "hop limit 254, right id; unicast and group", LINK, |scene| {
            let from = |shot: Shot| shot.from(off_link(scene.query.ip.is_ipv6())).hops(254);
            scene.both(scene.forged()).into_iter().map(from).collect()
        }),
        attack("another link's address", "an address of the other interface's prefix, hop limit 254", LINK, |scene| {
            let other = scene.victims.get(1 - scene.query.link.min(1)).map(|victim| victim.v4.octets()[2]);
            let lan = other.unwrap_or_default();
            let source: IpAddr = match scene.query.ip {
                IpAddr::V4(_) => Ipv4Addr::new(10, 77, lan, 166).into(),
                IpAddr::V6(_) => Ipv6Addr::new(0xfd77, u16::from(lan), 0, 0, 0, 0, 0, 0x166).into(),
            };
            scene.both(scene.forged()).into_iter().map(|shot| shot.from(source).hops(254)).collect()
        }),
        attack("source port 53", "right id; unicast and group", "6762 s6: source port must be 5353", |scene| {
            scene.both(scene.forged()).into_iter().map(|shot| shot.from_port(53)).collect()
        }),
        attack("source port 40000", "right id; unicast and group", "6762 s6: source port must be 5353", |scene| {
            scene.both(scene.forged()).into_iter().map(|shot| shot.from_port(40_000)).collect()
        }),
    ]
}

/// The forged answer under another id, which by chance would be that of another question of this lookup now and then.
fn wrong_id(scene: &Scene<'_>, mut id: u16) -> Packet {
    let is_open = |id| scene.earlier.iter().any(|query| query.name == scene.query.name && query.id == id);
    while id != 0 && is_open(id) {
        id = id.wrapping_add(7);
    }
    Scene::claim(Packet::new(id).question(&scene.name(), scene.query.kind), &scene.name())
}

/// Queries from port 5353 have no id, and their answers go to the group.
fn ephemeral(query: &Query) -> bool {
    query.port != MDNS_PORT
}

fn ids() -> Vec<Attack> {
    const ID: &str = "rule: a unicast answer bears the id of a question still open";
    vec![
        attack("wrong id", "id with bits turned over; unicast", ID, |scene| {
            vec![scene.unicast(wrong_id(scene, scene.query.id ^ 0x5555))]
        }),
        attack("id off by one", "the id's two neighbours; unicast", ID, |scene| {
            let id = scene.query.id;
            [id.wrapping_add(1), id.wrapping_sub(1)].map(|id| scene.unicast(wrong_id(scene, id))).to_vec()
        }),
        attack("id 0", "as responders send that echo none; unicast", ID, |scene| {
            vec![scene.unicast(wrong_id(scene, 0))]
        }),
        attack("reused id", "the id of an earlier lookup, of another name; unicast", ID, |scene| {
            let same = |query: &&Query| query.name != scene.query.name && query.ip == scene.query.ip;
            let earlier = scene.earlier.iter().rev().filter(|query| ephemeral(query)).find(same);
            let id = earlier.map_or(1, |query| query.id);
            vec![scene.unicast(wrong_id(scene, id))]
        }),
        attack("id of the other family", "the IPv6 question's id over IPv4, and the reverse", ID, |scene| {
            let other = |query: &&Query| {
                query.name == scene.query.name
                    && query.link == scene.query.link
                    && query.ip.is_ipv6() != scene.query.ip.is_ipv6()
            };
            let others = scene.earlier.iter().filter(|query| ephemeral(query)).filter(other);
            others.map(|query| Scene { query, ..*scene }.unicast(scene.forged())).collect()
        }),
    ]
}

fn destinations() -> Vec<Attack> {
    const OWN: &str = "rule: a unicast answer goes to an own address";
    fn groups(scene: &Scene<'_>, v4: Ipv4Addr, v6: Ipv6Addr, port: u16) -> Vec<Shot> {
        if !ephemeral(scene.query) {
            return Vec::new();
        }
        let group: IpAddr = if scene.query.ip.is_ipv6() { v6.into() } else { v4.into() };
        vec![scene.unicast(scene.forged()).at(group, port)]
    }
    const ALL_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    vec![
        attack("the group at the querier's port", "right id, to 224.0.0.251 and ff02::fb", OWN, |scene| {
            groups(scene, GROUP_V4, GROUP_V6, scene.query.port)
        }),
        attack("all hosts at the querier's port", "right id, to 224.0.0.1 and ff02::1", OWN, |scene| {
            groups(scene, Ipv4Addr::new(224, 0, 0, 1), ALL_V6, scene.query.port)
        }),
        attack("all hosts at port 5353", "to 224.0.0.1 and ff02::1", "6762 s3: the group is 224.0.0.251", |scene| {
            groups(scene, Ipv4Addr::new(224, 0, 0, 1), ALL_V6, MDNS_PORT)
        }),
        attack("broadcast", "right id, to 255.255.255.255 and 10.77.x.255, the querier's port", OWN, |scene| {
            let IpAddr::V4(own) = scene.query.ip else { return Vec::new() };
            let [a, b, c, _] = own.octets();
            let to = [Ipv4Addr::BROADCAST, Ipv4Addr::new(a, b, c, 255)];
            to.map(|ip| scene.unicast(scene.forged()).at(ip.into(), scene.query.port)).to_vec()
        }),
        attack("unicast to port 5353", "as a daemon on the victim gets it", "rule: the ear hears the group", |scene| {
            vec![scene.unicast(scene.forged()).at(scene.query.ip, MDNS_PORT)]
        }),
    ]
}

fn interfaces() -> Vec<Attack> {
    vec![
        attack(
            "the other interface's id",
            "the id asked with on one LAN, sent on the other to the address there",
            "rule: an answer comes by the interface that was asked on",
            |scene| {
                let link = 1 - scene.query.link.min(1);
                let Some(victim) = scene.victims.get(link) else { return Vec::new() };
                let v6 = scene.query.ip.is_ipv6();
                let to: IpAddr = if v6 { victim.link_local.into() } else { victim.v4.into() };
                let shot = scene.unicast(scene.forged()).via(link).from(scene.neighbour(link, v6));
                vec![shot.at(to, scene.query.port)]
            },
        ),
        attack(
            "an interface not asked on",
            "right id to the address there, and to the group",
            "rule: an answer comes by an interface that was asked on",
            |scene| {
                let link = 2;
                let Some(victim) = scene.victims.get(link) else { return Vec::new() };
                let v6 = scene.query.ip.is_ipv6();
                let from = |shot: Shot| shot.via(link).from(scene.neighbour(link, v6));
                let unicast = from(scene.unicast(scene.forged())).at(victim.ip(v6), scene.query.port);
                vec![unicast, from(scene.multicast(scene.forged()))]
            },
        ),
    ]
}
