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

use std::net::IpAddr;

use super::name::Name;
use super::reader::{Reader, WireError};
use super::{CLASS_IN, CLASS_TOP_BIT, RecordType};

/// A message whose header has been parsed. Its questions and records are parsed on demand.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    id: u16,
    flags: u16,
    question_count: u16,
    record_count: u32,
    body: Reader<'a>,
}

impl<'a> Message<'a> {
    /// Parses the header.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if `octets` has fewer than 12 octets.
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

    /// True for a response (QR set) to a standard query (opcode 0) without an error (rcode 0). Other messages must be
    /// ignored (RFC 6762, sections 18.3 and 18.11). The AA and TC bits may have either value (sections 18.4 and 18.5).
    pub fn is_valid_response(&self) -> bool {
        const QR: u16 = 0x8000;
        const OPCODE: u16 = 0x7800;
        const RCODE: u16 = 0x000f;
        self.flags & (QR | OPCODE | RCODE) == QR
    }

    /// True for a query (QR clear).
    pub fn is_query(&self) -> bool {
        self.flags & 0x8000 == 0
    }

    /// True if the opcode is not 0: it is not about a standard query.
    pub fn has_opcode(&self) -> bool {
        self.flags & 0x7800 != 0
    }

    /// The questions, up to the first that does not parse.
    pub fn questions(&self) -> impl Iterator<Item = Question> + use<'a> {
        let mut reader = self.body;
        (0..self.question_count).map_while(move |_| Question::read(&mut reader).ok())
    }

    /// True if every question that the header counts is present and asks about `name`. Also true if there are none.
    pub fn asks_only_about(&self, name: &Name) -> bool {
        let mut reader = self.body;
        (0..self.question_count).all(|_| name.is_at(reader) && skip_question(&mut reader).is_ok())
    }

    /// True if it is neither marked as truncated (TC set) nor cut off: every record that its header counts can be read.
    pub fn is_complete(&self) -> bool {
        const TC: u16 = 0x0200;
        self.flags & TC == 0 && u32::try_from(self.records().count()) == Ok(self.record_count)
    }

    /// The records of all three sections, up to the first whose end cannot be found. None at all if the end of the
    /// questions cannot be found.
    ///
    /// The size of the message bounds their number, whatever the header claims: a record takes at least eleven octets.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut reader = self.body;
        let has_all_questions = (0..self.question_count).all(|_| skip_question(&mut reader).is_ok());
        let count = if has_all_questions { self.record_count } else { 0 };
        (0..count).map_while(move |_| Record::read(&mut reader).ok())
    }
}

/// A question. Some responders echo it in a response (RFC 6762, section 6.7).
#[derive(Clone, Debug)]
pub struct Question {
    /// The name that it asks about.
    pub name: Name,
    /// The record type that it asks for.
    pub rtype: RecordType,
}

impl Question {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let name = Name::read(reader)?;
        let rtype = RecordType(reader.u16()?);
        reader.u16()?;
        Ok(Self { name, rtype })
    }
}

fn skip_question(reader: &mut Reader<'_>) -> Result<(), WireError> {
    Name::skip(reader)?;
    reader.octets(4).map(|_| ())
}

/// A resource record. Its owner name and its data are parsed on demand.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The record's type.
    pub rtype: RecordType,
    /// The time to live, in seconds. 0 withdraws the record (a goodbye packet; RFC 6762, section 10.1).
    pub ttl: u32,
    class: u16,
    owner: Reader<'a>,
    data: Reader<'a>,
}

/// The contents of an NSEC record, as far as a lookup uses them (RFC 6762, section 6.1).
#[derive(Clone, Copy, Debug)]
pub struct Nsec<'a> {
    /// The bitmap lists A: the name has an IPv4 address.
    pub has_a: bool,
    /// The bitmap lists AAAA: the name has an IPv6 address.
    pub has_aaaa: bool,
    next: Reader<'a>,
}

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let owner = *reader;
        Name::skip(reader)?;
        let (rtype, class, ttl) = (RecordType(reader.u16()?), reader.u16()?, reader.u32()?);
        let length = reader.u16()?;
        let data = reader.sub(usize::from(length))?;
        Ok(Self { rtype, ttl, class, owner, data })
    }

    /// True if the class is IN. The cache-flush bit is not part of the class (RFC 6762, section 10.2).
    pub fn is_internet(&self) -> bool {
        self.class & !CLASS_TOP_BIT == CLASS_IN
    }

    /// The owner name, or None if it does not parse.
    pub fn owner(&self) -> Option<Name> {
        Name::read(&mut { self.owner }).ok()
    }

    /// True if the owner name parses and equals `name`.
    pub fn is_of(&self, name: &Name) -> bool {
        name.is_at(self.owner)
    }

    /// The address in an A or AAAA record. None for other types, and if the data do not have the length of an address.
    pub fn address(&self) -> Option<IpAddr> {
        let mut data = self.data;
        let ip = match self.rtype {
            RecordType::A => IpAddr::from(data.array::<4>().ok()?),
            RecordType::AAAA => IpAddr::from(data.array::<16>().ok()?),
            _ => return None,
        };
        data.is_empty().then_some(ip)
    }

    /// Reads the name that a CNAME or PTR record points to into `target`. False for other types, and if the data are
    /// not exactly one name; `target` is then some valid name.
    pub fn read_target(&self, target: &mut Name) -> bool {
        let mut data = self.data;
        matches!(self.rtype, RecordType::CNAME | RecordType::PTR)
            && target.overwrite_from(&mut data).is_ok()
            && data.is_empty()
    }

    /// The contents of an NSEC record in the restricted form of RFC 6762, section 6.1: the next domain name and one
    /// bitmap block. None for other types, and if the data do not have this form. A and AAAA are in block 0, so another
    /// block lists neither.
    pub fn nsec(&self) -> Option<Nsec<'a>> {
        if self.rtype != RecordType::NSEC {
            return None;
        }
        let (next, mut data) = (self.data, self.data);
        Name::skip(&mut data).ok()?;
        let block = data.u8().ok()?;
        let length = data.u8().ok()?;
        let bitmap = data.octets(usize::from(length)).ok()?;
        let has = |rtype: RecordType| {
            let octet = bitmap.get(usize::from(rtype.0 / 8)).copied().unwrap_or(0);
            block == 0 && octet & (0x80 >> (rtype.0 % 8)) != 0
        };
        let nsec = Nsec { has_a: has(RecordType::A), has_aaaa: has(RecordType::AAAA), next };
        data.is_empty().then_some(nsec)
    }
}

impl Nsec<'_> {
    /// True if the next domain name parses and equals `name`. In multicast DNS it is the record's own owner name (RFC
    /// 6762, section 6.1).
    pub fn leads_to(&self, name: &Name) -> bool {
        name.is_at(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use test_packet::{Packet, types, wire};

    /// Encodes a message with one record of `printer.local`, parses it, and returns what `read` returns for the record.
    fn only_record<T>(rtype: RecordType, data: &[u8], read: impl FnOnce(Record<'_>) -> T) -> T {
        let response = Packet::new(0).record_with("printer.local", rtype.0, 1, 120, data);
        let found = Message::read(response.octets()).unwrap().records().next().unwrap();
        let owner = Name::from_text(b"printer.local").unwrap();
        assert!(found.owner().as_ref() == Some(&owner) && found.is_of(&owner));
        read(found)
    }

    fn target(rtype: RecordType, data: &[u8]) -> Option<Name> {
        let mut target = Name::root();
        only_record(rtype, data, |record| record.read_target(&mut target)).then_some(target)
    }

    #[test]
    fn header_and_question_are_read() {
        let response = Packet::new(0x1234).question("printer.local", types::A);
        let message = Message::read(response.octets()).unwrap();
        assert_eq!(message.id(), 0x1234);
        let questions: Vec<_> = message.questions().collect();
        assert_eq!(questions.len(), 1);
        assert_eq!(questions[0].name, Name::from_text(b"printer.local").unwrap());
        assert_eq!(questions[0].rtype, RecordType::A);
        assert!(Message::read(&[0; 11]).is_err());
    }

    #[test]
    fn a_message_with_a_malformed_question_is_not_about_any_name() {
        let name = Name::from_text(b"printer.local").unwrap();
        let question = Packet::new(0).question("printer.local", types::A);
        assert!(Message::read(Packet::new(0).octets()).unwrap().asks_only_about(&name));
        assert!(Message::read(question.octets()).unwrap().asks_only_about(&name));
        let other = question.clone().question("scanner.local", types::A);
        assert!(!Message::read(other.octets()).unwrap().asks_only_about(&name));
        let broken =
            Packet::new(0).broken_question().question("scanner.local", types::A).address("printer.local", "10.0.0.9");
        let broken = Message::read(broken.octets()).unwrap();
        assert_eq!((broken.questions().count(), broken.records().count()), (0, 1));
        assert!(!broken.asks_only_about(&name));
        // The header counts a question that is missing.
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
            let response = Packet::new(0).flags(flags);
            assert_eq!(Message::read(response.octets()).unwrap().is_valid_response(), valid, "{flags:#06x}");
        }
    }

    #[test]
    fn addresses_need_their_exact_length() {
        for length in [0, 3, 4, 5, 15, 16, 17] {
            let data = vec![1; length];
            let is_address = |rtype| only_record(rtype, &data, |record| record.address()).is_some();
            assert_eq!(is_address(RecordType::A), length == 4, "A of {length} octets");
            assert_eq!(is_address(RecordType::AAAA), length == 16, "AAAA of {length} octets");
            assert!(!is_address(RecordType::PTR));
        }
    }

    #[test]
    fn a_target_must_fill_the_data_exactly() {
        let desk = wire("desk.local");
        assert_eq!(target(RecordType::PTR, &desk), Name::from_text(b"desk.local").ok());
        // Compressed: the pointer leads to the owner name.
        assert_eq!(target(RecordType::CNAME, b"\x03www\xc0\x0c"), Name::from_text(b"www.printer.local").ok());
        assert!(target(RecordType::PTR, &[desk.as_slice(), b"x"].concat()).is_none());
        assert!(target(RecordType::PTR, &desk[..desk.len() - 1]).is_none());
        assert!(target(RecordType::A, &desk).is_none());
    }

    #[test]
    fn an_nsec_record_lists_the_types_in_its_bitmap() {
        for (what, data, expected) in [
            ("A and AAAA", &b"\xc0\x0c\x00\x04\x40\x00\x00\x08"[..], Some((true, true))),
            ("A, next name compressed", b"\xc0\x0c\x00\x01\x40", Some((true, false))),
            ("AAAA", b"\xc0\x0c\x00\x04\x00\x00\x00\x08", Some((false, true))),
            ("an empty bitmap", b"\xc0\x0c\x00\x00", Some((false, false))),
            ("block 1", b"\xc0\x0c\x01\x01\x40", Some((false, false))),
            ("a second block", b"\xc0\x0c\x00\x01\x40\x01\x01\x40", None),
            ("a bitmap past the end", b"\xc0\x0c\x00\x04\x40", None),
        ] {
            let owner = Name::from_text(b"printer.local").unwrap();
            let nsec = only_record(RecordType::NSEC, data, |record| {
                record.nsec().map(|nsec| (nsec.has_a, nsec.has_aaaa, nsec.leads_to(&owner)))
            });
            assert_eq!(nsec, expected.map(|(has_a, has_aaaa)| (has_a, has_aaaa, true)), "{what}");
        }
        assert!(only_record(RecordType(99), b"\xc0\x0c\x00\x01\x40", |record| record.nsec().is_none()));
    }

    #[test]
    fn malformed_records_do_not_hide_the_others() {
        let owner = wire("printer.local");
        let response = Packet::new(0)
            .record_with(b"\xc0\xff", types::A, 1, 120, &[10, 0, 0, 1]) // the owner name is a forward pointer
            .record_with(&owner, types::A, 1, 120, &[10, 0, 0])
            .record_with(&owner, 99, 1, 120, &[1, 2, 3])
            .record_with(&owner, types::A, 0x8001, 120, &[10, 0, 0, 2]);
        let records: Vec<_> = Message::read(response.octets()).unwrap().records().collect();
        assert_eq!(records.len(), 4);
        assert!(records[0].owner().is_none());
        assert!(records[1].address().is_none() && records[2].address().is_none());
        assert_eq!(records[3].address(), Some(IpAddr::from([10, 0, 0, 2])));
        assert!(records[3].is_internet());
    }

    #[test]
    fn the_size_of_the_message_bounds_the_number_of_records() {
        let response = Packet::new(0).record_with(&wire("printer.local"), types::A, 3, 120, &[10, 0, 0, 1]);
        let mut message = response.octets().to_vec();
        message[6..12].fill(0xff);
        let records: Vec<_> = Message::read(&message).unwrap().records().collect();
        assert_eq!(records.len(), 1);
        assert!(!records[0].is_internet());
    }

    #[test]
    fn records_after_a_missing_question_are_not_read() {
        let response = Packet::new(0).address("printer.local", "10.0.0.1");
        let mut message = response.octets().to_vec();
        message[5] = 2;
        assert_eq!(Message::read(&message).unwrap().records().count(), 0);
    }
}
