//! Looks up names and addresses as the module does, and explains what happened, or why nothing is asked for.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use resolver_core::config::resolv_conf::LocalDomains;
use resolver_core::observer::{Exclusion, Round};
use resolver_core::policy::{self, NameRange, ReverseRange};
use resolver_core::{Answer, Families, Family, HostName, LookupError, Pointer, Resolver};

use super::hosts_file;
use super::json::Value;
use super::machine::FileReport;
use super::recorder::{Recorded, Recorder, Use, What, text_of};
use super::report::{Level, Report};
use super::story::{self, InterfaceNames, Line, enumerate, family_name};
use crate::text::printable;

/// What the lookups of names need.
pub(crate) struct Lookups {
    /// The resolver. All lookups share its cache, as those of one process do.
    pub(crate) resolver: Resolver,
    /// The file of the settings.
    pub(crate) settings: FileReport,
    /// The setting `unicast-local`.
    pub(crate) unicast_local: bool,
    /// The search domains under `.local`.
    pub(crate) domains: LocalDomains,
    /// The names of the interfaces.
    pub(crate) interfaces: InterfaceNames,
    /// Which of the services are on the hosts line.
    pub(crate) services: Services,
    /// The command that makes the services for one family return both.
    pub(crate) both_families: Option<String>,
    /// The service `files` comes before those of the module.
    pub(crate) is_files_first: bool,
    /// The hosts line or a file that glibc loads has a problem.
    pub(crate) is_glibc_impeded: bool,
}

/// Which services of the module are on the hosts line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// The families that `mdns_minimal`, `mdns4_minimal` or `mdns6_minimal` return.
    minimal: Families,
    /// The families that `mdns`, `mdns4` or `mdns6` return.
    full: Families,
}

/// Which services look up a name, if they are on the hosts line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AskedFor {
    All,
    MinimalOnly,
    FullOnly,
}

impl Services {
    /// The services of the module among these.
    pub(crate) fn among<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut services = Self::default();
        for name in names {
            let (kind, is_minimal) = match name.strip_suffix("_minimal") {
                Some(kind) => (kind, true),
                None => (name, false),
            };
            let families = match kind {
                "mdns" => Families::BOTH,
                "mdns4" => Families::only(Family::V4),
                "mdns6" => Families::only(Family::V6),
                _ => continue,
            };
            let all = if is_minimal { &mut services.minimal } else { &mut services.full };
            *all = all.union(families);
        }
        services
    }

    /// The families that programs find of a name.
    fn families(self, asked: AskedFor) -> Families {
        match asked {
            AskedFor::All => self.minimal.union(self.full),
            AskedFor::MinimalOnly => self.minimal,
            AskedFor::FullOnly => self.full,
        }
    }

    /// True if none of them is on the line.
    pub(crate) fn is_empty(self) -> bool {
        self.families(AskedFor::All).is_empty()
    }
}

/// What a lookup returned, and its events.
struct Told<T> {
    result: Result<T, LookupError>,
    events: Vec<Recorded>,
    took: Duration,
}

impl<T> Told<T> {
    fn of(lookup: impl FnOnce(&Recorder) -> Result<T, LookupError>) -> Self {
        let recorder = Recorder::new();
        let result = lookup(&recorder);
        let took = recorder.elapsed();
        Self { result, events: recorder.into_events(), took }
    }

    /// Why the service does not look up the name, if that is so.
    fn exclusion(&self) -> Option<Exclusion> {
        self.events.iter().find_map(|event| match event.what {
            What::Excluded(exclusion) => Some(exclusion),
            _ => None,
        })
    }
}

impl Lookups {
    /// Looks up a name or an address, and reports what happened.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn tell<W: Write>(&self, name: &OsStr, report: &mut Report<W>) -> io::Result<()> {
        match name.to_str().and_then(address) {
            Some(ip) => self.tell_address(ip, report),
            None => {
                self.tell_name(name.as_bytes(), report)?;
                let entry = hosts_file::entry(name.as_bytes()).filter(|_| self.is_files_first);
                let subject = format!("lookup {}", printable(name.as_bytes()));
                entry.map_or(Ok(()), |entry| report.note(&subject, entry))
            }
        }
    }

    fn tell_name<W: Write>(&self, text: &[u8], report: &mut Report<W>) -> io::Result<()> {
        let subject = &format!("lookup {}", printable(text));
        let minimal = self.host(NameRange::Local, text, Families::BOTH);
        // No family, no question: whether the full services look up the name at all.
        let full = self.host(NameRange::Allowed, text, Families::NONE);
        let is_excluded = |told: &Told<Answer>| matches!(told.result, Err(LookupError::NotOurs));
        let (told, asked) = match (is_excluded(&minimal), is_excluded(&full)) {
            (false, false) => (minimal, AskedFor::All),
            (false, true) => (minimal, AskedFor::MinimalOnly),
            (true, false) => (self.host(NameRange::Allowed, text, Families::BOTH), AskedFor::FullOnly),
            (true, true) => {
                let (level, reason, remedy) = self.why_not_asked(text, &minimal, &full);
                report.finding(subject, level, reason, remedy)?;
                return report.story(&[], self.json(text, Value::Null, &minimal));
            }
        };
        let name = printable(text);
        let time = milliseconds(told.took);
        let direct = self.direct();
        let suffix = match asked {
            AskedFor::All => "",
            AskedFor::MinimalOnly => "; by the minimal services only",
            AskedFor::FullOnly => "; by the full services only",
        };
        match &told.result {
            Ok(answer) => {
                let addresses: Vec<_> = self.addresses(answer);
                report.good(subject, format!("{} ({time}{suffix}{direct})", addresses.join(", ")))?;
            }
            Err(LookupError::NoResponse) => {
                let asked = enumerate(self.asked_on(&told.events).into_iter());
                let on = if asked.is_empty() { String::new() } else { format!(" on {asked}") };
                let text = format!(
                    "nobody responded{on} ({time}{suffix}): no host there has this name; or it is off, or on another \
                     link, or a firewall drops the queries or its responses"
                );
                report.bad(subject, text)?;
                let text = "a firewall here may drop responses (UDP source port 5353): that can be tested only if a host \
                            responds";
                report.note(subject, text)?;
            }
            Err(error) => report.bad(subject, format!("{error} ({time}{suffix})"))?,
        }
        let answer = told.result.as_ref().ok().map(|answer| self.answer_json(answer));
        let mut lines = story::lines(&name, &told.events, &self.interfaces);
        if !lines.is_empty() && matches!(told.result, Err(LookupError::NoResponse | LookupError::LeftToDns)) {
            lines.push(Line { at: Some(told.took), text: "gave up".into() });
        }
        report.story(&lines, self.json(text, answer.into(), &told))?;
        if let (Ok(_), Some(text)) = (&told.result, late_answer(&told.events)) {
            report.note(subject, text)?;
        }
        self.service_problems(subject, asked, &told, report)
    }

    /// Looks up a name by the services of a range.
    fn host(&self, range: NameRange, text: &[u8], wanted: Families) -> Told<Answer> {
        Told::of(|recorder| {
            let host = range.host_name(text)?;
            self.resolver.observed_lookup(&host, range, wanted, recorder)
        })
    }

    /// Reports a service or a family that the hosts line lacks for a name that was found.
    fn service_problems<W: Write>(
        &self,
        subject: &str,
        asked: AskedFor,
        told: &Told<Answer>,
        report: &mut Report<W>,
    ) -> io::Result<()> {
        if self.services.is_empty() {
            return Ok(());
        }
        let families = self.services.families(asked);
        if families.is_empty() {
            let (present, service) =
                if asked == AskedFor::FullOnly { ("minimal", "mdns") } else { ("full", "mdns_minimal") };
            let text =
                format!("the hosts line has only {present} services, which do not look it up: programs do not find it");
            let command = format!("sudo nss-mdns hosts add --service {service}");
            return report.finding(subject, Level::Problem, text, Some(command));
        }
        let Ok(answer) = &told.result else { return Ok(()) };
        if families.iter().any(|family| answer.has(family)) {
            return Ok(());
        }
        let families: Vec<_> = families.iter().map(family_name).collect();
        let text = format!(
            "the services on the hosts line that look it up return only {} addresses, and it has none",
            families.join(" and ")
        );
        report.finding(subject, Level::Problem, text, self.both_families.clone())
    }

    /// Why no service looks up a name, and what would change that.
    fn why_not_asked(
        &self,
        text: &[u8],
        minimal: &Told<Answer>,
        full: &Told<Answer>,
    ) -> (Level, String, Option<String>) {
        let host = NameRange::Local.host_name(text);
        let has_labels = minimal.exclusion() == Some(Exclusion::Labels);
        let domain = host.as_ref().ok().and_then(|host| self.domains.domain_of(&host.name));
        if let Some(domain) = domain.filter(|_| self.unicast_local) {
            let domain = printable(domain);
            let labels = if has_labels { "labels = any and " } else { "" };
            let text = format!(
                "left to DNS, and not asked for on the link: {domain} is a search domain in /etc/resolv.conf; \
                 {labels}unicast-local = off in /etc/nss-mdns.conf would change that"
            );
            return (Level::Good, text, None);
        }
        let labels = if has_labels { host.map_or(0, |host: HostName| host.name.labels().count()) } else { 0 };
        if labels > 0 {
            let name = HostName::from_text(text).map(|host| text_of(&host.name)).unwrap_or_default();
            let domain = name.split_once('.').map_or("", |(_, domain)| domain);
            let text = format!(
                "not asked for: it has {labels} labels, and only names of 2 are asked for (the setting labels), because \
                 others usually belong to sites that serve .local by DNS; to change that, set labels = any in \
                 /etc/nss-mdns.conf, or add .{domain} to /etc/mdns.allow for the services mdns, mdns4 and mdns6"
            );
            return (Level::Problem, text, Some(self.settings.set_command("labels", "any")));
        }
        let outside = |text: &str| (Level::Problem, text.to_owned(), None);
        match () {
            () if full.exclusion() == Some(Exclusion::NotListed) => outside(
                "not asked for: it is not under .local, and /etc/mdns.allow lists no suffix of it (only the services \
                 mdns, mdns4 and mdns6 read that file)",
            ),
            () if policy::is_local(text) => outside(
                "not asked for: an escape in it stands for a character that programs do not accept in the name of a host",
            ),
            () if !text.contains(&b'.') => {
                let name = printable(text);
                outside(&format!(
                    "not asked for: names without a dot are left to other services; write {name}.local (search domains \
                     apply only to DNS)"
                ))
            }
            () => outside(
                "not asked for: it is not under .local; the services mdns, mdns4 and mdns6 also look up the domains that \
                 /etc/mdns.allow lists",
            ),
        }
    }

    fn tell_address<W: Write>(&self, ip: IpAddr, report: &mut Report<W>) -> io::Result<()> {
        let subject = &format!("lookup {ip}");
        let told: Told<Pointer> =
            Told::of(|recorder| self.resolver.observed_reverse(ReverseRange::OnLink.address(ip)?, recorder));
        let is_for_minimal = ReverseRange::LinkLocal.may_contain(ip);
        let suffix = if is_for_minimal { "" } else { "; by the full services only" };
        let time = milliseconds(told.took);
        match &told.result {
            Ok(pointer) => {
                report.good(subject, format!("{} ({time}{suffix}{})", text_of(&pointer.name), self.direct()))?;
                if !is_for_minimal && !self.services.minimal.is_empty() && self.services.full.is_empty() {
                    let text = "the hosts line has only minimal services, which look up the names of link-local addresses only";
                    report.note(subject, text)?;
                }
            }
            Err(LookupError::NotOurs) => {
                let text =
                    "not asked for: it is in no prefix of a queried interface, or the setting reverse excludes it";
                report.bad(subject, text)?;
            }
            Err(error) => report.bad(subject, format!("{error} ({time}{suffix})"))?,
        }
        let name = told.result.as_ref().ok().map(|pointer| text_of(&pointer.name));
        let lines = story::lines(&reverse_name(&told.events), &told.events, &self.interfaces);
        let text = ip.to_string();
        report.story(&lines, self.json(text.as_bytes(), name.into(), &told))
    }

    /// What to add to a result that programs may not get.
    fn direct(&self) -> &'static str {
        if self.is_glibc_impeded { "; asked directly, not through glibc" } else { "" }
    }

    /// The interfaces on which queries were sent, in the order of the first on each.
    fn asked_on(&self, events: &[Recorded]) -> Vec<String> {
        let mut names = Vec::new();
        for event in events {
            match &event.what {
                What::Sent(query) if query.error.is_none() => {
                    let name = self.interfaces.get(query.interface);
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn addresses(&self, answer: &Answer) -> Vec<String> {
        answer.addresses.iter().map(|address| self.interfaces.address(address.ip, address.interface)).collect()
    }

    fn answer_json(&self, answer: &Answer) -> Value {
        let names = |families: Families| Value::list(families.iter().map(family_name));
        Value::object([
            ("canonical", text_of(&answer.canonical).into()),
            ("addresses", Value::list(self.addresses(answer))),
            ("ttl_ms", Value::Milliseconds(answer.ttl(Instant::now()).as_secs_f64() * 1000.0)),
            ("absent", names(answer.absent)),
            ("unknown", names(answer.unknown.families)),
        ])
    }

    fn json<T>(&self, name: &[u8], answer: Value, told: &Told<T>) -> Value {
        Value::object([
            ("name", printable(name).into()),
            ("ms", Value::Milliseconds(told.took.as_secs_f64() * 1000.0)),
            ("answer", answer),
            ("error", told.result.as_ref().err().map(ToString::to_string).into()),
            ("events", story::to_json(&told.events, &self.interfaces)),
        ])
    }
}

/// The address that a text stands for. The interface after a `%` is not needed: all of them are asked.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((ip, _)) => ip.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// What is to be said if the first addresses arrived only after a later round of questions than the first. The neighbours
/// are asked so early that a host may just have been slow.
fn late_answer(events: &[Recorded]) -> Option<&'static str> {
    let is_answer = |event: &Recorded| match &event.what {
        What::Received(packet) => packet.uses.iter().any(|taken| matches!(taken, Use::Provided(_))),
        _ => false,
    };
    let before = events.get(..events.iter().position(is_answer)?)?;
    let has = |wanted| before.iter().any(|event| matches!(event.what, What::Round(round) if round == wanted));
    if has(Round::Repeat) {
        return Some(
            "no response to the first questions arrived: a firewall on this machine or on the host drops them, or packets \
             are lost",
        );
    }
    has(Round::Neighbours).then_some(
        "the response came after a direct question: if it always does, a firewall on this machine or on the host drops the \
         responses to the first questions, which costs lookups a few milliseconds",
    )
}

/// The name in reverse notation that a lookup of an address asked for.
fn reverse_name(events: &[Recorded]) -> String {
    let name = events.iter().find_map(|event| match &event.what {
        What::Sent(query) => Some(query.name.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_only_some_services_look_up_is_found_with_their_families_only() {
        let services = Services::among(["files", "mdns4_minimal", "dns", "mdns6"]);
        assert_eq!(services.families(AskedFor::All), Families::BOTH);
        assert_eq!(services.families(AskedFor::MinimalOnly), Families::only(Family::V4));
        assert_eq!(services.families(AskedFor::FullOnly), Families::only(Family::V6));
        assert!(Services::among(["files", "dns", "mdns4_minimal_not"]).is_empty());
        assert!(Services::among(["mdns"]).families(AskedFor::MinimalOnly).is_empty());
    }

    #[test]
    fn an_address_may_name_its_interface() {
        assert_eq!(address("fe80::1%eth0"), Some("fe80::1".parse().unwrap()));
        assert_eq!(address("10.0.0.1"), Some("10.0.0.1".parse().unwrap()));
        assert_eq!((address("10.0.0.1%eth0"), address("a%b.local"), address("")), (None, None, None));
    }
}
