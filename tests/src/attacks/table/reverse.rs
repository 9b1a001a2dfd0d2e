//! Responses to reverse lookups.

use super::{Attack, Injections, attack};
use crate::attacks::context::{Context, Injection, off_link};
use test_packet::{CH, IN, TOP_BIT, types, wire, wire_of_labels};

/// A PTR record whose target is this label, then `local`.
fn label(context: &Context<'_>, label: &[u8]) -> Vec<Injection> {
    context.both(context.ptr_response(&wire_of_labels(&[label, b"local"])))
}

pub(super) fn attacks() -> Vec<Attack> {
    const LOCAL: &str = "rule: the target of a PTR is in .local";
    const CLEAN: &str = "rule: only names that are safe to show are returned";
    const LENGTH: &str = "1035 s3.3.12: the data are exactly one name";
    let rows: [(&str, &str, &str, Injections); 21] = [
        ("PTR out of .local", "www.evil.example", LOCAL, |context| {
            context.both(context.ptr_response(&wire("www.evil.example")))
        }),
        ("PTR to a similar name", "www.notlocal; local.example; local; the root", LOCAL, |context| {
            let names = ["www.notlocal", "local.example", "local", ""];
            names.iter().flat_map(|name| context.both(context.ptr_response(&wire(name)))).collect()
        }),
        ("PTR with an escape sequence", "ESC ]0;x BEL", CLEAN, |context| label(context, b"\x1b]0;x\x07")),
        ("PTR with a NUL", "'evil\\0x'", CLEAN, |context| label(context, b"evil\0x")),
        ("PTR with a line feed", "'evil\\n127.0.0.1'", CLEAN, |context| label(context, b"evil\n127.0.0.1")),
        ("PTR with DEL", "0x7f", CLEAN, |context| label(context, b"evil\x7f")),
        ("PTR with a C1 control", "U+009B, which is ESC [", CLEAN, |context| label(context, "evil\u{9b}2J".as_bytes())),
        ("PTR with a dot in a label", "'www.bank.example' then local", CLEAN, |context| {
            label(context, b"www.bank.example")
        }),
        ("PTR with a backslash", "'evil\\046'", CLEAN, |context| label(context, b"evil\\046")),
        ("PTR with white space", "'a b', and a no-break space", CLEAN, |context| {
            [label(context, b"a b"), label(context, "a\u{a0}b".as_bytes())].concat()
        }),
        ("PTR that is an option", "-oProxyCommand=x", CLEAN, |context| label(context, b"-oProxyCommand=x")),
        ("PTR that is not UTF-8", "0xff, and a surrogate", CLEAN, |context| {
            [label(context, b"a\xff"), label(context, b"a\xed\xa0\x80")].concat()
        }),
        ("PTR of another address", "another last octet in the owner", "rule: the owner is the name", |context| {
            let owner = wire(&format!("9{}", context.query.name));
            context.both(context.response().name_record(&owner, types::PTR, "evil.local"))
        }),
        ("PTR of class CH", "evil.local", "6762 s6: class is IN", |context| {
            context.both(context.response().record_with(&context.name(), types::PTR, CH, 120, &wire("evil.local")))
        }),
        ("PTR with TTL 0", "a goodbye", "6762 s10.1: TTL 0 withdraws the record", |context| {
            context.both(context.response().record_with(
                &context.name(),
                types::PTR,
                IN | TOP_BIT,
                0,
                &wire("evil.local"),
            ))
        }),
        ("PTR longer than its data", "RDLENGTH 5, the name is longer", LENGTH, |context| {
            context.both(
                context.response().record_header(&context.name(), types::PTR, IN, 120, 5).raw(&wire("evil.local")),
            )
        }),
        ("PTR shorter than its data", "one octet after the name", LENGTH, |context| {
            context.both(context.ptr_response(&[wire("evil.local").as_slice(), b"x"].concat()))
        }),
        ("PTR past the end", "RDLENGTH 12, the message is one octet shorter", LENGTH, |context| {
            context.both(context.ptr_response(&wire("evil.local")).without_last(1))
        }),
        (
            "PTR of 300 octets",
            "labels of 58 octets, then evil.local",
            "1035 s3.1: a name has at most 255 octets",
            |context| {
                let label = [b'x'; 58].as_slice();
                let target = wire_of_labels(&[label, label, label, label, label, b"local"]);
                context.both(context.ptr_response(&target))
            },
        ),
        ("CNAME instead of a PTR", "an alias to evil.local", "rule: only a PTR names an address", |context| {
            context.both(context.response().name_record(&context.name(), types::CNAME, "evil.local"))
        }),
        (
            "PTR from behind a router",
            "right id, to the querier and the group",
            "6762 s11: the source must be on the link",
            |context| context.unicast_from_behind_router(context.ptr_response(&wire("evil.local")), off_link),
        ),
    ];
    rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections).on_addresses()).to_vec()
}
