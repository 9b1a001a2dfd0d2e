//! A lookup of an address: any packets, from anywhere, at any time. Never a name that the rules forbid.

use std::time::Duration;

use resolver_core::fuzzing::{PointerLookup, State};
use resolver_core::wire::{Name, RecordType};

use crate::input::Input;
use crate::plain;
use crate::scene::{self, Account, Topology, What};

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let ip = scene::address(&mut input);
    let mut lookup = PointerLookup::of_address(ip, &topology.links, &topology.own);
    let mut account = Account::new(topology, &Name::of_address(ip));
    let at = scene::play(&mut lookup, &mut account, &mut input, |lookup, _, at| {
        assert!(matches!(lookup.state(at), State::NoResponse | State::Done));
        assert_eq!(lookup.name(), &Name::of_address(ip));
        assert_eq!(lookup.question_types(resolver_core::Family::V4, true), [RecordType::PTR]);
    });
    let done = lookup.state(at) == State::Done;
    let end = lookup.start() + at;
    let found = lookup.finish(at);
    assert_eq!(found.is_some(), done);
    let found = found.map(|pointer| (pointer.name.as_wire().to_vec(), pointer.ttl(end)));
    assert_eq!(found, expected(&account));
}

/// The first good target of the first believed packet that has one.
fn expected(account: &Account) -> Option<(Vec<u8>, Duration)> {
    account.heard.iter().flat_map(|heard| heard.of(&account.name)).find_map(|(what, ttl)| match what {
        What::Pointer(target) if plain::is_clean_and_local(target) => {
            Some((target.clone(), Duration::from_secs(ttl.into()).min(scene::MAX_TTL)))
        }
        _ => None,
    })
}
