//! Messages for tests, written field by field.

use std::net::IpAddr;

use super::{CLASS_IN, CLASS_TOP_BIT, Name, RecordType};

/// A response under construction: QR and AA set, no error.
#[derive(Clone)]
pub(crate) struct Response {
    octets: Vec<u8>,
}

impl Response {
    /// A response with this id and nothing in it.
    pub(crate) fn new(id: u16) -> Self {
        let mut octets = vec![0; 12];
        octets[..2].copy_from_slice(&id.to_be_bytes());
        Self { octets }.flags(0x8400)
    }

    /// Sets the flags.
    pub(crate) fn flags(mut self, flags: u16) -> Self {
        self.octets[2..4].copy_from_slice(&flags.to_be_bytes());
        self
    }

    /// Echoes a question of type A.
    pub(crate) fn question(mut self, name: &str) -> Self {
        self.count(4);
        self.octets.extend_from_slice(wire(name).as_slice());
        self.octets.extend_from_slice(&[0, 1, 0, 1]);
        self
    }

    /// Echoes a question whose name is a pointer past the end.
    pub(crate) fn broken_question(mut self) -> Self {
        self.count(4);
        self.octets.extend_from_slice(&[0xff, 0xff, 0, 1, 0, 1]);
        self
    }

    /// Adds an answer of any form: the owner in wire form.
    pub(crate) fn record(mut self, owner: &[u8], rtype: RecordType, class: u16, ttl: u32, data: &[u8]) -> Self {
        self.count(6);
        self.octets.extend_from_slice(owner);
        self.octets.extend_from_slice(&rtype.0.to_be_bytes());
        self.octets.extend_from_slice(&class.to_be_bytes());
        self.octets.extend_from_slice(&ttl.to_be_bytes());
        self.octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        self.octets.extend_from_slice(data);
        self
    }

    /// Adds an address of `owner`, with the cache-flush bit and a TTL of 120 s.
    pub(crate) fn address(self, owner: &str, ip: &str) -> Self {
        let class = CLASS_IN | CLASS_TOP_BIT;
        match ip.parse().unwrap() {
            IpAddr::V4(ip) => self.record(&wire(owner), RecordType::A, class, 120, &ip.octets()),
            IpAddr::V6(ip) => self.record(&wire(owner), RecordType::AAAA, class, 120, &ip.octets()),
        }
    }

    /// Adds a record whose data are a name.
    pub(crate) fn name(self, owner: &str, rtype: RecordType, target: &str) -> Self {
        self.record(&wire(owner), rtype, CLASS_IN, 120, &wire(target))
    }

    /// Adds an NSEC record of `owner` with these types.
    pub(crate) fn nsec(self, owner: &str, types: &[RecordType]) -> Self {
        let mut bitmap = [0u8; 4];
        for rtype in types {
            bitmap[usize::from(rtype.0 / 8)] |= 0x80 >> (rtype.0 % 8);
        }
        let data = [wire(owner).as_slice(), &[0, 4], &bitmap].concat();
        self.record(&wire(owner), RecordType::NSEC, CLASS_IN, 120, &data)
    }

    /// The message.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Counts one up in the header field at `at`.
    fn count(&mut self, at: usize) {
        let count = u16::from_be_bytes([self.octets[at], self.octets[at + 1]]) + 1;
        self.octets[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }
}

/// The wire form of a name.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    Name::from_text(name.as_bytes()).unwrap().as_wire().to_vec()
}
