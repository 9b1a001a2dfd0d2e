//! The one-shot querier (RFC 6762, section 5.1): asks, waits no longer than it must, asks again.
//!
//! Synchronous and alone: no thread, socket or lock outlives [`run`]. This is the only loop that waits.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::Family;
use crate::collector::{Collector, Verdict};
use crate::error::LookupError;
use crate::ids::Ids;
use crate::interfaces::{Interface, Interfaces};
use crate::memory;
use crate::socket::{Channel, GROUP_V4, GROUP_V6, Sockets};
use crate::validation::{self, Asked, Outstanding};
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query};

/// After this many packets the sockets are looked at anew, so that a flood on one does not hide an answer on another.
const BATCH: usize = 32;

/// The most packets that are taken in once the lookup is done.
const MOST_LEFT_OVERS: usize = 64;

/// When a lookup asks and how long it waits, all from its first query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When silence is the answer.
    pub(crate) timeout: Duration,
    /// When it asks again while nothing has been heard.
    pub(crate) retries: [Duration; 2],
}

/// How an attempt asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// From ephemeral ports.
    Plain,
    /// From the group's sockets with id 0, which passes stateful firewalls; from ephemeral ports where there are none.
    FromGroup,
    /// From ephemeral ports, asking for a unicast response (RFC 6762, section 5.4), without which some answer only the
    /// group.
    UnicastResponse,
}

const ATTEMPTS: [Attempt; 3] = [Attempt::Plain, Attempt::FromGroup, Attempt::UnicastResponse];

/// Asks what `collector` wants to know until it is done or the time is up, and hands it the answers.
///
/// # Errors
/// Why no question could be sent at all. Silence is no error here: the collector knows.
pub(crate) fn run(
    collector: &mut dyn Collector,
    interfaces: &Interfaces,
    schedule: Schedule,
) -> Result<(), LookupError> {
    let mut buffer = memory::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    let mut querier = Querier {
        sockets: Sockets::open(interfaces)?,
        interfaces,
        outstanding: Outstanding::default(),
        ids: Ids::new(),
    };
    let start = Instant::now();
    let deadline = start + schedule.timeout;
    let mut attempts = Attempts::from(start, schedule);
    let mut asked_again = false;
    loop {
        let now = Instant::now();
        if now >= deadline {
            return Ok(());
        }
        let until = match collector.verdict(now) {
            Verdict::Done => break,
            Verdict::WaitUntil(until) => match collector.ask_again_at().filter(|_| !asked_again) {
                Some(at) if at <= now => {
                    asked_again = true;
                    // What has been heard is an answer even if this cannot be sent.
                    let _ = querier.attempt(Attempt::Plain, collector, now);
                    until
                }
                Some(at) => until.min(at),
                None => until,
            },
            Verdict::Renamed => {
                querier.outstanding.clear();
                attempts = Attempts::from(now, schedule);
                querier.attempt(Attempt::Plain, collector, now)?;
                attempts.advance();
                continue;
            }
            Verdict::Silent => {
                if let Some(attempt) = attempts.due(now) {
                    querier.attempt(attempt, collector, now)?;
                    attempts.advance();
                }
                attempts.next().unwrap_or(deadline)
            }
        };
        querier.sockets.wait(until.min(deadline).saturating_duration_since(now))?;
        for _ in 0..BATCH {
            let now = Instant::now();
            if now >= deadline || !querier.take_one(collector, &mut buffer, now) {
                break;
            }
        }
    }
    // A host has more than one address: what is already here is wanted too.
    querier.sockets.wait(Duration::ZERO)?;
    for _ in 0..MOST_LEFT_OVERS {
        if !querier.take_one(collector, &mut buffer, Instant::now()) {
            break;
        }
    }
    Ok(())
}

/// The attempts of a lookup that are still to be made.
struct Attempts {
    times: [Instant; ATTEMPTS.len()],
    made: usize,
}

impl Attempts {
    fn from(start: Instant, schedule: Schedule) -> Self {
        let [second, third] = schedule.retries;
        Self { times: [start, start + second, start + third], made: 0 }
    }

    /// When the next attempt is to be made.
    fn next(&self) -> Option<Instant> {
        self.times.get(self.made).copied()
    }

    /// The attempt that is to be made now.
    fn due(&self, now: Instant) -> Option<Attempt> {
        self.next().filter(|&next| next <= now).and_then(|_| ATTEMPTS.get(self.made).copied())
    }

    fn advance(&mut self) {
        self.made += 1;
    }
}

struct Querier<'a> {
    sockets: Sockets,
    interfaces: &'a Interfaces,
    outstanding: Outstanding,
    ids: Ids,
}

impl Querier<'_> {
    /// Asks on every interface, over every family that it has.
    ///
    /// An error on one of them is passed over: only if nothing at all could be sent is it the lookup's.
    fn attempt(&mut self, attempt: Attempt, collector: &mut dyn Collector, now: Instant) -> Result<(), LookupError> {
        let mut result = Err(LookupError::NoInterface);
        for interface in self.interfaces.iter() {
            for over in Family::ALL.into_iter().filter(|&over| interface.has(over)) {
                let group = match over {
                    Family::V4 => IpAddr::from(GROUP_V4),
                    Family::V6 => IpAddr::from(GROUP_V6),
                };
                let sent = self.ask(attempt, collector, *interface, group);
                if sent.is_ok() {
                    collector.asked(over, now);
                }
                result = result.or(sent);
            }
        }
        if let Some(ip) = collector.direct() {
            for interface in self.interfaces.on_link(ip) {
                // From the group's sockets one cannot ask directly: the answer would go to port 5353 of a daemon.
                result = result.or(self.ask(Attempt::Plain, collector, *interface, ip));
            }
        }
        result
    }

    /// Sends a packet for each of the types that are wanted; an error only if none could be sent.
    fn ask(
        &mut self,
        attempt: Attempt,
        collector: &dyn Collector,
        interface: Interface,
        to: IpAddr,
    ) -> Result<(), LookupError> {
        let over = Family::of(to);
        let mut result = Err(LookupError::NoInterface);
        for &kind in collector.kinds(over, interface.has(over.other())) {
            let mut packet = [0; MAX_QUERY];
            let mut query = Query { id: 0, name: collector.name(), kind, unicast_response: false };
            if attempt == Attempt::FromGroup {
                let sent = self.sockets.send(query.encode(&mut packet), Channel::Group, interface.index, to);
                if sent.is_ok() {
                    self.outstanding.expect_multicast(interface.index, over);
                    result = Ok(());
                    continue;
                }
            }
            query.id = self.ids.next();
            query.unicast_response = attempt != Attempt::Plain;
            let asked = Asked { id: query.id, interface: interface.index, over, kind };
            if !self.outstanding.add(asked) {
                return result.or(Err(LookupError::Exhausted));
            }
            let sent = self.sockets.send(query.encode(&mut packet), Channel::Ephemeral, interface.index, to);
            result = result.or(sent.map_err(|error| LookupError::from_io(&error)));
        }
        result
    }

    /// Takes in one packet; false if there is none.
    fn take_one(&mut self, collector: &mut dyn Collector, buffer: &mut [u8], now: Instant) -> bool {
        let Some(datagram) = self.sockets.receive(buffer) else { return false };
        let octets = buffer.get(..datagram.received.length).unwrap_or_default();
        if let Some(reply) =
            validation::believe(&datagram, octets, collector.name(), &self.outstanding, self.interfaces)
        {
            collector.take(&reply, now);
        }
        true
    }
}
