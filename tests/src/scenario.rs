//! The LAN of most tests: one host to be found, named `printer`, and one client with the module.

use crate::lan::{Families, Host, Lan, Network};
use crate::responders;
use crate::run::Daemon;

/// Two hosts on a LAN. Fields are dropped in order: the daemons first, the namespaces last.
#[derive(Debug)]
pub struct Scenario {
    /// What runs on the printer.
    pub daemons: Vec<Daemon>,
    /// The host to be found.
    pub printer: Host,
    /// The host with the module.
    pub client: Host,
    /// Where both are.
    pub lan: Lan,
    /// Where more can be made.
    pub network: Network,
}

impl Scenario {
    /// A LAN on which nothing answers yet.
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

    /// A LAN on which this responder runs on the printer.
    ///
    /// # Errors
    /// What failed.
    pub fn with(families: Families, start: impl FnOnce(&Host) -> Result<Daemon, String>) -> Result<Scenario, String> {
        let mut scenario = Scenario::silent(families)?;
        scenario.daemons.push(start(&scenario.printer)?);
        Ok(scenario)
    }
}

/// A LAN with both families on which avahi-daemon runs on the printer.
///
/// # Errors
/// What failed.
pub fn with_avahi() -> Result<Scenario, String> {
    Scenario::with(Families::Both, |printer| responders::avahi(printer, "printer"))
}

/// A LAN with both families on which the scripted responder runs on the printer, with this name and these options.
///
/// # Errors
/// What failed.
pub fn with_scripted(name: &str, options: &[&str]) -> Result<Scenario, String> {
    Scenario::with(Families::Both, |printer| responders::scripted(printer, name, options))
}
