//! What happens to a lookup on the hosts line: each service in glibc's order, where a `.local` name ends, and what keeps
//! names from resolving, with the line to write instead.
//!
//! This file is about the line as a whole, `services` about each service, and `order` about their order.

mod order;
mod services;

use super::change::{Refusal, hosts_lines, insert};
use super::{DEFAULT, Glibc, HostsLine, Reading, read, text};

use self::services::Services;

/// The services of a line that suits most machines.
pub const USUAL: &str = "files mdns_minimal [NOTFOUND=return] dns";

/// How important a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How the line works.
    Information,
    /// It works, and may surprise.
    Note,
    /// Lookups fail because of it.
    Problem,
}

/// A line of the explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How important it is.
    pub kind: Kind,
    /// What there is to say.
    pub text: String,
    /// What solves the problem, if that is known.
    pub remedy: Option<Remedy>,
}

/// What solves a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// This line in place of the one that takes effect.
    Write(String),
    /// This line at the end of the file; only the newline that the file lacks, if it is empty.
    Append(String),
    /// The features of authselect, which generates the file.
    Authselect,
    /// Permission to read the file for everybody.
    MakeReadable,
}

/// What the explanation depends on, besides the file.
#[derive(Clone, Copy)]
pub struct System<'a> {
    /// The version of glibc that reads the file.
    pub glibc: Glibc,
    /// The path of the file.
    pub path: &'a str,
    /// Whether authselect writes the file.
    pub is_authselects: bool,
    /// Whether the library of a service is installed.
    pub is_installed: &'a dyn Fn(&str) -> bool,
}

/// Explains the hosts line of a file.
pub fn explain(file: &[u8], system: &System<'_>) -> Vec<Finding> {
    let path = system.path;
    let mut findings = Vec::new();
    let numbers = hosts_lines(file);
    if numbers.len() > 1 {
        findings.push(problem(format!("{path}: {}", Refusal::SeveralHostsLines(numbers))));
    }
    match read(file, system.glibc) {
        Reading::Broken(mistake) => {
            let found = text(file, &mistake.found);
            findings.push(problem(format!("{path}: {}", Refusal::Broken(mistake, found))));
        }
        Reading::Default => findings.push(no_hosts_line(file, system)),
        Reading::Line(line) => {
            let shown = squeeze(&text(file, &line.span));
            findings.push(information(format!("line {} of {path} is: {shown}", line.number)));
            let services = Services::new(file, &line);
            findings.extend(services.explain(system));
            findings.extend(order::explain(&services, system));
            findings.extend(early_end(file, &line, path));
            findings.extend(other_reading(file, &line, system.glibc));
        }
    }
    findings.extend(oddity(file, path).filter(|_| !findings.iter().any(|finding| finding.kind == Kind::Problem)));
    findings
}

/// What keeps `nss-mdns hosts add` from editing the line, although glibc reads it.
fn oddity(file: &[u8], path: &str) -> Option<Finding> {
    let refusal = insert(file, None).err()?;
    Some(problem(format!("{path}: {refusal}")))
}

fn information(text: String) -> Finding {
    Finding { kind: Kind::Information, text, remedy: None }
}

fn note(text: String) -> Finding {
    Finding { kind: Kind::Note, text, remedy: None }
}

fn problem(text: String) -> Finding {
    Finding { kind: Kind::Problem, text, remedy: None }
}

fn no_hosts_line(file: &[u8], system: &System<'_>) -> Finding {
    let path = system.path;
    let usual = format!("hosts: {USUAL}");
    let (why, remedy) = match hosts_lines(file).last() {
        Some(number) if !file.ends_with(b"\n") => {
            let why =
                format!("{path}:{number}: no newline ends the hosts line, so glibc 2.33 and later do not read it");
            (why, Some(Remedy::Append(String::new())))
        }
        Some(number) => (format!("{path}:{number}: the hosts line names no service, so glibc does not use it"), None),
        None => (format!("{path} has no hosts line"), Some(Remedy::Append(usual.clone()))),
    };
    Finding { remedy, ..problem(format!("{why}, and asks {DEFAULT}; write one line: {usual}")) }
}

/// What glibc does not read, although it reports nothing.
fn early_end(file: &[u8], line: &HostsLine, path: &str) -> Option<Finding> {
    let mistake = line.end.as_ref()?;
    let found = text(file, &mistake.found);
    let why = Refusal::Mistake(mistake.clone(), found);
    Some(problem(format!("{path}: {why}; glibc reads no further than this")))
}

/// What glibc's other parser makes of the file, if that is something else.
fn other_reading(file: &[u8], line: &HostsLine, glibc: Glibc) -> Option<Finding> {
    let (other, versions) = match glibc {
        Glibc::V2_31 => (Glibc::V2_33, "2.33 and later"),
        Glibc::V2_33 => (Glibc::V2_31, "2.31 and 2.32"),
    };
    let there = match read(file, other) {
        Reading::Line(other) => other.services_text(file),
        Reading::Default => DEFAULT.into(),
        Reading::Broken(_) => "nothing, because a mistake makes every lookup fail".into(),
    };
    if line.services.is_empty() || there == line.services_text(file) {
        return None;
    }
    let has_comment = file.get(line.span.clone()).is_some_and(|line| line.contains(&b'#'));
    Some(note(if has_comment {
        "glibc 2.33 and later take # and what follows for services: put the comment on a line of its own".into()
    } else {
        format!("glibc {versions} would ask: {there}")
    }))
}

impl HostsLine {
    /// The services with their actions, separated by single spaces.
    pub fn services_text(&self, file: &[u8]) -> String {
        let services: Vec<_> = self.services.iter().map(|service| squeeze(&text(file, &service.span()))).collect();
        services.join(" ")
    }
}

/// A text with each run of white space as one space.
fn squeeze(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn findings(file: &str, system: &System<'_>) -> Vec<Finding> {
        explain(file.as_bytes(), system)
    }

    const SYSTEM: System<'static> =
        System { glibc: Glibc::V2_33, path: "/etc/nsswitch.conf", is_authselects: false, is_installed: &|_| true };

    fn of_kind(findings: &[Finding], kind: Kind) -> Vec<&str> {
        findings.iter().filter(|finding| finding.kind == kind).map(|finding| &*finding.text).collect()
    }

    /// Hosts lines, each with the kind of the finding, its text, and the line that it proposes.
    #[rustfmt::skip]
    const LINES: &[(&str, Kind, &str, &str)] = &[
        ("files mdns4_minimal [NOTFOUND=return] dns", Kind::Information, "", ""),
        ("files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", Kind::Information, "", ""),
        ("mdns_minimal\t[NOTFOUND=return] files  dns mdns", Kind::Information, "", ""),
        ("files mdns_minimal [NOTFOUND=return] dns # last", Kind::Note,
            "glibc 2.33 and later take # and what follows for services: put the comment on a line of its own", ""),
        ("files mdns", Kind::Information, "", ""),
        ("files [SUCCESS=return NOTFOUND=continue] mdns6_minimal [ notfound = RETURN ] dns", Kind::Information, "", ""),
        ("files myhostname mymachines mdns_minimal [!SUCCESS=return]", Kind::Information, "", ""),
        ("files mdns4_minimal [NOTFOUND=return] dns mdns", Kind::Information, "", ""),
        ("files mdns_minimal dns", Kind::Note, "if no host has a .local name, glibc asks dns; if that does not serve .local, write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files mdns4 [NOTFOUND=return] dns", Kind::Note,
            "mdns4 [NOTFOUND=return] also keeps glibc from asking the next service for the names of addresses on the link; mdns4_minimal does not", ""),
        ("files mdns6_minimal mdns4_minimal [NOTFOUND=return] dns", Kind::Note,
            "a program that asks for both families gets IPv6 addresses only, because glibc asks mdns4_minimal only if mdns6_minimal has none: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files dns", Kind::Problem, "none of the module's services is on the line: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files myhostname", Kind::Problem, "none of the module's services is on the line: write",
            "files myhostname mdns_minimal [NOTFOUND=return]"),
        ("", Kind::Problem, "the line names no service, which crashes programs with glibc 2.33 and later: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files resolve [!UNAVAIL=return] mdns4_minimal [NOTFOUND=return] dns", Kind::Problem,
            "resolve [!UNAVAIL=return] ends the search for .local names, so glibc never asks mdns4_minimal: write",
            "files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns"),
        ("files resolve [NOTFOUND=return] mdns_minimal [NOTFOUND=return]", Kind::Problem,
            "resolve [NOTFOUND=return] ends the search for .local names, so glibc never asks mdns_minimal: write",
            "files mdns_minimal [NOTFOUND=return] resolve [NOTFOUND=return]"),
        ("resolve mdns_minimal", Kind::Problem, "glibc asks resolve for .local names before mdns_minimal: it rarely knows them, and may take seconds: write",
            "mdns_minimal [NOTFOUND=return] resolve"),
        ("files dns mdns", Kind::Problem, "glibc asks dns for .local names before mdns: it rarely knows them, and may take seconds: write",
            "files mdns_minimal [NOTFOUND=return] dns mdns"),
        ("files dns [NOTFOUND=return] mdns4", Kind::Problem, "dns [NOTFOUND=return] ends the search for .local names, so glibc never asks mdns4: write",
            "files mdns4_minimal [NOTFOUND=return] dns [NOTFOUND=return] mdns4"),
        ("files [NOTFOUND=return] mdns6_minimal", Kind::Problem, "files [NOTFOUND=return] ends the search for .local names, so glibc never asks mdns6_minimal: write",
            "files mdns6_minimal [NOTFOUND=return]"),
        ("files [!SUCCESS=return] mdns dns", Kind::Problem, "files [!SUCCESS=return] ends the search for .local names, so glibc never asks mdns: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("wins [SUCCESS=return NOTFOUND=return] mdns_minimal", Kind::Problem,
            "wins [SUCCESS=return NOTFOUND=return] ends the search for .local names, so glibc never asks mdns_minimal: write",
            "mdns_minimal [NOTFOUND=return] wins [SUCCESS=return NOTFOUND=return]"),
        ("files mdns_minimal [!SUCCESS=return] dns", Kind::Problem, "mdns_minimal [!SUCCESS=return] also ends the search for all names outside .local: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files mdns [UNAVAIL=return] dns", Kind::Problem, "mdns [UNAVAIL=return] also ends the search for all names outside .local: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files mdns_minimal [SUCCESS=continue] dns", Kind::Problem, "mdns_minimal [SUCCESS=continue] discards the addresses that it finds: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files mdns6_minimal [NOTFOUND=return] mdns4_minimal [NOTFOUND=return] dns", Kind::Problem,
            "mdns6_minimal [NOTFOUND=return] ends the search for programs that want IPv4 addresses only, and for hosts that have no IPv6 address, so glibc never asks mdns4_minimal for them: write",
            "files mdns_minimal [NOTFOUND=return] dns"),
        ("files mdns6_minimal [NOTFOUND=return] dns mdns4_minimal mdns4", Kind::Problem,
            "mdns6_minimal [NOTFOUND=return] ends the search for programs that want IPv4 addresses only, and for hosts that have no IPv6 address, so glibc never asks mdns4_minimal for them: write",
            "files mdns_minimal [NOTFOUND=return] dns mdns4"),
        ("files mdns4_minimal [NOTFOUND=return] mdns6_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns", Kind::Problem,
            "mdns4_minimal [NOTFOUND=return] ends the search for programs that want IPv6 addresses only, and for hosts that have no IPv4 address, so glibc never asks mdns6_minimal for them: write",
            "files mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns"),
    ];

    #[test]
    fn what_is_wrong_is_said_and_the_line_to_write_has_nothing_wrong() {
        for (line, kind, sentence, instead) in LINES {
            let found = findings(&format!("hosts: {line}\n"), &SYSTEM);
            let instead = if instead.is_empty() { String::new() } else { format!("hosts: {instead}") };
            let separator = if instead.is_empty() { "" } else { ": " };
            for other in [Kind::Note, Kind::Problem] {
                let wanted = if *kind == other { vec![format!("{sentence}{separator}{instead}")] } else { Vec::new() };
                assert_eq!(of_kind(&found, other), wanted, "{line}");
            }
            if !instead.is_empty() {
                let found = findings(&format!("{instead}\n"), &SYSTEM);
                assert_eq!(of_kind(&found, Kind::Problem), Vec::<&str>::new(), "{instead}");
            }
        }
    }

    #[test]
    fn each_service_is_explained_in_order() {
        let found = findings("# mine\nhosts:\tfiles mdns4_minimal [NOTFOUND=return]  dns mdns4\n", &SYSTEM);
        assert_eq!(
            of_kind(&found, Kind::Information),
            [
                "line 2 of /etc/nsswitch.conf is: hosts: files mdns4_minimal [NOTFOUND=return] dns mdns4",
                "1. files: the names in /etc/hosts",
                "2. mdns4_minimal [NOTFOUND=return]: this module: .local names of two labels, link-local addresses; \
                 IPv4; if no host has the name, the search ends here",
                "3. dns: the DNS servers of /etc/resolv.conf",
                "4. mdns4: this module: names that /etc/mdns.allow admits, without it .local names of two labels, \
                 addresses on the link; IPv4",
                "for a .local name that no host has, glibc asks files, mdns4_minimal, then reports that it does not exist",
                "hosts that have only IPv6 addresses are not found under .local",
            ]
        );
    }

    #[test]
    fn a_line_without_files_or_with_files_last_has_a_limit() {
        let limits = |line: &str| {
            let found = findings(&format!("hosts: {line}\n"), &SYSTEM);
            of_kind(&found, Kind::Information).last().map(|text| (*text).to_owned()).unwrap_or_default()
        };
        assert_eq!(limits("mdns_minimal dns"), "files is not on the line, so the names in /etc/hosts are not found");
        assert_eq!(
            limits("mdns_minimal [NOTFOUND=return] files dns"),
            "files comes after the module, so .local names in /etc/hosts are not found"
        );
    }

    #[test]
    fn a_service_without_a_library_is_passed_over() {
        let missing = |names: &'static [&'static str], line: &str| {
            let is_installed = |name: &str| !names.contains(&name);
            let found = findings(&format!("hosts: {line}\n"), &System { is_installed: &is_installed, ..SYSTEM });
            found.into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n")
        };
        let said = missing(&["wins"], "files wins mdns_minimal [NOTFOUND=return] dns");
        assert!(said.contains("2. wins: NetBIOS names, by Samba; glibc asks it for .local names too; libnss_wins.so.2 is not installed, so glibc skips it\n"), "{said}");
        let said = missing(&["resolve"], "files mdns_minimal resolve [UNAVAIL=return] dns");
        assert!(
            said.contains("resolve [UNAVAIL=return] ends every search, because the service is not installed"),
            "{said}"
        );
        let said = missing(&["mdns_minimal"], "files mdns_minimal [NOTFOUND=return] dns");
        assert!(said.contains("libnss_mdns_minimal.so.2 is not installed: install the module again"), "{said}");
        assert!(
            said.contains(
                "for a .local name that no host has, glibc asks files, dns, then reports that it does not exist"
            ),
            "{said}"
        );
    }

    /// Files with a problem that is not one of the order of the services.
    #[rustfmt::skip]
    const FILES: &[(&str, &str)] = &[
        ("passwd: files\n", "/etc/nsswitch.conf has no hosts line, and asks files dns (before glibc 2.35: dns [!UNAVAIL=return] files); write one line: hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ("hosts: files mdns_minimal", "/etc/nsswitch.conf:1: no newline ends the hosts line, so glibc 2.33 and later do not read it, and asks files dns (before glibc 2.35: dns [!UNAVAIL=return] files); write one line: hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ("hosts: dns\nhosts mdns\n", "/etc/nsswitch.conf: it has more than one hosts line (lines 1, 2): glibc uses the last one; keep line 2 only"),
        ("hosts: mdns [NOTFOUND=halt]\n", "/etc/nsswitch.conf: line 1: expected return, continue or merge, found \"halt]\"; because of this, glibc 2.33 and later read nothing of the file"),
        ("group: files [x]\nhosts: mdns\n", "/etc/nsswitch.conf: line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"x]\"; because of this, glibc 2.33 and later read nothing of the file"),
        ("hosts: mdns [SUCCESS=return] [NOTFOUND=return] dns\n", "/etc/nsswitch.conf: line 1: expected the name of a service, which one pair of brackets at most may follow, found \"[NOTFOUND=return]\"; glibc reads no further than this"),
        ("hosts: mdns_minimal [NOTFOUND=merge] dns\n", "mdns_minimal [NOTFOUND=merge]: glibc cannot merge hosts, and since 2.36 the lookup fails: write return or continue"),
        ("hosts: files mdns \\\n dns\n", "/etc/nsswitch.conf: line 1: \"\\\" on its hosts line is neither a service nor an action"),
        ("hosts: mdns\0 dns\n", "/etc/nsswitch.conf: it holds NUL bytes"),
    ];

    #[test]
    fn problems_of_the_file_are_reported() {
        for (file, expected) in FILES {
            assert_eq!(of_kind(&findings(file, &SYSTEM), Kind::Problem), [*expected], "{file:?}");
        }
    }

    #[test]
    fn glibc_2_31_does_not_use_a_line_without_services() {
        let old = System { glibc: Glibc::V2_31, ..SYSTEM };
        let found = findings("hosts:\n", &old);
        let expected = "/etc/nsswitch.conf:1: the hosts line names no service, so glibc does not use it, and asks ";
        assert!(of_kind(&found, Kind::Problem)[0].starts_with(expected), "{found:?}");
    }

    #[test]
    fn a_difference_between_the_parsers_is_noted() {
        let found = findings("hosts : files mdns\n", &SYSTEM);
        assert_eq!(of_kind(&found, Kind::Note), ["glibc 2.31 and 2.32 would ask: : files mdns"]);
        let old = System { glibc: Glibc::V2_31, ..SYSTEM };
        let found = findings("hosts: files mdns [x]\n", &old);
        assert_eq!(
            of_kind(&found, Kind::Note),
            ["glibc 2.33 and later would ask: nothing, because a mistake makes every lookup fail"]
        );
    }

    #[test]
    fn authselect_is_asked_instead_of_the_administrator() {
        let found = findings("hosts: files dns\n", &System { is_authselects: true, ..SYSTEM });
        assert_eq!(
            of_kind(&found, Kind::Problem),
            ["none of the module's services is on the line: authselect generates this file (features with-mdns4, \
              with-mdns6), and the line should be: hosts: files mdns_minimal [NOTFOUND=return] dns"]
        );
    }

    const NAMES: &[&str] = &[
        "files",
        "dns",
        "resolve",
        "myhostname",
        "mdns",
        "mdns4",
        "mdns6",
        "mdns_minimal",
        "mdns4_minimal",
        "mdns6_minimal",
    ];
    const ACTIONS: &[&str] = &[
        "",
        "",
        " [NOTFOUND=return]",
        " [!UNAVAIL=return]",
        " [SUCCESS=continue]",
        " [UNAVAIL=return]",
        " [!SUCCESS=return]",
    ];

    proptest! {
        #[test]
        fn the_line_to_write_has_no_problem(
            words in prop::collection::vec((prop::sample::select(NAMES), prop::sample::select(ACTIONS)), 0..7),
        ) {
            let line: String = words.iter().map(|(name, actions)| format!(" {name}{actions}")).collect();
            let found = findings(&format!("hosts:{line}\n"), &SYSTEM);
            if let Some((why, instead)) = of_kind(&found, Kind::Problem).first().and_then(|text| text.split_once(": write: ")) {
                let found = findings(&format!("{instead}\n"), &SYSTEM);
                prop_assert_eq!(of_kind(&found, Kind::Problem), Vec::<&str>::new(), "{} in{}: {}", why, line, instead);
            }
        }
    }
}
