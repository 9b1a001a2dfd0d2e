//! A synchronous one-shot multicast DNS resolver (RFC 6762, section 5.1) that is fit to live in other people's
//! processes: no thread, no descriptor and no held lock outlives a call, nothing is printed, and no packet is believed
//! that did not come from the link.
//!
//! ```text
//! Resolver::lookup ── cache ──────────────────────────────────────── hit ──> Answer
//!     │ miss                                                                   ^
//!     ├─> config (watched)                                                     │
//!     └─> interfaces (netlink) ──> querier ── socket, wire ──> the link        │
//!                                     │ datagrams                              │
//!                                     └─> validation ──> answers ──────────────┘
//! ```
//! `wire`, `validation`, `answers`, `pointer`, `cache`, `policy`, `config`, `allow` and `globs` do no I/O and read no clock.
//! Only `sys` is unsafe.

#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod allow;
mod answer;
mod answers;
mod cache;
pub mod check;
mod collector;
pub mod config;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod globs;
mod ids;
mod interfaces;
mod lock;
mod memory;
mod netlink;
mod pointer;
pub mod policy;
mod querier;
mod resolver;
mod socket;
pub mod stages;
#[allow(unsafe_code)]
mod sys;
mod validation;
mod watched;
pub mod wire;
mod without_netlink;

pub use answer::{Address, Answer, Families, Family};
pub use config::Config;
pub use error::LookupError;
pub use globs::Globs;
pub use resolver::{Pointer, Resolver};
