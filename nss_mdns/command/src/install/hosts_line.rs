//! The service on the hosts line. A note exists while it is there because of an installation.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::run::Run;
use crate::edit::{self, failed};
use crate::hosts::{self, Action, Arguments, Change};
use crate::{Error, complain};

/// Exists while the service is on the hosts line because of an installation.
const NOTE: &str = "/var/lib/nss-mdns.hosts-line";

/// Refuses a hosts line that cannot be edited.
pub(super) fn check() -> Result<(), edit::Error> {
    change(Action::Add, true).map(|_| ()).map_err(|why| format!("{why}; nss-mdns check says more"))
}

/// Adds the service, after a note of that.
pub(super) fn add(run: &mut Run) -> Result<(), edit::Error> {
    match change(Action::Add, true)? {
        Change::Unneeded(_) => Ok(()),
        Change::Authselect(text) => {
            run.print(&format!("{text}\n"));
            Ok(())
        }
        Change::Made(text) if run.is_dry() => {
            run.note_change();
            run.print(&text);
            Ok(())
        }
        Change::Made(_) => {
            run.note_change();
            run.make(write_note)?;
            run.check_interruption()?;
            if let Change::Made(text) = change(Action::Add, false)? {
                run.print(&text);
            }
            Ok(())
        }
    }
}

/// Removes what [`add`] has added.
///
/// # Errors
/// Why the line stays as it is. Then the note stays too, so that the run can be repeated. Without a module, glibc skips the
/// service.
pub(super) fn remove(run: &mut Run) -> Result<(), edit::Error> {
    let note = Path::new(NOTE);
    if !note.exists() {
        return Ok(());
    }
    run.check_interruption()?;
    match change(Action::Remove, run.is_dry()) {
        Ok(Change::Made(text) | Change::Unneeded(text)) => run.print(&text),
        Ok(Change::Authselect(text)) => complain(&Error::Failed(text)),
        Err(text) => return Err(text),
    }
    let conf = Path::new(hosts::FILE);
    if !conf.exists() {
        // Where a link leads nowhere, the backup is beside the file that is gone.
        let target = fs::read_link(conf).map_or_else(|_| conf.into(), |target| Path::new("/etc").join(target));
        let backup = edit::backup_of(&target);
        let (backup, conf) = (backup.display(), conf.display());
        run.print(&format!("leave {backup}: {conf}, as it was before the installation, is gone\n"));
    }
    run.make(|| fs::remove_file(note).map_err(failed(note, "cannot be removed")))
}

fn change(action: Action, dry_run: bool) -> Result<Change, edit::Error> {
    hosts::change(&Arguments::of_installation(action, dry_run)).map_err(|error| error.to_string())
}

/// The note is on the disk before the line is changed.
fn write_note() -> Result<(), edit::Error> {
    let note = Path::new(NOTE);
    let write = || -> io::Result<()> {
        File::create(note)?.sync_all()?;
        File::open("/var/lib")?.sync_all()
    };
    write().map_err(failed(note, "cannot be written"))
}
