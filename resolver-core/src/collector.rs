//! What the querier asks of those who gather its answers: [`crate::answers`] and [`crate::pointer`].

use std::net::IpAddr;
use std::time::Instant;

use crate::answer::Family;
use crate::validation::Reply;
use crate::wire::{Name, RecordType};

/// Whether a lookup has what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing has been heard: go on asking.
    Silent,
    /// Something has been heard, and the rest is awaited until then.
    WaitUntil(Instant),
    /// There is nothing to wait for.
    Done,
}

/// Gathers the records of believed packets. Reads no clock.
pub(crate) trait Collector {
    /// The name that is asked for at present.
    fn name(&self) -> &Name;

    /// The types that are still to be asked for over `over` on an interface, which has addresses of the `other` family too
    /// or not.
    fn kinds(&self, over: Family, other: bool) -> &'static [RecordType];

    /// The address that is asked directly, beside the group (RFC 6762, section 5.5).
    fn direct(&self) -> Option<IpAddr>;

    /// Notes that the questions were sent over `over` at `now`.
    fn asked(&mut self, over: Family, now: Instant);

    /// Takes what a reply that came at `now` has to say.
    fn take(&mut self, reply: &Reply<'_>, now: Instant);

    /// Whether the lookup is done at `now`.
    fn verdict(&self, now: Instant) -> Verdict;

    /// True, once, if an answer has led to another name, which is to be asked for now.
    fn take_new_name(&mut self) -> bool {
        false
    }

    /// When it is worth while, once, to ask again for what is awaited.
    fn ask_again_at(&self) -> Option<Instant> {
        None
    }
}
