//! Why a lookup has no answer. The module maps each of these to what glibc is told, in one table.

use std::{fmt, io};

/// Why a lookup has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// Not a name or an address that multicast DNS is asked for: the next service's affair.
    NotOurs,
    /// Under `.local`, but no valid domain name: nobody is asked.
    Malformed,
    /// Nobody answered until the deadline.
    Silence,
    /// The host exists, but has no address of the family that was asked for.
    NoData,
    /// No interface that multicast DNS could be asked on.
    NoInterface,
    /// The process or the machine ran out of something that may be there again later: descriptors, memory.
    Exhausted,
    /// A system call was refused, as in a sandbox; its errno.
    Refused(i32),
}

impl fmt::Display for LookupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => out.write_str("it is left to other services"),
            Self::Malformed => out.write_str("it is no valid name"),
            Self::Silence => out.write_str("nobody answered"),
            Self::NoData => out.write_str("the host has no address of that family"),
            Self::NoInterface => out.write_str("there is no interface to ask on"),
            Self::Exhausted => out.write_str("there are no descriptors or no memory left"),
            Self::Refused(errno) => io::Error::from_raw_os_error(*errno).fmt(out),
        }
    }
}

impl std::error::Error for LookupError {}

impl LookupError {
    /// What the failure of a system call means for the lookup.
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
