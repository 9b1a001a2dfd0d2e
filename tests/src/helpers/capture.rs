//! Prints every UDP packet that passes an interface, in either direction: `udp SOURCE DESTINATION LENGTH`.

use crate::netif::index;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let interface = arguments.next().ok_or("capture INTERFACE")?;
    let mut socket = open(&interface).map_err(|why| format!("{interface}: {why}"))?;
    println!("ready");
    let mut buffer = [0u8; 9000];
    loop {
        let length = socket.read(&mut buffer).map_err(|why| why.to_string())?;
        if let Some(line) = buffer.get(..length).and_then(describe) {
            println!("{line}");
        }
    }
}

fn open(interface: &str) -> std::io::Result<Socket> {
    let all = i32::from(word(libc::ETH_P_ALL).to_be());
    let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::DGRAM, Some(Protocol::from(all)))?;
    // Packet sockets take their interface from bind(); its address is not one that socket2 knows.
    let mut address: libc::sockaddr_ll =
        // SAFETY: a plain C struct of integers, for which all zeros is a value.
        unsafe { std::mem::zeroed() };
    address.sll_family = word(libc::AF_PACKET);
    address.sll_protocol = word(libc::ETH_P_ALL).to_be();
    address.sll_ifindex = index(interface).and_then(|index| i32::try_from(index).ok()).unwrap_or(-1);
    let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
    // SAFETY: the pointer is to a sockaddr_ll of that length, which outlives the call.
    let bound = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(std::io::Error::last_os_error()) }
}

/// A constant that the C headers call an int and the structures hold in 16 bits.
fn word(constant: i32) -> u16 {
    u16::try_from(constant).unwrap_or_default()
}

/// Reads the headers of an IPv4 or IPv6 packet that holds a UDP one.
fn describe(packet: &[u8]) -> Option<String> {
    let version = packet.first()? >> 4;
    let (source, destination, udp): (IpAddr, IpAddr, usize) = match version {
        4 if *packet.get(9)? == 17 => {
            let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
            (address(12)?.into(), address(16)?.into(), usize::from(packet.first()? & 15) * 4)
        }
        6 if *packet.get(6)? == 17 => {
            let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
            (address(8)?.into(), address(24)?.into(), 40)
        }
        _ => return None,
    };
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let (from, to, length) = (word(udp)?, word(udp + 2)?, word(udp + 4)?.saturating_sub(8));
    Some(format!("udp {} {} {length}", SocketAddr::new(source, from), SocketAddr::new(destination, to)))
}
