//! The one-shot querier (RFC 6762, section 5.1): asks, waits no longer than it must, asks again.
//!
//! Synchronous and alone: no thread, socket or lock outlives [`run`]. This is the only loop that waits.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::Family;
use crate::collector::{Collector, Verdict};
use crate::config::{Config, Retries};
use crate::error::LookupError;
use crate::ids::Ids;
use crate::interfaces::{Interface, Interfaces};
use crate::memory;
use crate::socket::{Channel, Sockets, group};
use crate::stages::{self, Stage};
use crate::validation::{self, Asked, Outstanding};
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query};

/// After this many packets the sockets are looked at anew, so that a flood on one does not hide an answer on another.
const BATCH: usize = 32;

/// The most packets that are taken in once the lookup is done, where there are not very many sockets.
const MOST_LEFT_OVERS: usize = 64;

/// How an attempt asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// From ephemeral ports: what nearly every responder answers, and at once.
    Plain,
    /// In two other ways at once, after silence. From the group's sockets with id 0, because the answer comes by
    /// multicast, which stateful firewalls admit. And from ephemeral ports, asking for a unicast response (RFC 6762,
    /// section 5.4), because some responders echo an id only then, or have used up this second's multicast.
    Again,
}

/// Asks what `collector` wants to know until it is done or `timeout` has passed since the first query, and hands it the
/// answers.
///
/// # Errors
/// What kept the network from being asked, or from being listened to; the collector may have heard something before.
/// Silence is no error here: the collector knows.
pub(crate) fn run(
    collector: &mut dyn Collector,
    interfaces: &Interfaces,
    config: &Config,
    timeout: Duration,
) -> Result<(), LookupError> {
    let mut buffer = memory::zeroed(MAX_MESSAGE).ok_or(LookupError::Exhausted)?;
    let mut querier = Querier {
        sockets: Sockets::open(interfaces, config.listener)?,
        interfaces,
        outstanding: Outstanding::default(),
        ids: Ids::new(),
    };
    stages::reach(Stage::Sockets);
    let start = Instant::now();
    let deadline = start + timeout;
    let mut attempts = Attempts { start, retries: config.retries, made: 0 };
    let (mut asked, mut asked_again) = (false, false);
    let mut until = start;
    // True if this process woke up too late, because the machine was busy: what has come in time is still to be read.
    let is_late = loop {
        let now = Instant::now();
        if now >= deadline {
            break true;
        }
        if collector.take_new_name() {
            attempts = Attempts { start: now, made: 0, ..attempts };
        }
        until = match collector.verdict(now) {
            Verdict::Done => break now >= until,
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
            Verdict::Silent => {
                if let Some(attempt) = attempts.due(now) {
                    attempts.made += 1;
                    match querier.attempt(attempt, collector, now) {
                        Ok(()) => asked = true,
                        // Once a question is out, an answer may come, whatever becomes of the next.
                        Err(error) if !asked => return Err(error),
                        Err(_) => {}
                    }
                }
                attempts.next().unwrap_or(deadline)
            }
        };
        stages::reach(Stage::Asked);
        querier.sockets.wait(until.min(deadline).saturating_duration_since(now))?;
        for _ in 0..BATCH {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            match querier.take_one(collector, &mut buffer, now) {
                None => break,
                Some(true) if now < until && collector.verdict(now) == Verdict::Done => break,
                Some(_) => {}
            }
        }
    };
    // A host has more than one address: what is already here is wanted too. But where many look up names at once, the ear
    // is full of their questions.
    let _ = querier.sockets.wait(Duration::ZERO);
    let round = querier.sockets.count();
    let most = MOST_LEFT_OVERS.max(4 * round);
    let patience = if is_late { most } else { 2 * round };
    let mut of_no_use = 0;
    for _ in 0..most {
        match querier.take_one(collector, &mut buffer, Instant::now()) {
            Some(true) => of_no_use = 0,
            Some(false) if of_no_use < patience => of_no_use += 1,
            _ => break,
        }
    }
    Ok(())
}

/// The attempts of a lookup.
struct Attempts {
    start: Instant,
    retries: Retries,
    made: usize,
}

impl Attempts {
    /// When the next attempt is to be made.
    fn next(&self) -> Option<Instant> {
        match self.made.checked_sub(1) {
            None => Some(self.start),
            Some(retry) => self.retries.get(retry).map(|time| self.start + time),
        }
    }

    /// The attempt that is to be made now.
    fn due(&self, now: Instant) -> Option<Attempt> {
        self.next().filter(|&next| next <= now).map(|_| if self.made == 0 { Attempt::Plain } else { Attempt::Again })
    }
}

struct Querier<'a> {
    sockets: Sockets,
    interfaces: &'a Interfaces,
    outstanding: Outstanding,
    ids: Ids,
}

impl Querier<'_> {
    /// Asks on every interface, over every family that it has; about an address, only where that is on the link, because
    /// nobody elsewhere can know its name.
    ///
    /// An error on one of them is passed over: only if nothing at all could be sent is it the lookup's.
    fn attempt(&mut self, attempt: Attempt, collector: &mut dyn Collector, now: Instant) -> Result<(), LookupError> {
        let mut result = Err(LookupError::NoInterface);
        let direct = collector.direct();
        let concerned = |index| direct.is_none_or(|ip| self.interfaces.is_on_link(ip, index));
        for interface in self.interfaces.iter().filter(|interface| concerned(interface.index)) {
            for over in Family::ALL.into_iter().filter(|&over| interface.has(over)) {
                let sent = self.ask(attempt, collector, *interface, group(over), now);
                if sent.is_ok() {
                    collector.asked(over, now);
                }
                result = result.or(sent);
            }
        }
        if let Some(ip) = direct {
            for interface in self.interfaces.on_link(ip) {
                // From the group's sockets one cannot ask directly: the answer would go to port 5353 of a daemon.
                result = result.or(self.ask(Attempt::Plain, collector, *interface, ip, now));
            }
        }
        result
    }

    /// Asks for each of the types that are wanted; an error only if nothing could be sent.
    fn ask(
        &mut self,
        attempt: Attempt,
        collector: &dyn Collector,
        interface: Interface,
        to: IpAddr,
        now: Instant,
    ) -> Result<(), LookupError> {
        let over = Family::of(to);
        let mut result = Err(LookupError::NoInterface);
        for &kind in collector.kinds(over, interface.has(over.other())) {
            let query = Query { id: 0, name: collector.name(), kind, unicast_response: false };
            if attempt == Attempt::Again && self.send(&query, Channel::Group, interface.index, to).is_ok() {
                self.outstanding.expect_multicast(interface.index, over);
                result = Ok(());
            }
            let query = Query { id: self.ids.next(), unicast_response: attempt == Attempt::Again, ..query };
            let asked = Asked { id: query.id, interface: interface.index, over, kind, at: now };
            if !self.outstanding.add(asked, query.name) {
                return result.or(Err(LookupError::Exhausted));
            }
            result = result.or(self.send(&query, Channel::Ephemeral, interface.index, to));
        }
        result
    }

    fn send(&self, query: &Query<'_>, channel: Channel, interface: u32, to: IpAddr) -> Result<(), LookupError> {
        let mut buffer = [0; MAX_QUERY];
        let packet = query.encode(&mut buffer);
        self.sockets.send(packet, channel, interface, to).map_err(|error| LookupError::from_io(&error))
    }

    /// Takes in one packet; None if there is none, else whether it is believed.
    fn take_one(&mut self, collector: &mut dyn Collector, buffer: &mut [u8], now: Instant) -> Option<bool> {
        let datagram = self.sockets.receive(buffer)?;
        stages::reach(Stage::Received);
        let octets = buffer.get(..datagram.received.length).unwrap_or_default();
        let reply = validation::believe(&datagram, octets, &self.outstanding, self.interfaces);
        let is_believed = reply.is_some();
        if let Some(reply) = reply {
            stages::reach(Stage::Believed);
            collector.take(&reply, now);
        }
        Some(is_believed)
    }
}
