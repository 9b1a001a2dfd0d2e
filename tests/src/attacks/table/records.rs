//! Type, class, TTL and length of records.

use super::{Attack, Shots, attack};
use crate::attacks::scene::{EVIL_V4, EVIL_V6, Scene, Shot};
use test_packet::{CH, IN, Packet, Section, TOP_BIT, types, wire, wire_of_labels};

pub(super) fn attacks() -> Vec<Attack> {
    [kinds(), lengths()].concat()
}

const V4: [u8; 4] = EVIL_V4.octets();
const V6: [u8; 16] = EVIL_V6.octets();

/// A class and a TTL for both addresses.
fn with(scene: &Scene<'_>, class: u16, ttl: u32) -> Vec<Shot> {
    let name = scene.name();
    let packet = scene.response().address_with(&name, class, ttl, EVIL_V4);
    scene.both(packet.address_with(&name, class, ttl, EVIL_V6))
}

fn kinds() -> Vec<Attack> {
    const KIND: &str = "1035 s3.2.2, 3596 s2.1: an address is an A or an AAAA";
    const CLASS: &str = "6762 s6: class without the top bit is IN";
    let rows: [(&str, &str, &str, Shots); 9] = [
        ("address of another type", "4 and 16 octets as TXT, NULL, ANY, type 0", KIND, |scene| {
            let kinds = [types::TXT, types::NULL, types::ANY, 0];
            let add = |packet: Packet, kind| packet.record(&scene.name(), kind, &V4).record(&scene.name(), kind, &V6);
            scene.both(kinds.into_iter().fold(scene.response(), add))
        }),
        ("A and AAAA changed round", "16 octets as A, 4 as AAAA", "1035 s3.4.1, 3596 s2.2: length", |scene| {
            let name = scene.name();
            scene.both(scene.response().record(&name, types::A, &V6).record(&name, types::AAAA, &V4))
        }),
        ("type with a high octet", "types 0x0101 and 0x011c", KIND, |scene| {
            let name = scene.name();
            scene.both(scene.response().record(&name, 0x0101, &V4).record(&name, 0x011c, &V6))
        }),
        ("class CH", "with the top bit and without", CLASS, |scene| {
            [with(scene, CH, 120), with(scene, CH | TOP_BIT, 120)].concat()
        }),
        ("class ANY, NONE, 0", "with the top bit", CLASS, |scene| {
            [255, 254, 0].into_iter().flat_map(|class| with(scene, class | TOP_BIT, 120)).collect()
        }),
        ("class 0x4001", "another high bit", CLASS, |scene| with(scene, 0x4001, 120)),
        ("TTL 0", "a goodbye", "6762 s10.1: the record is gone", |scene| with(scene, IN | TOP_BIT, 0)),
        ("goodbye to the truth", "TTL 0 for the printer's kind of record", "6762 s10.1: ours is not theirs", |scene| {
            let name = scene.name();
            let truth = std::net::Ipv4Addr::new(10, 77, 1, 1);
            scene.both(scene.response().address_with(&name, IN | TOP_BIT, 0, truth))
        }),
        (
            "a record in another's data",
            "a whole forged record as a TXT's data",
            "1035 s4.1.3: data end records",
            |scene| {
                let name = scene.name();
                let inner = [name.as_slice(), &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4], &V4].concat();
                scene.both(scene.response().record(&wire("other.local"), types::TXT, &inner).count(Section::Answers, 2))
            },
        ),
    ];
    rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots)).to_vec()
}

/// A record of this type with this many octets of data.
fn of_length(scene: &Scene<'_>, kind: u16, length: usize) -> Vec<Shot> {
    let data: Vec<u8> = V6.iter().chain(&V6).copied().take(length).collect();
    scene.both(scene.response().record(&scene.name(), kind, &data))
}

fn lengths() -> Vec<Attack> {
    const A: &str = "1035 s3.4.1: an A has 4 octets";
    const AAAA: &str = "3596 s2.2: an AAAA has 16 octets";
    const END: &str = "1035 s4.1.3: data end in the message";
    let rows: [(&str, &str, &str, Shots); 12] = [
        ("A of 0 octets", "RDLENGTH 0", A, |scene| of_length(scene, types::A, 0)),
        ("A of 3 octets", "RDLENGTH 3", A, |scene| of_length(scene, types::A, 3)),
        ("A of 5 octets", "RDLENGTH 5", A, |scene| of_length(scene, types::A, 5)),
        ("AAAA of 0 octets", "RDLENGTH 0", AAAA, |scene| of_length(scene, types::AAAA, 0)),
        ("AAAA of 15 octets", "RDLENGTH 15", AAAA, |scene| of_length(scene, types::AAAA, 15)),
        ("AAAA of 17 octets", "RDLENGTH 17", AAAA, |scene| of_length(scene, types::AAAA, 17)),
        ("A past the end", "RDLENGTH 400, 4 octets there", END, |scene| {
            scene.both(scene.response().record_header(&scene.name(), types::A, IN, 120, 400).raw(&V4))
        }),
        ("AAAA past the end", "RDLENGTH 65,535, 16 octets there", END, |scene| {
            scene.both(scene.response().record_header(&scene.name(), types::AAAA, IN, 120, u16::MAX).raw(&V6))
        }),
        ("A cut off", "2 of its 4 octets there", END, |scene| {
            scene.both(scene.response().address(&scene.name(), EVIL_V4).without_last(2))
        }),
        ("AAAA cut off", "15 of its 16 octets there", END, |scene| {
            scene.both(scene.response().address(&scene.name(), EVIL_V6).without_last(1))
        }),
        ("an owner past the end", "its last label longer than the message", END, |scene| {
            let owner = [wire_of_labels(&[scene.label().as_bytes()]).as_slice(), &[63, b'l']].concat();
            scene.both(scene.response().raw(&owner).count(Section::Answers, 1))
        }),
        ("a good record behind a bad one", "the first one's end is past the message's", END, |scene| {
            let bad = scene.response().record_header(&wire("other.local"), types::TXT, IN, 120, 60_000);
            scene.both(Scene::claim(bad, &scene.name()))
        }),
    ];
    rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots)).to_vec()
}
