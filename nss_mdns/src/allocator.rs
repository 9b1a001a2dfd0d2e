//! The module's global allocator: the host process's `malloc`, with a small reserve for when `malloc` fails.
//!
//! Rust aborts the process when an infallible allocation fails, such as that of a `Box`, of an entry of the cache or of
//! a panic's payload. All of these are small. Memory whose size the network determines is allocated with `try_reserve`,
//! and its failure only makes the lookup fail.
//!
//! The allocator cannot tell the two apart, so it decides by size. The reserve serves small allocations as long as it
//! has space, and large ones only while no more than a quarter of it is in use. A lookup does not begin if more than
//! half is in use ([`is_low`]). Nothing that outlives the lookup may stay in the reserve ([`is_in_reserve`]).
//!
//! The allocator is lock-free, because the host process may fork, or run a signal handler, at any time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: Allocator = Allocator;

static RESERVE: Reserve = Reserve::new();

/// True if more than half of the reserve is in use, so that no lookup should begin.
pub(crate) fn is_low() -> bool {
    RESERVE.used_blocks() > BLOCKS / 2
}

/// True if the reserve holds anything.
pub(crate) fn is_reserve_in_use() -> bool {
    RESERVE.used_blocks() > 0
}

/// True if `pointer` points into the reserve.
pub(crate) fn is_in_reserve<T>(pointer: *const T) -> bool {
    RESERVE.contains(pointer.cast())
}

struct Allocator;

// The provided methods `realloc` and `alloc_zeroed` of GlobalAlloc call these two.
//
// SAFETY: an allocation is the system's or consists of blocks of the reserve that have no other owner, and is freed
// where it came from.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees what `System` requires.
        let memory = unsafe { System.alloc(layout) };
        if memory.is_null() { RESERVE.allocate(layout) } else { memory }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if RESERVE.contains(memory) {
            RESERVE.free(memory, layout);
        } else {
            // SAFETY: memory outside the reserve came from `System`, with this layout.
            unsafe { System.dealloc(memory, layout) };
        }
    }
}

/// The size and alignment of a block, in octets.
const BLOCK: usize = 512;

/// The number of blocks in the reserve.
const BLOCKS: usize = 512;

/// How many blocks one word of the bitmap describes. This is also the maximum size of an allocation, in blocks.
const BLOCKS_PER_WORD: usize = usize::BITS as usize;

const WORDS: usize = BLOCKS / BLOCKS_PER_WORD;

/// The maximum size of a small allocation, in blocks.
const MAX_SMALL: usize = 8;

#[repr(C, align(512))]
struct Memory([u8; BLOCK * BLOCKS]);

/// Blocks of memory in the BSS section. They take no physical memory until `malloc` fails, because nothing writes to
/// them.
struct Reserve {
    memory: UnsafeCell<Memory>,
    /// The bitmap of the blocks in use.
    used: [AtomicUsize; WORDS],
}

// SAFETY: pointers into the memory come only from `allocate`, which gives a block to one owner at a time.
unsafe impl Sync for Reserve {}

impl Reserve {
    const fn new() -> Self {
        Self { memory: UnsafeCell::new(Memory([0; BLOCK * BLOCKS])), used: [const { AtomicUsize::new(0) }; WORDS] }
    }

    /// Memory for `layout`, or null if there is no space for it.
    #[cold]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        let count = layout.size().div_ceil(BLOCK);
        let is_large = count > MAX_SMALL;
        if count > BLOCKS_PER_WORD || layout.align() > BLOCK || (is_large && self.used_blocks() > BLOCKS / 4) {
            return ptr::null_mut();
        }
        for (index, word) in self.used.iter().enumerate() {
            let claim = |used: usize| find_free(used, count).map(|start| used | run(start, count));
            if let Ok(before) = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, claim) {
                // The same start as in the closure, because `before` is the value for which its update succeeded.
                let start = find_free(before, count).unwrap_or(0);
                return self.start().wrapping_add((index * BLOCKS_PER_WORD + start) * BLOCK);
            }
        }
        ptr::null_mut()
    }

    #[cold]
    fn free(&self, memory: *mut u8, layout: Layout) {
        let block = (memory.addr() - self.start().addr()) / BLOCK;
        if let Some(word) = self.used.get(block / BLOCKS_PER_WORD) {
            word.fetch_and(!run(block % BLOCKS_PER_WORD, layout.size().div_ceil(BLOCK)), Ordering::Release);
        }
    }

    fn contains(&self, memory: *const u8) -> bool {
        memory.addr().wrapping_sub(self.start().addr()) < size_of::<Memory>()
    }

    fn used_blocks(&self) -> usize {
        self.used.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    fn start(&self) -> *mut u8 {
        self.memory.get().cast()
    }
}

/// A word with `count` bits set, the lowest of them at `start`.
fn run(start: usize, count: usize) -> usize {
    let bits = if count >= BLOCKS_PER_WORD { usize::MAX } else { (1 << count) - 1 };
    bits << start
}

/// The lowest position in `used` of `count` adjacent zero bits. `count` must not exceed [`BLOCKS_PER_WORD`].
fn find_free(used: usize, count: usize) -> Option<usize> {
    (0..=BLOCKS_PER_WORD - count).find(|&start| used & run(start, count) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn allocations_do_not_overlap_and_can_be_freed() {
        let reserve = Box::new(Reserve::new());
        let sizes: Vec<_> = (0..40).map(|number| 1 + number * 53).collect();
        let allocations: Vec<_> = sizes.iter().map(|&size| (reserve.allocate(layout(size)), size)).collect();
        for &(memory, size) in &allocations {
            assert!(reserve.contains(memory) && reserve.contains(memory.wrapping_add(size - 1)));
            assert_eq!(memory.addr() % BLOCK, 0);
            // SAFETY: the allocation has this size.
            unsafe { memory.write_bytes(u8::try_from(size % 251).unwrap(), size) };
        }
        for &(memory, size) in &allocations {
            // SAFETY: the allocation has this size and is initialised.
            let octets = unsafe { std::slice::from_raw_parts(memory, size) };
            assert!(octets.iter().all(|&octet| usize::from(octet) == size % 251));
        }
        assert!(reserve.used_blocks() > allocations.len());
        for &(memory, size) in &allocations {
            reserve.free(memory, layout(size));
        }
        assert_eq!(reserve.used_blocks(), 0);
    }

    #[test]
    fn large_allocations_are_refused_before_small_ones() {
        let reserve = Box::new(Reserve::new());
        let large = || reserve.allocate(layout(BLOCK * (MAX_SMALL + 1)));
        while !large().is_null() {}
        assert!(reserve.used_blocks() > BLOCKS / 4 && reserve.used_blocks() < BLOCKS / 2);
        let small = std::iter::repeat_with(|| reserve.allocate(layout(BLOCK * MAX_SMALL)))
            .take_while(|memory| !memory.is_null());
        assert!(small.count() > 10);
        while !reserve.allocate(layout(1)).is_null() {}
        assert_eq!(reserve.used_blocks(), BLOCKS);
    }

    #[test]
    fn no_lookup_begins_when_more_than_half_of_the_reserve_is_used() {
        let enter = || crate::state::enter(None, |_, _, _| Ok(()));
        assert!(!is_low() && enter().is_ok());
        let allocations: Vec<_> = (0..=BLOCKS / 2).map(|_| RESERVE.allocate(layout(1))).collect();
        assert!(is_low());
        assert_eq!(enter(), Err(crate::result_codes::Failure::Lookup(resolver_core::LookupError::Exhausted)));
        allocations.into_iter().for_each(|memory| RESERVE.free(memory, layout(1)));
        assert!(!is_low() && enter().is_ok());
    }

    #[test]
    fn allocations_that_do_not_fit_are_refused() {
        let reserve = Box::new(Reserve::new());
        assert!(!reserve.allocate(layout(BLOCK * BLOCKS_PER_WORD)).is_null());
        assert!(reserve.allocate(layout(BLOCK * BLOCKS_PER_WORD + 1)).is_null());
        assert!(reserve.allocate(Layout::from_size_align(8, 2 * BLOCK).unwrap()).is_null());
    }

    #[test]
    fn memory_outside_the_reserve_is_not_contained() {
        let end = RESERVE.start().wrapping_add(size_of::<Memory>());
        assert!(!RESERVE.contains(end) && RESERVE.contains(end.wrapping_sub(1)));
        assert!(!RESERVE.contains(RESERVE.start().wrapping_sub(1)) && !RESERVE.contains(ptr::null()));
    }

    #[test]
    fn an_allocation_that_grows_can_leave_the_reserve() {
        let memory = RESERVE.allocate(layout(100));
        // SAFETY: each layout is that of the allocation at the time, and the last is freed.
        unsafe {
            memory.write_bytes(7, 100);
            let moved = ALLOCATOR.realloc(memory, layout(100), 10_000);
            assert!(!RESERVE.contains(moved) && !RESERVE.contains(ptr::null()));
            assert!(std::slice::from_raw_parts(moved, 100).iter().all(|&octet| octet == 7));
            ALLOCATOR.dealloc(moved, layout(10_000));
        }
    }

    #[test]
    fn threads_get_different_memory() {
        let reserve = Reserve::new();
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let reserve = &reserve;
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let memory = reserve.allocate(layout(600));
                        assert!(!memory.is_null());
                        // SAFETY: the allocation has this size, and no other thread owns it.
                        unsafe {
                            memory.write_bytes(thread, 600);
                            assert!(std::slice::from_raw_parts(memory, 600).iter().all(|&octet| octet == thread));
                        }
                        reserve.free(memory, layout(600));
                    }
                });
            }
        });
        assert_eq!(reserve.used_blocks(), 0);
    }
}
