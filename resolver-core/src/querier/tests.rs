//! The order and times of the steps of a lookup without a response.

use super::*;

/// The steps that are due within five seconds, and when, in ms.
fn steps(schedule: &mut Schedule) -> Vec<(u128, Step)> {
    let mut steps = Vec::new();
    while let Some((at, _)) = schedule.next() {
        let step = schedule.take_due(at).expect("the next step is due at its time");
        steps.push((at.duration_since(schedule.start).as_millis(), step));
    }
    steps
}

const FIRST: Step = Step::Ask(Round::First);
const NEIGHBOURS: Step = Step::Ask(Round::Neighbours);
const REPEAT: Step = Step::Ask(Round::Repeat);

#[test]
fn the_steps_follow_the_settings() {
    let config = Config::default();
    let steps_with = |config: &Config| steps(&mut Schedule::new(Instant::now(), config));
    let repeats = [(250, REPEAT), (1250, REPEAT)];
    assert_eq!(
        steps_with(&config),
        [&[(0, FIRST), (2, NEIGHBOURS), (30, Step::AskDaemon), (30, REPEAT)][..], &repeats].concat()
    );
    let config = Config { neighbours: false, ..config };
    assert_eq!(steps_with(&config), [&[(0, FIRST), (30, Step::AskDaemon), (30, REPEAT)][..], &repeats].concat());
    let config = Config { daemon: false, ..config };
    assert_eq!(steps_with(&config), [&[(0, FIRST), (30, REPEAT)][..], &repeats].concat());
}

#[test]
fn for_another_name_the_groups_are_asked_again_but_not_the_daemon() {
    let mut schedule = Schedule::new(Instant::now(), &Config::default());
    steps(&mut schedule);
    schedule.restart(Instant::now());
    assert_eq!(steps(&mut schedule), [(0, FIRST), (30, REPEAT), (250, REPEAT), (1250, REPEAT)]);
}

#[test]
fn if_nothing_can_be_sent_neighbours_and_the_daemon_are_asked_at_once() {
    let start = Instant::now();
    let mut schedule = Schedule::new(start, &Config::default());
    assert_eq!(schedule.take_due(start), Some(FIRST));
    assert_eq!(schedule.take_due(start), None);
    assert!(schedule.hurry(start));
    assert_eq!(schedule.take_due(start), Some(NEIGHBOURS));
    assert_eq!(schedule.take_due(start), Some(Step::AskDaemon));
    assert!(!schedule.hurry(start), "nothing is left");
}

#[test]
fn later_repeats_are_sent_on_the_best_interfaces_only() {
    let question = |interface| Question {
        interface,
        to: Destination::Group(Family::V4),
        rtype: crate::wire::RecordType::A,
        unicast_response: false,
    };
    // The best first, whatever their indexes are; and twice, as in a reverse lookup.
    let indexes = || (1..=20).rev().flat_map(|index| [index, index]);
    let mut questions: Vec<_> = indexes().chain(indexes()).map(question).collect();
    keep_on_best(&mut questions);
    let best = || (13..=20).rev().flat_map(|index| [index, index]);
    assert!(questions.iter().map(|question| question.interface).eq(best().chain(best())), "{questions:?}");
}

/// A lookup that asks for A over IPv4, and counts the questions that are reported to it.
struct Counting {
    name: crate::wire::Name,
    reported: usize,
}

impl Lookup for Counting {
    fn name(&self) -> &crate::wire::Name {
        &self.name
    }

    fn round(&self, _round: Round, interfaces: &Interfaces, questions: &mut Vec<Question>) {
        let rtype = crate::wire::RecordType::A;
        let to = [Destination::Group(Family::V4), Destination::Host([10, 1, 0, 2].into())];
        for interface in interfaces.iter() {
            let question = |to| Question { interface: interface.index, to, rtype, unicast_response: false };
            questions.extend(to.map(question));
        }
    }

    fn on_sent(&mut self, _question: &Question, _result: Result<(), LookupError>, _now: Instant) {
        self.reported += 1;
    }

    fn on_response(&mut self, _response: &crate::validate::Response<'_>, _now: Instant) {}

    fn poll(&self, _now: Instant) -> Progress {
        Progress::NoResponse
    }
}

#[test]
fn a_question_that_is_sent_from_several_prefixes_counts_once() {
    // No machine has this interface, so nothing is really sent.
    const INTERFACE: u32 = 0x7fff_fff0;
    let addresses = [(INTERFACE, "10.0.0.1/24"), (INTERFACE, "10.1.0.1/24")];
    let interfaces = crate::net::interfaces::tests::with(&addresses);
    assert_eq!(interfaces.sources(INTERFACE).count(), 2);
    let config = Config::default();
    let mut exchange = Exchange::new(&config, config.timeout);
    let mut querier = Querier::new(Sockets::open(&interfaces, false, ()).unwrap(), &interfaces, &mut exchange, ());
    let mut lookup = Counting { name: crate::wire::Name::from_text(b"printer.local").unwrap(), reported: 0 };
    let result = querier.take(FIRST, &mut lookup, &config, Instant::now());
    assert!(result.is_err(), "{result:?}");
    assert_eq!(lookup.reported, 2, "one question to the group, and one to the host");
}

/// The time that is left after an interruption of this length, which began with this much time left, and whether a repeat
/// is due at once. In ms.
fn after_interruption(left: u64, length: u64) -> (u128, bool) {
    let mut exchange = Exchange::new(&Config::default(), Duration::from_millis(left));
    exchange.interrupted_at = Some(exchange.start);
    assert!(exchange.resume_after(Duration::from_millis(length)));
    ((exchange.deadline - exchange.start).as_millis(), exchange.schedule.is_repeat_due)
}

#[test]
fn an_interruption_counts_as_long_as_enough_time_is_left_to_ask_again() {
    assert_eq!(after_interruption(1800, 10), (1790, false));
    assert_eq!(after_interruption(1800, 500), (1300, true));
    assert_eq!(after_interruption(1800, 1700), (400, true));
    assert_eq!(after_interruption(1800, 60_000), (400, true));
    // None is left if none was.
    assert_eq!(after_interruption(100, 60_000), (100, true));
}

#[test]
fn many_long_interruptions_prolong_a_lookup_only_once() {
    let mut exchange = Exchange::new(&Config::default(), Duration::from_secs(2));
    let mut received_for = Duration::ZERO;
    // Each time the lookup receives for 6 ms, and is then interrupted for 1 s.
    for _ in 0..1000 {
        exchange.interrupted_at = Some(exchange.start + received_for);
        exchange.interrupted_for = Duration::ZERO;
        if exchange.time_left().is_zero() {
            break;
        }
        exchange.resume_after(Duration::from_secs(1));
        received_for += Duration::from_millis(6);
    }
    assert_eq!(exchange.prolongation_left, Duration::ZERO);
    assert!(received_for < Duration::from_millis(50), "{received_for:?}");
}

#[test]
fn the_clock_of_an_exchange_stands_still_during_an_interruption() {
    let mut exchange = Exchange::new(&Config::default(), Duration::from_secs(2));
    exchange.interrupt(Ports::default());
    let now = exchange.now();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(exchange.now(), now);
    exchange.resume();
    assert!(exchange.now() < now + Duration::from_millis(30));
}

#[test]
fn a_flood_of_signals_reopens_the_listeners_a_bounded_number_of_times() {
    let mut exchange = Exchange::new(&Config::default(), Duration::from_secs(2));
    let reopened = (0..100).filter(|_| {
        exchange.interrupt(Ports::default());
        exchange.resume()
    });
    assert_eq!(u32::try_from(reopened.count()), Ok(MAX_REOPENED));
}
