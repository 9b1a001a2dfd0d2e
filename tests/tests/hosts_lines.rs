//! Common hosts lines, and each service by itself: whether the LAN or DNS is queried for a name, and which of them
//! answers.
//!
//! For every line there is a client with its own DNS server. The server has different addresses for the LAN's names, so
//! an answer shows where it came from.

use Way::{Dns, DnsNot, DnsNotLan, Lan, LanNot, LanNotDns, Nobody};
use std::collections::BTreeSet;
use tests::deps::peer_module;
use tests::helpers::{Capture, Dns as DnsServer, capture, dns};
use tests::lan::{Families, Host};
use tests::lookups::{AT_ONCE, addresses, link_local, v4, v6};
use tests::module::{library_folder, workspace};
use tests::responders::{resolved_without_mdns, scripted};
use tests::run::Daemon;
use tests::scenario::Scenario;
use tests::wire::reverse_name;

/// The course of a lookup: what is queried, and whether there is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The LAN is queried, and answers.
    Lan,
    /// The LAN is queried, nobody responds, and the lookup ends.
    LanNot,
    /// The LAN is queried, nobody responds, then DNS answers.
    LanNotDns,
    /// DNS is queried, and answers.
    Dns,
    /// DNS is queried, has no answer, and the lookup ends.
    DnsNot,
    /// DNS is queried, has no answer, then the LAN answers.
    DnsNotLan,
    /// No packet is sent.
    Nobody,
}

/// A hosts line, the families that its services look up, and the course of each lookup of [`Query::ALL`].
type Line = (&'static str, Families, [Way; 9]);

/// The usual lines first, then each service by itself.
#[rustfmt::skip]
const LINES: [Line; 13] = [
    // In front of DNS: .local names are never looked up in DNS, and all other names go to DNS immediately.
    ("files mdns_minimal [NOTFOUND=return] dns", Families::Both,
        [Lan, LanNot, Dns, DnsNot, Lan, Lan, DnsNot, DnsNot, Dns]),
    ("files mdns4_minimal [NOTFOUND=return] dns", Families::V4,
        [Lan, LanNot, Dns, DnsNot, Lan, DnsNot, DnsNot, DnsNot, Dns]),
    // In front of resolve, which does not look up the names of link-local addresses if multicast is off in resolved.
    ("files mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", Families::Both,
        [Lan, LanNot, Dns, DnsNot, Lan, Lan, DnsNot, DnsNot, Dns]),
    ("files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", Families::V4,
        [Lan, LanNot, Dns, DnsNot, Lan, Nobody, DnsNot, DnsNot, Dns]),
    // With a full service at the end, for the names of on-link addresses that DNS does not know.
    ("files mdns_minimal [NOTFOUND=return] dns mdns", Families::Both,
        [Lan, LanNot, Dns, DnsNot, Lan, Lan, DnsNotLan, DnsNotLan, Dns]),
    ("files mdns4_minimal [NOTFOUND=return] dns mdns4", Families::V4,
        [Lan, LanNot, Dns, DnsNot, Lan, DnsNot, DnsNotLan, DnsNot, Dns]),
    // For sites whose DNS server serves .local, too.
    ("files mdns_minimal dns", Families::Both,
        [Lan, LanNotDns, Dns, DnsNot, Lan, Lan, DnsNot, DnsNot, Dns]),
    ("files mdns_minimal", Families::Both, [Lan, LanNot, Nobody, Nobody, Lan, Lan, Nobody, Nobody, Nobody]),
    ("files mdns4_minimal", Families::V4, [Lan, LanNot, Nobody, Nobody, Lan, Nobody, Nobody, Nobody, Nobody]),
    ("files mdns6_minimal", Families::V6, [Lan, LanNot, Nobody, Nobody, Nobody, Lan, Nobody, Nobody, Nobody]),
    ("files mdns", Families::Both, [Lan, LanNot, Nobody, Nobody, Lan, Lan, Lan, Lan, Nobody]),
    ("files mdns4", Families::V4, [Lan, LanNot, Nobody, Nobody, Lan, Nobody, Lan, Nobody, Nobody]),
    ("files mdns6", Families::V6, [Lan, LanNot, Nobody, Nobody, Nobody, Lan, Nobody, Lan, Nobody]),
];

/// What is looked up.
#[derive(Debug, Clone, Copy)]
enum Query {
    Host,
    MissingHost,
    DnsName,
    MissingDnsName,
    LinkLocalV4,
    LinkLocalV6,
    OnLinkV4,
    OnLinkV6,
    OffLink,
}

impl Query {
    const ALL: [Query; 9] = [
        Query::Host,
        Query::MissingHost,
        Query::DnsName,
        Query::MissingDnsName,
        Query::LinkLocalV4,
        Query::LinkLocalV6,
        Query::OnLinkV4,
        Query::OnLinkV6,
        Query::OffLink,
    ];

    /// The database of getent, and the key.
    fn words(self, printer: &Host) -> (&'static str, String) {
        let eth0 = printer.eth0();
        match self {
            Query::Host => ("ahosts", "printer.local".into()),
            Query::MissingHost => ("ahosts", "missing.local".into()),
            Query::DnsName => ("ahosts", "web.example.test".into()),
            Query::MissingDnsName => ("ahosts", "missing.example.test".into()),
            Query::LinkLocalV4 => ("hosts", PRINTER_LINK_LOCAL.into()),
            Query::LinkLocalV6 => ("hosts", eth0.link_local.map(|address| address.to_string()).unwrap_or_default()),
            Query::OnLinkV4 => ("hosts", eth0.v4.map(|address| address.to_string()).unwrap_or_default()),
            Query::OnLinkV6 => ("hosts", eth0.v6.map(|address| address.to_string()).unwrap_or_default()),
            Query::OffLink => ("hosts", OFF_LINK.into()),
        }
    }
}

const PRINTER_LINK_LOCAL: &str = "169.254.7.1";
const OFF_LINK: &str = "192.0.2.3";

/// The zone of the DNS servers: the LAN's names, with addresses that differ from those on the LAN, and a host that only
/// DNS has.
fn zone() -> Result<[String; 4], String> {
    let off_link = OFF_LINK.parse().map_err(|why| format!("{OFF_LINK}: {why}"))?;
    Ok([
        "printer.local=192.0.2.1".into(),
        "missing.local=192.0.2.2".into(),
        format!("web.example.test={OFF_LINK}"),
        format!("{}=web.example.test", reverse_name(off_link)),
    ])
}

/// A client with its own hosts line, its DNS server, and a capture of its packets.
struct Client<'host> {
    host: &'host Host,
    server: DnsServer<'host>,
    capture: Capture<'host>,
    own: Vec<String>,
}

impl<'host> Client<'host> {
    fn new(host: &'host Host, services: &str, number: usize) -> Result<(Client<'host>, Option<Daemon>), String> {
        let own_link_local = format!("169.254.8.{}", number + 1);
        host.script(&format!("ip address add {own_link_local}/16 dev eth0"))?;
        let zone = zone()?;
        let server = dns(host, &zone.each_ref().map(String::as_str))?;
        let resolved = if services.contains(" resolve ") { Some(put_resolve(host)?) } else { None };
        host.use_services(services)?;
        let eth0 = host.eth0();
        let v6 = eth0.v6.iter().chain(&eth0.link_local).map(|address| format!("[{address}]:"));
        let v4 = eth0.v4.iter().map(|address| format!("{address}:"));
        let own = v4.chain(v6).chain([format!("{own_link_local}:")]).collect();
        Ok((Client { host, server, capture: capture(host, "eth0")?, own }, resolved))
    }

    /// The number of queries that this host has sent to port 5353 so far, by multicast or by unicast.
    fn asked_of_lan(&self) -> usize {
        let question = |packet: &String| {
            let own = self.own.iter().any(|address| packet.starts_with(address));
            own && packet.split(' ').nth(1).is_some_and(|to| to.ends_with(":5353"))
        };
        self.capture.packets().into_iter().filter(question).count()
    }

    /// Looks something up.
    ///
    /// # Errors
    /// How the outcome differs from the expected one.
    fn check(&self, query: Query, wanted: Way, families: Families, printer: &Host) -> Result<(), String> {
        let (database, key) = query.words(printer);
        let before = (self.asked_of_lan(), self.server.names().len());
        let outcome = self.host.run(&["getent", database, &key]);
        let after = (self.asked_of_lan(), self.server.names().len());
        let asked = (after.0 > before.0, after.1 > before.1);
        let found = match database {
            "hosts" => outcome.stdout.split_whitespace().last().map(str::to_owned).into_iter().collect(),
            _ => addresses(&outcome),
        };
        let expected = self.answer(query, wanted, families, printer);
        let at_once = outcome.elapsed < AT_ONCE || matches!(wanted, Way::LanNot | Way::LanNotDns);
        let status = if expected.is_empty() { Some(2) } else { Some(0) };
        if (asked, &found, outcome.code, at_once) == (wanted.asks(), &expected, status, true) {
            return Ok(());
        }
        Err(format!("{key}: wanted {wanted:?} with {expected:?}; queried (LAN, DNS) = {asked:?}, {outcome:?}"))
    }

    /// The addresses or the name that a lookup with this course returns.
    fn answer(&self, query: Query, way: Way, families: Families, printer: &Host) -> BTreeSet<String> {
        let of_dns =
            ["192.0.2.1", "192.0.2.2", OFF_LINK, "web.example.test"].map(|answer| BTreeSet::from([answer.into()]));
        match (way, query) {
            (LanNot | DnsNot | Nobody, _) => BTreeSet::new(),
            (Lan, Query::Host) => {
                let v4 = &v4(printer) | &BTreeSet::from([PRINTER_LINK_LOCAL.into()]);
                let v6 = &v6(printer) | &link_local(printer, self.host.eth0());
                match families {
                    Families::Both => &v4 | &v6,
                    Families::V4 => v4,
                    Families::V6 => v6,
                }
            }
            (Lan | DnsNotLan, _) => BTreeSet::from(["printer.local".into()]),
            (Dns | LanNotDns, Query::Host) => of_dns[0].clone(),
            (Dns | LanNotDns, Query::MissingHost) => of_dns[1].clone(),
            (Dns | LanNotDns, Query::DnsName) => of_dns[2].clone(),
            (Dns | LanNotDns, _) => of_dns[3].clone(),
        }
    }
}

impl Way {
    /// Whether the LAN and DNS are queried.
    fn asks(self) -> (bool, bool) {
        match self {
            Lan | LanNot => (true, false),
            LanNotDns | DnsNotLan => (true, true),
            Dns | DnsNot => (false, true),
            Nobody => (false, false),
        }
    }
}

/// Installs nss-resolve beside the module, and starts its daemon, which queries the DNS server in `/etc/resolv.conf`.
fn put_resolve(host: &Host) -> Result<Daemon, String> {
    let (module, folder) = (peer_module("resolve")?, library_folder()?);
    host.script(&format!("cp {} {}/", module.display(), folder.display()))?;
    resolved_without_mdns(host)
}

/// A LAN whose printer has link-local and other addresses of both families.
fn lan() -> Result<Scenario, String> {
    let mut lan = Scenario::silent(Families::Both)?;
    lan.printer.script(&format!("ip address add {PRINTER_LINK_LOCAL}/16 dev eth0"))?;
    // Both families in one packet: on a busy machine, the second of two packets may arrive too late.
    let options = ["--a", PRINTER_LINK_LOCAL, "--other", "additional"];
    lan.daemons.push(scripted(&lan.printer, "printer.local", &options)?);
    Ok(lan)
}

fn check_line(lan: &Scenario, number: usize, (services, families, ways): Line) -> Result<(), String> {
    let host = lan.network.client(&format!("client{number}"), &[&lan.lan])?;
    let (client, resolved) = Client::new(&host, services, number)?;
    let queries = Query::ALL.into_iter().zip(ways);
    let wrong = queries.filter_map(|(query, way)| client.check(query, way, families, &lan.printer).err());
    let mut wrong: Vec<_> = wrong.collect();
    if let Some(resolved) = resolved {
        let log = resolved.lines().join("\n");
        let expected = [("web.example.test", true), ("printer.local", false), ("missing.local", false)];
        let unexpected = expected.into_iter().filter(|(name, asked)| log.contains(name) != *asked);
        wrong.extend(unexpected.map(|(name, asked)| format!("resolved was queried for {name}: {}", !asked)));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{services}\n    {}", wrong.join("\n    "))) }
}

/// Tests all lines at the same time, because most lookups only wait for their timeout.
#[test]
fn every_line_queries_the_expected_services_in_order() -> Result<(), String> {
    let lan = lan()?;
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let check = |(number, line)| check_line(&lan, number, line);
        let threads: Vec<_> = LINES.into_iter().enumerate().map(|line| scope.spawn(move || check(line))).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into())).err())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_line_of_the_example_is_in_the_table() -> Result<(), String> {
    let example = std::fs::read_to_string(workspace().join("nsswitch.conf.example")).map_err(|why| why.to_string())?;
    let lines = example.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix("hosts:")).map(str::trim);
    let missing: Vec<_> = lines.filter(|line| !LINES.iter().any(|(services, ..)| services == line)).collect();
    assert_eq!(missing, [""; 0]);
    Ok(())
}
