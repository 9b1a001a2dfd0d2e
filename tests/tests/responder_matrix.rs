//! Every responder in every situation: the addresses that getaddrinfo finds on a LAN with both families, with IPv4 only
//! and with IPv6 only, with the responder on the client's host, and with one on each host; and reverse lookups. The
//! test that finishes last prints the table.
//!
//! The expected addresses are those that the responder provides, as observed in its packets: some provide fewer than
//! their host has. The rows whose names begin with "like" use the scripted responder, which imitates the named one.
//! `shapes.rs` compares it with captured packets, where there are any.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tests::lan::{Families, Host, Interface};
use tests::lookups::{AT_ONCE, link_local, printed_addresses, python_getaddrinfo, v4, v6};
use tests::responders::{
    answered, avahi, hashicorp, jmdns, libmdns, mdns_sd, mdns_sd_0_5, mdnsd, mdnsd_uses_ipv6, node, old_zeroconf, pion,
    resolved, scripted, simple_mdns, zeroconf,
};
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
}

/// Provides every address in every situation.
const EVERYTHING: Provides =
    Provides { both: ALL, v4_lan: V4, v6_lan: V6 | LINK_LOCAL, own_host: ALL, reverse: ROUTABLE };
/// Provides every address, but answers no reverse lookups.
const FORWARD_ONLY: Provides = Provides { reverse: NONE, ..EVERYTHING };
/// Provides a link-local address only if its host has no other.
const NO_LINK_LOCAL: Provides = Provides { both: ROUTABLE, v6_lan: V6, own_host: ROUTABLE, ..EVERYTHING };
/// Listens on IPv4 only, and provides one address of each family.
const MDNSD: Provides = Provides { both: ROUTABLE, v6_lan: NONE, own_host: ROUTABLE, ..FORWARD_ONLY };
/// Listens on IPv4 only, and provides every address. So do all responders for node.
const OVER_IPV4: Provides = Provides { v6_lan: NONE, ..FORWARD_ONLY };
/// Supports IPv4 only. On the client's own host, the module adds the others.
const IPV4_ONLY: Provides = Provides { both: V4, ..OVER_IPV4 };
/// Supports IPv4 only, with reverse lookups.
const ESP8266: Provides = Provides { reverse: V4, ..IPV4_ONLY };
/// Provides the link-local IPv6 address only.
const ZEPHYR: Provides =
    Provides { both: V4 | LINK_LOCAL, v6_lan: LINK_LOCAL, own_host: V4 | LINK_LOCAL, ..FORWARD_ONLY };
/// Listens on IPv4 only, and provides one address of each family.
const TINYSVCMDNS: Provides = MDNSD;

/// What a row shows.
#[derive(Clone, Copy)]
enum Evidence {
    /// The real program.
    Program,
    /// An imitation that has been compared with the packets of the real responder.
    Capture,
    /// An imitation of what the source code of the real responder does.
    Source,
    /// An imitation of what others have described. There is no public source code.
    Description,
}

impl Evidence {
    fn text(self) -> &'static str {
        match self {
            Evidence::Program => "real program",
            Evidence::Capture => "imitation, compared with a capture",
            Evidence::Source => "imitation read from source",
            Evidence::Description => "imitation of a description",
        }
    }
}

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

/// Reverse lookups of a host's addresses.
fn reverse(lan: &Scenario, host: &Host, wanted: Kinds) -> Result<(String, Option<String>), String> {
    lan.client.use_services("files mdns [NOTFOUND=return] dns")?;
    let (mut named, mut wrong) = (Vec::new(), None);
    for (kind, text, address) in [(V4, "IPv4", v4(host)), (V6, "IPv6", v6(host))] {
        let address = address.into_iter().next().unwrap_or_default();
        let outcome = lan.client.run(&["getent", "hosts", &address]);
        let found = outcome.stdout.trim_end().ends_with(&format!(" {}.local", host.name));
        named.extend(found.then(|| format!("{text}; {} ms", outcome.elapsed.as_millis())));
        if found != (wanted & kind != 0) || outcome.elapsed > AT_ONCE {
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

/// Since version 1.0, mdnsd uses IPv6 too. Its unicast responses hold one record, and it also multicasts all addresses in
/// response to a query, except while it announces them, in the seconds after its start.
fn mdnsd_after_announcing(host: &Host) -> Result<Daemon, String> {
    let daemon = mdnsd(host)?;
    if mdnsd_uses_ipv6() {
        std::thread::sleep(Duration::from_secs(8));
    }
    Ok(daemon)
}

/// One row: a responder in all situations. With `wait`, a lookup starts only after the responder has answered a bare
/// query.
fn row(place: usize, name: &str, start: Start, provides: &Provides, wait: bool, is: Evidence) -> Result<(), String> {
    let (mut line, mut wrongs) = (format!("| {name} | {} |", is.text()), Vec::new());
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
                let reverse = |wanted| reverse(&lan, host, wanted).unwrap_or_else(|why| ("?".into(), Some(why)));
                if own_host {
                    // The module knows this machine's name, whatever the responder answers.
                    reversed[1] = reverse(ROUTABLE);
                    add(beside(lan, start, wait_for(provides.both), provides.both));
                } else if families == Families::Both {
                    reversed[0] = reverse(provides.reverse);
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
        "\n| responder | what it is | both families | IPv4-only LAN | IPv6-only LAN | on the client's own host | one on each host \
         | reverse | reverse, on the client's own host |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    table.iter().for_each(|(_, line)| text.extend([line, "\n"]));
    // The test harness captures the output of print! and shows it only if the test fails.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

macro_rules! matrix {
    ($($is:ident $test:ident: $name:expr, $start:expr, $provides:expr, $wait:expr;)*) => {
        /// The number of rows.
        const ROWS: usize = [$(stringify!($test)),*].len();
        /// The names of the tests, in the order of the table.
        const ORDER: [&str; ROWS] = [$(stringify!($test)),*];

        $(#[test]
        fn $test() -> Result<(), String> {
            let place = ORDER.iter().position(|name| *name == stringify!($test)).unwrap_or(ROWS);
            row(place, $name, $start, &$provides, $wait, Evidence::$is)
        })*
    };
}

matrix! {
    Program avahi_daemon: "avahi-daemon", |host| avahi(host, &host.name), NO_LINK_LOCAL, false;
    Program python_zeroconf: "python-zeroconf", |host| zeroconf(host, &host.name), FORWARD_ONLY, false;
    Program python_zeroconf_0_38: "python-zeroconf 0.38", |host| old_zeroconf(host, "0.38.7"), FORWARD_ONLY, false;
    Program python_zeroconf_0_24: "python-zeroconf 0.24", |host| old_zeroconf(host, "0.24.4"), FORWARD_ONLY, false;
    Program systemd_resolved: "systemd-resolved", resolved, EVERYTHING, true;
    Program troglobit_mdnsd: "troglobit mdnsd", mdnsd_after_announcing, if mdnsd_uses_ipv6() { FORWARD_ONLY } else { MDNSD }, true;
    Program rust_mdns_sd: "Rust mdns-sd", mdns_sd, FORWARD_ONLY, false;
    Program rust_mdns_sd_0_5: "Rust mdns-sd 0.5", mdns_sd_0_5, IPV4_ONLY, false;
    Program rust_libmdns: "Rust libmdns", libmdns, FORWARD_ONLY, false;
    Program rust_simple_mdns: "Rust simple-mdns", simple_mdns, OVER_IPV4, false;
    Program node_bonjour_service: "node bonjour-service", |host| node(host, "bonjour_service.js"), OVER_IPV4, false;
    Program node_ciao: "node ciao", |host| node(host, "ciao.js"), OVER_IPV4, false;
    Program node_multicast_dns: "node multicast-dns", |host| node(host, "multicast_dns.js"), OVER_IPV4, false;
    Program go_hashicorp: "Go hashicorp/mdns", hashicorp, FORWARD_ONLY, false;
    Program go_pion: "Go pion/mdns", pion, IPV4_ONLY, false;
    Program java_jmdns: "Java jmdns", jmdns, IPV4_ONLY, true;
    Capture like_apple: "like Apple", |host| like(host, "apple"), EVERYTHING, false;
    Capture like_lwip: "like lwIP", |host| like(host, "lwip"), EVERYTHING, false;
    Capture like_esp_idf: "like ESP-IDF", |host| like(host, "esp-idf"), FORWARD_ONLY, false;
    Capture like_esp8266: "like ESP8266", |host| like(host, "esp8266"), ESP8266, false;
    Capture like_umdns: "like umdns", |host| like(host, "umdns"), EVERYTHING, false;
    Capture like_mdnsd_1_0: "like mdnsd 1.0", |host| like(host, "mdnsd-1.0"), FORWARD_ONLY, false;
    Capture like_tinysvcmdns: "like tinysvcmdns", |host| like(host, "tinysvcmdns"), TINYSVCMDNS, false;
    Source like_android: "like Android", |host| like(host, "android"), EVERYTHING, false;
    Source like_zephyr: "like Zephyr", |host| like(host, "zephyr"), ZEPHYR, false;
    Capture like_hashicorp: "like hashicorp", |host| like(host, "hashicorp"), FORWARD_ONLY, false;
    Capture like_resolved: "like resolved", |host| like(host, "resolved"), EVERYTHING, false;
    Capture like_jmdns: "like jmdns", |host| like(host, "jmdns"), IPV4_ONLY, false;
    Description like_windows: "like Windows", |host| like(host, "windows"), EVERYTHING, false;
}

fn like(host: &Host, shape: &str) -> Result<Daemon, String> {
    scripted(host, &format!("{}.local", host.name), &["--like", shape])
}
