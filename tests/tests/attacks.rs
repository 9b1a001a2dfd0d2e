//! A hostile network: every attack of the table against live lookups through the real glibc, beside a responder that
//! gives the truth 50 ms later. The table with its results is printed.

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

/// How late the truth is.
const DELAY: &str = "50";

/// Lookups that go on at the same time. Most of them wait.
const AT_ONCE: usize = 16;

/// The module's own bounds, and what a busy machine adds.
const SILENCE: Duration = Duration::from_millis(2000);
const REVERSE_SILENCE: Duration = Duration::from_millis(1000);
const SLACK: Duration = Duration::from_millis(600);

/// A client on two LANs, and on a third that has no multicast; on the first a printer, and a router behind which there
/// is a second attacker. The first attacker is on all three.
struct Battlefield {
    attacker: Daemon,
    _daemons: Vec<Daemon>,
    printer: Host,
    client: Host,
    _others: Vec<Host>,
    _network: Network,
}

impl Battlefield {
    fn new(start_truth: impl FnOnce(&Host) -> Result<Vec<Daemon>, String>) -> Result<Battlefield, String> {
        let network = Network::new()?;
        let lans = (1..=OFF_LINK).map(|_| network.lan(Families::Both)).collect::<Result<Vec<Lan>, _>>()?;
        let [first, second, third, behind] = lans.as_slice() else { return Err("four LANs".into()) };
        let printer = network.host("printer", &[first])?;
        let client = network.client("client", &[first, second, third])?;
        let near = network.host("attacker", &[first, second, third])?;
        let router = network.host("router", &[first, behind])?;
        let far = network.host("far", &[behind])?;
        client.use_services("files mdns [NOTFOUND=return] dns")?;
        let router_v4 = router.eth0().v4.ok_or("no IPv4")?;
        // Nothing but the module itself is to keep anything out.
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
        let mut daemons = start_truth(&printer)?;
        daemons.push(attacker(&router, &["relay", "eth1", "eth0"])?);
        daemons.push(attacker(&far, &["emit", &mac(&router, "eth1")?])?);
        let victims = client.interfaces.iter().map(|interface| victim(&client, interface));
        let victims = victims.collect::<Result<Vec<_>, _>>()?;
        let far_v4 = far.eth0().v4.ok_or("no IPv4")?.to_string();
        let mut words = vec!["attack", &far_v4];
        words.extend(victims.iter().map(String::as_str));
        let attacker = attacker(&near, &words)?;
        let others = vec![near, router, far];
        Ok(Battlefield { attacker, _daemons: daemons, printer, client, _others: others, _network: network })
    }

    /// Looks names up, one after the other in one process.
    fn ask(&self, names: &[&str]) -> Result<Vec<Answer>, String> {
        ask_on(&self.client, names)
    }

    /// Looks up what the attack is tried on, and says what is wrong with the outcome.
    fn try_one(&self, number: usize, attack: &Attack, lookup: Lookup) -> Result<(), String> {
        let names = match lookup {
            Lookup::Known => vec![format!("k{number}.local")],
            Lookup::Missing => vec![format!("mk{number}.local")],
            Lookup::KnownThenOthers => ["k", "s", "ms"].map(|prefix| format!("{prefix}{number}.local")).to_vec(),
            Lookup::KnownAddress => vec![format!("169.254.{number}.1")],
            Lookup::MissingAddress => vec![format!("169.254.{number}.2")],
        };
        let answers = self.ask(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let [first, others @ ..] = answers.as_slice() else { return Err("no answer at all".into()) };
        if answers.len() != names.len() {
            return Err(format!("{answers:?}"));
        }
        match (attack.expected, lookup) {
            (Expected::Genuine, Lookup::Missing) => nothing(first, SILENCE),
            (Expected::Genuine, Lookup::MissingAddress) => nothing(first, REVERSE_SILENCE),
            (Expected::Genuine, Lookup::KnownAddress) => named(first),
            (Expected::Genuine, _) => self.the_truth(first),
            (Expected::Forged(addresses), _) => just(first, addresses),
            (Expected::AtMost(count), _) => at_most(first, count),
        }?;
        match others {
            [known, missing] => self.the_truth(known).and_then(|()| nothing(missing, SILENCE)),
            _ => Ok(()),
        }
    }

    /// All addresses of the printer, and no others, under the name that was asked for.
    fn the_truth(&self, answer: &Answer) -> Result<(), String> {
        let wanted = all(&self.printer, self.client.eth0());
        let found: BTreeSet<_> = answer.addresses.iter().cloned().collect();
        let well = answer.code == 0 && found == wanted && answer.name == answer.query;
        if well && answer.elapsed < SILENCE { Ok(()) } else { Err(format!("{answer:?}, not {wanted:?}")) }
    }
}

/// Not found, in due time: neither sooner nor later.
fn nothing(answer: &Answer, wait: Duration) -> Result<(), String> {
    let least = wait - Duration::from_millis(50);
    let well = answer.code == libc::EAI_NONAME && answer.elapsed >= least && answer.elapsed < wait + SLACK;
    if well { Ok(()) } else { Err(format!("{answer:?}, not silence of {wait:?}")) }
}

/// The true name of an address.
fn named(answer: &Answer) -> Result<(), String> {
    if answer.code == 0 && answer.name == "truth.local" { Ok(()) } else { Err(format!("{answer:?}")) }
}

/// Just these addresses.
fn just(answer: &Answer, addresses: &[&str]) -> Result<(), String> {
    let found: BTreeSet<_> = answer.addresses.iter().map(String::as_str).collect();
    let well = answer.code == 0 && found == addresses.iter().copied().collect() && answer.elapsed < SILENCE;
    if well { Ok(()) } else { Err(format!("{answer:?}, not {addresses:?}")) }
}

/// Some addresses, but no more than this.
fn at_most(answer: &Answer, count: usize) -> Result<(), String> {
    let well = answer.code == 0 && (1..=count).contains(&answer.addresses.len()) && answer.elapsed < SILENCE + SLACK;
    if well { Ok(()) } else { Err(format!("{} addresses, {:?}", answer.addresses.len(), answer.elapsed)) }
}

fn ask_on(client: &Host, names: &[&str]) -> Result<Vec<Answer>, String> {
    let program = binary("attacker")?;
    let outcome = client.run(&[&[&*program.to_string_lossy(), "lookup"], names].concat());
    if outcome.success() { victim::parse(&outcome.stdout) } else { Err(format!("{outcome:?}")) }
}

fn attacker(host: &Host, words: &[&str]) -> Result<Daemon, String> {
    let mut command = host.command(binary("attacker")?);
    command.args(words);
    host.ready_daemon(words[0], command)
}

/// An interface in the form that the attacker takes.
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

/// A responder for the names of all attacks, and one for the addresses.
fn truth(count: usize) -> impl FnOnce(&Host) -> Result<Vec<Daemon>, String> {
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

/// Every lookup of every attack, so many at a time, with what is wrong about it. Those in which it matters who is a few
/// milliseconds faster come last, one at a time.
fn try_all<'a>(field: &Battlefield, table: &'a [Attack]) -> BTreeMap<usize, Vec<String>> {
    let jobs = table.iter().enumerate();
    let jobs = jobs.flat_map(|(at, attack)| attack.lookups.iter().map(move |lookup| (at + 1, attack, *lookup)));
    let (parallel, alone): (Vec<_>, Vec<_>) = jobs.partition(|(_, attack, _)| attack.expected == Expected::Genuine);
    let (next, late) = (Mutex::new(parallel.into_iter()), Mutex::new(alone));
    let take = || next.lock().unwrap().next();
    let wrong = Mutex::new(BTreeMap::<usize, Vec<String>>::new());
    let attempt = |job: Job<'a>| match try_one(field, job) {
        Ok(()) => {}
        // The truth was late, or a part of it: a busy machine does that. Once more, then.
        Err(why) if !is_theirs(&why) => late.lock().unwrap().push(job),
        Err(why) => wrong.lock().unwrap().entry(job.0).or_default().push(why),
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| std::iter::from_fn(take).for_each(attempt));
        }
    });
    for job in late.into_inner().unwrap() {
        if let Err(why) = try_one(field, job).or_else(|_| try_one(field, job)) {
            wrong.lock().unwrap().entry(job.0).or_default().push(why);
        }
    }
    wrong.into_inner().unwrap()
}

/// The number of an attack, the attack, and what it is tried on.
type Job<'a> = (usize, &'a Attack, Lookup);

fn try_one(field: &Battlefield, (number, attack, lookup): Job<'_>) -> Result<(), String> {
    field.try_one(number, attack, lookup).map_err(|why| format!("{lookup:?}: {why}"))
}

/// True if something of the attacker's is in an outcome.
fn is_theirs(outcome: &str) -> bool {
    ["10.66.", "fd66:", "evil"].iter().any(|sign| outcome.contains(sign))
}

/// How many packets of each attack were sent.
fn fired(attacker: &Daemon) -> BTreeMap<usize, usize> {
    let mut fired = BTreeMap::new();
    for line in attacker.lines() {
        let mut words = line.split(' ');
        if let (Some("injected"), Some(number), Some(count)) = (words.next(), words.next(), words.next()) {
            *fired.entry(number.parse().unwrap_or(0)).or_default() += count.parse().unwrap_or(0);
        }
    }
    fired
}

fn print_table(table: &[Attack], fired: &BTreeMap<usize, usize>, wrong: &BTreeMap<usize, Vec<String>>) {
    let mut text = String::from("| # | attack | sent | why | packets | result |\n|---|---|---|---|---|---|\n");
    for (number, attack) in (1..).zip(table) {
        let result = match (wrong.contains_key(&number), attack.expected) {
            (true, _) => "WRONG",
            (_, Expected::Genuine) => "genuine",
            (_, Expected::Forged(_)) => "forged, as expected",
            (_, Expected::AtMost(_)) => "bounded",
        };
        let packets = fired.get(&number).copied().unwrap_or_default();
        let Attack { name, sent, why, .. } = attack;
        let _ = writeln!(text, "| {number} | {name} | {sent} | {why} | {packets} | {result} |");
    }
    println!("{text}");
    for (number, reasons) in wrong {
        reasons.iter().for_each(|why| println!("{number} {}: {why}", table[number - 1].name));
    }
}

/// Each test by itself: one makes so many packets that another's would be late.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn attacks_get_what_the_table_says() -> Result<(), String> {
    let _turn = alone();
    let table = table::all();
    let field = Battlefield::new(truth(table.len()))?;
    let capture = capture(&field.client, "eth0")?;
    let wrong = try_all(&field, &table);
    // Its last words are still on their way.
    std::thread::sleep(Duration::from_millis(300));
    let fired = fired(&field.attacker);
    print_table(&table, &fired, &wrong);
    let silent: Vec<_> = (1..=table.len()).filter(|number| fired.get(number).is_none_or(|count| *count == 0)).collect();
    assert!(silent.is_empty(), "attacks that were not made: {silent:?}");
    ids_are_fresh(&field.attacker);
    packets_came_through_the_router(&capture);
    let failed: Vec<_> = wrong.keys().map(|number| table[number - 1].name).collect();
    assert!(failed.is_empty(), "{} of {} went wrong: {failed:?}", failed.len(), table.len());
    Ok(())
}

/// No question from an ephemeral port has the id 0, and no id is used again but by chance.
fn ids_are_fresh(attacker: &Daemon) {
    let lines = attacker.lines();
    let queries = lines.iter().filter_map(|line| line.strip_prefix("query "));
    let fields: Vec<Vec<&str>> = queries.map(|line| line.split(' ').collect()).collect();
    let ids = fields.iter().filter(|fields| fields.get(4) != Some(&"5353")).filter_map(|fields| fields.get(3));
    let ids: Vec<&str> = ids.copied().collect();
    let different: BTreeSet<_> = ids.iter().collect();
    println!("{} questions with {} ids", ids.len(), different.len());
    assert!(ids.len() > 500 && !different.contains(&"0"), "{different:?}");
    // Of n random ids, n²/131,072 are used a second time.
    let expected = ids.len() * ids.len() / 131_072;
    assert!(ids.len() - different.len() <= 2 * expected + 10, "{} of {}", different.len(), ids.len());
}

/// What was sent from behind the router did reach the client, by every way.
fn packets_came_through_the_router(capture: &Capture) {
    let packets = capture.packets();
    for v6 in [false, true] {
        let (source, group) = if v6 {
            (format!("[{}]:5353 ", off_link(v6)), "[ff02::fb]:5353")
        } else {
            (format!("{}:5353 ", off_link(v6)), "224.0.0.251:5353")
        };
        let ours: Vec<_> = packets.iter().filter_map(|packet| packet.strip_prefix(&source)).collect();
        assert!(ours.iter().any(|packet| packet.starts_with(group)), "none to the group: {ours:?}");
        assert!(ours.iter().any(|packet| !packet.starts_with(group)), "none to the client: {ours:?}");
    }
}

/// Avahi answers truly while every attack of the table is made at once.
#[test]
fn avahi_is_heard_among_all_attacks_at_once() -> Result<(), String> {
    let _turn = alone();
    let field = Battlefield::new(|printer| Ok(vec![avahi(printer, EVERYTHING.trim_end_matches(".local"))?]))?;
    for _ in 0..3 {
        let answers = field.ask(&[EVERYTHING])?;
        let found: BTreeSet<_> = answers.iter().flat_map(|answer| answer.addresses.iter().cloned()).collect();
        assert_eq!(found, routable(&field.printer), "{answers:?}");
    }
    // On a busy machine the attacker's last words are still on their way.
    for _ in 0..50 {
        if fired(&field.attacker).len() > 60 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("too few attacks: {:?}", fired(&field.attacker)))
}

/// A LAN with IPv4 alone, so that the flood and the truth share a socket.
struct Flooded {
    daemons: [Daemon; 2],
    client: Host,
    truth: BTreeSet<String>,
    _others: [Host; 2],
    _network: Network,
}

/// The packets a second that a flood must have had to count as one.
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
        let truth = scripted(&printer, "truth.local", &options)?;
        let victim = format!("{},{},::,::", mac(&client, "eth0")?, client.eth0().v4.ok_or("no IPv4")?);
        let flood = attacker(&near, &["flood", &victim, kind, "70000"])?;
        let wanted = all(&printer, client.eth0());
        Ok(Flooded { daemons: [truth, flood], client, truth: wanted, _others: [printer, near], _network: network })
    }

    /// Looks a name up, which sets the flood going, and says how many packets a second there were.
    fn ask(&self, name: &str) -> Result<(Answer, u64), String> {
        let mut answers = ask_on(&self.client, &[name])?;
        let [_, flood] = &self.daemons;
        let sign = format!("flooded {name} ");
        flood.wait_for(&sign, Duration::from_secs(10))?;
        let lines = flood.lines();
        let line = lines.iter().find_map(|line| line.strip_prefix(&sign)).ok_or("no figures")?;
        let (sent, micros) = line.split_once(' ').ok_or("no figures")?;
        let rate = sent.parse::<u64>().unwrap_or(0) * 1_000_000 / micros.parse::<u64>().unwrap_or(1);
        answers.pop().map(|answer| (answer, rate)).ok_or_else(|| "no answer at all".into())
    }
}

/// How often a flood is tried that the machine was too busy for. The answers must be right each time.
const ATTEMPTS: usize = 6;

/// How much later than 2 s a lookup may end under a flood.
const LATE: Duration = Duration::from_millis(100);

fn flood(kind: &str, truth_comes_through: bool) -> Result<(), String> {
    let _turn = alone();
    let lan = Flooded::new(kind)?;
    let mut strong = [!truth_comes_through, false];
    for attempt in 1..=ATTEMPTS {
        if !strong[0] {
            let (answer, rate) = lan.ask(&format!("k{attempt}.local"))?;
            println!("{kind}, {rate} packets/s: {} addresses after {:?}", answer.addresses.len(), answer.elapsed);
            let found: BTreeSet<_> = answer.addresses.iter().cloned().collect();
            assert_eq!(found, lan.truth, "{answer:?}");
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
    assert_eq!(strong, [true; 2], "too late each time, or never {FLOOD} packets a second");
    Ok(())
}

#[test]
fn flood_of_other_answers_delays_nothing() -> Result<(), String> {
    flood("others", true)
}

#[test]
fn flood_of_costly_packets_delays_nothing() -> Result<(), String> {
    flood("heavy", true)
}

#[test]
fn flood_of_garbage_delays_nothing() -> Result<(), String> {
    flood("garbage", true)
}

/// The victim cannot keep pace, and most of what is sent is lost, the truth too. It gives up in time.
#[test]
fn flood_that_is_too_much_does_not_put_off_the_end() -> Result<(), String> {
    flood("overload", false)
}
