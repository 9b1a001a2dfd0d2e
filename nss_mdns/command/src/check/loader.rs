//! Asks glibc itself which file it loads for a service, and whether it can load a library.
//!
//! glibc loads `libnss_SERVICE.so.2` with `dlopen(3)`. So does this program, in a process of its own, because a file that
//! is damaged can crash the process that loads it.

use std::ffi::{CStr, CString, OsStr, c_void};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What happens if glibc loads a service's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// It loads this file.
    File(PathBuf),
    /// It cannot load one, for this reason.
    Fails(String),
    /// The file is loaded, but has no function that looks up hosts.
    NoFunctions,
    /// The process that loads it ends with this signal.
    Crashes(i32),
    /// The process that loads it has not done so after [`TIMEOUT`].
    Hangs,
}

/// How long loading may take, in seconds.
const TIMEOUT: u32 = 5;

/// The functions of a service that look up hosts (`nss.h`), without `_nss_SERVICE_` before them.
const FUNCTIONS: [&str; 5] =
    ["gethostbyname2_r", "gethostbyname4_r", "gethostbyname3_r", "gethostbyname_r", "gethostbyaddr_r"];

/// The file that glibc loads for a service.
///
/// # Errors
/// If no process could be started.
pub(crate) fn load(service: &str) -> io::Result<Loaded> {
    // glibc would follow the path. This program may be asked about anybody's file, so it does not.
    if service.contains('/') {
        return Ok(Loaded::Fails("its name is a path".into()));
    }
    Ok(match in_child(|| report(path(service)))? {
        Ended::Reply(reply) => parse(&reply),
        Ended::Signal(libc::SIGALRM) => Loaded::Hangs,
        Ended::Signal(signal) => Loaded::Crashes(signal),
    })
}

/// Why this program cannot load a library; None if it can.
///
/// # Errors
/// If no process could be started.
pub(crate) fn why_unloadable(library: &Path) -> io::Result<Option<String>> {
    let file = CString::new(library.as_os_str().as_bytes())?;
    Ok(match in_child(|| report(open(&file).map(|_| None)))? {
        Ended::Reply(reply) => match parse(&reply) {
            Loaded::Fails(error) => Some(error),
            _ => None,
        },
        Ended::Signal(libc::SIGALRM) => Some("a program that tries to hangs".into()),
        Ended::Signal(_) => Some("a program that tries to crashes".into()),
    })
}

/// How the process that loads a file has ended.
enum Ended {
    /// It has sent this.
    Reply(Vec<u8>),
    /// It was ended by this signal: SIGALRM after [`TIMEOUT`].
    Signal(i32),
}

/// Calls a function in a process of its own, and returns what the function returns.
fn in_child(function: impl FnOnce() -> Vec<u8>) -> io::Result<Ended> {
    let (mut reader, writer) = pipe()?;
    // SAFETY: this process has no other thread, so the child may do anything.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(reader);
            // SAFETY: both have no preconditions. The signal ends this child.
            unsafe {
                libc::signal(libc::SIGALRM, libc::SIG_DFL);
                libc::alarm(TIMEOUT)
            };
            let _ = File::from(writer).write_all(&function());
            // SAFETY: _exit has no preconditions. It runs none of the destructors that the loaded file may have.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(writer);
            let mut reply = Vec::new();
            reader.read_to_end(&mut reply)?;
            let mut status = 0;
            // SAFETY: `status` is a local variable.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
            Ok(signal.map_or(Ended::Reply(reply), Ended::Signal))
        }
    }
}

fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let [reader, writer] = ends;
    // SAFETY: both descriptors are new, and nothing else owns them.
    Ok(unsafe { (File::from_raw_fd(reader), OwnedFd::from_raw_fd(writer)) })
}

/// What the child reports: `=` and the path, `!` and the loader's error, or nothing.
fn report(loaded: Result<Option<Vec<u8>>, Vec<u8>>) -> Vec<u8> {
    match loaded {
        Ok(Some(path)) => [b"=", path.as_slice()].concat(),
        Ok(None) => Vec::new(),
        Err(error) => [b"!", error.as_slice()].concat(),
    }
}

fn parse(reply: &[u8]) -> Loaded {
    match reply.split_first() {
        Some((b'=', path)) => Loaded::File(OsStr::from_bytes(path).into()),
        Some((_, error)) => Loaded::Fails(String::from_utf8_lossy(error).into_owned()),
        None => Loaded::NoFunctions,
    }
}

/// The path of the file, or None if it has none of the [`FUNCTIONS`].
///
/// # Errors
/// The loader's own message.
fn path(service: &str) -> Result<Option<Vec<u8>>, Vec<u8>> {
    let c_string = |text: String| CString::new(text).map_err(|_| b"its name has a NUL".to_vec());
    let handle = open(&c_string(format!("libnss_{service}.so.2"))?)?;
    for function in FUNCTIONS {
        let symbol = c_string(format!("_nss_{service}_{function}"))?;
        // SAFETY: `handle` is open and `symbol` is a C string.
        let address = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
        // SAFETY: zeroes are a valid Dl_info.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is a local variable. dladdr accepts any address.
        let is_found = !address.is_null() && unsafe { libc::dladdr(address, &raw mut info) } != 0;
        if is_found && !info.dli_fname.is_null() {
            return Ok(Some(c_text(info.dli_fname)));
        }
    }
    Ok(None)
}

/// Loads a library and returns its handle.
///
/// # Errors
/// The loader's own message.
fn open(file: &CStr) -> Result<*mut c_void, Vec<u8>> {
    // SAFETY: `file` is a C string. Whatever the file's constructors do, they do it in this child.
    let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
    if !handle.is_null() {
        return Ok(handle);
    }
    // SAFETY: dlerror returns null, or a C string that is valid until the next call of the loader.
    let error = unsafe { libc::dlerror() };
    Err(if error.is_null() { Vec::new() } else { c_text(error) })
}

/// A copy of a C string that the loader has returned.
fn c_text(text: *const libc::c_char) -> Vec<u8> {
    // SAFETY: the callers pass C strings of the loader, which no other thread changes.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

/// The version of glibc that this program runs with, such as `(2, 36)`.
pub(crate) fn glibc_version() -> (u32, u32) {
    // SAFETY: it returns a C string that is never freed.
    let text = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy().into_owned();
    let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_reports_the_file_or_why_there_is_none() {
        let Ok(Loaded::Fails(why)) = load("no-such-service") else { panic!("there is such a service") };
        assert!(why.contains("libnss_no-such-service.so.2"), "{why}");
        assert_eq!(load("a/b").unwrap(), Loaded::Fails("its name is a path".into()));
        assert!(glibc_version() >= (2, 17));
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_told_from_one_that_can() {
        assert_eq!(why_unloadable(Path::new("libc.so.6")).unwrap(), None);
        let why = why_unloadable(Path::new("/etc/passwd")).unwrap().unwrap();
        assert!(why.contains("/etc/passwd: "), "{why}");
    }

    #[test]
    fn the_childs_reply_is_parsed() {
        assert_eq!(parse(b"=/lib/libnss_a.so.2"), Loaded::File("/lib/libnss_a.so.2".into()));
        assert_eq!(parse(b"!no such file"), Loaded::Fails("no such file".into()));
        assert_eq!(parse(b""), Loaded::NoFunctions);
    }
}
