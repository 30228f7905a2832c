//! Runs the program `taskcell` as a user would.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

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
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("stdout is no JSON document: {self:?}"))
    }
}

/// The program at `program` (a test's `env!("CARGO_BIN_EXE_taskcell-cli")`) with an empty stdin, a cache of compiled
/// components that the tests share, and nothing of the user's own: no configuration, and tasks in memory.
#[must_use]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-cache");
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
