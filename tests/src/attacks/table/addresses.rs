//! Well-formed records with addresses that no host on a network can have.

use super::{Attack, Injections, attack};
use crate::attacks::context::{Context, Injection};
use std::net::IpAddr;

fn with_addresses(context: &Context<'_>, addresses: &[&str]) -> Vec<Injection> {
    let ips = addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    context.both(ips.fold(context.response(), |packet, ip| packet.address(&context.name(), ip)))
}

pub(super) fn attacks() -> Vec<Attack> {
    const HOST: &str = "1122 s3.2.1.3, 4291 s2.5: not the address of a host";
    const MAPPED: &str = "4291 s2.5.5: an IPv4 address in IPv6 form";
    let rows: [(&str, &str, &str, Injections); 6] = [
        ("loopback addresses", "127.0.0.1, 127.9.9.9, ::1", HOST, |context| {
            with_addresses(context, &["127.0.0.1", "127.9.9.9", "::1"])
        }),
        ("multicast addresses", "224.0.0.251, 239.1.2.3, ff02::fb, ff0e::1", HOST, |context| {
            with_addresses(context, &["224.0.0.251", "239.1.2.3", "ff02::fb", "ff0e::1"])
        }),
        ("unspecified addresses", "0.0.0.0, ::", HOST, |context| with_addresses(context, &["0.0.0.0", "::"])),
        ("addresses of this network", "0.1.2.3, 0.255.255.255", HOST, |context| {
            with_addresses(context, &["0.1.2.3", "0.255.255.255"])
        }),
        ("the broadcast address", "255.255.255.255", HOST, |context| with_addresses(context, &["255.255.255.255"])),
        ("IPv4-mapped addresses", "::ffff:10.66.6.6, ::ffff:127.0.0.1, ::10.66.6.6", MAPPED, |context| {
            with_addresses(context, &["::ffff:10.66.6.6", "::ffff:127.0.0.1", "::10.66.6.6"])
        }),
    ];
    rows.map(|(name, sent, why, injections)| attack(name, sent, why, injections)).to_vec()
}
