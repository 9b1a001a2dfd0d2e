//! Answers for a host's addresses with the crate simple-mdns: `simple_mdns NAME.local ADDRESS...`
//!
//! Prints `ready` once the addresses are added, then answers until it is killed.

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Name, ResourceRecord};
use simple_mdns::sync_discovery::SimpleMdnsResponder;
use std::net::IpAddr;

/// In seconds.
const TTL: u32 = 120;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("simple_mdns NAME.local ADDRESS...")?;
    let name = Name::new(&name)?.into_owned();
    let mut responder = SimpleMdnsResponder::new(TTL);
    for argument in arguments {
        let data = match argument.parse()? {
            IpAddr::V4(address) => RData::A(A { address: address.into() }),
            IpAddr::V6(address) => RData::AAAA(AAAA { address: address.into() }),
        };
        responder.add_resource(ResourceRecord::new(name.clone(), CLASS::IN, TTL, data));
    }
    println!("ready");
    loop {
        std::thread::park();
    }
}
