//! Signals during a lookup: they are blocked while it holds a descriptor, a lock or memory, because their handlers may
//! jump out of it (`longjmp`), end the thread or fork. A pending signal therefore interrupts a lookup that waits: it
//! closes its sockets and returns [`LookupError::Interrupted`]. The caller lets the handlers run, and calls again to go
//! on.
//!
//! [`LookupError::Interrupted`]: crate::LookupError::Interrupted

use std::fmt;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::{self, SignalMask};

/// How long a lookup may hold signals back before it looks for pending ones. Most lookups end before that, and need no
/// descriptor for it. It is also the least time between two interruptions: without one, a flood of signals would keep
/// the lookup from receiving anything.
const MAX_HELD: Duration = Duration::from_millis(4);

/// How long a signal must stay pending before it interrupts a lookup. One that was sent to the process is meanwhile taken
/// by another thread that does not block it: the main thread of some programs would not learn of a signal whose handler
/// ran in another one.
const OTHERS_FIRST: Duration = Duration::from_millis(2);

/// The signals of this thread that [`BlockedSignals::block`] has blocked.
#[must_use = "they stay blocked until they are restored"]
pub struct BlockedSignals {
    before: SignalMask,
}

impl BlockedSignals {
    /// Blocks all signals but those that report a fault of the thread itself, such as SIGSEGV. None if a sandbox forbids
    /// it.
    pub fn block() -> Option<Self> {
        sys::block_signals().map(|before| Self { before })
    }

    /// Restores the mask that the thread had before. The handlers of pending signals run before this returns; one of
    /// them may jump out of it.
    pub fn restore(&self) {
        sys::set_signal_mask(&self.before);
    }
}

/// Not derived, because `sigset_t` implements it only in newer versions of libc than the oldest one admitted.
impl fmt::Debug for BlockedSignals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BlockedSignals").finish_non_exhaustive()
    }
}

/// Finds out whether one of the blocked signals is pending.
#[derive(Debug)]
pub(crate) struct PendingSignals<'a> {
    blocked: Option<&'a BlockedSignals>,
    /// When to look next. None before the first wait, so that a cached answer costs no system call for the time.
    look_at: Option<Instant>,
    /// One was pending when this looked last.
    is_seen: bool,
    /// Is readable while a signal is pending. Never read.
    descriptor: Option<OwnedFd>,
}

impl<'a> PendingSignals<'a> {
    /// Looks for none.
    pub(crate) fn ignored() -> Self {
        Self::of(None)
    }

    /// Looks for those that were just `blocked`, and not blocked before.
    pub(crate) fn of(blocked: Option<&'a BlockedSignals>) -> Self {
        Self { blocked, look_at: None, is_seen: false, descriptor: None }
    }

    /// How long the thread may wait at most, and what it must poll meanwhile. The descriptor in it is -1 for none.
    pub(crate) fn before_wait(&mut self) -> (Duration, libc::pollfd) {
        let mut polled = libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 };
        if self.blocked.is_some() {
            let now = Instant::now();
            let wait = self.look_at.get_or_insert(now + MAX_HELD).saturating_duration_since(now);
            if !wait.is_zero() {
                return (wait, polled);
            }
            if self.descriptor.is_none() {
                self.open();
            }
            polled.fd = self.descriptor.as_ref().map_or(-1, AsRawFd::as_raw_fd);
            if self.is_seen {
                // Is it still pending? If not, the next one is another, which other threads may take first too.
                return (Duration::ZERO, polled);
            }
        }
        (Duration::MAX, polled)
    }

    /// True if a signal is pending that no other thread takes. `polled` is from [`PendingSignals::before_wait`].
    pub(crate) fn after_wait(&mut self, polled: libc::pollfd) -> bool {
        if polled.revents & !libc::POLLIN != 0 {
            // The host process closed it, and the number may refer to another file. It must not be closed again.
            let _ = self.descriptor.take().map(IntoRawFd::into_raw_fd);
        }
        if polled.fd < 0 {
            return false;
        }
        let is_pending = polled.revents & libc::POLLIN != 0;
        let is_left = is_pending && self.is_seen;
        if is_pending && !is_left {
            self.look_at = Some(Instant::now() + OTHERS_FIRST);
        }
        self.is_seen = is_pending;
        is_left
    }

    /// Without a descriptor, because a sandbox forbids it or the process has none left, only those signals stay blocked
    /// whose handlers are likely to jump or fork: a user must be able to end the program.
    fn open(&mut self) {
        let Some(blocked) = self.blocked else { return };
        match sys::signal_descriptor(&blocked.before) {
            Ok(opened) => self.descriptor = Some(opened),
            Err(_) => {
                sys::block_fewer_signals(&blocked.before);
                self.blocked = None;
            }
        }
    }
}

impl Drop for PendingSignals<'_> {
    fn drop(&mut self) {
        if let (Some(descriptor), Some(blocked)) = (self.descriptor.take(), self.blocked) {
            // The host process may have closed it, and the number may refer to another file by now.
            if !sys::is_signal_descriptor(&descriptor, &blocked.before) {
                let _ = descriptor.into_raw_fd();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::RawFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;
    use crate::sys::tests::{close, event_counter, is_open, raise_blocked, replace, take_blocked};

    /// Runs `test` in a thread whose signals are blocked.
    fn with_blocked_signals(test: impl FnOnce(PendingSignals<'_>) + Send) {
        let run = || {
            let blocked = BlockedSignals::block().unwrap();
            test(PendingSignals::of(Some(&blocked)));
            blocked.restore();
        };
        thread::scope(|scope| scope.spawn(run).join().unwrap());
    }

    /// Polls as a lookup does, until it has polled the descriptor once. Runs `meanwhile` if it would wait for it.
    fn look(signals: &mut PendingSignals<'_>, meanwhile: impl FnOnce()) -> bool {
        let (max_wait, polled) = loop {
            let (max_wait, polled) = signals.before_wait();
            if polled.fd >= 0 {
                break (max_wait, polled);
            }
            thread::sleep(max_wait);
            assert!(!signals.after_wait(polled));
        };
        if !max_wait.is_zero() {
            meanwhile();
        }
        let mut list = [polled];
        sys::poll(&mut list, Duration::ZERO).unwrap();
        signals.after_wait(list[0])
    }

    #[test]
    fn each_signal_is_left_to_other_threads_for_a_moment() {
        with_blocked_signals(|mut signals| {
            assert!(!look(&mut signals, raise_blocked));
            take_blocked();
            let mut is_raised = false;
            while !is_raised {
                assert!(!look(&mut signals, || {
                    raise_blocked();
                    is_raised = true;
                }));
            }
            assert!(look(&mut signals, || {}));
            take_blocked();
        });
    }

    /// The number of the descriptor, which now refers to `file`, as if the host process had closed it.
    fn replaced(signals: &mut PendingSignals<'_>, file: &impl AsRawFd) -> RawFd {
        assert!(!look(signals, || {}));
        let number = signals.descriptor.as_ref().unwrap().as_raw_fd();
        replace(number, file);
        number
    }

    /// All files of the kinds that have no inode of their own, such as event counters, share one with signalfds.
    #[test]
    fn an_event_counter_that_reuses_the_descriptor_stays_open() {
        with_blocked_signals(|mut signals| {
            let number = replaced(&mut signals, &event_counter());
            drop(signals);
            assert!(is_open(number));
            close(number);
        });
    }

    #[test]
    fn a_connection_that_has_ended_and_reuses_the_descriptor_is_not_polled_again() {
        with_blocked_signals(|mut signals| {
            let (stream, peer) = UnixStream::pair().unwrap();
            drop(peer);
            let number = replaced(&mut signals, &stream);
            assert!(!look(&mut signals, || {}));
            assert!(signals.descriptor.is_none());
            drop(signals);
            assert!(is_open(number));
            close(number);
        });
    }
}
