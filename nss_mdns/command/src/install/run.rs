//! One run: it announces and makes the changes, keeps other runs away, and may be interrupted between two changes only.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::{mem, ptr};

use crate::edit::{self, failed};

/// From its beginning to its end no other run can start.
#[derive(Debug)]
pub(super) struct Run {
    mode: Mode,
    has_changed: bool,
    guard: Option<Guard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Normal,
    /// Announces the changes, but makes none.
    Dry,
    /// Makes the changes, but announces none.
    Silent,
}

/// The lock on `/etc` and the blocked signals.
#[derive(Debug)]
struct Guard {
    signals: Signals,
    _lock: File,
}

impl Run {
    pub(super) fn begin(dry_run: bool) -> Result<Run, edit::Error> {
        if dry_run {
            return Ok(Run { mode: Mode::Dry, has_changed: false, guard: None });
        }
        // Every user reads what is installed.
        // SAFETY: umask has no preconditions.
        unsafe { libc::umask(0o022) };
        let guard = Guard { _lock: lock()?, signals: Signals::block() };
        Ok(Run { mode: Mode::Normal, has_changed: false, guard: Some(guard) })
    }

    /// The part of a run that undoes what was done. Signals are still blocked, and it does not look at them.
    pub(super) fn silent() -> Run {
        Run { mode: Mode::Silent, has_changed: false, guard: None }
    }

    pub(super) fn is_dry(&self) -> bool {
        self.mode == Mode::Dry
    }

    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Announces a change, which [`Run::make`] then makes.
    pub(super) fn say(&mut self, change: fmt::Arguments<'_>) {
        self.note_change();
        self.print(&format!("{}{change}\n", if self.is_dry() { "would " } else { "" }));
    }

    /// Notes that this run changes something.
    pub(super) fn note_change(&mut self) {
        self.has_changed = true;
    }

    /// Writes to standard output. An error must not stop a run halfway.
    pub(super) fn print(&self, text: &str) {
        if self.mode != Mode::Silent {
            let _ = io::stdout().write_all(text.as_bytes());
        }
    }

    /// Makes a change, except in a dry run.
    ///
    /// # Errors
    /// That of the change, or that the run was interrupted before it.
    pub(super) fn make(&self, change: impl FnOnce() -> Result<(), edit::Error>) -> Result<(), edit::Error> {
        if self.is_dry() {
            return Ok(());
        }
        self.check_interruption()?;
        change()
    }

    /// # Errors
    /// If a signal has asked this run to end.
    pub(super) fn check_interruption(&self) -> Result<(), edit::Error> {
        let is_pending = self.guard.as_ref().is_some_and(|guard| guard.signals.is_pending());
        if is_pending { Err("interrupted".into()) } else { Ok(()) }
    }

    /// Everything is done: other runs may start, and signals end the program as usual. A run that fails does not come
    /// here, so that a signal does not end the program before it has said why.
    pub(super) fn end(self) {
        if let Some(guard) = self.guard {
            guard.signals.unblock();
        }
    }
}

/// Locks `/etc` itself. The lock ends with this process, and with ldconfig if that outlives it.
fn lock() -> Result<File, edit::Error> {
    let folder = Path::new("/etc");
    let etc = File::open(folder).map_err(failed(folder, "cannot be locked"))?;
    if !edit::try_lock(&etc) {
        return Err("another install.sh is running".into());
    }
    // SAFETY: fcntl with F_SETFD has no memory-safety requirements. Without the flag FD_CLOEXEC, children inherit it.
    unsafe { libc::fcntl(etc.as_raw_fd(), libc::F_SETFD, 0) };
    Ok(etc)
}

/// The signals that ask a run to end. While they are blocked, they only become pending.
struct Signals {
    blocked: libc::sigset_t,
    before: libc::sigset_t,
}

impl fmt::Debug for Signals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Signals")
    }
}

impl Signals {
    /// Blocks those that are not ignored: Linux keeps an ignored signal pending, too, while it is blocked.
    fn block() -> Signals {
        let (mut blocked, mut before) = (empty_set(), empty_set());
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)) {
            // SAFETY: `blocked` is an initialised set.
            unsafe { libc::sigaddset(&raw mut blocked, signal) };
        }
        // SAFETY: both are initialised sets.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut before) };
        Signals { blocked, before }
    }

    fn is_pending(&self) -> bool {
        let mut pending = empty_set();
        // SAFETY: `pending` is an initialised set.
        unsafe { libc::sigpending(&raw mut pending) };
        // SAFETY: `set` is an initialised set.
        let has = |set: &libc::sigset_t, signal| unsafe { libc::sigismember(set, signal) } == 1;
        [libc::SIGHUP, libc::SIGINT, libc::SIGTERM]
            .iter()
            .any(|&signal| has(&self.blocked, signal) && has(&pending, signal))
    }

    fn unblock(&self) {
        // SAFETY: `before` is an initialised set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: zeroes are a valid sigset_t, and sigemptyset initialises it.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: zeroes are a valid sigaction, and a null pointer leaves the action as it is.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}
