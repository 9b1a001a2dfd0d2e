//! Type, class, TTL and length of records.

use super::{Attack, Injections, attack};
use crate::attacks::context::{Context, FORGED_V4, FORGED_V6, Injection, add_forged_addresses};
use test_packet::{CH, IN, Packet, Section, TOP_BIT, types, wire_of_labels};

pub(super) fn attacks() -> Vec<Attack> {
    [fields(), lengths()].concat()
}

const V4: [u8; 4] = FORGED_V4.octets();
const V6: [u8; 16] = FORGED_V6.octets();

/// The forged addresses with this class and TTL.
fn with(context: &Context<'_>, class: u16, ttl: u32) -> Vec<Injection> {
    let name = context.name();
    let packet = context.response().address_with(&name, class, ttl, FORGED_V4);
    context.both(packet.address_with(&name, class, ttl, FORGED_V6))
}

fn fields() -> Vec<Attack> {
    const TYPE: &str = "1035 s3.2.2, 3596 s2.1: addresses are in A and AAAA records";
    const CLASS: &str = "6762 s6: class without the top bit is IN";
    let rows: [(&str, &str, &str, Injections); 9] = [
        ("address of another type", "4 and 16 octets as TXT, NULL, ANY, type 0", TYPE, |context| {
            let types = [types::TXT, types::NULL, types::ANY, 0];
            let add =
                |packet: Packet, rtype| packet.record(&context.name(), rtype, &V4).record(&context.name(), rtype, &V6);
            context.both(types.into_iter().fold(context.response(), add))
        }),
        ("A and AAAA swapped", "16 octets as A, 4 as AAAA", "1035 s3.4.1, 3596 s2.2: length", |context| {
            let name = context.name();
            context.both(context.response().record(&name, types::A, &V6).record(&name, types::AAAA, &V4))
        }),
        ("types with a high octet", "types 0x0101 and 0x011c", TYPE, |context| {
            let name = context.name();
            context.both(context.response().record(&name, 0x0101, &V4).record(&name, 0x011c, &V6))
        }),
        ("class CH", "with the top bit and without", CLASS, |context| {
            [with(context, CH, 120), with(context, CH | TOP_BIT, 120)].concat()
        }),
        ("class ANY, NONE, 0", "with the top bit", CLASS, |context| {
            [255, 254, 0].into_iter().flat_map(|class| with(context, class | TOP_BIT, 120)).collect()
        }),
        ("class 0x4001", "another high bit", CLASS, |context| with(context, 0x4001, 120)),
        ("TTL 0", "a goodbye", "6762 s10.1: TTL 0 withdraws the record", |context| with(context, IN | TOP_BIT, 0)),
        (
            "goodbye for a genuine address",
            "TTL 0 for the printer's address",
            "rule: a goodbye removes no address",
            |context| {
                let name = context.name();
                let genuine = std::net::Ipv4Addr::new(10, 77, 1, 1);
                context.both(context.response().address_with(&name, IN | TOP_BIT, 0, genuine))
            },
        ),
        (
            "a record inside a record",
            "a whole forged record as the data of a TXT",
            "1035 s4.1.3: RDLENGTH ends the record",
            |context| {
                let name = context.name();
                let inner = [name.as_slice(), &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4], &V4].concat();
                context.both(context.response().record("other.local", types::TXT, &inner).count(Section::Answers, 2))
            },
        ),
    ];
    rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections)).to_vec()
}

/// A record of this type with `length` octets of data.
fn of_length(context: &Context<'_>, rtype: u16, length: usize) -> Vec<Injection> {
    let data: Vec<u8> = V6.iter().chain(&V6).copied().take(length).collect();
    context.both(context.response().record(&context.name(), rtype, &data))
}

fn lengths() -> Vec<Attack> {
    const A: &str = "1035 s3.4.1: an A has 4 octets";
    const AAAA: &str = "3596 s2.2: an AAAA has 16 octets";
    const END: &str = "1035 s4.1.3: the data end within the message";
    let rows: [(&str, &str, &str, Injections); 12] = [
        ("A of 0 octets", "RDLENGTH 0", A, |context| of_length(context, types::A, 0)),
        ("A of 3 octets", "RDLENGTH 3", A, |context| of_length(context, types::A, 3)),
        ("A of 5 octets", "RDLENGTH 5", A, |context| of_length(context, types::A, 5)),
        ("AAAA of 0 octets", "RDLENGTH 0", AAAA, |context| of_length(context, types::AAAA, 0)),
        ("AAAA of 15 octets", "RDLENGTH 15", AAAA, |context| of_length(context, types::AAAA, 15)),
        ("AAAA of 17 octets", "RDLENGTH 17", AAAA, |context| of_length(context, types::AAAA, 17)),
        ("A past the end", "RDLENGTH 400, 4 octets present", END, |context| {
            context.both(context.response().record_header(&context.name(), types::A, IN, 120, 400).raw(&V4))
        }),
        ("AAAA past the end", "RDLENGTH 65,535, 16 octets present", END, |context| {
            context.both(context.response().record_header(&context.name(), types::AAAA, IN, 120, u16::MAX).raw(&V6))
        }),
        ("truncated A", "2 of its 4 octets present", END, |context| {
            context.both(context.response().address(&context.name(), FORGED_V4).without_last(2))
        }),
        ("truncated AAAA", "15 of its 16 octets present", END, |context| {
            context.both(context.response().address(&context.name(), FORGED_V6).without_last(1))
        }),
        ("an owner past the end", "its last label longer than the message", END, |context| {
            let owner = [wire_of_labels(&[context.label().as_bytes()]).as_slice(), &[63, b'l']].concat();
            context.both(context.response().raw(&owner).count(Section::Answers, 1))
        }),
        ("a well-formed record after a malformed one", "the first ends past the end of the message", END, |context| {
            let malformed = context.response().record_header("other.local", types::TXT, IN, 120, 60_000);
            context.both(add_forged_addresses(malformed, &context.name()))
        }),
    ];
    rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections)).to_vec()
}
