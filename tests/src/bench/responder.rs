//! The responders that are looked up.

use crate::helpers::binary;
use crate::lan::Host;
use crate::responders;
use crate::run::Daemon;
use std::time::Duration;

/// The 64 names of [`Responder::Many`], with `#` for the number.
pub(super) const MANY: &str = "many#.local";

/// A responder, and how it is started on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Responder {
    Avahi,
    AvahiV4,
    Zeroconf,
    ZeroconfV4,
    Resolved,
    MdnsSd,
    /// The scripted responder with an IPv4 address only. It ignores ANY and does not respond to AAAA.
    SilentV4,
    /// The scripted responder with 64 names.
    Many,
    /// A responder for every name.
    EveryName,
}

impl Responder {
    pub(super) const ALL: [Responder; 9] = [
        Responder::Avahi,
        Responder::AvahiV4,
        Responder::Zeroconf,
        Responder::ZeroconfV4,
        Responder::Resolved,
        Responder::MdnsSd,
        Responder::SilentV4,
        Responder::Many,
        Responder::EveryName,
    ];

    /// The name in the rows.
    pub(super) fn label(self) -> &'static str {
        match self {
            Responder::Avahi | Responder::AvahiV4 => "Avahi",
            Responder::Zeroconf | Responder::ZeroconfV4 => "zeroconf",
            Responder::Resolved => "systemd-resolved",
            Responder::MdnsSd => "mdns-sd",
            Responder::SilentV4 | Responder::Many | Responder::EveryName => "scripted",
        }
    }

    /// The name that is looked up.
    pub(super) fn name(self) -> &'static str {
        match self {
            Responder::Avahi => "avahi.local",
            Responder::AvahiV4 => "avahi4.local",
            Responder::Zeroconf => "zeroconf.local",
            Responder::ZeroconfV4 => "zeroconf4.local",
            Responder::Resolved => "resolved.local",
            Responder::MdnsSd => "mdns-sd.local",
            Responder::SilentV4 => "silent4.local",
            Responder::Many => "many.local",
            Responder::EveryName => "every.local",
        }
    }

    /// The host name, without `.local`.
    pub(super) fn host_name(self) -> &'static str {
        self.name().trim_end_matches(".local")
    }

    /// How many addresses it announces on a host with one IPv4 address, one IPv6 address and one link-local one.
    pub(super) fn addresses(self) -> usize {
        match self {
            Responder::AvahiV4 | Responder::ZeroconfV4 | Responder::SilentV4 => 1,
            // Avahi announces no link-local address beside another.
            Responder::Avahi => 2,
            _ => 3,
        }
    }

    /// The pause before a lookup, after which no records are withheld because they were sent recently.
    pub(super) fn pause(self) -> Duration {
        match self {
            // It multicasts the withheld records after the first second. That starts a second one.
            Responder::Zeroconf | Responder::ZeroconfV4 => Duration::from_millis(2300),
            // Responders do not multicast the same record twice within a second.
            _ => Duration::from_millis(1300),
        }
    }

    pub(super) fn start(self, host: &Host) -> Result<Daemon, String> {
        match self {
            Responder::Avahi => responders::avahi(host, self.host_name()),
            Responder::AvahiV4 => responders::avahi_v4(host, self.host_name()),
            Responder::Zeroconf => responders::zeroconf(host, self.host_name()),
            Responder::ZeroconfV4 => responders::zeroconf_v4(host, self.host_name()),
            Responder::Resolved => responders::resolved_without_log(host),
            Responder::MdnsSd => responders::mdns_sd(host),
            Responder::SilentV4 => {
                let v4 = host.eth0().v4.ok_or("no IPv4")?.to_string();
                responders::scripted_with(host, &["--name", self.name(), "--a", &v4, "--ignore-any"])
            }
            Responder::Many => {
                let names: Vec<String> = (0..64).map(|number| MANY.replace('#', &format!("{number:02}"))).collect();
                let (first, others) = names.split_first().ok_or("no names")?;
                let others: Vec<&str> = others.iter().flat_map(|name| ["--name", name]).collect();
                responders::scripted(host, first, &others)
            }
            Responder::EveryName => {
                host.ready_daemon("wildcard_responder", host.command(binary("wildcard_responder")?))
            }
        }
    }
}
