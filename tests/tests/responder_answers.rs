//! What real responders answer to the questions that the querier can choose from: for A, for AAAA and for ANY, to the
//! group and directly (RFC 6762, section 5.5), over IPv4 and over IPv6. The querier asks for a missing family in the way that
//! these answers suggest. The last test to finish prints the table for `docs/responders.md`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tests::helpers::query_with;
use tests::lan::{Families, Host};
use tests::responders::{
    avahi, avahi_v4, hashicorp, jmdns, libmdns, mdns_sd, mdnsd, mdnsd_uses_ipv6, node, old_zeroconf, resolved,
    zeroconf, zeroconf_v4,
};
use tests::run::Daemon;
use tests::scenario::Scenario;

type Tested = Result<(), String>;

/// The questions, in the order of the table's columns: record type, transport, and whether it is asked directly.
const QUESTIONS: [(&str, &str, bool); 8] = [
    ("a", "4", false),
    ("aaaa", "4", false),
    ("any", "4", false),
    ("any", "4", true),
    ("aaaa", "4", true),
    ("aaaa", "6", false),
    ("any", "6", true),
    ("aaaa", "6", true),
];

/// The rows that are complete.
static TABLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a unicast response to the question holds: `A`, `AAAA`, both, `NSEC` or nothing.
fn answer(lan: &Scenario, (rtype, transport, is_direct): (&str, &str, bool)) -> Result<String, String> {
    let printer = lan.printer.eth0();
    let (v4, v6) = (printer.v4.ok_or("no IPv4")?, printer.link_local.ok_or("no IPv6")?);
    let address = if transport == "4" { v4.to_string() } else { v6.to_string() };
    let direct = ["--direct", &address];
    let options = if is_direct { &direct[..] } else { std::slice::from_ref(&transport) };
    // Some responders answer the same question once a second, and limit what they send.
    std::thread::sleep(Duration::from_millis(1100));
    let outcome = query_with(&lan.client, "printer.local", rtype, options);
    let kinds = outcome.stdout.lines().filter_map(|line| match line {
        _ if line.starts_with("only types") => Some("NSEC"),
        _ if line.contains(':') => Some("AAAA"),
        _ if line.contains('.') => Some("A"),
        _ => None,
    });
    let kinds: BTreeSet<_> = kinds.collect();
    Ok(kinds.into_iter().collect::<Vec<_>>().join("+"))
}

fn row(name: &str, start: impl FnOnce(&Host) -> Result<Daemon, String>, expected: [&str; QUESTIONS.len()]) -> Tested {
    let lan = Scenario::with(Families::Both, start)?;
    std::thread::sleep(Duration::from_secs(2));
    let answers: Vec<String> = QUESTIONS.iter().map(|&question| answer(&lan, question)).collect::<Result<_, _>>()?;
    let shown = |answer: &String| if answer.is_empty() { "—".into() } else { answer.clone() };
    let cells: Vec<String> = answers.iter().map(shown).collect();
    print(format!("| {name} | {} |", cells.join(" | ")));
    assert_eq!(answers, expected, "{name}");
    Ok(())
}

fn print(row: String) {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.push(row);
    if table.len() == ROWS {
        table.sort();
        let head = "| responder | A | AAAA | ANY | ANY, direct | AAAA, direct | AAAA over IPv6 | ANY over IPv6, direct \
                    | AAAA over IPv6, direct |\n|---|---|---|---|---|---|---|---|---|";
        // Not print!, whose output the test harness shows only if the test fails.
        let _ = std::io::stdout().write_all(format!("\n{head}\n{}\n", table.join("\n")).as_bytes());
    }
}

macro_rules! survey {
    ($($test:ident: $name:expr, $start:expr, $expected:expr;)*) => {
        const ROWS: usize = [$(stringify!($test)),*].len();
        $(#[test]
        fn $test() -> Tested {
            row($name, $start, $expected)
        })*
    };
}

survey! {
    avahi_daemon: "avahi-daemon", |host| avahi(host, "printer"), ["A", "AAAA", "A+AAAA", "A+AAAA", "AAAA", "AAAA", "AAAA", "AAAA"];
    avahi_daemon_v4: "avahi-daemon, IPv4 only", |host| avahi_v4(host, "printer"), ["A", "", "A", "A", "", "", "", ""];
    python_zeroconf: "python-zeroconf", |host| zeroconf(host, "printer"), ["A+AAAA", "A+AAAA", "", "", "A+AAAA", "A+AAAA", "", "A+AAAA"];
    python_zeroconf_v4: "python-zeroconf, IPv4 only", |host| zeroconf_v4(host, "printer"), ["A+NSEC", "NSEC", "", "", "NSEC", "", "", ""];
    python_zeroconf_0_38: "python-zeroconf 0.38", |host| old_zeroconf(host, "0.38.7"), ["A+AAAA", "A+AAAA", "", "", "A+AAAA", "A+AAAA", "", "A+AAAA"];
    systemd_resolved: "systemd-resolved", resolved, ["A", "", "A", "A", "", "AAAA", "AAAA", "AAAA"];
    troglobit_mdnsd: "troglobit mdnsd", mdnsd, if mdnsd_uses_ipv6() { MDNSD_1 } else { MDNSD };
    rust_mdns_sd: "Rust mdns-sd", mdns_sd, ["A", "AAAA", "A+AAAA", "A+AAAA", "AAAA", "AAAA", "A+AAAA", "AAAA"];
    rust_libmdns: "Rust libmdns", libmdns, ["", "", "", "", "", "", "", ""];
    node_bonjour_service: "node bonjour-service", |host| node(host, "bonjour_service.js"), ["", "", "", "", "", "", "", ""];
    go_hashicorp: "Go hashicorp/mdns", hashicorp, ["A", "AAAA", "", "", "AAAA", "AAAA", "", "AAAA"];
    java_jmdns: "Java jmdns", jmdns_after_probing, ["A", "", "A", "A", "", "", "A", ""];
    node_ciao: "node ciao", |host| node(host, "ciao.js"), ["A+AAAA+NSEC", "A+AAAA+NSEC", "A+AAAA+NSEC", "", "", "", "", ""];
}

/// What mdnsd answers, and what it answers since version 1.0.
const MDNSD: [&str; QUESTIONS.len()] = ["A", "AAAA", "AAAA", "AAAA", "AAAA", "", "", ""];
const MDNSD_1: [&str; QUESTIONS.len()] = ["A", "AAAA", "AAAA", "AAAA", "AAAA", "AAAA", "AAAA", "AAAA"];

/// jmdns answers only when it has probed and announced its name, some seconds after it has started.
fn jmdns_after_probing(host: &Host) -> Result<Daemon, String> {
    let daemon = jmdns(host)?;
    std::thread::sleep(Duration::from_secs(5));
    Ok(daemon)
}
