//! A site whose DNS server serves `.local`, and which also has hosts that answer by multicast. It needs the hosts line
//! without `[NOTFOUND=return]`, and a shorter timeout: a lookup of a name that only DNS has first waits for the
//! timeout.

use tests::helpers::{Capture, Dns, capture, dns};
use tests::lan::Host;
use tests::lookups::{addresses, all, found};
use tests::run::Outcome;
use tests::scenario::{Scenario, with_scripted};

const LINE: &str = "files mdns_minimal dns";

/// The zone of the site's server: a domain, hosts with two and three labels, and an address that is not the printer's.
const ZONE: [&str; 4] =
    ["site.local=192.0.2.7", "intranet.local=192.0.2.8", "pc.site.local=192.0.2.9", "printer.local=192.0.2.1"];

fn site() -> Result<Scenario, String> {
    let lan = with_scripted("printer.local", &["--other", "additional"])?;
    lan.client.use_services(LINE)?;
    Ok(lan)
}

/// Looks up a name. Also returns how many queries the lookup sent on the LAN.
fn look_up(client: &Host, capture: &Capture, name: &str) -> (Outcome, usize) {
    let before = capture.to_group().len();
    let outcome = client.run(&["getent", "ahosts", name]);
    (outcome, capture.to_group().len() - before)
}

/// Checks that DNS provided this address and no other.
fn is_from_dns(server: &Dns, outcome: &Outcome, name: &str, address: &str) {
    assert_eq!(addresses(outcome), [address.to_owned()].into(), "{outcome:?}");
    assert!(server.names().iter().any(|asked| asked == name), "{:?}", server.names());
}

#[test]
fn hosts_on_the_lan_and_in_dns_are_found_and_those_in_dns_sooner_with_a_shorter_timeout() -> Result<(), String> {
    let lan = site()?;
    let server = dns(&lan.client, &ZONE)?;
    let capture = capture(&lan.client, "eth0")?;
    let (slow, questions) = look_up(&lan.client, &capture, "site.local");
    is_from_dns(&server, &slow, "site.local", "192.0.2.7");
    lan.client.write("/etc/nss-mdns.conf", "timeout = 300\n")?;
    let (quick, fewer) = look_up(&lan.client, &capture, "intranet.local");
    is_from_dns(&server, &quick, "intranet.local", "192.0.2.8");
    // The lookup ends before the last retransmission, which is due after 1,250 ms.
    assert!(0 < fewer && fewer < questions, "{fewer} of {questions} queries");
    assert!(quick.elapsed * 2 < slow.elapsed, "{quick:?} {slow:?}");
    // The host on the LAN is found without waiting for the timeout, and is not looked up in DNS.
    let (printer, _) = look_up(&lan.client, &capture, "printer.local");
    assert_eq!(found(&printer), all(&lan.printer, lan.client.eth0()), "{printer:?}");
    assert!(!server.names().iter().any(|name| name == "printer.local"), "{:?}", server.names());
    Ok(())
}

/// Hosts in a domain such as `site.local` have names of three labels.
#[test]
fn names_with_three_labels_are_looked_up_in_dns_immediately() -> Result<(), String> {
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
