//! Small programs that run in the hosts of a LAN: the subcommands of the `lan_helper` binary.

mod capture;
mod dns;
mod http;
mod marker;
mod query;
mod relay;
mod replay;

use crate::captures::{Captured, printed};
use crate::deps::{library_path, unpacked};
use crate::lan::{Host, READY};
use crate::lookups::python_daemon;
use crate::run::{Daemon, Outcome};
use crate::sandbox::unique;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT};

/// Runs the subcommand that the first argument names.
///
/// # Errors
/// What failed.
pub fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    match arguments.next().as_deref() {
        Some("capture") => capture::main(arguments),
        Some("dns") => dns::main(arguments),
        Some("http") => http::main(arguments),
        Some("marker") => marker::main(arguments),
        Some("query") => query::main(arguments),
        Some("relay") => relay::main(arguments),
        Some("replay") => replay::main(arguments),
        _ => Err("lan_helper capture | dns | http | marker | query | relay | replay".into()),
    }
}

/// The path of a binary of this package, which is in the folder of the running program or in the one above.
///
/// # Errors
/// If it has not been built.
pub fn binary(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found = beside.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| format!("the program {name} has not been built: cargo build -p tests"))
}

/// Starts a subcommand in a host and waits until it is ready.
fn start(host: &Host, words: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("lan_helper")?);
    command.args(words);
    host.ready_daemon(words.first().unwrap_or(&""), command)
}

/// Starts a web server on port 80 that answers with the name of its host.
///
/// # Errors
/// If it does not start.
pub fn http(host: &Host) -> Result<Daemon, String> {
    start(host, &["http", &host.name])
}

/// A DNS server on port 53.
#[derive(Debug)]
pub struct Dns<'host> {
    daemon: Daemon,
    host: &'host Host,
}

/// Starts a DNS server with this zone: `name=address` for an A or AAAA record, `name=name` for a PTR record.
///
/// # Errors
/// If it does not start.
pub fn dns<'host>(host: &'host Host, zone: &[&str]) -> Result<Dns<'host>, String> {
    let daemon = start(host, &[&["dns"], zone].concat())?;
    Ok(Dns { daemon, host })
}

/// Starts a DNS server that logs queries and never responds.
///
/// # Errors
/// If it does not start.
pub fn silent_dns(host: &Host) -> Result<Dns<'_>, String> {
    dns(host, &["--silent"])
}

/// Starts dnsmasq on port 53 with these records: a name and its addresses, separated by commas. It is authoritative for
/// `local` and forwards nothing.
///
/// # Errors
/// If it is missing or does not start.
pub fn dnsmasq<'host>(host: &'host Host, records: &[&str]) -> Result<Dns<'host>, String> {
    let mut command = host.command("env");
    command.arg(format!("LD_LIBRARY_PATH={}", library_path())).arg(unpacked("usr/sbin/dnsmasq")?);
    command.args(["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-queries"]);
    command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/local/"]);
    command.args(records.iter().map(|record| format!("--host-record={record}")));
    let daemon = host.daemon("dnsmasq", command)?;
    daemon.wait_for("started, version", READY)?;
    Ok(Dns { daemon, host })
}

/// The name in a line of a DNS server's log: `query NAME`, or dnsmasq's `query[TYPE] NAME from ADDRESS`.
fn queried_name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("query")?;
    let name = rest.strip_prefix(' ').or_else(|| Some(rest.strip_prefix('[')?.split_once("] ")?.1))?;
    name.split(' ').next()
}

impl Dns<'_> {
    /// The daemon, for tests that do not need the log.
    pub fn daemon(self) -> Daemon {
        self.daemon
    }

    /// The names that were queried so far.
    ///
    /// # Panics
    /// If the server has ended.
    pub fn names(&self) -> Vec<String> {
        let marker = format!("marker-{}", unique());
        send_marker(self.host, &["dns", &marker]);
        self.daemon.wait_for(&marker, LOG_DELAY).expect("the DNS server runs");
        let lines = self.daemon.lines();
        let names = lines.iter().filter_map(|line| queried_name(line));
        names.filter(|name| !name.starts_with("marker-")).map(str::to_owned).collect()
    }
}

/// The UDP packets that pass an interface.
#[derive(Debug)]
pub struct Capture<'host> {
    daemon: Daemon,
    host: &'host Host,
    interface: String,
}

/// Starts to capture the UDP packets on an interface of a host, in both directions.
///
/// # Errors
/// If it does not start.
pub fn capture<'host>(host: &'host Host, interface: &str) -> Result<Capture<'host>, String> {
    let daemon = start(host, &["capture", interface])?;
    Ok(Capture { daemon, host, interface: interface.into() })
}

impl Capture<'_> {
    /// The packets so far, as `SOURCE DESTINATION LENGTH`, addresses with their ports.
    ///
    /// # Panics
    /// If the capture has ended.
    pub fn packets(&self) -> Vec<String> {
        let length = unique() % 1000 + 1;
        send_marker(self.host, &[&self.interface, &length.to_string()]);
        self.daemon.wait_for(&format!(":{} {length}", marker::PORT), LOG_DELAY).expect("the capture runs");
        let lines = self.daemon.lines();
        let packets = lines.iter().filter_map(|line| line.strip_prefix("udp "));
        packets.filter(|packet| !packet.contains(&format!(":{} ", marker::PORT))).map(str::to_owned).collect()
    }

    /// The packets so far that were sent to the multicast DNS groups.
    pub fn to_group(&self) -> Vec<String> {
        let groups = [format!(" {GROUP_V4}:{MDNS_PORT} "), format!(" [{GROUP_V6}]:{MDNS_PORT} ")];
        let is_to_group = |packet: &String| groups.iter().any(|group| packet.contains(group));
        self.packets().into_iter().filter(is_to_group).collect()
    }
}

/// Opens a tun device and keeps it open, like a VPN client.
const TUNNEL: &str = "import fcntl, struct, sys, time
tunnel = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(tunnel, 0x400454ca, struct.pack('16sH', sys.argv[1].encode(), 0x1001))
print('ready', flush=True)
time.sleep(60)";

/// Adds a point-to-point interface to a host. It exists until the daemon is dropped.
///
/// # Errors
/// If it cannot be added.
pub fn tunnel(host: &Host, interface: &str) -> Result<Daemon, String> {
    python_daemon(host, TUNNEL, &[interface])
}

/// How long it may take until a marker is in the log of a daemon.
const LOG_DELAY: Duration = Duration::from_secs(5);

/// Sends a marker. Daemons log packets, and this process reads their logs, with some delay. Once the marker is in the
/// log, everything before it is there too.
fn send_marker(host: &Host, words: &[&str]) {
    let program = binary("lan_helper").expect("built with the tests");
    let outcome = host.run(&[&[&*program.to_string_lossy(), "marker"], words].concat());
    assert!(outcome.success(), "{outcome:?}");
}

/// Sends one query from an ephemeral port and prints the response. This shows that a responder is ready.
pub fn query(host: &Host, name: &str, rtype: &str) -> Outcome {
    query_with(host, name, rtype, &[])
}

/// The same with options: `4` or `6` chooses the transport, `--direct ADDRESS` queries that host instead of the
/// group, and `--from-5353` queries from port 5353, so that the response is sent to the group.
pub fn query_with(host: &Host, name: &str, rtype: &str, options: &[&str]) -> Outcome {
    let program = binary("lan_helper").expect("built with the tests");
    host.run(&[&[&*program.to_string_lossy(), "query", name, rtype], options].concat())
}

/// Sends the queries of a capture from a host again, those to a single host to this address, and returns all packets.
///
/// # Errors
/// What failed.
pub fn replay(host: &Host, capture: &Path, responder: Ipv4Addr) -> Result<Vec<Captured>, String> {
    let program = binary("lan_helper")?;
    let words = [&*program.to_string_lossy(), "replay", &*capture.to_string_lossy(), &responder.to_string()];
    let outcome = host.run(&words);
    if outcome.success() { printed(&outcome.stdout) } else { Err(outcome.stderr) }
}
