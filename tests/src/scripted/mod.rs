//! A multicast DNS responder whose behaviour can be configured: the `responder` program, and the responder of `try_it`.
//!
//! Without options it behaves as RFC 6762 says (sections 6 and 6.7). `--like NAME` selects the shape, which is the
//! behaviour, of a responder that cannot be run on a test machine. Further options change single aspects of the shape.

mod shape;

use self::shape::{Id, Negative, OtherFamily, Shape, Unicast, parse};
pub use self::shape::{PRESETS, USAGE};
use crate::netif::interfaces;
use crate::sockets::{Transport, ephemeral, responder};
use crate::wire::{Data, Message, Question, Record, reverse_name};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use test_packet::{AUTHORITATIVE, IN, MDNS_PORT, RESPONSE, TOP_BIT, types};

/// The `responder` program: prints `ready` when it listens, then answers until it is killed.
///
/// # Errors
/// If an option is invalid, or no socket can be opened.
pub fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let shape = Arc::new(parse(arguments)?);
    let state =
        Arc::new(State { seen: AtomicU32::new(0), seen_a: AtomicU32::new(0), multicast: Mutex::new(Vec::new()) });
    let mut threads = Vec::new();
    for (name, index) in interfaces().map_err(|why| why.to_string())? {
        for transport in Transport::BOTH {
            // This fails if the interface lacks the address family.
            let Ok(socket) = responder(transport, &name, index) else { continue };
            let (shape, state, group) = (Arc::clone(&shape), Arc::clone(&state), transport.group(index));
            threads.push(std::thread::spawn(move || Listener { socket, group, shape, state }.serve()));
        }
    }
    if threads.is_empty() {
        return Err("no interface on which to answer".into());
    }
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// The state that all listeners share.
struct State {
    /// The number of queries for this responder's names.
    seen: AtomicU32,
    /// The number of queries for A.
    seen_a: AtomicU32,
    /// When each name and type was last sent to the group.
    multicast: Mutex<Vec<(String, u16, Instant)>>,
}

struct Listener {
    socket: UdpSocket,
    group: SocketAddr,
    shape: Arc<Shape>,
    state: Arc<State>,
}

impl Listener {
    fn serve(&self) {
        let mut buffer = [0u8; 9000];
        loop {
            // recv_from also reports ICMP errors for earlier responses, which do not matter.
            let Ok((length, source)) = self.socket.recv_from(&mut buffer) else { continue };
            let Some(query) = buffer.get(..length).and_then(Message::parse) else { continue };
            if query.flags & RESPONSE == 0 && !query.questions.is_empty() {
                self.answer(&query, source);
            }
        }
    }

    fn answer(&self, query: &Message, source: SocketAddr) {
        let shape = &self.shape;
        if shape.empty_responses {
            let empty = Message { id: query.id, flags: RESPONSE | AUTHORITATIVE, ..Message::default() };
            self.send(empty.bytes(), source, query);
        }
        if shape.one_question_only && query.questions.len() > 1
            || shape.empty_record_silences && query.has_empty_record
            || !query.questions.iter().any(|question| self.knows(&question.name))
        {
            return;
        }
        if self.state.seen.fetch_add(1, Ordering::Relaxed) < shape.ignored {
            return;
        }
        let asks_for = |rtype| query.questions.iter().any(|question| question.rtype == rtype);
        let transport = Transport::of(source.ip());
        if shape.ignores_any && asks_for(types::ANY)
            || shape.only_over.is_some_and(|only| only != transport)
            || asks_for(types::A) && self.state.seen_a.fetch_add(1, Ordering::Relaxed) < shape.ignored_a
        {
            return;
        }
        let legacy = source.port() != MDNS_PORT;
        let wants_unicast = query.questions.iter().any(|question| question.class & TOP_BIT != 0);
        let unicast = match shape.unicast {
            Unicast::Always => legacy || wants_unicast,
            Unicast::IfRequested => wants_unicast,
            Unicast::Never => false,
        };
        if unicast {
            self.send_unicast(query, source, legacy);
        }
        if !unicast || shape.multicast_too || shape.negative == Negative::MulticastNsec {
            self.send_multicast(query, unicast && !shape.multicast_too);
        }
    }

    /// Sends a unicast response. By RFC 6762, section 6.7, it echoes id and question, and has a low TTL and no
    /// cache-flush bit; the shape may deviate.
    fn send_unicast(&self, query: &Message, source: SocketAddr, legacy: bool) {
        let shape = &self.shape;
        let (ttl, class) = if legacy { (shape.legacy_ttl, IN) } else { (shape.ttl, IN | TOP_BIT) };
        let mut response = self.records(query, ttl, class, false);
        if response.answers.is_empty() && response.additional.is_empty() {
            return;
        }
        let unechoed = shape.two_questions_unechoed && query.questions.len() > 1 || !legacy;
        response.id = match shape.id {
            Id::Echoed if !unechoed => query.id,
            Id::Fresh => query.id.wrapping_add(0x5eed),
            _ => 0,
        };
        if shape.question_echoed && !unechoed {
            response.questions.clone_from(&query.questions);
        }
        self.send(response.bytes(), source, query);
    }

    /// Sends a multicast response. By RFC 6762, section 6, it has id 0, no question, the full TTL and the cache-flush
    /// bit.
    fn send_multicast(&self, query: &Message, negative_only: bool) {
        let mut response = self.records(query, self.shape.ttl, IN | TOP_BIT, true);
        if negative_only {
            response.answers.clear();
            response.additional.retain(|record| matches!(record.data, Data::Nsec { .. }));
        }
        if self.shape.once_a_second {
            response.answers.retain(|record| self.may_multicast(record));
        }
        if !response.answers.is_empty() || !response.additional.is_empty() {
            self.send(response.bytes(), self.group, query);
        }
    }

    /// Whether a record may be sent to the group, that is, was not sent within the last second. Notes that it is sent
    /// now.
    fn may_multicast(&self, record: &Record) -> bool {
        let now = Instant::now();
        let mut sent = self.state.multicast.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|(_, _, when)| now.duration_since(*when) < Duration::from_millis(900));
        let (name, rtype) = (&record.name, record.data.rtype());
        // All addresses of one message count as sent at the same time.
        let is_same_message = |when: &Instant| now.duration_since(*when) < Duration::from_millis(5);
        let previous = sent.iter().find(|(sent_name, sent_rtype, _)| sent_name == name && *sent_rtype == rtype);
        let may_send = previous.is_none_or(|(_, _, when)| is_same_message(when));
        if previous.is_none() {
            sent.push((name.clone(), rtype, now));
        }
        may_send
    }

    /// Sends a packet after the delay of the shape.
    fn send(&self, packet: Vec<u8>, to: SocketAddr, query: &Message) {
        let has_aaaa = query.questions.iter().any(|question| question.rtype == types::AAAA);
        let has_a = query.questions.iter().any(|question| question.rtype == types::A);
        let additional = [
            (has_aaaa, self.shape.delay_aaaa),
            (has_a, self.shape.delay_a),
            (self.group.is_ipv6(), self.shape.delay_v6),
        ];
        let additional: u64 = additional.into_iter().filter(|(applies, _)| *applies).map(|(_, delay)| delay).sum();
        let (min, max) = (self.shape.delay.0 + additional, self.shape.delay.1 + additional);
        let from_ephemeral_port = self.shape.from_ephemeral_port && to != self.group;
        let socket = if from_ephemeral_port { ephemeral(Transport::of(to.ip())) } else { self.socket.try_clone() };
        let Ok(socket) = socket else { return };
        if max == 0 {
            drop(socket.send_to(&packet, to));
            return;
        }
        let delay = min + arbitrary() % (max - min + 1);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(delay));
            drop(socket.send_to(&packet, to));
        });
    }

    fn knows(&self, name: &str) -> bool {
        self.is_own_name(name) || self.alias(name).is_some() || self.reversed(name).is_some()
    }

    fn is_own_name(&self, name: &str) -> bool {
        self.shape.names.iter().any(|own| self.same(own, name))
    }

    fn alias(&self, name: &str) -> Option<&str> {
        let found = self.shape.aliases.iter().find(|(alias, _)| self.same(alias, name));
        found.map(|(_, target)| target.as_str())
    }

    /// The own address whose reverse name this is.
    fn reversed(&self, name: &str) -> Option<IpAddr> {
        let matches = |address: &&IpAddr| reverse_name(**address).eq_ignore_ascii_case(name);
        self.shape.addresses.iter().filter(|_| self.shape.reverse).find(matches).copied()
    }

    fn same(&self, own: &str, queried: &str) -> bool {
        if self.shape.exact_case { own == queried } else { own.eq_ignore_ascii_case(queried) }
    }

    /// The answers and additional records for all questions.
    fn records(&self, query: &Message, ttl: u32, class: u16, multicast: bool) -> Message {
        let mut response = Message { flags: RESPONSE | AUTHORITATIVE, ..Message::default() };
        for question in &query.questions {
            let record = |data| Record { name: question.name.clone(), class, ttl, data };
            if let Some(target) = self.alias(&question.name) {
                response.answers.push(record(Data::Cname(target.into())));
            } else if self.reversed(&question.name).is_some() {
                let names = self.shape.names.iter().take(1);
                response.answers.extend(names.map(|name| record(Data::Ptr(name.clone()))));
            } else if self.is_own_name(&question.name) {
                self.addresses(question, multicast, &record, &mut response);
            }
        }
        response
    }

    /// Adds the records for a question about an own name to a response.
    fn addresses(&self, question: &Question, multicast: bool, record: &dyn Fn(Data) -> Record, to: &mut Message) {
        let shape = &self.shape;
        let is_v6 = self.group.is_ipv6();
        let sendable = |address: &&IpAddr| !shape.family_by_transport || address.is_ipv6() == is_v6;
        let rtype = |address: &IpAddr| if address.is_ipv6() { types::AAAA } else { types::A };
        let is_queried = |address: &IpAddr| question.rtype == types::ANY || question.rtype == rtype(address);
        let all = || shape.addresses.iter().filter(sendable).copied();
        let answers = all().filter(is_queried).map(Data::Address).map(record);
        let before = to.answers.len();
        to.answers.extend(answers);
        let found = to.answers.len() > before;
        let others = || all().filter(|address| !is_queried(address)).map(Data::Address).map(record);
        match shape.other_family {
            OtherFamily::Answer => to.answers.extend(others()),
            OtherFamily::Additional if found => to.additional.extend(others()),
            _ => {}
        }
        let is_negative = !found && matches!(question.rtype, types::A | types::AAAA);
        if is_negative || shape.negative == Negative::AlwaysNsec {
            to.additional.extend(self.negative(question.rtype, multicast).map(record));
        }
    }

    /// The negative response for a type that the name lacks.
    fn negative(&self, queried: u16, multicast: bool) -> Option<Data> {
        let is_v6 = self.group.is_ipv6();
        let has = |of_v6: bool| {
            let is_sent = !self.shape.family_by_transport || of_v6 == is_v6;
            is_sent && self.shape.addresses.iter().any(|address| address.is_ipv6() == of_v6)
        };
        let mut present = vec![];
        present.extend(has(false).then_some(types::A));
        present.extend(has(true).then_some(types::AAAA));
        match self.shape.negative {
            Negative::Nsec | Negative::AlwaysNsec => Some(Data::Nsec { compressed: false, types: present }),
            Negative::CompressedNsec => Some(Data::Nsec { compressed: true, types: present }),
            Negative::InvertedNsec => Some(Data::Nsec { compressed: false, types: vec![queried] }),
            Negative::MulticastNsec if multicast => Some(Data::Nsec { compressed: true, types: present }),
            Negative::MulticastNsec | Negative::Silence => None,
        }
    }
}

/// A number from the clock, which varies enough for a random delay.
fn arbitrary() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) / 1000)
}
