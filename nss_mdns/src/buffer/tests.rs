//! Any sequence of reservations from any buffer: apart, aligned, inside, and refused only where they do not fit.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::abi::GaihAddrTuple;

const MOST: usize = 512;

/// A type that the encoder reserves room for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Octet,
    Word,
    Pointer,
    Tuple,
}

impl Kind {
    fn size_and_alignment(self) -> (usize, usize) {
        match self {
            Self::Octet => (1, 1),
            Self::Word => (4, 4),
            Self::Pointer => (size_of::<usize>(), align_of::<usize>()),
            Self::Tuple => (size_of::<GaihAddrTuple>(), align_of::<GaihAddrTuple>()),
        }
    }

    /// Reserves, checks the places behind the last, and returns where the first is.
    fn reserve(self, buffer: &mut Buffer<'_>, count: usize) -> Result<usize, Failure> {
        fn first<T: Copy>(mut place: Place<'_, T>, count: usize, value: T) -> usize {
            assert!(place.at(count).is_null() && place.at(usize::MAX).is_null());
            assert!(!place.write(count, value) && !place.write(usize::MAX, value));
            assert!((0..count).all(|index| place.at(index) == place.start.wrapping_add(index)));
            place.start.addr()
        }
        let null = std::ptr::null_mut();
        let tuple = GaihAddrTuple { next: null, name: null.cast(), family: 0, addr: [0; 4], scopeid: 0 };
        match self {
            Self::Octet => buffer.reserve(count).map(|place| first(place, count, 0u8)),
            Self::Word => buffer.reserve(count).map(|place| first(place, count, 0u32)),
            Self::Pointer => buffer.reserve(count).map(|place| first(place, count, null)),
            Self::Tuple => buffer.reserve(count).map(|place| first(place, count, tuple)),
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Octet), Just(Kind::Word), Just(Kind::Pointer), Just(Kind::Tuple)]
}

fn count() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0..12usize, 1 => usize::MAX / 64..=usize::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reservations_are_inside_aligned_and_apart(
        offset in 0..16usize,
        length in 0..=MOST,
        wanted in vec((kind(), count()), 0..12),
    ) {
        let mut memory = [0u128; MOST / 16 + 2];
        let start = memory.as_mut_ptr().cast::<c_char>().wrapping_add(offset);
        // SAFETY: the memory is longer than offset and length together.
        let mut buffer = unsafe { Buffer::new(start, length) };
        let (mut at, end) = (start.addr(), start.addr() + length);
        for (kind, count) in wanted {
            let (size, alignment) = kind.size_and_alignment();
            // The first place that will do.
            let expected = at.next_multiple_of(alignment);
            let behind = count.checked_mul(size).and_then(|size| size.checked_add(expected));
            match behind.filter(|&behind| behind <= end) {
                Some(behind) => {
                    prop_assert_eq!(kind.reserve(&mut buffer, count), Ok(expected));
                    at = behind;
                }
                None => {
                    prop_assert_eq!(kind.reserve(&mut buffer, count), Err(Failure::ShortBuffer));
                    // That is the end of the encoder's affair.
                    break;
                }
            }
        }
        prop_assert!(memory.iter().all(|&word| word == 0), "reserving writes nothing");
    }

    #[test]
    fn a_name_fills_its_place_to_the_last_octet(labels in vec("[a-z0-9_\u{e4}\u{df}-]{1,12}", 1..5), short in 1..100usize) {
        let text = labels.join(".");
        let name = Name::from_text(text.as_bytes()).expect("a name");
        let mut memory = [0x55u8; 256];
        let start = memory.as_mut_ptr().cast::<c_char>();
        // SAFETY: within the memory.
        let mut buffer = unsafe { Buffer::new(start, text.len() + 1) };
        prop_assert!(buffer.reserve_text(&name).is_ok_and(|place| place.write(&name) == start));
        prop_assert_eq!(&memory[..text.len()], text.as_bytes());
        prop_assert_eq!((memory[text.len()], memory[text.len() + 1]), (0, 0x55));
        // SAFETY: as above.
        let mut buffer = unsafe { Buffer::new(start, (text.len() + 1).saturating_sub(short)) };
        prop_assert!(buffer.reserve_text(&name).is_err());
    }
}

#[test]
fn there_is_no_room_at_null() {
    // SAFETY: a null pointer is allowed.
    let mut buffer = unsafe { Buffer::new(std::ptr::null_mut(), 1024) };
    assert!(buffer.reserve::<u8>(1).is_err());
}
