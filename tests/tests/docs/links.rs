//! Links between files of this repository: the file is there, and the heading in it.

use std::fs;
use std::path::{Path, PathBuf};

use taskcell_test_support::provision::repository;

use super::files::files;

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
pub(crate) struct Target {
    pub(crate) file: PathBuf,
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

/// Whether a line is the heading of this anchor: its letters, digits and hyphens, in lower case, with hyphens for
/// blanks.
fn is_anchor(line: &str, anchor: &str) -> bool {
    let Some(heading) = line.strip_prefix('#') else { return false };
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).eq(anchor.chars())
}

/// The places that a page links to.
pub(crate) fn targets(page: &Path) -> Vec<Target> {
    targets_in(page, &fs::read_to_string(page).unwrap())
}

/// The places that a text of a file links to.
fn targets_in(page: &Path, text: &str) -> Vec<Target> {
    let text = prose(text);
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

/// The text of a source file's doc comments.
fn doc_comments(text: &str) -> String {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Templates are files of the projects that `taskcell new` writes; what they link to is there.
fn is_template(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "templates")
}

/// Doc comments name items by Rust paths, which rustdoc resolves, and files by relative ones.
#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let root = repository();
    let pages = files(&root, &["md"]);
    assert!(pages.len() > 40, "only {} pages were found", pages.len());
    let in_pages = pages
        .iter()
        .filter(|page| !is_template(page))
        .flat_map(|page| targets(page).into_iter().map(|target| (page.clone(), target)));
    let in_comments = files(&root, &["rs"]).into_iter().flat_map(|file| {
        let links = targets_in(&file, &doc_comments(&fs::read_to_string(&file).unwrap()));
        let links = links.into_iter().filter(|target| target.file.extension().is_some());
        links.map(|target| (file.clone(), target)).collect::<Vec<_>>()
    });
    let missing: Vec<_> = in_pages
        .chain(in_comments)
        .filter(|(_, target)| !target.is_there())
        .map(|(from, Target { file, heading })| {
            format!("{}: {}#{}", from.display(), file.display(), heading.unwrap_or_default())
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
