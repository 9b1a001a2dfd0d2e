//! What a lookup knows, without I/O: the querier sends and receives, and a [`Lookup`] decides what to ask and when it has
//! enough. [`host`] looks up the addresses of a name, [`reverse`] the name of an address. Reads no clock: times are arguments.

pub(crate) mod answer;
pub(crate) mod host;
pub(crate) mod reverse;

use std::net::IpAddr;
use std::time::Instant;

use crate::address::Family;
use crate::validate::Response;
use crate::wire::{Name, RecordType};

/// How far a lookup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that it can use has arrived: repeat the queries.
    NoResponse,
    /// Something has arrived. Wait for the rest until then.
    WaitUntil(Instant),
    /// There is nothing to wait for.
    Done,
}

/// The state of a lookup: what to ask, and what the accepted responses said.
pub(crate) trait Lookup {
    /// The name that is asked for at present.
    fn name(&self) -> &Name;

    /// The record types that are still to be asked for over `transport`, on an interface that has an address of the other
    /// family too if `has_other_family`.
    fn question_types(&self, transport: Family, has_other_family: bool) -> &'static [RecordType];

    /// The address that is queried directly, beside the group (RFC 6762, section 5.5).
    fn direct_target(&self) -> Option<IpAddr>;

    /// Records that queries were sent over `transport` at `now`.
    fn on_query_sent(&mut self, transport: Family, now: Instant);

    /// Takes what it can use from a response that arrived at `now`.
    fn on_response(&mut self, response: &Response<'_>, now: Instant);

    /// How far the lookup has come at `now`.
    fn poll(&self, now: Instant) -> Progress;

    /// True, once, if a response has led to another name, which must be asked for now.
    fn take_new_name(&mut self) -> bool {
        false
    }

    /// While waiting for the rest: the time at which to ask for it once more.
    fn ask_again_at(&self) -> Option<Instant> {
        None
    }
}
