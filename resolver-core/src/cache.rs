//! The cache: a bounded map from names to answers. Every entry expires, and the least recently used one of a shard is
//! evicted first.
//!
//! Reads no clock: `now` is an argument.

use std::hash::BuildHasher;
use std::time::Instant;

use lru::LruCache;

use crate::lookup::answer::{Answer, Pointer};
use crate::try_alloc;
use crate::wire::Name;

/// What is cached for a name.
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

/// The maximum number of names in one shard.
const MAX_SHARD: usize = 256;

/// The size of the largest hash table that a shard allocates, in octets: 1024 buckets of 16 octets and a control octet,
/// and 16 more control octets. A table of 256 names has 512 buckets, but tombstones of removed names can make it double
/// once.
const LARGEST_TABLE: usize = 1024 * 17 + 16;

/// A bounded map from names to cache entries.
///
/// It is divided into shards because `LruCache` allocates its table infallibly. If `malloc` fails, the table comes from
/// the reserve of the module's allocator, so it must be small. The least recently used name of a shard is evicted, not
/// that of the whole cache.
#[derive(Default)]
pub(crate) struct Cache {
    /// A name belongs to the shard that its hash selects.
    shards: Vec<LruCache<Name, CacheEntry>>,
    hasher: lru::DefaultHasher,
    /// The size that the shards were created for; 0 if there are none.
    size: usize,
    /// The maximum number of names in each shard.
    shard_size: usize,
    /// The generation of the settings under which all entries were found.
    generation: u32,
}

impl Cache {
    /// Discards all entries unless they were found under this generation of the settings.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        if self.generation != generation {
            self.resize(0);
            self.generation = generation;
        }
    }

    /// The entry of `name`, if it has not expired at `now` and was found under this generation of the settings. Whether
    /// it becomes the most recently used one of its shard is left to [`Cache::promote`].
    pub(crate) fn peek(&self, name: &Name, generation: u32, now: Instant) -> Option<&CacheEntry> {
        let is_current = self.generation == generation;
        let entry = self.shards.get(self.shard_index(name)?)?.peek(name);
        entry.filter(|entry| is_current && now < entry.expires())
    }

    /// True if the order of use will soon decide which name of a shard is evicted.
    pub(crate) fn is_order_needed(&self, name: &Name) -> bool {
        let shard = self.shard_index(name).and_then(|index| self.shards.get(index));
        shard.is_some_and(|shard| shard.len() > self.shard_size / 2)
    }

    /// Makes the entry of `name` the most recently used one of its shard.
    pub(crate) fn promote(&mut self, name: &Name) {
        if let Some(shard) = self.shard(name) {
            shard.promote(name);
        }
    }

    /// The entry of `name`, if it has not expired at `now`. It becomes the most recently used one of its shard.
    pub(crate) fn use_entry(&mut self, name: &Name, now: Instant) -> Option<&CacheEntry> {
        let shard = self.shard(name)?;
        let fresh = shard.peek(name).map(|entry| now < entry.expires())?;
        if !fresh {
            shard.pop(name);
            return None;
        }
        shard.get(name)
    }

    /// Inserts the entry of `name`, or replaces it, in a cache of at most `size` names. Discards all other entries if
    /// the size has changed. Inserts nothing if memory is short.
    pub(crate) fn insert(&mut self, name: &Name, entry: CacheEntry, size: usize) {
        if !try_alloc::can_allocate(LARGEST_TABLE) {
            return;
        }
        if self.size != size {
            self.resize(size);
        }
        let shard_size = self.shard_size;
        let Some(shard) = self.shard(name) else { return };
        // `LruCache::new` would bound the size too, but allocates the whole table at once, in every process.
        if shard.len() >= shard_size && !shard.contains(name) {
            shard.pop_lru();
        }
        shard.put(name.clone(), entry);
    }

    /// Replaces the shards with empty ones for `size` names. The new size is 0 if memory is short.
    #[cold]
    fn resize(&mut self, size: usize) {
        self.shards.clear();
        self.size = 0;
        let count = size.div_ceil(MAX_SHARD);
        let Some(shard_size) = size.checked_div(count) else { return };
        if try_alloc::reserve(&mut self.shards, count) {
            self.shards.resize_with(count, LruCache::unbounded);
            (self.size, self.shard_size) = (size, shard_size);
        }
    }

    fn shard(&mut self, name: &Name) -> Option<&mut LruCache<Name, CacheEntry>> {
        let index = self.shard_index(name)?;
        self.shards.get_mut(index)
    }

    /// The index of the shard that `name` belongs to; None if there are no shards.
    fn shard_index(&self, name: &Name) -> Option<usize> {
        if self.shards.len() == 1 {
            return Some(0);
        }
        // The low bits of the hash are not evenly distributed: multiply, and use the high half of the product.
        let mixed = self.hasher.hash_one(name).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        usize::try_from(mixed.checked_rem(self.shards.len() as u64)?).ok()
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
        assert!(cache.use_entry(&name("A.LOCAL"), start + Duration::from_millis(999)).is_some());
        assert!(cache.use_entry(&name("a.local"), start + Duration::from_secs(1)).is_none());
        assert_eq!(cache.shards[0].len(), 0);
    }

    #[test]
    fn a_new_entry_replaces_the_old() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(start + Duration::from_secs(1)), 1);
        cache.insert(&name("A.local"), no_response(start + Duration::from_secs(9)), 1);
        assert!(cache.use_entry(&name("a.local"), start + Duration::from_secs(8)).is_some());
    }

    #[test]
    fn the_least_recently_used_name_is_evicted_first() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(later), 2);
        cache.insert(&name("b.local"), no_response(later), 2);
        cache.use_entry(&name("a.local"), start);
        cache.insert(&name("c.local"), no_response(later), 2);
        assert!(cache.use_entry(&name("a.local"), start).is_some());
        assert!(cache.use_entry(&name("b.local"), start).is_none());
        assert!(cache.use_entry(&name("c.local"), start).is_some());
    }

    #[test]
    fn entries_found_under_other_settings_are_removed() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(later), 2);
        cache.set_generation(0);
        assert!(cache.use_entry(&name("a.local"), start).is_some());
        cache.set_generation(1);
        assert!(cache.use_entry(&name("a.local"), start).is_none());
    }

    #[test]
    fn a_large_cache_holds_nearly_as_many_names_as_its_size() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        for size in [257, 600, 4096] {
            let mut cache = Cache::default();
            for number in 0..2 * size {
                let name = name(&format!("{number}.local"));
                cache.insert(&name, no_response(later), size);
                assert!(cache.use_entry(&name, start).is_some());
            }
            let lengths: Vec<_> = cache.shards.iter().map(LruCache::len).collect();
            let total: usize = lengths.iter().sum();
            assert!(lengths.iter().all(|&length| length <= MAX_SHARD), "{size}: {lengths:?}");
            assert!(total <= size && total > size - lengths.len(), "{size}: {lengths:?}");
            cache.set_generation(1);
            assert!(cache.use_entry(&name("0.local"), start).is_none());
        }
    }

    #[test]
    fn another_size_discards_all_entries() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(later), 300);
        cache.insert(&name("b.local"), no_response(later), 1);
        assert!(cache.use_entry(&name("a.local"), start).is_none());
        assert!(cache.use_entry(&name("b.local"), start).is_some());
        cache.insert(&name("b.local"), no_response(later), 0);
        assert!(cache.use_entry(&name("b.local"), start).is_none());
    }

    #[test]
    fn a_cache_of_size_0_keeps_nothing() {
        let now = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), no_response(now + Duration::from_secs(1)), 0);
        assert!(cache.use_entry(&name("a.local"), now).is_none());
    }
}
