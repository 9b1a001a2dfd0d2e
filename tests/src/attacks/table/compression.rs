//! Names with compression pointers that are out of range, form loops or form long chains, and malformed labels.

use super::{Attack, Injections, attack};
use crate::attacks::context::{Context, FORGED_V4, Injection, add_forged_addresses};
use test_packet::{Packet, Section, pointer, types, wire, wire_of_labels};

/// The octets of a record before its data, if its owner is the root.
const BEFORE_DATA: usize = 11;

pub(super) fn attacks() -> Vec<Attack> {
    const BACK: &str = "1035 s4.1.4: a pointer points to a prior name";
    const BOUND: &str = "rule: pointers per name are bounded";
    const LABEL: &str = "1035 s4.1.4: label types 01 and 10 are reserved";
    let rows: [(&str, &str, &str, Injections); 12] = [
        ("pointer to itself", "as owner", BACK, |context| {
            let packet = context.response();
            let own = pointer(packet.len());
            forged_for(context, packet, &own)
        }),
        ("a loop of two pointers", "each points to the other", BACK, |context| {
            let packet = context.response();
            let data = packet.len() + BEFORE_DATA;
            let packet = packet.record(&[0], types::NULL, &[pointer(data + 2), pointer(data)].concat());
            forged_for(context, packet, &pointer(data))
        }),
        ("a loop with a label", "a label, then a pointer to that label", BACK, |context| {
            let packet = context.response();
            let mut owner = wire_of_labels(&[context.label().as_bytes()]);
            owner.pop();
            owner.extend(pointer(packet.len()));
            forged_for(context, packet, &owner)
        }),
        ("forward pointer", "to the name in the data of a later record", BACK, |context| {
            let packet = context.response();
            let later = packet.len() + 2 + 10 + 4 + BEFORE_DATA;
            let packet = packet.record(&pointer(later), types::A, &FORGED_V4.octets());
            context.both(packet.record(&[0], types::NULL, &context.name()))
        }),
        ("pointer past the end", "to octet 16,383", BACK, |context| {
            forged_for(context, context.response(), &pointer(0x3fff))
        }),
        ("truncated pointer", "its first octet ends the message", BACK, |context| {
            context.both(context.response().raw(&[0xc0]).count(Section::Answers, 1))
        }),
        ("pointer into the header", "to octets 0 to 11", BACK, |context| {
            let add = |packet: Packet, at: usize| packet.address(&pointer(at), FORGED_V4);
            context.both((0..12).fold(context.response(), add))
        }),
        ("40 pointers", "each points to the one before, the first to the name", BOUND, |context| chain(context, 40, 1)),
        ("4,000 pointers", "all that fit into 9,000 octets", BOUND, |context| chain(context, 4_000, 1)),
        ("10,000 pointers", "32 owners, each at the end of 320 pointers", BOUND, |context| chain(context, 320, 32)),
        ("reserved label type 01", "0x43 for the length 3", LABEL, |context| reserved(context, 0x40)),
        ("reserved label type 10", "0x83 for the length 3", LABEL, |context| reserved(context, 0x80)),
    ];
    let too_long = attack(
        "300 octets",
        "owners of 300 octets that end with the name, uncompressed and as a pointer",
        "1035 s3.1: a name has at most 255 octets",
        |context| {
            let label = [b'x'; 58].as_slice();
            let long = wire_of_labels(&[label; 5]);
            let uncompressed = [&long[..long.len() - 1], &context.name()].concat();
            let compressed = [&long[..long.len() - 1], &pointer(12)].concat();
            [
                forged_for(context, context.response(), &uncompressed),
                forged_for(context, context.response(), &compressed),
            ]
            .concat()
        },
    );
    let mut all = rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections)).to_vec();
    all.push(too_long);
    all
}

fn forged_for(context: &Context<'_>, packet: Packet, owner: &[u8]) -> Vec<Injection> {
    context.both(add_forged_addresses(packet, owner))
}

/// `owners` records, each with an owner at the end of `hops` pointers. The pointers are in the data of a record that
/// the module ignores.
fn chain(context: &Context<'_>, hops: usize, owners: usize) -> Vec<Injection> {
    let packet = context.response();
    let data = packet.len() + BEFORE_DATA;
    let mut pointers = pointer(12).to_vec();
    for hop in 1..hops {
        pointers.extend(pointer(data + 2 * (hop - 1)));
    }
    let packet = packet.record(&[0], types::NULL, &pointers);
    let owner = pointer(data + 2 * (hops - 1));
    context.both((0..owners).fold(packet, |packet, _| add_forged_addresses(packet, &owner)))
}

/// The name with these bits set in its first length octet, which make it a reserved label type.
fn reserved(context: &Context<'_>, bits: u8) -> Vec<Injection> {
    let mut owner = wire(&context.query.name);
    owner[0] |= bits;
    forged_for(context, context.response(), &owner)
}
