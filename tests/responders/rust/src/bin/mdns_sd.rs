//! Registers a host's addresses with the crate mdns-sd: `mdns_sd NAME.local ADDRESS...`
//!
//! Prints `ready` once the host has been announced, then answers until it is killed. The crate registers a host only as
//! part of a service; this one is on the discard port.

use mdns_sd::{DaemonEvent, ServiceDaemon, ServiceInfo};
use std::net::IpAddr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("mdns_sd NAME.local ADDRESS...")?;
    let addresses = arguments.map(|argument| argument.parse()).collect::<Result<Vec<IpAddr>, _>>()?;
    let daemon = ServiceDaemon::new()?;
    let events = daemon.monitor()?;
    let host = format!("{name}.");
    let service = ServiceInfo::new("_discard._tcp.local.", &name, &host, addresses.as_slice(), 9, None)?;
    daemon.register(service)?;
    while let Ok(event) = events.recv() {
        if matches!(event, DaemonEvent::Announce(..)) {
            println!("ready");
        }
    }
    Ok(())
}
