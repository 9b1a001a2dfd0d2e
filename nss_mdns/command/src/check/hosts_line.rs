//! The hosts line, as `nss-mdns hosts` explains it, and the services that glibc asks.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::machine::append_command;
use super::report::{Level, Report};
use crate::hosts::{self, FILE};
use crate::nsswitch::{self, Kind, Reading, Remedy};
use crate::text::printable;

/// Enables the features of authselect for both families.
const AUTHSELECT: &str = "sudo authselect enable-feature with-mdns4 && sudo authselect enable-feature with-mdns6";

/// What the rest of the check needs of the hosts line.
#[derive(Debug, Default)]
pub(crate) struct HostsLine {
    /// The services on it, in glibc's order; none if there is no hosts line.
    pub(crate) services: Vec<String>,
    /// The command that makes the services for one family return both.
    pub(crate) both_families: Option<String>,
}

/// Explains the hosts line.
///
/// # Errors
/// Those of writing.
pub(crate) fn tell<W: Write>(report: &mut Report<W>) -> io::Result<HostsLine> {
    let content = fs::read(FILE).unwrap_or_default();
    for finding in hosts::findings(Path::new(FILE)) {
        match finding.kind {
            Kind::Information => report.good("hosts", finding.text)?,
            Kind::Note => report.note("hosts", finding.text)?,
            Kind::Problem => {
                let command = finding.remedy.and_then(|remedy| command(&content, &remedy));
                report.finding("hosts", Level::Problem, finding.text, command)?;
            }
        }
    }
    Ok(line(&content))
}

/// The command that solves a problem.
fn command(content: &[u8], remedy: &Remedy) -> Option<String> {
    let command = command_with_sudo(content, remedy)?;
    Some(if breaks_sudo(content) { command.replace("sudo ", "") } else { command })
}

/// Whether sudo fails because of the file: it looks up the user, and the addresses of this machine.
fn breaks_sudo(content: &[u8]) -> bool {
    match nsswitch::read(content, hosts::running_glibc()) {
        Reading::Broken(_) => true,
        Reading::Line(line) => line.services.is_empty(),
        Reading::Default => false,
    }
}

fn command_with_sudo(content: &[u8], remedy: &Remedy) -> Option<String> {
    match remedy {
        Remedy::Authselect => Some(AUTHSELECT.into()),
        Remedy::MakeReadable => Some(format!("sudo chmod a+r {FILE}")),
        Remedy::Append(line) => Some(append_command(line, FILE)),
        Remedy::Restore(backup) => {
            is_plain(backup).then(|| format!("sudo cp -p '{backup}' {FILE} && sudo nss-mdns hosts add"))
        }
        Remedy::Replace(line) => {
            Some(format!("sudo mv -T --backup=numbered {FILE} {FILE}.old && {}", append_command(line, FILE)))
        }
        Remedy::Write(line) if is_added(content, line) => Some("sudo nss-mdns hosts add".into()),
        Remedy::Write(line) => is_plain(line).then(|| sed_command(content, &format!("c {line}"))).flatten(),
        Remedy::Correct(number, line) => {
            is_plain(line).then(|| format!("sudo sed -i --follow-symlinks '{number}c {line}' {FILE}"))
        }
        Remedy::KeepOne(number, line, others) => keep_command(*number, line.as_deref(), others),
    }
}

/// Whether sed and a shell read this text as it is.
fn is_plain(line: &str) -> bool {
    !line.contains(['\\', '\'']) && printable(line.as_bytes()) == *line
}

/// The command that keeps one of several lines.
fn keep_command(number: usize, line: Option<&str>, others: &[usize]) -> Option<String> {
    let mut script: Vec<_> = others.iter().map(|other| format!("{other}d")).collect();
    // The last command, because the text ends with the script.
    script.extend(line.map(|line| format!("{number}c {line}")));
    let script = script.join(";");
    line.is_none_or(is_plain).then(|| format!("sudo sed -i --follow-symlinks '{script}' {FILE}"))
}

/// Whether `nss-mdns hosts add` writes this line.
fn is_added(content: &[u8], line: &str) -> bool {
    let Ok(Some(edit)) = nsswitch::insert(content, None) else { return false };
    let new = edit.apply(content);
    let Reading::Line(added) = nsswitch::read(&new, hosts::running_glibc()) else { return false };
    let services = added.services_text(&new);
    // A comment stays.
    let services = services.split(" #").next().unwrap_or_default();
    line.strip_prefix("hosts: ") == Some(services)
}

/// The command that changes the line that takes effect. sed would put a file in place of a symbolic link.
fn sed_command(content: &[u8], change: &str) -> Option<String> {
    let Reading::Line(line) = nsswitch::read(content, hosts::running_glibc()) else { return None };
    Some(format!("sudo sed -i --follow-symlinks '{}{change}' {FILE}", line.number))
}

fn line(content: &[u8]) -> HostsLine {
    let Reading::Line(line) = nsswitch::read(content, hosts::running_glibc()) else { return HostsLine::default() };
    let name = |service: &nsswitch::Service| printable(content.get(service.name.clone()).unwrap_or_default());
    let both_families = if hosts::is_authselects(Path::new(FILE), content) {
        Some(AUTHSELECT.into())
    } else {
        sed_command(content, "s/mdns[46]/mdns/g")
    };
    HostsLine { services: line.services.iter().map(name).collect(), both_families }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_are_those_that_glibc_asks() {
        let text = b"hosts: files\nhosts: mdns4_minimal [NOTFOUND=return] dns\n";
        assert_eq!(line(text).services, ["mdns4_minimal", "dns"]);
        assert_eq!(line(b"passwd: files\n").services, [""; 0]);
    }

    #[test]
    fn each_remedy_is_a_command_that_changes_the_line_in_effect() {
        let write = |content: &[u8], line: &str| command(content, &Remedy::Write(line.into()));
        let add = Some("sudo nss-mdns hosts add".to_owned());
        assert_eq!(write(b"hosts: files  dns\n", "hosts: files mdns_minimal [NOTFOUND=return] dns"), add);
        // hosts add does not write this line.
        let sed = |text: &str| Some(format!("sudo sed -i --follow-symlinks '{text}' /etc/nsswitch.conf"));
        let blocked = b"hosts: files [NOTFOUND=return] dns\n";
        let line = "hosts: files mdns_minimal [NOTFOUND=return] dns";
        assert_eq!(write(blocked, line), sed(&format!("1c {line}")));
        assert_eq!(write(b"hosts: a\n hosts dns mdns\n", "hosts: mdns dns"), sed("2c hosts: mdns dns"));
        assert_eq!(write(b"hosts: dns mdns\n", "hosts: a 'c'"), None);
        assert_eq!(write(b"hosts: dns mdns\n", "hosts: a \\"), None);
        let correct = |content: &[u8]| command(content, &Remedy::Correct(1, line.into()));
        assert_eq!(correct(b"hosts: files, dns\n"), sed(&format!("1c {line}")));
        let without_sudo = sed(&format!("1c {line}")).map(|command| command.replace("sudo ", ""));
        for without_service in ["hosts:\n", "hosts: [NOTFOUND=return] files dns\n"] {
            assert_eq!(correct(without_service.as_bytes()), without_sudo, "{without_service}");
        }
        assert_eq!(correct(b"hosts: files [NOTFOUND=retrun] dns\n"), without_sudo);
        assert_eq!(correct(b"passwd: files [\nhosts: files dns\n"), without_sudo);
        let keep = command(b"hosts: files mdns\nhosts:\n", &Remedy::KeepOne(1, None, vec![2]));
        assert_eq!(keep.as_deref(), Some("sed -i --follow-symlinks '2d' /etc/nsswitch.conf"));
        assert_eq!(write(b"hosts: files dns # mine\n", line), add);
        let keep = |line: Option<&str>| command(b"", &Remedy::KeepOne(2, line.map(str::to_owned), vec![1, 4]));
        assert_eq!(keep(None), sed("1d;4d"));
        assert_eq!(keep(Some("hosts: dns")), sed("1d;4d;2c hosts: dns"));
        let append = command(b"", &Remedy::Append(line.into()));
        assert_eq!(append, Some(format!("printf '\\n{line}\\n' | sudo tee -a /etc/nsswitch.conf")));
        let restore = command(b"", &Remedy::Restore("/etc/backup".into()));
        assert_eq!(restore.as_deref(), Some("sudo cp -p '/etc/backup' /etc/nsswitch.conf && sudo nss-mdns hosts add"));
        let replace = command(b"", &Remedy::Replace(line.into())).unwrap_or_default();
        let expected = "sudo mv -T --backup=numbered /etc/nsswitch.conf /etc/nsswitch.conf.old && ";
        assert_eq!(replace, expected.to_owned() + &append.unwrap_or_default());
    }
}
