//! Protection around every call, because the module runs in a thread of the host process.
//!
//! | hazard | protection |
//! |---|---|
//! | A signal handler jumps out of the call (`longjmp`) or forks. | Signals that programs handle that way are blocked. |
//! | The thread is cancelled during the call. | Cancellation is disabled until the call has cleaned up. |
//! | The thread calls the module from within a call. | The inner call fails; [`crate::state`] records the thread. |
//! | The module panics. | The panic is caught, and not printed. |
//! | The call changes `errno`. | It is restored before `*errnop` is written, which may be `errno` itself. |
//!
//! The order matters. Signals are blocked first and unblocked last, cancellation is disabled inside that, and panics
//! are caught inside both.

use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use libc::c_int;
use resolver_core::Resolver;

use crate::abi::{Status, h_errno};
use crate::result_codes::{Direction, Failure};
use crate::state;

/// Where glibc expects the codes of a call's outcome.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    errnop: *mut c_int,
    h_errnop: *mut c_int,
    direction: Direction,
}

impl Report {
    /// The report of a call with these pointers.
    ///
    /// # Safety
    /// Each must be null or valid for writes.
    pub(crate) unsafe fn new(errnop: *mut c_int, h_errnop: *mut c_int, direction: Direction) -> Self {
        Self { errnop, h_errnop, direction }
    }

    /// Writes the outcome of a call. Success leaves `*errnop` unchanged.
    pub(crate) fn write(self, result: Result<(), Failure>) -> Status {
        let (status, errno, h_errno) = match result {
            Ok(()) => (Status::Success, None, h_errno::NETDB_SUCCESS),
            Err(failure) => {
                let outcome = failure.outcome(self.direction);
                (outcome.status, Some(outcome.errno), outcome.h_errno)
            }
        };
        // SAFETY: the caller of `new` guaranteed that each pointer is null or valid for writes.
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

/// Runs `body` with every protection in place, and reports its result. `body` must write its outputs last.
pub(crate) fn call(report: Report, body: impl FnOnce(&Resolver) -> Result<(), Failure>) -> Status {
    let errno = Errno::save();
    let signals = BlockedSignals::block();
    let cancellation = CancellationDisabled::disable();
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
        // SAFETY: __errno_location returns the address of this thread's errno.
        Self(unsafe { *libc::__errno_location() })
    }

    fn restore(self) {
        // SAFETY: as in `save`.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// The signals that are blocked, because programs have handlers for them that may jump out of the call or fork. SIGINT
/// and SIGTERM are not blocked, so that a user can end a program that is looking up a name.
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
        // SAFETY: sigemptyset initialises the set that the others use. `before` is read only if pthread_sigmask filled
        // it.
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
            // SAFETY: pthread_sigmask filled the set.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}

struct CancellationDisabled {
    before: c_int,
}

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    // The libc crate does not declare it for Linux.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

impl CancellationDisabled {
    fn disable() -> Self {
        let mut before = 0;
        // SAFETY: the pointer is to a local variable.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        Self { before }
    }
}

impl Drop for CancellationDisabled {
    fn drop(&mut self) {
        // SAFETY: glibc allows the second pointer to be null. Enabling cancellation is not a cancellation point.
        unsafe { pthread_setcancelstate(self.before, ptr::null_mut()) };
    }
}
