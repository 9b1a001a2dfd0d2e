//! Locks that are tried a bounded number of times and never waited for. If another thread holds one when the process
//! forks, nothing releases it in the child, which would wait for ever.

use parking_lot::Mutex;

/// The maximum number of times that a lock is tried. A thread holds a lock for about a microsecond, and meanwhile makes
/// no system call except to allocate memory.
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
    fn a_lock_that_is_held_is_not_waited_for() {
        let mutex = Mutex::new(1);
        assert_eq!(with(&mutex, |number| *number + 1), Some(2));
        let held = mutex.lock();
        assert_eq!(with(&mutex, |number| *number), None);
        drop(held);
        assert_eq!(with(&mutex, |number| *number), Some(1));
    }
}
