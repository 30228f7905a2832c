//! `taskcell new` and `taskcell build` in Python, JavaScript and TypeScript: what is written builds and passes `taskcell check`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use taskcell_tests::cli;
use taskcell_tests::provision::{language_skipped, node_tools, python_tools};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

fn tools(language: &str) -> PathBuf {
    if language == "python" { python_tools().unwrap() } else { node_tools().unwrap() }
}

/// The search path with a folder before the others.
fn path(first: &Path) -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths([first.to_path_buf()].into_iter().chain(env::split_paths(&others))).unwrap()
}

fn taskcell(path: &OsString, arguments: &[&str]) -> Output {
    cli::command(PROGRAM).args(arguments).env("PATH", path).output().unwrap()
}

fn well(output: &Output) -> String {
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{log}", output.status);
    said.into_owned()
}

fn written(language: &str, kinds: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("handler").to_str().unwrap().to_owned();
    well(&taskcell(&env::var_os("PATH").unwrap(), &["new", &project, "--lang", language, "--kinds", kinds]));
    (folder, project)
}

fn builds_and_passes(language: &str, kinds: &str) {
    if language_skipped(language, "new") {
        return;
    }
    let (_folder, project) = written(language, kinds);
    let path = path(&tools(language));
    let said = well(&taskcell(&path, &["build", &project]));
    assert!(said.contains("handler.wasm: "), "{said}");
    let (component, fixtures) = (format!("{project}/handler.wasm"), format!("{project}/fixtures"));
    well(&taskcell(&path, &["check", &component, "--fixtures", &fixtures]));
}

#[test]
fn python_builds_and_passes() {
    builds_and_passes("python", "all");
}

#[test]
fn javascript_builds_and_passes() {
    builds_and_passes("javascript", "sampling");
    builds_and_passes("javascript", "all");
}

#[test]
fn typescript_builds_and_passes() {
    builds_and_passes("typescript", "roots");
    builds_and_passes("typescript", "all");
}

/// What is missing is named, with the command that installs it; what the tool says of the author's file is shown.
#[test]
fn errors_say_what_to_do() {
    // The language; what is done to the file; what is said, with the tools and without.
    let table = [
        (
            "python",
            ("app.py", "exports.Sampling", "exports.Sampler"),
            "has no attribute 'Sampler'",
            "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt",
        ),
        ("javascript", ("app.js", "handle: (", "handle: (("), "/app.js:", "npm ci"),
        ("typescript", ("app.ts", "model: \"fixed\",", ""), "app.ts(", "npm ci"),
        ("javascript", ("package.json", "--output handler.wasm", ""), "--output FILE", "npm ci"),
    ];
    for (language, (file, from, to), said, install) in table {
        if language_skipped(language, "errors") {
            continue;
        }
        let (_folder, project) = written(language, "sampling");
        let file = Path::new(&project).join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        for (path, said) in [(path(&tools(language)), said), (env::var_os("PATH").unwrap(), install)] {
            let output = taskcell(&path, &["build", &project]);
            let log = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && log.contains(said), "{language}: no {said:?} in {log}");
        }
    }
}
