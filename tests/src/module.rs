//! The module under test, the names under which glibc looks for it, and how the tests build it and other programs.

use crate::run::run;
use crate::sandbox::unique;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The services of the module. The file has the name of `mdns_minimal`, the others are links to it.
pub const SERVICES: [&str; 6] = ["mdns_minimal", "mdns", "mdns4", "mdns4_minimal", "mdns6", "mdns6_minimal"];

/// The name of the file that glibc loads for a service.
pub fn file_name(service: &str) -> String {
    format!("libnss_{service}.so.2")
}

/// The module: the file that `NSS_MDNS_MODULE` names, or else the release build, which cargo brings up to date first.
///
/// # Errors
/// If the named file does not exist, or the module does not build.
pub fn path() -> Result<&'static Path, String> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PATH.get_or_init(named_or_built) {
        Ok(path) => Ok(path),
        Err(why) => Err(why.clone()),
    }
}

fn named_or_built() -> Result<PathBuf, String> {
    let Some(named) = std::env::var_os("NSS_MDNS_MODULE").filter(|name| !name.is_empty()) else {
        return built();
    };
    std::fs::canonicalize(&named).map_err(|why| format!("NSS_MDNS_MODULE={}: {why}", named.to_string_lossy()))
}

fn built() -> Result<PathBuf, String> {
    // As install.sh and the packages build it.
    let status = Command::new(workspace().join("packaging/cargo"))
        .args(["build", "--quiet", "--release", "--package", "nss_mdns"])
        .status()
        .map_err(|why| format!("packaging/cargo cannot be run: {why}"))?;
    let module = target().join("release/libnss_mdns.so");
    if status.success() && module.is_file() { Ok(module) } else { Err("the module does not build".into()) }
}

/// A cargo command in the folder of the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Compiles a program with the command that `command` returns for an output path. The output is renamed at the end,
/// because other tests may compile or run the same program at the same time.
///
/// # Errors
/// The compiler's messages.
pub fn compile(program: &Path, command: impl FnOnce(&Path) -> Command) -> Result<(), String> {
    let folder = program.parent().unwrap_or(program);
    std::fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let unfinished = format!("{}.{}.{}", program.display(), std::process::id(), unique());
    let outcome = run(command(Path::new(&unfinished)), COMPILE_LIMIT)?;
    if !outcome.success() {
        return Err(format!("{} does not compile: {}", program.display(), outcome.stderr));
    }
    std::fs::rename(&unfinished, program).map_err(|why| format!("{}: {why}", program.display()))
}

/// How long a compiler may run.
const COMPILE_LIMIT: Duration = Duration::from_secs(120);

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace().join(folder),
        None => workspace().join("target"),
    }
}

/// The system's library folder: the one from which this program's libc was loaded.
///
/// # Errors
/// If this program does not use glibc.
pub fn library_folder() -> Result<PathBuf, String> {
    let maps = std::fs::read_to_string("/proc/self/maps").map_err(|why| format!("/proc/self/maps: {why}"))?;
    let libc = maps.lines().find_map(|line| {
        let path = Path::new(line.get(line.find('/')?..)?);
        (path.file_name()? == "libc.so.6").then(|| path.parent().map(Path::to_path_buf))?
    });
    libc.ok_or_else(|| "this program does not use glibc's libc.so.6".into())
}
