//! The whole way of a lookup: what is remembered, else what the network says, remembered before it is returned.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::allow::{self, Allowed, Suffixes};
use crate::answer::{Address, Answer, Families, Family, sort_by_rank};
use crate::answers::{AddressCollector, leave_out_ipv6_link_local};
use crate::cache::{Cache, Remembered};
use crate::config::{self, Config};
use crate::error::LookupError;
use crate::interfaces::Interfaces;
use crate::lock;
use crate::memory;
use crate::pointer::PointerCollector;
use crate::policy::{self, NameRange, ReverseRange};
use crate::querier;
use crate::stages::{self, Stage};
use crate::sys;
use crate::watched::Watched;
use crate::wire::Name;

/// How long silence is remembered.
const SILENCE_TTL: Duration = Duration::from_secs(1);

/// How long somebody else may take to answer to the machine's own name, whenever the question is repeated.
const OWN_NAME_SILENCE: Duration = Duration::from_millis(250);

/// A resolver with its memory and the administrator's settings. To be shared by all threads of a process.
pub struct Resolver {
    config: Watched<Config>,
    allowed: Watched<Allowed>,
    /// How often the settings have changed.
    generation: AtomicU32,
    cache: Mutex<Cache>,
}

/// The settings by which a lookup is made.
struct Settings {
    config: Arc<Config>,
    /// That of the resolver when they were read.
    generation: u32,
}

/// The name of an address.
#[derive(Debug)]
pub struct Pointer {
    /// The name: under `.local`, and clean.
    pub name: Name,
    /// How long it is good for.
    pub ttl: Duration,
}

impl Default for Resolver {
    /// A resolver that has read no file and remembers nothing yet.
    fn default() -> Self {
        Self {
            config: Watched::new(config::FILE),
            allowed: Watched::new(allow::FILE),
            generation: AtomicU32::new(0),
            cache: Mutex::new(Cache::default()),
        }
    }
}

impl Resolver {
    /// The addresses of the host called `name`, at least those of the `wanted` families, if the name, spelled so, is within
    /// `range`.
    ///
    /// Waits for the network until the answer is complete, at most for [`Config::timeout`].
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] for a name out of range, [`LookupError::Silence`] if nobody answered,
    /// [`LookupError::NoData`] if the host has no address of these families (or they are none), and whatever kept the
    /// network from being asked.
    pub fn lookup(
        &self,
        name: &Name,
        spelling: &[u8],
        range: NameRange,
        wanted: Families,
    ) -> Result<Answer, LookupError> {
        if !self.is_ours(name, spelling, range) {
            return Err(LookupError::NotOurs);
        }
        if wanted == Families::default() {
            return Err(LookupError::NoData);
        }
        match self.remembered_host(name, wanted, Instant::now()) {
            Some(remembered) => remembered,
            None => self.ask_for_host(name, wanted),
        }
    }

    /// Whether `name`, spelled so, is within `range`.
    ///
    /// Looks at a file only where the answer depends on it: never for a name of two labels and [`NameRange::Local`].
    #[inline(never)]
    fn is_ours(&self, name: &Name, spelling: &[u8], range: NameRange) -> bool {
        let allowed = match range {
            NameRange::Local => None,
            NameRange::Allowed => Some(self.allowed()),
        };
        let labels = || self.settings().config.labels;
        range.contains(name, spelling, allowed.as_deref().unwrap_or(&Allowed::Local), labels)
    }

    /// The name of the host with the address `ip`, if that is within `range`.
    ///
    /// Waits for the network at most for [`Config::reverse_timeout`].
    ///
    /// # Errors
    /// [`LookupError::NotOurs`], without a system call where that can be told without, for an address out of range;
    /// otherwise as [`Resolver::lookup`].
    pub fn reverse(&self, ip: IpAddr, range: ReverseRange) -> Result<Pointer, LookupError> {
        if !range.may_contain(ip) {
            return Err(LookupError::NotOurs);
        }
        let name = Name::of_address(ip);
        let now = Instant::now();
        match self.remembered_pointer(&name, now) {
            Some(remembered) => remembered,
            None => self.ask_for_pointer(&name, ip),
        }
    }

    #[inline(never)]
    fn remembered_pointer(&self, name: &Name, now: Instant) -> Option<Result<Pointer, LookupError>> {
        self.with_cache(|cache| match cache.get(name, now) {
            Some(Remembered::Pointer { target, expires }) => {
                Some(Ok(Pointer { name: target.clone(), ttl: expires.saturating_duration_since(now) }))
            }
            Some(Remembered::Silence { .. }) => Some(Err(LookupError::Silence)),
            _ => None,
        })
        .flatten()
    }

    #[inline(never)]
    fn remembered_host(&self, name: &Name, wanted: Families, now: Instant) -> Option<Result<Answer, LookupError>> {
        self.with_cache(|cache| match cache.get(name, now)? {
            Remembered::Host(answer) if answer.settles(wanted) => Some(if answer.has_any(wanted) {
                answer.try_clone().ok_or(LookupError::Exhausted)
            } else {
                Err(LookupError::NoData)
            }),
            Remembered::Silence { .. } => Some(Err(LookupError::Silence)),
            _ => None,
        })
        .flatten()
    }

    #[inline(never)]
    fn ask_for_host(&self, name: &Name, wanted: Families) -> Result<Answer, LookupError> {
        stages::reach(Stage::Interfaces);
        let settings = &self.settings();
        let config = &*settings.config;
        let interfaces = Interfaces::read(config)?;
        let is_own = config.own_name && is_own_name(name);
        let mut collector = AddressCollector::new(name, wanted, config);
        let asked = querier::run(&mut collector, &interfaces, config, timeout(config, is_own));
        let now = Instant::now();
        let mut answer = match collector.finish(&interfaces, now) {
            Some(answer) => answer,
            None if is_own => own_answer(name, &interfaces, config, now),
            None => return Err(asked.err().unwrap_or_else(|| self.remember_silence(name, settings, now))),
        };
        self.remember_host(name, &mut answer, settings, now);
        if answer.has_any(wanted) { Ok(answer) } else { Err(LookupError::NoData) }
    }

    #[inline(never)]
    fn remember_host(&self, name: &Name, answer: &mut Answer, settings: &Settings, now: Instant) {
        self.with_cache_of(settings, |cache| {
            stages::reach(Stage::Remember);
            if let Some(Remembered::Host(older)) = cache.get(name, now) {
                answer.adopt(older);
            }
            if let Some(copy) = answer.try_clone() {
                cache.insert(name, Remembered::Host(copy), settings.config.cache_size);
            }
        });
    }

    #[inline(never)]
    fn ask_for_pointer(&self, name: &Name, ip: IpAddr) -> Result<Pointer, LookupError> {
        stages::reach(Stage::Interfaces);
        let settings = &self.settings();
        let config = &*settings.config;
        if !config.reverse.may_contain(ip) {
            return Err(LookupError::NotOurs);
        }
        let interfaces = Interfaces::read(config)?;
        if interfaces.on_link(ip).next().is_none() {
            return Err(LookupError::NotOurs);
        }
        let mut collector = PointerCollector::new(name, ip);
        let asked = querier::run(&mut collector, &interfaces, config, config.reverse_timeout);
        let now = Instant::now();
        let Some((target, ttl)) = collector.finish() else {
            return Err(asked.err().unwrap_or_else(|| self.remember_silence(name, settings, now)));
        };
        let pointer = Pointer { name: target, ttl: ttl.min(config.ttl_max) };
        self.remember_pointer(name, &pointer, settings, now);
        Ok(pointer)
    }

    #[inline(never)]
    fn remember_pointer(&self, name: &Name, pointer: &Pointer, settings: &Settings, now: Instant) {
        let entry = Remembered::Pointer { target: pointer.name.clone(), expires: now + pointer.ttl };
        self.with_cache_of(settings, |cache| {
            stages::reach(Stage::Remember);
            cache.insert(name, entry, settings.config.cache_size);
        });
    }

    #[inline(never)]
    fn remember_silence(&self, name: &Name, settings: &Settings, now: Instant) -> LookupError {
        let expires = now + SILENCE_TTL;
        let known = self.with_cache_of(settings, |cache| match cache.get(name, now) {
            // Another lookup has heard of the host: silence now is a lost packet, and says nothing of what is known.
            Some(Remembered::Host(_)) => true,
            _ => {
                cache.insert(name, Remembered::Silence { expires }, settings.config.cache_size);
                false
            }
        });
        if known == Some(true) { LookupError::NoData } else { LookupError::Silence }
    }

    /// The settings that hold now. What was remembered by others is forgotten.
    #[inline(never)]
    fn settings(&self) -> Settings {
        let generation = self.generation.load(Ordering::Relaxed);
        let (config, changed) = self.config.get(|text| config::parse(text.unwrap_or_default(), &mut |_| {}));
        stages::reach(Stage::Settings);
        let next = || self.generation.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Settings { config, generation: if changed { next() } else { generation } }
    }

    /// What `/etc/mdns.allow` says now.
    fn allowed(&self) -> Arc<Allowed> {
        let read = |text: Option<&[u8]>| match text {
            Some(text) => Allowed::Listed(Suffixes::parse(text, &mut |_| {})),
            None => Allowed::Local,
        };
        self.allowed.get(read).0
    }

    /// Does something with the cache, unless other settings hold by now, or its lock cannot be had.
    fn with_cache_of<T>(&self, settings: &Settings, work: impl FnOnce(&mut Cache) -> T) -> Option<T> {
        let hold = settings.generation == self.generation.load(Ordering::Relaxed);
        if hold { self.with_cache(work) } else { None }
    }

    /// Does something with the cache, in which there is only what was found by the settings that hold, or nothing if its
    /// lock cannot be had.
    fn with_cache<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> Option<T> {
        lock::with(&self.cache, |cache| {
            stages::reach(Stage::Cache);
            cache.forget_others(self.generation.load(Ordering::Relaxed));
            work(cache)
        })
    }
}

/// How long a lookup waits. For the machine's own name the first silence is enough: if a responder on it knew better, it
/// would have answered.
fn timeout(config: &Config, is_own_name: bool) -> Duration {
    let first_silence = config.retries.get(0).unwrap_or(OWN_NAME_SILENCE).min(OWN_NAME_SILENCE);
    if is_own_name { config.timeout.min(first_silence) } else { config.timeout }
}

/// The machine's own addresses.
#[inline(never)]
fn own_answer(name: &Name, interfaces: &Interfaces, config: &Config, now: Instant) -> Answer {
    let mut addresses = Vec::new();
    for own in interfaces.own_addresses().filter(|own| policy::is_host_address(own.ip)) {
        memory::push(&mut addresses, Address { ip: own.ip, interface: own.interface });
    }
    if !config.ipv6_link_local {
        leave_out_ipv6_link_local(&mut addresses);
    }
    let mut absent = Families::BOTH;
    for address in &addresses {
        absent.remove(Family::of(address.ip));
    }
    sort_by_rank(&mut addresses, |address| u8::from(address.is_link_local()));
    // A responder elsewhere that has this name may only have been slow: it gets another chance soon.
    Answer { canonical: name.clone(), addresses, absent, expires: now + SILENCE_TTL.min(config.ttl_max) }
}

fn is_own_name(name: &Name) -> bool {
    policy::is_own_name(name, sys::host_name(&mut [0; 65]))
}
