//! The one-shot querier (RFC 6762, section 5.1): sends the queries of a lookup, waits for responses, and repeats the
//! queries.
//!
//! No thread, socket or lock outlives [`run`], which contains the only loop that waits. A pending signal can interrupt it;
//! what it needs to go on is then in the [`Exchange`].

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::config::{Config, Retries};
use crate::error::LookupError;
use crate::fault_injection::{self, Point};
use crate::lookup::{Destination, Lookup, Progress, Question, Round};
use crate::message_ids::Ids;
use crate::net::daemon::Daemon;
use crate::net::interfaces::Interfaces;
use crate::net::neighbours::{self, Neighbour};
use crate::net::socket::{Ports, SocketKind, Sockets, group};
use crate::observer::{Event, Observer, Sent};
use crate::signals::PendingSignals;
use crate::sys;
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

/// How long after its first query a lookup without a response asks a daemon on this machine. The first repeat is the
/// latest time.
const DAEMON_AFTER: Duration = Duration::from_millis(30);

/// The maximum number of neighbours that one lookup queries, over all interfaces.
const MAX_NEIGHBOURS: usize = 32;

/// The maximum number of interfaces on which a question is repeated more than once: the best, in the order of
/// [`Interfaces`]. The first repeat goes to all interfaces, because a firewall may drop the responses to the questions
/// before it. Further repeats are for lost packets. The links beyond the best eight are nearly always those of containers
/// and virtual machines on this machine, which lose none.
const MAX_REPEATED: usize = 8;

/// The maximum time for which a lookup waits for a daemon if no interface can be queried. A daemon queries the network
/// for names that it has not cached, and again after a second.
const DAEMON_TIMEOUT: Duration = Duration::from_millis(1200);

/// How many times a lookup that is interrupted opens multicast listeners and asks a daemon again, in addition to once for
/// each repeat. Each time, the machine may leave the groups and join them again, which it reports to the link.
const MAX_REOPENED: u32 = 16;

/// The time that a lookup still has after a long interruption, if it had that much before: a host could not respond
/// meanwhile. All interruptions together prolong a lookup by no more than this.
const MIN_LEFT: Duration = Duration::from_millis(400);

/// If a lookup is interrupted for at least this long, it repeats its questions at once: responses have probably been lost.
const LONG_INTERRUPTION: Duration = Duration::from_millis(20);

/// The exchange of packets of one lookup: what must outlive the sockets if the lookup is interrupted. Its times are those
/// of a clock that stands still while the lookup is interrupted, because nothing may be concluded from the absence of
/// responses in that time.
#[derive(Debug)]
pub(crate) struct Exchange {
    start: Instant,
    deadline: Instant,
    schedule: Schedule,
    pending: PendingQueries,
    ids: Ids,
    /// How many more neighbours may be queried.
    neighbours_left: usize,
    /// A query has been sent to a group or a host.
    any_sent: bool,
    /// Why the first query could not be sent.
    failure: Option<LookupError>,
    has_asked_daemon: bool,
    /// The ephemeral ports that queries were sent from: responses to them may still be on their way.
    ports: Ports,
    reopenings_left: u32,
    /// How much longer interruptions may make the lookup.
    prolongation_left: Duration,
    interrupted_at: Option<Instant>,
    /// For how long the lookup has been interrupted in all.
    interrupted_for: Duration,
}

impl Exchange {
    /// An exchange that ends `timeout` from now.
    pub(crate) fn new(config: &Config, timeout: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            deadline: start + timeout,
            schedule: Schedule::new(start, config),
            pending: PendingQueries::default(),
            ids: Ids::new(),
            neighbours_left: MAX_NEIGHBOURS,
            any_sent: false,
            failure: None,
            has_asked_daemon: false,
            ports: Ports::default(),
            reopenings_left: MAX_REOPENED,
            prolongation_left: MIN_LEFT,
            interrupted_at: None,
            interrupted_for: Duration::ZERO,
        }
    }

    /// The time on the exchange's clock.
    pub(crate) fn now(&self) -> Instant {
        let now = self.interrupted_at.unwrap_or_else(Instant::now);
        now.checked_sub(self.interrupted_for).unwrap_or(now)
    }

    /// How much time is left.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(self.now())
    }

    fn interrupt(&mut self, ports: Ports) -> LookupError {
        self.ports = ports;
        self.interrupted_at = Some(Instant::now());
        LookupError::Interrupted
    }

    /// Lets the clock go on. True if the multicast listeners may be opened, and a daemon asked again.
    fn resume(&mut self) -> bool {
        self.interrupted_at.is_none_or(|interrupted_at| self.resume_after(interrupted_at.elapsed()))
    }

    fn resume_after(&mut self, interrupted_for: Duration) -> bool {
        let (now, before) = (self.now(), self.time_left());
        let left = before.saturating_sub(interrupted_for);
        let prolonged_by = before.min(MIN_LEFT).saturating_sub(left).min(self.prolongation_left);
        self.prolongation_left -= prolonged_by;
        self.deadline = now + left + prolonged_by;
        self.interrupted_at = None;
        self.interrupted_for += interrupted_for;
        let may_reopen = self.reopenings_left > 0;
        self.reopenings_left = self.reopenings_left.saturating_sub(1);
        self.schedule.is_repeat_due |= may_reopen && interrupted_for >= LONG_INTERRUPTION;
        may_reopen
    }
}

/// Sends the queries of `lookup`, and passes the responses to it, until it is done or the exchange has ended. If no
/// interface can be queried, asks only avahi-daemon on this machine, if the settings allow it.
///
/// # Errors
/// [`LookupError::Interrupted`] if a signal is pending: the same call goes on with the exchange. Otherwise the reason why
/// nothing could be sent, or why waiting failed; `lookup` may have received responses before that. The absence of a
/// response is not an error here: `lookup` has recorded whether there was one.
pub(crate) fn run(
    lookup: &mut dyn Lookup,
    exchange: &mut Exchange,
    interfaces: &Interfaces,
    config: &Config,
    signals: &mut PendingSignals<'_>,
    observer: impl Observer,
) -> Result<(), LookupError> {
    let may_reopen = exchange.resume();
    match Sockets::open_again(interfaces, config.listener && may_reopen, exchange.ports, observer) {
        Ok(sockets) => {
            let querier = Querier::new(sockets, interfaces, exchange, observer);
            query(lookup, querier, config, may_reopen, signals)
        }
        Err(error) if config.daemon => ask_only_daemon(lookup, exchange, signals, observer).unwrap_or(Err(error)),
        Err(error) => Err(error),
    }
}

/// Asks a daemon on this machine, and nobody else. None if there is none, or if it cannot tell.
#[inline(never)]
fn ask_only_daemon(
    lookup: &mut dyn Lookup,
    exchange: &mut Exchange,
    signals: &mut PendingSignals<'_>,
    observer: impl Observer,
) -> Option<Result<(), LookupError>> {
    let daemon = Daemon::ask(lookup.name(), lookup.daemon_families());
    observer.report(Event::DaemonAsked(daemon.is_some()));
    let mut daemon = daemon?;
    let deadline = exchange.deadline.min(exchange.start + DAEMON_TIMEOUT);
    loop {
        let now = exchange.now();
        let until = match lookup.poll(now) {
            Progress::Done => now,
            Progress::WaitUntil(until) => until.min(deadline),
            Progress::NoResponse => deadline,
        };
        if until <= now || daemon.has_ended() {
            return daemon.knows().then_some(Ok(()));
        }
        let (max_wait, signal) = signals.before_wait();
        let [v4, v6] = daemon.poll_list();
        let mut ready = [v4, v6, signal];
        match sys::poll(&mut ready, until.saturating_duration_since(now).min(max_wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Some(Err(LookupError::from_io(&error))),
            Err(_) => {}
            Ok(()) => {
                let [v4, v6, signal] = ready;
                daemon.receive(&[v4, v6], &mut |address| lookup.on_daemon_address(address, exchange.now()));
                if signals.after_wait(signal) {
                    return Some(Err(exchange.interrupt(Ports::default())));
                }
            }
        }
    }
}

fn query(
    lookup: &mut dyn Lookup,
    mut querier: Querier<'_, impl Observer>,
    config: &Config,
    may_reopen: bool,
    signals: &mut PendingSignals<'_>,
) -> Result<(), LookupError> {
    let mut buffer = try_alloc::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    fault_injection::point(Point::Sockets);
    if querier.exchange.has_asked_daemon && may_reopen {
        querier.daemon = Daemon::ask(lookup.name(), lookup.daemon_families());
    }
    let deadline = querier.exchange.deadline;
    let mut until = querier.exchange.start;
    loop {
        let now = querier.exchange.now();
        if now >= deadline {
            querier.drain(lookup, &mut buffer, true);
            return Ok(());
        }
        if lookup.take_new_name() {
            querier.exchange.schedule.restart(now);
        }
        until = match lookup.poll(now) {
            Progress::Done => {
                querier.drain(lookup, &mut buffer, now >= until);
                // Meanwhile the host may have withdrawn its addresses.
                if lookup.poll(now) == Progress::Done {
                    return Ok(());
                }
                continue;
            }
            Progress::WaitUntil(_) => {
                querier.questions.clear();
                lookup.follow_up(querier.interfaces, now, &mut querier.questions);
                // A failure does not end the lookup: it has received an address already.
                let _ = querier.send_all(lookup, now);
                match lookup.poll(now) {
                    Progress::WaitUntil(until) => until,
                    Progress::Done | Progress::NoResponse => now,
                }
            }
            Progress::NoResponse => {
                while let Some(step) = querier.exchange.schedule.take_due(now) {
                    let result = querier.take(step, lookup, config, now);
                    let exchange = &mut *querier.exchange;
                    exchange.any_sent |= result.is_ok() && step != Step::AskDaemon;
                    if let (Err(error), false) = (result, exchange.any_sent) {
                        exchange.failure = exchange.failure.or(Some(error));
                    }
                }
                // If nothing can be sent to the groups, neighbours or a daemon may still respond.
                if let (Some(failure), false) = (querier.exchange.failure, querier.exchange.any_sent) {
                    if querier.exchange.schedule.hurry(now) {
                        continue;
                    }
                    if !querier.daemon.as_ref().is_some_and(Daemon::knows) {
                        return Err(failure);
                    }
                }
                querier.exchange.schedule.next().map_or(deadline, |(at, _)| at)
            }
        };
        fault_injection::point(Point::Sent);
        let is_interrupted = querier.wait(lookup, until.min(deadline).saturating_duration_since(now), signals)?;
        for _ in 0..BATCH {
            let now = querier.exchange.now();
            if now >= deadline {
                break;
            }
            match querier.receive_one(lookup, &mut buffer, now) {
                None => break,
                Some(true) if now < until && lookup.poll(now) == Progress::Done => break,
                Some(_) => {}
            }
        }
        if is_interrupted && lookup.poll(querier.exchange.now()) != Progress::Done {
            // What has arrived is lost when the sockets are closed.
            querier.drain(lookup, &mut buffer, true);
            return Err(querier.exchange.interrupt(querier.sockets.ports()));
        }
    }
}

/// What a lookup does while nobody has responded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Send the questions of a round.
    Ask(Round),
    /// Ask a daemon on this machine, which has a cache that outlives processes.
    AskDaemon,
}

/// When the steps of a lookup without a response are due: the first round at once, the neighbours after
/// [`NEIGHBOURS_AFTER`] and a daemon after [`DAEMON_AFTER`] if the settings allow it, and the repeats at the times in the
/// settings.
#[derive(Debug)]
struct Schedule {
    start: Instant,
    retries: Retries,
    /// The optional steps, and when they are due after the start.
    optional: [Option<(Duration, Step)>; 2],
    is_first_due: bool,
    /// A repeat is due that is not in the settings.
    is_repeat_due: bool,
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
        Self { start, retries: config.retries, optional, is_first_due: true, is_repeat_due: false, repeats: 0 }
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
        if self.is_repeat_due {
            return Some((self.start, Step::Ask(Round::Repeat)));
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
            Step::Ask(Round::Repeat) if self.is_repeat_due => self.is_repeat_due = false,
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

struct Querier<'a, O> {
    observer: O,
    sockets: Sockets,
    daemon: Option<Daemon>,
    interfaces: &'a Interfaces,
    exchange: &'a mut Exchange,
    // The questions to send next. A field, so that all rounds use the same allocation.
    questions: Vec<Question>,
    /// The neighbours on all interfaces, once they have been read.
    neighbours: Option<Vec<Neighbour>>,
}

impl<'a, O: Observer> Querier<'a, O> {
    fn new(sockets: Sockets, interfaces: &'a Interfaces, exchange: &'a mut Exchange, observer: O) -> Self {
        Self { observer, sockets, daemon: None, interfaces, exchange, questions: Vec::new(), neighbours: None }
    }

    /// Takes a step.
    fn take(&mut self, step: Step, lookup: &mut dyn Lookup, config: &Config, now: Instant) -> Result<(), LookupError> {
        match step {
            Step::Ask(round) => {
                self.observer.report(Event::Round(round));
                self.questions.clear();
                lookup.round(round, self.interfaces, &mut self.questions);
                if round == Round::Repeat {
                    if self.exchange.schedule.repeats > 1 {
                        keep_on_best(&mut self.questions);
                    }
                    if config.listener {
                        self.sockets.open_missing_listeners(self.interfaces, self.observer);
                    }
                }
                self.send_all(lookup, now)
            }
            Step::AskDaemon => {
                self.exchange.has_asked_daemon = true;
                self.daemon = Daemon::ask(lookup.name(), lookup.daemon_families());
                self.observer.report(Event::DaemonAsked(self.daemon.is_some()));
                self.daemon.as_ref().map(|_| ()).ok_or(LookupError::NoInterface)
            }
        }
    }

    /// Sends the questions, and reports to `lookup` which of them could be sent.
    ///
    /// # Errors
    /// If none could be sent: the first failure other than [`LookupError::NoInterface`], or else that.
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

    /// Waits until a packet or a reply of the daemon has arrived, a signal is pending, or `timeout` has passed. Passes
    /// addresses in replies of the daemon to `lookup`; [`Querier::receive_one`] receives packets. Returns whether a signal
    /// is pending.
    ///
    /// # Errors
    /// Those of [`Sockets::wait_with`].
    fn wait(
        &mut self,
        lookup: &mut dyn Lookup,
        timeout: Duration,
        signals: &mut PendingSignals<'_>,
    ) -> Result<bool, LookupError> {
        let (max_wait, signal) = signals.before_wait();
        let timeout = timeout.min(max_wait);
        if self.daemon.is_none() && signal.fd < 0 {
            return self.sockets.wait(timeout).map(|()| false);
        }
        let none = libc::pollfd { fd: -1, events: 0, revents: 0 };
        let [v4, v6] = self.daemon.as_ref().map_or([none; 2], Daemon::poll_list);
        let mut others = [v4, v6, signal];
        self.sockets.wait_with(timeout, &mut others)?;
        let [v4, v6, signal] = others;
        if let Some(daemon) = &mut self.daemon {
            daemon.receive(&[v4, v6], &mut |address| lookup.on_daemon_address(address, self.exchange.now()));
        }
        Ok(signals.after_wait(signal))
    }

    /// Sends a question. One to an IPv4 group is sent once from each IPv4 prefix of the interface: repeats and follow-ups
    /// too, because a host in one prefix may neither receive nor answer what comes from another. It still counts as one
    /// question ([`Lookup::on_sent`] is called once), because each host can answer only one of these packets. Questions to
    /// a single host are sent once: the routing table selects the source address in the host's prefix.
    ///
    /// # Errors
    /// The last failure, if it could not be sent at all.
    fn send(&mut self, question: &Question, lookup: &dyn Lookup, now: Instant) -> Result<(), LookupError> {
        if matches!(question.to, Destination::Neighbours(_) | Destination::OtherAddresses(..)) {
            return self.send_to_neighbours(question, lookup, now);
        }
        let interfaces = self.interfaces;
        let is_to_group_v4 =
            matches!(question.to, Destination::Group(Family::V4) | Destination::GroupFromListener(Family::V4));
        let mut sources = interfaces.sources(question.interface).filter(|_| is_to_group_v4).peekable();
        if sources.peek().is_none() {
            return self.send_from(None, question, lookup, now);
        }
        let mut result = Err(LookupError::NoInterface);
        for source in sources {
            result = result.or(self.send_from(Some(source), question, lookup, now));
        }
        result
    }

    /// Sends a question once, from this source address.
    fn send_from(
        &mut self,
        source: Option<Ipv4Addr>,
        question: &Question,
        lookup: &dyn Lookup,
        now: Instant,
    ) -> Result<(), LookupError> {
        let Question { interface, to, rtype, unicast_response } = *question;
        let transport = to.transport();
        let mut query = Query { id: 0, name: lookup.name(), rtype, unicast_response };
        let to = match to {
            Destination::GroupFromListener(transport) => {
                self.send_query(&query, SocketKind::MulticastListener, interface, source, group(transport))?;
                self.exchange.pending.expect_multicast(interface, transport);
                return Ok(());
            }
            Destination::Group(transport) => group(transport),
            Destination::Host(ip) => ip,
            // `send` handles these.
            Destination::Neighbours(_) | Destination::OtherAddresses(..) => return Err(LookupError::NoInterface),
        };
        // Each response must identify one query.
        let unused = |id: &u16| !self.exchange.pending.has_id(*id);
        query.id =
            std::iter::repeat_with(|| self.exchange.ids.next()).take(16).find(unused).ok_or(LookupError::Exhausted)?;
        let sent = SentQuery { id: query.id, interface, transport, rtype, unicast_response, at: now };
        if !self.exchange.pending.add(sent, query.name) {
            return Err(LookupError::Exhausted);
        }
        self.send_query(&query, SocketKind::Ephemeral, interface, source, to)
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
        if self.exchange.neighbours_left == 0 {
            return Err(LookupError::NoInterface);
        }
        // The table is read once for all interfaces, and again after the host has responded, which adds the host to it.
        let neighbours = match self.neighbours.take().filter(|_| matches!(question.to, Destination::Neighbours(_))) {
            Some(neighbours) => neighbours,
            None => neighbours::read(self.interfaces).map_err(|_| LookupError::NoInterface)?,
        };
        let there = || neighbours.iter().filter(|neighbour| neighbour.interface == question.interface);
        let link_layer = match question.to {
            Destination::OtherAddresses(known, _) => {
                let known = there().find(|neighbour| neighbour.ip == known).ok_or(LookupError::NoInterface)?;
                Some(known.link_layer)
            }
            _ => None,
        };
        let is_asked = |ip| Family::of(ip) == question.to.transport();
        let mut result = Err(LookupError::NoInterface);
        for neighbour in there().filter(|neighbour| is_asked(neighbour.ip)) {
            if self.exchange.neighbours_left > 0
                && link_layer.is_none_or(|link_layer| neighbour.link_layer == link_layer)
            {
                self.exchange.neighbours_left -= 1;
                let direct = Question { to: Destination::Host(neighbour.ip), ..*question };
                result = result.or(self.send(&direct, lookup, now));
            }
        }
        self.neighbours = Some(neighbours);
        result
    }

    fn send_query(
        &self,
        query: &Query<'_>,
        socket: SocketKind,
        interface: u32,
        source: Option<Ipv4Addr>,
        to: IpAddr,
    ) -> Result<(), LookupError> {
        let mut buffer = [0; MAX_QUERY];
        let packet = query.encode(&mut buffer);
        let result = self.sockets.send(packet, socket, interface, source, to);
        self.observer.report(Event::Sent(Sent { query, socket, interface, source, to, result: &result }));
        result.map_err(|error| LookupError::from_io(&error))
    }

    /// Receives one packet; None if there is none, otherwise whether it was accepted.
    fn receive_one(&mut self, lookup: &mut dyn Lookup, buffer: &mut [u8], now: Instant) -> Option<bool> {
        let datagram = self.sockets.receive(buffer)?;
        fault_injection::point(Point::Received);
        let octets = buffer.get(..datagram.received.length).unwrap_or_default();
        let response = validate(&datagram, octets, &self.exchange.pending, self.interfaces);
        self.observer.report(Event::Received {
            datagram: &datagram,
            octets,
            rejection: response.as_ref().err().copied(),
        });
        let is_accepted = response.is_ok();
        if let Ok(response) = response {
            fault_injection::point(Point::Accepted);
            lookup.on_response(&response, now);
        }
        Some(is_accepted)
    }

    /// Receives packets that have already arrived when the lookup is done, because a host may have more addresses than
    /// the first response contained. Their number is bounded: while many processes look up names, their queries fill
    /// the receive queues of the multicast listeners. A lookup that ends at its deadline, or later than planned because
    /// the machine is busy, also looks for responses behind many ignored packets.
    fn drain(&mut self, lookup: &mut dyn Lookup, buffer: &mut [u8], is_late: bool) {
        let _ = self.sockets.wait(Duration::ZERO);
        let sockets = self.sockets.count();
        let max = MAX_DRAINED.max(4 * sockets);
        let max_ignored = if is_late { max } else { 2 * sockets };
        let mut ignored = 0;
        for _ in 0..max {
            match self.receive_one(lookup, buffer, self.exchange.now()) {
                Some(true) => ignored = 0,
                Some(false) if ignored < max_ignored => ignored += 1,
                _ => break,
            }
        }
    }
}

/// Removes the questions on all interfaces but the first [`MAX_REPEATED`] of those that occur. A lookup asks on the best
/// interfaces first.
fn keep_on_best(questions: &mut Vec<Question>) {
    // No interface has the index 0.
    let mut kept = [0; MAX_REPEATED];
    questions.retain(|question| {
        let place = kept.iter_mut().find(|kept| **kept == question.interface || **kept == 0);
        place.map(|place| *place = question.interface).is_some()
    });
}

#[cfg(test)]
mod tests;
