//! Encodes answers in buffers of every length, at every alignment. A buffer that is too short, even by one octet, stays
//! unchanged. One of exactly the required length suffices. No pointer points outside the buffer.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use resolver_core::{Address, Unknown};

use super::*;

const CANARY: u8 = 0xa5;

/// The size and the alignment of a pointer, in octets.
const POINTER: usize = size_of::<*mut c_char>();

/// The size of a `gaih_addrtuple`, in octets: two pointers, and six words, without padding.
const TUPLE: usize = 2 * POINTER + 6 * 4;

/// The number of octets before and after the buffer that must stay unchanged.
const MARGIN: usize = 64;

/// The numbers of addresses in the answers.
const COUNTS: [u16; 4] = [1, 2, 50, 500];

/// Memory that holds a buffer of any length at any alignment.
struct Arena {
    octets: Vec<u8>,
}

impl Arena {
    fn new(longest: usize) -> Self {
        Self { octets: vec![CANARY; longest + 2 * MARGIN + 8] }
    }

    /// The offset at which a buffer starts whose address is `alignment` modulo 8.
    fn start(&self, alignment: usize) -> usize {
        MARGIN + self.octets[MARGIN..].as_ptr().align_offset(8) + alignment
    }

    fn is_untouched(&self) -> bool {
        // Chunks are compared faster than single octets.
        let canaries = [CANARY; 256];
        self.octets.chunks(256).all(|chunk| *chunk == canaries[..chunk.len()])
    }

    /// True if only the buffer has been written to. Restores the buffer.
    fn margins_are_untouched(&mut self, start: usize, length: usize) -> bool {
        self.octets[start..start + length].fill(CANARY);
        self.is_untouched()
    }

    fn contains<T>(&self, pointer: *const T, start: usize, length: usize) -> bool {
        let first = self.octets.as_ptr().addr() + start;
        let size = size_of::<T>();
        pointer.addr() >= first && pointer.addr() + size <= first + length
    }

    /// The entries of a list that ends with a null pointer. All of it must be inside the buffer.
    fn entries(&self, list: *mut *mut c_char, start: usize, length: usize) -> Vec<*mut c_char> {
        assert!(list.is_aligned());
        let mut entries = Vec::new();
        loop {
            let position = list.wrapping_add(entries.len());
            assert!(self.contains(position, start, length));
            // SAFETY: the position has been checked.
            let entry = unsafe { *position };
            if entry.is_null() {
                return entries;
            }
            assert!(self.contains(entry, start, length));
            entries.push(entry);
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_text(text.as_bytes()).unwrap()
}

fn text_of(name: &Name) -> String {
    let mut text = Vec::new();
    name.write_text(|piece| text.extend_from_slice(piece));
    String::from_utf8(text).unwrap()
}

fn v4(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 1, high, low).into()
}

fn v6(number: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 7, number).into()
}

fn link_local(number: u16) -> IpAddr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 7, number).into()
}

fn answer(canonical: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Answer {
    let addresses = addresses.into_iter().map(|ip| Address { ip, interface: 3 }).collect();
    let now = Instant::now();
    let unknown = Unknown { families: Families::NONE, asked_alone: false, expires: now };
    Answer { canonical: name(canonical), addresses, absent: Families::NONE, unknown, expires: now }
}

/// `count` addresses: IPv4, IPv6 and IPv6 link-local in turn.
fn mixed(count: u16) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|number| [v4(number), v6(number), link_local(number)][usize::from(number % 3)])
}

/// The number of octets before the first aligned pointer, in a buffer whose address is `alignment` modulo 8.
fn padding(alignment: usize) -> usize {
    alignment.next_multiple_of(POINTER) - alignment
}

const UNTOUCHED: GaihAddrTuple = GaihAddrTuple {
    next: ptr::dangling_mut(),
    name: ptr::dangling_mut(),
    family: -7,
    addr: [0xdead_beef; 4],
    scopeid: 0xfeed,
};

fn tuples_of_every_length(canonical: &str, count: u16, with_first: bool) {
    let answer = answer(canonical, mixed(count));
    let tuples = usize::from(count) - usize::from(with_first);
    let size = |alignment| padding(alignment) + TUPLE * tuples + canonical.len() + 1;
    let mut arena = Arena::new(size(1) + 8);
    for alignment in 0..8 {
        let start = arena.start(alignment);
        for length in 0..=size(alignment) + 8 {
            let mut first = UNTOUCHED;
            let given = if with_first { &raw mut first } else { ptr::null_mut() };
            // SAFETY: the arena contains the buffer, and `first` is a local variable.
            let head = unsafe {
                let buffer = Buffer::new(arena.octets.as_mut_ptr().add(start).cast(), length);
                addr_tuples(&answer.canonical, &answer, Families::BOTH, given, buffer)
            };
            if length < size(alignment) {
                assert_eq!(head, Err(Failure::ShortBuffer), "{count} addresses, {length} octets at {alignment}");
                assert!(arena.is_untouched());
                assert_eq!((first.next, first.family, first.addr), (UNTOUCHED.next, -7, UNTOUCHED.addr));
                continue;
            }
            let head = head.unwrap();
            assert!(!with_first || head == given);
            let check = |tuple: *mut GaihAddrTuple| {
                assert!(tuple == given || (arena.contains(tuple, start, length) && tuple.is_aligned()));
            };
            check_tuples(&answer, head, check, |name| assert!(arena.contains(name, start, length)));
            assert!(arena.margins_are_untouched(start, length), "{count} addresses, {length} octets at {alignment}");
        }
    }
}

fn check_tuples(
    answer: &Answer,
    mut tuple: *mut GaihAddrTuple,
    check_tuple: impl Fn(*mut GaihAddrTuple),
    check_name: impl Fn(*mut c_char),
) {
    for address in &answer.addresses {
        assert!(!tuple.is_null());
        check_tuple(tuple);
        // SAFETY: the tuple has been checked.
        let GaihAddrTuple { next, name, family, addr, scopeid } = unsafe { *tuple };
        check_name(name);
        // SAFETY: the string starts inside the buffer and ends with a NUL. Without that, the comparison would fail on
        // the canaries behind the string, which are not NUL.
        assert_eq!(unsafe { CStr::from_ptr(name) }.to_string_lossy(), text_of(&answer.canonical));
        let octets: Vec<u8> = addr.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let expected = match address.ip {
            IpAddr::V4(ip) => (libc::AF_INET, [&ip.octets()[..], &[0; 12]].concat(), 0),
            IpAddr::V6(ip) => {
                let scope = if ip.is_unicast_link_local() { 3 } else { 0 };
                (libc::AF_INET6, ip.octets().to_vec(), scope)
            }
        };
        assert_eq!((family, octets, scopeid), expected);
        tuple = next;
    }
    assert!(tuple.is_null());
}

#[test]
fn tuples_fit_in_every_buffer_that_is_long_enough() {
    for count in COUNTS {
        tuples_of_every_length("printer.local", count, false);
    }
}

#[test]
fn the_first_tuple_is_written_to_the_callers_own() {
    for count in COUNTS {
        tuples_of_every_length("printer.local", count, true);
    }
}

#[test]
fn tuples_with_short_and_long_names_fit() {
    let label = "x".repeat(63);
    // 253 octets, the longest: 255 in wire form.
    let longest = format!("{label}.{label}.{label}.{}.local", "y".repeat(55));
    assert_eq!(longest.len(), 253);
    for canonical in ["a.local", "bücher.local", &longest] {
        tuples_of_every_length(canonical, 2, false);
        tuples_of_every_length(canonical, 2, true);
    }
}

#[test]
fn tuples_have_only_the_families_of_the_service() {
    let answer = answer("printer.local", mixed(9));
    let mut octets = [0u8; 1024];
    for (family, number, count) in [(Family::V4, libc::AF_INET, 3), (Family::V6, libc::AF_INET6, 6)] {
        // SAFETY: the buffer is a local array.
        let mut tuple = unsafe {
            let buffer = Buffer::new(octets.as_mut_ptr().cast(), octets.len());
            addr_tuples(&answer.canonical, &answer, Families::only(family), ptr::null_mut(), buffer).unwrap()
        };
        let mut seen = 0;
        while !tuple.is_null() {
            // SAFETY: the list was just written to a buffer that is still alive.
            unsafe {
                assert_eq!((*tuple).family, number);
                tuple = (*tuple).next;
            }
            seen += 1;
        }
        assert_eq!(seen, count);
    }
}

fn host_entry_of_every_length(queried: &str, answer: &Answer, family: Family, expected: &[IpAddr]) {
    let canonical = text_of(&answer.canonical);
    let alias = (!queried.eq_ignore_ascii_case(&canonical)).then_some(queried);
    let (number, length_of_address) = if family == Family::V4 { (libc::AF_INET, 4) } else { (libc::AF_INET6, 16) };
    let pointers = usize::from(alias.is_some()) + 1 + expected.len() + 1;
    let texts = canonical.len() + 1 + alias.map_or(0, |alias| alias.len() + 1);
    let size = |alignment| padding(alignment) + POINTER * pointers + length_of_address * expected.len() + texts;
    let mut arena = Arena::new(size(1) + 8);
    for alignment in 0..8 {
        let start = arena.start(alignment);
        for length in 0..=size(alignment) + 8 {
            // SAFETY: the arena contains the buffer.
            let buffer = unsafe { Buffer::new(arena.octets.as_mut_ptr().add(start).cast(), length) };
            let entry = host_entry(&name(queried), answer, family, buffer);
            if length < size(alignment) {
                assert_eq!(entry.err(), Some(Failure::ShortBuffer), "{length} octets at {alignment}");
                assert!(arena.is_untouched());
                continue;
            }
            let entry = entry.unwrap();
            assert_eq!((entry.h_addrtype, usize::try_from(entry.h_length)), (number, Ok(length_of_address)));
            assert!(arena.contains(entry.h_name, start, length));
            // SAFETY: as in check_tuples.
            assert!(unsafe { CStr::from_ptr(entry.h_name) }.to_string_lossy().eq_ignore_ascii_case(&canonical));
            // SAFETY: as in check_tuples.
            let text = |alias: &*mut c_char| unsafe { CStr::from_ptr(*alias) }.to_string_lossy().into_owned();
            assert_eq!(
                arena
                    .entries(entry.h_aliases, start, length)
                    .iter()
                    .map(text)
                    .collect::<Vec<_>>()
                    .first()
                    .map(String::as_str),
                alias
            );
            // SAFETY: each entry points to h_length octets. If one were outside the buffer, it would be an overwritten
            // canary, which is checked below.
            let octets =
                |ip: &*mut c_char| unsafe { std::slice::from_raw_parts(ip.cast::<u8>(), length_of_address) }.to_vec();
            let addresses: Vec<_> = arena.entries(entry.h_addr_list, start, length).iter().map(octets).collect();
            let wanted: Vec<_> = expected
                .iter()
                .map(|ip| match ip {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                })
                .collect();
            assert_eq!(addresses, wanted);
            assert!(arena.margins_are_untouched(start, length));
        }
    }
}

#[test]
fn host_entries_fit_in_every_buffer_that_is_long_enough() {
    for count in COUNTS {
        for (family, address) in [(Family::V4, v4 as fn(u16) -> IpAddr), (Family::V6, v6)] {
            let addresses: Vec<_> = (0..count).map(address).collect();
            let answer = answer("printer.local", addresses.clone());
            host_entry_of_every_length("Printer.LOCAL", &answer, family, &addresses);
        }
    }
}

#[test]
fn the_queried_name_of_an_alias_is_in_the_list_of_aliases() {
    for count in [1, 2, 50] {
        let addresses: Vec<_> = (0..count).map(v4).collect();
        let answer = answer("target.local", addresses.clone());
        host_entry_of_every_length("alias.local", &answer, Family::V4, &addresses);
    }
}

/// A host entry has no field for the scope id, without which a link-local address cannot be used.
#[test]
fn host_entries_omit_link_local_addresses_if_there_are_others() {
    let both = answer("printer.local", [link_local(1), v6(1), v4(1), link_local(2), v6(2)]);
    host_entry_of_every_length("printer.local", &both, Family::V6, &[v6(1), v6(2)]);
    let alone = answer("printer.local", [link_local(1), v4(1), link_local(2)]);
    host_entry_of_every_length("printer.local", &alone, Family::V6, &[link_local(1), link_local(2)]);
    host_entry_of_every_length("printer.local", &alone, Family::V4, &[v4(1)]);
}

#[test]
fn the_canonical_name_is_returned_as_the_caller_has_written_it() {
    for (queried, canonical, expected) in [
        ("PRINTER.local", "printer.local", "PRINTER.local"),
        ("printer.local", "Printer.Local", "printer.local"),
        ("alias.local", "Printer.Local", "Printer.Local"),
    ] {
        let answer = answer(canonical, [v4(1)]);
        let mut memory = [0u64; 64];
        // SAFETY: the memory outlives both buffers, which are used one after the other.
        let mut buffer = || unsafe { Buffer::new(memory.as_mut_ptr().cast(), 512) };
        let entry = host_entry(&name(queried), &answer, Family::V4, buffer()).unwrap();
        // SAFETY: the name is in the memory.
        assert_eq!(unsafe { CStr::from_ptr(entry.h_name) }.to_string_lossy(), expected);
        // SAFETY: null is allowed, and the tuple and its name are in the memory.
        let text = unsafe {
            let head = addr_tuples(&name(queried), &answer, Families::BOTH, ptr::null_mut(), buffer()).unwrap();
            CStr::from_ptr((*head).name).to_string_lossy()
        };
        assert_eq!(text, expected);
    }
}

#[test]
fn a_null_buffer_is_too_short() {
    let answer = answer("printer.local", [v4(1)]);
    // SAFETY: null is allowed.
    let buffer = || unsafe { Buffer::new(ptr::null_mut(), 4096) };
    assert_eq!(host_entry(&answer.canonical, &answer, Family::V4, buffer()).err(), Some(Failure::ShortBuffer));
    // SAFETY: null is allowed.
    let tuples = unsafe { addr_tuples(&answer.canonical, &answer, Families::BOTH, ptr::null_mut(), buffer()) };
    assert_eq!(tuples, Err(Failure::ShortBuffer));
}
