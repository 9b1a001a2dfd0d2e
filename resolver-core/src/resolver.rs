//! A lookup from start to end: the cache; otherwise the interfaces, the querier, and the cache again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::address::{Address, Families, Family, is_host_address, is_link_local};
use crate::cache::{Cache, CacheEntry};
use crate::config::allow::{self, Allowed, Exclusion, Suffixes};
use crate::config::reload::ReloadedFile;
use crate::config::resolv_conf::{self, LocalDomains};
use crate::config::{self, Config};
use crate::error::LookupError;
use crate::fault_injection::{self, Point};
use crate::host_name::HostName;
use crate::interruption::{Interruption, NetworkLookup};
use crate::lock::Lock;
use crate::lookup::answer::{Answer, Pointer, Unknown, expiry, sort_by_rank};
use crate::lookup::host::{HostLookup, UNKNOWN_TTL};
use crate::lookup::reverse::ReverseLookup;
use crate::net::interfaces::Interfaces;
use crate::observer::{Event, Observer};
use crate::policy::{self, NameRange, NameSource, ReverseAddress};
use crate::sys;
use crate::try_alloc;
use crate::wire::Name;

/// How long a lookup of this machine's own name waits for a response.
const OWN_NAME_TIMEOUT: Duration = Duration::from_millis(250);

/// How many times a lookup waits for the cache's lock, a millisecond each time. A lookup that gives up queries the network
/// for a name that may be cached. With many more threads than processors, the holder may not run for tens of milliseconds.
const MAX_CACHE_LOCK_WAITS: u32 = 100;

/// The index of the loopback interface, the same in every network namespace.
const LOOPBACK: u32 = 1;

/// A resolver with its cache and settings. All threads of a process share one.
pub struct Resolver {
    config: ReloadedFile<Config>,
    allowed: ReloadedFile<Allowed>,
    local_domains: ReloadedFile<LocalDomains>,
    /// Counts the changes of the settings and of the search domains under `.local`.
    generation: AtomicU32,
    cache: Lock<Cache>,
}

/// The settings of one lookup.
struct Settings {
    config: Arc<Config>,
    /// The resolver's generation when they were read.
    generation: u32,
}

impl Default for Resolver {
    /// A resolver with an empty cache, which has read no file yet.
    fn default() -> Self {
        Self {
            config: ReloadedFile::new(config::FILE),
            allowed: ReloadedFile::new(allow::FILE),
            local_domains: ReloadedFile::new(resolv_conf::FILE),
            generation: AtomicU32::new(0),
            cache: Lock::new(Cache::default(), MAX_CACHE_LOCK_WAITS),
        }
    }
}

impl Resolver {
    /// The addresses of `host`, at least those of the `wanted` families, if the name is within `range`.
    ///
    /// Waits for responses until the answer is complete, at most for [`Config::timeout`].
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] for a name outside the range and for one that belongs to DNS,
    /// [`LookupError::NoResponse`] or [`LookupError::LeftToDns`] if nobody responded, [`LookupError::NoData`] if the host
    /// has no address in the wanted families, and the reason why the network could not be queried. If no family is
    /// wanted, [`LookupError::NoData`] or [`LookupError::LeftToDns`], and nobody is queried.
    pub fn lookup(&self, host: &HostName, range: NameRange, wanted: Families) -> Result<Answer, LookupError> {
        self.observed_lookup(host, range, wanted, ())
    }

    /// As [`Resolver::lookup`], but a signal can interrupt it.
    ///
    /// # Errors
    /// As [`Resolver::lookup`]; [`LookupError::Interrupted`].
    pub fn lookup_interruptibly(
        &self,
        host: &HostName,
        range: NameRange,
        wanted: Families,
        interruption: &mut Interruption<'_>,
    ) -> Result<Answer, LookupError> {
        self.look_up(host, range, wanted, interruption, ())
    }

    /// As [`Resolver::lookup`], and reports to `observer` what it does.
    ///
    /// # Errors
    /// Those of [`Resolver::lookup`].
    pub fn observed_lookup(
        &self,
        host: &HostName,
        range: NameRange,
        wanted: Families,
        observer: impl Observer,
    ) -> Result<Answer, LookupError> {
        self.look_up(host, range, wanted, &mut Interruption::none(), observer)
    }

    fn look_up<O: Observer>(
        &self,
        host: &HostName,
        range: NameRange,
        wanted: Families,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<Answer, LookupError> {
        if let Err(exclusion) = self.check_range(host, range) {
            observer.report(Event::Excluded(exclusion));
            return Err(LookupError::NotOurs);
        }
        if wanted.is_empty() {
            return Err(self.source(host, range).error_for(LookupError::NoData));
        }
        let must_query = match self.cached_host(&host.name, wanted, Instant::now()) {
            None => true,
            Some(Err(LookupError::NoResponse)) => {
                observer.report(Event::Cached(Some(LookupError::NoResponse)));
                false
            }
            // The link's answer is returned without access to a file.
            Some(cached) => {
                observer.report(Event::Cached(cached.as_ref().err().copied()));
                return cached;
            }
        };
        let source = self.source(host, range);
        observer.report(Event::Source(source));
        if source == NameSource::Dns || !must_query {
            return Err(source.error_for(LookupError::NoResponse));
        }
        self.query_host(&host.name, wanted, source, interruption, observer)
    }

    /// Who serves `host`. Checks `/etc/resolv.conf` if the name is under `.local`, and the other files only if
    /// `/etc/resolv.conf` has a search domain under `.local`.
    #[inline(never)]
    fn source(&self, host: &HostName, range: NameRange) -> NameSource {
        if !host.name.is_local() {
            return NameSource::Link;
        }
        let domains = self.local_domains();
        if domains.is_empty() || !self.settings().config.unicast_local {
            return NameSource::Link;
        }
        domains.source_of(&host.name, || range == NameRange::Allowed && self.allowed().overrides(&domains, host))
    }

    /// Checks that `host` is within `range`.
    ///
    /// Reads a file only if the result depends on it: never for [`NameRange::Local`] and a name of two labels.
    ///
    /// # Errors
    /// Why it is not.
    #[inline(never)]
    fn check_range(&self, host: &HostName, range: NameRange) -> Result<(), Exclusion> {
        let allowed = match range {
            NameRange::Local => None,
            NameRange::Allowed => Some(self.allowed()),
        };
        let labels = || self.settings().config.labels;
        allowed.as_deref().unwrap_or(&Allowed::Local).check(range, host, labels)
    }

    /// The name of the host with the given address.
    ///
    /// Waits for the network at most for [`Config::reverse_timeout`]. For an address of this machine it does not wait: the
    /// answer is the machine's own name, unless [`Config::own_name`] is off.
    ///
    /// # Errors
    /// [`LookupError::NotOurs`] for an address outside the range of the service or of the settings, or on no link that
    /// can be queried; otherwise as [`Resolver::lookup`].
    pub fn reverse(&self, address: ReverseAddress) -> Result<Pointer, LookupError> {
        self.observed_reverse(address, ())
    }

    /// As [`Resolver::reverse`], but a signal can interrupt it.
    ///
    /// # Errors
    /// As [`Resolver::reverse`]; [`LookupError::Interrupted`].
    pub fn reverse_interruptibly(
        &self,
        address: ReverseAddress,
        interruption: &mut Interruption<'_>,
    ) -> Result<Pointer, LookupError> {
        self.look_up_pointer(address, interruption, ())
    }

    /// As [`Resolver::reverse`], and reports to `observer` what it does.
    ///
    /// # Errors
    /// Those of [`Resolver::reverse`].
    pub fn observed_reverse(&self, address: ReverseAddress, observer: impl Observer) -> Result<Pointer, LookupError> {
        self.look_up_pointer(address, &mut Interruption::none(), observer)
    }

    fn look_up_pointer<O: Observer>(
        &self,
        address: ReverseAddress,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<Pointer, LookupError> {
        let name = Name::of_address(address.ip);
        match self.cached_pointer(&name, Instant::now()) {
            Some(cached) => {
                observer.report(Event::Cached(cached.as_ref().err().copied()));
                cached
            }
            None => self.query_pointer(&name, address, interruption, observer),
        }
    }

    #[inline(never)]
    fn cached_pointer(&self, name: &Name, now: Instant) -> Option<Result<Pointer, LookupError>> {
        self.read_cache(name, now, |entry| match entry {
            CacheEntry::Pointer(pointer) => Some(Ok(pointer.clone())),
            CacheEntry::NoResponse { .. } => Some(Err(LookupError::NoResponse)),
            CacheEntry::Host(_) => None,
        })
    }

    #[inline(never)]
    fn cached_host(&self, name: &Name, wanted: Families, now: Instant) -> Option<Result<Answer, LookupError>> {
        self.read_cache(name, now, |entry| match entry {
            CacheEntry::Host(answer) if answer.suffices_for(wanted, now) => Some(if answer.has_any(wanted) {
                answer.try_clone().ok_or(LookupError::Exhausted)
            } else {
                Err(LookupError::NoData)
            }),
            CacheEntry::NoResponse { .. } => Some(Err(LookupError::NoResponse)),
            _ => None,
        })
    }

    /// The result of `work` on the entry of `name`; None if there is none, or if the cache's lock could not be taken. Many
    /// threads may do this at the same time.
    fn read_cache<T>(&self, name: &Name, now: Instant, work: impl FnOnce(&CacheEntry) -> Option<T>) -> Option<T> {
        let generation = self.generation.load(Ordering::Relaxed);
        let (found, is_order_needed) = self.cache.read(|cache| {
            fault_injection::point(Point::Cache);
            (cache.peek(name, generation, now).and_then(work), cache.is_order_needed(name))
        })?;
        if found.is_some() && is_order_needed {
            // If another thread uses the cache at this moment, the order stays as it is.
            self.cache.write_if_free(|cache| cache.promote(name));
        }
        found
    }

    /// True if a cached answer settles `family`: it has such addresses, or says that there are none.
    fn has_cached(&self, name: &Name, family: Family, now: Instant) -> bool {
        let settles = |entry: &CacheEntry| match entry {
            CacheEntry::Host(cached) => Some(cached.settles(Families::only(family))),
            _ => None,
        };
        self.read_cache(name, now, settles) == Some(true)
    }

    #[inline(never)]
    fn query_host<O: Observer>(
        &self,
        name: &Name,
        wanted: Families,
        source: NameSource,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<Answer, LookupError> {
        fault_injection::point(Point::Interfaces);
        let settings = &self.settings();
        let config = &*settings.config;
        let is_own = config.own_name && is_own_name(name);
        if is_own {
            observer.report(Event::Own);
        }
        let mut network = match interruption.take_host() {
            Some(interrupted) => interrupted,
            None => {
                // Without an interface, a daemon on this machine may know the name.
                let (interfaces, unavailable) = match Interfaces::read(config) {
                    Ok(interfaces) if interfaces.is_empty() => (interfaces, Some(LookupError::NoInterface)),
                    Ok(interfaces) => (interfaces, None),
                    Err(error) => (Interfaces::none(), Some(error)),
                };
                observer.report(Event::Interfaces(unavailable.map_or(Ok(&interfaces), Err)));
                let timeout = interruption.limit(timeout(config, is_own));
                let mut network = begin(name, wanted, interfaces, config, timeout, observer);
                network.unavailable = unavailable;
                if is_own && unavailable.is_none() {
                    // The daemon would report only one of this machine's addresses in each family.
                    network.lookup.exclude_daemon();
                }
                network
            }
        };
        let queried = match network.run(config, interruption, observer) {
            Err(LookupError::Interrupted) => return Err(interruption.keep_host(network)),
            queried => queried.map_err(|error| network.unavailable.unwrap_or(error)),
        };
        let ended_at = network.now();
        let NetworkLookup { lookup, interfaces, .. } = &mut *network;
        let is_proven = !lookup.has_only_daemon_addresses();
        let now = Instant::now();
        let mut answer = match lookup.finish(name, interfaces, ended_at) {
            Some(answer) => answer,
            None if is_own => {
                observer.report(Event::OwnAnswer);
                own_answer(name, interfaces, config, now)
            }
            None => {
                queried?;
                return self.no_response(name, wanted, source, settings, now);
            }
        };
        if is_own && answer.addresses.iter().all(|address| interfaces.is_own(address)) {
            // `cache_host` takes over what an older answer has proven.
            let is_silent =
                |family: &Family| !lookup.is_denied_or_withdrawn(*family) && !self.has_cached(name, *family, now);
            // An answer has an address, so one family at most is unknown.
            if let Some(family) = answer.unknown.families.iter().find(is_silent) {
                add_own(&mut answer, family, interfaces, config, now, observer);
            }
        }
        self.cache_host(name, &mut answer, is_proven, settings, now);
        if answer.has_any(wanted) { Ok(answer) } else { Err(LookupError::NoData) }
    }

    /// Caches an answer, combined with an older one that has not expired. What a response from the network has proven
    /// (`is_proven`) counts more than what has not.
    #[inline(never)]
    fn cache_host(&self, name: &Name, answer: &mut Answer, is_proven: bool, settings: &Settings, now: Instant) {
        self.with_cache_of(settings, |cache| {
            fault_injection::point(Point::CacheInsert);
            if let Some(CacheEntry::Host(older)) = cache.use_entry(name, now) {
                match older.try_clone().filter(|_| !is_proven) {
                    Some(mut older) => {
                        older.adopt(answer);
                        *answer = older;
                    }
                    None => answer.adopt(older),
                }
            }
            if let Some(copy) = answer.try_clone() {
                cache.insert(name, CacheEntry::Host(copy), settings.config.cache_size);
            }
        });
    }

    #[inline(never)]
    fn query_pointer<O: Observer>(
        &self,
        name: &Name,
        address: ReverseAddress,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<Pointer, LookupError> {
        fault_injection::point(Point::Interfaces);
        let settings = &self.settings();
        if let Some(interrupted) = interruption.take_pointer() {
            return self.query_links(name, interrupted, settings, interruption, observer);
        }
        let config = &*settings.config;
        let ReverseAddress { ip, range } = address;
        if !range.min(config.reverse).may_contain(ip) {
            return Err(LookupError::NotOurs);
        }
        let interfaces = Interfaces::read(config)?;
        observer.report(Event::Interfaces(Ok(&interfaces)));
        if config.own_name && interfaces.is_local(ip) {
            if let Some(own) = self.own_pointer(name, settings) {
                observer.report(Event::Own);
                return own;
            }
        }
        if interfaces.is_empty() {
            return Err(LookupError::NoInterface);
        }
        if interfaces.on_link(ip).next().is_none() {
            return Err(LookupError::NotOurs);
        }
        let network = begin_reverse(name, ip, interfaces, config, interruption.limit(config.reverse_timeout), observer);
        self.query_links(name, network, settings, interruption, observer)
    }

    /// This machine's own name, as the name of one of its addresses. None if it has none.
    #[inline(never)]
    fn own_pointer(&self, name: &Name, settings: &Settings) -> Option<Result<Pointer, LookupError>> {
        // Cached for a second only, because the machine can be renamed.
        let expires = expiry(Instant::now(), UNKNOWN_TTL, settings.config.ttl_max);
        let pointer = Pointer { name: policy::own_name(sys::host_name(&mut [0; 65]))?, expires };
        self.cache_pointer(name, &pointer, settings);
        Some(Ok(pointer))
    }

    /// Queries the links on which the address with this name, in reverse notation, can be.
    #[inline(never)]
    fn query_links<O: Observer>(
        &self,
        name: &Name,
        mut network: Box<NetworkLookup<ReverseLookup<O>>>,
        settings: &Settings,
        interruption: &mut Interruption<'_, O>,
        observer: O,
    ) -> Result<Pointer, LookupError> {
        let queried = network.run(&settings.config, interruption, observer);
        if queried == Err(LookupError::Interrupted) {
            return Err(interruption.keep_pointer(network));
        }
        let pointer = network.lookup.finish(network.now());
        let now = Instant::now();
        let Some(pointer) = pointer else {
            return Err(queried.err().unwrap_or_else(|| self.cache_no_response(name, settings, now)));
        };
        self.cache_pointer(name, &pointer, settings);
        Ok(pointer)
    }

    #[inline(never)]
    fn cache_pointer(&self, name: &Name, pointer: &Pointer, settings: &Settings) {
        self.with_cache_of(settings, |cache| {
            fault_injection::point(Point::CacheInsert);
            // Cloned here, not moved into the closure: each move puts a copy on the stack.
            cache.insert(name, CacheEntry::Pointer(pointer.clone()), settings.config.cache_size);
        });
    }

    /// The result of a lookup that nobody responded to. If another lookup has found the host meanwhile, a packet of this
    /// one was lost, and the other's answer is kept.
    #[inline(never)]
    fn no_response(
        &self,
        name: &Name,
        wanted: Families,
        source: NameSource,
        settings: &Settings,
        now: Instant,
    ) -> Result<Answer, LookupError> {
        let known = self.with_cache_of(settings, |cache| match cache.use_entry(name, now) {
            Some(CacheEntry::Host(answer)) => answer.try_clone(),
            _ => None,
        });
        let Some(mut answer) = known.flatten() else {
            return Err(source.error_for(self.cache_no_response(name, settings, now)));
        };
        if answer.has_any(wanted) {
            return Ok(answer);
        }
        let expires = expiry(now, UNKNOWN_TTL, settings.config.ttl_max);
        answer.unknown = Unknown { families: wanted, asked_alone: true, expires };
        self.cache_host(name, &mut answer, true, settings, now);
        Err(LookupError::NoData)
    }

    /// Caches that nobody responded, unless another lookup has cached a response meanwhile. Returns the error for it.
    #[inline(never)]
    fn cache_no_response(&self, name: &Name, settings: &Settings, now: Instant) -> LookupError {
        let expires = now + UNKNOWN_TTL;
        self.with_cache_of(settings, |cache| {
            if cache.use_entry(name, now).is_none() {
                cache.insert(name, CacheEntry::NoResponse { expires }, settings.config.cache_size);
            }
        });
        LookupError::NoResponse
    }

    /// The current settings. If they have changed, increments the generation, so that the cache discards its entries.
    #[inline(never)]
    fn settings(&self) -> Settings {
        let generation = self.generation.load(Ordering::Relaxed);
        let (config, changed) = self.config.get(|text| config::parse(text.unwrap_or_default(), &mut |_| {}));
        fault_injection::point(Point::Settings);
        Settings { config, generation: if changed { self.next_generation() } else { generation } }
    }

    /// The current search domains under `.local`. If they have changed, the machine has moved to another network, so the
    /// cache discards its entries.
    #[inline(never)]
    fn local_domains(&self) -> Arc<LocalDomains> {
        let (domains, changed) = self.local_domains.get(|text| LocalDomains::parse(text.unwrap_or_default()));
        if changed {
            self.next_generation();
        }
        domains
    }

    fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The current content of `/etc/mdns.allow`.
    fn allowed(&self) -> Arc<Allowed> {
        let read = |text: Option<&[u8]>| match text {
            Some(text) => Allowed::Listed(Suffixes::parse(text, &mut |_| {})),
            None => Allowed::Local,
        };
        self.allowed.get(read).0
    }

    /// Runs `work` on the cache; None if the settings have changed meanwhile, or if the cache's lock could not be
    /// taken.
    fn with_cache_of<T>(&self, settings: &Settings, work: impl FnOnce(&mut Cache) -> T) -> Option<T> {
        self.with_cache(|cache, generation| (settings.generation == generation).then(|| work(cache))).flatten()
    }

    /// Runs `work` on the cache, which holds only entries that were found under the current settings and search domains,
    /// and on their generation; None if the cache's lock could not be taken.
    fn with_cache<T>(&self, work: impl FnOnce(&mut Cache, u32) -> T) -> Option<T> {
        self.cache.write(|cache| {
            fault_injection::point(Point::Cache);
            let generation = self.generation.load(Ordering::Relaxed);
            cache.set_generation(generation);
            work(cache, generation)
        })
    }
}

/// How long a lookup waits for a response. It is shorter for this machine's own name: without a response, the answer is
/// the machine's own addresses, and any responder for the name normally answers within that time.
fn timeout(config: &Config, is_own_name: bool) -> Duration {
    if is_own_name { config.timeout.min(OWN_NAME_TIMEOUT) } else { config.timeout }
}

/// A lookup of the addresses of `name`. A function of its own, because it copies much on the stack.
#[inline(never)]
fn begin<O: Observer>(
    name: &Name,
    wanted: Families,
    interfaces: Interfaces,
    config: &Config,
    timeout: Duration,
    observer: O,
) -> Box<NetworkLookup<HostLookup<O>>> {
    let lookup = HostLookup::observed(name, wanted, &interfaces, config, observer);
    Box::new(NetworkLookup::new(lookup, interfaces, config, timeout))
}

/// A lookup of the name of an address; as [`begin`].
#[inline(never)]
fn begin_reverse<O: Observer>(
    name: &Name,
    ip: IpAddr,
    interfaces: Interfaces,
    config: &Config,
    timeout: Duration,
    observer: O,
) -> Box<NetworkLookup<ReverseLookup<O>>> {
    Box::new(NetworkLookup::new(ReverseLookup::observed(name, ip, config, observer), interfaces, config, timeout))
}

/// This machine's own addresses, as the answer for its own name: those of the interfaces to query; without such an
/// interface, those of all interfaces that are up; and without any, the loopback addresses.
#[inline(never)]
fn own_answer(name: &Name, interfaces: &Interfaces, config: &Config, now: Instant) -> Answer {
    let mut addresses = usable(interfaces.queried_addresses(), config);
    if addresses.is_empty() {
        addresses = usable(interfaces.addresses_up(), config);
    }
    if addresses.is_empty() {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            try_alloc::push(&mut addresses, Address { ip, interface: LOOPBACK });
        }
    }
    let mut absent = Families::BOTH;
    for address in &addresses {
        absent.remove(Family::of(address.ip));
    }
    let expires = own_expiry(now, config);
    let unknown = Unknown { families: Families::NONE, asked_alone: false, expires };
    Answer { canonical: name.clone(), addresses, absent, unknown, expires }
}

/// Adds this machine's own addresses of a family to the answer for its own name. Its responder is silent about that family:
/// systemd-resolved, for example, announces the addresses of each family separately and ignores queries from its own host,
/// so an announcement may be all that arrives.
#[inline(never)]
fn add_own<O: Observer>(
    answer: &mut Answer,
    family: Family,
    interfaces: &Interfaces,
    config: &Config,
    now: Instant,
    observer: O,
) {
    let own = usable(interfaces.queried_addresses().filter(|own| Family::of(own.ip) == family), config);
    if own.is_empty() || !try_alloc::extend(&mut answer.addresses, &own) {
        return;
    }
    answer.unknown.families.remove(family);
    answer.expires = answer.expires.min(own_expiry(now, config));
    observer.report(Event::OwnAdded(family));
}

/// Those of this machine's addresses that may be returned to programs, the link-local ones last.
fn usable(own: impl Iterator<Item = Address>, config: &Config) -> Vec<Address> {
    let is_usable = |own: &Address| is_host_address(own.ip) && (config.ipv6_link_local || !own.needs_scope());
    let mut addresses = Vec::new();
    own.filter(is_usable).all(|own| try_alloc::push(&mut addresses, own));
    sort_by_rank(&mut addresses, |address| u8::from(is_link_local(address.ip)));
    addresses
}

/// This machine's own addresses are cached for a second only: another host may have its name, and may only have been slow
/// to respond.
fn own_expiry(now: Instant, config: &Config) -> Instant {
    expiry(now, UNKNOWN_TTL, config.ttl_max)
}

fn is_own_name(name: &Name) -> bool {
    policy::is_own_name(name, sys::host_name(&mut [0; 65]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces::tests::{link, own};
    use crate::net::links::{Link, Tables};

    /// The answer for the own name on a machine with these links and addresses.
    fn answer(links: &[Link], addresses: &[(u32, &str)], config: &Config) -> Vec<String> {
        let addresses = addresses.iter().map(|&(interface, text)| own(interface, text)).collect();
        let interfaces = Interfaces::select(Tables { links: links.to_vec(), addresses, default_route: 0 }, config);
        let name = Name::from_text(b"desk.local").unwrap();
        let answer = own_answer(&name, &interfaces, config, Instant::now());
        answer.addresses.iter().map(|address| address.ip.to_string()).collect()
    }

    #[test]
    fn own_addresses_of_a_family_are_added_to_an_answer() {
        const ETHERNET: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST;
        let dual = [(2, "192.168.0.9/24"), (2, "fe80::9/64"), (2, "fd00::9/64")];
        let added = |addresses: &[(u32, &str)], config: &Config| {
            let addresses = addresses.iter().map(|&(interface, text)| own(interface, text)).collect();
            let tables = Tables { links: vec![link(2, ETHERNET)], addresses, default_route: 0 };
            let interfaces = Interfaces::select(tables, config);
            let now = Instant::now();
            let mut answer = v4_answer(now);
            let before = (answer.unknown, answer.expires);
            add_own(&mut answer, Family::V6, &interfaces, config, now, ());
            assert_eq!((answer.unknown, answer.expires) == before, !answer.has(Family::V6));
            assert_eq!(answer.absent, Families::NONE, "silence proves nothing");
            answer.of(Family::V6).map(|address| address.ip.to_string()).collect::<Vec<_>>()
        };
        let config = Config::default();
        assert_eq!(added(&dual, &config), ["fd00::9", "fe80::9"]);
        assert_eq!(added(&dual[..1], &config), [""; 0]);
        let config = Config { ipv6_link_local: false, ..config };
        assert_eq!(added(&dual, &config), ["fd00::9"]);
        assert_eq!(added(&dual[..2], &config), [""; 0]);
    }

    /// An answer with an IPv4 address, and nothing known about IPv6.
    fn v4_answer(now: Instant) -> Answer {
        let expires = now + Duration::from_secs(10);
        Answer {
            canonical: Name::from_text(b"desk.local").unwrap(),
            addresses: vec![Address { ip: "192.168.0.9".parse().unwrap(), interface: 2 }],
            absent: Families::NONE,
            unknown: Unknown { families: Families::only(Family::V6), asked_alone: false, expires },
            expires,
        }
    }

    #[test]
    fn the_cache_settles_the_families_of_an_answer_and_those_that_are_absent() {
        let name = Name::from_text(b"desk.local").unwrap();
        let now = Instant::now();
        let cached = |answer: Option<Answer>| {
            let resolver = Resolver::default();
            if let Some(answer) = answer {
                resolver.cache.write(|cache| cache.insert(&name, CacheEntry::Host(answer), 8)).unwrap();
            }
            Family::ALL.map(|family| resolver.has_cached(&name, family, now))
        };
        assert_eq!(cached(None), [false, false]);
        assert_eq!(cached(Some(v4_answer(now))), [true, false]);
        assert_eq!(cached(Some(Answer { absent: Families::only(Family::V6), ..v4_answer(now) })), [true, true]);
    }

    #[test]
    fn the_own_addresses_are_those_of_the_best_interfaces_there_are() {
        const LOOPBACK: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOOPBACK;
        const ETHERNET: i32 = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_MULTICAST;
        const TUNNEL: i32 = ETHERNET | libc::IFF_POINTOPOINT;
        let addresses = [(1, "127.0.0.1/8"), (1, "::1/128"), (2, "fe80::2/64"), (2, "10.0.0.1/24"), (3, "10.8.0.1/32")];
        let lo = link(1, LOOPBACK);
        let config = Config::default();
        let all = [lo, link(2, ETHERNET), link(3, TUNNEL)];
        assert_eq!(answer(&all, &addresses, &config), ["10.0.0.1", "fe80::2"]);
        // No interface can be queried.
        let down = ETHERNET & !libc::IFF_UP;
        assert_eq!(answer(&[lo, link(2, down), link(3, TUNNEL)], &addresses, &config), ["10.8.0.1"]);
        assert_eq!(answer(&[lo, link(2, down), link(3, down)], &addresses, &config), ["127.0.0.1", "::1"]);
        assert_eq!(answer(&[], &[], &config), ["127.0.0.1", "::1"]);
        let config = Config { ipv6_link_local: false, ..config };
        assert_eq!(answer(&all, &addresses, &config), ["10.0.0.1"]);
        assert_eq!(answer(&[lo, link(2, ETHERNET)], &addresses[..3], &config), ["127.0.0.1", "::1"]);
    }
}
