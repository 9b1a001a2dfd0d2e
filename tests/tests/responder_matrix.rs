//! Every responder in every situation: the addresses that getaddrinfo finds on a LAN with both families, with IPv4 only
//! and with IPv6 only, with the responder on the client's host, and with one on each host; and reverse lookups. The
//! test that finishes last prints the table.
//!
//! The expected addresses are those that the responder provides, as observed in its packets: some provide fewer than
//! their host has. The rows whose names begin with "like" use the scripted responder, which imitates the named one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use tests::lan::{Families, Host, Interface};
use tests::lookups::{AT_ONCE, link_local, printed_addresses, python_getaddrinfo, v4, v6};
use tests::responders::{answered, avahi, libmdns, mdns_sd, mdnsd, node, resolved, scripted, zeroconf};
use tests::run::{Daemon, Outcome};
use tests::scenario::Scenario;

/// A set of kinds of addresses, one bit for each.
type Kinds = u8;
const NONE: Kinds = 0;
const V4: Kinds = 1;
const V6: Kinds = 2;
const LINK_LOCAL: Kinds = 4;
const ROUTABLE: Kinds = V4 | V6;
const ALL: Kinds = ROUTABLE | LINK_LOCAL;

/// The addresses that a responder provides in each situation.
struct Provides {
    both: Kinds,
    v4_lan: Kinds,
    v6_lan: Kinds,
    own_host: Kinds,
    /// The kinds of addresses for which it answers reverse lookups.
    reverse: Kinds,
    /// The kinds among these for which it only sometimes answers queries from its own host.
    varying: Kinds,
}

/// Provides every address in every situation.
const EVERYTHING: Provides =
    Provides { both: ALL, v4_lan: V4, v6_lan: V6 | LINK_LOCAL, own_host: ALL, reverse: ROUTABLE, varying: NONE };
/// Ignores queries from its own host, except those that are sent to one of its IPv4 addresses.
const RESOLVED: Provides = Provides { varying: V6, ..EVERYTHING };
/// Provides every address, but answers no reverse lookups.
const FORWARD_ONLY: Provides = Provides { reverse: NONE, ..EVERYTHING };
/// Provides a link-local address only if its host has no other.
const NO_LINK_LOCAL: Provides = Provides { both: ROUTABLE, v6_lan: V6, own_host: ROUTABLE, ..EVERYTHING };
/// Listens on IPv4 only, and provides one address of each family.
const MDNSD: Provides = Provides { both: ROUTABLE, v6_lan: NONE, own_host: ROUTABLE, ..FORWARD_ONLY };
/// Both responders for node listen on IPv4 only.
const NODE: Provides = Provides { v6_lan: NONE, ..FORWARD_ONLY };

/// The rows of the table that are complete, each with its position.
static TABLE: Mutex<Vec<(usize, String)>> = Mutex::new(Vec::new());

type Start = fn(&Host) -> Result<Daemon, String>;

/// Which of the host's kinds of addresses were found, and whether any foreign address was found.
fn kinds(found: &BTreeSet<String>, host: &Host, via: &Interface) -> (Kinds, bool) {
    let known = [(V4, v4(host)), (V6, v6(host)), (LINK_LOCAL, link_local(host, via))];
    let has = |addresses: &BTreeSet<String>| !addresses.is_empty() && addresses.is_subset(found);
    let kinds = known.iter().filter(|(_, addresses)| has(addresses)).map(|(kind, _)| kind).sum();
    let all: BTreeSet<_> = known.iter().flat_map(|(_, addresses)| addresses).cloned().collect();
    (kinds, !found.is_subset(&all))
}

/// A cell of the table: what was found, and the time it took.
fn cell(kinds: Kinds, outcome: &Outcome) -> String {
    let names = [(V4, "IPv4"), (V6, "IPv6"), (LINK_LOCAL, "link-local")];
    let found: Vec<_> = names.iter().filter(|(kind, _)| kinds & kind != 0).map(|(_, name)| *name).collect();
    let found = if found.is_empty() { "nothing".into() } else { found.join(", ") };
    format!("{found}; {} ms", outcome.elapsed.as_millis())
}

/// One forward lookup; returns the cell, and the failure if there is one.
fn forward(lan: &Scenario, host: &Host, wanted: Kinds) -> (String, Option<String>) {
    let outcome = python_getaddrinfo(&lan.client, &format!("{}.local", host.name));
    let (found, more) = kinds(&printed_addresses(&outcome), host, lan.client.eth0());
    let in_time = wanted == NONE || outcome.elapsed < AT_ONCE;
    let wrong = (found != wanted || more || !in_time).then(|| format!("wanted {wanted:03b}: {outcome:?}"));
    (cell(found, &outcome), wrong)
}

/// Reverse lookups of a host's addresses. For those of the kinds in `varying`, either result is accepted.
fn reverse(lan: &Scenario, host: &Host, wanted: Kinds, varying: Kinds) -> Result<(String, Option<String>), String> {
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    let (mut named, mut wrong) = (Vec::new(), None);
    for (kind, text, address) in [(V4, "IPv4", v4(host)), (V6, "IPv6", v6(host))] {
        let address = address.into_iter().next().unwrap_or_default();
        let outcome = lan.client.run(&["getent", "hosts", &address]);
        let found = outcome.stdout.trim_end().ends_with(&format!(" {}.local", host.name));
        named.extend(found.then(|| format!("{text}; {} ms", outcome.elapsed.as_millis())));
        let as_wanted = varying & kind != 0 || found == (wanted & kind != 0);
        if !as_wanted || outcome.elapsed > AT_ONCE {
            wrong = Some(format!("reverse of {address}, wanted {wanted:03b}: {outcome:?}"));
        }
    }
    Ok((if named.is_empty() { "no".into() } else { named.join(", ") }, wrong))
}

/// A LAN on which the responder runs and has answered a query from the other host.
fn lan_with(families: Families, start: Start, own_host: bool, wait_for: &[&str]) -> Result<Scenario, String> {
    let mut lan = Scenario::silent(families)?;
    let host = if own_host { &lan.client } else { &lan.printer };
    let daemon = start(host)?;
    let other_host = if own_host { &lan.printer } else { &lan.client };
    let name = format!("{}.local", host.name);
    answered(other_host, &name, wait_for, &daemon)?;
    lan.daemons.push(daemon);
    Ok(lan)
}

/// A lookup of the printer while the responder runs on both the printer and the client.
fn beside(mut lan: Scenario, start: Start, wait_for: &[&str], wanted: Kinds) -> (String, Option<String>) {
    let second = start(&lan.printer)
        .and_then(|daemon| answered(&lan.client, "printer.local", wait_for, &daemon).map(|()| daemon));
    match second {
        Ok(daemon) => lan.daemons.push(daemon),
        Err(why) => return ("does not start".into(), Some(why)),
    }
    forward(&lan, &lan.printer, wanted)
}

/// One row: a responder in all situations. With `wait`, a lookup starts only after the responder has answered a bare
/// query.
fn row(place: usize, name: &str, start: Start, provides: &Provides, wait: bool) -> Result<(), String> {
    let (mut line, mut wrongs) = (format!("| {name} |"), Vec::new());
    let mut add = |(cell, wrong): (String, Option<String>)| {
        let _ = write!(line, " {cell}{} |", if wrong.is_some() { " **wrong**" } else { "" });
        wrongs.extend(wrong);
    };
    let wait_for = |kinds: Kinds| -> &[&str] {
        match (wait, kinds & V4 != 0, kinds & V6 != 0) {
            (true, true, _) => &["a"],
            (true, false, true) => &["aaaa"],
            _ => &[],
        }
    };
    let mut reversed = [("no".into(), None), ("no".into(), None)];
    for (families, own_host, wanted) in [
        (Families::Both, false, provides.both),
        (Families::V4, false, provides.v4_lan),
        (Families::V6, false, provides.v6_lan),
        (Families::Both, true, provides.own_host),
    ] {
        match lan_with(families, start, own_host, wait_for(wanted)) {
            Err(_) if wanted == NONE => add(("does not start".into(), None)),
            Err(why) => add(("does not start".into(), Some(why))),
            Ok(lan) => {
                let host = if own_host { &lan.client } else { &lan.printer };
                add(forward(&lan, host, wanted));
                let reverse = |varying| reverse(&lan, host, provides.reverse, varying);
                let reverse = |varying| reverse(varying).unwrap_or_else(|why| ("?".into(), Some(why)));
                if own_host {
                    reversed[1] = reverse(provides.varying);
                    add(beside(lan, start, wait_for(provides.both), provides.both));
                } else if families == Families::Both {
                    reversed[0] = reverse(NONE);
                }
            }
        }
    }
    reversed.into_iter().for_each(&mut add);
    finish(place, line);
    if wrongs.is_empty() { Ok(()) } else { Err(format!("{name}: {}", wrongs.join("\n"))) }
}

/// Adds a row to the table, and prints the table when it is complete.
fn finish(place: usize, line: String) {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.push((place, line));
    if table.len() < ROWS {
        return;
    }
    table.sort();
    let mut text = String::from(
        "\n| responder | both families | IPv4-only LAN | IPv6-only LAN | on the client's own host | one on each host \
         | reverse | reverse, on the client's own host |\n|---|---|---|---|---|---|---|---|\n",
    );
    table.iter().for_each(|(_, line)| text.extend([line, "\n"]));
    // The test harness captures the output of print! and shows it only if the test fails.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

macro_rules! matrix {
    ($($test:ident: $name:expr, $start:expr, $provides:expr, $wait:expr;)*) => {
        /// The number of rows.
        const ROWS: usize = [$(stringify!($test)),*].len();
        /// The names of the tests, in the order of the table.
        const ORDER: [&str; ROWS] = [$(stringify!($test)),*];

        $(#[test]
        fn $test() -> Result<(), String> {
            let place = ORDER.iter().position(|name| *name == stringify!($test)).unwrap_or(ROWS);
            row(place, $name, $start, &$provides, $wait)
        })*
    };
}

matrix! {
    avahi_daemon: "avahi-daemon", |host| avahi(host, &host.name), NO_LINK_LOCAL, false;
    python_zeroconf: "python-zeroconf", |host| zeroconf(host, &host.name), FORWARD_ONLY, false;
    systemd_resolved: "systemd-resolved", resolved, RESOLVED, true;
    troglobit_mdnsd: "troglobit mdnsd", mdnsd, MDNSD, true;
    rust_mdns_sd: "Rust mdns-sd", mdns_sd, FORWARD_ONLY, false;
    rust_libmdns: "Rust libmdns", libmdns, FORWARD_ONLY, false;
    node_bonjour_service: "node bonjour-service", |host| node(host, "bonjour_service.js"), NODE, false;
    node_ciao: "node ciao", |host| node(host, "ciao.js"), NODE, false;
    like_apple: "like Apple", |host| like(host, "apple"), EVERYTHING, false;
    like_lwip: "like lwIP", |host| like(host, "lwip"), EVERYTHING, false;
    like_esp_idf: "like ESP-IDF", |host| like(host, "esp-idf"), EVERYTHING, false;
    like_esp8266: "like ESP8266", |host| like(host, "esp8266"), EVERYTHING, false;
    like_umdns: "like umdns", |host| like(host, "umdns"), EVERYTHING, false;
    like_android: "like Android", |host| like(host, "android"), EVERYTHING, false;
    like_zephyr: "like Zephyr", |host| like(host, "zephyr"), EVERYTHING, false;
    like_hashicorp: "like hashicorp", |host| like(host, "hashicorp"), EVERYTHING, false;
    like_resolved: "like resolved", |host| like(host, "resolved"), EVERYTHING, false;
    like_jmdns: "like jmdns", |host| like(host, "jmdns"), EVERYTHING, false;
    like_windows: "like Windows", |host| like(host, "windows"), EVERYTHING, false;
}

fn like(host: &Host, shape: &str) -> Result<Daemon, String> {
    scripted(host, &format!("{}.local", host.name), &["--like", shape])
}
