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
use crate::wire::{Data, Message, Name, Nsec, RecordType};

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

    fn has(&self, family: Family) -> bool {
        self.found.iter().any(|address| Family::of(address.ip) == family)
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
            match alias(message, &self.name).filter(|_| self.aliases < MOST_ALIASES) {
                Some((target, ttl)) => {
                    self.name = target;
                    self.ttl = self.ttl.min(ttl);
                    self.aliases += 1;
                    self.renamed = true;
                    self.witnesses.clear();
                }
                None => return gave,
            }
        }
    }

    /// Takes the addresses of the present name, unless they are another host's; returns their families.
    #[inline(never)]
    fn take_addresses_of_name(&mut self, message: &Message<'_>, source: Source) -> Families {
        let mut ttl = self.ttl;
        let mut families = Families::default();
        self.in_packet.clear();
        for record in message.records() {
            if !matches!(record.kind, RecordType::A | RecordType::AAAA) || !record.is_internet() || record.ttl == 0 {
                continue;
            }
            let ip = match &record.data() {
                Some(Data::A(ip)) => IpAddr::V4(*ip),
                Some(Data::Aaaa(ip)) => IpAddr::V6(*ip),
                _ => continue,
            };
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
            if record.kind != RecordType::NSEC || !record.is_internet() || record.ttl == 0 {
                continue;
            }
            // Looked at where it is: a name takes 256 octets of stack.
            let data = &record.data();
            let Some(Data::Nsec(Nsec { next, has_a, has_aaaa })) = data else { continue };
            if *next != self.name || !record.is_of(&self.name) {
                continue;
            }
            // It denies one family only if it knows the other. Some responders' bitmaps say just what was asked for.
            match (*has_a, *has_aaaa) {
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

/// The target of an alias of `name` in the message, if it is one that may be followed, and how long it is good for.
#[inline(never)]
fn alias(message: &Message<'_>, name: &Name) -> Option<(Name, Duration)> {
    message
        .records()
        .filter(|record| record.kind == RecordType::CNAME && record.is_internet() && record.ttl > 0)
        .filter(|record| record.is_of(name))
        .find_map(|record| match record.data() {
            Some(Data::Cname(target)) if target.is_local() && target.is_clean() && target != *name => {
                Some((target, Duration::from_secs(record.ttl.into())))
            }
            _ => None,
        })
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
mod tests {
    use super::*;
    use crate::interfaces;
    use crate::validation::Asked;
    use crate::wire::build::{Response, wire};

    const V4_SOURCE: &str = "10.0.0.2";
    const V6_SOURCE: &str = "fe80::2";

    /// A lookup of printer.local on interface 2, with its time in milliseconds.
    struct Scene {
        collector: AddressCollector,
        start: Instant,
        asked_at: Instant,
    }

    impl Scene {
        fn new(wanted: Families) -> Self {
            let name = Name::from_text(b"printer.local").unwrap();
            let mut collector = AddressCollector::new(&name, wanted, &Config::default());
            let start = Instant::now();
            collector.asked(Family::V4, start);
            collector.asked(Family::V6, start);
            Self { collector, start, asked_at: start }
        }

        fn without_ipv6(wanted: Families) -> Self {
            let mut scene = Self::new(wanted);
            scene.collector.asked_over_v6 = false;
            scene
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn hear(&mut self, ms: u64, from: &str, answers: Option<RecordType>, response: &Response) {
            let ip: IpAddr = from.parse().unwrap();
            let source = Source { ip, interface: 2 };
            let answers =
                answers.map(|kind| Asked { id: 1, interface: 2, over: Family::of(ip), kind, at: self.asked_at });
            let message = Message::read(response.octets()).unwrap();
            self.collector.take(&Reply { message, source, answers }, self.at(ms));
        }

        /// Until when the lookup waits after what was heard, in milliseconds; `Done` is 0.
        fn waits_until(&self, ms: u64) -> Option<u128> {
            match self.collector.verdict(self.at(ms)) {
                Verdict::Done => Some(0),
                Verdict::WaitUntil(until) => Some((until - self.start).as_millis()),
                Verdict::Silent => None,
            }
        }

        fn answer(mut self, ms: u64) -> Answer {
            let now = self.at(ms);
            let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64")]);
            self.collector.finish(&interfaces, now).unwrap()
        }

        fn addresses(self, ms: u64) -> Vec<String> {
            self.answer(ms).addresses.iter().map(|address| address.ip.to_string()).collect()
        }
    }

    fn response() -> Response {
        Response::new(0)
    }

    fn both() -> Response {
        response().address("printer.local", "10.0.0.2").address("printer.local", "fd00::2")
    }

    fn only_v4() -> Response {
        response().address("printer.local", "10.0.0.2")
    }

    fn only_v6() -> Response {
        response().address("printer.local", "fd00::2")
    }

    const A: Option<RecordType> = Some(RecordType::A);
    const AAAA: Option<RecordType> = Some(RecordType::AAAA);

    #[test]
    fn one_family_is_enough_where_one_is_wanted() {
        let mut scene = Scene::new(Families::only(Family::V4));
        assert_eq!(scene.waits_until(1), None);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(1), Some(0));
        let answer = scene.answer(1);
        assert!(answer.has(Family::V4));
        assert!(!answer.settles(Families::BOTH), "nothing is known of the other family");
    }

    #[test]
    fn both_families_are_enough_where_both_are_wanted() {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(1), Some(21));
        scene.hear(2, V6_SOURCE, AAAA, &only_v6());
        assert_eq!(scene.waits_until(2), Some(0));
        assert_eq!(scene.addresses(2), ["10.0.0.2", "fd00::2"]);
    }

    #[test]
    fn what_is_overheard_may_be_a_part() {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, None, &both());
        assert_eq!(scene.waits_until(1), Some(21));
        scene.hear(2, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(2), Some(21));
        scene.hear(3, V4_SOURCE, AAAA, &only_v6().address("printer.local", "fe80::2"));
        assert_eq!(scene.waits_until(3), Some(0));
        assert_eq!(scene.addresses(3), ["10.0.0.2", "fd00::2", "fe80::2"]);
        // From one that only multicasts, no more will come.
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, V4_SOURCE, None, &both());
        assert_eq!(scene.waits_until(1), Some(21));
        assert_eq!(scene.waits_until(21), Some(0));
    }

    #[test]
    fn silence_about_the_other_family_is_understood_after_a_grace() {
        // At once; on a slow link after twice the delay; within bounds.
        for (delay, until) in [(0, 20), (1, 21), (12, 36), (20, 60), (120, 220), (500, 600)] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(delay, V4_SOURCE, A, &only_v4());
            assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
            assert_eq!(scene.waits_until(u64::try_from(until).unwrap()), Some(0));
            assert!(scene.answer(1000).settles(Families::BOTH));
        }
    }

    #[test]
    fn answers_by_multicast_may_have_been_held_back_for_different_times() {
        for (delay, until) in [(1, 21), (12, 36), (20, 160), (80, 180), (120, 220)] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(delay, V4_SOURCE, None, &only_v4());
            assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
        }
    }

    #[test]
    fn time_alone_says_nothing_of_a_family_that_was_not_wanted() {
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, V4_SOURCE, A, &only_v4());
        assert!(!scene.answer(1000).absent.contains(Family::V6));
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, V4_SOURCE, A, &only_v4().nsec("printer.local", &[RecordType::A]));
        assert!(scene.answer(1).absent.contains(Family::V6));
    }

    #[test]
    fn what_is_missing_is_asked_for_once_more_within_the_grace() {
        let mut scene = Scene::new(Families::BOTH);
        assert_eq!(scene.collector.ask_again_at(), None);
        assert_eq!(scene.collector.kinds(Family::V4, true), [RecordType::A, RecordType::AAAA]);
        assert_eq!(scene.collector.kinds(Family::V6, true), [RecordType::AAAA]);
        assert_eq!(scene.collector.kinds(Family::V6, false), [RecordType::A, RecordType::AAAA]);
        scene.hear(2, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.collector.ask_again_at(), Some(scene.at(12)));
        assert_eq!(scene.collector.kinds(Family::V4, true), [RecordType::AAAA]);
        assert_eq!(scene.collector.kinds(Family::V6, true), [RecordType::AAAA]);
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(2, V6_SOURCE, AAAA, &only_v6());
        assert_eq!(scene.collector.kinds(Family::V4, true), [RecordType::A]);
        assert_eq!(scene.collector.kinds(Family::V6, true), []);
        assert_eq!(scene.collector.kinds(Family::V6, false), [RecordType::A]);
    }

    #[test]
    fn the_delay_counts_from_the_question_that_was_answered() {
        // By multicast, from the last.
        let mut scene = Scene::new(Families::BOTH);
        let again = scene.at(250);
        scene.collector.asked(Family::V4, again);
        scene.hear(251, V4_SOURCE, None, &only_v4());
        assert_eq!(scene.waits_until(251), Some(271));
        // By unicast the id tells: here the first was.
        let mut scene = Scene::new(Families::BOTH);
        let again = scene.at(250);
        scene.collector.asked(Family::V4, again);
        scene.hear(251, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(251), Some(351));
    }

    #[test]
    fn nsec_ends_the_wait() {
        let denial = response().nsec("printer.local", &[RecordType::A]);
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(2, V4_SOURCE, AAAA, &denial);
        assert_eq!(scene.waits_until(2), Some(0));
        assert!(scene.answer(2).absent.contains(Family::V6));
        // In the other order, and of the other family.
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, V6_SOURCE, A, &response().nsec("printer.local", &[RecordType::AAAA]));
        assert_eq!(scene.waits_until(1), None);
        scene.hear(2, V6_SOURCE, AAAA, &only_v6());
        assert_eq!(scene.waits_until(2), Some(0));
    }

    #[test]
    fn nsec_that_is_no_evidence() {
        let nsec = |types: &[RecordType]| response().nsec("printer.local", types);
        let elsewhere = [wire("printer.local"), b"\x04next\x05local\x00\x00\x01\x40".to_vec()].concat();
        for (what, from, denial) in [
            ("an inverted bitmap", V4_SOURCE, nsec(&[RecordType::AAAA])),
            ("an empty bitmap", V4_SOURCE, nsec(&[])),
            ("a bitmap with both", V4_SOURCE, nsec(&[RecordType::A, RecordType::AAAA])),
            ("of another name", V4_SOURCE, response().nsec("scanner.local", &[RecordType::A])),
            (
                "with another next name",
                V4_SOURCE,
                response().record(&elsewhere[..15], RecordType::NSEC, 1, 120, &elsewhere[15..]),
            ),
            ("from another source", "10.0.0.3", nsec(&[RecordType::A])),
            (
                "of another class",
                V4_SOURCE,
                response().record(&wire("printer.local"), RecordType::NSEC, 3, 120, b"\xc0\x0c\x00\x01\x40"),
            ),
        ] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(1, V4_SOURCE, A, &only_v4());
            scene.hear(1, from, AAAA, &denial);
            assert_eq!(scene.waits_until(1), Some(21), "{what}");
        }
    }

    #[test]
    fn nsec_never_removes_an_address() {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &both().nsec("printer.local", &[RecordType::A]));
        assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"]);
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4().nsec("printer.local", &[RecordType::A]));
        scene.hear(1, V6_SOURCE, AAAA, &only_v6());
        assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"]);
    }

    #[test]
    fn an_answer_that_lacks_the_family_it_was_asked_for_ends_the_wait() {
        // Asked over IPv4 only: at once.
        let mut scene = Scene::without_ipv6(Families::BOTH);
        scene.hear(60, V4_SOURCE, A, &only_v4());
        scene.hear(60, V4_SOURCE, AAAA, &only_v4());
        assert_eq!(scene.waits_until(60), Some(0));
        // Over both: IPv6 addresses may still come over IPv6.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(60, V4_SOURCE, A, &only_v4());
        scene.hear(60, V4_SOURCE, AAAA, &only_v4());
        assert_eq!(scene.waits_until(60), Some(80));
        // A missing IPv4 address has only one way to come.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(60, V4_SOURCE, AAAA, &only_v6());
        scene.hear(60, V4_SOURCE, A, &only_v6());
        assert_eq!(scene.waits_until(60), Some(0));
    }

    #[test]
    fn answers_that_say_nothing_about_the_missing_family() {
        for (what, from, answers, said) in [
            ("an empty one", V4_SOURCE, AAAA, response()),
            ("a multicast one", V4_SOURCE, None, only_v4()),
            ("one from another source", "10.0.0.3", AAAA, response().address("printer.local", "10.0.0.9")),
        ] {
            let mut scene = Scene::without_ipv6(Families::BOTH);
            scene.hear(1, V4_SOURCE, A, &only_v4());
            scene.hear(1, from, answers, &said);
            assert_eq!(scene.waits_until(1), Some(21), "{what}");
        }
    }

    #[test]
    fn records_that_are_not_taken() {
        let (v4, v6) = (RecordType::A, RecordType::AAAA);
        let name = wire("printer.local");
        for (what, response) in [
            ("another owner", response().address("scanner.local", "10.0.0.9")),
            ("a longer owner", response().address("my.printer.local", "10.0.0.9")),
            ("a shorter owner", response().address("local", "10.0.0.9")),
            ("class CH", response().record(&name, v4, 3, 120, &[10, 0, 0, 9])),
            ("class ANY", response().record(&name, v4, 255, 120, &[10, 0, 0, 9])),
            ("a goodbye", response().record(&name, v4, 1, 0, &[10, 0, 0, 9])),
            ("another type", response().record(&name, RecordType(16), 1, 120, &[10, 0, 0, 9])),
            ("an A record of 16 octets", response().record(&name, v4, 1, 120, &[10; 16])),
            ("an AAAA record of 4 octets", response().record(&name, v6, 1, 120, &[10; 4])),
            ("0.0.0.0", response().address("printer.local", "0.0.0.0")),
            ("loopback", response().address("printer.local", "127.0.0.1")),
            ("multicast", response().address("printer.local", "224.0.0.251")),
            ("broadcast", response().address("printer.local", "255.255.255.255")),
            ("::", response().address("printer.local", "::")),
            ("::1", response().address("printer.local", "::1")),
            ("ff02::fb", response().address("printer.local", "ff02::fb")),
            ("an IPv4-mapped address", response().address("printer.local", "::ffff:10.0.0.9")),
        ] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(1, V4_SOURCE, A, &response);
            assert_eq!(scene.waits_until(1), None, "{what}");
            // And it does no harm beside a good one.
            scene.hear(1, V4_SOURCE, A, &both());
            assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"], "{what}");
        }
    }

    #[test]
    fn records_that_are_taken() {
        for (what, response, expected) in [
            ("another case", response().address("PRINTER.Local", "10.0.0.9"), "10.0.0.9"),
            ("an address off the link", response().address("printer.local", "192.0.2.7"), "192.0.2.7"),
            (
                "no cache-flush bit",
                response().record(&wire("printer.local"), RecordType::A, 1, 9, &[10, 0, 0, 9]),
                "10.0.0.9",
            ),
        ] {
            let mut scene = Scene::new(Families::only(Family::V4));
            scene.hear(1, V4_SOURCE, A, &response);
            assert_eq!(scene.addresses(1), [expected], "{what}");
        }
    }

    #[test]
    fn all_addresses_are_kept_once_and_those_on_the_link_come_first() {
        let mut scene = Scene::new(Families::BOTH);
        let many = response()
            .address("printer.local", "172.17.0.1")
            .address("printer.local", "fe80::2")
            .address("printer.local", "10.0.0.2")
            .address("printer.local", "2001:db8::2")
            .address("printer.local", "fd00::2")
            .address("printer.local", "10.0.0.2");
        scene.hear(1, V4_SOURCE, A, &many);
        scene.hear(1, V4_SOURCE, AAAA, &many);
        assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2", "fe80::2", "172.17.0.1", "2001:db8::2"]);
    }

    #[test]
    fn two_hosts_of_one_name_are_not_mixed() {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &both());
        scene.hear(1, "10.0.0.3", A, &response().address("printer.local", "10.0.0.3"));
        assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"]);
        // Not even in the family that is missing.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        let other = response().address("printer.local", "10.0.0.3").address("printer.local", "fd00::3");
        scene.hear(1, "10.0.0.3", AAAA, &other);
        assert_eq!(scene.waits_until(1), Some(21));
        assert_eq!(scene.addresses(1), ["10.0.0.2"]);
        // The same host by two ways: one of its addresses is known already.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &both());
        scene.hear(1, V6_SOURCE, AAAA, &only_v6().address("printer.local", "fe80::2"));
        assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2", "fe80::2"]);
        // The same source again.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(1, V4_SOURCE, A, &response().address("printer.local", "10.0.0.22"));
        assert_eq!(scene.addresses(1), ["10.0.0.2", "10.0.0.22"]);
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let mut scene = Scene::new(Families::BOTH);
        for block in 0..=255u8 {
            let mut many = response();
            for host in 1..=20u8 {
                many = many.address("printer.local", &format!("10.0.{block}.{host}"));
            }
            scene.hear(1, V4_SOURCE, A, &many);
        }
        assert_eq!(scene.addresses(1).len(), MOST_ADDRESSES);
    }

    #[test]
    fn the_shortest_time_to_live_counts() {
        let now = |scene: &Scene| scene.at(1);
        let record = |ttl: u32| response().record(&wire("printer.local"), RecordType::A, 1, ttl, &[10, 0, 0, 2]);
        for (ttl, seconds) in [(1, 1), (9, 9), (10, 10), (120, 10), (u32::MAX, 10)] {
            let mut scene = Scene::new(Families::only(Family::V4));
            scene.hear(1, V4_SOURCE, A, &record(ttl));
            let now = now(&scene);
            assert_eq!(scene.answer(1).ttl(now), Duration::from_secs(seconds), "TTL {ttl}");
        }
    }

    #[test]
    fn the_time_to_live_of_an_alias_counts() {
        let mut scene = Scene::new(Families::only(Family::V4));
        let alias = wire("host.local");
        let chain = response()
            .record(&wire("printer.local"), RecordType::CNAME, 1, 2, &alias)
            .address("host.local", "10.0.0.2");
        scene.hear(1, V4_SOURCE, A, &chain);
        let now = scene.at(1);
        assert_eq!(scene.answer(1).ttl(now), Duration::from_secs(2));
    }

    #[test]
    fn aliases_are_followed_within_a_message() {
        let mut scene = Scene::new(Families::only(Family::V4));
        let chain = response()
            .address("host.local", "10.0.0.2")
            .name("printer.local", RecordType::CNAME, "alias.local")
            .name("alias.local", RecordType::CNAME, "host.local");
        scene.hear(1, V4_SOURCE, A, &chain);
        assert_eq!(scene.waits_until(1), Some(0));
        let answer = scene.answer(1);
        assert_eq!(answer.canonical, Name::from_text(b"host.local").unwrap());
        assert_eq!(answer.addresses.len(), 1);
    }

    #[test]
    fn an_alias_without_an_address_is_asked_for() {
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, V4_SOURCE, A, &response().name("printer.local", RecordType::CNAME, "host.local"));
        assert!(scene.collector.take_new_name());
        assert!(!scene.collector.take_new_name());
        assert_eq!(*scene.collector.name(), Name::from_text(b"host.local").unwrap());
        let again = scene.at(1);
        scene.collector.asked(Family::V4, again);
        assert_eq!(scene.collector.verdict(scene.at(1)), Verdict::Silent);
        scene.hear(2, V4_SOURCE, A, &response().address("host.local", "10.0.0.2"));
        assert_eq!(scene.waits_until(2), Some(0));
    }

    #[test]
    fn aliases_that_are_not_followed() {
        for (what, target) in [
            ("out of .local", "www.example"),
            ("to itself", "printer.local"),
            ("to a name that cannot be shown", "a b.local"),
        ] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(1, V4_SOURCE, A, &response().name("printer.local", RecordType::CNAME, target));
            assert!(!scene.collector.take_new_name(), "{what}");
        }
        // DNAME, once the way to poison a peer.
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &response().name("local", RecordType(39), "example.local"));
        assert!(!scene.collector.take_new_name());
    }

    #[test]
    fn loops_of_aliases_end() {
        let mut scene = Scene::new(Families::BOTH);
        let circle = response().name("printer.local", RecordType::CNAME, "alias.local").name(
            "alias.local",
            RecordType::CNAME,
            "printer.local",
        );
        for _ in 0..100 {
            scene.hear(1, V4_SOURCE, A, &circle);
        }
        assert_eq!(scene.collector.aliases, MOST_ALIASES);
    }

    #[test]
    fn an_alias_does_not_displace_addresses() {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(1, "10.0.0.3", A, &response().name("printer.local", RecordType::CNAME, "evil.local"));
        assert_eq!(scene.waits_until(1), Some(21));
        assert_eq!(scene.addresses(1), ["10.0.0.2"]);
    }
}
