//! Lookups behind firewalls.

use super::at_most;
use crate::bench::clients::Backend;
use crate::bench::measure::{Bench, Lookup, Responder};

/// A stateful firewall as distributions configure it: replies and multicast DNS are accepted, everything else is
/// dropped.
pub(super) const FIREWALL: &str = "table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        ip daddr 224.0.0.251 udp dport 5353 accept
        ip6 daddr ff02::fb udp dport 5353 accept
    }
}";

pub(super) fn rows(bench: &mut Bench) -> Result<(), String> {
    for (responder, name, serving) in [
        ("Avahi", "avahi.local", Responder::Avahi),
        ("zeroconf", "zeroconf.local", Responder::Zeroconf),
        ("systemd-resolved", "resolved.local", Responder::Resolved),
    ] {
        let row = format!("behind a stateful firewall, dual stack, {responder}");
        if bench.wants(&row) {
            bench.serve(serving)?;
            let count = bench.count(20);
            // The firewall does not affect the peers' daemons, which use port 5353: they are measured with one
            // responder.
            let by = if responder == "Avahi" { &Backend::ALL[..] } else { &Backend::ALL[..1] };
            let lookup = Lookup { words: &["lookup", name], bare: None, cold: true, by };
            let cells = bench.behind(FIREWALL, || bench.measure(lookup, count))?;
            bench.add(&at_most(&row, 300e6, &cells));
            if responder == "Avahi" {
                bench.bars.push(("Behind a stateful firewall (Avahi)".into(), cells));
            }
        }
    }
    Ok(())
}
