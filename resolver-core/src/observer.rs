//! What a lookup reports while it runs, for a program that explains lookups: `nss-mdns check`.
//!
//! A lookup is generic over its [`Observer`]. That of the module is `()`, which ignores every event, so the compiler
//! removes the events and what only they need. A program that explains a lookup therefore runs the same code as the
//! module, and the module contains none of the explanations.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Address, Families, Family};
use crate::error::LookupError;
use crate::net::interfaces::Interfaces;
use crate::net::socket::{Datagram, SocketKind};
use crate::wire::{Name, Query};

pub use crate::config::allow::Exclusion;
pub use crate::lookup::Round;
pub use crate::lookup::evidence::Conclusion;
pub use crate::policy::NameSource;
pub use crate::validate::Rejection;

/// Receives the events of a lookup. A copy is given to each part of the lookup.
pub trait Observer: Copy {
    /// Takes an event. Called on the thread of the lookup, at the time of the event: the lookup waits meanwhile.
    fn report(self, event: Event<'_>);
}

impl Observer for () {
    #[inline(always)]
    fn report(self, _event: Event<'_>) {}
}

/// Something that a lookup did, found or concluded.
#[derive(Debug)]
pub enum Event<'a> {
    /// The name is not looked up.
    Excluded(Exclusion),
    /// Who serves the name.
    Source(NameSource),
    /// The cache has an answer, or this error: with [`LookupError::NoResponse`], nobody responded a short time ago.
    Cached(Option<LookupError>),
    /// The interfaces were read, or why not.
    Interfaces(Result<&'a Interfaces, LookupError>),
    /// The name or address is this machine's own.
    Own,
    /// The answer consists of this machine's own addresses, because nobody responded.
    OwnAnswer,
    /// This machine's own addresses of the family were added to the answer, because the responder on this machine said
    /// nothing about them.
    OwnAdded(Family),
    /// A socket could not be opened, or could not become a member of the group on an interface.
    NoSocket {
        /// How the socket would have been bound.
        kind: SocketKind,
        /// The family of the socket.
        transport: Family,
        /// The interface on which it is no member of the group. None if there is no socket at all.
        interface: Option<u32>,
        /// Why.
        error: &'a io::Error,
    },
    /// The questions of a round follow, if there are any.
    Round(Round),
    /// A query was sent, or could not be sent.
    Sent(Sent<'a>),
    /// A datagram was received.
    Received {
        /// Its source and destination, and the socket that it arrived on.
        datagram: &'a Datagram,
        /// Its contents, as far as they fit into the buffer.
        octets: &'a [u8],
        /// Why it was ignored. None if it was accepted as a response.
        rejection: Option<Rejection>,
    },
    /// The addresses of these families in the last datagram were added to the answer. Some of them may have been known.
    Provided(Families),
    /// The name of the address was taken from the last datagram.
    Pointer,
    /// The last datagram has addresses of the name, but comes from another host than the answers before. They are
    /// ignored.
    AnotherHost,
    /// The last datagram has an alias of the name: this name is looked up instead.
    Alias(&'a Name),
    /// The last datagram withdraws addresses that it does not replace.
    Withdrawn,
    /// The last datagram denies that the host has an address of the family.
    Denied {
        /// The family.
        family: Family,
        /// How it denies that.
        denial: Denial,
    },
    /// A daemon on this machine was asked. False if there is none, or if it cannot be asked.
    DaemonAsked(bool),
    /// A daemon on this machine has reported an address.
    DaemonAddress(Address),
    /// At the end of the lookup, the host has no address of this wanted or unwanted family, for this reason.
    Missing {
        /// The family.
        family: Family,
        /// What the lookup concluded about it. None if no address of the host is known at all.
        conclusion: Option<Conclusion>,
    },
    /// The address was removed from the answer, because it is this machine's own, and the host has others.
    OwnAddressRemoved(IpAddr),
    /// The addresses in fe80::/10 were removed from the answer, because of the setting `ipv6-link-local`.
    LinkLocalRemoved,
}

/// A query that was sent, or could not be sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The query. Its id is 0 if it was sent from a multicast listener.
    pub query: &'a Query<'a>,
    /// The kind of the socket.
    pub socket: SocketKind,
    /// The index of the interface.
    pub interface: u32,
    /// The source address, unless the kernel selects it.
    pub source: Option<Ipv4Addr>,
    /// The destination.
    pub to: IpAddr,
    /// Why it could not be sent, if it could not.
    pub result: &'a io::Result<()>,
}

/// How a response denies that the host has an address of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// By an NSEC record (RFC 6762, section 6.1).
    Nsec,
    /// It answers a question for the family without an address of it, but with addresses of the other family.
    Omitted,
    /// It answers a question for all types without an address of the family.
    OmittedInAny,
    /// It answers a question for the family only with addresses that the settings exclude.
    OnlyExcluded,
}

impl fmt::Display for Denial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Nsec => "an NSEC record that does not list it",
            Self::Omitted => "an answer to the question for it that has only the other family",
            Self::OmittedInAny => "an answer to a question of type ANY that has only the other family",
            Self::OnlyExcluded => "an answer that has only link-local addresses, which ipv6-link-local = off excludes",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Keeps the events, in their `Debug` form.
    #[derive(Debug, Default)]
    pub(crate) struct Recorder(RefCell<Vec<String>>);

    impl Observer for &Recorder {
        fn report(self, event: Event<'_>) {
            self.0.borrow_mut().push(format!("{event:?}"));
        }
    }

    impl Recorder {
        /// The events since the last call.
        pub(crate) fn take(&self) -> Vec<String> {
            self.0.take()
        }
    }
}
