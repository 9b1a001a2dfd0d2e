//! The behaviour of the scripted responder: its aspects, the shapes of known responders, and the options.

use crate::sockets::Transport;
use std::net::IpAddr;

/// Which queries from an ephemeral port get a unicast response. All others get a multicast response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unicast {
    Always,
    /// Those with the unicast-response bit.
    IfRequested,
    Never,
}

/// The identifier of a unicast response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Echoed,
    Zero,
    Fresh,
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
    /// An NSEC record with the queried type, which the name lacks, as Android sends.
    InvertedNsec,
    /// An NSEC record to the group only.
    MulticastNsec,
    /// An NSEC record in every response, even together with an address.
    AlwaysNsec,
}

/// The names, the addresses and the behaviour of a responder.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) names: Vec<String>,
    pub(super) aliases: Vec<(String, String)>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) unicast: Unicast,
    /// Unicast responses are sent to the group as well.
    pub(super) multicast_too: bool,
    pub(super) id: Id,
    pub(super) question_echoed: bool,
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
    /// Additional delay for queries for AAAA, in milliseconds.
    pub(super) delay_aaaa: u64,
    /// Additional delay for queries for A, in milliseconds.
    pub(super) delay_a: u64,
    /// Additional delay for queries over IPv6, in milliseconds.
    pub(super) delay_v6: u64,
    /// How many of the first queries for A get no response.
    pub(super) ignored_a: u32,
    /// Queries for ANY get no response.
    pub(super) ignores_any: bool,
    /// Only queries over this transport get a response.
    pub(super) only_over: Option<Transport>,
    /// TTL, in seconds.
    pub(super) ttl: u32,
    /// TTL in responses to legacy unicast queries, in seconds.
    pub(super) legacy_ttl: u32,
    /// How many of the first queries get no response.
    pub(super) ignored: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            names: Vec::new(),
            aliases: Vec::new(),
            addresses: Vec::new(),
            unicast: Unicast::Always,
            multicast_too: false,
            id: Id::Echoed,
            question_echoed: true,
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
            delay_aaaa: 0,
            delay_a: 0,
            delay_v6: 0,
            ignored_a: 0,
            ignores_any: false,
            only_over: None,
            ttl: 120,
            legacy_ttl: 10,
            ignored: 0,
        }
    }
}

/// The named shapes, each called after the responder that it imitates.
pub const PRESETS: [&str; 11] =
    ["apple", "lwip", "esp-idf", "esp8266", "umdns", "android", "zephyr", "hashicorp", "resolved", "jmdns", "windows"];

/// Applies a named shape.
fn preset(shape: &mut Shape, name: &str) -> Result<(), String> {
    let multicast_only = |shape: &mut Shape, unicast| {
        (shape.unicast, shape.id, shape.question_echoed) = (unicast, Id::Zero, false);
    };
    match name {
        "apple" => {
            (shape.other_family, shape.negative) = (OtherFamily::Additional, Negative::MulticastNsec);
        }
        "lwip" => shape.one_question_only = true,
        "esp-idf" => {
            (shape.other_family, shape.empty_record_silences) = (OtherFamily::Answer, true);
            shape.delay = (25, 100);
        }
        "esp8266" => shape.two_questions_unechoed = true,
        "umdns" => {
            multicast_only(shape, Unicast::IfRequested);
            (shape.other_family, shape.from_ephemeral_port, shape.ttl) = (OtherFamily::Answer, true, 4500);
        }
        "android" => {
            multicast_only(shape, Unicast::IfRequested);
            (shape.negative, shape.once_a_second, shape.delay) = (Negative::InvertedNsec, true, (20, 120));
        }
        "zephyr" => multicast_only(shape, Unicast::Never),
        "hashicorp" => (shape.id, shape.question_echoed, shape.exact_case) = (Id::Zero, false, true),
        "resolved" => (shape.family_by_transport, shape.legacy_ttl) = (true, 120),
        "jmdns" => (shape.unicast, shape.delay) = (Unicast::IfRequested, (20, 120)),
        "windows" => shape.empty_responses = true,
        _ => return Err(format!("--like {name}: not one of {}", PRESETS.join(", "))),
    }
    Ok(())
}

/// The options of the `responder` program.
pub const USAGE: &str = "\
responder --name NAME.local... --a ADDRESS... --aaaa ADDRESS... [--alias NAME.local=NAME.local]...
  --like NAME          the shape of a known responder; the following options change it
  --unicast always|requested|never       which queries from ephemeral ports get a unicast response
  --multicast-too                        send unicast responses to the group as well
  --id echoed|zero|fresh                 the id of unicast responses
  --no-question                          do not echo the question
  --other no|answer|additional           add the addresses of the other family
  --negative silence|nsec|compressed|inverted|multicast|always
                                         the response for a type that the name lacks
  --family-by-transport                  answer A over IPv4 only, AAAA over IPv6 only
  --one-question-only                    no response to a query with two questions
  --exact-case  --ephemeral-source  --once-a-second  --empty-responses  --no-reverse
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
                    &[("always", Unicast::Always), ("requested", Unicast::IfRequested), ("never", Unicast::Never)],
                )?
            }
            "--id" => {
                shape.id = one_of(&value()?, &[("echoed", Id::Echoed), ("zero", Id::Zero), ("fresh", Id::Fresh)])?
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
            "--no-reverse" => shape.reverse = false,
            "--delay" => {
                let value = value()?;
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
            "--ignore-any" => shape.ignores_any = true,
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
    Ok(shape)
}

fn one_of<T: Copy>(value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| format!("{value}: invalid value\n{USAGE}"))
}
