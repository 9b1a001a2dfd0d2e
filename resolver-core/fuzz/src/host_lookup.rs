//! Target `host_lookup`: a lookup of a host's addresses, with arbitrary datagrams at arbitrary times, and with
//! questions that cannot be sent. The answer must follow from the accepted responses. What the lookup asks, how long it
//! waits and what it concludes must follow from [`rule`](crate::rule).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use resolver_core::fuzzing::{self, Lookup, Question, Round, State, To};
use resolver_core::policy::NameRange;
use resolver_core::wire::{Name, RecordType};
use resolver_core::{Address, Answer, Families, Family};

use crate::input::Input;
use crate::reference_parser;
use crate::rule::{self, Host, is_host_address};
use crate::script::{self, Asked, Data, Event, Model, Topology};

/// The most follow-up questions: at 13 times, over two transports, one to the host and, for each missing family, one to
/// the group and one to the group from the listener.
const MAX_FOLLOW_UP_QUESTIONS: usize = 13 * 2 * 5;

/// How long an answer is cached that only a daemon has given, and that a family is unknown.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let choice = input.u8();
    let wanted = [Families::BOTH, Families::only(Family::V4), Families::only(Family::V6)][usize::from(choice % 3)];
    let ipv6_link_local = choice < 192;
    let Some(name) = name(&mut input) else { return };
    let mut lookup = Lookup::of_host(&name, wanted, ipv6_link_local, &topology.tables);
    let mut model = Model::new(topology, &name);
    let mut host = Host::new(name.as_wire(), wanted, ipv6_link_local, lookup.queried_interfaces().collect());
    let mut follow_ups = Vec::new();
    let at = script::play(&mut lookup, &mut model, &mut input, |lookup, model, event, at| {
        host.learn(event, at);
        match event {
            Event::Round(round, asked) => check_round(round, asked, lookup, &host, model),
            Event::FollowUp(asked) => {
                asked.iter().for_each(|asked| check_follow_up(&asked.question, &host, model));
                follow_ups.extend(asked.iter().map(|asked| asked.question));
                check_follow_ups(&follow_ups, &host, model);
            }
            _ => {}
        }
        check_state(lookup, &host, model, at);
    });
    let (owner, end) = (lookup.name().clone(), lookup.start() + at);
    let answer = lookup.finish_host(&name, at);
    // What a daemon has reported counts if the host has no address, for example because it has withdrawn all of them.
    let has_daemon_address = host.addresses.is_empty() && !host.from_daemon.is_empty();
    assert_eq!(answer.is_some(), host.usable_addresses().next().is_some() || has_daemon_address);
    let Some(mut answer) = answer else { return };
    check_addresses(&answer, &owner, &host, &model);
    check_conclusions(&answer, wanted, &host, &model, end);
    check_order(&answer, &model);
    check_canonical(&answer, &owner, &host, &model);
    check_ttl(&answer, &owner, &host, &model, answer.ttl(end));
    check_adoption(&mut answer, &mut input, end);
}

fn name(input: &mut Input<'_>) -> Option<Name> {
    let text = match input.u8() {
        0..=127 => &b"printer.local"[..],
        128..=159 => b"Printer.LOCAL.",
        160..=191 => "b\u{fc}ro drucker.local".as_bytes(),
        _ => {
            let length = input.u8();
            input.take(length.into())
        }
    };
    NameRange::Local.host_name(text).ok().map(|host| host.name)
}

/// Checks that the questions of a round ask for both families, whichever the caller wants: over IPv6 for IPv6 addresses
/// only, where there is IPv4 too. A repeat asks for IPv4 addresses over IPv6 if that could not be done over IPv4 before.
fn check_round(round: Round, asked: &[Asked], lookup: &Lookup, host: &Host, model: &Model) {
    let before = &model.asked[..model.asked.len() - asked.len()];
    let mut expected = Vec::new();
    for (interface, families) in lookup.queried_interfaces() {
        for transport in families.iter() {
            let own = if transport == Family::V4 { RecordType::A } else { RecordType::AAAA };
            let is_first = round == Round::First;
            let has_asked_v4 = host.sent(Family::V4, (interface, Family::V4), before).next().is_some();
            let question = |to, rtype| Question { interface, transport, to, rtype, unicast_response: false };
            if round == Round::Neighbours {
                expected.push(question(To::Neighbours, own));
                continue;
            }
            for rtype in [RecordType::A, RecordType::AAAA] {
                let is_over_v6_only = families == Families::only(Family::V6) || !is_first && !has_asked_v4;
                if rtype == RecordType::A && transport == Family::V6 && !is_over_v6_only {
                    continue;
                }
                if !is_first {
                    expected.push(question(To::GroupFromListener, rtype));
                }
                expected.push(Question { unicast_response: !is_first, ..question(To::Group, rtype) });
            }
        }
    }
    assert!(asked.iter().map(|asked| &asked.question).eq(&expected), "{round:?}: {asked:?}");
}

/// Checks that a follow-up question asks for something that is missing and not denied, on the interface on which the
/// host responded, and asks no other host.
fn check_follow_up(question: &Question, host: &Host, model: &Model) {
    let Question { interface, transport, to, rtype, .. } = *question;
    assert!(host.first.is_some_and(|first| first.interface == interface), "{question:?} on another interface");
    assert!(host.transports().contains(transport), "{question:?} without an address to send it from");
    if !host.is_exact() {
        return;
    }
    let open: Families = host.missing().iter().filter(|&family| !host.is_denied(family, transport)).collect();
    let asks_for_any_of = |families: Families| rule::families_of(rtype).iter().any(|family| families.contains(family));
    match to {
        To::Host(ip) => {
            assert!(!model.topology.is_own(ip), "{question:?} to this machine");
            assert!(model.topology.is_on_link(ip, interface), "{question:?} to an address off the link");
            assert!(host.providers(transport).any(|provider| provider == ip), "{question:?} to another host");
            // A response that was only overheard is confirmed.
            let is_useful = asks_for_any_of(open) || open.is_empty() && asks_for_any_of(host.overheard());
            assert!(is_useful, "{question:?} asks for nothing that is missing");
        }
        To::Group | To::GroupFromListener | To::OtherAddresses(_) => {
            assert!(rtype != RecordType::ANY && asks_for_any_of(open), "{question:?} asks for nothing that is missing");
        }
        To::Neighbours => panic!("the neighbours are asked although the host has responded"),
    }
}

/// Checks that the follow-up questions so far are neither too many nor too few.
fn check_follow_ups(questions: &[Question], host: &Host, model: &Model) {
    assert!(questions.len() <= MAX_FOLLOW_UP_QUESTIONS, "{} follow-up questions", questions.len());
    let is_decided = host.is_exact() && host.follow_ups >= 6 && !host.has_withdrawn;
    let Some(first) = host.first.filter(|_| is_decided) else { return };
    for transport in host.transports().iter() {
        for family in host.missing().iter().filter(|&family| !host.is_denied(family, transport)) {
            let asks = |question: &&Question| {
                question.transport == transport && rule::families_of(question.rtype).contains(family)
            };
            // A responder on this machine loses no packet, and one off the link cannot be asked directly. While both
            // families are missing, because the settings exclude the host's addresses, direct questions ask for one of
            // them or for ANY.
            let is_asked_directly = |ip| !model.topology.is_own(ip) && model.topology.is_on_link(ip, first.interface);
            let least = match host.providers(transport).all(is_asked_directly) {
                false => 1,
                true if !host.ipv6_link_local => 4,
                true => 5,
            };
            let count = questions.iter().filter(asks).count();
            assert!(count >= least, "{family:?} was asked for {count} times over {transport:?}");
        }
    }
}

/// Checks that the lookup waits exactly as long as it must.
fn check_state(lookup: &Lookup, host: &Host, model: &Model, at: Duration) {
    let (state, expected) = (lookup.state(at), host.state(model, at));
    if let State::WaitUntil(until) = state {
        assert!(until > at, "a wait that ends at once");
    }
    match (state, expected) {
        (State::WaitUntil(_), State::WaitUntil(Duration::MAX)) => {}
        (State::WaitUntil(_) | State::Done, State::WaitUntil(_) | State::Done) if !host.is_exact() => {}
        _ => assert_eq!(state, expected, "at {at:?}"),
    }
}

/// Checks that each address is one that a host can have, and that the answer has exactly the addresses of the host in
/// the accepted responses. What a daemon reports counts only if there are none.
fn check_addresses(answer: &Answer, owner: &Name, host: &Host, model: &Model) {
    let found: BTreeSet<_> = answer.addresses.iter().map(|address| (address.ip, address.interface)).collect();
    assert_eq!(found.len(), answer.addresses.len(), "an address occurs twice");
    assert!((1..=rule::MAX_ADDRESSES).contains(&found.len()));
    assert!(found.iter().all(|&(ip, _)| is_host_address(ip)), "{found:?}");
    if host.addresses.is_empty() {
        let reported = host.from_daemon.iter().map(|address| (address.ip, address.interface));
        assert_eq!(found, reported.collect());
    } else if host.is_exact() {
        // This machine's own addresses are another host's only if there are no others.
        let usable: BTreeSet<_> = host.usable_addresses().collect();
        let is_own = |&(ip, interface): &(IpAddr, u32)| model.topology.is_own_on(ip, interface);
        let keeps_own = host.is_this_machine(|ip| model.topology.is_own(ip)) || usable.iter().all(is_own);
        assert_eq!(found, usable.into_iter().filter(|address| keeps_own || !is_own(address)).collect());
    } else {
        // The lookup does not distinguish all of these sources, so it may ignore addresses.
        let responses = model.responses.iter();
        let sent: BTreeSet<_> =
            responses.flat_map(|response| response.addresses_of(owner.as_wire())).map(|(ip, _)| ip).collect();
        assert!(found.iter().all(|(ip, _)| sent.contains(ip)), "{found:?}");
    }
}

/// Checks that a family is absent exactly if it is denied, and unknown if it is wanted and neither known nor absent.
fn check_conclusions(answer: &Answer, wanted: Families, host: &Host, model: &Model, end: Instant) {
    for family in Family::ALL {
        let (is_absent, is_unknown) = (answer.absent.contains(family), answer.unknown.families.contains(family));
        assert!(!answer.has(family) || !is_absent, "{family:?} has addresses and is absent");
        assert_eq!(is_unknown, wanted.contains(family) && !answer.has(family) && !is_absent, "{family:?} is unknown");
        if host.is_exact() {
            assert_eq!(is_absent, host.is_absent(family, model), "{family:?} is absent");
        }
    }
    assert_eq!(answer.unknown.expires, end + UNKNOWN_TTL);
    assert_eq!(answer.unknown.asked_alone, !wanted.iter().any(|family| answer.has(family)));
}

/// Checks the order: addresses on the link, of these the link-local ones last; then those on no link; then those on the
/// link of another interface.
fn check_order(answer: &Answer, model: &Model) {
    let key = |address: &Address| match model.topology.is_on_link(address.ip, address.interface) {
        true => (false, script::is_link_local(address.ip)),
        false => (true, model.topology.is_within_any(address.ip)),
    };
    assert!(answer.addresses.is_sorted_by_key(key));
    for address in &answer.addresses {
        let needs_scope = address.ip.is_ipv6() && script::is_link_local(address.ip);
        assert_eq!(address.scope_id(), if needs_scope { address.interface } else { 0 });
    }
}

/// Checks that the owner of the addresses is the name that was looked up, unchanged, or one that a chain of aliases in
/// the accepted responses leads to, and that it is the canonical name, unless it has spaces.
fn check_canonical(answer: &Answer, owner: &Name, host: &Host, model: &Model) {
    let (canonical, owner) = (answer.canonical.as_wire(), owner.as_wire());
    assert!(!host.is_exact() || owner == host.name, "{owner:?}");
    let is_shown = owner == model.name || !owner.contains(&b' ');
    assert_eq!(canonical, if is_shown { owner } else { &model.name }, "{owner:?}");
    if owner == model.name {
        return;
    }
    assert!(reference_parser::is_target(owner), "{owner:?}");
    let mut reached: BTreeSet<Vec<u8>> = [model.name.to_ascii_lowercase()].into();
    for _ in 0..rule::MAX_ALIASES {
        let records = model.responses.iter().flat_map(|response| &response.records);
        let targets = records.filter_map(|record| match &record.data {
            Data::Alias(target) if reached.contains(&record.owner.to_ascii_lowercase()) => {
                Some(target.to_ascii_lowercase())
            }
            _ => None,
        });
        let targets: Vec<_> = targets.collect();
        reached.extend(targets);
    }
    assert!(reached.contains(&owner.to_ascii_lowercase()), "no alias leads to {owner:?}");
}

/// Checks the TTL. It is at least the shortest TTL of all aliases and addresses. It is at most the longest TTL of any
/// alias, if one was followed, and of each address.
fn check_ttl(answer: &Answer, owner: &Name, host: &Host, model: &Model, ttl: Duration) {
    if host.addresses.is_empty() {
        assert_eq!(ttl, UNKNOWN_TTL, "what only a daemon has reported");
        return;
    }
    let of_host = model.responses.iter().flat_map(|response| response.addresses_of(owner.as_wire()));
    let addresses: Vec<_> = of_host.filter(|&(ip, _)| is_host_address(ip)).collect();
    let seconds = |ttl: u32| Duration::from_secs(ttl.into()).min(script::MAX_TTL);
    let records = model.responses.iter().flat_map(|response| &response.records);
    let mut aliases = records.filter(|record| matches!(record.data, Data::Alias(_))).map(|record| record.ttl);
    let shortest = aliases.clone().chain(addresses.iter().map(|&(_, ttl)| ttl)).min();
    assert!(shortest.is_some_and(|shortest| ttl >= seconds(shortest)), "{ttl:?} is shorter than the TTL of any record");
    let is_alias = owner.as_wire() != model.name;
    assert!(!is_alias || aliases.any(|alias| ttl <= seconds(alias)), "{ttl:?} is longer than the TTL of any alias");
    let mut longest = BTreeMap::new();
    for &(ip, ttl) in &addresses {
        let longest = longest.entry(ip).or_insert(ttl);
        *longest = ttl.max(*longest);
    }
    for Address { ip, .. } in &answer.addresses {
        let is_within = longest.get(ip).is_some_and(|&longest| ttl <= seconds(longest));
        assert!(is_within, "{ttl:?} is longer than any TTL of {ip}");
    }
}

/// Checks that an answer adopts from an older one what that proved about the families that it does not settle, and
/// nothing else. What is unknown displaces nothing.
fn check_adoption(answer: &mut Answer, input: &mut Input<'_>, now: Instant) {
    let before = answer.try_clone().expect("there is memory");
    let addresses = (0..input.u8() % 4).map(|_| Address { ip: script::address(input), interface: 2 }).collect();
    let mut older = Answer { addresses, expires: now + Duration::from_secs(input.u8().into()), ..before };
    (older.absent, older.unknown.families) = (Families::NONE, Families::NONE);
    for family in Family::ALL {
        if !older.has(family) {
            match input.u8() {
                0..=63 => {}
                64..=127 => older.unknown.families.insert(family),
                _ => older.absent.insert(family),
            }
        }
    }
    if input.u8() > 192 {
        older.canonical = Name::from_text(b"another.local").expect("a name");
    }
    let before = answer.try_clone().expect("there is memory");
    fuzzing::adopt(answer, &older);
    let is_same_host = reference_parser::is_same_name(older.canonical.as_wire(), before.canonical.as_wire());
    let mut expires = before.expires;
    for family in Family::ALL {
        let only = Families::only(family);
        let adopts = is_same_host && !before.settles(only) && (older.has(family) || older.absent.contains(family));
        let expected = if adopts { &older } else { &before };
        assert!(answer.of(family).eq(expected.of(family)));
        assert_eq!(answer.absent.contains(family), expected.absent.contains(family));
        expires = if adopts { expires.min(older.expires) } else { expires };
    }
    assert_eq!((answer.expires, answer.unknown), (expires, before.unknown));
}
