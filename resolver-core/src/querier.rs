//! The one-shot querier (RFC 6762, section 5.1): sends the queries of a lookup, waits for responses, repeats the queries.
//!
//! Synchronous: no thread, socket or lock outlives [`run`]. This is the only loop that waits.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::config::{Config, Retries};
use crate::error::LookupError;
use crate::fault_injection::{self, Point};
use crate::ids::Ids;
use crate::lookup::{Destination, Lookup, Progress, Question, Round};
use crate::net::daemon::Daemon;
use crate::net::interfaces::Interfaces;
use crate::net::neighbours;
use crate::net::socket::{SocketKind, Sockets, group};
use crate::sys;
use crate::try_alloc;
use crate::validate::{PendingQueries, SentQuery, validate};
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query};

/// After this many packets the sockets are polled again, so that a flood on one does not hide a response on another.
const BATCH: usize = 32;

/// The most packets that are drained once the lookup is done, unless there are very many sockets.
const MAX_DRAINED: usize = 64;

/// How long a lookup is silent before the neighbours are asked. Nearly every responder on a cable has answered by then.
const NEIGHBOURS_AFTER: Duration = Duration::from_millis(2);

/// How long a lookup is silent, at most, before a daemon on this machine is asked: until the first repeat, if that is earlier.
const DAEMON_AFTER: Duration = Duration::from_millis(30);

/// The most neighbours that one lookup asks, over all interfaces.
const MAX_NEIGHBOURS: usize = 32;

/// How long a daemon is waited for at most where no interface can be queried. What it has not cached it asks the network for,
/// and again after a second.
const DAEMON_TIMEOUT: Duration = Duration::from_millis(1200);

/// Sends the queries of `lookup` until it is done or `timeout` has passed since the first query, and passes the responses to
/// it. Where no interface can be queried, only a daemon on this machine is asked, if there is one.
///
/// # Errors
/// The reason why nothing could be sent, or why waiting failed; `lookup` may have received responses before. No response is
/// no error here: `lookup` knows.
pub(crate) fn run(
    lookup: &mut dyn Lookup,
    interfaces: &Interfaces,
    config: &Config,
    timeout: Duration,
) -> Result<(), LookupError> {
    match Sockets::open(interfaces, config.listener) {
        Ok(sockets) => query(lookup, sockets, interfaces, config, timeout),
        Err(error) if config.daemon => ask_only_daemon(lookup, timeout.min(DAEMON_TIMEOUT)).unwrap_or(Err(error)),
        Err(error) => Err(error),
    }
}

/// Asks a daemon on this machine, and nobody else. None if there is none, or if it cannot tell.
#[inline(never)]
fn ask_only_daemon(lookup: &mut dyn Lookup, timeout: Duration) -> Option<Result<(), LookupError>> {
    let mut daemon = Daemon::ask(lookup.name(), lookup.daemon_families())?;
    let deadline = Instant::now() + timeout;
    loop {
        let now = Instant::now();
        let is_done = lookup.poll(now) == Progress::Done || daemon.has_ended();
        if is_done || now >= deadline {
            return daemon.knows().then_some(Ok(()));
        }
        let mut ready = daemon.poll_list();
        let left = deadline.saturating_duration_since(now);
        match sys::poll(&mut ready, left) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Some(Err(LookupError::from_io(&error))),
            _ => daemon.receive(&ready, &mut |address| lookup.on_daemon_address(address, Instant::now())),
        }
    }
}

fn query(
    lookup: &mut dyn Lookup,
    sockets: Sockets,
    interfaces: &Interfaces,
    config: &Config,
    timeout: Duration,
) -> Result<(), LookupError> {
    let mut buffer = try_alloc::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    let mut querier = Querier::new(sockets, interfaces);
    fault_injection::point(Point::Sockets);
    let start = Instant::now();
    let deadline = start + timeout;
    let mut schedule = Schedule::new(start, config);
    let (mut any_sent, mut failure) = (false, None);
    let mut until = start;
    // True if the process woke up too late, because the machine was busy: what arrived in time is still to be read.
    let is_late = loop {
        let now = Instant::now();
        if now >= deadline {
            break true;
        }
        if lookup.take_new_name() {
            schedule.restart(now);
        }
        until = match lookup.poll(now) {
            Progress::Done => break now >= until,
            Progress::WaitUntil(_) => {
                querier.questions.clear();
                lookup.follow_up(interfaces, now, &mut querier.questions);
                // The lookup has something even if none of these can be sent.
                let _ = querier.send_all(lookup, now);
                match lookup.poll(now) {
                    Progress::WaitUntil(until) => until,
                    Progress::Done | Progress::NoResponse => now,
                }
            }
            Progress::NoResponse => {
                while let Some(step) = schedule.take_due(now) {
                    match querier.take(step, lookup, now) {
                        Ok(()) => any_sent = true,
                        // Once a query has been sent, a response may arrive even if the next one fails.
                        Err(_) if any_sent => {}
                        // What cannot be sent to the groups may still be asked of the neighbours and of a daemon.
                        Err(error) => {
                            let failure = *failure.get_or_insert(error);
                            if !schedule.hurry(now) {
                                return Err(failure);
                            }
                        }
                    }
                }
                schedule.next().map_or(deadline, |(at, _)| at)
            }
        };
        fault_injection::point(Point::Sent);
        querier.wait(lookup, until.min(deadline).saturating_duration_since(now))?;
        for _ in 0..BATCH {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            match querier.receive_one(lookup, &mut buffer, now) {
                None => break,
                Some(true) if now < until && lookup.poll(now) == Progress::Done => break,
                Some(_) => {}
            }
        }
    };
    querier.drain(lookup, &mut buffer, is_late);
    Ok(())
}

/// What is done while nobody has responded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Send the questions of a round.
    Ask(Round),
    /// Ask a daemon on this machine, which has a cache that outlives processes.
    AskDaemon,
}

/// When the steps are due: the first round at once; the neighbours and a daemon after a short silence, if the settings say so;
/// then the repeats at the times that the settings give.
struct Schedule {
    start: Instant,
    retries: Retries,
    /// The optional steps, and when they are due after the start.
    optional: [Option<(Duration, Step)>; 2],
    is_first_due: bool,
    /// How many repeats have been sent.
    repeats: usize,
}

impl Schedule {
    fn new(start: Instant, config: &Config) -> Self {
        let daemon_after = config.retries.get(0).unwrap_or(DAEMON_AFTER).min(DAEMON_AFTER);
        let optional = [
            config.neighbours.then_some((NEIGHBOURS_AFTER, Step::Ask(Round::Neighbours))),
            config.daemon.then_some((daemon_after, Step::AskDaemon)),
        ];
        Self { start, retries: config.retries, optional, is_first_due: true, repeats: 0 }
    }

    /// Starts again, for another name: the groups and then the repeats. The optional steps are taken once in a lookup.
    fn restart(&mut self, start: Instant) {
        (self.start, self.is_first_due, self.repeats) = (start, true, 0);
    }

    /// The next step, and when it is due.
    fn next(&self) -> Option<(Instant, Step)> {
        if self.is_first_due {
            return Some((self.start, Step::Ask(Round::First)));
        }
        let repeat = self.retries.get(self.repeats).map(|time| (time, Step::Ask(Round::Repeat)));
        let next = self.optional.into_iter().flatten().chain(repeat).min_by_key(|(after, _)| *after)?;
        Some((self.start + next.0, next.1))
    }

    /// The next step, if it is due.
    fn take_due(&mut self, now: Instant) -> Option<Step> {
        let (_, step) = self.next().filter(|(at, _)| *at <= now)?;
        match step {
            Step::Ask(Round::First) => self.is_first_due = false,
            Step::Ask(Round::Repeat) => self.repeats += 1,
            _ => self
                .optional
                .iter_mut()
                .filter(|other| other.is_some_and(|(_, other)| other == step))
                .for_each(|other| *other = None),
        }
        Some(step)
    }

    /// Makes the optional steps due at once; false if none is left.
    fn hurry(&mut self, now: Instant) -> bool {
        self.optional.iter_mut().flatten().for_each(|(after, _)| *after = now.saturating_duration_since(self.start));
        self.optional.iter().any(Option::is_some)
    }
}

struct Querier<'a> {
    sockets: Sockets,
    daemon: Option<Daemon>,
    interfaces: &'a Interfaces,
    pending: PendingQueries,
    ids: Ids,
    // The questions to be sent; reused.
    questions: Vec<Question>,
    /// How many more neighbours may be asked.
    neighbours_left: usize,
}

impl<'a> Querier<'a> {
    fn new(sockets: Sockets, interfaces: &'a Interfaces) -> Self {
        let (pending, ids) = (PendingQueries::default(), Ids::new());
        Self { sockets, daemon: None, interfaces, pending, ids, questions: Vec::new(), neighbours_left: MAX_NEIGHBOURS }
    }

    fn take(&mut self, step: Step, lookup: &mut dyn Lookup, now: Instant) -> Result<(), LookupError> {
        match step {
            Step::Ask(round) => {
                self.questions.clear();
                lookup.round(round, self.interfaces, &mut self.questions);
                self.send_all(lookup, now)
            }
            Step::AskDaemon => {
                self.daemon = Daemon::ask(lookup.name(), lookup.daemon_families());
                self.daemon.as_ref().map(|_| ()).ok_or(LookupError::NoInterface)
            }
        }
    }

    /// Sends the questions, and tells `lookup` which of them could be sent.
    ///
    /// # Errors
    /// The first failure, if none could be sent; [`LookupError::NoInterface`] if there is none.
    fn send_all(&mut self, lookup: &mut dyn Lookup, now: Instant) -> Result<(), LookupError> {
        let mut result = Err(LookupError::NoInterface);
        for index in 0..self.questions.len() {
            let Some(&question) = self.questions.get(index) else { break };
            let sent = self.send(&question, lookup, now);
            lookup.on_sent(&question, sent, now);
            result = match (result, sent) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(LookupError::NoInterface), Err(error)) | (Err(error), Err(_)) => Err(error),
            };
        }
        result
    }

    /// Waits until a packet or a reply of the daemon has arrived, or `timeout` has passed. Passes the replies to `lookup`.
    fn wait(&mut self, lookup: &mut dyn Lookup, timeout: Duration) -> Result<(), LookupError> {
        let Some(daemon) = &mut self.daemon else { return self.sockets.wait(timeout) };
        let mut replies = daemon.poll_list();
        self.sockets.wait_with(timeout, &mut replies)?;
        daemon.receive(&replies, &mut |address| lookup.on_daemon_address(address, Instant::now()));
        Ok(())
    }

    fn send(&mut self, question: &Question, lookup: &dyn Lookup, now: Instant) -> Result<(), LookupError> {
        let Question { interface, to, rtype, unicast_response } = *question;
        let transport = to.transport();
        let mut query = Query { id: 0, name: lookup.name(), rtype, unicast_response };
        let to = match to {
            Destination::GroupFromListener(transport) => {
                self.send_query(&query, SocketKind::MulticastListener, interface, group(transport))?;
                self.pending.expect_multicast(interface, transport);
                return Ok(());
            }
            Destination::Group(transport) => group(transport),
            Destination::Host(ip) => ip,
            Destination::Neighbours(_) | Destination::OtherAddresses(..) => {
                return self.send_to_neighbours(question, lookup, now);
            }
        };
        query.id = self.ids.next();
        let sent = SentQuery { id: query.id, interface, transport, rtype, unicast_response, at: now };
        if !self.pending.add(sent, query.name) {
            return Err(LookupError::Exhausted);
        }
        self.send_query(&query, SocketKind::Ephemeral, interface, to)
    }

    /// Sends a question directly to each of the hosts that the kernel's neighbour table has for it.
    ///
    /// # Errors
    /// [`LookupError::NoInterface`] if there is none, or if the table cannot be read.
    #[inline(never)]
    fn send_to_neighbours(
        &mut self,
        question: &Question,
        lookup: &dyn Lookup,
        now: Instant,
    ) -> Result<(), LookupError> {
        let neighbours = neighbours::read(self.interfaces).map_err(|_| LookupError::NoInterface)?;
        let there = || neighbours.iter().filter(|neighbour| neighbour.interface == question.interface);
        let card = match question.to {
            Destination::OtherAddresses(known, _) => {
                let known = there().find(|neighbour| neighbour.ip == known).ok_or(LookupError::NoInterface)?;
                Some(known.link_layer)
            }
            _ => None,
        };
        let is_asked = |ip| Family::of(ip) == question.to.transport();
        let mut result = Err(LookupError::NoInterface);
        for neighbour in there().filter(|neighbour| is_asked(neighbour.ip)) {
            if self.neighbours_left > 0 && card.is_none_or(|card| neighbour.link_layer == card) {
                self.neighbours_left -= 1;
                let direct = Question { to: Destination::Host(neighbour.ip), ..*question };
                result = result.or(self.send(&direct, lookup, now));
            }
        }
        result
    }

    fn send_query(&self, query: &Query<'_>, socket: SocketKind, interface: u32, to: IpAddr) -> Result<(), LookupError> {
        let mut buffer = [0; MAX_QUERY];
        let packet = query.encode(&mut buffer);
        self.sockets.send(packet, socket, interface, to).map_err(|error| LookupError::from_io(&error))
    }

    /// Receives one packet; None if there is none, otherwise whether it was accepted.
    fn receive_one(&mut self, lookup: &mut dyn Lookup, buffer: &mut [u8], now: Instant) -> Option<bool> {
        let datagram = self.sockets.receive(buffer)?;
        fault_injection::point(Point::Received);
        let octets = buffer.get(..datagram.received.length).unwrap_or_default();
        let response = validate(&datagram, octets, &self.pending, self.interfaces);
        let is_accepted = response.is_some();
        if let Some(response) = response {
            fault_injection::point(Point::Accepted);
            lookup.on_response(&response, now);
        }
        Some(is_accepted)
    }

    /// Receives what has already arrived when the lookup is done: a host may have more addresses than the first response
    /// held. Bounded, because where many processes look up names at once, the multicast listeners are full of their queries.
    fn drain(&mut self, lookup: &mut dyn Lookup, buffer: &mut [u8], is_late: bool) {
        let _ = self.sockets.wait(Duration::ZERO);
        let sockets = self.sockets.count();
        let max = MAX_DRAINED.max(4 * sockets);
        let max_ignored = if is_late { max } else { 2 * sockets };
        let mut ignored = 0;
        for _ in 0..max {
            match self.receive_one(lookup, buffer, Instant::now()) {
                Some(true) => ignored = 0,
                Some(false) if ignored < max_ignored => ignored += 1,
                _ => break,
            }
        }
    }
}
