//! What `tests/deps` fetched. A test that needs a missing file fails with an error that says so.

use crate::module::{file_name, library_folder, target};
use std::path::{Path, PathBuf};

/// The folder of everything that was fetched.
pub fn folder() -> PathBuf {
    target().join("test-deps")
}

/// A file in that folder.
///
/// # Errors
/// If it is missing.
pub fn file(path: &str) -> Result<PathBuf, String> {
    let file = folder().join(path);
    if file.exists() { Ok(file) } else { Err(format!("{} is missing: run tests/deps", file.display())) }
}

/// A file of an unpacked Debian package. It is in `lib` or in `usr/lib`, which depends on the release.
///
/// # Errors
/// If it is missing.
pub fn unpacked(path: &str) -> Result<PathBuf, String> {
    file(&format!("root/{path}")).or_else(|_| file(&format!("root/usr/{path}")))
}

/// A Java archive of an unpacked Debian package, or of one that is installed on this machine, which is not unpacked.
///
/// # Errors
/// If it is missing.
pub fn java_archive(name: &str) -> Result<PathBuf, String> {
    let path = format!("usr/share/java/{name}.jar");
    let installed = Path::new("/").join(&path);
    if installed.exists() { Ok(installed) } else { unpacked(&path) }
}

/// The archive of a fetched Debian package.
///
/// # Errors
/// If it is missing.
pub fn package(name: &str) -> Result<PathBuf, String> {
    let folder = file("debs")?;
    let entries = std::fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let mut files = entries.filter_map(Result::ok).map(|entry| entry.path());
    files
        .find(|file| file.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}_"))))
        .ok_or_else(|| format!("no {name} in {}: run tests/deps", folder.display()))
}

/// The NSS module of a service, from an unpacked package.
///
/// # Errors
/// If it is missing.
pub fn peer_module(service: &str) -> Result<PathBuf, String> {
    let folder = library_folder()?;
    let multiarch = folder.file_name().unwrap_or_default();
    unpacked(&Path::new("lib").join(multiarch).join(file_name(service)).to_string_lossy())
}

/// The folders of the unpacked libraries, as a value for `LD_LIBRARY_PATH`.
pub fn library_path() -> String {
    let multiarch = library_folder().ok();
    let multiarch = multiarch.as_deref().and_then(Path::file_name).unwrap_or_default();
    let root = folder().join("root");
    let all = ["usr/lib", "lib"].into_iter().flat_map(|base| {
        let (base, multiarch) = (root.join(base), root.join(base).join(multiarch));
        [multiarch.join("systemd"), multiarch, base.join("systemd"), base]
    });
    all.map(|folder| folder.to_string_lossy().into_owned()).collect::<Vec<_>>().join(":")
}

/// The Python interpreter of the virtual environment.
///
/// # Errors
/// If it is missing.
pub fn python() -> Result<PathBuf, String> {
    file("venv/bin/python3")
}
