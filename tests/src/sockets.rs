//! The UDP and TCP sockets of the programs that run in hosts. Packet sockets are in [`crate::packet_socket`].

use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::num::NonZeroU32;
use test_packet::{GROUP_V4, GROUP_V6, MDNS_PORT};

/// The IP version that carries a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    V4,
    V6,
}

impl Transport {
    pub(crate) const BOTH: [Transport; 2] = [Transport::V4, Transport::V6];

    /// The transport between hosts with addresses of this family.
    pub(crate) fn of(ip: IpAddr) -> Transport {
        if ip.is_ipv6() { Transport::V6 } else { Transport::V4 }
    }

    /// The multicast DNS group on the interface with this index. With 0, the address names no interface.
    pub(crate) fn group(self, index: u32) -> SocketAddr {
        match self {
            Transport::V4 => (GROUP_V4, MDNS_PORT).into(),
            Transport::V6 => SocketAddrV6::new(GROUP_V6, MDNS_PORT, 0, index).into(),
        }
    }

    fn wildcard(self) -> IpAddr {
        match self {
            Transport::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Transport::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    fn open(self, socket_type: Type) -> io::Result<Socket> {
        match self {
            Transport::V4 => Socket::new(Domain::IPV4, socket_type, None),
            Transport::V6 => {
                let socket = Socket::new(Domain::IPV6, socket_type, None)?;
                socket.set_only_v6(true)?;
                Ok(socket)
            }
        }
    }
}

/// A socket on an ephemeral port that sends to the group on the interface with this index.
///
/// # Errors
/// Those of `socket(2)` and `setsockopt(2)`.
pub(crate) fn querier(transport: Transport, index: u32) -> io::Result<UdpSocket> {
    let socket = transport.open(Type::DGRAM)?;
    match transport {
        // Without a route, IP_MULTICAST_IF is not enough.
        Transport::V4 => socket.bind_device_by_index_v4(NonZeroU32::new(index))?,
        Transport::V6 => socket.set_multicast_if_v6(index)?,
    }
    Ok(socket.into())
}

/// A socket on an ephemeral port of all addresses.
///
/// # Errors
/// Those of `socket(2)` and `bind(2)`.
pub(crate) fn ephemeral(transport: Transport) -> io::Result<UdpSocket> {
    UdpSocket::bind((transport.wildcard(), 0))
}

/// A socket on port 5353 of one interface that is a member of the group there. Each interface has a socket of its own,
/// so that a response leaves by the interface on which the query arrived.
///
/// # Errors
/// Those of `socket(2)`, `setsockopt(2)` and `bind(2)`, for example if the interface lacks the address family.
pub(crate) fn responder(transport: Transport, name: &str, index: u32) -> io::Result<UdpSocket> {
    let socket = transport.open(Type::DGRAM)?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(name.as_bytes()))?;
    socket.bind(&SocketAddr::new(transport.wildcard(), MDNS_PORT).into())?;
    join(&socket, transport, index)?;
    match transport {
        Transport::V4 => {
            socket.set_multicast_ttl_v4(255)?;
            socket.set_ttl_v4(255)?;
        }
        Transport::V6 => {
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_hops_v6(255)?;
            socket.set_unicast_hops_v6(255)?;
        }
    }
    Ok(socket.into())
}

/// A socket that is a member of the group and receives nothing.
///
/// # Errors
/// Those of `socket(2)` and `setsockopt(2)`.
#[cfg(feature = "bench")]
pub(crate) fn member(transport: Transport, index: u32) -> io::Result<UdpSocket> {
    let socket = transport.open(Type::DGRAM)?;
    join(&socket, transport, index)?;
    Ok(socket.into())
}

fn join(socket: &Socket, transport: Transport, index: u32) -> io::Result<()> {
    match transport {
        Transport::V4 => socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index)),
        Transport::V6 => socket.join_multicast_v6(&GROUP_V6, index),
    }
}

/// The sockets of a UDP server on this port: one for each transport that the host has.
pub(crate) fn udp_servers(port: u16) -> impl Iterator<Item = UdpSocket> {
    let bind = move |transport: Transport| {
        let socket = transport.open(Type::DGRAM)?;
        socket.bind(&SocketAddr::new(transport.wildcard(), port).into())?;
        io::Result::Ok(socket.into())
    };
    Transport::BOTH.into_iter().filter_map(move |transport| bind(transport).ok())
}

/// The sockets of a TCP server on this port: one for each transport that the host has.
pub(crate) fn tcp_servers(port: u16) -> impl Iterator<Item = TcpListener> {
    let listen = move |transport: Transport| {
        let socket = transport.open(Type::STREAM)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(transport.wildcard(), port).into())?;
        socket.listen(16)?;
        io::Result::Ok(socket.into())
    };
    Transport::BOTH.into_iter().filter_map(move |transport| listen(transport).ok())
}
