//! Locks that are tried for a bounded time and never waited for: if another thread held one when the process forked, the
//! child would wait for ever.

use parking_lot::Mutex;

/// How often a lock is tried before the caller goes on without what it guards. A holder keeps a lock for about a
/// microsecond, and makes no system call meanwhile except to allocate memory.
const MAX_TRIES: u32 = 100;

/// Runs `work` on what `mutex` guards; None if the lock could not be taken.
pub(crate) fn with<T, R>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    for _ in 0..MAX_TRIES {
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
    fn a_held_lock_is_given_up_on() {
        let mutex = Mutex::new(1);
        assert_eq!(with(&mutex, |number| *number + 1), Some(2));
        let held = mutex.lock();
        assert_eq!(with(&mutex, |number| *number), None);
        drop(held);
        assert_eq!(with(&mutex, |number| *number), Some(1));
    }
}
