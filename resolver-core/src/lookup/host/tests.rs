//! Lookups of addresses, case by case: who said what when, and how long the lookup waits then.

use super::*;
use crate::net::interfaces;
use crate::validate::SentQuery;
use crate::wire::build::{Response as Built, wire};

const V4_SOURCE: &str = "10.0.0.2";
const V6_SOURCE: &str = "fe80::2";

/// A lookup of printer.local on interface 2. Times are in milliseconds since its start.
struct Scene {
    lookup: HostLookup,
    start: Instant,
    query_at: Instant,
}

impl Scene {
    fn new(wanted: Families) -> Self {
        let name = Name::from_text(b"printer.local").unwrap();
        let mut lookup = HostLookup::new(&name, wanted, &Config::default());
        let start = Instant::now();
        lookup.on_query_sent(Family::V4, start);
        lookup.on_query_sent(Family::V6, start);
        Self { lookup, start, query_at: start }
    }

    fn without_ipv6(wanted: Families) -> Self {
        let mut scene = Self::new(wanted);
        scene.lookup.queried_over_v6 = false;
        scene
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn hear(&mut self, ms: u64, from: &str, asked_for: Option<RecordType>, response: &Built) {
        let ip: IpAddr = from.parse().unwrap();
        let source = Source { ip, interface: 2 };
        let transport = Family::of(ip);
        let query = asked_for.map(|rtype| SentQuery { id: 1, interface: 2, transport, rtype, at: self.query_at });
        let message = Message::read(response.octets()).unwrap();
        self.lookup.on_response(&Response { message, source, query }, self.at(ms));
    }

    /// Until when the lookup waits at `ms`, in milliseconds: 0 if it is done, None without a response.
    fn waits_until(&self, ms: u64) -> Option<u128> {
        match self.lookup.poll(self.at(ms)) {
            Progress::Done => Some(0),
            Progress::WaitUntil(until) => Some((until - self.start).as_millis()),
            Progress::NoResponse => None,
        }
    }

    fn answer(mut self, ms: u64) -> Answer {
        let now = self.at(ms);
        let interfaces = interfaces::tests::with(&[(2, "10.0.0.1/24"), (2, "fd00::1/64")]);
        self.lookup.finish(&interfaces, now).unwrap()
    }

    fn addresses(self, ms: u64) -> Vec<String> {
        self.answer(ms).addresses.iter().map(|address| address.ip.to_string()).collect()
    }
}

fn response() -> Built {
    Built::new(0)
}

fn both() -> Built {
    response().address("printer.local", "10.0.0.2").address("printer.local", "fd00::2")
}

fn only_v4() -> Built {
    response().address("printer.local", "10.0.0.2")
}

fn only_v6() -> Built {
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
fn silence_about_the_other_family_counts_as_absence_after_the_grace() {
    // Twice the delay of the first response, within the bounds.
    for (delay, until) in [(0, 20), (1, 21), (12, 36), (20, 60), (120, 220), (500, 600)] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(delay, V4_SOURCE, A, &only_v4());
        assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
        assert_eq!(scene.waits_until(u64::try_from(until).unwrap()), Some(0));
        assert!(scene.answer(1000).settles(Families::BOTH));
    }
}

#[test]
fn multicast_responses_may_have_been_delayed_by_different_times() {
    for (delay, until) in [(1, 21), (12, 36), (20, 160), (80, 180), (120, 220)] {
        let mut scene = Scene::new(Families::BOTH);
        scene.hear(delay, V4_SOURCE, None, &only_v4());
        assert_eq!(scene.waits_until(delay), Some(until), "after {delay} ms");
    }
}

#[test]
fn time_alone_is_no_evidence_about_a_family_that_was_not_wanted() {
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &only_v4());
    assert!(!scene.answer(1000).absent.contains(Family::V6));
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &only_v4().nsec("printer.local", &[RecordType::A]));
    assert!(scene.answer(1).absent.contains(Family::V6));
}

#[test]
fn a_missing_family_is_asked_for_once_more_within_the_grace() {
    let mut scene = Scene::new(Families::BOTH);
    assert_eq!(scene.lookup.ask_again_at(), None);
    assert_eq!(scene.lookup.question_types(Family::V4, true), [RecordType::A, RecordType::AAAA]);
    assert_eq!(scene.lookup.question_types(Family::V6, true), [RecordType::AAAA]);
    assert_eq!(scene.lookup.question_types(Family::V6, false), [RecordType::A, RecordType::AAAA]);
    scene.hear(2, V4_SOURCE, A, &only_v4());
    assert_eq!(scene.lookup.ask_again_at(), Some(scene.at(12)));
    assert_eq!(scene.lookup.question_types(Family::V4, true), [RecordType::AAAA]);
    assert_eq!(scene.lookup.question_types(Family::V6, true), [RecordType::AAAA]);
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(2, V6_SOURCE, AAAA, &only_v6());
    assert_eq!(scene.lookup.question_types(Family::V4, true), [RecordType::A]);
    assert_eq!(scene.lookup.question_types(Family::V6, true), []);
    assert_eq!(scene.lookup.question_types(Family::V6, false), [RecordType::A]);
}

#[test]
fn the_delay_counts_from_the_query_that_was_answered() {
    // A multicast response: from the last query.
    let mut scene = Scene::new(Families::BOTH);
    let again = scene.at(250);
    scene.lookup.on_query_sent(Family::V4, again);
    scene.hear(251, V4_SOURCE, None, &only_v4());
    assert_eq!(scene.waits_until(251), Some(271));
    // A unicast response: from the query with its id, here the first.
    let mut scene = Scene::new(Families::BOTH);
    let again = scene.at(250);
    scene.lookup.on_query_sent(Family::V4, again);
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
fn nsec_records_that_are_no_evidence() {
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
fn a_response_that_omits_the_family_it_was_asked_for_ends_the_wait() {
    // Queried over IPv4 only: at once.
    let mut scene = Scene::without_ipv6(Families::BOTH);
    scene.hear(60, V4_SOURCE, A, &only_v4());
    scene.hear(60, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(60), Some(0));
    // Over both: IPv6 addresses may still arrive over IPv6.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(60, V4_SOURCE, A, &only_v4());
    scene.hear(60, V4_SOURCE, AAAA, &only_v4());
    assert_eq!(scene.waits_until(60), Some(80));
    // A missing IPv4 address can arrive only over IPv4.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(60, V4_SOURCE, AAAA, &only_v6());
    scene.hear(60, V4_SOURCE, A, &only_v6());
    assert_eq!(scene.waits_until(60), Some(0));
}

#[test]
fn responses_that_are_no_evidence_about_the_missing_family() {
    for (what, from, asked_for, said) in [
        ("an empty one", V4_SOURCE, AAAA, response()),
        ("a multicast one", V4_SOURCE, None, only_v4()),
        ("one from another source", "10.0.0.3", AAAA, response().address("printer.local", "10.0.0.9")),
    ] {
        let mut scene = Scene::without_ipv6(Families::BOTH);
        scene.hear(1, V4_SOURCE, A, &only_v4());
        scene.hear(1, from, asked_for, &said);
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
        for host in 1..=20u8 {
            many = many.address("printer.local", &format!("10.0.{block}.{host}"));
        }
        scene.hear(1, V4_SOURCE, A, &many);
    }
    assert_eq!(scene.addresses(1).len(), MAX_ADDRESSES);
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
    let chain =
        response().record(&wire("printer.local"), RecordType::CNAME, 1, 2, &alias).address("host.local", "10.0.0.2");
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
fn the_target_of_an_alias_without_an_address_is_asked_for() {
    let mut scene = Scene::new(Families::only(Family::V4));
    scene.hear(1, V4_SOURCE, A, &response().name("printer.local", RecordType::CNAME, "host.local"));
    assert!(scene.lookup.take_new_name());
    assert!(!scene.lookup.take_new_name());
    assert_eq!(*scene.lookup.name(), Name::from_text(b"host.local").unwrap());
    let again = scene.at(1);
    scene.lookup.on_query_sent(Family::V4, again);
    assert_eq!(scene.lookup.poll(scene.at(1)), Progress::NoResponse);
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
        assert!(!scene.lookup.take_new_name(), "{what}");
    }
    // DNAME: systemd-resolved was once poisoned by one.
    let mut scene = Scene::new(Families::BOTH);
    scene.hear(1, V4_SOURCE, A, &response().name("local", RecordType(39), "example.local"));
    assert!(!scene.lookup.take_new_name());
}

#[test]
fn alias_loops_end() {
    let mut scene = Scene::new(Families::BOTH);
    let circle = response().name("printer.local", RecordType::CNAME, "alias.local").name(
        "alias.local",
        RecordType::CNAME,
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
    scene.hear(1, "10.0.0.3", A, &response().name("printer.local", RecordType::CNAME, "evil.local"));
    assert_eq!(scene.waits_until(1), Some(21));
    assert_eq!(scene.addresses(1), ["10.0.0.2"]);
}
