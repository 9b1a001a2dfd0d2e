//! Target `host_lookup`: a lookup of a host's addresses, with arbitrary datagrams at arbitrary times. The answer must
//! follow from the accepted responses, and break none of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use resolver_core::fuzzing::{self, Lookup, State};
use resolver_core::policy::NameRange;
use resolver_core::wire::{Name, RecordType};
use resolver_core::{Address, Answer, Families, Family};

use crate::input::Input;
use crate::reference_parser;
use crate::script::{self, Data, Model, Response, Topology};

/// The most addresses in an answer.
const MAX_ADDRESSES: usize = 1024;

/// The most sources that the lookup distinguishes.
const MAX_SOURCES: usize = 16;

/// The longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// The grace period after this first response: how long the lookup waits for more, at most.
fn grace_after(first: &Response) -> Duration {
    let [prompt, min, max, delayed_pair] = [15, 20, 100, 160].map(Duration::from_millis);
    let grace = (first.delay + first.delay).max(min).min(max);
    let was_delayed = first.by_multicast && first.delay >= prompt;
    if was_delayed { grace.max(delayed_pair.saturating_sub(first.delay)) } else { grace }
}

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let wanted = input.pick(&[Families::BOTH, Families::only(Family::V4), Families::only(Family::V6)]);
    let Some(name) = name(&mut input) else { return };
    let mut lookup = Lookup::of_host(&name, wanted, &topology.tables);
    let mut model = Model::new(topology, &name);
    let mut first = None;
    let at = script::play(&mut lookup, &mut model, &mut input, |lookup, model, at| {
        check_state(lookup, model, at, &mut first);
    });
    let (state, end) = (lookup.state(at), lookup.start() + at);
    let answer = lookup.finish_host(at);
    assert_eq!(answer.is_some(), matches!(state, State::WaitUntil(_) | State::Done), "{state:?}");
    let Some(mut answer) = answer else { return };
    assert!(state != State::Done || answer.settles(wanted), "the lookup is done, but a family is not settled");
    check_addresses(&answer, &model);
    check_order(&answer, &model);
    check_canonical(&answer, &model);
    check_ttl(&answer, &model, answer.ttl(end));
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

/// Checks the state of a lookup in progress. `first` is the time of the first response with an address of the host, and
/// the grace period after it.
fn check_state(lookup: &Lookup, model: &Model, at: Duration, first: &mut Option<(Duration, Duration)>) {
    let state = lookup.state(at);
    let last = model.responses.last();
    let last_has_address =
        last.is_some_and(|last| last.addresses_of(&last.name_before).any(|(ip, _)| is_host_address(ip)));
    match state {
        State::NoResponse => {
            assert!(first.is_none(), "a response was forgotten");
            assert!(!last_has_address, "an address of the host was not taken");
        }
        State::WaitUntil(_) | State::Done => {
            let (first, grace) = *first.get_or_insert_with(|| (at, grace_after(last.expect("there is a response"))));
            if let State::WaitUntil(until) = state {
                assert!(until > at && until <= first + grace, "{until:?} after {first:?}");
            }
        }
    }
    assert_eq!(lookup.ask_again_at().is_some(), first.is_some());
    if let (Some((first, grace)), Some(again)) = (*first, lookup.ask_again_at()) {
        assert_eq!(again, first + grace / 2);
    }
    for (transport, has_other_family) in Family::ALL.into_iter().flat_map(|family| [(family, true), (family, false)]) {
        let rtypes = lookup.question_types(transport, has_other_family);
        assert!(rtypes.iter().all(|rtype| matches!(*rtype, RecordType::A | RecordType::AAAA)));
        assert!(first.is_some() || transport == Family::V6 || rtypes.len() == 2, "at first, both types are asked for");
    }
}

/// Checks that each address is one that a host can have, and that the answer has exactly the addresses of the host in
/// the accepted responses.
fn check_addresses(answer: &Answer, model: &Model) {
    let found: BTreeSet<_> = answer.addresses.iter().map(|address| (address.ip, address.interface)).collect();
    assert_eq!(found.len(), answer.addresses.len(), "an address occurs twice");
    assert!((1..=MAX_ADDRESSES).contains(&found.len()));
    assert!(found.iter().all(|&(ip, _)| is_host_address(ip)), "{found:?}");
    for family in Family::ALL {
        assert!(!(answer.absent.contains(family) && answer.has(family)), "{family:?} has addresses and is absent");
    }
    let sources: BTreeSet<_> = model.responses.iter().map(|response| (response.source, response.interface)).collect();
    if sources.len() <= MAX_SOURCES {
        assert_eq!(found, of_one_host(answer.canonical.as_wire(), model).into_iter().collect());
    } else {
        // The lookup does not distinguish all of these sources, so it may ignore addresses.
        let responses = model.responses.iter();
        let sent: BTreeSet<_> = responses
            .flat_map(|response| response.addresses_of(answer.canonical.as_wire()))
            .map(|(ip, _)| ip)
            .collect();
        assert!(found.iter().all(|(ip, _)| sent.contains(ip)), "{found:?}");
    }
}

/// The addresses of the host with this name, in the order in which they arrived. A response counts if it shares an
/// address with those taken before, if its source has counted before, or if none of its families has an address yet.
/// Any other response is from another host with the same name.
fn of_one_host(name: &[u8], model: &Model) -> Vec<(IpAddr, u32)> {
    let (mut taken, mut sources) = (Vec::<(IpAddr, u32)>::new(), Vec::new());
    for response in model.responses.iter().filter(|response| reference_parser::is_same_name(&response.name_after, name))
    {
        let source = (response.source, response.interface);
        let sent: Vec<_> = response.addresses_of(name).map(|(ip, _)| ip).filter(|&ip| is_host_address(ip)).collect();
        let mut known: BTreeSet<_> = taken.iter().map(|&(ip, _)| ip).collect();
        let is_first = sent.iter().all(|ip| !known.iter().any(|known| known.is_ipv4() == ip.is_ipv4()));
        let is_same_host = sent.iter().any(|ip| known.contains(ip)) || sources.contains(&source);
        if !sent.is_empty() && (is_first || is_same_host) {
            sources.push(source);
            taken.extend(sent.into_iter().filter(|&ip| known.insert(ip)).map(|ip| (ip, response.interface)));
            taken.truncate(MAX_ADDRESSES);
        }
    }
    taken
}

/// Checks the order: addresses on the link first and, within both groups, link-local addresses last.
fn check_order(answer: &Answer, model: &Model) {
    let key = |address: &Address| {
        (!model.topology.is_on_link(address.ip, address.interface), script::is_link_local(address.ip))
    };
    assert!(answer.addresses.is_sorted_by_key(key));
    for address in &answer.addresses {
        let needs_scope = address.ip.is_ipv6() && script::is_link_local(address.ip);
        assert_eq!(address.scope_id(), if needs_scope { address.interface } else { 0 });
    }
}

/// Checks that the canonical name is the name that was looked up, unchanged, or one that a chain of aliases in the
/// accepted responses leads to.
fn check_canonical(answer: &Answer, model: &Model) {
    let canonical = answer.canonical.as_wire();
    if canonical == model.name {
        return;
    }
    assert!(reference_parser::is_clean_and_local(canonical), "{:?}", answer.canonical);
    let mut reached: BTreeSet<Vec<u8>> = [model.name.to_ascii_lowercase()].into();
    for _ in 0..MAX_ALIASES {
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
    assert!(reached.contains(&canonical.to_ascii_lowercase()), "no alias leads to {:?}", answer.canonical);
}

/// Checks the TTL. It is at least the shortest TTL of all aliases and addresses. It is at most the longest TTL of any
/// alias, if one was followed, and of each address.
fn check_ttl(answer: &Answer, model: &Model, ttl: Duration) {
    let of_host = model.responses.iter().flat_map(|response| response.addresses_of(answer.canonical.as_wire()));
    let addresses: Vec<_> = of_host.filter(|&(ip, _)| is_host_address(ip)).collect();
    let seconds = |ttl: u32| Duration::from_secs(ttl.into()).min(script::MAX_TTL);
    let records = model.responses.iter().flat_map(|response| &response.records);
    let mut aliases = records.filter(|record| matches!(record.data, Data::Alias(_))).map(|record| record.ttl);
    let shortest = aliases.clone().chain(addresses.iter().map(|&(_, ttl)| ttl)).min();
    assert!(shortest.is_some_and(|shortest| ttl >= seconds(shortest)), "{ttl:?} is shorter than the TTL of any record");
    let is_alias = answer.canonical.as_wire() != model.name;
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

/// Checks that an answer adopts from an older one the families that it does not settle, and nothing else.
fn check_adoption(answer: &mut Answer, input: &mut Input<'_>, now: Instant) {
    let before = answer.try_clone().expect("there is memory");
    let addresses = (0..input.u8() % 4).map(|_| Address { ip: script::address(input), interface: 2 }).collect();
    let mut older = Answer { addresses, expires: now + Duration::from_secs(input.u8().into()), ..before };
    older.absent = Families::NONE;
    for family in Family::ALL {
        if !older.has(family) && input.u8() > 127 {
            older.absent.insert(family);
        }
    }
    let before = answer.try_clone().expect("there is memory");
    fuzzing::adopt(answer, &older);
    assert!(answer.expires <= before.expires);
    for family in Family::ALL {
        let is_settled = before.has(family) || before.absent.contains(family);
        let expected = if is_settled { &before } else { &older };
        assert!(answer.of(family).eq(expected.of(family)));
        assert_eq!(answer.absent.contains(family), before.absent.contains(family));
        assert!(is_settled || !older.has(family) || answer.expires <= older.expires);
    }
}

/// The rules for addresses that a host can have, implemented a second time.
fn is_host_address(ip: IpAddr) -> bool {
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
