//! What the packages for all distributions have in common.

use crate::module::workspace;

/// The sorted paths that every package contains, as `packaging/files` lists them, with its library folder and its
/// folder for documents.
///
/// # Panics
/// If that list cannot be read.
pub fn expected(libdir: &str, docdir: &str) -> Vec<String> {
    let list = std::fs::read_to_string(workspace().join("packaging/files")).expect("packaging/files");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let mut paths: Vec<_> = lines.map(|line| line.replace("LIBDIR", libdir).replace("DOCDIR", docdir)).collect();
    paths.sort();
    paths
}

/// The version of the workspace.
///
/// # Panics
/// If Cargo.toml has none.
pub fn version() -> String {
    let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).expect("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \"")).expect("a version");
    line.trim_end_matches('"').to_owned()
}
