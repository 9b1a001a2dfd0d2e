//! Registers a host's IPv4 addresses with version 0.5 of the crate mdns-sd: `mdns_sd_0_5 NAME.local ADDRESS...`
//!
//! Prints `ready` once the host is registered, then answers until it is killed. This version has IPv4 only. It registers
//! a host only as part of a service; this one is on the discard port.

use mdns_sd_0_5::{ServiceDaemon, ServiceInfo};
use std::net::Ipv4Addr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("mdns_sd_0_5 NAME.local ADDRESS...")?;
    let addresses = arguments.map(|argument| argument.parse()).collect::<Result<Vec<Ipv4Addr>, _>>()?;
    let daemon = ServiceDaemon::new()?;
    let host = format!("{name}.");
    let service = ServiceInfo::new("_discard._tcp.local.", &name, &host, addresses.as_slice(), 9, None)?;
    daemon.register(service)?;
    println!("ready");
    loop {
        std::thread::park();
    }
}
