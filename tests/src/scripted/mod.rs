//! A multicast DNS responder with a settable shape: the `responder` program, and `try_it`'s responder.
//!
//! Without options it is a well-behaved one (RFC 6762 sections 6 and 6.7). With `--like NAME` it takes the
//! shape of a responder that cannot be had on a test machine; single options change a shape further.

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

/// The `responder` program: says `ready` when it listens, then answers until it is killed.
///
/// # Errors
/// What is wrong with the options, or which socket cannot be had.
pub fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let shape = Arc::new(parse(arguments)?);
    let state = Arc::new(State { seen: AtomicU32::new(0), multicast: Mutex::new(Vec::new()) });
    let mut threads = Vec::new();
    for (name, index) in interfaces().map_err(|why| why.to_string())? {
        for transport in Transport::BOTH {
            // An interface without one of the families has no socket for it.
            let Ok(socket) = responder(transport, &name, index) else { continue };
            let (shape, state, group) = (Arc::clone(&shape), Arc::clone(&state), transport.group(index));
            threads.push(std::thread::spawn(move || Listener { socket, group, shape, state }.serve()));
        }
    }
    if threads.is_empty() {
        return Err("no interface to answer on".into());
    }
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// What all listeners share.
struct State {
    /// Queries for names of ours.
    seen: AtomicU32,
    /// When a name and type was last sent to the group.
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
            // An ICMP error of an earlier answer shows up here; the next packet is as good as ever.
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
        let legacy = source.port() != MDNS_PORT;
        let wants_unicast = query.questions.iter().any(|question| question.class & TOP_BIT != 0);
        let unicast = match shape.unicast {
            Unicast::Always => legacy || wants_unicast,
            Unicast::IfAsked => wants_unicast,
            Unicast::Never => false,
        };
        if unicast {
            self.send_unicast(query, source, legacy);
        }
        if !unicast || shape.multicast_too || shape.negative == Negative::MulticastNsec {
            self.send_multicast(query, unicast && !shape.multicast_too);
        }
    }

    /// Section 6.7: id and question echoed, low TTL, no cache-flush bit; or what the shape does instead.
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

    /// Section 6: id 0, no question, full TTL, cache-flush bit.
    fn send_multicast(&self, query: &Message, negative_only: bool) {
        let mut response = self.records(query, self.shape.ttl, IN | TOP_BIT, true);
        if negative_only {
            response.answers.clear();
            response.additional.retain(|record| matches!(record.data, Data::Types(..)));
        }
        if self.shape.once_a_second {
            response.answers.retain(|record| self.not_within_a_second(record));
        }
        if !response.answers.is_empty() || !response.additional.is_empty() {
            self.send(response.bytes(), self.group, query);
        }
    }

    /// Notes that a record goes to the group now, if it has not done so within the last second.
    fn not_within_a_second(&self, record: &Record) -> bool {
        let now = Instant::now();
        let mut sent = self.state.multicast.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|(_, _, when)| now.duration_since(*when) < Duration::from_millis(900));
        let (name, rtype) = (&record.name, record.data.rtype());
        // All addresses of one message are recorded as one moment.
        let fresh = |when: &Instant| now.duration_since(*when) < Duration::from_millis(5);
        let known = sent.iter().find(|(known, of, _)| known == name && *of == rtype);
        let go = known.is_none_or(|(_, _, when)| fresh(when));
        if known.is_none() {
            sent.push((name.clone(), rtype, now));
        }
        go
    }

    /// Sends now or, as the shape has it, later.
    fn send(&self, packet: Vec<u8>, to: SocketAddr, query: &Message) {
        let asks_aaaa = query.questions.iter().any(|question| question.rtype == types::AAAA);
        let later = if asks_aaaa { self.shape.delay_aaaa } else { 0 };
        let (least, most) = (self.shape.delay.0 + later, self.shape.delay.1 + later);
        let from_ephemeral_port = self.shape.from_ephemeral_port && to != self.group;
        let socket = if from_ephemeral_port { ephemeral(Transport::of(to.ip())) } else { self.socket.try_clone() };
        let Ok(socket) = socket else { return };
        if most == 0 {
            drop(socket.send_to(&packet, to));
            return;
        }
        let delay = least + arbitrary() % (most - least + 1);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(delay));
            drop(socket.send_to(&packet, to));
        });
    }

    fn knows(&self, name: &str) -> bool {
        self.is_ours(name) || self.alias(name).is_some() || self.reversed(name).is_some()
    }

    fn is_ours(&self, name: &str) -> bool {
        self.shape.names.iter().any(|own| self.same(own, name))
    }

    fn alias(&self, name: &str) -> Option<&str> {
        let found = self.shape.aliases.iter().find(|(alias, _)| self.same(alias, name));
        found.map(|(_, target)| target.as_str())
    }

    /// The address of ours that is asked for in reverse by this name.
    fn reversed(&self, name: &str) -> Option<IpAddr> {
        let asked = |address: &&IpAddr| reverse_name(**address).eq_ignore_ascii_case(name);
        self.shape.addresses.iter().filter(|_| self.shape.reverse).find(asked).copied()
    }

    fn same(&self, own: &str, asked: &str) -> bool {
        if self.shape.exact_case { own == asked } else { own.eq_ignore_ascii_case(asked) }
    }

    /// Answers and additional records for every question.
    fn records(&self, query: &Message, ttl: u32, class: u16, multicast: bool) -> Message {
        let mut response = Message { flags: RESPONSE | AUTHORITATIVE, ..Message::default() };
        for question in &query.questions {
            let record = |data| Record { name: question.name.clone(), class, ttl, data };
            if let Some(target) = self.alias(&question.name) {
                response.answers.push(record(Data::Alias(target.into())));
            } else if self.reversed(&question.name).is_some() {
                let names = self.shape.names.iter().take(1);
                response.answers.extend(names.map(|name| record(Data::Pointer(name.clone()))));
            } else if self.is_ours(&question.name) {
                self.addresses(question, multicast, &record, &mut response);
            }
        }
        response
    }

    /// What there is to say to a question about a name of ours.
    fn addresses(&self, asked: &Question, multicast: bool, record: &dyn Fn(Data) -> Record, to: &mut Message) {
        let shape = &self.shape;
        let over_v6 = self.group.is_ipv6();
        let sendable = |address: &&IpAddr| !shape.family_by_transport || address.is_ipv6() == over_v6;
        let rtype = |address: &IpAddr| if address.is_ipv6() { types::AAAA } else { types::A };
        let is_asked = |address: &IpAddr| asked.rtype == types::ANY || asked.rtype == rtype(address);
        let all = || shape.addresses.iter().filter(sendable).copied();
        let answers = all().filter(is_asked).map(Data::Address).map(record);
        let before = to.answers.len();
        to.answers.extend(answers);
        let found = to.answers.len() > before;
        let others = || all().filter(|address| !is_asked(address)).map(Data::Address).map(record);
        match shape.other_family {
            OtherFamily::Answer => to.answers.extend(others()),
            OtherFamily::Additional if found => to.additional.extend(others()),
            _ => {}
        }
        if !found && matches!(asked.rtype, types::A | types::AAAA) {
            to.additional.extend(self.negative(asked.rtype, multicast).map(record));
        }
    }

    /// What is said about a type that the name has not got.
    fn negative(&self, asked: u16, multicast: bool) -> Option<Data> {
        let mut present = vec![];
        present.extend(self.shape.addresses.iter().any(IpAddr::is_ipv4).then_some(types::A));
        present.extend(self.shape.addresses.iter().any(IpAddr::is_ipv6).then_some(types::AAAA));
        match self.shape.negative {
            Negative::Nsec => Some(Data::Types(false, present)),
            Negative::CompressedNsec => Some(Data::Types(true, present)),
            Negative::InvertedNsec => Some(Data::Types(false, vec![asked])),
            Negative::MulticastNsec if multicast => Some(Data::Types(true, present)),
            Negative::MulticastNsec | Negative::Silence => None,
        }
    }
}

/// A number that varies, which is all a delay needs.
fn arbitrary() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) / 1000)
}
