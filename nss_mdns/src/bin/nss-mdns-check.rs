//! `nss-mdns-check`: says what the module makes of this host, with the module's own code. For administrators, and for
//! `install.sh --check`.
//!
//! ```text
//! settings: to mend: /etc/nss-mdns.conf:3: timeout: expected 50 to 10000 milliseconds, found "2s"
//! allowed: /etc/mdns.allow is not there: the full services answer names under .local
//! interface eth0: asked over IPv4 and IPv6
//! interface lo: not asked: it carries no multicast
//! firewall eth0: over IPv4, multicast DNS comes in
//! lookup printer.local: 192.0.2.7, fe80::1%eth0 (1.2 ms)
//! ```

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Instant;

use resolver_core::check::{self, FileReport, InterfaceReport};
use resolver_core::policy::NameRange;
use resolver_core::{Address, Answer, Families, Family, LookupError, Resolver};

const USAGE: &str = "\
Usage: nss-mdns-check [NAME]...
Says what the module makes of this host's settings and interfaces, whether a firewall drops multicast DNS (by sending one
question on each interface), and who answers to each NAME.

Exit status: 0 nothing to mend; 1 something is, and the lines say what; 2 wrong usage.
";

fn main() -> ExitCode {
    let names: Vec<OsString> = std::env::args_os().skip(1).collect();
    match names.iter().find(|name| name.as_bytes().starts_with(b"-")) {
        Some(option) if option == "--help" || option == "-h" => return print_and_leave(USAGE),
        Some(option) if option == "--version" => {
            return print_and_leave(concat!("nss-mdns-check ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Some(option) => {
            eprintln!("nss-mdns-check: unknown option {}; see nss-mdns-check --help", option.to_string_lossy());
            return ExitCode::from(2);
        }
        None => {}
    }
    let mut report = Report { out: io::stdout().lock(), to_mend: false };
    match report.all(&names) {
        Ok(()) if report.to_mend => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nss-mdns-check: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_and_leave(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The lines printed, and whether one of them is something to mend.
struct Report<W> {
    out: W,
    to_mend: bool,
}

impl<W: Write> Report<W> {
    fn all(&mut self, names: &[OsString]) -> io::Result<()> {
        let (config, settings) = check::settings();
        self.file("settings", "/etc/nss-mdns.conf", &settings, "the defaults hold")?;
        let (allows_nothing, allowed) = check::allowed();
        self.file("allowed", "/etc/mdns.allow", &allowed, "the full services answer names under .local")?;
        if allows_nothing {
            self.good("allowed", format_args!("/etc/mdns.allow lists nothing: the full services answer no names"))?;
        }
        let interfaces = match check::interfaces(&config) {
            Ok(interfaces) => interfaces,
            Err(error) => {
                self.bad("interface", format_args!("the kernel does not tell: {error}"))?;
                Vec::new()
            }
        };
        self.interfaces(&interfaces)?;
        if config.listener {
            self.firewalls(&interfaces)?;
        } else {
            self.good("firewall", format_args!("not tried: the listener is off"))?;
        }
        let resolver = Resolver::default();
        names.iter().try_for_each(|name| self.lookup(&resolver, name, &interfaces))
    }

    fn good(&mut self, subject: &str, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        writeln!(self.out, "{subject}: {text}")
    }

    /// In the same words as `install.sh --check`.
    fn bad(&mut self, subject: &str, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.to_mend = true;
        writeln!(self.out, "{subject}: to mend: {text}")
    }

    fn file(&mut self, what: &str, path: &str, report: &FileReport, if_absent: &str) -> io::Result<()> {
        match report {
            FileReport::Absent => self.good(what, format_args!("{path} is not there: {if_absent}")),
            FileReport::Unreadable(error) => self.bad(what, format_args!("{path} cannot be read: {error}")),
            FileReport::Read(problems) if problems.is_empty() => self.good(what, format_args!("{path} is in order")),
            FileReport::Read(problems) => {
                problems.iter().try_for_each(|problem| self.bad(what, format_args!("{problem}")))
            }
        }
    }

    fn interfaces(&mut self, interfaces: &[InterfaceReport]) -> io::Result<()> {
        for interface in interfaces {
            self.good(&format!("interface {}", interface.name), format_args!("{interface}"))?;
        }
        if !interfaces.iter().any(InterfaceReport::is_asked) {
            self.bad("interface", format_args!("none can be asked on: the module leaves names to the next service"))?;
        }
        Ok(())
    }

    fn firewalls(&mut self, interfaces: &[InterfaceReport]) -> io::Result<()> {
        for interface in interfaces {
            for (family, hears) in interface.hearing() {
                self.firewall(&interface.name, family, &hears)?;
            }
        }
        Ok(())
    }

    fn firewall(&mut self, interface: &str, family: Family, hears: &io::Result<bool>) -> io::Result<()> {
        let family = match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let subject = &format!("firewall {interface}");
        match hears {
            Ok(true) => self.good(subject, format_args!("over {family}, multicast DNS comes in")),
            Ok(false) => self.bad(
                subject,
                format_args!(
                    "over {family}, what is sent to the group and UDP port 5353 does not come in: \
                     admit it (ufw allow mdns; firewall-cmd --add-service=mdns), \
                     or see whether a rule drops only packets that bear this host's own address"
                ),
            ),
            Err(error) => match error.raw_os_error() {
                Some(libc::EADDRINUSE) => self.bad(
                    subject,
                    format_args!(
                        "over {family} not tried: UDP port 5353 is not to be had (does a program hold it for itself?)"
                    ),
                ),
                Some(libc::EPERM) => self.bad(subject, format_args!("over {family}, questions do not go out: {error}")),
                _ => self.bad(subject, format_args!("over {family} not tried: {error}")),
            },
        }
    }

    fn lookup(&mut self, resolver: &Resolver, name: &OsStr, interfaces: &[InterfaceReport]) -> io::Result<()> {
        let look_up = |range: NameRange| {
            let text = name.as_bytes();
            range.host_name(text).and_then(|name| resolver.lookup(&name, text, range, Families::BOTH))
        };
        let start = Instant::now();
        let (minimal, full) = (look_up(NameRange::Local), look_up(NameRange::Allowed));
        let time = format!("{:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        let not_ours = |found: &Result<Answer, LookupError>| matches!(found, Err(LookupError::NotOurs));
        let by = match (not_ours(&minimal), not_ours(&full)) {
            (false, true) => "; by the minimal services alone",
            (true, false) => "; by the full services alone",
            _ => "",
        };
        let found = if not_ours(&minimal) { full } else { minimal };
        let subject = &format!("lookup {}", name.to_string_lossy());
        match found {
            Ok(answer) => {
                let addresses: Vec<_> = answer.addresses.iter().map(|address| shown(address, interfaces)).collect();
                self.good(subject, format_args!("{} ({time}{by})", addresses.join(", ")))
            }
            Err(error) => self.bad(subject, format_args!("{error} ({time}{by})")),
        }
    }
}

/// An address as programs take it, with its interface where it needs one.
fn shown(address: &Address, interfaces: &[InterfaceReport]) -> String {
    let scope = address.scope_id();
    match interfaces.iter().find(|interface| scope != 0 && interface.index == scope) {
        Some(interface) => format!("{}%{}", address.ip, interface.name),
        None => address.ip.to_string(),
    }
}
