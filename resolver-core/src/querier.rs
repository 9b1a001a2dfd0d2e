//! The one-shot querier (RFC 6762, section 5.1): sends the queries of a lookup, waits for responses, repeats the queries.
//!
//! Synchronous: no thread, socket or lock outlives [`run`]. This is the only loop that waits.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::config::{Config, Retries};
use crate::error::LookupError;
use crate::fault_injection::{self, Point};
use crate::ids::Ids;
use crate::lookup::{Lookup, Progress};
use crate::net::interfaces::{Interface, Interfaces};
use crate::net::socket::{SocketKind, Sockets, group};
use crate::try_alloc;
use crate::validate::{PendingQueries, SentQuery, validate};
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query};

/// After this many packets the sockets are polled again, so that a flood on one does not hide a response on another.
const BATCH: usize = 32;

/// The most packets that are drained once the lookup is done, unless there are very many sockets.
const MAX_DRAINED: usize = 64;

/// How queries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transmission {
    /// From ephemeral ports. Nearly every responder answers these, and without delay.
    First,
    /// After silence, in two other ways at once. From the multicast listeners with id 0: the response is multicast, which
    /// stateful firewalls admit. And from ephemeral ports with the unicast-response bit set (RFC 6762, section 5.4): some
    /// responders echo the id only then, and others are limited to one multicast per record per second.
    Repeat,
}

/// Sends the queries of `lookup` until it is done or `timeout` has passed since the first query, and passes the responses to
/// it.
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
    let mut buffer = try_alloc::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    let mut querier = Querier {
        sockets: Sockets::open(interfaces, config.listener)?,
        interfaces,
        pending: PendingQueries::default(),
        ids: Ids::new(),
    };
    fault_injection::point(Point::Sockets);
    let start = Instant::now();
    let deadline = start + timeout;
    let mut schedule = RetransmitSchedule { start, retries: config.retries, sent: 0 };
    let (mut any_sent, mut asked_again) = (false, false);
    let mut until = start;
    // True if the process woke up too late, because the machine was busy: what arrived in time is still to be read.
    let is_late = loop {
        let now = Instant::now();
        if now >= deadline {
            break true;
        }
        if lookup.take_new_name() {
            schedule = RetransmitSchedule { start: now, sent: 0, ..schedule };
        }
        until = match lookup.poll(now) {
            Progress::Done => break now >= until,
            Progress::WaitUntil(until) => match lookup.ask_again_at().filter(|_| !asked_again) {
                Some(at) if at <= now => {
                    asked_again = true;
                    // The lookup has an answer even if this query cannot be sent.
                    let _ = querier.transmit(Transmission::First, lookup, now);
                    until
                }
                Some(at) => until.min(at),
                None => until,
            },
            Progress::NoResponse => {
                if let Some(transmission) = schedule.due(now) {
                    schedule.sent += 1;
                    match querier.transmit(transmission, lookup, now) {
                        Ok(()) => any_sent = true,
                        // Once a query has been sent, a response may arrive even if a repeat fails.
                        Err(error) if !any_sent => return Err(error),
                        Err(_) => {}
                    }
                }
                schedule.next().unwrap_or(deadline)
            }
        };
        fault_injection::point(Point::Sent);
        querier.sockets.wait(until.min(deadline).saturating_duration_since(now))?;
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

/// When the queries of a lookup are sent.
struct RetransmitSchedule {
    start: Instant,
    retries: Retries,
    /// How often they have been sent.
    sent: usize,
}

impl RetransmitSchedule {
    /// The time of the next transmission.
    fn next(&self) -> Option<Instant> {
        match self.sent.checked_sub(1) {
            None => Some(self.start),
            Some(repeat) => self.retries.get(repeat).map(|time| self.start + time),
        }
    }

    /// The transmission that is due now.
    fn due(&self, now: Instant) -> Option<Transmission> {
        let transmission = if self.sent == 0 { Transmission::First } else { Transmission::Repeat };
        self.next().filter(|&next| next <= now).map(|_| transmission)
    }
}

struct Querier<'a> {
    sockets: Sockets,
    interfaces: &'a Interfaces,
    pending: PendingQueries,
    ids: Ids,
}

impl Querier<'_> {
    /// Sends the queries on every interface, over every family in which it has an address. Queries about an address go only
    /// to the link that it is on: nobody else knows its name.
    ///
    /// A failure on one interface or transport is ignored.
    ///
    /// # Errors
    /// The first failure, if nothing could be sent.
    fn transmit(
        &mut self,
        transmission: Transmission,
        lookup: &mut dyn Lookup,
        now: Instant,
    ) -> Result<(), LookupError> {
        let mut result = Err(LookupError::NoInterface);
        let target = lookup.direct_target();
        let is_concerned = |index| target.is_none_or(|ip| self.interfaces.is_on_link(ip, index));
        for interface in self.interfaces.iter().filter(|interface| is_concerned(interface.index)) {
            for transport in interface.families.iter() {
                let sent = self.query(transmission, lookup, *interface, group(transport), now);
                if sent.is_ok() {
                    lookup.on_query_sent(transport, now);
                }
                result = result.or(sent);
            }
        }
        if let Some(ip) = target {
            for interface in self.interfaces.on_link(ip) {
                // Never from a multicast listener: the response would go to port 5353, and so to a daemon.
                result = result.or(self.query(Transmission::First, lookup, *interface, ip, now));
            }
        }
        result
    }

    /// Sends a query for each record type that the lookup still asks for.
    ///
    /// # Errors
    /// The first failure, if nothing could be sent.
    fn query(
        &mut self,
        transmission: Transmission,
        lookup: &dyn Lookup,
        interface: Interface,
        to: IpAddr,
        now: Instant,
    ) -> Result<(), LookupError> {
        let transport = Family::of(to);
        let is_repeat = transmission == Transmission::Repeat;
        let mut result = Err(LookupError::NoInterface);
        for &rtype in lookup.question_types(transport, interface.families.contains(transport.other())) {
            let query = Query { id: 0, name: lookup.name(), rtype, unicast_response: false };
            if is_repeat && self.send(&query, SocketKind::MulticastListener, interface.index, to).is_ok() {
                self.pending.expect_multicast(interface.index, transport);
                result = Ok(());
            }
            let query = Query { id: self.ids.next(), unicast_response: is_repeat, ..query };
            let sent = SentQuery { id: query.id, interface: interface.index, transport, rtype, at: now };
            if !self.pending.add(sent, query.name) {
                return result.or(Err(LookupError::Exhausted));
            }
            result = result.or(self.send(&query, SocketKind::Ephemeral, interface.index, to));
        }
        result
    }

    fn send(&self, query: &Query<'_>, socket: SocketKind, interface: u32, to: IpAddr) -> Result<(), LookupError> {
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
