//! The rules of [`crate::lookup::evidence`], row by row: what was sent over each transport, what the responses said,
//! and what may be concluded.

use super::*;

const INTERFACE: u32 = 2;
const V4: &str = "10.0.0.2";
const V6: &str = "fe80::2";

/// A question of ours, or what a source said about the host.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// This many questions for the family (the first) over the transport (the second), from ephemeral ports.
    Asked(Family, Family, usize),
    /// One question for the family over the transport, from the multicast listener.
    Listener(Family, Family),
    /// The multicast listener of this transport is unavailable.
    NoListener(Family),
    /// The source provided addresses of these families.
    Provided(&'static str, Families),
    /// The source's NSEC record denies the family.
    Denied(&'static str, Family),
    /// The source's response to a question for the family omits it.
    Omitted(&'static str, Family),
}

use Event::{Asked, Denied, Listener, NoListener, Omitted, Provided};
use Family::{V4 as A, V6 as Aaaa};

const ONLY_A: Families = Families::only(A);
const ONLY_AAAA: Families = Families::only(Aaaa);

/// What may be concluded about `family` from the events, `ms` milliseconds after them. All of them occur at the same
/// time.
fn concluded(transports: Families, family: Family, events: &[Event], ms: u64) -> Conclusion {
    let start = Instant::now();
    let mut evidence = Evidence::default();
    let source = |ip: &str| Source { ip: ip.parse().unwrap(), interface: INTERFACE };
    for event in events {
        match *event {
            Asked(family, transport, count) => {
                for _ in 0..count {
                    evidence.on_sent(INTERFACE, transport, Families::only(family), false, start);
                }
            }
            Listener(family, transport) => {
                evidence.on_sent(INTERFACE, transport, Families::only(family), true, start);
            }
            NoListener(transport) => evidence.on_no_listener(INTERFACE, transport),
            Provided(ip, families) => evidence.on_provided(source(ip), families),
            Denied(ip, family) => evidence.on_denied(source(ip), family),
            Omitted(ip, family) => evidence.on_omitted(source(ip), family),
        }
    }
    let host = HostContext {
        interface: INTERFACE,
        transports,
        first_at: start,
        first_delay: Duration::from_millis(1),
        grace_min: Duration::from_millis(20),
    };
    match evidence.conclude(family, &host, start + Duration::from_millis(ms)) {
        Conclusion::Open(_) => Conclusion::Open(None),
        conclusion => conclusion,
    }
}

const OPEN: Conclusion = Conclusion::Open(None);

#[test]
fn a_family_is_absent_only_if_every_transport_denies_it() {
    let both = Families::BOTH;
    for (what, transports, family, events, expected) in [
        (
            "IPv4 only: the response omits AAAA",
            ONLY_A,
            Aaaa,
            &[Asked(Aaaa, A, 1), Provided(V4, ONLY_A), Omitted(V4, Aaaa)][..],
            Conclusion::Absent,
        ),
        (
            "IPv4 only: NSEC",
            ONLY_A,
            Aaaa,
            &[Asked(Aaaa, A, 1), Provided(V4, ONLY_A), Denied(V4, Aaaa)],
            Conclusion::Absent,
        ),
        (
            "IPv6 only: the response omits A",
            ONLY_AAAA,
            A,
            &[Asked(A, Aaaa, 1), Provided(V6, ONLY_AAAA), Omitted(V6, A)],
            Conclusion::Absent,
        ),
        (
            "denied over both",
            both,
            Aaaa,
            &[
                Asked(Aaaa, A, 1),
                Asked(Aaaa, Aaaa, 1),
                Provided(V4, ONLY_A),
                Provided(V6, ONLY_A),
                Denied(V4, Aaaa),
                Omitted(V6, Aaaa),
            ],
            Conclusion::Absent,
        ),
        (
            "A denied over IPv4, never asked for over IPv6",
            both,
            A,
            &[Asked(A, A, 1), Provided(V4, ONLY_AAAA), Omitted(V4, A)],
            Conclusion::Absent,
        ),
        (
            "A denied over IPv4, asked for over IPv6 too",
            both,
            A,
            &[Asked(A, A, 1), Asked(A, Aaaa, 1), Provided(V4, ONLY_AAAA), Omitted(V4, A)],
            OPEN,
        ),
        (
            "denied over IPv4 only",
            both,
            Aaaa,
            &[Asked(Aaaa, A, 1), Asked(Aaaa, Aaaa, 1), Provided(V4, ONLY_A), Denied(V4, Aaaa)],
            OPEN,
        ),
        (
            "AAAA denied over IPv4, no question over IPv6 was sent",
            both,
            Aaaa,
            &[Asked(Aaaa, A, 1), Provided(V4, ONLY_A), Denied(V4, Aaaa)],
            OPEN,
        ),
        (
            "A omitted over IPv6, no question over IPv4 was sent",
            both,
            A,
            &[Asked(A, Aaaa, 1), Provided(V6, ONLY_AAAA), Omitted(V6, A)],
            OPEN,
        ),
        (
            "denied by a source that provided nothing",
            ONLY_A,
            Aaaa,
            &[Asked(Aaaa, A, 1), Denied("10.0.0.3", Aaaa), Provided(V4, ONLY_A)],
            OPEN,
        ),
        ("nothing was asked", ONLY_A, Aaaa, &[Provided(V4, ONLY_A)], OPEN),
        (
            "silence about A, however long",
            both,
            A,
            &[Asked(A, A, 9), Listener(A, A), Asked(A, Aaaa, 9), Listener(A, Aaaa), Provided(V6, ONLY_AAAA)],
            OPEN,
        ),
    ] {
        assert_eq!(concluded(transports, family, events, 1900), expected, "{what}");
    }
}

#[test]
fn a_missing_ipv6_address_is_given_up_after_enough_questions_and_time() {
    let both = Families::BOTH;
    let denied = [Asked(Aaaa, A, 1), Provided(V4, ONLY_A), Omitted(V4, Aaaa)];
    let undenied = [Asked(Aaaa, A, 4), Listener(Aaaa, A), Provided(V4, ONLY_A)];
    let unanswered = Conclusion::Unanswered;
    for (what, transports, events, more, ms, expected) in [
        ("denied over IPv4", both, &denied[..], &[Asked(Aaaa, Aaaa, 2), Listener(Aaaa, Aaaa)][..], 20, unanswered),
        ("too early", both, &denied, &[Asked(Aaaa, Aaaa, 2), Listener(Aaaa, Aaaa)], 19, OPEN),
        ("too few questions", both, &denied, &[Asked(Aaaa, Aaaa, 1), Listener(Aaaa, Aaaa)], 1900, OPEN),
        ("none from the listener", both, &denied, &[Asked(Aaaa, Aaaa, 3)], 1900, OPEN),
        ("there is no listener", both, &denied, &[Asked(Aaaa, Aaaa, 3), NoListener(Aaaa)], 20, unanswered),
        (
            "IPv6 is not silent",
            both,
            &denied,
            &[Asked(Aaaa, Aaaa, 2), Listener(Aaaa, Aaaa), Provided(V6, ONLY_A)],
            59,
            OPEN,
        ),
        ("nothing denies it, IPv4 only", ONLY_A, &undenied, &[], 60, unanswered),
        ("nothing denies it, too early", ONLY_A, &undenied, &[], 59, OPEN),
        (
            "nothing denies it, IPv6 was asked too seldom",
            both,
            &undenied,
            &[Asked(Aaaa, Aaaa, 3), Listener(Aaaa, Aaaa)],
            1900,
            OPEN,
        ),
        (
            "nothing denies it, over both",
            both,
            &undenied,
            &[Asked(Aaaa, Aaaa, 4), Listener(Aaaa, Aaaa)],
            60,
            unanswered,
        ),
    ] {
        assert_eq!(concluded(transports, Aaaa, &[events, more].concat(), ms), expected, "{what}");
    }
}

#[test]
fn what_happens_on_another_interface_is_no_evidence() {
    let start = Instant::now();
    let mut evidence = Evidence::default();
    let elsewhere = Source { ip: V4.parse().unwrap(), interface: 3 };
    evidence.on_sent(3, A, ONLY_AAAA, false, start);
    evidence.on_provided(elsewhere, ONLY_A);
    evidence.on_denied(elsewhere, Aaaa);
    let host = HostContext {
        interface: INTERFACE,
        transports: ONLY_A,
        first_at: start,
        first_delay: Duration::ZERO,
        grace_min: Duration::ZERO,
    };
    assert_eq!(evidence.conclude(Aaaa, &host, start), Conclusion::Open(None));
    let there = HostContext { interface: 3, ..host };
    assert_eq!(evidence.conclude(Aaaa, &there, start), Conclusion::Absent);
}

#[test]
fn the_number_of_sources_is_limited() {
    let mut evidence = Evidence::default();
    for host in 1..=200 {
        evidence.on_provided(Source { ip: [10, 0, 0, host].into(), interface: INTERFACE }, ONLY_A);
    }
    assert_eq!(evidence.sources.len(), MAX_SOURCES);
    // Sources without addresses cannot displace the host.
    let mut evidence = Evidence::default();
    for host in 1..=200 {
        evidence.on_denied(Source { ip: [10, 0, 0, host].into(), interface: INTERFACE }, Aaaa);
    }
    let host = Source { ip: [10, 0, 0, 201].into(), interface: INTERFACE };
    evidence.on_provided(host, ONLY_A);
    assert!(evidence.has_provided(host));
    assert_eq!(evidence.sources.len(), MAX_SOURCES);
}
