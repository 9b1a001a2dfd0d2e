//! Which folder is installed, and in which ones a module is installed.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use super::ldconfig;
use crate::edit;
use crate::elf::Architecture;
use crate::library_folders::{library_folders, real_folders};

/// The beginning of the link that leads the loader to an installation. The path of LIBDIR follows, so that there is a link
/// for each architecture, and `.conf`.
const CONF: &str = "/etc/ld.so.conf.d/00-nss-mdns";

/// The place of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder with the C library of the programs that can load the module.
    pub(super) libdir: PathBuf,
    /// The folder of the installation.
    pub(super) folder: PathBuf,
    /// Its name while it is written or removed.
    pub(super) new: PathBuf,
    /// The link in `/etc` that leads the loader to it.
    pub(super) conf: PathBuf,
}

impl Place {
    pub(super) fn of(libdir: PathBuf) -> Place {
        let octets = libdir.as_os_str().as_bytes().iter();
        let flat = octets.map(|octet| if *octet == b'/' { b'-' } else { *octet }).collect();
        let mut conf = OsString::from(CONF);
        conf.push(OsString::from_vec(flat));
        conf.push(".conf");
        Place { folder: libdir.join("nss-mdns"), new: libdir.join("nss-mdns.new"), conf: conf.into(), libdir }
    }

    /// Whether a module is installed here.
    pub(super) fn is_installed(&self) -> bool {
        self.outside().is_file()
    }

    /// Whether the folder belongs to something else. A run that was killed may have left an empty one.
    pub(super) fn is_foreign(&self) -> bool {
        let is_empty = || fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_none());
        self.folder.exists() && !self.is_installed() && !is_empty()
    }

    /// The list of links into the folder.
    pub(super) fn outside(&self) -> PathBuf {
        self.folder.join("outside")
    }
}

/// The place for a module of this architecture.
pub(super) fn choose(architecture: Option<Architecture>) -> Result<Place, edit::Error> {
    let mut folders = folders_of_libc().into_iter();
    let libdir = folders.find(|folder| architecture.is_some() && Architecture::of(&libc(folder)) == architecture);
    let none = "no folder has a libc.so.6 of the module's architecture: name one with --libdir DIR";
    libdir.map(Place::of).ok_or_else(|| none.into())
}

/// The places in which a module is installed, or was left by a run that was killed.
pub(super) fn installed() -> Vec<Place> {
    let places = real_folders(folders_of_libc().into_iter().chain(named_folders())).into_iter().map(Place::of);
    places.filter(|place| place.is_installed() || place.new.is_dir()).collect()
}

/// The library folders of the installations to which links in `/etc` lead the loader: any that `--libdir` may have named.
fn named_folders() -> Vec<PathBuf> {
    let entries = Path::new(CONF).parent().and_then(|folder| fs::read_dir(folder).ok());
    let links = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = links.filter(|link| link.as_os_str().as_bytes().starts_with(CONF.as_bytes()));
    ours.filter_map(|link| Some(fs::read_link(link).ok()?.parent()?.parent()?.to_owned())).collect()
}

pub(super) fn libc(libdir: &Path) -> PathBuf {
    libdir.join("libc.so.6")
}

/// The folders with a libc.so.6, the loader's own choice first.
fn folders_of_libc() -> Vec<PathBuf> {
    let others = library_folders().into_iter().filter(|folder| libc(folder).exists());
    real_folders(ldconfig::folders_of_libc().into_iter().chain(others))
}

/// The path without symbolic links, even if its end does not exist.
pub(super) fn real_path(path: &Path) -> PathBuf {
    follow(path, MAX_LINKS)
}

/// As many symbolic links as the kernel follows (path_resolution(7)).
const MAX_LINKS: u32 = 40;

fn follow(path: &Path, links: u32) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = real.pop(),
            _ => real.push(component),
        }
        if let (Ok(target), true) = (fs::read_link(&real), links > 0) {
            real.pop();
            real = follow(&real.join(target), links - 1);
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_follow_from_the_library_folder() {
        let place = Place::of("/usr/lib/x86_64-linux-gnu".into());
        assert_eq!(place.folder, Path::new("/usr/lib/x86_64-linux-gnu/nss-mdns"));
        assert_eq!(place.new, Path::new("/usr/lib/x86_64-linux-gnu/nss-mdns.new"));
        assert_eq!(place.conf, Path::new("/etc/ld.so.conf.d/00-nss-mdns-usr-lib-x86_64-linux-gnu.conf"));
    }

    #[test]
    fn a_place_is_beside_the_c_library_of_the_architecture() {
        let is_own = |folder: &Path| Architecture::of(&libc(folder)) == Architecture::own();
        match choose(Architecture::own()) {
            Ok(place) => assert!(is_own(&place.libdir)),
            // By qemu-user, with the library of a cross-compiler.
            Err(_) => assert!(!folders_of_libc().iter().any(|folder| is_own(folder))),
        }
        assert!(choose(None).unwrap_err().contains("--libdir DIR"));
    }

    #[test]
    fn a_path_has_one_spelling() {
        let real = real_path(Path::new("/usr/lib"));
        for path in ["/usr//lib/", "/usr/lib/.", "/usr/../usr/lib", "/usr/bin/../lib", "/proc/self/root/usr/lib"] {
            assert_eq!(real_path(Path::new(path)), real, "{path}");
        }
        assert_eq!(real_path(Path::new("/nowhere/a/../b/")), Path::new("/nowhere/b"));
        assert!(real_path(Path::new("relative")).is_absolute());
        let link = std::env::temp_dir().join(format!("nss-mdns-place-{}", std::process::id()));
        for (target, expected) in [("/nowhere/../there", "/there/c"), (link.to_str().unwrap(), "")] {
            std::os::unix::fs::symlink(target, &link).unwrap();
            let path = real_path(&link.join("c"));
            fs::remove_file(&link).unwrap();
            assert!(expected.is_empty() || path == Path::new(expected), "{path:?}");
        }
    }
}
