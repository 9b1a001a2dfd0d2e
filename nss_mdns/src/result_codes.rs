//! Why a call fails, and the one table of the codes that glibc receives for it: status, `errno` and `h_errno`.

use libc::c_int;
use resolver_core::LookupError;

use crate::abi::{Status, h_errno};

/// Why a call returns no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The lookup failed.
    Lookup(LookupError),
    /// The caller's buffer is too small for the answer.
    ShortBuffer,
    /// An unsupported address family, or an address length that does not match it.
    BadFamily,
    /// A panic was caught.
    Panicked,
    /// The thread is inside another call already, for example because a preloaded `socket()` resolves a name.
    Reentered,
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self::Lookup(error)
    }
}

/// The direction of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a name to addresses.
    Forward,
    /// From an address to a name.
    Reverse,
}

/// The codes that glibc receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) errno: c_int,
    pub(crate) h_errno: c_int,
}

impl Failure {
    /// The codes for this failure. `ERANGE` and `NETDB_INTERNAL` occur only once, because glibc interprets them as a
    /// request for a larger buffer.
    pub(crate) fn outcome(self, direction: Direction) -> Outcome {
        use LookupError::{
            Exhausted, Interrupted, LeftToDns, Malformed, NoData, NoInterface, NoResponse, NotOurs, Refused,
        };
        use h_errno::{HOST_NOT_FOUND, NETDB_INTERNAL, NO_DATA, NO_RECOVERY, TRY_AGAIN};
        let (status, errno, h_errno) = match self {
            Self::Lookup(NotOurs) => (Status::Unavail, 0, HOST_NOT_FOUND),
            Self::Lookup(Malformed | NoResponse) => (Status::NotFound, libc::ENOENT, HOST_NOT_FOUND),
            // Not `NotFound`: after that, [NOTFOUND=return] keeps glibc from asking DNS. Not `TryAgain`: its h_errno would
            // make a program repeat a lookup that only failed because no other service follows.
            Self::Lookup(LeftToDns) => (Status::Unavail, libc::ENOENT, HOST_NOT_FOUND),
            Self::Lookup(NoData) => (Status::NotFound, libc::ENOENT, NO_DATA),
            Self::Lookup(NoInterface) => (Status::Unavail, libc::ENETDOWN, TRY_AGAIN),
            Self::Lookup(Exhausted) => (Status::TryAgain, libc::EAGAIN, TRY_AGAIN),
            Self::Lookup(Refused(libc::ERANGE)) => (Status::Unavail, libc::EIO, NO_RECOVERY),
            Self::Lookup(Refused(errno)) => (Status::Unavail, errno, NO_RECOVERY),
            Self::ShortBuffer => (Status::TryAgain, libc::ERANGE, NETDB_INTERNAL),
            Self::BadFamily => (Status::Unavail, libc::EAFNOSUPPORT, NO_RECOVERY),
            // After an interruption `guard::call` goes on with the lookup, so this one is a bug too.
            Self::Panicked | Self::Lookup(Interrupted) => (Status::Unavail, libc::EIO, NO_RECOVERY),
            Self::Reentered => (Status::Unavail, libc::EDEADLK, NO_RECOVERY),
        };
        let outcome = Outcome { status, errno, h_errno };
        match direction {
            Direction::Reverse if self != Self::ShortBuffer => outcome.of_reverse_lookup(),
            _ => outcome,
        }
    }
}

impl Outcome {
    /// The outcome of a failed reverse lookup. With an `h_errno` other than `HOST_NOT_FOUND`, or with `TryAgain`,
    /// `getnameinfo` would fail instead of returning the address as text.
    fn of_reverse_lookup(self) -> Self {
        let status = if self.status == Status::TryAgain { Status::Unavail } else { self.status };
        Self { status, h_errno: h_errno::HOST_NOT_FOUND, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::h_errno::*;
    use super::*;

    /// Repeats the table of codes, because they are part of the module's interface.
    #[test]
    fn each_failure_has_its_codes() {
        use LookupError::*;
        let rows = [
            (Failure::Lookup(NotOurs), Status::Unavail, 0, HOST_NOT_FOUND),
            (Failure::Lookup(Malformed), Status::NotFound, libc::ENOENT, HOST_NOT_FOUND),
            (Failure::Lookup(NoResponse), Status::NotFound, libc::ENOENT, HOST_NOT_FOUND),
            (Failure::Lookup(LeftToDns), Status::Unavail, libc::ENOENT, HOST_NOT_FOUND),
            (Failure::Lookup(NoData), Status::NotFound, libc::ENOENT, NO_DATA),
            (Failure::Lookup(NoInterface), Status::Unavail, libc::ENETDOWN, TRY_AGAIN),
            (Failure::Lookup(Exhausted), Status::TryAgain, libc::EAGAIN, TRY_AGAIN),
            (Failure::Lookup(Interrupted), Status::Unavail, libc::EIO, NO_RECOVERY),
            (Failure::Lookup(Refused(libc::EPERM)), Status::Unavail, libc::EPERM, NO_RECOVERY),
            (Failure::Lookup(Refused(libc::EAFNOSUPPORT)), Status::Unavail, libc::EAFNOSUPPORT, NO_RECOVERY),
            (Failure::Lookup(Refused(libc::ERANGE)), Status::Unavail, libc::EIO, NO_RECOVERY),
            (Failure::ShortBuffer, Status::TryAgain, libc::ERANGE, NETDB_INTERNAL),
            (Failure::BadFamily, Status::Unavail, libc::EAFNOSUPPORT, NO_RECOVERY),
            (Failure::Panicked, Status::Unavail, libc::EIO, NO_RECOVERY),
            (Failure::Reentered, Status::Unavail, libc::EDEADLK, NO_RECOVERY),
        ];
        for (failure, status, errno, h_errno) in rows {
            assert_eq!(failure.outcome(Direction::Forward), Outcome { status, errno, h_errno }, "{failure:?}");
            let reverse = match failure {
                Failure::ShortBuffer => Outcome { status, errno, h_errno },
                Failure::Lookup(Exhausted) => Outcome { status: Status::Unavail, errno, h_errno: HOST_NOT_FOUND },
                _ => Outcome { status, errno, h_errno: HOST_NOT_FOUND },
            };
            assert_eq!(failure.outcome(Direction::Reverse), reverse, "{failure:?}");
        }
    }
}
