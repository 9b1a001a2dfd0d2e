//! NSEC records, and responders that contradict each other. In some rows the attacker is a responder with unusual
//! behaviour, and the lookup must return all of its addresses.

use super::{Attack, FORGED, attack};
use crate::attacks::context::{Context, FORGED_V4, FORGED_V6, Injection, Query};
use std::net::Ipv4Addr;
use test_packet::{CH, IN, Packet, types};

const A_ONLY: &[u16] = &[types::A];

/// The delay of the second family in milliseconds. It is within the grace period of 20 ms, and after every packet that
/// could end the grace period early.
const LATER: u64 = 8;

pub(super) fn attacks() -> Vec<Attack> {
    [alone(), invalid(), contradictions()].concat()
}

fn alone() -> Vec<Attack> {
    const NEVER: &str = "rule: NSEC shortens the wait and never removes an address";
    vec![
        attack("NSEC that denies AAAA", "it says that only an A exists", NEVER, |context| {
            let name = context.name();
            context.both(context.response().nsec(&name, A_ONLY))
        }),
        attack("NSEC that denies A", "it says that only an AAAA exists", NEVER, |context| {
            let name = context.name();
            context.both(context.response().nsec(&name, &[types::AAAA]))
        }),
        attack("NSEC that denies all", "an empty bitmap", NEVER, |context| {
            let name = context.name();
            context.both(context.response().nsec(&name, &[]))
        }),
    ]
}

/// A host that answers with its IPv4 address at once, with other records added to it, and with its IPv6 address a
/// little later. It answers over IPv4 only.
fn host(context: &Context<'_>, add: fn(Packet, &[u8]) -> Packet) -> Vec<Injection> {
    let name = context.name();
    let response = context.response();
    match context.query {
        Query { ip, .. } if ip.is_ipv6() => Vec::new(),
        Query { rtype: types::A, .. } => vec![context.unicast(add(response.address(&name, FORGED_V4), &name))],
        _ => vec![context.unicast(response.address(&name, FORGED_V6)).delayed_by(LATER)],
    }
}

fn invalid() -> Vec<Attack> {
    const OWNER: &str = "6762 s6.1: owner and next name are the queried name";
    const FORM: &str = "6762 s6.1: one bitmap, of window 0";
    vec![
        attack("NSEC of another owner", "{A} of other.local with an A; the AAAA later", OWNER, |context| {
            host(context, |packet, name| packet.nsec_with("other.local", name, 0, A_ONLY))
        })
        .expecting(FORGED),
        attack("NSEC with another next name", "{A}, next name other.local; the AAAA later", OWNER, |context| {
            host(context, |packet, name| packet.nsec_with(name, "other.local", 0, A_ONLY))
        })
        .expecting(FORGED),
        attack("NSEC of window 1", "{A} of window 1; the AAAA later", FORM, |context| {
            host(context, |packet, name| packet.nsec_with(name, name, 1, A_ONLY))
        })
        .expecting(FORGED),
        attack("truncated NSEC", "{A}, 3 of the 6 octets of the bitmap; the AAAA later", FORM, |context| {
            host(context, |packet, name| {
                let data = [name, &[0, 6, 0x40, 0, 0]].concat();
                packet.record(name, types::NSEC, &data)
            })
        })
        .expecting(FORGED),
        attack(
            "NSEC with an empty bitmap",
            "with an A; the AAAA later",
            "rule: such a bitmap is no evidence",
            |context| host(context, |packet, name| packet.nsec(name, &[])),
        )
        .expecting(FORGED),
        attack("NSEC with TTL 0", "{A}; the AAAA later", "6762 s10.1: TTL 0 withdraws the record", |context| {
            host(context, |packet, name| packet.record_with(name, types::NSEC, IN, 0, &[name, &[0, 1, 0x40]].concat()))
        })
        .expecting(FORGED),
        attack("NSEC of class CH", "{A}; the AAAA later", "6762 s6: class is IN", |context| {
            host(context, |packet, name| {
                packet.record_with(name, types::NSEC, CH, 120, &[name, &[0, 1, 0x40]].concat())
            })
        })
        .expecting(FORGED),
        attack(
            "NSEC from another host",
            "{A} from a host that provided no address; the AAAA later",
            "rule: only a host that provided an address can deny a family",
            |context| {
                let mut injections = host(context, |packet, _| packet);
                if context.query.rtype == types::A {
                    let name = context.name();
                    let denial = context.response().nsec(&name, A_ONLY);
                    injections.extend(
                        context
                            .both(denial)
                            .into_iter()
                            .map(|injection| injection.from_address(other_host(context)).delayed_by(1)),
                    );
                }
                injections
            },
        )
        .expecting(FORGED),
        // Some versions of Windows answer every query, mostly with an empty response.
        attack(
            "an empty response",
            "no record for the A question; the AAAA at once, the A later",
            "rule: an empty response is no evidence",
            |context| {
                let (name, response) = (context.name(), context.response());
                match context.query {
                    Query { ip, .. } if ip.is_ipv6() => Vec::new(),
                    Query { rtype: types::AAAA, .. } => vec![context.unicast(response.address(&name, FORGED_V6))],
                    _ => vec![
                        context.unicast(response.clone()).delayed_by(2),
                        context.unicast(response.address(&name, FORGED_V4)).delayed_by(LATER),
                    ],
                }
            },
        )
        .expecting(FORGED),
    ]
}

fn contradictions() -> Vec<Attack> {
    const FIRST: &str = "rule: of two hosts without a common address the first counts, not the union";
    vec![
        attack("a second host of the name", "its A 2 ms after that of the first", FIRST, |context| {
            let mut injections = host(context, |packet, _| packet);
            if context.query.rtype == types::A {
                let packet = context.response().address(&context.name(), Ipv4Addr::new(10, 66, 7, 7));
                injections.extend(
                    context
                        .both(packet)
                        .into_iter()
                        .map(|injection| injection.from_address(other_host(context)).delayed_by(2)),
                );
            }
            injections
        })
        .expecting(FORGED),
        attack(
            "a second host, family by family",
            "an AAAA; A and AAAA of the second 2 ms later; then the A of the first",
            FIRST,
            |context| {
                let (name, response) = (context.name(), context.response());
                if context.query.ip.is_ipv6() {
                    return Vec::new();
                }
                if context.query.rtype == types::A {
                    return vec![context.unicast(response.address(&name, FORGED_V4)).delayed_by(LATER)];
                }
                let other = response.clone().address(&name, Ipv4Addr::new(10, 66, 7, 7));
                let other = other.address(&name, std::net::Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 7));
                let second = context
                    .both(other)
                    .into_iter()
                    .map(|injection| injection.from_address(other_host(context)).delayed_by(2));
                second.chain([context.unicast(response.address(&name, FORGED_V6))]).collect()
            },
        )
        .expecting(FORGED),
    ]
}

/// The address of another on-link host.
fn other_host(context: &Context<'_>) -> std::net::IpAddr {
    match context.neighbour(context.query.link, context.query.ip.is_ipv6()) {
        std::net::IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) + 1).into(),
        std::net::IpAddr::V6(ip) => std::net::Ipv6Addr::from(u128::from(ip) + 1).into(),
    }
}
