//! What gets through: what anyone on the link can do after all, and forms that real responders use, which show besides
//! that the attacker's packets arrive.

use super::{Attack, EVIL, Expected, Lookup, aliases, attack};
use crate::attacks::scene::{Scene, Shot, off_link};
use std::net::Ipv4Addr;
use test_packet::{IN, Packet, Section, pointer, types, wire};

pub(super) fn attacks() -> Vec<Attack> {
    [after_all(), forms()].concat()
}

/// The README's section on security says so.
fn after_all() -> Vec<Attack> {
    const NOBODY: &str = "6762 s21: no querier can tell";
    let both = [Lookup::Known, Lookup::Missing];
    vec![
        Attack {
            lookups: both.to_vec(),
            ..first("answers first, by unicast", NOBODY, |s| vec![s.unicast(s.forged())])
        },
        Attack {
            lookups: both.to_vec(),
            ..first("answers first, to the group", NOBODY, |s| vec![s.multicast(s.forged())])
        },
        // Off the link an attacker has to guess id and port; here an accomplice on the link tells them.
        attack(
            "behind a router, with an accomplice",
            "a forged source on the link, the right id; unicast",
            "6762 s11: such a source looks on-link; the id alone is in the way",
            |scene| {
                let shots = scene.from_behind_the_router(scene.forged(), |v6| scene.neighbour(0, v6));
                shots.into_iter().take(1).collect()
            },
        )
        .gives(EVIL),
        Attack {
            expected: Expected::AtMost(1024),
            ..attack("thousands of addresses", "8 packets of 500", "rule: a host has at most 1,024", |scene| {
                let name = pointer(12);
                let packet = |number: u16| {
                    let ip = |host: u16| Ipv4Addr::from(0x0a42_0000 + u32::from(number * 500 + host));
                    (1..=500).fold(scene.response(), |packet, host| packet.address(&name, ip(host)))
                };
                (0..8).map(|number| scene.unicast(packet(number))).collect()
            })
            .on(&[Lookup::Missing])
        },
    ]
}

fn first(name: &'static str, why: &'static str, shots: super::Shots) -> Attack {
    attack(name, "a well-formed answer", why, shots).gives(EVIL)
}

fn forms() -> Vec<Attack> {
    const HOPS: &str = "6762 s11: no router leaves 255 intact";
    const IGNORED: &str = "6762 s18: ignored on reception";
    vec![
        attack("another prefix, hop limit 255", "an off-link address; unicast and group", HOPS, |scene| {
            let from = |shot: Shot| shot.from(off_link(scene.query.ip.is_ipv6()));
            scene.both(scene.forged()).into_iter().map(from).collect()
        })
        .gives(EVIL),
        attack("a neighbour, hop limit 1", "unicast and group", "6762 s11: 255 is not demanded", |scene| {
            scene.both(scene.forged()).into_iter().map(|shot| shot.hops(1)).collect()
        })
        .gives(EVIL),
        attack("another case", "the owner in capitals", "6762 s16: case does not matter", |scene| {
            scene.both(scene.forged_for(&wire(&scene.query.name.to_uppercase())))
        })
        .gives(EVIL),
        attack("no question", "unicast, as some responders have it", "rule: a question may be missing", |scene| {
            vec![scene.unicast(Scene::claim(Packet::new(scene.query.id), &scene.name()))]
        })
        .gives(EVIL),
        attack("any id and question to the group", "another's", "6762 s6, s18.1: ignored there", |scene| {
            let packet = Packet::new(0x7777).question(&wire("other.local"), scene.query.kind);
            vec![scene.multicast(Scene::claim(packet, &scene.name()))]
        })
        .gives(EVIL),
        attack("TC 1", "truncated, it says", IGNORED, |scene| scene.both(scene.forged().flags(0x8600))).gives(EVIL),
        attack("AA 0, RD, RA, AD, CD 1", "flags of unicast DNS", IGNORED, |scene| {
            scene.both(scene.forged().flags(0x81b0))
        })
        .gives(EVIL),
        attack("class without the top bit", "a legacy unicast answer", "6762 s6.7: no cache-flush bit", |scene| {
            let (name, packet) = (scene.name(), scene.response());
            let packet = packet.address_with(&name, IN, 10, crate::attacks::scene::EVIL_V4);
            scene.both(packet.address_with(&name, IN, 10, crate::attacks::scene::EVIL_V6))
        })
        .gives(EVIL),
        attack("a compressed owner", "a pointer to the question", "1035 s4.1.4: pointers are followed", |scene| {
            scene.both(scene.forged_for(&pointer(12)))
        })
        .gives(EVIL),
        attack("additional records", "no answers, two of these", "rule: all sections are read", |scene| {
            scene.both(Scene::claim(scene.response().section(Section::Additional), &scene.name()))
        })
        .gives(EVIL),
        attack("behind records that do not parse", "a TXT, a bad A, a bad owner", "rule: passed over", |scene| {
            let name = scene.name();
            let packet = scene.response().record(&name, types::TXT, b"\x03abc").record(&name, types::A, &[1, 2, 3]);
            scene.both(Scene::claim(packet.record(&pointer(0x3fff), types::A, &[10, 66, 7, 7]), &name))
        })
        .gives(EVIL),
        attack("a chain of 8 CNAMEs", "the last with addresses", "rule: so many are followed", |scene| {
            aliases::chain(scene, 8)
        })
        .gives(EVIL),
        attack("9,000 octets", "a right answer and zeros", "6762 s17: so many may come", |scene| {
            let packet = scene.forged();
            let rest = vec![0; 9000 - packet.len()];
            scene.both(packet.raw(&rest))
        })
        .gives(EVIL),
        attack("65,535 records claimed truly in part", "two there, right ones", "rule: those are kept", |scene| {
            scene.both(scene.forged().count(Section::Answers, u16::MAX))
        })
        .gives(EVIL),
    ]
}
