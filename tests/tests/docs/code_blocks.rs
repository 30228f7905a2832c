//! Blocks of code in the pages: Rust is a part of a source that is compiled, TOML is read by what reads it for a user.

use std::fs;
use std::path::Path;

use taskcell_test_support::provision::repository;

use super::files::files;

/// What stands before a block of code that is a part of a file; then come the path and ` -->`.
const PART: &str = "<!-- Part of ";
/// What stands before a block of code that is a whole file; see `book.rs`.
const WHOLE: &str = "<!-- From ";

/// A block of code, with the line before it.
struct Block {
    page: String,
    before: String,
    language: String,
    code: String,
}

/// The blocks of all pages with a language of this name.
fn blocks(language: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let root = repository();
    for page in files(&root.join("docs"), &["md"]).into_iter().chain([root.join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        let page = page.strip_prefix(&root).unwrap().display().to_string();
        // Every other part is code.
        let parts: Vec<_> = text.split("\n```").collect();
        for pair in parts.chunks_exact(2) {
            let [before, code] = pair else { unreachable!("pairs have two parts") };
            let (is, code) = code.split_once('\n').unwrap_or_default();
            if is.split(',').next() == Some(language) {
                let before = before.lines().next_back().unwrap_or_default().to_owned();
                found.push(Block { page: page.clone(), before, language: is.to_owned(), code: format!("{code}\n") });
            }
        }
    }
    found
}

/// Lines without what indents them.
fn trimmed(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

/// Rust in the pages is a part of a source that the tests, or those of the examples, compile. A whole file is held
/// equal by the test of the book, and the README's handler by a test of its own.
#[test]
fn rust_is_part_of_a_source() {
    let found = blocks("rust");
    assert!(found.len() >= 12, "only {} blocks were found", found.len());
    for Block { page, before, language, code } in found {
        let is_whole = before.starts_with(WHOLE) || code.contains("wit_bindgen::generate!");
        let Some(part) = before.strip_prefix(PART).and_then(|rest| rest.strip_suffix(" -->")) else {
            assert!(is_whole, "{page}: name the source above this block, `{PART}FILE -->`:\n{code}");
            continue;
        };
        assert_eq!(language, "rust", "{page}: what is part of a source compiles");
        let source = fs::read_to_string(repository().join(part)).unwrap_or_else(|error| panic!("{part}: {error}"));
        let (source, lines) = (trimmed(&source), trimmed(&code));
        assert!(
            source.windows(lines.len()).any(|window| window == lines),
            "{page}: these lines are not in {part}:\n{code}"
        );
    }
}

/// The packages of this repository with their features, as a manifest may name them.
fn features(package: &str) -> Option<Vec<String>> {
    let folder = repository().join("host").join(package.strip_prefix("taskcell-").unwrap_or(package));
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).ok()?).unwrap();
    assert_eq!(manifest["package"]["name"].as_str(), Some(package));
    Some(
        manifest
            .get("features")
            .and_then(toml::Value::as_table)
            .map_or_else(Vec::new, |table| table.keys().cloned().collect()),
    )
}

/// A manifest names packages and features that there are; any other TOML is a configuration that the program takes. The
/// parts of one file that `docs/program.md` has are read in a test of their own, with the files that they name.
#[test]
fn toml_is_taken() {
    let (mut packages, mut configurations) = (0, 0);
    for Block { page, code, .. } in blocks("toml") {
        let table: toml::Table = toml::from_str(&code).unwrap_or_else(|error| panic!("{page}: {error}"));
        if let Some(dependencies) = table.get("dependencies").and_then(toml::Value::as_table) {
            for (package, dependency) in dependencies.iter().filter(|(name, _)| name.starts_with("taskcell")) {
                let known = features(package).unwrap_or_else(|| panic!("{page}: there is no package {package}"));
                let wanted = dependency.get("features").and_then(toml::Value::as_array).into_iter().flatten();
                for feature in wanted {
                    let feature = feature.as_str().unwrap();
                    assert!(known.iter().any(|one| one == feature), "{page}: {package} has no feature {feature}");
                }
                packages += 1;
            }
        } else if page != "docs/program.md" {
            let read = taskcell_cli::fuzz_config(Path::new(&page), code.as_bytes());
            assert!(read.is_ok(), "{page}: {read:?}\n{code}");
        } else {
            configurations += 1;
        }
    }
    assert!(packages >= 2 && configurations >= 4, "{packages} packages, {configurations} parts of a configuration");
}
