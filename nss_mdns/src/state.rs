//! What the process keeps between calls: the resolver with its memory, and which threads are inside a call.
//!
//! All of it hangs on one page that the kernel wipes in the child of a fork (`MADV_WIPEONFORK`), because another thread
//! may have held the cache's lock at that moment: the child starts afresh. Nothing here waits for another thread.

use std::hint;
use std::io;
use std::num::NonZeroUsize;
use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use once_cell::race::OnceNonZeroUsize;
use resolver_core::config::MAX_TIMEOUT;
use resolver_core::{LookupError, Resolver};

use crate::abi::Failure;
use crate::allocator;

/// Runs `body` with the process's resolver, unless this thread is inside a call already.
pub(crate) fn enter(body: impl FnOnce(&Resolver) -> Result<(), Failure>) -> Result<(), Failure> {
    let page = Page::of_process().map_err(|error| Failure::Lookup(LookupError::from_io(&error)))?;
    let shared = page.shared();
    let _mark = shared.mark_thread()?;
    if allocator::is_low() {
        return Err(LookupError::Exhausted.into());
    }
    body(shared.resolver().ok_or(LookupError::Exhausted)?)
}

/// The contents of the page. All zeroes are its state at first, and after a fork.
struct Shared {
    resolver: AtomicPtr<Resolver>,
    /// The process that the contents belong to, where the kernel does not wipe.
    pid: AtomicI32,
    threads: [Mark; MARKS],
}

/// That a thread is inside a call.
///
/// Not a thread-local variable: glibc allocates those of a loaded module when they are first used, and ends the process if
/// there is no memory.
struct Mark {
    /// Its `pthread_self`, or 0.
    thread: AtomicUsize,
    /// A place on its stack.
    frame: AtomicUsize,
    /// When it entered, in seconds of `CLOCK_MONOTONIC`.
    since: AtomicU32,
}

const MARKS: usize = 128;

/// How many places a thread's mark may have. Where all are taken, the thread goes unmarked.
const PROBES: usize = 8;

/// No call takes this long, in seconds, whatever the settings say: what is older was left behind by a `longjmp`.
const LONGEST_CALL: u32 = 30;
const _: () = assert!(LONGEST_CALL > 2 * MAX_TIMEOUT as u32 / 1000);

impl Shared {
    /// The resolver, made on first use, if there is memory for it. If two threads make one at once, the second is
    /// dropped.
    fn resolver(&self) -> Option<&Resolver> {
        let mut resolver = self.resolver.load(Ordering::Acquire);
        if resolver.is_null() {
            silence_panics();
            let new = Box::new(Resolver::default());
            if allocator::is_reserved(&raw const *new) {
                return None;
            }
            let new = Box::into_raw(new);
            match self.resolver.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => resolver = new,
                Err(first) => {
                    // SAFETY: it came from Box::into_raw above and nobody else has seen it.
                    drop(unsafe { Box::from_raw(new) });
                    resolver = first;
                }
            }
        }
        // SAFETY: a resolver that is in place is never freed while the process lives.
        Some(unsafe { &*resolver })
    }

    /// Marks this thread as inside a call.
    fn mark_thread(&self) -> Result<Option<MarkedThread<'_>>, Failure> {
        let here = 0u8;
        let frame = hint::black_box(&raw const here).addr();
        // SAFETY: pthread_self has no preconditions.
        let thread = usize::try_from(unsafe { libc::pthread_self() }).unwrap_or(usize::MAX);
        let now = seconds();
        // Thread ids are addresses of descriptors, which lie whole pages apart.
        let start = (thread >> 12) % MARKS;
        let places = || self.threads.iter().cycle().skip(start).take(PROBES);
        if let Some(mark) = places().find(|mark| mark.thread.load(Ordering::Relaxed) == thread) {
            // A call from within a call has its frame below. One that was left by a longjmp is old, or not above us.
            let is_within = frame < mark.frame.load(Ordering::Relaxed)
                && now.wrapping_sub(mark.since.load(Ordering::Relaxed)) < LONGEST_CALL;
            if is_within {
                return Err(Failure::Reentered);
            }
            return Ok(Some(mark.set(frame, now)));
        }
        let free =
            places().find(|mark| mark.thread.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok());
        Ok(free.map(|mark| mark.set(frame, now)))
    }
}

impl Mark {
    fn set(&self, frame: usize, since: u32) -> MarkedThread<'_> {
        self.frame.store(frame, Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        MarkedThread(self)
    }
}

/// Takes the mark away when the call ends.
struct MarkedThread<'a>(&'a Mark);

impl Drop for MarkedThread<'_> {
    fn drop(&mut self) {
        self.0.thread.store(0, Ordering::Relaxed);
    }
}

/// The page itself: its address and, in the lowest bit, whether the kernel wipes it in the child of a fork.
///
/// In one word, because that is what can be agreed on without a lock, and without memory for it.
#[derive(Clone, Copy)]
struct Page(NonZeroUsize);

impl Page {
    const SIZE: usize = 4096;
    const WIPED_ON_FORK: usize = 1;

    /// The process's page, mapped on first use. If two threads map one at once, the second is unmapped.
    fn of_process() -> io::Result<Self> {
        static PAGE: OnceNonZeroUsize = OnceNonZeroUsize::new();
        if let Some(page) = PAGE.get() {
            return Ok(Self(page));
        }
        let new = Self::map()?;
        if PAGE.set(new.0).is_err() {
            // SAFETY: the mapping is ours and nobody has seen it.
            unsafe { libc::munmap(new.address().cast(), Self::SIZE) };
        }
        Ok(PAGE.get().map_or(new, Self))
    }

    fn map() -> io::Result<Self> {
        const { assert!(size_of::<Shared>() <= Self::SIZE) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory there is.
        let address = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, protection, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping is ours. Since Linux 4.14; without it the pid is looked at.
        let wiped_on_fork = unsafe { libc::madvise(address, Self::SIZE, libc::MADV_WIPEONFORK) } == 0;
        let word = address.expose_provenance() | if wiped_on_fork { Self::WIPED_ON_FORK } else { 0 };
        NonZeroUsize::new(word).map(Self).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
    }

    fn address(self) -> *mut Shared {
        ptr::with_exposed_provenance_mut(self.0.get() & !Self::WIPED_ON_FORK)
    }

    fn shared(self) -> &'static Shared {
        // SAFETY: the mapping is large enough, aligned, zeroed, which is a valid Shared, and never unmapped once it is
        // the process's.
        let shared = unsafe { &*self.address() };
        if self.0.get() & Self::WIPED_ON_FORK == 0 {
            shared.wipe_after_fork();
        }
        shared
    }
}

impl Shared {
    /// What the kernel does elsewhere. The old resolver stays allocated: its lock may be held for ever.
    fn wipe_after_fork(&self) {
        // SAFETY: getpid has no preconditions.
        let pid = unsafe { libc::getpid() };
        if self.pid.swap(pid, Ordering::Relaxed) == pid {
            return;
        }
        self.resolver.store(ptr::null_mut(), Ordering::Release);
        for mark in &self.threads {
            mark.thread.store(0, Ordering::Relaxed);
        }
    }
}

/// Sees to it that a panic is not printed to the host's standard error. The hook is that of this module's own copy of the
/// standard library: a host in Rust keeps its own.
fn silence_panics() {
    static SILENCED: AtomicBool = AtomicBool::new(false);
    // The hook of a test program is the tests' own.
    if cfg!(not(test)) && !SILENCED.swap(true, Ordering::Relaxed) {
        panic::set_hook(Box::new(|_| {}));
    }
}

/// The time of `CLOCK_MONOTONIC_COARSE`, in seconds.
fn seconds() -> u32 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local variable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    u32::try_from(time.tv_sec).unwrap_or(0)
}
