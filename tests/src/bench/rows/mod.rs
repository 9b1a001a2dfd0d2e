//! The rows of the table: what is measured, and the targets.
//!
//! | module | subject |
//! |---|---|
//! | `first` | first lookups of a process |
//! | `firewalls` | behind firewalls |
//! | `process` | the module's cost to its process |
//! | `loss` | while packets are lost |
//! | `packets` | the packets that a lookup sends |

mod firewalls;
mod first;
mod loss;
mod packets;
mod process;

use super::clients::{Backend, Found};
use super::measure::{Bench, Change, Lookup};
use super::stats::{Samples, show};
use super::table::Row;

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
- *64 threads, 64 bare queries*: each thread opens two sockets, sends the three packets of the module and waits for \
two replies. The threads, the responder and the kernel need this time and that of glibc itself with any module.
- *No network system call*, *no system call*: one more call under a seccomp filter that kills the process at any such \
call.
- Lookups that take longer than 0.7 s ran concurrently, started 50 ms apart. All others ran one after the other, in \
turn.";

const MISSING: &str = "nobody-#.local";

/// Measures the selected rows and prints each when it is done.
pub(super) fn all(bench: &mut Bench) -> Result<(), String> {
    first::rows(bench)?;
    firewalls::rows(bench)?;
    first::unreachable_dns(bench)?;
    process::repeated(bench)?;
    loss::rows(bench)?;
    packets::rows(bench)?;
    process::rows(bench)
}

fn first<'a>(words: &'a [&'a str], bare: Option<&'a [&'a str]>) -> Lookup<'a> {
    Lookup { words, bare, cold: true, by: &Backend::ALL }
}

fn at_most(row: &str, limit: f64, cells: &[Samples; 4]) -> Row {
    let met = cells[0].median() <= limit;
    Row::of_times(row, &format!("at most {}", show(limit).replace(".00", "").replace(".0", "")), Some(met), cells)
}

/// The median of one of the numbers that a probe prints.
fn median_of(found: &[Found], which: usize) -> f64 {
    let of_one = |found: &Found| found.numbers.get(which).copied().unwrap_or(f64::NAN);
    Samples::of_values(found.iter().map(of_one)).median()
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
