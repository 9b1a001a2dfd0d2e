//! The one-shot query (RFC 6762, section 5.1): a header and one question.
//!
//! It has nothing else, because some responders answer only packets with one question, and others fail on an EDNS
//! record.

use super::name::{MAX_NAME, Name};
use super::{CLASS_IN, CLASS_TOP_BIT, RecordType};

/// The maximum size of a query, in octets: header, name, type and class.
pub const MAX_QUERY: usize = 12 + MAX_NAME + 4;

/// A query with one question.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The message id. A unicast response repeats it (RFC 6762, section 18.1).
    pub id: u16,
    /// The name that it asks about.
    pub name: &'a Name,
    /// The record type that it asks for.
    pub rtype: RecordType,
    /// Whether it requests a unicast response (RFC 6762, section 5.4).
    pub unicast_response: bool,
}

impl Query<'_> {
    /// Writes the query to `buffer` and returns the octets written.
    pub fn encode<'b>(&self, buffer: &'b mut [u8; MAX_QUERY]) -> &'b [u8] {
        let class = if self.unicast_response { CLASS_IN | CLASS_TOP_BIT } else { CLASS_IN };
        let fields = [
            &self.id.to_be_bytes()[..],
            // Flags 0; one question; no records in any section.
            &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            self.name.as_wire(),
            &self.rtype.0.to_be_bytes(),
            &class.to_be_bytes(),
        ];
        let mut length = 0;
        for field in fields {
            if let Some(place) = buffer.get_mut(length..length + field.len()) {
                place.copy_from_slice(field);
                length += field.len();
            }
        }
        buffer.get(..length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_header_and_one_question() {
        let name = Name::from_text(b"Printer.local").unwrap();
        let query = Query { id: 0x1234, name: &name, rtype: RecordType::AAAA, unicast_response: false };
        assert_eq!(
            query.encode(&mut [0; MAX_QUERY]),
            b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07Printer\x05local\x00\x00\x1c\x00\x01"
        );
        let query = Query { unicast_response: true, ..query };
        assert!(query.encode(&mut [0; MAX_QUERY]).ends_with(b"\x00\x1c\x80\x01"));
    }

    #[test]
    fn the_longest_name_fits() {
        let text = format!("{}.{}", ["a".repeat(63).as_str(); 3].join("."), "b".repeat(61));
        let name = Name::from_text(text.as_bytes()).unwrap();
        let query = Query { id: 0, name: &name, rtype: RecordType::A, unicast_response: false };
        assert_eq!(query.encode(&mut [0; MAX_QUERY]).len(), MAX_QUERY);
    }
}
