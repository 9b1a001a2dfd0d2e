//! The files that glibc loads for the services on the hosts line: whether they are this module, of which version, and
//! whether programs of other architectures have the module too.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::loader::{self, Loaded};
use super::report::{Level, Report};
use super::story::enumerate;

/// The version of this program, and of the module that belongs to it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name in the module's ELF note, with the padding that follows it (see version.rs of the module).
const NOTE_NAME: &[u8] = b"nss-mdns\0\0\0\0";

/// The length of the version in that note.
const NOTE_VERSION: usize = 16;

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

fn tell_unloadable<W: Write>(service: &str, loaded: &Loaded, report: &mut Report<W>) -> io::Result<()> {
    let consequence = match loaded {
        Loaded::Crashes(_) => "programs that look up any host crash",
        Loaded::Hangs => "programs that look up any host hang",
        _ => "programs do without it",
    };
    let text = format!("glibc cannot load the module for {service}, so {consequence}: {}", why(loaded));
    report.finding("files", Level::Problem, text, Some(install_command()))
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

/// The folders in which distributions keep the libraries of several architectures, and the folder of their C library.
fn library_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"].map(PathBuf::from).into();
    for parent in ["/usr/lib", "/lib"] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        folders.extend(entries.filter(|path| path.to_string_lossy().contains("-linux-gnu")));
    }
    folders.extend(["/lib", "/lib32", "/lib64", "/libx32"].map(PathBuf::from));
    let mut real: Vec<PathBuf> = Vec::new();
    for folder in folders {
        match fs::canonicalize(&folder) {
            Ok(folder) if !real.contains(&folder) => real.push(folder),
            _ => {}
        }
    }
    real
}

/// Class, byte order and machine in an ELF header (elf(5)).
fn architecture(file: &Path) -> Option<(u8, u8, u16)> {
    let mut header = [0; 20];
    io::Read::read_exact(&mut fs::File::open(file).ok()?, &mut header).ok()?;
    let [0x7f, b'E', b'L', b'F', class, order, ..] = header else { return None };
    let machine = [header[18], header[19]];
    let machine = if order == 1 { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    Some((class, order, machine))
}

fn architecture_name(machine: u16, class: u8) -> String {
    match (machine, class) {
        (3, _) => "i386".into(),
        (21, _) => "PowerPC64".into(),
        (22, _) => "s390x".into(),
        (40, _) => "arm".into(),
        (62, 1) => "x32".into(),
        (62, _) => "x86-64".into(),
        (183, _) => "AArch64".into(),
        (243, _) => "RISC-V".into(),
        (number, class) => format!("ELF machine {number}, {} bits", 32 * u32::from(class)),
    }
}

/// Reports the architectures whose programs have a C library here, but not the module.
fn tell_architectures<W: Write>(ours: &[&str], report: &mut Report<W>) -> io::Result<()> {
    let Some(own) = architecture(Path::new("/proc/self/exe")) else { return Ok(()) };
    for folder in library_folders() {
        let Some(found) = architecture(&folder.join("libc.so.6")).filter(|found| *found != own) else { continue };
        let has = |service: &str| {
            let file = format!("libnss_{service}.so.2");
            [folder.join(&file), folder.join("nss-mdns").join(&file)]
                .iter()
                .any(|file| architecture(file) == Some(found))
        };
        if !ours.iter().all(|service| has(service)) {
            let name = architecture_name(found.2, found.0);
            let text = format!(
                "programs for {name}, whose C library is in {}, have no module and do not find .local names: build it \
                 for {name}, and install that file",
                folder.display()
            );
            let remedy = format!("sudo ./install.sh --libdir {} --module FILE", folder.display());
            report.finding("files", Level::Note, text, Some(remedy))?;
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
    fn architectures_are_told_apart() {
        let own = architecture(Path::new("/proc/self/exe")).unwrap();
        assert!(!architecture_name(own.2, own.0).contains("ELF machine"));
        assert_eq!(architecture_name(3, 1), "i386");
        assert_eq!(architecture(Path::new("/etc/passwd")), None);
    }
}
