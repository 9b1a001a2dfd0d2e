//! Packets that are accepted: attacks that multicast DNS cannot prevent, and unusual forms that real responders use.
//! These rows also show that the attacker's packets arrive.

use super::{Attack, Expected, FORGED, Lookup, aliases, attack};
use crate::attacks::context::{FORGED_V4, FORGED_V6, Injection, add_forged_addresses, off_link};
use std::net::Ipv4Addr;
use test_packet::{IN, Packet, Section, pointer, types, wire};

pub(super) fn attacks() -> Vec<Attack> {
    [unpreventable(), forms()].concat()
}

/// What any host on the link can do. `SECURITY.md` lists it.
fn unpreventable() -> Vec<Attack> {
    const UNKNOWABLE: &str = "6762 s21: a querier cannot detect it";
    let both = [Lookup::Known, Lookup::Missing];
    vec![
        Attack {
            lookups: both.to_vec(),
            ..first("answers first, by unicast", UNKNOWABLE, |s| vec![s.unicast(s.forged())])
        },
        Attack {
            lookups: both.to_vec(),
            ..first("answers first, to the group", UNKNOWABLE, |s| vec![s.multicast(s.forged())])
        },
        // An attacker off the link has to guess id and port. Here an accomplice on the link provides them.
        attack(
            "behind a router, with an accomplice",
            "a forged on-link source, the right id; unicast",
            "6762 s11: the source looks on-link, so only the id protects",
            |context| context.unicast_from_behind_router(context.forged(), |v6| context.neighbour(0, v6)),
        )
        .expecting(FORGED),
        attack(
            "behind a router that forwards the groups",
            "an off-link address, to the group; 254 on arrival",
            "6762 s11: what is sent to the group comes from the link",
            |context| context.multicast_from_behind_router(context.forged()),
        )
        .expecting(FORGED),
        // The victim's kernel does not check that the source can be behind the interface (no rp_filter).
        attack(
            "over the other interface, with an accomplice",
            "right id, a source on the queried link, over the other LAN, to the address that the query came from",
            "rule: two interfaces may be on one link, so only the id and the source protect",
            |context| {
                if context.query.ip.is_ipv6() {
                    return Vec::new();
                }
                vec![context.unicast(context.forged()).over_link(1 - context.query.link.min(1))]
            },
        )
        .expecting(FORGED),
        Attack {
            expected: Expected::AtMost(1024),
            ..attack(
                "thousands of addresses",
                "8 packets of 500",
                "rule: at most 1,024 addresses for a host",
                |context| {
                    let name = pointer(12);
                    let packet = |number: u16| {
                        let ip = |host: u16| Ipv4Addr::from(0x0a42_0000 + u32::from(number * 500 + host));
                        (1..=500).fold(context.response(), |packet, host| packet.address(&name, ip(host)))
                    };
                    (0..8).map(|number| context.unicast(packet(number))).collect()
                },
            )
            .on(&[Lookup::Missing])
        },
    ]
}

fn first(name: &'static str, why: &'static str, injections: super::Injections) -> Attack {
    attack(name, "a well-formed response", why, injections).expecting(FORGED)
}

fn forms() -> Vec<Attack> {
    const HOPS: &str = "6762 s11: no router leaves the hop limit at 255";
    const GROUP: &str = "6762 s11: what is sent to the group comes from the link";
    const IGNORED: &str = "6762 s18: ignored on reception";
    vec![
        attack("another prefix, hop limit 255", "an off-link address; unicast and group", HOPS, |context| {
            let from = |injection: Injection| injection.from_address(off_link(context.query.ip.is_ipv6()));
            context.both(context.forged()).into_iter().map(from).collect()
        })
        .expecting(FORGED),
        attack("another prefix, to the group", "an off-link address, hop limits 1 and 64", GROUP, |context| {
            let source = off_link(context.query.ip.is_ipv6());
            let from = |hops| context.multicast(context.forged()).from_address(source).with_hop_limit(hops);
            [1, 64].map(from).to_vec()
        })
        .expecting(FORGED),
        attack(
            "id 0",
            "hop limit 255, in reply to a repeat; unicast",
            "rule: no router can forward it so",
            |context| {
                let packet = Packet::new(0).question(&context.name(), context.query.rtype);
                vec![context.unicast(add_forged_addresses(packet, &context.name()))]
            },
        )
        .expecting(FORGED),
        attack("on-link address, hop limit 1", "unicast and group", "6762 s11: 255 is not required", |context| {
            context.both(context.forged()).into_iter().map(|injection| injection.with_hop_limit(1)).collect()
        })
        .expecting(FORGED),
        attack("another case", "the owner in capitals", "6762 s16: names are case-insensitive", |context| {
            context.both(context.forged_for(&wire(&context.query.name.to_uppercase())))
        })
        .expecting(FORGED),
        attack("no question", "unicast, as some responders send", "rule: the question may be missing", |context| {
            vec![context.unicast(add_forged_addresses(Packet::new(context.query.id), &context.name()))]
        })
        .expecting(FORGED),
        attack(
            "any id and question to the group",
            "those of another query",
            "6762 s6, s18.1: ignored in multicast",
            |context| {
                let packet = Packet::new(0x7777).question("other.local", context.query.rtype);
                vec![context.multicast(add_forged_addresses(packet, &context.name()))]
            },
        )
        .expecting(FORGED),
        attack("TC 1", "marked as truncated", IGNORED, |context| context.both(context.forged().flags(0x8600)))
            .expecting(FORGED),
        attack("AA 0, RD, RA, AD, CD 1", "flags of unicast DNS", IGNORED, |context| {
            context.both(context.forged().flags(0x81b0))
        })
        .expecting(FORGED),
        attack("class without the top bit", "a legacy unicast response", "6762 s6.7: no cache-flush bit", |context| {
            let (name, packet) = (context.name(), context.response());
            let packet = packet.address_with(&name, IN, 10, FORGED_V4);
            context.both(packet.address_with(&name, IN, 10, FORGED_V6))
        })
        .expecting(FORGED),
        attack("a compressed owner", "a pointer to the question", "1035 s4.1.4: pointers are followed", |context| {
            context.both(context.forged_for(&pointer(12)))
        })
        .expecting(FORGED),
        attack("additional records", "no answers, two of these", "rule: all sections are read", |context| {
            context.both(add_forged_addresses(context.response().section(Section::Additional), &context.name()))
        })
        .expecting(FORGED),
        attack(
            "after malformed records",
            "a TXT, a malformed A, a malformed owner",
            "rule: such records are skipped",
            |context| {
                let name = context.name();
                let packet =
                    context.response().record(&name, types::TXT, b"\x03abc").record(&name, types::A, &[1, 2, 3]);
                context.both(add_forged_addresses(packet.record(&pointer(0x3fff), types::A, &[10, 66, 7, 7]), &name))
            },
        )
        .expecting(FORGED),
        attack("a chain of 8 CNAMEs", "the last with addresses", "rule: at most 8 aliases are followed", |context| {
            aliases::chain(context, 8)
        })
        .expecting(FORGED),
        attack("9,000 octets", "a well-formed answer and zeros", "6762 s17: at most 9,000 octets", |context| {
            let packet = context.forged();
            let rest = vec![0; 9000 - packet.len()];
            context.both(packet.raw(&rest))
        })
        .expecting(FORGED),
        attack(
            "over 9,000 octets",
            "a well-formed answer first, 9,001 octets in all",
            "rule: the records that are received whole count",
            |context| {
                let packet = context.forged();
                let rest = vec![0; 9001 - packet.len()];
                context.both(packet.raw(&rest))
            },
        )
        .expecting(FORGED),
        attack(
            "65,535 records counted, two of them present",
            "two well-formed ones",
            "rule: those are used",
            |context| context.both(context.forged().count(Section::Answers, u16::MAX)),
        )
        .expecting(FORGED),
    ]
}
