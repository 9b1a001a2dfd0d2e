//! Messages written field by field, so that any of them can be wrong (RFC 1035, section 4.1). Nothing is checked.

use std::net::IpAddr;

use crate::wire::{IN, TOP_BIT, types};

/// Where the counts of the questions and of the answers stand.
const QUESTIONS: usize = 4;
const ANSWERS: usize = 6;

/// A message under construction: QR and AA set, no error.
#[derive(Debug, Clone)]
pub struct Packet(Vec<u8>);

impl Packet {
    /// A response with this id and nothing in it.
    pub fn new(id: u16) -> Packet {
        let mut octets = vec![0; 12];
        octets[..2].copy_from_slice(&id.to_be_bytes());
        Packet(octets).flags(0x8400)
    }

    /// Other flags.
    pub fn flags(self, flags: u16) -> Packet {
        self.word(2, flags)
    }

    /// A question, of class IN.
    pub fn question(self, name: &[u8], kind: u16) -> Packet {
        self.counted(QUESTIONS).raw(name).raw(&kind.to_be_bytes()).raw(&IN.to_be_bytes())
    }

    /// An answer, of class IN with a TTL of 120 s.
    pub fn record(self, owner: &[u8], kind: u16, data: &[u8]) -> Packet {
        self.full(owner, kind, IN | TOP_BIT, 120, data)
    }

    /// An answer with a class and a TTL of its own.
    pub fn full(self, owner: &[u8], kind: u16, class: u16, ttl: u32, data: &[u8]) -> Packet {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        self.sized(owner, kind, class, ttl, length).raw(data)
    }

    /// An answer up to its length, which is believed whatever follows.
    pub fn sized(self, owner: &[u8], kind: u16, class: u16, ttl: u32, length: u16) -> Packet {
        self.counted(ANSWERS)
            .raw(owner)
            .raw(&kind.to_be_bytes())
            .raw(&class.to_be_bytes())
            .raw(&ttl.to_be_bytes())
            .raw(&length.to_be_bytes())
    }

    /// An A or AAAA record.
    pub fn address(self, owner: &[u8], ip: impl Into<IpAddr>) -> Packet {
        self.address_with(owner, IN | TOP_BIT, 120, ip)
    }

    /// An A or AAAA record with a class and a TTL of its own.
    pub fn address_with(self, owner: &[u8], class: u16, ttl: u32, ip: impl Into<IpAddr>) -> Packet {
        match ip.into() {
            IpAddr::V4(ip) => self.full(owner, types::A, class, ttl, &ip.octets()),
            IpAddr::V6(ip) => self.full(owner, types::AAAA, class, ttl, &ip.octets()),
        }
    }

    /// An NSEC record: next name, window and the types below 48 that exist (RFC 4034, section 4.1).
    pub fn nsec(self, owner: &[u8], next: &[u8], window: u8, kinds: &[u16]) -> Packet {
        let mut bitmap = [0u8; 6];
        for kind in kinds {
            bitmap[usize::from(kind / 8)] |= 0x80 >> (kind % 8);
        }
        self.record(owner, types::NSEC, &[next, &[window, 6], &bitmap].concat())
    }

    /// More octets, whatever they are.
    pub fn raw(mut self, octets: &[u8]) -> Packet {
        self.0.extend_from_slice(octets);
        self
    }

    /// Another count of questions than there are.
    pub fn claim_questions(self, count: u16) -> Packet {
        self.word(QUESTIONS, count)
    }

    /// Another count of answers than there are.
    pub fn claim_answers(self, count: u16) -> Packet {
        self.word(ANSWERS, count)
    }

    /// Moves the answers' count to another section: 8 the authorities, 10 the additional records.
    pub fn move_answers_to(self, section: usize) -> Packet {
        let count = u16::from_be_bytes([self.0[ANSWERS], self.0[ANSWERS + 1]]);
        self.word(ANSWERS, 0).word(section, count)
    }

    /// Only the first octets.
    pub fn cut(mut self, length: usize) -> Packet {
        self.0.truncate(length);
        self
    }

    /// Without the last octets.
    pub fn shorter_by(self, count: usize) -> Packet {
        let length = self.len().saturating_sub(count);
        self.cut(length)
    }

    /// How many octets there are: the place of the next.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message.
    pub fn octets(self) -> Vec<u8> {
        self.0
    }

    fn word(mut self, at: usize, value: u16) -> Packet {
        self.0[at..at + 2].copy_from_slice(&value.to_be_bytes());
        self
    }

    fn counted(self, at: usize) -> Packet {
        let count = u16::from_be_bytes([self.0[at], self.0[at + 1]]);
        self.word(at, count.wrapping_add(1))
    }
}

/// The wire form of a name written with dots.
pub fn wire(name: &str) -> Vec<u8> {
    let labels: Vec<&[u8]> = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes).collect();
    labels_of(&labels)
}

/// The wire form of a name of these labels, whatever is in them.
pub fn labels_of(labels: &[&[u8]]) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in labels {
        octets.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        octets.extend_from_slice(label);
    }
    octets.push(0);
    octets
}

/// A compression pointer (RFC 1035, section 4.1.4).
pub fn pointer(target: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(target & 0x3fff).unwrap_or_default()).to_be_bytes()
}
