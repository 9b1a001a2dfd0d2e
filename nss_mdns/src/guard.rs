//! What surrounds every call, because it runs in somebody else's thread.
//!
//! | hazard | guard |
//! |---|---|
//! | a signal handler that jumps out of the call, or that forks | the signals that programs handle so are blocked |
//! | a thread that is cancelled in the call | cancellation is off until all is cleaned up |
//! | a call from within the call | refused, by the thread's mark in [`crate::state`] |
//! | a panic | caught, and printed nowhere |
//! | `errno` | as it was, but where glibc is told something |
//!
//! The order matters: signals first and last, cancellation within, the panic's net inside of both.

use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use libc::c_int;
use resolver_core::Resolver;

use crate::abi::{Direction, Failure, Status, h_errno};
use crate::state;

/// Where glibc wants to be told what became of a call.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    errnop: *mut c_int,
    h_errnop: *mut c_int,
    direction: Direction,
}

impl Report {
    /// For a call with these pointers.
    ///
    /// # Safety
    /// Each must be null or the caller's to write.
    pub(crate) unsafe fn new(errnop: *mut c_int, h_errnop: *mut c_int, direction: Direction) -> Self {
        Self { errnop, h_errnop, direction }
    }

    /// Writes what there is to be said of a call. Success leaves `*errnop` as it was.
    pub(crate) fn write(self, result: Result<(), Failure>) -> Status {
        let (status, errno, h_errno) = match result {
            Ok(()) => (Status::Success, None, h_errno::NETDB_SUCCESS),
            Err(failure) => {
                let outcome = failure.outcome(self.direction);
                (outcome.status, Some(outcome.errno), outcome.h_errno)
            }
        };
        // SAFETY: by `new`, each pointer is null or to memory that may be written.
        unsafe {
            if let Some(h_errnop) = self.h_errnop.as_mut() {
                *h_errnop = h_errno;
            }
            if let (Some(errnop), Some(errno)) = (self.errnop.as_mut(), errno) {
                *errnop = errno;
            }
        }
        status
    }
}

/// Runs `body`, which fills the outputs as the last thing it does, with all guards up.
pub(crate) fn call(report: Report, body: impl FnOnce(&Resolver) -> Result<(), Failure>) -> Status {
    let errno = Errno::save();
    let signals = BlockedSignals::block();
    let cancellation = CancellationOff::turn_off();
    let result = panic::catch_unwind(AssertUnwindSafe(|| state::enter(body)));
    let result = result.unwrap_or(Err(Failure::Panicked));
    errno.restore();
    let status = report.write(result);
    drop(cancellation);
    drop(signals);
    status
}

struct Errno(c_int);

impl Errno {
    fn save() -> Self {
        // SAFETY: the address is that of this thread's errno.
        Self(unsafe { *libc::__errno_location() })
    }

    fn restore(self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// Signals that programs handle in ways that would leave a call half done. INT and TERM stay live, so that a user can end
/// a program that is looking up a name.
const BLOCKED: [c_int; 12] = [
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPIPE,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGIO,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGPROF,
    libc::SIGURG,
    libc::SIGWINCH,
];

struct BlockedSignals {
    before: Option<libc::sigset_t>,
}

impl BlockedSignals {
    fn block() -> Self {
        let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set that the others use; `before` is only read if it was filled.
        let before = unsafe {
            libc::sigemptyset(blocked.as_mut_ptr());
            for signal in BLOCKED {
                libc::sigaddset(blocked.as_mut_ptr(), signal);
            }
            let failed = libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr()) != 0;
            (!failed).then(|| before.assume_init())
        };
        Self { before }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the set was filled by pthread_sigmask.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}

struct CancellationOff {
    before: c_int,
}

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    // Missing from the libc crate for Linux.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

impl CancellationOff {
    fn turn_off() -> Self {
        let mut before = 0;
        // SAFETY: the pointer is to a local variable.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        Self { before }
    }
}

impl Drop for CancellationOff {
    fn drop(&mut self) {
        // SAFETY: glibc allows the second pointer to be null. Turning cancellation on again is no cancellation point.
        unsafe { pthread_setcancelstate(self.before, ptr::null_mut()) };
    }
}
