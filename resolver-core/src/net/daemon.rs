//! A client of avahi-daemon's text protocol: asks the daemon on this machine, which caches the records that it
//! receives.
//!
//! The protocol has no specification. This is how avahi-daemon 0.8 behaves:
//!
//! ```text
//! RESOLVE-HOSTNAME-IPV6 printer.local    a question
//! + 2 0 printer.local fe80::1            an address: interface index, transport (0: IPv4, 1: IPv6), name, address
//! -15 Timeout reached                    no response within five seconds
//! -3 Invalid host name                   any other failure
//! ```
//!
//! A connection takes one question. The daemon writes one line, then closes the connection. If the client shuts down
//! its sending side before that, it gets no answer.
//!
//! The transport is the one over which the daemon received the record, so an IPv6 address may come with a 0. If the
//! name in the question is an alias, the name in the answer is its target. Octets of that name may be escaped, for
//! example all that are not ASCII: as a backslash and three decimal digits, or as a backslash before any octet that is
//! not a digit.
//!
//! If the host has several addresses, the daemon returns only one of them.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::{Address, Families, Family, is_host_address};
use crate::sys::{self, FileId};
use crate::try_alloc;
use crate::wire::Name;

/// The daemon's socket. Only root and the daemon's own user can create files in this folder, so the peer is the daemon.
const SOCKET: &str = "/run/avahi-daemon/socket";

/// The maximum length of a name that is asked for, in octets of its text. The daemon truncates a longer name to this
/// length and looks up the truncated name.
const MAX_TEXT: usize = 63;

/// The maximum length of a line that is read, in octets: more than an answer with the longest name, each octet of it
/// escaped.
pub(crate) const MAX_LINE: usize = 1100;

/// The start of the line with which the daemon reports that nobody responded.
const TIMEOUT: &[u8] = b"-15 ";

/// The questions of one lookup to the daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    queries: [Option<DaemonQuery>; Family::ALL.len()],
    /// The daemon has found an address, or has said that nobody responded to it.
    has_replied: bool,
}

impl Daemon {
    /// Asks for the addresses of `name` in these families. None if there is no daemon, or if it cannot be asked for them.
    pub(crate) fn ask(name: &Name, families: Families) -> Option<Self> {
        let ask = |family: Family| {
            families.contains(family).then(|| DaemonQuery::send(name, family)).transpose().map_err(|_| ())
        };
        let queries = [ask(Family::V4).ok()?, ask(Family::V6).ok()?];
        queries.iter().any(Option::is_some).then_some(Self { queries, has_replied: false })
    }

    /// What to poll, for [`Daemon::receive`].
    pub(crate) fn poll_list(&self) -> [libc::pollfd; Family::ALL.len()] {
        self.queries.each_ref().map(|query| libc::pollfd {
            fd: query.as_ref().map_or(-1, DaemonQuery::descriptor),
            events: libc::POLLIN,
            revents: 0,
        })
    }

    /// Reads the replies that have arrived, and passes the addresses in them to `found`.
    pub(crate) fn receive(&mut self, polled: &[libc::pollfd], found: &mut dyn FnMut(Address)) {
        for (query, polled) in self.queries.iter_mut().zip(polled) {
            let Some(query) = query.as_mut().filter(|_| polled.revents != 0) else { continue };
            match query.receive() {
                DaemonReply::Found(address) => {
                    self.has_replied = true;
                    found(address);
                }
                DaemonReply::NotFound => self.has_replied = true,
                DaemonReply::Pending | DaemonReply::Failed => {}
            }
        }
    }

    /// True if no more replies can arrive.
    pub(crate) fn has_ended(&self) -> bool {
        self.queries.iter().flatten().all(DaemonQuery::has_ended)
    }

    /// True unless the daemon has failed to find out: it has replied, or is still asking the network.
    pub(crate) fn knows(&self) -> bool {
        self.has_replied || !self.has_ended()
    }
}

/// A question to the daemon, for the addresses of one family.
#[derive(Debug)]
pub(crate) struct DaemonQuery {
    // None once the query has ended.
    socket: Option<Socket>,
    id: FileId,
    family: Family,
    buffer: Vec<u8>,
    length: usize,
}

/// What the daemon has replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DaemonReply {
    /// No complete line has arrived yet.
    Pending,
    /// An address of the host, of the family that was asked for.
    Found(Address),
    /// Nobody responded to the daemon.
    NotFound,
    /// The daemon reported an error, the line is not valid, or the connection ended without a complete line.
    Failed,
}

impl DaemonQuery {
    /// Connects to the daemon and sends the question. Never blocks.
    ///
    /// # Errors
    /// `EINVAL` for a name that the daemon would not read as it is written; `ENOENT` or `ECONNREFUSED` if no daemon
    /// runs; `EAGAIN` if the daemon's backlog of connections is full; `ENOMEM`; otherwise those of `socket(2)`,
    /// `fcntl(2)`, `connect(2)`, `fstat(2)` and `send(2)`.
    pub(crate) fn send(name: &Name, family: Family) -> io::Result<Self> {
        Self::send_to(Path::new(SOCKET), name, family)
    }

    fn send_to(path: &Path, name: &Name, family: Family) -> io::Result<Self> {
        if !may_ask(name) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).and_then(sys::above_stdio)?;
        socket.connect(&SockAddr::unix(path)?)?;
        let id = sys::file_id(&socket)?;
        let buffer = try_alloc::zeroed(MAX_LINE).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        let mut query = Self { socket: Some(socket), id, family, buffer, length: 0 };
        query.send_question(name)?;
        Ok(query)
    }

    fn send_question(&mut self, name: &Name) -> io::Result<()> {
        let command: &[u8] = match self.family {
            Family::V4 => b"RESOLVE-HOSTNAME-IPV4 ",
            Family::V6 => b"RESOLVE-HOSTNAME-IPV6 ",
        };
        // The buffer is not in use yet.
        let mut length = 0;
        let mut write = |piece: &[u8]| {
            if let Some(place) = self.buffer.get_mut(length..length + piece.len()) {
                place.copy_from_slice(piece);
                length += piece.len();
            }
        };
        write(command);
        name.write_text(&mut write);
        write(b"\n");
        let line = self.buffer.get(..length).unwrap_or_default();
        let socket = self.socket.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        let sent = socket.send_with_flags(line, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)?;
        if sent == line.len() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EAGAIN)) }
    }

    /// The descriptor to poll for `POLLIN`; -1, which `poll(2)` ignores, once the query has ended.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.as_ref().map_or(-1, Socket::as_raw_fd)
    }

    /// True once the query has ended, with or without an answer.
    pub(crate) fn has_ended(&self) -> bool {
        self.socket.is_none()
    }

    /// Reads what has arrived. Called when `poll(2)` has reported an event of the descriptor. Any reply other than
    /// [`DaemonReply::Pending`] ends the query and closes the connection.
    pub(crate) fn receive(&mut self) -> DaemonReply {
        let reply = self.read().unwrap_or(DaemonReply::Failed);
        if reply != DaemonReply::Pending {
            self.close();
        }
        reply
    }

    /// None if the connection ended before a complete line, or if it failed.
    fn read(&mut self) -> Option<DaemonReply> {
        let socket = self.socket.as_ref().filter(|socket| self.is_ours(socket))?;
        match sys::receive(socket, self.buffer.get_mut(self.length..)?) {
            Ok(0) => None,
            Ok(count) => {
                self.length += count;
                self.buffer.get(..self.length).map(|received| interpret(received, self.family))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Some(DaemonReply::Pending)
            }
            Err(_) => None,
        }
    }

    /// False once the host process has closed the descriptor. By then it may refer to another file, even to another
    /// connected stream: a read would succeed, and the host process would lose the data.
    fn is_ours(&self, socket: &Socket) -> bool {
        sys::file_id(socket).is_ok_and(|id| id == self.id)
    }

    fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            if !self.is_ours(&socket) {
                let _ = socket.into_raw_fd();
            }
        }
    }
}

impl Drop for DaemonQuery {
    fn drop(&mut self) {
        self.close();
    }
}

/// True for a name that the daemon reads as it is written. The daemon ends a name at white space, reads a backslash as
/// the start of an escape, and rejects text that is not UTF-8. [`Name::is_clean`] excludes all of these. A name that is
/// not under `.local` is excluded because the daemon may look it up by unicast DNS.
fn may_ask(name: &Name) -> bool {
    name.is_local() && name.is_clean() && name.text_len() <= MAX_TEXT
}

/// The meaning of all octets that have been `received` as the reply to a question for `family`.
pub(crate) fn interpret(received: &[u8], family: Family) -> DaemonReply {
    match received.split_last() {
        Some((b'\n', line)) if !line.contains(&b'\n') => interpret_line(line, family),
        _ if received.contains(&b'\n') || received.len() >= MAX_LINE => DaemonReply::Failed,
        _ => DaemonReply::Pending,
    }
}

fn interpret_line(line: &[u8], family: Family) -> DaemonReply {
    if line.starts_with(TIMEOUT) {
        return DaemonReply::NotFound;
    }
    address(line, family).map_or(DaemonReply::Failed, DaemonReply::Found)
}

/// The address in a line such as `+ 2 1 printer.local fd00::1`. None if the line is not valid, or if the address is not
/// of `family` or cannot be that of a host.
fn address(line: &[u8], family: Family) -> Option<Address> {
    let mut fields = line.split(|&octet| octet == b' ');
    let is_answer = fields.next()? == b"+";
    let interface = interface_index(fields.next()?)?;
    let has_transport = matches!(fields.next()?, b"0" | b"1");
    let has_name = is_host_name(fields.next()?);
    let ip: IpAddr = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let is_usable = Family::of(ip) == family && is_host_address(ip);
    let is_valid = is_answer && has_transport && has_name && is_usable && fields.next().is_none();
    is_valid.then_some(Address { ip, interface })
}

/// An interface index: a decimal number from 1 to `i32::MAX`, without a sign or leading zeros.
fn interface_index(field: &[u8]) -> Option<u32> {
    field.first().filter(|first| (b'1'..=b'9').contains(first))?;
    let index: i32 = std::str::from_utf8(field).ok()?.parse().ok()?;
    u32::try_from(index).ok()
}

/// True if the name in an answer can be returned as a host name. The name in the question always can; the target of an
/// alias must be checked. Not inlined, because copies of the name take hundreds of octets of stack.
#[inline(never)]
fn is_host_name(escaped: &[u8]) -> bool {
    Name::from_text(escaped).is_ok_and(|name| name.is_local() && name.is_clean())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::sys::tests::{close, is_open, replace, set_apart, without_privileges};

    /// A path for a socket, removed when the test is over.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nss-mdns-daemon-{}-{test}", std::process::id()));
            let _ = fs::remove_file(&path);
            Self(path)
        }

        fn ask(&self, name: &str, family: Family) -> io::Result<DaemonQuery> {
            DaemonQuery::send_to(&self.0, &Name::from_text(name.as_bytes()).unwrap(), family)
        }

        /// The errno of a question that cannot be sent.
        fn error(&self) -> Option<i32> {
            self.ask("printer.local", Family::V4).err().and_then(|error| error.raw_os_error())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// A question for an IPv4 address, and the daemon's end of its connection, from which the question has been read.
    fn asked(test: &str) -> (DaemonQuery, UnixStream) {
        let scratch = Scratch::new(test);
        let listener = UnixListener::bind(&scratch.0).unwrap();
        let query = scratch.ask("printer.local", Family::V4).unwrap();
        let (mut daemon, _) = listener.accept().unwrap();
        let mut question = [0; 36];
        daemon.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"RESOLVE-HOSTNAME-IPV4 printer.local\n");
        (query, daemon)
    }

    fn found(ip: &str, interface: u32) -> DaemonReply {
        DaemonReply::Found(Address { ip: ip.parse().unwrap(), interface })
    }

    /// What `poll(2)` reports of the query, without waiting.
    fn events(query: &DaemonQuery) -> i16 {
        let mut poll = [libc::pollfd { fd: query.descriptor(), events: libc::POLLIN, revents: 0 }];
        sys::poll(&mut poll, Duration::ZERO).unwrap();
        poll[0].revents
    }

    #[test]
    fn answers_of_avahi_daemon_are_understood() {
        let longest =
            format!("+ 2147483647 1 {}.local fd00:1111:2222:3333:4444:5555:6666:7777\n", "\\195\\188".repeat(30));
        for (line, family, reply) in [
            ("+ 2 0 printer.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            ("+ 2 1 printer.local fd77:1::2\n", Family::V6, found("fd77:1::2", 2)),
            ("+ 2 1 printer.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            ("+ 3 0 printer.local fe80::d0b6:93ff:fe2b:b4f0\n", Family::V6, found("fe80::d0b6:93ff:fe2b:b4f0", 3)),
            ("+ 2 0 MIXED.Local 169.254.3.4\n", Family::V4, found("169.254.3.4", 2)),
            ("+ 2 0 a.b.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            ("+ 2 1 b\\195\\188ro.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            ("+ 2 1 b\u{fc}ro.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            ("+ 2 0 a\\040b\\041.local 10.77.1.2\n", Family::V4, found("10.77.1.2", 2)),
            (&longest, Family::V6, found("fd00:1111:2222:3333:4444:5555:6666:7777", 2_147_483_647)),
            ("-15 Timeout reached\n", Family::V4, DaemonReply::NotFound),
            ("-3 Invalid host name\n", Family::V4, DaemonReply::Failed),
            ("-21 Invalid command \"FOO\", try \"HELP\".\n", Family::V4, DaemonReply::Failed),
            ("-28 Invalid protocol specification\n", Family::V6, DaemonReply::Failed),
        ] {
            assert_eq!(interpret(line.as_bytes(), family), reply, "{line:?}");
            for length in 0..line.len() {
                assert_eq!(interpret(&line.as_bytes()[..length], family), DaemonReply::Pending, "{length} of {line:?}");
            }
        }
    }

    #[test]
    fn invalid_lines_are_failures() {
        for line in [
            "",
            "+",
            "+ 2 0 printer.local",
            "+ 2 0 printer.local ",
            "+ 2 0 printer.local 10.77.1.2 ",
            "+ 2 0 printer.local 10.77.1.2 more",
            "+ 2 0 printer.local 10.77.1.2\r",
            "+ 2 0 printer.local 10.77.1.2\n+ 2 0 printer.local 10.77.1.3",
            "-15 Timeout reached\n-15 Timeout reached",
            "\n",
            "\n+ 2 0 printer.local 10.77.1.2",
            " + 2 0 printer.local 10.77.1.2",
            "+  2 0 printer.local 10.77.1.2",
            "+2 0 printer.local 10.77.1.2",
            "- 2 0 printer.local 10.77.1.2",
            "+ 0 0 printer.local 10.77.1.2",
            "+ -1 0 printer.local 10.77.1.2",
            "+ +2 0 printer.local 10.77.1.2",
            "+ 02 0 printer.local 10.77.1.2",
            "+ 2x 0 printer.local 10.77.1.2",
            "+ 2147483648 0 printer.local 10.77.1.2",
            "+ 99999999999 0 printer.local 10.77.1.2",
            "+ 2 2 printer.local 10.77.1.2",
            "+ 2 -1 printer.local 10.77.1.2",
            "+ 2 00 printer.local 10.77.1.2",
            "+ 2 0 printer 10.77.1.2",
            "+ 2 0 local 10.77.1.2",
            "+ 2 0 printer.example 10.77.1.2",
            "+ 2 0 printer..local 10.77.1.2",
            "+ 2 0 -rf.local 10.77.1.2",
            "+ 2 0 with\\032space.local 10.77.1.2",
            "+ 2 0 back\\\\slash.local 10.77.1.2",
            "+ 2 0 a\\.b.local 10.77.1.2",
            "+ 2 0 a\\046b.local 10.77.1.2",
            "+ 2 0 a\\000b.local 10.77.1.2",
            "+ 2 0 a\\256b.local 10.77.1.2",
            "+ 2 0 a\\25.local 10.77.1.2",
            "+ 2 0 printer.local\\ 10.77.1.2",
            "+ 2 0 b\\195ro.local 10.77.1.2",
            "+ 2 0 printer.local 10.77.1.256",
            "+ 2 0 printer.local 10.77.1",
            "+ 2 0 printer.local 10.77.1.2%2",
            "+ 2 0 printer.local 127.0.0.5",
            "+ 2 0 printer.local 0.0.0.0",
            "+ 2 0 printer.local 224.0.0.251",
            "+ 2 0 printer.local fd77:1::2",
            "-15",
            "-150 Timeout reached",
            "-1 5 Timeout reached",
            "15 Timeout reached",
        ] {
            assert_eq!(interpret(format!("{line}\n").as_bytes(), Family::V4), DaemonReply::Failed, "{line:?}");
        }
        for ip in ["::1", "::ffff:10.77.1.2", "::10.77.1.2", "ff02::fb", "fe80::1%2", "[fe80::1]", "10.77.1.2"] {
            let line = format!("+ 2 1 printer.local {ip}\n");
            assert_eq!(interpret(line.as_bytes(), Family::V6), DaemonReply::Failed, "{line:?}");
        }
        assert_eq!(interpret(b"+ 2 0 b\xfcro.local 10.77.1.2\n", Family::V4), DaemonReply::Failed);
        let label = "a".repeat(63);
        for name in [format!("{label}a.local"), [&*label; 4].join(".") + ".local", "\\097".repeat(300)] {
            let line = format!("+ 2 0 {name} 10.77.1.2\n");
            assert_eq!(interpret(line.as_bytes(), Family::V4), DaemonReply::Failed, "{line:?}");
        }
    }

    #[test]
    fn only_names_that_the_daemon_reads_as_they_are_written_are_asked_for() {
        let (longest, longer) = (format!("{}.local", "a".repeat(57)), format!("{}.local", "a".repeat(58)));
        for (name, expected) in [
            ("printer.local", true),
            ("PRINTER.Local.", true),
            ("a.b.local", true),
            ("b\u{fc}ro.local", true),
            (&longest, true),
            (&longer, false),
            ("with space.local", false),
            ("no-break\u{a0}space.local", false),
            ("back\\092slash.local", false),
            ("-rf.local", false),
            ("printer.example", false),
            ("local", false),
        ] {
            assert_eq!(may_ask(&Name::from_text(name.as_bytes()).unwrap()), expected, "{name}");
        }
        assert!(!may_ask(&Name::from_text(b"b\xfcro.local").unwrap()));
        let scratch = Scratch::new("names");
        let _listener = UnixListener::bind(&scratch.0).unwrap();
        let error = scratch.ask("with space.local", Family::V4).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_question_is_one_line_for_its_family() {
        let scratch = Scratch::new("question");
        let listener = UnixListener::bind(&scratch.0).unwrap();
        for (family, expected) in [
            (Family::V4, "RESOLVE-HOSTNAME-IPV4 B\u{fc}ro.local\n"),
            (Family::V6, "RESOLVE-HOSTNAME-IPV6 B\u{fc}ro.local\n"),
        ] {
            let query = scratch.ask("B\u{fc}ro.local.", family).unwrap();
            drop(query);
            let mut question = String::new();
            listener.accept().unwrap().0.read_to_string(&mut question).unwrap();
            assert_eq!(question, expected);
        }
    }

    #[test]
    fn an_answer_ends_the_query() {
        let (mut query, mut daemon) = asked("answer");
        assert_eq!(events(&query), 0);
        daemon.write_all(b"+ 2 0 printer.local 10.77.1.2\n").unwrap();
        drop(daemon);
        assert_eq!(events(&query) & libc::POLLIN, libc::POLLIN);
        assert_eq!(query.receive(), found("10.77.1.2", 2));
        assert_eq!(query.descriptor(), -1);
        assert_eq!(query.receive(), DaemonReply::Failed);
    }

    #[test]
    fn a_line_that_arrives_in_parts_is_reassembled() {
        let (mut query, mut daemon) = asked("parts");
        assert_eq!(query.receive(), DaemonReply::Pending);
        let line = b"+ 2 0 printer.local 10.77.1.2\n";
        for octet in &line[..line.len() - 1] {
            daemon.write_all(&[*octet]).unwrap();
            assert_eq!(query.receive(), DaemonReply::Pending);
            assert_eq!(query.receive(), DaemonReply::Pending);
        }
        daemon.write_all(b"\n").unwrap();
        assert_eq!(query.receive(), found("10.77.1.2", 2));
    }

    #[test]
    fn a_connection_that_ends_before_its_line_is_a_failure() {
        for part in [&b""[..], b"+ 2 0 printer.local 10.77.1.2"] {
            let (mut query, mut daemon) = asked("end");
            daemon.write_all(part).unwrap();
            drop(daemon);
            assert_ne!(events(&query), 0);
            let replies: Vec<_> =
                (0..3).map(|_| query.receive()).take_while(|&reply| reply != DaemonReply::Failed).collect();
            assert_eq!(replies, if part.is_empty() { vec![] } else { vec![DaemonReply::Pending] });
            assert_eq!(query.descriptor(), -1);
        }
    }

    #[test]
    fn a_connection_that_is_reset_is_a_failure() {
        let scratch = Scratch::new("reset");
        let listener = UnixListener::bind(&scratch.0).unwrap();
        let mut query = scratch.ask("printer.local", Family::V4).unwrap();
        // Closed with the question unread.
        drop(listener);
        assert_ne!(events(&query), 0);
        assert_eq!(query.receive(), DaemonReply::Failed);
    }

    #[test]
    fn garbage_is_a_failure() {
        for garbage in [&b"\n"[..], b"\0\n", &[0xff; 400], b"HTTP/1.1 400 Bad Request\r\n\r\n", &[b'\n'; 3000]] {
            let (mut query, mut daemon) = asked("garbage");
            daemon.write_all(garbage).unwrap();
            drop(daemon);
            let mut replies = std::iter::repeat_with(|| query.receive());
            assert_eq!(replies.find(|&reply| reply != DaemonReply::Pending), Some(DaemonReply::Failed));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_a_failure_before_it_ends() {
        let (mut query, mut daemon) = asked("long");
        daemon.write_all(&[b'+'; MAX_LINE - 1]).unwrap();
        assert_eq!(query.receive(), DaemonReply::Pending);
        daemon.write_all(&[b'+'; 5000]).unwrap();
        assert_eq!(query.receive(), DaemonReply::Failed);
        let (mut query, mut daemon) = asked("longer");
        daemon.write_all(&[b'+'; 5000]).unwrap();
        assert_eq!(query.receive(), DaemonReply::Failed);
    }

    #[test]
    fn receiving_from_a_silent_daemon_does_not_block() {
        let (mut query, _daemon) = asked("silent");
        for _ in 0..100 {
            assert_eq!(query.receive(), DaemonReply::Pending);
        }
        assert_eq!(events(&query), 0);
    }

    #[test]
    fn without_a_daemon_the_connection_fails() {
        let scratch = Scratch::new("none");
        assert_eq!(scratch.error(), Some(libc::ENOENT));
        // The socket outlives a daemon that was killed.
        drop(UnixListener::bind(&scratch.0).unwrap());
        assert_eq!(scratch.error(), Some(libc::ECONNREFUSED));
    }

    #[test]
    fn anything_but_a_stream_socket_cannot_be_connected_to() {
        let scratch = Scratch::new("file");
        fs::write(&scratch.0, "+ 2 0 printer.local 10.77.1.2\n").unwrap();
        assert_eq!(scratch.error(), Some(libc::ECONNREFUSED));
        assert_eq!(fs::read(&scratch.0).unwrap().len(), 30);
        fs::remove_file(&scratch.0).unwrap();
        let _datagrams = UnixDatagram::bind(&scratch.0).unwrap();
        assert_eq!(scratch.error(), Some(libc::EPROTOTYPE));
    }

    #[test]
    fn a_socket_without_write_permission_cannot_be_connected_to() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new("permission");
        let _listener = UnixListener::bind(&scratch.0).unwrap();
        fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o444)).unwrap();
        let error = without_privileges(|| scratch.error());
        assert_eq!(error, Some(libc::EACCES));
    }

    #[test]
    fn a_daemon_that_accepts_no_more_connections_is_not_waited_for() {
        let scratch = Scratch::new("backlog");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&scratch.0).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let waiting: Vec<_> = (0..10).map_while(|_| scratch.ask("printer.local", Family::V4).ok()).collect();
        assert!(waiting.len() < 10);
        assert_eq!(scratch.error(), Some(libc::EAGAIN));
        listener.accept().unwrap();
        assert!(scratch.ask("printer.local", Family::V4).is_ok());
    }

    #[test]
    fn a_descriptor_is_closed_with_its_query() {
        let (mut query, _daemon) = asked("closed");
        query.socket = query.socket.as_ref().map(set_apart);
        let number = query.descriptor();
        drop(query);
        assert!(!is_open(number));
    }

    #[test]
    fn a_connection_that_reuses_the_descriptor_keeps_its_data_and_stays_open() {
        let (mut host, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"+ 2 0 printer.local 10.77.1.2\n").unwrap();
        for receive in [true, false] {
            let (mut query, mut daemon) = asked("replaced");
            query.socket = query.socket.as_ref().map(set_apart);
            daemon.write_all(b"+ 2 0 printer.local 10.77.1.3\n").unwrap();
            let number = query.descriptor();
            replace(number, &host);
            assert!(!receive || query.receive() == DaemonReply::Failed);
            drop(query);
            assert!(is_open(number));
            close(number);
        }
        let mut whole = [0; 30];
        host.read_exact(&mut whole).unwrap();
    }

    #[test]
    fn a_descriptor_that_the_host_process_has_closed_is_a_failure() {
        let (mut query, _daemon) = asked("gone");
        query.socket = query.socket.as_ref().map(set_apart);
        close(query.descriptor());
        assert_eq!(events(&query), libc::POLLNVAL);
        assert_eq!(query.receive(), DaemonReply::Failed);
        assert_eq!(query.descriptor(), -1);
    }
}
