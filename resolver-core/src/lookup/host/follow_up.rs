//! The follow-up questions of a lookup of a host's addresses: once the host has responded, when and where a missing family
//! is asked for again.
//!
//! The questions are spread over time, so that no address is missed because of a few lost packets or a short interruption.
//! They go directly to the host over each transport over which it has responded, and to the group over the others.

use std::time::{Duration, Instant};

use crate::address::Family;
use crate::lookup::host::{FirstResponse, HostLookup, type_of};
use crate::lookup::{Destination, Question, ask};
use crate::net::interfaces::Interfaces;
use crate::observer::Observer;
use crate::validate::Source;
use crate::wire::RecordType;

/// When the first follow-up questions are sent: the time since the first response, in twentieths of the grace
/// ([`HostLookup::grace`]).
const EARLY_FOLLOW_UPS: [u8; 6] = [0, 3, 6, 9, 12, 15];

/// When later ones are sent, in milliseconds since the end of the grace.
const LATE_FOLLOW_UPS: [u16; 7] = [10, 40, 100, 230, 480, 980, 1480];

/// The shortest time between two follow-ups, whatever the settings are and however late the process wakes up.
pub(super) const FOLLOW_UP_DISTANCE: Duration = Duration::from_millis(1);

impl<O: Observer> HostLookup<O> {
    /// Adds the follow-up questions that are due at `now`.
    pub(super) fn ask_for_missing(&mut self, interfaces: &Interfaces, now: Instant, questions: &mut Vec<Question>) {
        let Some(first) = self.first.filter(|_| self.follow_up_at().is_some_and(|at| at <= now)) else { return };
        let number = self.follow_ups;
        self.follow_ups += 1;
        for transport in self.transports(first.interface).iter() {
            let provider = self.evidence.provider(first.interface, transport);
            // A router would forward packets to an address that is not on the link.
            let on_link = provider.filter(|source| interfaces.is_on_link(source.ip, first.interface));
            // A responder on this machine may not receive packets that the machine sends to its own address. Nor does it
            // need a repeat: no packet to it is lost.
            if let Some(source) = on_link.filter(|source| !interfaces.is_local(source.ip)) {
                self.ask_directly(number, source, first, questions);
            }
            if number == 1 && provider.is_none() {
                self.ask_other_addresses(transport, first, questions);
            }
            self.ask_group(number, transport, on_link.is_some(), first, questions);
        }
    }

    /// Asks the host at its addresses of the other family, which the kernel may know: those with the same link-layer
    /// address.
    fn ask_other_addresses(&self, transport: Family, first: FirstResponse, questions: &mut Vec<Question>) {
        let known = self.evidence.provider(first.interface, transport.other());
        if let Some(Source { ip, .. }) = known.filter(|_| self.missing().contains(transport)) {
            let to = Destination::OtherAddresses(ip, transport);
            ask(questions, first.interface, to, type_of(transport), first.unicast_response);
        }
    }

    /// When the next follow-up is due; None before the first response, and after the last follow-up.
    pub(super) fn follow_up_at(&self) -> Option<Instant> {
        let first = self.first?;
        let grace = self.grace(first);
        if let Some(&twentieths) = EARLY_FOLLOW_UPS.get(self.follow_ups) {
            // The responses to the other questions of the lookup's first round are on their way.
            let is_of_first_round = first.at.checked_sub(first.delay).as_ref() == self.sent_at.first();
            let number = self.follow_ups + usize::from(is_of_first_round);
            let least = FOLLOW_UP_DISTANCE * u32::try_from(number).unwrap_or(0);
            return Some(first.at + (grace * u32::from(twentieths) / 20).max(least));
        }
        let late = LATE_FOLLOW_UPS.get(self.follow_ups - EARLY_FOLLOW_UPS.len())?;
        Some(first.at + grace + Duration::from_millis((*late).into()))
    }

    /// Sends a question to the address from which the host has responded. It asks for a family that is missing and not
    /// yet denied over this transport; if there is none, for a family that arrived only in multicast responses. Every
    /// second question has the type ANY: some responders answer it with all their addresses, which denies a family that
    /// they omit. Others ignore it.
    fn ask_directly(&self, number: usize, source: Source, first: FirstResponse, questions: &mut Vec<Question>) {
        let transport = Family::of(source.ip);
        let is_open = |family: &Family| !self.evidence.is_denied(first.interface, transport, *family);
        let missing = self.missing().iter().find(is_open).or_else(|| self.overheard().iter().next());
        let Some(family) = missing else { return };
        let rtype = if number % 2 == 0 { RecordType::ANY } else { type_of(family) };
        ask(questions, first.interface, Destination::Host(source.ip), rtype, first.unicast_response);
    }

    /// Asks the group over `transport` for the missing families. Some of these questions are also sent from the
    /// multicast listener, because a firewall may drop the responses to all others.
    fn ask_group(
        &self,
        number: usize,
        transport: Family,
        is_asked_directly: bool,
        first: FirstResponse,
        questions: &mut Vec<Question>,
    ) {
        let is_late = number >= EARLY_FOLLOW_UPS.len();
        // At number 0, the group was queried just before. If the host can be asked directly, the group is asked only at
        // number 3 and in late follow-ups.
        if number == 0 || is_asked_directly && number != 3 && !is_late {
            return;
        }
        for family in self.missing().iter() {
            if self.evidence.is_denied(first.interface, transport, family) {
                continue;
            }
            let rtype = type_of(family);
            ask(questions, first.interface, Destination::Group(transport), rtype, first.unicast_response);
            if number == 2 || is_late {
                ask(questions, first.interface, Destination::GroupFromListener(transport), rtype, false);
            }
        }
    }
}
