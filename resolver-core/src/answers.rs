//! Gathers a host's addresses from the packets that are believed, and knows when there is nothing more to wait for.
//!
//! Pure: packets and times in, an [`Answer`] out.
//!
//! Both families are always asked for, and most responders answer both at once. Few say so when a host has addresses of
//! one family only, so silence about the other has to be understood: from an NSEC record (RFC 6762, section 6.1), from an
//! answer to the other family's question that lacks it, or else from a short grace.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::{Address, Answer, Families, Family};
use crate::collector::{Collector, Verdict};
use crate::config::Config;
use crate::interfaces::Interfaces;
use crate::memory;
use crate::policy;
use crate::validation::{Reply, Source};
use crate::wire::{Data, Message, Name, Nsec, RecordType};

/// The longest chain of aliases that is followed.
const MOST_ALIASES: u8 = 8;

/// The most addresses that a host is believed to have.
const MOST_ADDRESSES: usize = 1024;

/// The most sources that are told apart. Those beyond are heard, but bear no witness.
const MOST_SOURCES: usize = 16;

/// A first answer later than this is taken for the random delay of 20 to 120 ms that many responders make (RFC 6762,
/// section 6); an earlier one for the round trip.
const PROMPT: Duration = Duration::from_millis(15);

/// By then the second of two randomly delayed answers has come.
const DELAYED_ANSWERS_END: Duration = Duration::from_millis(130);

/// Gathers the addresses of one host.
#[derive(Debug)]
pub(crate) struct AddressCollector {
    name: Name,
    aliases: u8,
    renamed: bool,
    wanted: Families,
    grace_min: Duration,
    grace_max: Duration,
    asked_at: Option<Instant>,
    asked_over_v6: bool,
    heard_over_v6: bool,
    first: Option<FirstAnswer>,
    found: Vec<Address>,
    // Reused from packet to packet.
    in_packet: Vec<IpAddr>,
    witnesses: Vec<Witness>,
    ttl: Duration,
}

#[derive(Clone, Copy, Debug)]
struct FirstAnswer {
    at: Instant,
    delay: Duration,
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
            asked_at: None,
            asked_over_v6: false,
            heard_over_v6: false,
            first: None,
            found: Vec::new(),
            in_packet: Vec::new(),
            witnesses: Vec::new(),
            ttl: config.ttl_max,
        }
    }

    /// The answer at `now`, when the lookup has ended; None if nothing was heard of the host.
    pub(crate) fn finish(mut self, interfaces: &Interfaces, now: Instant) -> Option<Answer> {
        if self.found.is_empty() {
            return None;
        }
        let mut absent = Families::default();
        for family in Family::ALL {
            if !self.has(family) && self.absence_since(family).is_some_and(|since| since <= now) {
                absent.insert(family);
            }
        }
        // Addresses on the link that they were heard on can surely be reached, others perhaps (think of the inside of
        // a responder's containers); those that need no scope first. A stable sort: the responder's order is kept.
        self.found
            .sort_by_key(|address| (!interfaces.is_on_link(address.ip, address.interface), address.is_link_local()));
        Some(Answer { canonical: self.name, addresses: self.found, absent, expires: now + self.ttl })
    }

    fn has(&self, family: Family) -> bool {
        self.found.iter().any(|address| Family::of(address.ip) == family)
    }

    /// Follows the aliases in a message, as long as they lead on, and takes the addresses at the end of them.
    fn take_addresses(&mut self, message: &Message<'_>, source: Source) -> Families {
        loop {
            let gave = self.take_addresses_of_name(message, source);
            if gave != Families::default() || !self.found.is_empty() {
                self.renamed = false;
                return gave;
            }
            match alias(message, &self.name).filter(|_| self.aliases < MOST_ALIASES) {
                Some(target) => {
                    self.name = target;
                    self.aliases += 1;
                    self.renamed = true;
                    self.witnesses.clear();
                }
                None => return gave,
            }
        }
    }

    /// Takes the addresses of the present name; returns the families that the message has any of.
    fn take_addresses_of_name(&mut self, message: &Message<'_>, source: Source) -> Families {
        let mut ttl = self.ttl;
        let mut families = Families::default();
        self.in_packet.clear();
        for record in message.records() {
            if !matches!(record.kind, RecordType::A | RecordType::AAAA) || !record.is_internet() || record.ttl == 0 {
                continue;
            }
            let ip = match record.data() {
                Some(Data::A(ip)) => IpAddr::V4(ip),
                Some(Data::Aaaa(ip)) => IpAddr::V6(ip),
                _ => continue,
            };
            if policy::is_host_address(ip) && record.owner().is_some_and(|owner| owner == self.name) {
                memory::push(&mut self.in_packet, ip);
                families.insert(Family::of(ip));
                ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            }
        }
        for family in families.iter() {
            if self.is_of_the_host(family, source) {
                self.add_from_packet(family, source.interface);
                self.note(source, |witness| witness.gave.insert(family));
                self.ttl = ttl;
            }
        }
        families
    }

    /// True if the addresses in the packet are to be joined to those already there: two sources that agree on none of a
    /// host's addresses are two hosts of one name, and the first to answer is the one.
    fn is_of_the_host(&self, family: Family, source: Source) -> bool {
        !self.has(family)
            || self.witnesses.iter().any(|witness| witness.source == source && witness.gave.contains(family))
            || self
                .in_packet
                .iter()
                .any(|&ip| Family::of(ip) == family && self.found.iter().any(|found| found.ip == ip))
    }

    fn add_from_packet(&mut self, family: Family, interface: u32) {
        for &ip in self.in_packet.iter().filter(|&&ip| Family::of(ip) == family) {
            if self.found.len() < MOST_ADDRESSES && !self.found.iter().any(|found| found.ip == ip) {
                memory::push(&mut self.found, Address { ip, interface });
            }
        }
    }

    fn take_denials(&mut self, message: &Message<'_>, source: Source) {
        for record in message.records() {
            if record.kind != RecordType::NSEC || !record.is_internet() || record.ttl == 0 {
                continue;
            }
            let Some(Data::Nsec(Nsec { next, has_a, has_aaaa })) = record.data() else { continue };
            if next != self.name || record.owner().is_none_or(|owner| owner != self.name) {
                continue;
            }
            // It denies one family only if it knows the other. Some responders' bitmaps say just what was asked for.
            match (has_a, has_aaaa) {
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
        let grace = first.at + self.grace(first.delay);
        if !self.witnesses.iter().filter(speaks).any(|witness| witness.lacked.contains(missing)) {
            return Some(grace);
        }
        // Some responders give IPv6 addresses over IPv6 only.
        let ipv6_may_come = missing == Family::V6 && self.asked_over_v6 && !self.heard_over_v6;
        Some(if ipv6_may_come { grace.min(first.at + self.grace_min) } else { first.at })
    }

    /// How long after the first answer the rest may come.
    fn grace(&self, delay: Duration) -> Duration {
        let round_trip = (delay * 2).clamp(self.grace_min, self.grace_max);
        if delay < PROMPT { round_trip } else { round_trip.max(DELAYED_ANSWERS_END.saturating_sub(delay)) }
    }
}

/// The target of an alias of `name` in the message, if it is one that may be followed.
fn alias(message: &Message<'_>, name: &Name) -> Option<Name> {
    message
        .records()
        .filter(|record| record.kind == RecordType::CNAME && record.is_internet() && record.ttl > 0)
        .filter(|record| record.owner().is_some_and(|owner| owner == *name))
        .find_map(|record| match record.data() {
            Some(Data::Cname(target)) if target.is_local() && target.is_clean() && target != *name => Some(target),
            _ => None,
        })
}

impl Collector for AddressCollector {
    fn name(&self) -> &Name {
        &self.name
    }

    /// AAAA over both, because some responders give IPv6 addresses over IPv6 only; A over IPv6 only where there is no IPv4.
    fn kinds(&self, over: Family, other: bool) -> &'static [RecordType] {
        match over {
            Family::V4 => &[RecordType::A, RecordType::AAAA],
            Family::V6 if other => &[RecordType::AAAA],
            Family::V6 => &[RecordType::AAAA, RecordType::A],
        }
    }

    fn direct(&self) -> Option<IpAddr> {
        None
    }

    fn asked(&mut self, over: Family, now: Instant) {
        self.asked_at = Some(now);
        self.asked_over_v6 |= over == Family::V6;
        self.renamed = false;
    }

    fn take(&mut self, reply: &Reply<'_>, now: Instant) {
        let gave = self.take_addresses(&reply.message, reply.source);
        self.take_denials(&reply.message, reply.source);
        if self.first.is_none() && !self.found.is_empty() {
            let delay = self.asked_at.map_or(Duration::ZERO, |asked_at| now.saturating_duration_since(asked_at));
            self.first = Some(FirstAnswer { at: now, delay });
        }
        self.heard_over_v6 |= reply.source.ip.is_ipv6() && gave != Families::default();
        let lacked = match reply.answers {
            Some(RecordType::A) => Family::V4,
            Some(RecordType::AAAA) => Family::V6,
            _ => return,
        };
        // An answer without any address says nothing.
        if gave.contains(lacked.other()) && !gave.contains(lacked) {
            self.note(reply.source, |witness| witness.lacked.insert(lacked));
        }
    }

    fn verdict(&self, now: Instant) -> Verdict {
        if self.renamed {
            return Verdict::Renamed;
        }
        let mut until = None;
        for family in self.wanted.iter().filter(|&family| !self.has(family)) {
            match self.absence_since(family) {
                None => return Verdict::Silent,
                Some(since) => until = until.max(Some(since)),
            }
        }
        match until.filter(|&until| now < until) {
            Some(until) => Verdict::WaitUntil(until),
            None => Verdict::Done,
        }
    }
}
