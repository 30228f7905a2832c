//! The examples in Python, JavaScript and TypeScript, built with the toolchains that the tests installed.
//!
//! Each is built by the command of its README, in a copy under the target directory that is named after all it is made
//! from: what has not changed is not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::provision::{hash, node_tools, once, python_tools, read, repository, run, search_path, target};

const ADVICE: &str = "repair the example";
/// What building leaves in an example's folder.
const MADE: [&str; 4] = ["node_modules", "build", ".venv", "__pycache__"];

/// The component of the example `name`, a folder of `guest-examples` with a `requirements.txt` or a `package.json`.
///
/// # Errors
/// When its toolchain cannot be installed, or it does not build.
pub fn build_example(name: &str) -> Result<PathBuf> {
    build_changed(name, "", "")
}

/// The same with this text in the place of another, in the author's code: to see what happens to a mistake.
///
/// # Errors
/// The same, and when the code does not have that text.
pub fn build_changed(name: &str, from: &str, to: &str) -> Result<PathBuf> {
    let source = repository().join("guest-examples").join(name);
    let python = source.join("requirements.txt").exists();
    let command = if python { componentize_py(&source)? } else { vec!["npm".to_owned(), "run".into(), "build".into()] };
    let tools = if python { python_tools()? } else { node_tools()? };

    // What an example refers to stands beside its folder as it does in the repository.
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
            // The tool's own stack would push what is wrong out of the error.
            .env_remove("RUST_BACKTRACE")
            .stdin(held);
        run(&mut build, ADVICE).map(drop)
    })?;
    Ok(built.join("guest-examples").join(name).join(format!("{name}.wasm")))
}

/// The words of the line in a README that builds a component from Python.
fn componentize_py(source: &Path) -> Result<Vec<String>> {
    let readme = fs::read_to_string(source.join("README.md"))?;
    let line = readme.lines().find_map(|line| line.trim().strip_prefix(".venv/bin/componentize-py "));
    let line = line.with_context(|| format!("no command in the README of {}", source.display()))?;
    Ok([vec!["componentize-py".to_owned()], line.split_whitespace().map(str::to_owned).collect()].concat())
}

/// All files in a folder, in order, without what building leaves there.
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
