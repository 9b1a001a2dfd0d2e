//! CNAME and DNAME records.

use super::{Attack, Lookup, attack};
use crate::attacks::context::{Context, Injection, add_forged_addresses};
use test_packet::{CH, IN, Packet, types, wire, wire_of_labels};

/// An alias of the queried name, with the addresses of its target.
fn alias(context: &Context<'_>, target: &[u8]) -> Vec<Injection> {
    let packet = context.response().record(&context.name(), types::CNAME, target);
    context.both(add_forged_addresses(packet, target))
}

pub(super) fn attacks() -> Vec<Attack> {
    [targets(), records(), chains()].concat()
}

fn targets() -> Vec<Attack> {
    const LOCAL: &str = "rule: aliases stay in .local";
    const CLEAN: &str = "rule: only names that are safe to show are returned";
    vec![
        attack("CNAME out of .local", "to www.evil.example, with its addresses", LOCAL, |context| {
            alias(context, &wire("www.evil.example"))
        }),
        attack("CNAME to a similar name", "to www.notlocal, and to local.example", LOCAL, |context| {
            [alias(context, &wire("www.notlocal")), alias(context, &wire("local.example"))].concat()
        }),
        attack("CNAME to local", "to local, and to the root", LOCAL, |context| {
            [alias(context, &wire("local")), alias(context, &[0])].concat()
        }),
        attack("CNAME to a dot in a label", "'www.evil' then local; 'evil.local' alone", CLEAN, |context| {
            [
                alias(context, &wire_of_labels(&[b"www.evil", b"local"])),
                alias(context, &wire_of_labels(&[b"evil.local"])),
            ]
            .concat()
        }),
        attack("CNAME to control octets", "ESC, NUL, line feed, 0x7f, U+0085", CLEAN, |context| {
            let labels: [&[u8]; 5] = [b"a\x1b[2Jb", b"a\0b", b"a\nb", b"a\x7fb", "a\u{85}b".as_bytes()];
            labels.iter().flat_map(|label| alias(context, &wire_of_labels(&[label, b"local"]))).collect()
        }),
        attack("CNAME to an option", "-oProxyCommand=x.local", CLEAN, |context| {
            alias(context, &wire("-oProxyCommand=x.local"))
        }),
        attack("CNAME that is not UTF-8", "a label with 0xff", CLEAN, |context| {
            alias(context, &wire_of_labels(&[b"a\xff", b"local"]))
        }),
    ]
}

fn records() -> Vec<Attack> {
    const LENGTH: &str = "1035 s3.3.1: the data are exactly one name";
    fn with(context: &Context<'_>, add: impl Fn(Packet, &[u8], &[u8]) -> Packet) -> Vec<Injection> {
        let target = wire("target.local");
        context.both(add_forged_addresses(add(context.response(), &context.name(), &target), &target))
    }
    vec![
        attack(
            "CNAME of another owner",
            "other.local's, with the target's addresses",
            "rule: the owner is the name",
            |context| with(context, |packet, _, target| packet.record("other.local", types::CNAME, target)),
        ),
        attack("CNAME of class CH", "with the target's addresses", "6762 s6: class is IN", |context| {
            with(context, |packet, name, target| packet.record_with(name, types::CNAME, CH, 120, target))
        }),
        attack("CNAME with TTL 0", "a goodbye", "6762 s10.1: TTL 0 withdraws the record", |context| {
            with(context, |packet, name, target| packet.record_with(name, types::CNAME, IN, 0, target))
        }),
        attack("CNAME longer than its data", "RDLENGTH one label too short", LENGTH, |context| {
            with(context, |packet, name, target| packet.record_header(name, types::CNAME, IN, 120, 7).raw(target))
        }),
        attack("CNAME shorter than its data", "one octet after the name", LENGTH, |context| {
            with(context, |packet, name, target| packet.record(name, types::CNAME, &[target, &[0]].concat()))
        }),
        attack("DNAME of local", "local to evil.example, and the address there", "rule: DNAME is ignored", |context| {
            let packet = context.response().name_record("local", types::DNAME, "evil.example");
            context.both(add_forged_addresses(packet, &wire(&format!("{}.evil.example", context.label()))))
        }),
        attack("DNAME of the name", "to target.local, with its addresses", "rule: DNAME is ignored", |context| {
            with(context, |packet, name, target| packet.record(name, types::DNAME, target))
        }),
    ]
}

fn chains() -> Vec<Attack> {
    const BOUND: &str = "rule: at most 8 aliases, one deadline";
    vec![
        attack("CNAME to itself", "and to itself in another case", BOUND, |context| {
            let upper = wire(&context.query.name.to_uppercase());
            [context.name(), upper]
                .iter()
                .flat_map(|target| context.both(context.response().record(&context.name(), types::CNAME, target)))
                .collect()
        }),
        // Any host on the link can make the name an alias, even of a name that does not exist. The rule only bounds the
        // time that the lookup takes.
        attack("a loop of CNAMEs", "to b.local, to c.local, and back", BOUND, |context| {
            let names = [
                context.name(),
                wire(&format!("b-{}", context.query.name)),
                wire(&format!("c-{}", context.query.name)),
                context.name(),
            ];
            let add = |packet: Packet, pair: &[Vec<u8>]| packet.record(&pair[0], types::CNAME, &pair[1]);
            context.both(names.windows(2).fold(context.response(), add))
        })
        .on(&[Lookup::Missing]),
        attack(
            "a chain out of .local",
            "to b.local, from there to www.evil.example, with addresses",
            BOUND,
            |context| {
                let (next, out) = (wire(&format!("b-{}", context.query.name)), wire("www.evil.example"));
                let packet = context.response().record(&context.name(), types::CNAME, &next);
                context.both(add_forged_addresses(packet.record(&next, types::CNAME, &out), &out))
            },
        )
        .on(&[Lookup::Missing]),
        attack("a chain of 9 CNAMEs", "the last with addresses", BOUND, |context| chain(context, 9))
            .on(&[Lookup::Missing]),
        attack("a chain of 200 CNAMEs", "the last with addresses", BOUND, |context| chain(context, 200))
            .on(&[Lookup::Missing]),
    ]
}

/// A chain of `length` aliases, and the addresses of the last target.
pub(super) fn chain(context: &Context<'_>, length: usize) -> Vec<Injection> {
    let link =
        |number: usize| if number == 0 { context.name() } else { wire(&format!("c{number}-{}", context.query.name)) };
    let add = |packet: Packet, at: usize| packet.record(&link(at), types::CNAME, &link(at + 1));
    context.both(add_forged_addresses((0..length).fold(context.response(), add), &link(length)))
}
