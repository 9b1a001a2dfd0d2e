//! Records of other names, some of which resemble the queried name.

use super::{Attack, Injections, attack};
use crate::attacks::context::{Context, Injection};
use test_packet::{wire, wire_of_labels};

/// The forged response with another owner.
fn owned_by(context: &Context<'_>, owner: &[u8]) -> Vec<Injection> {
    context.both(context.forged_for(owner))
}

fn of_labels(context: &Context<'_>, labels: &[&[u8]]) -> Vec<Injection> {
    owned_by(context, &wire_of_labels(labels))
}

pub(super) fn attacks() -> Vec<Attack> {
    const OWNER: &str = "rule: the owner equals the queried name, label by label";
    const CASE: &str = "6762 s16: only ASCII letters are case-insensitive";
    let rows: [(&str, &str, &str, Injections); 18] = [
        ("another owner", "other.local", OWNER, |context| owned_by(context, &wire("other.local"))),
        ("the root", "no label at all", OWNER, |context| owned_by(context, &[0])),
        ("the suffix", "local", OWNER, |context| owned_by(context, &wire("local"))),
        ("the prefix", "NAME without .local", OWNER, |context| owned_by(context, &wire(context.label()))),
        ("a label added in front", "x.NAME.local", OWNER, |context| {
            owned_by(context, &wire(&format!("x.{}", context.query.name)))
        }),
        ("a label added at the end", "NAME.local.local", OWNER, |context| {
            owned_by(context, &wire(&format!("{}.local", context.query.name)))
        }),
        ("out of .local", "NAME.local.evil.example", OWNER, |context| {
            owned_by(context, &wire(&format!("{}.evil.example", context.query.name)))
        }),
        ("a longer label", "xNAME.local and NAMEx.local", OWNER, |context| {
            let names = [format!("x{}.local", context.label()), format!("{}x.local", context.label())];
            names.iter().flat_map(|name| owned_by(context, &wire(name))).collect()
        }),
        ("a shorter label", "NAME without the k", OWNER, |context| {
            owned_by(context, &wire(&context.query.name.replacen('k', "", 1)))
        }),
        ("a shorter suffix", "NAME.loca", OWNER, |context| of_labels(context, &[context.label().as_bytes(), b"loca"])),
        ("a dot in a label", "NAME.local as one label", OWNER, |context| {
            of_labels(context, &[context.query.name.as_bytes()])
        }),
        ("a dot at a label's end", "'NAME.' then local", OWNER, |context| {
            of_labels(context, &[format!("{}.", context.label()).as_bytes(), b"local"])
        }),
        ("a NUL in a label", "'NAME\\0x' then local; NAME then 'local\\0'", OWNER, |context| {
            let label = context.label();
            let with_nul = format!("{label}\0x");
            let first = of_labels(context, &[with_nul.as_bytes(), b"local"]);
            [first, of_labels(context, &[label.as_bytes(), b"local\0"])].concat()
        }),
        ("an escape", "'NAME\\.local', 'NAME\\032' and 'NAME\\107'", OWNER, |context| {
            let label = context.label();
            let one = of_labels(context, &[format!("{label}\\.local").as_bytes()]);
            let space = of_labels(context, &[format!("{label}\\032").as_bytes(), b"local"]);
            let escaped = label.replacen('k', "\\107", 1);
            [one, space, of_labels(context, &[escaped.as_bytes(), b"local"])].concat()
        }),
        ("white space", "'NAME ' and ' NAME'", OWNER, |context| {
            let labels = [format!("{} ", context.label()), format!(" {}", context.label())];
            labels.iter().flat_map(|label| of_labels(context, &[label.as_bytes(), b"local"])).collect()
        }),
        ("Unicode case folding", "the Kelvin sign for the k", CASE, |context| {
            owned_by(context, &wire(&context.query.name.replacen('k', "\u{212a}", 1)))
        }),
        ("the case bit of digits", "bit 5 of the digits flipped", CASE, |context| {
            let label = context.label().bytes().map(|octet| if octet.is_ascii_digit() { octet ^ 0x20 } else { octet });
            of_labels(context, &[&label.collect::<Vec<_>>(), b"local"])
        }),
        ("the case bit of lengths", "bit 5 of the first length octet set", CASE, |context| {
            // With bit 5, the length octet 3 becomes 0x23. A comparison that also folds length octets would match.
            let mut owner = context.name();
            let long = usize::from(owner[0] | 0x20);
            owner[0] |= 0x20;
            owner.resize(long + 1, b'x');
            owner.extend_from_slice(b"\x05local\0");
            owned_by(context, &owner)
        }),
    ];
    rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections)).to_vec()
}
