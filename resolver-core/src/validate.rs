//! Which packets are accepted as responses to our queries, before any of their records is read. No I/O; reads no clock.
//!
//! Any host on the link can answer in place of the real responder, and no querier can detect it (RFC 6762, section 21).
//! These checks reject the packets of all other hosts.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use crate::address::{Family, is_link_local};
use crate::net::interfaces::Interfaces;
use crate::net::socket::{Datagram, Received, SocketKind};
use crate::try_alloc;
use crate::wire::{GROUP_V4, GROUP_V6, MDNS_PORT, Message, Name, RecordType};

/// A query that was sent from an ephemeral port: unicast responses to it are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentQuery {
    /// Its message id.
    pub(crate) id: u16,
    /// The index of the interface that it was sent on.
    pub(crate) interface: u32,
    /// The address family over which it was sent.
    pub(crate) transport: Family,
    /// The record type that it asked for.
    pub(crate) rtype: RecordType,
    /// It asked for a unicast response (RFC 6762, section 5.4).
    pub(crate) unicast_response: bool,
    /// When it was sent.
    pub(crate) at: Instant,
}

/// The queries that a lookup has sent so far.
#[derive(Debug, Default)]
pub(crate) struct PendingQueries {
    // Queries from ephemeral ports. Each has the index, in `names`, of the name that it asked for.
    queries: Vec<(SentQuery, usize)>,
    // The name that was looked up, and those that aliases led to.
    names: Vec<Name>,
    // The interface and transport of queries from a multicast listener. No id is kept: responses to them do not repeat
    // it.
    multicast: Vec<(u32, Family)>,
}

impl PendingQueries {
    /// Records a query for `name`. False if there is no memory for it: its response could not be recognised.
    pub(crate) fn add(&mut self, query: SentQuery, name: &Name) -> bool {
        let index = self.names.iter().position(|known| known == name).unwrap_or(self.names.len());
        (index < self.names.len() || try_alloc::push(&mut self.names, name.clone()))
            && try_alloc::push(&mut self.queries, (query, index))
    }

    /// True if a query with this id has been sent.
    pub(crate) fn has_id(&self, id: u16) -> bool {
        self.queries.iter().any(|(query, _)| query.id == id)
    }

    /// Records that a query was sent from a multicast listener. Only multicast responses to it are accepted.
    pub(crate) fn expect_multicast(&mut self, interface: u32, transport: Family) {
        if !self.multicast.contains(&(interface, transport)) {
            try_alloc::push(&mut self.multicast, (interface, transport));
        }
    }

    /// The query with this id, if it was sent over this transport, and the name that it asked for.
    fn find(&self, id: u16, transport: Family) -> Option<(&SentQuery, &Name)> {
        let is_it = |query: &SentQuery| query.id == id && query.transport == transport;
        let (query, index) = self.queries.iter().find(|(query, _)| is_it(query))?;
        Some((query, self.names.get(*index)?))
    }

    /// True if any query was sent on this interface over this transport.
    fn any_on(&self, interface: u32, transport: Family) -> bool {
        self.multicast.contains(&(interface, transport)) || self.on(interface, transport).next().is_some()
    }

    /// True if a query on this interface over this transport asked for a unicast response, as only repeats do.
    fn was_repeated(&self, interface: u32, transport: Family) -> bool {
        self.on(interface, transport).any(|query| query.unicast_response)
    }

    /// The queries from ephemeral ports on this interface over this transport.
    fn on(&self, interface: u32, transport: Family) -> impl Iterator<Item = &SentQuery> {
        let queries = self.queries.iter().map(|(query, _)| query);
        queries.filter(move |query| query.interface == interface && query.transport == transport)
    }

    /// The names that queries have asked for.
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.iter()
    }
}

/// Who sent a response. One host may be known by different addresses on different interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The address that it was sent from.
    pub(crate) ip: IpAddr,
    /// The index of the interface on whose link the sender is: the one that was queried. The response may have arrived
    /// on another one of this machine.
    pub(crate) interface: u32,
}

/// An accepted packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response<'a> {
    /// The message.
    pub(crate) message: Message<'a>,
    /// Who sent it.
    pub(crate) source: Source,
    /// The query that it answers. None for a multicast response and for a unicast response with the id 0, which do not
    /// identify a query.
    pub(crate) query: Option<SentQuery>,
}

/// Why a datagram is not accepted as a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its source port is not 5353 (RFC 6762, section 6).
    Port(u16),
    /// Its source address is not of the socket's family.
    OtherFamily,
    /// It is shorter than the header of a message.
    Truncated,
    /// It is a query.
    Query,
    /// Its opcode is not 0 (RFC 6762, section 18.3).
    Opcode,
    /// Its response code is not 0 (RFC 6762, section 18.11).
    ResponseCode,
    /// Its id is that of no query that was sent over this transport.
    UnknownId,
    /// Its id is 0, and no query has been repeated yet.
    NoIdTooEarly,
    /// Its id is 0, and its hop limit does not show that no router has forwarded it.
    NoIdHopLimit,
    /// It was not sent to an address of this machine, or not to one of the interface on which the query was sent.
    NotSentHere,
    /// Its source is not on the link on which the query was sent.
    OffLink,
    /// It repeats a question about another name.
    OtherQuestion,
    /// It arrived on an interface, over a transport, on which no query was sent.
    NotQueried,
    /// It arrived at a multicast listener, but was not sent to the group.
    NotToGroup,
}

impl fmt::Display for Rejection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Port(port) => return write!(out, "it was sent from UDP port {port}, but responses come from 5353"),
            Self::OtherFamily => "its source address is not of the family of the socket",
            Self::Truncated => "it is too short for a message",
            Self::Query => "it is a query",
            Self::Opcode => "its opcode is not 0",
            Self::ResponseCode => "its response code is not 0",
            Self::UnknownId => "its id is not that of a query of this lookup",
            Self::NoIdTooEarly => "its id is 0, which is accepted only after the queries have been repeated",
            Self::NoIdHopLimit => "its id is 0 and its hop limit is not 255, so it may come from beyond a router",
            Self::NotSentHere => "it was not sent to an address of the queried interface",
            Self::OffLink => "its source is in no prefix of the queried interface, and its hop limit is not 255",
            Self::OtherQuestion => "it repeats a question about another name",
            Self::NotQueried => "nothing was asked on that interface",
            Self::NotToGroup => "it was not sent to the multicast group",
        })
    }
}

/// The response in a datagram, if it is acceptable as a response to one of the queries. The datagram may be longer than
/// the buffer: then the records count that were received whole.
///
/// # Errors
/// Why it is not acceptable.
#[inline(never)]
pub(crate) fn validate<'a>(
    datagram: &Datagram,
    octets: &'a [u8],
    pending: &PendingQueries,
    interfaces: &Interfaces,
) -> Result<Response<'a>, Rejection> {
    let Datagram { socket, transport, received } = datagram;
    if received.port != MDNS_PORT {
        return Err(Rejection::Port(received.port));
    }
    if Family::of(received.source) != *transport {
        return Err(Rejection::OtherFamily);
    }
    let message = Message::read(octets).map_err(|_| Rejection::Truncated)?;
    if !message.is_valid_response() {
        return Err(why_not_response(&message));
    }
    let query = match socket {
        SocketKind::Ephemeral => match pending.find(message.id(), *transport) {
            Some((query, name)) => {
                check_path(received, query.interface, interfaces)?;
                if !message.asks_only_about(name) {
                    return Err(Rejection::OtherQuestion);
                }
                Some(*query)
            }
            None => {
                check_without_id(&message, received, *transport, pending, interfaces)?;
                None
            }
        },
        // A packet that was sent to the group comes from the link, whatever its source address is (RFC 6762, section
        // 11). Its id and its questions are ignored (sections 6 and 18.1).
        SocketKind::MulticastListener => {
            if !pending.any_on(received.interface, *transport) {
                return Err(Rejection::NotQueried);
            }
            if !received.destination.is_some_and(is_group) {
                return Err(Rejection::NotToGroup);
            }
            None
        }
    };
    let interface = query.map_or(received.interface, |query| query.interface);
    Ok(Response { message, source: Source { ip: received.source, interface }, query })
}

/// Why a message is no valid response.
fn why_not_response(message: &Message<'_>) -> Rejection {
    if message.is_query() {
        Rejection::Query
    } else if message.has_opcode() {
        Rejection::Opcode
    } else {
        Rejection::ResponseCode
    }
}

/// Checks that a unicast packet was sent to this machine from the link of `interface`, on which a query was sent (RFC
/// 6762, section 11).
///
/// The sender is on the link by its address, or by a hop limit of 255, which no router forwards unchanged. Not all
/// responders send with 255, so it is sufficient but not required.
///
/// Linux accepts packets to any of its addresses on every interface. If two interfaces are on one link, or if one is a
/// macvlan of the other, the packet may have arrived on another interface than the query was sent on. Then the hop limit
/// says nothing about the queried link: the packet must have been sent to an address of the queried interface, from
/// within one of its prefixes. fe80::/10 does not count there, because every link has it.
///
/// # Errors
/// What is wrong with its destination or its source.
fn check_path(received: &Received, interface: u32, interfaces: &Interfaces) -> Result<(), Rejection> {
    let Some(destination) = received.destination else { return Err(Rejection::NotSentHere) };
    let (is_sent_here, is_on_link) = if received.interface == interface {
        (
            interfaces.is_local(destination),
            received.hop_limit == Some(255)
                || interfaces.is_local(received.source)
                || interfaces.is_on_link(received.source, interface),
        )
    } else {
        let is_ambiguous = received.source.is_ipv6() && is_link_local(received.source);
        (
            interfaces.is_local_on(destination, interface),
            !is_ambiguous && interfaces.is_within_prefix(received.source, interface),
        )
    };
    match (is_sent_here, is_on_link) {
        (true, true) => Ok(()),
        (true, false) => Err(Rejection::OffLink),
        (false, _) => Err(Rejection::NotSentHere),
    }
}

/// Checks a unicast response whose id is that of no query: it must have the id 0, from a responder that never repeats
/// the id of a query.
///
/// The id of a query is what a host off the link cannot know. Without it, the hop limit must show that no router has
/// forwarded the packet. Accepted only once a query has been repeated: nearly every other responder has answered by then.
///
/// # Errors
/// Why it is not accepted.
fn check_without_id(
    message: &Message<'_>,
    received: &Received,
    transport: Family,
    pending: &PendingQueries,
    interfaces: &Interfaces,
) -> Result<(), Rejection> {
    if message.id() != 0 {
        return Err(Rejection::UnknownId);
    }
    if received.hop_limit != Some(255) {
        return Err(Rejection::NoIdHopLimit);
    }
    if !pending.was_repeated(received.interface, transport) {
        return Err(Rejection::NoIdTooEarly);
    }
    check_path(received, received.interface, interfaces)?;
    if pending.names().any(|name| message.asks_only_about(name)) { Ok(()) } else { Err(Rejection::OtherQuestion) }
}

fn is_group(destination: IpAddr) -> bool {
    destination == GROUP_V4 || destination == GROUP_V6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces;
    use test_packet::{Packet, types};

    const ID: u16 = 0x1234;

    fn name() -> Name {
        Name::from_text(b"printer.local").unwrap()
    }

    fn unicast() -> Datagram {
        Datagram {
            socket: SocketKind::Ephemeral,
            transport: Family::V4,
            received: Received {
                length: 0,
                source: "10.0.0.2".parse().unwrap(),
                port: 5353,
                destination: "10.0.0.1".parse().ok(),
                interface: 2,
                hop_limit: Some(64),
            },
        }
    }

    fn multicast() -> Datagram {
        let received = Received { destination: "224.0.0.251".parse().ok(), ..unicast().received };
        Datagram { socket: SocketKind::MulticastListener, received, ..unicast() }
    }

    fn with(base: Datagram, change: impl FnOnce(&mut Received)) -> Datagram {
        let mut datagram = base;
        change(&mut datagram.received);
        datagram
    }

    /// A query for A that was sent just now.
    fn sent(id: u16, interface: u32, transport: Family) -> SentQuery {
        SentQuery { id, interface, transport, rtype: RecordType::A, unicast_response: false, at: Instant::now() }
    }

    fn accepted(datagram: Datagram, octets: &[u8]) -> Result<(), Rejection> {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64"), (3, "10.3.0.1/24")]);
        let mut pending = PendingQueries::default();
        pending.add(sent(ID, 2, Family::V4), &name());
        pending.add(sent(ID + 1, 3, Family::V4), &name());
        pending.add(sent(ID + 2, 2, Family::V6), &name());
        validate(&datagram, octets, &pending, &interfaces).map(|_| ())
    }

    #[test]
    fn packets_are_accepted_by_source_and_destination() {
        let address = |text: &str| text.parse().unwrap();
        for (what, datagram, expected) in [
            ("a unicast answer", unicast(), Ok(())),
            ("a multicast answer", multicast(), Ok(())),
            ("from another port", with(unicast(), |r| r.port = 53), Err(Rejection::Port(53))),
            ("multicast from another port", with(multicast(), |r| r.port = 40000), Err(Rejection::Port(40000))),
            ("from off the link", with(unicast(), |r| r.source = address("10.9.0.2")), Err(Rejection::OffLink)),
            ("multicast, whatever its source is", with(multicast(), |r| r.source = address("10.9.0.2")), Ok(())),
            (
                "off the link by its address, but not forwarded by a router",
                with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(255))),
                Ok(()),
            ),
            (
                "one router away",
                with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(254))),
                Err(Rejection::OffLink),
            ),
            ("hop limit unknown, on the link", with(unicast(), |r| r.hop_limit = None), Ok(())),
            ("link-local", with(unicast(), |r| r.source = address("169.254.3.4")), Ok(())),
            ("our own address on another interface", with(unicast(), |r| r.source = address("10.3.0.1")), Ok(())),
            ("another interface's link", with(unicast(), |r| r.source = address("10.3.0.2")), Err(Rejection::OffLink)),
            (
                "to an address of another interface",
                with(unicast(), |r| r.destination = "10.3.0.1".parse().ok()),
                Ok(()),
            ),
            ("on another interface than the query", with(unicast(), |r| r.interface = 3), Ok(())),
            (
                "the same, from the other link",
                with(unicast(), |r| (r.interface, r.source) = (3, address("10.3.0.2"))),
                Err(Rejection::OffLink),
            ),
            (
                "the same, from a link-local address",
                with(unicast(), |r| (r.interface, r.source) = (3, address("169.254.3.4"))),
                Err(Rejection::OffLink),
            ),
            (
                "the same, with a hop limit of 255",
                with(unicast(), |r| (r.interface, r.source, r.hop_limit) = (3, address("10.3.0.2"), Some(255))),
                Err(Rejection::OffLink),
            ),
            (
                "the same, to the address there",
                with(unicast(), |r| (r.interface, r.destination) = (3, "10.3.0.1".parse().ok())),
                Err(Rejection::NotSentHere),
            ),
            (
                "on an interface that was not queried",
                with(multicast(), |r| r.interface = 4),
                Err(Rejection::NotQueried),
            ),
            (
                "unicast sent to the group",
                with(unicast(), |r| r.destination = address("224.0.0.251").into()),
                Err(Rejection::NotSentHere),
            ),
            (
                "broadcast",
                with(unicast(), |r| r.destination = address("255.255.255.255").into()),
                Err(Rejection::NotSentHere),
            ),
            (
                "to another group",
                with(multicast(), |r| r.destination = address("224.0.0.1").into()),
                Err(Rejection::NotToGroup),
            ),
            (
                "unicast to the group's socket",
                with(multicast(), |r| r.destination = address("10.0.0.1").into()),
                Err(Rejection::NotToGroup),
            ),
            ("destination unknown", with(unicast(), |r| r.destination = None), Err(Rejection::NotSentHere)),
        ] {
            assert_eq!(accepted(datagram, Packet::new(ID).octets()), expected, "{what}");
        }
    }

    #[test]
    fn packets_are_accepted_by_header_and_questions() {
        let response = Packet::new;
        for (what, datagram, response, expected) in [
            ("question echoed", unicast(), response(ID).question("PRINTER.local", types::A), Ok(())),
            (
                "another name's question",
                unicast(),
                response(ID).question("scanner.local", types::A),
                Err(Rejection::OtherQuestion),
            ),
            (
                "another name's question beside ours",
                unicast(),
                response(ID).question("printer.local", types::A).question("scanner.local", types::A),
                Err(Rejection::OtherQuestion),
            ),
            (
                "a question that does not parse, before another name's",
                unicast(),
                response(ID).broken_question().question("scanner.local", types::A),
                Err(Rejection::OtherQuestion),
            ),
            ("multicast with a question", multicast(), response(0).question("scanner.local", types::A), Ok(())),
            ("an id that was not sent", unicast(), response(ID ^ 0x8000), Err(Rejection::UnknownId)),
            ("id 0", unicast(), response(0), Err(Rejection::NoIdHopLimit)),
            ("the id of another interface", unicast(), response(ID + 1), Err(Rejection::NotSentHere)),
            ("the id of the other family", unicast(), response(ID + 2), Err(Rejection::UnknownId)),
            ("multicast with any id", multicast(), response(0x7777), Ok(())),
            ("a query", multicast(), response(0).flags(0).question("printer.local", types::A), Err(Rejection::Query)),
            ("an error", unicast(), response(ID).flags(0x8403), Err(Rejection::ResponseCode)),
            ("another opcode", unicast(), response(ID).flags(0xa400), Err(Rejection::Opcode)),
        ] {
            assert_eq!(accepted(datagram, response.octets()), expected, "{what}");
        }
        assert_eq!(accepted(unicast(), &[0; 11]), Err(Rejection::Truncated), "a truncated header");
        let mapped = with(unicast(), |r| r.source = "::ffff:10.0.0.2".parse().unwrap());
        assert_eq!(accepted(mapped, response(ID).octets()), Err(Rejection::OtherFamily));
    }

    #[test]
    fn a_response_on_another_interface_belongs_to_the_queried_one() {
        let interfaces = interfaces::tests::with(&[(2, "fd00::1/64"), (2, "fe80::1/64"), (3, "fe80::3/64")]);
        let mut pending = PendingQueries::default();
        let query = SentQuery { rtype: RecordType::AAAA, ..sent(ID, 2, Family::V6) };
        assert!(pending.add(query, &name()));
        let response = Packet::new(ID);
        let mut datagram = Datagram { transport: Family::V6, ..unicast() };
        datagram.received.destination = "fd00::1".parse().ok();
        for (source, interface, expected) in
            [("fd00::2", 2, true), ("fd00::2", 3, true), ("fe80::2", 2, true), ("fe80::2", 3, false)]
        {
            datagram.received = Received { source: source.parse().unwrap(), interface, ..datagram.received };
            let accepted = validate(&datagram, response.octets(), &pending, &interfaces).ok();
            assert_eq!(
                accepted.map(|accepted| accepted.source.interface),
                expected.then_some(2),
                "{source} {interface}"
            );
        }
    }

    #[test]
    fn a_response_without_an_id_is_accepted_after_a_repeat_if_no_router_can_have_forwarded_it() {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (3, "10.3.0.1/24")]);
        let mut pending = PendingQueries::default();
        let query = sent(ID, 2, Family::V4);
        assert!(pending.add(query, &name()));
        let direct = with(unicast(), |r| r.hop_limit = Some(255));
        let accepted = |datagram: Datagram, response: &Packet, pending: &PendingQueries| {
            validate(&datagram, response.octets(), pending, &interfaces).map(|response| response.query)
        };
        assert_eq!(accepted(direct, &Packet::new(0), &pending), Err(Rejection::NoIdTooEarly));
        pending.expect_multicast(2, Family::V4);
        assert_eq!(accepted(direct, &Packet::new(0), &pending), Err(Rejection::NoIdTooEarly));
        assert!(pending.add(SentQuery { id: ID + 1, unicast_response: true, ..query }, &name()));
        let echo = Packet::new(0).question("printer.local", types::A);
        assert_eq!(accepted(direct, &Packet::new(0), &pending), Ok(None));
        assert_eq!(accepted(direct, &echo, &pending), Ok(None));
        for (what, datagram, response, expected) in [
            ("another id", direct, Packet::new(7), Rejection::UnknownId),
            ("another question", direct, Packet::new(0).question("scanner.local", types::A), Rejection::OtherQuestion),
            ("one router away", with(direct, |r| r.hop_limit = Some(254)), Packet::new(0), Rejection::NoIdHopLimit),
            ("hop limit unknown", with(direct, |r| r.hop_limit = None), Packet::new(0), Rejection::NoIdHopLimit),
            ("on another interface", with(direct, |r| r.interface = 3), Packet::new(0), Rejection::NoIdTooEarly),
            (
                "to the group",
                with(direct, |r| r.destination = "224.0.0.251".parse().ok()),
                Packet::new(0),
                Rejection::NotSentHere,
            ),
            ("from another port", with(direct, |r| r.port = 53), Packet::new(0), Rejection::Port(53)),
        ] {
            assert_eq!(accepted(datagram, &response, &pending), Err(expected), "{what}");
        }
    }

    #[test]
    fn an_echoed_question_must_be_that_of_its_own_query() {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24")]);
        let mut pending = PendingQueries::default();
        let target = Name::from_text(b"host.local").unwrap();
        for (id, name) in [(ID, &name()), (ID + 1, &target), (ID + 2, &name())] {
            let query = SentQuery {
                id,
                interface: 2,
                transport: Family::V4,
                rtype: RecordType::A,
                unicast_response: false,
                at: Instant::now(),
            };
            assert!(pending.add(query, name));
        }
        for (id, question, expected) in [
            (ID, "printer.local", true),
            (ID, "host.local", false),
            (ID + 1, "host.local", true),
            (ID + 1, "printer.local", false),
            (ID + 2, "printer.local", true),
            (ID + 2, "host.local", false),
        ] {
            let response = Packet::new(id).question(question, types::A);
            let accepted = validate(&unicast(), response.octets(), &pending, &interfaces).is_ok();
            assert_eq!(accepted, expected, "{question} with id {id:#x}");
        }
    }

    #[test]
    fn a_query_from_a_listener_expects_multicast_only() {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24")]);
        let mut pending = PendingQueries::default();
        let accepted = |datagram, pending: &PendingQueries| {
            validate(&datagram, Packet::new(0).octets(), pending, &interfaces).is_ok()
        };
        assert!(!accepted(multicast(), &pending));
        pending.expect_multicast(2, Family::V4);
        assert!(accepted(multicast(), &pending));
        assert!(!accepted(unicast(), &pending));
    }
}
