//! Three clients on one LAN: the module, and each peer with its own daemon.

use super::agent::{Agent, Ended};
use super::stats::{Sample, nanoseconds};
pub(super) use crate::deps::peer_module;
use crate::guest::{Kind as Compiled, compile};
use crate::lan::{Host, Lan, Network};
use crate::module::{SERVICES, file_name, library_folder};
use crate::run::{Daemon, run};
use crate::{helpers, responders};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a lookup may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Responders do not multicast the same record within a second.
pub(super) const SECOND: Duration = Duration::from_millis(1300);

/// zeroconf then makes up for what it held back, which starts another second.
pub(super) const TWO_SECONDS: Duration = Duration::from_millis(2300);

/// By what a client resolves names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The module under test, no daemon.
    Ours,
    /// Debian's nss-mdns and an avahi-daemon.
    Mdns,
    /// Debian's nss-resolve and a systemd-resolved.
    Resolve,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Ours, Kind::Mdns, Kind::Resolve];

    fn services(self) -> &'static str {
        match self {
            Kind::Ours | Kind::Mdns => "files mdns_minimal [NOTFOUND=return] dns",
            Kind::Resolve => "files resolve [!UNAVAIL=return] dns",
        }
    }

    fn host_name(self) -> &'static str {
        match self {
            Kind::Ours => "client-ours",
            Kind::Mdns => "client-mdns",
            Kind::Resolve => "client-resolve",
        }
    }
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) kind: Kind,
    agent: Mutex<Agent>,
    daemon: Mutex<Option<Daemon>>,
    pub(super) host: Host,
}

/// What a probe found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) numbers: Vec<f64>,
    pub(super) addresses: usize,
}

impl Found {
    pub(super) fn sample(&self) -> Sample {
        Sample { nanoseconds: self.numbers.first().copied().unwrap_or(f64::NAN), addresses: self.addresses }
    }
}

impl Client {
    pub(super) fn new(network: &Network, lan: &Lan, kind: Kind) -> Result<Client, String> {
        let name = kind.host_name();
        let host = match kind {
            Kind::Ours => network.client(name, &[lan])?,
            Kind::Mdns | Kind::Resolve => network.peer_client(name, &[lan], &peer_modules(kind)?)?,
        };
        host.use_services(kind.services())?;
        let agent = Mutex::new(Agent::start(&host)?);
        let client = Client { kind, agent, daemon: Mutex::new(None), host };
        client.restart_daemon()?;
        Ok(client)
    }

    /// Gives it its own hosts line again.
    pub(super) fn restore_services(&self) -> Result<(), String> {
        self.host.use_services(self.kind.services())
    }

    fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restart_daemon(&self) -> Result<(), String> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        drop(daemon.take());
        *daemon = match self.kind {
            Kind::Ours => None,
            Kind::Mdns => Some(responders::avahi(&self.host, self.kind.host_name())?),
            Kind::Resolve => Some(responders::resolved_without_log(&self.host)?),
        };
        Ok(())
    }

    /// Makes the daemon forget what it has heard, after a pause in which the responder comes to rest.
    pub(super) fn forget(&self, pause: Duration) -> Result<(), String> {
        /// An avahi-daemon takes longer than this to start, and asks for no names meanwhile.
        const START: Duration = Duration::from_secs(1);
        std::thread::sleep(if self.kind == Kind::Mdns { pause.saturating_sub(START) } else { pause });
        match self.kind {
            Kind::Ours => Ok(()),
            Kind::Mdns => self.restart_daemon(),
            Kind::Resolve => {
                // Its documented way to flush all caches.
                self.host.script("kill -USR2 $(cat /run/host/resolved.pid)")?;
                std::thread::sleep(Duration::from_millis(20));
                Ok(())
            }
        }
    }

    /// Runs a command in a fresh process.
    pub(super) fn run(&self, words: &[&str]) -> Result<Ended, String> {
        self.agent().run(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// Runs a probe in a fresh process.
    pub(super) fn probe(&self, words: &[&str]) -> Result<Found, String> {
        let ended = self.agent().run(&probe_command(words)?)?;
        parse(words, ended.code, &ended.output)
    }

    /// Runs a probe beside others.
    pub(super) fn probe_apart(&self, words: &[&str]) -> Result<Found, String> {
        let command_line = probe_command(words)?;
        let (program, arguments) = command_line.split_first().ok_or("no program")?;
        let mut command = self.host.command(program);
        command.args(arguments);
        let outcome = run(command, LIMIT)?;
        parse(words, outcome.code.unwrap_or(-1), &format!("{}{}", outcome.stdout, outcome.stderr))
    }

    /// A whole `getent hosts` process, beside others.
    pub(super) fn getent_apart(&self, name: &str) -> Result<Sample, String> {
        let mut command = self.host.command("getent");
        command.args(["hosts", name]);
        let outcome = run(command, LIMIT)?;
        Ok(Sample { nanoseconds: nanoseconds(outcome.elapsed), addresses: outcome.stdout.lines().count() })
    }

    /// A whole `getent hosts` process.
    pub(super) fn getent(&self, name: &str) -> Result<Sample, String> {
        let ended = self.run(&["getent", "hosts", name])?;
        let addresses = if ended.code == 0 { ended.output.lines().count() } else { 0 };
        Ok(Sample { nanoseconds: nanoseconds(ended.elapsed), addresses })
    }

    /// Has names looked up by a module that has its answer at once, until the hosts line is restored.
    pub(super) fn put_instant_module(&self) -> Result<(), String> {
        let module = compile("instant", Compiled::Preload)?;
        let place = library_folder()?.join(file_name("instant"));
        self.host.script(&format!("[ -f {1} ] || cp {0} {1}", module.display(), place.display()))?;
        self.host.use_services("files instant [NOTFOUND=return] dns")
    }

    /// Something that runs in the host until it is dropped.
    pub(super) fn probe_daemon(&self, word: &str) -> Result<Daemon, String> {
        let command_line = probe_command(&[word])?;
        let (program, arguments) = command_line.split_first().ok_or("no program")?;
        let mut command = self.host.command(program);
        command.args(arguments);
        self.host.ready_daemon(word, command)
    }
}

fn probe_command(words: &[&str]) -> Result<Vec<String>, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let start = [own.to_string_lossy().into_owned(), "probe".into()];
    Ok(start.into_iter().chain(words.iter().map(ToString::to_string)).collect())
}

fn parse(words: &[&str], code: i32, output: &str) -> Result<Found, String> {
    if code != 0 {
        return Err(format!("{words:?}: status {code}: {output}"));
    }
    let (numbers, addresses): (Vec<_>, Vec<_>) =
        output.split_whitespace().map(str::parse::<f64>).partition(Result::is_ok);
    Ok(Found { numbers: numbers.into_iter().flatten().collect(), addresses: addresses.len() })
}

/// The files of a peer's modules.
fn peer_modules(kind: Kind) -> Result<Vec<PathBuf>, String> {
    let services: &[&str] = match kind {
        Kind::Ours => &[],
        Kind::Mdns => &SERVICES,
        Kind::Resolve => &["resolve"],
    };
    services.iter().map(|service| peer_module(service)).collect()
}

/// A DNS server that swallows every question.
pub(super) fn black_hole(network: &Network, lan: &Lan) -> Result<(Daemon, Host), String> {
    let host = network.host("black-hole", &[lan])?;
    let server = helpers::silent_dns(&host)?.daemon();
    Ok((server, host))
}
