//! The whole way of a lookup: what is remembered, else what the network says, remembered before it is returned.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::answer::{Address, Answer, Families, Family, sort_by_rank};
use crate::answers::AddressCollector;
use crate::cache::{Cache, Remembered};
use crate::config::Config;
use crate::error::LookupError;
use crate::interfaces::Interfaces;
use crate::memory;
use crate::pointer::PointerCollector;
use crate::policy::{self, ReverseRange};
use crate::querier::{self, Schedule};
use crate::stages::{self, Stage};
use crate::sys;
use crate::wire::Name;

/// How often the cache's lock is tried before the lookup does without it. It is held for about a microsecond, in which
/// nothing is asked of the kernel but, at times, memory. Nobody waits for it: after a fork in another thread it might
/// never be free again.
const LOCK_TRIES: u32 = 100;

/// A resolver with its memory. To be shared by all threads of a process.
pub struct Resolver {
    config: Config,
    cache: Mutex<Cache>,
}

/// The name of an address.
#[derive(Debug)]
pub struct Pointer {
    /// The name: under `.local`, and clean.
    pub name: Name,
    /// How long it is good for.
    pub ttl: Duration,
}

impl Resolver {
    /// A resolver that remembers nothing yet.
    pub fn new(config: Config) -> Self {
        Self { cache: Mutex::new(Cache::new(config.cache_size)), config }
    }

    /// The addresses of the host called `name`, at least those of the `wanted` families.
    ///
    /// Waits for the network until the answer is complete, at most for [`Config::timeout`].
    ///
    /// # Errors
    /// [`LookupError::Silence`] if nobody answered, [`LookupError::NoData`] if the host has no address of these families,
    /// and whatever kept the network from being asked.
    pub fn lookup(&self, name: &Name, wanted: Families) -> Result<Answer, LookupError> {
        match self.remembered_host(name, wanted, Instant::now()) {
            Some(remembered) => remembered,
            None => self.ask_for_host(name, wanted),
        }
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
        let interfaces = Interfaces::read()?;
        let is_own = is_own_name(name);
        let mut collector = AddressCollector::new(name, wanted, &self.config);
        let asked = querier::run(&mut collector, &interfaces, self.schedule(self.config.timeout, is_own));
        let now = Instant::now();
        let mut answer = match collector.finish(&interfaces, now) {
            Some(answer) => answer,
            None if is_own => self.own_answer(name, &interfaces, now),
            None => return Err(asked.err().unwrap_or_else(|| self.remember_silence(name, now))),
        };
        self.remember_host(name, &mut answer, now);
        if answer.has_any(wanted) { Ok(answer) } else { Err(LookupError::NoData) }
    }

    #[inline(never)]
    fn remember_host(&self, name: &Name, answer: &mut Answer, now: Instant) {
        self.with_cache(|cache| {
            stages::reach(Stage::Remember);
            if let Some(Remembered::Host(older)) = cache.get(name, now) {
                answer.adopt(older);
            }
            if let Some(copy) = answer.try_clone() {
                cache.insert(name, Remembered::Host(copy));
            }
        });
    }

    #[inline(never)]
    fn ask_for_pointer(&self, name: &Name, ip: IpAddr) -> Result<Pointer, LookupError> {
        stages::reach(Stage::Interfaces);
        let interfaces = Interfaces::read()?;
        if interfaces.on_link(ip).next().is_none() {
            return Err(LookupError::NotOurs);
        }
        let mut collector = PointerCollector::new(name, ip);
        let asked = querier::run(&mut collector, &interfaces, self.schedule(self.config.reverse_timeout, false));
        let now = Instant::now();
        let Some((target, ttl)) = collector.finish() else {
            return Err(asked.err().unwrap_or_else(|| self.remember_silence(name, now)));
        };
        let pointer = Pointer { name: target, ttl: ttl.min(self.config.ttl_max) };
        self.remember_pointer(name, &pointer, now);
        Ok(pointer)
    }

    #[inline(never)]
    fn remember_pointer(&self, name: &Name, pointer: &Pointer, now: Instant) {
        let entry = Remembered::Pointer { target: pointer.name.clone(), expires: now + pointer.ttl };
        self.with_cache(|cache| {
            stages::reach(Stage::Remember);
            cache.insert(name, entry);
        });
    }

    /// The schedule of a lookup. For the machine's own name the first silence is enough: if a responder on it knew
    /// better, it would have answered.
    fn schedule(&self, timeout: Duration, is_own_name: bool) -> Schedule {
        let [first_retry, _] = self.config.retries;
        let timeout = if is_own_name { timeout.min(first_retry) } else { timeout };
        Schedule { timeout, retries: self.config.retries }
    }

    /// The machine's own addresses.
    #[inline(never)]
    fn own_answer(&self, name: &Name, interfaces: &Interfaces, now: Instant) -> Answer {
        let mut addresses = Vec::new();
        for own in interfaces.own_addresses().filter(|own| policy::is_host_address(own.ip)) {
            memory::push(&mut addresses, Address { ip: own.ip, interface: own.interface });
        }
        sort_by_rank(&mut addresses, |address| u8::from(address.is_link_local()));
        let mut absent = Families::BOTH;
        for address in &addresses {
            absent.remove(Family::of(address.ip));
        }
        // A responder elsewhere that has this name may only have been slow: it gets another chance soon.
        Answer { canonical: name.clone(), addresses, absent, expires: now + self.config.silence_ttl }
    }

    #[inline(never)]
    fn remember_silence(&self, name: &Name, now: Instant) -> LookupError {
        let expires = now + self.config.silence_ttl;
        let known = self.with_cache(|cache| match cache.get(name, now) {
            // Another lookup has heard of the host: silence now is a lost packet, and says nothing of what is known.
            Some(Remembered::Host(_)) => true,
            _ => {
                cache.insert(name, Remembered::Silence { expires });
                false
            }
        });
        if known == Some(true) { LookupError::NoData } else { LookupError::Silence }
    }

    /// Does something with the cache, or nothing if its lock cannot be had.
    fn with_cache<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> Option<T> {
        for _ in 0..LOCK_TRIES {
            if let Some(mut cache) = self.cache.try_lock() {
                stages::reach(Stage::Cache);
                return Some(work(&mut cache));
            }
            std::hint::spin_loop();
        }
        None
    }
}

fn is_own_name(name: &Name) -> bool {
    policy::is_own_name(name, sys::host_name(&mut [0; 65]))
}
