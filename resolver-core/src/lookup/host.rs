//! Looks up the addresses of a host: collects them from the accepted responses, asks for what is missing, and decides
//! when the lookup is done. [`crate::lookup::evidence`] defines what may be concluded from responses, and from their
//! absence.
//!
//! Every lookup asks for both families, and most responders answer both questions at once. If one family is missing,
//! the lookup asks for it several times ([`follow_up`]). A caller that wants both and has one waits only
//! for a short time ([`HostLookup::patience`]). A caller that wants only the missing family waits until that family is
//! known to be absent or is given up, or until the deadline.
//!
//! A multicast response may be the answer to another querier. It then omits records that the other querier already knew
//! or that were multicast just before (RFC 6762, sections 7.1 and 6). The lookup therefore waits up to `grace-min` for
//! a response to one of its own queries.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family, is_host_address, is_link_local};
use crate::config::Config;
use crate::error::LookupError;
use crate::lookup::answer::{Answer, Unknown, expiry, sort_by_rank};
use crate::lookup::evidence::{Conclusion, Evidence, HostContext};
use crate::lookup::host::follow_up::FOLLOW_UP_DISTANCE;
use crate::lookup::{Destination, Lookup, Progress, Question, Round, ask};
use crate::net::interfaces::{Interface, Interfaces};
use crate::observer::{Denial, Event, Observer};
use crate::try_alloc;
use crate::validate::{Response, Source};
use crate::wire::{Message, Name, RecordType};

/// The maximum length of a chain of aliases that is followed.
const MAX_ALIASES: u8 = 8;

/// The maximum number of addresses that are kept for one host.
const MAX_ADDRESSES: usize = 1024;

/// If the first response is multicast, or unicast because the query requested that, and its delay is at least this, the
/// responder delayed it on purpose: many responders delay each such response by a random time of 20 to 120 ms (RFC 6762,
/// section 6). The delay of any other first response is the round-trip time.
const PROMPT: Duration = Duration::from_millis(15);

/// If a responder delays two responses on purpose, both have arrived by this time after the query: the maximum of 120
/// ms, and a margin for a busy host.
const DELAYED_PAIR: Duration = Duration::from_millis(160);

/// The minimum wait for a missing IPv4 address if the host has not responded over IPv4. A firewall may drop responses
/// to ephemeral ports there; then only the response to a query from the multicast listener arrives.
const UNPROVEN_PATIENCE: Duration = Duration::from_millis(100);

/// The least and the greatest wait for a missing IPv6 address if it is denied expressly over IPv4 and the host has not
/// responded over IPv6. The questions over both transports were sent together, so the responses arrive together.
/// (`poll(2)` cannot wait for less.)
const DENIED_PATIENCE: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(5)];

/// How long after a daemon's first address a response from the network can still replace what the daemon reports.
const DAEMON_PATIENCE: Duration = Duration::from_millis(20);

/// How long results are cached that rest on missing responses: that nobody responded, that a family is unknown, and
/// answers that contain only addresses from a daemon or this machine's own.
pub(crate) const UNKNOWN_TTL: Duration = Duration::from_secs(1);

/// A lookup of the addresses of one host.
#[derive(Debug)]
pub(crate) struct HostLookup<O = ()> {
    observer: O,
    /// The current name: the one that was looked up, or the target of the last alias that was followed.
    name: Name,
    /// How many aliases have been followed.
    aliases: u8,
    /// When the last alias was followed.
    named_at: Option<Instant>,
    /// The name has changed since [`Lookup::take_new_name`] was last called, and none of its addresses is known yet.
    renamed: bool,
    wanted: Families,
    grace_min: Duration,
    grace_max: Duration,
    ttl_max: Duration,
    ipv6_link_local: bool,
    queried: Vec<Interface>,
    /// The interfaces with an IPv6 address that is not link-local.
    with_routable_ipv6: Vec<u32>,
    /// When queries were sent, in ascending order.
    sent_at: Vec<Instant>,
    first: Option<FirstResponse>,
    /// How many follow-ups have been sent.
    follow_ups: usize,
    found: Vec<Address>,
    /// The families whose last address the host has withdrawn.
    withdrawn: Families,
    /// The families whose addresses arrived in unicast responses to our own queries.
    answered: Families,
    evidence: Evidence,
    /// The addresses in the current packet. A field, so that all packets use the same allocation.
    in_packet: Vec<IpAddr>,
    /// The shortest TTL of the records in use.
    ttl: Duration,
    asks_daemon: bool,
    /// The addresses that a daemon on this machine has reported, and when it reported the first of a wanted family.
    from_daemon: Vec<Address>,
    daemon_at: Option<Instant>,
}

/// The first response with an address of the host.
#[derive(Clone, Copy, Debug)]
struct FirstResponse {
    at: Instant,
    /// The time from the query to the response.
    delay: Duration,
    by_multicast: bool,
    /// The query that it answers asked for a unicast response.
    unicast_response: bool,
    /// The index of the interface on whose link its sender is.
    interface: u32,
}

#[cfg(any(test, fuzzing))]
impl HostLookup {
    /// A lookup without an observer.
    pub(crate) fn new(name: &Name, wanted: Families, interfaces: &Interfaces, config: &Config) -> Self {
        Self::observed(name, wanted, interfaces, config, ())
    }
}

impl<O: Observer> HostLookup<O> {
    /// A lookup of the addresses of `name` on these interfaces. It waits only for those of the `wanted` families.
    pub(crate) fn observed(
        name: &Name,
        wanted: Families,
        interfaces: &Interfaces,
        config: &Config,
        observer: O,
    ) -> Self {
        let mut queried = Vec::new();
        interfaces.iter().all(|interface| try_alloc::push(&mut queried, *interface));
        let is_routable = |own: &Address| own.ip.is_ipv6() && !is_link_local(own.ip);
        let mut with_routable_ipv6 = Vec::new();
        for own in interfaces.queried_addresses().filter(is_routable) {
            try_alloc::push(&mut with_routable_ipv6, own.interface);
        }
        Self {
            observer,
            name: name.clone(),
            aliases: 0,
            named_at: None,
            renamed: false,
            wanted,
            grace_min: config.grace_min,
            grace_max: config.grace_max,
            ttl_max: config.ttl_max,
            ipv6_link_local: config.ipv6_link_local,
            queried,
            with_routable_ipv6,
            sent_at: Vec::new(),
            first: None,
            follow_ups: 0,
            found: Vec::new(),
            withdrawn: Families::NONE,
            answered: Families::NONE,
            evidence: Evidence::default(),
            in_packet: Vec::new(),
            ttl: Duration::MAX,
            asks_daemon: true,
            from_daemon: Vec::new(),
            daemon_at: None,
        }
    }

    /// Asks no daemon on this machine.
    pub(crate) fn exclude_daemon(&mut self) {
        self.asks_daemon = false;
    }

    /// True if the answer will contain only addresses that a daemon has reported.
    pub(crate) fn has_only_daemon_addresses(&self) -> bool {
        self.found.is_empty()
    }

    /// True if a response has denied that the host has an address of `family`, over any transport, or has withdrawn the
    /// last one while the host kept addresses of the other family. [`Conclusion::Absent`] requires a denial over every
    /// transport that was queried.
    pub(crate) fn is_denied_or_withdrawn(&self, family: Family) -> bool {
        let is_denied = |interface: &Interface| {
            let mut transports = Family::ALL.into_iter();
            transports.any(|transport| self.evidence.is_denied(interface.index, transport, family))
        };
        self.withdrawn.contains(family) || self.queried.iter().any(is_denied)
    }

    /// The answer, once the lookup of `asked_name` has ended at `now`; None if no address of the host is known.
    #[inline(never)]
    pub(crate) fn finish(&mut self, asked_name: &Name, interfaces: &Interfaces, now: Instant) -> Option<Answer> {
        let mut ttl = self.ttl;
        let is_from_daemon = self.found.is_empty();
        if is_from_daemon {
            // The daemon does not report how long its addresses are valid.
            self.found = std::mem::take(&mut self.from_daemon);
            ttl = UNKNOWN_TTL;
        }
        if !self.ipv6_link_local {
            remove_ipv6_link_local(&mut self.found, self.observer);
        }
        if self.found.is_empty() {
            return None;
        }
        let missing = Family::ALL.into_iter().filter(|&family| !self.has(family));
        let is_absent = |&family: &Family| {
            let conclusion = self.conclude(family, now);
            self.observer.report(Event::Missing { family, conclusion });
            conclusion == Some(Conclusion::Absent)
        };
        let absent: Families = missing.filter(is_absent).collect();
        if !is_from_daemon {
            self.remove_own(interfaces);
        }
        let unknown = self.missing().iter().filter(|&family| !absent.contains(family)).collect();
        let asked_alone = self.missing() == self.wanted;
        // Addresses on the link where the response arrived can be reached. Others may be unreachable (for example those
        // of the responder's containers), so they come last; and last of all those that lead to the link of another
        // interface (for example that of this machine's containers). Of the addresses on the link, link-local addresses
        // come last. Otherwise the responder's order is kept.
        sort_by_rank(&mut self.found, |address| {
            if interfaces.is_on_link(address.ip, address.interface) {
                return u8::from(is_link_local(address.ip));
            }
            2 + u8::from(interfaces.is_on_any_link(address.ip))
        });
        Some(Answer {
            // The target of an alias may have spaces.
            canonical: if self.name.is_clean() { self.name.clone() } else { asked_name.clone() },
            addresses: std::mem::take(&mut self.found),
            absent,
            unknown: Unknown { families: unknown, asked_alone, expires: expiry(now, UNKNOWN_TTL, self.ttl_max) },
            expires: expiry(now, ttl, self.ttl_max),
        })
    }

    /// Removes this machine's own addresses from another host's answer, unless there are no others: the address of its
    /// container bridge may be the same on both, and a program would connect to this machine instead.
    fn remove_own(&mut self, interfaces: &Interfaces) {
        let is_own = |address: &Address| interfaces.is_own(address);
        if !self.found.iter().any(is_own) || self.found.iter().all(is_own) {
            return;
        }
        let has_provided = |ip: IpAddr| {
            let mut queried = self.queried.iter();
            queried.any(|queried| self.evidence.has_provided(Source { ip, interface: queried.index }))
        };
        if !interfaces.local_addresses().any(has_provided) {
            let own = self.found.iter().filter(|address| is_own(address));
            own.for_each(|own| self.observer.report(Event::OwnAddressRemoved(own.ip)));
            self.found.retain(|address| !is_own(address));
        }
    }

    /// True if an address of `family` will be part of the answer.
    fn has(&self, family: Family) -> bool {
        self.has_in(&self.found, family)
    }

    fn has_in(&self, addresses: &[Address], family: Family) -> bool {
        let counts = |address: &&Address| self.ipv6_link_local || !address.needs_scope();
        addresses.iter().filter(counts).any(|address| Family::of(address.ip) == family)
    }

    /// The wanted families in which no address is known.
    fn missing(&self) -> Families {
        self.wanted.iter().filter(|&family| !self.has(family)).collect()
    }

    /// The wanted families whose addresses arrived only in multicast responses, which may be answers to other queriers.
    fn overheard(&self) -> Families {
        self.wanted.iter().filter(|&family| self.has(family) && !self.answered.contains(family)).collect()
    }

    /// True if a caller that wants IPv6 addresses has only link-local ones, and others can be expected, because this
    /// machine has one on that link. Some responders send the link-local address alone first, and a few milliseconds
    /// later all addresses.
    fn lacks_routable_ipv6(&self, first: FirstResponse) -> bool {
        self.wanted.contains(Family::V6)
            && self.has(Family::V6)
            && self.with_routable_ipv6.contains(&first.interface)
            && !self.found.iter().any(|found| found.ip.is_ipv6() && !is_link_local(found.ip))
    }

    /// What may be concluded about a family without an address; None while no address of the host has arrived.
    fn conclude(&self, family: Family, now: Instant) -> Option<Conclusion> {
        let first = self.first?;
        let host = HostContext {
            interface: first.interface,
            transports: self.transports(first.interface),
            first_at: first.at,
            first_delay: first.delay,
            grace_min: self.grace_min,
        };
        Some(self.evidence.conclude(family, &host, now))
    }

    /// The families in which an interface has an address.
    fn transports(&self, interface: u32) -> Families {
        let queried = self.queried.iter().find(|queried| queried.index == interface);
        queried.map_or(Families::NONE, |queried| queried.families)
    }

    /// How long a caller that has one family waits for the `missing` one, from the first response.
    fn patience(&self, first: FirstResponse, missing: Family) -> Duration {
        let grace = self.grace(first);
        let is_silent = self.transports(first.interface).contains(missing)
            && self.evidence.provider(first.interface, missing).is_none();
        match missing {
            Family::V4 if is_silent => grace.max(UNPROVEN_PATIENCE),
            Family::V6 if is_silent && self.evidence.is_denied_expressly(first.interface, Family::V4, missing) => {
                let [least, greatest] = DENIED_PATIENCE;
                (first.delay / 2).clamp(least, greatest).min(grace)
            }
            _ => grace,
        }
    }

    /// How long to wait for more addresses, from the first response: twice the delay of the first response, within the
    /// bounds of the settings. If that response was delayed on purpose, at least until [`DELAYED_PAIR`] after the
    /// query.
    fn grace(&self, first: FirstResponse) -> Duration {
        let round_trip = (first.delay * 2).clamp(self.grace_min, self.grace_max);
        let was_delayed = (first.by_multicast || first.unicast_response) && first.delay >= PROMPT;
        if was_delayed { round_trip.max(DELAYED_PAIR.saturating_sub(first.delay)) } else { round_trip }
    }

    /// When the query was sent that a multicast response at `now` answers. The response does not say which it is: the
    /// earliest that a responder may have been delaying its response to.
    fn multicast_query_at(&self, now: Instant) -> Option<Instant> {
        let is_recent = |at: &&Instant| now.saturating_duration_since(**at) <= DELAYED_PAIR;
        self.sent_at.iter().find(is_recent).or(self.sent_at.last()).copied()
    }

    /// True for questions to a group and to the host itself. The silence of other hosts is no evidence.
    fn may_reach_host(&self, question: &Question) -> bool {
        match question.to {
            Destination::Group(_) | Destination::GroupFromListener(_) => true,
            Destination::Host(ip) => self.evidence.has_provided(Source { ip, interface: question.interface }),
            Destination::Neighbours(_) | Destination::OtherAddresses(..) => false,
        }
    }

    /// Takes the addresses of the current name from a message. If there are none, follows the aliases in the message
    /// and takes the addresses of their target. Returns the families of these addresses.
    #[inline(never)]
    fn take_addresses(&mut self, message: &Message<'_>, source: Source, now: Instant) -> Families {
        loop {
            let provided = self.take_addresses_of_name(message, source);
            if !provided.is_empty() || !self.found.is_empty() {
                self.renamed = false;
                return provided;
            }
            if self.aliases >= MAX_ALIASES || !self.follow_alias(message, now) {
                return provided;
            }
        }
    }

    /// If the message has an alias of the current name that may be followed, makes its target the current name. False
    /// if there is none.
    #[inline(never)]
    fn follow_alias(&mut self, message: &Message<'_>, now: Instant) -> bool {
        let mut target = Name::root();
        for record in message.records() {
            if record.rtype == RecordType::CNAME
                && record.is_internet()
                && record.ttl > 0
                && record.is_of(&self.name)
                && record.read_target(&mut target)
                && target.is_local()
                && target.is_clean_with_spaces()
                && target != self.name
            {
                self.name.clone_from(&target);
                self.ttl = self.ttl.min(Duration::from_secs(record.ttl.into()));
                self.aliases += 1;
                self.renamed = true;
                // What was asked and said was about another name.
                self.evidence = Evidence::default();
                self.named_at = Some(now);
                self.observer.report(Event::Alias(&self.name));
                return true;
            }
        }
        false
    }

    /// Takes the addresses of the current name, unless they belong to another host; returns their families.
    #[inline(never)]
    fn take_addresses_of_name(&mut self, message: &Message<'_>, source: Source) -> Families {
        let mut ttl = self.ttl;
        let (mut families, mut withdrawn) = (Families::NONE, Families::NONE);
        self.in_packet.clear();
        for record in message.records() {
            let Some(ip) = record.address().filter(|_| record.is_internet()) else { continue };
            if !is_host_address(ip) || !record.is_of(&self.name) {
                continue;
            }
            if record.ttl > 0 {
                try_alloc::push(&mut self.in_packet, ip);
                families.insert(Family::of(ip));
                ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            } else if self.found.iter().any(|found| found.ip == ip) {
                withdrawn.insert(Family::of(ip));
            }
        }
        // A host whose address has changed may withdraw the old one from the new one.
        let is_replaced = withdrawn.iter().any(|family| families.contains(family));
        if !withdrawn.is_empty() && (is_replaced || self.evidence.has_provided(source)) {
            self.withdraw_addresses(message);
            self.observer.report(Event::Withdrawn);
        } else if self.is_another_host(families, source) {
            self.observer.report(Event::AnotherHost);
            return Families::NONE;
        }
        if families.is_empty() {
            return Families::NONE;
        }
        for &ip in &self.in_packet {
            if self.found.len() < MAX_ADDRESSES && !self.found.iter().any(|found| found.ip == ip) {
                try_alloc::push(&mut self.found, Address { ip, interface: source.interface });
            }
        }
        self.evidence.on_provided(source, families);
        self.observer.report(Event::Provided(families));
        self.ttl = ttl;
        families
    }

    /// Removes the addresses that the records with a TTL of 0 in a packet of the host withdraw (RFC 6762, section 10.1),
    /// unless the packet has them with another TTL too. If none is left, nothing is known about the host any more. (But the
    /// number of follow-ups does not start again: nobody can make a lookup send more of them.)
    #[inline(never)]
    fn withdraw_addresses(&mut self, message: &Message<'_>) {
        for record in message.records().filter(|record| record.ttl == 0 && record.is_internet()) {
            let Some(withdrawn) = record.address().filter(|ip| !self.in_packet.contains(ip)) else { continue };
            if record.is_of(&self.name) {
                self.found.retain(|found| found.ip != withdrawn);
                if !self.has(Family::of(withdrawn)) {
                    self.withdrawn.insert(Family::of(withdrawn));
                }
            }
        }
        if self.found.is_empty() {
            (self.first, self.evidence) = (None, Evidence::default());
            (self.answered, self.withdrawn) = (Families::NONE, Families::NONE);
        }
    }

    /// True if the addresses in the packet, of these families, belong to another host with the same name: only the first
    /// host to respond is used. A source is the same host if it has provided addresses before, if it is one of them, or
    /// if the packet has one of them. It is also taken for the same host if the packet has only addresses of a missing
    /// family, over that family's transport, while the first host has responded only over the other transport: many
    /// hosts send their IPv4 addresses over IPv4 and their IPv6 addresses over IPv6. A host that has withdrawn its
    /// addresses of a family may continue with new ones.
    fn is_another_host(&self, families: Families, source: Source) -> bool {
        let is_known = |ip: IpAddr| self.found.iter().any(|found| found.ip == ip);
        if self.found.is_empty()
            || self.evidence.has_provided(source)
            || is_known(source.ip)
            || self.in_packet.iter().any(|&ip| is_known(ip))
        {
            return false;
        }
        let transport = Family::of(source.ip);
        let completes = families == Families::only(transport)
            && !self.has(transport)
            && (!self.evidence.has_provider_over(transport) || self.withdrawn.contains(transport));
        !completes
    }

    /// True if the settings exclude every address of `family` in the packet. Such addresses do not count.
    fn has_only_excluded(&self, family: Family) -> bool {
        let is_excluded = |ip: &IpAddr| family == Family::V6 && is_link_local(*ip);
        !self.ipv6_link_local && self.in_packet.iter().filter(|ip| Family::of(**ip) == family).all(is_excluded)
    }

    /// Records the families that the NSEC records of the current name deny.
    #[inline(never)]
    fn take_nsec_records(&mut self, message: &Message<'_>, source: Source) {
        for record in message.records() {
            let Some(nsec) = record.nsec().filter(|_| record.is_internet() && record.ttl > 0) else { continue };
            if record.is_of(&self.name) {
                if let Some(family) = self.evidence.on_nsec(source, &nsec, &self.name) {
                    self.observer.report(Event::Denied { family, denial: Denial::Nsec });
                }
            }
        }
    }
}

/// Removes the addresses in fe80::/10, for settings that exclude them.
fn remove_ipv6_link_local(addresses: &mut Vec<Address>, observer: impl Observer) {
    let count = addresses.len();
    addresses.retain(|address| !address.needs_scope());
    if addresses.len() < count {
        observer.report(Event::LinkLocalRemoved);
    }
}

/// The record type of a family's addresses.
fn type_of(family: Family) -> RecordType {
    match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    }
}

/// The families that a question for this type asks for.
fn families_of(rtype: RecordType) -> Families {
    match rtype {
        RecordType::A => Families::only(Family::V4),
        RecordType::AAAA => Families::only(Family::V6),
        RecordType::ANY => Families::BOTH,
        _ => Families::NONE,
    }
}

impl<O: Observer> Lookup for HostLookup<O> {
    fn name(&self) -> &Name {
        &self.name
    }

    /// Asks for AAAA over both transports, because some responders send IPv6 addresses only over IPv6. Asks for A over
    /// IPv6 only if the interface has no IPv4 address, or if no question for A could be sent over IPv4.
    fn round(&self, round: Round, interfaces: &Interfaces, questions: &mut Vec<Question>) {
        for &Interface { index, families } in interfaces.iter() {
            for transport in families.iter() {
                if round == Round::Neighbours {
                    ask(questions, index, Destination::Neighbours(transport), type_of(transport), false);
                    continue;
                }
                let is_repeat = round == Round::Repeat;
                let is_sent_over_v4 = !is_repeat || self.evidence.was_sent(index, Family::V4, Family::V4);
                let asks_a = transport == Family::V4 || !families.contains(Family::V4) || !is_sent_over_v4;
                let rtypes = if asks_a { &[RecordType::A, RecordType::AAAA][..] } else { &[RecordType::AAAA] };
                for &rtype in rtypes {
                    if is_repeat {
                        ask(questions, index, Destination::GroupFromListener(transport), rtype, false);
                    }
                    ask(questions, index, Destination::Group(transport), rtype, is_repeat);
                }
            }
        }
    }

    fn follow_up(&mut self, interfaces: &Interfaces, now: Instant, questions: &mut Vec<Question>) {
        self.ask_for_missing(interfaces, now, questions);
    }

    fn on_sent(&mut self, question: &Question, result: Result<(), LookupError>, now: Instant) {
        // Most of these questions go to other hosts, whose silence is no evidence.
        if matches!(question.to, Destination::Neighbours(_) | Destination::OtherAddresses(..)) {
            return;
        }
        let (interface, transport) = (question.interface, question.to.transport());
        let by_listener = matches!(question.to, Destination::GroupFromListener(_));
        if result.is_ok() {
            if self.sent_at.last() != Some(&now) {
                try_alloc::push(&mut self.sent_at, now);
            }
            if self.may_reach_host(question) {
                self.evidence.on_sent(interface, transport, families_of(question.rtype), by_listener, now);
            }
        } else if by_listener && result == Err(LookupError::Refused(libc::ENOTSOCK)) {
            self.evidence.on_no_listener(interface, transport);
        }
    }

    fn on_response(&mut self, response: &Response<'_>, now: Instant) {
        let source = response.source;
        let provided = self.take_addresses(&response.message, source, now);
        // Some responders add the same NSEC record to all their addresses, whatever the host has.
        if provided.is_empty() {
            self.take_nsec_records(&response.message, source);
        }
        if self.first.is_none() && !self.found.is_empty() {
            let query_at = response.query.map(|query| query.at).or_else(|| self.multicast_query_at(now));
            self.first = Some(FirstResponse {
                at: now,
                delay: query_at.map_or(Duration::ZERO, |query_at| now.saturating_duration_since(query_at)),
                by_multicast: response.query.is_none(),
                unicast_response: response.query.is_some_and(|query| query.unicast_response),
                interface: source.interface,
            });
        }
        let Some(query) = response.query else { return };
        self.answered = self.answered.union(provided);
        // A response without an address is no evidence. One that was cut off may have had more. One to a question about
        // an alias says nothing about its target.
        let is_about_alias = self.named_at.is_some_and(|named_at| query.at <= named_at);
        if provided.is_empty() || !response.message.is_complete() || is_about_alias {
            return;
        }
        for family in families_of(query.rtype).iter() {
            if provided.contains(family) && !self.has_only_excluded(family) {
                continue;
            }
            let denial = match query.rtype {
                // Some responders answer ANY with one record only, so such a response never denies an IPv4 address.
                RecordType::ANY if family == Family::V4 => continue,
                RecordType::ANY => Denial::OmittedInAny,
                // A responder that sends an excluded address may send others a little later.
                _ if provided.contains(family) => Denial::OnlyExcluded,
                _ => Denial::Omitted,
            };
            self.observer.report(Event::Denied { family, denial });
            match denial {
                Denial::OmittedInAny | Denial::OnlyExcluded => self.evidence.on_omitted(source, family),
                Denial::Omitted | Denial::Nsec => self.evidence.on_denied(source, family),
            }
        }
    }

    /// Both, because the answer is cached for both.
    fn daemon_families(&self) -> Families {
        if self.asks_daemon { Families::BOTH } else { Families::NONE }
    }

    fn on_daemon_address(&mut self, address: Address, now: Instant) {
        // The daemon may run in another network namespace, where interfaces have other indexes, so its scopes are not
        // used.
        if !address.needs_scope()
            && !self.from_daemon.contains(&address)
            && try_alloc::push(&mut self.from_daemon, address)
        {
            self.observer.report(Event::DaemonAddress(address));
            let is_wanted = self.wanted.contains(Family::of(address.ip));
            self.daemon_at = self.daemon_at.or(is_wanted.then_some(now));
        }
    }

    fn poll(&self, now: Instant) -> Progress {
        let Some(first) = self.first else { return self.poll_daemon(now) };
        let mut until = None;
        // If the process woke up late, several follow-ups may be due, of which one is sent at a time.
        let follow_up_at = self.follow_up_at().map(|at| at.max(now + FOLLOW_UP_DISTANCE));
        let missing = self.missing();
        let has_any = missing != self.wanted;
        for family in missing.iter() {
            if let Some(Conclusion::Open(may_change_at)) = self.conclude(family, now) {
                let patience_end = first.at + self.patience(first, family);
                if has_any && patience_end <= now {
                    continue;
                }
                let next = [follow_up_at, may_change_at, has_any.then_some(patience_end)];
                until = earliest(until, next.into_iter().flatten().filter(|&at| at > now).min());
                // Nothing else is scheduled. The querier ends the lookup at its deadline; until then, poll once a
                // second.
                until = until.or(Some(now + Duration::from_secs(1)));
            }
        }
        if (!self.overheard().is_empty() || self.lacks_routable_ipv6(first)) && now < first.at + self.grace_min {
            let next = [Some(first.at + self.grace_min), follow_up_at];
            until = earliest(until, next.into_iter().flatten().filter(|&at| at > now).min());
        }
        until.map_or(Progress::Done, Progress::WaitUntil)
    }

    fn take_new_name(&mut self) -> bool {
        std::mem::take(&mut self.renamed)
    }
}

impl<O: Observer> HostLookup<O> {
    /// The addresses from a daemon are used only if no host responds within `grace-min` after the first of them. The
    /// daemon answers for each family separately, with only one address of each. If no interface can be queried, the
    /// lookup is done once there is one of each wanted family.
    fn poll_daemon(&self, now: Instant) -> Progress {
        let Some(at) = self.daemon_at else { return Progress::NoResponse };
        let is_complete = self.wanted.iter().all(|family| self.has_in(&self.from_daemon, family));
        let end = at + DAEMON_PATIENCE;
        let may_end = self.queried.is_empty() && is_complete;
        if may_end || end <= now { Progress::Done } else { Progress::WaitUntil(end) }
    }
}

/// The earlier of two times, either of which may be missing.
fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

mod follow_up;
#[cfg(test)]
mod tests;
