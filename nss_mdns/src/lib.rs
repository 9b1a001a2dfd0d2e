//! `libnss_mdns.so.2`: a glibc name service module that resolves `.local` names by multicast DNS, with no daemon.
//!
//! This crate is the C interface and nothing else: [`resolver_core`] does the asking. It exports, for each of the services
//! `mdns`, `mdns4`, `mdns6`, `mdns_minimal`, `mdns4_minimal` and `mdns6_minimal`:
//!
//! ```text
//! _nss_<service>_gethostbyname_r    _nss_<service>_gethostbyname2_r    _nss_<service>_gethostbyname3_r
//! _nss_<service>_gethostbyname4_r   _nss_<service>_gethostbyaddr_r     _nss_<service>_gethostbyaddr2_r
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `entry` | those functions |
//! | `service` | in what the six services differ |
//! | `guard` | what surrounds every call |
//! | `state` | what the process keeps between calls |
//! | `encode`, `buffer` | answers in glibc's forms, in the caller's buffer |
//! | `allocator` | memory, where the host has none left |
//! | `backtrace` | why there are none |
//! | `abi` | glibc's types, and the table from failures to its codes |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod abi;
mod allocator;
#[cfg(not(test))]
mod backtrace;
mod buffer;
mod encode;
mod entry;
mod guard;
mod service;
mod state;
