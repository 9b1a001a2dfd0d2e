//! The functions that glibc calls (`nss.h`; "NSS Modules Interface" in glibc's manual), six for each of the six
//! services.
//!
//! Every lookup of every program passes through these functions. Invalid names, and names and addresses that the
//! service does not handle, are therefore rejected before any lock, allocation or system call.

use std::ffi::CStr;
use std::net::IpAddr;
use std::ptr::null_mut;
use std::time::Instant;

use libc::{c_char, c_int, c_void, hostent, size_t, socklen_t};
use resolver_core::fault_injection::{self, Point};
use resolver_core::{Families, Family, HostName, LookupError};

use crate::abi::{GaihAddrTuple, Status};
use crate::buffer::Buffer;
use crate::encode;
use crate::guard::{self, Report};
use crate::result_codes::{Direction, Failure};
use crate::service::{Service, requested_family};

// The handlers of signals may jump out of the functions below (`guard::call`).
const _: () = assert!(!std::mem::needs_drop::<Result<HostName, LookupError>>());

/// The buffer that the caller of the glibc function provides.
#[derive(Clone, Copy)]
struct CallerBuffer {
    start: *mut c_char,
    length: size_t,
}

/// Looks up a name and returns a host entry.
///
/// # Safety
/// The pointers must be valid as glibc's interface requires. `ttlp` and `canonp` may be null.
#[allow(clippy::too_many_arguments)]
unsafe fn by_name(
    service: &Service,
    name: *const c_char,
    af: c_int,
    result: *mut hostent,
    buffer: CallerBuffer,
    report: Report,
    ttlp: *mut i32,
    canonp: *mut *mut c_char,
) -> Status {
    // SAFETY: the caller guarantees that `name` is a C string.
    let text = unsafe { text(name) };
    let host = &service.names.host_name(text);
    let (host, family) = match (host, requested_family(af)) {
        (Ok(host), Ok(family)) => (host, family),
        (Err(error), _) => return report.write(Err((*error).into())),
        (_, Err(failure)) => return report.write(Err(failure)),
    };
    guard::call(report, |resolver, interruption| {
        fault_injection::point(Point::Begin);
        // Borrowed, not moved: a move would put a second copy of the result on the stack.
        let answer = &resolver.lookup_interruptibly(host, service.names, service.only(family), interruption);
        let answer = answer.as_ref().map_err(|&error| error)?;
        fault_injection::point(Point::Encode);
        // SAFETY: the caller guarantees that the outputs and the buffer are valid for writes.
        unsafe {
            let entry = encode::host_entry(&host.name, answer, family, Buffer::new(buffer.start, buffer.length))?;
            write(result, entry);
            write(canonp, entry.h_name);
            write(ttlp, whole_seconds(answer.ttl(Instant::now())));
        }
        Ok(())
    })
}

/// Looks up a name and returns a list of address tuples.
///
/// # Safety
/// The pointers must be valid as glibc's interface requires. `*pat` and `ttlp` may be null.
unsafe fn by_name_all(
    service: &Service,
    name: *const c_char,
    pat: *mut *mut GaihAddrTuple,
    buffer: CallerBuffer,
    report: Report,
    ttlp: *mut i32,
) -> Status {
    // SAFETY: the caller guarantees that `name` is a C string.
    let text = unsafe { text(name) };
    let host = &service.names.host_name(text);
    let host = match host {
        Ok(host) => host,
        Err(error) => return report.write(Err((*error).into())),
    };
    guard::call(report, |resolver, interruption| {
        fault_injection::point(Point::Begin);
        // Borrowed, as in `by_name`.
        let answer = &resolver.lookup_interruptibly(host, service.names, service.families, interruption);
        let answer = answer.as_ref().map_err(|&error| error)?;
        fault_injection::point(Point::Encode);
        // SAFETY: the caller guarantees that the outputs and the buffer are valid for writes.
        unsafe {
            let first = *pat;
            let buffer = Buffer::new(buffer.start, buffer.length);
            let head = encode::addr_tuples(&host.name, answer, service.families, first, buffer)?;
            *pat = head;
            write(ttlp, whole_seconds(answer.ttl(Instant::now())));
        }
        Ok(())
    })
}

/// Looks up an address and returns a host entry with its name.
///
/// # Safety
/// The pointers must be valid as glibc's interface requires. `ttlp` may be null.
#[allow(clippy::too_many_arguments)]
unsafe fn by_address(
    service: &Service,
    address: *const c_void,
    length: socklen_t,
    af: c_int,
    result: *mut hostent,
    buffer: CallerBuffer,
    report: Report,
    ttlp: *mut i32,
) -> Status {
    // SAFETY: the caller guarantees that `address` points to `length` octets.
    let Some(ip) = (unsafe { ip(address, length, af) }) else { return report.write(Err(Failure::BadFamily)) };
    let address = match service.reverse_address(ip) {
        Ok(address) => address,
        Err(error) => return report.write(Err(error.into())),
    };
    guard::call(report, |resolver, interruption| {
        fault_injection::point(Point::Begin);
        // Borrowed, as in `by_name`.
        let pointer = &resolver.reverse_interruptibly(address, interruption);
        let pointer = pointer.as_ref().map_err(|&error| error)?;
        fault_injection::point(Point::Encode);
        // SAFETY: the caller guarantees that the outputs and the buffer are valid for writes.
        unsafe {
            let buffer = Buffer::new(buffer.start, buffer.length);
            write(result, encode::host_entry_of_address(&pointer.name, ip, buffer)?);
            write(ttlp, whole_seconds(pointer.ttl(Instant::now())));
        }
        Ok(())
    })
}

/// The octets of a C string; empty for a null pointer.
///
/// # Safety
/// `string` must be null, or point to a NUL-terminated string that stays unchanged for `'a`.
unsafe fn text<'a>(string: *const c_char) -> &'a [u8] {
    if string.is_null() {
        return &[];
    }
    // SAFETY: the pointer is not null, so the caller guarantees that it points to a C string.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// The address that was passed to `gethostbyaddr_r`. None if it is null, or if its length does not match the family.
///
/// # Safety
/// `address` must be null or point to `length` octets.
unsafe fn ip(address: *const c_void, length: socklen_t, af: c_int) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    match (af, length) {
        // SAFETY: the caller guarantees 4 octets. They need no alignment.
        (libc::AF_INET, 4) => Some(IpAddr::from(unsafe { address.cast::<[u8; 4]>().read_unaligned() })),
        // SAFETY: the caller guarantees 16 octets. They need no alignment.
        (libc::AF_INET6, 16) => Some(IpAddr::from(unsafe { address.cast::<[u8; 16]>().read_unaligned() })),
        _ => None,
    }
}

/// Writes an output unless its pointer is null.
///
/// # Safety
/// `output` must be null or valid for writes.
unsafe fn write<T>(output: *mut T, value: T) {
    if !output.is_null() {
        // SAFETY: the pointer is not null, so the caller guarantees that it is valid for writes.
        unsafe { output.write(value) };
    }
}

/// A time to live in whole seconds, rounded down. 0 means that the caller must not cache the answer.
fn whole_seconds(ttl: std::time::Duration) -> i32 {
    i32::try_from(ttl.as_secs()).unwrap_or(i32::MAX)
}

/// From now on, every lookup that reaches the [`Point`] with this number panics; 0 disables this.
#[cfg(feature = "panic-injection")]
#[unsafe(no_mangle)]
extern "C" fn nss_mdns_panic_at(point: u32) {
    fault_injection::panic_at(point);
}

/// The functions of one service.
macro_rules! service {
    ($module:ident, $name:literal, $service:expr) => {
        mod $module {
            use super::*;

            static SERVICE: Service = $service;

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyname_r"))]
            unsafe extern "C-unwind" fn gethostbyname_r(
                name: *const c_char,
                result: *mut hostent,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Forward);
                    let buffer = CallerBuffer { start, length };
                    by_name(&SERVICE, name, libc::AF_UNSPEC, result, buffer, report, null_mut(), null_mut())
                }
            }

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyname2_r"))]
            unsafe extern "C-unwind" fn gethostbyname2_r(
                name: *const c_char,
                af: c_int,
                result: *mut hostent,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Forward);
                    let buffer = CallerBuffer { start, length };
                    by_name(&SERVICE, name, af, result, buffer, report, null_mut(), null_mut())
                }
            }

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyname3_r"))]
            unsafe extern "C-unwind" fn gethostbyname3_r(
                name: *const c_char,
                af: c_int,
                result: *mut hostent,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
                ttlp: *mut i32,
                canonp: *mut *mut c_char,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Forward);
                    by_name(&SERVICE, name, af, result, CallerBuffer { start, length }, report, ttlp, canonp)
                }
            }

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyname4_r"))]
            unsafe extern "C-unwind" fn gethostbyname4_r(
                name: *const c_char,
                pat: *mut *mut GaihAddrTuple,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
                ttlp: *mut i32,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Forward);
                    by_name_all(&SERVICE, name, pat, CallerBuffer { start, length }, report, ttlp)
                }
            }

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyaddr_r"))]
            unsafe extern "C-unwind" fn gethostbyaddr_r(
                address: *const c_void,
                address_length: socklen_t,
                af: c_int,
                result: *mut hostent,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Reverse);
                    let buffer = CallerBuffer { start, length };
                    by_address(&SERVICE, address, address_length, af, result, buffer, report, null_mut())
                }
            }

            #[unsafe(export_name = concat!("_nss_", $name, "_gethostbyaddr2_r"))]
            unsafe extern "C-unwind" fn gethostbyaddr2_r(
                address: *const c_void,
                address_length: socklen_t,
                af: c_int,
                result: *mut hostent,
                start: *mut c_char,
                length: size_t,
                errnop: *mut c_int,
                h_errnop: *mut c_int,
                ttlp: *mut i32,
            ) -> Status {
                // SAFETY: glibc passes valid pointers.
                unsafe {
                    let report = Report::new(errnop, h_errnop, Direction::Reverse);
                    let buffer = CallerBuffer { start, length };
                    by_address(&SERVICE, address, address_length, af, result, buffer, report, ttlp)
                }
            }
        }
    };
}

service!(mdns, "mdns", Service::full(Families::BOTH));
service!(mdns4, "mdns4", Service::full(Families::only(Family::V4)));
service!(mdns6, "mdns6", Service::full(Families::only(Family::V6)));
service!(mdns_minimal, "mdns_minimal", Service::minimal(Families::BOTH));
service!(mdns4_minimal, "mdns4_minimal", Service::minimal(Families::only(Family::V4)));
service!(mdns6_minimal, "mdns6_minimal", Service::minimal(Families::only(Family::V6)));
