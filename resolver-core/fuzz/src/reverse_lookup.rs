//! Target `reverse_lookup`: a lookup of an address's name, with arbitrary datagrams at arbitrary times. It must find
//! the name that the rules select, and no other.

use std::time::Duration;

use resolver_core::Family;
use resolver_core::fuzzing::{Lookup, State};
use resolver_core::wire::{Name, RecordType};

use crate::input::Input;
use crate::reference_parser;
use crate::script::{self, Data, Model, Topology};

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let ip = script::address(&mut input);
    let mut lookup = Lookup::of_address(ip, &topology.tables);
    let mut model = Model::new(topology, &Name::of_address(ip));
    let at = script::play(&mut lookup, &mut model, &mut input, |lookup, _, at| {
        assert!(matches!(lookup.state(at), State::NoResponse | State::Done));
        assert_eq!(lookup.name(), &Name::of_address(ip));
        assert_eq!(lookup.question_types(Family::V4, true), [RecordType::PTR]);
    });
    let is_done = lookup.state(at) == State::Done;
    let end = lookup.start() + at;
    let found = lookup.finish_reverse(at);
    assert_eq!(found.is_some(), is_done);
    let found = found.map(|pointer| (pointer.name.as_wire().to_vec(), pointer.ttl(end)));
    assert_eq!(found, expected(&model));
}

/// The first valid target in the accepted responses, and its TTL.
fn expected(model: &Model) -> Option<(Vec<u8>, Duration)> {
    model.responses.iter().flat_map(|response| response.records_of(&model.name)).find_map(|(data, ttl)| match data {
        Data::Pointer(target) if reference_parser::is_clean_and_local(target) => {
            Some((target.clone(), Duration::from_secs(ttl.into()).min(script::MAX_TTL)))
        }
        _ => None,
    })
}
