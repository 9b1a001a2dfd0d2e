//! The measurements that run in a host, each in a process of its own. A probe prints one line with its numbers and the
//! addresses that it found. The numbers are nanoseconds unless the probe says otherwise.
//!
//! The agent of a host starts `bench probe WORD …` (see [`super::agent`]).

use super::packets::{PacketType, Tap};
use super::shared_object::{Names, SUCCESS};
use super::stats::{Samples, nanoseconds};
use super::{bare, confine};
use crate::getaddrinfo;
use crate::netif::index;
use crate::sockets::{self, Transport};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_int};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant, SystemTime};

type Addresses = BTreeSet<IpAddr>;

/// The result of a probe: its numbers and the addresses.
type Report = Result<(Vec<f64>, Addresses), String>;

pub(super) fn main(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (numbers, addresses) = match *words.as_slice() {
        ["lookup", name] => lookup(name, libc::AF_UNSPEC),
        ["lookup", name, "v4"] => lookup(name, libc::AF_INET),
        ["lookup", name, "v6"] => lookup(name, libc::AF_INET6),
        ["twice", name] => twice(name),
        ["thrice", file, service, name] => thrice(file, service, name),
        ["again", name, count] => again(name, number(count)?),
        ["threads", pattern, count] => threads(pattern, number(count)?, resolve),
        ["threads-bare", pattern, count] => threads(pattern, number(count)?, query_bare),
        ["bare", name, questions] => bare_query(name, questions),
        ["bare-wire", name, questions] => bare_wire(name, questions),
        ["wire", file, service, name] => wire(file, service, name),
        ["packets", name, milliseconds] => packets(name, number(milliseconds)?),
        ["load", file, service] => load(file, service),
        ["calls", file, service, name, count] => calls(file, service, name, number(count)?),
        ["confined", file, service, name, what] => confined(file, service, name, what),
        ["member"] => member(),
        _ => Err(format!("no such probe: {words:?}")),
    }?;
    let numbers = numbers.iter().map(|number| format!("{number:.3}"));
    let addresses = addresses.iter().map(ToString::to_string);
    println!("{}", numbers.chain(addresses).collect::<Vec<_>>().join(" "));
    Ok(())
}

fn number(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("{word}: not a number"))
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{text}: contains a NUL"))
}

/// The first `getaddrinfo` of a process.
fn lookup(name: &str, family: c_int) -> Report {
    let name = c_string(name)?;
    let start = Instant::now();
    let addresses = getaddrinfo_of(&name, family);
    let elapsed = start.elapsed();
    Ok((vec![nanoseconds(elapsed)], addresses))
}

/// The second `getaddrinfo` of a process, right after the first.
fn twice(name: &str) -> Report {
    getaddrinfo(&c_string(name)?);
    lookup(name, libc::AF_UNSPEC)
}

/// The third `getaddrinfo` of a process, and then a direct call of the module.
fn thrice(file: &str, service: &str, name: &str) -> Report {
    let own_name = c_string(name)?;
    getaddrinfo(&own_name);
    getaddrinfo(&own_name);
    let (mut numbers, addresses) = lookup(name, libc::AF_UNSPEC)?;
    let mut module = Names::new(file, service).ok_or("a name contains a NUL")?.load()?.by_name4()?;
    let start = Instant::now();
    module.call(&own_name);
    numbers.push(nanoseconds(start.elapsed()));
    Ok((numbers, addresses))
}

/// The median of `count` more calls of `getaddrinfo` in one process.
fn again(name: &str, count: usize) -> Report {
    let name = c_string(name)?;
    let addresses = getaddrinfo(&name);
    let timed = (0..count).map(|_| {
        let start = Instant::now();
        getaddrinfo(&name);
        nanoseconds(start.elapsed())
    });
    Ok((vec![Samples::of_values(timed.collect::<Vec<_>>()).median()], addresses))
}

fn getaddrinfo(name: &CStr) -> Addresses {
    getaddrinfo_of(name, libc::AF_UNSPEC)
}

fn getaddrinfo_of(name: &CStr, family: c_int) -> Addresses {
    getaddrinfo::getaddrinfo_of(name, family, 0).addresses.into_iter().map(|(ip, _)| ip).collect()
}

fn resolve(name: &CStr) -> Addresses {
    getaddrinfo(name)
}

fn query_bare(name: &CStr) -> Addresses {
    let replies = bare::query(&name.to_string_lossy(), bare::Questions::AsTheModule);
    replies.map(|replies| replies.addresses.into_iter().collect()).unwrap_or_default()
}

/// Looks up one name in each of `count` threads at the same time. The first number is the time until the last thread is
/// done, the second how many lookups were answered.
fn threads(pattern: &str, count: usize, find: fn(&CStr) -> Addresses) -> Report {
    let names = (0..count).map(|thread| c_string(&pattern.replace('#', &format!("{thread:02}"))));
    let names: Vec<CString> = names.collect::<Result<_, _>>()?;
    let barrier = Arc::new(Barrier::new(count + 1));
    let start = |name: CString| {
        let barrier = Arc::clone(&barrier);
        std::thread::spawn(move || {
            barrier.wait();
            find(&name)
        })
    };
    let threads: Vec<_> = names.into_iter().map(start).collect();
    // This thread may be the last to run after the barrier, so the clock is read before it.
    let start = Instant::now();
    barrier.wait();
    let found: Vec<Addresses> = threads.into_iter().map(|it| it.join().unwrap_or_default()).collect();
    let elapsed = start.elapsed();
    let answered = u32::try_from(found.iter().filter(|found| !found.is_empty()).count()).unwrap_or(0);
    Ok((vec![nanoseconds(elapsed), answered.into()], found.into_iter().flatten().collect()))
}

fn questions(word: &str) -> Result<bare::Questions, String> {
    let known = bare::WORDS.iter().find(|(name, _)| *name == word);
    known.map(|(_, questions)| *questions).ok_or_else(|| format!("{word}: not a set of questions"))
}

fn bare_query(name: &str, word: &str) -> Report {
    let replies = bare::query(name, questions(word)?)?;
    Ok((vec![nanoseconds(replies.elapsed)], replies.addresses.into_iter().collect()))
}

/// From the kernel's time stamp of the first query to the arrival of the last reply in this process.
fn bare_wire(name: &str, word: &str) -> Report {
    let tap = open_tap()?;
    let replies = bare::query(name, questions(word)?)?;
    Ok((vec![since_first_query(&tap, replies.end)?], replies.addresses.into_iter().collect()))
}

/// From the kernel's time stamp of the first query to the return of the module's function.
fn wire(file: &str, service: &str, name: &str) -> Report {
    let name = c_string(name)?;
    let mut module = Names::new(file, service).ok_or("a name contains a NUL")?.load()?.by_name4()?;
    let tap = open_tap()?;
    let (status, count) = module.call(&name);
    let end = SystemTime::now();
    if status != SUCCESS {
        return Err(format!("status {status}"));
    }
    let placeholders = (1..=u32::try_from(count).unwrap_or(0)).map(|number| IpAddr::V4(Ipv4Addr::from(number)));
    Ok((vec![since_first_query(&tap, end)?], placeholders.collect()))
}

fn open_tap() -> Result<Tap, String> {
    Tap::open("eth0").map_err(|why| format!("packet socket: {why}"))
}

fn since_first_query(tap: &Tap, end: SystemTime) -> Result<f64, String> {
    let first =
        tap.sent().into_iter().find(|packet| packet.packet_type == PacketType::Query).ok_or("no query was captured")?;
    end.duration_since(first.at).map(nanoseconds).map_err(|_| "the clock was set back".into())
}

/// The packets that one lookup sends: the number of queries to the groups, how many of them follow the first within a
/// millisecond, the time from the first to the last, the number of queries to single hosts, and the number of
/// membership reports. Packets count until so many milliseconds after the lookup: reports are repeated, and leaving the
/// groups sends more.
fn packets(name: &str, milliseconds: usize) -> Report {
    const AT_ONCE: Duration = Duration::from_millis(1);
    let tap = open_tap()?;
    let addresses = getaddrinfo(&c_string(name)?);
    std::thread::sleep(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)));
    let sent = tap.sent();
    let times = |wanted| sent.iter().filter(move |packet| packet.packet_type == wanted).map(|packet| packet.at);
    let count = |wanted| f64::from(u32::try_from(times(wanted).count()).unwrap_or(0));
    let first = times(PacketType::Query).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let delays: Vec<Duration> = times(PacketType::Query).filter_map(|at| at.duration_since(first).ok()).collect();
    let at_once = u32::try_from(delays.iter().filter(|delay| **delay <= AT_ONCE).count()).unwrap_or(0);
    let span = delays.iter().max().copied().unwrap_or_default();
    let [group, direct, reports] = [PacketType::Query, PacketType::DirectQuery, PacketType::Membership].map(count);
    Ok((vec![group, at_once.into(), nanoseconds(span), direct, reports], addresses))
}

/// `dlopen`, and `dlsym` for the functions that glibc looks up at once.
fn load(file: &str, service: &str) -> Report {
    let names = Names::new(file, service).ok_or("a name contains a NUL")?;
    let start = Instant::now();
    let module = names.load();
    let elapsed = start.elapsed();
    module?;
    Ok((vec![nanoseconds(elapsed)], Addresses::new()))
}

/// The median time of a call of the module's function after a first one, measured in groups of a hundred calls.
fn calls(file: &str, service: &str, name: &str, count: usize) -> Report {
    const GROUP: u32 = 100;
    let name = c_string(name)?;
    let mut module = Names::new(file, service).ok_or("a name contains a NUL")?.load()?.by_name4()?;
    let first = module.call(&name);
    let groups = (0..count).map(|_| {
        let start = Instant::now();
        let same = (0..GROUP).all(|_| std::hint::black_box(module.call(&name)) == first);
        (nanoseconds(start.elapsed()) / f64::from(GROUP), same)
    });
    let (times, same): (Vec<f64>, Vec<bool>) = groups.unzip();
    if same.contains(&false) {
        return Err(format!("a call returned something else than the first: {first:?}"));
    }
    Ok((vec![Samples::of_values(times).median()], Addresses::new()))
}

/// A second call of the module's function, at which the kernel kills the process if it makes a forbidden system call.
/// The number is 1 if the result is that of the first call.
fn confined(file: &str, service: &str, name: &str, what: &str) -> Report {
    let name = c_string(name)?;
    let mut module = Names::new(file, service).ok_or("a name contains a NUL")?.load()?.by_name4()?;
    let first = module.call(&name);
    match what {
        "no-network" => confine::without_network(),
        _ => confine::without_system_calls(),
    }
    .map_err(|why| format!("seccomp: {why}"))?;
    let same = module.call(&name) == first;
    Ok((vec![f64::from(u8::from(same))], Addresses::new()))
}

/// Stays a member of the groups until it is killed, as a daemon on the host would.
fn member() -> Report {
    let interface = index("eth0").ok_or("no eth0")?;
    let join = |transport| sockets::member(transport, interface);
    let sockets = Transport::BOTH.into_iter().map(join).collect::<Result<Vec<_>, _>>();
    let _sockets = sockets.map_err(|why| format!("join: {why}"))?;
    println!("ready");
    std::thread::sleep(Duration::from_secs(600));
    Ok((Vec::new(), Addresses::new()))
}
