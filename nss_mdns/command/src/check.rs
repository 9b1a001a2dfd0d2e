//! `nss-mdns check`: explains everything that affects the module's lookups on this machine, and the lookup of each name,
//! using the module's own code. Administrators run it, and so does `install.sh --check`.
//!
//! | file | contents |
//! |---|---|
//! | `report` | the output: findings and stories, as text or as JSON |
//! | `hosts_line` | the hosts line |
//! | `files` | the files that glibc loads for it; `loader` asks glibc which |
//! | `daemons` | daemons that take part |
//! | `machine` | the module's files, the interfaces, and whether a firewall drops multicast DNS |
//! | `lookups` | the lookups of names and addresses; why a name is not asked for |
//! | `firewall` | what admits multicast DNS through this machine's firewall |
//! | `hosts_file` | the entries of `/etc/hosts` |
//! | `recorder` | the events of a lookup |
//! | `story` | the events as text and as JSON |
//! | `json` | writes JSON |

mod daemons;
pub(crate) mod files;
mod firewall;
mod hosts_file;
mod hosts_line;
mod json;
pub(crate) mod loader;
mod lookups;
mod machine;
mod recorder;
mod report;
mod story;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};

use lexopt::prelude::*;
use resolver_core::Resolver;
use resolver_core::config::resolv_conf::LocalDomains;
use resolver_core::net::interfaces::Interfaces;

use self::hosts_line::HostsLine;
use self::lookups::{Lookups, Services};
use self::machine::{Admission, FileReport, InterfaceReport, LoopbackTest, Obstacle, Probe};
use self::report::{Level, Report};
use self::story::{InterfaceNames, enumerate, family_name};
use crate::text::printable;
use crate::{Error, Outcome, USAGE, print};

/// Runs `nss-mdns check` with the arguments that follow its name.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let (mut names, mut is_json) = (Vec::new(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(name) => names.push(name),
            Long("json") => is_json = true,
            Long("help") | Short('h') => return print(USAGE),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut report = Report::new(io::stdout().lock(), is_json);
    all(&names, &mut report)?;
    report.verdict()?;
    report.finish()?;
    Ok(if report.found_problem() { Outcome::Problem } else { Outcome::Good })
}

fn all<W: Write>(names: &[OsString], report: &mut Report<W>) -> io::Result<()> {
    report.good("versions", versions())?;
    let HostsLine { services, both_families } = hosts_line::tell(report)?;
    let ours: Vec<_> =
        crate::nsswitch::SERVICES.into_iter().filter(|ours| services.iter().any(|it| it == ours)).collect();
    let is_files_first =
        services.iter().find(|it| *it == "files" || ours.contains(&it.as_str())).is_some_and(|it| it == "files");
    files::tell(&services, &ours, report)?;
    let (config, settings) = machine::settings();
    tell_file("settings", "/etc/nss-mdns.conf", &settings, "the defaults hold", report)?;
    tell_allowed(report)?;
    let (domains, resolv_conf) = machine::local_domains();
    tell_domains(&domains, &resolv_conf, config.unicast_local, report)?;
    daemons::tell(&config, report)?;
    let (interfaces, queried) = match machine::interfaces(&config) {
        Ok(interfaces) => interfaces,
        Err(error) => {
            report.bad("interface", format!("the interfaces cannot be read: {error}"))?;
            Default::default()
        }
    };
    tell_interfaces(&interfaces, report)?;
    if config.listener {
        tell_firewalls(&interfaces, &queried, report)?;
    } else {
        report.good("firewall", "not tested: the setting listener is off")?;
    }
    let names_of_interfaces = interfaces.iter().map(|interface| (interface.index, interface.name.clone()));
    let lookups = Lookups {
        resolver: Resolver::default(),
        settings,
        unicast_local: config.unicast_local,
        domains,
        interfaces: InterfaceNames(names_of_interfaces.collect()),
        services: Services::among(ours),
        both_families,
        is_files_first,
        is_glibc_impeded: report.has_problem(&["hosts", "files"]),
    };
    names.iter().try_for_each(|name| lookups.tell(name, report))
}

/// The versions of this program and of the system.
fn versions() -> String {
    let (major, minor) = loader::glibc_version();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| "of unknown version".into());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("an unknown system");
    format!(
        "nss-mdns {}, glibc {major}.{minor}, Linux {} on {}, {}",
        env!("CARGO_PKG_VERSION"),
        kernel.trim(),
        std::env::consts::ARCH,
        name.trim_matches('"')
    )
}

fn tell_allowed<W: Write>(report: &mut Report<W>) -> io::Result<()> {
    let (allows_nothing, allowed) = machine::allowed();
    tell_file("allowed", "/etc/mdns.allow", &allowed, "the full services look up names under .local", report)?;
    if allows_nothing {
        let text = "/etc/mdns.allow lists nothing: the services mdns, mdns4 and mdns6 look up no names";
        report.finding(
            "allowed",
            Level::Note,
            text.into(),
            Some(machine::append_command(".local", "/etc/mdns.allow")),
        )?;
    }
    Ok(())
}

fn tell_file<W: Write>(
    what: &str,
    path: &str,
    file: &FileReport,
    if_absent: &str,
    report: &mut Report<W>,
) -> io::Result<()> {
    match file {
        FileReport::Absent if fs::symlink_metadata(path).is_ok() => {
            report.note(what, format!("{path} is a symbolic link to a file that does not exist: {if_absent}"))
        }
        FileReport::Absent => report.good(what, format!("{path} does not exist: {if_absent}")),
        FileReport::Unreadable(error) => {
            let remedy = (error.kind() == io::ErrorKind::PermissionDenied).then(|| format!("sudo chmod a+r {path}"));
            report.finding(what, Level::Problem, format!("{path} cannot be read: {error}"), remedy)
        }
        FileReport::Read(contents) => {
            for (problem, remedy) in &contents.problems {
                report.finding(what, Level::Problem, problem.clone(), remedy.clone())?;
            }
            for consequence in &contents.consequences {
                report.good(what, consequence.as_str())?;
            }
            if contents.problems.is_empty() {
                report.good(what, format!("{path} has no problems"))?;
            }
            if contents.lines.is_empty() {
                Ok(())
            } else {
                report.good(what, format!("{path} has: {}", contents.lines.join("; ")))
            }
        }
    }
}

/// Reports which `.local` names are left to DNS because of the search domains.
fn tell_domains<W: Write>(
    domains: &LocalDomains,
    file: &FileReport,
    is_on: bool,
    report: &mut Report<W>,
) -> io::Result<()> {
    let has_problem = match file {
        FileReport::Absent => false,
        FileReport::Unreadable(_) => true,
        FileReport::Read(contents) => !contents.problems.is_empty(),
    };
    if has_problem {
        tell_file("dns", "/etc/resolv.conf", file, "", report)?;
    }
    if domains.is_empty() {
        let text = "/etc/resolv.conf has no search domain under .local";
        return if has_problem { Ok(()) } else { report.good("dns", text) };
    }
    let names = |domain: &[u8]| printable(domain);
    let below: Vec<_> = domains.below_local().map(names).collect();
    if !is_on {
        let local = domains.has_local().then(|| "local".to_owned());
        let all: Vec<_> = local.into_iter().chain(below).collect();
        let all = all.join(", ");
        return report.good("dns", format!("search domains are ignored, because unicast-local is off: {all}"));
    }
    if !below.is_empty() {
        let below = below.join(", ");
        report.good("dns", format!("names equal to or below these search domains are left to DNS: {below}"))?;
    }
    if domains.has_local() {
        let text = "local is a search domain: .local names that nobody answers for are left to DNS";
        report.good("dns", text)?;
    }
    Ok(())
}

fn tell_interfaces<W: Write>(interfaces: &[InterfaceReport], report: &mut Report<W>) -> io::Result<()> {
    for interface in interfaces {
        let subject = &format!("interface {}", interface.name);
        report.good(subject, interface.to_string())?;
        if interface.is_queried() {
            report.good(subject, format!("its addresses are {}", enumerate(interface.addresses.iter().cloned())))?;
        }
    }
    if !interfaces.iter().any(InterfaceReport::is_queried) {
        report.bad("interface", "none can be queried: glibc asks the next service")?;
        interfaces.iter().try_for_each(|interface| tell_obstacle(interface, report))?;
    }
    Ok(())
}

/// What keeps an interface from being queried, with the command that changes it.
fn tell_obstacle<W: Write>(interface: &InterfaceReport, report: &mut Report<W>) -> io::Result<()> {
    let name = &interface.name;
    let (text, change) = match interface.obstacle() {
        Some(Obstacle::Down) => ("it is down", "up"),
        Some(Obstacle::MulticastOff) => ("multicast is off", "multicast on"),
        Some(Obstacle::NoCarrier) => {
            return report
                .note(&format!("interface {name}"), "there is no carrier: check the cable or the Wi-Fi connection");
        }
        Some(Obstacle::Setting(key)) => {
            let Some((number, line)) = machine::setting(key) else { return Ok(()) };
            return report.note("interface", format!("line {number} of /etc/nss-mdns.conf, {line}, excludes {name}"));
        }
        None => return Ok(()),
    };
    let command = format!("sudo ip link set {name} {change}");
    report.finding(&format!("interface {name}"), Level::Note, text.into(), Some(command))
}

fn tell_firewalls<W: Write>(
    interfaces: &[InterfaceReport],
    queried: &Interfaces,
    report: &mut Report<W>,
) -> io::Result<()> {
    if !interfaces.iter().any(InterfaceReport::is_queried) {
        return Ok(());
    }
    let mut test = match LoopbackTest::new(queried) {
        Ok(test) => test,
        Err(error) => return report.bad("firewall", format!("not tested, because no socket could be opened: {error}")),
    };
    let probes = test.run(interfaces);
    for same in
        probes.chunk_by(|one, next| one.interface.index == next.interface.index && one.admission == next.admission)
    {
        let Some(Probe { interface, admission, .. }) = same.first() else { continue };
        let families = enumerate(same.iter().map(|probe| family_name(probe.family).to_owned()));
        tell_firewall(&interface.name, &families, *admission, report)?;
    }
    if tracked_connections() > 0 {
        let text = "the kernel tracks connections, so a stateful firewall may drop the unicast responses to the first \
                    questions; lookups then repeat the questions from port 5353, after about 30 ms";
        report.good("firewall", text)?;
    }
    Ok(())
}

/// How many connections the kernel tracks for a firewall or NAT in this network namespace; 0 if there is none.
fn tracked_connections() -> u32 {
    let text = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Reports what a firewall drops, with the command that admits it, or else the rule and its place.
fn tell_drop<W: Write>(
    subject: &str,
    text: String,
    chain: &str,
    command: Option<String>,
    report: &mut Report<W>,
) -> io::Result<()> {
    let text = if command.is_some() { text } else { format!("{text}; {}", firewall::rule(chain)) };
    report.finding(subject, Level::Problem, text, command)
}

/// Reports what the test of an interface over these families has shown.
fn tell_firewall<W: Write>(
    interface: &str,
    families: &str,
    admission: Admission,
    report: &mut Report<W>,
) -> io::Result<()> {
    let subject = &format!("firewall {interface}");
    let error = |errno: i32| io::Error::from_raw_os_error(errno);
    match admission {
        Admission::Admitted => report.good(subject, format!("over {families}, queries to UDP port 5353 are admitted")),
        Admission::Dropped => {
            let text = format!(
                "over {families}, a firewall here drops incoming multicast DNS (UDP port 5353): hosts that answer only by \
                 multicast are not found (unless the rule drops only packets from this machine's own addresses)"
            );
            tell_drop(subject, text, "input", firewall::admit_incoming(interface), report)
        }
        Admission::NotSent(errno @ libc::EPERM) => {
            let text = format!("over {families}, a firewall here blocks sending: {}", error(errno));
            tell_drop(subject, text, "output", firewall::admit_outgoing(), report)
        }
        Admission::NotSent(errno) => {
            report.bad(subject, format!("over {families}, queries cannot be sent: {}", error(errno)))
        }
        Admission::NoListener(libc::EADDRINUSE) => {
            let text =
                format!("over {families}, not tested: UDP port 5353 is in use by a program that does not share it");
            report.finding(
                subject,
                Level::Problem,
                text,
                Some("sudo ss --listening --udp --numeric --processes 'sport = 5353'".into()),
            )
        }
        Admission::NoListener(errno) => report.bad(
            subject,
            format!(
                "over {families}, not tested: there is no multicast listener on this interface, so hosts there that \
                 respond by multicast only are not found: {}",
                error(errno)
            ),
        ),
        Admission::TooManyMemberships => {
            let text = format!(
                "over {families}, not tested: there is no multicast listener on this interface, so hosts there that respond \
                 by multicast only are not found: a socket can be a member of the group on only so many interfaces"
            );
            report.finding(subject, Level::Problem, text, Some("sudo sysctl net.ipv4.igmp_max_memberships=64".into()))
        }
        Admission::Failed(errno) => report.bad(subject, format!("over {families}, not tested: {}", error(errno))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(admission: Admission) -> String {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out, false);
        tell_firewall("eth0", "IPv4", admission, &mut report).unwrap();
        assert_eq!(report.found_problem(), admission != Admission::Admitted);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failure_of_the_listener_is_told_with_its_real_cause() {
        let told = told(Admission::NoListener(libc::ENODEV));
        let cause = "not found: No such device (os error 19)\n";
        assert!(told.starts_with("firewall eth0: problem: over IPv4, not tested: ") && told.ends_with(cause), "{told}");
        assert!(!told.contains("in use"), "{told}");
    }

    #[test]
    fn each_result_of_the_test_has_a_sentence() {
        for (admission, expected) in [
            (Admission::Admitted, "firewall eth0: over IPv4, queries to UDP port 5353 are admitted\n"),
            (Admission::Dropped, "a firewall here drops incoming multicast DNS (UDP port 5353)"),
            (Admission::NotSent(libc::EPERM), "a firewall here blocks sending: Operation not permitted"),
            (Admission::NotSent(libc::ENETUNREACH), "queries cannot be sent: Network is unreachable"),
            (Admission::NoListener(libc::EADDRINUSE), "UDP port 5353 is in use by a program that does not share it"),
            (Admission::TooManyMemberships, "net.ipv4.igmp_max_memberships"),
            (Admission::Failed(libc::EIO), "not tested: Input/output error"),
        ] {
            let told = told(admission);
            assert!(told.contains(expected), "{told}");
        }
    }
}
