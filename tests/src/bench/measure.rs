//! The LAN, and the order of the measurements. The clients take turns (ours, bare query, peer, peer, ours, …), so that
//! other load on the machine affects all of them equally.

use super::Options;
use super::clients::{Backend, Client, Found, baseline_files, silent_dns};
use super::responder::Responder;
use super::stats::{Sample, Samples};
use super::table::Row;
use crate::lan::{Families, Host, Network};
use crate::loss::{Packets, lose};
use crate::run::Daemon;
use std::time::{Duration, Instant};

/// A lookup that takes longer than this mostly waits. Such lookups run concurrently, otherwise they would take hours.
const MOSTLY_WAITING: Duration = Duration::from_millis(700);

/// The interval between the starts of concurrent lookups.
const STAGGER: Duration = Duration::from_millis(50);

/// The test bed. Fields are dropped in order: the daemons before the hosts.
pub(super) struct Bench {
    quick: bool,
    only: Vec<String>,
    start: Instant,
    /// The rows of the chart.
    pub(super) bars: Vec<(String, [Samples; 4])>,
    /// The responder that runs. Only one does: every query wakes all of them, and they would take processor time from
    /// what is measured.
    running: Option<(Responder, Daemon)>,
    hosts: Vec<(Responder, Host)>,
    clients: [Client; 3],
    /// A client with another build of the module.
    baseline: Option<Client>,
    silent_dns: (Daemon, Host),
    network: Network,
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
    pub(super) fn new(options: &Options) -> Result<Bench, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let host = |responder: Responder| Ok((responder, network.host(responder.host_name(), &[&lan])?));
        let hosts = Responder::ALL.into_iter().map(host).collect::<Result<_, String>>()?;
        let clients = [
            Client::new(&network, &lan, Backend::Ours)?,
            Client::new(&network, &lan, Backend::NssMdns)?,
            Client::new(&network, &lan, Backend::NssResolve)?,
        ];
        let baseline = options.baseline.as_deref().map(|file| Client::baseline(&network, &lan, file)).transpose()?;
        let silent_dns = silent_dns(&network, &lan)?;
        Ok(Bench {
            quick: options.quick,
            only: options.only.clone(),
            start: Instant::now(),
            bars: Vec::new(),
            running: None,
            hosts,
            clients,
            baseline,
            silent_dns,
            network,
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

    /// The client with another build of the module.
    pub(super) fn baseline(&self) -> Option<&Client> {
        self.baseline.as_ref()
    }

    /// The path of that build.
    pub(super) fn baseline_module(&self) -> Option<String> {
        self.baseline.as_ref().map(|_| baseline_files()[0].to_string_lossy().into_owned())
    }

    /// All clients.
    fn all_clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().chain(&self.baseline)
    }

    /// How many samples to take: `full`, or fewer with `--quick`.
    pub(super) fn count(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10).max(3) } else { full }
    }

    /// Whether a row shall be measured.
    pub(super) fn selects(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }

    /// Whether a row shall be measured. Reports its start if so.
    pub(super) fn wants(&self, name: &str) -> bool {
        let selected = self.selects(name);
        if selected {
            eprintln!("bench, after {} s: {name}", self.start.elapsed().as_secs());
        }
        selected
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
                    samples_of(&mut samples, backend).push(once(self.client(backend), lookup, number)?);
                    if let Some(bare) = lookup.bare.filter(|_| backend == Backend::Ours) {
                        samples[3].push(self.client(Backend::Ours).probe(bare)?.sample());
                    }
                    Ok(())
                })?;
            }
        }
        let clients: Vec<_> = slow.iter().map(|backend| self.client(*backend)).collect();
        for (backend, slow) in slow.into_iter().zip(staggered(&clients, lookup, count)?) {
            *samples_of(&mut samples, backend) = slow;
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Whether the lookup of this client mostly waits. Measures one lookup.
    fn is_slow(&self, lookup: Lookup<'_>, backend: Backend) -> Result<bool, String> {
        self.prepare(lookup, backend)?;
        let start = Instant::now();
        once(self.client(backend), lookup, 9999)?;
        Ok(start.elapsed() > MOSTLY_WAITING)
    }

    /// The pause before a lookup that the running responder needs.
    pub(super) fn pause(&self) -> Duration {
        self.running.as_ref().map_or(Duration::ZERO, |(responder, _)| responder.pause())
    }

    /// The host of a responder.
    pub(super) fn host(&self, responder: Responder) -> Result<&Host, String> {
        let host = self.hosts.iter().find(|(of, _)| *of == responder);
        host.map(|(_, host)| host).ok_or_else(|| "no such host".into())
    }

    fn prepare(&self, lookup: Lookup<'_>, backend: Backend) -> Result<(), String> {
        if lookup.cold { self.client(backend).clear_cache(self.pause()) } else { Ok(()) }
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
                let words = words_of(words, found.len());
                found.push(self.client(backend).probe(&words.iter().map(String::as_str).collect::<Vec<_>>())?);
            }
        }
        Ok(all)
    }

    /// Calls `work` while this nftables ruleset is loaded on every client.
    pub(super) fn behind<T>(&self, ruleset: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        self.all_clients().try_for_each(|client| client.host.firewall(ruleset))?;
        let result = work();
        self.all_clients().try_for_each(|client| client.host.script("nft flush ruleset").map(drop))?;
        result
    }

    /// Calls `work` while every client loses this percentage of its packets in each direction.
    pub(super) fn losing<T>(&self, percent: u8, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let set = |percent| {
            self.clients.iter().try_for_each(|client| lose(&self.network, &client.host, percent, Packets::All))
        };
        set(percent)?;
        let result = work();
        set(0)?;
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
            let ours = self.client(Backend::Ours);
            samples[0].push(once(ours, lookup, number)?);
            samples[1].push(self.with_change(change, || once(ours, lookup, number))?);
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Measures a lookup by the module and by the baseline, in turn.
    pub(super) fn beside_baseline(&self, lookup: Lookup<'_>, count: usize) -> Result<[Samples; 2], String> {
        let ours = self.client(Backend::Ours);
        let clients = [ours, self.baseline().ok_or("no baseline")?];
        if !lookup.cold && self.is_slow(lookup, Backend::Ours)? {
            let samples = staggered(&clients, lookup, count)?;
            return Ok([0, 1].map(|which: usize| Samples::of(samples.get(which).map_or(&[], Vec::as_slice))));
        }
        let mut samples = [Vec::new(), Vec::new()];
        self.alone(Backend::Ours, || {
            for number in 0..count {
                // Each of them is first half the time.
                for which in [number % 2, 1 - number % 2] {
                    self.prepare(lookup, Backend::Ours)?;
                    samples[which].push(once(clients[which], lookup, number)?);
                }
            }
            Ok(())
        })?;
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

/// The words of a lookup for the sample of this number.
fn words_of(words: &[&str], number: usize) -> Vec<String> {
    words.iter().map(|word| word.replace('#', &format!("{number:04}"))).collect()
}

fn once(client: &Client, lookup: Lookup<'_>, number: usize) -> Result<Sample, String> {
    let words = words_of(lookup.words, number);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["getent", name] => client.getent(name),
        _ => client.probe(&words).map(|found| found.sample()),
    }
}

/// The same without the agent, so that others can run at the same time.
fn once_concurrently(client: &Client, lookup: Lookup<'_>, number: usize) -> Result<Sample, String> {
    let words = words_of(lookup.words, number);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["getent", name] => client.getent_concurrently(name),
        _ => client.probe_concurrently(&words).map(|found| found.sample()),
    }
}

/// Runs lookups that mostly wait: concurrently, started one after the other. Returns the samples of each client.
fn staggered(clients: &[&Client], lookup: Lookup<'_>, count: usize) -> Result<Vec<Vec<Sample>>, String> {
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for number in 0..count {
            for (which, client) in clients.iter().enumerate() {
                running.push((which, scope.spawn(move || once_concurrently(client, lookup, number))));
                std::thread::sleep(STAGGER);
            }
        }
        let mut all = vec![Vec::new(); clients.len()];
        for (which, thread) in running {
            let sample = thread.join().map_err(|_| "a thread panicked")??;
            all.iter_mut().skip(which).take(1).for_each(|samples| samples.push(sample));
        }
        Ok(all)
    })
}

fn samples_of(samples: &mut [Vec<Sample>; 4], backend: Backend) -> &mut Vec<Sample> {
    let [ours, mdns, resolve, _] = samples;
    match backend {
        Backend::Ours => ours,
        Backend::NssMdns => mdns,
        Backend::NssResolve => resolve,
    }
}
