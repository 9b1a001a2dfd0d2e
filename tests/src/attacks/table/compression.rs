//! Names with pointers that lead nowhere, in circles, or on and on.

use super::{Attack, Shots, attack};
use crate::attacks::scene::{EVIL_V4, Scene, Shot};
use test_packet::{Packet, Section, pointer, types, wire, wire_of_labels};

/// How many octets a record has before its data if its owner is the root.
const BEFORE_DATA: usize = 11;

pub(super) fn attacks() -> Vec<Attack> {
    const BACK: &str = "1035 s4.1.4: a pointer leads to a prior occurrence";
    const BOUND: &str = "rule: hops are bounded";
    const LABEL: &str = "1035 s4.1.4: label types 01 and 10 are reserved";
    let rows: [(&str, &str, &str, Shots); 12] = [
        ("pointer to itself", "as owner", BACK, |scene| {
            let packet = scene.response();
            let own = pointer(packet.len());
            claimed(scene, packet, &own)
        }),
        ("two pointers in a circle", "each leads to the other", BACK, |scene| {
            let packet = scene.response();
            let data = packet.len() + BEFORE_DATA;
            let packet = packet.record(&[0], types::NULL, &[pointer(data + 2), pointer(data)].concat());
            claimed(scene, packet, &pointer(data))
        }),
        ("labels in a circle", "NAME, then a pointer to NAME", BACK, |scene| {
            let packet = scene.response();
            let mut owner = wire_of_labels(&[scene.label().as_bytes()]);
            owner.pop();
            owner.extend(pointer(packet.len()));
            claimed(scene, packet, &owner)
        }),
        ("forward pointer", "to the name, in a later record's data", BACK, |scene| {
            let packet = scene.response();
            let later = packet.len() + 2 + 10 + 4 + BEFORE_DATA;
            let packet = packet.record(&pointer(later), types::A, &EVIL_V4.octets());
            scene.both(packet.record(&[0], types::NULL, &scene.name()))
        }),
        ("pointer past the end", "to octet 16,383", BACK, |scene| claimed(scene, scene.response(), &pointer(0x3fff))),
        ("pointer cut off", "its first octet ends the message", BACK, |scene| {
            scene.both(scene.response().raw(&[0xc0]).count(Section::Answers, 1))
        }),
        ("pointer into the header", "to octets 0 to 11", BACK, |scene| {
            let add = |packet: Packet, at: usize| packet.address(&pointer(at), EVIL_V4);
            scene.both((0..12).fold(scene.response(), add))
        }),
        ("40 hops", "pointers to pointers, the last to the name", BOUND, |scene| chain(scene, 40, 1)),
        ("4,000 hops", "all that fit into 9,000 octets", BOUND, |scene| chain(scene, 4_000, 1)),
        ("10,000 hops", "32 owners at the end of 320 pointers each", BOUND, |scene| chain(scene, 320, 32)),
        ("reserved label type 01", "0x43 for the length 3", LABEL, |scene| reserved(scene, 0x40)),
        ("reserved label type 10", "0x83 for the length 3", LABEL, |scene| reserved(scene, 0x80)),
    ];
    let over = attack(
        "300 octets",
        "owners of 300 octets that end in the name, in full and by pointer",
        "1035 s3.1: a name has 255 octets at most",
        |scene| {
            let label = [b'x'; 58].as_slice();
            let long = wire_of_labels(&[label; 5]);
            let in_full = [&long[..long.len() - 1], &scene.name()].concat();
            let by_pointer = [&long[..long.len() - 1], &pointer(12)].concat();
            [claimed(scene, scene.response(), &in_full), claimed(scene, scene.response(), &by_pointer)].concat()
        },
    );
    let mut all = rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots)).to_vec();
    all.push(over);
    all
}

fn claimed(scene: &Scene<'_>, packet: Packet, owner: &[u8]) -> Vec<Shot> {
    scene.both(Scene::claim(packet, owner))
}

/// So many owners, each at the end of so many pointers, which stand in a record that nobody reads.
fn chain(scene: &Scene<'_>, hops: usize, owners: usize) -> Vec<Shot> {
    let packet = scene.response();
    let data = packet.len() + BEFORE_DATA;
    let mut pointers = pointer(12).to_vec();
    for hop in 1..hops {
        pointers.extend(pointer(data + 2 * (hop - 1)));
    }
    let packet = packet.record(&[0], types::NULL, &pointers);
    let owner = pointer(data + 2 * (hops - 1));
    scene.both((0..owners).fold(packet, |packet, _| Scene::claim(packet, &owner)))
}

/// The name with bits of its first length octet that no label has.
fn reserved(scene: &Scene<'_>, bits: u8) -> Vec<Shot> {
    let mut owner = wire(&scene.query.name);
    owner[0] |= bits;
    claimed(scene, scene.response(), &owner)
}
