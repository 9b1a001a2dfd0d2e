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
