//! `nss-mdns check`: reports what affects the module's lookups on this machine, using the module's own code.
//! Administrators run it, and so does `install.sh --check`.
//!
//! ```text
//! settings: problem: /etc/nss-mdns.conf:3: timeout: expected 50 to 10000 milliseconds, found "2s"
//! allowed: /etc/mdns.allow does not exist: the full services look up names under .local
//! dns: /etc/resolv.conf has no search domain under .local
//! interface eth0: queried over IPv4 and IPv6
//! interface lo: not queried: it cannot multicast
//! firewall eth0: over IPv4, multicast DNS is admitted
//! lookup printer.local: 192.0.2.7, fe80::1%eth0 (1.2 ms)
//! ```

mod machine;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use lexopt::prelude::*;
use resolver_core::config::Config;
use resolver_core::config::resolv_conf::LocalDomains;
use resolver_core::net::interfaces::Interfaces;
use resolver_core::policy::{Labels, NameRange};
use resolver_core::{Address, Answer, Families, Family, LookupError, Resolver};

use self::machine::{FileReport, InterfaceReport, LoopbackTest};
use crate::{Error, Outcome, USAGE, print};

/// Runs `nss-mdns check` with the arguments that follow its name.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let mut names = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(name) => names.push(name),
            Long("help") | Short('h') => return print(USAGE),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut report = Report { out: io::stdout().lock(), found_problem: false };
    report.all(&names)?;
    Ok(if report.found_problem { Outcome::Problem } else { Outcome::Good })
}

/// The output, and whether it reports a problem.
struct Report<W> {
    out: W,
    found_problem: bool,
}

impl<W: Write> Report<W> {
    fn all(&mut self, names: &[OsString]) -> io::Result<()> {
        let (config, settings) = machine::settings();
        self.file("settings", "/etc/nss-mdns.conf", &settings, "the defaults hold")?;
        let (allows_nothing, allowed) = machine::allowed();
        self.file("allowed", "/etc/mdns.allow", &allowed, "the full services look up names under .local")?;
        if allows_nothing {
            self.good("allowed", format_args!("/etc/mdns.allow lists nothing: the full services look up no names"))?;
        }
        let (domains, resolv_conf) = machine::local_domains();
        self.local_domains(&domains, &resolv_conf, config.unicast_local)?;
        let (interfaces, queried) = match machine::interfaces(&config) {
            Ok(interfaces) => interfaces,
            Err(error) => {
                self.bad("interface", format_args!("the interfaces cannot be read: {error}"))?;
                Default::default()
            }
        };
        self.interfaces(&interfaces)?;
        if config.listener {
            self.firewalls(&interfaces, &queried)?;
        } else {
            self.good("firewall", format_args!("not tested: the listener is off"))?;
        }
        let lookups = Lookups { resolver: Resolver::default(), config, domains, interfaces };
        names.iter().try_for_each(|name| self.lookup(&lookups, name))
    }

    fn good(&mut self, subject: &str, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        writeln!(self.out, "{subject}: {text}")
    }

    /// Prints a problem, in the same form as `install.sh --check` does.
    fn bad(&mut self, subject: &str, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.found_problem = true;
        writeln!(self.out, "{subject}: problem: {text}")
    }

    fn file(&mut self, what: &str, path: &str, report: &FileReport, if_absent: &str) -> io::Result<()> {
        match report {
            FileReport::Absent => self.good(what, format_args!("{path} does not exist: {if_absent}")),
            FileReport::Unreadable(error) => self.bad(what, format_args!("{path} cannot be read: {error}")),
            FileReport::Read(problems) if problems.is_empty() => {
                self.good(what, format_args!("{path} has no problems"))
            }
            FileReport::Read(problems) => {
                problems.iter().try_for_each(|problem| self.bad(what, format_args!("{problem}")))
            }
        }
    }

    /// Prints which `.local` names are left to DNS because of the search domains.
    fn local_domains(&mut self, domains: &LocalDomains, report: &FileReport, is_on: bool) -> io::Result<()> {
        let has_problem = match report {
            FileReport::Absent => false,
            FileReport::Unreadable(_) => true,
            FileReport::Read(problems) => !problems.is_empty(),
        };
        if has_problem {
            self.file("dns", "/etc/resolv.conf", report, "")?;
        }
        if domains.is_empty() {
            let text = format_args!("/etc/resolv.conf has no search domain under .local");
            return if has_problem { Ok(()) } else { self.good("dns", text) };
        }
        let names = |domain: &[u8]| String::from_utf8_lossy(domain).into_owned();
        let below: Vec<_> = domains.below_local().map(names).collect();
        if !is_on {
            let local = domains.has_local().then(|| "local".to_owned());
            let all: Vec<_> = local.into_iter().chain(below).collect();
            let all = all.join(", ");
            return self.good("dns", format_args!("search domains are ignored, because unicast-local is off: {all}"));
        }
        if !below.is_empty() {
            let below = below.join(", ");
            self.good("dns", format_args!("names equal to or below these search domains are left to DNS: {below}"))?;
        }
        if domains.has_local() {
            self.good(
                "dns",
                format_args!("local is a search domain: .local names that nobody answers for are left to DNS"),
            )?;
        }
        Ok(())
    }

    fn interfaces(&mut self, interfaces: &[InterfaceReport]) -> io::Result<()> {
        for interface in interfaces {
            self.good(&format!("interface {}", interface.name), format_args!("{interface}"))?;
        }
        if !interfaces.iter().any(InterfaceReport::is_queried) {
            self.bad("interface", format_args!("none can be queried: glibc asks the next service"))?;
        }
        Ok(())
    }

    fn firewalls(&mut self, interfaces: &[InterfaceReport], queried: &Interfaces) -> io::Result<()> {
        if !interfaces.iter().any(InterfaceReport::is_queried) {
            return Ok(());
        }
        let mut test = match LoopbackTest::new(queried) {
            Ok(test) => test,
            Err(error) => return self.bad("firewall", format_args!("not tested: {error}")),
        };
        for interface in interfaces {
            for family in interface.families() {
                let result = test.receives_own_packet(interface, family);
                self.firewall(&interface.name, family, &result)?;
            }
        }
        Ok(())
    }

    fn firewall(&mut self, interface: &str, family: Family, result: &io::Result<bool>) -> io::Result<()> {
        let family = match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let subject = &format!("firewall {interface}");
        match result {
            Ok(true) => self.good(subject, format_args!("over {family}, multicast DNS is admitted")),
            Ok(false) => self.bad(
                subject,
                format_args!(
                    "over {family}, packets to the group and UDP port 5353 are dropped: \
                     admit them (ufw allow mdns; firewall-cmd --add-service=mdns), \
                     unless the rule drops only packets from this machine's own addresses"
                ),
            ),
            Err(error) => match error.raw_os_error() {
                Some(libc::EADDRINUSE) => self.bad(
                    subject,
                    format_args!(
                        "over {family}, not tested: UDP port 5353 is in use by a program that does not share it"
                    ),
                ),
                Some(libc::ENOBUFS) => self.bad(
                    subject,
                    format_args!(
                        "over {family}, not tested: there is no multicast listener on this interface, so hosts there \
                         that respond by multicast only are not found (see igmp_max_memberships in the kernel's \
                         ip-sysctl documentation)"
                    ),
                ),
                Some(libc::EPERM) => self.bad(subject, format_args!("over {family}, queries cannot be sent: {error}")),
                _ => self.bad(subject, format_args!("over {family}, not tested: {error}")),
            },
        }
    }

    fn lookup(&mut self, lookups: &Lookups, name: &OsStr) -> io::Result<()> {
        let look_up = |range: NameRange| {
            let text = name.as_bytes();
            range.host_name(text).and_then(|host| lookups.resolver.lookup(&host, range, Families::BOTH))
        };
        let start = Instant::now();
        // `Local` is the range of the minimal services, `Allowed` that of the full services.
        let (minimal, full) = (look_up(NameRange::Local), look_up(NameRange::Allowed));
        let time = format!("{:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        let not_ours = |found: &Result<Answer, LookupError>| matches!(found, Err(LookupError::NotOurs));
        let services = match (not_ours(&minimal), not_ours(&full)) {
            (false, true) => "; by the minimal services only",
            (true, false) => "; by the full services only",
            _ => "",
        };
        let found = if not_ours(&minimal) { full } else { minimal };
        let subject = &format!("lookup {}", name.to_string_lossy());
        match found {
            Ok(answer) => {
                let addresses: Vec<_> =
                    answer.addresses.iter().map(|address| address_text(address, &lookups.interfaces)).collect();
                self.good(subject, format_args!("{} ({time}{services})", addresses.join(", ")))
            }
            Err(error @ LookupError::NotOurs) => match lookups.why_not_ours(name.as_bytes()) {
                Some(NotOurs::SearchDomain(domain)) => {
                    self.good(subject, format_args!("left to DNS: {domain} is a search domain in /etc/resolv.conf"))
                }
                Some(NotOurs::Labels) => self.bad(subject, format_args!("{error}, because labels = 2 ({time})")),
                None => self.bad(subject, format_args!("{error} ({time})")),
            },
            Err(error) => self.bad(subject, format_args!("{error} ({time}{services})")),
        }
    }
}

/// What the lookups of names need.
struct Lookups {
    resolver: Resolver,
    config: Config,
    domains: LocalDomains,
    interfaces: Vec<InterfaceReport>,
}

/// Why no service looks up a name under `.local`.
enum NotOurs {
    /// It is equal to or below this search domain, so DNS serves it.
    SearchDomain(String),
    /// It has more labels than the settings allow.
    Labels,
}

impl Lookups {
    /// Why no service looks up a name; None if it is not under `.local`.
    fn why_not_ours(&self, name: &[u8]) -> Option<NotOurs> {
        let host = NameRange::Local.host_name(name).ok()?;
        let domain = self.domains.domain_of(&host.name).filter(|_| self.config.unicast_local);
        if let Some(domain) = domain {
            return Some(NotOurs::SearchDomain(String::from_utf8_lossy(domain).into_owned()));
        }
        let has_too_many = host.name.labels().count() > 2 && self.config.labels == Labels::Two;
        has_too_many.then_some(NotOurs::Labels)
    }
}

/// An address as programs accept it: with the name of its interface if it needs a scope.
fn address_text(address: &Address, interfaces: &[InterfaceReport]) -> String {
    let scope = address.scope_id();
    match interfaces.iter().find(|interface| scope != 0 && interface.index == scope) {
        Some(interface) => format!("{}%{}", address.ip, interface.name),
        None => address.ip.to_string(),
    }
}
