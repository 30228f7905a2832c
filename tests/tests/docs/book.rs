//! The book under `docs/`: every page is in it, and the code that the pages show is that of the examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::files;
use super::links::targets;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").canonicalize().unwrap()
}

/// All pages.
fn pages() -> BTreeSet<PathBuf> {
    files(&docs(), &["md"]).into_iter().collect()
}

#[test]
fn every_page_is_in_the_book() {
    let summary = docs().join("SUMMARY.md");
    let listed: BTreeSet<_> = targets(&summary).iter().map(|page| page.file.canonicalize().unwrap()).collect();
    let mut all = pages();
    all.remove(&summary);
    assert_eq!(listed, all, "docs/SUMMARY.md and the pages differ");
}

/// What stands before a block of code that is a file of this repository; then come the path and ` -->`.
const FROM: &str = "<!-- From ";

/// A page with each block of code as the file has it that the line before the block names, and how many there are.
fn with_code(text: &str) -> (String, usize) {
    let mut parts = text.split(FROM);
    let mut renewed = parts.next().unwrap_or_default().to_owned();
    let mut blocks = 0;
    for part in parts {
        let (path, rest) = part.split_once(" -->\n```").unwrap_or_else(|| panic!("no block of code follows: {part}"));
        let (language, rest) = rest.split_once('\n').unwrap();
        let (_, rest) = rest.split_once("```\n").unwrap();
        let code = fs::read_to_string(docs().join("..").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(!code.contains("```"), "{path} cannot stand in a block of code");
        renewed.push_str(&format!("{FROM}{path} -->\n```{language}\n{code}```\n{rest}"));
        blocks += 1;
    }
    (renewed, blocks)
}

/// The code that a page shows is that of the examples, which other tests build and run. It stands in the page itself,
/// for whoever reads the page where no book is made of it.
/// Set TASKCELL_BLESS to write the code of the examples into the pages.
#[test]
fn code_in_pages_is_that_of_the_examples() {
    let all = pages();
    let index = docs().join("languages/README.md");
    let mut languages = 0;
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        assert!(!text.contains("{{#"), "{}: has a directive of mdBook, which only the book resolves", page.display());
        let (renewed, blocks) = with_code(&text);
        if std::env::var_os("TASKCELL_BLESS").is_some() {
            fs::write(&page, &renewed).unwrap();
        } else {
            assert!(text == renewed, "{}: run this test with TASKCELL_BLESS=1 to renew its code", page.display());
        }
        if page.parent() == index.parent() && page != index {
            assert!(blocks > 0, "{}: shows no example", page.display());
            languages += 1;
        }
    }
    assert!(languages >= 7, "only {languages} pages of languages were found");
}
