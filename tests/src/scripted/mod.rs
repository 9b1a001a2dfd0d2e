//! A multicast DNS responder whose behaviour can be configured: the `responder` program, and the responder of `try_it`.
//!
//! Without options it behaves as RFC 6762 says (sections 6 and 6.7). `--like NAME` selects the shape, which is the
//! behaviour, of a real responder. Further options change single aspects of the shape.

mod shape;

use self::shape::{Id, Negative, OtherFamily, Shape, Unicast, is_ipv6_link_local, parse};
pub use self::shape::{PRESETS, USAGE};
use crate::netif::interfaces;
use crate::sockets::{Transport, ephemeral, responder};
use crate::wire::{Data, Message, Question, Record, reverse_name};
use socket2::SockRef;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use test_packet::{AUTHORITATIVE, IN, MDNS_PORT, RESPONSE, TOP_BIT, types};

/// The `responder` program: prints `ready` when it listens, then answers until it is killed.
///
/// # Errors
/// If an option is invalid, or no socket can be opened.
pub fn main(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let shape = Arc::new(parse(arguments)?);
    let state = Arc::new(State::default());
    let mut threads = Vec::new();
    for (name, index) in interfaces().map_err(|why| why.to_string())? {
        // Opening one fails if the interface lacks the address family.
        let open = |transport| Some(Sender { socket: socket(&shape, transport, &name, index)?, transport, index });
        let senders: Vec<Sender> = Transport::BOTH.into_iter().filter_map(open).collect();
        let senders = Arc::new(senders);
        for position in 0..senders.len() {
            let (senders, shape, state) = (Arc::clone(&senders), Arc::clone(&shape), Arc::clone(&state));
            let listener = Arc::new(Listener { senders, position, shape, state, joined: Mutex::default() });
            threads.push(std::thread::spawn(move || listener.serve()));
        }
    }
    if threads.is_empty() {
        return Err("no interface on which to answer".into());
    }
    println!("ready");
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// A socket on port 5353 of an interface, with the hop limits of the shape.
fn socket(shape: &Shape, transport: Transport, name: &str, index: u32) -> Option<UdpSocket> {
    let socket = responder(transport, name, index).ok()?;
    let options = SockRef::from(&socket);
    let (unicast, group) = (u32::from(shape.hop_limits.unicast), shape.hop_limits.group(transport));
    match transport {
        Transport::V4 => options.set_ttl_v4(unicast).and_then(|()| options.set_multicast_ttl_v4(group)).ok()?,
        Transport::V6 => {
            options.set_unicast_hops_v6(unicast).and_then(|()| options.set_multicast_hops_v6(group)).ok()?
        }
    }
    Some(socket)
}

/// The state that all listeners share.
struct State {
    /// The number of queries for this responder's names.
    seen: AtomicU32,
    /// The number of queries for A.
    seen_a: AtomicU32,
    /// When each name and type was last sent to the group.
    multicast: Mutex<Vec<(String, u16, Instant)>>,
    /// When the timer of [`Shape::delay_in_ticks`] started.
    started: Instant,
    /// The number of responses so far that waited for that timer.
    in_ticks: AtomicU32,
}

impl Default for State {
    fn default() -> State {
        State {
            seen: AtomicU32::new(0),
            seen_a: AtomicU32::new(0),
            multicast: Mutex::default(),
            started: Instant::now(),
            in_ticks: AtomicU32::new(0),
        }
    }
}

impl State {
    /// The next delay of [`Shape::delay_in_ticks`].
    fn delay_in_ticks(&self) -> Duration {
        const STEP: u128 = 25;
        const TICK: u128 = 100;
        let step = u128::from(self.in_ticks.fetch_add(1, Ordering::Relaxed) % 4 + 1) * STEP;
        let now = self.started.elapsed();
        let tick = (now.as_millis() + step).div_ceil(TICK) * TICK;
        Duration::from_millis(u64::try_from(tick).unwrap_or(u64::MAX)).saturating_sub(now)
    }
}

/// The socket of one interface and transport.
struct Sender {
    socket: UdpSocket,
    transport: Transport,
    index: u32,
}

impl Sender {
    fn group(&self) -> SocketAddr {
        self.transport.group(self.index)
    }
}

/// Answers the queries that arrive at one of the sockets of an interface.
struct Listener {
    /// All sockets of the interface.
    senders: Arc<Vec<Sender>>,
    /// The position of the one to listen at.
    position: usize,
    shape: Arc<Shape>,
    state: Arc<State>,
    /// The questions of [`Shape::multicast_joined`] that wait for their response.
    joined: Mutex<Vec<Question>>,
}

impl Listener {
    fn own(&self) -> &Sender {
        &self.senders[self.position]
    }

    fn serve(self: &Arc<Self>) {
        let mut buffer = [0u8; 9000];
        loop {
            // recv_from also reports ICMP errors for earlier responses, which do not matter.
            let Ok((length, source)) = self.own().socket.recv_from(&mut buffer) else { continue };
            let Some(query) = buffer.get(..length).and_then(Message::parse) else { continue };
            if query.flags & RESPONSE == 0 && !query.questions.is_empty() {
                self.answer(&query, source);
            }
        }
    }

    fn answer(self: &Arc<Self>, query: &Message, source: SocketAddr) {
        let shape = &self.shape;
        if shape.empty_responses {
            let empty = Message { id: query.id, flags: RESPONSE | AUTHORITATIVE, ..Message::default() };
            self.send(empty.bytes(), source, query);
        }
        if shape.one_question_only && query.questions.len() > 1
            || shape.empty_record_silences && query.has_empty_record
            || shape.ignores_unicast_requests && requests_unicast(query)
            || shape.ignores_other_ports && !matches!(source.port(), MDNS_PORT | 53)
            || !query.questions.iter().any(|question| self.knows(&question.name))
        {
            return;
        }
        if self.state.seen.fetch_add(1, Ordering::Relaxed) < shape.ignored {
            return;
        }
        let asks_for = |rtype| query.questions.iter().any(|question| question.rtype == rtype);
        let transport = Transport::of(source.ip());
        if shape.ignored_types.iter().copied().any(asks_for)
            || shape.only_over.is_some_and(|only| only != transport)
            || asks_for(types::A) && self.state.seen_a.fetch_add(1, Ordering::Relaxed) < shape.ignored_a
        {
            return;
        }
        let legacy = source.port() != MDNS_PORT;
        let unicast = match shape.unicast {
            Unicast::Always => legacy || requests_unicast(query),
            Unicast::IfRequested => requests_unicast(query),
            Unicast::Never => false,
            Unicast::AnyPort => true,
        };
        if unicast {
            self.send_unicast(query, source, legacy);
        }
        if unicast && !shape.multicast_too && shape.negative != Negative::MulticastNsec {
            return;
        }
        match shape.multicast_joined {
            Some(delay) => self.join_multicast(query, delay),
            None => self.send_multicast(query, unicast && !shape.multicast_too),
        }
    }

    /// Sends a unicast response. By RFC 6762, section 6.7, it echoes id and question, and has a low TTL and no
    /// cache-flush bit; the shape may deviate.
    fn send_unicast(&self, query: &Message, source: SocketAddr, legacy: bool) {
        let shape = &self.shape;
        let (ttl, class) = if legacy { (shape.legacy_ttl, IN) } else { (shape.ttl, self.class()) };
        let mut response = self.records(query, ttl, class, false);
        if response.answers.is_empty() && response.additional.is_empty() {
            return;
        }
        let unechoed = shape.two_questions_unechoed && query.questions.len() > 1 || !legacy;
        response.id = match shape.id {
            Id::Echoed if !unechoed => query.id,
            Id::EchoedIfRequested if requests_unicast(query) => query.id,
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
        let mut response = self.records(query, self.shape.ttl, self.class(), true);
        response.id = if self.shape.group_id_echoed { query.id } else { 0 };
        if negative_only {
            response.answers.clear();
            response.additional.retain(|record| matches!(record.data, Data::Nsec { .. }));
        }
        if self.shape.once_a_second && !response.answers.is_empty() {
            response.answers.retain(|record| self.may_multicast(record));
            if response.answers.is_empty() {
                return;
            }
        }
        if response.answers.is_empty() && response.additional.is_empty() {
            return;
        }
        let others = self.senders.iter().filter(|_| self.shape.both_groups);
        let others = others.filter(|sender| sender.transport != self.own().transport);
        for sender in [self.own()].into_iter().chain(others) {
            self.send_from(sender, response.bytes(), sender.group(), query);
        }
    }

    /// Adds the questions of a query to those of the next multicast response, which is sent after a delay between these,
    /// in microseconds.
    fn join_multicast(self: &Arc<Self>, query: &Message, (min, max): (u64, u64)) {
        let mut joined = lock(&self.joined);
        let is_first = joined.is_empty();
        for question in &query.questions {
            if !joined.contains(question) {
                joined.push(question.clone());
            }
        }
        if is_first {
            let listener = Arc::clone(self);
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(min + arbitrary() % (max - min + 1)));
                let questions = std::mem::take(&mut *lock(&listener.joined));
                listener.send_multicast(&Message { questions, ..Message::default() }, false);
            });
        }
    }

    /// The class of records, except in responses to legacy unicast queries.
    fn class(&self) -> u16 {
        if self.shape.cache_flush { IN | TOP_BIT } else { IN }
    }

    /// Whether a record may be sent to the group, that is, was not sent within the last second. Notes that it is sent
    /// now.
    fn may_multicast(&self, record: &Record) -> bool {
        let now = Instant::now();
        let mut sent = lock(&self.state.multicast);
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
        self.send_from(self.own(), packet, to, query);
    }

    fn send_from(&self, sender: &Sender, packet: Vec<u8>, to: SocketAddr, query: &Message) {
        let from_ephemeral_port = self.shape.from_ephemeral_port && to != sender.group();
        let socket = if from_ephemeral_port { ephemeral(sender.transport) } else { sender.socket.try_clone() };
        let Ok(socket) = socket else { return };
        let delay = self.delay(query);
        if delay.is_zero() {
            drop(socket.send_to(&packet, to));
            return;
        }
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            drop(socket.send_to(&packet, to));
        });
    }

    fn delay(&self, query: &Message) -> Duration {
        let shape = &self.shape;
        let has_aaaa = query.questions.iter().any(|question| question.rtype == types::AAAA);
        let has_a = query.questions.iter().any(|question| question.rtype == types::A);
        let additional = [(has_aaaa, shape.delay_aaaa), (has_a, shape.delay_a), (self.is_over_v6(), shape.delay_v6)];
        let additional: u64 = additional.into_iter().filter(|(applies, _)| *applies).map(|(_, delay)| delay).sum();
        let (min, max) = shape.delay;
        let own = match shape.delay_in_ticks {
            true => self.state.delay_in_ticks(),
            false => Duration::from_millis(min + arbitrary() % (max - min + 1)),
        };
        own + Duration::from_millis(additional)
    }

    fn is_over_v6(&self) -> bool {
        self.own().transport == Transport::V6
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
            let record = |data: Data| {
                let special = match data {
                    Data::Nsec { .. } => self.shape.negative_ttl,
                    Data::Ptr(_) => self.shape.reverse_ttl,
                    Data::Address(_) | Data::Cname(_) => None,
                };
                Record { name: question.name.clone(), class, ttl: special.unwrap_or(ttl), data }
            };
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
        let rtype = |address: &IpAddr| if address.is_ipv6() { types::AAAA } else { types::A };
        let is_queried = |address: &IpAddr| question.rtype == types::ANY || question.rtype == rtype(address);
        let all = || shape.addresses.iter().copied().filter(|address| self.is_sent(address, multicast));
        let answers = all().filter(is_queried).map(Data::Address).map(record);
        let before = to.answers.len();
        to.answers.extend(answers);
        let found = to.answers.len() - before;
        let others = || all().filter(|address| !is_queried(address)).map(Data::Address).map(record);
        match shape.other_family {
            OtherFamily::Answer => to.answers.extend(others()),
            OtherFamily::Additional if found > 0 => to.additional.extend(others()),
            _ => {}
        }
        let has_nsec = match shape.negative {
            Negative::AlwaysNsec => true,
            Negative::NsecOfA => found > 0,
            Negative::NsecIfComplete => found > 0 && found == all().count(),
            _ => found == 0 && matches!(question.rtype, types::A | types::AAAA),
        };
        if has_nsec {
            to.additional.extend(self.nsec(question.rtype, multicast).map(record));
        }
    }

    /// Whether responses contain this address.
    fn is_sent(&self, address: &IpAddr, multicast: bool) -> bool {
        let shape = &self.shape;
        let is_withheld = shape.unicast_link_local_only
            && !multicast
            && address.is_ipv6()
            && !is_ipv6_link_local(address)
            && shape.addresses.iter().any(is_ipv6_link_local);
        !is_withheld && (!shape.family_by_transport || address.is_ipv6() == self.is_over_v6())
    }

    /// The NSEC record of a response to a query for this type.
    fn nsec(&self, queried: u16, multicast: bool) -> Option<Data> {
        let has = |of_v6: bool| {
            let is_sent = !self.shape.family_by_transport || of_v6 == self.is_over_v6();
            is_sent && self.shape.addresses.iter().any(|address| address.is_ipv6() == of_v6)
        };
        let mut present = vec![];
        present.extend(has(false).then_some(types::A));
        present.extend(has(true).then_some(types::AAAA));
        let nsec = |compressed, types| Some(Data::Nsec { compressed, types });
        match self.shape.negative {
            Negative::Nsec | Negative::AlwaysNsec | Negative::NsecIfComplete => nsec(false, present),
            Negative::CompressedNsec => nsec(true, present),
            Negative::InvertedNsec => nsec(false, vec![queried]),
            Negative::NsecOfA => nsec(true, vec![types::A]),
            Negative::MulticastNsec if multicast => nsec(true, present),
            Negative::MulticastNsec | Negative::Silence => None,
        }
    }
}

/// Whether a question has the unicast-response bit.
fn requests_unicast(query: &Message) -> bool {
    query.questions.iter().any(|question| question.class & TOP_BIT != 0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the clock, which varies enough for a random delay.
fn arbitrary() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) / 1000)
}
