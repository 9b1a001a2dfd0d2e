//! What is installed: the files in the folder, and the links outside it that lead to them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Arguments;
use super::links::Outside;
use super::place::Place;
use super::run::Run;
use crate::edit::{self, failed};
use crate::nsswitch::SERVICES;

/// The name of the module. Those of its other services are links to it.
const MODULE: &str = "libnss_mdns.so.2";

/// The list of links into the folder.
const OUTSIDE: &str = "outside";

/// A profile that includes AppArmor's abstraction `nameservice` also includes what is in `nameservice.d` here.
const ABSTRACTIONS: &str = "/etc/apparmor.d/abstractions";

/// A file in the folder.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: &'static str,
    mode: u32,
    content: Content,
    /// The link to it.
    pub(super) link: Option<PathBuf>,
}

#[derive(Debug)]
enum Content {
    Of(PathBuf),
    Text(Vec<u8>),
}

impl Item {
    /// The file that is copied, if it is one.
    pub(super) fn source(&self) -> Option<&Path> {
        match &self.content {
            Content::Of(source) => Some(source),
            Content::Text(_) => None,
        }
    }

    /// Whether a file has its content and mode.
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o7777 == self.mode)
            && fs::read(path).is_ok_and(|there| self.octets().is_ok_and(|octets| octets == there))
    }

    fn octets(&self) -> Result<Vec<u8>, edit::Error> {
        match &self.content {
            Content::Of(source) => fs::read(source).map_err(failed(source, "cannot be read")),
            Content::Text(text) => Ok(text.clone()),
        }
    }
}

/// The files to install. A second architecture needs only the module.
pub(super) fn list(arguments: &Arguments, place: &Place, is_native: bool) -> Vec<Item> {
    let copy = |name, mode, source, link| Item { name, mode, content: Content::Of(source), link };
    let conf = [place.folder.as_os_str().as_bytes(), b"\n"].concat();
    let mut items = vec![
        copy(MODULE, 0o644, arguments.module.clone(), None),
        Item { name: "ld.so.conf", mode: 0o644, content: Content::Text(conf), link: Some(place.conf.clone()) },
    ];
    if !is_native {
        return items;
    }
    let share = arguments.prefix.join("share");
    let mut document = |name, source: &str, link| {
        items.push(copy(name, 0o644, arguments.files.join(source), Some(link)));
    };
    let example = share.join("doc/nss-mdns/nss-mdns.conf.example");
    document("nss-mdns.conf.example", "docs/nss-mdns.conf.example", example);
    if Path::new(ABSTRACTIONS).is_dir() {
        document("apparmor", "packaging/apparmor", Path::new(ABSTRACTIONS).join("nameservice.d/nss-mdns"));
    }
    document("nss-mdns.1", "docs/man/nss-mdns.1", share.join("man/man1/nss-mdns.1"));
    document("nss-mdns.conf.5", "docs/man/nss-mdns.conf.5", share.join("man/man5/nss-mdns.conf.5"));
    document("nss-mdns.8", "docs/man/nss-mdns.8", share.join("man/man8/nss-mdns.8"));
    // The program beside the module, which may be another one than this.
    let program = arguments.module.with_file_name("nss-mdns");
    items.push(copy("nss-mdns", 0o755, program, Some(arguments.prefix.join("bin/nss-mdns"))));
    items
}

/// Writes the files into the folder. Everything is on the disk before anything is renamed into place.
pub(super) fn install(items: &[Item], place: &Place, run: &mut Run) -> Result<(), edit::Error> {
    let new = &place.new;
    run.make(|| remove_folder(new))?;
    run.make(|| fs::create_dir(new).map_err(failed(new, "cannot be made")))?;
    for item in items {
        let installed = place.folder.join(item.name);
        if item.source().is_some() && !item.is_at(&installed) {
            run.say(format_args!("install {}", installed.display()));
        }
        run.make(|| write(&new.join(item.name), item.mode, &item.octets()?))?;
    }
    for alias in aliases() {
        let alias = new.join(alias);
        run.make(|| symlink(MODULE, &alias).map_err(failed(&alias, "cannot be made")))?;
    }
    let mut outside = Outside::read(place)?;
    items.iter().filter_map(|item| item.link.as_deref()).for_each(|link| outside.add(link));
    run.make(|| write(&new.join(OUTSIDE), 0o644, &outside.to_octets()))?;
    run.make(|| sync_folder(new))?;
    if !place.is_installed() {
        return run.make(|| rename_folder(new, &place.folder, ListOfLinks::First));
    }
    replace_files(items, place, run)
}

/// Moves what differs into the folder, the list of links first. Running programs keep the file that they have loaded.
fn replace_files(items: &[Item], place: &Place, run: &Run) -> Result<(), edit::Error> {
    let names = [OUTSIDE.to_owned()].into_iter().chain(items.iter().map(|item| item.name.to_owned())).chain(aliases());
    for name in names {
        let (new, old) = (place.new.join(&name), place.folder.join(&name));
        if !is_same(&new, &old) {
            run.make(|| rename(&new, &old))?;
        }
    }
    let folder = &place.folder;
    let readable = fs::Permissions::from_mode(0o755);
    run.make(|| fs::set_permissions(folder, readable).map_err(failed(folder, "cannot be made readable")))
}

/// Whether both are links with the same target, or files with the same content and mode.
fn is_same(one: &Path, other: &Path) -> bool {
    let mode = |path| fs::metadata(path).map_or(0, |metadata| metadata.mode());
    match (fs::read_link(one), fs::read_link(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), Err(_)) => {
            let is_equal = fs::read(one).is_ok_and(|one| fs::read(other).is_ok_and(|other| one == other));
            is_equal && mode(one) == mode(other)
        }
        _ => false,
    }
}

/// The names under which glibc looks for the module's other services.
fn aliases() -> impl Iterator<Item = String> {
    SERVICES.iter().map(|service| format!("libnss_{service}.so.2")).filter(|name| name != MODULE)
}

fn write(path: &Path, mode: u32, octets: &[u8]) -> Result<(), edit::Error> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(octets)?;
        file.sync_all()
    };
    write().map_err(failed(path, "cannot be written"))
}

/// Replaces a file, and waits until that is on the disk.
fn rename(from: &Path, to: &Path) -> Result<(), edit::Error> {
    fs::rename(from, to).map_err(failed(to, "cannot be replaced"))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Which of its files a folder gets first if they are moved one after the other, or last: a folder is an installation
/// while it has the list of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListOfLinks {
    First,
    Last,
}

/// Renames a folder, and waits until that is on the disk. Overlays that have no extended attributes, as in some containers,
/// cannot rename folders. There its files are moved.
pub(super) fn rename_folder(from: &Path, to: &Path, order: ListOfLinks) -> Result<(), edit::Error> {
    let renamed = match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => move_files(from, to, order),
        renamed => renamed,
    };
    renamed.map_err(failed(from, "cannot be renamed"))?;
    to.parent().map_or(Ok(()), sync_folder)
}

fn move_files(from: &Path, to: &Path, order: ListOfLinks) -> io::Result<()> {
    let entries = fs::read_dir(from)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = entries.collect::<io::Result<Vec<_>>>()?;
    names.sort_by_key(|name| (name == OUTSIDE) == (order == ListOfLinks::Last));
    fs::create_dir_all(to)?;
    for name in names {
        fs::rename(from.join(&name), to.join(&name))?;
    }
    File::open(to)?.sync_all()?;
    fs::remove_dir(from)
}

/// Removes a folder that may be there.
pub(super) fn remove_folder(folder: &Path) -> Result<(), edit::Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(folder, "cannot be removed")(error)),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), edit::Error> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder, "cannot be written"))
}
