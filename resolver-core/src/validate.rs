//! Which packets are accepted as responses to our queries, before any of their records is read. No I/O; reads no clock.
//!
//! Any host on the link can answer in place of the real responder, and no querier can detect it (RFC 6762, section 21).
//! These checks reject the packets of all other hosts.

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

/// The response in a datagram, if it is acceptable as a response to one of the queries. The datagram may be longer than
/// the buffer: then the records count that were received whole.
#[inline(never)]
pub(crate) fn validate<'a>(
    datagram: &Datagram,
    octets: &'a [u8],
    pending: &PendingQueries,
    interfaces: &Interfaces,
) -> Option<Response<'a>> {
    let Datagram { socket, transport, received } = datagram;
    if received.port != MDNS_PORT || Family::of(received.source) != *transport {
        return None;
    }
    let message = Message::read(octets).ok().filter(Message::is_valid_response)?;
    let query = match socket {
        SocketKind::Ephemeral => match pending.find(message.id(), *transport) {
            Some((query, name)) => {
                if !is_reply_on_the_link(received, query.interface, interfaces) || !message.asks_only_about(name) {
                    return None;
                }
                Some(*query)
            }
            None => {
                if !is_reply_without_id(&message, received, *transport, pending, interfaces) {
                    return None;
                }
                None
            }
        },
        // A packet that was sent to the group comes from the link, whatever its source address is (RFC 6762, section
        // 11). Its id and its questions are ignored (sections 6 and 18.1).
        SocketKind::MulticastListener => {
            if !pending.any_on(received.interface, *transport) || !received.destination.is_some_and(is_group) {
                return None;
            }
            None
        }
    };
    let interface = query.map_or(received.interface, |query| query.interface);
    Some(Response { message, source: Source { ip: received.source, interface }, query })
}

/// True if a unicast packet was sent to this machine from the link of `interface`, on which a query was sent (RFC 6762,
/// section 11).
///
/// The sender is on the link by its address, or by a hop limit of 255, which no router forwards unchanged. Not all
/// responders send with 255, so it is sufficient but not required.
///
/// Linux accepts packets to any of its addresses on every interface. If two interfaces are on one link, or if one is a
/// macvlan of the other, the packet may have arrived on another interface than the query was sent on. Then the hop limit
/// says nothing about the queried link: the packet must have been sent to an address of the queried interface, from
/// within one of its prefixes. fe80::/10 does not count there, because every link has it.
fn is_reply_on_the_link(received: &Received, interface: u32, interfaces: &Interfaces) -> bool {
    let Some(destination) = received.destination else { return false };
    if received.interface == interface {
        interfaces.is_local(destination)
            && (received.hop_limit == Some(255)
                || interfaces.is_local(received.source)
                || interfaces.is_on_link(received.source, interface))
    } else {
        let is_ambiguous = received.source.is_ipv6() && is_link_local(received.source);
        interfaces.is_local_on(destination, interface)
            && !is_ambiguous
            && interfaces.is_within_prefix(received.source, interface)
    }
}

/// True for a unicast response with the id 0, from a responder that never repeats the id of a query.
///
/// The id of a query is what a host off the link cannot know. Without it, the hop limit must show that no router has
/// forwarded the packet. Accepted only once a query has been repeated: nearly every other responder has answered by then.
fn is_reply_without_id(
    message: &Message<'_>,
    received: &Received,
    transport: Family,
    pending: &PendingQueries,
    interfaces: &Interfaces,
) -> bool {
    message.id() == 0
        && received.hop_limit == Some(255)
        && pending.was_repeated(received.interface, transport)
        && is_reply_on_the_link(received, received.interface, interfaces)
        && pending.names().any(|name| message.asks_only_about(name))
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

    fn accepted(datagram: Datagram, octets: &[u8]) -> bool {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64"), (3, "10.3.0.1/24")]);
        let mut pending = PendingQueries::default();
        pending.add(sent(ID, 2, Family::V4), &name());
        pending.add(sent(ID + 1, 3, Family::V4), &name());
        pending.add(sent(ID + 2, 2, Family::V6), &name());
        validate(&datagram, octets, &pending, &interfaces).is_some()
    }

    #[test]
    fn packets_are_accepted_by_source_and_destination() {
        let address = |text: &str| text.parse().unwrap();
        for (what, datagram, expected) in [
            ("a unicast answer", unicast(), true),
            ("a multicast answer", multicast(), true),
            ("from another port", with(unicast(), |r| r.port = 53), false),
            ("multicast from another port", with(multicast(), |r| r.port = 40000), false),
            ("from off the link", with(unicast(), |r| r.source = address("10.9.0.2")), false),
            ("multicast, whatever its source is", with(multicast(), |r| r.source = address("10.9.0.2")), true),
            (
                "off the link by its address, but not forwarded by a router",
                with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(255))),
                true,
            ),
            ("one router away", with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(254))), false),
            ("hop limit unknown, on the link", with(unicast(), |r| r.hop_limit = None), true),
            ("link-local", with(unicast(), |r| r.source = address("169.254.3.4")), true),
            ("our own address on another interface", with(unicast(), |r| r.source = address("10.3.0.1")), true),
            ("another interface's link", with(unicast(), |r| r.source = address("10.3.0.2")), false),
            ("to an address of another interface", with(unicast(), |r| r.destination = "10.3.0.1".parse().ok()), true),
            ("on another interface than the query", with(unicast(), |r| r.interface = 3), true),
            (
                "the same, from the other link",
                with(unicast(), |r| (r.interface, r.source) = (3, address("10.3.0.2"))),
                false,
            ),
            (
                "the same, from a link-local address",
                with(unicast(), |r| (r.interface, r.source) = (3, address("169.254.3.4"))),
                false,
            ),
            (
                "the same, with a hop limit of 255",
                with(unicast(), |r| (r.interface, r.source, r.hop_limit) = (3, address("10.3.0.2"), Some(255))),
                false,
            ),
            (
                "the same, to the address there",
                with(unicast(), |r| (r.interface, r.destination) = (3, "10.3.0.1".parse().ok())),
                false,
            ),
            ("on an interface that was not queried", with(multicast(), |r| r.interface = 4), false),
            ("unicast sent to the group", with(unicast(), |r| r.destination = address("224.0.0.251").into()), false),
            ("broadcast", with(unicast(), |r| r.destination = address("255.255.255.255").into()), false),
            ("to another group", with(multicast(), |r| r.destination = address("224.0.0.1").into()), false),
            ("unicast to the group's socket", with(multicast(), |r| r.destination = address("10.0.0.1").into()), false),
            ("destination unknown", with(unicast(), |r| r.destination = None), false),
        ] {
            assert_eq!(accepted(datagram, Packet::new(ID).octets()), expected, "{what}");
        }
    }

    #[test]
    fn packets_are_accepted_by_header_and_questions() {
        let response = Packet::new;
        for (what, datagram, response, expected) in [
            ("question echoed", unicast(), response(ID).question("PRINTER.local", types::A), true),
            ("another name's question", unicast(), response(ID).question("scanner.local", types::A), false),
            (
                "another name's question beside ours",
                unicast(),
                response(ID).question("printer.local", types::A).question("scanner.local", types::A),
                false,
            ),
            (
                "a question that does not parse, before another name's",
                unicast(),
                response(ID).broken_question().question("scanner.local", types::A),
                false,
            ),
            ("multicast with a question", multicast(), response(0).question("scanner.local", types::A), true),
            ("an id that was not sent", unicast(), response(ID ^ 0x8000), false),
            ("id 0", unicast(), response(0), false),
            ("the id of another interface", unicast(), response(ID + 1), false),
            ("the id of the other family", unicast(), response(ID + 2), false),
            ("multicast with any id", multicast(), response(0x7777), true),
            ("a query", multicast(), response(0).flags(0).question("printer.local", types::A), false),
            ("an error", unicast(), response(ID).flags(0x8403), false),
            ("another opcode", unicast(), response(ID).flags(0xa400), false),
        ] {
            assert_eq!(accepted(datagram, response.octets()), expected, "{what}");
        }
        assert!(!accepted(unicast(), &[0; 11]), "a truncated header");
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
            let accepted = validate(&datagram, response.octets(), &pending, &interfaces);
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
        assert_eq!(accepted(direct, &Packet::new(0), &pending), None);
        pending.expect_multicast(2, Family::V4);
        assert_eq!(accepted(direct, &Packet::new(0), &pending), None);
        assert!(pending.add(SentQuery { id: ID + 1, unicast_response: true, ..query }, &name()));
        let echo = Packet::new(0).question("printer.local", types::A);
        assert_eq!(accepted(direct, &Packet::new(0), &pending), Some(None));
        assert_eq!(accepted(direct, &echo, &pending), Some(None));
        for (what, datagram, response) in [
            ("another id", direct, Packet::new(7)),
            ("another question", direct, Packet::new(0).question("scanner.local", types::A)),
            ("one router away", with(direct, |r| r.hop_limit = Some(254)), Packet::new(0)),
            ("hop limit unknown", with(direct, |r| r.hop_limit = None), Packet::new(0)),
            ("on another interface", with(direct, |r| r.interface = 3), Packet::new(0)),
            ("to the group", with(direct, |r| r.destination = "224.0.0.251".parse().ok()), Packet::new(0)),
            ("from another port", with(direct, |r| r.port = 53), Packet::new(0)),
        ] {
            assert_eq!(accepted(datagram, &response, &pending), None, "{what}");
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
            let accepted = validate(&unicast(), response.octets(), &pending, &interfaces).is_some();
            assert_eq!(accepted, expected, "{question} with id {id:#x}");
        }
    }

    #[test]
    fn a_query_from_a_listener_expects_multicast_only() {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24")]);
        let mut pending = PendingQueries::default();
        let accepted = |datagram, pending: &PendingQueries| {
            validate(&datagram, Packet::new(0).octets(), pending, &interfaces).is_some()
        };
        assert!(!accepted(multicast(), &pending));
        pending.expect_multicast(2, Family::V4);
        assert!(accepted(multicast(), &pending));
        assert!(!accepted(unicast(), &pending));
    }
}
