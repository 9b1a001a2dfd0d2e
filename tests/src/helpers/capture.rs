//! Prints every UDP packet that passes an interface, in either direction: `udp SOURCE DESTINATION LENGTH`.

use crate::datagram::Datagram;
use crate::packet_socket::Link;

pub(super) fn main(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let interface = arguments.next().ok_or("capture INTERFACE")?;
    let link = Link::open(&interface).map_err(|why| format!("{interface}: {why}"))?;
    println!("ready");
    let mut buffer = [0u8; 9000];
    loop {
        let arrival = link.receive(&mut buffer).map_err(|why| why.to_string())?;
        if let Some(datagram) = buffer.get(..arrival.length).and_then(Datagram::parse) {
            println!("udp {} {} {}", datagram.source, datagram.destination, datagram.payload.len());
        }
    }
}
