//! What affects the module's lookups on this machine: problems in the module's files, which interfaces are queried or
//! skipped and why, and whether a firewall drops multicast DNS. It uses the module's own code.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use resolver_core::config::allow::{self, Suffixes};
use resolver_core::config::resolv_conf::{self, LocalDomains};
use resolver_core::config::{self, Config, reload};
use resolver_core::net::interfaces::{Interface, Interfaces, MAX_INTERFACES, SkipReason, classify_all, read_tables};
use resolver_core::net::links::Tables;
use resolver_core::net::socket::{SocketKind, Sockets, group};
use resolver_core::observer::{Event, Observer};
use resolver_core::policy::NameRange;
use resolver_core::wire::{MAX_MESSAGE, MAX_QUERY, Query, RecordType};
use resolver_core::{Families, Family, Ids, LookupError};

use crate::text::{distance, printable};

/// How long to wait for this machine's own packets.
const LOOPBACK_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum number of lines of a file that are shown.
const MAX_LINES: usize = 40;

/// The name that the firewall check asks for. No host should have this name.
const PROBE_NAME: &[u8] = b"nss-mdns-check.local";

/// The state of a file.
#[derive(Debug)]
pub(crate) enum FileReport {
    /// It does not exist.
    Absent,
    /// It cannot be read.
    Unreadable(io::Error),
    /// It was read.
    Read(Contents),
}

/// What a file has.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Its problems, each with the path and, where there is one, the line number; and a command that solves it.
    pub(crate) problems: Vec<(String, Option<String>)>,
    /// What follows from its problems.
    pub(crate) consequences: Vec<String>,
    /// Its lines, without comments.
    pub(crate) lines: Vec<String>,
}

/// Reads the settings as a lookup does. If they cannot be read, they are the defaults.
pub(crate) fn settings() -> (Config, FileReport) {
    let mut config = Config::default();
    let mut consequences = Vec::new();
    let mut report = file(config::FILE, |text, report| {
        config = config::parse(text, &mut |problem| {
            consequences.extend(consequence(&problem.to_string()));
            report(&problem);
        });
    });
    if let FileReport::Read(contents) = &mut report {
        contents.consequences = consequences;
    }
    (config, report)
}

/// What follows from a mistake in the settings, which begins with line and key.
fn consequence(problem: &str) -> Option<String> {
    let mut parts = problem.splitn(3, ": ");
    let (line, key, mistake) = (parts.next()?, parts.next()?, parts.next()?);
    let of_key = config::SETTINGS.iter().find(|setting| setting.key == key);
    let nearest = config::SETTINGS.iter().min_by_key(|setting| distance(setting.key, key));
    match of_key {
        Some(setting) if mistake.starts_with("expected ") && mistake.contains(", found ") => {
            Some(format!("line {line} is ignored, and the default of {key} is {}", setting.default))
        }
        None if mistake.starts_with("no such key") => {
            let near = nearest.filter(|setting| distance(setting.key, key) <= 2);
            let question = near.map_or_else(String::new, |setting| format!(": did you mean {}?", setting.key));
            Some(format!("line {line} is ignored{question}"))
        }
        _ => None,
    }
}

/// A command that adds a line to a file, whether or not a newline ends the last one.
pub(crate) fn append_command(line: &str, path: &str) -> String {
    format!("printf '\\n{line}\\n' | sudo tee -a {path}")
}

impl FileReport {
    /// The command that makes a setting have this value, on a line of its own or on the one that sets it now.
    pub(crate) fn set_command(&self, key: &str, value: &str) -> String {
        let path = config::FILE.to_string_lossy();
        if self.sets(key) {
            format!("sudo sed -i --follow-symlinks 's/^[[:space:]]*{key}[[:space:]]*=.*/{key} = {value}/I' {path}")
        } else {
            append_command(&format!("{key} = {value}"), &path)
        }
    }

    fn sets(&self, key: &str) -> bool {
        let Self::Read(contents) = self else { return false };
        let mut settings = contents.lines.iter().filter_map(|line| line.split_once('='));
        settings.any(|(other, _)| other.trim().eq_ignore_ascii_case(key))
    }
}

/// Reads `/etc/mdns.allow`. The flag is true if it exists and allows no name.
pub(crate) fn allowed() -> (bool, FileReport) {
    let mut is_empty = false;
    let report = file(allow::FILE, |text, report| {
        is_empty = Suffixes::parse(text, &mut |problem| report(&problem)).is_empty();
    });
    (is_empty, report)
}

/// Reads the search domains under `.local` in `/etc/resolv.conf`. There are none if it cannot be read.
pub(crate) fn local_domains() -> (LocalDomains, FileReport) {
    let mut domains = LocalDomains::default();
    let report = file(resolv_conf::FILE, |text, _| domains = LocalDomains::parse(text));
    (domains, report)
}

/// Reads a file. `read` parses its text, and passes each problem to the function that it is given.
fn file(path: &CStr, read: impl FnOnce(&[u8], &mut dyn FnMut(&dyn fmt::Display))) -> FileReport {
    match reload::read(path) {
        Ok((text, stamp)) => {
            let path = path.to_string_lossy();
            let mut problems = Vec::new();
            read(&text, &mut |problem| problems.push((format!("{path}:{problem}"), None)));
            if stamp.size() > reload::MAX_OCTETS {
                let text = format!("{path}: expected at most {} octets; the rest is not read", reload::MAX_OCTETS);
                problems.push((text, None));
            }
            if !stamp.is_world_readable() {
                let text = format!("{path}: expected to be readable by every user: other users' programs ignore it");
                problems.push((text, Some(format!("sudo chmod a+r {path}"))));
            }
            FileReport::Read(Contents { problems, lines: lines_of(&text), ..Contents::default() })
        }
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let text = format!("{}: expected a regular file", path.to_string_lossy());
            FileReport::Read(Contents { problems: vec![(text, None)], ..Contents::default() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileReport::Absent,
        Err(error) => FileReport::Unreadable(error),
    }
}

/// The first lines of a text, without comments and empty lines.
fn lines_of(text: &[u8]) -> Vec<String> {
    let without_comment = |line: &[u8]| printable(line.split(|&octet| octet == b'#').next().unwrap_or_default());
    let lines = text.split(|&octet| octet == b'\n').map(without_comment);
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).take(MAX_LINES).collect()
}

/// An interface of this machine.
#[derive(Debug)]
pub(crate) struct InterfaceReport {
    /// Its name.
    pub(crate) name: String,
    /// Its index.
    pub(crate) index: u32,
    /// Its addresses, with the lengths of their prefixes.
    pub(crate) addresses: Vec<String>,
    result: Result<Interface, SkipReason>,
}

/// What an administrator can change about an interface that is not queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It is down.
    Down,
    /// It is up, and its flag for multicast is off.
    MulticastOff,
    /// It has no carrier.
    NoCarrier,
    /// This setting excludes it.
    Setting(&'static str),
}

/// The number of the line that sets this key, from 1, and the line. The first one takes effect.
pub(crate) fn setting(key: &str) -> Option<(usize, String)> {
    let (text, _) = reload::read(config::FILE).ok()?;
    text.split(|&octet| octet == b'\n').enumerate().find_map(|(index, line)| {
        let line = lines_of(line).pop()?;
        line.split_once('=')?.0.trim().eq_ignore_ascii_case(key).then_some((index + 1, line))
    })
}

/// All interfaces of this machine, sorted by index; and those that a lookup queries.
///
/// # Errors
/// The error of the system call, if they cannot be read.
pub(crate) fn interfaces(config: &Config) -> Result<(Vec<InterfaceReport>, Interfaces), LookupError> {
    let tables = read_tables()?;
    let queried = Interfaces::select(tables.clone(), config);
    let reports = classify_all(&tables, config, &queried).map(|(link, result)| InterfaceReport {
        name: printable(link.name.octets()),
        index: link.index,
        addresses: addresses_of(link.index, &tables),
        result,
    });
    let reports = reports.collect();
    Ok((reports, queried))
}

fn addresses_of(index: u32, tables: &Tables) -> Vec<String> {
    let own = tables.addresses.iter().filter(|own| own.interface == index);
    own.map(|own| format!("{}/{}", own.ip, own.prefix_length)).collect()
}

impl InterfaceReport {
    /// The families over which the interface is queried.
    pub(crate) fn families(&self) -> impl Iterator<Item = Family> {
        self.result.map_or(Families::NONE, |interface| interface.families).iter()
    }

    /// What keeps it from being queried, if an administrator can change that. The loopback interface is never queried.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        match self.result.err()? {
            SkipReason::Down if self.name != "lo" => Some(Obstacle::Down),
            SkipReason::NoMulticast if self.name != "lo" => Some(Obstacle::MulticastOff),
            SkipReason::NotRunning => Some(Obstacle::NoCarrier),
            SkipReason::Denied => Some(Obstacle::Setting("deny-interfaces")),
            SkipReason::NotAllowed => Some(Obstacle::Setting("allow-interfaces")),
            _ => None,
        }
    }

    /// True if the module queries this interface.
    pub(crate) fn is_queried(&self) -> bool {
        self.result.is_ok()
    }
}

impl fmt::Display for InterfaceReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.result {
            Ok(Interface { families: Families::BOTH, .. }) => "queried over IPv4 and IPv6",
            Ok(interface) if interface.families.contains(Family::V4) => "queried over IPv4",
            Ok(_) => "queried over IPv6",
            Err(SkipReason::Down) => "not queried: it is down",
            Err(SkipReason::NotRunning) => "not queried: it has no carrier",
            Err(SkipReason::NoMulticast) => "not queried: it cannot multicast",
            Err(SkipReason::PointToPoint) => {
                "not queried: it is a point-to-point link, and allow-interfaces does not name it"
            }
            Err(SkipReason::Port) => "not queried: it is a port of a bridge or bond, which is queried instead",
            Err(SkipReason::NoAddress) => "not queried: it has no address",
            Err(SkipReason::Denied) => "not queried: deny-interfaces matches it",
            Err(SkipReason::NotAllowed) => "not queried: allow-interfaces does not match it",
            Err(SkipReason::TooMany) => {
                return write!(
                    out,
                    "not queried: other interfaces come first, and at most {MAX_INTERFACES} are queried (see CAVEATS in \
                     nss-mdns(8))"
                );
            }
        })
    }
}

/// Why a lookup does not have a socket, or why the socket is no member of the group on an interface.
#[derive(Clone, Debug)]
struct Failure {
    transport: Family,
    interface: Option<u32>,
    errno: i32,
}

/// Collects the failures to open sockets.
#[derive(Debug, Default)]
struct Failures(RefCell<Vec<Failure>>);

impl Observer for &Failures {
    fn report(self, event: Event<'_>) {
        if let Event::NoSocket { transport, interface, error, .. } = event {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            self.0.borrow_mut().push(Failure { transport, interface, errno });
        }
    }
}

/// The result of a test whether a firewall drops multicast DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// This machine's own packet came back.
    Admitted,
    /// It did not.
    Dropped,
    /// The query could not be sent, with this errno.
    NotSent(i32),
    /// There is no multicast listener: the errno of the system call that failed.
    NoListener(i32),
    /// This interface's multicast listener cannot be a member of as many groups as there are interfaces.
    TooManyMemberships,
    /// The test itself failed, with this errno.
    Failed(i32),
}

/// The sockets of a lookup, with which it is tested whether a firewall drops multicast DNS.
pub(crate) struct LoopbackTest {
    sockets: Sockets,
    failures: Vec<Failure>,
    buffer: Vec<u8>,
}

/// The test of an interface over a family.
pub(crate) struct Probe<'a> {
    pub(crate) interface: &'a InterfaceReport,
    pub(crate) family: Family,
    /// The packet that was sent to the group.
    packet: Vec<u8>,
    /// [`Admission::Dropped`] until the packet arrives.
    pub(crate) admission: Admission,
}

impl Probe<'_> {
    fn is_awaited(&self) -> bool {
        self.admission == Admission::Dropped
    }
}

impl LoopbackTest {
    /// Opens the sockets of a lookup on these interfaces.
    ///
    /// # Errors
    /// Those of [`Sockets::open`].
    pub(crate) fn new(queried: &Interfaces) -> Result<Self, LookupError> {
        let failures = Failures::default();
        let sockets = Sockets::open(queried, true, &failures)?;
        Ok(Self { sockets, failures: failures.0.into_inner(), buffer: vec![0; MAX_MESSAGE] })
    }

    /// Sends a query to the group on each of these interfaces over each of its families, and waits for all of them on the
    /// group's address and port 5353. The kernel loops multicast packets back to this machine, and a firewall filters the
    /// copy like a packet from the network.
    pub(crate) fn run<'a>(&mut self, interfaces: &'a [InterfaceReport]) -> Vec<Probe<'a>> {
        let with_families =
            interfaces.iter().flat_map(|interface| interface.families().map(move |family| (interface, family)));
        let mut probes: Vec<_> = with_families.map(|(interface, family)| self.send(interface, family)).collect();
        self.receive(&mut probes);
        probes
    }

    fn send<'a>(&self, interface: &'a InterfaceReport, family: Family) -> Probe<'a> {
        let (packet, admission) = match self.packet(interface, family) {
            Ok(packet) => (packet, Admission::Dropped),
            Err(admission) => (Vec::new(), admission),
        };
        Probe { interface, family, packet, admission }
    }

    /// The packet that has been sent, or why none was.
    fn packet(&self, interface: &InterfaceReport, family: Family) -> Result<Vec<u8>, Admission> {
        if !self.sockets.listened(family).any(|index| index == interface.index) {
            return Err(self.why_not_listened(interface, family));
        }
        let packet = probe().map_err(Admission::Failed)?;
        match self.sockets.send(&packet, SocketKind::Ephemeral, interface.index, None, group(family)) {
            Ok(_) => Ok(packet),
            Err(error) => Err(Admission::NotSent(error.raw_os_error().unwrap_or(libc::EIO))),
        }
    }

    fn why_not_listened(&self, interface: &InterfaceReport, family: Family) -> Admission {
        let of_family = || self.failures.iter().filter(|failure| failure.transport == family);
        let here = of_family().find(|failure| failure.interface == Some(interface.index));
        match here.or_else(|| of_family().find(|failure| failure.interface.is_none())) {
            Some(failure) => Admission::NoListener(failure.errno),
            None if family == Family::V4 => Admission::TooManyMemberships,
            None => Admission::NoListener(libc::EADDRNOTAVAIL),
        }
    }

    /// Notes which packets arrive in time at a multicast listener, on the interface to which they were sent.
    fn receive(&mut self, probes: &mut [Probe<'_>]) {
        let Self { sockets, buffer, .. } = self;
        let deadline = Instant::now() + LOOPBACK_TIMEOUT;
        while probes.iter().any(Probe::is_awaited) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if sockets.wait(left).is_err() {
                let awaited = probes.iter_mut().filter(|probe| probe.is_awaited());
                return awaited.for_each(|probe| probe.admission = Admission::Failed(libc::EIO));
            }
            while let Some(datagram) = sockets.receive(buffer) {
                let octets = buffer.get(..datagram.received.length).unwrap_or_default();
                let is_it = |probe: &&mut Probe<'_>| {
                    datagram.socket == SocketKind::MulticastListener
                        && datagram.received.interface == probe.interface.index
                        && probe.is_awaited()
                        && probe.packet == octets
                };
                if let Some(probe) = probes.iter_mut().find(is_it) {
                    probe.admission = Admission::Admitted;
                }
            }
        }
    }
}

/// The query of a lookup for [`PROBE_NAME`].
///
/// # Errors
/// An errno.
fn probe() -> Result<Vec<u8>, i32> {
    let host = NameRange::Local.host_name(PROBE_NAME).map_err(|_| libc::EINVAL)?;
    let query = Query { id: Ids::new().next(), name: &host.name, rtype: RecordType::A, unicast_response: false };
    Ok(query.encode(&mut [0; MAX_QUERY]).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_mistake_is_ignored_and_the_default_holds() {
        for (line, expected) in [
            ("timeout = 2s", Some("line 1 is ignored, and the default of timeout is 2000")),
            ("\ntimout = 500", Some("line 2 is ignored: did you mean timeout?")),
            ("nonsense = 500", Some("line 1 is ignored")),
            ("timeout = 500\ntimeout = 600", None),
            ("grace-min = 500\ngrace-max = 100", None),
        ] {
            let mut problems = Vec::new();
            config::parse(line.as_bytes(), &mut |problem| problems.push(problem.to_string()));
            let [problem] = &problems[..] else { panic!("{line}: {problems:?}") };
            assert_eq!(consequence(problem).as_deref(), expected, "{line}: {problem}");
        }
    }
}
