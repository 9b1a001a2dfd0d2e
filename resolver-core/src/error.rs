//! Why a lookup has no answer. The crate `nss_mdns` has the table that maps each reason to glibc's codes.

use std::{fmt, io};

/// Why a lookup has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// Not handled by multicast DNS: glibc asks the next service.
    NotOurs,
    /// The name ends in `.local`, but is not a valid domain name.
    Malformed,
    /// Nobody responded before the deadline.
    NoResponse,
    /// As [`Self::NoResponse`], or nobody was queried because the service lacks the family. `local` is a search domain, so
    /// DNS may have the name: glibc asks the next service.
    LeftToDns,
    /// The host exists, but has no address in the family that was asked for.
    NoData,
    /// There is no interface that can be queried.
    NoInterface,
    /// The process or the machine has run out of descriptors or memory, for now.
    Exhausted,
    /// A signal is pending, and its handler must run before the lookup goes on ([`crate::Interruption`]).
    Interrupted,
    /// A system call failed with this errno, for example because a sandbox denies it.
    Refused(i32),
}

impl fmt::Display for LookupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => out.write_str("it is not handled by multicast DNS"),
            Self::Malformed => out.write_str("it is not a valid name"),
            Self::NoResponse => out.write_str("nobody responded"),
            Self::LeftToDns => out
                .write_str("it is left to DNS, because local is a search domain and nobody on the link answers for it"),
            Self::NoData => out.write_str("the host has no address in that family"),
            Self::NoInterface => out.write_str("there is no interface that can be queried"),
            Self::Exhausted => out.write_str("out of descriptors or memory"),
            Self::Interrupted => out.write_str("a signal interrupted the lookup"),
            Self::Refused(errno) => io::Error::from_raw_os_error(*errno).fmt(out),
        }
    }
}

impl std::error::Error for LookupError {}

impl LookupError {
    /// The reason that corresponds to a failed system call.
    pub fn from_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN) => Self::Exhausted,
            Some(
                libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::EADDRNOTAVAIL
                | libc::ENODEV
                | libc::ENXIO,
            ) => Self::NoInterface,
            Some(errno) => Self::Refused(errno),
            None => Self::Refused(libc::EIO),
        }
    }
}
