//! Properties of names as text and in wire form: encoded names are parsed, malformed ones are rejected.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use resolver_core::wire::{InvalidName, MAX_NAME, Message, Name, Reader, WireError};

/// Labels as wire form allows them: any octets.
fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 1..=63), 0..8).prop_filter("too long", |labels| wire(labels).len() <= MAX_NAME)
}

/// Labels as text allows them: without control characters.
fn text_labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let octet = any::<u8>().prop_filter("not allowed in text", |octet| !octet.is_ascii_control());
    vec(vec(octet, 1..=63), 1..8)
}

/// A label as text. `numeric` selects the octets that are written as a number; of the others, only dots and backslashes
/// are escaped.
fn escaped(label: &[u8], numeric: impl Fn(u8) -> bool) -> Vec<u8> {
    let escape = |&octet: &u8| match octet {
        _ if numeric(octet) => format!("\\{octet:03}").into_bytes(),
        b'.' | b'\\' => vec![b'\\', octet],
        _ => vec![octet],
    };
    label.iter().flat_map(escape).collect()
}

/// Labels from a small set, so that names have suffixes in common.
fn similar_labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
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

/// Appends a name to `message`. If `compress` is true, a suffix that an earlier name has is written as a pointer to it.
/// `known` has the offsets of the suffixes written so far.
fn write_compressed(
    message: &mut Vec<u8>,
    labels: &[Vec<u8>],
    known: &mut HashMap<Vec<Vec<u8>>, usize>,
    compress: bool,
) {
    for (index, label) in labels.iter().enumerate() {
        let suffix = labels[index..].to_vec();
        let earlier = known.get(&suffix).filter(|_| compress);
        if let Some(&earlier) = earlier {
            return message.extend_from_slice(&(0xc000 | u16::try_from(earlier).unwrap()).to_be_bytes());
        }
        known.entry(suffix).or_insert(message.len());
        message.push(u8::try_from(label.len()).unwrap());
        message.extend_from_slice(label);
    }
    message.push(0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_is_parsed_up_to_its_end(labels in labels(), rest in vec(any::<u8>(), 0..4)) {
        let wire = wire(&labels);
        let octets = [&wire[..], &rest].concat();
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
    fn a_truncated_name_is_rejected(labels in labels(), part in any::<prop::sample::Index>()) {
        let wire = wire(&labels);
        let part = &wire[..part.index(wire.len())];
        prop_assert_eq!(read(part, 0).err(), Some(WireError::Truncated));
        prop_assert!(Name::skip(&mut Reader::new(part)).is_err());
    }

    #[test]
    fn text_and_wire_form_are_the_same_name(labels in text_labels(), dot in any::<bool>(), from in any::<u8>()) {
        let mut written = labels.iter().map(|label| escaped(label, |octet| octet > from)).collect::<Vec<_>>().join(&b'.');
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
    fn compressed_names_are_the_same_names(names in vec((similar_labels(), any::<bool>()), 1..12)) {
        let (mut message, mut known, mut offsets) = (vec![0; 12], HashMap::new(), Vec::new());
        for (labels, compress) in &names {
            offsets.push(message.len());
            write_compressed(&mut message, labels, &mut known, *compress);
        }
        for ((labels, _), &offset) in names.iter().zip(&offsets) {
            let name = read(&message, offset).unwrap();
            prop_assert_eq!(name.as_wire(), wire(labels));
        }
    }

    #[test]
    fn names_that_differ_in_case_are_equal(labels in labels(), upper in any::<bool>()) {
        let fold = |label: &Vec<u8>| if upper { label.to_ascii_uppercase() } else { label.to_ascii_lowercase() };
        let folded: Vec<_> = labels.iter().map(fold).collect();
        let (name, folded) = (read(&wire(&labels), 0).unwrap(), read(&wire(&folded), 0).unwrap());
        let hasher = RandomState::new();
        prop_assert_eq!(&name, &folded);
        prop_assert_eq!(hasher.hash_one(&name), hasher.hash_one(&folded));
        prop_assert_eq!(name.is_local(), folded.is_local());
    }

    #[test]
    fn names_that_differ_in_an_octet_are_unequal(labels in labels(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        prop_assume!(!labels.is_empty());
        let mut changed = labels.clone();
        let label = at.index(labels.len());
        let octet = at.index(labels[label].len());
        changed[label][octet] ^= 1 << bit;
        let (before, after) = (labels[label][octet], changed[label][octet]);
        let same = before.eq_ignore_ascii_case(&after);
        prop_assert_eq!(read(&wire(&labels), 0).unwrap() == read(&wire(&changed), 0).unwrap(), same);
    }

    #[test]
    fn an_address_can_be_read_from_its_reverse_notation(ip in any::<IpAddr>()) {
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
    fn any_octets_are_parsed_within_bounds(octets in vec(any::<u8>(), 0..300)) {
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
