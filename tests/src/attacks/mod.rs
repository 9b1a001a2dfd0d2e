//! A hostile network: a scripted attacker and the table of its attacks. `tests/tests/attacks.rs` runs them.
//!
//! The attacker is on the LAN, sees every query and answers before the genuine responder does. It builds packets below
//! IP, so every field can be forged: source address, port, hop limit, message. A second attacker is behind a router. It
//! sends packets that the first one builds, because it cannot see the ids and ports of the queries.
//!
//! Every attack uses different names and addresses, which contain its number `N` in the table:
//!
//! | queried | genuine response |
//! |---|---|
//! | `kN.local` | after 50 ms |
//! | `mkN.local` | none |
//! | `sN.local`, after `kN.local` in the same process | after 50 ms |
//! | `msN.local`, after `kN.local` in the same process | none |
//! | the name of 169.254.N.1 | after 50 ms |
//! | the name of 169.254.N.2 | none |
//!
//! | module | subject |
//! |---|---|
//! | `table` | the attacks: what is sent, and why it must fail |
//! | `context` | what an attack is built from (the query that was seen) and the packets that it injects |
//! | `program` | the `attacker` program |
//! | `victim` | successive lookups through glibc in one process |
//! | `flood` | a high rate of packets |

pub mod context;
pub mod flood;
pub mod program;
pub mod table;
pub mod victim;

/// Raises the priority of this process where that is allowed, so that the load of the machine affects the results less.
fn raise_priority() {
    // SAFETY: takes three numbers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}
