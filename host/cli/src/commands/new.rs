//! Command `taskcell new`: writes a handler project in a chosen language, ready to build.
//!
//! The project is one of the examples that the repository builds and tests, reduced to the chosen kinds. Each function
//! returns a simple answer, so the first build can be tried before the author writes a line.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::languages::template::fill;
use crate::languages::{Language, name, wit};
use crate::outcome::Outcome;
use taskcell::kinds::{BACKGROUND, KINDS, Kind, KindInfo};
use taskcell::text;

/// World of a new project.
const WORLD: &str = include_str!("../languages/templates/world.wit");

macro_rules! fixture {
    ($kind:ident, $name:literal) => {
        (
            Kind::$kind,
            include_str!(concat!("../languages/templates/fixtures/", $name, "/request.json")),
            include_str!(concat!("../languages/templates/fixtures/", $name, "/expected.json")),
        )
    };
}

/// Request of each kind, and the answer of the templates in all languages.
const FIXTURES: [(Kind, &str, &str); 9] = [
    fixture!(GetTask, "get-task"),
    fixture!(GetTaskResult, "get-task-result"),
    fixture!(ListTasks, "list-tasks"),
    fixture!(CancelTask, "cancel-task"),
    fixture!(AugmentedSampling, "augmented-sampling"),
    fixture!(AugmentedElicitation, "augmented-elicitation"),
    fixture!(Sampling, "sampling"),
    fixture!(Elicitation, "elicitation"),
    fixture!(Roots, "roots"),
];

/// Maximum number of characters of a path that are shown.
const MAX_PATH: usize = 200;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to create; an existing one must be empty
    dir: PathBuf,
    /// The language: rust, c, cpp, go, python, javascript or typescript; short names such as js, ts, py and c++ work
    /// too
    #[arg(long, value_name = "LANGUAGE")]
    lang: String,
    /// The kinds of requests to answer, separated by commas: names as `taskcell inspect` shows them, `tasks` for the
    /// six of tasks, or `all`
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "sampling")]
    kinds: Vec<String>,
}

pub(crate) fn new(args: &Args) -> anyhow::Result<Outcome> {
    let language = Language::named(&args.lang)?;
    let kinds = chosen(&args.kinds)?;
    let mut names: BTreeSet<&str> = kinds.iter().map(|kind| kind.info().export).collect();
    if kinds.iter().any(|kind| kind.info().augmented) {
        names.insert(BACKGROUND);
    }
    prepare(&args.dir)?;

    let project = name::of(language, &args.dir);
    let filled = |template: &str| {
        name::fill(&fill(template, |part| names.contains(part) || language.parts.contains(&part)), &project)
    };
    for (path, template) in language.files {
        let text = filled(template);
        // A file whose regions all belong to other kinds is left out.
        if !text.is_empty() {
            write(&args.dir, path, &text)?;
        }
    }
    write(&args.dir, "wit/world.wit", &filled(WORLD))?;
    for (path, text) in wit::FILES {
        write(&args.dir, &format!("{}/{path}", wit::FOLDER), text)?;
    }
    for (kind, request, expected) in FIXTURES {
        if kinds.contains(&kind) {
            let folder = format!("fixtures/{}", kind.info().export);
            write(&args.dir, &format!("{folder}/request.json"), request)?;
            write(&args.dir, &format!("{folder}/expected.json"), expected)?;
        }
    }
    tell(language, &args.dir, &names)?;
    Ok(Outcome::Success)
}

/// Returns the kinds for a list of names and groups, each once.
fn chosen(names: &[String]) -> anyhow::Result<BTreeSet<Kind>> {
    let mut kinds = BTreeSet::new();
    for name in names.iter().map(|name| name.trim()) {
        let is_meant = |row: &&KindInfo| match name {
            "all" => true,
            "tasks" => row.augmented || row.method.starts_with("tasks/"),
            name => row.export == name,
        };
        let before = kinds.len();
        kinds.extend(KINDS.iter().filter(is_meant).map(|row| row.kind));
        let is_known = kinds.len() > before || KINDS.iter().any(|row| is_meant(&row));
        ensure!(
            is_known,
            "no kind {name:?} is known; there are {}, `tasks` for the six of tasks, and `all`",
            KINDS.map(|row| row.export).join(", ")
        );
    }
    Ok(kinds)
}

/// Creates the folder, or checks that an existing folder is empty.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if let Some(entry) = entries.next() {
                let name = entry?.file_name();
                bail!("{} is not empty ({}): name a new folder, or empty this one", dir.display(), name.display());
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be the project's folder", dir.display())),
    }
}

/// Writes a new file and creates its folders. An existing file is an error.
fn write(dir: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Prints what was written and what to do next.
fn tell(language: &Language, dir: &Path, names: &BTreeSet<&str>) -> anyhow::Result<()> {
    let names: Vec<_> = names.iter().copied().collect();
    let path = dir.display().to_string();
    let dir = text::one_line(&path, MAX_PATH);
    let mut out = std::io::stdout().lock();
    writeln!(out, "A handler in {} for {}, in {dir}:", language.title, names.join(", "))?;
    for (path, what) in [
        (language.handler, "the code: a short function for each kind"),
        ("wit/world.wit", "what it answers, and what it may ask of the host"),
        (wit::FOLDER, "the handler protocol and what it uses of WASI"),
        ("fixtures", "a request of each kind, and the answer expected"),
        ("README.md", "how to build, try and test it"),
    ] {
        writeln!(out, "  {path:<24} {what}")?;
    }
    let (enter, component) = (format!("cd {}", quoted(&path)), language.component);
    let check = format!("taskcell check {component} --fixtures fixtures");
    writeln!(out, "\nNext:")?;
    for command in [enter.as_str()].iter().chain(language.prepare).chain(&["taskcell build", &check]) {
        writeln!(out, "  {}", text::one_line(command, MAX_PATH))?;
    }
    Ok(())
}

/// Quotes a path as one word of a shell.
fn quoted(path: &str) -> String {
    // `cd` takes a word that begins with `-` for an option, and `~` for a home folder.
    let path = if path.starts_with(['-', '~']) { format!("./{path}") } else { path.to_owned() };
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@%~".contains(letter);
    if !path.is_empty() && path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn kinds_are_named_or_grouped() {
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            chosen(&names).map(|kinds| kinds.into_iter().map(|kind| kind.info().export).collect::<Vec<_>>())
        };
        assert_eq!(of(&["roots", "sampling", "roots"]).unwrap(), ["sampling", "roots"]);
        assert_eq!(of(&["all"]).unwrap(), KINDS.map(|row| row.export));
        let tasks = of(&["tasks"]).unwrap();
        assert_eq!(tasks, KINDS.map(|row| row.export)[..6]);
        assert_eq!(of(&["tasks", "get-task"]).unwrap(), tasks);
        assert_eq!(of(&["sampling", " elicitation", "\troots "]).unwrap(), ["sampling", "elicitation", "roots"]);
        for wrong in ["", " ", "samplings", "background"] {
            assert!(of(&["roots", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in [
            ("handler", "handler"),
            ("/tmp/a-b_c.d", "/tmp/a-b_c.d"),
            ("my handler", "'my handler'"),
            ("it's", r"'it'\''s'"),
            ("a$(b)", "'a$(b)'"),
            ("-x", "./-x"),
            ("~ada", "./~ada"),
            ("été", "été"),
            ("", "''"),
        ] {
            assert_eq!(quoted(path), word, "{path}");
        }
    }

    #[test]
    fn each_kind_has_its_fixture() {
        for ((kind, request, _), row) in FIXTURES.iter().zip(&KINDS) {
            assert_eq!(*kind, row.kind);
            let request: serde_json::Value = serde_json::from_str(request).unwrap();
            assert_eq!(request["method"], row.method);
            assert_eq!(request["params"]["task"].is_object(), row.augmented);
        }
    }
}
