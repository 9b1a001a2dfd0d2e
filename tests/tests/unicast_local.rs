//! A site whose DNS server serves `.local`, beside hosts that answer by multicast: the line without `[NOTFOUND=return]`,
//! and a shorter timeout, which is what every name of the DNS server's waits for first.

use tests::helpers::{Capture, Dns, capture, dns};
use tests::lan::Host;
use tests::lookups::{addresses, all, found};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_scripted};

const LINE: &str = "files mdns_minimal dns";

/// What the site's server knows: a domain, hosts of two labels and of three, and an address that the printer has not.
const ZONE: [&str; 4] =
    ["site.local=192.0.2.7", "intranet.local=192.0.2.8", "pc.site.local=192.0.2.9", "printer.local=192.0.2.1"];

fn site() -> Result<Scenario, String> {
    let lan = with_scripted("printer.local", &["--other", "additional"])?;
    lan.client.use_services(LINE)?;
    Ok(lan)
}

/// Looks a name up; also returns how many questions that took on the LAN.
fn look_up(client: &Host, capture: &Capture, name: &str) -> (Outcome, usize) {
    let before = capture.to_group().len();
    let outcome = client.run(&["getent", "ahosts", name]);
    (outcome, capture.to_group().len() - before)
}

/// Checks that DNS gave this address and no other.
fn is_from_dns(server: &Dns, outcome: &Outcome, name: &str, address: &str) {
    assert_eq!(addresses(outcome), [address.to_owned()].into(), "{outcome:?}");
    assert!(server.names().iter().any(|asked| asked == name), "{:?}", server.names());
}

#[test]
fn mdns_hosts_and_dns_hosts_are_found_and_the_latter_sooner_with_a_shorter_timeout() -> Result<(), String> {
    let lan = site()?;
    let server = dns(&lan.client, &ZONE)?;
    let capture = capture(&lan.client, "eth0")?;
    let (slow, questions) = look_up(&lan.client, &capture, "site.local");
    is_from_dns(&server, &slow, "site.local", "192.0.2.7");
    lan.client.write("/etc/nss-mdns.conf", "timeout = 300\n")?;
    let (quick, fewer) = look_up(&lan.client, &capture, "intranet.local");
    is_from_dns(&server, &quick, "intranet.local", "192.0.2.8");
    // The last round of questions, after 1,250 ms, is not reached.
    assert!(0 < fewer && fewer < questions, "{fewer} of {questions} questions");
    assert!(quick.elapsed * 2 < slow.elapsed, "{quick:?} {slow:?}");
    // The LAN's own host has nothing to wait for, and is not asked of DNS.
    let (printer, _) = look_up(&lan.client, &capture, "printer.local");
    assert_eq!(found(&printer), all(&lan.printer, lan.client.eth0()), "{printer:?}");
    assert!(!server.names().iter().any(|name| name == "printer.local"), "{:?}", server.names());
    Ok(())
}

/// The hosts of a domain `site.local` have three labels.
#[test]
fn names_of_three_labels_go_to_dns_at_once() -> Result<(), String> {
    let lan = site()?;
    let server = dns(&lan.client, &ZONE)?;
    let capture = capture(&lan.client, "eth0")?;
    for line in [LINE, "files mdns_minimal [NOTFOUND=return] dns"] {
        lan.client.use_services(line)?;
        let (outcome, questions) = look_up(&lan.client, &capture, "pc.site.local");
        is_from_dns(&server, &outcome, "pc.site.local", "192.0.2.9");
        found(&outcome);
        assert_eq!(questions, 0, "{line}");
    }
    Ok(())
}
