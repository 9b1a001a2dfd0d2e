//! The three clients: one with the module, and one for each peer with its daemon.

use super::agent::{Agent, Ended};
use super::stats::{Sample, nanoseconds};
pub(super) use crate::deps::peer_module;
use crate::guest::{Kind, compile};
use crate::lan::{Host, Lan, Network};
use crate::module::{SERVICES, file_name, library_folder, target};
use crate::run::{Daemon, run};
use crate::{helpers, responders};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a lookup may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(90);

/// How a client resolves names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// With the module under test, without a daemon.
    Ours,
    /// With Debian's nss-mdns and an avahi-daemon.
    NssMdns,
    /// With Debian's nss-resolve and a systemd-resolved.
    NssResolve,
}

impl Backend {
    pub(super) const ALL: [Backend; 3] = [Backend::Ours, Backend::NssMdns, Backend::NssResolve];

    fn services(self) -> &'static str {
        match self {
            Backend::Ours | Backend::NssMdns => "files mdns_minimal [NOTFOUND=return] dns",
            Backend::NssResolve => "files resolve [!UNAVAIL=return] dns",
        }
    }

    fn host_name(self) -> &'static str {
        match self {
            Backend::Ours => "client-ours",
            Backend::NssMdns => "client-mdns",
            Backend::NssResolve => "client-resolve",
        }
    }
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) backend: Backend,
    agent: Mutex<Agent>,
    daemon: Mutex<Option<Daemon>>,
    pub(super) host: Host,
}

/// What a probe printed: its numbers, and the addresses that it found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) numbers: Vec<f64>,
    pub(super) addresses: Vec<IpAddr>,
}

impl Found {
    pub(super) fn sample(&self) -> Sample {
        Sample { nanoseconds: self.numbers.first().copied().unwrap_or(f64::NAN), addresses: self.addresses.len() }
    }

    /// Whether it found an address of each family.
    pub(super) fn has_both_families(&self) -> bool {
        self.addresses.iter().any(IpAddr::is_ipv4) && self.addresses.iter().any(IpAddr::is_ipv6)
    }
}

impl Client {
    pub(super) fn new(network: &Network, lan: &Lan, backend: Backend) -> Result<Client, String> {
        let name = backend.host_name();
        let host = match backend {
            Backend::Ours => network.client(name, &[lan])?,
            Backend::NssMdns | Backend::NssResolve => network.peer_client(name, &[lan], &peer_modules(backend)?)?,
        };
        Client::on(host, backend)
    }

    /// A further client with the module under test.
    pub(super) fn ours(network: &Network, lan: &Lan, name: &str) -> Result<Client, String> {
        Client::on(network.client(name, &[lan])?, Backend::Ours)
    }

    /// A client with another build of the module.
    pub(super) fn baseline(network: &Network, lan: &Lan, module: &Path) -> Result<Client, String> {
        let files = baseline_files();
        let folder = files[0].parent().ok_or("no folder")?;
        std::fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        for file in &files {
            std::fs::copy(module, file).map_err(|why| format!("{}: {why}", module.display()))?;
        }
        Client::on(network.peer_client("client-baseline", &[lan], &files)?, Backend::Ours)
    }

    /// A client on this host, which must have the modules of the backend.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn on(host: Host, backend: Backend) -> Result<Client, String> {
        host.use_services(backend.services())?;
        let agent = Mutex::new(Agent::start(&host)?);
        let client = Client { backend, agent, daemon: Mutex::new(None), host };
        client.restart_daemon()?;
        Ok(client)
    }

    /// Restores the hosts line of this client.
    pub(super) fn restore_services(&self) -> Result<(), String> {
        self.host.use_services(self.backend.services())
    }

    fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restart_daemon(&self) -> Result<(), String> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        drop(daemon.take());
        *daemon = match self.backend {
            Backend::Ours => None,
            Backend::NssMdns => Some(responders::avahi(&self.host, self.backend.host_name())?),
            Backend::NssResolve => Some(responders::resolved_without_log(&self.host)?),
        };
        Ok(())
    }

    /// Pauses, so that the responder has no recently sent records, and clears the cache of the daemon.
    pub(super) fn clear_cache(&self, pause: Duration) -> Result<(), String> {
        /// An avahi-daemon takes longer than this to start, and sends no queries for names during that time.
        const START: Duration = Duration::from_secs(1);
        std::thread::sleep(if self.backend == Backend::NssMdns { pause.saturating_sub(START) } else { pause });
        match self.backend {
            Backend::Ours => Ok(()),
            Backend::NssMdns => self.restart_daemon(),
            Backend::NssResolve => {
                // This signal flushes all caches, see systemd-resolved.service(8).
                self.host.script("kill -USR2 $(cat /run/host/resolved.pid)")?;
                std::thread::sleep(Duration::from_millis(20));
                Ok(())
            }
        }
    }

    /// Runs a command.
    pub(super) fn run(&self, words: &[&str]) -> Result<Ended, String> {
        self.agent().run(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// Runs a probe.
    pub(super) fn probe(&self, words: &[&str]) -> Result<Found, String> {
        self.probe_within(&[], words)
    }

    /// Runs a probe by this command, which takes the probe as further arguments.
    pub(super) fn probe_within(&self, command: &[&str], words: &[&str]) -> Result<Found, String> {
        let start = command.iter().map(ToString::to_string);
        let ended = self.agent().run(&start.chain(probe_command(words)?).collect::<Vec<_>>())?;
        parse(words, ended.code, &ended.output)
    }

    /// Runs a probe without the agent, so that others can run at the same time.
    pub(super) fn probe_concurrently(&self, words: &[&str]) -> Result<Found, String> {
        let command_line = probe_command(words)?;
        let (program, arguments) = command_line.split_first().ok_or("no program")?;
        let mut command = self.host.command(program);
        command.args(arguments);
        let outcome = run(command, LIMIT)?;
        parse(words, outcome.code.unwrap_or(-1), &format!("{}{}", outcome.stdout, outcome.stderr))
    }

    /// Measures a whole `getent hosts` process without the agent, so that others can run at the same time.
    pub(super) fn getent_concurrently(&self, name: &str) -> Result<Sample, String> {
        let mut command = self.host.command("getent");
        command.args(["hosts", name]);
        let outcome = run(command, LIMIT)?;
        Ok(Sample { nanoseconds: nanoseconds(outcome.elapsed), addresses: outcome.stdout.lines().count() })
    }

    /// Measures a whole `getent hosts` process.
    pub(super) fn getent(&self, name: &str) -> Result<Sample, String> {
        let ended = self.run(&["getent", "hosts", name])?;
        let addresses = if ended.code == 0 { ended.output.lines().count() } else { 0 };
        Ok(Sample { nanoseconds: nanoseconds(ended.elapsed), addresses })
    }

    /// Replaces the module by one that returns a fixed answer at once, until the hosts line is restored.
    pub(super) fn use_instant_module(&self) -> Result<(), String> {
        let module = compile("instant", Kind::Preload)?;
        let file = library_folder()?.join(file_name("instant"));
        self.host.script(&format!("[ -f {1} ] || cp {0} {1}", module.display(), file.display()))?;
        self.host.use_services("files instant [NOTFOUND=return] dns")
    }

    /// Starts a probe that runs in the host until the value is dropped.
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
    let words = || output.split_whitespace();
    let numbers = words().filter_map(|word| word.parse().ok()).collect();
    Ok(Found { numbers, addresses: words().filter_map(|word| word.parse().ok()).collect() })
}

/// The copies of the other build of the module, under the names by which glibc loads it.
pub(super) fn baseline_files() -> [PathBuf; SERVICES.len()] {
    SERVICES.map(|service| target().join("bench-baseline").join(file_name(service)))
}

/// The module files of a peer.
fn peer_modules(backend: Backend) -> Result<Vec<PathBuf>, String> {
    let services: &[&str] = match backend {
        Backend::Ours => &[],
        Backend::NssMdns => &SERVICES,
        Backend::NssResolve => &["resolve"],
    };
    services.iter().map(|service| peer_module(service)).collect()
}

/// A DNS server that never responds.
pub(super) fn silent_dns(network: &Network, lan: &Lan) -> Result<(Daemon, Host), String> {
    let host = network.host("silent-dns", &[lan])?;
    let server = helpers::silent_dns(&host)?.daemon();
    Ok((server, host))
}
