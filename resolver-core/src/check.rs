//! What an administrator wants to know of this host: what is wrong with his files, which interfaces are asked on and why
//! others are not, and whether a firewall drops multicast DNS. For `nss-mdns-check(1)`; no lookup comes by here.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::allow::{self, Suffixes};
use crate::answer::Family;
use crate::config::{self, Config};
use crate::error::LookupError;
use crate::ids::Ids;
use crate::interfaces::{Interface, Interfaces, Unasked, judge_all, read_tables};
use crate::policy::NameRange;
use crate::socket::{Channel, Sockets, group};
use crate::watched;
use crate::wire::{MAX_MESSAGE, MAX_QUERY, Query, RecordType};

/// How long one's own packet may take to come back.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is asked for by the experiment: a name that nobody has.
const NOBODY: &[u8] = b"nss-mdns-check.local";

/// What a file says.
#[derive(Debug)]
pub enum FileReport {
    /// It is not there.
    Absent,
    /// It cannot be read.
    Unreadable(io::Error),
    /// It has been read; its problems, each with the file's name and the number of the line.
    Read(Vec<String>),
}

/// Reads the settings, as a lookup would.
pub fn settings() -> (Config, FileReport) {
    let mut config = Config::default();
    let report = file(config::FILE, |text, report| {
        config = config::parse(text, &mut |problem| report(&problem));
    });
    (config, report)
}

/// Reads the list of allowed domains; tells also whether it allows nothing.
pub fn allowed() -> (bool, FileReport) {
    let mut is_empty = false;
    let report = file(allow::FILE, |text, report| {
        is_empty = Suffixes::parse(text, &mut |problem| report(&problem)).is_empty();
    });
    (is_empty, report)
}

fn file(path: &CStr, read: impl FnOnce(&[u8], &mut dyn FnMut(&dyn fmt::Display))) -> FileReport {
    match watched::read(path) {
        Ok((text, stamp)) => {
            let path = path.to_string_lossy();
            let mut problems = Vec::new();
            read(&text, &mut |problem| problems.push(format!("{path}:{problem}")));
            if stamp.size() > watched::MOST_OCTETS {
                problems
                    .push(format!("{path}: expected at most {} octets; the rest is not read", watched::MOST_OCTETS));
            }
            if !stamp.is_for_all() {
                problems
                    .push(format!("{path}: expected to be readable by everyone: the programs of others do without it"));
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

/// An interface of this host.
#[derive(Debug)]
pub struct InterfaceReport {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    judgement: Result<Interface, Unasked>,
}

/// All interfaces of this host, by index.
///
/// # Errors
/// What the system calls said if nothing could be found out.
pub fn interfaces(config: &Config) -> Result<Vec<InterfaceReport>, LookupError> {
    let (links, addresses) = read_tables()?;
    let judged = judge_all(&links, &addresses, config).map(|(link, judgement)| InterfaceReport {
        name: String::from_utf8_lossy(link.name.octets()).into_owned(),
        index: link.index,
        judgement,
    });
    Ok(judged.collect())
}

impl InterfaceReport {
    /// The families that it is asked over, and an experiment for each: whether what is sent to the group comes in on port
    /// 5353 of this host, as a firewall lets it or not.
    ///
    /// # Errors
    /// What kept the experiment from being made.
    pub fn hearing(&self) -> impl Iterator<Item = (Family, io::Result<bool>)> {
        let interface = self.judgement.ok();
        Family::ALL.into_iter().filter_map(move |family| {
            let interface = interface.filter(|interface| interface.has(family))?;
            Some((family, hears_itself(interface, family)))
        })
    }

    /// True if it is asked on.
    pub fn is_asked(&self) -> bool {
        self.judgement.is_ok()
    }
}

impl fmt::Display for InterfaceReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.judgement {
            Ok(Interface { v4: true, v6: true, .. }) => "asked over IPv4 and IPv6",
            Ok(Interface { v4: true, .. }) => "asked over IPv4",
            Ok(_) => "asked over IPv6",
            Err(Unasked::Down) => "not asked: it is down",
            Err(Unasked::NotRunning) => "not asked: it has no carrier",
            Err(Unasked::NoMulticast) => "not asked: it carries no multicast",
            Err(Unasked::PointToPoint) => {
                "not asked: it is a point-to-point link, and allow-interfaces does not name it"
            }
            Err(Unasked::Member) => "not asked: it is a member of a bridge or bond, which is asked on instead",
            Err(Unasked::NoAddress) => "not asked: it has no address",
            Err(Unasked::Denied) => "not asked: deny-interfaces matches it",
            Err(Unasked::NotAllowed) => "not asked: allow-interfaces does not match it",
            Err(Unasked::OthersFirst) => "not asked: it is one too many",
        })
    }
}

/// Sends a question to the group, by `interface` alone, and listens for it on the group and port 5353: the kernel gives
/// this host a copy of what it sends, which a firewall treats like any packet that came in there.
fn hears_itself(interface: Interface, family: Family) -> io::Result<bool> {
    let alone = Interface { v4: family == Family::V4, v6: family == Family::V6, ..interface };
    let mut sockets = Sockets::open(&Interfaces::only(alone), true).map_err(io::Error::other)?;
    if !sockets.has_listener() {
        return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
    }
    let name = NameRange::Local.host_name(NOBODY).map_err(io::Error::other)?;
    let query = Query { id: Ids::new().next(), name: &name, kind: RecordType::A, unicast_response: false };
    let mut packet = [0; MAX_QUERY];
    let packet = query.encode(&mut packet);
    sockets.send(packet, Channel::Ephemeral, interface.index, group(family))?;
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        sockets.wait(left).map_err(io::Error::other)?;
        while let Some(datagram) = sockets.receive(&mut buffer) {
            let octets = buffer.get(..datagram.received.length).unwrap_or_default();
            if datagram.channel == Channel::Group && octets == packet {
                return Ok(true);
            }
        }
    }
}
