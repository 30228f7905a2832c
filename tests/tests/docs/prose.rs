//! Rules of prose that a machine can check: beginnings of item docs, the width of comments, and addresses in the pages.

use std::fs;
use std::path::Path;

use taskcell_test_support::provision::repository;

use super::files::files;

/// Beginnings that leave the subject of an item's docs unnamed. rustdoc shows items one at a time, so that such words
/// refer to nothing there.
const UNNAMED: [&str; 16] = [
    "How", "It", "Its", "That", "The same", "These", "They", "This one", "Those", "What", "Whatever", "Which", "Who",
    "Whoever", "Whom", "Whose",
];

/// Columns of a line; rustfmt does not wrap comments.
const WIDTH: usize = 120;

/// Words in the names of hosts that package registries have. The pages name packages, and no address to fetch them
/// from.
const REGISTRIES: [&str; 8] = ["crates", "docker", "ghcr", "golang", "npmjs", "pypi", "pythonhosted", "registry"];

/// Files of these folders with one of the extensions, each by its path from the repository with its text.
fn texts(folders: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    let root = repository();
    let found = folders.iter().flat_map(|folder| match root.join(folder) {
        file if file.is_file() => vec![file],
        folder => files(&folder, extensions),
    });
    let name = |file: &Path| file.strip_prefix(&root).unwrap().display().to_string();
    found.map(|file| (name(&file), fs::read_to_string(&file).unwrap())).collect()
}

/// The text after the mark of a doc comment, such as `///`, with the mark.
fn doc(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let mark = line.get(..3).filter(|mark| ["///", "//!"].contains(mark))?;
    Some((mark, line.get(3..)?)).filter(|(_, text)| !text.starts_with('/'))
}

/// Whether a text begins with a word or words, and not with a longer word.
fn begins(text: &str, words: &str) -> bool {
    text.trim_start().strip_prefix(words).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
}

/// Item docs begin with a noun or a verb.
#[test]
fn item_docs_name_their_subject() {
    let mut wrong = Vec::new();
    for (file, text) in texts(&["host", "tests/support"], &["rs"]) {
        let mut before = "";
        for (index, line) in text.lines().enumerate() {
            let Some((mark, said)) = doc(line) else {
                before = "";
                continue;
            };
            if mark != before && UNNAMED.iter().any(|words| begins(said, words)) {
                wrong.push(format!("{file}:{}:{said}", index + 1));
            }
            before = mark;
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "Begin these {count} item docs with a noun or a verb:\n{}", wrong.join("\n"));
}

/// Comments fit the width of the code.
#[test]
fn comments_fit_the_width() {
    let mut wrong = Vec::new();
    for (file, text) in texts(&["fuzz", "guest-examples", "host", "tests"], &["rs"]) {
        let is_long = |line: &str| line.trim_start().starts_with("//") && line.chars().count() > WIDTH;
        let long = text.lines().enumerate().filter(|(_, line)| is_long(line));
        wrong.extend(long.map(|(index, _)| format!("{file}:{}", index + 1)));
    }
    assert!(wrong.is_empty(), "Wrap these comments at {WIDTH} columns:\n{}", wrong.join("\n"));
}

/// The pages and examples hold no address of a package registry; the lock files of package managers do.
#[test]
fn pages_name_no_registry() {
    let extensions = ["c", "cpp", "go", "js", "md", "mk", "py", "rs", "sh", "toml", "ts", "txt"];
    let mut wrong = Vec::new();
    for (file, text) in texts(&["CONTRIBUTING.md", "README.md", "docs", "guest-examples"], &extensions) {
        for (index, line) in text.lines().enumerate() {
            for address in line.split("://").skip(1) {
                let host = address.split(['/', '`', '"', ')', '>', ' ']).next().unwrap_or_default();
                if host.split(['.', '-']).any(|word| REGISTRIES.contains(&word)) {
                    wrong.push(format!("{file}:{}: {host}", index + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "Name the package, not its registry:\n{}", wrong.join("\n"));
}
