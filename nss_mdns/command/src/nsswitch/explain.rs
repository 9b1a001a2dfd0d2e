//! What happens to a lookup on the hosts line: each service in glibc's order, where a `.local` name ends, and what keeps
//! names from resolving, with the line to write instead.

use super::change::{Refusal, hosts_lines};
use super::{Action, DEFAULT, Glibc, HostsLine, Reading, SERVICES, Status, read, text};

/// The services of a line that suits most machines.
const USUAL: &str = "files mdns_minimal [NOTFOUND=return] dns";

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
    let mut findings = Vec::new();
    let path = system.path;
    if file.contains(&0) {
        let text = format!("{path} holds NUL bytes, and glibc reads no further than them in a line: remove them");
        findings.push(Finding { kind: Kind::Problem, text });
    }
    let numbers = hosts_lines(file);
    if numbers.len() > 1 {
        let text = format!("{path}: {}", Refusal::SeveralHostsLines(numbers));
        findings.push(Finding { kind: Kind::Problem, text });
    }
    match read(file, system.glibc) {
        Reading::Broken(mistake) => {
            let found = text(file, &mistake.found);
            let text = format!("{path}: {}", Refusal::Broken(mistake, found));
            findings.push(Finding { kind: Kind::Problem, text });
        }
        Reading::Default => findings.push(no_hosts_line(file, system)),
        Reading::Line(line) => {
            let shown = squeeze(&text(file, &line.span));
            let text = format!("line {} of {path} is: {shown}", line.number);
            findings.push(Finding { kind: Kind::Information, text });
            findings.extend(Judge::new(file, &line, system).findings());
            findings.extend(early_end(file, &line, path));
            findings.extend(other_reading(file, &line, system.glibc));
        }
    }
    findings
}

fn no_hosts_line(file: &[u8], system: &System<'_>) -> Finding {
    let path = system.path;
    let why = match hosts_lines(file).last() {
        Some(number) => {
            format!("{path}:{number}: no newline ends the hosts line, so glibc 2.33 and later do not read it")
        }
        None => format!("{path} has no hosts line"),
    };
    let text = format!("{why}, and asks {DEFAULT}; write one line: hosts: {USUAL}");
    Finding { kind: Kind::Problem, text }
}

/// What glibc does not read, although it reports nothing.
fn early_end(file: &[u8], line: &HostsLine, path: &str) -> Option<Finding> {
    let mistake = line.end.as_ref()?;
    let found = text(file, &mistake.found);
    let why = Refusal::Mistake(mistake.clone(), found);
    Some(Finding { kind: Kind::Problem, text: format!("{path}: {why}; glibc reads no further than this") })
}

/// What glibc's other parser makes of the file, if that is something else.
fn other_reading(file: &[u8], line: &HostsLine, glibc: Glibc) -> Option<Finding> {
    let (other, versions) = match glibc {
        Glibc::V2_31 => (Glibc::V2_33, "2.33 and later"),
        Glibc::V2_33 => (Glibc::V2_31, "2.31 and 2.32"),
    };
    let services = |line: &HostsLine| {
        let services: Vec<_> = line.services.iter().map(|service| squeeze(&text(file, &service.span()))).collect();
        services.join(" ")
    };
    let there = match read(file, other) {
        Reading::Line(other) => services(&other),
        Reading::Default => DEFAULT.into(),
        Reading::Broken(_) => "nothing, because a mistake makes every lookup fail".into(),
    };
    if line.services.is_empty() || there == services(line) {
        return None;
    }
    let text = if file.get(line.span.clone()).is_some_and(|line| line.contains(&b'#')) {
        "glibc 2.33 and later take # and what follows for services: put the comment on a line of its own".into()
    } else {
        format!("glibc {versions} would ask: {there}")
    };
    Some(Finding { kind: Kind::Note, text })
}

/// A text with each run of white space as one space.
fn squeeze(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// A service of the line.
struct Asked {
    name: String,
    /// The actions in brackets, with a space before them; empty if there are none.
    brackets: String,
    actions: super::Actions,
}

impl Asked {
    fn ends(&self, status: Status) -> bool {
        self.actions.ends(status)
    }

    fn is_ours(&self) -> bool {
        SERVICES.contains(&self.name.as_str())
    }

    fn is_minimal(&self) -> bool {
        self.name.ends_with("_minimal")
    }

    fn asks_dns(&self) -> bool {
        matches!(self.name.as_str(), "dns" | "resolve")
    }

    fn shown(&self) -> String {
        format!("{}{}", self.name, self.brackets)
    }

    /// Of a service of the module.
    fn family(&self) -> &'static str {
        if self.name.contains('4') {
            "IPv4"
        } else if self.name.contains('6') {
            "IPv6"
        } else {
            "IPv4 and IPv6"
        }
    }

    /// Whether it has addresses of a family that the other has not.
    fn adds_family_to(&self, other: &Asked) -> bool {
        other.family() != "IPv4 and IPv6" && self.family() != other.family()
    }

    fn what(&self) -> String {
        let known = match self.name.as_str() {
            "files" => "the names in /etc/hosts",
            "dns" => "the DNS servers of /etc/resolv.conf",
            "resolve" => "systemd-resolved",
            "myhostname" => "the name of this machine",
            "mymachines" => "containers of systemd-machined",
            "libvirt" | "libvirt_guest" => "virtual machines of libvirt",
            "wins" => "NetBIOS names, by Samba; glibc asks it for .local names too",
            "nis" => "NIS; glibc asks it for .local names too",
            "sss" => "sssd",
            _ if !self.is_ours() => "another service",
            _ if self.is_minimal() => {
                return format!("this module: .local names of two labels, link-local addresses; {}", self.family());
            }
            _ => {
                return format!(
                    "this module: names that /etc/mdns.allow admits, without it .local names of two labels, addresses \
                     on the link; {}",
                    self.family()
                );
            }
        };
        known.into()
    }
}

/// Explains the services of one line.
struct Judge<'a> {
    system: &'a System<'a>,
    services: Vec<Asked>,
    /// The first service of the module.
    first: Option<usize>,
}

impl<'a> Judge<'a> {
    fn new(file: &[u8], line: &HostsLine, system: &'a System<'a>) -> Judge<'a> {
        let asked = |service: &super::Service| Asked {
            name: text(file, &service.name),
            brackets: service
                .brackets
                .as_ref()
                .map(|span| format!(" {}", squeeze(&text(file, span))))
                .unwrap_or_default(),
            actions: service.actions,
        };
        let services: Vec<_> = line.services.iter().map(asked).collect();
        let first = services.iter().position(Asked::is_ours);
        Judge { system, services, first }
    }

    fn findings(&self) -> Vec<Finding> {
        let information = |text| Finding { kind: Kind::Information, text };
        let mut findings: Vec<_> = (0..self.services.len()).map(|index| information(self.service(index))).collect();
        findings.extend(self.way_of_a_local_name().map(information));
        findings.extend(self.limits().into_iter().map(information));
        findings.extend(self.missing_libraries());
        findings.extend(self.merge());
        findings.extend(self.verdict());
        findings
    }

    /// One service: what it knows, and what becomes of a `.local` name that it does not know.
    fn service(&self, index: usize) -> String {
        let Some(service) = self.services.get(index) else { return String::new() };
        let name = &service.name;
        let line = format!("{}. {}: {}", index + 1, service.shown(), service.what());
        if !(self.system.is_installed)(name) {
            format!("{line}; libnss_{name}.so.2 is not installed, so glibc skips it")
        } else if !service.is_ours() || index + 1 == self.services.len() {
            line
        } else if service.ends(Status::NotFound) {
            format!("{line}; if no host has the name, the search ends here")
        } else {
            format!("{line}; if no host has the name, glibc asks the next service")
        }
    }

    /// The services that are asked for a `.local` name that none of them has.
    fn way_of_a_local_name(&self) -> Option<String> {
        self.first?;
        let is_installed = |service: &Asked| (self.system.is_installed)(&service.name);
        let status = |service: &Asked| if is_installed(service) { Status::NotFound } else { Status::Unavail };
        let end = self.services.iter().position(|service| service.ends(status(service)));
        let asked = end.and_then(|end| self.services.get(..=end)).unwrap_or(&self.services);
        let names: Vec<_> =
            asked.iter().filter(|service| is_installed(service)).map(|service| &*service.name).collect();
        Some(format!(
            "for a .local name that no host has, glibc asks {}, then reports that it does not exist",
            names.join(", ")
        ))
    }

    /// What this line cannot do, whether or not that is intended.
    fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        let files = self.services.iter().position(|service| service.name == "files");
        match (files, self.first) {
            (None, _) => limits.push("files is not on the line, so the names in /etc/hosts are not found".into()),
            (Some(files), Some(first)) if first < files && self.ends_at(first, Status::NotFound) => {
                limits.push("files comes after the module, so .local names in /etc/hosts are not found".into());
            }
            _ => {}
        }
        let Some(first) = self.first() else { return limits };
        let has_both = self.services.iter().any(|service| service.is_ours() && service.adds_family_to(first));
        match first.family() {
            _ if has_both => {}
            "IPv4" => limits.push("hosts that have only IPv6 addresses are not found under .local".into()),
            "IPv6" => limits.push("hosts that have only IPv4 addresses are not found under .local".into()),
            _ => {}
        }
        limits
    }

    fn missing_libraries(&self) -> Option<Finding> {
        let missing = |service: &&Asked| !(self.system.is_installed)(&service.name);
        let ends = self.services.iter().filter(missing).find(|service| service.ends(Status::Unavail));
        let ours = self.services.iter().filter(missing).find(|service| service.is_ours());
        let text = match (ends, ours) {
            (Some(service), _) => {
                format!("{} ends every search, because the service is not installed", service.shown())
            }
            (None, Some(service)) => format!("libnss_{}.so.2 is not installed: install the module again", service.name),
            (None, None) => return None,
        };
        Some(Finding { kind: Kind::Problem, text })
    }

    /// Merging is for the group database.
    fn merge(&self) -> Option<Finding> {
        let merges =
            |service: &&Asked| Status::ALL.iter().any(|status| service.actions.after(*status) == Action::Merge);
        let shown = self.services.iter().find(merges)?.shown();
        let text =
            format!("{shown}: glibc cannot merge hosts, and since 2.36 the lookup fails: write return or continue");
        Some(Finding { kind: Kind::Problem, text })
    }

    /// What is wrong with the order of the services, and what to write. One finding: mending it may mend others.
    fn verdict(&self) -> Option<Finding> {
        let problem = |why: String| {
            let text = format!("{why}: {}", self.advice(&self.wanted()));
            Some(Finding { kind: Kind::Problem, text })
        };
        if self.services.is_empty() {
            return problem("the line names no service, which crashes programs with glibc 2.33 and later".into());
        }
        let (Some(index), Some(first)) = (self.first, self.first()) else {
            return problem("none of the module's services is on the line".into());
        };
        if let Some(why) = self.obstacle_before(index, first) {
            return problem(why);
        }
        if let Some(why) = self.family_never_asked(index, first) {
            return problem(why);
        }
        let next = self.services.get(index + 1)?;
        let shown = first.shown();
        if first.actions.after(Status::Success) != Action::Return {
            return problem(format!("{shown} discards the addresses that it finds"));
        }
        if first.ends(Status::Unavail) {
            return problem(format!("{shown} also ends the search for all names outside .local"));
        }
        if first.ends(Status::NotFound) && !first.is_minimal() {
            let text = format!(
                "{shown} also keeps glibc from asking the next service for the names of addresses on the link; {}_minimal does not",
                first.name
            );
            return Some(Finding { kind: Kind::Note, text });
        }
        if first.ends(Status::NotFound) {
            return None;
        }
        let text = if next.is_ours() && next.adds_family_to(first) {
            format!(
                "a program that asks for both families gets {} addresses only, because glibc asks {} only if {} has none: {}",
                first.family(),
                next.name,
                first.name,
                self.advice(&self.wanted())
            )
        } else {
            format!(
                "if no host has a .local name, glibc asks {}; if that does not serve .local, {}",
                next.name,
                self.advice(&self.wanted())
            )
        };
        Some(Finding { kind: Kind::Note, text })
    }

    fn first(&self) -> Option<&Asked> {
        self.services.get(self.first?)
    }

    fn ends_at(&self, index: usize, status: Status) -> bool {
        self.services.get(index).is_some_and(|service| service.ends(status))
    }

    /// A service before the first one of the module that keeps `.local` names from it, or holds them up.
    fn obstacle_before(&self, index: usize, first: &Asked) -> Option<String> {
        let before = self.services.get(..index)?;
        let obstacle = before.iter().find(|service| service.ends(Status::NotFound) || service.asks_dns())?;
        let (shown, name) = (obstacle.shown(), &first.name);
        Some(if obstacle.ends(Status::NotFound) {
            format!("{shown} ends the search for .local names, so glibc never asks {name}")
        } else {
            format!(
                "glibc asks {} for .local names before {name}: it rarely knows them, and may take seconds",
                obstacle.name
            )
        })
    }

    /// A service for one family reports NOTFOUND to a program that wants the other one.
    fn family_never_asked(&self, index: usize, first: &Asked) -> Option<String> {
        let later = self.later_family(index, first)?;
        let other = if first.family() == "IPv4" { "IPv6" } else { "IPv4" };
        first.ends(Status::NotFound).then(|| {
            format!(
                "{} ends the search for programs that want {other} addresses only, and for hosts that have no {} \
                 address, so glibc never asks {} for them",
                first.shown(),
                first.family(),
                later.name
            )
        })
    }

    /// A later service of the module that is to have the family that the first one has not: not one behind DNS, which is
    /// there for what DNS does not know.
    fn later_family(&self, index: usize, first: &Asked) -> Option<&Asked> {
        let later = self.services.get(index + 1..)?;
        let later = later.iter().take_while(|service| !service.asks_dns());
        later.into_iter().find(|service| service.is_ours() && service.adds_family_to(first))
    }

    fn advice(&self, line: &str) -> String {
        if self.system.is_authselects {
            return format!(
                "authselect generates this file (features with-mdns4, with-mdns6), and the line should be: {line}"
            );
        }
        format!("write: {line}")
    }

    /// The line to write. A full service stays where it is, and its minimal one goes in front of whatever asks elsewhere.
    fn wanted(&self) -> String {
        if self.services.is_empty() {
            return format!("hosts: {USUAL}");
        }
        let later = self.first.zip(self.first()).and_then(|(index, first)| self.later_family(index, first));
        let place = (0..self.services.len()).find(|&index| self.is_place(index));
        let name = self.wanted_name(place, later.is_some());
        let mut words = vec!["hosts:".to_owned()];
        for (index, service) in self.services.iter().enumerate() {
            if place == Some(index) {
                words.push(format!("{name} [NOTFOUND=return]"));
            }
            let is_replaced = self.first == Some(index) && (place == Some(index) || service.name == name);
            let is_covered = later.is_some() && service.is_ours();
            if is_replaced || is_covered {
                continue;
            }
            words.push(if service.name == "files" { service.name.clone() } else { service.shown() });
        }
        if place.is_none() {
            words.push(format!("{name} [NOTFOUND=return]"));
        }
        words.join(" ")
    }

    /// Whether the module's service belongs before this one, or in its place.
    fn is_place(&self, index: usize) -> bool {
        let Some(service) = self.services.get(index) else { return false };
        let is_before_first = self.first.is_some_and(|first| index < first);
        self.first == Some(index)
            || service.asks_dns()
            || (is_before_first && service.name != "files" && service.ends(Status::NotFound))
    }

    fn wanted_name(&self, place: Option<usize>, is_for_both_families: bool) -> String {
        let Some(first) = self.first() else { return "mdns_minimal".into() };
        let is_last = place.is_none_or(|place| place + 1 == self.services.len());
        match (is_for_both_families, first.is_minimal() || !is_last) {
            (true, true) => "mdns_minimal".into(),
            (true, false) => "mdns".into(),
            (false, true) if !first.is_minimal() => format!("{}_minimal", first.name),
            (false, _) => first.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ("hosts: mdns\0 dns\n", "/etc/nsswitch.conf holds NUL bytes, and glibc reads no further than them in a line: remove them"),
    ];

    #[test]
    fn problems_of_the_file_are_reported() {
        for (file, expected) in FILES {
            assert_eq!(of_kind(&findings(file, &SYSTEM), Kind::Problem), [*expected], "{file:?}");
        }
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
}
