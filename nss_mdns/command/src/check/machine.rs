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

use crate::text::printable;

/// How long to wait for this machine's own packet.
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
    /// Its lines, without comments.
    pub(crate) lines: Vec<String>,
}

/// Reads the settings as a lookup does. If they cannot be read, they are the defaults.
pub(crate) fn settings() -> (Config, FileReport) {
    let mut config = Config::default();
    let report = file(config::FILE, |text, report| {
        config = config::parse(text, &mut |problem| report(&problem));
    });
    (config, report)
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
            FileReport::Read(Contents { problems, lines: lines_of(&text) })
        }
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let text = format!("{}: expected a regular file", path.to_string_lossy());
            FileReport::Read(Contents { problems: vec![(text, None)], lines: Vec::new() })
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

    /// Sends the query of a lookup to the group on this interface, and waits for it on the group's address and port 5353.
    /// The kernel loops multicast packets back to this machine, and a firewall filters the copy like a packet from the
    /// network.
    pub(crate) fn test(&mut self, interface: &InterfaceReport, family: Family) -> Admission {
        if !self.sockets.listened(family).any(|index| index == interface.index) {
            return self.why_not_listened(interface, family);
        }
        let packet = match probe() {
            Ok(packet) => packet,
            Err(errno) => return Admission::Failed(errno),
        };
        if let Err(error) = self.sockets.send(&packet, SocketKind::Ephemeral, interface.index, None, group(family)) {
            return Admission::NotSent(error.raw_os_error().unwrap_or(libc::EIO));
        }
        match self.receives(&packet, interface.index) {
            Ok(true) => Admission::Admitted,
            Ok(false) => Admission::Dropped,
            Err(_) => Admission::Failed(libc::EIO),
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

    /// True if `packet` arrives at a multicast listener on this interface in time.
    fn receives(&mut self, packet: &[u8], interface: u32) -> Result<bool, LookupError> {
        let Self { sockets, buffer, .. } = self;
        let deadline = Instant::now() + LOOPBACK_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            sockets.wait(left)?;
            while let Some(datagram) = sockets.receive(buffer) {
                let octets = buffer.get(..datagram.received.length).unwrap_or_default();
                let is_there = datagram.received.interface == interface;
                if datagram.socket == SocketKind::MulticastListener && is_there && octets == packet {
                    return Ok(true);
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
