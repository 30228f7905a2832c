//! Runner of the program `taskcell`, as a user would run it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::provision::repository;

/// Outcome of a run of the program.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` when a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Parses stdout, which must be one JSON document.
    ///
    /// # Errors
    /// When stdout is anything else.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("stdout is no JSON document: {self:?}"))
    }

    /// Lists the kind and the name of each case with this verdict in the document of `taskcell check`. A fixture has no
    /// kind.
    ///
    /// # Errors
    /// When stdout is not such a document.
    pub fn cases(&self, verdict: &str) -> Result<Vec<(String, String)>> {
        let document = self.json()?;
        let cases = document.get("checks").and_then(Value::as_array).context("no checks")?;
        let word = |case: &Value, key: &str| case.get(key).and_then(Value::as_str).unwrap_or("fixture").to_owned();
        let cases = cases.iter().filter(|case| case.get("verdict").and_then(Value::as_str) == Some(verdict));
        Ok(cases.map(|case| (word(case, "kind"), word(case, "name"))).collect())
    }
}

/// Lists the names of a folder's entries, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Creates a command for the program at `program` (a test's `env!("CARGO_BIN_EXE_taskcell-cli")`) with an empty stdin,
/// a cache of compiled components that the tests share, no configuration of the user's, and tasks in memory.
#[must_use]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let cache = repository().join("target/test-cache");
    command.env("TASKCELL_CACHE", cache).env("TASKCELL_STORE", ":memory:").env_remove("TASKCELL_CONFIG");
    command.stdin(Stdio::null());
    command
}

/// Sends a running program a signal by name; returns whether the program still existed.
///
/// # Errors
/// When no signal can be sent.
pub fn signal(program: &Child, name: &str) -> Result<bool> {
    Ok(Command::new("kill").args(["-s", name, &program.id().to_string()]).status()?.success())
}

/// Runs [`command`] with these arguments.
///
/// # Errors
/// When the program cannot be started.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<Ran> {
    let output = command(program).args(arguments).output().with_context(|| program.to_owned())?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}
