//! The text files of this repository.

use std::path::{Path, PathBuf};

/// Folders of what is installed or built, and of what fuzzers found.
const NOT_OURS: [&str; 5] = ["target", "node_modules", "vendor", "corpus", "data"];

/// The files under a folder that have one of these extensions, sorted. Hidden folders are left out.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&name) {
                found.extend(files(&path, extensions));
            }
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|one| extension == *one)) {
            found.push(path);
        }
    }
    found.sort();
    found
}
