//! Locks that are only tried: after a fork in another thread, one might never be free again.

use parking_lot::Mutex;

/// How often a lock is tried before a lookup does without what it guards. Each is held for about a microsecond, in which
/// nothing is asked of the kernel but, at times, memory.
const TRIES: u32 = 100;

/// Does something with what `mutex` guards, or nothing if it cannot be had.
pub(crate) fn with<T, R>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    for _ in 0..TRIES {
        if let Some(mut guarded) = mutex.try_lock() {
            return Some(work(&mut guarded));
        }
        std::hint::spin_loop();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_done_without() {
        let mutex = Mutex::new(1);
        assert_eq!(with(&mutex, |number| *number + 1), Some(2));
        let held = mutex.lock();
        assert_eq!(with(&mutex, |number| *number), None);
        drop(held);
        assert_eq!(with(&mutex, |number| *number), Some(1));
    }
}
