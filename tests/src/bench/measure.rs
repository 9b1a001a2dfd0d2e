//! The LAN, and the order of the measurements. The clients take turns (ours, bare query, peer, peer, ours, …), so that
//! other load on the machine affects all of them equally.

use super::clients::{Backend, Client, Found, PAUSE, ZEROCONF_PAUSE, silent_dns};
use super::stats::{Sample, Samples};
use super::table::Row;
use crate::lan::{Families, Host, Network};
use crate::responders;
use crate::run::Daemon;
use std::time::{Duration, Instant};

/// A lookup that takes longer than this mostly waits. Such lookups run concurrently, otherwise they would take hours.
const MOSTLY_WAITING: Duration = Duration::from_millis(700);

/// The interval between the starts of concurrent lookups.
const STAGGER: Duration = Duration::from_millis(50);

/// The 64 names of [`Responder::Many`], with `#` for the number.
pub(super) const MANY: &str = "many#.local";

/// The test bed. Fields are dropped in order: the daemons before the hosts.
pub(super) struct Bench {
    quick: bool,
    only: Vec<String>,
    start: Instant,
    /// The rows of the chart.
    pub(super) bars: Vec<(String, [Samples; 4])>,
    running: Option<(Responder, Daemon)>,
    hosts: [Host; Responder::ALL.len()],
    clients: [Client; 3],
    silent_dns: (Daemon, Host),
    _network: Network,
}

/// A responder. Only one runs at a time: every query wakes all of them, and they would take processor time from what is
/// measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Responder {
    Avahi,
    AvahiV4,
    Zeroconf,
    ZeroconfV4,
    Resolved,
    /// The scripted responder with 64 names.
    Many,
}

impl Responder {
    const ALL: [Responder; 6] = [
        Responder::Avahi,
        Responder::AvahiV4,
        Responder::Zeroconf,
        Responder::ZeroconfV4,
        Responder::Resolved,
        Responder::Many,
    ];

    /// The host name, without `.local`.
    fn name(self) -> &'static str {
        match self {
            Responder::Avahi => "avahi",
            Responder::AvahiV4 => "avahi4",
            Responder::Zeroconf => "zeroconf",
            Responder::ZeroconfV4 => "zeroconf4",
            Responder::Resolved => "resolved",
            Responder::Many => "many",
        }
    }

    fn start(self, host: &Host) -> Result<Daemon, String> {
        match self {
            Responder::Avahi => responders::avahi(host, self.name()),
            Responder::AvahiV4 => responders::avahi_v4(host, self.name()),
            Responder::Zeroconf => responders::zeroconf(host, self.name()),
            Responder::ZeroconfV4 => responders::zeroconf_v4(host, self.name()),
            Responder::Resolved => responders::resolved_without_log(host),
            Responder::Many => {
                let names: Vec<String> = (0..64).map(|number| MANY.replace('#', &format!("{number:02}"))).collect();
                let (first, others) = names.split_first().ok_or("no names")?;
                let others: Vec<&str> = others.iter().flat_map(|name| ["--name", name]).collect();
                responders::scripted(host, first, &others)
            }
        }
    }
}

/// A change whose effect on a lookup is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A module that returns a fixed answer at once replaces ours.
    InstantModule,
    /// The DNS server never responds.
    WithoutDns,
}

/// A lookup to measure. `#` in its words is replaced by the number of the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// The words of the probe, or `getent NAME` for a whole process.
    pub(super) words: &'a [&'a str],
    /// The words of the probe for the bare query, if that is measured as well.
    pub(super) bare: Option<&'a [&'a str]>,
    /// Whether the caches of the peers' daemons are cleared before each lookup.
    pub(super) cold: bool,
    /// The clients that are measured.
    pub(super) by: &'a [Backend],
}

impl Bench {
    pub(super) fn new(quick: bool, only: Vec<String>) -> Result<Bench, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let host = |responder: Responder| network.host(responder.name(), &[&lan]);
        let hosts = Responder::ALL.map(host);
        let clients = [
            Client::new(&network, &lan, Backend::Ours)?,
            Client::new(&network, &lan, Backend::NssMdns)?,
            Client::new(&network, &lan, Backend::NssResolve)?,
        ];
        let silent_dns = silent_dns(&network, &lan)?;
        let [a, b, c, d, e, f] = hosts;
        let hosts = [a?, b?, c?, d?, e?, f?];
        Ok(Bench {
            quick,
            only,
            start: Instant::now(),
            bars: Vec::new(),
            running: None,
            hosts,
            clients,
            silent_dns,
            _network: network,
        })
    }

    /// Starts this responder, and stops the one that was running.
    pub(super) fn serve(&mut self, responder: Responder) -> Result<(), String> {
        if self.running.as_ref().is_some_and(|(running, _)| *running == responder) {
            return Ok(());
        }
        self.running = None;
        let daemon = responder.start(self.host(responder)?)?;
        self.running = Some((responder, daemon));
        if responder == Responder::Resolved { self.wait_for_resolved() } else { Ok(()) }
    }

    /// Waits until systemd-resolved answers. It probes its name first and does not report when it is done.
    fn wait_for_resolved(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            match self.client(Backend::Ours).probe(&["bare", "resolved.local", "each"]) {
                Ok(_) => return Ok(()),
                Err(why) if Instant::now() > deadline => return Err(why),
                Err(_) => {}
            }
        }
    }

    pub(super) fn client(&self, backend: Backend) -> &Client {
        let [ours, mdns, resolve] = &self.clients;
        match backend {
            Backend::Ours => ours,
            Backend::NssMdns => mdns,
            Backend::NssResolve => resolve,
        }
    }

    /// How many samples to take: `full`, or fewer with `--quick`.
    pub(super) fn count(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10).max(3) } else { full }
    }

    /// Whether a row shall be measured. Reports its start if so.
    pub(super) fn wants(&self, name: &str) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()));
        if wanted {
            eprintln!("bench, after {} s: {name}", self.start.elapsed().as_secs());
        }
        wanted
    }

    /// Prints a row.
    pub(super) fn add(&self, row: &Row) {
        println!("{}", row.show());
    }

    /// Measures a lookup: ours, nss-mdns, nss-resolve, bare query. Clients that are not measured have no samples.
    pub(super) fn measure(&self, lookup: Lookup<'_>, count: usize) -> Result<[Samples; 4], String> {
        let mut samples: [Vec<Sample>; 4] = Default::default();
        let (mut slow, mut quick) = (Vec::new(), Vec::new());
        for &backend in lookup.by {
            let waits = self.is_slow(lookup, backend)?;
            if waits { &mut slow } else { &mut quick }.push(backend);
        }
        for number in 0..count {
            for &backend in &quick {
                self.prepare(lookup, backend)?;
                self.alone(backend, || {
                    samples_of(&mut samples, backend).push(self.once(lookup, backend, number, false)?);
                    if let Some(bare) = lookup.bare.filter(|_| backend == Backend::Ours) {
                        samples[3].push(self.client(Backend::Ours).probe(bare)?.sample());
                    }
                    Ok(())
                })?;
            }
        }
        for (backend, slow) in self.staggered(lookup, &slow, count)? {
            *samples_of(&mut samples, backend) = slow;
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Whether the lookup of this client mostly waits. Measures one lookup.
    fn is_slow(&self, lookup: Lookup<'_>, backend: Backend) -> Result<bool, String> {
        self.prepare(lookup, backend)?;
        let start = Instant::now();
        self.once(lookup, backend, 9999, false)?;
        Ok(start.elapsed() > MOSTLY_WAITING)
    }

    /// The pause before a lookup that the running responder needs.
    pub(super) fn pause(&self) -> Duration {
        match self.running {
            Some((Responder::Zeroconf | Responder::ZeroconfV4, _)) => ZEROCONF_PAUSE,
            _ => PAUSE,
        }
    }

    /// The host of a responder.
    pub(super) fn host(&self, responder: Responder) -> Result<&Host, String> {
        let host = self.hosts.iter().zip(Responder::ALL).find(|(_, of)| *of == responder);
        host.map(|(host, _)| host).ok_or_else(|| "no such host".into())
    }

    fn prepare(&self, lookup: Lookup<'_>, backend: Backend) -> Result<(), String> {
        if lookup.cold { self.client(backend).clear_cache(self.pause()) } else { Ok(()) }
    }

    fn once(&self, lookup: Lookup<'_>, backend: Backend, number: usize, concurrent: bool) -> Result<Sample, String> {
        let client = self.client(backend);
        let words: Vec<String> = lookup.words.iter().map(|word| word.replace('#', &format!("{number:04}"))).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            ["getent", name] if concurrent => client.getent_concurrently(name),
            ["getent", name] => client.getent(name),
            _ if concurrent => client.probe_concurrently(&words).map(|found| found.sample()),
            _ => client.probe(&words).map(|found| found.sample()),
        }
    }

    /// Runs lookups that mostly wait: concurrently, started one after the other.
    fn staggered(
        &self,
        lookup: Lookup<'_>,
        backends: &[Backend],
        count: usize,
    ) -> Result<Vec<(Backend, Vec<Sample>)>, String> {
        std::thread::scope(|scope| {
            let mut running = Vec::new();
            for number in 0..count {
                for &backend in backends {
                    running.push((backend, scope.spawn(move || self.once(lookup, backend, number, true))));
                    std::thread::sleep(STAGGER);
                }
            }
            let mut all: Vec<(Backend, Vec<Sample>)> = backends.iter().map(|backend| (*backend, Vec::new())).collect();
            for (backend, thread) in running {
                let sample = thread.join().map_err(|_| "a thread panicked")??;
                all.iter_mut().filter(|(of, _)| *of == backend).for_each(|(_, samples)| samples.push(sample));
            }
            Ok(all)
        })
    }

    /// Repeats a probe `count` times; peers stop earlier if `peers_limit` has passed. One client after the other,
    /// because they would receive each other's multicast responses.
    pub(super) fn repeat(
        &self,
        words: &[&str],
        count: usize,
        by: &[Backend],
        peers_limit: Duration,
    ) -> Result<[Vec<Found>; 3], String> {
        let mut all: [Vec<Found>; 3] = Default::default();
        for (backend, found) in Backend::ALL.into_iter().zip(&mut all).filter(|(backend, _)| by.contains(backend)) {
            let start = Instant::now();
            while found.len() < count && (backend == Backend::Ours || start.elapsed() < peers_limit) {
                match backend {
                    Backend::Ours => std::thread::sleep(Duration::from_millis(500)),
                    Backend::NssMdns | Backend::NssResolve => self.client(backend).clear_cache(self.pause())?,
                }
                found.push(self.client(backend).probe(words)?);
            }
        }
        Ok(all)
    }

    /// Calls `work` while this nftables ruleset is loaded on every client.
    pub(super) fn behind<T>(&self, ruleset: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        self.clients.iter().try_for_each(|client| client.host.firewall(ruleset))?;
        let result = work();
        self.clients.iter().try_for_each(|client| client.host.script("nft flush ruleset").map(drop))?;
        result
    }

    /// Calls `work` while the daemons of the other clients receive no multicast DNS.
    pub(super) fn alone<T>(&self, backend: Backend, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        const NO_MDNS: &str = "table inet nomdns {
            chain input { type filter hook prerouting priority -300; udp dport 5353 drop; }
        }";
        let others =
            || self.clients.iter().filter(|client| client.backend != backend && client.backend != Backend::Ours);
        others().try_for_each(|client| client.host.firewall(NO_MDNS))?;
        let result = work();
        others().try_for_each(|client| client.host.script("nft delete table inet nomdns").map(drop))?;
        result
    }

    /// Calls `work` while a module that returns a fixed answer at once replaces ours.
    pub(super) fn with_instant_module<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        self.client(Backend::Ours).use_instant_module()?;
        let result = work();
        self.client(Backend::Ours).restore_services()?;
        result
    }

    /// Calls `work` with this change.
    fn with_change<T>(&self, change: Change, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        match change {
            Change::InstantModule => self.with_instant_module(work),
            Change::WithoutDns => self.without_dns(work),
        }
    }

    /// Measures a lookup by the module without and with a change, in turn.
    pub(super) fn compare_change(
        &self,
        lookup: Lookup<'_>,
        count: usize,
        change: Change,
    ) -> Result<[Samples; 2], String> {
        let lookup = Lookup { by: &[Backend::Ours], cold: false, bare: None, ..lookup };
        if self.is_slow(lookup, Backend::Ours)? {
            let [ours, ..] = self.measure(lookup, count)?;
            let [changed, ..] = self.with_change(change, || self.measure(lookup, count))?;
            return Ok([ours, changed]);
        }
        let mut samples = [Vec::new(), Vec::new()];
        for number in 0..count {
            samples[0].push(self.once(lookup, Backend::Ours, number, false)?);
            samples[1].push(self.with_change(change, || self.once(lookup, Backend::Ours, number, false))?);
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Calls `work` while the DNS server of every client never responds.
    pub(super) fn without_dns<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let address = self.silent_dns.1.eth0().v4.ok_or("no IPv4")?;
        // The resolver's default timeouts, not the short ones of the tests.
        let config = format!("nameserver {address}\n");
        self.clients.iter().try_for_each(|client| client.host.write("/etc/resolv.conf", &config))?;
        let result = work();
        self.clients.iter().try_for_each(|client| client.host.use_dns("127.0.0.1"))?;
        result
    }
}

fn samples_of(samples: &mut [Vec<Sample>; 4], backend: Backend) -> &mut Vec<Sample> {
    let [ours, mdns, resolve, _] = samples;
    match backend {
        Backend::Ours => ours,
        Backend::NssMdns => mdns,
        Backend::NssResolve => resolve,
    }
}
