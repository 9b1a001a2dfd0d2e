//! The hosts line, as `nss-mdns hosts` explains it, and the services that glibc asks.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::loader;
use super::recorder::printable;
use super::report::{Level, Report};
use crate::hosts;
use crate::nsswitch::{self, Glibc, Kind, Reading};

/// What glibc reads.
const FILE: &str = "/etc/nsswitch.conf";

/// Explains the hosts line. Returns the services on it, in glibc's order; none if there is no hosts line.
///
/// # Errors
/// Those of writing.
pub(crate) fn tell<W: Write>(report: &mut Report<W>) -> io::Result<Vec<String>> {
    let content = fs::read(FILE).unwrap_or_default();
    for finding in hosts::findings(Path::new(FILE)) {
        let text = printable(finding.text.as_bytes());
        match finding.kind {
            Kind::Information => report.good("hosts", text)?,
            Kind::Note => report.note("hosts", text)?,
            Kind::Problem => {
                let remedy = remedy(&content, &text);
                report.finding("hosts", Level::Problem, text, remedy)?;
            }
        }
    }
    Ok(services(&content))
}

/// The command that mends the hosts line, if it can.
fn remedy(content: &[u8], problem: &str) -> Option<String> {
    if problem.contains("authselect") {
        return Some("sudo authselect enable-feature with-mdns4 && sudo authselect enable-feature with-mdns6".into());
    }
    if matches!(nsswitch::insert(content, None), Ok(Some(_))) {
        return Some("sudo nss-mdns hosts add".into());
    }
    let (_, line) = problem.rsplit_once(": write: hosts: ")?;
    let is_plain = !line.contains(['/', '&', '\\', '\'', '\n']);
    is_plain.then(|| format!("sudo sed -i 's/^hosts:.*/hosts: {line}/' {FILE}"))
}

fn services(content: &[u8]) -> Vec<String> {
    let glibc = if loader::glibc_version() < (2, 33) { Glibc::V2_31 } else { Glibc::V2_33 };
    let Reading::Line(line) = nsswitch::read(content, glibc) else { return Vec::new() };
    let name = |service: &nsswitch::Service| printable(content.get(service.name.clone()).unwrap_or_default());
    line.services.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_are_those_that_glibc_asks() {
        let text = b"hosts: files\nhosts: mdns4_minimal [NOTFOUND=return] dns\n";
        assert_eq!(services(text), ["mdns4_minimal", "dns"]);
        assert_eq!(services(b"passwd: files\n"), [""; 0]);
    }

    #[test]
    fn the_remedy_is_a_command_only_if_it_helps() {
        let add = Some("sudo nss-mdns hosts add".to_owned());
        assert_eq!(remedy(b"hosts: files dns\n", "none of the services"), add);
        assert_eq!(remedy(b"hosts: files mdns_minimal dns\n", "any"), None);
        let edit = Some("sudo sed -i 's/^hosts:.*/hosts: files mdns dns/' /etc/nsswitch.conf".to_owned());
        assert_eq!(remedy(b"hosts: dns mdns\n", "wrong: write: hosts: files mdns dns"), edit);
        assert_eq!(remedy(b"hosts: dns mdns\n", "wrong: write: hosts: a/b 'c'"), None);
        assert!(remedy(b"hosts: files dns\n", "authselect writes it").is_some_and(|it| it.contains("enable-feature")));
    }
}
