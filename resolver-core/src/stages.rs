//! The stages of a lookup, at each of which a test build can be made to panic. In any other build there is nothing here.

/// A stage of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// The call has begun.
    Begin = 1,
    /// The cache is looked into, and its lock held.
    Cache,
    /// The settings have been read.
    Settings,
    /// The interfaces are about to be read.
    Interfaces,
    /// The sockets are open.
    Sockets,
    /// Questions have been sent.
    Asked,
    /// A packet has come.
    Received,
    /// A packet is believed.
    Believed,
    /// An answer is remembered, and the cache's lock held.
    Remember,
    /// The answer is about to be written to the caller's buffer.
    Encode,
}

#[cfg(feature = "panic-injection")]
static ARMED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Makes every lookup panic that reaches the stage of this number; none for 0.
#[cfg(feature = "panic-injection")]
pub fn panic_at(stage: u32) {
    ARMED.store(stage, std::sync::atomic::Ordering::Relaxed);
}

/// Says that a lookup is at this stage.
#[inline(always)]
#[allow(clippy::panic)]
pub fn reach(stage: Stage) {
    #[cfg(feature = "panic-injection")]
    if ARMED.load(std::sync::atomic::Ordering::Relaxed) == stage as u32 {
        panic!("injected at {stage:?}");
    }
    let _ = stage;
}
