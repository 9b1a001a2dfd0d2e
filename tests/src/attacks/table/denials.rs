//! NSEC records, and responders that disagree. In some rows the attacker plays a responder with odd habits, of whose
//! addresses none may be lost.

use super::{Attack, EVIL, attack};
use crate::attacks::scene::{EVIL_V4, EVIL_V6, Query, Scene, Shot};
use std::net::Ipv4Addr;
use test_packet::{CH, IN, Packet, types, wire};

const A_ONLY: &[u16] = &[types::A];

/// When the second family comes: within the grace of 20 ms, after all that could end it.
const LATER: u64 = 8;

pub(super) fn attacks() -> Vec<Attack> {
    [bare(), odd(), disagreement()].concat()
}

fn bare() -> Vec<Attack> {
    const NEVER: &str = "rule: NSEC shortens a wait, never takes away";
    vec![
        attack("NSEC that denies AAAA", "there is only an A, says the attacker", NEVER, |scene| {
            let name = scene.name();
            scene.both(scene.response().nsec(&name, A_ONLY))
        }),
        attack("NSEC that denies A", "there is only an AAAA, says the attacker", NEVER, |scene| {
            let name = scene.name();
            scene.both(scene.response().nsec(&name, &[types::AAAA]))
        }),
        attack("NSEC that denies all", "an empty bitmap", NEVER, |scene| {
            let name = scene.name();
            scene.both(scene.response().nsec(&name, &[]))
        }),
    ]
}

/// A host that gives its IPv4 address at once, with something beside it, and its IPv6 address a little later. Only the
/// questions over IPv4 are answered.
fn host(scene: &Scene<'_>, beside: fn(Packet, &[u8]) -> Packet) -> Vec<Shot> {
    let name = scene.name();
    let response = scene.response();
    match scene.query {
        Query { ip, .. } if ip.is_ipv6() => Vec::new(),
        Query { kind: types::A, .. } => vec![scene.unicast(beside(response.address(&name, EVIL_V4), &name))],
        _ => vec![scene.unicast(response.address(&name, EVIL_V6)).after(LATER)],
    }
}

fn odd() -> Vec<Attack> {
    const OURS: &str = "6762 s6.1: owner and next name are the name asked for";
    const FORM: &str = "6762 s6.1: one block, of window 0";
    vec![
        attack("NSEC of another owner", "{A} of other.local beside an A; the AAAA later", OURS, |scene| {
            host(scene, |packet, name| packet.nsec_with(&wire("other.local"), name, 0, A_ONLY))
        })
        .gives(EVIL),
        attack("NSEC with another next name", "{A}, next name other.local; the AAAA later", OURS, |scene| {
            host(scene, |packet, name| packet.nsec_with(name, &wire("other.local"), 0, A_ONLY))
        })
        .gives(EVIL),
        attack("NSEC of window 1", "{A} of window 1; the AAAA later", FORM, |scene| {
            host(scene, |packet, name| packet.nsec_with(name, name, 1, A_ONLY))
        })
        .gives(EVIL),
        attack("NSEC that is cut off", "{A}, 3 of the bitmap's 6 octets there; the AAAA later", FORM, |scene| {
            host(scene, |packet, name| {
                let data = [name, &[0, 6, 0x40, 0, 0]].concat();
                packet.record(name, types::NSEC, &data)
            })
        })
        .gives(EVIL),
        attack("NSEC with an empty bitmap", "beside an A; the AAAA later", "rule: an odd bitmap is none", |scene| {
            host(scene, |packet, name| packet.nsec(name, &[]))
        })
        .gives(EVIL),
        attack("NSEC that is gone", "{A}, TTL 0; the AAAA later", "6762 s10.1: the record is gone", |scene| {
            host(scene, |packet, name| packet.record_with(name, types::NSEC, IN, 0, &[name, &[0, 1, 0x40]].concat()))
        })
        .gives(EVIL),
        attack("NSEC of class CH", "{A}; the AAAA later", "6762 s6: class is IN", |scene| {
            host(scene, |packet, name| packet.record_with(name, types::NSEC, CH, 120, &[name, &[0, 1, 0x40]].concat()))
        })
        .gives(EVIL),
        attack("NSEC of a stranger", "{A} from who gave no address; the AAAA later", "rule: the host's own", |scene| {
            let mut shots = host(scene, |packet, _| packet);
            if scene.query.kind == types::A {
                let name = scene.name();
                let denial = scene.response().nsec(&name, A_ONLY);
                shots.extend(scene.both(denial).into_iter().map(|shot| shot.from(stranger(scene)).after(1)));
            }
            shots
        })
        .gives(EVIL),
        // Some versions of Windows answer every query, most of them with nothing.
        attack(
            "an empty answer",
            "no record for the A question; the AAAA at once, the A later",
            "rule: says nothing",
            |scene| {
                let (name, response) = (scene.name(), scene.response());
                match scene.query {
                    Query { ip, .. } if ip.is_ipv6() => Vec::new(),
                    Query { kind: types::AAAA, .. } => vec![scene.unicast(response.address(&name, EVIL_V6))],
                    _ => vec![
                        scene.unicast(response.clone()).after(2),
                        scene.unicast(response.address(&name, EVIL_V4)).after(LATER),
                    ],
                }
            },
        )
        .gives(EVIL),
    ]
}

fn disagreement() -> Vec<Attack> {
    const FIRST: &str = "rule: of two that share no address, the first, not the union";
    vec![
        attack("a second host of the name", "another's A 2 ms after the first one's", FIRST, |scene| {
            let mut shots = host(scene, |packet, _| packet);
            if scene.query.kind == types::A {
                let packet = scene.response().address(&scene.name(), Ipv4Addr::new(10, 66, 7, 7));
                shots.extend(scene.both(packet).into_iter().map(|shot| shot.from(stranger(scene)).after(2)));
            }
            shots
        })
        .gives(EVIL),
        attack(
            "a second host, family by family",
            "an AAAA; another's A and AAAA 2 ms after; the A later",
            FIRST,
            |scene| {
                let (name, response) = (scene.name(), scene.response());
                if scene.query.ip.is_ipv6() {
                    return Vec::new();
                }
                if scene.query.kind == types::A {
                    return vec![scene.unicast(response.address(&name, EVIL_V4)).after(LATER)];
                }
                let theirs = response.clone().address(&name, Ipv4Addr::new(10, 66, 7, 7));
                let theirs = theirs.address(&name, std::net::Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 7));
                let second = scene.both(theirs).into_iter().map(|shot| shot.from(stranger(scene)).after(2));
                second.chain([scene.unicast(response.address(&name, EVIL_V6))]).collect()
            },
        )
        .gives(EVIL),
    ]
}

/// Another neighbour.
fn stranger(scene: &Scene<'_>) -> std::net::IpAddr {
    match scene.neighbour(scene.query.link, scene.query.ip.is_ipv6()) {
        std::net::IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) + 1).into(),
        std::net::IpAddr::V6(ip) => std::net::Ipv6Addr::from(u128::from(ip) + 1).into(),
    }
}
