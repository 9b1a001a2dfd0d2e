//! glibc's types and codes (`nss.h`, `netdb.h`).

use libc::{c_char, c_int};

/// `enum nss_status`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A temporary failure. If `errno` is `ERANGE`, the caller retries with a larger buffer.
    TryAgain = -2,
    /// The service does not handle the query, or is not available.
    Unavail = -1,
    /// The name or address does not exist, or has no data of the requested type.
    NotFound = 0,
    /// The outputs have been written.
    Success = 1,
}

/// The values of `h_errno`.
pub(crate) mod h_errno {
    use libc::c_int;

    pub(crate) const NETDB_INTERNAL: c_int = -1;
    pub(crate) const NETDB_SUCCESS: c_int = 0;
    pub(crate) const HOST_NOT_FOUND: c_int = 1;
    pub(crate) const TRY_AGAIN: c_int = 2;
    pub(crate) const NO_RECOVERY: c_int = 3;
    pub(crate) const NO_DATA: c_int = 4;
}

/// `struct gaih_addrtuple`: one address, and a link to the next.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaihAddrTuple {
    /// The next tuple, or null.
    pub(crate) next: *mut GaihAddrTuple,
    /// The canonical name.
    pub(crate) name: *mut c_char,
    /// `AF_INET` or `AF_INET6`.
    pub(crate) family: c_int,
    /// The address in network byte order. An IPv4 address is in the first word.
    pub(crate) addr: [u32; 4],
    /// The value of `sin6_scope_id`.
    pub(crate) scopeid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_same_sizes_as_in_glibc() {
        let expected = if cfg!(target_pointer_width = "64") { 40 } else { 32 };
        assert_eq!(size_of::<GaihAddrTuple>(), expected);
        assert_eq!(size_of::<Status>(), size_of::<c_int>());
    }
}
