//! Fallible allocation for sizes that the network or a file determines. An infallible allocation that fails aborts the
//! host process.

use std::sync::atomic::{AtomicUsize, Ordering};

static FAILURES: AtomicUsize = AtomicUsize::new(0);

/// How many times [`reserve`], [`push`] and [`extend`] have failed so far, in the whole process.
pub(crate) fn failures() -> usize {
    FAILURES.load(Ordering::Relaxed)
}

/// Adds one to [`failures`].
#[cold]
pub(crate) fn note_failure() {
    FAILURES.fetch_add(1, Ordering::Relaxed);
}

/// Makes room for `count` more items; false if there is no memory for them.
pub(crate) fn reserve<T>(list: &mut Vec<T>, count: usize) -> bool {
    let reserved = list.try_reserve(count).is_ok();
    if !reserved {
        note_failure();
    }
    reserved
}

/// Adds `item`; false if there is no memory for it.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    let reserved = reserve(list, 1);
    if reserved {
        list.push(item);
    }
    reserved
}

/// Adds all of `items`; false, with none of them added, if there is no memory for all.
pub(crate) fn extend<T: Copy>(list: &mut Vec<T>, items: &[T]) -> bool {
    let reserved = reserve(list, items.len());
    if reserved {
        list.extend_from_slice(items);
    }
    reserved
}

/// A copy of `items`, or None if there is no memory for one.
pub(crate) fn copy_of<T: Copy>(items: &[T]) -> Option<Vec<T>> {
    let mut copy = Vec::new();
    extend(&mut copy, items).then_some(copy)
}

/// A buffer of `length` zeroed octets, or None if there is no memory for one.
pub(crate) fn zeroed(length: usize) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    octets.try_reserve_exact(length).ok()?;
    octets.resize(length, 0);
    Some(octets)
}

/// True if `octets` and 64 KiB more can be allocated now. Called before code that allocates infallibly.
pub(crate) fn can_allocate(octets: usize) -> bool {
    const MARGIN: usize = 64 * 1024;
    let mut probe = Vec::<u8>::new();
    let can_allocate = probe.try_reserve_exact(octets.saturating_add(MARGIN)).is_ok();
    // Keeps the optimiser from removing the probe.
    std::hint::black_box(&probe);
    can_allocate
}
