//! First lookups on clients with many interfaces.

use super::within;
use crate::bench::clients::{Backend, Client, Found};
use crate::bench::measure::Bench;
use crate::bench::responder::Responder;
use crate::bench::stats::Samples;
use crate::lan::{Families, Network};

/// How many container bridges the client has before it is connected to the LAN. Each has three links.
const BRIDGES: [usize; 4] = [0, 10, 50, 200];

/// How many lookups a row has.
const LOOKUPS: usize = 30;

/// The target for the median with one interface and with more, in nanoseconds.
const LIMITS: [f64; 2] = [2e6, 5e6];

pub(super) fn rows(bench: &Bench) -> Result<(), String> {
    for bridges in BRIDGES {
        let row = match bridges {
            0 => "first lookup, one interface, dual stack, Avahi".to_owned(),
            _ => format!("first lookup, {bridges} container bridges ({} links), dual stack, Avahi", 3 * bridges),
        };
        if !bench.wants(&row) {
            continue;
        }
        let ours = Samples::of_found(&look_up(bridges, bench.count(LOOKUPS))?);
        let addresses = Responder::Avahi.addresses();
        let limit = LIMITS[usize::from(bridges > 0)];
        bench.add(&within(&row, limit, &ours, addresses));
    }
    Ok(())
}

/// Looks the responder up in processes of their own, on a client whose other interfaces have lower indexes than that to the
/// LAN.
fn look_up(bridges: usize, count: usize) -> Result<Vec<Found>, String> {
    let responder = Responder::Avahi;
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let host = network.host(responder.host_name(), &[&lan])?;
    let _daemon = responder.start(&host)?;
    let mut client = network.client("client", &[])?;
    client.add_container_bridges(bridges)?;
    network.attach(&mut client, &lan)?;
    let client = Client::on(client, Backend::Ours)?;
    let look_up = |_| {
        client.clear_cache(responder.pause())?;
        client.probe(&["lookup", responder.name()])
    };
    (0..count).map(look_up).collect()
}
