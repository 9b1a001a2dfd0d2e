//! The loader's cache, by which glibc finds libraries, and the program that writes it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::run::Run;
use crate::edit;

/// Writes the cache anew.
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
pub(super) fn count(folder: &Path) -> usize {
    let is_module = |path: &&Path| path.parent() == Some(folder) && path.to_string_lossy().contains("/libnss_mdns");
    cached(&list()).filter(|(_, path)| is_module(path)).count()
}

/// The folders of the C libraries in the cache, in the loader's order.
pub(super) fn folders_of_libc() -> Vec<PathBuf> {
    libc_folders(&list())
}

fn libc_folders(list: &str) -> Vec<PathBuf> {
    let libcs = cached(list).filter(|(library, _)| library.starts_with("libc.so.6 ") && !library.contains("hwcap"));
    libcs.filter_map(|(_, path)| path.parent()).map(PathBuf::from).collect()
}

/// The libraries in the output of `ldconfig -p`, with their paths.
fn cached(list: &str) -> impl Iterator<Item = (&str, &Path)> {
    list.lines()
        .filter_map(|line| line.trim_start().split_once(" => "))
        .map(|(library, path)| (library, Path::new(path)))
}

/// The content of the cache; empty if there is none.
fn list() -> String {
    let output = command().arg("-p").stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Users' paths often lack the folder of ldconfig.
fn command() -> Command {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let mut command = Command::new("ldconfig");
    command.env("PATH", path).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_names_the_folders_of_the_c_library() {
        let list = "3 libs found in cache\n\
            \tlibc.so.6 (libc6, hwcap: \"x86-64-v3\") => /usr/lib/v3/libc.so.6\n\
            \tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => /usr/lib64/libc.so.6\n\
            \tlibc.so.6 (libc6) => /usr/lib/libc.so.6\n\
            \tlibcrypt.so.2 (libc6,x86-64) => /usr/lib/other/libcrypt.so.2\n";
        assert_eq!(libc_folders(list), ["/usr/lib64", "/usr/lib"].map(PathBuf::from));
        assert_eq!(libc_folders(""), Vec::<PathBuf>::new());
    }
}
