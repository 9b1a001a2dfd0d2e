//! Pairs of hosts on a LAN of their own: a responder, and a client with the module. Pairs share nothing but the
//! processors, so lookups that mostly wait can run on many pairs at the same time.

use super::clients::{Client, Found};
use super::responder::Responder;
use crate::lan::{Families, Host, Lan, Network};
use crate::loss::{Packets, lose};
use crate::responders::answered;
use crate::run::Daemon;
use crate::wifi::{Conditions, Multicast, Wifi};

/// What connects the hosts of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) enum Medium {
    Cable(Families),
    Wifi(Multicast),
}

/// What the hosts of a pair have in their neighbour tables before a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbours {
    /// Nothing: they have not exchanged packets.
    Unknown,
    /// What one ping to the IPv4 address of the host has left.
    Pinged,
    /// Permanent entries for each other. The kernel then needs no ARP and no neighbour discovery, which may be lost as
    /// well, and which it repeats only after a second. The module ignores such entries.
    Permanent,
}

/// A responder and a client. Fields are dropped in order: the daemon before the hosts, the hosts before the LAN.
pub(super) struct Pair {
    _daemon: Daemon,
    pub(super) responder: Responder,
    pub(super) client: Client,
    pub(super) host: Host,
    _link: Link,
}

/// Keeps what connects the hosts.
enum Link {
    Cable { _lan: Lan },
    Wifi { _wifi: Wifi },
}

impl Pair {
    /// A pair. The frames that are lost on Wi-Fi depend on the `seed`.
    pub(super) fn new(network: &Network, responder: Responder, medium: Medium, seed: u64) -> Result<Pair, String> {
        let hosts = |client_side: &Lan, responder_side: &Lan| {
            let host = network.host(responder.host_name(), &[responder_side])?;
            Ok::<_, String>((Client::ours(network, client_side, "client")?, host))
        };
        let (client, host, link) = match medium {
            Medium::Cable(families) => {
                let lan = network.lan(families)?;
                let (client, host) = hosts(&lan, &lan)?;
                (client, host, Link::Cable { _lan: lan })
            }
            Medium::Wifi(multicast) => {
                let wifi = Wifi::with(network, Families::Both, &Conditions { seed, ..Conditions::both(multicast) })?;
                let (client, host) = hosts(&wifi.client_side, &wifi.responder_side)?;
                (client, host, Link::Wifi { _wifi: wifi })
            }
        };
        let daemon = responder.start(&host)?;
        // Only these do not report when they are ready. On Wi-Fi, the check would often fail.
        if matches!(responder, Responder::Resolved | Responder::MdnsSd) {
            answered(&client.host, responder.name(), &["a", "aaaa"], &daemon)?;
        }
        Ok(Pair { _daemon: daemon, responder, client, host, _link: link })
    }

    /// Waits until the responder withholds no records, and has this in the neighbour tables then. Permanent entries must
    /// be there already.
    pub(super) fn prepare(&self, neighbours: Neighbours) -> Result<(), String> {
        if neighbours == Neighbours::Pinged {
            self.forget_neighbours()?;
            self.ping()?;
        }
        std::thread::sleep(self.responder.pause());
        if neighbours == Neighbours::Unknown { self.forget_neighbours() } else { Ok(()) }
    }

    /// Empties the neighbour tables of both hosts.
    fn forget_neighbours(&self) -> Result<(), String> {
        [&self.client.host, &self.host]
            .into_iter()
            .try_for_each(|host| host.script("ip neighbour flush nud all").map(drop))
    }

    /// Pings the IPv4 address of the host. On Wi-Fi, ARP requests are lost as well, so this may take several attempts.
    fn ping(&self) -> Result<(), String> {
        let v4 = self.host.eth0().v4.ok_or("no IPv4")?;
        let ping = format!("for i in 1 2 3 4 5 6 7 8; do ! ping -n -c 1 -W 4 {v4} >/dev/null || exit 0; done; exit 1");
        self.client.host.script(&ping).map(drop)
    }

    /// Gives both hosts permanent entries for each other.
    pub(super) fn fix_neighbours(&self) -> Result<(), String> {
        let (client, host) = (&self.client.host, &self.host);
        for (at, of) in [(client, host), (host, client)] {
            let shown = of.script("ip -o link show eth0")?;
            let mac = shown.split("link/ether ").nth(1).and_then(|rest| rest.split(' ').next()).ok_or("no MAC")?;
            let eth0 = of.eth0();
            let v6 = eth0.v6.iter().chain(&eth0.link_local).map(ToString::to_string);
            let replace = |address| format!("ip neighbour replace {address} lladdr {mac} dev eth0 nud permanent\n");
            at.script(&eth0.v4.iter().map(ToString::to_string).chain(v6).map(replace).collect::<String>())?;
        }
        Ok(())
    }

    /// Looks the host up in a process of its own.
    pub(super) fn lookup(&self) -> Result<Found, String> {
        self.client.probe(&["lookup", self.responder.name()])
    }
}

/// Pairs that are all alike, in a sandbox of their own. Fields are dropped in order: the pairs before the sandbox.
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    network: Network,
    responder: Responder,
}

impl Pairs {
    pub(super) fn new(count: usize, responder: Responder, medium: Medium) -> Result<Pairs, String> {
        let network = Network::new()?;
        let pairs = std::thread::scope(|scope| {
            let network = &network;
            let start = |seed| scope.spawn(move || Pair::new(network, responder, medium, seed));
            let threads: Vec<_> = (1..).take(count).map(start).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
                .collect::<Result<_, String>>()
        })?;
        Ok(Pairs { pairs, network, responder })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    /// How many addresses a complete answer has.
    pub(super) fn addresses(&self) -> usize {
        self.responder.addresses()
    }

    /// Loses this percentage of the packets to a client, and of those from it.
    pub(super) fn lose(&self, pair: &Pair, percent: u8) -> Result<(), String> {
        lose(&self.network, &pair.client.host, percent, Packets::All)
    }

    /// Calls `work` `count` times altogether, on all pairs at the same time. The pairs start one after the other, so
    /// that they do not look up names at the same moment.
    pub(super) fn side_by_side<T: Send>(
        &self,
        count: usize,
        work: impl Fn(&Pair) -> Result<T, String> + Sync,
    ) -> Result<Vec<T>, String> {
        let (work, number) = (&work, |length: usize| u32::try_from(length).unwrap_or(u32::MAX));
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (position, pair) in self.pairs.iter().enumerate().take(count) {
                let delay = self.responder.pause() * number(position) / number(self.pairs.len());
                let own = (position..count).step_by(self.pairs.len());
                threads.push(scope.spawn(move || {
                    std::thread::sleep(delay);
                    own.map(|_| work(pair)).collect::<Result<Vec<T>, String>>()
                }));
            }
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| "a thread panicked")??);
            }
            Ok(all)
        })
    }
}
