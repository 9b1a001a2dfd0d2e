//! The LAN, and the order in which its clients take turns: ours, bare, peer, peer, ours, … so that whatever else the
//! machine does hits all alike.

use super::clients::{Client, Found, Kind, SECOND, TWO_SECONDS, black_hole};
use super::stats::{Sample, Samples};
use super::table::Row;
use crate::lan::{Families, Host, Network};
use crate::responders;
use crate::run::Daemon;
use std::time::{Duration, Instant};

/// A lookup that takes longer than this mostly waits. Such ones are made side by side, or they would take hours.
const MOSTLY_WAITING: Duration = Duration::from_millis(700);

/// How far apart those are started.
const STAGGER: Duration = Duration::from_millis(50);

/// The 64 names of one responder; `#` stands for the number.
pub(super) const MANY: &str = "many#.local";

/// Everything that is measured on. Fields are dropped in order: what runs in the hosts before the hosts.
pub(super) struct Bench {
    quick: bool,
    only: Vec<String>,
    start: Instant,
    /// What the chart shows.
    pub(super) bars: Vec<(String, [Samples; 4])>,
    running: Option<(Responder, Daemon)>,
    hosts: [Host; Responder::ALL.len()],
    clients: [Client; 3],
    hole: (Daemon, Host),
    _network: Network,
}

/// Who answers. Only one of them runs at a time: every query wakes all that do, and they would take the time of what is
/// measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Responder {
    Avahi,
    AvahiV4,
    Zeroconf,
    ZeroconfV4,
    Resolved,
    /// The scripted one, with 64 names.
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

    /// The host's name, without `.local`.
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

/// What is changed for a lookup that is measured in turn with itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// A module that has its answer at once is in the place of ours.
    InstantModule,
    /// The DNS server swallows all questions.
    WithoutDns,
}

/// A lookup to be measured. `#` in its words becomes the number of the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// The words of the probe; or `getent NAME`, for a whole process.
    pub(super) words: &'a [&'a str],
    /// The words of the bare query's probe, where it is asked beside.
    pub(super) bare: Option<&'a [&'a str]>,
    /// The peers' daemons have not heard of the name before.
    pub(super) cold: bool,
    /// Which clients make it.
    pub(super) by: &'a [Kind],
}

impl Bench {
    pub(super) fn new(quick: bool, only: Vec<String>) -> Result<Bench, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let host = |responder: Responder| network.host(responder.name(), &[&lan]);
        let hosts = Responder::ALL.map(host);
        let clients = [
            Client::new(&network, &lan, Kind::Ours)?,
            Client::new(&network, &lan, Kind::Mdns)?,
            Client::new(&network, &lan, Kind::Resolve)?,
        ];
        let hole = black_hole(&network, &lan)?;
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
            hole,
            _network: network,
        })
    }

    /// Has this responder run, and no other.
    pub(super) fn serve(&mut self, responder: Responder) -> Result<(), String> {
        if self.running.as_ref().is_some_and(|(running, _)| *running == responder) {
            return Ok(());
        }
        self.running = None;
        let daemon = responder.start(self.host(responder)?)?;
        self.running = Some((responder, daemon));
        if responder == Responder::Resolved { self.wait_for_resolved() } else { Ok(()) }
    }

    /// It probes its name for a while before it answers, and does not say when.
    fn wait_for_resolved(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            match self.client(Kind::Ours).probe(&["bare", "resolved.local", "each"]) {
                Ok(_) => return Ok(()),
                Err(why) if Instant::now() > deadline => return Err(why),
                Err(_) => {}
            }
        }
    }

    pub(super) fn client(&self, kind: Kind) -> &Client {
        let [ours, mdns, resolve] = &self.clients;
        match kind {
            Kind::Ours => ours,
            Kind::Mdns => mdns,
            Kind::Resolve => resolve,
        }
    }

    /// How many samples to take where `full` are wanted.
    pub(super) fn count(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10).max(3) } else { full }
    }

    /// Whether a row is to be measured.
    pub(super) fn wants(&self, name: &str) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()));
        if wanted {
            eprintln!("bench, after {} s: {name}", self.start.elapsed().as_secs());
        }
        wanted
    }

    /// Prints a row as soon as it is known.
    pub(super) fn add(&self, row: &Row) {
        println!("{}", row.show());
    }

    /// Measures a lookup: ours, nss-mdns, nss-resolve, bare; empty for those that do not make it.
    pub(super) fn measure(&self, lookup: Lookup<'_>, count: usize) -> Result<[Samples; 4], String> {
        let mut samples: [Vec<Sample>; 4] = Default::default();
        let (mut slow, mut quick) = (Vec::new(), Vec::new());
        for &kind in lookup.by {
            let waits = self.is_slow(lookup, kind)?;
            if waits { &mut slow } else { &mut quick }.push(kind);
        }
        for number in 0..count {
            for &kind in &quick {
                self.prepare(lookup, kind)?;
                self.alone(kind, || {
                    place(&mut samples, kind).push(self.once(lookup, kind, number, false)?);
                    if let Some(bare) = lookup.bare.filter(|_| kind == Kind::Ours) {
                        samples[3].push(self.client(Kind::Ours).probe(bare)?.sample());
                    }
                    Ok(())
                })?;
            }
        }
        for (kind, slow) in self.staggered(lookup, &slow, count)? {
            *place(&mut samples, kind) = slow;
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Whether this client's lookup is one that waits, by trying it.
    fn is_slow(&self, lookup: Lookup<'_>, kind: Kind) -> Result<bool, String> {
        self.prepare(lookup, kind)?;
        let start = Instant::now();
        self.once(lookup, kind, 9999, false)?;
        Ok(start.elapsed() > MOSTLY_WAITING)
    }

    /// How long the responder is left alone before a lookup.
    pub(super) fn pause(&self) -> Duration {
        match self.running {
            Some((Responder::Zeroconf | Responder::ZeroconfV4, _)) => TWO_SECONDS,
            _ => SECOND,
        }
    }

    /// The host of a responder.
    pub(super) fn host(&self, responder: Responder) -> Result<&Host, String> {
        let host = self.hosts.iter().zip(Responder::ALL).find(|(_, of)| *of == responder);
        host.map(|(host, _)| host).ok_or_else(|| "no such host".into())
    }

    fn prepare(&self, lookup: Lookup<'_>, kind: Kind) -> Result<(), String> {
        if lookup.cold { self.client(kind).forget(self.pause()) } else { Ok(()) }
    }

    fn once(&self, lookup: Lookup<'_>, kind: Kind, number: usize, apart: bool) -> Result<Sample, String> {
        let client = self.client(kind);
        let words: Vec<String> = lookup.words.iter().map(|word| word.replace('#', &format!("{number:04}"))).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            ["getent", name] if apart => client.getent_apart(name),
            ["getent", name] => client.getent(name),
            _ if apart => client.probe_apart(&words).map(|found| found.sample()),
            _ => client.probe(&words).map(|found| found.sample()),
        }
    }

    fn staggered(&self, lookup: Lookup<'_>, kinds: &[Kind], count: usize) -> Result<Vec<(Kind, Vec<Sample>)>, String> {
        std::thread::scope(|scope| {
            let mut running = Vec::new();
            for number in 0..count {
                for &kind in kinds {
                    running.push((kind, scope.spawn(move || self.once(lookup, kind, number, true))));
                    std::thread::sleep(STAGGER);
                }
            }
            let mut all: Vec<(Kind, Vec<Sample>)> = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
            for (kind, thread) in running {
                let sample = thread.join().map_err(|_| "a thread panicked")??;
                all.iter_mut().filter(|(of, _)| *of == kind).for_each(|(_, samples)| samples.push(sample));
            }
            Ok(all)
        })
    }

    /// The same probe again and again, by one client after the other, for they would overhear each other's answers:
    /// `count` times or, by a peer, until its time is up.
    pub(super) fn repeat(
        &self,
        words: &[&str],
        count: usize,
        by: &[Kind],
        peers_limit: Duration,
    ) -> Result<[Vec<Found>; 3], String> {
        let mut all: [Vec<Found>; 3] = Default::default();
        for (kind, found) in Kind::ALL.into_iter().zip(&mut all).filter(|(kind, _)| by.contains(kind)) {
            let start = Instant::now();
            while found.len() < count && (kind == Kind::Ours || start.elapsed() < peers_limit) {
                match kind {
                    Kind::Ours => std::thread::sleep(Duration::from_millis(500)),
                    Kind::Mdns | Kind::Resolve => self.client(kind).forget(self.pause())?,
                }
                found.push(self.client(kind).probe(words)?);
            }
        }
        Ok(all)
    }

    /// Loads an nftables ruleset on every client, does something, and unloads it.
    pub(super) fn behind<T>(&self, ruleset: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        self.clients.iter().try_for_each(|client| client.host.firewall(ruleset))?;
        let result = work();
        self.clients.iter().try_for_each(|client| client.host.script("nft flush ruleset").map(drop))?;
        result
    }

    /// Does something while the other clients' daemons hear no multicast DNS.
    pub(super) fn alone<T>(&self, kind: Kind, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        const DEAF: &str = "table inet deaf {
            chain input { type filter hook prerouting priority -300; udp dport 5353 drop; }
        }";
        let others = || self.clients.iter().filter(|client| client.kind != kind && client.kind != Kind::Ours);
        others().try_for_each(|client| client.host.firewall(DEAF))?;
        let result = work();
        others().try_for_each(|client| client.host.script("nft delete table inet deaf").map(drop))?;
        result
    }

    /// Does something while a module that has its answer at once is in the place of ours.
    pub(super) fn with_instant_module<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        self.client(Kind::Ours).put_instant_module()?;
        let result = work();
        self.client(Kind::Ours).restore_services()?;
        result
    }

    /// Does something in a changed place.
    fn changed<T>(&self, change: Change, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        match change {
            Change::InstantModule => self.with_instant_module(work),
            Change::WithoutDns => self.without_dns(work),
        }
    }

    /// Our own lookup as it is, in turn with the same after a change.
    pub(super) fn ours_in_turn(
        &self,
        lookup: Lookup<'_>,
        count: usize,
        change: Change,
    ) -> Result<[Samples; 2], String> {
        let lookup = Lookup { by: &[Kind::Ours], cold: false, bare: None, ..lookup };
        if self.is_slow(lookup, Kind::Ours)? {
            let [ours, ..] = self.measure(lookup, count)?;
            let [changed, ..] = self.changed(change, || self.measure(lookup, count))?;
            return Ok([ours, changed]);
        }
        let mut samples = [Vec::new(), Vec::new()];
        for number in 0..count {
            samples[0].push(self.once(lookup, Kind::Ours, number, false)?);
            samples[1].push(self.changed(change, || self.once(lookup, Kind::Ours, number, false))?);
        }
        Ok(samples.each_ref().map(|samples| Samples::of(samples)))
    }

    /// Does something while the DNS server of every client swallows all questions.
    pub(super) fn without_dns<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let address = self.hole.1.eth0().v4.ok_or("no IPv4")?;
        // As a machine has it, without the short timeouts of the tests.
        let config = format!("nameserver {address}\n");
        self.clients.iter().try_for_each(|client| client.host.write("/etc/resolv.conf", &config))?;
        let result = work();
        self.clients.iter().try_for_each(|client| client.host.use_dns("127.0.0.1"))?;
        result
    }
}

fn place(samples: &mut [Vec<Sample>; 4], kind: Kind) -> &mut Vec<Sample> {
    let [ours, mdns, resolve, _] = samples;
    match kind {
        Kind::Ours => ours,
        Kind::Mdns => mdns,
        Kind::Resolve => resolve,
    }
}
