//! A lock that is tried for a bounded time: if a thread leaves a lookup by `longjmp` while it holds the lock, nothing ever
//! releases it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::sys;

/// How many times a lock is tried before each wait. A thread holds a lock for about a microsecond, and meanwhile makes no
/// system call except to allocate memory.
const TRIES: u32 = 100;

/// How long each wait takes. The methods of the `parking_lot` crate that wait end as soon as the lock is free, but
/// allocate memory for each thread.
const WAIT: Duration = Duration::from_millis(1);

/// A value that many threads may read at the same time, or one may change.
pub(crate) struct Lock<T> {
    value: RwLock<T>,
    /// How many times a thread waits for [`WAIT`] before it gives up. The holder may be a thread that does not run, because
    /// more threads are ready than there are processors.
    max_waits: u32,
    /// A writer waits, and readers let it pass. Otherwise one of many readers would hold the lock at any time.
    writer_waits: AtomicBool,
    /// The lock could not be taken when it was last tried, and is perhaps held for ever. Nobody waits for it until
    /// somebody has taken it.
    is_abandoned: AtomicBool,
}

impl<T> Lock<T> {
    /// A lock that nobody holds. A thread waits for it at most `max_waits` times, a millisecond each time.
    pub(crate) const fn new(value: T, max_waits: u32) -> Self {
        Self {
            value: RwLock::new(value),
            max_waits,
            writer_waits: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
        }
    }

    /// Runs `work` with shared access; None if the lock could not be taken.
    pub(crate) fn read<R>(&self, work: impl FnOnce(&T) -> R) -> Option<R> {
        if self.writer_waits.load(Ordering::Relaxed) {
            let _ = sys::poll(&mut [], WAIT);
        }
        self.take(|| self.value.try_read(), || {}).map(|value| work(&value))
    }

    /// Runs `work` with exclusive access; None if the lock could not be taken.
    pub(crate) fn write<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let taken = self.take(|| self.value.try_write(), || self.writer_waits.store(true, Ordering::Relaxed));
        clear(&self.writer_waits);
        taken.map(|mut value| work(&mut value))
    }

    /// Runs `work` with exclusive access, unless another thread holds the lock at this moment.
    pub(crate) fn write_if_free(&self, work: impl FnOnce(&mut T)) {
        if let Some(mut value) = self.value.try_write() {
            work(&mut value);
        }
    }

    fn take<Guard>(&self, try_lock: impl Fn() -> Option<Guard>, before_wait: impl Fn()) -> Option<Guard> {
        let max_waits = if self.is_abandoned.load(Ordering::Relaxed) { 0 } else { self.max_waits };
        for waits in 0..=max_waits {
            for _ in 0..TRIES {
                if let Some(guard) = try_lock() {
                    clear(&self.is_abandoned);
                    return Some(guard);
                }
                std::hint::spin_loop();
            }
            if waits < max_waits {
                before_wait();
                let _ = sys::poll(&mut [], WAIT);
            }
        }
        self.is_abandoned.store(true, Ordering::Relaxed);
        None
    }
}

/// Stores false, unless that is the value already: a store would slow down all threads that read the flag.
fn clear(flag: &AtomicBool) {
    if flag.load(Ordering::Relaxed) {
        flag.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl<T> Lock<T> {
    /// Holds the lock.
    pub(crate) fn hold(&self) -> impl Drop {
        self.value.write()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const MAX_WAITS: u32 = 20;

    #[test]
    fn a_lock_that_stays_held_is_given_up_and_then_no_longer_waited_for() {
        let lock = Lock::new(1, MAX_WAITS);
        assert_eq!(lock.write(|number| *number + 1), Some(2));
        let held = lock.hold();
        assert_eq!(lock.read(|number| *number), None);
        assert!(lock.is_abandoned.load(Ordering::Relaxed));
        let start = Instant::now();
        (0..20).for_each(|_| assert_eq!((lock.read(|number| *number), lock.write(|number| *number)), (None, None)));
        // If each waited, this would take twice as long.
        assert!(start.elapsed() < 20 * MAX_WAITS * WAIT, "{:?}", start.elapsed());
        drop(held);
        assert_eq!(lock.read(|number| *number), Some(1));
        assert!(!lock.is_abandoned.load(Ordering::Relaxed));
    }

    #[test]
    fn a_lock_is_waited_for_while_its_holder_does_not_run() {
        let lock = Lock::new(1, 1000);
        std::thread::scope(|scope| {
            let held = lock.hold();
            let (reader, writer) = (scope.spawn(|| lock.read(|_| ())), scope.spawn(|| lock.write(|_| ())));
            std::thread::sleep(Duration::from_millis(50));
            drop(held);
            assert_eq!((reader.join().unwrap(), writer.join().unwrap()), (Some(()), Some(())));
        });
    }

    #[test]
    fn readers_do_not_exclude_each_other() {
        let lock = Lock::new(1, MAX_WAITS);
        assert_eq!(lock.read(|_| lock.read(|number| *number)), Some(Some(1)));
        assert_eq!(lock.read(|_| lock.write(|_| ())), Some(None));
    }
}
