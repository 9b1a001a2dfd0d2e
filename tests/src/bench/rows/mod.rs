//! The rows of the table: what is measured, and the targets.
//!
//! | module | subject |
//! |---|---|
//! | `first` | first lookups of a process |
//! | `firewalls` | behind firewalls |
//! | `interfaces` | with many interfaces |
//! | `wifi` | on Wi-Fi |
//! | `daemon` | with avahi-daemon on the client |
//! | `process` | the module's cost to its process |
//! | `loss` | while packets are lost |
//! | `packets` | the packets that a lookup sends |
//! | `baseline` | beside another build of the module |

mod baseline;
mod daemon;
mod firewalls;
mod first;
mod interfaces;
mod loss;
mod packets;
mod process;
mod wifi;

use super::clients::{Backend, Found};
use super::measure::{Bench, Change, Lookup};
use super::pairs::{Neighbours, Pair, Pairs};
use super::stats::{Samples, show};
use super::table::{Row, cell, ratio};

/// The notes under the table.
pub(super) const NOTES: &str = "\
Medians over separate processes (10th to 90th percentile), and in brackets the number of addresses found. × is the \
time of this module divided by that of the column. Unless the row says otherwise, the caches of the peers' daemons \
were empty: before every lookup avahi-daemon was restarted and the cache of systemd-resolved was flushed. These \
lookups are 1.3 s apart (zeroconf: 2.3 s), because responders do not multicast a record twice within a second. All \
programs share the processors, so only the responder of the row runs, and while one client is measured, the daemons of \
the others do not receive its queries.

- *First lookup*: the time of the first `getaddrinfo(AF_UNSPEC)` of a process, including the loading of the module. \
The bare query is one packet for A and one for AAAA from sockets that are already open, until both replies have \
arrived.
- *The querier's own part*: from the kernel's time stamp of the first query, on a packet socket of the client, to the \
return of `gethostbyname4_r`, which is called directly. This includes closing the sockets, but not opening them. The \
bare query is measured in the same way.
- *Again*: the median of many calls in one process, which the peers answer from the caches of their daemons. *Glibc \
itself*: the same calls with a module that returns a fixed answer at once (`tests/guests/instant.c`). In every call \
glibc checks its configuration files, reads `/etc/hosts`, and opens a socket for each address to sort the addresses. \
No module can be faster.
- *Loss*: the link between client and responder loses this share of the packets in each direction. The responder and \
a client with this module are alone on their LAN, and 40 such LANs are measured side by side, with pauses as above. \
The two hosts have permanent entries in their neighbour tables, which the module ignores. With *neighbour tables \
empty*, ARP and neighbour discovery are needed and lost as well, and the kernel repeats them only after a second.
- *ufw*, *firewall for IPv4 alone*, *Wi-Fi*: likewise on LANs of their own. On Wi-Fi, group-addressed frames, ARP \
requests among them, are lost and late in both directions, and other frames are not. The neighbour tables of both hosts \
were emptied before the lookup; *host pinged before*: then the client sent one ping to its IPv4 address.
- *neighbours = off*: the same lookups with this setting, in turn.
- *Log lines*: the lines that ufw writes for one lookup without its own limit of three a minute.
- *Silent on ANY and AAAA*: a scripted responder with an IPv4 address that responds to no other question.
- *Container bridges*: the client has so many bridges with one veth pair each, whose indexes are lower than that of its \
interface to the LAN, and it is alone with the responder on that LAN.
- *Packets*: the questions to the multicast groups and to single hosts, and membership reports. *Repeats*: questions to \
the groups after the first three.
- *64 threads, 64 bare queries*: each thread opens two sockets, sends the three packets of the module and waits for \
two replies. The threads, the responder and the kernel need this time and that of glibc itself with any module.
- *Stack*: the most that one call takes, of all that `tests/guests/stack.c` tries.
- *No network system call*, *no system call*: one more call under a seccomp filter that kills the process at any such \
call.
- Lookups that take longer than 0.7 s ran concurrently, started 50 ms apart. All others ran one after the other, in \
turn.";

/// The settings of the module.
const SETTINGS: &str = "/etc/nss-mdns.conf";

/// The most stack that a call may take, in octets.
const STACK_LIMIT: f64 = 6.0 * 1024.0;

/// A name that no host has, with `#` for the number of the sample.
const MISSING: &str = "nobody-#.local";

/// Measures the selected rows and prints each when it is done.
pub(super) fn all(bench: &mut Bench) -> Result<(), String> {
    first::rows(bench)?;
    firewalls::rows(bench)?;
    first::unreachable_dns(bench)?;
    interfaces::rows(bench)?;
    process::repeated(bench)?;
    loss::rows(bench)?;
    wifi::rows(bench)?;
    daemon::rows(bench)?;
    packets::rows(bench)?;
    process::rows(bench)?;
    baseline::rows(bench)
}

fn first<'a>(words: &'a [&'a str], bare: Option<&'a [&'a str]>) -> Lookup<'a> {
    Lookup { words, bare, cold: true, by: &Backend::ALL }
}

fn at_most(row: &str, limit: f64, cells: &[Samples; 4]) -> Row {
    let met = cells[0].median() <= limit;
    Row::of_times(row, &format!("at most {}", show(limit).replace(".00", "").replace(".0", "")), Some(met), cells)
}

/// A row of this module alone, whose median must be within `limit`, with at least this number of addresses each time.
fn within(row: &str, limit: f64, ours: &Samples, addresses: usize) -> Row {
    let is_complete = ours.addresses.is_some_and(|(least, _)| least >= addresses);
    let cells = [ours.clone(), Samples::default(), Samples::default(), Samples::default()];
    let mut row = at_most(row, limit, &cells);
    row.target += ", all addresses";
    row.met = row.met.map(|met| met && is_complete);
    row
}

/// Looks a host up with the setting `neighbours = on` and with `neighbours = off`, in turn.
fn on_and_off(pairs: &Pairs, count: usize, neighbours: Neighbours) -> Result<[Vec<Found>; 2], String> {
    let set = |pair: &Pair, text: &str| pair.client.host.write(SETTINGS, text);
    let found = pairs.side_by_side(count, |pair| {
        let look_up = |setting| {
            set(pair, &format!("neighbours = {setting}\n"))?;
            pair.prepare(neighbours)?;
            pair.lookup()
        };
        Ok((look_up("on")?, look_up("off")?))
    })?;
    pairs.iter().try_for_each(|pair| set(pair, ""))?;
    let (on, off) = found.into_iter().unzip();
    Ok([on, off])
}

/// Shows both in the cell of the module.
fn with_off(mut row: Row, [on, off]: &[Vec<Found>; 2]) -> Row {
    let median = |found| Samples::of_found(found).median();
    row.cells[0] = format!("{}; neighbours = off: {}; {}", shown(on), shown(off), ratio(median(on) / median(off)));
    row
}

/// The times, and how many lookups found both families, if not all did.
fn shown(found: &[Found]) -> String {
    let complete = percent_of(found, Found::has_both_families);
    let share = if complete < 100.0 { format!(", {complete:.0} % with both families") } else { String::new() };
    cell(&Samples::of_found(found)) + &share
}

/// A number of octets: `4.6 KiB`.
fn show_octets(octets: f64) -> String {
    format!("{:.1} KiB", octets / 1024.0)
}

/// The median of one of the numbers that a probe prints.
fn median_of(found: &[Found], which: usize) -> f64 {
    let of_one = |found: &Found| found.numbers.get(which).copied().unwrap_or(f64::NAN);
    Samples::of_values(found.iter().map(of_one)).median()
}

/// The percentage of probes for which this is true.
#[allow(clippy::cast_precision_loss)]
fn percent_of(found: &[Found], is_counted: impl Fn(&Found) -> bool) -> f64 {
    let counted = found.iter().filter(|found| is_counted(found)).count();
    100.0 * counted as f64 / found.len().max(1) as f64
}

/// Measures the lookup in turn with a module that returns a fixed answer at once. That is the lower bound for any
/// module, and goes into the column of the bare query.
fn with_instant(bench: &Bench, cells: [Samples; 4], words: &[&str]) -> Result<[Samples; 4], String> {
    let lookup = Lookup { words, bare: None, cold: false, by: &[Backend::Ours] };
    let [ours, instant] = bench.compare_change(lookup, bench.count(20), Change::InstantModule)?;
    let [_, mdns, resolve, _] = cells;
    Ok([ours, mdns, resolve, instant])
}

/// Labels the column of the bare query as glibc's own time, and adds what the module takes beyond it.
fn of_glibc(mut row: Row, cells: &[Samples; 4]) -> Row {
    let [ours, .., instant] = cells;
    row.cells[3] = format!("glibc itself: {}", row.cells[3]);
    let own = ours.median() - instant.median();
    row.cells[0] +=
        &if own > 0.0 { format!("; {} more than glibc itself", show(own)) } else { "; as glibc itself".into() };
    row
}
