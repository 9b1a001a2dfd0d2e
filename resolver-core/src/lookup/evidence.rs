//! What a lookup may conclude about an address family in which it has no address. No other code decides this.
//!
//! **Only responses are evidence; silence never is.** A lost packet, a firewall and a slow link look the same as a host
//! without an address. What is known about a family, once the host has responded at all:
//!
//! | state | cause | what follows |
//! |---|---|---|
//! | found | a valid address | done |
//! | denied over a transport | an NSEC record (RFC 6762, section 6.1) in a packet without addresses of the host; or a complete response to *our* question, for this family or (IPv6 only) for ANY, that has addresses of the other family and none of this one | absent, once it is denied over its own transport and over every other transport over which it was asked for |
//! | unanswered | IPv6 only: asked for often enough, as below | the caller may receive what else is known; the family is *unknown* |
//! | open | none of these: for example, nothing has arrived over its transport, or no question could be sent | nothing: ask again |
//!
//! IPv4 and IPv6 are separate zones (RFC 6762, section 20): what is denied over one transport may exist over the other.
//!
//! A missing IPv4 address stays open until the lookup ends. A missing IPv6 address is given up earlier
//! ([`Conclusion::Unanswered`]), because hosts without IPv6 are common and few of them deny it:
//!
//! | what is known | given up after |
//! |---|---|
//! | it is denied over IPv4, and the host has not responded over IPv6 | three questions over IPv6, one of them from the multicast listener, and `grace-min` after the first response |
//! | anything else | five questions over each transport that does not deny it, one of them from the multicast listener; and, since the first of these, [`UNDENIED_WAIT`] and twice the delay of the first response, whichever is longer |
//!
//! If a multicast listener is unavailable, no question from it is required.
//!
//! The last of these questions must have had time to be answered: twice the delay of the first response, or
//! [`MIN_ANSWER_TIME`], whichever is longer. Only questions count that were sent no earlier than the one that the host
//! responded to first: earlier ones may all have been lost.
//!
//! No I/O; reads no clock.

use std::time::{Duration, Instant};

use crate::address::{Families, Family};
use crate::try_alloc;
use crate::validate::Source;
use crate::wire::{Name, Nsec};

/// The maximum number of sources whose evidence is kept. Evidence from further sources is ignored.
const MAX_SOURCES: usize = 16;

/// The minimum time for which a missing IPv6 address is asked for if nothing denies it.
const UNDENIED_WAIT: Duration = Duration::from_millis(60);

/// The minimum time in which a question can be answered.
const MIN_ANSWER_TIME: Duration = Duration::from_millis(5);

/// What may be concluded about a family that has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The host has no address of this family. May be cached like an address.
    Absent,
    /// It was asked for often enough without a response. The caller may receive what else is known, but whether the
    /// host has such an address is unknown.
    Unanswered,
    /// Nothing yet. Even if no packet arrives, this may change at the given time; None if it cannot, unless more
    /// questions are sent.
    Open(Option<Instant>),
}

/// What a lookup has sent, and what the sources of accepted responses have said.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    questions: Vec<SentQuestion>,
    /// The interfaces and transports whose multicast listener is unavailable, so no question from it can be expected.
    without_listener: Vec<(u32, Family)>,
    sources: Vec<SourceEvidence>,
}

/// A question that was sent.
#[derive(Debug)]
struct SentQuestion {
    interface: u32,
    transport: Family,
    /// The families that it asked for.
    families: Families,
    by_listener: bool,
    at: Instant,
}

/// What one source has said about the host.
#[derive(Debug)]
struct SourceEvidence {
    source: Source,
    /// The families of the addresses that were taken from it.
    provided: Families,
    /// The families that its NSEC record denies, or that it omitted from its response to a question for that family.
    denied: Families,
    /// The families that it omitted otherwise, as [`Evidence::on_omitted`] says.
    omitted: Families,
}

/// The host that is being looked up: where and when it first responded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostContext {
    /// The interface on whose link the sender of its first response is.
    pub(crate) interface: u32,
    /// The families in which that interface has an address: the transports over which the host can respond.
    pub(crate) transports: Families,
    /// When its first response arrived.
    pub(crate) first_at: Instant,
    /// The time from the query to that response.
    pub(crate) first_delay: Duration,
    /// The setting `grace-min`.
    pub(crate) grace_min: Duration,
}

impl Evidence {
    /// Records that a question for `families` was sent.
    pub(crate) fn on_sent(
        &mut self,
        interface: u32,
        transport: Family,
        families: Families,
        by_listener: bool,
        now: Instant,
    ) {
        try_alloc::push(&mut self.questions, SentQuestion { interface, transport, families, by_listener, at: now });
    }

    /// Records that the multicast listener of an interface over a transport is unavailable.
    pub(crate) fn on_no_listener(&mut self, interface: u32, transport: Family) {
        if !self.without_listener.contains(&(interface, transport)) {
            try_alloc::push(&mut self.without_listener, (interface, transport));
        }
    }

    /// Records that addresses of `families` were taken from `source`.
    pub(crate) fn on_provided(&mut self, source: Source, families: Families) {
        if self.sources.len() == MAX_SOURCES && !self.sources.iter().any(|evidence| evidence.source == source) {
            // A source of addresses takes the place of one without.
            if let Some(other) = self.sources.iter().position(|evidence| evidence.provided.is_empty()) {
                self.sources.swap_remove(other);
            }
        }
        if let Some(evidence) = self.source_mut(source) {
            evidence.provided = evidence.provided.union(families);
        }
    }

    /// Records what an NSEC record of the host, whose name is `name`, denies. Returns the family that it denies, if it
    /// denies one.
    pub(crate) fn on_nsec(&mut self, source: Source, nsec: &Nsec<'_>, name: &Name) -> Option<Family> {
        // A bitmap denies a family only if it lists the other one: some responders list only the type that was asked
        // for.
        let denied = match (nsec.has_a, nsec.has_aaaa) {
            (true, false) => Family::V6,
            (false, true) => Family::V4,
            _ => return None,
        };
        nsec.leads_to(name).then(|| {
            self.on_denied(source, denied);
            denied
        })
    }

    /// Records that `source` denies `family` expressly: by an NSEC record, or because its response to a question for
    /// that family alone has addresses of the other family but none of this one.
    pub(crate) fn on_denied(&mut self, source: Source, family: Family) {
        if let Some(evidence) = self.source_mut(source) {
            evidence.denied.insert(family);
        }
    }

    /// Records that a response from `source` to a question for ANY has addresses of the other family but none of this
    /// one; or a response to a question for `family`, none that the settings allow.
    pub(crate) fn on_omitted(&mut self, source: Source, family: Family) {
        if let Some(evidence) = self.source_mut(source) {
            evidence.omitted.insert(family);
        }
    }

    /// True if addresses were taken from `source`.
    pub(crate) fn has_provided(&self, source: Source) -> bool {
        self.sources.iter().any(|evidence| evidence.source == source && !evidence.provided.is_empty())
    }

    /// A source of the host's addresses on this interface that responded over `transport`.
    pub(crate) fn provider(&self, interface: u32, transport: Family) -> Option<Source> {
        self.providers(interface, transport).next().map(|evidence| evidence.source)
    }

    /// True if any source of the host's addresses responded over `transport`, on any interface.
    pub(crate) fn has_provider_over(&self, transport: Family) -> bool {
        let mut providers = self.sources.iter().filter(|evidence| !evidence.provided.is_empty());
        providers.any(|evidence| Family::of(evidence.source.ip) == transport)
    }

    /// True if a question for `family` was sent over `transport` on this interface.
    pub(crate) fn was_sent(&self, interface: u32, transport: Family, family: Family) -> bool {
        self.asked(interface, transport, family).next().is_some()
    }

    /// True if `family` is denied over `transport` on this interface, in any way.
    pub(crate) fn is_denied(&self, interface: u32, transport: Family, family: Family) -> bool {
        self.speakers(interface, transport, family)
            .any(|evidence| evidence.denied.contains(family) || evidence.omitted.contains(family))
    }

    /// True if `family` is denied over `transport` on this interface by an NSEC record, or by a response to a question
    /// for that family alone. Some responders answer ANY with one family over each transport; they leave a question for
    /// the other family unanswered there.
    pub(crate) fn is_denied_expressly(&self, interface: u32, transport: Family, family: Family) -> bool {
        self.speakers(interface, transport, family).any(|evidence| evidence.denied.contains(family))
    }

    /// What the tables at the head of this file conclude about a `family` without an address at `now`.
    pub(crate) fn conclude(&self, family: Family, host: &HostContext, now: Instant) -> Conclusion {
        if self.is_absent(family, host) {
            return Conclusion::Absent;
        }
        if family == Family::V4 {
            return Conclusion::Open(None);
        }
        match self.given_up_at(host) {
            Some(at) if at <= now => Conclusion::Unanswered,
            at => Conclusion::Open(at),
        }
    }

    /// True if `family` is denied over its own transport and over every other over which it was asked for.
    fn is_absent(&self, family: Family, host: &HostContext) -> bool {
        let mut was_asked = false;
        for transport in host.transports.iter() {
            let is_asked = self.asked(host.interface, transport, family).next().is_some();
            if (is_asked || transport == family) && !self.is_denied(host.interface, transport, family) {
                return false;
            }
            was_asked |= is_asked;
        }
        was_asked
    }

    /// When a missing IPv6 address is given up; None unless all the questions that this requires have been sent.
    fn given_up_at(&self, host: &HostContext) -> Option<Instant> {
        let family = Family::V6;
        let answered_at = host.first_at.checked_sub(host.first_delay)?;
        let unanswered = |transport| {
            self.asked(host.interface, transport, family).filter(move |question| question.at >= answered_at)
        };
        // The time at which `count` questions had been sent over a transport, one of them from the multicast listener.
        let sent_at = |transport, count: usize| {
            let last = unanswered(transport).nth(count - 1)?.at;
            if self.without_listener.contains(&(host.interface, transport)) {
                return Some(last);
            }
            let by_listener = unanswered(transport).find(|question| question.by_listener)?.at;
            Some(last.max(by_listener))
        };
        let round_trips = host.first_delay * 2;
        let answer_time = round_trips.max(MIN_ANSWER_TIME);
        let is_silent = self.providers(host.interface, Family::V6).next().is_none();
        let is_denied_over_v4 = self.is_denied(host.interface, Family::V4, family);
        if let Some(sent) = sent_at(Family::V6, 3).filter(|_| is_denied_over_v4 && is_silent) {
            return Some((host.first_at + host.grace_min).max(sent + answer_time));
        }
        let mut latest = None;
        for transport in host.transports.iter() {
            if self.is_denied(host.interface, transport, family) {
                continue;
            }
            let (first, sent) = (unanswered(transport).next()?.at, sent_at(transport, 5)?);
            latest = latest.max(Some((first + UNDENIED_WAIT.max(round_trips)).max(sent + answer_time)));
        }
        latest
    }

    /// The sources whose denial of `family` counts: those that provided addresses of the other family. Only such a
    /// source is the host, or answers on its behalf.
    fn speakers(&self, interface: u32, transport: Family, family: Family) -> impl Iterator<Item = &SourceEvidence> {
        self.providers(interface, transport).filter(move |evidence| evidence.provided.contains(family.other()))
    }

    /// The sources of the host's addresses on this interface that responded over `transport`.
    fn providers(&self, interface: u32, transport: Family) -> impl Iterator<Item = &SourceEvidence> {
        self.sources.iter().filter(move |evidence| {
            let Source { ip, interface: heard_on } = evidence.source;
            heard_on == interface && Family::of(ip) == transport && !evidence.provided.is_empty()
        })
    }

    /// The questions for `family` that were sent out of this interface over `transport`.
    fn asked(&self, interface: u32, transport: Family, family: Family) -> impl Iterator<Item = &SentQuestion> {
        self.questions.iter().filter(move |question| {
            question.interface == interface && question.transport == transport && question.families.contains(family)
        })
    }

    fn source_mut(&mut self, source: Source) -> Option<&mut SourceEvidence> {
        if !self.sources.iter().any(|evidence| evidence.source == source) && self.sources.len() < MAX_SOURCES {
            let none = Families::NONE;
            try_alloc::push(&mut self.sources, SourceEvidence { source, provided: none, denied: none, omitted: none });
        }
        self.sources.iter_mut().find(|evidence| evidence.source == source)
    }
}

#[cfg(test)]
mod tests;
