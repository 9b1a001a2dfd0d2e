//! What was learned a moment ago: least recently used names go first, every entry has its time.
//!
//! No clock is read here: `now` is an argument.

use std::time::Instant;

use lru::LruCache;

use crate::answer::Answer;
use crate::memory;
use crate::wire::Name;

/// What is remembered of a name.
#[derive(Debug)]
pub(crate) enum Remembered {
    /// A host's addresses, until [`Answer::expires`].
    Host(Answer),
    /// The name that an address in reverse notation points to.
    Pointer {
        /// That name.
        target: Name,
        /// Until when.
        expires: Instant,
    },
    /// Nobody answered.
    Silence {
        /// Until when.
        expires: Instant,
    },
}

impl Remembered {
    fn expires(&self) -> Instant {
        match self {
            Self::Host(answer) => answer.expires,
            Self::Pointer { expires, .. } | Self::Silence { expires } => *expires,
        }
    }
}

/// The octets that the map's next table may take, for each name that is in it: of a table of which half is in use the next
/// is twice the size, and a place in it takes 17.
const GROWTH: usize = 80;

/// A bounded map from names to what is remembered of them.
pub(crate) struct Cache {
    // Bounded here, not by the map: that would take the memory for all its places at once, in every process.
    entries: LruCache<Name, Remembered>,
    /// Of the settings by which all of this was found.
    generation: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { entries: LruCache::unbounded(), generation: 0 }
    }
}

impl Cache {
    /// Forgets everything unless it was found by settings of that generation.
    pub(crate) fn forget_others(&mut self, generation: u32) {
        if self.generation != generation {
            self.entries.clear();
            self.generation = generation;
        }
    }

    /// What is remembered of `name`, if it is still good at `now`.
    pub(crate) fn get(&mut self, name: &Name, now: Instant) -> Option<&Remembered> {
        let fresh = self.entries.peek(name).map(|entry| now < entry.expires())?;
        if !fresh {
            self.entries.pop(name);
            return None;
        }
        self.entries.get(name)
    }

    /// Remembers `entry` of `name`, in place of what was remembered of it before, in a cache of at most `size` names;
    /// nothing where memory is short, because the map takes it for granted.
    pub(crate) fn insert(&mut self, name: &Name, entry: Remembered, size: usize) {
        if size == 0 || !memory::is_plenty(self.entries.len() * GROWTH) {
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

    fn silence(expires: Instant) -> Remembered {
        Remembered::Silence { expires }
    }

    #[test]
    fn entries_end_at_their_time() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), silence(start + Duration::from_secs(1)), 4);
        assert!(cache.get(&name("A.LOCAL"), start + Duration::from_millis(999)).is_some());
        assert!(cache.get(&name("a.local"), start + Duration::from_secs(1)).is_none());
        assert_eq!(cache.entries.len(), 0);
    }

    #[test]
    fn a_new_entry_takes_the_place_of_the_old() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), silence(start + Duration::from_secs(1)), 1);
        cache.insert(&name("A.local"), silence(start + Duration::from_secs(9)), 1);
        assert!(cache.get(&name("a.local"), start + Duration::from_secs(8)).is_some());
    }

    #[test]
    fn the_least_recently_used_name_goes_first() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), silence(later), 2);
        cache.insert(&name("b.local"), silence(later), 2);
        cache.get(&name("a.local"), start);
        cache.insert(&name("c.local"), silence(later), 2);
        assert!(cache.get(&name("a.local"), start).is_some());
        assert!(cache.get(&name("b.local"), start).is_none());
        assert!(cache.get(&name("c.local"), start).is_some());
    }

    #[test]
    fn what_was_found_by_other_settings_is_forgotten() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), silence(later), 2);
        cache.forget_others(0);
        assert!(cache.get(&name("a.local"), start).is_some());
        cache.forget_others(1);
        assert!(cache.get(&name("a.local"), start).is_none());
    }

    #[test]
    fn a_cache_of_no_names_keeps_none() {
        let now = Instant::now();
        let mut cache = Cache::default();
        cache.insert(&name("a.local"), silence(now + Duration::from_secs(1)), 0);
        assert!(cache.get(&name("a.local"), now).is_none());
    }
}
