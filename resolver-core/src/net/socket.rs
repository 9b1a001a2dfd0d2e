//! The sockets of one lookup: opened before its first query, closed when it ends.
//!
//! For each family, one socket on an ephemeral port sends queries and receives unicast responses (RFC 6762, section
//! 5.1). The other sockets are the multicast listeners, bound to the group's address and port 5353. They receive the
//! responses of responders that only multicast, and a firewall that admits only port 5353 admits their queries and the
//! responses. Because they are bound to the group's address, they receive no unicast packet that is meant for a daemon
//! on port 5353.
//!
//! A lookup has at most five sockets, however many interfaces there are: two on ephemeral ports, two multicast listeners
//! for IPv4 and one for IPv6.

use std::io::{self, IoSlice};
use std::iter::Peekable;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, MsgHdr, Protocol, SockAddr, Socket, Type};

use crate::address::Family;
use crate::error::LookupError;
use crate::net::cmsg::{self, Control};
use crate::net::interfaces::Interfaces;
use crate::observer::{Event, Observer};
use crate::sys;
use crate::try_alloc;
use crate::wire::{GROUP_V4, GROUP_V6, MDNS_PORT};

/// The address of the group over a transport.
pub fn group(transport: Family) -> IpAddr {
    match transport {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => GROUP_V6.into(),
    }
}

/// The maximum number of receive errors of one socket. After more of them it is no longer read.
const MAX_ERRORS: u32 = 16;

/// The maximum number of multicast listeners for IPv4. By default the kernel lets each be a member on twenty interfaces
/// (`igmp_max_memberships`), and a lookup queries no more than twice as many.
const MAX_LISTENERS_V4: usize = 2;

/// How many descriptors must be left, within the soft limit, once the ephemeral sockets are open. If there are fewer, no
/// multicast listener is opened, so that the host process can still open files during the lookup. The listeners take
/// three of them, and a daemon and the neighbour table three more for a part of the lookup.
const RESERVE: RawFd = 20;

/// How a socket of a lookup is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// To an ephemeral port: sends queries and receives unicast responses.
    Ephemeral,
    /// To the group's address and port 5353: sends queries whose responses are multicast, and receives multicast
    /// responses.
    MulticastListener,
}

/// A datagram, and the socket that it arrived on.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    /// The kind of that socket.
    pub socket: SocketKind,
    /// The family of that socket.
    pub transport: Family,
    /// The datagram's size, source and destination.
    pub received: Received,
}

/// Size, source and destination of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// The number of octets in the buffer. Further octets of a longer datagram are lost.
    pub length: usize,
    /// The sender's address.
    pub source: IpAddr,
    /// The sender's port.
    pub port: u16,
    /// The destination address, if the kernel reported it.
    pub destination: Option<IpAddr>,
    /// The index of the interface that it arrived on; 0 if the kernel did not report it.
    pub interface: u32,
    /// The hop limit, or TTL, in its header, if the kernel reported it.
    pub hop_limit: Option<u8>,
}

struct Endpoint {
    // None once the host process has closed the descriptor.
    socket: Option<Socket>,
    kind: SocketKind,
    family: Family,
    // The indexes of the interfaces on which a multicast listener is a member of the group.
    joined: Vec<u32>,
    errors: u32,
}

impl Endpoint {
    /// True if the socket can send on this interface, and receive what is sent there in response.
    fn serves(&self, interface: u32) -> bool {
        self.kind == SocketKind::Ephemeral || self.joined.contains(&interface)
    }
}

/// The sockets of one lookup.
pub struct Sockets {
    endpoints: Vec<Endpoint>,
    // One for each endpoint, in the same order.
    ready: Vec<libc::pollfd>,
    // The index of the endpoint that was read last.
    turn: usize,
}

/// The ports of the ephemeral sockets, in the order of [`Family::ALL`]. None for a socket that does not exist, or has
/// sent nothing.
pub type Ports = [Option<NonZeroU16>; Family::ALL.len()];

impl Sockets {
    /// Opens an ephemeral socket for each family and, if `listener` is true, the multicast listeners. A listener that
    /// cannot be opened is omitted; all are if the process has nearly reached its limit of descriptors.
    ///
    /// # Errors
    /// If there is no ephemeral socket: the reason why the last one could not be opened, or
    /// [`LookupError::NoInterface`].
    pub fn open(interfaces: &Interfaces, listener: bool, observer: impl Observer) -> Result<Self, LookupError> {
        Self::open_again(interfaces, listener, Ports::default(), observer)
    }

    /// As [`Sockets::open`], on ports that a lookup has used before, to receive what is sent to them. If another program
    /// has taken one meanwhile, the socket gets another.
    ///
    /// # Errors
    /// As [`Sockets::open`].
    pub(crate) fn open_again(
        interfaces: &Interfaces,
        listener: bool,
        ports: Ports,
        observer: impl Observer,
    ) -> Result<Self, LookupError> {
        let mut sockets = Self { endpoints: Vec::new(), ready: Vec::new(), turn: 0 };
        let mut reason = LookupError::NoInterface;
        let mut any = false;
        for (family, port) in Family::ALL.into_iter().zip(ports) {
            if !interfaces.iter().any(|interface| interface.families.contains(family)) {
                continue;
            }
            match ephemeral(family, port) {
                Ok(socket) => any |= sockets.add(socket, SocketKind::Ephemeral, family, Vec::new()),
                Err(error) => {
                    observer.report(no_socket(SocketKind::Ephemeral, family, None, &error));
                    reason = LookupError::from_io(&error);
                }
            }
        }
        if !any {
            return Err(reason);
        }
        // Opened last: a lookup needs the ephemeral sockets, so they get descriptors first.
        if listener {
            sockets.open_missing_listeners(interfaces, observer);
        }
        Ok(sockets)
    }

    /// Opens the multicast listeners, unless there are some or the process has nearly reached its limit of descriptors.
    pub(crate) fn open_missing_listeners(&mut self, interfaces: &Interfaces, observer: impl Observer) {
        let is_missing = self.endpoints.iter().all(|endpoint| endpoint.kind == SocketKind::Ephemeral);
        let last = self.ready.iter().map(|poll| poll.fd).max();
        if !is_missing {
            return;
        }
        if last.is_some_and(|last| sys::is_descriptor_allowed(last.saturating_add(RESERVE))) {
            return self.open_listeners(interfaces, observer);
        }
        for family in Family::ALL {
            let error = io::Error::from_raw_os_error(libc::EMFILE);
            observer.report(no_socket(SocketKind::MulticastListener, family, None, &error));
        }
    }

    /// The ports of the ephemeral sockets.
    pub(crate) fn ports(&self) -> Ports {
        Family::ALL.map(|family| {
            let is_it = |endpoint: &&Endpoint| endpoint.kind == SocketKind::Ephemeral && endpoint.family == family;
            let socket = self.endpoints.iter().find(is_it)?.socket.as_ref()?;
            NonZeroU16::new(socket.local_addr().ok()?.as_socket()?.port())
        })
    }

    /// The interfaces on which there is a multicast listener over this transport.
    pub fn listened(&self, transport: Family) -> impl Iterator<Item = u32> {
        self.endpoints
            .iter()
            .filter(move |endpoint| endpoint.family == transport)
            .flat_map(|it| it.joined.iter().copied())
    }

    fn open_listeners(&mut self, interfaces: &Interfaces, observer: impl Observer) {
        let with = |family| {
            let with = interfaces.iter().filter(move |interface| interface.families.contains(family));
            with.map(|interface| interface.index).peekable()
        };
        let mut rest = with(Family::V4);
        for _ in 0..MAX_LISTENERS_V4 {
            if rest.peek().is_some() {
                self.add_listener(listener_v4(&mut rest, observer), Family::V4, observer);
            }
        }
        if with(Family::V6).peek().is_some() {
            self.add_listener(listener_v6(with(Family::V6), observer), Family::V6, observer);
        }
    }

    fn add_listener(&mut self, listener: io::Result<(Socket, Vec<u32>)>, transport: Family, observer: impl Observer) {
        match listener {
            Ok((socket, joined)) if !joined.is_empty() => {
                self.add(socket, SocketKind::MulticastListener, transport, joined);
            }
            Ok(_) => {}
            Err(error) => observer.report(no_socket(SocketKind::MulticastListener, transport, None, &error)),
        }
    }

    fn add(&mut self, socket: Socket, kind: SocketKind, family: Family, joined: Vec<u32>) -> bool {
        let poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        if !try_alloc::push(&mut self.ready, poll) {
            return false;
        }
        let endpoint = Endpoint { socket: Some(socket), kind, family, joined, errors: 0 };
        let added = try_alloc::push(&mut self.endpoints, endpoint);
        if !added {
            self.ready.pop();
        }
        added
    }

    /// The number of sockets.
    pub(crate) fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// Sends `packet` to port 5353 of `to`, out of the interface with the index `interface`. `source` is its source address
    /// over IPv4; without it, the kernel selects one.
    ///
    /// # Errors
    /// `ENOTSOCK` if there is no such socket, or if the multicast listener is not a member of the group on that interface;
    /// otherwise those of `sendmsg(2)`.
    pub fn send(
        &self,
        packet: &[u8],
        kind: SocketKind,
        interface: u32,
        source: Option<Ipv4Addr>,
        to: IpAddr,
    ) -> io::Result<()> {
        let family = Family::of(to);
        let socket = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.kind == kind && endpoint.family == family)
            .find(|endpoint| endpoint.serves(interface))
            .and_then(|endpoint| endpoint.socket.as_ref())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSOCK))?;
        let mut control = Control::new();
        let address: SockAddr = match to {
            IpAddr::V4(ip) => SocketAddr::from(SocketAddrV4::new(ip, MDNS_PORT)).into(),
            IpAddr::V6(ip) => SocketAddr::from(SocketAddrV6::new(ip, MDNS_PORT, 0, interface)).into(),
        };
        let parts = [IoSlice::new(packet)];
        let control = control.write_interface(interface, family, source);
        let message = MsgHdr::new().with_addr(&address).with_buffers(&parts).with_control(control);
        socket.sendmsg(&message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT).map(|_| ())
    }

    /// Waits until a datagram has arrived or `timeout` has passed. A signal may end the wait early.
    ///
    /// # Errors
    /// [`LookupError::Refused`] if no socket is left: the host process has closed them, or too many errors have
    /// occurred. Otherwise the failures of `poll(2)`.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), LookupError> {
        self.wait_with(timeout, &mut [])
    }

    /// As [`Sockets::wait`], but the wait also ends when one of `others` is ready.
    ///
    /// # Errors
    /// As [`Sockets::wait`]; [`LookupError::Exhausted`] if there is no memory for a list of all descriptors.
    pub(crate) fn wait_with(&mut self, timeout: Duration, others: &mut [libc::pollfd]) -> Result<(), LookupError> {
        let own = self.ready.len();
        if !try_alloc::extend(&mut self.ready, others) {
            return Err(LookupError::Exhausted);
        }
        let result = self.poll(timeout);
        others.iter_mut().zip(self.ready.drain(own..)).for_each(|(other, polled)| *other = polled);
        result
    }

    fn poll(&mut self, timeout: Duration) -> Result<(), LookupError> {
        if let Err(error) = sys::poll(&mut self.ready, timeout) {
            for poll in &mut self.ready {
                poll.revents = 0;
            }
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(LookupError::from_io(&error));
            }
        }
        for (endpoint, poll) in self.endpoints.iter_mut().zip(&mut self.ready) {
            if poll.revents & libc::POLLNVAL != 0 {
                // The host process closed it. The descriptor may soon refer to another file, so it must not be closed
                // again.
                let _ = endpoint.socket.take().map(IntoRawFd::into_raw_fd);
                poll.fd = -1;
            }
        }
        let mut own = self.ready.iter().take(self.count());
        if own.all(|poll| poll.fd < 0) { Err(LookupError::Refused(libc::EBADF)) } else { Ok(()) }
    }

    /// Receives one of the datagrams that [`Sockets::wait`] found; None if none is left. The sockets take turns.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Datagram> {
        let count = self.count();
        for _ in 0..count {
            self.turn = (self.turn + 1) % count;
            let (Some(endpoint), Some(poll)) = (self.endpoints.get_mut(self.turn), self.ready.get_mut(self.turn))
            else {
                return None;
            };
            let Some(socket) = endpoint.socket.as_ref().filter(|_| poll.revents != 0) else { continue };
            match receive(socket, buffer) {
                Ok(received) => return Some(Datagram { socket: endpoint.kind, transport: endpoint.family, received }),
                // The host process closed it. The descriptor may refer to another file by now, so do not close it.
                Err(error) if is_not_our_socket(&error) => {
                    let _ = endpoint.socket.take().map(IntoRawFd::into_raw_fd);
                    *poll = libc::pollfd { fd: -1, events: 0, revents: 0 };
                }
                Err(error) => {
                    poll.revents = 0;
                    endpoint.errors += u32::from(error.kind() != io::ErrorKind::WouldBlock);
                    if endpoint.errors > MAX_ERRORS {
                        poll.fd = -1;
                    }
                }
            }
        }
        None
    }
}

/// The event that there is no such socket, or that a multicast listener is no member of the group on an interface.
fn no_socket(kind: SocketKind, transport: Family, interface: Option<u32>, error: &io::Error) -> Event<'_> {
    Event::NoSocket { kind, transport, interface, error }
}

/// Receives a datagram, if one has arrived, and reads its control messages.
///
/// # Errors
/// Those of [`sys::receive_message`].
fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control::new();
    let message = sys::receive_message(socket, buffer, control.space())?;
    let mut received = Received {
        length: message.length,
        source: message.source.ip(),
        port: message.source.port(),
        destination: None,
        interface: 0,
        hop_limit: None,
    };
    for message in control.messages(message.control_length) {
        match message {
            cmsg::Message::PacketInfo { interface, destination } => {
                received.interface = interface;
                received.destination = Some(destination);
            }
            cmsg::Message::HopLimit(hop_limit) => received.hop_limit = Some(hop_limit),
        }
    }
    Ok(received)
}

/// True for an error that a UDP socket never returns. The descriptor then no longer refers to our socket: it refers to
/// a file, to a socket of another type, or to nothing.
fn is_not_our_socket(error: &io::Error) -> bool {
    // InvalidData: the source is not an IP address.
    error.kind() == io::ErrorKind::InvalidData
        || matches!(error.raw_os_error(), Some(libc::ENOTSOCK | libc::EBADF | libc::ENOTCONN))
}

/// A socket that sends queries. If `port` is None or taken, the kernel selects its port when it sends.
///
/// # Errors
/// Those of `socket(2)` and `setsockopt(2)`.
fn ephemeral(family: Family, port: Option<NonZeroU16>) -> io::Result<Socket> {
    let socket = new(family)?;
    let any: IpAddr = match family {
        Family::V4 => {
            socket.set_multicast_ttl_v4(255)?;
            Ipv4Addr::UNSPECIFIED.into()
        }
        Family::V6 => {
            socket.set_only_v6(true)?;
            socket.set_multicast_hops_v6(255)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    if let Some(port) = port {
        let _ = socket.bind(&SocketAddr::new(any, port.get()).into());
    }
    Ok(socket)
}

/// A multicast listener for IPv4, and the interfaces on which it is a member. `interfaces` then has those that follow the
/// last one on which the kernel lets this socket be a member.
///
/// # Errors
/// Those of `socket(2)`, `setsockopt(2)` and `bind(2)`.
fn listener_v4(
    interfaces: &mut Peekable<impl Iterator<Item = u32>>,
    observer: impl Observer,
) -> io::Result<(Socket, Vec<u32>)> {
    let socket = new(Family::V4)?;
    socket.set_reuse_address(true)?;
    socket.set_multicast_ttl_v4(255)?;
    // Receive only on the interfaces joined here. By default a socket also receives on those that other programs have
    // joined, and `validate` would have to reject these packets.
    let _ = socket.set_multicast_all_v4(false);
    socket.bind(&SocketAddr::from((GROUP_V4, MDNS_PORT)).into())?;
    let mut joined = Vec::new();
    while let Some(&interface) = interfaces.peek() {
        match socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(interface)) {
            // The socket has as many memberships as it can have.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => break,
            Err(error) => {
                observer.report(no_socket(SocketKind::MulticastListener, Family::V4, Some(interface), &error));
            }
            Ok(()) => {
                try_alloc::push(&mut joined, interface);
            }
        }
        interfaces.next();
    }
    Ok((socket, joined))
}

/// A multicast listener for IPv6, and the interfaces on which it is a member.
///
/// The kernel binds a socket to a link-local group only together with an interface, and lets nobody but root change that
/// interface. Disconnecting the socket removes it, although the socket was not connected.
///
/// # Errors
/// Those of `socket(2)`, `setsockopt(2)` and `bind(2)`.
fn listener_v6(
    mut interfaces: impl Iterator<Item = u32> + Clone,
    observer: impl Observer,
) -> io::Result<(Socket, Vec<u32>)> {
    let all = interfaces.clone();
    let is_one = interfaces.clone().nth(1).is_none();
    let socket = new(Family::V6)?;
    socket.set_only_v6(true)?;
    socket.set_reuse_address(true)?;
    socket.set_multicast_hops_v6(255)?;
    // This option exists since Linux 4.20. On older kernels, the socket also receives on the interfaces that other programs
    // have joined, and `validate` rejects these packets.
    let _ = socket.set_multicast_all_v6(false);
    let bind = |interface: &u32| {
        let address = SocketAddrV6::new(GROUP_V6, MDNS_PORT, 0, *interface);
        let result = socket.bind(&SocketAddr::from(address).into());
        result.inspect_err(|error| {
            observer.report(no_socket(SocketKind::MulticastListener, Family::V6, Some(*interface), error));
        })
    };
    let mut failure = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
    let bound_to = interfaces.find(|interface| bind(interface).map_err(|error| failure = error).is_ok());
    let Some(bound_to) = bound_to else { return Err(failure) };
    let is_unbound = !is_one && sys::unbind_interface(&socket).is_ok();
    let mut joined = Vec::new();
    for interface in all.filter(|interface| is_unbound || *interface == bound_to) {
        match socket.join_multicast_v6(&GROUP_V6, interface) {
            Ok(()) => {
                try_alloc::push(&mut joined, interface);
            }
            Err(error) => {
                observer.report(no_socket(SocketKind::MulticastListener, Family::V6, Some(interface), &error));
            }
        }
    }
    Ok((socket, joined))
}

/// A non-blocking socket that reports the interface, destination and hop limit of each datagram.
fn new(family: Family) -> io::Result<Socket> {
    let (domain, level, packet_info, hop_limit) = match family {
        Family::V4 => (Domain::IPV4, libc::IPPROTO_IP, libc::IP_PKTINFO, libc::IP_RECVTTL),
        Family::V6 => (Domain::IPV6, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT),
    };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)).and_then(sys::above_stdio)?;
    sys::set_option(&socket, level, packet_info, 1)?;
    // If this fails, a sender is checked by its address alone.
    let _ = sys::set_option(&socket, level, hop_limit, 1);
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::observer::tests::Recorder;
    use crate::sys::tests::{close, is_open, replace, set_apart};

    #[test]
    fn a_listener_that_cannot_be_used_on_an_interface_reports_the_real_error() {
        const NO_INTERFACE: u32 = 999_999;
        let events = Recorder::default();
        // The IPv4 listener binds to the group, which needs no interface, and then cannot become a member.
        let (_, joined) = listener_v4(&mut [NO_INTERFACE].into_iter().peekable(), &events).unwrap();
        assert_eq!(joined, []);
        let error = listener_v6([NO_INTERFACE].into_iter(), &events).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        let events = events.take();
        assert_eq!(events.len(), 2);
        for (event, transport) in events.iter().zip(["V4", "V6"]) {
            let expected = format!("transport: {transport}, interface: Some({NO_INTERFACE}), error: Os {{ code: 19,");
            assert!(event.contains(&expected), "{event}");
        }
    }

    fn one_socket() -> (Sockets, i32) {
        let mut sockets = Sockets { endpoints: Vec::new(), ready: Vec::new(), turn: 0 };
        let socket = set_apart(&new(Family::V4).unwrap());
        assert!(sockets.add(socket, SocketKind::Ephemeral, Family::V4, Vec::new()));
        let number = sockets.ready[0].fd;
        (sockets, number)
    }

    #[test]
    fn a_connection_that_reuses_a_sockets_descriptor_stays_open_and_loses_one_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        client.write_all(b"for the host").unwrap();
        let (mut sockets, number) = one_socket();
        replace(number, &peer);
        for _ in 0..20 {
            let _ = sockets.wait(Duration::from_millis(10));
            assert!(sockets.receive(&mut [0; 3]).is_none());
        }
        drop(sockets);
        assert!(is_open(number));
        let mut rest = [0; 9];
        peer.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b" the host");
        close(number);
    }

    #[test]
    fn a_file_that_reuses_the_descriptor_of_a_closed_socket_stays_open() {
        let (mut sockets, number) = one_socket();
        sockets.ready[0].revents = libc::POLLIN;
        close(number);
        assert!(sockets.receive(&mut [0; 3]).is_none());
        let file = OwnedFd::from(File::open("/dev/null").unwrap());
        replace(number, &file);
        drop(sockets);
        assert!(is_open(number));
        close(number);
    }

    #[test]
    fn a_datagram_arrives_with_its_source_destination_and_hop_limit() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1).unwrap();
        sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
        let own = socket.local_addr().unwrap();
        let mut buffer = [0; 4];
        assert_eq!(receive(&socket, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        socket.send_to(b"hello", &own).unwrap();
        let received = receive(&socket, &mut buffer).unwrap();
        assert_eq!(&buffer, b"hell");
        assert_eq!(received.length, 4);
        assert_eq!(received.source, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(received.destination, Some(received.source));
        assert_eq!(Some(received.port), own.as_socket().map(|own| own.port()));
        assert_eq!(received.interface, 1);
        assert_eq!(received.hop_limit, Some(64));
    }
}
