//! Fault injection for tests: a build with the feature `panic-injection` panics at a chosen point of a lookup. In any
//! other build this code does nothing.

/// A point of a lookup at which a test can inject a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Point {
    /// The call has begun.
    Begin = 1,
    /// The cache is being used; its lock is held.
    Cache,
    /// The settings have been read.
    Settings,
    /// The interfaces are about to be read.
    Interfaces,
    /// The sockets are open.
    Sockets,
    /// Queries have been sent.
    Sent,
    /// A packet has arrived.
    Received,
    /// A response has been accepted.
    Accepted,
    /// An answer is being cached; the cache's lock is held.
    CacheInsert,
    /// The answer is about to be written to the caller's buffer.
    Encode,
}

#[cfg(feature = "panic-injection")]
static ARMED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// From now on, every lookup that reaches the point with this number panics; 0 disables this.
#[cfg(feature = "panic-injection")]
pub fn panic_at(point: u32) {
    ARMED.store(point, std::sync::atomic::Ordering::Relaxed);
}

/// Marks a point of a lookup.
#[inline(always)]
#[allow(clippy::panic)]
pub fn point(point: Point) {
    #[cfg(feature = "panic-injection")]
    if ARMED.load(std::sync::atomic::Ordering::Relaxed) == point as u32 {
        panic!("injected at {point:?}");
    }
    let _ = point;
}
