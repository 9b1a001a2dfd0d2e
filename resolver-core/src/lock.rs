//! Locks that are tried for a bounded time: if a thread leaves a lookup by `longjmp` while it holds one, nothing ever
//! releases it.

use std::time::Duration;

use parking_lot::RwLock;

use crate::sys;

/// How often a lock is tried before the first wait. A thread holds a lock for about a microsecond, and meanwhile makes no
/// system call except to allocate memory.
const TRIES: u32 = 100;

/// How often a thread waits for [`WAIT`]: the holder may be a thread that does not run, because more threads are ready
/// than there are processors.
const MAX_WAITS: u32 = 20;

/// How long each wait takes. A `futex(2)` would end as soon as the lock is free, but needs memory for each thread.
const WAIT: Duration = Duration::from_millis(1);

/// Runs `work` on what `lock` guards, while other threads may do so too; None if the lock could not be taken.
pub(crate) fn read<T, R>(lock: &RwLock<T>, work: impl FnOnce(&T) -> R) -> Option<R> {
    take(|| lock.try_read()).map(|guarded| work(&guarded))
}

/// Runs `work` on what `lock` guards, alone; None if the lock could not be taken.
pub(crate) fn write<T, R>(lock: &RwLock<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    take(|| lock.try_write()).map(|mut guarded| work(&mut guarded))
}

fn take<Guard>(try_lock: impl Fn() -> Option<Guard>) -> Option<Guard> {
    for waits in 0..=MAX_WAITS {
        for _ in 0..TRIES {
            if let Some(guard) = try_lock() {
                return Some(guard);
            }
            std::hint::spin_loop();
        }
        if waits < MAX_WAITS {
            let _ = sys::poll(&mut [], WAIT);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_stays_held_is_given_up() {
        let lock = RwLock::new(1);
        assert_eq!(write(&lock, |number| *number + 1), Some(2));
        let held = lock.write();
        assert_eq!(read(&lock, |number| *number), None);
        drop(held);
        assert_eq!(read(&lock, |number| *number), Some(1));
    }

    #[test]
    fn a_lock_is_waited_for_while_its_holder_does_not_run() {
        let lock = RwLock::new(1);
        std::thread::scope(|scope| {
            let held = lock.write();
            let (reader, writer) = (scope.spawn(|| read(&lock, |_| ())), scope.spawn(|| write(&lock, |_| ())));
            std::thread::sleep(Duration::from_millis(5));
            drop(held);
            assert_eq!((reader.join().unwrap(), writer.join().unwrap()), (Some(()), Some(())));
        });
    }

    #[test]
    fn readers_do_not_exclude_each_other() {
        let lock = RwLock::new(1);
        assert_eq!(read(&lock, |_| read(&lock, |number| *number)), Some(Some(1)));
        assert_eq!(read(&lock, |_| write(&lock, |_| ())), Some(None));
    }
}
