//! The scripted responder's habits: what they are, those of known responders, and how options set them.

use std::net::IpAddr;

/// Which queries from an ephemeral port are answered by unicast; all others are answered to the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unicast {
    Always,
    IfAsked,
    Never,
}

/// The identifier of a unicast response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Echoed,
    Zero,
    Fresh,
}

/// Whether the family that was not asked for is given, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherFamily {
    No,
    Answer,
    Additional,
}

/// What is said about a type that the name has not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negative {
    Silence,
    Nsec,
    CompressedNsec,
    InvertedNsec,
    MulticastNsec,
}

/// A responder's name, addresses and habits.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) names: Vec<String>,
    pub(super) aliases: Vec<(String, String)>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) unicast: Unicast,
    pub(super) multicast_too: bool,
    pub(super) id: Id,
    pub(super) question_echoed: bool,
    pub(super) other_family: OtherFamily,
    pub(super) negative: Negative,
    /// A over IPv4 alone, AAAA over IPv6 alone.
    pub(super) family_by_transport: bool,
    pub(super) one_question_only: bool,
    /// Two questions in a packet are answered with id 0 and no question.
    pub(super) two_questions_unechoed: bool,
    pub(super) empty_record_silences: bool,
    pub(super) exact_case: bool,
    pub(super) from_ephemeral_port: bool,
    /// A record is sent to the group at most once a second (RFC 6762 section 6).
    pub(super) once_a_second: bool,
    /// A response without records to every query.
    pub(super) empty_responses: bool,
    pub(super) reverse: bool,
    pub(super) delay: (u64, u64),
    /// How much later than that an answer to a question for AAAA is, in milliseconds.
    pub(super) delay_aaaa: u64,
    pub(super) ttl: u32,
    pub(super) legacy_ttl: u32,
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
            ttl: 120,
            legacy_ttl: 10,
            ignored: 0,
        }
    }
}

/// The shapes that have a name, each after what it imitates.
pub const PRESETS: [&str; 11] =
    ["apple", "lwip", "esp-idf", "esp8266", "umdns", "android", "zephyr", "hashicorp", "resolved", "jmdns", "windows"];

/// Sets the habits of a named responder.
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
            multicast_only(shape, Unicast::IfAsked);
            (shape.other_family, shape.from_ephemeral_port, shape.ttl) = (OtherFamily::Answer, true, 4500);
        }
        "android" => {
            multicast_only(shape, Unicast::IfAsked);
            (shape.negative, shape.once_a_second, shape.delay) = (Negative::InvertedNsec, true, (20, 120));
        }
        "zephyr" => multicast_only(shape, Unicast::Never),
        "hashicorp" => (shape.id, shape.question_echoed, shape.exact_case) = (Id::Zero, false, true),
        "resolved" => (shape.family_by_transport, shape.legacy_ttl) = (true, 120),
        "jmdns" => (shape.unicast, shape.delay) = (Unicast::IfAsked, (20, 120)),
        "windows" => shape.empty_responses = true,
        _ => return Err(format!("--like {name}: known are {}", PRESETS.join(", "))),
    }
    Ok(())
}

/// The options of the `responder` program.
pub const USAGE: &str = "\
responder --name NAME.local... --a ADDRESS... --aaaa ADDRESS... [--alias NAME.local=NAME.local]...
  --like NAME          the shape of a known responder, to which the following options are changes
  --unicast always|asked|never           which ephemeral queries are answered by unicast
  --multicast-too                        and to the group besides
  --id echoed|zero|fresh                 of unicast responses
  --no-question                          do not echo it
  --other no|answer|additional           give the family that was not asked for, too
  --negative silence|nsec|compressed|inverted|multicast
  --family-by-transport                  A over IPv4 alone, AAAA over IPv6 alone
  --one-question-only                    no answer to two questions in a packet
  --exact-case  --ephemeral-source  --once-a-second  --empty-responses  --no-reverse
  --delay MS[-MS]  --delay-aaaa MS  --ttl SECONDS  --ignore-first QUERIES";

/// Reads the options.
pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Shape, String> {
    let mut shape = Shape::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        let bad = |value: &str| format!("{word} {value}: not understood");
        match word.as_str() {
            "--name" => shape.names.push(value()?),
            "--a" | "--aaaa" => {
                let value = value()?;
                shape.addresses.push(value.parse().map_err(|_| bad(&value))?);
            }
            "--alias" => {
                let value = value()?;
                let (alias, target) = value.split_once('=').ok_or_else(|| bad(&value))?;
                shape.aliases.push((alias.into(), target.into()));
            }
            "--like" => preset(&mut shape, &value()?)?,
            "--unicast" => {
                shape.unicast = one_of(
                    &value()?,
                    &[("always", Unicast::Always), ("asked", Unicast::IfAsked), ("never", Unicast::Never)],
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
                let (least, most) = value.split_once('-').unwrap_or((&value, &value));
                shape.delay = (least.parse().map_err(|_| bad(&value))?, most.parse().map_err(|_| bad(&value))?);
            }
            "--delay-aaaa" => {
                let value = value()?;
                shape.delay_aaaa = value.parse().map_err(|_| bad(&value))?;
            }
            "--ttl" => {
                let value = value()?;
                shape.ttl = value.parse().map_err(|_| bad(&value))?;
                shape.legacy_ttl = shape.ttl.min(10);
            }
            "--ignore-first" => {
                let value = value()?;
                shape.ignored = value.parse().map_err(|_| bad(&value))?;
            }
            _ => return Err(format!("{word}: not an option\n{USAGE}")),
        }
    }
    Ok(shape)
}

fn one_of<T: Copy>(value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| format!("{value}: not understood\n{USAGE}"))
}
