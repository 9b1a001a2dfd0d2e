//! A hostile network: a scripted attacker, and the table of its attacks. Used by `tests/attacks.rs`.
//!
//! The attacker sits on the LAN, sees every query, and answers before the true responder does. What it sends is
//! written frame by frame, so nothing about it has to be true: source address, port, hop limit, message. A second one
//! sits behind a router; the first sends it what it could never know, the ids and ports of the queries.
//!
//! Every attack has names of its own, by its number `N` in the table: `kN.local`, which is also answered truly, 50 ms
//! later; `mkN.local`, which nobody else answers; `sN.local` and `msN.local`, looked up after these in the same
//! process; and the addresses 169.254.N.1 (which has a name) and 169.254.N.2 (which has none).
//!
//! | module | subject |
//! |---|---|
//! | `table` | the attacks: what is sent, and why it must fail |
//! | `scene` | what an attack starts from (the query it saw) and what it sends |
//! | `program` | the `attacker` program |
//! | `ask` | the victim: lookups through glibc, in one process |
//! | `flood` | as many packets a second as are wanted |

pub mod ask;
pub mod flood;
pub mod program;
pub mod scene;
pub mod table;

/// Runs this process before others where that is allowed, so that results depend less on the load of the machine.
fn raise_priority() {
    // SAFETY: takes three numbers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}
