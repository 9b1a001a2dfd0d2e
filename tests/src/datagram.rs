//! Reads and writes UDP over IPv4 and IPv6 as octets (RFC 768, RFC 791, RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The octets of data in one IPv4 fragment: a multiple of eight that fits into an Ethernet frame.
const FRAGMENT: usize = 1480;

/// The protocol number of UDP.
const UDP: u8 = 17;

/// A datagram with its addresses.
#[derive(Debug, Clone)]
pub struct Datagram<'a> {
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port, of the same family.
    pub destination: SocketAddr,
    /// Hop limit, or TTL.
    pub hop_limit: u8,
    /// Payload.
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads an IP packet. If it is a fragment or truncated, the payload is the part that is present. None if the
    /// packet is not UDP, or is a fragment without the UDP header.
    pub fn parse(packet: &'a [u8]) -> Option<Datagram<'a>> {
        let (source, destination, hop_limit, udp): (IpAddr, IpAddr, u8, usize) = match packet.first()? >> 4 {
            4 if *packet.get(9)? == UDP && has_udp_header(packet) => {
                let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
                (address(12)?.into(), address(16)?.into(), *packet.get(8)?, usize::from(packet.first()? & 15) * 4)
            }
            6 if *packet.get(6)? == UDP => {
                let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
                (address(8)?.into(), address(24)?.into(), *packet.get(7)?, 40)
            }
            _ => return None,
        };
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let end = packet.len().min(udp + usize::from(word(udp + 4)?));
        Some(Datagram {
            source: SocketAddr::new(source, word(udp)?),
            destination: SocketAddr::new(destination, word(udp + 2)?),
            hop_limit,
            payload: packet.get(udp + 8..end)?,
        })
    }

    /// The IP packet. A large IPv4 packet is fragmented. A large IPv6 packet is not supported: the result is empty.
    pub fn packets(&self) -> Vec<Vec<u8>> {
        let udp = self.udp();
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.v4(source, destination, &udp),
            (IpAddr::V6(source), IpAddr::V6(destination)) if udp.len() <= FRAGMENT - 20 => {
                vec![self.v6(source, destination, &udp)]
            }
            _ => Vec::new(),
        }
    }

    fn udp(&self) -> Vec<u8> {
        let length = word(self.payload.len() + 8);
        let mut udp = Vec::with_capacity(self.payload.len() + 8);
        for field in [self.source.port(), self.destination.port(), length, 0] {
            udp.extend(field.to_be_bytes());
        }
        udp.extend(self.payload);
        // The checksum is mandatory over IPv6 only.
        if let (IpAddr::V6(source), IpAddr::V6(destination)) = (self.source.ip(), self.destination.ip()) {
            let pseudo = [source.octets().as_slice(), &destination.octets(), &length.to_be_bytes(), &[0, UDP]].concat();
            let sum = match checksum(&[pseudo, udp.clone()].concat()) {
                0 => 0xffff,
                sum => sum,
            };
            udp[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        udp
    }

    fn v4(&self, source: Ipv4Addr, destination: Ipv4Addr, udp: &[u8]) -> Vec<Vec<u8>> {
        let number = identification();
        let count = udp.chunks(FRAGMENT).count();
        let fragments = udp.chunks(FRAGMENT).enumerate().map(|(position, chunk)| {
            let more = if position + 1 < count { 0x2000 } else { 0 };
            let offset = word(position * FRAGMENT / 8) | more;
            let mut packet = vec![0x45, 0];
            for field in [word(chunk.len() + 20), number, offset] {
                packet.extend(field.to_be_bytes());
            }
            packet.extend([self.hop_limit, UDP, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(chunk);
            packet
        });
        fragments.collect()
    }

    fn v6(&self, source: Ipv6Addr, destination: Ipv6Addr, udp: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(word(udp.len()).to_be_bytes());
        packet.extend([UDP, self.hop_limit]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(udp);
        packet
    }
}

/// Whether an IPv4 packet is unfragmented or the first fragment.
fn has_udp_header(packet: &[u8]) -> bool {
    packet.get(6..8).is_some_and(|offset| offset[0] & 0x1f == 0 && offset[1] == 0)
}

/// Decrements the hop limit as a router does before it forwards a packet. False if the packet must be dropped instead.
pub fn route(packet: &mut [u8]) -> bool {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let Some(hop_limit) = packet.get_mut(if is_v4 { 8 } else { 7 }) else { return false };
    if *hop_limit < 2 {
        return false;
    }
    *hop_limit -= 1;
    if is_v4 && packet.len() >= 20 {
        packet[10..12].fill(0);
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    true
}

/// The hardware address for a multicast or broadcast destination (RFC 1112, RFC 2464); None for unicast.
pub fn group_mac(destination: IpAddr) -> Option<[u8; 6]> {
    match destination {
        IpAddr::V4(ip) if ip.is_multicast() => {
            let [_, b, c, d] = ip.octets();
            Some([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V4(ip) => (ip.is_broadcast() || ip.octets()[3] == 255).then_some([0xff; 6]),
        IpAddr::V6(ip) if ip.is_multicast() => {
            let [.., a, b, c, d] = ip.octets();
            Some([0x33, 0x33, a, b, c, d])
        }
        IpAddr::V6(_) => None,
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// Converts the length of a packet, which fits into 16 bits.
fn word(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A fresh identification for the fragments of one packet.
fn identification() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_datagram_reads_the_same() {
        for (source, destination) in [("10.0.0.1:1", "10.0.0.2:2"), ("[fe80::1]:1", "[ff02::fb]:2")] {
            let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
            let datagram = Datagram { source, destination, hop_limit: 7, payload: b"hello" };
            let mut packet = datagram.packets().remove(0);
            assert!(route(&mut packet));
            let read = Datagram::parse(&packet).unwrap();
            assert_eq!((read.source, read.destination, read.hop_limit), (source, destination, 6));
            assert_eq!(read.payload, b"hello");
            if source.is_ipv4() {
                assert_eq!(checksum(&packet[..20]), 0);
            }
        }
    }

    #[test]
    fn large_datagrams_are_fragmented() {
        let (source, destination) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let payload = [7; 9000];
        let packets = Datagram { source, destination, hop_limit: 7, payload: &payload }.packets();
        assert_eq!(packets.iter().map(|packet| packet.len() - 20).sum::<usize>(), 9008);
        let read = packets.iter().filter_map(|packet| Datagram::parse(packet));
        assert_eq!(read.map(|read| read.payload.len()).collect::<Vec<_>>(), [1472], "only the first has a UDP header");
    }
}
