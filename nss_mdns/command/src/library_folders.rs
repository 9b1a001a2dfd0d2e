//! The folders in which distributions keep the libraries of several architectures.

use std::fs;
use std::path::PathBuf;

/// Those that exist, without symbolic links. Each is listed once.
pub(crate) fn library_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"].map(PathBuf::from).into();
    for parent in ["/usr/lib", "/lib"] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        folders.extend(entries.filter(|path| path.to_string_lossy().contains("-linux-gnu")));
    }
    folders.extend(["/lib", "/lib32", "/lib64", "/libx32"].map(PathBuf::from));
    real_folders(folders)
}

/// The folders that exist, without symbolic links. Each is listed once, where it comes first.
pub(crate) fn real_folders(folders: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut real: Vec<PathBuf> = Vec::new();
    for folder in folders {
        match fs::canonicalize(&folder) {
            Ok(folder) if !real.contains(&folder) => real.push(folder),
            _ => {}
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_once_and_only_if_it_exists() {
        let folders = ["/usr", "/usr/.", "/nowhere", "/", "/usr"].map(PathBuf::from);
        assert_eq!(real_folders(folders), ["/usr", "/"].map(PathBuf::from));
    }
}
