//! The behaviour of the scripted responder: its aspects, the shapes of known responders, and the options.

use crate::sockets::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use test_packet::types;

/// Which queries get a unicast response. All others get a multicast response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unicast {
    /// Those from an ephemeral port, and those with the unicast-response bit.
    Always,
    /// Those with the unicast-response bit.
    IfRequested,
    Never,
    /// All, including those from port 5353. The responder never sends to the group.
    AnyPort,
}

/// The identifier of a unicast response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Echoed,
    /// That of the query if it has the unicast-response bit, 0 otherwise.
    EchoedIfRequested,
    Zero,
    Fresh,
}

/// Which of the addresses on the command line the responder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    All,
    /// The IPv4 addresses.
    V4,
    /// The first IPv4 address.
    FirstV4,
    /// The first IPv4 address and the first IPv6 address.
    FirstOfEach,
    /// The first IPv4 address and the link-local IPv6 address. In place of one that is missing, `0.0.0.0` or `::`.
    FirstV4AndLinkLocal,
}

/// The hop limits of the packets that the responder sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HopLimits {
    pub(super) unicast: u8,
    pub(super) group_v4: u8,
    pub(super) group_v6: u8,
}

impl HopLimits {
    /// The hop limit of packets to the group.
    pub(super) fn group(self, transport: Transport) -> u32 {
        u32::from(if transport == Transport::V6 { self.group_v6 } else { self.group_v4 })
    }
}

/// Whether the addresses of the other family are in the response, and in which section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherFamily {
    No,
    Answer,
    Additional,
}

/// The response to a query for a type that the name lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negative {
    /// No response.
    Silence,
    /// An NSEC record.
    Nsec,
    /// An NSEC record whose next name is compressed.
    CompressedNsec,
    /// An NSEC record with the queried type, which the name lacks.
    InvertedNsec,
    /// An NSEC record to the group only.
    MulticastNsec,
    /// An NSEC record in every response, even together with an address.
    AlwaysNsec,
    /// No response. A response with all addresses of the name has an NSEC record too.
    NsecIfComplete,
    /// No response. Every response with an address has an NSEC record that contains A alone, even beside AAAA.
    NsecOfA,
}

/// The names, the addresses and the behaviour of a responder.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) names: Vec<String>,
    pub(super) aliases: Vec<(String, String)>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) has: Has,
    pub(super) unicast: Unicast,
    /// Unicast responses are sent to the group as well.
    pub(super) multicast_too: bool,
    /// Multicast responses to queries that arrive in quick succession are joined into one, which is sent after a delay
    /// between these, in microseconds.
    pub(super) multicast_joined: Option<(u64, u64)>,
    /// A multicast response is sent over both IPv4 and IPv6.
    pub(super) both_groups: bool,
    pub(super) id: Id,
    /// Multicast responses repeat the id of the query.
    pub(super) group_id_echoed: bool,
    pub(super) question_echoed: bool,
    /// The cache-flush bit is set, except in responses to legacy unicast queries.
    pub(super) cache_flush: bool,
    pub(super) hop_limits: HopLimits,
    /// If the host has a link-local IPv6 address, unicast responses contain no other IPv6 address.
    pub(super) unicast_link_local_only: bool,
    pub(super) other_family: OtherFamily,
    pub(super) negative: Negative,
    /// A is answered over IPv4 only, AAAA over IPv6 only.
    pub(super) family_by_transport: bool,
    /// A query with two questions gets no response.
    pub(super) one_question_only: bool,
    /// The response to a query with two questions has id 0 and no question.
    pub(super) two_questions_unechoed: bool,
    /// A query with a record without data, such as an empty OPT record, gets no response.
    pub(super) empty_record_silences: bool,
    pub(super) exact_case: bool,
    pub(super) from_ephemeral_port: bool,
    /// A record is sent to the group at most once a second (RFC 6762, section 6).
    pub(super) once_a_second: bool,
    /// Every query gets an empty response first.
    pub(super) empty_responses: bool,
    /// The reverse names of the addresses are answered.
    pub(super) reverse: bool,
    /// Minimum and maximum delay, in milliseconds.
    pub(super) delay: (u64, u64),
    /// Instead of `delay`: 25, 50, 75 and 100 ms in turn, and from there to the next tick of a timer of 100 ms.
    pub(super) delay_in_ticks: bool,
    /// Additional delay for queries for AAAA, in milliseconds.
    pub(super) delay_aaaa: u64,
    /// Additional delay for queries for A, in milliseconds.
    pub(super) delay_a: u64,
    /// Additional delay for queries over IPv6, in milliseconds.
    pub(super) delay_v6: u64,
    /// How many of the first queries for A get no response.
    pub(super) ignored_a: u32,
    /// Queries for these types get no response.
    pub(super) ignored_types: Vec<u16>,
    /// Queries with the unicast-response bit get no response.
    pub(super) ignores_unicast_requests: bool,
    /// Queries from other ports than 5353 and 53 get no response.
    pub(super) ignores_other_ports: bool,
    /// Only queries over this transport get a response.
    pub(super) only_over: Option<Transport>,
    /// TTL, in seconds.
    pub(super) ttl: u32,
    /// TTL in responses to legacy unicast queries, in seconds.
    pub(super) legacy_ttl: u32,
    /// TTL of NSEC records, in seconds, if it differs.
    pub(super) negative_ttl: Option<u32>,
    /// TTL of PTR records, in seconds, if it differs.
    pub(super) reverse_ttl: Option<u32>,
    /// How many of the first queries get no response.
    pub(super) ignored: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            names: Vec::new(),
            aliases: Vec::new(),
            addresses: Vec::new(),
            has: Has::All,
            unicast: Unicast::Always,
            multicast_too: false,
            multicast_joined: None,
            both_groups: false,
            id: Id::Echoed,
            group_id_echoed: false,
            question_echoed: true,
            cache_flush: true,
            hop_limits: HopLimits { unicast: 255, group_v4: 255, group_v6: 255 },
            unicast_link_local_only: false,
            other_family: OtherFamily::No,
            negative: Negative::Silence,
            family_by_transport: false,
            one_question_only: false,
            two_questions_unechoed: false,
            empty_record_silences: false,
            exact_case: false,
            from_ephemeral_port: false,
            once_a_second: false,
            empty_responses: false,
            reverse: true,
            delay: (0, 0),
            delay_in_ticks: false,
            delay_aaaa: 0,
            delay_a: 0,
            delay_v6: 0,
            ignored_a: 0,
            ignored_types: Vec::new(),
            ignores_unicast_requests: false,
            ignores_other_ports: false,
            only_over: None,
            ttl: 120,
            legacy_ttl: 10,
            negative_ttl: None,
            reverse_ttl: None,
            ignored: 0,
        }
    }
}

impl Shape {
    /// Never sends unicast responses, or only if they are requested.
    fn multicast_only(&mut self, unicast: Unicast) {
        (self.unicast, self.id, self.question_echoed) = (unicast, Id::Zero, false);
    }

    /// Applies [`Shape::has`] to the addresses.
    fn choose_addresses(&mut self) {
        let first_v4 = self.addresses.iter().copied().find(IpAddr::is_ipv4);
        let first_v6 = self.addresses.iter().copied().find(IpAddr::is_ipv6);
        match self.has {
            Has::All => {}
            Has::V4 => self.addresses.retain(IpAddr::is_ipv4),
            Has::FirstV4 => self.addresses = first_v4.into_iter().collect(),
            Has::FirstOfEach => self.addresses = first_v4.into_iter().chain(first_v6).collect(),
            Has::FirstV4AndLinkLocal => {
                let link_local = self.addresses.iter().copied().find(is_ipv6_link_local);
                self.addresses = vec![
                    first_v4.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
                    link_local.unwrap_or(Ipv6Addr::UNSPECIFIED.into()),
                ];
            }
        }
    }
}

/// Whether this is an address of fe80::/10.
pub(super) fn is_ipv6_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The named shapes, each called after the responder that it imitates.
pub const PRESETS: [&str; 14] = [
    "apple",
    "lwip",
    "esp-idf",
    "esp8266",
    "umdns",
    "mdnsd-1.0",
    "tinysvcmdns",
    "android",
    "zephyr",
    "hashicorp",
    "zeroconf-0.24",
    "resolved",
    "jmdns",
    "windows",
];

/// Applies a named shape. `tests/tests/shapes.rs` compares them with captured packets, except `android` and `zephyr`,
/// which were read from the source code of these responders, and `windows`.
fn preset(shape: &mut Shape, name: &str) -> Result<(), String> {
    match name {
        "apple" => {
            (shape.other_family, shape.negative) = (OtherFamily::Additional, Negative::MulticastNsec);
            shape.negative_ttl = Some(4500);
        }
        "lwip" => (shape.other_family, shape.one_question_only) = (OtherFamily::Additional, true),
        "esp-idf" => {
            (shape.other_family, shape.empty_record_silences) = (OtherFamily::Answer, true);
            (shape.delay_in_ticks, shape.hop_limits.unicast) = (true, 64);
            // Reverse lookups are an option of the build, which is off by default.
            (shape.reverse, shape.legacy_ttl, shape.reverse_ttl) = (false, 120, Some(10));
        }
        "esp8266" => {
            (shape.has, shape.only_over, shape.two_questions_unechoed) = (Has::V4, Some(Transport::V4), true);
            (shape.hop_limits.unicast, shape.legacy_ttl) = (64, 120);
        }
        "umdns" => {
            shape.multicast_only(Unicast::IfRequested);
            (shape.other_family, shape.from_ephemeral_port, shape.ttl) = (OtherFamily::Answer, true, 4500);
            (shape.cache_flush, shape.hop_limits.group_v6) = (false, 1);
        }
        "mdnsd-1.0" => {
            (shape.unicast_link_local_only, shape.multicast_too) = (true, true);
            shape.multicast_joined = Some((300, 5000));
            (shape.cache_flush, shape.legacy_ttl, shape.reverse) = (false, 120, false);
        }
        "tinysvcmdns" => {
            shape.multicast_only(Unicast::Never);
            (shape.has, shape.only_over, shape.negative) = (Has::FirstOfEach, Some(Transport::V4), Negative::NsecOfA);
            (shape.group_id_echoed, shape.ignores_unicast_requests) = (true, true);
            (shape.hop_limits.group_v4, shape.reverse) = (1, false);
        }
        "android" => {
            shape.multicast_only(Unicast::IfRequested);
            (shape.negative, shape.once_a_second) = (Negative::NsecIfComplete, true);
        }
        "zephyr" => {
            shape.multicast_only(Unicast::Never);
            (shape.has, shape.reverse) = (Has::FirstV4AndLinkLocal, false);
        }
        "hashicorp" => {
            (shape.unicast, shape.id, shape.question_echoed) = (Unicast::AnyPort, Id::EchoedIfRequested, false);
            (shape.cache_flush, shape.hop_limits.unicast, shape.legacy_ttl) = (false, 64, 120);
            (shape.exact_case, shape.reverse, shape.ignored_types) = (true, false, vec![types::ANY]);
        }
        "zeroconf-0.24" => {
            shape.multicast_only(Unicast::Never);
            (shape.ignores_other_ports, shape.both_groups) = (true, true);
            (shape.other_family, shape.ignored_types) = (OtherFamily::Answer, vec![types::AAAA]);
            shape.reverse = false;
        }
        "resolved" => (shape.family_by_transport, shape.legacy_ttl) = (true, 120),
        "jmdns" => {
            (shape.has, shape.only_over, shape.multicast_too) = (Has::FirstV4, Some(Transport::V4), true);
            (shape.hop_limits.unicast, shape.ttl, shape.legacy_ttl) = (64, 3600, 3600);
            shape.reverse = false;
        }
        "windows" => shape.empty_responses = true,
        _ => return Err(format!("--like {name}: not one of {}", PRESETS.join(", "))),
    }
    Ok(())
}

/// The options of the `responder` program.
pub const USAGE: &str = "\
responder --name NAME.local... --a ADDRESS... --aaaa ADDRESS... [--alias NAME.local=NAME.local]...
  --like NAME          the shape of a known responder; the following options change it
  --unicast always|requested|never|any-port
                                         which queries get a unicast response
  --multicast-too                        send unicast responses to the group as well
  --id echoed|requested|zero|fresh       the id of unicast responses
  --no-question                          do not echo the question
  --other no|answer|additional           add the addresses of the other family
  --negative silence|nsec|compressed|inverted|multicast|always|complete|of-a
                                         the response for a type that the name lacks
  --family-by-transport                  answer A over IPv4 only, AAAA over IPv6 only
  --one-question-only                    no response to a query with two questions
  --exact-case  --ephemeral-source  --once-a-second  --empty-responses  --reverse  --no-reverse
  --delay MS[-MS]  --delay-aaaa MS  --delay-a MS  --delay-v6 MS  --ttl SECONDS
  --ignore-first QUERIES  --ignore-a QUERIES  --ignore-any  --only-over 4|6";

/// Parses the options.
pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Shape, String> {
    let mut shape = Shape::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let invalid = |value: &str| format!("{word} {value}: invalid value");
        match word.as_str() {
            "--name" => shape.names.push(value()?),
            "--a" | "--aaaa" => {
                let value = value()?;
                shape.addresses.push(value.parse().map_err(|_| invalid(&value))?);
            }
            "--alias" => {
                let value = value()?;
                let (alias, target) = value.split_once('=').ok_or_else(|| invalid(&value))?;
                shape.aliases.push((alias.into(), target.into()));
            }
            "--like" => preset(&mut shape, &value()?)?,
            "--unicast" => {
                shape.unicast = one_of(
                    &value()?,
                    &[
                        ("always", Unicast::Always),
                        ("requested", Unicast::IfRequested),
                        ("never", Unicast::Never),
                        ("any-port", Unicast::AnyPort),
                    ],
                )?
            }
            "--id" => {
                shape.id = one_of(
                    &value()?,
                    &[
                        ("echoed", Id::Echoed),
                        ("requested", Id::EchoedIfRequested),
                        ("zero", Id::Zero),
                        ("fresh", Id::Fresh),
                    ],
                )?
            }
            "--other" => {
                shape.other_family = one_of(
                    &value()?,
                    &[
                        ("no", OtherFamily::No),
                        ("answer", OtherFamily::Answer),
                        ("additional", OtherFamily::Additional),
                    ],
                )?
            }
            "--negative" => {
                shape.negative = one_of(
                    &value()?,
                    &[
                        ("silence", Negative::Silence),
                        ("nsec", Negative::Nsec),
                        ("compressed", Negative::CompressedNsec),
                        ("inverted", Negative::InvertedNsec),
                        ("multicast", Negative::MulticastNsec),
                        ("always", Negative::AlwaysNsec),
                        ("complete", Negative::NsecIfComplete),
                        ("of-a", Negative::NsecOfA),
                    ],
                )?
            }
            "--multicast-too" => shape.multicast_too = true,
            "--no-question" => shape.question_echoed = false,
            "--family-by-transport" => shape.family_by_transport = true,
            "--one-question-only" => shape.one_question_only = true,
            "--exact-case" => shape.exact_case = true,
            "--ephemeral-source" => shape.from_ephemeral_port = true,
            "--once-a-second" => shape.once_a_second = true,
            "--empty-responses" => shape.empty_responses = true,
            "--reverse" => shape.reverse = true,
            "--no-reverse" => shape.reverse = false,
            "--delay" => {
                let value = value()?;
                shape.delay_in_ticks = false;
                let (min, max) = value.split_once('-').unwrap_or((&value, &value));
                shape.delay = (min.parse().map_err(|_| invalid(&value))?, max.parse().map_err(|_| invalid(&value))?);
            }
            "--delay-aaaa" | "--delay-a" | "--delay-v6" => {
                let value = value()?;
                let delay = value.parse().map_err(|_| invalid(&value))?;
                match word.as_str() {
                    "--delay-a" => shape.delay_a = delay,
                    "--delay-v6" => shape.delay_v6 = delay,
                    _ => shape.delay_aaaa = delay,
                }
            }
            "--ignore-any" => shape.ignored_types.push(types::ANY),
            "--only-over" => {
                shape.only_over = Some(one_of(&value()?, &[("4", Transport::V4), ("6", Transport::V6)])?);
            }
            "--ttl" => {
                let value = value()?;
                shape.ttl = value.parse().map_err(|_| invalid(&value))?;
                shape.legacy_ttl = shape.ttl.min(10);
            }
            "--ignore-first" | "--ignore-a" => {
                let value = value()?;
                let count = value.parse().map_err(|_| invalid(&value))?;
                if word == "--ignore-a" { shape.ignored_a = count } else { shape.ignored = count }
            }
            _ => return Err(format!("{word}: not an option\n{USAGE}")),
        }
    }
    shape.choose_addresses();
    Ok(shape)
}

fn one_of<T: Copy>(value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| format!("{value}: invalid value\n{USAGE}"))
}
