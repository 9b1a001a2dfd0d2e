//! Answers that come before their question: of names that are looked up next, in the same process.

use super::{Attack, Expected, Lookup, attack};
use crate::attacks::scene::Scene;
use test_packet::{IN, Packet, TOP_BIT, types, wire};

const MEMORY: &str = "rule: only the name asked for is remembered";

/// Addresses of the names that are looked up next.
fn others(scene: &Scene<'_>, packet: Packet) -> Packet {
    let packet = Scene::claim(packet, &scene.second());
    Scene::claim(packet, &wire(&format!("m{}", scene.query.name.replacen('k', "s", 1))))
}

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        attack("addresses of the next names", "in place of the first one's", MEMORY, |scene| {
            scene.both(others(scene, scene.response()))
        })
        .on(&[Lookup::KnownThenOthers]),
        Attack {
            expected: Expected::Theirs(super::EVIL),
            ..attack("addresses beside the first one's", "a right answer, and the next names'", MEMORY, |scene| {
                scene.both(others(scene, scene.forged()))
            })
            .on(&[Lookup::KnownThenOthers])
        },
        Attack {
            expected: Expected::Theirs(super::EVIL),
            ..attack("an alias to the next name", "with that one's addresses", MEMORY, |scene| {
                let packet = scene.response().record(&scene.name(), types::CNAME, &scene.second());
                scene.both(Scene::claim(packet, &scene.second()))
            })
            .on(&[Lookup::KnownThenOthers])
        },
        attack("the next name denied", "NSEC, goodbye and rcode 3 of it", MEMORY, |scene| {
            let next = scene.second();
            let packet = Packet::new(scene.query.id).question(&scene.name(), scene.query.kind);
            let denial = packet.nsec(&next, &[]).address_with(&next, IN | TOP_BIT, 0, crate::attacks::scene::EVIL_V4);
            let error = Packet::new(scene.query.id).flags(0x8403).question(&next, scene.query.kind);
            [scene.both(denial), scene.both(error)].concat()
        })
        .on(&[Lookup::KnownThenOthers]),
    ]
}
