//! Messages and their records (RFC 1035, section 4.1; RFC 6762, section 18).
//!
//! ```text
//!  0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! |                      ID                       |
//! |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
//! |   QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT          |
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::Name;
use super::reader::{Reader, WireError};
use super::{CLASS_IN, CLASS_TOP_BIT, RecordType};

/// A message whose header was read; the rest is read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    id: u16,
    flags: u16,
    question_count: u16,
    record_count: u32,
    body: Reader<'a>,
}

impl<'a> Message<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if there are fewer than 12 octets.
    pub fn read(octets: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(octets);
        let (id, flags, question_count) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let record_count = u32::from(reader.u16()?) + u32::from(reader.u16()?) + u32::from(reader.u16()?);
        Ok(Self { id, flags, question_count, record_count, body: reader })
    }

    /// The message id.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// True for a response (QR set) to a standard query (opcode 0) without an error (rcode 0). All others are to be
    /// ignored (RFC 6762, sections 18.3 and 18.11). The TC and AA bits do not matter (sections 18.4 and 18.5).
    pub fn is_valid_response(&self) -> bool {
        const QR: u16 = 0x8000;
        const OPCODE: u16 = 0x7800;
        const RCODE: u16 = 0x000f;
        self.flags & (QR | OPCODE | RCODE) == QR
    }

    /// The questions that parse, up to the first that does not.
    pub fn questions(&self) -> impl Iterator<Item = Question> + use<'a> {
        let mut reader = self.body;
        (0..self.question_count).map_while(move |_| Question::read(&mut reader).ok())
    }

    /// True if every question it claims to have is there and asks about `name`; so also if it has none.
    pub fn asks_only_about(&self, name: &Name) -> bool {
        let mut reader = self.body;
        (0..self.question_count).all(|_| Question::read(&mut reader).is_ok_and(|question| question.name == *name))
    }

    /// The records of all three sections, up to the first whose end cannot be found.
    ///
    /// Bounded by the size of the message, whatever its header claims: a record takes eleven octets at least.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut reader = self.body;
        let whole = (0..self.question_count).all(|_| skip_question(&mut reader).is_ok());
        let count = if whole { self.record_count } else { 0 };
        (0..count).map_while(move |_| Record::read(&mut reader).ok())
    }
}

/// A question, as some responders echo it (RFC 6762, section 6.7).
#[derive(Clone, Debug)]
pub struct Question {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub kind: RecordType,
}

impl Question {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let name = Name::read(reader)?;
        let kind = RecordType(reader.u16()?);
        reader.u16()?;
        Ok(Self { name, kind })
    }
}

fn skip_question(reader: &mut Reader<'_>) -> Result<(), WireError> {
    Name::skip(reader)?;
    reader.octets(4).map(|_| ())
}

/// A resource record. Its owner and its data are read only when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The record's type.
    pub kind: RecordType,
    /// The time to live, in seconds; 0 takes the record back (RFC 6762, section 10.1).
    pub ttl: u32,
    class: u16,
    owner: Reader<'a>,
    data: Reader<'a>,
}

/// The data of a record of one of the types that are understood here.
#[derive(Clone, Debug)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The canonical name of the owner.
    Cname(Name),
    /// The name that the owner, an address in reverse notation, points to.
    Ptr(Name),
    /// Which types exist at the owner.
    Nsec(Nsec),
}

/// The part of an NSEC record that matters here (RFC 6762, section 6.1).
#[derive(Clone, Debug)]
pub struct Nsec {
    /// The next name: the owner itself, in multicast DNS.
    pub next: Name,
    /// The bitmap says that there is an A record.
    pub has_a: bool,
    /// The bitmap says that there is an AAAA record.
    pub has_aaaa: bool,
}

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let owner = *reader;
        Name::skip(reader)?;
        let (kind, class, ttl) = (RecordType(reader.u16()?), reader.u16()?, reader.u32()?);
        let length = reader.u16()?;
        let data = reader.sub(usize::from(length))?;
        Ok(Self { kind, ttl, class, owner, data })
    }

    /// True if the class is IN. The cache-flush bit is no part of it (RFC 6762, section 10.2).
    pub fn is_internet(&self) -> bool {
        self.class & !CLASS_TOP_BIT == CLASS_IN
    }

    /// The owner name, or None if it does not parse.
    pub fn owner(&self) -> Option<Name> {
        Name::read(&mut { self.owner }).ok()
    }

    /// True if the owner name parses and is `name`.
    // A name takes 256 octets of stack, here no longer than it must.
    #[inline(never)]
    pub fn is_of(&self, name: &Name) -> bool {
        Name::read(&mut { self.owner }).is_ok_and(|owner| owner == *name)
    }

    /// The data, or None if the type is not understood or the data are not exactly of that type's form.
    #[inline(never)]
    pub fn data(&self) -> Option<Data> {
        let mut reader = self.data;
        let data = match self.kind {
            RecordType::A => Data::A(Ipv4Addr::from(reader.array::<4>().ok()?)),
            RecordType::AAAA => Data::Aaaa(Ipv6Addr::from(reader.array::<16>().ok()?)),
            RecordType::CNAME => Data::Cname(Name::read(&mut reader).ok()?),
            RecordType::PTR => Data::Ptr(Name::read(&mut reader).ok()?),
            RecordType::NSEC => Data::Nsec(Nsec::read(&mut reader).ok()?),
            _ => return None,
        };
        reader.is_empty().then_some(data)
    }
}

impl Nsec {
    /// Reads the restricted form of RFC 6762, section 6.1: the next name and one block, of window 0.
    #[inline(never)]
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let next = Name::read(reader)?;
        let window = reader.u8()?;
        let length = reader.u8()?;
        let bitmap = reader.octets(usize::from(length))?;
        let has = |kind: RecordType| {
            let octet = bitmap.get(usize::from(kind.0 / 8)).copied().unwrap_or(0);
            window == 0 && octet & (0x80 >> (kind.0 % 8)) != 0
        };
        Ok(Self { has_a: has(RecordType::A), has_aaaa: has(RecordType::AAAA), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::wire::build::{Response, wire};

    fn only_record(kind: RecordType, data: &[u8]) -> Option<Data> {
        let response = Response::new(0).record(&wire("printer.local"), kind, 1, 120, data);
        let found = Message::read(response.octets()).unwrap().records().next().unwrap();
        assert_eq!(found.owner(), Name::from_text(b"printer.local").ok());
        found.data()
    }

    #[test]
    fn header_and_question_are_read() {
        let response = Response::new(0x1234).question("printer.local");
        let message = Message::read(response.octets()).unwrap();
        assert_eq!(message.id(), 0x1234);
        let questions: Vec<_> = message.questions().collect();
        assert_eq!(questions.len(), 1);
        assert_eq!(questions[0].name, Name::from_text(b"printer.local").unwrap());
        assert_eq!(questions[0].kind, RecordType::A);
        assert!(Message::read(&[0; 11]).is_err());
    }

    #[test]
    fn a_question_that_does_not_parse_asks_about_no_name() {
        let name = Name::from_text(b"printer.local").unwrap();
        let question = Response::new(0).question("printer.local");
        assert!(Message::read(Response::new(0).octets()).unwrap().asks_only_about(&name));
        assert!(Message::read(question.octets()).unwrap().asks_only_about(&name));
        let other = question.clone().question("scanner.local");
        assert!(!Message::read(other.octets()).unwrap().asks_only_about(&name));
        let broken = Response::new(0).broken_question().question("scanner.local").address("printer.local", "10.0.0.9");
        let broken = Message::read(broken.octets()).unwrap();
        assert_eq!((broken.questions().count(), broken.records().count()), (0, 1));
        assert!(!broken.asks_only_about(&name));
        // One that is claimed and not there.
        let mut missing = question.octets().to_vec();
        missing[5] = 2;
        assert!(!Message::read(&missing).unwrap().asks_only_about(&name));
    }

    #[test]
    fn only_responses_to_standard_queries_without_error_are_valid() {
        for (flags, valid) in [
            (0x8400u16, true),
            (0x8000, true),
            (0x8600, true),  // TC
            (0x85b0, true),  // RD, RA, AD, CD
            (0x0000, false), // a query
            (0x8401, false), // rcode 1
            (0x8403, false), // NXDOMAIN
            (0x8c00, false), // opcode 1
            (0xac00, false), // opcode 5, update
        ] {
            let response = Response::new(0).flags(flags);
            assert_eq!(Message::read(response.octets()).unwrap().is_valid_response(), valid, "{flags:#06x}");
        }
    }

    #[test]
    fn addresses_need_their_exact_length() {
        for length in [0, 3, 4, 5, 15, 16, 17] {
            let data = vec![1; length];
            assert_eq!(only_record(RecordType::A, &data).is_some(), length == 4, "A of {length} octets");
            assert_eq!(only_record(RecordType::AAAA, &data).is_some(), length == 16, "AAAA of {length} octets");
        }
    }

    #[test]
    fn names_in_data_end_where_the_data_end() {
        let target = wire("desk.local");
        assert!(matches!(only_record(RecordType::PTR, &target), Some(Data::Ptr(_))));
        // The compressed form, back to the owner.
        assert!(matches!(only_record(RecordType::CNAME, b"\x03www\xc0\x0c"), Some(Data::Cname(_))));
        assert!(only_record(RecordType::PTR, &[target.as_slice(), b"x"].concat()).is_none());
        assert!(only_record(RecordType::PTR, &target[..target.len() - 1]).is_none());
    }

    #[test]
    fn nsec_bitmaps() {
        for (what, data, expected) in [
            ("A and AAAA", &b"\xc0\x0c\x00\x04\x40\x00\x00\x08"[..], Some((true, true))),
            ("A, next name compressed", b"\xc0\x0c\x00\x01\x40", Some((true, false))),
            ("AAAA", b"\xc0\x0c\x00\x04\x00\x00\x00\x08", Some((false, true))),
            ("an empty bitmap", b"\xc0\x0c\x00\x00", Some((false, false))),
            ("window 1", b"\xc0\x0c\x01\x01\x40", Some((false, false))),
            ("a second block", b"\xc0\x0c\x00\x01\x40\x01\x01\x40", None),
            ("a bitmap past the end", b"\xc0\x0c\x00\x04\x40", None),
        ] {
            let nsec = match only_record(RecordType::NSEC, data) {
                Some(Data::Nsec(nsec)) => Some((nsec.has_a, nsec.has_aaaa)),
                _ => None,
            };
            assert_eq!(nsec, expected, "{what}");
        }
    }

    #[test]
    fn a_record_that_does_not_parse_is_passed_over() {
        let owner = wire("printer.local");
        let response = Response::new(0)
            .record(b"\xc0\xff", RecordType::A, 1, 120, &[10, 0, 0, 1]) // the owner points forwards
            .record(&owner, RecordType::A, 1, 120, &[10, 0, 0])
            .record(&owner, RecordType(99), 1, 120, &[1, 2, 3])
            .record(&owner, RecordType::A, 0x8001, 120, &[10, 0, 0, 2]);
        let records: Vec<_> = Message::read(response.octets()).unwrap().records().collect();
        assert_eq!(records.len(), 4);
        assert!(records[0].owner().is_none());
        assert!(records[1].data().is_none() && records[2].data().is_none());
        assert!(matches!(records[3].data(), Some(Data::A(address)) if address == Ipv4Addr::new(10, 0, 0, 2)));
        assert!(records[3].is_internet());
    }

    #[test]
    fn counts_are_bounded_by_the_octets_there_are() {
        let response = Response::new(0).record(&wire("printer.local"), RecordType::A, 3, 120, &[10, 0, 0, 1]);
        let mut message = response.octets().to_vec();
        message[6..12].fill(0xff);
        let records: Vec<_> = Message::read(&message).unwrap().records().collect();
        assert_eq!(records.len(), 1);
        assert!(!records[0].is_internet());
    }

    #[test]
    fn records_behind_a_broken_question_are_not_guessed_at() {
        let response = Response::new(0).address("printer.local", "10.0.0.1");
        let mut message = response.octets().to_vec();
        message[5] = 2;
        assert_eq!(Message::read(&message).unwrap().records().count(), 0);
    }
}
