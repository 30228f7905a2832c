//! Builder of the examples in Python, JavaScript and TypeScript, with the toolchains that the tests install.
//!
//! Each example is built by the command of its README, in a copy under the target directory. The copy is named after
//! the digest of all its sources, so an unchanged example is not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::provision::{hash, node_tools, once, python_tools, read, repository, run, search_path, target};

const ADVICE: &str = "repair the example";
/// Folders that a build leaves in an example.
const MADE: [&str; 4] = ["node_modules", "build", ".venv", "__pycache__"];

/// Builds the example `name`, a folder of `guest-examples` with a `requirements.txt` or a `package.json`. Returns the
/// path of the component.
///
/// # Errors
/// When the toolchain cannot be installed or the build fails.
pub fn build_example(name: &str) -> Result<PathBuf> {
    build_changed(name, "", "")
}

/// Builds an example in which the text `from` in the author's code is replaced by `to`, to see how the tools report a
/// mistake.
///
/// # Errors
/// Those of [`build_example`], and when the code does not contain `from`.
pub fn build_changed(name: &str, from: &str, to: &str) -> Result<PathBuf> {
    let source = repository().join("guest-examples").join(name);
    let python = source.join("requirements.txt").exists();
    let command = if python { componentize_py(&source)? } else { vec!["npm".to_owned(), "run".into(), "build".into()] };
    let tools = if python { python_tools()? } else { node_tools()? };

    // Files that an example refers to keep their places relative to its folder.
    let mut files = Vec::new();
    for part in ["wit", "guest-examples/taskcell.d.ts"] {
        list(&repository().join(part), &mut files)?;
    }
    list(&source, &mut files)?;
    let mut contents = [&*tools.to_string_lossy(), from, to].map(|part| part.as_bytes().to_vec()).to_vec();
    for file in &files {
        contents.extend([file.to_string_lossy().into_owned().into_bytes(), read(file)?]);
    }
    let parts: Vec<_> = contents.iter().map(Vec::as_slice).collect();
    let built = once(&target().join("examples"), &format!("{name}-{}", hash(&parts)), |folder, held| {
        for file in &files {
            let copy = folder.join(file.strip_prefix(repository())?);
            fs::create_dir_all(copy.parent().context("a file is in a folder")?)?;
            fs::copy(file, copy)?;
        }
        if !from.is_empty() {
            let code = ["app.py", "app.js", "app.ts"].map(|file| folder.join("guest-examples").join(name).join(file));
            let code = code.iter().find(|file| file.exists()).context("an example has code")?;
            let text = fs::read_to_string(code)?;
            anyhow::ensure!(text.contains(from), "{} does not have {from:?}", code.display());
            fs::write(code, text.replace(from, to))?;
        }
        let [program, arguments @ ..] = command.as_slice() else { anyhow::bail!("no command") };
        let program = if python { tools.join(program) } else { program.into() };
        let mut build = Command::new(program);
        build
            .args(arguments)
            .current_dir(folder.join("guest-examples").join(name))
            .env("PATH", search_path(&tools)?)
            // A backtrace of the tool would push the message out of the error.
            .env_remove("RUST_BACKTRACE")
            .stdin(held);
        run(&mut build, ADVICE).map(drop)
    })?;
    Ok(built.join("guest-examples").join(name).join(format!("{name}.wasm")))
}

/// Words of the command in a README that builds a component from Python.
fn componentize_py(source: &Path) -> Result<Vec<String>> {
    let readme = fs::read_to_string(source.join("README.md"))?;
    let line = readme.lines().find_map(|line| line.trim().strip_prefix(".venv/bin/componentize-py "));
    let line = line.with_context(|| format!("no command in the README of {}", source.display()))?;
    Ok([vec!["componentize-py".to_owned()], line.split_whitespace().map(str::to_owned).collect()].concat())
}

/// Lists all files in a folder, in order, without what a build leaves there.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let entries: Result<Vec<_>, _> = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries?;
    entries.sort();
    let made = |entry: &Path| {
        let name = entry.file_name().unwrap_or_default();
        MADE.iter().any(|made| name == *made) || entry.extension().is_some_and(|end| end == "wasm")
    };
    entries.iter().filter(|entry| !made(entry)).try_for_each(|entry| list(entry, files))
}
