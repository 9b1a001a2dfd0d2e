//! Reads values from the fuzzer's input. Zeros follow its end, so every input is valid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The rest of an input.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// A whole input.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// True at the end of the input, where only zeros follow.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next octet.
    pub fn u8(&mut self) -> u8 {
        let [octet] = self.array();
        octet
    }

    /// The next two octets as a number.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// The next four octets as a number.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// The next `N` octets.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// The next `count` octets, or all that are left if there are fewer.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.u8()) % items.len()]
    }

    /// An arbitrary IPv4 address.
    pub fn v4(&mut self) -> IpAddr {
        Ipv4Addr::from(self.array::<4>()).into()
    }

    /// An arbitrary IPv6 address.
    pub fn v6(&mut self) -> IpAddr {
        Ipv6Addr::from(self.array::<16>()).into()
    }
}
