//! The state of a lookup, without I/O: a [`Lookup`] decides what to ask and when it is done; the querier sends, waits
//! and receives. [`host`] looks up the addresses of a name, [`reverse`] the name of an address. Reads no clock: times
//! are arguments.

pub(crate) mod answer;
pub(crate) mod evidence;
pub(crate) mod host;
pub(crate) mod reverse;

use std::net::IpAddr;
use std::time::Instant;

use crate::address::{Address, Families, Family};
use crate::error::LookupError;
use crate::net::interfaces::Interfaces;
use crate::validate::Response;
use crate::wire::{Name, RecordType};

/// How far a lookup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that it can use has arrived: repeat the queries.
    NoResponse,
    /// Something has arrived. Wait for more until this time, then poll again.
    WaitUntil(Instant),
    /// There is nothing to wait for.
    Done,
}

/// One question of a lookup: where it goes, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The index of the interface that it is sent on.
    pub(crate) interface: u32,
    /// Its destination, and the socket that sends it.
    pub(crate) to: Destination,
    /// The record type that it asks for.
    pub(crate) rtype: RecordType,
    /// It asks for a unicast response (RFC 6762, section 5.4).
    pub(crate) unicast_response: bool,
}

/// Where a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To the group over this transport, from an ephemeral port. Nearly every responder answers it at once, by unicast.
    Group(Family),
    /// To the group over this transport, from the multicast listener. The response is multicast to port 5353, so
    /// firewalls that admit multicast DNS admit it.
    GroupFromListener(Family),
    /// To one host, from an ephemeral port (RFC 6762, section 5.5). A stateful firewall admits the response because it
    /// matches the query. On Wi-Fi, both are acknowledged and retransmitted, as multicast packets are not.
    Host(IpAddr),
    /// As [`Destination::Host`], to each neighbour of this transport: a host that this machine recently exchanged
    /// packets with. If multicast is filtered or lost, one of them may be the host that is looked up.
    Neighbours(Family),
    /// As [`Destination::Host`], to each neighbour of this transport that has the same link-layer address as the
    /// neighbour with this IP address: other addresses of the same host.
    OtherAddresses(IpAddr, Family),
}

impl Destination {
    /// The transport over which the question is sent.
    pub(crate) fn transport(self) -> Family {
        match self {
            Self::Group(transport) | Self::GroupFromListener(transport) => transport,
            Self::Host(ip) => Family::of(ip),
            Self::Neighbours(transport) | Self::OtherAddresses(_, transport) => transport,
        }
    }
}

/// A round of questions of a lookup that has no response yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// At its start: to the groups, from ephemeral ports.
    First,
    /// A short time later: to the neighbours.
    Neighbours,
    /// Later still: to the groups in two ways, from the multicast listeners, and from ephemeral ports with the
    /// unicast-response bit set. Some responders echo the message id only if that bit is set. Others multicast a record
    /// at most once a second (RFC 6762, section 6), and can answer in between only by unicast.
    Repeat,
}

/// The state of a lookup: what to ask, and what the accepted responses said.
pub(crate) trait Lookup {
    /// The name to ask for: the one that was looked up, or the target of an alias.
    fn name(&self) -> &Name;

    /// Adds the questions of a round. Called while [`Lookup::poll`] returns [`Progress::NoResponse`].
    fn round(&self, round: Round, interfaces: &Interfaces, questions: &mut Vec<Question>);

    /// Adds the follow-up questions that are due at `now`. Called while [`Lookup::poll`] returns
    /// [`Progress::WaitUntil`].
    fn follow_up(&mut self, _interfaces: &Interfaces, _now: Instant, _questions: &mut Vec<Question>) {}

    /// Records whether a question could be sent at `now`, or why not.
    fn on_sent(&mut self, _question: &Question, _result: Result<(), LookupError>, _now: Instant) {}

    /// Takes what it can use from a response that arrived at `now`.
    fn on_response(&mut self, response: &Response<'_>, now: Instant);

    /// The families that a daemon on this machine is asked for.
    fn daemon_families(&self) -> Families {
        Families::NONE
    }

    /// Takes an address that a daemon on this machine has reported.
    fn on_daemon_address(&mut self, _address: Address, _now: Instant) {}

    /// How far the lookup has come at `now`.
    fn poll(&self, now: Instant) -> Progress;

    /// True if an alias has changed [`Lookup::name`], so that the rounds must begin again. True only once for each
    /// change.
    fn take_new_name(&mut self) -> bool {
        false
    }
}

/// Adds a question, unless there is no memory for it.
fn ask(questions: &mut Vec<Question>, interface: u32, to: Destination, rtype: RecordType, unicast_response: bool) {
    crate::try_alloc::push(questions, Question { interface, to, rtype, unicast_response });
}
