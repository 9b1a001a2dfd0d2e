//! Any answer into any buffer, in glibc's forms, through the module's own encoder: read back as a C program would, with
//! every pointer inside the buffer and nothing written past it.

use std::ffi::c_char;
use std::net::IpAddr;
use std::ptr;
use std::time::Instant;

use libc::hostent;
use resolver_core::wire::Name;
use resolver_core::{Address, Answer, Families, Family};

use crate::abi::{Failure, GaihAddrTuple};
use crate::buffer::Buffer;
use crate::encode;
use crate::input::Input;
use crate::scene;

/// The longest buffer tried, in octets.
const MOST: usize = 4096;

/// What surrounds it, in octets, on either side.
const MARGIN: usize = 64;

/// The most octets that alignment may cost.
const MOST_PADDING: usize = 15;

/// Encodes what `data` says, in each of glibc's forms.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (length, placing) = (usize::from(input.u16()) % (MOST + 1), input.u8());
    let given = input.u8() & 1 != 0;
    let Some((asked, answer)) = names_and_addresses(&mut input) else { return };
    let mut memory = Memory::new(length, placing);
    for families in [Families::BOTH, Families::only(Family::V4), Families::only(Family::V6)] {
        // Whoever calls has looked: without an address of the families there is nothing to encode.
        if families.iter().any(|family| answer.has(family)) {
            check_tuples(&answer, families, given, &mut memory);
        }
    }
    for family in Family::ALL {
        let result = encode::host_entry(&asked, &answer, family, memory.buffer());
        let alias = (asked != answer.canonical).then_some(&asked);
        check_entry(result, &answer.canonical, alias, family, &for_entry(&answer, family), &memory);
    }
    if let Some(&Address { ip, .. }) = answer.addresses.first() {
        let result = encode::host_entry_of_address(&asked, ip, memory.buffer());
        check_entry(result, &asked, None, Family::of(ip), &[ip], &memory);
    }
}

fn names_and_addresses(input: &mut Input<'_>) -> Option<(Name, Answer)> {
    let (count, repeat, same) = (input.u8() % 64, input.u8(), input.u8() > 127);
    let asked = name(input)?;
    let canonical = if same { asked.clone() } else { name(input)? };
    let mut addresses: Vec<_> =
        (0..count).map(|_| Address { ip: scene::address(input), interface: input.u8().into() }).collect();
    // Up to some five hundred.
    for _ in 0..repeat % 4 {
        addresses.extend_from_within(..);
    }
    Some((asked, Answer { canonical, addresses, absent: Families::default(), expires: Instant::now() }))
}

fn name(input: &mut Input<'_>) -> Option<Name> {
    let length = input.u8();
    if length == 0 {
        return Name::from_text(b"printer.local").ok();
    }
    Name::from_text(input.take(length.into())).ok()
}

/// How much memory there is in all, and what is in it at first.
const ARENA: usize = (MOST + 3 * MARGIN) / 16;
static BLANK: [u128; ARENA] = [0xa5a4_a3a2_a1a0_9f9e_9d9c_9b9a_9998_9796; ARENA];

/// A caller's buffer between margins, all of known content.
struct Memory {
    arena: Vec<u128>,
    /// The buffer's first octet in the arena; None for a null pointer.
    at: Option<usize>,
    length: usize,
}

impl Memory {
    fn new(length: usize, placing: u8) -> Self {
        let at = (placing != 255).then(|| MARGIN + usize::from(placing % 16));
        Self { arena: BLANK.to_vec(), at, length }
    }

    fn start(&mut self) -> *mut c_char {
        self.at.map_or(ptr::null_mut(), |at| self.arena.as_mut_ptr().cast::<c_char>().wrapping_add(at))
    }

    /// The buffer, all memory being as at first.
    fn buffer(&mut self) -> Buffer<'static> {
        self.arena.copy_from_slice(&BLANK);
        let (start, length) = (self.start(), self.length);
        // SAFETY: so many octets of the arena are there, which lives until the encoder is done.
        unsafe { Buffer::new(start, length) }
    }

    /// Nothing was written outside the buffer, or, if the encoder failed, anywhere.
    fn check_untouched(&self, failed: bool) {
        let start = self.at.unwrap_or(0);
        let end = if failed || self.at.is_none() { start } else { start + self.length };
        let (octets, blank) = (octets_of(&self.arena), octets_of(&BLANK));
        assert!(octets[..start] == blank[..start] && octets[end..] == blank[end..], "written where it must not be");
    }

    /// What `pointer` points to, which must be inside the buffer and aligned.
    fn get<T: Copy>(&self, pointer: *const T) -> T {
        let offset = (pointer as usize).wrapping_sub(self.arena.as_ptr() as usize);
        let start = self.at.expect("there is a buffer");
        assert!(offset >= start && offset + size_of::<T>() <= start + self.length, "a pointer leads out of the buffer");
        assert!(pointer.is_aligned());
        // SAFETY: inside the arena and aligned; the types read here are valid whatever their octets are.
        unsafe { pointer.read() }
    }

    /// The C string at `pointer`.
    fn text(&self, pointer: *const c_char) -> Vec<u8> {
        let octets = (0..).map(|at| u8::from_ne_bytes(self.get(pointer.wrapping_add(at)).to_ne_bytes()));
        octets.take_while(|&octet| octet != 0).collect()
    }

    /// The pointers of the list at `pointer`, up to the null that ends it.
    fn list(&self, pointer: *const *mut c_char) -> Vec<*mut c_char> {
        (0..).map(|at| self.get(pointer.wrapping_add(at))).take_while(|item| !item.is_null()).collect()
    }

    /// The encoder fails only where the buffer is too small, and then for that reason.
    fn check_failure(&self, failure: Failure, needed: usize) {
        assert_eq!(failure, Failure::ShortBuffer);
        assert!(self.at.is_none() || self.length < needed + MOST_PADDING, "{} would do for {needed}", self.length);
        self.check_untouched(true);
    }
}

fn octets_of(memory: &[u128]) -> &[u8] {
    // SAFETY: the memory's own octets, all initialised.
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), size_of_val(memory)) }
}

fn check_tuples(answer: &Answer, families: Families, given: bool, memory: &mut Memory) {
    let unwritten = GaihAddrTuple {
        next: ptr::dangling_mut(),
        name: ptr::dangling_mut(),
        family: -1,
        addr: [0x5555; 4],
        scopeid: 0x5555,
    };
    let mut own = unwritten;
    let first = if given { &raw mut own } else { ptr::null_mut() };
    // SAFETY: `first` is null or leads to `own`.
    let result = unsafe { encode::addr_tuples(answer, families, first, memory.buffer()) };
    let wanted: Vec<_> = answer.addresses.iter().filter(|own| families.contains(Family::of(own.ip))).collect();
    let text = text(&answer.canonical);
    let needed = (wanted.len() - usize::from(given)) * size_of::<GaihAddrTuple>() + text.len() + 1;
    let mut at = match result {
        Ok(head) => head,
        Err(failure) => {
            assert_eq!(format!("{own:?}"), format!("{unwritten:?}"), "the caller's tuple is left alone");
            return memory.check_failure(failure, needed);
        }
    };
    assert!(memory.length >= needed);
    memory.check_untouched(false);
    for (index, address) in wanted.iter().enumerate() {
        let is_own = given && index == 0;
        assert_eq!(is_own, at == &raw mut own);
        let tuple = if is_own { own } else { memory.get(at) };
        assert_eq!(memory.text(tuple.name), text);
        assert_eq!(tuple.family, number_of(Family::of(address.ip)));
        assert!(octets(tuple.addr).starts_with(&wire(address.ip)));
        let scoped = address.ip.is_ipv6() && scene::is_link_local(address.ip);
        assert_eq!(tuple.scopeid, if scoped { address.interface } else { 0 });
        at = tuple.next;
    }
    assert!(at.is_null(), "the list ends");
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
            assert_eq!((entry.h_addrtype, usize::try_from(entry.h_length)), (number_of(family), Ok(size)));
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
                assert!(pointer.cast::<u32>().is_aligned(), "programs read them as words");
            }
        }
    }
}

/// A host entry has no scopes: link-local IPv6 addresses are there only where no others are.
fn for_entry(answer: &Answer, family: Family) -> Vec<IpAddr> {
    let all = || answer.addresses.iter().map(|address| address.ip).filter(|&ip| Family::of(ip) == family);
    let plain: Vec<_> = all().filter(|&ip| ip.is_ipv4() || !scene::is_link_local(ip)).collect();
    if plain.is_empty() { all().collect() } else { plain }
}

fn number_of(family: Family) -> i32 {
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
