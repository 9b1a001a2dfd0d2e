//! Records what a lookup reports to its observer, each event with the time since the start of the lookup.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use resolver_core::net::socket::SocketKind;
use resolver_core::observer::{Conclusion, Denial, Event, Exclusion, NameSource, Observer, Rejection, Round, Sent};
use resolver_core::wire::{Message, Name, Record, RecordType};
use resolver_core::{Address, Families, Family, LookupError};

use super::story::socket_name;
use crate::text::printable;

/// The events of one lookup.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    events: RefCell<Vec<Recorded>>,
}

/// An event, and when it occurred.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The time since the start of the lookup.
    pub(crate) at: Duration,
    /// What occurred.
    pub(crate) what: What,
}

/// A copy of an [`Event`]. What an event says about the last datagram is a part of [`What::Received`].
#[derive(Clone, Debug)]
pub(crate) enum What {
    Excluded(Exclusion),
    Source(NameSource),
    /// The cache answered. The error, if the answer is one.
    Cached(Option<LookupError>),
    NoInterfaces(LookupError),
    Own,
    OwnAnswer,
    OwnAdded(Family),
    NoSocket {
        kind: SocketKind,
        transport: Family,
        interface: Option<u32>,
        error: String,
    },
    Round(Round),
    Sent(SentQuery),
    Received(Packet),
    DaemonAsked(bool),
    DaemonAddress(Address),
    Missing {
        family: Family,
        conclusion: Option<Conclusion>,
    },
    OwnAddressRemoved(IpAddr),
    LinkLocalRemoved,
}

/// A query that was sent, or could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentQuery {
    pub(crate) name: String,
    pub(crate) rtype: RecordType,
    pub(crate) unicast_response: bool,
    pub(crate) socket: SocketKind,
    pub(crate) interface: u32,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) to: IpAddr,
    pub(crate) error: Option<String>,
}

/// A datagram that was received, and what the lookup did with it.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: Option<IpAddr>,
    pub(crate) interface: u32,
    pub(crate) hop_limit: Option<u8>,
    pub(crate) socket: SocketKind,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) records: Vec<RecordText>,
    pub(crate) uses: Vec<Use>,
}

/// What a lookup took from a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Provided(Families),
    Pointer,
    AnotherHost,
    Alias(String),
    Withdrawn,
    Denied { family: Family, denial: Denial },
}

/// A record of a message, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordText {
    pub(crate) owner: String,
    pub(crate) rtype: String,
    pub(crate) ttl: u32,
    pub(crate) data: String,
}

impl Recorder {
    /// A recorder of a lookup that starts now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), events: RefCell::default() }
    }

    /// The time since the start of the lookup.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// All events.
    pub(crate) fn into_events(self) -> Vec<Recorded> {
        self.events.into_inner()
    }

    fn add(&self, what: What) {
        self.events.borrow_mut().push(Recorded { at: self.elapsed(), what });
    }

    /// Adds what the lookup took from the last datagram.
    fn add_use(&self, taken: Use) {
        let mut events = self.events.borrow_mut();
        let packet = events.iter_mut().rev().find_map(|recorded| match &mut recorded.what {
            What::Received(packet) => Some(packet),
            _ => None,
        });
        if let Some(packet) = packet {
            packet.uses.push(taken);
        }
    }
}

impl Observer for &Recorder {
    fn report(self, event: Event<'_>) {
        self.add(match event {
            Event::Provided(families) => return self.add_use(Use::Provided(families)),
            Event::Pointer => return self.add_use(Use::Pointer),
            Event::AnotherHost => return self.add_use(Use::AnotherHost),
            Event::Alias(target) => return self.add_use(Use::Alias(text_of(target))),
            Event::Withdrawn => return self.add_use(Use::Withdrawn),
            Event::Denied { family, denial } => return self.add_use(Use::Denied { family, denial }),
            Event::Interfaces(Ok(_)) => return,
            Event::Interfaces(Err(error)) => What::NoInterfaces(error),
            Event::Excluded(exclusion) => What::Excluded(exclusion),
            Event::Source(source) => What::Source(source),
            Event::Cached(error) => What::Cached(error),
            Event::Own => What::Own,
            Event::OwnAnswer => What::OwnAnswer,
            Event::OwnAdded(family) => What::OwnAdded(family),
            Event::NoSocket { kind, transport, interface, error } => {
                What::NoSocket { kind, transport, interface, error: error.to_string() }
            }
            Event::Round(round) => What::Round(round),
            Event::Sent(sent) => What::Sent(sent_query(&sent)),
            Event::Received { datagram, octets, rejection } => What::Received(Packet {
                source: datagram.received.source,
                destination: datagram.received.destination,
                interface: datagram.received.interface,
                hop_limit: datagram.received.hop_limit,
                socket: datagram.socket,
                rejection: rejection.map(|rejection| most_telling(rejection, octets)),
                records: records(octets),
                uses: Vec::new(),
            }),
            Event::DaemonAsked(is_asked) => What::DaemonAsked(is_asked),
            Event::DaemonAddress(address) => What::DaemonAddress(address),
            Event::Missing { family, conclusion } => What::Missing { family, conclusion },
            Event::OwnAddressRemoved(ip) => What::OwnAddressRemoved(ip),
            Event::LinkLocalRemoved => What::LinkLocalRemoved,
        });
    }
}

/// Why a datagram was rejected. For a query, that it is one: this machine's own queries come back from the group, with
/// their source port, which is the first thing that is wrong with them.
fn most_telling(rejection: Rejection, octets: &[u8]) -> Rejection {
    if Message::read(octets).is_ok_and(|message| message.is_query()) { Rejection::Query } else { rejection }
}

fn sent_query(sent: &Sent<'_>) -> SentQuery {
    SentQuery {
        name: text_of(sent.query.name),
        rtype: sent.query.rtype,
        unicast_response: sent.query.unicast_response,
        socket: sent.socket,
        interface: sent.interface,
        source: sent.source,
        to: sent.to,
        error: sent.result.as_ref().err().map(|error| sending_error(sent.socket, error)),
    }
}

/// Why a query could not be sent. A socket that is missing has no error of the kernel.
fn sending_error(socket: SocketKind, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOTSOCK) => format!("there is no {}", socket_name(socket)),
        _ => error.to_string(),
    }
}

/// A name as text that a terminal prints as it is.
pub(crate) fn text_of(name: &Name) -> String {
    let mut octets = Vec::new();
    name.write_text(|piece| octets.extend_from_slice(piece));
    printable(&octets)
}

/// The records of a message; none if it is not a message.
fn records(octets: &[u8]) -> Vec<RecordText> {
    let Ok(message) = Message::read(octets) else { return Vec::new() };
    message.records().map(|record| record_text(&record)).collect()
}

fn record_text(record: &Record<'_>) -> RecordText {
    RecordText {
        owner: record.owner().as_ref().map_or_else(|| "a malformed name".into(), text_of),
        rtype: type_name(record.rtype),
        ttl: record.ttl,
        data: data_text(record),
    }
}

/// What a record says, as far as a lookup can use it.
fn data_text(record: &Record<'_>) -> String {
    if let Some(ip) = record.address() {
        return ip.to_string();
    }
    let mut target = Name::root();
    if record.read_target(&mut target) {
        return text_of(&target);
    }
    match record.nsec().map(|nsec| (nsec.has_a, nsec.has_aaaa)) {
        Some((true, true)) => "lists A and AAAA".into(),
        Some((true, false)) => "lists A, not AAAA".into(),
        Some((false, true)) => "lists AAAA, not A".into(),
        Some((false, false)) => "lists neither A nor AAAA".into(),
        None if is_read(record.rtype) => "malformed".into(),
        None => String::new(),
    }
}

/// True for the record types that a lookup reads.
fn is_read(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::CNAME | RecordType::PTR | RecordType::NSEC)
}

/// The mnemonic of a record type, or `TYPE` and its number (RFC 3597, section 5).
pub(crate) fn type_name(rtype: RecordType) -> String {
    match rtype {
        RecordType::A => "A".into(),
        RecordType::AAAA => "AAAA".into(),
        RecordType::CNAME => "CNAME".into(),
        RecordType::PTR => "PTR".into(),
        RecordType::NSEC => "NSEC".into(),
        RecordType::ANY => "ANY".into(),
        RecordType(13) => "HINFO".into(),
        RecordType(16) => "TXT".into(),
        RecordType(33) => "SRV".into(),
        RecordType(number) => format!("TYPE{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_with_what_a_lookup_reads() {
        // printer.local: A 10.0.0.2, then NSEC that lists A, then SRV without data.
        let message = b"\0\0\x84\0\0\0\0\x03\0\0\0\0\
            \x07printer\x05local\0\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x02\
            \xc0\x0c\0\x2f\0\x01\0\0\0\x78\0\x05\xc0\x0c\0\x01\x40\
            \xc0\x0c\0\x21\0\x01\0\0\0\x0a\0\0";
        let shown: Vec<_> = records(message).into_iter().map(|it| (it.owner, it.rtype, it.ttl, it.data)).collect();
        let record =
            |rtype: &str, ttl, data: &str| ("printer.local".to_owned(), rtype.to_owned(), ttl, data.to_owned());
        let expected = [record("A", 120, "10.0.0.2"), record("NSEC", 120, "lists A, not AAAA"), record("SRV", 10, "")];
        assert_eq!(shown, expected);
        assert_eq!(records(b"\0\0"), []);
    }
}
