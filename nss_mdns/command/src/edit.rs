//! Replaces a configuration file that programs may read at any moment: they see the old file or the new one, complete,
//! wherever this program is killed or the disk is full.
//!
//! 1. Follow symbolic links (authselect, NixOS): the file at their end is the one that is replaced.
//! 2. Lock it, so that two edits do not overwrite each other. The lock is on the file itself, hence the check that the
//!    path still leads to it.
//! 3. Write the new content to `FILE.nss-mdns-new` with the attributes of the old file, and flush it to disk.
//! 4. Give the old file a second name, `FILE.before-nss-mdns`. A hard link needs no space and loses no attribute. If an
//!    older backup has that name, `.2`, `.3` and so on follows: it may be the only copy of what somebody needs.
//! 5. Check that nobody has changed the file meanwhile, rename the new one into place, and flush the folder.
//!
//! A killed run leaves at most `FILE.nss-mdns-new`, which the next run replaces or removes.

mod attributes;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long to wait for another edit.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// An error, with the file and what failed.
pub(crate) type Error = String;

/// Describes an error of this action with a file.
pub(crate) fn failed(path: &Path, what: &str) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    // SAFETY: geteuid has no preconditions.
    let is_root = unsafe { libc::geteuid() } == 0;
    move |error| format!("{path}: {what}: {error}{}", advice(&error, is_root))
}

/// What to do about an error.
fn advice(error: &io::Error, is_root: bool) -> &'static str {
    match (error.raw_os_error(), is_root) {
        (Some(libc::EACCES | libc::EPERM), false) => ": run it with sudo",
        (Some(libc::EPERM), true) => ": it may be immutable (see lsattr)",
        _ => "",
    }
}

/// A configuration file that is locked against other edits until this value is dropped.
#[derive(Debug)]
pub(crate) struct Locked {
    /// Without symbolic links.
    path: PathBuf,
    file: File,
    content: Vec<u8>,
}

impl Locked {
    /// Opens and locks a file, and reads it.
    pub(crate) fn open(path: &Path) -> Result<Locked, Error> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            let target = fs::canonicalize(path).map_err(failed(path, "cannot be found"))?;
            let mut file = open_regular(&target)?;
            lock(&file, &target, deadline)?;
            if !is_at(&file, &target) {
                continue;
            }
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(failed(&target, "cannot be read"))?;
            return Ok(Locked { path: target, file, content });
        }
    }

    /// The path of the file, without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Replaces the file.
    pub(crate) fn replace(&self, content: &[u8]) -> Result<(), Error> {
        let new = self.write_new(content)?;
        discard_on_error(&new, self.rename(&new))
    }

    /// Replaces the file, and keeps the old one as [`Locked::new_backup`].
    pub(crate) fn replace_and_keep(&self, content: &[u8]) -> Result<(), Error> {
        let new = self.write_new(content)?;
        let backup = self.new_backup();
        let result = self.keep_old(&backup).and_then(|()| {
            let renamed = self.rename(&new);
            if renamed.is_err() {
                let _ = fs::remove_file(&backup);
            }
            renamed
        });
        discard_on_error(&new, result)
    }

    /// Replaces the file, and removes the last backup. If that has this content, it becomes the file again, with the times
    /// that it had.
    pub(crate) fn restore(&self, content: &[u8]) -> Result<(), Error> {
        if let Some(backup) = self.last_backup().filter(|backup| self.is_like(backup, content)) {
            self.rename(&backup)?;
            return self.remove_residue();
        }
        self.replace(content)?;
        self.remove_backup()
    }

    /// Whether a file has this content, and mode and owner of this one.
    fn is_like(&self, backup: &Path, content: &[u8]) -> bool {
        let attributes = |metadata: fs::Metadata| (metadata.mode(), metadata.uid(), metadata.gid());
        match (fs::symlink_metadata(backup), self.file.metadata()) {
            (Ok(old), Ok(now)) => {
                attributes(old) == attributes(now) && fs::read(backup).is_ok_and(|octets| octets == content)
            }
            _ => false,
        }
    }

    /// The second name that the old file gets: the first that no older backup has.
    pub(crate) fn new_backup(&self) -> PathBuf {
        let last = self.last_backup();
        match last {
            // A run that was killed has made it already.
            Some(last) if is_at(&self.file, &last) => last,
            _ => {
                let mut names = backups_of(&self.path);
                names.find(|name| fs::symlink_metadata(name).is_err()).unwrap_or_else(|| backup_of(&self.path))
            }
        }
    }

    /// The backup of the last edit that was not undone.
    pub(crate) fn last_backup(&self) -> Option<PathBuf> {
        last_backup_of(&self.path)
    }

    /// Removes the last backup, if there is one.
    pub(crate) fn remove_backup(&self) -> Result<(), Error> {
        self.last_backup().map_or(Ok(()), |backup| remove_if_there(&backup))
    }

    /// Removes the new file of a run that was killed, if there is one.
    pub(crate) fn remove_residue(&self) -> Result<(), Error> {
        remove_if_there(&self.new_file())
    }

    fn new_file(&self) -> PathBuf {
        with_suffix(&self.path, ".nss-mdns-new")
    }

    /// Writes the new file beside the old one.
    fn write_new(&self, content: &[u8]) -> Result<PathBuf, Error> {
        let new = self.new_file();
        self.remove_residue()?;
        let result = self.write(&new, content);
        discard_on_error(&new, result.map_err(failed(&new, "cannot be written")))?;
        Ok(new)
    }

    fn write(&self, new: &Path, content: &[u8]) -> io::Result<()> {
        // Nobody else may read it before it has the attributes of the old file.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        file.write_all(content)?;
        attributes::copy(&self.file, &file)?;
        file.sync_all()
    }

    /// Gives the file a second name.
    fn keep_old(&self, backup: &Path) -> Result<(), Error> {
        // A run that was killed has made it already.
        if is_at(&self.file, backup) {
            return Ok(());
        }
        fs::hard_link(&self.path, backup).map_err(|error| match error.kind() {
            io::ErrorKind::CrossesDevices => {
                format!("{}: is a mount point and cannot be replaced", self.path.display())
            }
            _ => failed(&self.path, &format!("cannot be kept as {}", backup.display()))(error),
        })
    }

    fn rename(&self, new: &Path) -> Result<(), Error> {
        if !self.is_unchanged() {
            return Err(format!("{}: was changed by another program meanwhile: try again", self.path.display()));
        }
        fs::rename(new, &self.path).map_err(failed(&self.path, "cannot be replaced"))?;
        // Without this, a power failure may bring the old file back, which is complete too.
        if let Some(folder) = self.path.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// The lock does not keep editors away.
    fn is_unchanged(&self) -> bool {
        is_at(&self.file, &self.path) && fs::read(&self.path).is_ok_and(|content| content == self.content)
    }
}

fn open_regular(path: &Path) -> Result<File, Error> {
    let is_regular = fs::metadata(path).map_err(failed(path, "cannot be read"))?.is_file();
    if !is_regular {
        return Err(format!("{}: expected a regular file", path.display()));
    }
    File::open(path).map_err(failed(path, "cannot be read"))
}

/// Takes the lock, or waits for it.
fn lock(file: &File, path: &Path, deadline: Instant) -> Result<(), Error> {
    while !try_lock(file) {
        if Instant::now() >= deadline {
            return Err(format!("{}: is locked by another program", path.display()));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Takes the lock on a file, which ends when the file is closed. Returns false if another program has it.
/// `File::try_lock` needs a newer compiler than this project.
pub(crate) fn try_lock(file: &File) -> bool {
    loop {
        // SAFETY: flock has no memory-safety requirements.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return true;
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EWOULDBLOCK) => return false,
            // File systems without locks, such as some network file systems: go on without it.
            _ => return true,
        }
    }
}

/// Whether the path leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(there)) => identity(file) == identity(there),
        _ => false,
    }
}

/// The last backup of a file that may be missing.
pub(crate) fn last_backup_of(path: &Path) -> Option<PathBuf> {
    backups_of(path).take_while(|name| fs::symlink_metadata(name).is_ok()).last()
}

/// The names of backups of a file, the oldest first.
fn backups_of(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let first = backup_of(path);
    let others = (2..100).map({
        let first = first.clone();
        move |number| with_suffix(&first, &format!(".{number}"))
    });
    std::iter::once(first).chain(others)
}

/// The name of the oldest backup of a file.
pub(crate) fn backup_of(path: &Path) -> PathBuf {
    with_suffix(path, ".before-nss-mdns")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, "cannot be removed")(error)),
        _ => Ok(()),
    }
}

/// Removes a file that is of no use after an error.
fn discard_on_error<T>(path: &Path, result: Result<T, Error>) -> Result<T, Error> {
    if result.is_err() {
        let _ = fs::remove_file(path);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_permission_come_with_advice() {
        let advice = |errno, is_root| advice(&io::Error::from_raw_os_error(errno), is_root);
        assert_eq!(advice(libc::EACCES, false), ": run it with sudo");
        assert_eq!(advice(libc::EPERM, true), ": it may be immutable (see lsattr)");
        assert_eq!(advice(libc::EACCES, true), "");
        assert_eq!(advice(libc::ENOENT, false), "");
    }
}
