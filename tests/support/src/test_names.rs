//! Tests of this repository by name, for documents that state which test proves what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::provision::repository;

/// Sources of the test files, by the name that documents give them: relative to `tests/tests/`, else to the repository.
/// Unreadable files are left out, so that references to them fail.
#[must_use]
pub fn sources() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["tests", "host"] {
        rust_files(&repository().join(folder), &mut files);
    }
    let read = |path: &PathBuf| Some((name(path), fs::read_to_string(path).ok()?));
    files.iter().filter_map(read).collect()
}

fn name(path: &Path) -> String {
    let path = path.strip_prefix(repository()).unwrap_or(path);
    path.strip_prefix("tests/tests").unwrap_or(path).display().to_string()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether these sources have a test of this name, `FILE::FUNCTION` or `FILE::FUNCTION[CASE]`. A case is a string in
/// the file.
#[must_use]
pub fn exists(sources: &BTreeMap<String, String>, name: &str) -> bool {
    let (path, case) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((path, case)) => (path, Some(case)),
        None => (name, None),
    };
    let Some((file, function)) = path.rsplit_once("::") else { return false };
    let Some(source) = sources.get(file) else { return false };
    tests(source).contains(function) && case.is_none_or(|case| source.contains(&format!("\"{case}\"")))
}

/// Names of the test functions in a file.
#[must_use]
pub fn tests(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[tokio::test") || line == "#[test]" {
            is_test = true;
        } else if let Some(name) = function(line) {
            if is_test {
                found.insert(name);
            }
            is_test = false;
        }
    }
    found
}

/// Name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "pub(super)", "pub(crate)", "async", "const"];
    let name = after.split(['(', '<']).next()?;
    before.split_whitespace().all(|word| words.contains(&word)).then_some(name)
}
