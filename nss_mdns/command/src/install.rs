//! `nss-mdns install` and `nss-mdns uninstall`: what `install.sh` calls once the module is built.
//!
//! All files are in one folder, `LIBDIR/nss-mdns`, which appears in one rename. Outside it there are only symbolic links
//! into it, and the service on the hosts line of `/etc/nsswitch.conf`. A link in `/etc/ld.so.conf.d` makes glibc prefer
//! this module to another package's in LIBDIR, which is never touched. The file `outside` in the folder lists the links
//! before they are made, so a run that was killed can be repeated or undone.
//!
//! | file | contents |
//! |---|---|
//! | `place` | which folder it is, and in which ones a module is installed |
//! | `files` | what is installed; writes it into the folder |
//! | `links` | the links outside the folder, and the list of them |
//! | `hosts_line` | the service on the hosts line |
//! | `ldconfig` | the loader's cache |
//! | `refusals` | what is refused before anything is changed |
//! | `run` | announces and makes changes; lock and signals |

mod files;
mod hosts_line;
mod ldconfig;
mod links;
mod place;
mod refusals;
mod run;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lexopt::prelude::*;

use self::files::{Item, ListOfLinks};
use self::place::Place;
use self::run::Run;
use crate::edit;
use crate::elf::Architecture;
use crate::nsswitch::SERVICES;
use crate::{Error, Outcome, USAGE, complain, print};

/// The arguments that follow `install`.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    module: PathBuf,
    /// The checkout or the release archive.
    files: PathBuf,
    libdir: Option<PathBuf>,
    prefix: PathBuf,
    dry_run: bool,
    check: bool,
}

/// Runs `nss-mdns install` with the arguments that follow its name.
pub(crate) fn install(arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let Some(arguments) = parse_install(arguments)? else { return print(USAGE) };
    let plan = Plan::new(&arguments).map_err(Error::Failed)?;
    let mut run = Run::begin(arguments.dry_run).map_err(Error::Failed)?;
    plan.carry_out(&mut run).map_err(Error::Failed)?;
    if !run.has_changed() {
        run.print("nothing to do: the module is installed and up to date\n");
    }
    run.end();
    if arguments.dry_run || !arguments.check || !plan.is_native {
        return Ok(Outcome::Good);
    }
    check(&plan.place)
}

/// Runs `nss-mdns uninstall` with the arguments that follow its name.
pub(crate) fn uninstall(arguments: lexopt::Parser) -> Result<Outcome, Error> {
    let Some((libdir, dry_run)) = parse_uninstall(arguments)? else { return print(USAGE) };
    let places = libdir.map_or_else(place::installed, |libdir| vec![Place::of(libdir)]);
    if !dry_run {
        refusals::need_root().map_err(Error::Failed)?;
        refusals::need_removable(&places).map_err(Error::Failed)?;
    }
    let mut run = Run::begin(dry_run).map_err(Error::Failed)?;
    remove(&places, &mut run).map_err(Error::Failed)?;
    if !run.has_changed() {
        run.print("nothing to do: the module is not installed\n");
    }
    run.end();
    Ok(Outcome::Good)
}

/// Parses the arguments; None if they ask for help.
fn parse_install(mut parser: lexopt::Parser) -> Result<Option<Arguments>, Error> {
    let (mut module, mut files) = (None, None);
    let (mut libdir, mut prefix) = (None, PathBuf::from("/usr/local"));
    let (mut dry_run, mut check) = (false, true);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("module") => module = Some(path(parser.value()?)?),
            Long("files") => files = Some(path(parser.value()?)?),
            Long("libdir") => libdir = Some(place::real_path(&path(parser.value()?)?)),
            Long("prefix") => prefix = path(parser.value()?)?,
            Long("dry-run") => dry_run = true,
            Long("no-check") => check = false,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(module), Some(files)) = (module, files) else {
        return Err(Error::Usage("--module or --files is missing".into()));
    };
    // Each run must spell a folder in the same way.
    Ok(Some(Arguments { module, files, libdir, prefix: place::real_path(&prefix), dry_run, check }))
}

/// Parses the arguments, which are LIBDIR and whether it is a dry run; None if they ask for help.
fn parse_uninstall(mut parser: lexopt::Parser) -> Result<Option<(Option<PathBuf>, bool)>, Error> {
    let (mut libdir, mut dry_run) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("libdir") => libdir = Some(place::real_path(&path(parser.value()?)?)),
            Long("dry-run") => dry_run = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(Some((libdir, dry_run)))
}

/// A path that can be a line in the list of links.
fn path(value: OsString) -> Result<PathBuf, Error> {
    if value.is_empty() || value.as_bytes().contains(&b'\n') {
        return Err(Error::Usage("expected a path that is not empty and has no newline".into()));
    }
    Ok(value.into())
}

/// What is to be installed, and where, after all refusals.
struct Plan {
    place: Place,
    items: Vec<Item>,
    /// Whether the module is for the system's own programs. A second architecture needs nothing but the module.
    is_native: bool,
}

impl Plan {
    fn new(arguments: &Arguments) -> Result<Plan, edit::Error> {
        if !arguments.dry_run {
            refusals::need_root()?;
        }
        let native = Architecture::of(Path::new("/bin/sh"));
        // In a dry run, the module may not be built yet.
        let architecture = Architecture::of(&arguments.module).or(native);
        let is_native = architecture == native;
        let place = match &arguments.libdir {
            Some(libdir) => Place::of(libdir.clone()),
            None => place::choose(architecture)?,
        };
        let items = files::list(arguments, &place, is_native);
        refusals::check_files(&items, &arguments.module, arguments.dry_run)?;
        refusals::check_place(&place, &items, &arguments.module, arguments.dry_run)?;
        hosts_line::check()?;
        Ok(Plan { place, items, is_native })
    }

    /// Installs everything. A first installation that fails or is interrupted is undone.
    fn carry_out(&self, run: &mut Run) -> Result<(), edit::Error> {
        let is_first = !self.place.is_installed();
        let result = self.install(run);
        if result.is_err() && is_first && self.place.is_installed() {
            let undone = remove(std::slice::from_ref(&self.place), &mut Run::silent());
            if let Err(error) = undone {
                complain(&Error::Failed(format!("what was installed could not be removed: {error}")));
            }
        }
        let tidied = if run.is_dry() { Ok(()) } else { files::remove_folder(&self.place.new) };
        result.and(tidied)
    }

    fn install(&self, run: &mut Run) -> Result<(), edit::Error> {
        let folder = &self.place.folder;
        files::install(&self.items, &self.place, run)?;
        links::make(&self.items, &self.place, run)?;
        // glibc finds the module only by this cache. ldconfig lists a file that has a SONAME under that name alone.
        if ldconfig::count(folder)? != SERVICES.len() {
            ldconfig::run(run)?;
        }
        if !run.is_dry() && ldconfig::count(folder)? != SERVICES.len() {
            return Err(format!("the loader does not look into {} (see /etc/ld.so.conf)", folder.display()));
        }
        hosts_line::add(run)?;
        run.check_interruption()
    }
}

/// Removes the installations in these places. A hosts line that cannot be edited does not keep the rest from going.
fn remove(places: &[Place], run: &mut Run) -> Result<(), edit::Error> {
    // Another architecture's module that stays needs the hosts line.
    let stays = place::installed().iter().any(|installed| !places.contains(installed));
    let edited = if stays { Ok(()) } else { hosts_line::remove(run) };
    for place in places {
        remove_place(place, run)?;
    }
    edited.and_then(|()| run.check_interruption())
}

fn remove_place(place: &Place, run: &mut Run) -> Result<(), edit::Error> {
    if !place.is_installed() {
        return run.make(|| {
            // One that a killed run has left is empty.
            let _ = fs::remove_dir(&place.folder);
            files::remove_folder(&place.new)
        });
    }
    run.make(|| files::remove_folder(&place.new))?;
    links::remove(place, &[], run)?;
    if ldconfig::lists(&place.folder)? {
        ldconfig::run(run)?;
    }
    run.say(format_args!("remove {}", place.folder.display()));
    run.make(|| files::rename_folder(&place.folder, &place.new, ListOfLinks::Last))?;
    run.make(|| files::remove_folder(&place.new))
}

/// Runs `nss-mdns check` of the installation, which is for the system's own programs.
fn check(place: &Place) -> Result<Outcome, Error> {
    let program = place.folder.join("nss-mdns");
    match Command::new(&program).arg("check").status() {
        Ok(status) if status.success() => Ok(Outcome::Good),
        Ok(_) => Ok(Outcome::InstalledWithProblem),
        Err(error) => {
            complain(&Error::Failed(format!("{}: {error}", program.display())));
            Ok(Outcome::InstalledWithProblem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(words: &[&str]) -> lexopt::Parser {
        lexopt::Parser::from_args(words.iter().copied())
    }

    #[test]
    fn the_arguments_are_parsed() {
        let arguments = parse_install(parser(&["--module", "m.so", "--files=."])).unwrap().unwrap();
        assert_eq!(
            arguments,
            Arguments {
                module: "m.so".into(),
                files: ".".into(),
                libdir: None,
                prefix: place::real_path(Path::new("/usr/local")),
                dry_run: false,
                check: true
            }
        );
        assert!(matches!(parse_install(parser(&["--module", "m.so"])), Err(Error::Usage(_))));
        assert!(matches!(parse_install(parser(&["--module", "m.so", "--files", ".", "x"])), Err(Error::Usage(_))));
        assert_eq!(parse_install(parser(&["--help"])).unwrap(), None);
        let arguments = parse_uninstall(parser(&["--libdir=/usr/../nowhere/", "--dry-run"])).unwrap();
        assert_eq!(arguments, Some((Some("/nowhere".into()), true)));
        assert!(matches!(parse_uninstall(parser(&["--no-check"])), Err(Error::Usage(_))));
        for path in ["", "/a\nb"] {
            let arguments = parser(&["--module=m.so", "--files=.", "--prefix", path]);
            assert!(matches!(parse_install(arguments), Err(Error::Usage(_))), "{path:?}");
            assert!(matches!(parse_uninstall(parser(&["--libdir", path])), Err(Error::Usage(_))), "{path:?}");
        }
    }
}
