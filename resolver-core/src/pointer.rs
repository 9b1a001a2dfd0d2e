//! Gathers the name that an address points to. Pure, as its sister [`crate::answers`].

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::Family;
use crate::collector::{Collector, Verdict};
use crate::validation::Reply;
use crate::wire::{Name, RecordType};

/// Gathers the first good PTR record of an address.
#[derive(Debug)]
pub(crate) struct PointerCollector {
    name: Name,
    ip: IpAddr,
    /// Of the record that was looked at last, which is the one where `found` is something.
    target: Name,
    found: Option<Duration>,
}

impl PointerCollector {
    /// For the name of `ip`, which `name` is in reverse notation.
    pub(crate) fn new(name: &Name, ip: IpAddr) -> Self {
        Self { name: name.clone(), ip, target: Name::root(), found: None }
    }

    /// The name and how long it is good for.
    pub(crate) fn finish(self) -> Option<(Name, Duration)> {
        self.found.map(|ttl| (self.target, ttl))
    }
}

impl Collector for PointerCollector {
    fn name(&self) -> &Name {
        &self.name
    }

    fn kinds(&self, _over: Family, _other: bool) -> &'static [RecordType] {
        &[RecordType::PTR]
    }

    fn direct(&self) -> Option<IpAddr> {
        Some(self.ip)
    }

    fn asked(&mut self, _over: Family, _now: Instant) {}

    /// Only a host name under `.local` is taken, and only one that any program may print.
    fn take(&mut self, reply: &Reply<'_>, _now: Instant) {
        if self.found.is_some() {
            return;
        }
        for record in reply.message.records() {
            if record.kind == RecordType::PTR
                && record.is_internet()
                && record.ttl > 0
                && record.is_of(&self.name)
                && record.read_target(&mut self.target)
                && self.target.is_local()
                && self.target.is_clean()
            {
                self.found = Some(Duration::from_secs(record.ttl.into()));
                return;
            }
        }
    }

    fn verdict(&self, _now: Instant) -> Verdict {
        if self.found.is_some() { Verdict::Done } else { Verdict::Silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::Source;
    use crate::wire::Message;
    use crate::wire::build::{Response, wire};

    fn found(response: &Response) -> Option<(Name, Duration)> {
        let ip: IpAddr = "10.0.0.2".parse().unwrap();
        let mut collector = PointerCollector::new(&Name::of_address(ip), ip);
        let source = Source { ip, interface: 2 };
        let message = Message::read(response.octets()).unwrap();
        collector.take(&Reply { message, source, answers: None }, Instant::now());
        assert_eq!(collector.verdict(Instant::now()) == Verdict::Done, collector.found.is_some());
        collector.finish()
    }

    const OWNER: &str = "2.0.0.10.in-addr.arpa";

    #[test]
    fn the_first_good_target_is_taken() {
        let response = Response::new(0)
            .name(OWNER, RecordType::PTR, "www.example")
            .name("3.0.0.10.in-addr.arpa", RecordType::PTR, "other.local")
            .name(OWNER, RecordType::PTR, "printer.local")
            .name(OWNER, RecordType::PTR, "second.local");
        let expected = Name::from_text(b"printer.local").unwrap();
        assert_eq!(found(&response), Some((expected, Duration::from_secs(120))));
    }

    #[test]
    fn targets_that_are_not_taken() {
        let record =
            |ttl, class, target: &[u8]| Response::new(0).record(&wire(OWNER), RecordType::PTR, class, ttl, target);
        for (what, response) in [
            ("out of .local", record(120, 1, &wire("www.example"))),
            ("just local", record(120, 1, &wire("local"))),
            ("a goodbye", record(0, 1, &wire("printer.local"))),
            ("class CH", record(120, 3, &wire("printer.local"))),
            ("an escape character", record(120, 1, b"\x03a\x1bb\x05local\x00")),
            ("a NUL", record(120, 1, b"\x03a\x00b\x05local\x00")),
            ("a dot in a label", record(120, 1, b"\x03a.b\x05local\x00")),
            ("a space", record(120, 1, b"\x03a b\x05local\x00")),
            ("an option", record(120, 1, b"\x02-f\x05local\x00")),
            ("no UTF-8", record(120, 1, b"\x02a\xff\x05local\x00")),
            ("past the end of the data", record(120, 1, b"\x07printer\x05local")),
        ] {
            assert_eq!(found(&response), None, "{what}");
        }
    }
}
