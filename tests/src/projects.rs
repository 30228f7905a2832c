//! Projects built by `taskcell build`: those of the examples that need more than their language's own tools.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::cli;
use crate::provision::{lock, repository, target};

/// The component that `taskcell build` makes of the example `name`, a folder of `guest-examples`.
///
/// # Errors
/// When its toolchain is missing, or it does not build: what the program said.
pub fn build_project(name: &str) -> Result<PathBuf> {
    let folder = repository().join("guest-examples").join(name);
    // Its build is in the folder itself, where another test may be at work.
    let _lock = lock(&target().join("examples"), name)?;
    let ran = cli::run(&program()?, &["build".as_ref(), folder.as_os_str()])?;
    ensure!(ran.code == Some(0), "{}\nTASKCELL_SKIP_LANGUAGES goes without", ran.stderr);
    Ok(folder.join("build/handler.wasm"))
}

/// The program, which cargo puts beside the folder of the tests.
fn program() -> Result<String> {
    let test = env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("a test is in the target directory")?;
    Ok(folder.join("taskcell-cli").to_string_lossy().into_owned())
}
