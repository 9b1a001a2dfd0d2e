//! What is refused before anything is changed.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::files::Item;
use super::links::Outside;
use super::place::{Place, libc};
use crate::check::loader;
use crate::edit;
use crate::elf::Architecture;

/// Refuses to run without root's permissions.
pub(super) fn need_root() -> Result<(), edit::Error> {
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return Err("this needs root: run it with sudo (--dry-run shows what it does)".into());
    }
    Ok(())
}

/// Refuses if a file is missing or is for another architecture than the module. In a dry run, they may not be built yet.
pub(super) fn check_files(items: &[Item], module: &Path, dry_run: bool) -> Result<(), edit::Error> {
    for source in items.iter().filter_map(Item::source) {
        if !source.is_file() && !dry_run {
            return Err(format!("{}, which belongs beside the module, is not here", source.display()));
        }
        need_architecture(source, module)?;
    }
    Ok(())
}

/// Refuses a place in which the module cannot be installed, and a module that programs cannot load.
pub(super) fn check_place(place: &Place, items: &[Item], module: &Path, dry_run: bool) -> Result<(), edit::Error> {
    if !place.libdir.is_dir() {
        return Err(format!("{} is not a folder", place.libdir.display()));
    }
    if place.is_foreign() {
        return Err(format!("{} is here, and is not of an installation by install.sh", place.folder.display()));
    }
    need_architecture(&libc(&place.libdir), module)?;
    if !dry_run {
        need_writable(&place.folder)?;
        items.iter().filter_map(|item| item.link.as_deref()).try_for_each(need_writable)?;
    }
    need_loadable(module)
}

/// Refuses unless the installations in these places can be removed.
pub(super) fn need_removable(places: &[Place]) -> Result<(), edit::Error> {
    for place in places {
        need_writable(&place.folder)?;
        for link in Outside::read(place)?.links(&place.folder) {
            need_writable(&link)?;
        }
    }
    Ok(())
}

fn need_architecture(file: &Path, module: &Path) -> Result<(), edit::Error> {
    match (Architecture::of(file), Architecture::of(module)) {
        (Some(found), Some(wanted)) if found != wanted => {
            Err(format!("{} is built for another architecture than {}", file.display(), module.display()))
        }
        _ => Ok(()),
    }
}

/// Refuses unless a file of this name can be made or removed.
fn need_writable(file: &Path) -> Result<(), edit::Error> {
    let folder = file.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let path = CString::new(folder.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: `path` is a C string.
    if unsafe { libc::access(path.as_ptr(), libc::W_OK) } != 0 {
        return Err(format!("{} cannot be written to (is it mounted read-only?)", folder.display()));
    }
    Ok(())
}

/// A damaged module would crash every program that resolves a name. One for another architecture cannot be tried.
fn need_loadable(module: &Path) -> Result<(), edit::Error> {
    let is_for_other = Architecture::of(module).is_some_and(|architecture| Some(architecture) != Architecture::own());
    if !module.is_file() || is_for_other {
        return Ok(());
    }
    let module = std::path::absolute(module).unwrap_or_else(|_| module.into());
    let problem = loader::why_unloadable(&module).unwrap_or_else(|error| Some(error.to_string()));
    problem.map_or(Ok(()), |problem| Err(format!("{} cannot be loaded: {problem}", module.display())))
}
