//! Gathers a host's addresses from the packets that are believed, and knows when there is nothing more to wait for.
//!
//! Pure: packets and times in, an [`Answer`] out.
//!
//! Both families are always asked for, and most responders answer both at once. Few say so when a host has addresses of
//! one family only, so silence about the other has to be understood: from an NSEC record (RFC 6762, section 6.1), from an
//! answer to the other family's question that lacks it, or else from a short grace. Halfway through the grace the other
//! family is asked for once more, because the first question or its answer may have been lost.
//!
//! What is overheard on the group may be part of an answer to somebody else, who knew the rest or had just heard it (RFC
//! 6762, sections 6 and 7.1): an answer of our own gets the shortest grace to come, too.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::{Address, Answer, Families, Family, sort_by_rank};
use crate::collector::{Collector, Verdict};
use crate::config::Config;
use crate::interfaces::Interfaces;
use crate::memory;
use crate::policy;
use crate::validation::{Reply, Source};
use crate::wire::{Message, Name, RecordType};

/// The longest chain of aliases that is followed.
const MOST_ALIASES: u8 = 8;

/// The most addresses that a host is believed to have.
const MOST_ADDRESSES: usize = 1024;

/// The most sources that are told apart. Those beyond are heard, but bear no witness.
const MOST_SOURCES: usize = 16;

/// A first answer by multicast that is later than this was held back for a random time of 20 to 120 ms, as many responders
/// do with each (RFC 6762, section 6); an earlier one, and one by unicast, took the round trip.
const PROMPT: Duration = Duration::from_millis(15);

/// By then, from the question, the second of two answers that were held back has come, even from a busy host.
const HELD_BACK: Duration = Duration::from_millis(160);

/// Gathers the addresses of one host.
#[derive(Debug)]
pub(crate) struct AddressCollector {
    name: Name,
    aliases: u8,
    renamed: bool,
    wanted: Families,
    grace_min: Duration,
    grace_max: Duration,
    ipv6_link_local: bool,
    asked_at: Option<Instant>,
    asked_over_v6: bool,
    heard_over_v6: bool,
    first: Option<FirstAnswer>,
    found: Vec<Address>,
    /// The families that came in answer to our own questions.
    answered: Families,
    // Reused from packet to packet.
    in_packet: Vec<IpAddr>,
    witnesses: Vec<Witness>,
    ttl: Duration,
}

#[derive(Clone, Copy, Debug)]
struct FirstAnswer {
    at: Instant,
    /// From the question.
    delay: Duration,
    by_multicast: bool,
}

/// What one source has said of the host.
#[derive(Debug)]
struct Witness {
    source: Source,
    /// The families of which its addresses were taken.
    gave: Families,
    /// Those that its NSEC record rules out.
    denied: Families,
    /// Those that it left out of its answer to their own question.
    lacked: Families,
}

impl AddressCollector {
    /// For the addresses of `name`. The lookup is done when those of the `wanted` families are known.
    pub(crate) fn new(name: &Name, wanted: Families, config: &Config) -> Self {
        Self {
            name: name.clone(),
            aliases: 0,
            renamed: false,
            wanted,
            grace_min: config.grace_min,
            grace_max: config.grace_max,
            ipv6_link_local: config.ipv6_link_local,
            asked_at: None,
            asked_over_v6: false,
            heard_over_v6: false,
            first: None,
            found: Vec::new(),
            answered: Families::default(),
            in_packet: Vec::new(),
            witnesses: Vec::new(),
            ttl: config.ttl_max,
        }
    }

    /// The answer at `now`, when the lookup has ended; None if nothing was heard of the host.
    #[inline(never)]
    pub(crate) fn finish(&mut self, interfaces: &Interfaces, now: Instant) -> Option<Answer> {
        if self.found.is_empty() {
            return None;
        }
        let mut absent = Families::default();
        for family in Family::ALL {
            if !self.has(family) && self.is_absent(family, now) {
                absent.insert(family);
            }
        }
        if !self.ipv6_link_local {
            leave_out_ipv6_link_local(&mut self.found);
        }
        // Addresses on the link that they were heard on can surely be reached, others perhaps (think of the inside of
        // a responder's containers); those that need no scope first. The responder's order is kept otherwise.
        sort_by_rank(&mut self.found, |address| {
            2 * u8::from(!interfaces.is_on_link(address.ip, address.interface)) + u8::from(address.is_link_local())
        });
        Some(Answer {
            canonical: self.name.clone(),
            addresses: std::mem::take(&mut self.found),
            absent,
            expires: now + self.ttl,
        })
    }

    /// True if there is an address of `family` that will be part of the answer.
    fn has(&self, family: Family) -> bool {
        let counts = |address: &&Address| self.ipv6_link_local || !is_ipv6_link_local(address);
        self.found.iter().filter(counts).any(|address| Family::of(address.ip) == family)
    }

    /// True if the host is known to have no address of `family`. For a family that was not wanted only evidence counts:
    /// the lookup may have ended long before `now`, and time alone means nothing then.
    fn is_absent(&self, family: Family, now: Instant) -> bool {
        let evident = self.first.is_some_and(|first| self.absence_since(family) == Some(first.at));
        evident || self.wanted.contains(family) && self.absence_since(family).is_some_and(|since| since <= now)
    }

    /// Follows the aliases in a message, as long as they lead on, and takes the addresses at the end of them. Returns the
    /// families that it had any of, of this host.
    #[inline(never)]
    fn take_addresses(&mut self, message: &Message<'_>, source: Source) -> Families {
        loop {
            let gave = self.take_addresses_of_name(message, source);
            if gave != Families::default() || !self.found.is_empty() {
                self.renamed = false;
                return gave;
            }
            if self.aliases >= MOST_ALIASES || !self.follow_alias(message) {
                return gave;
            }
        }
    }

    /// Goes on to the target of an alias of the present name, if the message has one that may be followed.
    #[inline(never)]
    fn follow_alias(&mut self, message: &Message<'_>) -> bool {
        let mut target = Name::root();
        for record in message.records() {
            if record.kind == RecordType::CNAME
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
                self.witnesses.clear();
                return true;
            }
        }
        false
    }

    /// Takes the addresses of the present name, unless they are another host's; returns their families.
    #[inline(never)]
    fn take_addresses_of_name(&mut self, message: &Message<'_>, source: Source) -> Families {
        let mut ttl = self.ttl;
        let mut families = Families::default();
        self.in_packet.clear();
        for record in message.records() {
            let Some(ip) = record.address().filter(|_| record.is_internet() && record.ttl > 0) else { continue };
            if policy::is_host_address(ip) && record.is_of(&self.name) {
                memory::push(&mut self.in_packet, ip);
                families.insert(Family::of(ip));
                ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            }
        }
        if families == Families::default() || self.is_another_host(families, source) {
            return Families::default();
        }
        for &ip in &self.in_packet {
            if self.found.len() < MOST_ADDRESSES && !self.found.iter().any(|found| found.ip == ip) {
                memory::push(&mut self.found, Address { ip, interface: source.interface });
            }
        }
        for family in families.iter() {
            self.note(source, |witness| witness.gave.insert(family));
        }
        self.ttl = ttl;
        families
    }

    /// True if the addresses in the packet, of these families, are not to be joined to those already there: two sources
    /// that agree on none of a host's addresses are two hosts of one name, and the first to answer is the one. (One host
    /// may speak as two sources, with its IPv4 addresses over IPv4 and its IPv6 addresses over IPv6.)
    fn is_another_host(&self, families: Families, source: Source) -> bool {
        let known =
            self.witnesses.iter().any(|witness| witness.source == source && witness.gave != Families::default());
        let shared = |ip: &IpAddr| self.found.iter().any(|found| found.ip == *ip);
        families.iter().any(|family| self.has(family)) && !known && !self.in_packet.iter().any(shared)
    }

    #[inline(never)]
    fn take_denials(&mut self, message: &Message<'_>, source: Source) {
        for record in message.records() {
            let Some(nsec) = record.nsec().filter(|_| record.is_internet() && record.ttl > 0) else { continue };
            if !nsec.leads_to(&self.name) || !record.is_of(&self.name) {
                continue;
            }
            // It denies one family only if it knows the other. Some responders' bitmaps say just what was asked for.
            match (nsec.has_a, nsec.has_aaaa) {
                (true, false) => self.note(source, |witness| witness.denied.insert(Family::V6)),
                (false, true) => self.note(source, |witness| witness.denied.insert(Family::V4)),
                _ => {}
            }
        }
    }

    fn note(&mut self, source: Source, change: impl FnOnce(&mut Witness)) {
        if !self.witnesses.iter().any(|witness| witness.source == source) && self.witnesses.len() < MOST_SOURCES {
            let none = Families::default();
            memory::push(&mut self.witnesses, Witness { source, gave: none, denied: none, lacked: none });
        }
        if let Some(witness) = self.witnesses.iter_mut().find(|witness| witness.source == source) {
            change(witness);
        }
    }

    /// Since when it is clear that the host has no address of `missing`, or from when on it will be; None while nothing at
    /// all has been heard.
    fn absence_since(&self, missing: Family) -> Option<Instant> {
        let first = self.first?;
        // A source is believed about what it lacks only if it gave the other family: then it is the host, or speaks for it.
        let speaks = |witness: &&Witness| witness.gave.contains(missing.other());
        if self.witnesses.iter().filter(speaks).any(|witness| witness.denied.contains(missing)) {
            return Some(first.at);
        }
        let grace = first.at + self.grace(first);
        if !self.witnesses.iter().filter(speaks).any(|witness| witness.lacked.contains(missing)) {
            return Some(grace);
        }
        // Some responders give IPv6 addresses over IPv6 only.
        let ipv6_may_come = missing == Family::V6 && self.asked_over_v6 && !self.heard_over_v6;
        Some(if ipv6_may_come { grace.min(first.at + self.grace_min) } else { first.at })
    }

    /// How long after the first answer the rest may come.
    fn grace(&self, first: FirstAnswer) -> Duration {
        let round_trip = (first.delay * 2).clamp(self.grace_min, self.grace_max);
        let held_back = first.by_multicast && first.delay >= PROMPT;
        if held_back { round_trip.max(HELD_BACK.saturating_sub(first.delay)) } else { round_trip }
    }
}

/// Where the settings have it so.
pub(crate) fn leave_out_ipv6_link_local(addresses: &mut Vec<Address>) {
    addresses.retain(|address| !is_ipv6_link_local(address));
}

fn is_ipv6_link_local(address: &Address) -> bool {
    address.ip.is_ipv6() && address.is_link_local()
}

impl Collector for AddressCollector {
    fn name(&self) -> &Name {
        &self.name
    }

    /// AAAA over both, because some responders give IPv6 addresses over IPv6 only; A over IPv6 only where there is no IPv4.
    fn kinds(&self, over: Family, other: bool) -> &'static [RecordType] {
        let a_here = over == Family::V4 || !other;
        match (self.has(Family::V4), self.has(Family::V6)) {
            (false, false) if a_here => &[RecordType::A, RecordType::AAAA],
            (false, true) if a_here => &[RecordType::A],
            (_, false) => &[RecordType::AAAA],
            (_, true) => &[],
        }
    }

    fn direct(&self) -> Option<IpAddr> {
        None
    }

    fn asked(&mut self, over: Family, now: Instant) {
        self.asked_at = Some(now);
        self.asked_over_v6 |= over == Family::V6;
    }

    fn take(&mut self, reply: &Reply<'_>, now: Instant) {
        let gave = self.take_addresses(&reply.message, reply.source);
        self.take_denials(&reply.message, reply.source);
        if self.first.is_none() && !self.found.is_empty() {
            let asked_at = reply.answers.map(|asked| asked.at).or(self.asked_at);
            let delay = asked_at.map_or(Duration::ZERO, |asked_at| now.saturating_duration_since(asked_at));
            self.first = Some(FirstAnswer { at: now, delay, by_multicast: reply.answers.is_none() });
        }
        self.heard_over_v6 |= reply.source.ip.is_ipv6() && gave != Families::default();
        let Some(asked) = reply.answers else { return };
        for family in gave.iter() {
            self.answered.insert(family);
        }
        let lacked = if asked.kind == RecordType::A { Family::V4 } else { Family::V6 };
        // An answer without any address says nothing.
        if gave.contains(lacked.other()) && !gave.contains(lacked) {
            self.note(reply.source, |witness| witness.lacked.insert(lacked));
        }
    }

    fn verdict(&self, now: Instant) -> Verdict {
        let mut until = None;
        for family in self.wanted.iter().filter(|&family| !self.has(family)) {
            match self.absence_since(family) {
                None => return Verdict::Silent,
                Some(since) => until = until.max(Some(since)),
            }
        }
        if self.wanted.iter().any(|family| self.has(family) && !self.answered.contains(family)) {
            until = until.max(self.first.map(|first| first.at + self.grace_min));
        }
        match until.filter(|&until| now < until) {
            Some(until) => Verdict::WaitUntil(until),
            None => Verdict::Done,
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
