//! A lookup of a host: any packets, from anywhere, at any time. Never an answer that the rules forbid.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use resolver_core::fuzzing::{self, HostLookup, State};
use resolver_core::policy::NameRange;
use resolver_core::wire::{Name, RecordType};
use resolver_core::{Address, Answer, Families, Family};

use crate::input::Input;
use crate::plain;
use crate::scene::{self, Account, Heard, Topology, What};

/// How long the rest is waited for after this first answer, unless something tells that it will not come.
fn grace_after(first: &Heard) -> Duration {
    let [prompt, least, most, held_back] = [15, 20, 100, 160].map(Duration::from_millis);
    let grace = (first.delay + first.delay).max(least).min(most);
    let was_held_back = first.by_multicast && first.delay >= prompt;
    if was_held_back { grace.max(held_back.saturating_sub(first.delay)) } else { grace }
}

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let wanted = input.pick(&[Families::BOTH, Families::only(Family::V4), Families::only(Family::V6)]);
    let Some(name) = name(&mut input) else { return };
    let mut lookup = HostLookup::of_host(&name, wanted, &topology.links, &topology.own);
    let mut account = Account::new(topology, &name);
    let mut first_heard = None;
    let at = scene::play(&mut lookup, &mut account, &mut input, |lookup, account, at| {
        check_state(lookup, account, at, &mut first_heard);
    });
    let (state, end) = (lookup.state(at), lookup.start() + at);
    let answer = lookup.finish(at);
    assert_eq!(answer.is_some(), matches!(state, State::WaitUntil(_) | State::Done), "{state:?}");
    let Some(mut answer) = answer else { return };
    assert!(state != State::Done || answer.settles(wanted), "done, but not settled");
    check_addresses(&answer, &account);
    check_order(&answer, &account);
    check_canonical(&answer, &account);
    check_ttl(&answer, &account, answer.ttl(end));
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

/// What may be said of a lookup on its way.
fn check_state(lookup: &HostLookup, account: &Account, at: Duration, first_heard: &mut Option<(Duration, Duration)>) {
    let state = lookup.state(at);
    let last = account.heard.last();
    let last_words = last.is_some_and(|heard| heard.addresses_of(&heard.names[0]).any(|(ip, _)| is_good(ip)));
    match state {
        State::NoResponse => {
            assert!(first_heard.is_none(), "what was heard is not forgotten");
            assert!(!last_words, "an address of the host was not taken");
        }
        State::WaitUntil(_) | State::Done => {
            let (first, grace) = *first_heard.get_or_insert_with(|| (at, grace_after(last.expect("an answer"))));
            if let State::WaitUntil(until) = state {
                assert!(until > at && until <= first + grace, "{until:?} after {first:?}");
            }
        }
    }
    assert_eq!(lookup.ask_again_at().is_some(), first_heard.is_some());
    if let (Some((first, grace)), Some(again)) = (*first_heard, lookup.ask_again_at()) {
        assert_eq!(again, first + grace / 2);
    }
    for (over, other) in [(Family::V4, true), (Family::V4, false), (Family::V6, true), (Family::V6, false)] {
        let rtypes = lookup.question_types(over, other);
        assert!(rtypes.iter().all(|rtype| matches!(*rtype, RecordType::A | RecordType::AAAA)));
        assert!(first_heard.is_some() || over == Family::V6 || rtypes.len() == 2, "both are asked for at first");
    }
}

/// Each address is one that a host may have, and all that believed packets of the host had are there, and no other.
fn check_addresses(answer: &Answer, account: &Account) {
    let found: BTreeSet<_> = answer.addresses.iter().map(|address| (address.ip, address.interface)).collect();
    assert_eq!(found.len(), answer.addresses.len(), "an address twice");
    assert!((1..=1024).contains(&found.len()));
    assert!(found.iter().all(|&(ip, _)| is_good(ip)), "{found:?}");
    for family in Family::ALL {
        assert!(!(answer.absent.contains(family) && answer.has(family)), "{family:?} is there and absent");
    }
    let expected = of_one_host(answer.canonical.as_wire(), account);
    let sources: BTreeSet<_> = account.heard.iter().map(|heard| (heard.source, heard.interface)).collect();
    if sources.len() <= 16 {
        assert_eq!(found, expected.into_iter().collect());
    } else {
        // More than are told apart.
        let said = account.heard.iter().flat_map(|heard| heard.addresses_of(answer.canonical.as_wire()));
        let said: BTreeSet<_> = said.map(|(ip, _)| ip).collect();
        assert!(found.iter().all(|(ip, _)| said.contains(ip)), "{found:?}");
    }
}

/// The addresses of the host with that name, in the order in which they were said: those of the first source; of others
/// that have one of them, or that have the first ones of a family.
fn of_one_host(name: &[u8], account: &Account) -> Vec<(IpAddr, u32)> {
    let (mut taken, mut sources) = (Vec::<(IpAddr, u32)>::new(), Vec::new());
    for heard in account.heard.iter().filter(|heard| plain::same(&heard.names[1], name)) {
        let source = (heard.source, heard.interface);
        let said: Vec<_> = heard.addresses_of(name).map(|(ip, _)| ip).filter(|&ip| is_good(ip)).collect();
        let known: BTreeSet<_> = taken.iter().map(|&(ip, _)| ip).collect();
        let is_first = said.iter().all(|ip| !known.iter().any(|known| known.is_ipv4() == ip.is_ipv4()));
        let is_same = said.iter().any(|ip| known.contains(ip)) || sources.contains(&source);
        if !said.is_empty() && (is_first || is_same) {
            sources.push(source);
            let mut known = known;
            taken.extend(said.into_iter().filter(|&ip| known.insert(ip)).map(|ip| (ip, heard.interface)));
            taken.truncate(1024);
        }
    }
    taken
}

/// Those on the link first; among these, and among the others, link-local ones last.
fn check_order(answer: &Answer, account: &Account) {
    let key = |address: &Address| {
        (!account.topology.is_on_link(address.ip, address.interface), scene::is_link_local(address.ip))
    };
    assert!(answer.addresses.is_sorted_by_key(key));
    for address in &answer.addresses {
        let scoped = address.ip.is_ipv6() && scene::is_link_local(address.ip);
        assert_eq!(address.scope_id(), if scoped { address.interface } else { 0 });
    }
}

/// The name asked for as it was asked, or one that at most eight believed aliases lead to.
fn check_canonical(answer: &Answer, account: &Account) {
    let canonical = answer.canonical.as_wire();
    if canonical == account.name {
        return;
    }
    assert!(plain::is_clean_and_local(canonical), "{:?}", answer.canonical);
    let mut reached: BTreeSet<Vec<u8>> = [account.name.to_ascii_lowercase()].into();
    for _ in 0..8 {
        let said = account.heard.iter().flat_map(|heard| &heard.said);
        let next = said.filter_map(|said| match &said.what {
            What::Alias(target) if reached.contains(&said.owner.to_ascii_lowercase()) => {
                Some(target.to_ascii_lowercase())
            }
            _ => None,
        });
        let next: Vec<_> = next.collect();
        reached.extend(next);
    }
    assert!(reached.contains(&canonical.to_ascii_lowercase()), "no alias leads to {:?}", answer.canonical);
}

/// Not longer than the longest-lived record of any address, nor shorter than the shortest-lived of all.
fn check_ttl(answer: &Answer, account: &Account, ttl: Duration) {
    let of_host = account.heard.iter().flat_map(|heard| heard.addresses_of(answer.canonical.as_wire()));
    let records: Vec<_> = of_host.filter(|&(ip, _)| is_good(ip)).collect();
    let seconds = |ttl: u32| Duration::from_secs(ttl.into()).min(scene::MAX_TTL);
    let said = account.heard.iter().flat_map(|heard| &heard.said);
    let mut aliases = said.filter(|said| matches!(said.what, What::Alias(_))).map(|said| said.ttl);
    let least = aliases.clone().chain(records.iter().map(|&(_, ttl)| ttl)).min();
    assert!(least.is_some_and(|least| ttl >= seconds(least)), "{ttl:?} is less than any record's");
    let is_alias = answer.canonical.as_wire() != account.name;
    assert!(!is_alias || aliases.any(|alias| ttl <= seconds(alias)), "{ttl:?} is more than any alias's");
    let mut longest = BTreeMap::new();
    for &(ip, ttl) in &records {
        let longest = longest.entry(ip).or_insert(ttl);
        *longest = ttl.max(*longest);
    }
    for Address { ip, .. } in &answer.addresses {
        assert!(longest.get(ip).is_some_and(|&longest| ttl <= seconds(longest)), "{ip} lives for {ttl:?}");
    }
}

/// An older answer fills gaps, and does nothing else.
fn check_adoption(answer: &mut Answer, input: &mut Input<'_>, now: std::time::Instant) {
    let before = answer.try_clone().expect("there is memory");
    let addresses = (0..input.u8() % 4).map(|_| Address { ip: scene::address(input), interface: 2 }).collect();
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
        let known = before.has(family) || before.absent.contains(family);
        let source = if known { &before } else { &older };
        assert!(answer.of(family).eq(source.of(family)));
        assert_eq!(answer.absent.contains(family), before.absent.contains(family));
        assert!(known || !older.has(family) || answer.expires <= older.expires);
    }
}

/// What the rules let be a host's address, written a second time.
fn is_good(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && first != 127 && !(224..240).contains(&first) && ip.octets() != [255; 4]
        }
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let mapped = octets[..10] == [0; 10] && octets[10..12] == [255; 2];
            octets[0] != 255 && !mapped && octets[..12] != [0; 12]
        }
    }
}
