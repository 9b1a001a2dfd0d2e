//! Each service of the hosts line: what it knows, and what that means for a `.local` name.

use super::super::{Action, Actions, HostsLine, SERVICES, Status, text};
use super::{Finding, NOT_INSTALLED, System, correct, information, note, problem, squeeze};

/// A service of the hosts line.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: String,
    /// The actions in brackets, with a space before them; empty if there are none.
    brackets: String,
    pub(super) actions: Actions,
}

impl Service {
    pub(super) fn ends(&self, status: Status) -> bool {
        self.actions.ends(status)
    }

    pub(super) fn is_ours(&self) -> bool {
        SERVICES.contains(&self.name.as_str())
    }

    /// Of a service of the module.
    pub(super) fn is_minimal(&self) -> bool {
        self.name.ends_with("_minimal")
    }

    pub(super) fn asks_dns(&self) -> bool {
        matches!(self.name.as_str(), "dns" | "resolve")
    }

    /// The service with its actions, as on the line.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.name, self.brackets)
    }

    /// The service with its actions, which are left out if one is merge.
    pub(super) fn without_merge(&self) -> String {
        if self.merges() { self.name.clone() } else { self.shown() }
    }

    /// Only the group database can be merged.
    fn merges(&self) -> bool {
        Status::ALL.iter().any(|status| self.actions.after(*status) == Action::Merge)
    }

    /// The address families of a service of the module.
    pub(super) fn family(&self) -> &'static str {
        if self.name.contains('4') {
            "IPv4"
        } else if self.name.contains('6') {
            "IPv6"
        } else {
            "IPv4 and IPv6"
        }
    }

    /// Whether it has addresses of a family that another service of the module lacks.
    pub(super) fn adds_family_to(&self, other: &Service) -> bool {
        other.family() != "IPv4 and IPv6" && self.family() != other.family()
    }

    fn description(&self) -> String {
        match self.name.as_str() {
            "files" => "the names in /etc/hosts".into(),
            "dns" => "the DNS servers of /etc/resolv.conf".into(),
            "resolve" => "systemd-resolved".into(),
            "myhostname" => "the name of this machine".into(),
            "mymachines" => "containers of systemd-machined".into(),
            "libvirt" | "libvirt_guest" => "virtual machines of libvirt".into(),
            "wins" => "NetBIOS names, by Samba; glibc asks it for .local names too".into(),
            "nis" => "NIS; glibc asks it for .local names too".into(),
            "sss" => "sssd".into(),
            _ if !self.is_ours() => "another service".into(),
            _ if self.is_minimal() => {
                format!("this module: .local names of two labels, link-local addresses; {}", self.family())
            }
            _ => format!(
                "this module: names that /etc/mdns.allow admits, without it .local names of two labels, addresses on \
                 the link; {}",
                self.family()
            ),
        }
    }
}

/// The services of a line, in glibc's order.
pub(super) struct Services {
    pub(super) all: Vec<Service>,
    /// The index of the first one of the module.
    pub(super) first: Option<usize>,
}

impl Services {
    pub(super) fn new(file: &[u8], line: &HostsLine) -> Services {
        let service = |service: &super::super::Service| {
            let brackets = service.brackets.as_ref().map(|span| format!(" {}", squeeze(&text(file, span))));
            Service {
                name: text(file, &service.name),
                brackets: brackets.unwrap_or_default(),
                actions: service.actions,
            }
        };
        let all: Vec<_> = line.services.iter().map(service).collect();
        let first = all.iter().position(Service::is_ours);
        Services { all, first }
    }

    /// The first service of the module.
    pub(super) fn first(&self) -> Option<&Service> {
        self.all.get(self.first?)
    }

    /// The services with another name in place of this one.
    pub(super) fn renamed(&self, index: usize, name: &str) -> Services {
        let mut all = self.all.clone();
        if let Some(service) = all.get_mut(index) {
            service.name = name.into();
        }
        let first = all.iter().position(Service::is_ours);
        Services { all, first }
    }

    /// The services before a comment, which glibc 2.33 and later take for services.
    pub(super) fn without_comment(&self) -> Services {
        let all: Vec<_> = self.all.iter().take_while(|service| !service.name.starts_with('#')).cloned().collect();
        let first = all.iter().position(Service::is_ours);
        Services { all, first }
    }

    /// The index of a service that is not installed, and the one of the module that has nearly the same name.
    pub(super) fn misspelt(&self, system: &System<'_>) -> Option<(usize, &'static str)> {
        self.all.iter().enumerate().filter(|(_, service)| !service.is_ours()).find_map(|(index, service)| {
            let intended = correct::intended_service(&service.name)?;
            (!system.is_installed(&service.name)).then_some((index, intended))
        })
    }

    /// What holds for each service whatever the order.
    pub(super) fn explain(&self, system: &System<'_>) -> Vec<Finding> {
        let each = self.all.iter().enumerate().map(|(index, service)| self.explain_one(index, service, system));
        let mut findings: Vec<_> = each.map(information).collect();
        findings.extend(self.path_of_a_local_name(system).map(information));
        findings.extend(self.limits());
        findings.extend(self.missing_library(system).map(problem));
        findings.extend(self.merge().map(problem));
        findings
    }

    fn explain_one(&self, index: usize, service: &Service, system: &System<'_>) -> String {
        let name = &service.name;
        let line = format!("{}. {}: {}", index + 1, service.shown(), service.description());
        if let Some(why) = (system.why_missing)(name) {
            format!("{line}; libnss_{name}.so.2 {why}, so glibc skips it")
        } else if !service.is_ours() || index + 1 == self.all.len() {
            line
        } else if service.ends(Status::NotFound) {
            format!("{line}; if no host has the name, the search ends here")
        } else {
            format!("{line}; if no host has the name, glibc asks the next service")
        }
    }

    /// The services that glibc asks for a `.local` name that none of them has.
    fn path_of_a_local_name(&self, system: &System<'_>) -> Option<String> {
        self.first?;
        let is_installed = |service: &Service| system.is_installed(&service.name);
        let status = |service: &Service| if is_installed(service) { Status::NotFound } else { Status::Unavail };
        let end = self.all.iter().position(|service| service.ends(status(service)));
        let asked = end.and_then(|end| self.all.get(..=end)).unwrap_or(&self.all);
        let names: Vec<_> =
            asked.iter().filter(|service| is_installed(service)).map(|service| &*service.name).collect();
        if names.is_empty() {
            return Some("glibc can load none of these services, so it finds no name".into());
        }
        let names = names.join(", ");
        Some(format!("for a .local name that no host has, glibc asks {names}, then reports that it does not exist"))
    }

    /// What this line cannot do, whether or not that is intended.
    fn limits(&self) -> Vec<Finding> {
        let mut limits = Vec::new();
        let files = self.all.iter().position(|service| service.name == "files");
        let first_ends = self.first().is_some_and(|first| first.ends(Status::NotFound));
        match (files, self.first) {
            (None, Some(_)) if self.all.iter().all(Service::is_ours) => {
                let why = "no other service than the module is on the line, so programs find no name in /etc/hosts, \
                           localhost included, and no name in DNS";
                limits.push(note(why.into()));
            }
            (None, _) => {
                limits.push(information("files is not on the line, so the names in /etc/hosts are not found".into()));
            }
            (Some(files), Some(first)) if first < files && first_ends => {
                limits.push(self.late_files(first, files));
            }
            _ => {}
        }
        limits.extend(self.missing_family("IPv6").map(information));
        limits
    }

    /// The module may have to come before files because a service between them ends the search.
    fn late_files(&self, first: usize, files: usize) -> Finding {
        let mut between = self.all.iter().take(files).skip(first + 1);
        match between.find(|service| service.ends(Status::NotFound)) {
            Some(service) => note(format!(
                "files comes after the module and {}, so .local names in /etc/hosts are not found: put files first if they \
                 should be",
                service.shown()
            )),
            None => information("files comes after the module, so .local names in /etc/hosts are not found".into()),
        }
    }

    /// That hosts with addresses of this family alone are not found, if that is so.
    pub(super) fn missing_family(&self, missing: &str) -> Option<String> {
        let first = self.first()?;
        let has_both = self.all.iter().any(|service| service.is_ours() && service.adds_family_to(first));
        let other = match first.family() {
            "IPv4" => "IPv6",
            "IPv6" => "IPv4",
            _ => return None,
        };
        (!has_both && other == missing)
            .then(|| format!("hosts that have only {other} addresses are not found under .local"))
    }

    fn missing_library(&self, system: &System<'_>) -> Option<String> {
        let missing = || self.all.iter().filter(|service| !system.is_installed(&service.name));
        if let Some(service) = missing().find(|service| service.ends(Status::Unavail)) {
            let why = (system.why_missing)(&service.name).unwrap_or_default();
            let subject =
                if why == NOT_INSTALLED { "the service".into() } else { format!("libnss_{}.so.2", service.name) };
            return Some(format!("{} ends every search, because {subject} {why}", service.shown()));
        }
        let ours = missing().find(|service| service.is_ours())?;
        let why = (system.why_missing)(&ours.name).unwrap_or_default();
        let advice = if why == NOT_INSTALLED { ": install the module again" } else { "" };
        Some(format!("libnss_{}.so.2 {why}{advice}", ours.name))
    }

    fn merge(&self) -> Option<String> {
        let shown = self.all.iter().find(|service| service.merges())?.shown();
        Some(format!("{shown}: glibc cannot merge hosts, and since 2.36 the lookup fails: write return or continue"))
    }
}
