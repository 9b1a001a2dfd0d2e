//! The module's memory: the host's `malloc` and, where that has none left, a small reserve of the module's own.
//!
//! Rust ends the process when an allocation fails that its author took for granted: a box, a node of a map, the payload
//! of a panic. All of those are small. What may be large is asked for with `try_reserve`, and its failure makes the lookup
//! fail. So the small ones are served from the reserve, the large ones only while there is plenty of it, and a lookup that
//! finds the reserve half used does not begin ([`is_low`]). Nothing that is meant to stay is left in it
//! ([`is_in_reserve`]).
//!
//! Lock-free, because the host may fork or be interrupted at any moment.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: Allocator = Allocator;

static RESERVE: Reserve = Reserve::new();

/// True if the reserve is used so much that no lookup should begin.
pub(crate) fn is_low() -> bool {
    RESERVE.used_blocks() > BLOCKS / 2
}

/// True if `pointer` is to memory of the reserve, which nothing should keep.
pub(crate) fn is_in_reserve<T>(pointer: *const T) -> bool {
    RESERVE.contains(pointer.cast())
}

struct Allocator;

// SAFETY: memory is the system's or a place of the reserve that nobody else has, and goes back to where it came from.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        let memory = unsafe { System.alloc(layout) };
        if memory.is_null() { RESERVE.take(layout) } else { memory }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if !memory.is_null() {
            return memory;
        }
        let memory = RESERVE.take(layout);
        if !memory.is_null() {
            // SAFETY: the place is of that size.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if RESERVE.contains(memory) {
            RESERVE.give_back(memory, layout);
        } else {
            // SAFETY: it came from there, by the caller's promise.
            unsafe { System.dealloc(memory, layout) };
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !RESERVE.contains(memory) {
            // SAFETY: it came from there, by the caller's promise.
            let moved = unsafe { System.realloc(memory, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller promises that the size is valid for this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the size is not 0, by the caller's promise.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both are at least of the smaller size, and distinct.
            unsafe { ptr::copy_nonoverlapping(memory, moved, layout.size().min(size)) };
            // SAFETY: by the caller's promise.
            unsafe { self.dealloc(memory, layout) };
        }
        moved
    }
}

/// The size and the alignment of a block.
const BLOCK: usize = 512;

/// The blocks that one word keeps count of: the most that one allocation can have.
const WORD: usize = usize::BITS as usize;

const BLOCKS: usize = 512;

const WORDS: usize = BLOCKS / WORD;

/// An allocation of more blocks than this is large.
const SMALL: usize = 8;

#[repr(C, align(512))]
struct Memory([u8; BLOCK * BLOCKS]);

/// Memory in blocks: never written to, and so no more than addresses, until `malloc` fails.
struct Reserve {
    memory: UnsafeCell<Memory>,
    /// A bit for each block: taken.
    taken: [AtomicUsize; WORDS],
}

// SAFETY: the memory is only ever reached by way of `take`, which gives each block to one owner at a time.
unsafe impl Sync for Reserve {}

impl Reserve {
    const fn new() -> Self {
        Self { memory: UnsafeCell::new(Memory([0; BLOCK * BLOCKS])), taken: [const { AtomicUsize::new(0) }; WORDS] }
    }

    /// A place for `layout`; null if there is none.
    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        let count = layout.size().div_ceil(BLOCK);
        if count > WORD || layout.align() > BLOCK || (count > SMALL && self.used_blocks() > BLOCKS / 4) {
            return ptr::null_mut();
        }
        for (index, word) in self.taken.iter().enumerate() {
            let claim = |taken: usize| free_run(taken, count).map(|at| taken | run(at, count));
            if let Ok(before) = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, claim) {
                // The same that the closure found: the word was `before` when it was changed.
                let at = free_run(before, count).unwrap_or(0);
                return self.start().wrapping_add((index * WORD + at) * BLOCK);
            }
        }
        ptr::null_mut()
    }

    #[cold]
    fn give_back(&self, memory: *mut u8, layout: Layout) {
        let block = (memory.addr() - self.start().addr()) / BLOCK;
        if let Some(word) = self.taken.get(block / WORD) {
            word.fetch_and(!run(block % WORD, layout.size().div_ceil(BLOCK)), Ordering::Release);
        }
    }

    fn contains(&self, memory: *const u8) -> bool {
        memory.addr().wrapping_sub(self.start().addr()) < size_of::<Memory>()
    }

    fn used_blocks(&self) -> usize {
        self.taken.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    fn start(&self) -> *mut u8 {
        self.memory.get().cast()
    }
}

/// So many bits, the lowest of them at `at`.
fn run(at: usize, count: usize) -> usize {
    let bits = if count >= WORD { usize::MAX } else { (1 << count) - 1 };
    bits << at
}

/// Where in a word so many bits in a row are free.
fn free_run(taken: usize, count: usize) -> Option<usize> {
    (0..=WORD - count).find(|&at| taken & run(at, count) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn places_do_not_overlap_and_come_back() {
        let reserve = Box::new(Reserve::new());
        let sizes: Vec<_> = (0..40).map(|number| 1 + number * 53).collect();
        let places: Vec<_> = sizes.iter().map(|&size| (reserve.take(layout(size)), size)).collect();
        for &(place, size) in &places {
            assert!(reserve.contains(place) && reserve.contains(place.wrapping_add(size - 1)));
            assert_eq!(place.addr() % BLOCK, 0);
            // SAFETY: the place is of that size.
            unsafe { place.write_bytes(u8::try_from(size % 251).unwrap(), size) };
        }
        for &(place, size) in &places {
            // SAFETY: the place is of that size, and written.
            let octets = unsafe { std::slice::from_raw_parts(place, size) };
            assert!(octets.iter().all(|&octet| usize::from(octet) == size % 251));
        }
        assert!(reserve.used_blocks() > places.len());
        for &(place, size) in &places {
            reserve.give_back(place, layout(size));
        }
        assert_eq!(reserve.used_blocks(), 0);
    }

    #[test]
    fn large_ones_are_refused_before_small_ones() {
        let reserve = Box::new(Reserve::new());
        let large = || reserve.take(layout(BLOCK * (SMALL + 1)));
        while !large().is_null() {}
        assert!(reserve.used_blocks() > BLOCKS / 4 && reserve.used_blocks() < BLOCKS / 2);
        let small = std::iter::repeat_with(|| reserve.take(layout(BLOCK * SMALL))).take_while(|place| !place.is_null());
        assert!(small.count() > 10);
        while !reserve.take(layout(1)).is_null() {}
        assert_eq!(reserve.used_blocks(), BLOCKS);
    }

    #[test]
    fn no_lookup_begins_when_half_of_the_reserve_is_used() {
        let enter = || crate::state::enter(|_| Ok(()));
        assert!(!is_low() && enter().is_ok());
        let places: Vec<_> = (0..=BLOCKS / 2).map(|_| RESERVE.take(layout(1))).collect();
        assert!(is_low());
        assert_eq!(enter(), Err(crate::abi::Failure::Lookup(resolver_core::LookupError::Exhausted)));
        places.into_iter().for_each(|place| RESERVE.give_back(place, layout(1)));
        assert!(!is_low() && enter().is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let reserve = Box::new(Reserve::new());
        assert!(!reserve.take(layout(BLOCK * WORD)).is_null());
        assert!(reserve.take(layout(BLOCK * WORD + 1)).is_null());
        assert!(reserve.take(Layout::from_size_align(8, 2 * BLOCK).unwrap()).is_null());
    }

    #[test]
    fn memory_outside_is_not_contained() {
        let end = RESERVE.start().wrapping_add(size_of::<Memory>());
        assert!(!RESERVE.contains(end) && RESERVE.contains(end.wrapping_sub(1)));
        assert!(!RESERVE.contains(RESERVE.start().wrapping_sub(1)) && !RESERVE.contains(ptr::null()));
    }

    #[test]
    fn memory_of_the_reserve_can_grow_and_move_out() {
        let place = RESERVE.take(layout(100));
        // SAFETY: the place is of these sizes, one after the other, and goes back in the end.
        unsafe {
            place.write_bytes(7, 100);
            let moved = ALLOCATOR.realloc(place, layout(100), 10_000);
            assert!(!RESERVE.contains(moved) && !RESERVE.contains(ptr::null()));
            assert!(std::slice::from_raw_parts(moved, 100).iter().all(|&octet| octet == 7));
            ALLOCATOR.dealloc(moved, layout(10_000));
        }
    }

    #[test]
    fn threads_do_not_get_the_same_place() {
        let reserve = Reserve::new();
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let reserve = &reserve;
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let place = reserve.take(layout(600));
                        assert!(!place.is_null());
                        // SAFETY: the place is of that size and nobody else's.
                        unsafe {
                            place.write_bytes(thread, 600);
                            assert!(std::slice::from_raw_parts(place, 600).iter().all(|&octet| octet == thread));
                        }
                        reserve.give_back(place, layout(600));
                    }
                });
            }
        });
        assert_eq!(reserve.used_blocks(), 0);
    }
}
