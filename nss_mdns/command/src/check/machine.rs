//! What affects the module's lookups on this machine: problems in the module's files, which interfaces are queried or
//! skipped and why, and whether a firewall drops multicast DNS. It uses the module's own code.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use resolver_core::config::allow::{self, Suffixes};
use resolver_core::config::resolv_conf::{self, LocalDomains};
use resolver_core::config::{self, Config, reload};
use resolver_core::net::interfaces::{Interface, Interfaces, MAX_INTERFACES, SkipReason, classify_all, read_tables};
use resolver_core::net::socket::{SocketKind, Sockets, group};
use resolver_core::policy::NameRange;
use resolver_core::wire::{MAX_MESSAGE, MAX_QUERY, Query, RecordType};
use resolver_core::{Families, Family, Ids, LookupError};

/// How long to wait for this machine's own packet.
const LOOPBACK_TIMEOUT: Duration = Duration::from_millis(500);

/// The name that the firewall check asks for. No host should have this name.
const PROBE_NAME: &[u8] = b"nss-mdns-check.local";

/// The state of a file.
#[derive(Debug)]
pub(crate) enum FileReport {
    /// It does not exist.
    Absent,
    /// It cannot be read.
    Unreadable(io::Error),
    /// It was read. Its problems, each with the path and, where there is one, the line number.
    Read(Vec<String>),
}

/// Reads the settings as a lookup does. If they cannot be read, they are the defaults.
pub(crate) fn settings() -> (Config, FileReport) {
    let mut config = Config::default();
    let report = file(config::FILE, |text, report| {
        config = config::parse(text, &mut |problem| report(&problem));
    });
    (config, report)
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
            read(&text, &mut |problem| problems.push(format!("{path}:{problem}")));
            if stamp.size() > reload::MAX_OCTETS {
                problems.push(format!("{path}: expected at most {} octets; the rest is not read", reload::MAX_OCTETS));
            }
            if !stamp.is_world_readable() {
                problems
                    .push(format!("{path}: expected to be readable by every user: other users' programs ignore it"));
            }
            FileReport::Read(problems)
        }
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            FileReport::Read(vec![format!("{}: expected a regular file", path.to_string_lossy())])
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileReport::Absent,
        Err(error) => FileReport::Unreadable(error),
    }
}

/// An interface of this machine.
#[derive(Debug)]
pub(crate) struct InterfaceReport {
    /// Its name.
    pub(crate) name: String,
    /// Its index.
    pub(crate) index: u32,
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
        name: String::from_utf8_lossy(link.name.octets()).into_owned(),
        index: link.index,
        result,
    });
    let reports = reports.collect();
    Ok((reports, queried))
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

/// The sockets of a lookup, with which it is tested whether a firewall drops multicast DNS.
pub(crate) struct LoopbackTest {
    sockets: Sockets,
    buffer: Vec<u8>,
}

impl LoopbackTest {
    /// Opens the sockets of a lookup on these interfaces.
    ///
    /// # Errors
    /// Those of [`Sockets::open`].
    pub(crate) fn new(queried: &Interfaces) -> Result<Self, LookupError> {
        Ok(Self { sockets: Sockets::open(queried, true, ())?, buffer: vec![0; MAX_MESSAGE] })
    }

    /// Sends a query to the group on this interface, and waits for it on the group's address and port 5353. The kernel
    /// loops multicast packets back to this machine, and a firewall filters the copy like a packet from the network. True if
    /// it arrives, false if it does not, because a firewall drops it.
    ///
    /// # Errors
    /// If this could not be tested: `EADDRINUSE` if there is no multicast listener, `ENOBUFS` if there is one on other
    /// interfaces only.
    pub(crate) fn receives_own_packet(&mut self, interface: &InterfaceReport, family: Family) -> io::Result<bool> {
        let Self { sockets, buffer } = self;
        if !sockets.listened(family).any(|index| index == interface.index) {
            let is_elsewhere = sockets.listened(family).next().is_some();
            return Err(io::Error::from_raw_os_error(if is_elsewhere { libc::ENOBUFS } else { libc::EADDRINUSE }));
        }
        let host = NameRange::Local.host_name(PROBE_NAME).map_err(io::Error::other)?;
        let query = Query { id: Ids::new().next(), name: &host.name, rtype: RecordType::A, unicast_response: false };
        let mut packet = [0; MAX_QUERY];
        let packet = query.encode(&mut packet);
        sockets.send(packet, SocketKind::Ephemeral, interface.index, None, group(family))?;
        let deadline = Instant::now() + LOOPBACK_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            sockets.wait(left).map_err(io::Error::other)?;
            while let Some(datagram) = sockets.receive(buffer) {
                let octets = buffer.get(..datagram.received.length).unwrap_or_default();
                let is_there = datagram.received.interface == interface.index;
                if datagram.socket == SocketKind::MulticastListener && is_there && octets == packet {
                    return Ok(true);
                }
            }
        }
    }
}
