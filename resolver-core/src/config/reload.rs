//! A file that an administrator or a network manager edits: it is read once, and again when `stat(2)` reports a change.
//!
//! No descriptor stays open. A thread that cannot take the lock within about 20 ms reads the file itself.

use std::ffi::CStr;
use std::io::{self, Read};
use std::sync::Arc;

use crate::lock::Lock;
use crate::sys::{self, Stamp};
use crate::try_alloc;

/// How many times a thread waits for the lock, a millisecond each time, before it reads the file itself.
const MAX_LOCK_WAITS: u32 = 20;

/// The maximum size that is read of a file, in octets. Of a longer file, only the complete lines within it are used.
pub const MAX_OCTETS: usize = 64 * 1024;

/// The minimum size of the read buffer, in octets, whatever size the file reports.
const MIN_BUFFER: usize = 4096;

/// A file, and the value that was last made from its text, unless that value was not kept.
pub(crate) struct ReloadedFile<T> {
    path: &'static CStr,
    kept: Lock<Option<Kept<T>>>,
}

struct Kept<T> {
    /// None if there was no file.
    stamp: Option<Stamp>,
    value: Arc<T>,
}

impl<T: PartialEq> ReloadedFile<T> {
    /// The file at `path`, which has not been read yet.
    pub(crate) const fn new(path: &'static CStr) -> Self {
        Self { path, kept: Lock::new(None, MAX_LOCK_WAITS) }
    }

    /// The value that `make` returns for the file's text, or for None if there is no readable file. The flag is true if
    /// the value replaces a different kept one. If the file cannot be read for lack of a resource, returns the kept
    /// value.
    #[inline(never)]
    pub(crate) fn get(&self, make: impl FnOnce(Option<&[u8]>) -> T) -> (Arc<T>, bool) {
        let stamp = sys::stamp(self.path);
        let kept = self.kept.read(|kept| kept.as_ref().map(|kept| (Arc::clone(&kept.value), kept.stamp == stamp)));
        let older = match kept.flatten() {
            Some((value, true)) => return (value, false),
            older => older,
        };
        // Checked before anything is allocated: a value that is kept must not occupy the allocator's reserve.
        let has_memory = try_alloc::can_allocate(0);
        let (text, stamp) = match stamp.map(|_| read(self.path)) {
            None => (None, None),
            Some(Ok((text, stamp))) => (Some(text), Some(stamp)),
            Some(Err(error)) => match older {
                Some((value, _)) if is_temporary(&error) => return (value, false),
                // Not kept: the file may become readable without a change of its stamp.
                _ => return (Arc::new(make(None)), false),
            },
        };
        let failures_before = try_alloc::failures();
        let value = Arc::new(make(text.as_deref()));
        // A value that is incomplete for lack of memory is not kept either: it would stay until the file changed.
        let complete = has_memory && try_alloc::failures() == failures_before;
        let changed = complete && self.keep(stamp, &value);
        (value, changed)
    }

    /// Keeps a value, unless the lock cannot be taken. True if it replaces a different value.
    fn keep(&self, stamp: Option<Stamp>, value: &Arc<T>) -> bool {
        let new = Kept { stamp, value: Arc::clone(value) };
        // The old value is dropped here, after the lock is released.
        let old = self.kept.write(|kept| kept.replace(new)).flatten();
        old.is_some_and(|old| old.value != *value)
    }
}

/// True for errors that do not depend on the file: the process or the machine has run out of a resource, or a signal
/// arrived.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR | libc::EAGAIN))
}

/// The text without the byte order mark that some editors write at the start of a UTF-8 file.
pub(crate) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The text of a file and its stamp. A text longer than [`MAX_OCTETS`] is cut after its last complete line.
///
/// # Errors
/// Those of `open(2)` and `read(2)`; `EINVAL` for anything but a regular file.
pub fn read(path: &CStr) -> io::Result<(Vec<u8>, Stamp)> {
    let (file, stamp) = sys::open(path)?;
    // One octet more than the expected size, to detect the end of the file. (Some file systems report 0 for files with
    // content.)
    let size = stamp.size().clamp(MIN_BUFFER, MAX_OCTETS) + 1;
    let mut text = try_alloc::zeroed(size).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let mut length = 0;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match (&file).read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if length == size {
        // The file is too long, or it has grown since it was opened.
        length = text.iter().rposition(|&octet| octet == b'\n').unwrap_or(0);
    }
    text.truncate(length);
    Ok((text, stamp))
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A file that is removed when the test ends.
    struct Scratch(PathBuf, &'static CStr);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nss-mdns-reload-{}-{name}", std::process::id()));
            let text = CString::new(path.to_str().unwrap()).unwrap();
            Self(path, Box::leak(text.into_boxed_c_str()))
        }

        fn write(&self, text: &str) {
            // A new file has a new inode, so its stamp differs however little time has passed.
            let new = self.0.with_extension("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &self.0).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
            let _ = fs::remove_dir(&self.0);
        }
    }

    /// The file's text, and whether it replaces a different value. Counts in `read` how often the file is read.
    fn text(file: &ReloadedFile<Option<String>>, read: &mut u32) -> (Option<String>, bool) {
        let (value, changed) = file.get(|text| {
            *read += 1;
            text.map(|text| String::from_utf8(text.to_vec()).unwrap())
        });
        ((*value).clone(), changed)
    }

    #[test]
    fn a_file_is_read_once_and_again_when_it_changes_appears_or_disappears() {
        let scratch = Scratch::new("changes");
        let (file, mut read) = (ReloadedFile::new(scratch.1), 0);
        for (content, changed) in [(None, false), (Some("one"), true), (Some("two"), true), (None, true)] {
            match content {
                Some(content) => scratch.write(content),
                None => drop(fs::remove_file(&scratch.0)),
            }
            let before = read;
            assert_eq!(text(&file, &mut read), (content.map(str::to_owned), changed));
            assert_eq!(text(&file, &mut read), (content.map(str::to_owned), false));
            assert_eq!(read, before + 1, "{content:?}");
        }
    }

    #[test]
    fn a_file_is_read_again_while_another_thread_holds_the_lock() {
        let scratch = Scratch::new("locked");
        scratch.write("one");
        let (file, mut read) = (ReloadedFile::new(scratch.1), 0);
        text(&file, &mut read);
        let held = file.kept.hold();
        assert_eq!(text(&file, &mut read), (Some("one".into()), false));
        assert_eq!(read, 2);
        drop(held);
        text(&file, &mut read);
        assert_eq!(read, 2);
    }

    #[test]
    fn rewriting_the_same_content_is_not_a_change() {
        let scratch = Scratch::new("touched");
        let (file, mut read) = (ReloadedFile::new(scratch.1), 0);
        for _ in 0..2 {
            scratch.write("one");
            assert_eq!(text(&file, &mut read), (Some("one".into()), false));
        }
        assert_eq!(read, 2);
    }

    #[test]
    fn a_file_whose_reported_size_is_0_is_read() {
        let (text, stamp) = super::read(c"/proc/self/comm").unwrap();
        assert_eq!(stamp.size(), 0);
        assert!(!text.is_empty());
    }

    #[test]
    fn a_value_that_is_incomplete_for_lack_of_memory_is_not_kept() {
        let scratch = Scratch::new("lack");
        scratch.write("one");
        let file = ReloadedFile::new(scratch.1);
        file.get(|_| try_alloc::note_failure());
        // Another test in this process may count a failed allocation at the same moment.
        let mut read = 0;
        for _ in 0..100 {
            file.get(|_| read += 1);
        }
        assert!((1..100).contains(&read), "read {read} times more");
    }

    #[test]
    fn anything_but_a_regular_file_counts_as_absent() {
        let scratch = Scratch::new("folder");
        fs::create_dir(&scratch.0).unwrap();
        assert_eq!(text(&ReloadedFile::new(scratch.1), &mut 0), (None, false));
    }

    #[test]
    fn a_file_that_is_too_long_is_cut_at_a_line_end() {
        let scratch = Scratch::new("long");
        let line = "x".repeat(999);
        scratch.write(&format!("{line}\n").repeat(MAX_OCTETS / 1000 + 10));
        let (text, _) = read(scratch.1).unwrap();
        assert_eq!(text.len(), MAX_OCTETS / 1000 * 1000 - 1);
        assert!(text.split(|&octet| octet == b'\n').all(|read| read == line.as_bytes()));
    }
}
