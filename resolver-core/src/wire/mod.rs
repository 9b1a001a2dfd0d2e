//! DNS messages as octets (RFC 1035, section 4; RFC 6762, section 18), read and written without any I/O.
//!
//! [`Reader`] alone touches offsets. A [`Name`] that exists is valid. A [`Message`] hands out its records lazily:
//! one that does not parse is passed over and the rest of the packet is kept.

use std::net::{Ipv4Addr, Ipv6Addr};

#[cfg(test)]
pub(crate) mod build;
mod message;
mod name;
mod query;
mod reader;

pub use message::{Message, Nsec, Question, Record};
pub use name::{InvalidName, MAX_NAME, Name};
pub use query::{MAX_QUERY, Query};
pub use reader::{Reader, WireError};

/// The UDP port of multicast DNS (RFC 6762, section 3).
pub const MDNS_PORT: u16 = 5353;

/// The multicast DNS group of IPv4 (RFC 6762, section 3).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// The multicast DNS group of IPv6 (RFC 6762, section 3).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// The largest message that a multicast DNS host may send, in octets, less the IP and UDP headers that
/// RFC 6762, section 17, counts in: a buffer of this size never truncates one.
pub const MAX_MESSAGE: usize = 9000;

/// A record type, as in the TYPE field (RFC 1035, section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordType(pub u16);

impl RecordType {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// The canonical name of an alias (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// A pointer to a name, for reverse lookups (RFC 1035).
    pub const PTR: Self = Self(12);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The types that exist at a name, and so those that do not (RFC 4034; RFC 6762, section 6.1).
    pub const NSEC: Self = Self(47);
    /// Any type, in a question (RFC 1035, section 3.2.3).
    pub const ANY: Self = Self(255);
}

/// The class IN (RFC 1035, section 3.2.4).
const CLASS_IN: u16 = 1;

/// The top bit of a class field: in a question "unicast response wanted" (RFC 6762, section 5.4), in a record
/// "cache flush" (section 10.2). It is never part of the class.
const CLASS_TOP_BIT: u16 = 0x8000;
