//! Names of every rtype, as text and on the wire: what is written is read again, and what is broken is not.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use resolver_core::wire::{InvalidName, MAX_NAME, Message, Name, Reader, WireError};

/// Labels as the wire allows them: any octets.
fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 1..=63), 0..8).prop_filter("too long", |labels| wire(labels).len() <= MAX_NAME)
}

/// Labels as text allows them: no dots, no control characters.
fn text_labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let octet = any::<u8>().prop_filter("of text", |octet| !octet.is_ascii_control() && *octet != b'.');
    vec(vec(octet, 1..=63), 1..8)
}

/// Labels from few, so that names share their ends.
fn alike() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(prop_oneof![Just(b"a".to_vec()), Just(b"bb".to_vec()), Just(b"local".to_vec())], 0..6)
}

fn wire(labels: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend_from_slice(label);
    }
    wire.push(0);
    wire
}

fn read(octets: &[u8], at: usize) -> Result<Name, WireError> {
    let mut reader = Reader::new(octets);
    reader.octets(at)?;
    Name::read(&mut reader)
}

fn text(name: &Name) -> Vec<u8> {
    let mut text = Vec::new();
    name.write_text(|piece| text.extend_from_slice(piece));
    text
}

/// Writes a name behind `message`, its end as a pointer to an earlier name where there is one and `compress` says so.
fn write_compressed(
    message: &mut Vec<u8>,
    labels: &[Vec<u8>],
    known: &mut HashMap<Vec<Vec<u8>>, usize>,
    compress: bool,
) {
    for (index, label) in labels.iter().enumerate() {
        let end = labels[index..].to_vec();
        let earlier = known.get(&end).filter(|_| compress);
        if let Some(&earlier) = earlier {
            return message.extend_from_slice(&(0xc000 | u16::try_from(earlier).unwrap()).to_be_bytes());
        }
        known.entry(end).or_insert(message.len());
        message.push(u8::try_from(label.len()).unwrap());
        message.extend_from_slice(label);
    }
    message.push(0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_on_the_wire_is_read_and_no_more(labels in labels(), behind in vec(any::<u8>(), 0..4)) {
        let wire = wire(&labels);
        let octets = [&wire[..], &behind].concat();
        let mut reader = Reader::new(&octets);
        let name = Name::read(&mut reader).unwrap();
        prop_assert_eq!(reader.offset(), wire.len());
        prop_assert_eq!(name.as_wire(), &wire);
        prop_assert!(name.labels().eq(labels.iter().map(Vec::as_slice)));
        prop_assert_eq!(text(&name), labels.join(&b'.'));
        prop_assert_eq!(name.text_len(), text(&name).len());
        let mut skipped = Reader::new(&octets);
        Name::skip(&mut skipped).unwrap();
        prop_assert_eq!(skipped.offset(), wire.len());
    }

    #[test]
    fn a_part_of_a_name_is_none(labels in labels(), part in any::<prop::sample::Index>()) {
        let wire = wire(&labels);
        let part = &wire[..part.index(wire.len())];
        prop_assert_eq!(read(part, 0).err(), Some(WireError::Truncated));
        prop_assert!(Name::skip(&mut Reader::new(part)).is_err());
    }

    #[test]
    fn text_and_wire_say_the_same(labels in text_labels(), dot in any::<bool>()) {
        let mut written = labels.join(&b'.');
        written.extend_from_slice(if dot { b"." } else { b"" });
        let name = Name::from_text(&written);
        if wire(&labels).len() > MAX_NAME {
            prop_assert_eq!(name.err(), Some(InvalidName::NameTooLong));
        } else {
            let name = name.unwrap();
            prop_assert_eq!(name.as_wire(), wire(&labels));
            prop_assert_eq!(text(&name), labels.join(&b'.'));
            prop_assert_eq!(read(name.as_wire(), 0).unwrap(), name);
        }
    }

    #[test]
    fn compressed_names_are_the_same_names(names in vec((alike(), any::<bool>()), 1..12)) {
        let (mut message, mut known, mut places) = (vec![0; 12], HashMap::new(), Vec::new());
        for (labels, compress) in &names {
            places.push(message.len());
            write_compressed(&mut message, labels, &mut known, *compress);
        }
        for ((labels, _), &place) in names.iter().zip(&places) {
            let name = read(&message, place).unwrap();
            prop_assert_eq!(name.as_wire(), wire(labels));
        }
    }

    #[test]
    fn case_makes_no_difference(labels in labels(), upper in any::<bool>()) {
        let fold = |label: &Vec<u8>| if upper { label.to_ascii_uppercase() } else { label.to_ascii_lowercase() };
        let folded: Vec<_> = labels.iter().map(fold).collect();
        let (name, folded) = (read(&wire(&labels), 0).unwrap(), read(&wire(&folded), 0).unwrap());
        let hasher = RandomState::new();
        prop_assert_eq!(&name, &folded);
        prop_assert_eq!(hasher.hash_one(&name), hasher.hash_one(&folded));
        prop_assert_eq!(name.is_local(), folded.is_local());
    }

    #[test]
    fn other_octets_make_another_name(labels in labels(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        prop_assume!(!labels.is_empty());
        let mut changed = labels.clone();
        let label = at.index(labels.len());
        let octet = at.index(labels[label].len());
        changed[label][octet] ^= 1 << bit;
        let (one, other) = (labels[label][octet], changed[label][octet]);
        let same = one.eq_ignore_ascii_case(&other);
        prop_assert_eq!(read(&wire(&labels), 0).unwrap() == read(&wire(&changed), 0).unwrap(), same);
    }

    #[test]
    fn addresses_in_reverse_notation_are_read_back(ip in any::<IpAddr>()) {
        let name = Name::of_address(ip);
        let labels: Vec<_> = name.labels().map(|label| std::str::from_utf8(label).unwrap()).collect();
        let (digits, end) = labels.split_at(labels.len() - 2);
        let reversed: Vec<_> = digits.iter().rev().copied().collect();
        let again: IpAddr = match ip {
            IpAddr::V4(_) => reversed.join(".").parse().unwrap(),
            IpAddr::V6(_) => std::net::Ipv6Addr::from(u128::from_str_radix(&reversed.concat(), 16).unwrap()).into(),
        };
        prop_assert_eq!(again, ip);
        prop_assert_eq!(end, if ip.is_ipv4() { ["in-addr", "arpa"] } else { ["ip6", "arpa"] });
        prop_assert_eq!(read(name.as_wire(), 0).unwrap(), name);
    }

    #[test]
    fn any_octets_end_soon(octets in vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::read(&octets) {
            prop_assert!(message.records().count() <= octets.len() / 11);
            prop_assert!(message.questions().count() <= octets.len() / 5);
        }
        for at in 0..octets.len() {
            if let Ok(name) = read(&octets, at) {
                prop_assert!((1..=MAX_NAME).contains(&name.as_wire().len()));
            }
        }
    }
}
