//! A synchronous one-shot multicast DNS resolver (RFC 6762, section 5.1), built to run inside other programs'
//! processes: no thread, descriptor or lock outlives a call, nothing is printed, and only packets from the link are
//! accepted.
//!
//! ```text
//! Resolver::lookup ── cache ──────────────────────────────────────── hit ──> Answer
//!     │ miss                                                                   ^
//!     ├─> config (re-read when it changes)                                     │
//!     └─> net::interfaces ──> querier ── net::socket, wire ──> the link        │
//!                                │ datagrams                                   │
//!                                └─> validate ──> lookup ──────────────────────┘
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`resolver`] | a lookup from start to end |
//! | `interruption` | how a signal interrupts a lookup, and how it goes on |
//! | `querier` | the only loop that waits: when to send, when to repeat, when to stop |
//! | `cache` | answers by name, each with its expiry |
//! | `lookup` | the state of a lookup, without I/O: what to ask, what the responses said, when it is done |
//! | [`observer`] | what a lookup reports while it runs, for a program that explains it |
//! | `validate` | which packets are accepted |
//! | [`net`] | interfaces, neighbours, sockets, and avahi-daemon |
//! | [`config`] | the settings, `/etc/mdns.allow`, search domains under `.local`, and how files are re-read when they change |
//! | [`policy`], [`host_name`] | the names and addresses that multicast DNS handles |
//! | [`wire`] | messages and names as octets |
//! | `address`, `error` | address families and addresses; why a lookup fails |
//! | `message_ids`, `lock`, `try_alloc` | random ids; locks that are waited for only for a bounded time; fallible allocation |
//! | `signals` | which signals are blocked during a lookup, and whether one is pending |
//! | `sys` | the system calls that no crate wraps |
//! | [`fault_injection`], `fuzzing` | for tests and fuzz targets only |
//!
//! Imports point downward in this table, without circles. `validate`, `lookup`, `cache`, `policy` and `wire` do no I/O
//! and read no clock. Only `sys` has unsafe code.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

// Compiles the example in README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod cache;
pub mod config;
mod error;
pub mod fault_injection;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod host_name;
mod interruption;
mod lock;
mod lookup;
mod message_ids;
pub mod net;
pub mod observer;
pub mod policy;
mod querier;
pub mod resolver;
mod signals;
#[allow(unsafe_code)]
mod sys;
mod try_alloc;
mod validate;
pub mod wire;

pub use address::{Address, Families, Family};
pub use config::Config;
pub use error::LookupError;
pub use host_name::HostName;
pub use interruption::{InterruptedLookup, Interruption};
pub use lookup::answer::{Answer, Pointer, Unknown};
pub use message_ids::Ids;
pub use observer::Observer;
pub use resolver::Resolver;
pub use signals::BlockedSignals;
