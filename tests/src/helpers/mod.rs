//! Small programs that run in the hosts of a LAN: the `lan_helper` binary, one word for each.

mod capture;
mod dns;
mod http;
mod mark;
mod query;
mod relay;

use crate::lan::Host;
use crate::run::{Daemon, Outcome};
use crate::sandbox::unique;
use std::path::PathBuf;
use std::time::Duration;

/// Runs the helper that the first argument names.
///
/// # Errors
/// What failed.
pub fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    match arguments.next().as_deref() {
        Some("capture") => capture::main(arguments),
        Some("dns") => dns::main(arguments),
        Some("http") => http::main(arguments),
        Some("mark") => mark::main(arguments),
        Some("query") => query::main(arguments),
        Some("relay") => relay::main(arguments),
        _ => Err("lan_helper capture | dns | http | mark | query | relay".into()),
    }
}

/// A binary of this package, beside (or one folder above) the running program.
///
/// # Errors
/// If it has not been built.
pub fn binary(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found = beside.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| format!("the program {name} has not been built: cargo build -p tests"))
}

/// Starts a helper in a host and waits until it is ready.
fn start(host: &Host, words: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("lan_helper")?);
    command.args(words);
    let daemon = host.daemon(words.first().unwrap_or(&""), command)?;
    daemon.wait_for("ready", Duration::from_secs(5))?;
    Ok(daemon)
}

/// A web server on port 80 that says who it is.
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

/// Starts a DNS server that knows these names (`name=address`, or `name=name` for a pointer) and nothing else.
///
/// # Errors
/// If it does not start.
pub fn dns<'host>(host: &'host Host, zone: &[&str]) -> Result<Dns<'host>, String> {
    let daemon = start(host, &[&["dns"], zone].concat())?;
    Ok(Dns { daemon, host })
}

/// Starts a DNS server that listens, remembers and never answers.
///
/// # Errors
/// If it does not start.
pub fn silent_dns(host: &Host) -> Result<Dns<'_>, String> {
    dns(host, &["--silent"])
}

impl Dns<'_> {
    /// The server alone, where nobody reads what it noted.
    pub fn daemon(self) -> Daemon {
        self.daemon
    }

    /// The names that it was asked for until now.
    ///
    /// # Panics
    /// If it has ended.
    pub fn names(&self) -> Vec<String> {
        let mark = format!("mark-{}", unique());
        send_mark(self.host, &["dns", &mark]);
        self.daemon.wait_for(&mark, NOTED).expect("the DNS server runs");
        let lines = self.daemon.lines();
        let names = lines.iter().filter_map(|line| line.strip_prefix("query "));
        names.filter(|name| !name.starts_with("mark-")).map(str::to_owned).collect()
    }
}

/// A record of the packets that pass an interface.
#[derive(Debug)]
pub struct Capture<'host> {
    daemon: Daemon,
    host: &'host Host,
    interface: String,
}

/// Starts to record the UDP packets on an interface of a host.
///
/// # Errors
/// If it does not start.
pub fn capture<'host>(host: &'host Host, interface: &str) -> Result<Capture<'host>, String> {
    let daemon = start(host, &["capture", interface])?;
    Ok(Capture { daemon, host, interface: interface.into() })
}

impl Capture<'_> {
    /// The packets until now, as `SOURCE DESTINATION LENGTH`, addresses with their ports.
    ///
    /// # Panics
    /// If it has ended.
    pub fn packets(&self) -> Vec<String> {
        let length = unique() % 1000 + 1;
        send_mark(self.host, &[&self.interface, &length.to_string()]);
        self.daemon.wait_for(&format!(":{} {length}", mark::PORT), NOTED).expect("the capture runs");
        let lines = self.daemon.lines();
        let packets = lines.iter().filter_map(|line| line.strip_prefix("udp "));
        packets.filter(|packet| !packet.contains(&format!(":{} ", mark::PORT))).map(str::to_owned).collect()
    }

    /// Those of them that were sent to the group.
    pub fn to_group(&self) -> Vec<String> {
        let group = |packet: &String| packet.contains(" 224.0.0.251:5353 ") || packet.contains(" [ff02::fb]:5353 ");
        self.packets().into_iter().filter(group).collect()
    }
}

/// How long a daemon may take to write what it noted, and this process to read it.
const NOTED: Duration = Duration::from_secs(5);

/// What a daemon wrote is read by a thread, some time later: a packet of one's own shows how far that has got.
fn send_mark(host: &Host, words: &[&str]) {
    let program = binary("lan_helper").expect("built with the tests");
    let outcome = host.run(&[&[&*program.to_string_lossy(), "mark"], words].concat());
    assert!(outcome.success(), "{outcome:?}");
}

/// Asks once, with one packet from an ephemeral port, and prints what comes back: the limit for any
/// resolver, and the sign that a responder is ready.
pub fn query(host: &Host, name: &str, rtype: &str) -> Outcome {
    query_with(host, name, rtype, &[])
}

/// The same with options: `4` or `6` chooses the transport, `--direct ADDRESS` asks that host instead of the group, and
/// `--from-5353` asks from port 5353, so that the response is sent to the group.
pub fn query_with(host: &Host, name: &str, rtype: &str, options: &[&str]) -> Outcome {
    let program = binary("lan_helper").expect("built with the tests");
    host.run(&[&[&*program.to_string_lossy(), "query", name, rtype], options].concat())
}
