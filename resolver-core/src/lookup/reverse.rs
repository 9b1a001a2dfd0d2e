//! Looks up the name of an address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::lookup::answer::{Pointer, expiry};
use crate::lookup::{Destination, Lookup, Progress, Question, Round, ask};
use crate::net::interfaces::Interfaces;
use crate::observer::{Event, Observer};
use crate::validate::Response;
use crate::wire::{Name, RecordType};

/// A lookup of the name of one address. It takes the first valid PTR record.
#[derive(Debug)]
pub(crate) struct ReverseLookup<O = ()> {
    observer: O,
    name: Name,
    ip: IpAddr,
    ttl_max: Duration,
    /// The target of the record that was read last: the answer, once `ttl` is set.
    target: Name,
    /// The TTL of the record that was taken.
    ttl: Option<Duration>,
}

#[cfg(any(test, fuzzing))]
impl ReverseLookup {
    /// A lookup without an observer.
    pub(crate) fn new(name: &Name, ip: IpAddr, config: &Config) -> Self {
        Self::observed(name, ip, config, ())
    }
}

impl<O: Observer> ReverseLookup<O> {
    /// A lookup of the name of `ip`, whose name in reverse notation is `name`.
    pub(crate) fn observed(name: &Name, ip: IpAddr, config: &Config, observer: O) -> Self {
        Self { observer, name: name.clone(), ip, ttl_max: config.ttl_max, target: Name::root(), ttl: None }
    }

    /// The answer, once the lookup has ended at `now`.
    pub(crate) fn finish(&self, now: Instant) -> Option<Pointer> {
        self.ttl.map(|ttl| Pointer { name: self.target.clone(), expires: expiry(now, ttl, self.ttl_max) })
    }
}

impl<O: Observer> Lookup for ReverseLookup<O> {
    fn name(&self) -> &Name {
        &self.name
    }

    /// Asks the groups, only on the links that the address can be on, because hosts elsewhere do not know its name.
    /// Also asks the address itself. The neighbours are not asked.
    fn round(&self, round: Round, interfaces: &Interfaces, questions: &mut Vec<Question>) {
        if round == Round::Neighbours {
            return;
        }
        let (rtype, is_repeat) = (RecordType::PTR, round == Round::Repeat);
        for interface in interfaces.iter().filter(|interface| interfaces.is_on_link(self.ip, interface.index)) {
            for transport in interface.families.iter() {
                if is_repeat {
                    ask(questions, interface.index, Destination::GroupFromListener(transport), rtype, false);
                }
                ask(questions, interface.index, Destination::Group(transport), rtype, is_repeat);
            }
        }
        for interface in interfaces.on_link(self.ip) {
            ask(questions, interface.index, Destination::Host(self.ip), rtype, false);
        }
    }

    /// Takes only a name under `.local`, and only one that any program can print safely.
    fn on_response(&mut self, response: &Response<'_>, _now: Instant) {
        if self.ttl.is_some() {
            return;
        }
        for record in response.message.records() {
            if record.rtype == RecordType::PTR
                && record.is_internet()
                && record.ttl > 0
                && record.is_of(&self.name)
                && record.read_target(&mut self.target)
                && self.target.is_local()
                && self.target.is_clean()
            {
                self.ttl = Some(Duration::from_secs(record.ttl.into()));
                self.observer.report(Event::Pointer);
                return;
            }
        }
    }

    fn poll(&self, _now: Instant) -> Progress {
        if self.ttl.is_some() { Progress::Done } else { Progress::NoResponse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Source;
    use crate::wire::Message;
    use test_packet::{Packet, types, wire};

    fn found(response: &Packet) -> Option<(Name, Duration)> {
        let ip: IpAddr = "10.0.0.2".parse().unwrap();
        let config = Config { ttl_max: Duration::from_secs(3600), ..Config::default() };
        let mut lookup = ReverseLookup::new(&Name::of_address(ip), ip, &config);
        let source = Source { ip, interface: 2 };
        let message = Message::read(response.octets()).unwrap();
        lookup.on_response(&Response { message, source, query: None }, Instant::now());
        assert_eq!(lookup.poll(Instant::now()) == Progress::Done, lookup.ttl.is_some());
        let now = Instant::now();
        lookup.finish(now).map(|pointer| (pointer.name.clone(), pointer.ttl(now)))
    }

    const OWNER: &str = "2.0.0.10.in-addr.arpa";

    #[test]
    fn the_first_valid_target_is_taken() {
        let response = Packet::new(0)
            .name_record(OWNER, types::PTR, "www.example")
            .name_record("3.0.0.10.in-addr.arpa", types::PTR, "other.local")
            .name_record(OWNER, types::PTR, "printer.local")
            .name_record(OWNER, types::PTR, "second.local");
        let expected = Name::from_text(b"printer.local").unwrap();
        assert_eq!(found(&response), Some((expected, Duration::from_secs(120))));
    }

    #[test]
    fn invalid_targets_are_ignored() {
        let record =
            |ttl, class, target: &[u8]| Packet::new(0).record_with(&wire(OWNER), types::PTR, class, ttl, target);
        for (what, response) in [
            ("outside .local", record(120, 1, &wire("www.example"))),
            ("just local", record(120, 1, &wire("local"))),
            ("a goodbye", record(0, 1, &wire("printer.local"))),
            ("class CH", record(120, 3, &wire("printer.local"))),
            ("an escape character", record(120, 1, b"\x03a\x1bb\x05local\x00")),
            ("a NUL", record(120, 1, b"\x03a\x00b\x05local\x00")),
            ("a dot in a label", record(120, 1, b"\x03a.b\x05local\x00")),
            ("a space", record(120, 1, b"\x03a b\x05local\x00")),
            ("an option", record(120, 1, b"\x02-f\x05local\x00")),
            ("not UTF-8", record(120, 1, b"\x02a\xff\x05local\x00")),
            ("past the end of the data", record(120, 1, b"\x07printer\x05local")),
        ] {
            assert_eq!(found(&response), None, "{what}");
        }
    }
}
