//! Where lookups are kept while the handlers of the signals run that interrupted them.
//!
//! A handler may never return to the lookup: it may jump out of it, or end the thread. A lookup that is kept here is
//! therefore dropped if its thread begins another one that is not inside that handler, or if there is no other place for a
//! newer one. If it is not here any more when its handler returns, the lookup begins again, which costs only time. So it
//! does no harm if one is dropped by mistake.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use resolver_core::InterruptedLookup;

use crate::state::{MAX_CALL, StackPosition, monotonic_seconds, this_thread};

/// How many lookups can be kept at the same time.
const PLACES: usize = 32;

/// The lookups of a process that signals have interrupted.
#[derive(Debug)]
pub(crate) struct InterruptedLookups {
    places: [Place; PLACES],
    /// How many places are in use.
    count: AtomicUsize,
    next_ticket: AtomicU32,
}

/// A lookup that is kept, and a hint to whose it is. The hint may be older than the lookup.
#[derive(Debug)]
struct Place {
    kept: AtomicPtr<Kept>,
    thread: AtomicUsize,
    since: AtomicU32,
}

#[derive(Debug)]
struct Kept {
    ticket: u32,
    stack_position: StackPosition,
    lookup: InterruptedLookup,
}

/// Identifies a lookup that is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    place: usize,
    number: u32,
}

impl Default for InterruptedLookups {
    fn default() -> Self {
        let place =
            || Place { kept: AtomicPtr::new(ptr::null_mut()), thread: AtomicUsize::new(0), since: AtomicU32::new(0) };
        Self { places: [(); PLACES].map(|()| place()), count: AtomicUsize::new(0), next_ticket: AtomicU32::new(0) }
    }
}

impl InterruptedLookups {
    /// Keeps a lookup of this thread whose call is at this position on the stack. None if there is no place for it.
    pub(crate) fn keep(&self, lookup: InterruptedLookup, stack_position: StackPosition) -> Option<Ticket> {
        let number = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let now = monotonic_seconds();
        let is_free = |place: &Place| place.kept.load(Ordering::Relaxed).is_null();
        let is_old = |place: &Place| now.wrapping_sub(place.since.load(Ordering::Relaxed)) > MAX_CALL;
        let index = self.places.iter().position(is_free).or_else(|| self.places.iter().position(is_old))?;
        let place = self.places.get(index)?;
        place.thread.store(this_thread(), Ordering::Relaxed);
        place.since.store(now, Ordering::Relaxed);
        drop(self.take_from(place));
        let kept = Box::new(Kept { ticket: number, stack_position, lookup });
        self.put_into(place, kept).then_some(Ticket { place: index, number })
    }

    /// The lookup with this ticket, unless it has been dropped.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<InterruptedLookup> {
        let kept = self.take_from(self.places.get(ticket.place)?)?;
        // Otherwise it is another thread's lookup, which begins again.
        (kept.ticket == ticket.number).then_some(kept.lookup)
    }

    /// Drops the lookups of this thread that it has left by a jump, at the start of a call at this position on the stack.
    /// The stack grows downward, so the call is inside a handler only if it is below the lookup's own.
    pub(crate) fn drop_abandoned(&self, stack_position: StackPosition) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let thread = this_thread();
        for place in self.places.iter().filter(|place| place.thread.load(Ordering::Relaxed) == thread) {
            let Some(kept) = self.take_from(place) else { continue };
            if stack_position < kept.stack_position {
                self.put_into(place, kept);
            }
        }
    }

    /// False, and the lookup is dropped, if another thread has taken the place meanwhile.
    fn put_into(&self, place: &Place, kept: Box<Kept>) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let kept = Box::into_raw(kept);
        let result = place.kept.compare_exchange(ptr::null_mut(), kept, Ordering::AcqRel, Ordering::Relaxed);
        if result.is_err() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: it came from Box::into_raw above, and no other thread has seen it.
            drop(unsafe { Box::from_raw(kept) });
        }
        result.is_ok()
    }

    fn take_from(&self, place: &Place) -> Option<Box<Kept>> {
        let kept = place.kept.swap(ptr::null_mut(), Ordering::AcqRel);
        if kept.is_null() {
            return None;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: it came from Box::into_raw, and the swap has given it to this thread alone.
        Some(unsafe { Box::from_raw(kept) })
    }
}
