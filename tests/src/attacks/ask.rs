//! The victim: looks up names, and names of addresses, through glibc, one after the other in one process.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;
use std::time::{Duration, Instant};

use socket2::SockAddr;

/// Between two lookups, so that what was sent in answer to the first one's questions is not heard by the second.
const PAUSE: Duration = Duration::from_millis(100);

/// What a lookup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was looked up.
    pub asked: String,
    /// What `getaddrinfo` or `getnameinfo` returned: 0 or an `EAI_…` code.
    pub code: i32,
    /// How long it took.
    pub elapsed: Duration,
    /// The canonical name, or the name of the address.
    pub name: String,
    /// The addresses in order, link-local ones with their scope: `fe80::1%2`.
    pub addresses: Vec<String>,
}

/// `ask NAME...`: one line for each lookup.
pub(super) fn main(names: &[&str]) -> Result<(), String> {
    super::raise_priority();
    for (position, asked) in names.iter().enumerate() {
        if position > 0 {
            std::thread::sleep(PAUSE);
        }
        let start = Instant::now();
        let (code, name, addresses) = match asked.parse() {
            Ok(ip) => name_of(ip),
            Err(_) => addresses_of(asked)?,
        };
        let elapsed = start.elapsed().as_micros();
        println!("{asked}\t{code}\t{elapsed}\t{}\t{}", name.escape_debug(), addresses.join(","));
    }
    Ok(())
}

/// Reads what `ask` printed.
///
/// # Errors
/// The line that is none of its.
pub fn read(printed: &str) -> Result<Vec<Answer>, String> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [asked, code, elapsed, name, addresses] = fields.as_slice() else { return None };
        Some(Answer {
            asked: (*asked).into(),
            code: code.parse().ok()?,
            elapsed: Duration::from_micros(elapsed.parse().ok()?),
            name: (*name).into(),
            addresses: addresses.split(',').filter(|address| !address.is_empty()).map(str::to_owned).collect(),
        })
    };
    printed.lines().map(|line| read(line).ok_or_else(|| line.to_owned())).collect()
}

/// `getaddrinfo` for both families, and the canonical name.
fn addresses_of(name: &str) -> Result<(i32, String, Vec<String>), String> {
    let name = CString::new(name).map_err(|why| why.to_string())?;
    // SAFETY: a plain C struct of integers and pointers, for which all zeros is a value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    (hints.ai_socktype, hints.ai_flags) = (libc::SOCK_STREAM, libc::AI_CANONNAME);
    let mut list = ptr::null_mut();
    // SAFETY: the strings and structures live until the call returns.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    let (mut canonical, mut addresses) = (String::new(), Vec::new());
    let mut entry = list;
    // SAFETY: a list of getaddrinfo's, which ends with a null pointer, as does every use of it here.
    while let Some(info) = unsafe { entry.as_ref() } {
        if !info.ai_canonname.is_null() {
            // SAFETY: a string of getaddrinfo's, freed with the list below.
            canonical = unsafe { CStr::from_ptr(info.ai_canonname) }.to_string_lossy().into_owned();
        }
        addresses.extend(address_in(info));
        entry = info.ai_next;
    }
    if code == 0 {
        // SAFETY: the list is getaddrinfo's and not used any more.
        unsafe { libc::freeaddrinfo(list) };
    }
    Ok((code, canonical, addresses))
}

fn address_in(info: &libc::addrinfo) -> Option<String> {
    match info.ai_family {
        libc::AF_INET => {
            // SAFETY: an address of this family has this form.
            let address = unsafe { info.ai_addr.cast::<libc::sockaddr_in>().as_ref() }?;
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).to_string())
        }
        libc::AF_INET6 => {
            // SAFETY: an address of this family has this form.
            let address = unsafe { info.ai_addr.cast::<libc::sockaddr_in6>().as_ref() }?;
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Some(if address.sin6_scope_id == 0 { ip.to_string() } else { format!("{ip}%{}", address.sin6_scope_id) })
        }
        _ => None,
    }
}

/// `getnameinfo`, which fails where there is no name.
fn name_of(ip: IpAddr) -> (i32, String, Vec<String>) {
    let address = SockAddr::from(SocketAddr::new(ip, 0));
    let mut host = [0u8; 1025];
    let size = libc::socklen_t::try_from(host.len()).unwrap_or_default();
    // SAFETY: the address and the buffer live until the call returns, and their lengths are given.
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
