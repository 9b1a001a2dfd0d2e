//! The story of a lookup, from its recorded events: as lines of text, and as JSON.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use resolver_core::net::socket::SocketKind;
use resolver_core::observer::{Conclusion, Exclusion, NameSource, Rejection, Round};
use resolver_core::wire::RecordType;
use resolver_core::{Families, Family, LookupError};

use super::json::Value;
use super::recorder::{Packet, RecordText, Recorded, SentQuery, Use, What, type_name};

/// The maximum number of ignored packets that are told in full. Of the others, the number is told.
const MAX_IGNORED: usize = 10;

const OWN_NAME: &str =
    "this is the machine's own name: if nobody responds within 250 ms, the answer is the machine's own addresses";

const NO_DAEMON: &str = "avahi-daemon on this machine cannot be asked (it does not run, or does not take this name)";

/// Follow-up queries that are sent within this time are told together, as those of a round are.
const BURST: Duration = Duration::from_micros(900);

/// The maximum number of records of one packet that are told in full.
const MAX_RECORDS: usize = 20;

/// The names of the interfaces, by their indexes.
#[derive(Debug, Default)]
pub(crate) struct InterfaceNames(pub(crate) Vec<(u32, String)>);

impl InterfaceNames {
    /// The name of the interface with this index.
    pub(crate) fn get(&self, index: u32) -> String {
        let found = self.0.iter().find(|(other, _)| *other == index);
        found.map_or_else(|| format!("interface {index}"), |(_, name)| name.clone())
    }

    /// An address as programs accept it: with the name of the interface if it is link-local IPv6.
    pub(crate) fn address(&self, ip: IpAddr, interface: u32) -> String {
        match ip {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{ip}%{}", self.get(interface)),
            _ => ip.to_string(),
        }
    }
}

/// The name of a family.
pub(crate) fn family_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

/// A line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it happened, since the start of the lookup. None for what belongs to the line before, and for what sums up.
    pub(crate) at: Option<Duration>,
    /// What happened.
    pub(crate) text: String,
}

/// The lines that tell what happened in the lookup of `name`.
pub(crate) fn lines(name: &str, events: &[Recorded], interfaces: &InterfaceNames) -> Vec<Line> {
    let mut teller = Teller {
        interfaces,
        name: name.into(),
        phase: Phase::First,
        lines: Vec::new(),
        denied: Vec::new(),
        ignored: Vec::new(),
    };
    let mut rest = events;
    while let [first, after @ ..] = rest {
        rest = match &first.what {
            What::Sent(_) => {
                let is_together = |event: &Recorded| teller.phase != Phase::FollowUp || event.at < first.at + BURST;
                let is_of_burst = |event: &&Recorded| matches!(event.what, What::Sent(_)) && is_together(event);
                let count = rest.iter().take_while(is_of_burst).count();
                let (sent, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                teller.sent(first.at, sent);
                after
            }
            _ => {
                teller.tell(first, after.first());
                after
            }
        };
    }
    teller.sum_up();
    teller.lines
}

/// Which questions are being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First,
    Neighbours,
    Repeat,
    /// After the first response with addresses: for a family that is missing, or for an answer of its own if the first
    /// was an answer to another querier.
    FollowUp,
}

struct Teller<'a> {
    interfaces: &'a InterfaceNames,
    /// The current name: the one that was looked up, or the target of an alias.
    name: String,
    phase: Phase,
    lines: Vec<Line>,
    /// Which families were denied over which transports.
    denied: Vec<(Family, Family)>,
    /// The packets that were ignored, by their reason.
    ignored: Vec<(String, usize)>,
}

impl Teller<'_> {
    fn add(&mut self, at: Duration, text: String) {
        self.lines.push(Line { at: Some(at), text });
    }

    fn add_detail(&mut self, text: String) {
        self.lines.push(Line { at: None, text });
    }

    fn tell(&mut self, event: &Recorded, next: Option<&Recorded>) {
        let at = event.at;
        match &event.what {
            What::Cached(None) => self.add(at, "answered from the cache of this process".into()),
            What::Cached(Some(error)) => self.add(at, format!("answered from the cache of this process: {error}")),
            What::NoInterfaces(LookupError::NoInterface) => self.add(at, "no interface can be queried".into()),
            What::NoInterfaces(error) => self.add(at, format!("the interfaces cannot be read: {error}")),
            What::Source(NameSource::LinkThenDns) => self.add(
                at,
                "local is a search domain in /etc/resolv.conf: if nobody on the link answers, the name is left to DNS"
                    .into(),
            ),
            // A lookup of an own address asks nobody, so it has no name.
            What::Own if self.name.is_empty() => {
                self.add(at, "this is the machine's own address: the answer is its own name".into())
            }
            What::Own => self.add(at, OWN_NAME.into()),
            What::OwnAnswer => self.add(at, "nobody responded: the answer is the machine's own addresses".into()),
            What::OwnAdded(family) => {
                let name = family_name(*family);
                self.add(at, format!("added the machine's own {name} addresses: its responder is silent about them"));
            }
            What::NoSocket { kind, transport, interface, error } => {
                let text = self.no_socket(*kind, *transport, *interface, error);
                self.add(at, text);
            }
            What::Round(round) => self.begin_round(at, *round, next),
            What::Received(packet) => self.received(at, packet),
            What::DaemonAsked(true) => self.add(at, "asked avahi-daemon on this machine".into()),
            What::DaemonAsked(false) => self.add(at, NO_DAEMON.into()),
            What::DaemonAddress(address) => {
                self.add(at, format!("avahi-daemon on this machine knows {}", address.ip));
            }
            What::Missing { family, conclusion } => {
                let text = conclusion_text(*family, *conclusion, &self.denied);
                self.add(at, text);
            }
            What::OwnAddressRemoved(ip) => self.add(
                at,
                format!(
                    "left {ip} out of the answer: this machine has that address too, and a program would reach itself"
                ),
            ),
            What::LinkLocalRemoved => {
                self.add(at, "left out the link-local IPv6 addresses: ipv6-link-local = off".into());
            }
            // The line with the result says these.
            What::Excluded(_) | What::Source(_) | What::Sent(_) => {}
        }
    }

    fn no_socket(&self, kind: SocketKind, transport: Family, interface: Option<u32>, error: &str) -> String {
        let (socket, transport) = (socket_name(kind), family_name(transport));
        match interface {
            Some(index) => {
                format!("{} cannot use the {socket} over {transport}: {error}", self.interfaces.get(index))
            }
            None => format!("there is no {socket} over {transport}: {error}"),
        }
    }

    fn begin_round(&mut self, at: Duration, round: Round, next: Option<&Recorded>) {
        self.phase = match round {
            Round::First => Phase::First,
            Round::Neighbours => Phase::Neighbours,
            Round::Repeat => Phase::Repeat,
        };
        let is_empty = !next.is_some_and(|next| matches!(next.what, What::Sent(_)));
        if round == Round::Neighbours && is_empty {
            self.add(at, "the kernel's neighbour table has no host that could be asked directly".into());
        }
    }

    /// Tells the queries that were sent in one go: one line for all interfaces on which the same was asked.
    fn sent(&mut self, at: Duration, sent: &[Recorded]) {
        let mut groups: Vec<(Manner, Vec<u32>, Targets)> = Vec::new();
        for (manner, interface, targets) in by_interface(sent) {
            match groups.iter_mut().find(|(other, _, asked)| *other == manner && *asked == targets) {
                Some((_, interfaces, _)) => interfaces.push(interface),
                None => groups.push((manner, vec![interface], targets)),
            }
        }
        for (manner, interfaces, targets) in groups {
            let on = enumerate(interfaces.iter().map(|&index| self.interfaces.get(index)));
            let text = self.question_text(&manner, &on, &targets);
            self.add(at, text);
        }
    }

    fn question_text(&self, manner: &Manner, on: &str, targets: &Targets) -> String {
        let mut text = match (&manner.error, self.phase) {
            (Some(_), _) => "could not ask".to_owned(),
            (None, Phase::First) => "asked".into(),
            (None, Phase::Neighbours) => "asked neighbours directly".into(),
            (None, Phase::Repeat) => "asked again".into(),
            (None, Phase::FollowUp) => "followed up".into(),
        };
        let _ = write!(text, " on {on}");
        if let Some(source) = manner.source {
            let _ = write!(text, " from {source}");
        }
        if manner.socket == SocketKind::MulticastListener {
            text.push_str(" from port 5353");
        }
        if manner.unicast_response {
            text.push_str(" with the QU bit");
        }
        let targets = targets.iter().map(|(to, rtypes)| {
            let to = enumerate(to.iter().map(ToString::to_string));
            format!("{to} for {}", enumerate(rtypes.iter().map(|rtype| type_name(*rtype))))
        });
        let _ = write!(text, ": {}", targets.collect::<Vec<_>>().join(", "));
        if let Some(error) = &manner.error {
            let _ = write!(text, ": {error}");
        }
        text
    }

    fn received(&mut self, at: Duration, packet: &Packet) {
        match packet.rejection {
            None => self.accepted(at, packet),
            // This machine's own queries come back from the group, and other hosts ask too.
            Some(Rejection::Query) => self.count("queries, by this machine or by other hosts".into()),
            Some(rejection) => {
                let text = format!("ignored {}: {rejection}", self.packet_text("a packet", packet));
                self.add_ignored(at, text, rejection.to_string());
            }
        }
    }

    /// Tells of an ignored packet, or only counts it if there have been many.
    fn add_ignored(&mut self, at: Duration, text: String, reason: String) {
        let told = self.lines.iter().filter(|line| line.text.starts_with("ignored")).count();
        if told < MAX_IGNORED { self.add(at, text) } else { self.count(reason) }
    }

    fn count(&mut self, reason: String) {
        match self.ignored.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => self.ignored.push((reason, 1)),
        }
    }

    fn accepted(&mut self, at: Duration, packet: &Packet) {
        let is_about_name = packet.records.iter().any(|record| record.owner.eq_ignore_ascii_case(&self.name));
        if packet.uses.is_empty() && !is_about_name && packet.socket == SocketKind::MulticastListener {
            return self.count("multicast responses about other names".into());
        }
        let text = self.packet_text("response", packet);
        self.add(at, text);
        if packet.uses.is_empty() {
            let why = if packet.records.is_empty() { "it is empty" } else { "it has nothing that the lookup can use" };
            self.add_detail(format!("ignored: {why}"));
        }
        let transport = if packet.source.is_ipv4() { Family::V4 } else { Family::V6 };
        for taken in &packet.uses {
            if let Use::Denied { family, .. } = taken {
                self.denied.push((*family, transport));
            }
            self.tell_use(taken);
        }
    }

    fn tell_use(&mut self, taken: &Use) {
        match taken {
            Use::Provided(_) => self.phase = Phase::FollowUp,
            Use::Pointer => {}
            Use::AnotherHost => self.add_detail(
                "ignored: another host responded first, and the addresses of two hosts are not mixed".into(),
            ),
            Use::Alias(target) => {
                self.add_detail(format!("{} is an alias of {target}: that name is looked up", self.name));
                self.name.clone_from(target);
            }
            Use::Withdrawn => self.add_detail("withdraws addresses (a TTL of 0): they are left out".into()),
            Use::Denied { family, denial } => {
                self.add_detail(format!("denies {} addresses: {denial}", family_name(*family)));
            }
        }
    }

    /// A packet: where it came from, how, and what it says.
    fn packet_text(&self, what: &str, packet: &Packet) -> String {
        let mut text = format!("{what} from {}", self.interfaces.address(packet.source, packet.interface));
        let way = match packet.socket {
            SocketKind::Ephemeral => "unicast",
            SocketKind::MulticastListener => "multicast",
        };
        let _ = write!(text, " by {way} on {}", self.interfaces.get(packet.interface));
        match packet.hop_limit {
            Some(hop_limit) => {
                let _ = write!(text, ", hop limit {hop_limit}");
            }
            None => text.push_str(", hop limit unknown"),
        }
        let shown = packet.records.iter().take(MAX_RECORDS).map(|record| self.record_text(record));
        let mut records: Vec<_> = shown.collect();
        if let Some(more) = packet.records.len().checked_sub(MAX_RECORDS).filter(|more| *more > 0) {
            records.push(format!("and {more} more records"));
        }
        if records.is_empty() {
            records.push("no records".into());
        }
        let _ = write!(text, ": {}", records.join(", "));
        text
    }

    /// A record, with its owner unless that is the current name.
    fn record_text(&self, record: &RecordText) -> String {
        let RecordText { owner, rtype, ttl, data } = record;
        let mut text = String::new();
        if !owner.eq_ignore_ascii_case(&self.name) {
            let _ = write!(text, "{owner} ");
        }
        text.push_str(rtype);
        if !data.is_empty() {
            let _ = write!(text, " {data}");
        }
        let _ = write!(text, " (TTL {ttl} s)");
        text
    }

    fn sum_up(&mut self) {
        for (what, count) in std::mem::take(&mut self.ignored) {
            let packets = if count == 1 { "packet" } else { "packets" };
            self.add_detail(format!("and ignored {count} {packets}: {what}"));
        }
    }
}

/// How a query was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manner {
    socket: SocketKind,
    unicast_response: bool,
    source: Option<std::net::Ipv4Addr>,
    error: Option<String>,
}

/// The record types that each destination was asked for.
type ByDestination = Vec<(IpAddr, Vec<RecordType>)>;

/// The destinations that were asked for the same record types.
type Targets = Vec<(Vec<IpAddr>, Vec<RecordType>)>;

/// The queries by manner and interface, in the order of the first of each.
fn by_interface(sent: &[Recorded]) -> Vec<(Manner, u32, Targets)> {
    let mut groups: Vec<(Manner, u32, ByDestination)> = Vec::new();
    for event in sent {
        let What::Sent(query) = &event.what else { continue };
        let SentQuery { socket, unicast_response, source, .. } = *query;
        let manner = Manner { socket, unicast_response, source, error: query.error.clone() };
        let position = groups.iter().position(|(other, index, _)| *other == manner && *index == query.interface);
        let position = position.unwrap_or_else(|| {
            groups.push((manner, query.interface, Vec::new()));
            groups.len() - 1
        });
        let Some((.., targets)) = groups.get_mut(position) else { continue };
        match targets.iter_mut().find(|(to, _)| *to == query.to) {
            Some((_, rtypes)) => rtypes.push(query.rtype),
            None => targets.push((query.to, vec![query.rtype])),
        }
    }
    groups.into_iter().map(|(manner, interface, targets)| (manner, interface, by_types(targets))).collect()
}

/// Joins the destinations that were asked for the same record types.
fn by_types(targets: ByDestination) -> Targets {
    let mut joined: Targets = Vec::new();
    for (to, rtypes) in targets {
        match joined.iter_mut().find(|(_, other)| *other == rtypes) {
            Some((all, _)) => all.push(to),
            None => joined.push((vec![to], rtypes)),
        }
    }
    joined
}

/// The name of a socket of a lookup.
pub(crate) fn socket_name(kind: SocketKind) -> &'static str {
    match kind {
        SocketKind::Ephemeral => "socket on an ephemeral port",
        SocketKind::MulticastListener => "multicast listener on port 5353",
    }
}

/// Why a family is not in the answer. `denied` has the families that were denied, each with the transport.
fn conclusion_text(family: Family, conclusion: Option<Conclusion>, denied: &[(Family, Family)]) -> String {
    let name = family_name(family);
    let is_denied = |transport| denied.contains(&(family, transport));
    let over = enumerate(Family::ALL.into_iter().filter(|&it| is_denied(it)).map(|it| family_name(it).to_owned()));
    let over_others = Family::ALL.into_iter().filter(|&it| !is_denied(it)).map(|it| family_name(it).to_owned());
    match conclusion {
        Some(Conclusion::Absent) => format!("the host has no {name} address: denied over {over}"),
        Some(Conclusion::Unanswered) if over.is_empty() => {
            format!(
                "no {name} address: asked often enough, and neither answered nor denied (asked again after a second)"
            )
        }
        _ if over.is_empty() => {
            format!(
                "no {name} address: neither answered nor denied while the lookup waited (asked again after a second)"
            )
        }
        _ => format!(
            "no {name} address: denied over {over}, and unanswered over {} (asked again after a second)",
            enumerate(over_others)
        ),
    }
}

/// `a`, `a and b`, or `a, b and c`.
pub(crate) fn enumerate(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<_> = items.collect();
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
        None => String::new(),
    }
}

/// The events as JSON.
pub(crate) fn to_json(events: &[Recorded], interfaces: &InterfaceNames) -> Value {
    Value::List(events.iter().map(|event| event_json(event, interfaces)).collect())
}

fn event_json(event: &Recorded, interfaces: &InterfaceNames) -> Value {
    let (kind, members) = members(&event.what, interfaces);
    let ms = Value::Milliseconds(event.at.as_secs_f64() * 1000.0);
    Value::object([("ms", ms), ("event", kind.into())].into_iter().chain(members))
}

/// The name of an event, and its members.
fn members(what: &What, interfaces: &InterfaceNames) -> (&'static str, Vec<(&'static str, Value)>) {
    let text = |text: String| Value::Text(text);
    match what {
        What::Excluded(exclusion) => ("excluded", vec![("reason", exclusion_name(*exclusion).into())]),
        What::Source(source) => ("source", vec![("served_by", source_name(*source).into())]),
        What::Cached(error) => ("cached", vec![("error", error.map(|error| error.to_string()).into())]),
        What::NoInterfaces(error) => ("no_interfaces", vec![("error", text(error.to_string()))]),
        What::Own => ("own", vec![]),
        What::OwnAnswer => ("own_answer", vec![]),
        What::OwnAdded(family) => ("own_added", vec![("family", family_name(*family).into())]),
        What::NoSocket { kind, transport, interface, error } => (
            "no_socket",
            vec![
                ("socket", socket_json(*kind)),
                ("transport", family_name(*transport).into()),
                ("interface", interface.map(|index| interfaces.get(index)).into()),
                ("error", error.as_str().into()),
            ],
        ),
        What::Round(round) => ("round", vec![("round", text(format!("{round:?}").to_lowercase()))]),
        What::Sent(query) => ("sent", sent_members(query, interfaces)),
        What::Received(packet) => ("received", packet_members(packet, interfaces)),
        What::DaemonAsked(is_asked) => ("daemon_asked", vec![("asked", (*is_asked).into())]),
        What::DaemonAddress(address) => ("daemon_address", vec![("address", text(address.ip.to_string()))]),
        What::Missing { family, conclusion } => (
            "missing",
            vec![("family", family_name(*family).into()), ("conclusion", conclusion.map(conclusion_name).into())],
        ),
        What::OwnAddressRemoved(ip) => ("own_address_removed", vec![("address", text(ip.to_string()))]),
        What::LinkLocalRemoved => ("link_local_removed", vec![]),
    }
}

fn exclusion_name(exclusion: Exclusion) -> &'static str {
    match exclusion {
        Exclusion::NotLocal => "not_local",
        Exclusion::Labels => "labels",
        Exclusion::NotListed => "not_listed",
    }
}

fn source_name(source: NameSource) -> &'static str {
    match source {
        NameSource::Link => "link",
        NameSource::LinkThenDns => "link_then_dns",
        NameSource::Dns => "dns",
    }
}

fn conclusion_name(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Absent => "absent",
        Conclusion::Unanswered => "unanswered",
        Conclusion::Open(_) => "open",
    }
}

fn socket_json(kind: SocketKind) -> Value {
    match kind {
        SocketKind::Ephemeral => "ephemeral",
        SocketKind::MulticastListener => "listener",
    }
    .into()
}

fn sent_members(query: &SentQuery, interfaces: &InterfaceNames) -> Vec<(&'static str, Value)> {
    vec![
        ("name", query.name.as_str().into()),
        ("type", type_name(query.rtype).into()),
        ("unicast_response", query.unicast_response.into()),
        ("socket", socket_json(query.socket)),
        ("interface", interfaces.get(query.interface).into()),
        ("source", query.source.map(|source| source.to_string()).into()),
        ("to", query.to.to_string().into()),
        ("error", query.error.clone().into()),
    ]
}

fn packet_members(packet: &Packet, interfaces: &InterfaceNames) -> Vec<(&'static str, Value)> {
    let record = |record: &RecordText| {
        Value::object([
            ("owner", record.owner.as_str().into()),
            ("type", record.rtype.as_str().into()),
            ("ttl", record.ttl.into()),
            ("data", record.data.as_str().into()),
        ])
    };
    vec![
        ("from", packet.source.to_string().into()),
        ("to", packet.destination.map(|destination| destination.to_string()).into()),
        ("interface", interfaces.get(packet.interface).into()),
        ("hop_limit", packet.hop_limit.map(u32::from).into()),
        ("socket", socket_json(packet.socket)),
        ("ignored_because", packet.rejection.map(|rejection| rejection.to_string()).into()),
        ("records", Value::List(packet.records.iter().map(record).collect())),
        ("uses", Value::List(packet.uses.iter().map(use_json).collect())),
    ]
}

fn use_json(taken: &Use) -> Value {
    match taken {
        Use::Provided(families) => Value::object([("provided", families_json(*families))]),
        Use::Pointer => Value::object([("provided", "name".into())]),
        Use::AnotherHost => Value::object([("another_host", true.into())]),
        Use::Alias(target) => Value::object([("alias_of", target.as_str().into())]),
        Use::Withdrawn => Value::object([("withdrawn", true.into())]),
        Use::Denied { family, denial } => {
            Value::object([("denied", family_name(*family).into()), ("by", denial.to_string().into())])
        }
    }
}

fn families_json(families: Families) -> Value {
    Value::list(families.iter().map(family_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(interface: u32, to: &str, rtype: RecordType, change: impl FnOnce(&mut SentQuery)) -> Recorded {
        let mut query = SentQuery {
            name: "printer.local".into(),
            rtype,
            unicast_response: false,
            socket: SocketKind::Ephemeral,
            interface,
            source: None,
            to: to.parse().unwrap(),
            error: None,
        };
        change(&mut query);
        Recorded { at: Duration::ZERO, what: What::Sent(query) }
    }

    fn told(events: &[Recorded]) -> Vec<String> {
        let interfaces = InterfaceNames(vec![(2, "eth0".into()), (3, "wlan0".into())]);
        lines("printer.local", events, &interfaces).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn queries_that_are_sent_together_are_told_together() {
        let (a, aaaa) = (RecordType::A, RecordType::AAAA);
        let same = |interface| {
            [
                sent(interface, "224.0.0.251", a, |_| {}),
                sent(interface, "224.0.0.251", aaaa, |_| {}),
                sent(interface, "ff02::fb", aaaa, |_| {}),
            ]
        };
        let both = [same(2), same(3)].concat();
        assert_eq!(told(&both), ["asked on eth0 and wlan0: 224.0.0.251 for A and AAAA, ff02::fb for AAAA"]);
        let failed = sent(2, "224.0.0.251", a, |query| query.error = Some("Operation not permitted".into()));
        assert_eq!(told(&[failed]), ["could not ask on eth0: 224.0.0.251 for A: Operation not permitted"]);
        let repeat = Recorded { at: Duration::ZERO, what: What::Round(Round::Repeat) };
        let listener = sent(2, "ff02::fb", aaaa, |query| query.socket = SocketKind::MulticastListener);
        let unicast = sent(2, "ff02::fb", aaaa, |query| query.unicast_response = true);
        let source = sent(7, "224.0.0.251", a, |query| query.source = Some([192, 0, 2, 1].into()));
        assert_eq!(
            told(&[repeat, listener, unicast, source]),
            [
                "asked again on eth0 from port 5353: ff02::fb for AAAA",
                "asked again on eth0 with the QU bit: ff02::fb for AAAA",
                "asked again on interface 7 from 192.0.2.1: 224.0.0.251 for A",
            ]
        );
    }

    fn packet(rejection: Option<Rejection>, records: &[(&str, &str, &str)], uses: &[Use]) -> Recorded {
        let record = |(owner, rtype, data): &(&str, &str, &str)| RecordText {
            owner: (*owner).into(),
            rtype: (*rtype).into(),
            ttl: 120,
            data: (*data).into(),
        };
        let packet = Packet {
            source: "fe80::2".parse().unwrap(),
            destination: None,
            interface: 2,
            hop_limit: Some(255),
            socket: SocketKind::MulticastListener,
            rejection,
            records: records.iter().map(record).collect(),
            uses: uses.to_vec(),
        };
        Recorded { at: Duration::ZERO, what: What::Received(packet) }
    }

    #[test]
    fn responses_are_told_with_their_consequences() {
        let alias = Use::Alias("host.local".into());
        let denied = Use::Denied { family: Family::V6, denial: resolver_core::observer::Denial::Nsec };
        let events = [
            packet(None, &[("Printer.local", "CNAME", "host.local")], &[alias]),
            packet(None, &[("host.local", "A", "10.0.0.2"), ("host.local", "NSEC", "lists A, not AAAA")], &[denied]),
            packet(Some(Rejection::OffLink), &[("host.local", "A", "10.0.0.3")], &[]),
            packet(Some(Rejection::Query), &[], &[]),
            packet(None, &[("scanner.local", "A", "10.0.0.4")], &[]),
            packet(None, &[("host.local", "TXT", "")], &[]),
        ];
        let way = "from fe80::2%eth0 by multicast on eth0, hop limit 255";
        assert_eq!(
            told(&events),
            [
                format!("response {way}: CNAME host.local (TTL 120 s)"),
                "printer.local is an alias of host.local: that name is looked up".into(),
                format!("response {way}: A 10.0.0.2 (TTL 120 s), NSEC lists A, not AAAA (TTL 120 s)"),
                "denies IPv6 addresses: an NSEC record that does not list it".into(),
                format!(
                    "ignored a packet {way}: A 10.0.0.3 (TTL 120 s): its source is in no prefix of the queried \
                     interface, and its hop limit is not 255"
                ),
                format!("response {way}: TXT (TTL 120 s)"),
                "ignored: it has nothing that the lookup can use".into(),
                "and ignored 1 packet: queries, by this machine or by other hosts".into(),
                "and ignored 1 packet: multicast responses about other names".into(),
            ]
        );
    }

    #[test]
    fn a_flood_of_ignored_packets_is_counted() {
        let events: Vec<_> = (0..25).map(|_| packet(Some(Rejection::UnknownId), &[], &[])).collect();
        let told = told(&events);
        assert_eq!(told.len(), MAX_IGNORED + 1);
        assert_eq!(told[MAX_IGNORED], "and ignored 15 packets: its id is not that of a query of this lookup");
    }
}
