//! Target `reverse_lookup`: a lookup of an address's name, with arbitrary datagrams at arbitrary times. It must find
//! the name that the rules select, and no other.

use std::net::IpAddr;
use std::time::Duration;

use resolver_core::Family;
use resolver_core::fuzzing::{Lookup, Question, Round, State, To};
use resolver_core::wire::{Name, RecordType};

use crate::input::Input;
use crate::reference_parser;
use crate::script::{self, Asked, Data, Event, Model, Topology};

/// Plays the script in `data`.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let topology = Topology::read(&mut input);
    let ip = script::address(&mut input);
    let mut lookup = Lookup::of_address(ip, &topology.tables);
    let mut model = Model::new(topology, &Name::of_address(ip));
    let at = script::play(&mut lookup, &mut model, &mut input, |lookup, model, event, at| {
        assert!(matches!(lookup.state(at), State::NoResponse | State::Done));
        assert_eq!(lookup.name(), &Name::of_address(ip));
        if let Event::Round(round, asked) = event {
            check_round(round, asked, ip, lookup, model);
        }
    });
    let is_done = lookup.state(at) == State::Done;
    let end = lookup.start() + at;
    let found = lookup.finish_reverse(at);
    assert_eq!(found.is_some(), is_done);
    let found = found.map(|pointer| (pointer.name.as_wire().to_vec(), pointer.ttl(end)));
    assert_eq!(found, expected(&model));
}

/// Checks that the name is asked for on the link of the address only: of the group over each transport, and of the
/// address itself.
fn check_round(round: Round, asked: &[Asked], ip: IpAddr, lookup: &Lookup, model: &Model) {
    let mut expected = Vec::new();
    let on_link = lookup.queried_interfaces().filter(|&(index, _)| model.topology.is_on_link(ip, index));
    for (interface, families) in on_link.filter(|_| round != Round::Neighbours) {
        let rtype = RecordType::PTR;
        let question = |transport, to| Question { interface, transport, to, rtype, unicast_response: false };
        for transport in families.iter() {
            let unicast_response = round == Round::Repeat;
            if unicast_response {
                expected.push(question(transport, To::GroupFromListener));
            }
            expected.push(Question { unicast_response, ..question(transport, To::Group) });
        }
        if families.contains(Family::of(ip)) {
            expected.push(question(Family::of(ip), To::Host(ip)));
        }
    }
    let asked: Vec<_> = asked.iter().map(|asked| asked.question).collect();
    let is_expected = |question| expected.contains(question);
    assert!(asked.len() == expected.len() && asked.iter().all(is_expected), "{round:?}: {asked:?}");
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
