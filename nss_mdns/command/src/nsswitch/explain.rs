//! What happens to a lookup on the hosts line: each service in glibc's order, where a `.local` name ends, and what keeps
//! names from resolving, with the line to write instead.
//!
//! This file is about the line as a whole, `services` about each service, `order` about their order, `correct` about plain
//! mistakes, and `several` about files with several hosts lines.

mod correct;
mod order;
mod services;
mod several;

use super::change::{Refusal, hosts_lines, insert};
use super::{DEFAULT, Expected, Glibc, HostsLine, Mistake, Reading, found, read, text};

use self::services::Services;

/// The services of a line that suits most machines.
pub const USUAL: &str = "files mdns_minimal [NOTFOUND=return] dns";

/// Why the library of a service is missing, if there is no such file.
pub const NOT_INSTALLED: &str = "is not installed";

/// Where to change a file that makes sudo fail. It completes a sentence.
const ROOT_SHELL: &str = "in a root shell (one that is open already, su -, or a recovery console)";

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
    /// This line in place of the one with this number. Until then, sudo may fail.
    Correct(usize, String),
    /// The first of these lines, replaced by this text if there is one, and none of the others.
    KeepOne(usize, Option<String>, Vec<usize>),
    /// The features of authselect, which generates the file.
    Authselect,
    /// Permission to read the file for everybody.
    MakeReadable,
    /// This backup in place of the missing file, with the module on its hosts line.
    Restore(String),
    /// A file with this line in place of a folder, or of a symbolic link that leads nowhere, which is kept under another
    /// name.
    Replace(String),
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
    /// Why glibc cannot load the library of a service, such as "is not installed"; None if it can.
    pub why_missing: &'a dyn Fn(&str) -> Option<String>,
}

impl System<'_> {
    fn is_installed(&self, service: &str) -> bool {
        (self.why_missing)(service).is_none()
    }
}

/// Explains the hosts line of a file.
pub fn explain(file: &[u8], system: &System<'_>) -> Vec<Finding> {
    let mut findings = match read(file, system.glibc) {
        Reading::Broken(mistake) => vec![broken(file, &mistake, system)],
        Reading::Default => vec![no_hosts_line(file, system)],
        Reading::Line(line) => explain_line(file, &line, system),
    };
    let is_broken = matches!(read(file, system.glibc), Reading::Broken(_));
    if let Some(several) = several::explain(file, system) {
        // One remedy at a time: each changes the numbers of the lines, or lines that another one removes.
        let several = match read(file, system.glibc) {
            Reading::Broken(_) => Finding { remedy: None, ..several },
            Reading::Line(line) if line.services.is_empty() => {
                Finding { text: format!("{}; sudo may crash: change the file {ROOT_SHELL}", several.text), ..several }
            }
            _ => several,
        };
        findings.iter_mut().filter(|_| !is_broken).for_each(|finding| finding.remedy = None);
        findings.insert(0, several);
    }
    findings.extend(oddity(file, system).filter(|_| !findings.iter().any(|finding| finding.kind == Kind::Problem)));
    findings
}

/// A service on the hosts line that is not installed, with the service of the module that its name is near to.
pub fn misspelt(file: &[u8], system: &System<'_>) -> Option<(String, &'static str)> {
    let Reading::Line(line) = read(file, system.glibc) else { return None };
    let services = Services::new(file, &line);
    let (index, intended) = services.misspelt(system)?;
    Some((services.all.get(index)?.name.clone(), intended))
}

fn explain_line(file: &[u8], line: &HostsLine, system: &System<'_>) -> Vec<Finding> {
    let path = system.path;
    let shown = squeeze(&text(file, &line.span));
    let mut findings = vec![information(format!("line {} of {path} is: {shown}", line.number))];
    if let Some(why) = odd_word(file, line) {
        let why = format!("{path}: line {}: {why}", line.number);
        findings.push(mistaken(why, file, line.number, system));
        return findings;
    }
    if line.services.is_empty() && !system.is_authselects {
        findings.push(mistaken(order::no_service(), file, line.number, system));
        return findings;
    }
    let services = Services::new(file, line);
    findings.extend(services.explain(system));
    // What glibc does not read may change the order of the services.
    findings.extend(early_end(file, line, system).or_else(|| order::explain(&services, system)));
    // Many hosts have IPv4 addresses alone, few IPv6 addresses.
    if !findings.iter().any(|finding| finding.kind == Kind::Problem) {
        findings.extend(services.missing_family("IPv4").map(note));
    }
    findings.extend(other_reading(file, line, system.glibc));
    findings
}

/// A word on the line that is not the name of a service, and why it is there. Words of a comment are not considered.
fn odd_word(file: &[u8], line: &HostsLine) -> Option<String> {
    let start = line.span.start;
    let comment = file.get(line.span.clone())?.iter().position(|&octet| octet == b'#').map(|offset| start + offset);
    let before = line.services.iter().filter(|service| comment.is_none_or(|comment| service.name.start < comment));
    let words: Vec<_> = before.map(|service| decoded(file.get(service.name.clone()).unwrap_or_default())).collect();
    if words.is_empty() && !line.services.is_empty() {
        return Some("glibc 2.33 and later take # and what follows for services, and no other is on the line".into());
    }
    let odd: Vec<_> = words.iter().filter(|word| !word.chars().all(correct::is_plain)).collect();
    let has = |is_odd: fn(char) -> bool| odd.iter().flat_map(|word| word.chars()).find(|character| is_odd(*character));
    Some(if has(|character| character == ',').is_some() {
        "services are separated by spaces, not commas".into()
    } else if has(|character| character == ';').is_some() {
        "services are separated by spaces, not semicolons".into()
    } else if let Some(blank) = has(correct::is_foreign_blank) {
        let number = u32::from(blank);
        format!(
            "services are separated by spaces, not by the character U+{number:04X}, which looks like one or is invisible"
        )
    } else if has(correct::is_quote).is_some() {
        "the names of services are not quoted".into()
    } else if let Some(word) = odd.iter().find(|word| word.contains('#')) {
        format!("glibc 2.33 and later take # and what follows for a part of the service \"{word}\"")
    } else {
        format!("\"{}\" on its hosts line is neither a service nor an action", odd.first()?)
    })
}

/// A mistake that makes every lookup in every database fail.
fn broken(file: &[u8], mistake: &Mistake, system: &System<'_>) -> Finding {
    let why = Refusal::Broken(mistake.clone(), found(file, mistake));
    let hint = missing_bracket(file, mistake);
    let path = system.path;
    let line = line_of(file, mistake.line);
    let line = squeeze(&line);
    let database = line.split([' ', ':']).next().unwrap_or_default();
    let why = format!(
        "{path}: the {database} line is: {line}; {why}{hint}, so users and groups are not found either, and sudo and su \
         may fail: do not close a root shell before the line is corrected, and correct it {ROOT_SHELL}"
    );
    mistaken(why, file, mistake.line, system)
}

/// A finding about a line with a mistake, with the line to write if what was meant is plain.
fn mistaken(why: String, file: &[u8], number: usize, system: &System<'_>) -> Finding {
    let (line, continued) = continued_line(file, number);
    match correct::corrected(&line).filter(|_| !system.is_authselects) {
        Some(new) => {
            let new = usable(new, system);
            let text = format!("{why}: write: {new}");
            let remedy = if continued.is_empty() {
                Remedy::Correct(number, new)
            } else {
                Remedy::KeepOne(number, Some(new), continued)
            };
            Finding { remedy: Some(remedy), ..problem(text) }
        }
        None => problem(why),
    }
}

/// The line with this number, with the lines that a backslash at its end was meant to add, and their numbers. For glibc, a
/// backslash continues nothing.
fn continued_line(file: &[u8], number: usize) -> (String, Vec<usize>) {
    let mut line = line_of(file, number);
    let mut numbers = Vec::new();
    while line.trim_end().ends_with('\\') && !line.contains('#') {
        let next = number + numbers.len() + 1;
        let more = line_of(file, next);
        if more.trim().is_empty() || more.contains([':', '#']) {
            break;
        }
        line = format!("{} {more}", line.trim_end().trim_end_matches('\\'));
        numbers.push(next);
    }
    (line, numbers)
}

/// This line, or the one to write instead if it is a hosts line with other problems.
fn usable(line: String, system: &System<'_>) -> String {
    let file = format!("{line}\n");
    let Reading::Line(read) = read(file.as_bytes(), system.glibc) else { return line };
    match order::explain(&Services::new(file.as_bytes(), &read), system) {
        Some(Finding { kind: Kind::Problem, remedy: Some(Remedy::Write(new)), .. }) => new,
        _ => line,
    }
}

/// The line with this number, without its newline.
fn line_of(file: &[u8], number: usize) -> String {
    decoded(file.split(|&octet| octet == b'\n').nth(number.saturating_sub(1)).unwrap_or_default())
}

/// Octets as UTF-8, or else as ISO 8859-1, in which a no-break space is one octet.
fn decoded(octets: &[u8]) -> String {
    let latin = |_| octets.iter().copied().map(char::from).collect();
    std::str::from_utf8(octets).map_or_else(latin, str::to_owned)
}

/// Says where a closing bracket is missing, or that the mistake is in a comment, if that is so.
fn missing_bracket(file: &[u8], mistake: &Mistake) -> String {
    let before = file.get(..mistake.found.start).unwrap_or_default();
    let before = before.rsplit(|&octet| octet == b'\n').next().unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    if before.contains('#') {
        return " (# begins no comment behind the name of a database)".into();
    }
    let action = before.rsplit('[').next().and_then(|actions| actions.trim_end().rsplit_once('='));
    match action.filter(|_| mistake.expected == Expected::Status) {
        Some((_, action)) => format!(" (] is missing after {})", action.trim()),
        None => String::new(),
    }
}

/// What keeps `nss-mdns hosts add` from editing the line, although glibc reads it.
fn oddity(file: &[u8], system: &System<'_>) -> Option<Finding> {
    let refusal = insert(file, None).err()?;
    let why = format!("{}: {refusal}", system.path);
    Some(match refusal {
        Refusal::OddService(number, _) | Refusal::NoService(number) => mistaken(why, file, number, system),
        Refusal::Mistake(mistake, _) | Refusal::Broken(mistake, _) => mistaken(why, file, mistake.line, system),
        _ => problem(why),
    })
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
    match hosts_lines(file).last() {
        Some(number) if !file.ends_with(b"\n") => {
            let text = format!(
                "{path}:{number}: no newline ends the hosts line, so glibc 2.33 and later ignore it and ask {DEFAULT} instead: \
                 end it with a newline"
            );
            Finding { remedy: Some(Remedy::Append(String::new())), ..problem(text) }
        }
        Some(number) => {
            let why = format!("{path}:{number}: the hosts line names no service, so glibc asks {DEFAULT}");
            mistaken(why, file, *number, system)
        }
        None => {
            let line = format!("hosts: {USUAL}");
            let text = format!("{path} has no hosts line, so glibc asks {DEFAULT}: write one line: {line}");
            Finding { remedy: Some(Remedy::Append(line)), ..problem(text) }
        }
    }
}

/// What glibc does not read, although it reports nothing.
fn early_end(file: &[u8], line: &HostsLine, system: &System<'_>) -> Option<Finding> {
    let mistake = line.end.as_ref()?;
    let why = Refusal::Mistake(mistake.clone(), found(file, mistake));
    let hint = missing_bracket(file, mistake);
    let why = format!("{}: {why}{hint}; glibc reads no further than this", system.path);
    Some(mistaken(why, file, line.number, system))
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
        System { glibc: Glibc::V2_33, path: "/etc/nsswitch.conf", is_authselects: false, why_missing: &|_| None };

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
        ("files [SUCCESS=return NOTFOUND=continue] mdns6_minimal [ notfound = RETURN ] dns", Kind::Note,
            "hosts that have only IPv4 addresses are not found under .local", ""),
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
        ("", Kind::Problem, "the line names no service, which crashes programs with glibc 2.33 and later, sudo among them: correct the line in a root shell (one that is open already, su -, or a recovery console): write",
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
    fn names_that_programs_do_not_find_are_noted() {
        let notes = |line: &str| {
            let found = findings(&format!("hosts: {line}\n"), &SYSTEM);
            of_kind(&found, Kind::Note).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let nothing_else = "no other service than the module is on the line, so programs find no name in /etc/hosts, \
                            localhost included, and no name in DNS";
        assert_eq!(
            notes("mdns6_minimal"),
            [nothing_else, "hosts that have only IPv4 addresses are not found under .local"]
        );
        for line in ["mdns_minimal", "mdns4_minimal [NOTFOUND=return]", "mdns"] {
            assert_eq!(notes(line), [nothing_else], "{line}");
        }
        let late = "files comes after the module and resolve [!UNAVAIL=return], so .local names in /etc/hosts are not found: \
                    put files first if they should be";
        assert_eq!(notes("mymachines mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] files"), [late]);
        for line in
            ["files mdns_minimal", "mdns_minimal [NOTFOUND=return] dns", "mdns_minimal [NOTFOUND=return] resolve"]
        {
            assert_eq!(notes(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn a_service_without_a_library_is_passed_over() {
        let missing = |names: &'static [&'static str], line: &str| {
            let why_missing = |name: &str| names.contains(&name).then(|| "is not installed".to_owned());
            let found = findings(&format!("hosts: {line}\n"), &System { why_missing: &why_missing, ..SYSTEM });
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
        let said = missing(&["mdns_minimal", "wins"], "mdns_minimal [UNAVAIL=return] wins");
        assert!(said.contains("glibc can load none of these services, so it finds no name"), "{said}");
    }

    /// Files with a problem that is not one of the order of the services.
    #[rustfmt::skip]
    const FILES: &[(&str, &str)] = &[
        ("passwd: files\n", "/etc/nsswitch.conf has no hosts line, so glibc asks files dns (before glibc 2.35: dns [!UNAVAIL=return] files): write one line: hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ("hosts: files mdns_minimal", "/etc/nsswitch.conf:1: no newline ends the hosts line, so glibc 2.33 and later ignore it and ask files dns (before glibc 2.35: dns [!UNAVAIL=return] files) instead: end it with a newline"),
        ("hosts: dns\nhosts mdns\n", "/etc/nsswitch.conf: it has more than one hosts line (lines 1, 2): glibc uses the last one; keep line 2 only"),
        ("hosts: mdns [NOTFOUND=halt]\n", "/etc/nsswitch.conf: the hosts line is: hosts: mdns [NOTFOUND=halt]; line 1: expected return, continue or merge, found \"halt]\"; because of this, glibc 2.33 and later read nothing of the file, so users and groups are not found either, and sudo and su may fail: do not close a root shell before the line is corrected, and correct it in a root shell (one that is open already, su -, or a recovery console): write: hosts: mdns"),
        ("group: files [x]\nhosts: mdns\n", "/etc/nsswitch.conf: the group line is: group: files [x]; line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found \"x]\"; because of this, glibc 2.33 and later read nothing of the file, so users and groups are not found either, and sudo and su may fail: do not close a root shell before the line is corrected, and correct it in a root shell (one that is open already, su -, or a recovery console): write: group: files"),
        ("passwd: files [\nhosts: mdns\n", "/etc/nsswitch.conf: the passwd line is: passwd: files [; line 1: expected SUCCESS, NOTFOUND, UNAVAIL or TRYAGAIN, with at most a ! directly before it, found the end of the line; because of this, glibc 2.33 and later read nothing of the file, so users and groups are not found either, and sudo and su may fail: do not close a root shell before the line is corrected, and correct it in a root shell (one that is open already, su -, or a recovery console): write: passwd: files"),
        ("hosts: [SUCCESS=return] files dns\n", "the line names no service, which crashes programs with glibc 2.33 and later, sudo among them: correct the line in a root shell (one that is open already, su -, or a recovery console): write: hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ("hosts: # files dns\n", "/etc/nsswitch.conf: line 1: glibc 2.33 and later take # and what follows for services, and no other is on the line: write: hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ("hosts: mdns [SUCCESS=return] [NOTFOUND=return] dns\n", "/etc/nsswitch.conf: line 1: expected the name of a service, which one pair of brackets at most may follow, found \"[NOTFOUND=return]\"; glibc reads no further than this: write: hosts: mdns [SUCCESS=return NOTFOUND=return] dns"),
        ("hosts: mdns_minimal [NOTFOUND=merge] dns\n", "mdns_minimal [NOTFOUND=merge]: glibc cannot merge hosts, and since 2.36 the lookup fails: write return or continue"),
        ("hosts: files mdns \\\n dns\n", "/etc/nsswitch.conf: line 1: \"\\\" on its hosts line is neither a service nor an action: write: hosts: files mdns dns"),
        ("hosts: mdns\0 dns\n", "/etc/nsswitch.conf: it holds NUL bytes"),
    ];

    #[test]
    fn problems_of_the_file_are_reported() {
        for (file, expected) in FILES {
            assert_eq!(of_kind(&findings(file, &SYSTEM), Kind::Problem), [*expected], "{file:?}");
        }
    }

    /// Files with a plain mistake, and the line that is to be written.
    const MISTAKES: &[(&str, &str, Option<&str>)] = &[
        (
            "hosts: files mdns_minimal [NOTFOUND=return dns\n",
            "] is missing after return",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        (
            "hosts: files [NOTFOUND=continue dns\n",
            "su may fail",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        ("passwd: files [NOTFOUND=retrun] sss\n", "su may fail", Some("passwd: files [NOTFOUND=return] sss")),
        ("passwd: files [x] sss\n", "su may fail", Some("passwd: files sss")),
        ("hosts: files, dns\n", "spaces, not commas", Some("hosts: files mdns_minimal [NOTFOUND=return] dns")),
        (
            "hosts: files;mdns_minimal;dns\n",
            "line 1: services are separated by spaces, not semicolons",
            Some("hosts: files mdns_minimal dns"),
        ),
        (
            "hosts: files\u{a0}mdns_minimal dns\n",
            "line 1: services are separated by spaces, not by the character U+00A0",
            Some("hosts: files mdns_minimal dns"),
        ),
        (
            "hosts: \"files\" mdns_minimal dns\n",
            "line 1: the names of services are not quoted",
            Some("hosts: files mdns_minimal dns"),
        ),
        (
            "hosts: files dns#x\n",
            "take # and what follows for a part of the service \"dns#x\"",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        (
            "hosts: files ]] dns\n",
            "line 1: \"]]\" on its hosts line is neither a service nor an action",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        (
            "hosts: files mdns_minimal NOTFOUND=return] dns\n",
            "line 1: \"NOTFOUND=return]\" on its hosts line is neither a service nor an action",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        (
            "hosts: files # mine\n",
            "none of the module's services is on the line",
            Some("hosts: files mdns_minimal [NOTFOUND=return]"),
        ),
        (
            "hosts: files mdns # x [NOTFOUND=return\n",
            "(# begins no comment behind the name of a database)",
            Some("hosts: files mdns"),
        ),
        (
            "hosts::files mdns_minimal dns\n",
            "line 1: \":\" on its hosts line is neither",
            Some("hosts: files mdns_minimal dns"),
        ),
        (
            "hosts: files mdns-minimal [NOTFOUND=return] dns\n",
            "there is no service mdns-minimal: did you mean mdns_minimal?",
            Some("hosts: files mdns_minimal [NOTFOUND=return] dns"),
        ),
        (
            "hosts: files dns mdns4_minmal\n",
            "there is no service mdns4_minmal: did you mean mdns4_minimal?",
            Some("hosts: files mdns4_minimal [NOTFOUND=return] dns"),
        ),
    ];

    #[test]
    fn a_plain_mistake_has_a_line_to_write() {
        let why_missing =
            |name: &str| (name.contains("mdns") && !super::super::SERVICES.contains(&name)).then(String::new);
        for (file, sentence, instead) in MISTAKES {
            let found = findings(file, &System { why_missing: &why_missing, ..SYSTEM });
            let problems: Vec<_> = found.into_iter().filter(|finding| finding.kind == Kind::Problem).collect();
            let [problem] = &problems[..] else { panic!("{file:?}: {problems:?}") };
            assert!(problem.text.contains(sentence), "{file:?}: {problem:?}");
            let line = match &problem.remedy {
                Some(Remedy::Write(line) | Remedy::Correct(1, line)) => Some(line.as_str()),
                _ => None,
            };
            assert_eq!(line, *instead, "{file:?}");
        }
    }

    #[test]
    fn one_remedy_leaves_one_right_line() {
        let keep = |number, line: Option<&str>, others: &[usize]| {
            Some(Remedy::KeepOne(number, line.map(str::to_owned), others.into()))
        };
        let usual = "hosts: files mdns_minimal [NOTFOUND=return] dns";
        for (file, expected) in [
            (format!("{usual}\nrpc: db\nhosts: files dns\n"), keep(1, None, &[3])),
            (format!("hosts: files dns\n{usual}\n"), keep(2, None, &[1])),
            (format!("hosts: dns\n{usual}"), keep(2, Some(usual), &[1])),
            ("hosts: dns\nhosts: files\nhosts: files dns\n".into(), keep(3, Some(usual), &[1, 2])),
            ("hosts: dns\nhosts: files [x] dns\n".into(), Some(Remedy::Correct(2, usual.into()))),
            ("hosts: files mdns\nhosts:\n".into(), keep(1, None, &[2])),
            // A line that was meant to go on behind a backslash.
            (
                "hosts: files \\\n mdns_minimal [NOTFOUND=return] \\\n dns\nrpc: db\n".into(),
                keep(1, Some(usual), &[2, 3]),
            ),
            ("hosts: files dns \\\nrpc: db\n".into(), Some(Remedy::Correct(1, usual.into()))),
            ("hosts: files dns \\".into(), Some(Remedy::Append(String::new()))),
        ] {
            let remedies: Vec<_> = findings(&file, &SYSTEM).into_iter().filter_map(|finding| finding.remedy).collect();
            assert_eq!(remedies, expected.into_iter().collect::<Vec<_>>(), "{file}");
        }
    }

    #[test]
    fn several_lines_that_crash_sudo_are_corrected_in_a_root_shell() {
        let found = findings("hosts: files mdns\nhosts:\n", &SYSTEM);
        assert!(found[0].text.ends_with(&format!("; keep line 1 only; sudo may crash: change the file {ROOT_SHELL}")));
    }

    /// Lines that people have written.
    const DAMAGED: &[&str] = &[
        "hosts:",
        "hosts",
        "hosts: [NOTFOUND=return] files dns",
        "hosts: files dns [",
        "hosts: files dns ]",
        "hosts: files [] dns",
        "hosts: files [=return] dns",
        "hosts: files mdns_minimal [NOTFOUND return] dns",
        "hosts: files mdns_minimal [NOTFOUND=return dns]",
        "hosts: files mdns_minimal [NOTFOUND=return dns",
        "hosts: files mdns_minimal [NOTFOUND=retrun] dns",
        "hosts: files mdns_minimal [NOTFOUND=stop] dns",
        "hosts: files mdns_minimal [NOTFOUND=return]] dns",
        "hosts: files mdns_minimal NOTFOUND=return] dns",
        "hosts: files mdns_minimal NOTFOUND=return dns",
        "hosts: files mdns_minimal (NOTFOUND=return) dns",
        "hosts: files mdns_minimal {NOTFOUND=return} dns",
        "hosts: files mdns_minimal [NOTFOUND=return] [UNAVAIL=return] dns",
        "hosts: files dns # x [NOTFOUND=return",
        "hosts: files dns # it's mine",
        "hosts: files # dns",
        "hosts: # files dns",
        "hosts: files dns#x",
        "passwd: files [",
        "passwd: files [] sss",
        "group: files [=return] sss",
        "group: files [NOTFOUND return] sss",
        "shadow: files sss # [",
        "hosts: files\u{a0}mdns_minimal [NOTFOUND=return] dns",
        "hosts: files mdns_minimal [NOTFOUND=return]\u{a0}dns",
        "hosts: files mdns_minimal\u{2003}[NOTFOUND=return] dns",
        "hosts: files mdns_minimal [NOTFOUND=return\u{a0}] dns",
        "hosts:\u{a0}files\u{200b}dns",
        "hosts: files;mdns_minimal;dns",
        "hosts: files, mdns_minimal, dns",
        "hosts: files ; dns",
        "hosts: files|dns",
        "hosts: \"files\" 'mdns_minimal' [NOTFOUND=return] \"dns\"",
        "hosts: \"files mdns_minimal [NOTFOUND=return] dns\"",
        "hosts: files mdns_minimal \"[NOTFOUND=return]\" dns",
        "hosts: files dns \\",
        "hosts: files \\ dns",
        "hosts: files (dns)",
        "hosts: files {mdns_minimal} dns",
        "hosts: hosts: files dns",
        "hosts: files dns networks: files",
        "hosts: files: dns:",
        "hosts = files dns",
        "hosts: = files dns",
        "hosts: files [NOTFOUND=merge] dns",
        "hosts: files dns [NOTFOUND=merge] wins",
        "hosts: files dns, mdns-minimal",
    ];

    /// The file after a remedy that writes a line; None for another one.
    fn applied(file: &str, remedy: &Remedy) -> Option<String> {
        let mut lines: Vec<_> = file.lines().map(str::to_owned).collect();
        match remedy {
            Remedy::Correct(number, line) | Remedy::KeepOne(number, Some(line), _) => {
                lines[number - 1].clone_from(line);
            }
            Remedy::Write(line) => {
                let Reading::Line(read) = read(file.as_bytes(), SYSTEM.glibc) else { panic!("{file:?}") };
                lines[read.number - 1].clone_from(line);
            }
            _ => return None,
        }
        if let Remedy::KeepOne(_, _, others) = remedy {
            others.iter().rev().for_each(|other| drop(lines.remove(other - 1)));
        }
        Some(lines.join("\n") + "\n")
    }

    /// The services of other packages that a line names, before a comment.
    fn others(line: &str) -> Vec<&str> {
        let words = line.split('#').next().unwrap_or_default().split(|character| !correct::is_plain(character));
        words.filter(|word| ["files", "dns", "resolve", "sss", "wins", "myhostname"].contains(word)).collect()
    }

    /// Checks each remedy that writes a line. Returns how many there are.
    fn check_remedies(file: &str) -> usize {
        let mut count = 0;
        for finding in findings(file, &SYSTEM) {
            let Some(new) = finding.remedy.as_ref().and_then(|remedy| applied(file, remedy)) else { continue };
            count += 1;
            let found = findings(&new, &SYSTEM);
            assert_eq!(of_kind(&found, Kind::Problem), Vec::<&str>::new(), "{file:?}: {finding:?}");
            if !others(file).is_empty() {
                assert_eq!(others(&new), others(file), "{file:?}: {finding:?}");
            }
        }
        count
    }

    #[test]
    fn each_damaged_line_has_one_remedy_which_leaves_no_problem() {
        for line in DAMAGED {
            let after = if line.starts_with("hosts") { "" } else { "hosts: mdns_minimal [NOTFOUND=return]\n" };
            assert_eq!(check_remedies(&format!("{line}\n{after}")), 1, "{line}");
        }
    }

    #[test]
    fn glibc_2_31_does_not_use_a_line_without_services() {
        let old = System { glibc: Glibc::V2_31, ..SYSTEM };
        let found = findings("hosts:\n", &old);
        let expected = "/etc/nsswitch.conf:1: the hosts line names no service, so glibc asks files dns ";
        assert!(of_kind(&found, Kind::Problem)[0].starts_with(expected), "{found:?}");
        assert_eq!(found[0].remedy, Some(Remedy::Correct(1, format!("hosts: {USUAL}"))));
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

    /// What lines are damaged with.
    #[rustfmt::skip]
    const DAMAGE: &[&str] = &[
        " ", " ", " ", "[", "]", "[]", "!", "=", ":", ",", ";", "\"", "'", "\\", "(", ")", "{", "}", "|", "\u{a0}", "\u{200b}",
        "NOTFOUND", "return", "x", "[NOTFOUND=return", "NOTFOUND=return]", "[NOTFOUND=merge]", "hosts:",
    ];

    proptest! {
        #[test]
        fn no_remedy_leaves_a_problem(
            words in prop::collection::vec(
                (prop::sample::select(NAMES), prop::sample::select(ACTIONS), prop::sample::select(DAMAGE)), 1..7
            ),
            space in prop::sample::select(&["", " "][..]),
        ) {
            let mut file = String::from("hosts:");
            for (name, actions, damage) in words {
                file += &format!(" {name}{space}{damage}{space}{actions}");
            }
            check_remedies(&(file + "\n"));
        }

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
