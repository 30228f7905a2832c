//! The book under `docs/`: every page is in it, what its pages link to is there, and the code that they show is that of
//! the examples.

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

/// A page without its blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_fence && !is_code
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A place that a page links to: a file, and a heading of it where one is named.
struct Target {
    file: PathBuf,
    heading: Option<String>,
}

impl Target {
    /// Whether the file is there, with a heading that has this anchor.
    fn is_there(&self) -> bool {
        let Self { file, heading } = self;
        let has =
            |anchor: &String| prose(&fs::read_to_string(file).unwrap()).lines().any(|line| is_anchor(line, anchor));
        file.exists() && heading.as_ref().is_none_or(has)
    }
}

/// Whether a line is the heading of this anchor: its letters, digits and hyphens, in lower case, with hyphens for blanks.
fn is_anchor(line: &str, anchor: &str) -> bool {
    let Some(heading) = line.strip_prefix('#') else { return false };
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).eq(anchor.chars())
}

/// Where a page links to.
fn targets(page: &Path) -> Vec<Target> {
    let text = prose(&fs::read_to_string(page).unwrap());
    let folder = page.parent().unwrap();
    // Between each two backticks stands code.
    let text: String = text.split('`').step_by(2).collect();
    let links = between(&text, "](", ")").filter(|link| !link.contains("://"));
    let target = |link: &str| {
        let (path, heading) =
            link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading.to_owned())));
        Target { file: if path.is_empty() { page.to_path_buf() } else { folder.join(path) }, heading }
    };
    links.map(target).collect()
}

#[test]
fn every_page_is_in_the_book() {
    let summary = docs().join("SUMMARY.md");
    let listed: BTreeSet<_> = targets(&summary).iter().map(|page| page.file.canonicalize().unwrap()).collect();
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
        .filter(|(_, target)| !target.is_there())
        .map(|(page, target)| {
            format!("{}: {}#{}", page.display(), target.file.display(), target.heading.unwrap_or_default())
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
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

/// The code that a page shows is that of the examples, which other tests build and run. It stands in the page itself, for
/// whoever reads the page where no book is made of it.
/// Set TASKCELL_BLESS to write the code of the examples into the pages.
#[test]
fn code_in_pages_is_that_of_the_examples() {
    let mut all = BTreeSet::new();
    pages(&docs(), &mut all);
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
