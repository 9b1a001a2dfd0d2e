//! Which packets are believed, before any of their records is looked at. Pure: no socket, no clock.
//!
//! Whoever is on the link can answer as well as the true responder, and no querier can tell (RFC 6762, section 21). What
//! these checks keep out is everyone else.

use std::net::IpAddr;
use std::time::Instant;

use crate::answer::Family;
use crate::interfaces::Interfaces;
use crate::memory;
use crate::socket::{Channel, Datagram, GROUP_V4, GROUP_V6};
use crate::sys::Received;
use crate::wire::{MDNS_PORT, Message, Name, RecordType};

/// A question that was sent, for which unicast answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its id.
    pub(crate) id: u16,
    /// The index of the interface it left by.
    pub(crate) interface: u32,
    /// The family it was sent over.
    pub(crate) over: Family,
    /// The type it asked for.
    pub(crate) kind: RecordType,
    /// When it was sent.
    pub(crate) at: Instant,
}

/// The questions sent so far.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    asked: Vec<Asked>,
    // The name that was looked up, and those that its aliases led to.
    names: Vec<Name>,
    // By interface and family: asked there from the group's sockets, without an id.
    multicast: Vec<(u32, Family)>,
}

impl Outstanding {
    /// Notes a question about `name`; false if there is no memory for it, and so no way to know its answer.
    pub(crate) fn add(&mut self, asked: Asked, name: &Name) -> bool {
        (self.names.contains(name) || memory::push(&mut self.names, name.clone()))
            && memory::push(&mut self.asked, asked)
    }

    /// Notes that a question was sent to which only a multicast answer can come.
    pub(crate) fn expect_multicast(&mut self, interface: u32, over: Family) {
        if !self.multicast.contains(&(interface, over)) {
            memory::push(&mut self.multicast, (interface, over));
        }
    }

    fn find(&self, id: u16, interface: u32, over: Family) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.id == id && asked.interface == interface && asked.over == over)
    }

    fn any_on(&self, interface: u32, over: Family) -> bool {
        self.multicast.contains(&(interface, over))
            || self.asked.iter().any(|asked| asked.interface == interface && asked.over == over)
    }
}

/// Who said something: a host may be known by another address on another interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The address it was sent from.
    pub(crate) ip: IpAddr,
    /// The index of the interface it was heard on.
    pub(crate) interface: u32,
}

/// A packet that is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    /// The message.
    pub(crate) message: Message<'a>,
    /// Who sent it.
    pub(crate) source: Source,
    /// The question whose id it bears, if it came by unicast.
    pub(crate) answers: Option<Asked>,
}

/// The reply in a datagram, if it is to be believed as an answer to one of the questions.
#[inline(never)]
pub(crate) fn believe<'a>(
    datagram: &Datagram,
    octets: &'a [u8],
    outstanding: &Outstanding,
    interfaces: &Interfaces,
) -> Option<Reply<'a>> {
    let Datagram { channel, over, received } = datagram;
    if received.truncated || received.port != MDNS_PORT || Family::of(received.source) != *over {
        return None;
    }
    if !is_from_the_link(received, interfaces) {
        return None;
    }
    let message = Message::read(octets).ok().filter(Message::is_valid_response)?;
    let answers = match channel {
        Channel::Ephemeral => {
            let asked = outstanding.find(message.id(), received.interface, *over)?;
            let to_us = received.destination.is_some_and(|destination| interfaces.is_own(destination));
            if !to_us || !outstanding.names.iter().any(|name| message.asks_only_about(name)) {
                return None;
            }
            Some(*asked)
        }
        // Id and questions of a multicast response are ignored (RFC 6762, sections 6 and 18.1).
        Channel::Group => {
            if !outstanding.any_on(received.interface, *over) || !received.destination.is_some_and(is_group) {
                return None;
            }
            None
        }
    };
    Some(Reply { message, source: Source { ip: received.source, interface: received.interface }, answers })
}

/// True if the sender is on the link (RFC 6762, section 11): by its address, or by a hop limit that no router has lowered.
/// Not all responders send with 255, so that one is never demanded.
fn is_from_the_link(received: &Received, interfaces: &Interfaces) -> bool {
    received.hop_limit == Some(255)
        || interfaces.is_own(received.source)
        || interfaces.is_on_link(received.source, received.interface)
}

fn is_group(destination: IpAddr) -> bool {
    destination == GROUP_V4 || destination == GROUP_V6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces;
    use crate::wire::build::Response;

    const ID: u16 = 0x1234;

    fn name() -> Name {
        Name::from_text(b"printer.local").unwrap()
    }

    fn unicast() -> Datagram {
        Datagram {
            channel: Channel::Ephemeral,
            over: Family::V4,
            received: Received {
                length: 0,
                truncated: false,
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
        Datagram { channel: Channel::Group, received, ..unicast() }
    }

    fn with(base: Datagram, change: impl FnOnce(&mut Received)) -> Datagram {
        let mut datagram = base;
        change(&mut datagram.received);
        datagram
    }

    fn believed(datagram: Datagram, octets: &[u8]) -> bool {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64"), (3, "10.3.0.1/24")]);
        let mut outstanding = Outstanding::default();
        outstanding
            .add(Asked { id: ID, interface: 2, over: Family::V4, kind: RecordType::A, at: Instant::now() }, &name());
        outstanding.add(
            Asked { id: ID + 1, interface: 3, over: Family::V4, kind: RecordType::A, at: Instant::now() },
            &name(),
        );
        outstanding.add(
            Asked { id: ID + 2, interface: 2, over: Family::V6, kind: RecordType::A, at: Instant::now() },
            &name(),
        );
        believe(&datagram, octets, &outstanding, &interfaces).is_some()
    }

    #[test]
    fn packets_by_where_they_come_from() {
        let address = |text: &str| text.parse().unwrap();
        for (what, datagram, expected) in [
            ("a unicast answer", unicast(), true),
            ("a multicast answer", multicast(), true),
            ("truncated by the buffer", with(unicast(), |r| r.truncated = true), false),
            ("from another port", with(unicast(), |r| r.port = 53), false),
            ("multicast from another port", with(multicast(), |r| r.port = 40000), false),
            ("from off the link", with(unicast(), |r| r.source = address("10.9.0.2")), false),
            ("multicast from off the link", with(multicast(), |r| r.source = address("10.9.0.2")), false),
            (
                "off the link by its address, but no router has touched it",
                with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(255))),
                true,
            ),
            ("one router away", with(unicast(), |r| (r.source, r.hop_limit) = (address("10.9.0.2"), Some(254))), false),
            ("hop limit unknown, on the link", with(unicast(), |r| r.hop_limit = None), true),
            ("link-local", with(unicast(), |r| r.source = address("169.254.3.4")), true),
            ("our own address on another interface", with(unicast(), |r| r.source = address("10.3.0.1")), true),
            ("another interface's link", with(unicast(), |r| r.source = address("10.3.0.2")), false),
            ("by another interface", with(unicast(), |r| r.interface = 3), false),
            ("by an interface not asked on", with(multicast(), |r| r.interface = 4), false),
            ("unicast sent to the group", with(unicast(), |r| r.destination = address("224.0.0.251").into()), false),
            ("broadcast", with(unicast(), |r| r.destination = address("255.255.255.255").into()), false),
            ("to another group", with(multicast(), |r| r.destination = address("224.0.0.1").into()), false),
            ("unicast to the group's socket", with(multicast(), |r| r.destination = address("10.0.0.1").into()), false),
            ("destination unknown", with(unicast(), |r| r.destination = None), false),
        ] {
            assert_eq!(believed(datagram, Response::new(ID).octets()), expected, "{what}");
        }
    }

    #[test]
    fn packets_by_their_header_and_questions() {
        let response = Response::new;
        for (what, datagram, response, expected) in [
            ("question echoed", unicast(), response(ID).question("PRINTER.local"), true),
            ("another name's question", unicast(), response(ID).question("scanner.local"), false),
            (
                "another name's question beside ours",
                unicast(),
                response(ID).question("printer.local").question("scanner.local"),
                false,
            ),
            (
                "a question that does not parse, before another name's",
                unicast(),
                response(ID).broken_question().question("scanner.local"),
                false,
            ),
            ("multicast with a question", multicast(), response(0).question("scanner.local"), true),
            ("an id that was not sent", unicast(), response(ID ^ 0x8000), false),
            ("id 0", unicast(), response(0), false),
            ("the id of another interface", unicast(), response(ID + 1), false),
            ("the id of the other family", unicast(), response(ID + 2), false),
            ("multicast with any id", multicast(), response(0x7777), true),
            ("a query", multicast(), response(0).flags(0).question("printer.local"), false),
            ("an error", unicast(), response(ID).flags(0x8403), false),
            ("another opcode", unicast(), response(ID).flags(0xa400), false),
        ] {
            assert_eq!(believed(datagram, response.octets()), expected, "{what}");
        }
        assert!(!believed(unicast(), &[0; 11]), "no whole header");
    }

    #[test]
    fn a_question_from_the_group_expects_multicast_only() {
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24")]);
        let mut outstanding = Outstanding::default();
        let believed = |datagram, outstanding: &Outstanding| {
            believe(&datagram, Response::new(0).octets(), outstanding, &interfaces).is_some()
        };
        assert!(!believed(multicast(), &outstanding));
        outstanding.expect_multicast(2, Family::V4);
        assert!(believed(multicast(), &outstanding));
        assert!(!believed(unicast(), &outstanding));
    }
}
