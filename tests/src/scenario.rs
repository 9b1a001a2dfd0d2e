//! The LAN of most tests: a host named `printer`, which is looked up, and a client with the module.

use crate::lan::{Families, Host, Lan, Network};
use crate::responders;
use crate::run::Daemon;

/// Two hosts on a LAN. Fields are dropped in order: first the daemons, last the namespaces.
#[derive(Debug)]
pub struct Scenario {
    /// The daemons on the printer, and others that a test adds.
    pub daemons: Vec<Daemon>,
    /// The host that is looked up.
    pub printer: Host,
    /// The host with the module.
    pub client: Host,
    /// The LAN of both.
    pub lan: Lan,
    /// The network, in which tests create more LANs and hosts.
    pub network: Network,
}

impl Scenario {
    /// A LAN without a responder.
    ///
    /// # Errors
    /// What failed.
    pub fn silent(families: Families) -> Result<Scenario, String> {
        let network = Network::new()?;
        let lan = network.lan(families)?;
        let printer = network.host("printer", &[&lan])?;
        let client = network.client("client", &[&lan])?;
        Ok(Scenario { daemons: Vec::new(), printer, client, lan, network })
    }

    /// A LAN with this responder on the printer.
    ///
    /// # Errors
    /// What failed.
    pub fn with(families: Families, start: impl FnOnce(&Host) -> Result<Daemon, String>) -> Result<Scenario, String> {
        let mut scenario = Scenario::silent(families)?;
        scenario.daemons.push(start(&scenario.printer)?);
        Ok(scenario)
    }
}

/// A dual-stack LAN with avahi-daemon on the printer, as `printer.local`.
///
/// # Errors
/// What failed.
pub fn with_avahi() -> Result<Scenario, String> {
    Scenario::with(Families::Both, |printer| responders::avahi(printer, "printer"))
}

/// A dual-stack LAN with the scripted responder on the printer, with this name, such as
/// `printer.local`, and these options.
///
/// # Errors
/// What failed.
pub fn with_scripted(name: &str, options: &[&str]) -> Result<Scenario, String> {
    Scenario::with(Families::Both, |printer| responders::scripted(printer, name, options))
}
