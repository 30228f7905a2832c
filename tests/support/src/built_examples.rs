//! Projects written by `taskcell new` and built by `taskcell build`, run as a user would run them.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cli;
use crate::provision::{Variables, lock, repository, target};

/// Builds the example `name`, a folder of `guest-examples`, by `taskcell build`, with these variables in its
/// environment. Returns the path of the component.
///
/// # Errors
/// When the toolchain is missing or the build fails, with the program's output.
pub fn build_project(name: &str, variables: Variables) -> Result<PathBuf> {
    let folder = repository().join("guest-examples").join(name);
    // The build runs in the example's own folder, where another test may be building.
    let _lock = lock(&target().join("examples"), name)?;
    build_folder(&folder, variables)
}

/// Builds the project in a folder by `taskcell build`, with these variables in its environment. Returns the path of the
/// component.
///
/// # Errors
/// Those of [`build_project`].
pub fn build_folder(folder: &Path, variables: Variables) -> Result<PathBuf> {
    let mut build = cli::command(&program()?);
    build.arg("build").arg(folder).envs(variables);
    let ran = build.output().context("the program cannot be started")?;
    let (said, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    ensure!(ran.status.success(), "{log}\nTASKCELL_SKIP_LANGUAGES goes without");
    // The first line names the component, its size and its kinds.
    let (component, _) = said.split_once(": ").with_context(|| format!("`build` says {said:?}"))?;
    Ok(PathBuf::from(component))
}

/// Writes a project in this language for these kinds by `taskcell new`, into a folder that does not exist yet.
///
/// # Errors
/// When the project is not written, with the program's output.
pub fn new_project(folder: &Path, language: &str, kinds: &str) -> Result<()> {
    let mut new = cli::command(&program()?);
    new.arg("new").arg(folder).args(["--lang", language, "--kinds", kinds]);
    let ran = new.output().context("the program cannot be started")?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}

/// Path of the program, which cargo puts into the parent folder of the tests.
fn program() -> Result<String> {
    let test = env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("a test is in the target directory")?;
    Ok(folder.join("taskcell-cli").to_string_lossy().into_owned())
}
