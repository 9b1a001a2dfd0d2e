//! Gathers the name that an address points to. Pure, as its sister [`crate::answers`].

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::answer::Family;
use crate::collector::{Collector, Verdict};
use crate::validation::Reply;
use crate::wire::{Data, Name, RecordType};

/// Gathers the first good PTR record of an address.
#[derive(Debug)]
pub(crate) struct PointerCollector {
    name: Name,
    ip: IpAddr,
    found: Option<(Name, Duration)>,
}

impl PointerCollector {
    /// For the name of `ip`, which `name` is in reverse notation.
    pub(crate) fn new(name: &Name, ip: IpAddr) -> Self {
        Self { name: name.clone(), ip, found: None }
    }

    /// The name and how long it is good for.
    pub(crate) fn finish(self) -> Option<(Name, Duration)> {
        self.found
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
        self.found = reply
            .message
            .records()
            .filter(|record| record.kind == RecordType::PTR && record.is_internet() && record.ttl > 0)
            .filter(|record| record.owner().is_some_and(|owner| owner == self.name))
            .find_map(|record| match record.data() {
                Some(Data::Ptr(target)) if target.is_local() && target.is_clean() => {
                    Some((target, Duration::from_secs(record.ttl.into())))
                }
                _ => None,
            });
    }

    fn verdict(&self, _now: Instant) -> Verdict {
        if self.found.is_some() { Verdict::Done } else { Verdict::Silent }
    }
}
