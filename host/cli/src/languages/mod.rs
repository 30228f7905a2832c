//! The languages that `taskcell new` and `taskcell build` know: one table, a file for each language.
//!
//! A language is known by what its projects hold and built by its own tools, as its own build files say: what
//! `build` adds is to see that the tools are there, and to look at the component they made. So whatever a project
//! says works without this program, and an author who needs another flag writes it where the language has it.
//!
//! A new language is a file here with a [`Language`], its templates, and a line in [`LANGUAGES`]. The answers of its
//! templates are those of `templates/fixtures`, which are the same for all.

mod beforehand;
pub(super) mod bindings;
mod clang;
mod go;
mod javascript;
mod modules;
pub(super) mod name;
mod python;
mod rust;
pub(super) mod template;
mod toolchain;
pub(super) mod wit;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use toolchain::{Needs, Unmet};

/// A language that handlers are written in.
pub(super) struct Language {
    /// Its name for `--lang`.
    pub(super) name: &'static str,
    /// Other names that `--lang` takes.
    aliases: &'static [&'static str],
    /// Its name for people.
    pub(super) title: &'static str,
    /// Whether a folder holds a project of this language.
    is_in: fn(&Path) -> bool,
    /// What [`is_in`](Self::is_in) looks for, in words.
    known_by: &'static str,
    /// What `new` writes beside what all languages share: the path in the project, and the [template](template::fill).
    pub(super) files: &'static [(&'static str, &'static str)],
    /// What its projects have of the templates that all languages share, beside the kinds that were chosen.
    pub(super) parts: &'static [&'static str],
    /// The path of the author's code in a new project.
    pub(super) handler: &'static str,
    /// The path of the component that a new project builds.
    pub(super) component: &'static str,
    /// The commands that install what a new project needs, in the order to run them, before its first build.
    pub(super) prepare: &'static [&'static str],
    /// What the build needs.
    tools: Needs,
    /// Builds the project in a folder, with its own build files, and gives the component's path.
    make: fn(&Path) -> anyhow::Result<PathBuf>,
}

/// All languages. A folder that two of them know is the first one's.
const LANGUAGES: [&Language; 7] =
    [&rust::RUST, &clang::C, &clang::CPP, &go::GO, &python::PYTHON, &javascript::TYPESCRIPT, &javascript::JAVASCRIPT];

/// All languages, in the order in which they are tried.
pub(super) fn all() -> impl Iterator<Item = &'static Language> {
    LANGUAGES.into_iter()
}

impl Language {
    /// What is missing to build a project of this language in a folder.
    pub(super) fn missing(&self, dir: &Path) -> Vec<Unmet> {
        toolchain::unmet(self.tools.iter().copied().chain(beforehand::of(self.name)), dir)
    }

    /// The language of this name or alias, in capitals or not.
    ///
    /// # Errors
    /// When there is none: names those that are.
    pub(super) fn named(name: &str) -> anyhow::Result<&'static Self> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name.trim());
        let found = LANGUAGES.into_iter().find(|language| [language.name].iter().chain(language.aliases).any(is));
        found.with_context(|| {
            let names: Vec<_> = LANGUAGES.iter().map(|language| language.name).collect();
            format!("no language {name:?} is known; there are {}", names.join(", "))
        })
    }

    /// The language of the project in a folder.
    ///
    /// # Errors
    /// When it is of none: says what each is known by.
    pub(super) fn of(dir: &Path) -> anyhow::Result<&'static Self> {
        if let Some(language) = LANGUAGES.into_iter().find(|language| (language.is_in)(dir)) {
            return Ok(language);
        }
        let known: Vec<_> =
            LANGUAGES.iter().map(|language| format!("{} by {}", language.title, language.known_by)).collect();
        bail!("{} holds no project of a language that is known: {}", dir.display(), known.join(", "))
    }

    /// Builds the project in a folder and gives the path of the component.
    ///
    /// # Errors
    /// When a tool is missing or fails, or makes no component, and when the project's WIT is wrong.
    pub(super) fn build(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        world::see(dir)?;
        toolchain::need(self.title, self.tools, dir)?;
        (self.make)(dir)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn languages_have_short_names() {
        for (names, title) in [
            (&["rust", "rs", "Rust"][..], "Rust"),
            (&["c", "C"], "C"),
            (&["cpp", "c++", "C++", "cxx"], "C++"),
            (&["go", "golang"], "Go"),
            (&["python", "py", " python"], "Python"),
            (&["javascript", "js", "JavaScript"], "JavaScript"),
            (&["typescript", "ts", "TypeScript"], "TypeScript"),
        ] {
            for name in names {
                assert_eq!(Language::named(name).unwrap().title, title, "{name}");
            }
        }
        assert!(Language::named("cobol").is_err() && Language::named("").is_err());
    }

    #[test]
    fn each_language_writes_what_it_is_known_by_and_the_handler() {
        for language in LANGUAGES {
            let paths: Vec<_> = language.files.iter().map(|(path, _)| *path).collect();
            assert!(paths.contains(&language.handler), "{} writes no {}", language.name, language.handler);
            for path in ["README.md", ".gitignore"] {
                assert!(paths.contains(&path), "{} writes no {path}", language.name);
            }
        }
    }
}
