//! The files that glibc loads for the services on the hosts line: whether they are this module, of which version, and
//! whether programs of other architectures have the module too.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::loader::{self, Loaded};
use super::report::{Level, Report};
use super::story::enumerate;
use crate::elf::Architecture;
use crate::library_folders::library_folders;
use crate::nsswitch::NOT_INSTALLED;

/// The version of this program, and of the module that belongs to it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name in the module's ELF note, with the padding that follows it (see version.rs of the module).
const NOTE_NAME: &[u8] = b"nss-mdns\0\0\0\0";

/// The length of the version in that note.
const NOTE_VERSION: usize = 16;

/// The program that runs programs for i386. Compilers bring a C library for i386 without it.
const I386_LOADER: &str = "/lib/ld-linux.so.2";

/// Where the loader finds libraries in other folders than the standard ones.
const CACHE: &str = "/etc/ld.so.cache";

/// From this version on, glibc contains the services `files` and `dns` itself.
const BUILT_IN: (u32, u32) = (2, 34);

/// Reports the files of these services, of which `ours` are those of the module.
///
/// # Errors
/// Those of writing.
pub(crate) fn tell<W: Write>(services: &[String], ours: &[&str], report: &mut Report<W>) -> io::Result<()> {
    let mut files: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
    for service in services {
        let is_ours = ours.contains(&service.as_str());
        let is_built_in = matches!(service.as_str(), "files" | "dns") && loader::glibc_version() >= BUILT_IN;
        if is_built_in {
            continue;
        }
        match loader::load(service) {
            Ok(Loaded::File(path)) if is_ours => files.entry(path).or_default().push(service),
            Ok(Loaded::File(_)) => {}
            Ok(loaded) if is_ours => tell_unloadable(service, &loaded, report)?,
            Ok(loaded @ (Loaded::Crashes(_) | Loaded::Hangs)) => {
                let text = format!(
                    "the service {service} on the hosts line breaks programs that look up hosts: {}",
                    why(&loaded)
                );
                report.bad("files", text)?;
            }
            Ok(loaded) => {
                let text = format!("glibc skips the service {service} on the hosts line: {}", why(&loaded));
                report.note("files", text)?;
            }
            Err(error) => report.note("files", format!("not known which file glibc loads for {service}: {error}"))?,
        }
    }
    for (path, services) in &files {
        tell_file(path, services, report)?;
        let unreadable = unreadable(path);
        if !unreadable.is_empty() {
            tell_unreadable(&unreadable, report)?;
        }
    }
    if !ours.is_empty() {
        tell_architectures(ours, report)?;
    }
    Ok(())
}

fn why(loaded: &Loaded) -> String {
    match loaded {
        Loaded::File(path) => path.display().to_string(),
        Loaded::Fails(error) => error.clone(),
        Loaded::NoFunctions => "its file has no function that looks up hosts".into(),
        Loaded::Hangs => "the process that loads its file hangs".into(),
        Loaded::Crashes(signal) => format!("the process that loads its file ends with signal {signal}"),
    }
}

/// What is wrong with the file of a service that glibc cannot load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no such file.
    Absent,
    /// These files and folders are not readable by every user.
    Unreadable(Vec<PathBuf>),
    /// The file is for another architecture than this program.
    Foreign(PathBuf, String),
    /// The file is not a complete library.
    Damaged(PathBuf),
    /// The file is in the folder of an installation, and the loader's cache does not list it.
    Unlisted(PathBuf),
    /// The loader's cache cannot be read by every user.
    UnreadableCache,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Absent => out.write_str(NOT_INSTALLED),
            Fault::Unreadable(paths) => {
                let paths = paths.iter().map(|path| path.display().to_string());
                write!(out, "cannot be loaded: {} not readable by every user", are(paths.collect()))
            }
            Fault::Foreign(path, architectures) => {
                write!(out, "cannot be loaded: {} is {architectures}", path.display())
            }
            Fault::Damaged(path) => write!(out, "cannot be loaded: {} is damaged", path.display()),
            Fault::Unlisted(path) => {
                write!(out, "cannot be loaded: the loader's cache, {CACHE}, does not list {}", path.display())
            }
            Fault::UnreadableCache => {
                write!(out, "cannot be loaded: the loader's cache, {CACHE}, is not readable by every user")
            }
        }
    }
}

fn are(names: Vec<String>) -> String {
    let verb = if names.len() > 1 { "are" } else { "is" };
    format!("{} {verb}", enumerate(names.into_iter()))
}

/// What is wrong with the file of a service, where glibc looks for it. The loader itself says of files that it cannot read,
/// and of those for another architecture, that they do not exist.
pub(crate) fn fault(service: &str) -> Fault {
    let Some(own) = Architecture::own() else { return Fault::Absent };
    let file = format!("libnss_{service}.so.2");
    let is_own = |folder: &PathBuf| Architecture::of(&folder.join("libc.so.6")) == Some(own);
    for folder in library_folders().into_iter().filter(is_own) {
        for path in [folder.join("nss-mdns").join(&file), folder.join(&file)] {
            let unreadable = unreadable(&path);
            if !unreadable.is_empty() {
                return Fault::Unreadable(unreadable);
            }
            if path.exists() {
                return fault_of(path, own);
            }
        }
    }
    Fault::Absent
}

fn fault_of(path: PathBuf, own: Architecture) -> Fault {
    match Architecture::of(&path) {
        Some(found) if found != own => Fault::Foreign(path, format!("for {found}, this is {own}")),
        _ if !matches!(loader::why_unloadable(&path), Ok(None)) => Fault::Damaged(path),
        _ if !unreadable(Path::new(CACHE)).is_empty() => Fault::UnreadableCache,
        _ => Fault::Unlisted(path),
    }
}

/// Whether a file in `/etc/ld.so.conf.d` leads ldconfig to this folder.
fn is_in_loader_conf(folder: &Path) -> bool {
    let entries = fs::read_dir("/etc/ld.so.conf.d").into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.into_iter().any(|text| text.lines().any(|line| Path::new(line.trim()) == folder))
}

/// The folders on the way to a file, and the file, that some user cannot search or read; none if there is no such file.
fn unreadable(path: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(path);
    let mut parts: Vec<_> = path.ancestors().collect();
    parts.extend(real.iter().flat_map(|real| real.ancestors()));
    let mut found: Vec<PathBuf> = Vec::new();
    for part in parts.into_iter().rev() {
        let Ok(metadata) = fs::metadata(part) else { continue };
        let needed = if metadata.is_dir() { 0o001 } else { 0o004 };
        let part = fs::canonicalize(part).unwrap_or_else(|_| part.to_owned());
        if metadata.permissions().mode() & needed == 0 && !found.contains(&part) {
            found.push(part);
        }
    }
    found
}

/// The command that makes files and folders readable by every user.
fn readable_command(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("sudo chmod a+rX {}", paths.join(" "))
}

fn tell_unreadable<W: Write>(paths: &[PathBuf], report: &mut Report<W>) -> io::Result<()> {
    let names = are(paths.iter().map(|path| path.display().to_string()).collect());
    let text = format!("{names} not readable by every user: the programs of other users do without the module");
    report.finding("files", Level::Problem, text, Some(readable_command(paths)))
}

fn tell_unloadable<W: Write>(service: &str, loaded: &Loaded, report: &mut Report<W>) -> io::Result<()> {
    let consequence = match loaded {
        Loaded::Crashes(_) => "programs that look up any host crash",
        Loaded::Hangs => "programs that look up any host hang",
        _ => "programs do without it",
    };
    let fault = matches!(loaded, Loaded::Fails(_)).then(|| fault(service)).filter(|fault| *fault != Fault::Absent);
    let why = fault.as_ref().map_or_else(|| why(loaded), |fault| format!("its file {fault}"));
    let text = format!("glibc cannot load the module for {service}, so {consequence}: {why}");
    let remedy = match &fault {
        Some(Fault::Unreadable(paths)) => readable_command(paths),
        Some(Fault::UnreadableCache) => format!("sudo chmod a+r {CACHE}"),
        Some(Fault::Unlisted(path)) if path.parent().is_some_and(is_in_loader_conf) => "sudo ldconfig".into(),
        // sudo looks up this host, and would end in the same way.
        None if matches!(loaded, Loaded::Crashes(_) | Loaded::Hangs) => {
            format!(
                "{}, and in a root shell (su -), because sudo does not work",
                install_command().replace("sudo ", "")
            )
        }
        _ => install_command(),
    };
    report.finding("files", Level::Problem, text, Some(remedy))
}

/// Tells whether a file is this module.
fn tell_file<W: Write>(path: &Path, services: &[&str], report: &mut Report<W>) -> io::Result<()> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let services = enumerate(services.iter().map(|&service| service.to_owned()));
    let shown = shown(path, &real);
    let octets = match fs::read(&real) {
        Ok(octets) => octets,
        Err(error) => return report.bad("files", format!("{shown}, which glibc loads for {services}: {error}")),
    };
    match version(&octets) {
        Some(version) if version == VERSION => {
            report.good("files", format!("glibc loads {shown} for {services}: this module, version {version}"))
        }
        Some(version) => {
            let text = format!(
                "glibc loads {shown} for {services}: this module, but version {version}, and this program is {VERSION}: \
                 what it says here may not be what the module does"
            );
            report.finding("files", Level::Problem, text, Some(install_command()))
        }
        None => {
            let owner =
                package_of(&real).map_or_else(|| "of no package".into(), |package| format!("of the package {package}"));
            let text = format!("glibc loads {shown} for {services}, and it is not this module ({owner})");
            report.finding("files", Level::Problem, text, Some(install_command()))
        }
    }
}

/// The path of a file, and where it leads to if it is a link. That /lib is a link to /usr/lib is not worth a word.
fn shown(path: &Path, real: &Path) -> String {
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok()).unwrap_or_default();
    match path.file_name().map(|name| folder.join(name)) {
        Some(path) if path != real => format!("{} -> {}", path.display(), real.display()),
        _ => real.display().to_string(),
    }
}

/// The version in the ELF note of this module; None for any other file.
fn version(octets: &[u8]) -> Option<String> {
    let start = octets.windows(NOTE_NAME.len()).position(|octets| octets == NOTE_NAME)? + NOTE_NAME.len();
    let padded = octets.get(start..start + NOTE_VERSION)?;
    let text = padded.split(|&octet| octet == 0).next()?;
    let is_version = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    is_version.then(|| String::from_utf8_lossy(text).into_owned())
}

/// What installs the module, on this system.
fn install_command() -> String {
    "sudo ./install.sh  # in a copy of the source; or install the package again".into()
}

/// The package that a file belongs to, by the system's package manager.
fn package_of(file: &Path) -> Option<String> {
    const QUERIES: [&[&str]; 3] = [
        &["dpkg-query", "--search"],
        &["rpm", "--query", "--file", "--queryformat", "%{NAME}: "],
        &["pacman", "--query", "--owns", "--quiet"],
    ];
    // Merged-/usr systems know a file by either path.
    let alias = Path::new("/").join(file.strip_prefix("/usr").unwrap_or(file));
    QUERIES.iter().flat_map(|words| [file, alias.as_path()].map(|file| (words, file))).find_map(|(words, file)| {
        let (program, arguments) = words.split_first()?;
        let output =
            Command::new(program).args(arguments).arg(file).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let package = text.split([':', '\n', ' ']).next()?.to_owned();
        (output.status.success() && !package.is_empty()).then_some(package)
    })
}

/// Reports the architectures whose programs have a C library here, but not the module.
fn tell_architectures<W: Write>(ours: &[&str], report: &mut Report<W>) -> io::Result<()> {
    let Some(own) = Architecture::own() else { return Ok(()) };
    for folder in library_folders() {
        let libc = Architecture::of(&folder.join("libc.so.6"));
        let Some(found) = libc.filter(|found| *found != own) else { continue };
        if found.is_i386() && !Path::new(I386_LOADER).exists() {
            continue;
        }
        let has = |service: &str| {
            let file = format!("libnss_{service}.so.2");
            [folder.join(&file), folder.join("nss-mdns").join(&file)]
                .iter()
                .any(|file| Architecture::of(file) == Some(found))
        };
        if !ours.iter().all(|service| has(service)) {
            let text = format!(
                "programs for {found}, whose C library is in {}, have no module and do not find .local names: build it \
                 for {found}, and install it there with install.sh --libdir (docs/32-bit.md shows how)",
                folder.display()
            );
            report.note("files", text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_note() {
        let note =
            [&b"\x7fELF....\x09\0\0\0\x10\0\0\0\x01\0\0\0"[..], NOTE_NAME, b"1.2.3-rc.1\0\0\0\0\0\0", b"rest"].concat();
        assert_eq!(version(&note).as_deref(), Some("1.2.3-rc.1"));
        assert_eq!(version(b"\x7fELF, another module"), None);
        assert_eq!(version(&[NOTE_NAME, b"\0\0"].concat()), None);
    }

    #[test]
    fn folders_and_files_that_some_users_cannot_read_are_found() {
        let folder =
            fs::canonicalize(std::env::temp_dir()).unwrap().join(format!("nss-mdns-files-{}", std::process::id()));
        let file = folder.join("libnss_mdns.so.2");
        let with_modes = |of_folder, of_file| {
            fs::set_permissions(&file, fs::Permissions::from_mode(of_file)).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(of_folder)).unwrap();
            unreadable(&file).into_iter().filter(|path| path.starts_with(&folder)).collect::<Vec<_>>()
        };
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        let found = [with_modes(0o755, 0o644), with_modes(0o700, 0o644), with_modes(0o700, 0o600)];
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [vec![], vec![folder.clone()], vec![folder.clone(), file]]);
        let fault = Fault::Unreadable(vec![folder]);
        assert!(fault.to_string().ends_with(" is not readable by every user"), "{fault}");
    }
}
