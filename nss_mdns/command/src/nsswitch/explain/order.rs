//! What is wrong with the order and the actions of the services, and which line to write instead.

use super::super::{Action, Status};
use super::services::{Service, Services};
use super::{Finding, Kind, ROOT_SHELL, Remedy, System, USUAL, note};

/// What is wrong, or may surprise. Only the most important: the line to write usually corrects the others too.
pub(super) fn explain(services: &Services, system: &System<'_>) -> Option<Finding> {
    if let Some(finding) = misspelt(services, system) {
        return Some(finding);
    }
    if let Some(why) = obstacle(services) {
        return Some(advised(Kind::Problem, &format!("{why}: "), services, system));
    }
    let (index, first) = services.first.zip(services.first())?;
    let next = services.all.get(index + 1)?;
    if first.ends(Status::NotFound) {
        return (!first.is_minimal()).then(|| note(unnamed_addresses(first)));
    }
    let why = if next.is_ours() && next.adds_family_to(first) {
        let (family, first, next) = (first.family(), &first.name, &next.name);
        format!(
            "a program that asks for both families gets {family} addresses only, because glibc asks {next} only if \
             {first} has none: "
        )
    } else {
        format!("if no host has a .local name, glibc asks {}; if that does not serve .local, ", next.name)
    };
    Some(advised(Kind::Note, &why, services, system))
}

/// A service that is not installed, in place of one of the module's, whose name is nearly the same.
fn misspelt(services: &Services, system: &System<'_>) -> Option<Finding> {
    if services.first.is_some() {
        return None;
    }
    let (index, name) = services.misspelt(system)?;
    let service = services.all.get(index)?;
    let why = format!("there is no service {}: did you mean {name}? ", service.name);
    Some(advised(Kind::Problem, &why, &services.renamed(index, name), system))
}

/// What keeps names from resolving.
fn obstacle(services: &Services) -> Option<String> {
    if services.all.is_empty() {
        return Some(no_service());
    }
    let Some((index, first)) = services.first.zip(services.first()) else {
        return Some("none of the module's services is on the line".into());
    };
    let before = services.all.get(..index).unwrap_or_default();
    let is_last = index + 1 == services.all.len();
    obstacle_before(before, first)
        .or_else(|| family_never_asked(services))
        .or_else(|| obstacle_itself(first).filter(|_| !is_last))
}

/// With an empty list, `getaddrinfo` reads memory that it has not set.
pub(super) fn no_service() -> String {
    format!(
        "the line names no service, which crashes programs with glibc 2.33 and later, sudo among them: correct the line \
         {ROOT_SHELL}"
    )
}

/// A service before the first one of the module that keeps `.local` names from it, or delays them.
fn obstacle_before(before: &[Service], first: &Service) -> Option<String> {
    let obstacle = before.iter().find(|service| service.ends(Status::NotFound) || service.asks_dns())?;
    let name = &first.name;
    Some(if obstacle.ends(Status::NotFound) {
        format!("{} ends the search for .local names, so glibc never asks {name}", obstacle.shown())
    } else {
        let obstacle = &obstacle.name;
        format!("glibc asks {obstacle} for .local names before {name}: it rarely knows them, and may take seconds")
    })
}

/// A service for one family reports NOTFOUND to a program that wants the other one.
fn family_never_asked(services: &Services) -> Option<String> {
    let first = services.first().filter(|first| first.ends(Status::NotFound))?;
    let later = later_family(services)?;
    let (family, other) = if first.family() == "IPv4" { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
    Some(format!(
        "{} ends the search for programs that want {other} addresses only, and for hosts that have no {family} \
         address, so glibc never asks {} for them",
        first.shown(),
        later.name
    ))
}

/// The actions of the first service of the module, if other services follow it.
fn obstacle_itself(first: &Service) -> Option<String> {
    let shown = first.shown();
    if first.actions.after(Status::Success) != Action::Return {
        return Some(format!("{shown} discards the addresses that it finds"));
    }
    first.ends(Status::Unavail).then(|| format!("{shown} also ends the search for all names outside .local"))
}

fn unnamed_addresses(first: &Service) -> String {
    format!(
        "{} also keeps glibc from asking the next service for the names of addresses on the link; {}_minimal does not",
        first.shown(),
        first.name
    )
}

/// A later service of the module for the family that the first one lacks.
fn later_family(services: &Services) -> Option<&Service> {
    let (index, first) = services.first.zip(services.first())?;
    let mut later = services.all.iter().enumerate().skip(index + 1);
    later.find_map(|(index, service)| {
        (is_for_local_names(services, index) && service.adds_family_to(first)).then_some(service)
    })
}

/// Whether a service of the module is there for `.local` names. A full one after DNS is there for the names of addresses.
fn is_for_local_names(services: &Services, index: usize) -> bool {
    let is_after_dns = services.all.iter().take(index).any(Service::asks_dns);
    services.all.get(index).is_some_and(|service| service.is_ours() && (service.is_minimal() || !is_after_dns))
}

/// A finding with the line that should be there.
fn advised(kind: Kind, why: &str, services: &Services, system: &System<'_>) -> Finding {
    let line = proposal(&services.without_comment());
    let (advice, remedy) = if system.is_authselects {
        let advice = "authselect generates this file (features with-mdns4, with-mdns6), and the line should be";
        (advice, Remedy::Authselect)
    } else {
        ("write", Remedy::Write(line.clone()))
    };
    Finding { kind, text: format!("{why}{advice}: {line}"), remedy: Some(remedy) }
}

/// The line to write. A full service keeps its place, and the minimal one of its family goes before what asks DNS.
fn proposal(services: &Services) -> String {
    if services.all.is_empty() {
        return format!("hosts: {USUAL}");
    }
    let covers_both = later_family(services).is_some();
    let place = (0..services.all.len()).find(|&index| is_place(services, index));
    let name = proposed_name(services, place, covers_both);
    let mut words = vec!["hosts:".to_owned()];
    for (index, service) in services.all.iter().enumerate() {
        let is_first = services.first == Some(index);
        if place == Some(index) {
            words.push(format!("{name} [NOTFOUND=return]"));
        }
        let is_replaced = is_first && (place == Some(index) || service.name == name);
        let is_covered = covers_both && is_for_local_names(services, index);
        if !is_replaced && !is_covered {
            words.push(if service.name == "files" { service.name.clone() } else { service.without_merge() });
        }
    }
    if place.is_none() {
        words.push(format!("{name} [NOTFOUND=return]"));
    }
    words.join(" ")
}

/// Whether the service of the module belongs before this one, or in its place.
fn is_place(services: &Services, index: usize) -> bool {
    let Some(service) = services.all.get(index) else { return false };
    let is_before_first = services.first.is_none_or(|first| index < first);
    services.first == Some(index)
        || service.asks_dns()
        || (is_before_first && service.name != "files" && service.ends(Status::NotFound))
}

/// The service to put at this place.
fn proposed_name(services: &Services, place: Option<usize>, covers_both: bool) -> String {
    let Some(first) = services.first() else { return "mdns_minimal".into() };
    let is_last = place.is_none_or(|place| place + 1 == services.all.len());
    let base = if covers_both { "mdns" } else { first.name.trim_end_matches("_minimal") };
    if first.is_minimal() || !is_last { format!("{base}_minimal") } else { base.into() }
}
