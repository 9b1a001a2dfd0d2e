//! Target `message`: arbitrary octets as a message, as a name in wire form, and as the text of a name.

use resolver_core::policy::{self, NameRange};
use resolver_core::wire::{MAX_NAME, MAX_QUERY, Message, Name, Query, Reader, Record, RecordType};

use crate::reference_parser;

/// Parses `data` in every way that the resolver has.
pub fn check(data: &[u8]) {
    check_message(data);
    check_text(data);
    let mut reader = Reader::new(data);
    if let Ok(name) = Name::read(&mut reader) {
        check_name(&name);
        assert!(name.is_at(Reader::new(data)), "the name that was read is recognised in place");
        let mut skipped = Reader::new(data);
        assert_eq!(Name::skip(&mut skipped), Ok(()));
        assert_eq!(skipped.offset(), reader.offset(), "skipping a name ends where reading it ends");
    }
}

fn check_message(data: &[u8]) {
    let (read, expected) = (Message::read(data), reference_parser::Message::read(data));
    assert_eq!(read.is_ok(), expected.is_some());
    let (Ok(read), Some(expected)) = (read, expected) else { return };
    assert_eq!((read.id(), read.is_valid_response()), (expected.id, expected.is_response()));
    assert_eq!(read.is_complete(), expected.is_complete());
    check_questions(&read, &expected);
    let records: Vec<_> = read.records().collect();
    assert_eq!(records.len(), expected.records.len());
    assert!(records.len() <= data.len() / 11, "a record takes at least eleven octets");
    for (record, expected) in records.iter().zip(&expected.records) {
        assert_eq!((record.rtype.0, record.ttl), (expected.rtype, expected.ttl));
        assert_eq!(record.is_internet(), expected.class & 0x7fff == 1);
        assert_eq!(record.owner().as_ref().map(Name::as_wire), expected.owner.as_deref());
        record.owner().iter().for_each(check_name);
        check_owner(record, expected);
        assert_eq!(record.address(), expected.address());
        check_target(record, expected);
        check_nsec(record, expected);
    }
    assert_eq!(read.records().count(), records.len());
}

/// Checks that the questions are read up to the first malformed one.
fn check_questions(read: &Message<'_>, expected: &reference_parser::Message<'_>) {
    let names: Vec<_> = read.questions().map(|question| question.name).collect();
    names.iter().for_each(check_name);
    let well_formed = expected.questions.iter().map_while(Option::as_deref);
    assert!(names.iter().map(Name::as_wire).eq(well_formed));
}

/// Checks that the owner equals itself whatever the case of its letters, and no other name.
fn check_owner(record: &Record<'_>, expected: &reference_parser::Record<'_>) {
    let root = Name::root();
    assert_eq!(record.is_of(&root), expected.owner.as_deref() == Some(root.as_wire()));
    if let Some(owner) = record.owner() {
        let (mut swapped, mut other) = (owner.as_wire().to_vec(), owner.as_wire().to_vec());
        // Length octets are smaller than all letters.
        swapped.iter_mut().for_each(|octet| *octet = if octet.is_ascii_alphabetic() { *octet ^ 0x20 } else { *octet });
        assert!(record.is_of(&owner) && record.is_of(&read(&swapped)));
        if let Some(first) = other.get_mut(1).filter(|first| !first.is_ascii_alphabetic()) {
            *first ^= 0x20;
            assert!(!record.is_of(&read(&other)));
        }
    }
}

fn check_target(record: &Record<'_>, expected: &reference_parser::Record<'_>) {
    let mut target = Name::root();
    let read = record.read_target(&mut target);
    check_name(&target);
    assert_eq!(read.then(|| target.as_wire().to_vec()), expected.target());
}

fn check_nsec(record: &Record<'_>, expected: &reference_parser::Record<'_>) {
    let nsec = record.nsec();
    match expected.nsec() {
        Some((next, has_a, has_aaaa)) => {
            let nsec = nsec.expect("a well-formed record");
            assert_eq!((nsec.has_a, nsec.has_aaaa), (has_a, has_aaaa));
            assert!(nsec.leads_to(&read(&next)));
        }
        // The resolver accepts a malformed next domain name, but it equals no name.
        None => assert!(nsec.is_none_or(|nsec| !nsec.leads_to(&Name::root()))),
    }
}

/// The name with this uncompressed wire form.
fn read(wire: &[u8]) -> Name {
    Name::read(&mut Reader::new(wire)).expect("a valid wire form")
}

/// Checks the properties of every valid name.
pub fn check_name(name: &Name) {
    let wire = name.as_wire();
    assert!((1..=MAX_NAME).contains(&wire.len()));
    let labels = reference_parser::labels(wire);
    assert!(name.labels().eq(labels.iter().copied()));
    assert!(labels.iter().all(|label| (1..=63).contains(&label.len())));
    assert_eq!(labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1, wire.len());
    assert_eq!(name.is_local() && name.is_clean(), reference_parser::is_clean_and_local(wire));
    let text = text(name);
    assert_eq!(text, labels.join(&b'.'));
    assert_eq!(text.len(), name.text_len());
    if name.is_clean() && !labels.is_empty() {
        let again = Name::from_text(&text).expect("a name that can be shown can be looked up");
        assert_eq!(again.as_wire(), wire);
    }
    check_query(name);
}

/// Checks that an encoded query for the name is parsed as the same query.
fn check_query(name: &Name) {
    let (id, rtype) = (0x1234, RecordType::AAAA);
    let mut packet = [0; MAX_QUERY];
    let query = Query { id, name, rtype, unicast_response: true }.encode(&mut packet);
    let message = Message::read(query).expect("a complete header");
    assert_eq!((message.id(), message.is_valid_response(), message.records().count()), (id, false, 0));
    let questions: Vec<_> = message.questions().map(|question| (question.name, question.rtype)).collect();
    assert_eq!(questions.len(), 1);
    assert_eq!((questions[0].0.as_wire(), questions[0].1), (name.as_wire(), rtype));
}

fn check_text(data: &[u8]) {
    if let Ok(name) = Name::from_text(data) {
        check_name(&name);
        assert!(!name.labels().flatten().any(u8::is_ascii_control));
        assert!(name.labels().eq(unescaped(data).iter().map(Vec::as_slice)));
    }
    if let Ok(host) = NameRange::Local.host_name(data) {
        assert!(policy::is_local(data) && host.name.is_local());
        assert_eq!(host.trailing_dot, data.ends_with(b"."), "an escaped dot cannot follow local");
        assert!(NameRange::Allowed.host_name(data).is_ok());
    }
    if let Ok(host) = NameRange::Allowed.host_name(data) {
        assert!(host.name.labels().count() >= 2);
    }
}

fn text(name: &Name) -> Vec<u8> {
    let mut text = Vec::new();
    name.write_text(|piece| text.extend_from_slice(piece));
    text
}

/// The labels of a name as text, without its escapes.
fn unescaped(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut labels, mut at) = (vec![Vec::new()], 0);
    while at < text.len() {
        let (octet, length) = match &text[at..] {
            [b'.', ..] => {
                labels.push(Vec::new());
                at += 1;
                continue;
            }
            [b'\\', octet @ (b'.' | b'\\'), ..] => (*octet, 2),
            [b'\\', digits @ ..] => {
                let digits: String = digits.iter().take(3).map(|&octet| char::from(octet)).collect();
                let is_number = digits.len() == 3 && digits.chars().all(|digit| digit.is_ascii_digit());
                digits.parse().ok().filter(|_| is_number).map_or((b'\\', 1), |octet| (octet, 4))
            }
            octets => (octets[0], 1),
        };
        labels.last_mut().expect("at least one").push(octet);
        at += length;
    }
    if labels.last().is_some_and(Vec::is_empty) {
        labels.pop();
    }
    labels
}
