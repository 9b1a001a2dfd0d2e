//! `getaddrinfo(3)` for the programs of this package that look up names.

use std::ffi::{CStr, c_int};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// What `getaddrinfo` returned.
#[derive(Debug)]
pub(crate) struct Found {
    /// 0 or an `EAI_…` code.
    pub(crate) code: c_int,
    /// The canonical name, empty unless `AI_CANONNAME` was set.
    pub(crate) canonical: String,
    /// The addresses in order, each with its scope id, which is 0 for addresses that need none.
    pub(crate) addresses: Vec<(IpAddr, u32)>,
}

/// Looks up a name for both families, with these `AI_…` flags.
pub(crate) fn getaddrinfo(name: &CStr, flags: c_int) -> Found {
    getaddrinfo_of(name, libc::AF_UNSPEC, flags)
}

/// Looks up a name for an address family (`AF_…`), with these `AI_…` flags.
pub(crate) fn getaddrinfo_of(name: &CStr, family: c_int, flags: c_int) -> Found {
    // SAFETY: a plain C struct of integers and pointers, for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    (hints.ai_family, hints.ai_socktype, hints.ai_flags) = (family, libc::SOCK_STREAM, flags);
    let mut list = ptr::null_mut();
    // SAFETY: the name ends in NUL, and the pointers are to values that outlive the call.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    let mut found = Found { code, canonical: String::new(), addresses: Vec::new() };
    let mut next = list;
    // SAFETY: each pointer is null or to an entry of the list, which is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        if !entry.ai_canonname.is_null() {
            // SAFETY: a string of the list.
            found.canonical = unsafe { CStr::from_ptr(entry.ai_canonname) }.to_string_lossy().into_owned();
        }
        found.addresses.extend(address(entry));
        next = entry.ai_next;
    }
    if code == 0 {
        // SAFETY: getaddrinfo returned the list, and nothing refers to it any more.
        unsafe { libc::freeaddrinfo(list) };
    }
    found
}

fn address(entry: &libc::addrinfo) -> Option<(IpAddr, u32)> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: null, or an address of the family that the entry names.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().as_ref() }?;
            Some((Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into(), 0))
        }
        libc::AF_INET6 => {
            // SAFETY: null, or an address of the family that the entry names.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().as_ref() }?;
            Some((Ipv6Addr::from(address.sin6_addr.s6_addr).into(), address.sin6_scope_id))
        }
        _ => None,
    }
}
