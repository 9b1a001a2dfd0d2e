//! The rule of evidence, stated a second time: what is known about a host, and how long its lookup waits. It follows
//! from the questions that were sent and from what was said, and from nothing else.
//!
//! - A family is denied over a transport by an NSEC record, or by a complete response to a question of ours for this
//!   family that has the other family and not this one. A response to ANY denies IPv6 likewise, but not IPv4. Only a
//!   source that has provided the other family can deny it.
//! - An NSEC record beside addresses of the host proves nothing.
//! - IPv6 link-local addresses that the settings exclude count as omitted.
//! - A family is absent if it is denied over its own transport and over every other on which it was asked for.
//! - A missing IPv4 address is never given up. A missing IPv6 address is, after enough questions that were not
//!   answered, although the host has responded.
//! - A caller that has one of two families waits for the other only for a while. One that has no IPv6 address except
//!   link-local ones waits too, if this machine has another one on that link.
//! - A second source is the same host if it has one of the first one's addresses, or if it completes the first one by the
//!   other transport with the addresses of that transport's family.
//! - A host can withdraw its addresses, also from a new one that it announces. If it withdraws all, nothing is known.
//! - What was asked and said before an alias was followed is no evidence about the alias's target.
//!
//! All of this is about the interface on which the host responded first.

use std::net::IpAddr;
use std::time::Duration;

use resolver_core::fuzzing::{State, To};
use resolver_core::wire::RecordType;
use resolver_core::{Address, Families, Family};

use crate::reference_parser;
use crate::script::{self, Asked, Data, Event, Model, Response};

/// The most addresses of a host.
pub const MAX_ADDRESSES: usize = 1024;

/// The most sources that a lookup distinguishes.
const MAX_SOURCES: usize = 16;

/// The longest chain of aliases that is followed.
pub const MAX_ALIASES: usize = 8;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The settings `grace-min` and `grace-max`.
const GRACE: [Duration; 2] = [ms(20), ms(100)];

/// How long the network must be silent after a daemon has reported an address.
const DAEMON_WAIT: Duration = ms(20);

/// When follow-up questions are due: first in percent of the grace after the first response, at least a millisecond
/// apart and, if that answers the first round, after it, then in milliseconds after the grace.
const FIRST_FOLLOW_UPS: [u32; 6] = [0, 15, 30, 45, 60, 75];
const LAST_FOLLOW_UPS: [u64; 7] = [10, 40, 100, 230, 480, 980, 1480];

/// What is known about the host that is looked up.
#[derive(Debug)]
pub struct Host {
    wanted: Families,
    /// The setting `ipv6-link-local`. If it is off, link-local IPv6 addresses are no addresses of the host.
    pub ipv6_link_local: bool,
    /// The interfaces that are queried, and the families in which they have an address.
    interfaces: Vec<(u32, Families)>,
    /// The name that is asked for, in wire form.
    pub name: Vec<u8>,
    aliases: usize,
    /// When the last alias was followed.
    named_at: Option<Duration>,
    /// When the first question was sent.
    first_sent_at: Option<Duration>,
    /// How many questions have been asked, and how many of them before everything was forgotten.
    questions: usize,
    questions_before: usize,
    /// The addresses in its records, in the order in which they arrived, including those that the settings exclude.
    pub addresses: Vec<(IpAddr, u32)>,
    /// The families of which it has withdrawn the last address.
    withdrawn: Families,
    /// It has withdrawn the last address of a family, once at least. The number of follow-up questions does not start
    /// again, so there may be none left for that family.
    pub has_withdrawn: bool,
    sources: Vec<Source>,
    /// All sources, including those that said something about another name only.
    all_sources: Vec<(IpAddr, u32)>,
    pub first: Option<First>,
    /// The families that arrived in responses to our own questions.
    answered: Families,
    /// How often follow-up questions were due.
    pub follow_ups: usize,
    pub from_daemon: Vec<Address>,
    /// When a daemon reported the first address of a wanted family.
    daemon_at: Option<Duration>,
}

/// The first response with an address of the host.
#[derive(Clone, Copy, Debug)]
pub struct First {
    pub interface: u32,
    at: Duration,
    delay: Duration,
    /// It is multicast, or unicast because the question requested that.
    by_multicast_or_request: bool,
}

/// What one source said about the host.
#[derive(Debug)]
struct Source {
    ip: IpAddr,
    interface: u32,
    provided: Families,
    /// The families that its NSEC records rule out, or its responses to questions for them alone.
    ruled_out: Families,
    /// The families that its responses to ANY omit.
    omitted: Families,
}

impl Host {
    /// Nothing is known yet.
    pub fn new(name: &[u8], wanted: Families, ipv6_link_local: bool, interfaces: Vec<(u32, Families)>) -> Self {
        Self {
            wanted,
            ipv6_link_local,
            interfaces,
            name: name.to_vec(),
            aliases: 0,
            named_at: None,
            first_sent_at: None,
            questions: 0,
            questions_before: 0,
            addresses: Vec::new(),
            withdrawn: Families::NONE,
            has_withdrawn: false,
            sources: Vec::new(),
            all_sources: Vec::new(),
            first: None,
            answered: Families::NONE,
            follow_ups: 0,
            from_daemon: Vec::new(),
            daemon_at: None,
        }
    }

    /// Learns from an event.
    pub fn learn(&mut self, event: Event<'_>, at: Duration) {
        match event {
            Event::Response(response) => self.hear(response, at),
            Event::Round(_, asked) => self.count(asked),
            Event::FollowUp(asked) => {
                self.follow_ups += usize::from(self.follow_up_at().is_some_and(|due| due <= at));
                self.count(asked);
            }
            // A daemon may be in another network namespace, so the scope of a link-local address means nothing.
            Event::DaemonAddress(address) if !self.from_daemon.contains(&address) && !is_link_local_v6(address.ip) => {
                if self.wanted.contains(Family::of(address.ip)) {
                    self.daemon_at = self.daemon_at.or(Some(at));
                }
                self.from_daemon.push(address);
            }
            Event::DaemonAddress(_) | Event::Nothing => {}
        }
    }

    fn count(&mut self, asked: &[Asked]) {
        let sent = asked.iter().find(|asked| asked.was_sent && !asked.is_to_others());
        self.first_sent_at = self.first_sent_at.or(sent.map(|asked| asked.at));
        self.questions += asked.len();
    }

    /// False once there have been so many sources that the lookup may have ignored some.
    pub fn is_exact(&self) -> bool {
        self.all_sources.len() <= MAX_SOURCES
    }

    /// The addresses of the host, without those that the settings exclude.
    pub fn usable_addresses(&self) -> impl Iterator<Item = (IpAddr, u32)> {
        self.addresses.iter().copied().filter(|&(ip, _)| self.is_usable(ip))
    }

    fn is_usable(&self, ip: IpAddr) -> bool {
        self.ipv6_link_local || !is_link_local_v6(ip)
    }

    /// True if the host has an address of this family.
    pub fn has(&self, family: Family) -> bool {
        self.usable_addresses().any(|(ip, _)| Family::of(ip) == family)
    }

    /// The wanted families without an address.
    pub fn missing(&self) -> Families {
        self.wanted.iter().filter(|&family| !self.has(family)).collect()
    }

    /// The wanted families whose addresses were only overheard: a multicast response may be for somebody else, and lack
    /// what that querier knows already.
    pub fn overheard(&self) -> Families {
        self.wanted.iter().filter(|&family| self.has(family) && !self.answered.contains(family)).collect()
    }

    /// The transports over which the host can respond.
    pub fn transports(&self) -> Families {
        let of = |first: First| self.interfaces.iter().find(|(interface, _)| *interface == first.interface);
        self.first.and_then(of).map_or(Families::NONE, |&(_, families)| families)
    }

    /// The sources of the host's addresses over this transport.
    pub fn providers(&self, transport: Family) -> impl Iterator<Item = IpAddr> {
        self.providing(transport).map(|source| source.ip)
    }

    /// True if an address of this machine is among the sources of the host's addresses.
    pub fn is_this_machine(&self, is_own: impl Fn(IpAddr) -> bool) -> bool {
        self.sources.iter().any(|source| !source.provided.is_empty() && is_own(source.ip))
    }

    fn providing(&self, transport: Family) -> impl Iterator<Item = &Source> {
        let interface = self.first.map(|first| first.interface);
        self.sources.iter().filter(move |source| {
            Some(source.interface) == interface && Family::of(source.ip) == transport && !source.provided.is_empty()
        })
    }

    /// True if the family is denied over this transport.
    pub fn is_denied(&self, family: Family, transport: Family) -> bool {
        self.is_ruled_out(family, transport)
            || self.deniers(family, transport).any(|source| source.omitted.contains(family))
    }

    /// True if the family is denied over this transport in another way than by a response to ANY.
    fn is_ruled_out(&self, family: Family, transport: Family) -> bool {
        self.deniers(family, transport).any(|source| source.ruled_out.contains(family))
    }

    fn deniers(&self, family: Family, transport: Family) -> impl Iterator<Item = &Source> {
        self.providing(transport).filter(move |source| source.provided.contains(family.other()))
    }

    /// Those of all questions that were asked on a path (interface and transport) about the present name.
    fn questions_on<'a>(&self, path: (u32, Family), all: &'a [Asked]) -> impl Iterator<Item = &'a Asked> {
        let about_present_name = all.iter().skip(self.questions_before);
        about_present_name.filter(move |asked| (asked.question.interface, asked.question.transport) == path)
    }

    /// Those of them that were sent to the group or to the host itself, and asked for this family. Questions to other hosts
    /// do not count.
    pub fn sent<'a>(&self, family: Family, path: (u32, Family), all: &'a [Asked]) -> impl Iterator<Item = &'a Asked> {
        self.questions_on(path, all).filter(move |asked| {
            asked.was_sent && !asked.is_to_others() && families_of(asked.question.rtype).contains(family)
        })
    }

    /// The same, of the questions so far, on the interface on which the host responded first.
    fn asked<'a>(&self, family: Family, transport: Family, model: &'a Model) -> impl Iterator<Item = &'a Asked> {
        self.first.into_iter().flat_map(move |first| self.sent(family, (first.interface, transport), &model.asked))
    }

    /// True if the host is known to have no address of this family.
    pub fn is_absent(&self, family: Family, model: &Model) -> bool {
        let was_asked = |&transport: &Family| self.asked(family, transport, model).next().is_some();
        let transports = self.transports();
        !self.has(family)
            && transports.iter().any(|transport| was_asked(&transport))
            && transports
                .iter()
                .filter(|transport| *transport == family || was_asked(transport))
                .all(|transport| self.is_denied(family, transport))
    }

    /// When a missing IPv6 address is given up, if enough questions have been sent.
    ///
    /// Questions that were sent before the one that the host responded to first prove nothing: all of them were lost.
    /// The last one that is needed gets at least 5 ms to be answered, and twice the first delay.
    fn given_up_at(&self, model: &Model) -> Option<Duration> {
        let first = self.first?;
        let round_trips = first.delay + first.delay;
        let unanswered =
            |transport| self.asked(Family::V6, transport, model).filter(|asked| asked.at + first.delay >= first.at);
        let is_by_listener = |asked: &&Asked| asked.question.to == To::GroupFromListener;
        let has_no_listener = |transport| {
            let mut by_listener = self.questions_on((first.interface, transport), &model.asked).filter(is_by_listener);
            by_listener.any(|asked| !asked.was_sent)
        };
        // When `count` questions over a transport, and one from its listener if it has one, had time to be answered.
        let answered_by = |transport, count: usize| {
            let mut last = unanswered(transport).nth(count - 1)?.at;
            if !has_no_listener(transport) {
                last = last.max(unanswered(transport).find(is_by_listener)?.at);
            }
            Some(last + round_trips.max(ms(5)))
        };
        let is_silent = self.providing(Family::V6).next().is_none();
        if self.is_denied(Family::V6, Family::V4) && is_silent {
            if let Some(answered_by) = answered_by(Family::V6, 3) {
                return Some(answered_by.max(first.at + GRACE[0]));
            }
        }
        let mut ends = Vec::new();
        for transport in self.transports().iter().filter(|&transport| !self.is_denied(Family::V6, transport)) {
            let first_asked = unanswered(transport).next()?.at;
            ends.push(answered_by(transport, 5)?.max(first_asked + ms(60).max(round_trips)));
        }
        ends.into_iter().max()
    }

    /// The time that a lookup waits for more, once the host has responded.
    fn grace(&self, first: First) -> Duration {
        let [min, max] = GRACE;
        let grace = (first.delay + first.delay).max(min).min(max);
        // Many responders delay multicast responses by 20 to 120 ms. The second of two arrives within 160 ms.
        let was_delayed = first.by_multicast_or_request && first.delay >= ms(15);
        if was_delayed { grace.max(ms(160).saturating_sub(first.delay)) } else { grace }
    }

    /// How long a caller that has one family waits for this one.
    fn patience(&self, first: First, missing: Family) -> Duration {
        let grace = self.grace(first);
        let is_silent = self.transports().contains(missing) && self.providing(missing).next().is_none();
        match missing {
            // A firewall may drop everything but responses to the listener's questions.
            Family::V4 if is_silent => grace.max(ms(100)),
            // What a host denies over IPv4 it may have over IPv6.
            Family::V6 if is_silent && self.is_ruled_out(Family::V6, Family::V4) => {
                grace.min((first.delay / 2).max(ms(1)).min(ms(5)))
            }
            _ => grace,
        }
    }

    /// When the next follow-up questions are due.
    fn follow_up_at(&self) -> Option<Duration> {
        let first = self.first?;
        let grace = self.grace(first);
        match FIRST_FOLLOW_UPS.get(self.follow_ups) {
            Some(&percent) => {
                // Other responses to the first round of questions are waited for.
                let least = self.follow_ups as u64 + u64::from(Some(first.at - first.delay) == self.first_sent_at);
                Some(first.at + (grace * percent / 100).max(ms(least)))
            }
            None => {
                let late = LAST_FOLLOW_UPS.get(self.follow_ups - FIRST_FOLLOW_UPS.len())?;
                Some(first.at + grace + ms(*late))
            }
        }
    }

    /// How far the lookup must have come: the first time in the future at which something happens, [`Duration::MAX`] if
    /// nothing is planned any more.
    pub fn state(&self, model: &Model, at: Duration) -> State {
        let Some(first) = self.first else { return self.state_by_daemon(at) };
        // If the process woke up late, the follow-up questions that were missed are sent a millisecond apart.
        let follow_up_at = self.follow_up_at().map(|due| due.max(at + ms(1)));
        let missing = self.missing();
        let mut ends = Vec::new();
        for family in missing.iter() {
            let given_up_at = self.given_up_at(model).filter(|_| family == Family::V6);
            let patience_end = (missing != self.wanted).then(|| first.at + self.patience(first, family));
            let has_ended = |end: Option<Duration>| end.is_some_and(|end| end <= at);
            if !self.is_absent(family, model) && !has_ended(given_up_at) && !has_ended(patience_end) {
                ends.extend([Some(Duration::MAX), follow_up_at, given_up_at, patience_end].into_iter().flatten());
            }
        }
        let has_only_link_local =
            self.has(Family::V6) && self.addresses.iter().all(|&(ip, _)| ip.is_ipv4() || script::is_link_local(ip));
        let lacks_routable =
            self.wanted.contains(Family::V6) && has_only_link_local && model.topology.has_routable_v6(first.interface);
        if (lacks_routable || !self.overheard().is_empty()) && at < first.at + GRACE[0] {
            ends.extend([Some(first.at + GRACE[0]), follow_up_at].into_iter().flatten());
        }
        ends.into_iter().min().map_or(State::Done, State::WaitUntil)
    }

    /// The same, while nobody on the network has responded. What a daemon reports counts only if the network stays silent
    /// for a while. Where no interface can be queried, nobody else can respond.
    fn state_by_daemon(&self, at: Duration) -> State {
        let is_complete =
            self.wanted.iter().all(|family| self.from_daemon.iter().any(|address| Family::of(address.ip) == family));
        let Some(end) = self.daemon_at.map(|daemon_at| daemon_at + DAEMON_WAIT) else { return State::NoResponse };
        if is_complete && self.interfaces.is_empty() || at >= end { State::Done } else { State::WaitUntil(end) }
    }

    fn hear(&mut self, response: &Response, at: Duration) {
        let source = (response.source, response.interface);
        if !self.all_sources.contains(&source) {
            self.all_sources.push(source);
        }
        let mut provided = self.take_addresses(response);
        while self.addresses.is_empty() && self.follow_alias(response, at) {
            provided = self.take_addresses(response);
        }
        let name = self.name.clone();
        for (data, _) in response.records_of(&name) {
            if let Data::Denial(next, has_a, has_aaaa) = data {
                let denied = if *has_a { Family::V6 } else { Family::V4 };
                // In multicast DNS the next name is the name itself. A bitmap with neither family denies nothing.
                if reference_parser::is_same_name(next, &name) && has_a != has_aaaa && provided.is_empty() {
                    self.source(response).ruled_out.insert(denied);
                }
            }
        }
        if self.first.is_none() && !self.addresses.is_empty() {
            let Response { interface, delay, question, .. } = *response;
            let by_multicast_or_request = question.is_none_or(|question| question.unicast_response);
            self.first = Some(First { interface, at, delay, by_multicast_or_request });
        }
        let Some(question) = response.question else { return };
        self.answered = self.answered.union(provided);
        // One address at least was taken from the response, of the other family or excluded. The question was about the
        // present name.
        let is_about_alias = self.named_at.is_some_and(|named_at| at - response.delay <= named_at);
        if provided.is_empty() || !response.is_complete || is_about_alias {
            return;
        }
        let usable: Families = response
            .addresses_of(&name)
            .map(|(ip, _)| ip)
            .filter(|&ip| is_host_address(ip) && self.is_usable(ip))
            .map(Family::of)
            .collect();
        for family in Family::ALL.into_iter().filter(|&family| !usable.contains(family)) {
            let source = self.source(response);
            match (question.rtype, family) {
                // Only excluded addresses.
                (RecordType::AAAA, Family::V6) if provided.contains(family) => source.omitted.insert(family),
                (RecordType::A, Family::V4) | (RecordType::AAAA, Family::V6) => source.ruled_out.insert(family),
                // Some responders answer ANY with one record, so it denies no IPv4 address.
                (RecordType::ANY, Family::V6) => source.omitted.insert(family),
                _ => {}
            }
        }
    }

    /// Takes the addresses in a response, and returns their families. A response counts if no address is known, if it
    /// shares an address with those that are, if its source has counted before, or if it is the first over its transport
    /// and has only addresses of the transport's family, which are missing. Any other response is from another host with
    /// the same name.
    fn take_addresses(&mut self, response: &Response) -> Families {
        let sent = response.addresses_of(&self.name).map(|(ip, _)| ip).filter(|&ip| is_host_address(ip));
        let sent: Vec<_> = sent.collect();
        let families: Families = sent.iter().map(|&ip| Family::of(ip)).collect();
        let knows = |host: &Self, ip: IpAddr| host.addresses.iter().any(|&(known, _)| known == ip);
        let mut is_of_host = !self.source(response).provided.is_empty();
        let gone: Vec<_> = response.goodbyes_of(&self.name).filter(|&ip| knows(self, ip)).collect();
        is_of_host |= gone.iter().any(|&ip| families.contains(Family::of(ip)));
        if is_of_host {
            for gone in gone.into_iter().filter(|gone| !sent.contains(gone)) {
                self.addresses.retain(|&(ip, _)| ip != gone);
                if !self.has(Family::of(gone)) {
                    self.withdrawn.insert(Family::of(gone));
                    self.has_withdrawn = true;
                }
            }
            if self.addresses.is_empty() && self.first.is_some() {
                (self.first, self.answered, self.withdrawn) = (None, Families::NONE, Families::NONE);
                self.forget();
            }
        }
        let transport = Family::of(response.source);
        let completes = families == Families::only(transport)
            && !self.has(transport)
            && (!self.sources.iter().any(|source| Family::of(source.ip) == transport && !source.provided.is_empty())
                || self.withdrawn.contains(transport));
        let is_same_host = is_of_host
            || completes
            || self.addresses.is_empty()
            || knows(self, response.source)
            || sent.iter().any(|&ip| knows(self, ip));
        if families.is_empty() || !is_same_host {
            return Families::NONE;
        }
        for ip in sent {
            if self.addresses.len() < MAX_ADDRESSES && !self.addresses.iter().any(|&(known, _)| known == ip) {
                self.addresses.push((ip, response.interface));
            }
        }
        let source = self.source(response);
        source.provided = source.provided.union(families);
        families
    }

    /// Continues with the target of an alias of the present name. What was asked and said before was about another name.
    fn follow_alias(&mut self, response: &Response, at: Duration) -> bool {
        let target = response.records_of(&self.name).find_map(|(data, _)| match data {
            Data::Alias(target) if reference_parser::is_target(target) => {
                (!reference_parser::is_same_name(target, &self.name)).then(|| target.clone())
            }
            _ => None,
        });
        let Some(target) = target.filter(|_| self.aliases < MAX_ALIASES) else { return false };
        self.name = target;
        self.aliases += 1;
        self.forget();
        self.named_at = Some(at);
        true
    }

    /// What was asked and said so far is about another name, or about addresses that the host has no more.
    fn forget(&mut self) {
        self.sources.clear();
        self.questions_before = self.questions;
    }

    fn source(&mut self, response: &Response) -> &mut Source {
        let Response { source: ip, interface, .. } = *response;
        let known = self.sources.iter().position(|source| (source.ip, source.interface) == (ip, interface));
        let index = known.unwrap_or_else(|| {
            let none = Families::NONE;
            self.sources.push(Source { ip, interface, provided: none, ruled_out: none, omitted: none });
            self.sources.len() - 1
        });
        &mut self.sources[index]
    }
}

/// The families that a question for this type asks for.
pub fn families_of(rtype: RecordType) -> Families {
    match rtype {
        RecordType::A => Families::only(Family::V4),
        RecordType::AAAA => Families::only(Family::V6),
        RecordType::ANY => Families::BOTH,
        _ => Families::NONE,
    }
}

/// True for fe80::/10.
fn is_link_local_v6(ip: IpAddr) -> bool {
    ip.is_ipv6() && script::is_link_local(ip)
}

/// The rules for addresses that a host can have, implemented a second time.
pub fn is_host_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && first != 127 && !(224..240).contains(&first) && ip.octets() != [255; 4]
        }
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let is_mapped = octets[..10] == [0; 10] && octets[10..12] == [255; 2];
            octets[0] != 255 && !is_mapped && octets[..12] != [0; 12]
        }
    }
}
