//! CNAME and DNAME records.

use super::{Attack, Lookup, attack};
use crate::attacks::scene::{Scene, Shot};
use test_packet::{CH, IN, Packet, types, wire, wire_of_labels};

/// An alias of the name asked for, with the addresses of its target.
fn alias(scene: &Scene<'_>, target: &[u8]) -> Vec<Shot> {
    let packet = scene.response().record(&scene.name(), types::CNAME, target);
    scene.both(Scene::claim(packet, target))
}

pub(super) fn attacks() -> Vec<Attack> {
    [targets(), records(), circles()].concat()
}

fn targets() -> Vec<Attack> {
    const LOCAL: &str = "rule: aliases stay in .local";
    const CLEAN: &str = "rule: a name that is shown is clean";
    vec![
        attack("CNAME out of .local", "to www.evil.example, with its addresses", LOCAL, |scene| {
            alias(scene, &wire("www.evil.example"))
        }),
        attack("CNAME to a look-alike", "to www.notlocal, and to local.example", LOCAL, |scene| {
            [alias(scene, &wire("www.notlocal")), alias(scene, &wire("local.example"))].concat()
        }),
        attack("CNAME to local", "to local, and to the root", LOCAL, |scene| {
            [alias(scene, &wire("local")), alias(scene, &[0])].concat()
        }),
        attack("CNAME to a dot in a label", "'www.evil' then local; 'evil.local' alone", CLEAN, |scene| {
            [alias(scene, &wire_of_labels(&[b"www.evil", b"local"])), alias(scene, &wire_of_labels(&[b"evil.local"]))]
                .concat()
        }),
        attack("CNAME to control octets", "ESC, NUL, line feed, 0x7f, U+0085", CLEAN, |scene| {
            let labels: [&[u8]; 5] = [b"a\x1b[2Jb", b"a\0b", b"a\nb", b"a\x7fb", "a\u{85}b".as_bytes()];
            labels.iter().flat_map(|label| alias(scene, &wire_of_labels(&[label, b"local"]))).collect()
        }),
        attack("CNAME to an option", "-oProxyCommand=x.local", CLEAN, |scene| {
            alias(scene, &wire("-oProxyCommand=x.local"))
        }),
        attack("CNAME to no UTF-8", "a label of 0xff", CLEAN, |scene| {
            alias(scene, &wire_of_labels(&[b"a\xff", b"local"]))
        }),
    ]
}

fn records() -> Vec<Attack> {
    const LENGTH: &str = "1035 s3.3.1: the data are one name";
    fn with(scene: &Scene<'_>, add: impl Fn(Packet, &[u8], &[u8]) -> Packet) -> Vec<Shot> {
        let target = wire("target.local");
        scene.both(Scene::claim(add(scene.response(), &scene.name(), &target), &target))
    }
    vec![
        attack("CNAME of another owner", "other.local's, with the target's addresses", "rule: owner", |scene| {
            with(scene, |packet, _, target| packet.record(&wire("other.local"), types::CNAME, target))
        }),
        attack("CNAME of class CH", "with the target's addresses", "6762 s6: class is IN", |scene| {
            with(scene, |packet, name, target| packet.record_with(name, types::CNAME, CH, 120, target))
        }),
        attack("CNAME that is gone", "TTL 0", "6762 s10.1: the record is gone", |scene| {
            with(scene, |packet, name, target| packet.record_with(name, types::CNAME, IN, 0, target))
        }),
        attack("CNAME that ends too late", "RDLENGTH a label too short", LENGTH, |scene| {
            with(scene, |packet, name, target| packet.record_header(name, types::CNAME, IN, 120, 7).raw(target))
        }),
        attack("CNAME that ends too early", "one octet behind the name", LENGTH, |scene| {
            with(scene, |packet, name, target| packet.record(name, types::CNAME, &[target, &[0]].concat()))
        }),
        attack("DNAME of local", "local to evil.example, and the address there", "rule: DNAME is ignored", |scene| {
            let packet = scene.response().record(&wire("local"), types::DNAME, &wire("evil.example"));
            scene.both(Scene::claim(packet, &wire(&format!("{}.evil.example", scene.label()))))
        }),
        attack("DNAME of the name", "to target.local, with its addresses", "rule: DNAME is ignored", |scene| {
            with(scene, |packet, name, target| packet.record(name, types::DNAME, target))
        }),
    ]
}

fn circles() -> Vec<Attack> {
    const BOUND: &str = "rule: at most 8 aliases, one deadline";
    vec![
        attack("CNAME to itself", "in another case, too", BOUND, |scene| {
            let upper = wire(&scene.query.name.to_uppercase());
            [scene.name(), upper]
                .iter()
                .flat_map(|target| scene.both(scene.response().record(&scene.name(), types::CNAME, target)))
                .collect()
        }),
        // Anyone on the link may make the name another's, and thus nobody's: only the time is bounded.
        attack("CNAMEs in a circle", "to b.local, to c.local, and back", BOUND, |scene| {
            let names = [
                scene.name(),
                wire(&format!("b-{}", scene.query.name)),
                wire(&format!("c-{}", scene.query.name)),
                scene.name(),
            ];
            let add = |packet: Packet, pair: &[Vec<u8>]| packet.record(&pair[0], types::CNAME, &pair[1]);
            scene.both(names.windows(2).fold(scene.response(), add))
        })
        .on(&[Lookup::Missing]),
        attack("a chain out of .local", "to b.local, from there to www.evil.example, with addresses", BOUND, |scene| {
            let (next, out) = (wire(&format!("b-{}", scene.query.name)), wire("www.evil.example"));
            let packet = scene.response().record(&scene.name(), types::CNAME, &next);
            scene.both(Scene::claim(packet.record(&next, types::CNAME, &out), &out))
        })
        .on(&[Lookup::Missing]),
        attack("a chain of 9 CNAMEs", "the last with addresses", BOUND, |scene| chain(scene, 9)).on(&[Lookup::Missing]),
        attack("a chain of 200 CNAMEs", "the last with addresses", BOUND, |scene| chain(scene, 200))
            .on(&[Lookup::Missing]),
    ]
}

/// So many aliases, one after the other, and the addresses of the last.
pub(super) fn chain(scene: &Scene<'_>, length: usize) -> Vec<Shot> {
    let link =
        |number: usize| if number == 0 { scene.name() } else { wire(&format!("c{number}-{}", scene.query.name)) };
    let add = |packet: Packet, at: usize| packet.record(&link(at), types::CNAME, &link(at + 1));
    scene.both(Scene::claim((0..length).fold(scene.response(), add), &link(length)))
}
