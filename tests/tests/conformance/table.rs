//! `docs/conformance.md` and `docs/revisions.md` are complete and true: each row names tests that exist, or says whose
//! the rule is, and each test of this folder has its row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use taskcell_test_support::provision::repository;
use taskcell_test_support::test_names::{exists, sources, tests};

const DOCUMENTS: [&str; 2] = ["docs/conformance.md", "docs/revisions.md"];
const LEVELS: [&str; 4] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"];
/// Whose a rule can be when no test of taskcell can show it; a remark begins with one of these and a colon.
const OWNERS: [&str; 7] = [
    "The application",
    "The user interface",
    "The handler",
    "The model",
    "The transport",
    "The operator",
    "Nobody here",
];

/// A row of the document.
struct Row {
    id: String,
    level: String,
    rule: String,
    section: String,
    tests: Vec<String>,
    remark: String,
}

/// The rows of all documents.
fn rows() -> Vec<Row> {
    DOCUMENTS.into_iter().flat_map(rows_of).collect()
}

fn rows_of(name: &str) -> Vec<Row> {
    let document = fs::read_to_string(repository().join(name)).unwrap();
    // A table of rules begins with a column of ids; the pages have others.
    let tables = document.split("\n\n").map(|block| block.lines().filter(|line| line.starts_with('|')));
    let rules = tables.filter_map(|mut table| table.next()?.starts_with("| id |").then_some(table));
    rules
        .flatten()
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cells| !cells[0].starts_with("--"))
        .map(|cells| {
            let [id, level, rule, section, tests, remark] = <[String; 6]>::try_from(cells)
                .unwrap_or_else(|cells| panic!("a row of {name} has {} cells instead of 6: {cells:?}", cells.len()));
            let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Row { id, level, rule, section, tests, remark }
        })
        .collect()
}

/// Ids are unique, and count up within their page from 01.
#[test]
fn ids_are_stable_and_unique() {
    let mut last = BTreeMap::new();
    for Row { id, .. } in rows() {
        let (page, number) = id.rsplit_once('-').unwrap_or_else(|| panic!("{id} is no id"));
        let number: u32 = number.parse().unwrap_or_else(|_| panic!("{id} has no number"));
        let last = last.entry(page.to_owned()).or_insert(0);
        assert_eq!(number, *last + 1, "{id} is out of order");
        *last = number;
    }
    assert!(last.len() >= 8, "{last:?}");
}

#[test]
fn every_row_is_complete() {
    for Row { id, level, rule, section, tests, remark } in rows() {
        assert!(LEVELS.contains(&level.as_str()), "{id}: {level} is no level");
        assert!(!rule.is_empty() && !section.is_empty(), "{id} is not complete");
        let owner = remark.split_once(':').map(|(owner, _)| owner);
        assert!(
            !tests.is_empty() || owner.is_some_and(|owner| OWNERS.contains(&owner)),
            "{id} has neither a test nor a remark that begins with whose rule it is"
        );
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let sources = sources();
    let mut missing = Vec::new();
    for Row { id, tests: named, .. } in rows() {
        for name in named {
            let there = exists(&sources, &name);
            if !there {
                missing.push(format!("{id}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such tests:\n{}", missing.join("\n"));
}

#[test]
fn every_conformance_test_has_its_row() {
    let named: BTreeSet<_> = rows().into_iter().flat_map(|row| row.tests).collect();
    let mut without = Vec::new();
    for (file, source) in sources() {
        if !file.starts_with("conformance/") || file == "conformance/table.rs" {
            continue;
        }
        for test in tests(&source) {
            let name = format!("{file}::{test}");
            if !named.iter().any(|row| *row == name || row.starts_with(&format!("{name}["))) {
                without.push(name);
            }
        }
    }
    assert!(without.is_empty(), "tests without a row in {DOCUMENTS:?}:\n{}", without.join("\n"));
}
