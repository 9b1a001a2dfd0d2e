//! A hostile network: runs every attack of the table against live lookups through the real glibc, while a genuine
//! responder answers 50 ms later. Prints the table with the results.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tests::attacks::context::{OFF_LINK, off_link};
use tests::attacks::table::{self, Attack, EVERYTHING, Expected, Lookup};
use tests::attacks::victim::{self, Answer};
use tests::helpers::{Capture, binary, capture};
use tests::lan::{Families, Host, Interface, Lan, Network};
use tests::lookups::{all, routable};
use tests::responders::{avahi, scripted};
use tests::run::Daemon;

/// The delay of the genuine response, in milliseconds.
const DELAY: &str = "50";

/// The number of lookups that run at the same time. Most of them only wait.
const AT_ONCE: usize = 16;

/// The settings of lookups that do not retransmit before 1.5 s, long after all packets have arrived.
const LATE_RETRANSMISSION: &str = "/run/late-retransmission.conf";

/// How long a lookup of a name waits if nobody responds.
const SILENCE: Duration = Duration::from_millis(2000);
/// How long a reverse lookup waits if nobody responds.
const REVERSE_SILENCE: Duration = Duration::from_millis(1000);
/// How much later a lookup may end on a busy machine.
const SLACK: Duration = Duration::from_millis(600);

/// A client on two LANs and on a third one without multicast. On the first LAN are a printer and a router, behind which
/// is a second attacker. The first attacker is on all three LANs.
struct HostileNetwork {
    attacker: Daemon,
    _daemons: Vec<Daemon>,
    printer: Host,
    client: Host,
    _others: Vec<Host>,
    _network: Network,
}

impl HostileNetwork {
    fn new(start_genuine: impl FnOnce(&Host) -> Result<Vec<Daemon>, String>) -> Result<HostileNetwork, String> {
        let network = Network::new()?;
        let lans = (1..=OFF_LINK).map(|_| network.lan(Families::Both)).collect::<Result<Vec<Lan>, _>>()?;
        let [first, second, third, behind] = lans.as_slice() else { return Err("four LANs".into()) };
        let printer = network.host("printer", &[first])?;
        let client = network.client("client", &[first, second, third])?;
        let near = network.host("attacker", &[first, second, third])?;
        let router = network.host("router", &[first, behind])?;
        let far = network.host("far", &[behind])?;
        client.use_services("files mdns [NOTFOUND=return] dns")?;
        client.write("/etc/nss-mdns.conf", "")?;
        client.write(LATE_RETRANSMISSION, "retries = 1500\n")?;
        let router_v4 = router.eth0().v4.ok_or("no IPv4")?;
        // The kernel must not filter packets: only the module may reject them.
        client.script(
            "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done
             ip link set eth2 multicast off
             ip address add 169.254.250.1/16 dev eth0",
        )?;
        client.script(&format!("ip route add default via {router_v4}"))?;
        near.script(&format!("ip route add default via {router_v4}"))?;
        router.script(
            "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
             for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done",
        )?;
        let mut daemons = start_genuine(&printer)?;
        daemons.push(attacker(&router, &["relay", "eth1", "eth0"])?);
        daemons.push(attacker(&far, &["emit", &mac(&router, "eth1")?])?);
        let victims = client.interfaces.iter().map(|interface| victim(&client, interface));
        let victims = victims.collect::<Result<Vec<_>, _>>()?;
        let far_v4 = far.eth0().v4.ok_or("no IPv4")?.to_string();
        let mut words = vec!["attack", &far_v4];
        words.extend(victims.iter().map(String::as_str));
        let attacker = attacker(&near, &words)?;
        let others = vec![near, router, far];
        Ok(HostileNetwork { attacker, _daemons: daemons, printer, client, _others: others, _network: network })
    }

    /// Looks up names one after the other, in one process.
    fn ask(&self, names: &[&str]) -> Result<Vec<Answer>, String> {
        ask_on(&self.client, &[], names)
    }

    /// Runs one lookup of an attack.
    ///
    /// # Errors
    /// How the outcome differs from the expected one.
    fn try_one(&self, number: usize, attack: &Attack, lookup: Lookup) -> Result<(), String> {
        let names = match lookup {
            Lookup::Known => vec![format!("k{number}.local")],
            Lookup::Missing => vec![format!("mk{number}.local")],
            Lookup::KnownThenOthers => ["k", "s", "ms"].map(|prefix| format!("{prefix}{number}.local")).to_vec(),
            Lookup::KnownAddress => vec![format!("169.254.{number}.1")],
            Lookup::MissingAddress => vec![format!("169.254.{number}.2")],
        };
        let queried: Vec<_> = names.iter().map(String::as_str).collect();
        let settings = format!("mount --bind {LATE_RETRANSMISSION} /etc/nss-mdns.conf; exec \"$@\"");
        let around: &[&str] =
            if attack.late_retransmission { &["unshare", "--mount", "sh", "-euc", &settings, "sh"] } else { &[] };
        let answers = ask_on(&self.client, around, &queried)?;
        let [first, others @ ..] = answers.as_slice() else { return Err("no answer at all".into()) };
        if answers.len() != names.len() {
            return Err(format!("{answers:?}"));
        }
        match (attack.expected, lookup) {
            (Expected::Genuine, Lookup::Missing) => nothing(first, SILENCE),
            (Expected::Genuine, Lookup::MissingAddress) => nothing(first, REVERSE_SILENCE),
            (Expected::Genuine, Lookup::KnownAddress) => named(first),
            (Expected::Genuine, _) => self.is_genuine(first),
            (Expected::Forged(addresses), _) => exactly(first, addresses),
            (Expected::AtMost(count), _) => at_most(first, count),
        }?;
        match others {
            [known, missing] => self.is_genuine(known).and_then(|()| nothing(missing, SILENCE)),
            _ => Ok(()),
        }
    }

    /// Checks that the answer has all addresses of the printer and no others, under the name that was looked up.
    fn is_genuine(&self, answer: &Answer) -> Result<(), String> {
        let wanted = all(&self.printer, self.client.eth0());
        let found: BTreeSet<_> = answer.addresses.iter().cloned().collect();
        let well = answer.code == 0 && found == wanted && answer.name == answer.query;
        if well && answer.elapsed < SILENCE { Ok(()) } else { Err(format!("{answer:?}, not {wanted:?}")) }
    }
}

/// Checks that nothing was found, and that the lookup ended at the timeout, neither earlier nor much later.
fn nothing(answer: &Answer, wait: Duration) -> Result<(), String> {
    let least = wait - Duration::from_millis(50);
    let well = answer.code == libc::EAI_NONAME && answer.elapsed >= least && answer.elapsed < wait + SLACK;
    if well { Ok(()) } else { Err(format!("{answer:?}, wanted: not found, after {wait:?}")) }
}

/// Checks that the answer has the genuine name of an address.
fn named(answer: &Answer) -> Result<(), String> {
    if answer.code == 0 && answer.name == "truth.local" { Ok(()) } else { Err(format!("{answer:?}")) }
}

/// Checks that the answer has exactly these addresses.
fn exactly(answer: &Answer, addresses: &[&str]) -> Result<(), String> {
    let found: BTreeSet<_> = answer.addresses.iter().map(String::as_str).collect();
    let well = answer.code == 0 && found == addresses.iter().copied().collect() && answer.elapsed < SILENCE;
    if well { Ok(()) } else { Err(format!("{answer:?}, not {addresses:?}")) }
}

/// Checks that the answer has addresses, but at most `count`.
fn at_most(answer: &Answer, count: usize) -> Result<(), String> {
    let well = answer.code == 0 && (1..=count).contains(&answer.addresses.len()) && answer.elapsed < SILENCE + SLACK;
    if well { Ok(()) } else { Err(format!("{} addresses, {:?}", answer.addresses.len(), answer.elapsed)) }
}

/// Looks up names one after the other, in one process, which the command `around` starts.
fn ask_on(client: &Host, around: &[&str], names: &[&str]) -> Result<Vec<Answer>, String> {
    let program = binary("attacker")?;
    let outcome = client.run(&[around, &[&*program.to_string_lossy(), "lookup"], names].concat());
    if outcome.success() { victim::parse(&outcome.stdout) } else { Err(format!("{outcome:?}")) }
}

fn attacker(host: &Host, words: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("attacker")?);
    command.args(words);
    host.ready_daemon(words[0], command)
}

/// An interface as an argument of the attacker program.
fn victim(host: &Host, interface: &Interface) -> Result<String, String> {
    let (Some(v4), Some(v6), Some(link_local)) = (interface.v4, interface.v6, interface.link_local) else {
        return Err("an interface without one of its addresses".into());
    };
    Ok(format!("{},{v4},{v6},{link_local}", mac(host, &interface.name)?))
}

fn mac(host: &Host, interface: &str) -> Result<String, String> {
    let shown = host.script(&format!("ip -o link show {interface}"))?;
    let mac = shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1);
    mac.map(str::to_owned).ok_or(shown)
}

/// The genuine responders: one for the names of all attacks, and one for their addresses.
fn genuine_responders(count: usize) -> impl FnOnce(&Host) -> Result<Vec<Daemon>, String> {
    move |printer| {
        let names: Vec<_> = (1..=count).flat_map(|number| ["k", "s"].map(|p| format!("{p}{number}.local"))).collect();
        let mut options: Vec<&str> = names.iter().flat_map(|name| ["--name", name]).collect();
        options.extend(["--delay", DELAY, "--no-reverse"]);
        let hosts = scripted(printer, "truth.local", &options)?;
        let addresses: Vec<_> = (1..=count).map(|number| format!("169.254.{number}.1")).collect();
        let mut options: Vec<&str> = addresses.iter().flat_map(|address| ["--a", address]).collect();
        options.extend(["--delay", DELAY]);
        Ok(vec![hosts, scripted(printer, "truth.local", &options)?])
    }
}

/// Runs every lookup of every attack, [`AT_ONCE`] at a time, and returns the failures by the attack's number. Lookups
/// whose outcome depends on a few milliseconds run last, one at a time.
fn try_all<'a>(hostile: &HostileNetwork, table: &'a [Attack]) -> BTreeMap<usize, Vec<String>> {
    let jobs = table.iter().enumerate();
    let jobs = jobs.flat_map(|(at, attack)| attack.lookups.iter().map(move |lookup| (at + 1, attack, *lookup)));
    let (parallel, alone): (Vec<_>, Vec<_>) = jobs.partition(|(_, attack, _)| attack.expected == Expected::Genuine);
    let (next, late) = (Mutex::new(parallel.into_iter()), Mutex::new(alone));
    let take = || next.lock().unwrap().next();
    let wrong = Mutex::new(BTreeMap::<usize, Vec<String>>::new());
    let attempt = |job: Job<'a>| match try_one(hostile, job) {
        Ok(()) => {}
        // The genuine response, or a part of it, was late. This happens on a busy machine, so the job is tried again
        // later.
        Err(why) if !has_forged_data(&why) => late.lock().unwrap().push(job),
        Err(why) => wrong.lock().unwrap().entry(job.0).or_default().push(why),
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| std::iter::from_fn(take).for_each(attempt));
        }
    });
    for job in late.into_inner().unwrap() {
        if let Err(why) = try_one(hostile, job).or_else(|_| try_one(hostile, job)) {
            wrong.lock().unwrap().entry(job.0).or_default().push(why);
        }
    }
    wrong.into_inner().unwrap()
}

/// The number of an attack, the attack, and the lookup that it targets.
type Job<'a> = (usize, &'a Attack, Lookup);

fn try_one(hostile: &HostileNetwork, (number, attack, lookup): Job<'_>) -> Result<(), String> {
    hostile.try_one(number, attack, lookup).map_err(|why| format!("{lookup:?}: {why}"))
}

/// Whether the text of an outcome contains data from the attacker.
fn has_forged_data(outcome: &str) -> bool {
    ["10.66.", "fd66:", "evil"].iter().any(|sign| outcome.contains(sign))
}

/// The number of packets that were sent for each attack.
fn packets_sent(attacker: &Daemon) -> BTreeMap<usize, usize> {
    let mut packets_sent = BTreeMap::new();
    for line in attacker.lines() {
        let mut words = line.split(' ');
        if let (Some("injected"), Some(number), Some(count)) = (words.next(), words.next(), words.next()) {
            *packets_sent.entry(number.parse().unwrap_or(0)).or_default() += count.parse().unwrap_or(0);
        }
    }
    packets_sent
}

fn print_table(table: &[Attack], packets_sent: &BTreeMap<usize, usize>, wrong: &BTreeMap<usize, Vec<String>>) {
    let mut text = String::from("| # | attack | sent | why | packets | result |\n|---|---|---|---|---|---|\n");
    for (number, attack) in (1..).zip(table) {
        let result = match (wrong.contains_key(&number), attack.expected) {
            (true, _) => "WRONG",
            (_, Expected::Genuine) => "genuine answer",
            (_, Expected::Forged(_)) => "forged answer, as expected",
            (_, Expected::AtMost(_)) => "bounded",
        };
        let packets = packets_sent.get(&number).copied().unwrap_or_default();
        let Attack { name, sent, why, .. } = attack;
        let _ = writeln!(text, "| {number} | {name} | {sent} | {why} | {packets} | {result} |");
    }
    println!("{text}");
    for (number, reasons) in wrong {
        reasons.iter().for_each(|why| println!("{number} {}: {why}", table[number - 1].name));
    }
}

/// Makes the tests of this file run one at a time: each sends so many packets that those of another test would be late.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_attack_has_the_outcome_that_the_table_expects() -> Result<(), String> {
    let _turn = alone();
    let table = table::all();
    let hostile = HostileNetwork::new(genuine_responders(table.len()))?;
    let capture = capture(&hostile.client, "eth0")?;
    let wrong = try_all(&hostile, &table);
    // Wait for the attacker's last lines of output.
    std::thread::sleep(Duration::from_millis(300));
    let packets_sent = packets_sent(&hostile.attacker);
    print_table(&table, &packets_sent, &wrong);
    let silent: Vec<_> =
        (1..=table.len()).filter(|number| packets_sent.get(number).is_none_or(|count| *count == 0)).collect();
    assert!(silent.is_empty(), "attacks that sent no packet: {silent:?}");
    ids_are_fresh(&hostile.attacker);
    packets_came_through_the_router(&capture);
    let failed: Vec<_> = wrong.keys().map(|number| table[number - 1].name).collect();
    assert!(failed.is_empty(), "{} of {} attacks failed the test: {failed:?}", failed.len(), table.len());
    Ok(())
}

/// Checks that no query from an ephemeral port has id 0, and that ids repeat no more often than random ones.
fn ids_are_fresh(attacker: &Daemon) {
    let lines = attacker.lines();
    let queries = lines.iter().filter_map(|line| line.strip_prefix("query "));
    let fields: Vec<Vec<&str>> = queries.map(|line| line.split(' ').collect()).collect();
    let ids = fields.iter().filter(|fields| fields.get(4) != Some(&"5353")).filter_map(|fields| fields.get(3));
    let ids: Vec<&str> = ids.copied().collect();
    let different: BTreeSet<_> = ids.iter().collect();
    println!("{} queries with {} different ids", ids.len(), different.len());
    assert!(ids.len() > 500 && !different.contains(&"0"), "{different:?}");
    // Of n random ids, about n²/131,072 repeat an earlier one.
    let expected = ids.len() * ids.len() / 131_072;
    assert!(ids.len() - different.len() <= 2 * expected + 10, "{} of {}", different.len(), ids.len());
}

/// Checks that packets from behind the router reached the client, over both families, by unicast and by multicast.
fn packets_came_through_the_router(capture: &Capture) {
    let packets = capture.packets();
    for v6 in [false, true] {
        let (source, group) = if v6 {
            (format!("[{}]:5353 ", off_link(v6)), "[ff02::fb]:5353")
        } else {
            (format!("{}:5353 ", off_link(v6)), "224.0.0.251:5353")
        };
        let ours: Vec<_> = packets.iter().filter_map(|packet| packet.strip_prefix(&source)).collect();
        assert!(ours.iter().any(|packet| packet.starts_with(group)), "no packet to the group: {ours:?}");
        assert!(ours.iter().any(|packet| !packet.starts_with(group)), "no packet to the client: {ours:?}");
    }
}

/// The attacker runs every attack of the table at once, while Avahi answers.
#[test]
fn avahi_is_found_during_all_attacks_at_once() -> Result<(), String> {
    let _turn = alone();
    let hostile = HostileNetwork::new(|printer| Ok(vec![avahi(printer, "kiosk7")?]))?;
    for _ in 0..3 {
        let answers = hostile.ask(&[EVERYTHING])?;
        let found: BTreeSet<_> = answers.iter().flat_map(|answer| answer.addresses.iter().cloned()).collect();
        assert_eq!(found, routable(&hostile.printer), "{answers:?}");
    }
    // On a busy machine, the attacker's last lines of output arrive late.
    for _ in 0..50 {
        if packets_sent(&hostile.attacker).len() > 60 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("too few attacks: {:?}", packets_sent(&hostile.attacker)))
}

/// An IPv4-only LAN, so that the flood and the genuine response arrive on the same socket.
struct Flooded {
    daemons: [Daemon; 2],
    client: Host,
    genuine: BTreeSet<String>,
    _others: [Host; 2],
    _network: Network,
}

/// The rate that a flood must reach for its result to count, in packets per second.
const FLOOD: u64 = 50_000;

impl Flooded {
    fn new(kind: &str) -> Result<Flooded, String> {
        let network = Network::new()?;
        let lan = network.lan(Families::V4)?;
        let (printer, near) = (network.host("printer", &[&lan])?, network.host("attacker", &[&lan])?);
        let client = network.client("client", &[&lan])?;
        let names: Vec<_> = (1..=ATTEMPTS).map(|number| format!("k{number}.local")).collect();
        let mut options: Vec<&str> = names.iter().flat_map(|name| ["--name", name]).collect();
        options.extend(["--delay", DELAY]);
        let genuine = scripted(&printer, "truth.local", &options)?;
        let victim = format!("{},{},::,::", mac(&client, "eth0")?, client.eth0().v4.ok_or("no IPv4")?);
        let flood = attacker(&near, &["flood", &victim, kind, "70000"])?;
        let wanted = all(&printer, client.eth0());
        Ok(Flooded { daemons: [genuine, flood], client, genuine: wanted, _others: [printer, near], _network: network })
    }

    /// Looks up a name, which starts the flood. Returns the answer, and the rate of the flood in packets per second.
    fn ask(&self, name: &str) -> Result<(Answer, u64), String> {
        let mut answers = ask_on(&self.client, &[], &[name])?;
        let [_, flood] = &self.daemons;
        let sign = format!("flooded {name} ");
        flood.wait_for(&sign, Duration::from_secs(10))?;
        let lines = flood.lines();
        let line = lines.iter().find_map(|line| line.strip_prefix(&sign)).ok_or("the flood reported no figures")?;
        let (sent, micros) = line.split_once(' ').ok_or("the flood reported no figures")?;
        let rate = sent.parse::<u64>().unwrap_or(0) * 1_000_000 / micros.parse::<u64>().unwrap_or(1);
        answers.pop().map(|answer| (answer, rate)).ok_or_else(|| "no answer at all".into())
    }
}

/// How many floods are tried if the machine is too busy to reach the rate. The answers must be correct each time.
const ATTEMPTS: usize = 6;

/// How much later than its timeout of 2 s a lookup may end under a flood.
const LATE: Duration = Duration::from_millis(100);

fn flood(kind: &str, genuine_gets_through: bool) -> Result<(), String> {
    let _turn = alone();
    let lan = Flooded::new(kind)?;
    let mut strong = [!genuine_gets_through, false];
    for attempt in 1..=ATTEMPTS {
        if !strong[0] {
            let (answer, rate) = lan.ask(&format!("k{attempt}.local"))?;
            println!("{kind}, {rate} packets/s: {} addresses after {:?}", answer.addresses.len(), answer.elapsed);
            let found: BTreeSet<_> = answer.addresses.iter().cloned().collect();
            assert_eq!(found, lan.genuine, "{answer:?}");
            strong[0] = rate >= FLOOD;
        }
        if !strong[1] {
            let (answer, rate) = lan.ask(&format!("mk{attempt}.local"))?;
            println!("{kind}, {rate} packets/s: {} addresses after {:?}", answer.addresses.len(), answer.elapsed);
            assert_eq!(answer.code, libc::EAI_NONAME, "{answer:?}");
            assert!(answer.elapsed >= SILENCE && answer.elapsed < SILENCE + SLACK, "{answer:?}");
            strong[1] = rate >= FLOOD && answer.elapsed < SILENCE + LATE;
        }
    }
    assert_eq!(strong, [true; 2], "late each time, or never {FLOOD} packets per second");
    Ok(())
}

#[test]
fn a_flood_of_unrelated_responses_delays_no_lookup() -> Result<(), String> {
    flood("others", true)
}

#[test]
fn a_flood_of_expensive_packets_delays_no_lookup() -> Result<(), String> {
    flood("heavy", true)
}

#[test]
fn a_flood_of_garbage_delays_no_lookup() -> Result<(), String> {
    flood("garbage", true)
}

/// The victim cannot keep up, and most packets are lost, the genuine responses included. The lookup still ends in time.
#[test]
fn a_flood_beyond_capacity_does_not_move_the_deadline() -> Result<(), String> {
    flood("overload", false)
}
