//! What a lookup may conclude about an address family in which it has no address. No other code decides this.
//!
//! **Only responses are evidence; silence never is.** A lost packet, a firewall and a slow link look the same as a host
//! without an address. What is known about a family, once the host has responded at all:
//!
//! | state | cause | what follows |
//! |---|---|---|
//! | found | a valid address | done |
//! | denied over a transport | an NSEC record (RFC 6762, section 6.1); or a response to *our* question, for this family or for ANY, that has addresses of the other family and none of this one | absent, once it is denied over its own transport and over every other transport over which it was asked for |
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
//! No I/O; reads no clock.

use std::time::{Duration, Instant};

use crate::address::{Families, Family};
use crate::try_alloc;
use crate::validate::Source;

/// The maximum number of sources whose evidence is kept. Evidence from further sources is ignored.
const MAX_SOURCES: usize = 16;

/// The minimum time for which a missing IPv6 address is asked for if nothing denies it.
const UNDENIED_WAIT: Duration = Duration::from_millis(60);

/// What may be concluded about a family that has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
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
    paths: Vec<Path>,
    sources: Vec<SourceEvidence>,
}

/// The questions that were sent out of one interface over one transport.
#[derive(Debug)]
struct Path {
    interface: u32,
    transport: Family,
    for_v4: Sent,
    for_v6: Sent,
    /// The multicast listener of this path is unavailable, so no question can be sent from it.
    has_no_listener: bool,
}

/// The questions for one family.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    count: u8,
    by_listener: bool,
    first: Option<Instant>,
}

/// What one source has said about the host.
#[derive(Debug)]
struct SourceEvidence {
    source: Source,
    /// The families of the addresses that were taken from it.
    provided: Families,
    /// The families that its NSEC record denies.
    denied: Families,
    /// The families that it omitted from its response to a question for them.
    omitted: Families,
}

/// The host that is being looked up: where and when it first responded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostContext {
    /// The interface on which its first response arrived.
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
        let Some(path) = self.path_mut(interface, transport) else { return };
        for family in families.iter() {
            let sent = path.sent_mut(family);
            sent.count = sent.count.saturating_add(1);
            sent.by_listener |= by_listener;
            sent.first = sent.first.or(Some(now));
        }
    }

    /// Records that the multicast listener of a path is unavailable.
    pub(crate) fn on_no_listener(&mut self, interface: u32, transport: Family) {
        if let Some(path) = self.path_mut(interface, transport) {
            path.has_no_listener = true;
        }
    }

    /// Records that addresses of `families` were taken from `source`.
    pub(crate) fn on_provided(&mut self, source: Source, families: Families) {
        if let Some(evidence) = self.source_mut(source) {
            evidence.provided = evidence.provided.union(families);
        }
    }

    /// Records that an NSEC record from `source` denies `family`.
    pub(crate) fn on_denied(&mut self, source: Source, family: Family) {
        if let Some(evidence) = self.source_mut(source) {
            evidence.denied.insert(family);
        }
    }

    /// Records that a response from `source` to a question for `family` has addresses of the other family but none of
    /// this one.
    pub(crate) fn on_omitted(&mut self, source: Source, family: Family) {
        if let Some(evidence) = self.source_mut(source) {
            evidence.omitted.insert(family);
        }
    }

    /// Discards what the sources said. Called when an alias has led to another name.
    pub(crate) fn forget_sources(&mut self) {
        self.sources.clear();
    }

    /// True if addresses were taken from `source`.
    pub(crate) fn has_provided(&self, source: Source) -> bool {
        self.sources.iter().any(|evidence| evidence.source == source && !evidence.provided.is_empty())
    }

    /// A source of the host's addresses on this interface that responded over `transport`.
    pub(crate) fn provider(&self, interface: u32, transport: Family) -> Option<Source> {
        self.providers(interface, transport).next().map(|evidence| evidence.source)
    }

    /// True if a question for `family` was sent over `transport` on this interface.
    pub(crate) fn was_sent(&self, interface: u32, transport: Family, family: Family) -> bool {
        self.sent(interface, transport, family).count > 0
    }

    /// True if `family` is denied over `transport` on this interface, by an NSEC record or by omission.
    pub(crate) fn is_denied(&self, interface: u32, transport: Family, family: Family) -> bool {
        self.speakers(interface, transport, family)
            .any(|evidence| evidence.denied.contains(family) || evidence.omitted.contains(family))
    }

    /// True if an NSEC record that arrived over `transport` on this interface denies `family`.
    pub(crate) fn is_denied_by_nsec(&self, interface: u32, transport: Family, family: Family) -> bool {
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
            let sent = self.sent(host.interface, transport, family);
            if (sent.count > 0 || transport == family) && !self.is_denied(host.interface, transport, family) {
                return false;
            }
            was_asked |= sent.count > 0;
        }
        was_asked
    }

    /// When a missing IPv6 address is given up; None unless all the questions that this requires have been sent.
    fn given_up_at(&self, host: &HostContext) -> Option<Instant> {
        let family = Family::V6;
        let is_silent = self.providers(host.interface, Family::V6).next().is_none();
        let over_v6 = self.sent(host.interface, Family::V6, family);
        let listened = |transport| {
            let path = self.paths.iter().find(|path| path.is(host.interface, transport));
            path.is_some_and(|path| path.has_no_listener || path.sent(family).by_listener)
        };
        let is_denied_over_v4 = self.is_denied(host.interface, Family::V4, family);
        if is_denied_over_v4 && is_silent && over_v6.count >= 3 && listened(Family::V6) {
            return Some(host.first_at + host.grace_min);
        }
        let mut latest = None;
        for transport in host.transports.iter() {
            if self.is_denied(host.interface, transport, family) {
                continue;
            }
            let sent = self.sent(host.interface, transport, family);
            let first = sent.first.filter(|_| sent.count >= 5 && listened(transport))?;
            latest = latest.max(Some(first + UNDENIED_WAIT.max(host.first_delay * 2)));
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

    fn sent(&self, interface: u32, transport: Family, family: Family) -> Sent {
        let path = self.paths.iter().find(|path| path.is(interface, transport));
        path.map(|path| path.sent(family)).unwrap_or_default()
    }

    fn path_mut(&mut self, interface: u32, transport: Family) -> Option<&mut Path> {
        if !self.paths.iter().any(|path| path.is(interface, transport)) {
            let (for_v4, for_v6) = (Sent::default(), Sent::default());
            try_alloc::push(&mut self.paths, Path { interface, transport, for_v4, for_v6, has_no_listener: false });
        }
        self.paths.iter_mut().find(|path| path.is(interface, transport))
    }

    fn source_mut(&mut self, source: Source) -> Option<&mut SourceEvidence> {
        if !self.sources.iter().any(|evidence| evidence.source == source) && self.sources.len() < MAX_SOURCES {
            let none = Families::NONE;
            try_alloc::push(&mut self.sources, SourceEvidence { source, provided: none, denied: none, omitted: none });
        }
        self.sources.iter_mut().find(|evidence| evidence.source == source)
    }
}

impl Path {
    fn is(&self, interface: u32, transport: Family) -> bool {
        self.interface == interface && self.transport == transport
    }

    fn sent(&self, family: Family) -> Sent {
        match family {
            Family::V4 => self.for_v4,
            Family::V6 => self.for_v6,
        }
    }

    fn sent_mut(&mut self, family: Family) -> &mut Sent {
        match family {
            Family::V4 => &mut self.for_v4,
            Family::V6 => &mut self.for_v6,
        }
    }
}

#[cfg(test)]
mod tests;
