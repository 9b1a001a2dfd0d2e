//! The cache: a bounded map from names to answers. Every entry expires, and the least recently used is evicted first.
//!
//! Reads no clock: `now` is an argument.

use std::time::Instant;

use lru::LruCache;

use crate::lookup::answer::{Answer, Pointer};
use crate::try_alloc;
use crate::wire::Name;

/// What is cached of a name.
#[derive(Debug)]
pub(crate) enum CacheEntry {
    /// The addresses of a host.
    Host(Answer),
    /// The name of an address; the key is the address in reverse notation.
    Pointer(Pointer),
    /// Nobody responded.
    NoResponse {
        /// When this expires.
        expires: Instant,
    },
}

impl CacheEntry {
    fn expires(&self) -> Instant {
        match self {
            Self::Host(answer) => answer.expires,
            Self::Pointer(pointer) => pointer.expires,
            Self::NoResponse { expires } => *expires,
        }
    }
}

/// The octets that the map's next table may take, for each name that is in it: of a table of which half is in use the next
/// is twice the size, and a place in it takes 17.
const GROWTH: usize = 80;

/// A bounded map from names to what is remembered of them.
pub(crate) struct Cache {
    // Bounded by `insert`: with a capacity of its own, the map would allocate all of it at once, in every process.
    entries: LruCache<Name, CacheEntry>,
    /// The generation of the settings under which the entries were found.
    generation: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { entries: LruCache::unbounded(), generation: 0 }
    }
}

impl Cache {
    /// Removes every entry, unless the entries were found under settings of this generation.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        if self.generation != generation {
            self.entries.clear();
            self.generation = generation;
        }
    }

    /// The entry of `name`, if it has not expired at `now`.
    pub(crate) fn get(&mut self, name: &Name, now: Instant) -> Option<&CacheEntry> {
        let fresh = self.entries.peek(name).map(|entry| now < entry.expires())?;
        if !fresh {
            self.entries.pop(name);
            return None;
        }
        self.entries.get(name)
    }

    /// Replaces the entry of `name`, in a cache of at most `size` names. Does nothing if memory is short, because the map
    /// allocates infallibly.
    pub(crate) fn insert(&mut self, name: &Name, entry: CacheEntry, size: usize) {
        if size == 0 || !try_alloc::is_plenty(self.entries.len() * GROWTH) {
            return;
        }
        if self.entries.len() >= size && !self.entries.contains(name) {
            self.entries.pop_lru();
        }
        self.entries.put(name.clone(), entry);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_text(text.as_bytes()).unwrap()
    }

    fn no_response(expires: Instant) -> CacheEntry {
        CacheEntry::NoResponse { expires }
    }

    #[test]
    fn entries_expire() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(start + Duration::from_secs(1)), 4);
        assert!(cache.get(&name("A.LOCAL"), start + Duration::from_millis(999)).is_some());
        assert!(cache.get(&name("a.local"), start + Duration::from_secs(1)).is_none());
        assert_eq!(cache.entries.len(), 0);
    }

    #[test]
    fn a_new_entry_replaces_the_old() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(start + Duration::from_secs(1)), 1);
        cache.insert(&name("A.local"), no_response(start + Duration::from_secs(9)), 1);
        assert!(cache.get(&name("a.local"), start + Duration::from_secs(8)).is_some());
    }

    #[test]
    fn the_least_recently_used_name_is_evicted_first() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(later), 2);
        cache.insert(&name("b.local"), no_response(later), 2);
        cache.get(&name("a.local"), start);
        cache.insert(&name("c.local"), no_response(later), 2);
        assert!(cache.get(&name("a.local"), start).is_some());
        assert!(cache.get(&name("b.local"), start).is_none());
        assert!(cache.get(&name("c.local"), start).is_some());
    }

    #[test]
    fn entries_found_under_other_settings_are_removed() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(later), 2);
        cache.set_generation(0);
        assert!(cache.get(&name("a.local"), start).is_some());
        cache.set_generation(1);
        assert!(cache.get(&name("a.local"), start).is_none());
    }

    #[test]
    fn a_cache_of_size_0_keeps_nothing() {
        let now = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(now + Duration::from_secs(1)), 0);
        assert!(cache.get(&name("a.local"), now).is_none());
    }
}
