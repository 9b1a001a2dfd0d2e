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

/// Makes room for so many more; false if there is no memory for them.
pub(crate) fn reserve<T>(list: &mut Vec<T>, count: usize) -> bool {
    let reserved = list.try_reserve(count).is_ok();
    if !reserved {
        note_lack();
    }
    reserved
}

/// Adds `item` if there is memory for it; true if there was.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    let reserved = reserve(list, 1);
    if reserved {
        list.push(item);
    }
    reserved
}

/// Adds all of `items`, or none of them where there is no memory for all; true if there was.
pub(crate) fn extend<T: Copy>(list: &mut Vec<T>, items: &[T]) -> bool {
    let reserved = reserve(list, items.len());
    if reserved {
        list.extend_from_slice(items);
    }
    reserved
}

/// A copy of `items`, or None where there is no memory for one.
pub(crate) fn copy_of<T: Copy>(items: &[T]) -> Option<Vec<T>> {
    let mut copy = Vec::new();
    extend(&mut copy, items).then_some(copy)
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
