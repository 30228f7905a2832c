//! Projects built by `taskcell build`: those of the examples that need more than their language's own tools.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cli;
use crate::provision::{lock, repository, target};

/// The component that `taskcell build` makes of the example `name`, a folder of `guest-examples`.
///
/// # Errors
/// When its toolchain is missing, or it does not build: what the program said.
pub fn build_project(name: &str) -> Result<PathBuf> {
    build_project_with(name, &[])
}

/// The same with the tools in these folders.
///
/// # Errors
/// The same.
pub fn build_project_with(name: &str, tools: &[&Path]) -> Result<PathBuf> {
    let folder = repository().join("guest-examples").join(name);
    // Its build is in the folder itself, where another test may be at work.
    let _lock = lock(&target().join("examples"), name)?;
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(tools.iter().map(|folder| folder.to_path_buf()).chain(env::split_paths(&others)))?;
    let mut build = cli::command(&program()?);
    // A compiler of Go is the one that was installed, and brings nothing from elsewhere.
    build.arg("build").arg(&folder).envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local")]).env("PATH", path);
    let ran = build.output().context("the program cannot be started")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{said}\nTASKCELL_SKIP_LANGUAGES goes without");
    Ok(folder.join("build/handler.wasm"))
}

/// The program, which cargo puts beside the folder of the tests.
fn program() -> Result<String> {
    let test = env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("a test is in the target directory")?;
    Ok(folder.join("taskcell-cli").to_string_lossy().into_owned())
}
