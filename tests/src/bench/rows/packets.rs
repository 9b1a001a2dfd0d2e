//! The packets that a lookup sends.

use super::median_of;
use crate::bench::clients::{Backend, Found};
use crate::bench::measure::{Bench, Responder};
use crate::bench::stats::show;
use crate::bench::table::Row;
use std::time::Duration;

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for (row, has_member) in [
        ("packets sent for one answered lookup, Avahi", false),
        ("the same, another member of the groups on the host", true),
    ] {
        if !bench.wants(row) {
            continue;
        }
        bench.serve(Responder::Avahi)?;
        let mut members = Vec::new();
        if has_member {
            members.push(bench.client(Backend::Ours).probe_daemon("member")?);
            std::thread::sleep(Duration::from_secs(2));
        }
        let by = if has_member { &Backend::ALL[..1] } else { &Backend::ALL };
        let found = bench.repeat(&["packets", "avahi.local"], 3, by, Duration::from_secs(60))?;
        let show_cell = |found: &Vec<Found>| {
            let [queries, reports, span] = [0, 1, 2].map(|which| median_of(found, which));
            format!("{queries:.0} mDNS within {}, {reports:.0} IGMP/MLD", show(span))
        };
        let met = median_of(&found[0], 0) <= 3.0 && median_of(&found[0], 2) < 5e6;
        let [ours, mdns, resolve] = found.each_ref().map(show_cell);
        let peers = |cell| if has_member { String::new() } else { cell };
        let cells = [ours, peers(mdns), peers(resolve), String::new()];
        bench.add(&Row { name: row.into(), target: "at most 3, at once".into(), met: Some(met), cells });
    }
    Ok(())
}
