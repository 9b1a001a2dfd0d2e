//! Headers and questions.

use super::{Attack, Lookup, attack};
use crate::attacks::scene::Scene;
use test_packet::{Packet, Section, pointer, wire};

pub(super) fn attacks() -> Vec<Attack> {
    [flags(), questions(), counts()].concat()
}

fn flags() -> Vec<Attack> {
    const OPCODE: &str = "6762 s18.3: opcode must be 0";
    const RCODE: &str = "6762 s18.11: rcode must be 0";
    vec![
        attack("QR 0", "a query that bears answers", "6762 s18.2: a response has QR 1", |scene| {
            scene.both(scene.forged().flags(0x0400))
        }),
        attack("opcode 1", "an inverse query's response", OPCODE, |scene| scene.both(scene.forged().flags(0x8c00))),
        attack("opcode 5", "an update's response", OPCODE, |scene| scene.both(scene.forged().flags(0xac00))),
        attack("rcode 1", "a format error that bears answers", RCODE, |scene| scene.both(scene.forged().flags(0x8401))),
        attack("rcode 3", "no such name, with answers and without", RCODE, |scene| {
            [scene.both(scene.forged().flags(0x8403)), scene.both(scene.response().flags(0x8403))].concat()
        }),
    ]
}

fn questions() -> Vec<Attack> {
    const QUESTION: &str = "rule: an echoed question is ours";
    fn with(scene: &Scene<'_>, names: &[Vec<u8>]) -> Packet {
        let empty = Packet::new(scene.query.id);
        Scene::claim(names.iter().fold(empty, |packet, name| packet.question(name, scene.query.kind)), &scene.name())
    }
    vec![
        attack("another question", "the question is of other.local; unicast", QUESTION, |scene| {
            vec![scene.unicast(with(scene, &[wire("other.local")]))]
        }),
        attack("a question too many", "ours and other.local's, in both orders; unicast", QUESTION, |scene| {
            let (ours, other) = (scene.name(), wire("other.local"));
            let packets = [with(scene, &[ours.clone(), other.clone()]), with(scene, &[other, ours])];
            packets.map(|packet| scene.unicast(packet)).to_vec()
        }),
        attack("forty questions", "39 of ours and one of local; unicast", QUESTION, |scene| {
            let mut names = vec![wire("local")];
            names.resize(40, scene.name());
            vec![scene.unicast(with(scene, &names))]
        }),
        attack("a question that cannot be read", "its name is a pointer to itself; unicast", QUESTION, |scene| {
            let empty = Packet::new(scene.query.id).question(&pointer(12), scene.query.kind);
            vec![scene.unicast(Scene::claim(empty, &scene.name()))]
        }),
        attack("a longer and a shorter question", "x.NAME, and local; unicast", QUESTION, |scene| {
            let names = [wire(&format!("x.{}", scene.query.name)), wire("local")];
            names.map(|name| scene.unicast(with(scene, &[name]))).to_vec()
        }),
    ]
}

fn counts() -> Vec<Attack> {
    const PLACE: &str = "1035 s4.1: records follow the questions claimed";
    vec![
        attack("more questions claimed", "65,535 of them, one there", PLACE, |scene| {
            scene.both(scene.forged().count(Section::Questions, u16::MAX))
        }),
        attack("no question claimed", "one there, which reads as a record", PLACE, |scene| {
            scene.both(scene.forged().count(Section::Questions, 0))
        }),
        attack("no answers claimed", "two there", PLACE, |scene| scene.both(scene.forged().count(Section::Answers, 0))),
        attack(
            "65,535 records claimed",
            "two there, another name's",
            "rule: bounded by the octets there are",
            |scene| scene.both(scene.forged_for(&wire("other.local")).count(Section::Answers, u16::MAX)),
        ),
        attack("nothing", "no octets, 1, 11, and a header alone", "1035 s4.1.1: a header has 12 octets", |scene| {
            let packets = [0, 1, 11, 12].map(|length| scene.forged().truncated(length));
            packets.into_iter().flat_map(|packet| scene.both(packet)).collect()
        }),
        attack("empty answers", "right id and question, no record", "rule: no record says nothing", |scene| {
            scene.both(scene.response())
        }),
        attack(
            "over 9,000 octets",
            "a right answer first, 9,001 octets in all",
            "6762 s17: 9,000 is the most; the rest is cut off",
            |scene| {
                let packet = scene.forged();
                let rest = vec![0; 9001 - packet.len()];
                scene.both(packet.raw(&rest))
            },
        ),
        attack("64 KiB of answers", "4,000 of another name's", "6762 s17: 9,000 octets is the most", |scene| {
            let other = wire("other.local");
            let mut packet = scene.forged_for(&other);
            while packet.len() < 64_000 {
                packet = packet.address(&other, crate::attacks::scene::EVIL_V4);
            }
            scene.both(packet)
        })
        .on(&[Lookup::Known, Lookup::Missing]),
    ]
}
