//! Runs the program `taskcell` as a user would.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::provision::repository;

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it showed on the way.
    pub stderr: String,
}

impl Ran {
    /// The one JSON document that stdout is.
    ///
    /// # Errors
    /// When stdout is anything else.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("stdout is no JSON document: {self:?}"))
    }

    /// The kind and the name of each case of this verdict in the document of `check`. A fixture has no kind.
    ///
    /// # Errors
    /// When stdout is none.
    pub fn cases(&self, verdict: &str) -> Result<Vec<(String, String)>> {
        let document = self.json()?;
        let cases = document.get("checks").and_then(Value::as_array).context("no checks")?;
        let word = |case: &Value, key: &str| case.get(key).and_then(Value::as_str).unwrap_or("fixture").to_owned();
        let cases = cases.iter().filter(|case| case.get("verdict").and_then(Value::as_str) == Some(verdict));
        Ok(cases.map(|case| (word(case, "kind"), word(case, "name"))).collect())
    }
}

/// The names of what is in a folder, sorted.
///
/// # Errors
/// When it cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The program at `program` (a test's `env!("CARGO_BIN_EXE_taskcell-cli")`) with an empty stdin, a cache of compiled
/// components that the tests share, and nothing of the user's own: no configuration, and tasks in memory.
#[must_use]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let cache = repository().join("target/test-cache");
    command.env("TASKCELL_CACHE", cache).env("TASKCELL_STORE", ":memory:").env_remove("TASKCELL_CONFIG");
    command.stdin(Stdio::null());
    command
}

/// Sends a signal to a program that was started, by the signal's name; says whether it was there.
///
/// # Errors
/// When nothing can be sent.
pub fn signal(program: &Child, name: &str) -> Result<bool> {
    Ok(Command::new("kill").args(["-s", name, &program.id().to_string()]).status()?.success())
}

/// Runs the same with these arguments.
///
/// # Errors
/// When it cannot be started.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<Ran> {
    let output = command(program).args(arguments).output().with_context(|| program.to_owned())?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}
