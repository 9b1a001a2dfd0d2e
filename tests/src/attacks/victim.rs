//! The victim of the attacks: looks up names, and the names of addresses, through glibc, one after the other in one
//! process.

use crate::getaddrinfo::getaddrinfo;
use socket2::SockAddr;
use std::ffi::{CStr, CString};
use std::net::{IpAddr, SocketAddr};
use std::ptr;
use std::time::{Duration, Instant};

/// The pause between two lookups, so that the second does not receive what was sent for the first.
const PAUSE: Duration = Duration::from_millis(100);

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The name or address that was looked up.
    pub query: String,
    /// What `getaddrinfo` or `getnameinfo` returned: 0 or an `EAI_…` code.
    pub code: i32,
    /// How long the lookup took.
    pub elapsed: Duration,
    /// The canonical name, or the name of the address.
    pub name: String,
    /// The addresses in order, link-local ones with their scope: `fe80::1%2`.
    pub addresses: Vec<String>,
}

/// `lookup NAME...`: prints one line for each lookup.
pub(super) fn main(queries: &[&str]) -> Result<(), String> {
    super::raise_priority();
    for (position, query) in queries.iter().enumerate() {
        if position > 0 {
            std::thread::sleep(PAUSE);
        }
        let start = Instant::now();
        let (code, name, addresses) = match query.parse() {
            Ok(ip) => name_of(ip),
            Err(_) => addresses_of(query)?,
        };
        let elapsed = start.elapsed().as_micros();
        println!("{query}\t{code}\t{elapsed}\t{}\t{}", name.escape_debug(), addresses.join(","));
    }
    Ok(())
}

/// Parses the output of `lookup`.
///
/// # Errors
/// The first line that `lookup` did not print.
pub fn parse(printed: &str) -> Result<Vec<Answer>, String> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [query, code, elapsed, name, addresses] = fields.as_slice() else { return None };
        Some(Answer {
            query: (*query).into(),
            code: code.parse().ok()?,
            elapsed: Duration::from_micros(elapsed.parse().ok()?),
            name: (*name).into(),
            addresses: addresses.split(',').filter(|address| !address.is_empty()).map(str::to_owned).collect(),
        })
    };
    printed.lines().map(|line| parse(line).ok_or_else(|| line.to_owned())).collect()
}

/// `getaddrinfo` for both families, and the canonical name.
fn addresses_of(name: &str) -> Result<(i32, String, Vec<String>), String> {
    let name = CString::new(name).map_err(|why| why.to_string())?;
    let found = getaddrinfo(&name, libc::AI_CANONNAME);
    let show = |(ip, scope): (IpAddr, u32)| if scope == 0 { ip.to_string() } else { format!("{ip}%{scope}") };
    Ok((found.code, found.canonical, found.addresses.into_iter().map(show).collect()))
}

/// `getnameinfo` with `NI_NAMEREQD`, which fails if the address has no name.
fn name_of(ip: IpAddr) -> (i32, String, Vec<String>) {
    let address = SockAddr::from(SocketAddr::new(ip, 0));
    let mut host = [0u8; 1025];
    let size = libc::socklen_t::try_from(host.len()).unwrap_or_default();
    // SAFETY: the address and the buffer outlive the call, and their lengths are given.
    let code = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            host.as_mut_ptr().cast(),
            size,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    let name = CStr::from_bytes_until_nul(&host).map(CStr::to_string_lossy).unwrap_or_default();
    (code, if code == 0 { name.into_owned() } else { String::new() }, Vec::new())
}
