//! Networks and hosts: bridges and veth pairs, addresses, and files of each host.
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
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The hosts line of every client, until a test writes another.
pub const HOSTS_LINE: &str = "hosts: files mdns_minimal [NOTFOUND=return] dns\n";

/// How long a command may run before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(30);

/// How long a daemon may take to get ready. Responders probe their names for 750 ms (RFC 6762, section 8.1). The rest
/// is a margin for slow machines.
pub(crate) const READY: Duration = Duration::from_secs(15);

/// The start of the solicited-node groups (RFC 4291, section 2.7.1) in `/proc/net/igmp6`.
const SOLICITED_NODE: &str = "ff0200000000000000000001ff";

/// The address families of a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 and IPv6.
    Both,
    /// Only IPv4. IPv6 is disabled on the interfaces.
    V4,
    /// Only IPv6.
    V6,
}

/// A sandbox for LANs and hosts.
#[derive(Debug)]
pub struct Network {
    space: Space,
    lans: AtomicU8,
}

/// A LAN, which is a bridge. Hosts get the next free addresses on it.
#[derive(Debug)]
pub struct Lan {
    number: u8,
    bridge: u8,
    families: Families,
    hosts: Arc<AtomicU8>,
}

impl Lan {
    /// The interface name of its bridge.
    pub(crate) fn bridge(&self) -> String {
        format!("br{}", self.bridge)
    }
}

/// An interface of a host. The first is `eth0`.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Index, which is the scope id of link-local addresses.
    pub index: u32,
    /// IPv4 address, if the LAN has IPv4.
    pub v4: Option<Ipv4Addr>,
    /// Unique local IPv6 address, if the LAN has IPv6.
    pub v6: Option<Ipv6Addr>,
    /// Link-local IPv6 address, if the LAN has IPv6.
    pub link_local: Option<Ipv6Addr>,
    /// Name of the bridge's port, the other end of the veth pair.
    pub(crate) port: String,
}

/// A host: namespaces for network, mounts and host name, with its own `/run` and `/etc`.
#[derive(Debug)]
pub struct Host {
    space: Space,
    /// Host name.
    pub name: String,
    /// One interface for each LAN of the host, in that order.
    pub interfaces: Vec<Interface>,
}

impl Network {
    /// An empty network.
    ///
    /// # Errors
    /// What the sandbox lacks.
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

    /// A second bridge for the subnet of a LAN. Hosts on both bridges have addresses with the same prefix. The caller
    /// connects the bridges.
    ///
    /// # Errors
    /// If `ip` fails.
    pub(crate) fn second_bridge(&self, lan: &Lan) -> Result<Lan, String> {
        let bridge = self.add_bridge()?;
        Ok(Lan { number: lan.number, bridge, families: lan.families, hosts: Arc::clone(&lan.hosts) })
    }

    fn add_bridge(&self) -> Result<u8, String> {
        let number = self.lans.fetch_add(1, Ordering::Relaxed);
        // With snooping, the bridge would not forward multicast packets to hosts whose membership report it has not
        // seen.
        self.script(&format!("ip link add br{number} type bridge mcast_snooping 0; ip link set br{number} up"))?;
        Ok(number)
    }

    /// A host without the module, for a responder or a server.
    ///
    /// # Errors
    /// What failed.
    pub fn host(&self, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        self.connect(self.space.inside(HOST_SETUP, &etc(name))?, name, lans)
    }

    /// A host with the module and [`HOSTS_LINE`].
    ///
    /// # Errors
    /// What failed.
    pub fn client(&self, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        let module = module::path()?.to_string_lossy();
        let file = module::file_name(SERVICES[0]);
        // One file and five links to it, as the installation does.
        let mut copy = format!("cp '{module}' $upper/{file}\nchmod 644 $upper/{file}\n");
        for service in &SERVICES[1..] {
            let _ = writeln!(copy, "ln -s {file} $upper/{}", module::file_name(service));
        }
        self.host_with_libraries(name, lans, &copy)
    }

    /// A host with other modules and [`HOSTS_LINE`].
    ///
    /// # Errors
    /// What failed.
    pub fn peer_client(&self, name: &str, lans: &[&Lan], modules: &[PathBuf]) -> Result<Host, String> {
        let copy: String = modules.iter().map(|module| format!("cp '{}' $upper/\n", module.display())).collect();
        self.host_with_libraries(name, lans, &copy)
    }

    /// A host with additional files in the system's library folder, which the script `copy` puts into `$upper`. Unlike
    /// `LD_LIBRARY_PATH`, this works for programs with file capabilities, such as ping.
    fn host_with_libraries(&self, name: &str, lans: &[&Lan], copy: &str) -> Result<Host, String> {
        let folder = module::library_folder()?;
        let folder = folder.display();
        let setup = format!(
            "{HOST_SETUP}
            upper=/run/host/lib
            mkdir -p $upper /run/host/lib-work
            {copy}
            # The machine may have a module too, and its cache of the loader may list that one: hide them.
            for file in {folder}/nss-mdns {folder}/libnss_mdns*; do
                [ ! -e \"$file\" ] || [ -e \"$upper/${{file##*/}}\" ] || mknod \"$upper/${{file##*/}}\" c 0 0
            done
            mount -t overlay -o \"lowerdir={folder},upperdir=$upper,workdir=/run/host/lib-work\" overlay {folder}"
        );
        self.connect(self.space.inside(&setup, &etc(name))?, name, lans)
    }

    /// Connects a host to LANs.
    fn connect(&self, space: Space, name: &str, lans: &[&Lan]) -> Result<Host, String> {
        let mut host = Host { space, name: name.into(), interfaces: Vec::new() };
        lans.iter().try_for_each(|lan| self.attach(&mut host, lan))?;
        Ok(host)
    }

    /// Connects a host to one more LAN.
    ///
    /// # Errors
    /// What failed.
    pub fn attach(&self, host: &mut Host, lan: &Lan) -> Result<(), String> {
        let interface = format!("eth{}", host.interfaces.len());
        let (port, pid, bridge) = (format!("port{}", unique()), host.space.inner_pid(), lan.bridge());
        self.script(&format!(
            "ip link add {port} type veth peer name {interface} netns {pid}
             ip link set {port} master {bridge} up"
        ))?;
        host.configure(&interface, port.clone(), lan)?;
        self.wait_for_port(&port)
    }

    /// Waits until a bridge forwards frames through a port. It starts to do so some time after both ends are up,
    /// because the kernel reports the carrier asynchronously. Until then it drops frames, such as the first neighbour
    /// solicitation.
    pub(crate) fn wait_for_port(&self, port: &str) -> Result<(), String> {
        let script = format!("until ip -o -d link show {port} | grep -q 'state forwarding'; do sleep 0.01; done");
        self.script(&script).map(|_| ())
    }

    /// A command with this program in the namespaces of the bridges.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.space.enter();
        command.arg(program);
        command
    }

    /// Runs a script in the namespaces of the bridges.
    pub(crate) fn script(&self, script: &str) -> Result<String, String> {
        let mut command = self.command("sh");
        command.args(["-euc", script]);
        succeed(command, script)
    }
}

/// Sets up a host: its files, its name, and addresses that are usable at once.
///
/// `/etc` is an overlay whose upper layer holds the files of the host. It also covers files that are symbolic links on
/// the machine, as `/etc/resolv.conf` often is; a bind mount would not. The users of daemons have the user id 0, which
/// is the only one in the namespace of an ordinary user, whether or not the machine has accounts of these names.
const HOST_SETUP: &str = r#"
    mount -t tmpfs tmpfs /run
    mkdir -p /run/host/etc /run/host/etc-work
    printf '%s' "$NSSWITCH" >/run/host/etc/nsswitch.conf
    printf '%s' "$RESOLV" >/run/host/etc/resolv.conf
    printf '127.0.0.1 localhost\n::1 localhost\n' >/run/host/etc/hosts
    printf '%s\n' "$NAME" >/run/host/etc/hostname
    for table in passwd group; do
        grep -v -E '^(avahi|systemd-resolve|sshd):' /etc/$table >/run/host/etc/$table
        for user in avahi systemd-resolve sshd; do
            echo "$user:x:0:0::/:/bin/false" >>/run/host/etc/$table
        done
    done
    mount -t overlay -o lowerdir=/etc,upperdir=/run/host/etc,workdir=/run/host/etc-work overlay /etc
    rm -f /etc/nss-mdns.conf /etc/mdns.allow
    hostname "$NAME"
    echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra
    echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range || echo 0 0 >/proc/sys/net/ipv4/ping_group_range
    ip link set lo up"#;

/// The contents of files in a host's `/etc`. The DNS server that they name does not exist, and queries to it fail at
/// once.
fn etc(name: &str) -> [(&'static str, &str); 3] {
    [("NAME", name), ("NSSWITCH", HOSTS_LINE), ("RESOLV", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")]
}

impl Host {
    /// A command that runs this program in the host. The caller adds the arguments.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.space.enter();
        command.arg(program);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If the command cannot be started or hangs.
    pub fn run(&self, words: &[&str]) -> Outcome {
        let (program, arguments) = words.split_first().expect("a program to run");
        let mut command = self.command(program);
        command.args(arguments);
        let outcome = run(command, LIMIT).expect("the command starts");
        assert!(!outcome.timed_out, "{words:?} on {} hangs: {outcome:?}", self.name);
        outcome
    }

    /// Runs a shell script that must succeed, and returns what it printed.
    ///
    /// # Errors
    /// What it wrote to standard error, if it fails.
    pub fn script(&self, script: &str) -> Result<String, String> {
        let mut command = self.command("sh");
        command.args(["-euc", script]);
        succeed(command, script)
    }

    /// Starts a daemon.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn daemon(&self, name: &str, command: Command) -> Result<Daemon, String> {
        Daemon::start(&format!("{name} on {}", self.name), command)
    }

    /// Starts a daemon that prints `ready`, and waits for that.
    ///
    /// # Errors
    /// If it cannot be started, ends first, or is not ready in time.
    pub fn ready_daemon(&self, name: &str, command: Command) -> Result<Daemon, String> {
        let daemon = self.daemon(name, command)?;
        daemon.wait_for("ready", READY)?;
        Ok(daemon)
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

    /// Makes this the DNS server of the host, with one attempt of one second.
    ///
    /// # Errors
    /// What failed.
    pub fn use_dns(&self, server: impl std::fmt::Display) -> Result<(), String> {
        self.write("/etc/resolv.conf", &format!("nameserver {server}\noptions timeout:1 attempts:1\n"))
    }

    /// Writes a hosts line with these services.
    ///
    /// # Errors
    /// What failed.
    pub fn use_services(&self, services: &str) -> Result<(), String> {
        self.write("/etc/nsswitch.conf", &format!("hosts: {services}\n"))
    }

    /// Loads an nftables ruleset.
    ///
    /// # Errors
    /// What nft wrote to standard error.
    pub fn firewall(&self, ruleset: &str) -> Result<(), String> {
        self.write("/run/host/ruleset", ruleset)?;
        self.script("nft -f /run/host/ruleset").map(|_| ())
    }

    /// Adds bridges with one container each: three links, and an address of a private network on the bridge. The names of the
    /// links start with `br`, `port` and `con`.
    ///
    /// # Errors
    /// What failed.
    pub fn add_container_bridges(&self, count: usize) -> Result<(), String> {
        let mut links = String::new();
        for number in 0..count {
            // The end of the veth pair that a container would have is in this namespace too.
            let _ = writeln!(
                links,
                "link add port{number} type veth peer name con{number}
                 link set port{number} master br{number} up
                 link set con{number} up
                 address add 172.{}.{}.1/24 dev br{number}
                 link set br{number} up",
                16 + number / 200,
                number % 200
            );
        }
        let bridges: String = (0..count).map(|number| format!("link add br{number} type bridge\n")).collect();
        self.write("/run/host/bridges", &bridges)?;
        self.write("/run/host/ports", &links)?;
        self.script(&format!(
            "ip -batch /run/host/bridges
             echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
             ip -batch /run/host/ports
             echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6
             until [ \"$(ip -o link show type bridge | grep -c LOWER_UP)\" -ge {count} ]; do sleep 0.05; done"
        ))
        .map(drop)
    }

    /// The first interface.
    ///
    /// # Panics
    /// If the host is on no LAN.
    pub fn eth0(&self) -> &Interface {
        self.interfaces.first().expect("the host is on a LAN")
    }

    /// Brings an interface up with the next addresses of the LAN.
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
            // The kernel joins the groups of neighbour discovery asynchronously, and does not use tentative addresses.
            let joined = format!(r#"[ "$(grep -c ' {interface} .*{SOLICITED_NODE}' /proc/net/igmp6)" -ge 2 ]"#);
            let usable = format!(r#"[ -z "$(ip -6 address show dev {interface} tentative)" ]"#);
            let _ = writeln!(script, "until {joined} && {usable}; do sleep 0.01; done");
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

/// Runs a command that must succeed.
fn succeed(command: Command, what: &str) -> Result<String, String> {
    let outcome = run(command, LIMIT)?;
    if outcome.success() { Ok(outcome.stdout) } else { Err(format!("{what}: {}", outcome.stderr.trim())) }
}

/// Checks that the programs that `try_it` runs are installed.
///
/// # Errors
/// If one is missing.
pub fn need_client_programs() -> Result<(), String> {
    need_program("getent")
}
