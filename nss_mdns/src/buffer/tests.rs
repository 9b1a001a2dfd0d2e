//! Random sequences of reservations from random buffers. Reservations are inside the buffer, aligned and disjoint, and
//! fail only if they do not fit.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::abi::GaihAddrTuple;

/// The maximum length of a buffer, in octets.
const MAX_LENGTH: usize = 512;

/// The type of a reserved array.
#[derive(Clone, Copy, Debug)]
enum Element {
    Octet,
    Word,
    Pointer,
    Tuple,
}

impl Element {
    fn size_and_alignment(self) -> (usize, usize) {
        match self {
            Self::Octet => (1, 1),
            Self::Word => (4, 4),
            Self::Pointer => (size_of::<usize>(), align_of::<usize>()),
            Self::Tuple => (size_of::<GaihAddrTuple>(), align_of::<GaihAddrTuple>()),
        }
    }

    /// Reserves an array, checks the addresses of its elements and of some out of range, and returns that of the first.
    fn reserve(self, buffer: &mut Buffer<'_>, count: usize) -> Result<usize, Failure> {
        fn first<T: Copy>(mut reserved: Reserved<'_, T>, count: usize, value: T) -> usize {
            assert!(reserved.at(count).is_null() && reserved.at(usize::MAX).is_null());
            assert!(!reserved.write(count, value) && !reserved.write(usize::MAX, value));
            assert!((0..count).all(|index| reserved.at(index) == reserved.start.wrapping_add(index)));
            reserved.start.addr()
        }
        let null = std::ptr::null_mut();
        let tuple = GaihAddrTuple { next: null, name: null.cast(), family: 0, addr: [0; 4], scopeid: 0 };
        match self {
            Self::Octet => buffer.reserve(count).map(|reserved| first(reserved, count, 0u8)),
            Self::Word => buffer.reserve(count).map(|reserved| first(reserved, count, 0u32)),
            Self::Pointer => buffer.reserve(count).map(|reserved| first(reserved, count, null)),
            Self::Tuple => buffer.reserve(count).map(|reserved| first(reserved, count, tuple)),
        }
    }
}

fn element() -> impl Strategy<Value = Element> {
    prop_oneof![Just(Element::Octet), Just(Element::Word), Just(Element::Pointer), Just(Element::Tuple)]
}

fn count() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0..12usize, 1 => usize::MAX / 64..=usize::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reservations_are_inside_the_buffer_aligned_and_disjoint(
        offset in 0..16usize,
        length in 0..=MAX_LENGTH,
        wanted in vec((element(), count()), 0..12),
    ) {
        let mut memory = [0u128; MAX_LENGTH / 16 + 2];
        let start = memory.as_mut_ptr().cast::<c_char>().wrapping_add(offset);
        // SAFETY: the memory is longer than offset and length together.
        let mut buffer = unsafe { Buffer::new(start, length) };
        let (mut at, end) = (start.addr(), start.addr() + length);
        for (element, count) in wanted {
            let (size, alignment) = element.size_and_alignment();
            // The lowest aligned address.
            let expected = at.next_multiple_of(alignment);
            let after = count.checked_mul(size).and_then(|size| size.checked_add(expected));
            match after.filter(|&after| after <= end) {
                Some(after) => {
                    prop_assert_eq!(element.reserve(&mut buffer, count), Ok(expected));
                    at = after;
                }
                None => {
                    prop_assert_eq!(element.reserve(&mut buffer, count), Err(Failure::ShortBuffer));
                    // The encoder reserves nothing more after a failure.
                    break;
                }
            }
        }
        prop_assert!(memory.iter().all(|&word| word == 0), "reserving writes nothing");
    }

    #[test]
    fn a_name_fills_its_space_exactly(labels in vec("[a-z0-9_\u{e4}\u{df}-]{1,12}", 1..5), short in 1..100usize) {
        let text = labels.join(".");
        let name = Name::from_text(text.as_bytes()).expect("a name");
        let mut memory = [0x55u8; 256];
        let start = memory.as_mut_ptr().cast::<c_char>();
        // SAFETY: the text is shorter than the memory.
        let mut buffer = unsafe { Buffer::new(start, text.len() + 1) };
        prop_assert!(buffer.reserve_text(&name).is_ok_and(|reserved| reserved.write(&name) == start));
        prop_assert_eq!(&memory[..text.len()], text.as_bytes());
        prop_assert_eq!((memory[text.len()], memory[text.len() + 1]), (0, 0x55));
        // SAFETY: this buffer is shorter than the one above.
        let mut buffer = unsafe { Buffer::new(start, (text.len() + 1).saturating_sub(short)) };
        prop_assert!(buffer.reserve_text(&name).is_err());
    }
}

#[test]
fn a_null_buffer_has_no_space() {
    // SAFETY: null is allowed.
    let mut buffer = unsafe { Buffer::new(std::ptr::null_mut(), 1024) };
    assert!(buffer.reserve::<u8>(1).is_err());
}
