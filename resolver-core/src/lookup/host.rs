//! Looks up the addresses of a host: collects them from the accepted responses, and decides when nothing more is coming.
//!
//! Both families are always asked for, and most responders answer both at once. Few say so when a host has addresses of
//! only one family. The absence of the other is concluded from an NSEC record (RFC 6762, section 6.1), from a response to
//! the question for the other family that omits it, or, failing those, from a short grace period. Halfway through the grace
//! period the other family is asked for once more, because the first question or its response may have been lost.
//!
//! A multicast response may be part of an answer to somebody else, who knew the rest or had just received it (RFC 6762,
//! sections 6 and 7.1). A response of our own gets the shortest grace period to arrive as well.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family, is_host_address, is_link_local};
use crate::config::Config;
use crate::lookup::answer::{Answer, expiry, sort_by_rank};
use crate::lookup::{Lookup, Progress};
use crate::net::interfaces::Interfaces;
use crate::try_alloc;
use crate::validate::{Response, Source};
use crate::wire::{Message, Name, RecordType};

/// The longest chain of aliases that is followed.
const MAX_ALIASES: u8 = 8;

/// The most addresses that are kept of one host.
const MAX_ADDRESSES: usize = 1024;

/// The most sources whose negative evidence is kept. That of further sources is ignored.
const MAX_SOURCES: usize = 16;

/// A first multicast response that arrives later than this was delayed on purpose: many responders delay each by a random
/// time of 20 to 120 ms (RFC 6762, section 6). An earlier one, and any unicast response, took the round-trip time.
const PROMPT: Duration = Duration::from_millis(15);

/// By this time after the query, the second of two responses that were delayed on purpose has arrived, even from a busy host.
const DELAYED_PAIR: Duration = Duration::from_millis(160);

/// A lookup of the addresses of one host.
#[derive(Debug)]
pub(crate) struct HostLookup {
    name: Name,
    aliases: u8,
    renamed: bool,
    wanted: Families,
    grace_min: Duration,
    grace_max: Duration,
    ttl_max: Duration,
    ipv6_link_local: bool,
    last_query_at: Option<Instant>,
    queried_over_v6: bool,
    heard_over_v6: bool,
    first: Option<FirstResponse>,
    found: Vec<Address>,
    /// The families that arrived in responses to our own queries.
    answered: Families,
    // Reused from packet to packet.
    in_packet: Vec<IpAddr>,
    responders: Vec<Responder>,
    /// The shortest TTL of the records in use.
    ttl: Duration,
}

/// The first response with an address of the host.
#[derive(Clone, Copy, Debug)]
struct FirstResponse {
    at: Instant,
    /// The time from the query to the response.
    delay: Duration,
    by_multicast: bool,
}

/// What one source has said about the host.
#[derive(Debug)]
struct Responder {
    source: Source,
    /// The families of the addresses that were taken from it.
    provided: Families,
    /// The families that its NSEC record rules out.
    denied: Families,
    /// The families that it left out of its response to the question for them.
    omitted: Families,
}

impl HostLookup {
    /// A lookup of the addresses of `name`. It is done when those of the `wanted` families are known.
    pub(crate) fn new(name: &Name, wanted: Families, config: &Config) -> Self {
        Self {
            name: name.clone(),
            aliases: 0,
            renamed: false,
            wanted,
            grace_min: config.grace_min,
            grace_max: config.grace_max,
            ttl_max: config.ttl_max,
            ipv6_link_local: config.ipv6_link_local,
            last_query_at: None,
            queried_over_v6: false,
            heard_over_v6: false,
            first: None,
            found: Vec::new(),
            answered: Families::NONE,
            in_packet: Vec::new(),
            responders: Vec::new(),
            ttl: Duration::MAX,
        }
    }

    /// The answer, once the lookup has ended at `now`; None if no address of the host is known.
    #[inline(never)]
    pub(crate) fn finish(&mut self, interfaces: &Interfaces, now: Instant) -> Option<Answer> {
        if self.found.is_empty() {
            return None;
        }
        let absent =
            Family::ALL.into_iter().filter(|&family| !self.has(family) && self.is_absent(family, now)).collect();
        if !self.ipv6_link_local {
            remove_ipv6_link_local(&mut self.found);
        }
        // Addresses on the link where the response arrived can be reached, others perhaps not (for example those inside the
        // responder's containers). Among equals, those that need no scope come first; otherwise the responder's order holds.
        sort_by_rank(&mut self.found, |address| {
            2 * u8::from(!interfaces.is_on_link(address.ip, address.interface)) + u8::from(is_link_local(address.ip))
        });
        Some(Answer {
            canonical: self.name.clone(),
            addresses: std::mem::take(&mut self.found),
            absent,
            expires: expiry(now, self.ttl, self.ttl_max),
        })
    }

    /// True if an address of `family` will be part of the answer.
    fn has(&self, family: Family) -> bool {
        let counts = |address: &&Address| self.ipv6_link_local || !address.needs_scope();
        self.found.iter().filter(counts).any(|address| Family::of(address.ip) == family)
    }

    /// True if the host is known to have no address of `family`. For a family that was not wanted, only evidence counts: the
    /// lookup may have ended long before `now`, so the time that has passed means nothing.
    fn is_absent(&self, family: Family, now: Instant) -> bool {
        let is_evident = self.first.is_some_and(|first| self.absent_from(family) == Some(first.at));
        is_evident || self.wanted.contains(family) && self.absent_from(family).is_some_and(|from| from <= now)
    }

    /// Follows the aliases in a message as far as they lead, and takes the addresses at their end. Returns the families of
    /// this host's addresses in the message.
    #[inline(never)]
    fn take_addresses(&mut self, message: &Message<'_>, source: Source) -> Families {
        loop {
            let provided = self.take_addresses_of_name(message, source);
            if !provided.is_empty() || !self.found.is_empty() {
                self.renamed = false;
                return provided;
            }
            if self.aliases >= MAX_ALIASES || !self.follow_alias(message) {
                return provided;
            }
        }
    }

    /// Continues with the target of an alias of the present name, if the message has one that may be followed.
    #[inline(never)]
    fn follow_alias(&mut self, message: &Message<'_>) -> bool {
        let mut target = Name::root();
        for record in message.records() {
            if record.rtype == RecordType::CNAME
                && record.is_internet()
                && record.ttl > 0
                && record.is_of(&self.name)
                && record.read_target(&mut target)
                && target.is_local()
                && target.is_clean()
                && target != self.name
            {
                self.name.clone_from(&target);
                self.ttl = self.ttl.min(Duration::from_secs(record.ttl.into()));
                self.aliases += 1;
                self.renamed = true;
                self.responders.clear();
                return true;
            }
        }
        false
    }

    /// Takes the addresses of the present name, unless they belong to another host; returns their families.
    #[inline(never)]
    fn take_addresses_of_name(&mut self, message: &Message<'_>, source: Source) -> Families {
        let mut ttl = self.ttl;
        let mut families = Families::NONE;
        self.in_packet.clear();
        for record in message.records() {
            let Some(ip) = record.address().filter(|_| record.is_internet() && record.ttl > 0) else { continue };
            if is_host_address(ip) && record.is_of(&self.name) {
                try_alloc::push(&mut self.in_packet, ip);
                families.insert(Family::of(ip));
                ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            }
        }
        if families.is_empty() || self.is_another_host(families, source) {
            return Families::NONE;
        }
        for &ip in &self.in_packet {
            if self.found.len() < MAX_ADDRESSES && !self.found.iter().any(|found| found.ip == ip) {
                try_alloc::push(&mut self.found, Address { ip, interface: source.interface });
            }
        }
        for family in families.iter() {
            self.note(source, |responder| responder.provided.insert(family));
        }
        self.ttl = ttl;
        families
    }

    /// True if the addresses in the packet, of these families, belong to another host with the same name. Two sources that
    /// share no address are two hosts, and the first to respond is used. (One host can appear as two sources: it may send
    /// its IPv4 addresses over IPv4 and its IPv6 addresses over IPv6.)
    fn is_another_host(&self, families: Families, source: Source) -> bool {
        let is_known =
            self.responders.iter().any(|responder| responder.source == source && !responder.provided.is_empty());
        let is_shared = |ip: &IpAddr| self.found.iter().any(|found| found.ip == *ip);
        families.iter().any(|family| self.has(family)) && !is_known && !self.in_packet.iter().any(is_shared)
    }

    #[inline(never)]
    fn take_denials(&mut self, message: &Message<'_>, source: Source) {
        for record in message.records() {
            let Some(nsec) = record.nsec().filter(|_| record.is_internet() && record.ttl > 0) else { continue };
            if !nsec.leads_to(&self.name) || !record.is_of(&self.name) {
                continue;
            }
            // A bitmap denies one family only if it has the other: some responders set just the bit that was asked for.
            match (nsec.has_a, nsec.has_aaaa) {
                (true, false) => self.note(source, |responder| responder.denied.insert(Family::V6)),
                (false, true) => self.note(source, |responder| responder.denied.insert(Family::V4)),
                _ => {}
            }
        }
    }

    fn note(&mut self, source: Source, change: impl FnOnce(&mut Responder)) {
        if !self.responders.iter().any(|responder| responder.source == source) && self.responders.len() < MAX_SOURCES {
            let none = Families::NONE;
            let responder = Responder { source, provided: none, denied: none, omitted: none };
            try_alloc::push(&mut self.responders, responder);
        }
        if let Some(responder) = self.responders.iter_mut().find(|responder| responder.source == source) {
            change(responder);
        }
    }

    /// The time from which the host counts as having no address of `missing`; it may be in the future. None while no address
    /// of the host has arrived.
    fn absent_from(&self, missing: Family) -> Option<Instant> {
        let first = self.first?;
        // Only a source that provided the other family is the host, or speaks for it, and can say what the host lacks.
        let speaks_for_host = |responder: &&Responder| responder.provided.contains(missing.other());
        let any = |says: fn(&Responder) -> Families| {
            self.responders.iter().filter(speaks_for_host).any(|responder| says(responder).contains(missing))
        };
        if any(|responder| responder.denied) {
            return Some(first.at);
        }
        let grace_end = first.at + self.grace(first);
        if !any(|responder| responder.omitted) {
            return Some(grace_end);
        }
        // Some responders send IPv6 addresses only over IPv6.
        let ipv6_may_come = missing == Family::V6 && self.queried_over_v6 && !self.heard_over_v6;
        Some(if ipv6_may_come { grace_end.min(first.at + self.grace_min) } else { first.at })
    }

    /// How long after the first response the rest may arrive.
    fn grace(&self, first: FirstResponse) -> Duration {
        let round_trip = (first.delay * 2).clamp(self.grace_min, self.grace_max);
        let was_delayed = first.by_multicast && first.delay >= PROMPT;
        if was_delayed { round_trip.max(DELAYED_PAIR.saturating_sub(first.delay)) } else { round_trip }
    }
}

/// Removes the addresses in fe80::/10, for settings that exclude them.
pub(crate) fn remove_ipv6_link_local(addresses: &mut Vec<Address>) {
    addresses.retain(|address| !address.needs_scope());
}

impl Lookup for HostLookup {
    fn name(&self) -> &Name {
        &self.name
    }

    /// AAAA over both transports, because some responders send IPv6 addresses only over IPv6. A over IPv6 only where there is
    /// no IPv4.
    fn question_types(&self, transport: Family, has_other_family: bool) -> &'static [RecordType] {
        let a_here = transport == Family::V4 || !has_other_family;
        match (self.has(Family::V4), self.has(Family::V6)) {
            (false, false) if a_here => &[RecordType::A, RecordType::AAAA],
            (false, true) if a_here => &[RecordType::A],
            (_, false) => &[RecordType::AAAA],
            (_, true) => &[],
        }
    }

    fn direct_target(&self) -> Option<IpAddr> {
        None
    }

    fn on_query_sent(&mut self, transport: Family, now: Instant) {
        self.last_query_at = Some(now);
        self.queried_over_v6 |= transport == Family::V6;
    }

    fn on_response(&mut self, response: &Response<'_>, now: Instant) {
        let provided = self.take_addresses(&response.message, response.source);
        self.take_denials(&response.message, response.source);
        if self.first.is_none() && !self.found.is_empty() {
            let query_at = response.query.map(|query| query.at).or(self.last_query_at);
            let delay = query_at.map_or(Duration::ZERO, |query_at| now.saturating_duration_since(query_at));
            self.first = Some(FirstResponse { at: now, delay, by_multicast: response.query.is_none() });
        }
        self.heard_over_v6 |= response.source.ip.is_ipv6() && !provided.is_empty();
        let Some(query) = response.query else { return };
        for family in provided.iter() {
            self.answered.insert(family);
        }
        let asked_for = if query.rtype == RecordType::A { Family::V4 } else { Family::V6 };
        // A response without any address is no evidence.
        if provided.contains(asked_for.other()) && !provided.contains(asked_for) {
            self.note(response.source, |responder| responder.omitted.insert(asked_for));
        }
    }

    fn poll(&self, now: Instant) -> Progress {
        let mut until = None;
        for family in self.wanted.iter().filter(|&family| !self.has(family)) {
            match self.absent_from(family) {
                None => return Progress::NoResponse,
                Some(from) => until = until.max(Some(from)),
            }
        }
        if self.wanted.iter().any(|family| self.has(family) && !self.answered.contains(family)) {
            until = until.max(self.first.map(|first| first.at + self.grace_min));
        }
        match until.filter(|&until| now < until) {
            Some(until) => Progress::WaitUntil(until),
            None => Progress::Done,
        }
    }

    fn take_new_name(&mut self) -> bool {
        std::mem::take(&mut self.renamed)
    }

    fn ask_again_at(&self) -> Option<Instant> {
        self.first.map(|first| first.at + self.grace(first) / 2)
    }
}

#[cfg(test)]
mod tests;
