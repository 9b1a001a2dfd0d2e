//! Records of other names, among them such as look like ours.

use super::{Attack, Shots, attack};
use crate::attacks::scene::{Scene, Shot};
use test_packet::{wire, wire_of_labels};

/// The forged answer under another owner.
fn under(scene: &Scene<'_>, owner: &[u8]) -> Vec<Shot> {
    scene.both(scene.forged_for(owner))
}

fn of_labels(scene: &Scene<'_>, labels: &[&[u8]]) -> Vec<Shot> {
    under(scene, &wire_of_labels(labels))
}

pub(super) fn attacks() -> Vec<Attack> {
    const OWNER: &str = "rule: the owner is the name asked for, label by label";
    const CASE: &str = "6762 s16: only ASCII letters have a case";
    let rows: [(&str, &str, &str, Shots); 18] = [
        ("another owner", "other.local", OWNER, |scene| under(scene, &wire("other.local"))),
        ("the root", "no label at all", OWNER, |scene| under(scene, &[0])),
        ("the suffix", "local", OWNER, |scene| under(scene, &wire("local"))),
        ("the prefix", "NAME without .local", OWNER, |scene| under(scene, &wire(scene.label()))),
        ("one label more in front", "x.NAME.local", OWNER, |scene| {
            under(scene, &wire(&format!("x.{}", scene.query.name)))
        }),
        ("one label more behind", "NAME.local.local", OWNER, |scene| {
            under(scene, &wire(&format!("{}.local", scene.query.name)))
        }),
        ("out of .local", "NAME.local.evil.example", OWNER, |scene| {
            under(scene, &wire(&format!("{}.evil.example", scene.query.name)))
        }),
        ("a longer label", "xNAME.local and NAMEx.local", OWNER, |scene| {
            let names = [format!("x{}.local", scene.label()), format!("{}x.local", scene.label())];
            names.iter().flat_map(|name| under(scene, &wire(name))).collect()
        }),
        ("a shorter label", "NAME without its k", OWNER, |scene| {
            under(scene, &wire(&scene.query.name.replacen('k', "", 1)))
        }),
        ("a shorter suffix", "NAME.loca", OWNER, |scene| of_labels(scene, &[scene.label().as_bytes(), b"loca"])),
        ("a dot in a label", "NAME.local as one label", OWNER, |scene| {
            of_labels(scene, &[scene.query.name.as_bytes()])
        }),
        ("a dot at a label's end", "'NAME.' then local", OWNER, |scene| {
            of_labels(scene, &[format!("{}.", scene.label()).as_bytes(), b"local"])
        }),
        ("a NUL in a label", "'NAME\\0x' then local; NAME then 'local\\0'", OWNER, |scene| {
            let label = scene.label();
            let with_nul = format!("{label}\0x");
            let first = of_labels(scene, &[with_nul.as_bytes(), b"local"]);
            [first, of_labels(scene, &[label.as_bytes(), b"local\0"])].concat()
        }),
        ("an escape", "'NAME\\.local', 'NAME\\032' and 'NAME\\107'", OWNER, |scene| {
            let label = scene.label();
            let one = of_labels(scene, &[format!("{label}\\.local").as_bytes()]);
            let space = of_labels(scene, &[format!("{label}\\032").as_bytes(), b"local"]);
            let escaped = label.replacen('k', "\\107", 1);
            [one, space, of_labels(scene, &[escaped.as_bytes(), b"local"])].concat()
        }),
        ("white space", "'NAME ' and ' NAME'", OWNER, |scene| {
            let labels = [format!("{} ", scene.label()), format!(" {}", scene.label())];
            labels.iter().flat_map(|label| of_labels(scene, &[label.as_bytes(), b"local"])).collect()
        }),
        ("another case of Unicode", "the Kelvin sign for its k", CASE, |scene| {
            under(scene, &wire(&scene.query.name.replacen('k', "\u{212a}", 1)))
        }),
        ("the case bit of digits", "bit 5 turned over where no letter is", CASE, |scene| {
            let label = scene.label().bytes().map(|octet| if octet.is_ascii_digit() { octet ^ 0x20 } else { octet });
            of_labels(scene, &[&label.collect::<Vec<_>>(), b"local"])
        }),
        ("the case bit of lengths", "the first length octet made 32 more", CASE, |scene| {
            // 0x23 is 3 with the bit set: a fold of the whole that took it for a letter's would find ours.
            let mut owner = scene.name();
            let long = usize::from(owner[0] | 0x20);
            owner[0] |= 0x20;
            owner.resize(long + 1, b'x');
            owner.extend_from_slice(b"\x05local\0");
            under(scene, &owner)
        }),
    ];
    rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots)).to_vec()
}
