//! Where lookups are kept while the handlers of the signals run that interrupted them.
//!
//! A handler may never return to the lookup: it may jump out of it, or end the thread. A lookup that is kept here is
//! therefore dropped if its thread begins another one that is not inside that handler, or if there is no other place for a
//! newer one. If it is not here any more when its handler returns, the lookup begins again, which costs only time. So it
//! does no harm if one is dropped by mistake.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use crate::state::{MAX_CALL, StackPosition, monotonic_seconds, this_thread};

/// How many lookups can be kept at the same time.
const PLACES: usize = 32;

/// The lookups of a process that signals have interrupted.
#[derive(Debug)]
pub(crate) struct InterruptedLookups<T> {
    places: [Place<T>; PLACES],
    /// How many places are in use.
    count: AtomicUsize,
}

/// The number of the next ticket. The child of a fork has other lookups, but goes on counting: a handler that forks returns
/// to the interrupted lookup in the child too, whose ticket must not be good for one of the child's.
static NEXT_TICKET: AtomicU32 = AtomicU32::new(0);

/// A lookup that is kept, and a hint to whose it is. The hint may be older than the lookup.
#[derive(Debug)]
struct Place<T> {
    kept: AtomicPtr<Kept<T>>,
    thread: AtomicUsize,
    since: AtomicU32,
}

impl<T> Place<T> {
    /// The ticket of the lookup that this thread has just put here.
    fn ticket(&self, index: usize, number: u32, now: u32) -> Ticket {
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        Ticket { place: index, number }
    }
}

#[derive(Debug)]
struct Kept<T> {
    ticket: u32,
    stack_position: StackPosition,
    lookup: T,
}

/// Identifies a lookup that is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    place: usize,
    number: u32,
}

impl<T> Default for InterruptedLookups<T> {
    fn default() -> Self {
        let place =
            || Place { kept: AtomicPtr::new(ptr::null_mut()), thread: AtomicUsize::new(0), since: AtomicU32::new(0) };
        Self { places: [(); PLACES].map(|()| place()), count: AtomicUsize::new(0) }
    }
}

// Another thread may drop a lookup.
impl<T: Send> InterruptedLookups<T> {
    /// Keeps a lookup of this thread whose call is at this position on the stack. None if there is no place for it.
    pub(crate) fn keep(&self, lookup: T, stack_position: StackPosition) -> Option<Ticket> {
        let number = NEXT_TICKET.fetch_add(1, Ordering::Relaxed);
        let now = monotonic_seconds();
        let mut kept = Box::new(Kept { ticket: number, stack_position, lookup });
        // All threads that are inside lookups may be interrupted at the same moment.
        for (index, place) in self.places.iter().enumerate() {
            match self.put_into(place, kept) {
                Ok(()) => return Some(place.ticket(index, number, now)),
                Err(back) => kept = back,
            }
        }
        let is_old = |place: &Place<T>| now.wrapping_sub(place.since.load(Ordering::Relaxed)) > MAX_CALL;
        let (index, place) = self.places.iter().enumerate().find(|(_, place)| is_old(place))?;
        drop(self.take_from(place));
        self.put_into(place, kept).ok()?;
        Some(place.ticket(index, number, now))
    }

    /// The lookup with this ticket, unless it has been dropped.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<T> {
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
                // It is dropped if another thread has taken the place meanwhile.
                let _ = self.put_into(place, kept);
            }
        }
    }

    /// Returns the lookup if the place is not free.
    fn put_into(&self, place: &Place<T>, kept: Box<Kept<T>>) -> Result<(), Box<Kept<T>>> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let kept = Box::into_raw(kept);
        let result = place.kept.compare_exchange(ptr::null_mut(), kept, Ordering::AcqRel, Ordering::Relaxed);
        result.map(|_| ()).map_err(|_| {
            self.count.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: it came from Box::into_raw above, and no other thread has seen it.
            unsafe { Box::from_raw(kept) }
        })
    }

    fn take_from(&self, place: &Place<T>) -> Option<Box<Kept<T>>> {
        let kept = place.kept.swap(ptr::null_mut(), Ordering::AcqRel);
        if kept.is_null() {
            return None;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: it came from Box::into_raw, and the swap has given it to this thread alone.
        Some(unsafe { Box::from_raw(kept) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const POSITION: StackPosition = 0x7000;

    #[test]
    fn a_lookup_is_taken_once() {
        let lookups = InterruptedLookups::default();
        let (first, second) = (lookups.keep("first", POSITION).unwrap(), lookups.keep("second", POSITION).unwrap());
        assert_eq!((lookups.take(second), lookups.take(first)), (Some("second"), Some("first")));
        assert_eq!((lookups.take(second), lookups.take(first)), (None, None));
        assert_eq!(lookups.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_ticket_is_not_good_for_a_later_lookup_in_the_same_place() {
        let lookups = InterruptedLookups::default();
        let first = lookups.keep("first", POSITION).unwrap();
        lookups.drop_abandoned(POSITION);
        let second = lookups.keep("second", POSITION).unwrap();
        assert_eq!(first.place, second.place);
        assert_eq!(lookups.take(first), None);
    }

    #[test]
    fn a_ticket_is_not_good_for_a_lookup_of_the_child_of_a_fork() {
        let (parents, childs) = (InterruptedLookups::default(), InterruptedLookups::default());
        let ticket = parents.keep("parent's", POSITION).unwrap();
        childs.keep("child's", POSITION).unwrap();
        assert_eq!(childs.take(ticket), None);
    }

    #[test]
    fn only_lookups_that_this_thread_has_left_are_dropped() {
        let lookups = Arc::new(InterruptedLookups::default());
        let others = Arc::clone(&lookups);
        let other = std::thread::spawn(move || others.keep("other thread", POSITION).unwrap());
        let other = other.join().unwrap();
        let outer = lookups.keep("outer", POSITION).unwrap();
        // A call in a handler is deeper on the stack than the lookup that it interrupted.
        lookups.drop_abandoned(POSITION - 1);
        let inner = lookups.keep("inner", POSITION - 1).unwrap();
        // The handler has jumped out of its own lookup.
        lookups.drop_abandoned(POSITION - 1);
        assert_eq!(lookups.take(inner), None);
        assert_eq!(lookups.take(outer), Some("outer"));
        lookups.drop_abandoned(POSITION + 1);
        assert_eq!(lookups.take(other), Some("other thread"));
    }

    #[test]
    fn threads_that_are_interrupted_at_the_same_time_keep_their_lookups() {
        let lookups = &InterruptedLookups::default();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        let ticket = lookups.keep(thread, POSITION).unwrap();
                        assert_eq!(lookups.take(ticket), Some(thread));
                    }
                });
            }
        });
    }

    #[test]
    fn if_all_places_are_taken_only_an_old_lookup_is_replaced() {
        let lookups = InterruptedLookups::default();
        let tickets: Vec<_> = (0..PLACES).map(|number| lookups.keep(number, POSITION).unwrap()).collect();
        assert!(lookups.keep(PLACES, POSITION).is_none());
        let old = monotonic_seconds().wrapping_sub(MAX_CALL + 1);
        lookups.places[3].since.store(old, Ordering::Relaxed);
        let newest = lookups.keep(PLACES, POSITION).unwrap();
        assert_eq!(newest.place, 3);
        for (number, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(lookups.take(ticket), (number != 3).then_some(number), "{number}");
        }
    }
}
