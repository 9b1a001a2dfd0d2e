//! Parses the packets of real responders in `testdata/`, whose README describes them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use resolver_core::wire::{Message, Name, Record, RecordType};

/// The packets of a responder that answer one of these questions, with their file names. If `responder` is empty: of
/// all responders. If `questions` is empty: to all questions.
fn packets(responder: &str, questions: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut packets = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts = name.split('-');
        let is_of = parts.next().is_some_and(|part| part == responder || responder.is_empty() && part != "kernel");
        if is_of
            && name.ends_with(".bin")
            && parts.next().is_some_and(|part| questions.is_empty() || questions.contains(&part))
        {
            packets.push((name.clone(), fs::read(&path).unwrap()));
        }
    }
    assert!(!packets.is_empty(), "no packets of {responder}");
    packets
}

/// The name that a CNAME or PTR record points to.
fn target(record: &Record<'_>) -> Option<Name> {
    let mut target = Name::root();
    record.read_target(&mut target).then_some(target)
}

/// The addresses of a name in the packets.
fn addresses(packets: &[(String, Vec<u8>)], name: &str) -> Vec<IpAddr> {
    let name = Name::from_text(name.as_bytes()).unwrap();
    let mut found = Vec::new();
    for (_, octets) in packets {
        for record in Message::read(octets).unwrap().records().filter(|record| record.is_internet()) {
            found.extend(record.address().filter(|_| record.is_of(&name)));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_question_and_record_is_parsed() {
    let packets = packets("", &[]);
    assert!(packets.len() > 150, "{}", packets.len());
    for (name, octets) in packets {
        let message = Message::read(&octets).unwrap();
        assert!(message.is_valid_response(), "{name}");
        let count = |at: usize| usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]));
        assert_eq!(message.questions().count(), count(4), "{name}");
        assert_eq!(message.records().count(), count(6) + count(8) + count(10), "{name}");
        for record in message.records() {
            assert!(record.owner().is_some(), "{name}");
            let parsed = [record.address().is_some(), target(&record).is_some(), record.nsec().is_some()];
            let expected = match record.rtype {
                RecordType::A | RecordType::AAAA => [true, false, false],
                RecordType::CNAME | RecordType::PTR => [false, true, false],
                RecordType::NSEC => [false, false, true],
                _ => [false; 3],
            };
            assert_eq!(parsed, expected, "{name}: {record:?}");
        }
    }
}

#[test]
fn every_responder_provides_the_addresses_of_its_host() {
    let v4 = IpAddr::from(Ipv4Addr::new(10, 77, 1, 1));
    for (responder, families) in [
        ("avahi_dual", "46"),
        ("zeroconf_dual", "46"),
        ("resolved", "46"),
        ("mdnsd", "46"),
        ("mdns_sd", "46"),
        ("ciao", "46"),
        ("libmdns", "46"),
        ("bonjour_service", "46"),
        ("zeroconf_ipv4", "4"),
        ("scripted_ipv4_nsec", "4"),
        ("scripted_apple", "46"),
        ("scripted_lwip", "46"),
        ("scripted_esp_idf", "46"),
        ("scripted_esp8266", "46"),
        ("scripted_umdns", "46"),
        ("scripted_android", "46"),
        ("scripted_zephyr", "46"),
        ("scripted_hashicorp", "46"),
        ("scripted_resolved", "46"),
        ("scripted_jmdns", "46"),
    ] {
        let found = addresses(&packets(responder, &["a", "aaaa", "any"]), "printer.local");
        assert!(found.contains(&v4), "{responder}: {found:?}");
        assert_eq!(found.iter().any(IpAddr::is_ipv6), families == "46", "{responder}: {found:?}");
    }
}

#[test]
fn zeroconf_denies_an_ipv6_address_with_an_nsec_record() {
    let packets = packets("zeroconf_ipv4", &["aaaa"]);
    assert!(packets.len() > 1);
    for (name, octets) in packets {
        let message = Message::read(&octets).unwrap();
        let record = message.records().next().unwrap();
        let nsec = record.nsec().unwrap();
        let printer = Name::from_text(b"printer.local").unwrap();
        assert!(nsec.leads_to(&printer) && record.is_of(&printer), "{name}");
        assert!(nsec.has_a && !nsec.has_aaaa, "{name}");
    }
}

#[test]
fn responses_to_reverse_lookups_point_to_the_printer() {
    for responder in ["avahi_dual", "avahi_ipv4", "resolved", "scripted_apple"] {
        for (name, octets) in packets(responder, &["ptr4"]) {
            let message = Message::read(&octets).unwrap();
            let record = message.records().find(|record| record.rtype == RecordType::PTR).unwrap();
            assert_eq!(record.owner(), Some(Name::of_address([10, 77, 1, 1].into())), "{name}");
            let printer = Name::from_text(b"printer.local").unwrap();
            assert_eq!(target(&record), Some(printer), "{name}");
        }
    }
}
