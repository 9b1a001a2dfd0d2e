//! DNS messages for tests, written field by field so that any field can be wrong (RFC 1035, section 4.1), and the
//! constants of multicast DNS that tests need.
//!
//! The integration tests and the unit tests of `resolver-core` use this crate. It shares no code with the module under
//! test, so that a mistake there is not repeated here. Nothing is validated.
//!
//! ```
//! use test_packet::{Packet, types};
//!
//! let response = Packet::new(0x1234)
//!     .question("printer.local", types::A)
//!     .address("printer.local", "10.0.0.2");
//! assert_eq!(response.octets()[..4], [0x12, 0x34, 0x84, 0x00]);
//! ```

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The UDP port of multicast DNS (RFC 6762, section 3).
pub const MDNS_PORT: u16 = 5353;
/// The IPv4 group of multicast DNS (RFC 6762, section 3).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// The IPv6 group of multicast DNS (RFC 6762, section 3).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Record types.
pub mod types {
    /// An IPv4 address (RFC 1035).
    pub const A: u16 = 1;
    /// The canonical name of an alias (RFC 1035).
    pub const CNAME: u16 = 5;
    /// Any octets (RFC 1035). The module ignores records of this type.
    pub const NULL: u16 = 10;
    /// A pointer to a name, for reverse lookups (RFC 1035).
    pub const PTR: u16 = 12;
    /// Text (RFC 1035). The module ignores records of this type.
    pub const TXT: u16 = 16;
    /// An IPv6 address (RFC 3596).
    pub const AAAA: u16 = 28;
    /// An alias of a subtree (RFC 6672). The module ignores records of this type.
    pub const DNAME: u16 = 39;
    /// The types that exist at a name (RFC 4034; RFC 6762, section 6.1).
    pub const NSEC: u16 = 47;
    /// Every type, in questions only (RFC 1035).
    pub const ANY: u16 = 255;
}

/// The class of the Internet (RFC 1035, section 3.2.4).
pub const IN: u16 = 1;
/// The class of Chaosnet (RFC 1035, section 3.2.4): in these tests, any class other than IN.
pub const CH: u16 = 3;
/// The top bit of a class field: "unicast response wanted" in a question (RFC 6762, section 5.4), "cache flush" in a
/// record (section 10.2).
pub const TOP_BIT: u16 = 0x8000;

/// The QR flag, which is set in responses.
pub const RESPONSE: u16 = 0x8000;
/// The AA flag.
pub const AUTHORITATIVE: u16 = 0x0400;

/// A section of a message. The value is the offset of its count in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Questions.
    Questions = 4,
    /// Answers.
    Answers = 6,
    /// Authority records.
    Authority = 8,
    /// Additional records.
    Additional = 10,
}

/// A message under construction.
///
/// Names are [`WireName`]s: text in dotted form, or the octets to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    octets: Vec<u8>,
    section: Section,
}

/// The TTL of records for which the caller gives none, in seconds.
const TTL: u32 = 120;

impl Packet {
    /// A response with this id, the flags QR and AA, and no records.
    pub fn new(id: u16) -> Packet {
        Packet::query(id).flags(RESPONSE | AUTHORITATIVE)
    }

    /// A query with this id, no flags and no questions.
    pub fn query(id: u16) -> Packet {
        let mut octets = vec![0; 12];
        octets[..2].copy_from_slice(&id.to_be_bytes());
        Packet { octets, section: Section::Answers }
    }

    /// Sets the flags, with opcode and response code.
    pub fn flags(self, flags: u16) -> Packet {
        self.set_word(2, flags)
    }

    /// Counts the records that are added from now on in this section. The initial section is [`Section::Answers`].
    pub fn section(self, section: Section) -> Packet {
        Packet { section, ..self }
    }

    /// Sets the count of a section, regardless of how many entries the section has.
    pub fn count(self, section: Section, count: u16) -> Packet {
        self.set_word(section as usize, count)
    }

    /// Adds a question of class IN.
    pub fn question(self, name: &(impl WireName + ?Sized), rtype: u16) -> Packet {
        self.question_with(name, rtype, IN)
    }

    /// Adds a question with this class.
    pub fn question_with(self, name: &(impl WireName + ?Sized), rtype: u16, class: u16) -> Packet {
        self.counted(Section::Questions).raw(&name.to_wire()).raw(&rtype.to_be_bytes()).raw(&class.to_be_bytes())
    }

    /// Adds a question of type A whose name is a compression pointer past the end of the message.
    pub fn broken_question(self) -> Packet {
        self.question(&pointer(0x3fff), types::A)
    }

    /// Adds a record of class IN with the cache-flush bit and a TTL of 120 s.
    pub fn record(self, owner: &(impl WireName + ?Sized), rtype: u16, data: &[u8]) -> Packet {
        self.record_with(owner, rtype, IN | TOP_BIT, TTL, data)
    }

    /// Adds a record with this class and this TTL (in seconds).
    pub fn record_with(
        self,
        owner: &(impl WireName + ?Sized),
        rtype: u16,
        class: u16,
        ttl: u32,
        data: &[u8],
    ) -> Packet {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        self.record_header(owner, rtype, class, ttl, length).raw(data)
    }

    /// Adds a record up to and including RDLENGTH. The data that is added next may have a different length.
    pub fn record_header(
        self,
        owner: &(impl WireName + ?Sized),
        rtype: u16,
        class: u16,
        ttl: u32,
        length: u16,
    ) -> Packet {
        let section = self.section;
        self.counted(section)
            .raw(&owner.to_wire())
            .raw(&rtype.to_be_bytes())
            .raw(&class.to_be_bytes())
            .raw(&ttl.to_be_bytes())
            .raw(&length.to_be_bytes())
    }

    /// Adds an A or AAAA record.
    pub fn address(self, owner: &(impl WireName + ?Sized), ip: impl Address) -> Packet {
        self.address_with(owner, IN | TOP_BIT, TTL, ip)
    }

    /// Adds an A or AAAA record with this class and this TTL (in seconds).
    pub fn address_with(self, owner: &(impl WireName + ?Sized), class: u16, ttl: u32, ip: impl Address) -> Packet {
        match ip.ip() {
            IpAddr::V4(ip) => self.record_with(owner, types::A, class, ttl, &ip.octets()),
            IpAddr::V6(ip) => self.record_with(owner, types::AAAA, class, ttl, &ip.octets()),
        }
    }

    /// Adds a record whose data are a name, such as a CNAME or PTR record.
    pub fn name_record(
        self,
        owner: &(impl WireName + ?Sized),
        rtype: u16,
        target: &(impl WireName + ?Sized),
    ) -> Packet {
        self.record(owner, rtype, &target.to_wire())
    }

    /// Adds an NSEC record in the restricted form of multicast DNS (RFC 6762, section 6.1): the next name is the owner,
    /// and one bitmap of window 0 contains these types.
    pub fn nsec(self, owner: &(impl WireName + ?Sized), types: &[u16]) -> Packet {
        self.nsec_with(owner, owner, 0, types)
    }

    /// Adds an NSEC record with this next name and this window (RFC 4034, section 4.1).
    pub fn nsec_with(
        self,
        owner: &(impl WireName + ?Sized),
        next: &(impl WireName + ?Sized),
        window: u8,
        types: &[u16],
    ) -> Packet {
        self.record(owner, types::NSEC, &nsec_data(next, window, types))
    }

    /// Adds these octets. No count changes.
    pub fn raw(mut self, octets: &[u8]) -> Packet {
        self.octets.extend_from_slice(octets);
        self
    }

    /// Keeps only the first `length` octets.
    pub fn truncated(mut self, length: usize) -> Packet {
        self.octets.truncate(length);
        self
    }

    /// Removes the last `count` octets.
    pub fn without_last(self, count: usize) -> Packet {
        let length = self.len().saturating_sub(count);
        self.truncated(length)
    }

    /// The number of octets so far, which is the offset of the next one.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there are no octets. A message always has a header, unless [`Packet::truncated`] has removed it.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The message.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The message.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    fn set_word(mut self, at: usize, value: u16) -> Packet {
        self.octets[at..at + 2].copy_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds one to the count of a section.
    fn counted(self, section: Section) -> Packet {
        let at = section as usize;
        let count = u16::from_be_bytes([self.octets[at], self.octets[at + 1]]);
        self.set_word(at, count.wrapping_add(1))
    }
}

/// A name, as a parameter of the methods of [`Packet`]. Text is encoded label by label; octets are written unchanged.
pub trait WireName {
    /// The octets to write.
    fn to_wire(&self) -> Cow<'_, [u8]>;
}

impl WireName for str {
    fn to_wire(&self) -> Cow<'_, [u8]> {
        Cow::Owned(wire(self))
    }
}

impl WireName for [u8] {
    fn to_wire(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<const LENGTH: usize> WireName for [u8; LENGTH] {
    fn to_wire(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl WireName for Vec<u8> {
    fn to_wire(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl WireName for String {
    fn to_wire(&self) -> Cow<'_, [u8]> {
        Cow::Owned(wire(self))
    }
}

/// An address, as a parameter of the methods of [`Packet`].
pub trait Address {
    /// The address.
    fn ip(&self) -> IpAddr;
}

impl Address for IpAddr {
    fn ip(&self) -> IpAddr {
        *self
    }
}

impl Address for Ipv4Addr {
    fn ip(&self) -> IpAddr {
        (*self).into()
    }
}

impl Address for Ipv6Addr {
    fn ip(&self) -> IpAddr {
        (*self).into()
    }
}

impl Address for &str {
    /// # Panics
    /// If the text is not an address.
    fn ip(&self) -> IpAddr {
        self.parse().unwrap_or_else(|why| panic!("{self}: {why}"))
    }
}

/// The wire form of a name in dotted form, with or without the last dot.
pub fn wire(name: &str) -> Vec<u8> {
    let labels: Vec<&[u8]> = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes).collect();
    wire_of_labels(&labels)
}

/// The wire form of a name of these labels, which may contain any octets. A length above 255 is written as 255.
pub fn wire_of_labels(labels: &[&[u8]]) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in labels {
        octets.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        octets.extend_from_slice(label);
    }
    octets.push(0);
    octets
}

/// A compression pointer to an offset below 16,384 (RFC 1035, section 4.1.4).
pub fn pointer(target: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(target & 0x3fff).unwrap_or_default()).to_be_bytes()
}

/// The data of an NSEC record with a single bitmap, of types below 256 (RFC 4034, section 4.1.2). Zero octets at the
/// end of the bitmap are left out, except that an empty bitmap has one octet.
pub fn nsec_data(next: &(impl WireName + ?Sized), window: u8, types: &[u16]) -> Vec<u8> {
    let mut bitmap = vec![0u8];
    for rtype in types {
        let at = usize::from(rtype / 8);
        bitmap.resize(bitmap.len().max(at + 1), 0);
        bitmap[at] |= 0x80 >> (rtype % 8);
    }
    let length = u8::try_from(bitmap.len()).unwrap_or(u8::MAX);
    [&next.to_wire()[..], &[window, length], &bitmap].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_the_octets_of_the_rfc() {
        let response = Packet::new(0x1234).question("a.local", types::A).address(&pointer(12), "10.0.0.2");
        let expected = [
            &b"\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00"[..],
            b"\x01a\x05local\x00\x00\x01\x00\x01",
            b"\xc0\x0c\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x0a\x00\x00\x02",
        ];
        assert_eq!(response.octets(), expected.concat());
    }

    #[test]
    fn records_are_counted_in_their_section() {
        let packet =
            Packet::new(0).address("a.local", "10.0.0.2").section(Section::Additional).address("a.local", "::1");
        assert_eq!(packet.octets()[4..12], [0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(packet.count(Section::Questions, 0x0102).octets()[4..6], [1, 2]);
    }

    #[test]
    fn a_query_has_no_flags() {
        assert_eq!(Packet::query(7).octets(), [0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn names_are_text_or_octets() {
        let text = Packet::new(0).name_record("a.local", types::PTR, "b.local");
        let octets = Packet::new(0).name_record(b"\x01a\x05local\x00", types::PTR, &wire_of_labels(&[b"b", b"local"]));
        assert_eq!(text, octets);
        assert_eq!(wire(""), [0]);
        assert_eq!(wire("a.local."), wire("a.local"));
    }

    #[test]
    fn an_nsec_record_has_one_bitmap() {
        assert_eq!(nsec_data(b"\xc0\x0c", 0, &[types::A, types::AAAA]), b"\xc0\x0c\x00\x04\x40\x00\x00\x08");
        assert_eq!(nsec_data(b"\xc0\x0c", 1, &[]), b"\xc0\x0c\x01\x01\x00");
        let data = nsec_data("a.local", 0, &[types::A]);
        assert_eq!(Packet::new(0).nsec("a.local", &[types::A]), Packet::new(0).record("a.local", types::NSEC, &data));
    }

    #[test]
    fn lengths_may_differ_from_the_data() {
        let packet = Packet::new(0).record_header(&[0], types::A, IN, 120, 400).raw(&[10, 0, 0, 2]).without_last(2);
        assert_eq!(packet.octets()[12..], [0, 0, 1, 0, 1, 0, 0, 0, 120, 1, 144, 10, 0]);
        assert!(packet.truncated(0).is_empty());
    }
}
