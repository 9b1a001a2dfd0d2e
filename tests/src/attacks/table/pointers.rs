//! Answers to reverse lookups.

use super::{Attack, Shots, attack};
use crate::attacks::scene::{Scene, Shot, off_link};
use test_packet::{CH, IN, TOP_BIT, types, wire, wire_of_labels};

/// The label in front of `.local`.
fn label(scene: &Scene<'_>, label: &[u8]) -> Vec<Shot> {
    scene.both(scene.pointing_to(&wire_of_labels(&[label, b"local"])))
}

pub(super) fn attacks() -> Vec<Attack> {
    const LOCAL: &str = "rule: a PTR's target ends in .local";
    const CLEAN: &str = "rule: a name that is shown is clean";
    const LENGTH: &str = "1035 s3.3.12: the data are one name";
    let rows: [(&str, &str, &str, Shots); 21] = [
        ("PTR out of .local", "www.evil.example", LOCAL, |scene| {
            scene.both(scene.pointing_to(&wire("www.evil.example")))
        }),
        ("PTR to a look-alike", "www.notlocal; local.example; local; the root", LOCAL, |scene| {
            let names = ["www.notlocal", "local.example", "local", ""];
            names.iter().flat_map(|name| scene.both(scene.pointing_to(&wire(name)))).collect()
        }),
        ("PTR with an escape sequence", "ESC ]0;x BEL", CLEAN, |scene| label(scene, b"\x1b]0;x\x07")),
        ("PTR with a NUL", "'evil\\0x'", CLEAN, |scene| label(scene, b"evil\0x")),
        ("PTR with a line feed", "'evil\\n127.0.0.1'", CLEAN, |scene| label(scene, b"evil\n127.0.0.1")),
        ("PTR with DEL", "0x7f", CLEAN, |scene| label(scene, b"evil\x7f")),
        ("PTR with a control of Latin-1", "U+009B, which is ESC [", CLEAN, |scene| {
            label(scene, "evil\u{9b}2J".as_bytes())
        }),
        ("PTR with a dot in a label", "'www.bank.example' then local", CLEAN, |scene| {
            label(scene, b"www.bank.example")
        }),
        ("PTR with a backslash", "'evil\\046'", CLEAN, |scene| label(scene, b"evil\\046")),
        ("PTR with white space", "'a b', and a no-break space", CLEAN, |scene| {
            [label(scene, b"a b"), label(scene, "a\u{a0}b".as_bytes())].concat()
        }),
        ("PTR that is an option", "-oProxyCommand=x", CLEAN, |scene| label(scene, b"-oProxyCommand=x")),
        ("PTR that is no UTF-8", "0xff, and a surrogate", CLEAN, |scene| {
            [label(scene, b"a\xff"), label(scene, b"a\xed\xa0\x80")].concat()
        }),
        ("PTR of another address", "the owner's last octet is another", "rule: owner", |scene| {
            let owner = wire(&format!("9{}", scene.query.name));
            scene.both(scene.response().record(&owner, types::PTR, &wire("evil.local")))
        }),
        ("PTR of class CH", "evil.local", "6762 s6: class is IN", |scene| {
            scene.both(scene.response().record_with(&scene.name(), types::PTR, CH, 120, &wire("evil.local")))
        }),
        ("PTR that is gone", "TTL 0", "6762 s10.1: the record is gone", |scene| {
            scene.both(scene.response().record_with(&scene.name(), types::PTR, IN | TOP_BIT, 0, &wire("evil.local")))
        }),
        ("PTR that ends too late", "RDLENGTH 5, the name goes on", LENGTH, |scene| {
            scene.both(scene.response().record_header(&scene.name(), types::PTR, IN, 120, 5).raw(&wire("evil.local")))
        }),
        ("PTR that ends too early", "an octet behind the name", LENGTH, |scene| {
            scene.both(scene.pointing_to(&[wire("evil.local").as_slice(), b"x"].concat()))
        }),
        ("PTR past the end", "RDLENGTH 12, the message ends", LENGTH, |scene| {
            scene.both(scene.pointing_to(&wire("evil.local")).without_last(1))
        }),
        ("PTR of 300 octets", "labels of 58 octets, then evil.local", "1035 s3.1: 255 octets at most", |scene| {
            let label = [b'x'; 58].as_slice();
            let target = wire_of_labels(&[label, label, label, label, label, b"local"]);
            scene.both(scene.pointing_to(&target))
        }),
        ("CNAME for a PTR", "an alias to evil.local", "rule: a name is pointed to by a PTR", |scene| {
            scene.both(scene.response().record(&scene.name(), types::CNAME, &wire("evil.local")))
        }),
        ("PTR from behind a router", "right id, to the querier and the group", "6762 s11: on the link", |scene| {
            scene.from_behind_the_router(scene.pointing_to(&wire("evil.local")), off_link)
        }),
    ];
    rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots).on_addresses()).to_vec()
}
