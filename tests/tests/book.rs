//! The book under `docs/`: every page is in it, and what its pages include and link to is there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").canonicalize().unwrap()
}

/// All pages, by their paths under `docs`.
fn pages(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.insert(path);
        }
    }
}

/// What stands between two marks, wherever they do.
fn between<'a>(text: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(begin).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// Where a page points to, by links and by inclusions, without what stands after `#` or `:`.
fn targets(page: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(page).unwrap();
    let folder = page.parent().unwrap();
    // Between each two backticks stands code.
    let prose: String = text.split('`').step_by(2).collect();
    let links = between(&prose, "](", ")").filter(|link| !link.contains("://") && !link.starts_with('#'));
    let links = links.map(|link| link.split('#').next().unwrap_or_default());
    let included = between(&text, "{{#include ", "}}").map(|path| path.split(':').next().unwrap_or_default());
    links.chain(included).map(|path| folder.join(path)).collect()
}

#[test]
fn every_page_is_in_the_book() {
    let summary = docs().join("SUMMARY.md");
    let listed: BTreeSet<_> = targets(&summary).iter().map(|page| page.canonicalize().unwrap()).collect();
    let mut all = BTreeSet::new();
    pages(&docs(), &mut all);
    all.remove(&summary);
    assert_eq!(listed, all, "docs/SUMMARY.md and the pages differ");
}

#[test]
fn what_pages_point_to_is_there() {
    let mut all = BTreeSet::new();
    pages(&docs(), &mut all);
    let missing: Vec<_> = all
        .iter()
        .flat_map(|page| targets(page).into_iter().map(move |target| (page, target)))
        .filter(|(_, target)| !target.exists())
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The code in a page about a language is the code of an example, which other tests build and run.
#[test]
fn code_of_handlers_is_included() {
    let mut languages = BTreeSet::new();
    pages(&docs().join("languages"), &mut languages);
    languages.remove(&docs().join("languages/README.md"));
    assert!(languages.len() >= 7, "{languages:?}");
    for page in languages {
        assert!(fs::read_to_string(&page).unwrap().contains("{{#include ../../guest-examples/"), "{}", page.display());
    }
}
