//! Networks and hosts, for every test: bridges and veth pairs, addresses, and each host's own files.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! use tests::lan::{Families, Network};
//! let network = Network::new()?;
//! let lan = network.lan(Families::Both)?;
//! let printer = network.host("printer", &[&lan])?;
//! let client = network.client("client", &[&lan])?;
//! # Ok(()) }
//! ```

use crate::module::{self, SERVICES};
use crate::run::{Daemon, Outcome, run};
use crate::sandbox::{Space, need_program, unique};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The hosts line of every client, unless a test writes another.
pub const HOSTS_LINE: &str = "hosts: files mdns_minimal [NOTFOUND=return] dns\n";

/// How long a command may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(30);

/// The kinds of addresses a LAN has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 and IPv6.
    Both,
    /// IPv4 alone: IPv6 is switched off.
    V4,
    /// IPv6 alone.
    V6,
}

/// A sandbox in which LANs and hosts are made.
#[derive(Debug)]
pub struct Network {
    space: Space,
    lans: AtomicU8,
}

/// A bridge; hosts get the next free addresses on it.
#[derive(Debug)]
pub struct Lan {
    number: u8,
    bridge: u8,
    families: Families,
    hosts: Arc<AtomicU8>,
}

impl Lan {
    /// The interface name of its bridge, in the namespace of the network.
    pub(crate) fn bridge(&self) -> String {
        format!("br{}", self.bridge)
    }
}

/// One interface of a host, `eth0` for the first.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index, which is the scope id of link-local addresses.
    pub index: u32,
    /// Its IPv4 address, unless the LAN has none.
    pub v4: Option<Ipv4Addr>,
    /// Its unique local IPv6 address, unless the LAN has none.
    pub v6: Option<Ipv6Addr>,
    /// Its link-local IPv6 address, unless the LAN has none.
    pub link_local: Option<Ipv6Addr>,
    /// The other end of the veth pair, in the namespace of the bridges.
    pub(crate) port: String,
}

/// A host: network, mounts, `/run`, `/etc` and host name of its own.
#[derive(Debug)]
pub struct Host {
    space: Space,
    /// Its host name.
    pub name: String,
    /// One for each LAN it is on, in that order.
    pub interfaces: Vec<Interface>,
}

impl Network {
    /// An empty network.
    ///
    /// # Errors
    /// What is missing.
    pub fn new() -> Result<Network, String> {
        Ok(Network { space: Space::sandbox()?, lans: AtomicU8::new(1) })
    }

    /// A new LAN.
    ///
    /// # Errors
    /// If `ip` fails.
    pub fn lan(&self, families: Families) -> Result<Lan, String> {
        let number = self.add_bridge()?;
        Ok(Lan { number, bridge: number, families, hosts: Arc::new(AtomicU8::new(1)) })
    }

    /// A further bridge for the subnet of a LAN: the hosts on both have addresses of one prefix. Nothing connects the two
    /// bridges yet.
    ///
    /// # Errors
    /// If `ip` fails.
    pub(crate) fn second_bridge(&self, lan: &Lan) -> Result<Lan, String> {
        let bridge = self.add_bridge()?;
        Ok(Lan { number: lan.number, bridge, families: lan.families, hosts: Arc::clone(&lan.hosts) })
    }

    fn add_bridge(&self) -> Result<u8, String> {
        let number = self.lans.fetch_add(1, Ordering::Relaxed);
        // Snooping would withhold the group's packets from hosts whose membership it has not seen yet.
        self.script(&format!("ip link add br{number} type bridge mcast_snooping 0; ip link set br{number} up"))?;
        Ok(number)
    }

    /// A host without the module: a responder, a server.
    ///
    /// # Errors
    /// What failed.
    pub fn host(&self, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        self.connect(self.space.inside(HOST_SETUP, &etc(name))?, name, lans)
    }

    /// A host with the module in place and [`HOSTS_LINE`].
    ///
    /// # Errors
    /// What failed.
    pub fn client(&self, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        let folder = module::library_folder()?;
        let (module, folder) = (module::path()?.to_string_lossy(), folder.to_string_lossy());
        let setup = format!("{HOST_SETUP}\n{}", client_setup());
        let mut environment = etc(name).to_vec();
        environment.extend([("MODULE", &*module), ("LIBRARIES", &*folder)]);
        self.connect(self.space.inside(&setup, &environment)?, name, lans)
    }

    /// Hangs a host on LANs.
    fn connect(&self, space: Space, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        let mut host = Host { space, name: name.into(), interfaces: Vec::new() };
        for (position, lan) in lans.iter().enumerate() {
            let interface = format!("eth{position}");
            let (port, pid, bridge) = (format!("port{}", unique()), host.space.inner_pid(), lan.bridge());
            self.script(&format!(
                "ip link add {port} type veth peer name {interface} netns {pid}
                 ip link set {port} master {bridge} up"
            ))?;
            host.configure(&interface, port, lan)?;
        }
        Ok(host)
    }

    /// A command with this program in the namespace of the bridges.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.space.enter();
        command.arg(program);
        command
    }

    /// Runs a script where the bridges are.
    pub(crate) fn script(&self, script: &str) -> Result<String, String> {
        let mut command = self.space.enter();
        command.args(["sh", "-euc", script]);
        succeed(command, script)
    }
}

/// In every host: its files, its name, and addresses that need no waiting for.
///
/// `/etc` is an overlay whose upper layer holds the host's own files. Files that are symbolic links on the
/// machine (`/etc/resolv.conf` often is) are covered by that as well, which a bind mount would not do.
/// Daemons that want a user of their own get root's number, the only one that an ordinary user's namespace has.
const HOST_SETUP: &str = r#"
    mount -t tmpfs tmpfs /run
    mkdir -p /run/host/etc /run/host/etc-work
    printf '%s' "$NSSWITCH" >/run/host/etc/nsswitch.conf
    printf '%s' "$RESOLV" >/run/host/etc/resolv.conf
    printf '127.0.0.1 localhost\n::1 localhost\n' >/run/host/etc/hosts
    printf '%s\n' "$NAME" >/run/host/etc/hostname
    for table in passwd group; do
        cp /etc/$table /run/host/etc/$table
        for user in avahi systemd-resolve sshd; do
            grep -q "^$user:" /etc/$table || echo "$user:x:0:0::/:/bin/false" >>/run/host/etc/$table
        done
    done
    mount -t overlay -o lowerdir=/etc,upperdir=/run/host/etc,workdir=/run/host/etc-work overlay /etc
    hostname "$NAME"
    echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra
    echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range || echo 0 0 >/proc/sys/net/ipv4/ping_group_range
    ip link set lo up"#;

/// In a client besides: the module over the system's library folder, as one file and five links, so that
/// programs that ignore `LD_LIBRARY_PATH` (ping has file capabilities) load it too.
fn client_setup() -> String {
    let mut script = String::from("upper=/run/host/lib\nmkdir -p $upper /run/host/lib-work\n");
    let file = module::file_name(SERVICES[0]);
    let _ = writeln!(script, "cp \"$MODULE\" $upper/{file}\nchmod 644 $upper/{file}");
    for service in &SERVICES[1..] {
        let _ = writeln!(script, "ln -s {file} $upper/{}", module::file_name(service));
    }
    script
        + "mount -t overlay -o \"lowerdir=$LIBRARIES,upperdir=$upper,workdir=/run/host/lib-work\" overlay \"$LIBRARIES\""
}

/// The contents of the files in a host's `/etc`. No DNS server answers, and none lets anyone wait.
fn etc(name: &str) -> [(&'static str, &str); 3] {
    [("NAME", name), ("NSSWITCH", HOSTS_LINE), ("RESOLV", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")]
}

impl Host {
    /// A command with this program, to which arguments can be added.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.space.enter();
        command.arg(program);
        command
    }

    /// Runs a command to its end; the tests' usual way.
    ///
    /// # Panics
    /// If it cannot be started or hangs.
    pub fn run(&self, words: &[&str]) -> Outcome {
        let (program, arguments) = words.split_first().expect("a program to run");
        let mut command = self.command(program);
        command.args(arguments);
        let outcome = run(command, LIMIT).expect("the command starts");
        assert!(!outcome.timed_out, "{words:?} on {} hangs: {outcome:?}", self.name);
        outcome
    }

    /// Runs a shell script that has to succeed, and returns what it printed.
    ///
    /// # Errors
    /// What it wrote, if it fails.
    pub fn script(&self, script: &str) -> Result<String, String> {
        let mut command = self.command("sh");
        command.args(["-euc", script]);
        succeed(command, script)
    }

    /// Starts a daemon.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn daemon(&self, name: &str, command: Command) -> Result<Daemon, String> {
        Daemon::start(&format!("{name} on {}", self.name), command)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// What failed.
    pub fn write(&self, path: impl AsRef<Path>, content: &str) -> Result<(), String> {
        let mut command = self.command("sh");
        let path = path.as_ref();
        command.args(["-euc", r#"mkdir -p "${1%/*}"; printf '%s' "$2" >"$1""#, "sh"]).arg(path).arg(content);
        succeed(command, &path.to_string_lossy()).map(|_| ())
    }

    /// Asks this DNS server, for one second and no more.
    ///
    /// # Errors
    /// What failed.
    pub fn use_dns(&self, server: impl std::fmt::Display) -> Result<(), String> {
        self.write("/etc/resolv.conf", &format!("nameserver {server}\noptions timeout:1 attempts:1\n"))
    }

    /// Gives the host a hosts line of its own.
    ///
    /// # Errors
    /// What failed.
    pub fn use_services(&self, services: &str) -> Result<(), String> {
        self.write("/etc/nsswitch.conf", &format!("hosts: {services}\n"))
    }

    /// Loads an nftables ruleset.
    ///
    /// # Errors
    /// What nft said.
    pub fn firewall(&self, ruleset: &str) -> Result<(), String> {
        self.write("/run/host/ruleset", ruleset)?;
        self.script("nft -f /run/host/ruleset").map(|_| ())
    }

    /// The first interface.
    ///
    /// # Panics
    /// If the host is on no LAN.
    pub fn eth0(&self) -> &Interface {
        self.interfaces.first().expect("a host on a LAN")
    }

    /// Brings an interface up and gives it the next addresses of the LAN.
    fn configure(&mut self, interface: &str, port: String, lan: &Lan) -> Result<(), String> {
        let (net, host) = (lan.number, lan.hosts.fetch_add(1, Ordering::Relaxed));
        let v4 = (lan.families != Families::V6).then(|| Ipv4Addr::new(10, 77, net, host));
        let v6 = (lan.families != Families::V4)
            .then(|| Ipv6Addr::new(0xfd77, u16::from(net), 0, 0, 0, 0, 0, u16::from(host)));
        let mut script = String::new();
        if v6.is_none() {
            let _ = writeln!(script, "echo 1 >/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
        }
        let _ = writeln!(script, "ip link set {interface} up");
        if let Some(v4) = v4 {
            let _ = writeln!(script, "ip address add {v4}/24 dev {interface}");
        }
        if let Some(v6) = v6 {
            let _ = writeln!(script, "ip address add {v6}/64 dev {interface} nodad");
        }
        let _ = writeln!(script, "ip -o link show {interface}; ip -o -6 address show {interface} scope link");
        let shown = self.script(&script)?;
        let index = shown.split(':').next().and_then(|index| index.trim().parse().ok());
        let index = index.ok_or_else(|| format!("no index in {shown}"))?;
        let link_local = shown.split([' ', '/']).find_map(|word| word.parse::<Ipv6Addr>().ok());
        self.interfaces.push(Interface { name: interface.into(), index, v4, v6, link_local, port });
        Ok(())
    }
}

/// Runs a command that has to succeed.
fn succeed(command: Command, what: &str) -> Result<String, String> {
    let outcome = run(command, LIMIT)?;
    if outcome.success() { Ok(outcome.stdout) } else { Err(format!("{what}: {}", outcome.stderr.trim())) }
}

/// # Errors
/// A sentence, if a program that shows lookups at work is missing.
pub fn need_client_programs() -> Result<(), String> {
    ["getent", "ping"].into_iter().try_for_each(need_program)
}
