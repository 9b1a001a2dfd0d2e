//! Lookups of addresses. Each test gives a lookup responses from certain sources at certain times, and checks how long
//! it waits for more, what it asks for meanwhile, and what it returns.

use super::*;
use crate::net::interfaces;
use crate::observer::tests::Recorder;
use crate::validate::SentQuery;
use test_packet::{Packet, Section, types, wire};

const V4_SOURCE: &str = "10.0.0.2";
const V6_SOURCE: &str = "fe80::2";

/// A lookup of printer.local on interface 2. Times are in milliseconds since its start.
struct Scene {
    lookup: HostLookup<&'static Recorder>,
    events: &'static Recorder,
    interfaces: Interfaces,
    start: Instant,
    query_at: Instant,
    unicast_response: bool,
}

impl Scene {
    fn new(wanted: Families) -> Self {
        Self::on(wanted, &[(2, "10.0.0.1/24"), (2, "fd00::1/64")])
    }

    fn without_ipv6(wanted: Families) -> Self {
        Self::on(wanted, &[(2, "10.0.0.1/24")])
    }

    fn on(wanted: Families, addresses: &[(u32, &str)]) -> Self {
        Self::with(wanted, addresses, &Config::default())
    }

    fn with(wanted: Families, addresses: &[(u32, &str)], config: &Config) -> Self {
        let name = Name::from_text(b"printer.local").unwrap();
        let interfaces = interfaces::tests::with(addresses);
        let events: &Recorder = Box::leak(Box::default());
        let lookup = HostLookup::observed(&name, wanted, &interfaces, config, events);
        let start = Instant::now();
        let mut scene = Self { lookup, events, interfaces, start, query_at: start, unicast_response: false };
        scene.send_round(Round::First, 0);
        scene
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Sends the questions of a round, and returns them.
    fn send_round(&mut self, round: Round, ms: u64) -> Vec<Question> {
        let mut questions = Vec::new();
        self.lookup.round(round, &self.interfaces, &mut questions);
        self.sent(&questions, self.at(ms));
        questions
    }

    /// Sends the follow-up questions that are due, and returns them.
    fn follow_up(&mut self, at: Instant) -> Vec<Question> {
        let mut questions = Vec::new();
        self.lookup.follow_up(&self.interfaces, at, &mut questions);
        self.sent(&questions, at);
        questions
    }

    fn sent(&mut self, questions: &[Question], at: Instant) {
        questions.iter().for_each(|question| self.lookup.on_sent(question, Ok(()), at));
    }

    fn hear(&mut self, ms: u64, from: &str, asked_for: Option<RecordType>, response: &Packet) {
        let ip: IpAddr = from.parse().unwrap();
        let source = Source { ip, interface: 2 };
        let transport = Family::of(ip);
        let query = asked_for.map(|rtype| SentQuery {
            id: 1,
            interface: 2,
            transport,
            rtype,
            unicast_response: self.unicast_response,
            at: self.query_at,
        });
        let message = Message::read(response.octets()).unwrap();
        self.lookup.on_response(&Response { message, source, query }, self.at(ms));
    }

    /// The time, in milliseconds, at which the lookup ends if nothing more arrives after `ms`. 0 if it is done already,
    /// [`FOR_EVER`] if it waits for its deadline, None if nothing has arrived.
    fn waits_until(&mut self, ms: u64) -> Option<u128> {
        let (start, deadline) = (self.at(ms), self.at(5000));
        let mut at = start;
        loop {
            match self.lookup.poll(at) {
                Progress::NoResponse => return None,
                Progress::Done if at == start => return Some(0),
                Progress::Done => return Some((at - self.start).as_millis()),
                Progress::WaitUntil(_) if at >= deadline => return Some(FOR_EVER),
                Progress::WaitUntil(until) => {
                    self.follow_up(at);
                    assert!(until > at, "a wait that ends at once");
                    at = match self.lookup.poll(at) {
                        Progress::WaitUntil(until) => until,
                        // The follow-up completed the questions that giving up requires.
                        Progress::Done => return Some((at - self.start).as_millis()),
                        Progress::NoResponse => panic!("what has arrived is not forgotten"),
                    };
                }
            }
        }
    }

    fn answer(mut self, ms: u64) -> Answer {
        let (now, name) = (self.at(ms), Name::from_text(b"printer.local").unwrap());
        self.lookup.finish(&name, &self.interfaces, now).unwrap()
    }

    fn addresses(self, ms: u64) -> Vec<String> {
        self.answer(ms).addresses.iter().map(|address| address.ip.to_string()).collect()
    }
}

/// The lookup waits for its deadline, which only the querier knows.
const FOR_EVER: u128 = u128::MAX;

/// The types and destinations of questions, as text.
fn shown(questions: &[Question]) -> Vec<String> {
    let rtype = |rtype| match rtype {
        RecordType::A => "A",
        RecordType::AAAA => "AAAA",
        RecordType::ANY => "ANY",
        _ => "?",
    };
    let to = |to: Destination| match to {
        Destination::Group(transport) => format!("group {transport:?}"),
        Destination::GroupFromListener(transport) => format!("listener {transport:?}"),
        Destination::Host(ip) => ip.to_string(),
        Destination::Neighbours(transport) => format!("neighbours {transport:?}"),
        Destination::OtherAddresses(ip, transport) => format!("{transport:?} of {ip}"),
    };
    questions.iter().map(|question| format!("{} to {}", rtype(question.rtype), to(question.to))).collect()
}

fn response() -> Packet {
    Packet::new(0)
}

fn both() -> Packet {
    response().address("printer.local", "10.0.0.2").address("printer.local", "fd00::2")
}

fn only_v4() -> Packet {
    response().address("printer.local", "10.0.0.2")
}

fn only_v6() -> Packet {
    response().address("printer.local", "fd00::2")
}

fn link_local_v6() -> Packet {
    response().address("printer.local", "fe80::2")
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
    assert!(!answer.settles(Families::BOTH), "nothing is known about the other family");
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
fn a_multicast_response_may_be_only_part_of_the_answer() {
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, None, &both());
    assert_eq!(scene.waits_until(1), Some(21));
    scene.hear(2, V4_SOURCE, A, &only_v4());
    assert_eq!(scene.waits_until(2), Some(21));
    scene.hear(3, V4_SOURCE, AAAA, &only_v6().address("printer.local", "fe80::2"));
    assert_eq!(scene.waits_until(3), Some(0));
    assert_eq!(scene.addresses(3), ["10.0.0.2", "fd00::2", "fe80::2"]);
    // A responder that only multicasts sends nothing more.
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, None, &both());
    assert_eq!(scene.waits_until(1), Some(21));
    assert_eq!(scene.waits_until(21), Some(0));
}

#[test]
fn a_caller_that_has_one_family_waits_a_while_for_the_other() {
    // Twice the delay of the first response, within the bounds.
    for (delay, until) in [(0, 20), (1, 21), (12, 36), (20, 60), (120, 220), (500, 600)] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(delay, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
        let answer = scene.answer(1000);
        assert!(!answer.settles(Families::BOTH) && answer.unknown.families == Families::only(Family::V6));
    }
}

#[test]
fn a_missing_ipv4_address_is_waited_for_longer_while_ipv4_is_silent() {
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V6_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.waits_until(1), Some(101));
    // IPv4 works: the responder has omitted A from its response over IPv4 to the question for AAAA.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.waits_until(1), Some(21));
}

#[test]
fn a_caller_that_wants_only_ipv4_never_takes_silence_for_an_answer() {
    for source in [V4_SOURCE, V6_SOURCE] {
        let mut scene = Scene::new(Families::only(Family::V4));
        scene.hear(1, source, AAAA, &only_v6());
        assert_eq!(scene.waits_until(1), Some(FOR_EVER), "{source}");
        let answer = scene.answer(2000);
        assert_eq!((answer.absent, answer.unknown.families), (Families::NONE, Families::only(Family::V4)));
    }
}

#[test]
fn a_caller_that_wants_only_ipv6_waits_until_it_is_denied_or_asked_for_often_enough() {
    let wanted = Families::only(Family::V6);
    // Nothing denies it.
    let mut scene = Scene::new(wanted);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    assert_eq!(scene.waits_until(1), Some(60));
    assert!(!scene.answer(60).settles(wanted));
    // A response over IPv4 omits it; IPv6 is silent.
    let mut scene = Scene::new(wanted);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(1), Some(21));
    assert!(!scene.answer(21).settles(wanted));
    // There is no IPv6.
    let mut scene = Scene::without_ipv6(wanted);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(1), Some(0));
    assert!(scene.answer(1).settles(wanted));
}

#[test]
fn questions_that_were_lost_before_the_host_responded_are_no_evidence() {
    for wanted in [Families::BOTH, Families::only(Family::V6)] {
        let mut scene = Scene::new(wanted);
        scene.send_round(Round::Repeat, 30);
        scene.send_round(Round::Repeat, 250);
        scene.query_at = scene.at(250);
        scene.hear(251, V4_SOURCE, A, &only_v4());
        let patience_end = if wanted == Families::BOTH { 271 } else { 310 };
        assert_eq!(scene.waits_until(251), Some(patience_end));
    }
}

#[test]
fn questions_to_other_hosts_are_no_evidence() {
    let neighbours = Destination::Neighbours(Family::V6);
    let neighbour = Destination::Host("fe80::9".parse().unwrap());
    let group = Destination::Group(Family::V6);
    for (to, is_given_up) in [(neighbours, false), (neighbour, false), (group, true)] {
        let mut scene = Scene::new(Families::only(Family::V6));
        let question = Question { interface: 2, to, rtype: RecordType::AAAA, unicast_response: false };
        scene.sent(&[question; 16], scene.start);
        let by_listener = Question { to: Destination::GroupFromListener(Family::V6), ..question };
        scene.sent(&[by_listener], scene.start);
        scene.hear(1, V4_SOURCE, AAAA, &only_v4());
        assert_eq!(scene.lookup.poll(scene.at(21)) == Progress::Done, is_given_up, "{to:?}");
    }
}

#[test]
fn a_process_that_wakes_up_late_sends_the_questions_that_it_has_missed() {
    let mut scene = Scene::new(Families::only(Family::V6));
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.follow_up(scene.at(1));
    for ms in [50, 51, 52, 53] {
        assert!(!scene.follow_up(scene.at(ms)).is_empty());
        assert_eq!(scene.lookup.poll(scene.at(ms)), Progress::WaitUntil(scene.at(ms + 1)));
    }
}

#[test]
fn responses_may_have_been_delayed_by_different_times() {
    for (delay, until) in [(1, 21), (12, 36), (20, 160), (80, 180), (120, 220)] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(delay, V4_SOURCE, None, &only_v4());
        assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
        // A responder that answers by unicast only on request may delay that as well.
        let mut scene = Scene::new(Families::BOTH);
        scene.unicast_response = true;
        scene.hear(delay, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(delay), Some(until), "by unicast after {delay} ms");
    }
}

#[test]
fn a_multicast_response_may_answer_an_earlier_query_than_the_last() {
    // The repeat after 30 ms and the response to the first query cross.
    for (repeats, at, until) in [(&[30][..], 35, 160), (&[30, 250], 255, 275), (&[30, 250], 290, 410)] {
        let mut scene = Scene::new(Families::BOTH);
        for &ms in repeats {
            scene.send_round(Round::Repeat, ms);
        }
        scene.hear(at, V4_SOURCE, None, &only_v6());
        assert_eq!(scene.waits_until(at), Some(until), "{at} ms, repeats {repeats:?}");
    }
}

#[test]
fn time_alone_is_no_evidence_about_a_family_that_was_not_wanted() {
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &only_v4());
    assert!(!scene.answer(1000).absent.contains(Family::V6));
    let mut scene = Scene::without_ipv6(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(1, V4_SOURCE, AAAA, &response().nsec("printer.local", &[types::A]));
    assert!(scene.answer(1).absent.contains(Family::V6));
}

#[test]
fn what_is_asked_while_nothing_has_arrived() {
    let mut scene = Scene::new(Families::BOTH);
    let first = ["A to group V4", "AAAA to group V4", "AAAA to group V6"];
    assert_eq!(shown(&scene.send_round(Round::First, 0)), first);
    assert_eq!(shown(&scene.send_round(Round::Neighbours, 2)), ["A to neighbours V4", "AAAA to neighbours V6"]);
    let repeat = scene.send_round(Round::Repeat, 30);
    let over_v4 = ["A to listener V4", "A to group V4", "AAAA to listener V4", "AAAA to group V4"];
    let over_v6 = ["AAAA to listener V6", "AAAA to group V6"];
    assert_eq!(shown(&repeat), [&over_v4[..], &over_v6].concat());
    assert!(repeat.iter().all(|question| question.unicast_response == matches!(question.to, Destination::Group(_))));
    let mut scene = Scene::on(Families::BOTH, &[(2, "fd00::1/64")]);
    assert_eq!(shown(&scene.send_round(Round::First, 0)), ["A to group V6", "AAAA to group V6"]);
    // Nothing could be sent over IPv4.
    let name = Name::from_text(b"printer.local").unwrap();
    let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64")]);
    let lookup = HostLookup::new(&name, Families::BOTH, &interfaces, &Config::default());
    let mut questions = Vec::new();
    lookup.round(Round::Repeat, &interfaces, &mut questions);
    assert!(shown(&questions).contains(&"A to group V6".to_owned()), "{questions:?}");
}

#[test]
fn what_is_missing_is_asked_for_directly_and_over_the_silent_transport() {
    let mut scene = Scene::new(Families::BOTH);
    assert_eq!(shown(&scene.follow_up(scene.at(1))), [""; 0]);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    let mut questions = Vec::new();
    for ms in 1..21 {
        questions.push(shown(&scene.follow_up(scene.at(ms))).join(", "));
    }
    questions.retain(|questions| !questions.is_empty());
    let expected = [
        "ANY to 10.0.0.2",
        "AAAA to 10.0.0.2, AAAA to V6 of 10.0.0.2, AAAA to group V6",
        "ANY to 10.0.0.2, AAAA to group V6, AAAA to listener V6",
        "AAAA to 10.0.0.2, AAAA to group V4, AAAA to group V6",
        "ANY to 10.0.0.2, AAAA to group V6",
        "AAAA to 10.0.0.2, AAAA to group V6",
    ];
    assert_eq!(questions, expected);
}

#[test]
fn nothing_is_asked_of_a_host_that_has_denied_it() {
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4().nsec("printer.local", &[types::A]));
    let asked: Vec<_> = (1..21).flat_map(|ms| scene.follow_up(scene.at(ms))).collect();
    assert!(asked.iter().all(|question| question.to.transport() == Family::V6), "{:?}", shown(&asked));
}

#[test]
fn repeats_are_sent_in_the_way_that_was_answered() {
    let mut scene = Scene::new(Families::BOTH);
    let message = only_v4();
    let message = Message::read(message.octets()).unwrap();
    let source = Source { ip: V4_SOURCE.parse().unwrap(), interface: 2 };
    let (transport, rtype, at) = (Family::V4, RecordType::A, scene.query_at);
    let query = Some(SentQuery { id: 1, interface: 2, transport, rtype, unicast_response: true, at });
    scene.lookup.on_response(&Response { message, source, query }, scene.at(31));
    let direct = scene.follow_up(scene.at(32));
    assert!(!direct.is_empty() && direct.iter().all(|question| question.unicast_response), "{direct:?}");
}

#[test]
fn the_rest_of_the_responses_to_the_first_round_are_waited_for_before_anything_is_asked_again() {
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    assert_eq!(shown(&scene.follow_up(scene.at(1))), [""; 0]);
    assert_eq!(shown(&scene.follow_up(scene.at(2))), ["ANY to 10.0.0.2"]);
    // Only one of the neighbours' questions asks for IPv4 addresses, so no other response can be on its way.
    let mut scene = Scene::new(Families::BOTH);
    scene.send_round(Round::Neighbours, 2);
    scene.query_at = scene.at(2);
    scene.hear(3, V4_SOURCE, A, &only_v4());
    assert_eq!(shown(&scene.follow_up(scene.at(3))), ["ANY to 10.0.0.2"]);
}

#[test]
fn a_multicast_response_is_confirmed_directly() {
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, None, &only_v4());
    assert_eq!(shown(&scene.follow_up(scene.at(2))), ["ANY to 10.0.0.2"]);
    scene.hear(2, V4_SOURCE, Some(RecordType::ANY), &only_v4());
    assert_eq!(scene.waits_until(2), Some(0));
}

#[test]
fn the_delay_counts_from_the_query_that_was_answered() {
    // A multicast response: from the last query.
    let mut scene = Scene::new(Families::BOTH);
    scene.send_round(Round::Repeat, 250);
    scene.hear(251, V4_SOURCE, None, &only_v4());
    assert_eq!(scene.waits_until(251), Some(271));
    // A unicast response: from the query with its id, here the first.
    let mut scene = Scene::new(Families::BOTH);
    scene.send_round(Round::Repeat, 250);
    scene.hear(251, V4_SOURCE, A, &only_v4());
    assert_eq!(scene.waits_until(251), Some(351));
}

#[test]
fn nsec_over_every_transport_ends_the_wait() {
    let denial = response().nsec("printer.local", &[types::A]);
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(2, V4_SOURCE, AAAA, &denial);
    assert_eq!(scene.waits_until(2), Some(0));
    assert!(scene.answer(2).absent.contains(Family::V6));
    // In the other order, and of the other family.
    let mut scene = Scene::on(Families::only(Family::V4), &[(2, "fd00::1/64")]);
    scene.hear(1, V6_SOURCE, A, &response().nsec("printer.local", &[types::AAAA]));
    assert_eq!(scene.waits_until(1), None);
    scene.hear(2, V6_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.waits_until(2), Some(0));
}

/// The own addresses of such a family are not added to the answer for the own name.
#[test]
fn a_family_is_silent_unless_it_is_denied_over_one_transport_or_withdrawn() {
    let address = std::net::Ipv6Addr::from([0xfd00, 0, 0, 0, 0, 0, 0, 2]);
    let goodbye = response().record_with(&wire("printer.local"), types::AAAA, 0x8001, 0, &address.octets());
    for (said, expected) in [
        (&[only_v4()][..], false),
        (&[only_v4(), response().nsec("printer.local", &[types::A])], true),
        (&[both()], false),
        (&[both(), goodbye], true),
    ] {
        let mut scene = Scene::new(Families::BOTH);
        said.iter().for_each(|said| scene.hear(1, V4_SOURCE, None, said));
        assert_eq!(scene.lookup.is_denied_or_withdrawn(Family::V6), expected, "{said:?}");
        assert!(!scene.lookup.is_denied_or_withdrawn(Family::V4));
    }
}

#[test]
fn what_is_denied_over_one_transport_may_arrive_over_the_other() {
    // IPv6 gets half the time that IPv4 has taken, 1 to 5 ms, whichever way it is denied.
    for denial in [only_v4().nsec("printer.local", &[types::A]), only_v4()] {
        for (delay, until) in [(1, 2), (4, 6), (100, 105)] {
            let mut scene = Scene::new(Families::BOTH);
            scene.hear(delay, V4_SOURCE, AAAA, &denial);
            assert_eq!(scene.waits_until(delay), Some(until));
            assert!(!scene.answer(200).settles(Families::BOTH));
        }
    }
    let denial = only_v4().nsec("printer.local", &[types::A]);
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, AAAA, &denial);
    scene.hear(2, V6_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.waits_until(2), Some(0));
    assert_eq!(scene.addresses(2), ["10.0.0.2", "fd00::2"]);
    // A caller that has nothing else waits longer.
    let mut scene = Scene::new(Families::only(Family::V6));
    scene.hear(1, V4_SOURCE, AAAA, &denial);
    assert_eq!(scene.waits_until(1), Some(21));
}

/// tinysvcmdns adds the same NSEC record to every response.
#[test]
fn a_bare_nsec_record_is_no_evidence() {
    let denial = only_v4().nsec("printer.local", &[types::A]);
    for asked_for in [A, None] {
        let mut scene = Scene::without_ipv6(Families::only(Family::V6));
        scene.hear(1, V4_SOURCE, asked_for, &denial);
        assert_eq!(scene.waits_until(1), Some(60), "{asked_for:?}");
        scene.hear(2, V4_SOURCE, None, &only_v6().nsec("printer.local", &[types::A]));
        let answer = scene.answer(2);
        assert!(answer.has(Family::V6) && answer.absent.is_empty(), "{answer:?}");
    }
    // Alone, the record can only be the answer to the question for AAAA. Some responders multicast it.
    let mut scene = Scene::without_ipv6(Families::only(Family::V6));
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(2, V4_SOURCE, None, &response().nsec("printer.local", &[types::A]));
    assert_eq!(scene.waits_until(2), Some(0));
}

#[test]
fn nsec_records_that_are_no_evidence() {
    let nsec = |types: &[u16]| response().nsec("printer.local", types);
    let elsewhere = [wire("printer.local"), b"\x04next\x05local\x00\x00\x01\x40".to_vec()].concat();
    for (what, from, denial) in [
        ("an inverted bitmap", V4_SOURCE, nsec(&[types::AAAA])),
        ("an empty bitmap", V4_SOURCE, nsec(&[])),
        ("a bitmap with both", V4_SOURCE, nsec(&[types::A, types::AAAA])),
        ("of another name", V4_SOURCE, response().nsec("scanner.local", &[types::A])),
        (
            "with another next name",
            V4_SOURCE,
            response().record_with(&elsewhere[..15], types::NSEC, 1, 120, &elsewhere[15..]),
        ),
        ("from another source", "10.0.0.3", nsec(&[types::A])),
        (
            "of another class",
            V4_SOURCE,
            response().record_with(&wire("printer.local"), types::NSEC, 3, 120, b"\xc0\x0c\x00\x01\x40"),
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
    scene.hear(1, V4_SOURCE, A, &both().nsec("printer.local", &[types::A]));
    assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"]);
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &only_v4().nsec("printer.local", &[types::A]));
    scene.hear(1, V6_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.addresses(1), ["10.0.0.2", "fd00::2"]);
}

#[test]
fn a_response_that_omits_the_family_it_was_asked_for_ends_the_wait() {
    // Queried over IPv4 only: at once.
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(60, V4_SOURCE, A, &only_v4());
    scene.hear(60, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(60), Some(0));
    assert!(scene.answer(60).settles(Families::BOTH));
    // ANY asks for both.
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(1, V4_SOURCE, Some(RecordType::ANY), &only_v4());
    assert_eq!(scene.waits_until(1), Some(0));
    // But some responders answer it with one record only: an IPv4 address is not denied by that.
    let mut scene = Scene::without_ipv6(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, Some(RecordType::ANY), &only_v6());
    assert_eq!(scene.waits_until(1), Some(FOR_EVER));
    // Over both: IPv6 addresses may still arrive over IPv6, shortly after.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(60, V4_SOURCE, A, &only_v4());
    scene.hear(60, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(60), Some(65));
    assert!(!scene.answer(65).settles(Families::BOTH));
    // A missing IPv4 address can arrive only over IPv4.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(60, V4_SOURCE, AAAA, &only_v6());
    scene.hear(60, V4_SOURCE, A, &only_v6());
    assert_eq!(scene.waits_until(60), Some(0));
}

#[test]
fn an_excluded_address_is_no_express_denial() {
    let mut scene = Scene::new(Families::BOTH);
    scene.lookup.ipv6_link_local = false;
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(1, V4_SOURCE, AAAA, &link_local_v6());
    assert_eq!(scene.waits_until(1), Some(21));
}

#[test]
fn addresses_that_the_settings_exclude_count_as_omitted() {
    let link_local = || only_v4().address("printer.local", "fe80::2");
    let global = || link_local().address("printer.local", "fd00::2");
    for (what, said, waits_until) in [
        ("only excluded addresses", link_local(), 0),
        ("TC set, so there may be more", link_local().flags(0x8600), 21),
        ("cut off before an address that counts", global().without_last(1), 21),
    ] {
        let mut scene = Scene::without_ipv6(Families::BOTH);
        scene.lookup.ipv6_link_local = false;
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(1, V4_SOURCE, AAAA, &said);
        assert_eq!(scene.waits_until(1), Some(waits_until), "{what}");
        assert_eq!(scene.answer(1).absent.contains(Family::V6), waits_until == 0, "{what}");
    }
}

#[test]
fn responses_that_are_no_evidence_about_the_missing_family() {
    for (what, from, asked_for, said) in [
        ("an empty one", V4_SOURCE, AAAA, response()),
        ("a multicast one", V4_SOURCE, None, only_v4()),
        ("one from another source", "10.0.0.3", AAAA, response().address("printer.local", "10.0.0.9")),
        ("one with the bit TC", V4_SOURCE, AAAA, only_v4().flags(0x8600)),
        ("one without its last record", V4_SOURCE, AAAA, only_v4().count(Section::Additional, 1)),
    ] {
        let mut scene = Scene::without_ipv6(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(1, from, asked_for, &said);
        assert_eq!(scene.waits_until(1), Some(21), "{what}");
    }
}

#[test]
fn addresses_that_the_settings_exclude_are_no_addresses() {
    let config = Config { ipv6_link_local: false, ..Config::default() };
    let mut scene = Scene::with(Families::BOTH, &[(2, "10.0.0.1/24")], &config);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(1, V4_SOURCE, AAAA, &response().address("printer.local", "fe80::2"));
    scene.hear(1, V4_SOURCE, AAAA, &both());
    assert_eq!(scene.waits_until(1), Some(0));
    let mut scene = Scene::with(Families::BOTH, &[(2, "10.0.0.1/24")], &config);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4().address("printer.local", "fe80::2"));
    assert_eq!(scene.waits_until(1), Some(0));
    let answer = scene.answer(1);
    assert!(answer.absent.contains(Family::V6) && answer.addresses.len() == 1);
    // A response that was cut off may have had another address.
    let mut scene = Scene::with(Families::BOTH, &[(2, "10.0.0.1/24")], &config);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4().address("printer.local", "fe80::2").flags(0x8600));
    assert_ne!(scene.waits_until(1), Some(0));
}

#[test]
fn records_that_are_not_taken() {
    let (v4, v6) = (types::A, types::AAAA);
    let name = wire("printer.local");
    for (what, response) in [
        ("another owner", response().address("scanner.local", "10.0.0.9")),
        ("a longer owner", response().address("my.printer.local", "10.0.0.9")),
        ("a shorter owner", response().address("local", "10.0.0.9")),
        ("class CH", response().record_with(&name, v4, 3, 120, &[10, 0, 0, 9])),
        ("class ANY", response().record_with(&name, v4, 255, 120, &[10, 0, 0, 9])),
        ("a goodbye", response().record_with(&name, v4, 1, 0, &[10, 0, 0, 9])),
        ("another type", response().record_with(&name, 16, 1, 120, &[10, 0, 0, 9])),
        ("an A record of 16 octets", response().record_with(&name, v4, 1, 120, &[10; 16])),
        ("an AAAA record of 4 octets", response().record_with(&name, v6, 1, 120, &[10; 4])),
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
        // It does no harm beside a valid one.
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
            response().record_with(&wire("printer.local"), types::A, 1, 9, &[10, 0, 0, 9]),
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
fn addresses_of_two_hosts_with_one_name_are_not_mixed() {
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
    // The same host over another transport: one of its addresses is known already.
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
fn the_number_of_addresses_is_limited() {
    let mut scene = Scene::new(Families::BOTH);
    for block in 0..=255u8 {
        let mut many = response();
        // 10.0.0.1 is this machine's own.
        for host in 2..=21u8 {
            many = many.address("printer.local", std::net::Ipv4Addr::new(10, 0, block, host));
        }
        scene.hear(1, V4_SOURCE, A, &many);
    }
    // An address for which there is no room is no evidence of absence.
    scene.hear(1, V4_SOURCE, AAAA, &only_v6());
    scene.hear(1, V6_SOURCE, AAAA, &both());
    let answer = scene.answer(1);
    assert_eq!(answer.addresses.len(), MAX_ADDRESSES);
    assert_eq!(answer.absent, Families::NONE);
}

#[test]
fn the_shortest_time_to_live_counts() {
    let now = |scene: &Scene| scene.at(1);
    let record = |ttl: u32| response().record_with(&wire("printer.local"), types::A, 1, ttl, &[10, 0, 0, 2]);
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
    let chain =
        response().record_with(&wire("printer.local"), types::CNAME, 1, 2, &alias).address("host.local", "10.0.0.2");
    scene.hear(1, V4_SOURCE, A, &chain);
    let now = scene.at(1);
    assert_eq!(scene.answer(1).ttl(now), Duration::from_secs(2));
}

#[test]
fn aliases_are_followed_within_a_message() {
    let mut scene = Scene::new(Families::only(Family::V4));
    let chain = response()
        .address("host.local", "10.0.0.2")
        .name_record("printer.local", types::CNAME, "alias.local")
        .name_record("alias.local", types::CNAME, "host.local");
    scene.hear(1, V4_SOURCE, A, &chain);
    assert_eq!(scene.waits_until(1), Some(0));
    let answer = scene.answer(1);
    assert_eq!(answer.canonical, Name::from_text(b"host.local").unwrap());
    assert_eq!(answer.addresses.len(), 1);
}

#[test]
fn the_target_of_an_alias_without_an_address_is_asked_for() {
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &response().name_record("printer.local", types::CNAME, "host.local"));
    assert!(scene.lookup.take_new_name());
    assert!(!scene.lookup.take_new_name());
    assert_eq!(*scene.lookup.name(), Name::from_text(b"host.local").unwrap());
    scene.send_round(Round::First, 1);
    assert_eq!(scene.lookup.poll(scene.at(1)), Progress::NoResponse);
    scene.hear(2, V4_SOURCE, A, &response().address("host.local", "10.0.0.2"));
    assert_eq!(scene.waits_until(2), Some(0));
}

#[test]
fn what_was_asked_and_denied_about_the_alias_says_nothing_about_its_target() {
    let mut scene = Scene::new(Families::only(Family::V6));
    for ms in [0, 1, 2, 3, 4] {
        scene.send_round(Round::Repeat, ms);
    }
    scene.hear(5, V4_SOURCE, AAAA, &response().nsec("printer.local", &[types::A]));
    scene.hear(5, V4_SOURCE, AAAA, &response().name_record("printer.local", types::CNAME, "host.local"));
    assert!(scene.lookup.take_new_name());
    scene.send_round(Round::First, 5);
    scene.query_at = scene.at(5);
    scene.hear(6, V4_SOURCE, A, &response().address("host.local", "10.0.0.2"));
    // As if the target had been looked up: see `a_caller_that_wants_only_ipv6_waits_...`.
    let alone = {
        let mut scene = Scene::new(Families::only(Family::V6));
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.waits_until(1)
    };
    assert_eq!(scene.waits_until(6), alone.map(|ms| ms + 5));
    // Nor does a response to a question about the alias.
    let mut scene = Scene::without_ipv6(Families::only(Family::V6));
    let alias = response().name_record("printer.local", types::CNAME, "host.local");
    scene.hear(1, V4_SOURCE, AAAA, &alias.address("host.local", "10.0.0.2"));
    assert_eq!(shown(&scene.follow_up(scene.at(2))), ["ANY to 10.0.0.2"]);
}

#[test]
fn nothing_is_asked_directly_of_an_address_that_is_not_on_the_link() {
    for (source, is_asked_directly, is_group_asked) in
        [("10.0.0.2", true, false), ("10.0.1.2", false, true), ("10.0.0.1", false, false)]
    {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, source, A, &only_v4());
        let questions = shown(&scene.follow_up(scene.at(2)));
        assert_eq!(questions.contains(&format!("ANY to {source}")), is_asked_directly, "{source}: {questions:?}");
        let questions = shown(&scene.follow_up(scene.at(4)));
        assert_eq!(questions.contains(&"AAAA to group V4".into()), is_group_asked, "{source}: {questions:?}");
    }
}

#[test]
fn a_daemons_link_local_address_has_no_meaning_here() {
    let mut scene = Scene::new(Families::BOTH);
    let daemon = |ip: &str| Address { ip: ip.parse().unwrap(), interface: 2 };
    scene.lookup.on_daemon_address(daemon("fe80::2"), scene.at(31));
    assert_eq!(scene.lookup.poll(scene.at(31)), Progress::NoResponse);
    scene.lookup.on_daemon_address(daemon("10.0.0.2"), scene.at(32));
    assert_eq!(scene.lookup.poll(scene.at(32)), Progress::WaitUntil(scene.at(52)));
    assert_eq!(scene.addresses(52), ["10.0.0.2"]);
}

#[test]
fn a_daemon_is_asked_for_both_families_but_ends_only_a_lookup_of_its_own_family() {
    let mut scene = Scene::new(Families::only(Family::V6));
    assert_eq!(scene.lookup.daemon_families(), Families::BOTH);
    let address = Address { ip: "10.0.0.2".parse().unwrap(), interface: 2 };
    scene.lookup.on_daemon_address(address, scene.at(31));
    assert_eq!(scene.lookup.poll(scene.at(100)), Progress::NoResponse);
    let answer = scene.answer(5000);
    assert!(answer.has(Family::V4) && answer.unknown.families == Families::only(Family::V6));
}

#[test]
fn aliases_that_are_not_followed() {
    for (what, target) in [
        ("out of .local", "www.example"),
        ("to itself", "printer.local"),
        ("to a name that cannot be shown", "a\u{a0}b.local"),
    ] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &response().name_record("printer.local", types::CNAME, target));
        assert!(!scene.lookup.take_new_name(), "{what}");
    }
    // DNAME: systemd-resolved was once poisoned by one.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &response().name_record("local", 39, "example.local"));
    assert!(!scene.lookup.take_new_name());
}

#[test]
fn alias_loops_end() {
    let mut scene = Scene::new(Families::BOTH);
    let circle = response().name_record("printer.local", types::CNAME, "alias.local").name_record(
        "alias.local",
        types::CNAME,
        "printer.local",
    );
    for _ in 0..100 {
        scene.hear(1, V4_SOURCE, A, &circle);
    }
    assert_eq!(scene.lookup.aliases, MAX_ALIASES);
}

#[test]
fn an_alias_does_not_displace_addresses() {
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(1, "10.0.0.3", A, &response().name_record("printer.local", types::CNAME, "evil.local"));
    assert_eq!(scene.waits_until(1), Some(21));
    assert_eq!(scene.addresses(1), ["10.0.0.2"]);
}

/// mdnsd 1.0 sends the link-local address alone by unicast, and a few milliseconds later all addresses by multicast.
#[test]
fn a_link_local_ipv6_address_alone_is_waited_for_where_this_machine_has_another() {
    for wanted in [Families::BOTH, Families::only(Family::V6)] {
        let mut scene = Scene::new(wanted);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(2, V4_SOURCE, AAAA, &link_local_v6());
        assert_eq!(scene.waits_until(2), Some(21), "{wanted:?}");
        scene.hear(5, V4_SOURCE, None, &both().address("printer.local", "fe80::2"));
        assert_eq!(scene.waits_until(5), Some(0), "{wanted:?}");
    }
    // There is no such address on the link, or nobody wants it.
    for (wanted, own) in [
        (Families::BOTH, &[(2, "10.0.0.1/24"), (2, "fe80::1/64")][..]),
        (Families::only(Family::V4), &[(2, "10.0.0.1/24"), (2, "fd00::1/64")]),
    ] {
        let mut scene = Scene::on(wanted, own);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(2, V4_SOURCE, AAAA, &link_local_v6());
        assert_eq!(scene.waits_until(2), Some(0), "{wanted:?}");
    }
}

#[test]
fn addresses_of_a_second_host_with_the_same_name_are_ignored() {
    let other_v4 = || response().address("printer.local", "10.0.0.9");
    let other_v6 = || response().address("printer.local", "fd00::9");
    for (what, responses, expected) in [
        (
            "the other family over the same transport",
            &[(V4_SOURCE, only_v4()), ("10.0.0.9", other_v6())][..],
            &["10.0.0.2"][..],
        ),
        (
            "each family over its own transport",
            &[(V4_SOURCE, only_v4()), (V6_SOURCE, only_v6())],
            &["10.0.0.2", "fd00::2"],
        ),
        ("the reverse", &[(V6_SOURCE, only_v6()), (V4_SOURCE, only_v4())], &["fd00::2", "10.0.0.2"]),
        ("each family over the other transport", &[(V6_SOURCE, only_v4()), ("10.0.0.9", only_v6())], &["10.0.0.2"]),
        (
            "the same, from an address of the host",
            &[(V6_SOURCE, only_v4()), (V4_SOURCE, only_v6())],
            &["10.0.0.2", "fd00::2"],
        ),
        ("a family that is known", &[(V4_SOURCE, both()), ("fe80::9", other_v6())], &["10.0.0.2", "fd00::2"]),
        ("over a transport that has been used", &[(V4_SOURCE, only_v6()), ("10.0.0.9", other_v4())], &["fd00::2"]),
        (
            "both families",
            &[(V4_SOURCE, only_v4()), ("fe80::9", other_v6().address("printer.local", "10.0.0.9"))],
            &["10.0.0.2"],
        ),
        ("a shared address", &[(V4_SOURCE, only_v4()), ("10.0.0.9", both())], &["10.0.0.2", "fd00::2"]),
        ("the same family", &[(V4_SOURCE, only_v4()), ("10.0.0.9", other_v4())], &["10.0.0.2"]),
        (
            "a third source",
            &[(V4_SOURCE, only_v4()), (V6_SOURCE, only_v6()), ("fe80::9", other_v6())],
            &["10.0.0.2", "fd00::2"],
        ),
    ] {
        let mut scene = Scene::new(Families::BOTH);
        for (at, (source, response)) in (1..).zip(responses) {
            scene.hear(at, source, A, response);
        }
        assert_eq!(scene.addresses(9), expected, "{what}");
    }
}

/// A machine may have two interfaces on one link, of which only one has an IPv4 address.
#[test]
fn the_families_of_a_host_may_arrive_on_different_interfaces() {
    let interfaces = [(2, "fe80::1/64"), (3, "10.0.0.1/24"), (3, "fe80::3/64")];
    for (wanted, waits_until) in [(Families::BOTH, Some(0)), (Families::only(Family::V4), Some(0))] {
        let mut scene = Scene::on(wanted, &interfaces);
        scene.hear(1, V6_SOURCE, AAAA, &only_v6());
        let response = only_v4();
        let message = Message::read(response.octets()).unwrap();
        let source = Source { ip: V4_SOURCE.parse().unwrap(), interface: 3 };
        let (rtype, at) = (RecordType::A, scene.query_at);
        let query = Some(SentQuery { id: 1, interface: 3, transport: Family::V4, rtype, unicast_response: false, at });
        scene.lookup.on_response(&Response { message, source, query }, scene.at(2));
        assert_eq!(scene.waits_until(2), waits_until, "{wanted:?}");
        assert_eq!(scene.addresses(2), ["10.0.0.2", "fd00::2"]);
    }
}

#[test]
fn an_address_that_the_host_withdraws_is_removed() {
    let goodbye = |ip: &str| {
        let IpAddr::V4(ip) = ip.parse().unwrap() else { panic!("an IPv6 address") };
        response().record_with(&wire("printer.local"), types::A, 0x8001, 0, &ip.octets())
    };
    let new = || response().address("printer.local", "10.0.0.3");
    for (what, responses, expected) in [
        (
            "replaced",
            &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.2")), (V4_SOURCE, new())][..],
            &["10.0.0.3"][..],
        ),
        (
            "replaced, from there",
            &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.2")), ("10.0.0.3", new())],
            &["10.0.0.3"],
        ),
        (
            "replaced, from there, beside IPv6",
            &[(V4_SOURCE, both()), (V4_SOURCE, goodbye("10.0.0.2")), ("10.0.0.3", new())],
            &["fd00::2", "10.0.0.3"],
        ),
        (
            "in one packet",
            &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.2").address("printer.local", "10.0.0.3"))],
            &["10.0.0.3"],
        ),
        (
            "with another TTL too",
            &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.2").address("printer.local", "10.0.0.2"))],
            &["10.0.0.2"],
        ),
        (
            "in one packet, from there",
            &[(V4_SOURCE, only_v4()), ("10.0.0.3", goodbye("10.0.0.2").address("printer.local", "10.0.0.3"))],
            &["10.0.0.3"],
        ),
        (
            "an address that it never had, before the other family",
            &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.7")), (V6_SOURCE, only_v6()), ("fe80::9", only_v6())],
            &["10.0.0.2", "fd00::2"],
        ),
        ("by another host", &[(V4_SOURCE, only_v4()), ("10.0.0.9", goodbye("10.0.0.2"))], &["10.0.0.2"]),
        ("an address that it never had", &[(V4_SOURCE, only_v4()), (V4_SOURCE, goodbye("10.0.0.7"))], &["10.0.0.2"]),
    ] {
        let mut scene = Scene::new(Families::BOTH);
        for (at, (source, response)) in (1..).zip(responses) {
            scene.hear(at, source, None, response);
        }
        assert_eq!(scene.addresses(9), expected, "{what}");
    }
    // Nothing is known then, as before the first response.
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(1, V4_SOURCE, AAAA, &only_v4());
    scene.hear(2, V4_SOURCE, None, &goodbye("10.0.0.2"));
    assert_eq!(scene.waits_until(2), None);
    scene.hear(3, "10.0.0.9", A, &new());
    assert!(!scene.answer(3).absent.contains(Family::V6), "the host that has left denied it");
}

#[test]
fn an_alias_of_a_name_with_spaces_is_followed_but_that_name_is_not_returned() {
    for (target, expected) in
        [("Bob's Mac mini.local", Some("printer.local")), ("mac.local", Some("mac.local")), ("a\\b.local", None)]
    {
        let mut scene = Scene::new(Families::only(Family::V4));
        let response = response().name_record("printer.local", types::CNAME, target).address(target, "10.0.0.2");
        scene.hear(1, V4_SOURCE, A, &response);
        assert_eq!(scene.waits_until(1), expected.map(|_| 0), "{target}");
        if let Some(expected) = expected {
            assert_eq!(scene.answer(1).canonical, Name::from_text(expected.as_bytes()).unwrap(), "{target}");
        }
    }
}

/// A response with these addresses.
fn with(addresses: &[&str]) -> Packet {
    addresses.iter().fold(response(), |response, ip| response.address("printer.local", *ip))
}

#[test]
fn own_addresses_are_dropped_from_the_answer_of_another_host() {
    let own = [(2, "10.0.0.1/24"), (2, "fe80::1/64"), (3, "172.17.0.1/16"), (3, "fe80::3/64"), (4, "5.5.5.5/0")];
    for (from, addresses, expected) in [
        (V4_SOURCE, &["172.17.0.1", "10.0.0.2"][..], &["10.0.0.2"][..]),
        (V4_SOURCE, &["5.5.5.5", "10.0.0.2"], &["10.0.0.2"]),
        (V4_SOURCE, &["10.0.0.1", "172.17.0.1"], &["10.0.0.1", "172.17.0.1"]),
        (V4_SOURCE, &["172.17.0.1", "fd00::2"], &["fd00::2"]),
        // A link-local address that is on another interface here may be another host's.
        (V4_SOURCE, &["172.17.0.1", "fe80::3"], &["fe80::3"]),
        (V4_SOURCE, &["fe80::1", "10.0.0.2"], &["10.0.0.2"]),
        // The responder runs on this machine.
        ("10.0.0.1", &["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
        ("172.17.0.1", &["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
    ] {
        let mut scene = Scene::on(Families::BOTH, &own);
        scene.hear(1, from, A, &with(addresses));
        assert_eq!(scene.addresses(50), expected, "{addresses:?} from {from}");
    }
    // The remaining addresses decide what is known about a family.
    let mut scene = Scene::on(Families::BOTH, &own);
    scene.hear(1, V4_SOURCE, A, &with(&["172.17.0.1", "fd00::2"]));
    let answer = scene.answer(50);
    assert_eq!((answer.absent, answer.unknown.families), (Families::NONE, Families::only(Family::V4)));
    // Without link-local addresses, only this machine's are left.
    let config = Config { ipv6_link_local: false, ..Config::default() };
    let mut scene = Scene::with(Families::BOTH, &own, &config);
    scene.hear(1, V4_SOURCE, A, &with(&["172.17.0.1", "fe80::9"]));
    assert_eq!(scene.addresses(50), ["172.17.0.1"]);
}

#[test]
fn addresses_on_the_link_of_another_interface_come_last() {
    let own = [(2, "10.0.0.1/24"), (3, "172.17.0.1/16"), (4, "10.0.0.3/24")];
    let mut scene = Scene::on(Families::BOTH, &own);
    scene.hear(1, V4_SOURCE, A, &with(&["172.17.0.5", "8.8.8.8", "169.254.1.1", "10.0.0.2"]));
    // 10.0.0.2 is on the links of two interfaces.
    assert_eq!(scene.addresses(50), ["10.0.0.2", "169.254.1.1", "8.8.8.8", "172.17.0.5"]);
}

#[test]
fn what_a_response_leads_to_is_reported() {
    const PROVIDED: &str = "Provided(Families { v4: true, v6: false })";
    let alias = || response().name_record("printer.local", types::CNAME, "host.local");
    let goodbye = || response().address_with("printer.local", 1, 0, "10.0.0.2").address("printer.local", "10.0.0.9");
    for (what, response, asked_for, from, expected) in [
        ("another address", response().address("printer.local", "10.0.0.3"), A, V4_SOURCE, vec![PROVIDED]),
        ("another host", response().address("printer.local", "10.0.0.3"), None, "10.0.0.9", vec!["AnotherHost"]),
        ("another name", response().address("scanner.local", "10.0.0.3"), A, V4_SOURCE, vec![]),
        ("an alias of a known host", alias(), A, V4_SOURCE, vec![]),
        ("a goodbye", goodbye(), None, V4_SOURCE, vec!["Withdrawn", PROVIDED]),
        (
            "an NSEC record",
            response().nsec("printer.local", &[types::A]),
            AAAA,
            V4_SOURCE,
            vec!["Denied { family: V6, denial: Nsec }"],
        ),
        (
            "an answer without the family",
            only_v4(),
            AAAA,
            V4_SOURCE,
            vec![PROVIDED, "Denied { family: V6, denial: Omitted }"],
        ),
        (
            "an answer to ANY",
            only_v4(),
            Some(RecordType::ANY),
            V4_SOURCE,
            vec![PROVIDED, "Denied { family: V6, denial: OmittedInAny }"],
        ),
    ] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.events.take();
        scene.hear(2, from, asked_for, &response);
        assert_eq!(scene.events.take(), expected, "{what}");
    }
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &alias());
    assert!(scene.events.take()[0].starts_with("Alias("));
}

#[test]
fn what_the_answer_lacks_is_reported_with_its_reason() {
    let denial = response().nsec("printer.local", &[types::A]);
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &only_v4());
    scene.hear(2, V4_SOURCE, AAAA, &denial);
    let events = scene.events;
    events.take();
    scene.answer(3);
    assert_eq!(events.take(), ["Missing { family: V6, conclusion: Some(Absent) }"]);
    // This machine has the address too, on another interface.
    let mut scene = Scene::on(Families::BOTH, &[(2, "10.0.0.1/24"), (3, "172.17.0.1/16")]);
    scene.hear(1, V4_SOURCE, A, &only_v4().address("printer.local", "172.17.0.1"));
    let events = scene.events;
    assert_eq!(scene.addresses(2), ["10.0.0.2"]);
    assert!(events.take().contains(&"OwnAddressRemoved(172.17.0.1)".to_owned()));
    let config = Config { ipv6_link_local: false, ..Config::default() };
    let mut scene = Scene::with(Families::BOTH, &[(2, "10.0.0.1/24"), (2, "fd00::1/64")], &config);
    scene.hear(1, V4_SOURCE, A, &only_v4().address("printer.local", "fe80::2"));
    let events = scene.events;
    assert_eq!(scene.addresses(2), ["10.0.0.2"]);
    assert!(events.take().contains(&"LinkLocalRemoved".to_owned()));
}
