//! The one-shot querier (RFC 6762, section 5.1): sends the queries of a lookup, waits for responses, and repeats the
//! queries.
//!
//! No thread, socket or lock outlives [`run`], which contains the only loop that waits.

use std::time::{Duration, Instant};

use crate::address::Family;
use crate::config::{Config, Retries};
use crate::error::LookupError;
use crate::fault_injection::{self, Point};
use crate::ids::Ids;
use crate::lookup::{Destination, Lookup, Progress, Question, Round};
use crate::net::daemon::{DaemonQuery, DaemonReply};
use crate::net::interfaces::Interfaces;
use crate::net::neighbours;
use crate::net::socket::{SocketKind, Sockets, group};
use crate::try_alloc;
use crate::validate::{PendingQueries, SentQuery, validate};
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query};

/// The maximum number of packets that are received before the sockets are polled again. A flood on one socket then
/// cannot hide a response on another.
const BATCH: usize = 32;

/// The maximum number of packets that are drained once the lookup is done. With more than 16 sockets it is four for
/// each.
const MAX_DRAINED: usize = 64;

/// How long after its first query a lookup without a response queries the neighbours. Nearly every responder on a wired
/// link has responded by then.
const NEIGHBOURS_AFTER: Duration = Duration::from_millis(2);

/// Sends the queries of `lookup`, and passes the responses to it, until it is done or `timeout` has passed since the
/// first query. If no interface can be queried, asks only avahi-daemon on this machine, if the settings allow it.
///
/// # Errors
/// The reason why nothing could be sent, or why waiting failed; `lookup` may have received responses before that. The
/// absence of a response is not an error here: `lookup` has recorded whether there was one.
pub(crate) fn run(
    lookup: &mut dyn Lookup,
    interfaces: &Interfaces,
    config: &Config,
    timeout: Duration,
) -> Result<(), LookupError> {
    let mut buffer = try_alloc::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    let opened = Sockets::open(interfaces, config.listener);
    let unavailable = opened.as_ref().err().copied();
    let mut querier = Querier {
        sockets: opened.unwrap_or_else(|_| Sockets::none()),
        daemon: Vec::new(),
        interfaces,
        pending: PendingQueries::default(),
        ids: Ids::new(),
        questions: Vec::new(),
    };
    fault_injection::point(Point::Sockets);
    let start = Instant::now();
    let deadline = start + timeout;
    let mut schedule = Schedule::new(start, config);
    let mut any_sent = false;
    if let Some(error) = unavailable {
        if !config.daemon || !querier.ask_daemon(lookup) {
            return Err(error);
        }
        any_sent = true;
    }
    let mut until = start;
    // True if the loop ended at the deadline or later than planned, for example because the machine was busy. Packets
    // that arrived in time may then still be unread.
    let is_late = loop {
        let now = Instant::now();
        if now >= deadline {
            break true;
        }
        if lookup.take_new_name() {
            schedule = Schedule::new(now, config);
        }
        until = match lookup.poll(now) {
            Progress::Done => break now >= until,
            Progress::WaitUntil(_) => {
                querier.questions.clear();
                lookup.follow_up(interfaces, now, &mut querier.questions);
                // A failure does not end the lookup: it has received an address already.
                let _ = querier.send_all(lookup, now);
                match lookup.poll(now) {
                    Progress::WaitUntil(until) => until,
                    Progress::Done | Progress::NoResponse => now,
                }
            }
            Progress::NoResponse => {
                while let Some(round) = schedule.take_due(now) {
                    querier.questions.clear();
                    lookup.round(round, interfaces, &mut querier.questions);
                    if round == Round::Repeat && config.daemon && querier.daemon.is_empty() {
                        any_sent |= querier.ask_daemon(lookup);
                    }
                    match querier.send_all(lookup, now) {
                        Ok(()) => any_sent = true,
                        // A response to an earlier query may still arrive.
                        Err(error) if !any_sent => return Err(error),
                        Err(_) => {}
                    }
                }
                if unavailable.is_some() && querier.daemon.iter().all(DaemonQuery::has_ended) {
                    break false;
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

/// When the rounds of a lookup without a response are sent: the first at once, that to the neighbours after
/// [`NEIGHBOURS_AFTER`], and the repeats at the times in the settings.
struct Schedule {
    start: Instant,
    asks_neighbours: bool,
    retries: Retries,
    /// How many rounds have been sent.
    sent: usize,
}

impl Schedule {
    fn new(start: Instant, config: &Config) -> Self {
        Self { start, asks_neighbours: config.neighbours, retries: config.retries, sent: 0 }
    }

    /// The next round, and when it is due.
    fn next(&self) -> Option<(Instant, Round)> {
        match self.sent {
            0 => Some((self.start, Round::First)),
            1 if self.asks_neighbours => Some((self.start + NEIGHBOURS_AFTER, Round::Neighbours)),
            sent => {
                let before_repeats = 1 + usize::from(self.asks_neighbours);
                self.retries.get(sent - before_repeats).map(|time| (self.start + time, Round::Repeat))
            }
        }
    }

    /// The next round, if it is due.
    fn take_due(&mut self, now: Instant) -> Option<Round> {
        let (_, round) = self.next().filter(|(at, _)| *at <= now)?;
        self.sent += 1;
        Some(round)
    }
}

struct Querier<'a> {
    sockets: Sockets,
    // The questions to avahi-daemon, one for each family; empty until they are sent.
    daemon: Vec<DaemonQuery>,
    interfaces: &'a Interfaces,
    pending: PendingQueries,
    ids: Ids,
    // The questions to send next. A field, so that all rounds use the same allocation.
    questions: Vec<Question>,
}

impl Querier<'_> {
    /// Sends the questions, and reports to `lookup` which of them could be sent.
    ///
    /// # Errors
    /// If none could be sent: the first failure other than [`LookupError::NoInterface`], or else that.
    fn send_all(&mut self, lookup: &mut dyn Lookup, now: Instant) -> Result<(), LookupError> {
        let mut result = Err(LookupError::NoInterface);
        for index in 0..self.questions.len() {
            let Some(&question) = self.questions.get(index) else { break };
            let sent = self.send(&question, lookup, now);
            lookup.on_sent(&question, sent.is_ok(), now);
            result = match (result, sent) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(LookupError::NoInterface), Err(error)) | (Err(error), Err(_)) => Err(error),
            };
        }
        result
    }

    /// Asks avahi-daemon on this machine, whose cache outlives the processes that query it. False if a question could
    /// not be sent, for example because no daemon runs.
    #[inline(never)]
    fn ask_daemon(&mut self, lookup: &dyn Lookup) -> bool {
        for family in lookup.daemon_families().iter() {
            match DaemonQuery::send(lookup.name(), family) {
                Ok(query) => try_alloc::push(&mut self.daemon, query),
                Err(_) => return false,
            };
        }
        !self.daemon.is_empty()
    }

    /// Waits until a packet or a reply of the daemon has arrived, or `timeout` has passed. Passes addresses in replies
    /// of the daemon to `lookup`; [`Querier::receive_one`] receives packets.
    ///
    /// # Errors
    /// Those of [`Sockets::wait_with`].
    fn wait(&mut self, lookup: &mut dyn Lookup, timeout: Duration) -> Result<(), LookupError> {
        let mut polled = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; Family::ALL.len()];
        for (poll, query) in polled.iter_mut().zip(&self.daemon) {
            poll.fd = query.descriptor();
        }
        self.sockets.wait_with(timeout, &mut polled)?;
        for (poll, query) in polled.iter().zip(&mut self.daemon).filter(|(poll, _)| poll.revents != 0) {
            debug_assert_eq!(poll.fd, query.descriptor());
            if let DaemonReply::Found(address) = query.receive() {
                lookup.on_daemon_address(address, Instant::now());
            }
        }
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

    /// Sends a question with the destination [`Destination::Neighbours`] or [`Destination::OtherAddresses`] directly to
    /// each neighbour that the destination stands for.
    ///
    /// # Errors
    /// [`LookupError::NoInterface`] if there is no such neighbour, or if the kernel's table cannot be read; the last
    /// failure if no question could be sent.
    #[inline(never)]
    fn send_to_neighbours(
        &mut self,
        question: &Question,
        lookup: &dyn Lookup,
        now: Instant,
    ) -> Result<(), LookupError> {
        let neighbours = neighbours::read(self.interfaces).map_err(|_| LookupError::NoInterface)?;
        let there = || neighbours.iter().filter(|neighbour| neighbour.interface == question.interface);
        let link_layer = match question.to {
            Destination::OtherAddresses(known, _) => {
                let known = there().find(|neighbour| neighbour.ip == known).ok_or(LookupError::NoInterface)?;
                Some(known.link_layer)
            }
            _ => None,
        };
        let mut result = Err(LookupError::NoInterface);
        for neighbour in there().filter(|neighbour| Family::of(neighbour.ip) == question.to.transport()) {
            if link_layer.is_none_or(|link_layer| neighbour.link_layer == link_layer) {
                let direct = Question { to: Destination::Host(neighbour.ip), ..*question };
                result = result.or(self.send(&direct, lookup, now));
            }
        }
        result
    }

    fn send_query(
        &self,
        query: &Query<'_>,
        socket: SocketKind,
        interface: u32,
        to: std::net::IpAddr,
    ) -> Result<(), LookupError> {
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

    /// Receives packets that have already arrived when the lookup is done, because a host may have more addresses than
    /// the first response contained. Their number is bounded: while many processes look up names, their queries fill
    /// the receive queues of the multicast listeners. A lookup that is late also looks for responses behind many
    /// ignored packets.
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
