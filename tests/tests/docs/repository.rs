//! Habits of this repository: one compiler, and an extension that touches few files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use taskcell_test_support::provision::repository;

use super::files::files;

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between quotes after `key = ` in a file of TOML.
fn value(file: &str, key: &str) -> String {
    let (text, begin) = (read(file), format!("{key} = \""));
    let line = text.lines().find_map(|line| line.strip_prefix(&begin));
    line.unwrap_or_else(|| panic!("{file} has no {key}")).split('"').next().unwrap().to_owned()
}

/// The oldest compiler that the manifest promises is the one that every check uses, and the pages name it.
#[test]
fn the_promised_compiler_is_the_one_in_use() {
    let promised = value("Cargo.toml", "rust-version");
    let used = value("rust-toolchain.toml", "channel");
    assert_eq!(used.rsplit_once('.').unwrap().0, promised);
    for page in ["README.md", "docs/quickstart.md", "docs/versioning.md"] {
        assert!(read(page).contains(&format!("Rust {promised}")), "{page} does not name Rust {promised}");
    }
}

/// Sections of CONTRIBUTING.md that list what an extension touches, and the names by which the code knows the one that
/// the section takes as its example.
const EXTENSIONS: [(&str, &[&str]); 4] = [
    ("A grant", &["keyvalue", "key_value", "Keyvalue", "KeyValue"]),
    ("A request kind", &["Roots", "ListRootsResult", "\"roots\""]),
    ("A store", &["SqliteStore"]),
    ("A language", &["go::", "\"go\"", "\"Go\""]),
];

/// Whether a line of code has a name that does not go on a longer word.
fn names(line: &str, name: &str) -> bool {
    let is_start = |at: usize| !line.get(..at).unwrap().ends_with(|before: char| before.is_alphanumeric());
    !line.trim_start().starts_with("//") && line.match_indices(name).any(|(at, _)| is_start(at))
}

/// The lists of CONTRIBUTING.md are the files that an extension of today is in, tests left out.
#[test]
fn contributing_names_the_files_that_an_extension_touches() {
    let page = read("CONTRIBUTING.md");
    let host = repository().join("host");
    let sources: Vec<_> =
        files(&host, &["rs"]).into_iter().filter(|file| file.iter().any(|part| part == "src")).collect();
    for (heading, marks) in EXTENSIONS {
        let section =
            page.split(&format!("\n### {heading}\n")).nth(1).unwrap_or_else(|| panic!("no section {heading}"));
        let section = section.split("\n#").next().unwrap();
        let listed: BTreeSet<_> =
            section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        for path in &listed {
            assert!(repository().join(path).exists(), "{heading}: there is no {path}");
        }
        let mut found = BTreeSet::new();
        for file in &sources {
            let code = read(file);
            let code = code.split("#[cfg(test)]\nmod tests").next().unwrap();
            if code.lines().any(|line| marks.iter().any(|mark| names(line, mark))) {
                let path = file.strip_prefix(repository()).unwrap().to_str().unwrap();
                // A folder that is listed stands for its files.
                found.insert(
                    listed
                        .iter()
                        .find(|one| one.ends_with('/') && path.starts_with(*one))
                        .copied()
                        .unwrap_or(path)
                        .to_owned(),
                );
            }
        }
        let listed: BTreeSet<_> =
            listed.iter().map(|path| (*path).to_owned()).filter(|path| path.starts_with("host/")).collect();
        assert_eq!(listed, found, "{heading}: CONTRIBUTING.md and the code differ");
    }
}
