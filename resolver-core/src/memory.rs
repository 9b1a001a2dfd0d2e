//! Growing lists without aborting the host: what the network sizes is asked for, not demanded.

use std::sync::atomic::{AtomicUsize, Ordering};

static LACKED: AtomicUsize = AtomicUsize::new(0);

/// How often something has been left out of a list for want of memory, in the whole process.
pub(crate) fn times_lacked() -> usize {
    LACKED.load(Ordering::Relaxed)
}

/// Notes that something is left out.
#[cold]
pub(crate) fn note_lack() {
    LACKED.fetch_add(1, Ordering::Relaxed);
}

/// Adds `item` if there is memory for it; true if there was.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    if list.try_reserve(1).is_err() {
        note_lack();
        return false;
    }
    list.push(item);
    true
}

/// A copy of `items`, or None where there is no memory for one.
pub(crate) fn copy_of<T: Copy>(items: &[T]) -> Option<Vec<T>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(items.len()).ok()?;
    copy.extend_from_slice(items);
    Some(copy)
}

/// `length` zeroed octets, or None where there is no memory for them.
pub(crate) fn zeroed(length: usize) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    octets.try_reserve_exact(length).ok()?;
    octets.resize(length, 0);
    Some(octets)
}

/// True if there are so many octets, and some more, for what takes them for granted.
pub(crate) fn is_plenty(octets: usize) -> bool {
    const MORE: usize = 64 * 1024;
    let mut probe = Vec::<u8>::new();
    let there_is = probe.try_reserve_exact(octets.saturating_add(MORE)).is_ok();
    // Or the compiler would spare us the question.
    std::hint::black_box(&probe);
    there_is
}
