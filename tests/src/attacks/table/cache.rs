//! Records for names that the same process looks up next: they must not get into the cache.

use super::{Attack, Expected, Lookup, attack};
use crate::attacks::context::{Context, FORGED_V4, add_forged_addresses};
use test_packet::{IN, Packet, TOP_BIT, types, wire};

const CACHE: &str = "rule: only records of the queried name are cached";

/// Adds forged addresses for the names that are looked up next.
fn with_next_names(context: &Context<'_>, packet: Packet) -> Packet {
    let packet = add_forged_addresses(packet, &context.next_name());
    add_forged_addresses(packet, &wire(&format!("m{}", context.query.name.replacen('k', "s", 1))))
}

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        attack("addresses of the next names", "instead of those of the first", CACHE, |context| {
            context.both(with_next_names(context, context.response()))
        })
        .on(&[Lookup::KnownThenOthers]),
        Attack {
            expected: Expected::Forged(super::FORGED),
            ..attack(
                "addresses of the first and the next names",
                "a well-formed answer with additional records",
                CACHE,
                |context| context.both(with_next_names(context, context.forged())),
            )
            .on(&[Lookup::KnownThenOthers])
        },
        Attack {
            expected: Expected::Forged(super::FORGED),
            ..attack("an alias to the next name", "with the addresses of the next name", CACHE, |context| {
                let packet = context.response().record(&context.name(), types::CNAME, &context.next_name());
                context.both(add_forged_addresses(packet, &context.next_name()))
            })
            .on(&[Lookup::KnownThenOthers])
        },
        attack("the next name denied", "NSEC, goodbye and rcode 3 for it", CACHE, |context| {
            let next = context.next_name();
            let packet = Packet::new(context.query.id).question(&context.name(), context.query.rtype);
            let denial = packet.nsec(&next, &[]).address_with(&next, IN | TOP_BIT, 0, FORGED_V4);
            let error = Packet::new(context.query.id).flags(0x8403).question(&next, context.query.rtype);
            [context.both(denial), context.both(error)].concat()
        })
        .on(&[Lookup::KnownThenOthers]),
    ]
}
