//! Message ids that a host off the link cannot predict: random octets from the kernel, different ones for every query.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use crate::sys;

/// How many ids are fetched with one system call.
const BATCH: usize = 16;

/// A source of random ids. It never returns 0, because responders that do not echo the id send 0.
#[derive(Debug)]
pub struct Ids {
    octets: [u8; 2 * BATCH],
    used: usize,
}

impl Ids {
    /// A source for one lookup.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { octets: [0; 2 * BATCH], used: 2 * BATCH }
    }

    /// The next id.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u16 {
        loop {
            if self.used >= self.octets.len() {
                self.fetch();
            }
            let pair = self.octets.get(self.used..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0, 1]);
            self.used += 2;
            match u16::from_be_bytes(pair) {
                0 => {}
                id => return id,
            }
        }
    }

    fn fetch(&mut self) {
        self.used = 0;
        if !sys::random(&mut self.octets) {
            fill_without_getrandom(&mut self.octets);
        }
    }
}

/// For a sandbox that denies `getrandom(2)`: hashes the random octets that the kernel gave the process at its start,
/// the time in nanoseconds and a counter. These ids are easier to predict, but a response must still come from the
/// link.
#[cold]
fn fill_without_getrandom(octets: &mut [u8]) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    for chunk in octets.chunks_mut(8) {
        let mut hasher = DefaultHasher::new();
        hasher.write(&sys::random_at_start());
        hasher.write_u128(time.as_nanos());
        hasher.write_usize(COUNT.fetch_add(1, Ordering::Relaxed));
        let octets = hasher.finish().to_ne_bytes();
        chunk.copy_from_slice(octets.get(..chunk.len()).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_vary_and_are_never_0() {
        let mut ids = Ids::new();
        let mut seen: Vec<_> = (0..1000).map(|_| ids.next()).collect();
        assert!(!seen.contains(&0));
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 950);
    }

    #[test]
    fn ids_vary_without_getrandom_too() {
        let mut octets = [0; 2000];
        fill_without_getrandom(&mut octets);
        let mut seen: Vec<_> = octets.chunks(2).map(<[u8]>::to_vec).collect();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 950);
    }
}
