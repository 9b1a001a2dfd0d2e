//! A cursor over a received message: the only code that computes offsets into it.

/// Why a part of a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The message, or the data of the record, ends before the field does.
    Truncated,
    /// The top two bits of a label's length octet have a reserved value (RFC 1035, section 4.1.4).
    ReservedLabel,
    /// A compression pointer does not point backwards, or one name uses too many of them.
    BadPointer,
    /// A name of more than 255 octets (RFC 1035, section 3.1).
    NameTooLong,
}

/// A cursor over a message, or over a part of it such as the data of one record.
///
/// A reader of a part keeps the whole message: names in that part may point back into it (RFC 1035, section 4.1.4).
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first octet of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0, end: message.len() }
    }

    /// The offset of the next octet from the start of the message.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// True if no octets are left.
    pub fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// The next `count` octets.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left.
    pub fn octets(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.end).ok_or(WireError::Truncated)?;
        let octets = self.message.get(self.at..end).ok_or(WireError::Truncated)?;
        self.at = end;
        Ok(octets)
    }

    /// The next `N` octets as an array.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.octets(N)?.try_into().map_err(|_| WireError::Truncated)
    }

    /// The next octet.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if none is left.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next two octets, in network order.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four octets, in network order.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A reader over the next `count` octets. This reader skips them.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if fewer are left.
    pub fn sub(&mut self, count: usize) -> Result<Self, WireError> {
        let start = self.at;
        self.octets(count)?;
        Ok(Self { message: self.message, at: start, end: self.at })
    }

    /// Follows a compression pointer: a reader from offset `target` up to `run_start`, the offset of the first label in
    /// the run of labels that the pointer ends.
    ///
    /// # Errors
    /// [`WireError::BadPointer`] unless `target` is less than `run_start`, and the run starts inside the message. Each
    /// pointer of a name therefore leads further back than the one before.
    pub fn follow_pointer(&self, target: usize, run_start: usize) -> Result<Self, WireError> {
        if target >= run_start || run_start > self.message.len() {
            return Err(WireError::BadPointer);
        }
        Ok(Self { message: self.message, at: target, end: run_start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_network_order_and_stops_at_the_end() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x0405_0607));
        assert!(reader.is_empty());
        assert_eq!(reader.u8(), Err(WireError::Truncated));
    }

    #[test]
    fn a_failed_read_leaves_the_reader_where_it_was() {
        let mut reader = Reader::new(&[1, 2]);
        assert_eq!(reader.u32(), Err(WireError::Truncated));
        assert_eq!(reader.octets(usize::MAX), Err(WireError::Truncated));
        assert_eq!(reader.u16(), Ok(0x0102));
    }

    #[test]
    fn a_sub_reader_ends_where_its_part_ends() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let mut sub = reader.sub(2).unwrap();
        assert_eq!(sub.u16(), Ok(0x0102));
        assert_eq!(sub.u8(), Err(WireError::Truncated));
        assert_eq!(reader.u8(), Ok(3));
        assert!(reader.sub(1).is_err());
    }

    #[test]
    fn pointers_are_followed_only_backwards() {
        let reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.follow_pointer(0, 2).unwrap().u16(), Ok(0x0102));
        assert_eq!(reader.follow_pointer(2, 2).err(), Some(WireError::BadPointer));
        assert_eq!(reader.follow_pointer(0, 4).err(), Some(WireError::BadPointer));
    }
}
