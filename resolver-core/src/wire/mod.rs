//! DNS messages in wire form (RFC 1035, section 4; RFC 6762, section 18): parsing and encoding, without I/O.
//!
//! Only [`Reader`] computes offsets into a message. Every [`Name`] is valid. A [`Message`] parses its records lazily,
//! and the owner name and data of a record on request: if they are malformed, the rest of the message is still used.

use std::net::{Ipv4Addr, Ipv6Addr};

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

/// The IPv4 multicast group of multicast DNS (RFC 6762, section 3).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// The IPv6 multicast group of multicast DNS (RFC 6762, section 3).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// The size, in octets, of a buffer that is large enough for every conforming message. RFC 6762, section 17, limits
/// packets to this size, including the IP and UDP headers.
pub const MAX_MESSAGE: usize = 9000;

/// A record type: the value of the TYPE field (RFC 1035, section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordType(pub u16);

impl RecordType {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// The canonical name of an alias (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// A pointer to a name, used by reverse lookups (RFC 1035).
    pub const PTR: Self = Self(12);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The record types that a name has. In multicast DNS it denies those that it does not list (RFC 4034; RFC 6762,
    /// section 6.1).
    pub const NSEC: Self = Self(47);
    /// Any type, in a question (RFC 1035, section 3.2.3).
    pub const ANY: Self = Self(255);
}

/// The class IN (RFC 1035, section 3.2.4).
const CLASS_IN: u16 = 1;

/// The top bit of a class field. In a question it requests a unicast response (RFC 6762, section 5.4); in a record it
/// is the cache-flush bit (section 10.2). It is not part of the class.
const CLASS_TOP_BIT: u16 = 0x8000;
