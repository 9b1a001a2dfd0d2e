//! The interfaces of the host in which this process runs.

use std::ffi::CString;

/// Names and indexes of all interfaces except the loopback interface.
///
/// # Errors
/// If `/proc/net/dev` cannot be read.
pub fn interfaces() -> std::io::Result<Vec<(String, u32)>> {
    let table = std::fs::read_to_string("/proc/net/dev")?;
    let names = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
    Ok(names.filter(|name| *name != "lo").filter_map(|name| Some((name.into(), index(name)?))).collect())
}

/// The index of the interface with this name, if there is one.
pub fn index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the pointer is to a NUL-terminated string that lives until the call returns.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}
