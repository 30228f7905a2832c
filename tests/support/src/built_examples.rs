//! Projects that the program writes and builds: `taskcell new` and `taskcell build`, run as a user would.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cli;
use crate::provision::{Variables, lock, repository, target};

/// The component that `taskcell build` makes of the example `name`, a folder of `guest-examples`, with these variables in
/// its environment.
///
/// # Errors
/// When its toolchain is missing, or it does not build: what the program said.
pub fn build_project(name: &str, variables: Variables) -> Result<PathBuf> {
    let folder = repository().join("guest-examples").join(name);
    // Its build is in the folder itself, where another test may be at work.
    let _lock = lock(&target().join("examples"), name)?;
    build_folder(&folder, variables)
}

/// The component that `taskcell build` makes of the project in a folder, with these variables in its environment.
///
/// # Errors
/// The same.
pub fn build_folder(folder: &Path, variables: Variables) -> Result<PathBuf> {
    let mut build = cli::command(&program()?);
    build.arg("build").arg(folder).envs(variables);
    let ran = build.output().context("the program cannot be started")?;
    let (said, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    ensure!(ran.status.success(), "{log}\nTASKCELL_SKIP_LANGUAGES goes without");
    // The first line: the component, its size and what it answers.
    let (component, _) = said.split_once(": ").with_context(|| format!("`build` says {said:?}"))?;
    Ok(PathBuf::from(component))
}

/// Has `taskcell new` write a project in this language for these kinds into a folder that is not there yet.
///
/// # Errors
/// When it is not written: what the program said.
pub fn new_project(folder: &Path, language: &str, kinds: &str) -> Result<()> {
    let mut new = cli::command(&program()?);
    new.arg("new").arg(folder).args(["--lang", language, "--kinds", kinds]);
    let ran = new.output().context("the program cannot be started")?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}

/// The program, which cargo puts beside the folder of the tests.
fn program() -> Result<String> {
    let test = env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("a test is in the target directory")?;
    Ok(folder.join("taskcell-cli").to_string_lossy().into_owned())
}
