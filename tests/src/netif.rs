//! The interfaces of the host this process runs in; used by the programs that run inside.

use std::ffi::CString;

/// Names and indexes of all interfaces but the loopback one.
///
/// # Errors
/// If `/proc` is not there.
pub fn interfaces() -> std::io::Result<Vec<(String, u32)>> {
    let table = std::fs::read_to_string("/proc/net/dev")?;
    let names = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    Ok(names.filter(|name| *name != "lo").filter_map(|name| Some((name.into(), index(name)?))).collect())
}

/// The index of an interface, if there is one of that name.
pub fn index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the pointer is to a NUL-terminated string that lives until the call returns.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}
