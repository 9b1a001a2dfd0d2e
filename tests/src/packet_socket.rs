//! Packet sockets (`packet(7)`): they read every packet that passes an interface, and send packets with any addresses.

use crate::netif::index;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

/// The `ioctl_sockios(7)` request for the time of the packet that was read last, as a `timespec`. Not in the libc
/// crate.
const SIOCGSTAMPNS: libc::c_ulong = 0x8907;

/// An interface, below IP.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    index: i32,
}

/// A packet that was read.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its length in octets.
    pub length: usize,
    /// The hardware address of its sender.
    pub mac: [u8; 6],
    /// Whether this host sent it.
    pub is_outgoing: bool,
}

impl Link {
    /// Opens the interface of this name.
    ///
    /// # Errors
    /// If there is no such interface, or those of `socket(2)` and `bind(2)`.
    pub fn open(name: &str) -> io::Result<Link> {
        let index = find(name)?;
        let all = i32::from(word(libc::ETH_P_ALL).to_be());
        let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::DGRAM, Some(Protocol::from(all)))?;
        bind(&socket, index, libc::ETH_P_ALL)?;
        Ok(Link { socket, index })
    }

    /// Makes [`Link::receive`] fail with `EAGAIN` instead of waiting.
    ///
    /// # Errors
    /// Those of `fcntl(2)`.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Reads the next packet, in either direction.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let mut from = address(self.index, 0, [0; 6]);
        let mut size = length_of(&from);
        // SAFETY: both pointers are to memory of the lengths given with them, which outlives the call.
        let length = unsafe {
            let fd = self.socket.as_raw_fd();
            libc::recvfrom(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0, (&raw mut from).cast(), &raw mut size)
        };
        let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
        let [a, b, c, d, e, f, ..] = from.sll_addr;
        let is_outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        Ok(Arrival { length, mac: [a, b, c, d, e, f], is_outgoing })
    }

    /// Reads the next packet that another host sent.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    pub fn receive_incoming(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        loop {
            let arrival = self.receive(buffer)?;
            if !arrival.is_outgoing {
                return Ok(arrival);
            }
        }
    }

    /// The kernel's time stamp of the packet that was read last. The first call switches time stamps on and returns
    /// none.
    pub fn timestamp(&self) -> Option<SystemTime> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: this request writes a timespec.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCGSTAMPNS, &raw mut time) };
        let since_1970 = Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
        (result == 0).then_some(SystemTime::UNIX_EPOCH + since_1970)
    }

    /// Sends an IP packet to the host with this hardware address.
    ///
    /// # Errors
    /// Those of `sendto(2)`.
    pub fn send(&self, mac: [u8; 6], packet: &[u8]) -> io::Result<()> {
        let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
        let protocol = if is_v6 { libc::ETH_P_IPV6 } else { libc::ETH_P_IP };
        let address = address(self.index, protocol, mac);
        // SAFETY: both pointers are to memory of the lengths given with them, which outlives the call.
        let sent = unsafe {
            let fd = self.socket.as_raw_fd();
            libc::sendto(fd, packet.as_ptr().cast(), packet.len(), 0, (&raw const address).cast(), length_of(&address))
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes [`Link::send`] bypass the queueing discipline, which takes less time. Errors are ignored.
    pub fn bypass_queue(&self) {
        let _ = set_option(&self.socket, libc::PACKET_QDISC_BYPASS);
    }
}

/// Whole frames of an interface, either to read those that arrive or to send some.
///
/// Each frame has a `virtio_net_hdr` before it (`PACKET_VNET_HDR`). The checksum of a frame from a veth interface is
/// usually incomplete, because the sender leaves it to the hardware. The header says so, and the kernel reads it again
/// when the frame is sent.
#[derive(Debug)]
pub(crate) struct Frames(Socket);

impl Frames {
    /// The size of a `virtio_net_hdr` (`linux/virtio_net.h`).
    pub(crate) const HEADER: usize = 10;
    /// The size of the largest frame with its header: an Ethernet header and an IP packet.
    pub(crate) const LARGEST: usize = Frames::HEADER + 14 + 65_535;

    /// Opens an interface to read frames. Reading does not wait.
    ///
    /// # Errors
    /// If there is no such interface, or those of `socket(2)` and `bind(2)`.
    pub(crate) fn to_read(name: &str) -> io::Result<Frames> {
        Frames::open(name, libc::ETH_P_ALL)
    }

    /// Opens an interface to send frames. Sending does not wait.
    ///
    /// # Errors
    /// If there is no such interface, or those of `socket(2)` and `bind(2)`.
    pub(crate) fn to_send(name: &str) -> io::Result<Frames> {
        Frames::open(name, 0)
    }

    /// With protocol 0, the socket receives nothing.
    fn open(name: &str, protocol: i32) -> io::Result<Frames> {
        let index = find(name)?;
        let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::RAW, Some(Protocol::from(0)))?;
        set_option(&socket, libc::PACKET_VNET_HDR)?;
        socket.set_nonblocking(true)?;
        bind(&socket, index, protocol)?;
        Ok(Frames(socket))
    }

    /// Reads the next frame with its header and returns the length of both.
    ///
    /// # Errors
    /// `EAGAIN` if there is none; those of `read(2)`.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    /// Sends a frame with its header.
    ///
    /// # Errors
    /// Those of `write(2)`.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        (&self.0).write(frame).map(|_| ())
    }

    /// Waits until there is a frame to read, for this time at most.
    ///
    /// # Errors
    /// Those of `ppoll(2)`.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let limit = limit.map(|limit| libc::timespec {
            tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: i32::try_from(limit.subsec_nanos()).unwrap_or_default().into(),
        });
        let limit = limit.as_ref().map_or(std::ptr::null(), |limit| &raw const *limit);
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, and a timespec or NULL; both outlive the call. NULL leaves the signal mask as it is.
        let ready = unsafe { libc::ppoll(&raw mut poll, 1, limit, std::ptr::null()) };
        if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// The index of the interface of this name.
fn find(name: &str) -> io::Result<i32> {
    Ok(index(name).and_then(|index| i32::try_from(index).ok()).ok_or(io::ErrorKind::NotFound)?)
}

/// Binds a packet socket to an interface. socket2 has no type for the address.
fn bind(socket: &Socket, index: i32, protocol: i32) -> io::Result<()> {
    let address = address(index, protocol, [0; 6]);
    // SAFETY: the pointer is to a sockaddr_ll of that length, which outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length_of(&address)) };
    if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Switches an option of `packet(7)` on.
fn set_option(socket: &Socket, option: libc::c_int) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the pointer is to an int of that size, which outlives the call.
    let set = unsafe {
        let value = (&raw const yes).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, length_of(&yes))
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn address(index: i32, protocol: i32, mac: [u8; 6]) -> libc::sockaddr_ll {
    // SAFETY: a plain C struct of integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = word(libc::AF_PACKET);
    address.sll_protocol = word(protocol).to_be();
    address.sll_ifindex = index;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&mac);
    address
}

fn length_of<T>(value: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of_val(value)).unwrap_or_default()
}

/// Converts a constant that is an int in the C headers and has 16 bits in the structures.
fn word(constant: i32) -> u16 {
    u16::try_from(constant).unwrap_or_default()
}
