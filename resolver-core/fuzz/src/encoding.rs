//! Target `encode`: an arbitrary answer and an arbitrary buffer, encoded in each of glibc's forms by the module's
//! encoder. The result is read back as a C program would. Every pointer must lead into the buffer, and nothing may be
//! written outside it.

use std::ffi::c_char;
use std::net::IpAddr;
use std::ptr;
use std::time::Instant;

use libc::hostent;
use resolver_core::wire::Name;
use resolver_core::{Address, Answer, Families, Family, Unknown};

use crate::abi::GaihAddrTuple;
use crate::buffer::Buffer;
use crate::encode;
use crate::input::Input;
use crate::result_codes::Failure;
use crate::script;

/// The maximum size of the buffer, in octets.
const MAX_BUFFER: usize = 4096;

/// The minimum distance of the buffer from both ends of the arena, in octets.
const MARGIN: usize = 64;

/// The most octets that alignment may take.
const MAX_PADDING: usize = 15;

/// Encodes the answer in `data` in each of glibc's forms.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (length, placement) = (usize::from(input.u16()) % (MAX_BUFFER + 1), input.u8());
    let has_first_tuple = input.u8() & 1 != 0;
    let Some((name, answer)) = names_and_addresses(&mut input) else { return };
    let mut memory = Memory::new(length, placement);
    for families in [Families::BOTH, Families::only(Family::V4), Families::only(Family::V6)] {
        // The module encodes only answers that have an address of these families.
        if families.iter().any(|family| answer.has(family)) {
            check_tuples(&name, &answer, families, has_first_tuple, &mut memory);
        }
    }
    for family in Family::ALL {
        let result = encode::host_entry(&name, &answer, family, memory.buffer());
        let alias = (name != answer.canonical).then_some(&name);
        check_entry(result, shown(&name, &answer), alias, family, &for_entry(&answer, family), &memory);
    }
    if let Some(&Address { ip, .. }) = answer.addresses.first() {
        let result = encode::host_entry_of_address(&name, ip, memory.buffer());
        check_entry(result, &name, None, Family::of(ip), &[ip], &memory);
    }
}

/// The canonical name as it must be returned: as the caller has written it, if that is the name asked for.
fn shown<'a>(name: &'a Name, answer: &'a Answer) -> &'a Name {
    if *name == answer.canonical { name } else { &answer.canonical }
}

/// The name that was asked for, and the answer.
fn names_and_addresses(input: &mut Input<'_>) -> Option<(Name, Answer)> {
    let (count, repeat, same) = (input.u8() % 64, input.u8(), input.u8() > 127);
    let name_asked_for = name(input)?;
    let canonical = if same { name_asked_for.clone() } else { name(input)? };
    let mut addresses: Vec<_> =
        (0..count).map(|_| Address { ip: script::address(input), interface: input.u8().into() }).collect();
    // Up to about five hundred.
    for _ in 0..repeat % 4 {
        addresses.extend_from_within(..);
    }
    let expires = Instant::now();
    let (absent, unknown) = (Families::NONE, Unknown { families: Families::NONE, asked_alone: false, expires });
    Some((name_asked_for, Answer { canonical, addresses, absent, unknown, expires }))
}

fn name(input: &mut Input<'_>) -> Option<Name> {
    let length = input.u8();
    if length == 0 {
        return Name::from_text(b"printer.local").ok();
    }
    Name::from_text(input.take(length.into())).ok()
}

/// The size of the arena, in elements, and its initial content.
const ARENA: usize = (MAX_BUFFER + 3 * MARGIN) / 16;
static BLANK: [u128; ARENA] = [0xa5a4_a3a2_a1a0_9f9e_9d9c_9b9a_9998_9796; ARENA];

/// A caller's buffer inside an arena with known content.
struct Memory {
    arena: Vec<u128>,
    /// The offset of the buffer in the arena. None for a null pointer.
    at: Option<usize>,
    length: usize,
}

impl Memory {
    fn new(length: usize, placement: u8) -> Self {
        let at = (placement != 255).then(|| MARGIN + usize::from(placement % 16));
        Self { arena: BLANK.to_vec(), at, length }
    }

    fn start(&mut self) -> *mut c_char {
        self.at.map_or(ptr::null_mut(), |at| self.arena.as_mut_ptr().cast::<c_char>().wrapping_add(at))
    }

    /// The buffer. The arena has its initial content again.
    fn buffer(&mut self) -> Buffer<'static> {
        self.arena.copy_from_slice(&BLANK);
        let (start, length) = (self.start(), self.length);
        // SAFETY: `start` is null, or the arena has this many octets from there. It outlives the encoder.
        unsafe { Buffer::new(start, length) }
    }

    /// Checks that nothing was written outside the buffer or, if the encoder failed, anywhere.
    fn check_untouched(&self, failed: bool) {
        let start = self.at.unwrap_or(0);
        let end = if failed || self.at.is_none() { start } else { start + self.length };
        let (octets, blank) = (octets_of(&self.arena), octets_of(&BLANK));
        assert!(
            octets[..start] == blank[..start] && octets[end..] == blank[end..],
            "written outside the buffer, or in spite of a failure"
        );
    }

    /// The value that `pointer` leads to. Checks that it is aligned and inside the buffer.
    fn get<T: Copy>(&self, pointer: *const T) -> T {
        let offset = (pointer as usize).wrapping_sub(self.arena.as_ptr() as usize);
        let start = self.at.expect("the buffer is not null");
        assert!(
            offset >= start && offset + size_of::<T>() <= start + self.length,
            "a pointer leads outside the buffer"
        );
        assert!(pointer.is_aligned());
        // SAFETY: it is aligned and inside the arena, and any octets are valid for the types that are read.
        unsafe { pointer.read() }
    }

    /// The C string at `pointer`.
    fn text(&self, pointer: *const c_char) -> Vec<u8> {
        let octets = (0..).map(|at| u8::from_ne_bytes(self.get(pointer.wrapping_add(at)).to_ne_bytes()));
        octets.take_while(|&octet| octet != 0).collect()
    }

    /// The pointers in the list at `pointer`, without the null pointer at its end.
    fn list(&self, pointer: *const *mut c_char) -> Vec<*mut c_char> {
        (0..).map(|at| self.get(pointer.wrapping_add(at))).take_while(|item| !item.is_null()).collect()
    }

    /// Checks that the encoder failed because the buffer is too small, and for no other reason.
    fn check_failure(&self, failure: Failure, needed: usize) {
        assert_eq!(failure, Failure::ShortBuffer);
        assert!(
            self.at.is_none() || self.length < needed + MAX_PADDING,
            "{} octets are enough for {needed}",
            self.length
        );
        self.check_untouched(true);
    }
}

fn octets_of(memory: &[u128]) -> &[u8] {
    // SAFETY: these are the octets of the slice, all initialised.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), size_of_val(memory)) }
}

fn check_tuples(name: &Name, answer: &Answer, families: Families, has_first_tuple: bool, memory: &mut Memory) {
    let unwritten = GaihAddrTuple {
        next: ptr::dangling_mut(),
        name: ptr::dangling_mut(),
        family: -1,
        addr: [0x5555; 4],
        scopeid: 0x5555,
    };
    let mut first_tuple = unwritten;
    let first = if has_first_tuple { &raw mut first_tuple } else { ptr::null_mut() };
    // SAFETY: `first` is null or leads to `first_tuple`.
    let result = unsafe { encode::addr_tuples(name, answer, families, first, memory.buffer()) };
    let wanted: Vec<_> = answer.addresses.iter().filter(|address| families.contains(Family::of(address.ip))).collect();
    let text = text(shown(name, answer));
    let needed = (wanted.len() - usize::from(has_first_tuple)) * size_of::<GaihAddrTuple>() + text.len() + 1;
    let mut at = match result {
        Ok(head) => head,
        Err(failure) => {
            assert_eq!(format!("{first_tuple:?}"), format!("{unwritten:?}"), "the caller's tuple was changed");
            return memory.check_failure(failure, needed);
        }
    };
    assert!(memory.length >= needed);
    memory.check_untouched(false);
    for (index, address) in wanted.iter().enumerate() {
        let is_first_tuple = has_first_tuple && index == 0;
        assert_eq!(is_first_tuple, at == &raw mut first_tuple);
        let tuple = if is_first_tuple { first_tuple } else { memory.get(at) };
        assert_eq!(memory.text(tuple.name), text);
        assert_eq!(tuple.family, family_number(Family::of(address.ip)));
        assert!(octets(tuple.addr).starts_with(&wire(address.ip)));
        let needs_scope = address.ip.is_ipv6() && script::is_link_local(address.ip);
        assert_eq!(tuple.scopeid, if needs_scope { address.interface } else { 0 });
        at = tuple.next;
    }
    assert!(at.is_null(), "the list has more tuples than addresses");
}

fn check_entry(
    result: Result<hostent, Failure>,
    name: &Name,
    alias: Option<&Name>,
    family: Family,
    addresses: &[IpAddr],
    memory: &Memory,
) {
    let size = if family == Family::V4 { 4 } else { 16 };
    let pointers = usize::from(alias.is_some()) + 1 + addresses.len() + 1;
    let texts = text(name).len() + 1 + alias.map_or(0, |alias| text(alias).len() + 1);
    let needed = pointers * size_of::<usize>() + addresses.len() * size + texts;
    match result {
        Err(failure) => memory.check_failure(failure, needed),
        Ok(entry) => {
            assert!(memory.length >= needed);
            memory.check_untouched(false);
            assert_eq!((entry.h_addrtype, usize::try_from(entry.h_length)), (family_number(family), Ok(size)));
            assert_eq!(memory.text(entry.h_name), text(name));
            let aliases = memory.list(entry.h_aliases).into_iter().map(|alias| memory.text(alias));
            assert!(aliases.eq(alias.map(text)));
            let list = memory.list(entry.h_addr_list);
            assert_eq!(list.len(), addresses.len());
            for (pointer, &ip) in list.into_iter().zip(addresses) {
                let found = match family {
                    Family::V4 => memory.get::<[u8; 4]>(pointer.cast()).to_vec(),
                    Family::V6 => memory.get::<[u8; 16]>(pointer.cast()).to_vec(),
                };
                assert_eq!(found, wire(ip));
                assert!(pointer.cast::<u32>().is_aligned(), "programs read addresses as words");
            }
        }
    }
}

/// The addresses in a host entry. It cannot have scopes, so it has link-local IPv6 addresses only if there are no
/// others.
fn for_entry(answer: &Answer, family: Family) -> Vec<IpAddr> {
    let all = || answer.addresses.iter().map(|address| address.ip).filter(|&ip| Family::of(ip) == family);
    let without_scope: Vec<_> = all().filter(|&ip| ip.is_ipv4() || !script::is_link_local(ip)).collect();
    if without_scope.is_empty() { all().collect() } else { without_scope }
}

fn family_number(family: Family) -> i32 {
    if family == Family::V4 { libc::AF_INET } else { libc::AF_INET6 }
}

fn wire(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn octets(words: [u32; 4]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn text(name: &Name) -> Vec<u8> {
    let mut text = Vec::new();
    name.write_text(|piece| text.extend_from_slice(piece));
    text
}
