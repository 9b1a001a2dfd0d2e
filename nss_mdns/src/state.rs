//! Per-process state between calls: the resolver with its cache, interrupted lookups, and which threads are inside a call.
//!
//! All of it is reached from one page that the kernel zeroes in the child of a fork (`MADV_WIPEONFORK`). Another thread
//! may have held the cache's lock at the time of the fork, so the child starts with a new resolver. Nothing here waits
//! for another thread.

use std::hint;
use std::io;
use std::num::NonZeroUsize;
use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use once_cell::race::OnceNonZeroUsize;
use resolver_core::config::MAX_TIMEOUT;
use resolver_core::{InterruptedLookup, LookupError, Resolver};

use crate::allocator;
use crate::interrupted::{InterruptedLookups, Ticket};
use crate::result_codes::Failure;

/// Runs `body` with what the process's threads share and the lookup with this ticket, if it still exists, unless this thread
/// is already inside a call.
///
/// # Errors
/// Those of `body`; [`Failure::Reentered`]; [`LookupError::Exhausted`] if memory is short; those of `mmap(2)`.
pub(crate) fn enter(
    ticket: Option<Ticket>,
    body: impl FnOnce(&Shared, Option<InterruptedLookup>, StackPosition) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let local = 0u8;
    let stack_position = hint::black_box(&raw const local).addr();
    let page = Page::of_process().map_err(|error| Failure::Lookup(LookupError::from_io(&error)))?;
    let state = page.state();
    let _slot = state.occupy_slot(stack_position)?;
    if allocator::is_low() {
        return Err(LookupError::Exhausted.into());
    }
    let shared = state.shared().ok_or(LookupError::Exhausted)?;
    let interrupted = ticket.and_then(|ticket| shared.interrupted.take(ticket));
    shared.interrupted.drop_abandoned(stack_position);
    body(shared, interrupted, stack_position)
}

/// The address of a local variable of a call.
pub(crate) type StackPosition = usize;

/// The contents of the page. All zeroes are its initial state, and its state after a fork.
struct ProcessState {
    shared: AtomicPtr<Shared>,
    /// The process that the contents belong to. Used only where the kernel does not zero the page.
    pid: AtomicI32,
    threads: [ThreadSlot; THREAD_SLOTS],
}

/// What all threads of a process share.
pub(crate) struct Shared {
    pub(crate) resolver: Resolver,
    pub(crate) interrupted: InterruptedLookups<InterruptedLookup>,
    /// What the process had before it forked.
    _older: *mut Shared,
}

/// The newest one. LeakSanitizer looks for pointers to allocated memory in static variables, but not in the page. In the
/// child of a fork, the older ones stay allocated, because their locks may be held forever.
static NEWEST: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// Records that a thread is inside a call.
///
/// This is not a thread-local variable because glibc allocates the thread-local variables of a `dlopen`ed module on
/// first use, and terminates the process if there is no memory for them.
struct ThreadSlot {
    /// The thread's `pthread_self`; 0 if the slot is free.
    thread: AtomicUsize,
    /// Its [`StackPosition`].
    stack_position: AtomicUsize,
    /// When the call began, in seconds of `CLOCK_MONOTONIC_COARSE`.
    entered_at: AtomicU32,
}

/// The number of slots. It must fit into the page.
const THREAD_SLOTS: usize = 128;

/// How many slots a thread may choose from: its home slot and those after it. If all are occupied, the thread is not
/// recorded, and a call from within its call is not detected.
const SLOTS_PER_THREAD: usize = 8;

/// A time in seconds that exceeds the duration of every call, whatever the settings are. An older record was left
/// behind by a `longjmp`.
pub(crate) const MAX_CALL: u32 = 30;
const _: () = assert!(MAX_CALL > 2 * MAX_TIMEOUT as u32 / 1000);

impl ProcessState {
    /// What the threads share, created on first use; None if there is no memory for it.
    fn shared(&self) -> Option<&Shared> {
        let shared = self.shared.load(Ordering::Acquire);
        let shared = if shared.is_null() { self.create_shared()? } else { shared };
        // SAFETY: what has been stored is not freed while the process lives.
        Some(unsafe { &*shared })
    }

    /// Creates what the threads share. If two threads do this at the same time, the second one's is dropped.
    #[cold]
    #[inline(never)]
    fn create_shared(&self) -> Option<*mut Shared> {
        silence_panics();
        let new = Box::new(Shared {
            resolver: Resolver::default(),
            interrupted: InterruptedLookups::default(),
            _older: NEWEST.load(Ordering::Acquire),
        });
        if allocator::is_in_reserve(&raw const *new) {
            return None;
        }
        let new = Box::into_raw(new);
        match self.shared.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            // Only one thread gets here before the next fork.
            Ok(_) => {
                NEWEST.store(new, Ordering::Release);
                Some(new)
            }
            Err(first) => {
                // SAFETY: it came from Box::into_raw above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                Some(first)
            }
        }
    }

    /// Records this thread as inside a call until the returned value is dropped; None if no slot is free.
    ///
    /// # Errors
    /// [`Failure::Reentered`] if the thread is inside a call already.
    fn occupy_slot(&self, stack_position: StackPosition) -> Result<Option<OccupiedSlot<'_>>, Failure> {
        let thread = this_thread();
        let now = monotonic_seconds();
        // A pthread_t is the address of the thread's descriptor; no two of these are on the same page.
        let home = (thread >> 12) % THREAD_SLOTS;
        let slots = || self.threads.iter().cycle().skip(home).take(SLOTS_PER_THREAD);
        if let Some(slot) = slots().find(|slot| slot.thread.load(Ordering::Relaxed) == thread) {
            // The stack grows downward, so the position of a nested call is below that of the outer one. Other records
            // were left behind by a longjmp: they are too old, or their position is not above this one.
            let is_nested = stack_position < slot.stack_position.load(Ordering::Relaxed)
                && now.wrapping_sub(slot.entered_at.load(Ordering::Relaxed)) < MAX_CALL;
            if is_nested {
                return Err(Failure::Reentered);
            }
            return Ok(Some(slot.fill(stack_position, now)));
        }
        let free =
            slots().find(|slot| slot.thread.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok());
        Ok(free.map(|slot| slot.fill(stack_position, now)))
    }
}

impl ThreadSlot {
    fn fill(&self, stack_position: StackPosition, entered_at: u32) -> OccupiedSlot<'_> {
        self.stack_position.store(stack_position, Ordering::Relaxed);
        self.entered_at.store(entered_at, Ordering::Relaxed);
        OccupiedSlot(self)
    }
}

/// Frees the slot when the call ends.
struct OccupiedSlot<'a>(&'a ThreadSlot);

impl Drop for OccupiedSlot<'_> {
    fn drop(&mut self) {
        self.0.thread.store(0, Ordering::Relaxed);
    }
}

/// The page's address and, in the lowest bit, whether the kernel zeroes the page in the child of a fork.
///
/// Both are in one word because threads can agree on a word without a lock and without an allocation.
#[derive(Clone, Copy)]
struct Page(NonZeroUsize);

impl Page {
    const SIZE: usize = 4096;
    const WIPED_ON_FORK: usize = 1;

    /// The process's page, mapped on first use. If two threads map one at the same time, the second is unmapped.
    fn of_process() -> io::Result<Self> {
        static PAGE: OnceNonZeroUsize = OnceNonZeroUsize::new();
        if let Some(page) = PAGE.get() {
            return Ok(Self(page));
        }
        let new = Self::map()?;
        if PAGE.set(new.0).is_err() {
            // SAFETY: this thread made the mapping, and no other thread has seen it.
            unsafe { libc::munmap(new.address().cast(), Self::SIZE) };
        }
        Ok(PAGE.get().map_or(new, Self))
    }

    fn map() -> io::Result<Self> {
        const { assert!(size_of::<ProcessState>() <= Self::SIZE) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address that the kernel chooses affects no existing memory.
        let address = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping was made above. MADV_WIPEONFORK needs Linux 4.14; without it the pid is compared.
        let wiped_on_fork = unsafe { libc::madvise(address, Self::SIZE, libc::MADV_WIPEONFORK) } == 0;
        let word = address.expose_provenance() | if wiped_on_fork { Self::WIPED_ON_FORK } else { 0 };
        NonZeroUsize::new(word).map(Self).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
    }

    fn address(self) -> *mut ProcessState {
        ptr::with_exposed_provenance_mut(self.0.get() & !Self::WIPED_ON_FORK)
    }

    fn state(self) -> &'static ProcessState {
        // SAFETY: the mapping is large enough, aligned and zeroed, which is a valid ProcessState. The process's page is
        // never unmapped.
        let state = unsafe { &*self.address() };
        if self.0.get() & Self::WIPED_ON_FORK == 0 {
            state.reset_after_fork();
        }
        state
    }
}

impl ProcessState {
    /// In the child of a fork, does what `MADV_WIPEONFORK` does on newer kernels. What the threads shared stays allocated,
    /// because its locks may be held forever.
    fn reset_after_fork(&self) {
        // SAFETY: getpid has no preconditions.
        let pid = unsafe { libc::getpid() };
        if self.pid.swap(pid, Ordering::Relaxed) == pid {
            return;
        }
        self.shared.store(ptr::null_mut(), Ordering::Release);
        for slot in &self.threads {
            slot.thread.store(0, Ordering::Relaxed);
        }
    }
}

/// Prevents panics from being printed to the host process's standard error. The hook is set in the module's own copy of
/// the standard library. A host process that is written in Rust keeps its hook.
fn silence_panics() {
    static SILENCED: AtomicBool = AtomicBool::new(false);
    // A test program keeps the hook of the test harness.
    if cfg!(not(test)) && !SILENCED.swap(true, Ordering::Relaxed) {
        panic::set_hook(Box::new(|_| {}));
    }
}

/// This thread's `pthread_self`, which is not 0.
pub(crate) fn this_thread() -> usize {
    // SAFETY: pthread_self has no preconditions.
    usize::try_from(unsafe { libc::pthread_self() }).unwrap_or(usize::MAX)
}

/// The time of `CLOCK_MONOTONIC_COARSE`, in seconds.
pub(crate) fn monotonic_seconds() -> u32 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local variable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    u32::try_from(time.tv_sec).unwrap_or(0)
}
