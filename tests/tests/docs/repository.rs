//! Habits of this repository: one compiler, and an extension that touches few files.

use std::fs;

use taskcell_test_support::provision::repository;

/// What stands between quotes after `key = ` in a file of TOML.
fn value(file: &str, key: &str) -> String {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")));
    line.unwrap_or_else(|| panic!("{file} has no {key}")).split('"').next().unwrap().to_owned()
}

/// The oldest compiler that the manifest promises is the one that every check uses, and the pages name it.
#[test]
fn the_promised_compiler_is_the_one_in_use() {
    let promised = value("Cargo.toml", "rust-version");
    let used = value("rust-toolchain.toml", "channel");
    assert_eq!(used.rsplit_once('.').unwrap().0, promised);
    for page in ["README.md", "docs/quickstart.md", "docs/versioning.md"] {
        let text = fs::read_to_string(repository().join(page)).unwrap();
        assert!(text.contains(&format!("Rust {promised}")), "{page} does not name Rust {promised}");
    }
}
