//! Languages of `taskcell new` and `taskcell build`: one table, and one file for each language.
//!
//! A project is recognized by its files and built by the tools of its language, as its own build files say. `build`
//! only checks that the tools are installed, and checks the component. A project therefore builds without this program
//! too, and an author adds a flag where the language expects it.
//!
//! A new language is a file here with a [`Language`], its templates, and a line in [`LANGUAGES`]. Its templates give
//! the answers in `templates/fixtures`, like those of all languages.

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

/// Language for writing handlers.
pub(super) struct Language {
    /// Name for `--lang`.
    pub(super) name: &'static str,
    /// Other names that `--lang` accepts.
    aliases: &'static [&'static str],
    /// Name for people.
    pub(super) title: &'static str,
    /// Whether a folder holds a project of this language.
    is_in: fn(&Path) -> bool,
    /// Description of the files that [`is_in`](Self::is_in) looks for.
    known_by: &'static str,
    /// Files that `new` writes for this language alone: the path in the project, and the [template](template::fill).
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Regions of the shared templates that projects of this language use, in addition to the chosen kinds.
    pub(super) parts: &'static [&'static str],
    /// Path of the author's code in a new project.
    pub(super) handler: &'static str,
    /// Path of the component that a new project builds.
    pub(super) component: &'static str,
    /// Commands that install the requirements of a new project, in order, before its first build.
    pub(super) prepare: &'static [&'static str],
    /// Requirements of the build.
    tools: Needs,
    /// Builds the project in a folder with its own build files, and returns the path of the component.
    make: fn(&Path) -> anyhow::Result<PathBuf>,
}

/// All languages. A folder that two of them recognize belongs to the first.
const LANGUAGES: [&Language; 7] =
    [&rust::RUST, &clang::C, &clang::CPP, &go::GO, &python::PYTHON, &javascript::TYPESCRIPT, &javascript::JAVASCRIPT];

/// Returns all languages, in the order in which they are tried.
pub(super) fn all() -> impl Iterator<Item = &'static Language> {
    LANGUAGES.into_iter()
}

impl Language {
    /// Returns the missing requirements of a project of this language in a folder.
    pub(super) fn missing(&self, dir: &Path) -> Vec<Unmet> {
        toolchain::unmet(self.tools.iter().copied().chain(beforehand::of(self.name)), dir)
    }

    /// Returns the language with this name or alias, ignoring case.
    ///
    /// # Errors
    /// Fails for an unknown name. The error lists the known names.
    pub(super) fn named(name: &str) -> anyhow::Result<&'static Self> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name.trim());
        let found = LANGUAGES.into_iter().find(|language| [language.name].iter().chain(language.aliases).any(is));
        found.with_context(|| {
            let names: Vec<_> = LANGUAGES.iter().map(|language| language.name).collect();
            format!("no language {name:?} is known; there are {}", names.join(", "))
        })
    }

    /// Returns the language of the project in a folder.
    ///
    /// # Errors
    /// Fails for an unknown project. The error describes the projects of each language.
    pub(super) fn of(dir: &Path) -> anyhow::Result<&'static Self> {
        if let Some(language) = LANGUAGES.into_iter().find(|language| (language.is_in)(dir)) {
            return Ok(language);
        }
        let known: Vec<_> =
            LANGUAGES.iter().map(|language| format!("{} by {}", language.title, language.known_by)).collect();
        bail!("{} holds no project of a language that is known: {}", dir.display(), known.join(", "))
    }

    /// Builds the project in a folder and returns the path of the component.
    ///
    /// # Errors
    /// Fails when a tool is missing, fails or creates no component, and when the project's WIT is wrong.
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
