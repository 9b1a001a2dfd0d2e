//! The links into the folder of an installation, and the list of them, `outside`.
//!
//! Each line of the list is the path of a link, also of earlier runs, or that of a folder that was made for one, which
//! ends with a slash. The list is complete before the first link is made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::files::Item;
use super::place::Place;
use super::run::Run;
use crate::edit::{self, failed};

/// The list of links.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outside(BTreeSet<OsString>);

impl Outside {
    /// Reads the list of an installation; empty if there is none.
    pub(super) fn read(place: &Place) -> Result<Outside, edit::Error> {
        let path = place.outside();
        match fs::read(&path) {
            Ok(octets) => Ok(Outside::parse(&octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outside::default()),
            Err(error) => Err(failed(&path, "cannot be read")(error)),
        }
    }

    fn parse(octets: &[u8]) -> Outside {
        let lines = octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        Outside(lines.map(|line| OsStr::from_bytes(line).to_owned()).collect())
    }

    pub(super) fn to_octets(&self) -> Vec<u8> {
        self.0.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }

    /// Adds a link, and the folders that do not exist yet.
    pub(super) fn add(&mut self, link: &Path) {
        self.0.insert(link.into());
        for folder in link.ancestors().skip(1).take_while(|folder| !folder.is_dir()) {
            let mut line = OsString::from(folder);
            line.push("/");
            self.0.insert(line);
        }
    }

    /// The links that lead into the folder: those that an installation has made, and that nobody has replaced since.
    pub(super) fn links(&self, folder: &Path) -> Vec<PathBuf> {
        let leads_into = |link: &&OsString| fs::read_link(link).is_ok_and(|target| target.parent() == Some(folder));
        self.0.iter().filter(leads_into).map(PathBuf::from).collect()
    }

    /// The folders that were made for links, inner ones first.
    fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().rev().filter(|line| line.as_bytes().ends_with(b"/")).map(Path::new)
    }
}

/// Makes the links of these items. A file in the place of one stays.
pub(super) fn make(items: &[Item], place: &Place, run: &mut Run) -> Result<(), edit::Error> {
    let ours = Outside::read(place)?.links(&place.folder);
    let links: Vec<_> = items.iter().filter_map(|item| Some((item, item.link.as_deref()?))).collect();
    for (item, link) in links.iter().filter(|(_, link)| !ours.iter().any(|ours| ours == link)) {
        // No other program has a link of this name, and one that leads nowhere is of no use.
        let is_stale = *link == place.conf && fs::read_link(link).is_ok() && !link.exists();
        if is_stale {
            run.make(|| fs::remove_file(link).map_err(failed(link, "cannot be removed")))?;
        } else if fs::symlink_metadata(link).is_ok() {
            let (link, libdir) = (link.display(), place.libdir.display());
            run.print(&format!("leave {link} as it is: it is not of the installation in {libdir}\n"));
            continue;
        }
        run.say(format_args!("link {}", link.display()));
        run.make(|| make_link(&place.folder.join(item.name), link).map_err(failed(link, "cannot be made")))?;
    }
    // Those of another prefix.
    let wanted: Vec<_> = links.iter().map(|(_, link)| *link).collect();
    remove(place, &wanted, run)
}

fn make_link(target: &Path, link: &Path) -> io::Result<()> {
    if let Some(folder) = link.parent() {
        DirBuilder::new().recursive(true).create(folder)?;
    }
    symlink(target, link)
}

/// Removes the links that are not among the wanted ones, and the folders that were made for them and are empty now.
pub(super) fn remove(place: &Place, wanted: &[&Path], run: &mut Run) -> Result<(), edit::Error> {
    let outside = Outside::read(place)?;
    for link in outside.links(&place.folder).iter().filter(|link| !wanted.contains(&link.as_path())) {
        run.say(format_args!("remove {}", link.display()));
        run.make(|| fs::remove_file(link).map_err(failed(link, "cannot be removed")))?;
    }
    run.make(|| {
        for folder in outside.folders() {
            // Fails if something is in it.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_has_each_link_once() {
        let mut outside = Outside::parse(b"/usr/b\n/usr/a\n\n/usr/b\n");
        assert_eq!(outside.to_octets(), b"/usr/a\n/usr/b\n");
        outside.add(Path::new("/usr/nowhere/man/man1/page"));
        outside.add(Path::new("/usr/a"));
        let expected = b"/usr/a\n/usr/b\n/usr/nowhere/\n/usr/nowhere/man/\n/usr/nowhere/man/man1/\n\
                         /usr/nowhere/man/man1/page\n";
        assert_eq!(outside.to_octets(), expected);
        assert_eq!(Outside::parse(expected), outside);
        let folders: Vec<_> = outside.folders().map(Path::as_os_str).collect();
        assert_eq!(folders, ["/usr/nowhere/man/man1/", "/usr/nowhere/man/", "/usr/nowhere/"]);
    }

    #[test]
    fn only_links_into_the_folder_are_ours() {
        let folder = std::env::temp_dir().join(format!("nss-mdns-links-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = |name: &str| folder.join(name);
        symlink("/opt/nss-mdns/page", path("ours")).unwrap();
        symlink("/opt/nss-mdns-2/page", path("theirs")).unwrap();
        fs::write(path("file"), "").unwrap();
        let mut outside = Outside::default();
        for name in ["ours", "theirs", "file", "gone"] {
            outside.add(&path(name));
        }
        let links = outside.links(Path::new("/opt/nss-mdns"));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(links, [path("ours")]);
    }
}
