//! Right records with addresses that no host on a network has.

use super::{Attack, Shots, attack};
use crate::attacks::scene::{Scene, Shot};
use std::net::IpAddr;

fn claiming(scene: &Scene<'_>, addresses: &[&str]) -> Vec<Shot> {
    let ips = addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    scene.both(ips.fold(scene.response(), |packet, ip| packet.address(&scene.name(), ip)))
}

pub(super) fn attacks() -> Vec<Attack> {
    const HOST: &str = "1122 s3.2.1.3, 4291 s2.5: no single host's address";
    const MAPPED: &str = "4291 s2.5.5: IPv4 in disguise";
    let rows: [(&str, &str, &str, Shots); 6] = [
        ("loopback addresses", "127.0.0.1, 127.9.9.9, ::1", HOST, |scene| {
            claiming(scene, &["127.0.0.1", "127.9.9.9", "::1"])
        }),
        ("multicast addresses", "224.0.0.251, 239.1.2.3, ff02::fb, ff0e::1", HOST, |scene| {
            claiming(scene, &["224.0.0.251", "239.1.2.3", "ff02::fb", "ff0e::1"])
        }),
        ("unspecified addresses", "0.0.0.0, ::", HOST, |scene| claiming(scene, &["0.0.0.0", "::"])),
        ("addresses of this network", "0.1.2.3, 0.255.255.255", HOST, |scene| {
            claiming(scene, &["0.1.2.3", "0.255.255.255"])
        }),
        ("the broadcast address", "255.255.255.255", HOST, |scene| claiming(scene, &["255.255.255.255"])),
        ("IPv4-mapped addresses", "::ffff:10.66.6.6, ::ffff:127.0.0.1, ::10.66.6.6", MAPPED, |scene| {
            claiming(scene, &["::ffff:10.66.6.6", "::ffff:127.0.0.1", "::10.66.6.6"])
        }),
    ];
    rows.map(|(name, sent, why, shots)| attack(name, sent, why, shots)).to_vec()
}
