//! A file of an administrator's, read once, and again when its `stat(2)` has changed.
//!
//! Nothing of it stays open, and nobody waits: a thread that cannot have what is kept reads the file for itself.

use std::ffi::CStr;
use std::io::{self, Read};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::lock;
use crate::memory;
use crate::sys::{self, Stamp};

/// The most that is read, in octets. Where there is more, the lines that are whole by then count.
pub(crate) const MOST_OCTETS: usize = 64 * 1024;

/// What is read at least, however small a file is said to be, in octets.
const LEAST_ROOM: usize = 4096;

/// A file, and what was last made of it.
pub(crate) struct Watched<T> {
    path: &'static CStr,
    kept: Mutex<Option<Kept<T>>>,
}

struct Kept<T> {
    /// None if there was no file.
    stamp: Option<Stamp>,
    value: Arc<T>,
}

impl<T: PartialEq> Watched<T> {
    /// The file at `path`, which is not looked at yet.
    pub(crate) const fn new(path: &'static CStr) -> Self {
        Self { path, kept: Mutex::new(None) }
    }

    /// What `make` makes of the file's text, or of None where there is no file that can be read; and whether another value
    /// was kept before.
    #[inline(never)]
    pub(crate) fn get(&self, make: impl FnOnce(Option<&[u8]>) -> T) -> (Arc<T>, bool) {
        let stamp = sys::stamp(self.path);
        let kept =
            lock::with(&self.kept, |kept| kept.as_ref().map(|kept| (Arc::clone(&kept.value), kept.stamp == stamp)));
        let older = match kept.flatten() {
            Some((value, true)) => return (value, false),
            older => older,
        };
        // Asked before anything is made: what stays must not be in the allocator's reserve.
        let plenty = memory::is_plenty(0);
        let (text, stamp) = match stamp.map(|_| read(self.path)) {
            None => (None, None),
            Some(Ok((text, stamp))) => (Some(text), Some(stamp)),
            Some(Err(error)) => match older {
                Some((value, _)) if will_pass(&error) => return (value, false),
                // It may be readable in a moment, with the same stamp: not to be kept.
                _ => return (Arc::new(make(None)), false),
            },
        };
        let lacked_before = memory::times_lacked();
        let value = Arc::new(make(text.as_deref()));
        // Nor is a value kept that lacks a part for want of memory: until the file changed, it would stay so.
        let whole = plenty && memory::times_lacked() == lacked_before;
        let changed = whole && self.keep(stamp, &value);
        (value, changed)
    }

    /// Keeps a value, unless the lock cannot be had; true if it takes the place of another.
    fn keep(&self, stamp: Option<Stamp>, value: &Arc<T>) -> bool {
        let new = Kept { stamp, value: Arc::clone(value) };
        // Taken out of the lock, and let go of here.
        let old = lock::with(&self.kept, |kept| kept.replace(new)).flatten();
        old.is_some_and(|old| old.value != *value)
    }
}

/// True for what says nothing of the file: the process or the machine ran out of something, or was interrupted.
fn will_pass(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR | libc::EAGAIN))
}

/// The text without the mark that some editors put in front of UTF-8.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The text of a file, without the part of a line that is over [`MOST_OCTETS`]; and its stamp.
///
/// # Errors
/// Those of `open(2)` and `read(2)`; `EINVAL` if it is no regular file.
pub(crate) fn read(path: &CStr) -> io::Result<(Vec<u8>, Stamp)> {
    let (file, stamp) = sys::open(path)?;
    // An octet more than there should be, to see the end. (Some file systems say 0 of files that are not empty.)
    let room = stamp.size().clamp(LEAST_ROOM, MOST_OCTETS) + 1;
    let mut text = memory::zeroed(room).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let mut length = 0;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match (&file).read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if length == room {
        // It has grown, or is too long.
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

    /// A file that is gone at the test's end.
    struct Scratch(PathBuf, &'static CStr);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nss-mdns-watched-{}-{name}", std::process::id()));
            let text = CString::new(path.to_str().unwrap()).unwrap();
            Self(path, Box::leak(text.into_boxed_c_str()))
        }

        fn write(&self, text: &str) {
            // A new file has a stamp of its own, however soon it follows.
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

    /// What is in the file, whether that is new, and how often it has been read.
    fn text(watched: &Watched<Option<String>>, read: &mut u32) -> (Option<String>, bool) {
        let (value, changed) = watched.get(|text| {
            *read += 1;
            text.map(|text| String::from_utf8(text.to_vec()).unwrap())
        });
        ((*value).clone(), changed)
    }

    #[test]
    fn it_is_read_once_and_again_when_it_changes_comes_or_goes() {
        let scratch = Scratch::new("changes");
        let (watched, mut read) = (Watched::new(scratch.1), 0);
        for (content, changed) in [(None, false), (Some("one"), true), (Some("two"), true), (None, true)] {
            match content {
                Some(content) => scratch.write(content),
                None => drop(fs::remove_file(&scratch.0)),
            }
            let before = read;
            assert_eq!(text(&watched, &mut read), (content.map(str::to_owned), changed));
            assert_eq!(text(&watched, &mut read), (content.map(str::to_owned), false));
            assert_eq!(read, before + 1, "{content:?}");
        }
    }

    #[test]
    fn while_another_thread_has_the_lock_it_is_read_anew() {
        let scratch = Scratch::new("locked");
        scratch.write("one");
        let (watched, mut read) = (Watched::new(scratch.1), 0);
        text(&watched, &mut read);
        let held = watched.kept.lock();
        assert_eq!(text(&watched, &mut read), (Some("one".into()), false));
        assert_eq!(read, 2);
        drop(held);
        text(&watched, &mut read);
        assert_eq!(read, 2);
    }

    #[test]
    fn the_same_content_anew_is_no_change() {
        let scratch = Scratch::new("touched");
        let (watched, mut read) = (Watched::new(scratch.1), 0);
        for _ in 0..2 {
            scratch.write("one");
            assert_eq!(text(&watched, &mut read), (Some("one".into()), false));
        }
        assert_eq!(read, 2);
    }

    #[test]
    fn a_file_that_is_said_to_be_empty_is_read() {
        let (text, stamp) = super::read(c"/proc/self/comm").unwrap();
        assert_eq!(stamp.size(), 0);
        assert!(!text.is_empty());
    }

    #[test]
    fn what_lacks_a_part_for_want_of_memory_is_not_kept() {
        let scratch = Scratch::new("lack");
        scratch.write("one");
        let watched = Watched::new(scratch.1);
        watched.get(|_| memory::note_lack());
        // Another test of this process may be short of memory at that moment, too.
        let mut read = 0;
        for _ in 0..100 {
            watched.get(|_| read += 1);
        }
        assert!((1..100).contains(&read), "read {read} times more");
    }

    #[test]
    fn what_is_no_regular_file_is_none() {
        let scratch = Scratch::new("folder");
        fs::create_dir(&scratch.0).unwrap();
        assert_eq!(text(&Watched::new(scratch.1), &mut 0), (None, false));
    }

    #[test]
    fn of_a_file_that_is_too_long_whole_lines_count() {
        let scratch = Scratch::new("long");
        let line = "x".repeat(999);
        scratch.write(&format!("{line}\n").repeat(MOST_OCTETS / 1000 + 10));
        let (text, _) = read(scratch.1).unwrap();
        assert_eq!(text.len(), MOST_OCTETS / 1000 * 1000 - 1);
        assert!(text.split(|&octet| octet == b'\n').all(|read| read == line.as_bytes()));
    }
}
