//! The shapes of the scripted responder behave as the real responders of the same names. The queries of a captured
//! exchange (`tests/captures`) are sent to the scripted responder again, from the same ports and at the same times, and
//! its responses must have the same descriptions, each as often.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tests::captures::{describe, host, read, shortest_delay};
use tests::helpers::replay;
use tests::lan::{Families, Network};
use tests::module::workspace;
use tests::responders::scripted_with;
use tests::scripted::PRESETS;

type Tested = Result<(), String>;

/// Shapes without a capture: read from the source of the responder, or, for Windows, made from descriptions.
const IMITATIONS: [&str; 3] = ["android", "zephyr", "windows"];

/// When the first unicast response to a query is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delay {
    None,
    /// After 25 ms at least.
    Delayed,
}

/// A shape, and the exchange with which it is compared.
struct Comparison {
    shape: &'static str,
    /// Further options: how the captured responder was built, or addresses that its host had but it did not announce.
    options: &'static [&'static str],
    capture: &'static str,
    families: Families,
    delay: Delay,
    /// It joins multicast responses, depending on when the queries arrive.
    joins: bool,
}

impl Comparison {
    const fn new(shape: &'static str, capture: &'static str, families: Families) -> Comparison {
        Comparison { shape, options: &[], capture, families, delay: Delay::None, joins: false }
    }

    const fn options(self, options: &'static [&'static str]) -> Comparison {
        Comparison { options, ..self }
    }

    const fn delayed(self) -> Comparison {
        Comparison { delay: Delay::Delayed, ..self }
    }

    const fn joined(self) -> Comparison {
        Comparison { joins: true, ..self }
    }

    fn run(&self) -> Tested {
        let file = captures().join(format!("{}.pcap", self.capture));
        let captured = read(&file)?;
        let network = Network::new()?;
        let lan = network.lan(Families::Both)?;
        let (printer, querier) = (network.host("printer", &[&lan])?, network.host("querier", &[&lan])?);
        if self.families == Families::V4 {
            printer.script("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")?;
        }
        let (name, addresses) = host(&captured).ok_or("no name in the capture")?;
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut options = vec!["--name", &name, "--like", self.shape];
        for address in &addresses {
            options.extend([if address.contains(':') { "--aaaa" } else { "--a" }, address]);
        }
        let _responder = scripted_with(&printer, &[&options[..], self.options].concat())?;
        let replayed = replay(&querier, &file, printer.eth0().v4.ok_or("no IPv4")?)?;
        let (expected, found) = (describe(&captured, self.joins), describe(&replayed, self.joins));
        assert!(!expected.is_empty(), "{}: no response in the capture", self.capture);
        let differences = differences(&expected, &found);
        assert!(differences.is_empty(), "{} and {}:\n{differences}", self.shape, self.capture);
        for (what, packets) in [("capture", &captured), ("shape", &replayed)] {
            let Some(delay) = shortest_delay(packets) else { continue };
            let is_delayed = delay >= Duration::from_millis(25);
            assert_eq!(is_delayed, self.delay == Delay::Delayed, "{}, {what}: {delay:?}", self.shape);
        }
        Ok(())
    }
}

fn captures() -> PathBuf {
    workspace().join("tests/captures")
}

/// The descriptions whose counts differ, a line each.
fn differences(expected: &BTreeMap<String, usize>, found: &BTreeMap<String, usize>) -> String {
    let count = |all: &BTreeMap<String, usize>, description| all.get(description).copied().unwrap_or(0);
    let all: BTreeMap<_, ()> = expected.keys().chain(found.keys()).map(|description| (description, ())).collect();
    let counts = all.into_keys().map(|it| (it, count(expected, it), count(found, it)));
    let different = counts.filter(|(_, expected, found)| expected != found);
    different.map(|(it, expected, found)| format!("{expected} captured, {found} sent: {it}\n")).collect()
}

macro_rules! comparisons {
    ($($test:ident: $comparison:expr;)*) => {
        const COMPARISONS: &[(&str, Comparison)] = &[$((stringify!($test), $comparison)),*];

        $(#[test]
        fn $test() -> Tested {
            let (_, comparison) = COMPARISONS.iter().find(|(name, _)| *name == stringify!($test)).ok_or("no row")?;
            comparison.run()
        })*
    };
}

comparisons! {
    apple: Comparison::new("apple", "apple-dual", Families::Both);
    apple_ipv4: Comparison::new("apple", "apple-ipv4", Families::V4);
    esp_idf: Comparison::new("esp-idf", "esp-idf-dual", Families::Both).delayed();
    esp_idf_ipv4: Comparison::new("esp-idf", "esp-idf-ipv4", Families::V4).delayed();
    esp_idf_reverse: Comparison::new("esp-idf", "esp-idf-reverse", Families::Both).delayed().options(&["--reverse"]);
    esp8266: Comparison::new("esp8266", "esp8266", Families::Both).options(&["--aaaa", "fd77::63"]);
    hashicorp: Comparison::new("hashicorp", "hashicorp-1.0.3-dual", Families::Both);
    hashicorp_ipv4: Comparison::new("hashicorp", "hashicorp-1.0.3-ipv4", Families::V4);
    hashicorp_2026: Comparison::new("hashicorp", "hashicorp-2026-dual", Families::Both);
    jmdns: Comparison::new("jmdns", "jmdns", Families::Both).options(&["--aaaa", "fd77::44", "--aaaa", "fe80::44"]);
    lwip: Comparison::new("lwip", "lwip-dual", Families::Both);
    lwip_ipv4: Comparison::new("lwip", "lwip-ipv4", Families::V4);
    mdnsd_1_0: Comparison::new("mdnsd-1.0", "mdnsd-1.0-dual", Families::Both).joined();
    mdnsd_1_0_ipv4: Comparison::new("mdnsd-1.0", "mdnsd-1.0-ipv4", Families::V4).joined();
    resolved: Comparison::new("resolved", "resolved", Families::Both);
    tinysvcmdns: Comparison::new("tinysvcmdns", "tinysvcmdns", Families::Both).options(&["--aaaa", "fe80::37"]);
    umdns: Comparison::new("umdns", "umdns-dual", Families::Both);
    umdns_ipv4: Comparison::new("umdns", "umdns-ipv4", Families::V4);
    zeroconf_0_24: Comparison::new("zeroconf-0.24", "zeroconf-0.24", Families::Both);
}

#[test]
fn every_shape_is_compared_or_known_as_an_imitation() {
    let is_compared = |shape: &str| COMPARISONS.iter().any(|(_, comparison)| comparison.shape == shape);
    for shape in PRESETS {
        assert_ne!(is_compared(shape), IMITATIONS.contains(&shape), "{shape}");
    }
}

#[test]
fn every_capture_is_compared() -> Tested {
    let entries = std::fs::read_dir(captures()).map_err(|why| why.to_string())?;
    let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let captures: Vec<_> = names.filter_map(|name| name.strip_suffix(".pcap").map(str::to_owned)).collect();
    assert!(captures.len() >= 19, "{captures:?}");
    for capture in captures {
        assert!(COMPARISONS.iter().any(|(_, comparison)| comparison.capture == capture), "{capture}");
    }
    Ok(())
}
