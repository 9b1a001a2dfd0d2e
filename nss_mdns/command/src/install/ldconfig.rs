//! The loader's cache, by which glibc finds libraries, and the program that writes it.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::run::Run;
use crate::edit;

/// Writes the cache.
pub(super) fn run(run: &mut Run) -> Result<(), edit::Error> {
    run.say(format_args!("run ldconfig"));
    // It inherits the blocked signals, so it completes its work even if the terminal sends one.
    run.make(|| match command().status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("ldconfig failed (is the disk full?)".into()),
        Err(error) => Err(format!("ldconfig: {error}")),
    })
}

/// How many libraries of the module in this folder the cache lists.
///
/// # Errors
/// If the cache cannot be listed.
pub(super) fn count(folder: &Path) -> Result<usize, edit::Error> {
    let is_module = |path: &Path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"libnss_mdns"));
    Ok(cached(&list()?).filter(|(_, path)| path.parent() == Some(folder) && is_module(path)).count())
}

/// Whether the cache lists any library in this folder.
///
/// # Errors
/// If the cache cannot be listed.
pub(super) fn lists(folder: &Path) -> Result<bool, edit::Error> {
    Ok(cached(&list()?).any(|(_, path)| path.parent() == Some(folder)))
}

/// The folders of the C libraries in the cache, in the loader's order; none if it cannot be listed.
pub(super) fn folders_of_libc() -> Vec<PathBuf> {
    list().map(|list| libc_folders(&list)).unwrap_or_default()
}

fn libc_folders(list: &[u8]) -> Vec<PathBuf> {
    let is_libc =
        |library: &[u8]| library.starts_with(b"libc.so.6 ") && !library.windows(5).any(|word| word == b"hwcap");
    let libcs = cached(list).filter(|(library, _)| is_libc(library));
    libcs.filter_map(|(_, path)| path.parent()).map(PathBuf::from).collect()
}

/// The libraries in the output of `ldconfig -p`, with their paths.
fn cached(list: &[u8]) -> impl Iterator<Item = (&[u8], &Path)> {
    list.split(|octet| *octet == b'\n').filter_map(|line| {
        let arrow = line.windows(4).position(|word| word == b" => ")?;
        let (library, path) = (line.get(..arrow)?.trim_ascii_start(), line.get(arrow + 4..)?);
        Some((library, Path::new(OsStr::from_bytes(path))))
    })
}

/// What `ldconfig -p` prints. It prints nothing and fails if there is no cache, as on a system without libraries.
fn list() -> Result<Vec<u8>, edit::Error> {
    let output = command().arg("-p").stderr(Stdio::null()).output().map_err(|error| format!("ldconfig: {error}"))?;
    Ok(output.stdout)
}

/// Users' paths often lack the folder of ldconfig. An empty element of a path is the current folder, which may be
/// anybody's.
fn command() -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    let folders = folders.chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut command = Command::new("ldconfig");
    command.env("PATH", env::join_paths(folders).unwrap_or_else(|_| "/usr/sbin:/sbin".into())).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_names_the_folders_of_the_c_library() {
        let list = b"3 libs found in cache\n\
            \tlibc.so.6 (libc6, hwcap: \"x86-64-v3\") => /usr/lib/v3/libc.so.6\n\
            \tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => /usr/lib64/libc.so.6\n\
            \tlibc.so.6 (libc6) => /usr/lib/libc.so.6\n\
            \tlibcrypt.so.2 (libc6,x86-64) => /usr/lib/other/libcrypt.so.2\n";
        assert_eq!(libc_folders(list), ["/usr/lib64", "/usr/lib"].map(PathBuf::from));
        assert_eq!(libc_folders(b""), Vec::<PathBuf>::new());
    }
}
