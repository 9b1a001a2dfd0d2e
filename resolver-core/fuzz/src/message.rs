//! Any octets as a message, and as the text of a name.

use resolver_core::policy::{self, NameRange};
use resolver_core::wire::{Data, MAX_NAME, MAX_QUERY, Message, Name, Nsec, Query, Reader, RecordType};

use crate::plain;

/// Reads `data` in every way that the resolver has.
pub fn check(data: &[u8]) {
    check_message(data);
    check_text(data);
    let mut reader = Reader::new(data);
    if let Ok(name) = Name::read(&mut reader) {
        check_name(&name);
        let mut skipped = Reader::new(data);
        assert_eq!(Name::skip(&mut skipped), Ok(()));
        assert_eq!(skipped.offset(), reader.offset(), "skipping ends where reading does");
    }
}

fn check_message(data: &[u8]) {
    let (read, expected) = (Message::read(data), plain::Message::read(data));
    assert_eq!(read.is_ok(), expected.is_some());
    let (Ok(read), Some(expected)) = (read, expected) else { return };
    assert_eq!((read.id(), read.is_valid_response()), (expected.id, expected.is_response()));
    check_questions(&read, &expected);
    let records: Vec<_> = read.records().collect();
    assert_eq!(records.len(), expected.records.len());
    assert!(records.len() <= data.len() / 11, "a record takes eleven octets at least");
    for (record, expected) in records.iter().zip(&expected.records) {
        assert_eq!((record.kind.0, record.ttl), (expected.kind, expected.ttl));
        assert_eq!(record.is_internet(), expected.class & 0x7fff == 1);
        assert_eq!(record.owner().as_ref().map(Name::as_wire), expected.owner.as_deref());
        record.owner().iter().for_each(check_name);
        check_data(record.data(), expected);
        check_data(record.data(), expected); // reading leaves no trace
    }
    assert_eq!(read.records().count(), records.len());
}

/// Those before the first that is broken.
fn check_questions(read: &Message<'_>, expected: &plain::Message<'_>) {
    let names: Vec<_> = read.questions().map(|question| question.name).collect();
    names.iter().for_each(check_name);
    let whole = expected.questions.iter().map_while(Option::as_deref);
    assert!(names.iter().map(Name::as_wire).eq(whole));
}

fn check_data(data: Option<Data>, expected: &plain::Record<'_>) {
    match (data, expected.kind) {
        (Some(Data::A(ip)), 1) => assert_eq!(Some(ip.into()), expected.address()),
        (Some(Data::Aaaa(ip)), 28) => assert_eq!(Some(ip.into()), expected.address()),
        (Some(Data::Cname(name)), 5) | (Some(Data::Ptr(name)), 12) => {
            check_name(&name);
            assert_eq!(Some(name.as_wire()), expected.target().as_deref());
        }
        (Some(Data::Nsec(Nsec { next, has_a, has_aaaa })), 47) => {
            check_name(&next);
            assert_eq!(Some((next.as_wire().to_vec(), has_a, has_aaaa)), expected.denial());
        }
        (None, 1 | 28) => assert_eq!(expected.address(), None),
        (None, 5 | 12) => assert_eq!(expected.target(), None),
        (None, 47) => assert_eq!(expected.denial(), None),
        (None, _) => {}
        (data, kind) => panic!("{data:?} of type {kind}"),
    }
}

/// Whatever holds of every name that exists.
pub fn check_name(name: &Name) {
    let wire = name.as_wire();
    assert!((1..=MAX_NAME).contains(&wire.len()));
    let labels = plain::labels(wire);
    assert!(name.labels().eq(labels.iter().copied()));
    assert!(labels.iter().all(|label| (1..=63).contains(&label.len())));
    assert_eq!(labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1, wire.len());
    assert_eq!(name.is_local() && name.is_clean(), plain::is_clean_and_local(wire));
    let text = text(name);
    assert_eq!(text, labels.join(&b'.'));
    assert_eq!(text.len(), name.text_len());
    if name.is_clean() && !labels.is_empty() {
        let again = Name::from_text(&text).expect("what may be shown may be asked for");
        assert_eq!(again.as_wire(), wire);
    }
    check_query(name);
}

/// A question for the name is read as it was asked.
fn check_query(name: &Name) {
    let (id, kind) = (0x1234, RecordType::AAAA);
    let mut packet = [0; MAX_QUERY];
    let query = Query { id, name, kind, unicast_response: true }.encode(&mut packet);
    let message = Message::read(query).expect("a whole header");
    assert_eq!((message.id(), message.is_valid_response(), message.records().count()), (id, false, 0));
    let asked: Vec<_> = message.questions().map(|question| (question.name, question.kind)).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0.as_wire(), asked[0].1), (name.as_wire(), kind));
}

fn check_text(data: &[u8]) {
    if let Ok(name) = Name::from_text(data) {
        check_name(&name);
        assert_eq!(text(&name), data.strip_suffix(b".").unwrap_or(data));
        assert!(!data.iter().any(u8::is_ascii_control));
    }
    if let Ok(name) = NameRange::Local.host_name(data) {
        assert!(policy::is_local(data) && name.is_local());
        assert!(NameRange::Allowed.host_name(data).is_ok());
    }
    if let Ok(name) = NameRange::Allowed.host_name(data) {
        assert!(name.labels().count() >= 2);
    }
}

fn text(name: &Name) -> Vec<u8> {
    let mut text = Vec::new();
    name.write_text(|piece| text.extend_from_slice(piece));
    text
}
