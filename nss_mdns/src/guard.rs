//! Protection around every call, because the module runs in a thread of the host process.
//!
//! | hazard | protection |
//! |---|---|
//! | A signal handler jumps out of the call (`longjmp`), ends the thread, forks, or looks up a name itself. | Signals are blocked while the call holds anything: a descriptor, a lock, memory. |
//! | A program stands still while its signals are blocked. | A pending signal interrupts a lookup within a few ms, or as soon as it has the lock that it waits for (about 100 ms at most, more on an overloaded machine). The lookup closes its sockets and is kept in [`crate::interrupted`], its handler runs, and the lookup goes on. |
//! | The thread is cancelled during the call. | Cancellation is disabled until the call has cleaned up. |
//! | The thread calls the module from within a call. | The inner call fails; [`crate::state`] records the thread. |
//! | The module panics. | The panic is caught, and not printed. |
//! | The call changes `errno`. | It is restored before `*errnop` is written, which may be `errno` itself. |
//!
//! The order matters. Signals are blocked first and unblocked last, cancellation is disabled inside that, and panics
//! are caught inside both. Handlers run in [`call`], where no value has a destructor, and in functions that may unwind
//! (`extern "C-unwind"`): jumping over it and unwinding through it leaves nothing behind. A thread that allows asynchronous
//! cancellation may end there as well.

use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::time::Duration;

use libc::c_int;
use resolver_core::{BlockedSignals, Interruption, LookupError, Resolver};

use crate::abi::{Status, h_errno};
use crate::allocator;
use crate::interrupted::Ticket;
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

/// Runs `body` with every protection in place, and reports its result. `body` must write its outputs last. It runs again
/// after each signal that interrupts it.
#[inline(never)]
pub(crate) fn call(
    report: Report,
    body: impl Fn(&Resolver, &mut Interruption<'_>) -> Result<(), Failure> + Copy,
) -> Status {
    let mut progress = Progress { interrupted: None, time_left: None };
    loop {
        let blocked = BlockedSignals::block();
        let cancellation = Cancellation::disable();
        let status = attempt(report, &body, blocked.as_ref(), &mut progress);
        cancellation.restore();
        if let Some(blocked) = blocked {
            let errno = Errno::save();
            // The handlers of pending signals run here, and need not return.
            blocked.restore();
            errno.restore();
        }
        if let Some(status) = status {
            return status;
        }
    }
}

/// How far a call has come that was interrupted.
#[derive(Clone, Copy)]
struct Progress {
    interrupted: Option<Ticket>,
    time_left: Option<Duration>,
}

/// Runs `body` until it ends or is interrupted. None if it was interrupted.
#[inline(never)]
fn attempt(
    report: Report,
    body: &dyn Fn(&Resolver, &mut Interruption<'_>) -> Result<(), Failure>,
    blocked: Option<&BlockedSignals>,
    progress: &mut Progress,
) -> Option<Status> {
    let errno = Errno::save();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        state::enter(progress.interrupted.take(), |shared, interrupted, stack_position| {
            let mut interruption = Interruption::by(blocked, interrupted, progress.time_left);
            let result = body(&shared.resolver, &mut interruption);
            if result == Err(Failure::Lookup(LookupError::Interrupted)) {
                let (interrupted, time_left) = interruption.take();
                // Nothing may stay in the allocator's reserve, so without memory the lookup begins again.
                let kept = interrupted.filter(|_| !allocator::is_reserve_in_use());
                progress.interrupted = kept.and_then(|lookup| shared.interrupted.keep(lookup, stack_position));
                progress.time_left = time_left;
            }
            result
        })
    }));
    let result = result.unwrap_or(Err(Failure::Panicked));
    errno.restore();
    let is_interrupted = result == Err(Failure::Lookup(LookupError::Interrupted));
    (!is_interrupted).then(|| report.write(result))
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

/// The thread's cancellation state before the call.
struct Cancellation(c_int);

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C-unwind" {
    // The libc crate does not declare it for Linux.
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

impl Cancellation {
    fn disable() -> Self {
        let mut before = 0;
        // SAFETY: the pointer is to a local variable.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        Self(before)
    }

    /// Ends the thread if it has been cancelled and allows asynchronous cancellation.
    fn restore(self) {
        // SAFETY: glibc allows the second pointer to be null.
        unsafe { pthread_setcancelstate(self.0, ptr::null_mut()) };
    }
}
