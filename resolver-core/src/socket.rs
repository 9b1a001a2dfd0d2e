//! The sockets of one lookup: opened before its first query, closed when it ends.
//!
//! One ephemeral socket a family asks and takes unicast answers (RFC 6762, section 5.1). Beside them is an ear on the
//! group: sockets bound to the group's own address and port 5353, which hear responders that only multicast, and whose
//! queries and answers pass a firewall that knows port 5353 alone. Bound to the group's address, they take no unicast
//! from a daemon that is bound to all addresses.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, MsgHdr, Protocol, SockAddr, Socket, Type};

use crate::answer::Family;
use crate::error::LookupError;
use crate::interfaces::{Interface, Interfaces};
use crate::memory;
use crate::sys::{self, Received};
use crate::wire::MDNS_PORT;

/// The multicast DNS group of IPv4 (RFC 6762, section 3).
pub(crate) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// The multicast DNS group of IPv6 (RFC 6762, section 3).
pub(crate) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// The group that is asked over a family.
pub(crate) fn group(over: Family) -> IpAddr {
    match over {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => GROUP_V6.into(),
    }
}

/// A socket that fails this often is not listened to any more.
const MOST_ERRORS: u32 = 16;

/// How a socket of a lookup is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// To a port of the kernel's choice: for questions, and for answers by unicast.
    Ephemeral,
    /// To the group and port 5353: for answers by multicast, and for questions that ask for them.
    Group,
}

/// A datagram, and by which kind of socket it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram {
    /// The socket's kind.
    pub(crate) channel: Channel,
    /// The family it came over.
    pub(crate) over: Family,
    /// Where from and how.
    pub(crate) received: Received,
}

struct Endpoint {
    // None when the host has closed the descriptor under us.
    socket: Option<Socket>,
    channel: Channel,
    family: Family,
    // Of the one interface that the socket is bound to, or 0.
    interface: u32,
    errors: u32,
}

/// The sockets of one lookup.
pub(crate) struct Sockets {
    endpoints: Vec<Endpoint>,
    // One for each endpoint, in the same order.
    ready: Vec<libc::pollfd>,
    turn: usize,
}

impl Sockets {
    /// Opens all that can be had; the ear on the group only if a `listener` is wanted.
    ///
    /// # Errors
    /// Why the last one failed, if no ephemeral socket can be had.
    pub(crate) fn open(interfaces: &Interfaces, listener: bool) -> Result<Self, LookupError> {
        let mut sockets = Self { endpoints: Vec::new(), ready: Vec::new(), turn: 0 };
        let mut why = LookupError::NoInterface;
        let mut any = false;
        for family in Family::ALL {
            if !interfaces.iter().any(|interface| interface.has(family)) {
                continue;
            }
            match ephemeral(family) {
                Ok(socket) => any |= sockets.add(socket, Channel::Ephemeral, family, 0),
                Err(error) => why = LookupError::from_io(&error),
            }
        }
        if !any {
            return Err(why);
        }
        // The ear may take what descriptors are left.
        if listener {
            sockets.open_group_sockets(interfaces);
        }
        Ok(sockets)
    }

    /// True if there is an ear on the group.
    pub(crate) fn has_listener(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.channel == Channel::Group)
    }

    fn open_group_sockets(&mut self, interfaces: &Interfaces) {
        let mut with_v4 = interfaces.iter().filter(|interface| interface.v4).peekable();
        if with_v4.peek().is_some() {
            if let Ok(socket) = group_v4(with_v4) {
                self.add(socket, Channel::Group, Family::V4, 0);
            }
        }
        for interface in interfaces.iter().filter(|interface| interface.v6) {
            if let Ok(socket) = group_v6(interface.index) {
                self.add(socket, Channel::Group, Family::V6, interface.index);
            }
        }
    }

    fn add(&mut self, socket: Socket, channel: Channel, family: Family, interface: u32) -> bool {
        let poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        if !memory::push(&mut self.ready, poll) {
            return false;
        }
        let endpoint = Endpoint { socket: Some(socket), channel, family, interface, errors: 0 };
        let added = memory::push(&mut self.endpoints, endpoint);
        if !added {
            self.ready.pop();
        }
        added
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// Sends `packet` out of the interface with the index `interface`, to port 5353 of `to`.
    ///
    /// # Errors
    /// `ENOTSOCK` if there is no such socket; else those of `sendmsg(2)`.
    pub(crate) fn send(&self, packet: &[u8], channel: Channel, interface: u32, to: IpAddr) -> io::Result<()> {
        let family = Family::of(to);
        let socket = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.channel == channel && endpoint.family == family)
            .find(|endpoint| endpoint.interface == 0 || endpoint.interface == interface)
            .and_then(|endpoint| endpoint.socket.as_ref())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSOCK))?;
        let mut control = PacketInfo([0; PacketInfo::SIZE]);
        let address: SockAddr = match to {
            IpAddr::V4(ip) => SocketAddr::from(SocketAddrV4::new(ip, MDNS_PORT)).into(),
            IpAddr::V6(ip) => SocketAddr::from(SocketAddrV6::new(ip, MDNS_PORT, 0, interface)).into(),
        };
        let parts = [IoSlice::new(packet)];
        let control = control.leaving_by(interface, family);
        let message = MsgHdr::new().with_addr(&address).with_buffers(&parts).with_control(control);
        socket.sendmsg(&message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT).map(|_| ())
    }

    /// Waits until a datagram is there or `timeout` is over. A signal may end it early.
    ///
    /// # Errors
    /// [`LookupError::Refused`] if no socket is left: the host has closed them all.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<(), LookupError> {
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
                // Somebody closed it, and the number may be another file's by the time we would.
                let _ = endpoint.socket.take().map(IntoRawFd::into_raw_fd);
                poll.fd = -1;
            }
        }
        if self.ready.iter().all(|poll| poll.fd < 0) { Err(LookupError::Refused(libc::EBADF)) } else { Ok(()) }
    }

    /// Takes one of the datagrams that [`Sockets::wait`] found, the sockets taking turns.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<Datagram> {
        let count = self.count();
        for _ in 0..count {
            self.turn = (self.turn + 1) % count;
            let (Some(endpoint), Some(poll)) = (self.endpoints.get_mut(self.turn), self.ready.get_mut(self.turn))
            else {
                return None;
            };
            let Some(socket) = endpoint.socket.as_ref().filter(|_| poll.revents != 0) else { continue };
            match sys::receive(socket, buffer) {
                Ok(received) => {
                    return Some(Datagram { channel: endpoint.channel, over: endpoint.family, received });
                }
                // Closed, and the number perhaps another's by now: not ours to close.
                Err(error) if is_of_no_socket_of_ours(&error) => {
                    let _ = endpoint.socket.take().map(IntoRawFd::into_raw_fd);
                    *poll = libc::pollfd { fd: -1, events: 0, revents: 0 };
                }
                Err(error) => {
                    poll.revents = 0;
                    endpoint.errors += u32::from(error.kind() != io::ErrorKind::WouldBlock);
                    if endpoint.errors > MOST_ERRORS {
                        poll.fd = -1;
                    }
                }
            }
        }
        None
    }
}

/// True for an error that no datagram socket gives, so that the number must be somebody else's: of a file, of a socket of
/// another kind, or of nothing any more.
fn is_of_no_socket_of_ours(error: &io::Error) -> bool {
    // A source that is no IP address is InvalidData.
    error.kind() == io::ErrorKind::InvalidData
        || matches!(error.raw_os_error(), Some(libc::ENOTSOCK | libc::EBADF | libc::ENOTCONN))
}

fn ephemeral(family: Family) -> io::Result<Socket> {
    let socket = new(family)?;
    match family {
        Family::V4 => socket.set_multicast_ttl_v4(255)?,
        Family::V6 => {
            socket.set_only_v6(true)?;
            socket.set_multicast_hops_v6(255)?;
        }
    }
    Ok(socket)
}

fn group_v4<'a>(interfaces: impl Iterator<Item = &'a Interface>) -> io::Result<Socket> {
    let socket = new(Family::V4)?;
    socket.set_reuse_address(true)?;
    socket.set_multicast_ttl_v4(255)?;
    // Only what was joined here, not what other programs on the machine have joined: that would be passed over anyway.
    let _ = socket.set_multicast_all_v4(false);
    socket.bind(&SocketAddr::from((GROUP_V4, MDNS_PORT)).into())?;
    // The kernel lets one socket join twenty times by default (igmp_max_memberships): hosts with more have no ear there.
    let mut joined = false;
    for interface in interfaces {
        joined |= socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(interface.index)).is_ok();
    }
    if joined { Ok(socket) } else { Err(io::Error::from_raw_os_error(libc::ENODEV)) }
}

fn group_v6(interface: u32) -> io::Result<Socket> {
    let socket = new(Family::V6)?;
    socket.set_only_v6(true)?;
    socket.set_reuse_address(true)?;
    socket.set_multicast_hops_v6(255)?;
    // Since Linux 4.20; before it a socket that is bound to one interface hears no other anyway.
    let _ = socket.set_multicast_all_v6(false);
    socket.bind(&SocketAddr::from(SocketAddrV6::new(GROUP_V6, MDNS_PORT, 0, interface)).into())?;
    socket.join_multicast_v6(&GROUP_V6, interface)?;
    Ok(socket)
}

/// A socket that never blocks and tells where its datagrams come from.
fn new(family: Family) -> io::Result<Socket> {
    let (domain, level, packet_info, hop_limit) = match family {
        Family::V4 => (Domain::IPV4, libc::IPPROTO_IP, libc::IP_PKTINFO, libc::IP_RECVTTL),
        Family::V6 => (Domain::IPV6, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT),
    };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)).and_then(sys::above_stdio)?;
    sys::set_option(&socket, level, packet_info, 1)?;
    // Without it a sender is known by its address alone.
    let _ = sys::set_option(&socket, level, hop_limit, 1);
    Ok(socket)
}

/// The control message that says by which interface a datagram leaves: `IP_PKTINFO` of `ip(7)`, `IPV6_PKTINFO` of
/// `ipv6(7)`. The routing table would have its own ideas, where there are several.
#[repr(align(8))]
struct PacketInfo([u8; PacketInfo::SIZE]);

impl PacketInfo {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    const SIZE: usize = Self::HEADER + 24;

    fn leaving_by(&mut self, interface: u32, family: Family) -> &[u8] {
        const WORD: usize = size_of::<usize>();
        // An in_pktinfo begins with the index, an in6_pktinfo ends with it.
        let (level, kind, length, index) = match family {
            Family::V4 => (libc::IPPROTO_IP, libc::IP_PKTINFO, 12usize, 0),
            Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20, 16),
        };
        let fields: [(usize, &[u8]); 4] = [
            (0, &(Self::HEADER + length).to_ne_bytes()),
            (WORD, &level.to_ne_bytes()),
            (WORD + 4, &kind.to_ne_bytes()),
            (Self::HEADER + index, &interface.to_ne_bytes()),
        ];
        for (at, field) in fields {
            if let Some(place) = self.0.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
        }
        self.0.get(..Self::HEADER + length.next_multiple_of(WORD)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::sys::tests::{close, is_open, replace, set_apart};

    fn one_socket() -> (Sockets, i32) {
        let mut sockets = Sockets { endpoints: Vec::new(), ready: Vec::new(), turn: 0 };
        assert!(sockets.add(set_apart(&new(Family::V4).unwrap()), Channel::Ephemeral, Family::V4, 0));
        let number = sockets.ready[0].fd;
        (sockets, number)
    }

    #[test]
    fn a_connection_that_has_taken_a_sockets_number_stays_open_and_loses_one_read() {
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
    fn a_file_that_has_taken_the_number_of_a_socket_that_was_closed_stays_open() {
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
}
