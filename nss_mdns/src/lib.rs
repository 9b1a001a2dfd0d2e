//! `libnss_mdns.so.2`: a glibc name service module that resolves `.local` names by multicast DNS, with no daemon.
//!
//! This crate is only the C interface; [`resolver_core`] does the lookups. For each of the services `mdns`, `mdns4`,
//! `mdns6`, `mdns_minimal`, `mdns4_minimal` and `mdns6_minimal` it exports:
//!
//! ```text
//! _nss_<service>_gethostbyname_r    _nss_<service>_gethostbyname2_r    _nss_<service>_gethostbyname3_r
//! _nss_<service>_gethostbyname4_r   _nss_<service>_gethostbyaddr_r     _nss_<service>_gethostbyaddr2_r
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `entry` | these functions |
//! | `service` | how the six services differ |
//! | `guard` | protection around every call: signals, cancellation, `errno`, panics |
//! | `state` | per-process state between calls, and after a fork |
//! | `interrupted` | where lookups are kept while the handlers of signals run |
//! | `encode`, `buffer` | answers as glibc's structures, in the caller's buffer |
//! | `allocator` | the allocator, with a reserve for when the host process's `malloc` fails |
//! | `backtrace` | a stub that keeps the code for backtraces out of the module |
//! | `result_codes` | the table of the codes that glibc receives for each failure |
//! | `abi` | glibc's types |
//! | `version` | the version, for `nss-mdns check` |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

// unit_tests.rs has the same list.
mod abi;
mod allocator;
#[cfg(not(test))]
mod backtrace;
mod buffer;
mod encode;
mod entry;
mod guard;
mod interrupted;
mod result_codes;
mod service;
mod state;
#[cfg(not(test))]
mod version;
