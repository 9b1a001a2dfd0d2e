//! Headers, questions and counts.

use super::{Attack, Lookup, attack};
use crate::attacks::context::{Context, FORGED_V4, add_forged_addresses};
use test_packet::{Packet, Section, pointer, wire};

pub(super) fn attacks() -> Vec<Attack> {
    [flags(), questions(), counts()].concat()
}

fn flags() -> Vec<Attack> {
    const OPCODE: &str = "6762 s18.3: opcode must be 0";
    const RCODE: &str = "6762 s18.11: rcode must be 0";
    vec![
        attack("QR 0", "a query with answers", "6762 s18.2: a response has QR 1", |context| {
            context.both(context.forged().flags(0x0400))
        }),
        attack("opcode 1", "the response to an inverse query", OPCODE, |context| {
            context.both(context.forged().flags(0x8c00))
        }),
        attack("opcode 5", "the response to an update", OPCODE, |context| context.both(context.forged().flags(0xac00))),
        attack("rcode 1", "a format error with answers", RCODE, |context| context.both(context.forged().flags(0x8401))),
        attack("rcode 3", "no such name, with answers and without", RCODE, |context| {
            [context.both(context.forged().flags(0x8403)), context.both(context.response().flags(0x8403))].concat()
        }),
    ]
}

fn questions() -> Vec<Attack> {
    const QUESTION: &str = "rule: an echoed question is the one that was sent";
    fn with(context: &Context<'_>, names: &[Vec<u8>]) -> Packet {
        let empty = Packet::new(context.query.id);
        add_forged_addresses(
            names.iter().fold(empty, |packet, name| packet.question(name, context.query.rtype)),
            &context.name(),
        )
    }
    vec![
        attack("another question", "for other.local; unicast", QUESTION, |context| {
            vec![context.unicast(with(context, &[wire("other.local")]))]
        }),
        attack(
            "an additional question",
            "the right one and one for other.local, in both orders; unicast",
            QUESTION,
            |context| {
                let (right, other) = (context.name(), wire("other.local"));
                let packets = [with(context, &[right.clone(), other.clone()]), with(context, &[other, right])];
                packets.map(|packet| context.unicast(packet)).to_vec()
            },
        ),
        attack("forty questions", "39 times the right one, and one for local; unicast", QUESTION, |context| {
            let mut names = vec![wire("local")];
            names.resize(40, context.name());
            vec![context.unicast(with(context, &names))]
        }),
        attack("a malformed question", "its name is a pointer to itself; unicast", QUESTION, |context| {
            let empty = Packet::new(context.query.id).question(&pointer(12), context.query.rtype);
            vec![context.unicast(add_forged_addresses(empty, &context.name()))]
        }),
        attack("a longer and a shorter question", "x.NAME, and local; unicast", QUESTION, |context| {
            let names = [wire(&format!("x.{}", context.query.name)), wire("local")];
            names.map(|name| context.unicast(with(context, &[name]))).to_vec()
        }),
    ]
}

fn counts() -> Vec<Attack> {
    const PLACE: &str = "1035 s4.1: records follow the questions that are counted";
    vec![
        attack("too many questions counted", "65,535 counted, one present", PLACE, |context| {
            context.both(context.forged().count(Section::Questions, u16::MAX))
        }),
        attack("no question counted", "one present, which reads as a record", PLACE, |context| {
            context.both(context.forged().count(Section::Questions, 0))
        }),
        attack("no answers counted", "two present", PLACE, |context| {
            context.both(context.forged().count(Section::Answers, 0))
        }),
        attack(
            "65,535 records counted",
            "two present, of another name",
            "rule: bounded by the length of the message",
            |context| context.both(context.forged_for(&wire("other.local")).count(Section::Answers, u16::MAX)),
        ),
        attack(
            "no content",
            "0, 1 and 11 octets, and only a header",
            "1035 s4.1.1: a header has 12 octets",
            |context| {
                let packets = [0, 1, 11, 12].map(|length| context.forged().truncated(length));
                packets.into_iter().flat_map(|packet| context.both(packet)).collect()
            },
        ),
        attack(
            "empty responses",
            "right id and question, no record",
            "rule: an empty response is no evidence",
            |context| context.both(context.response()),
        ),
        attack(
            "an answer that ends after 9,000 octets",
            "other records before it",
            "6762 s17: at most 9,000 octets",
            |context| {
                let other = wire("other.local");
                let mut packet = context.response();
                while packet.len() < 9_000 - 8 {
                    packet = packet.address(&other, FORGED_V4);
                }
                context.both(add_forged_addresses(packet, &context.name()))
            },
        ),
        attack("64 KiB of answers", "4,000, of another name", "6762 s17: at most 9,000 octets", |context| {
            let other = wire("other.local");
            let mut packet = context.forged_for(&other);
            while packet.len() < 64_000 {
                packet = packet.address(&other, FORGED_V4);
            }
            context.both(packet)
        })
        .on(&[Lookup::Known, Lookup::Missing]),
    ]
}
