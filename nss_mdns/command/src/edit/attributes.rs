//! Mode, owner and extended attributes of a file: access control lists and SELinux labels are extended attributes.

use std::ffi::{CString, c_void};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, fchown};
use std::ptr;

/// Gives a new file the mode, owner and extended attributes of an old one.
pub(super) fn copy(old: &File, new: &File) -> io::Result<()> {
    let (wanted, given) = (old.metadata()?, new.metadata()?);
    if (wanted.uid(), wanted.gid()) != (given.uid(), given.gid()) {
        fchown(new, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    for name in names(old)? {
        let value = value(old, &name)?;
        // The label that the system's policy gives to a new file here is often the right one, and may not be set.
        if self::value(new, &name).ok().as_ref() != Some(&value) {
            set(new, &name, &value)?;
        }
    }
    // Last, because a change of the owner may clear bits of the mode.
    new.set_permissions(wanted.permissions())
}

/// The names of the extended attributes.
fn names(file: &File) -> io::Result<Vec<CString>> {
    // SAFETY: the pointer and the length describe a buffer, or are null and 0.
    let list = sized(|buffer, length| unsafe { libc::flistxattr(file.as_raw_fd(), buffer.cast(), length) });
    match list {
        Ok(list) => Ok(list.split(|octet| *octet == 0).filter_map(name).collect()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name(octets: &[u8]) -> Option<CString> {
    CString::new(octets).ok().filter(|name| !name.is_empty())
}

fn value(file: &File, name: &CString) -> io::Result<Vec<u8>> {
    // SAFETY: the name ends with a NUL; the pointer and the length describe a buffer, or are null and 0.
    sized(|buffer, length| unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), buffer, length) })
}

fn set(file: &File, name: &CString, value: &[u8]) -> io::Result<()> {
    // SAFETY: the name ends with a NUL; the pointer and the length are those of a slice.
    let result = unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(io::Error::new(error.kind(), format!("the attribute {} cannot be set: {error}", name.to_string_lossy())))
}

/// Calls a function that returns the length that it needs, then once more with a buffer of that length.
fn sized(call: impl Fn(*mut c_void, usize) -> isize) -> io::Result<Vec<u8>> {
    let length = |result: isize| usize::try_from(result).map_err(|_| io::Error::last_os_error());
    let mut buffer = vec![0; length(call(ptr::null_mut(), 0))?];
    if buffer.is_empty() {
        return Ok(buffer);
    }
    let used = length(call(buffer.as_mut_ptr().cast(), buffer.len()))?;
    buffer.truncate(used);
    Ok(buffer)
}
