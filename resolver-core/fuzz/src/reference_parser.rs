//! A second, independent parser of messages (RFC 1035, section 4.1), to compare the resolver's parser with. It need not
//! be fast.
//!
//! The rules are those that `resolver_core::wire` documents. A compression pointer leads to an offset before the run of
//! labels that it ends, and the labels there must end before that run. A name has at most 32 pointers and 255 octets.

use std::net::IpAddr;

/// A message, parsed as a whole.
#[derive(Debug)]
pub struct Message<'a> {
    pub id: u16,
    pub flags: u16,
    /// The name of each question, None if it is malformed. Fewer than the header counts if the message ends early.
    pub questions: Vec<Option<Vec<u8>>>,
    /// The number of questions in the header.
    pub question_count: usize,
    /// The records, up to the first whose end cannot be found.
    pub records: Vec<Record<'a>>,
    /// The number of records in the header, in all three sections.
    pub record_count: usize,
}

/// A record of a message.
#[derive(Debug)]
pub struct Record<'a> {
    /// In uncompressed wire form. None if it is malformed.
    pub owner: Option<Vec<u8>>,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub data: &'a [u8],
    message: &'a [u8],
    data_at: usize,
}

impl<'a> Message<'a> {
    /// None if the header is truncated.
    pub fn read(octets: &'a [u8]) -> Option<Self> {
        let count = |at| number(octets, at).map(usize::from);
        let (question_count, record_count) = (count(4)?, count(6)? + count(8)? + count(10)?);
        let mut message = Self {
            id: number(octets, 0)?,
            flags: number(octets, 2)?,
            questions: Vec::new(),
            question_count,
            records: Vec::new(),
            record_count,
        };
        let mut at = 12;
        for _ in 0..question_count {
            let Some(end) = end_of_name(octets, at).filter(|end| end + 4 <= octets.len()) else { return Some(message) };
            message.questions.push(name(octets, at, octets.len()).map(|(name, _)| name));
            at = end + 4;
        }
        for _ in 0..record_count {
            let Some((record, end)) = Record::read(octets, at) else { break };
            message.records.push(record);
            at = end;
        }
        Some(message)
    }

    /// True for a response to a standard query, without an error.
    pub fn is_response(&self) -> bool {
        let (response, opcode, error) = (self.flags >> 15, self.flags >> 11 & 15, self.flags & 15);
        (response, opcode, error) == (1, 0, 0)
    }

    /// True if the TC bit is clear and no record is missing.
    pub fn is_complete(&self) -> bool {
        self.flags >> 9 & 1 == 0 && self.records.len() == self.record_count
    }
}

impl<'a> Record<'a> {
    fn read(octets: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let fields = end_of_name(octets, at)?;
        let length = usize::from(number(octets, fields + 8)?);
        let data = octets.get(fields + 10..fields + 10 + length)?;
        let record = Self {
            owner: name(octets, at, octets.len()).map(|(name, _)| name),
            rtype: number(octets, fields)?,
            class: number(octets, fields + 2)?,
            ttl: u32::from(number(octets, fields + 4)?) << 16 | u32::from(number(octets, fields + 6)?),
            data,
            message: octets,
            data_at: fields + 10,
        };
        Some((record, fields + 10 + length))
    }

    /// The address in an A or AAAA record.
    pub fn address(&self) -> Option<IpAddr> {
        match self.rtype {
            1 => <[u8; 4]>::try_from(self.data).ok().map(IpAddr::from),
            28 => <[u8; 16]>::try_from(self.data).ok().map(IpAddr::from),
            _ => None,
        }
    }

    /// The name that a CNAME or PTR record points to.
    pub fn target(&self) -> Option<Vec<u8>> {
        let end = self.data_at + self.data.len();
        let (target, name_end) = name(self.message, self.data_at, end)?;
        (matches!(self.rtype, 5 | 12) && name_end == end).then_some(target)
    }

    /// The next domain name in an NSEC record with one block, and whether the block lists A and AAAA.
    pub fn nsec(&self) -> Option<(Vec<u8>, bool, bool)> {
        let end = self.data_at + self.data.len();
        let (next, at) = name(self.message, self.data_at, end).filter(|_| self.rtype == 47)?;
        let block = &self.message[at..end];
        if block.len() < 2 || block.len() != 2 + usize::from(block[1]) {
            return None;
        }
        let bit =
            |number: usize| block[0] == 0 && block[2..].get(number / 8).is_some_and(|&o| o << (number % 8) & 128 != 0);
        Some((next, bit(1), bit(28)))
    }
}

/// True if two names in wire form differ at most in the case of ASCII letters.
pub fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The labels of a name in wire form, without the root.
pub fn labels(wire: &[u8]) -> Vec<&[u8]> {
    let (mut labels, mut at) = (Vec::new(), 0);
    while wire[at] != 0 {
        let end = at + 1 + usize::from(wire[at]);
        labels.push(&wire[at + 1..end]);
        at = end;
    }
    labels
}

/// True if the name is under `.local`, and every label can be shown to users.
pub fn is_clean_and_local(wire: &[u8]) -> bool {
    is_target(wire) && !labels(wire).iter().any(|label| label.contains(&b' '))
}

/// True if the name is under `.local`, and every label can be shown to users or would be without its spaces.
pub fn is_target(wire: &[u8]) -> bool {
    let labels = labels(wire);
    labels.len() > 1
        && labels.last().is_some_and(|last| last.eq_ignore_ascii_case(b"local"))
        && labels.iter().all(|label| match std::str::from_utf8(label) {
            Ok(text) => !text.starts_with('-') && !text.contains(is_forbidden),
            Err(_) => false,
        })
}

/// True for characters, other than a space, that must not be shown in a host name: separators, control characters, and characters that are
/// invisible or change the direction of text.
fn is_forbidden(char: char) -> bool {
    let invisible: [(u32, u32); 7] = [
        (0xad, 0xad),
        (0x61c, 0x61c),
        (0x180e, 0x180e),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0xfeff, 0xfeff),
    ];
    char.is_control()
        || char.is_whitespace() && char != ' '
        || "\\.".contains(char)
        || invisible.iter().any(|&(first, last)| (first..=last).contains(&char.into()))
}

fn number(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from(*octets.get(at)?) << 8 | u16::from(*octets.get(at + 1)?))
}

/// The offset after the name at `at`, whose pointer is not followed.
fn end_of_name(octets: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *octets.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 => {
                at += 1 + usize::from(length);
                octets.get(at - 1)?;
            }
            64..192 => return None,
            192.. => return octets.get(at + 1).map(|_| at + 2),
        }
    }
}

/// The name at `at` in uncompressed wire form, and the offset after it. Its labels must end before `end`.
fn name(octets: &[u8], mut at: usize, mut end: usize) -> Option<(Vec<u8>, usize)> {
    let (mut wire, mut name_end, mut run, mut hops) = (Vec::new(), None, at, 0);
    loop {
        let part = octets.get(..end)?;
        match *part.get(at)? {
            length @ 0..64 => {
                let next = at + 1 + usize::from(length);
                wire.extend_from_slice(part.get(at..next)?);
                if wire.len() > 255 {
                    return None;
                }
                at = next;
                if length == 0 {
                    return Some((wire, name_end.unwrap_or(at)));
                }
            }
            64..192 => return None,
            high => {
                let target = usize::from(high & 63) * 256 + usize::from(*part.get(at + 1)?);
                name_end.get_or_insert(at + 2);
                hops += 1;
                if target >= run || hops > 32 {
                    return None;
                }
                (end, at, run) = (run, target, target);
            }
        }
    }
}
