//! Builder of guest crates, which compiles them to wasm for the tests that run them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::provision::{lock, repository, run, target};

const RUST_ADVICE: &str = "install Rust through rustup, or add the guest's wasm target to your toolchain";
const GUEST_ADVICE: &str =
    "repair the guest; if only its lock file is out of date, run `cargo update --workspace` there";

/// Builds the guest crate in `dir` for wasm32-unknown-unknown, without WASI. Returns the path of the component.
///
/// # Errors
/// Those of [`build_guest_for`].
pub fn build_guest(dir: &Path) -> Result<PathBuf> {
    build_guest_for(dir, "wasm32-unknown-unknown")
}

/// Builds the guest crate in `dir` for a wasm target, in release mode, with the toolchain that builds the tests.
/// Returns the path of the component.
///
/// All guests share one target directory, so that their dependencies are compiled once; no two guests may share a
/// package name. Cargo runs once per process and guest, and no test waits for the build of a guest that it does not
/// use.
///
/// The flags set here replace `rustflags` in a `.cargo/config.toml` of the guest. Its `linker` still counts, and so do
/// the requests of a build script.
///
/// # Errors
/// When the target cannot be added, the guest does not compile, its lock file is out of date, or it builds no library.
pub fn build_guest_for(dir: &Path, wasm: &str) -> Result<PathBuf> {
    type Built = Arc<Mutex<Option<PathBuf>>>;
    static BUILT: Mutex<BTreeMap<(PathBuf, String), Built>> = Mutex::new(BTreeMap::new());

    let dir = dir.canonicalize().with_context(|| format!("no guest in {}", dir.display()))?;
    let mut guests = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = Arc::clone(guests.entry((dir.clone(), wasm.to_owned())).or_default());
    drop(guests);
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = &*built {
        return Ok(component.clone());
    }
    let guests = target().join("guests");
    add_wasm_target(&dir, wasm)?;
    // Held while cargo runs, also against other processes: one build uses all cores anyway.
    let _lock = lock(&guests, "build")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--target", wasm, "--target-dir"]).arg(&guests).current_dir(&dir);
    // Settings of the outer cargo are not meant for the guest, and sharing its target directory can hang both.
    for variable in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_TARGET_DIR"] {
        cargo.env_remove(variable);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(&dir)?);
    run(&mut cargo, GUEST_ADVICE)?;

    let manifest = fs::read_to_string(dir.join("Cargo.toml"))?;
    let package = package_name(&manifest).with_context(|| format!("no package name in {}", dir.display()))?;
    let file = guests.join(wasm).join("release").join(format!("{}.wasm", package.replace('-', "_")));
    if !file.is_file() {
        bail!("cargo made no {}: set `crate-type = [\"cdylib\"]` in the guest's Cargo.toml", file.display());
    }
    *built = Some(file.clone());
    Ok(file)
}

/// Adds a wasm target if the toolchain of a folder lacks it. This is explicit, because without automatic installation
/// rustup ignores the `targets` of rust-toolchain.toml and the build fails for lack of `core`.
///
/// # Errors
/// When the target is missing and there is no rustup, or rustup cannot add the target.
pub fn add_wasm_target(dir: &Path, wasm: &str) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", wasm]).current_dir(dir);
    let installed = |libdir: &str| Path::new(libdir.trim()).is_dir();
    if installed(&run(&mut rustc, RUST_ADVICE)?) {
        return Ok(());
    }
    let _lock = lock(&target().join("guests"), "rustup")?;
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", wasm]).current_dir(dir);
    run(&mut rustup, RUST_ADVICE).map(drop)
}

/// Flags that keep this machine's folders out of the component, so that it is identical wherever it is built.
///
/// Where the sources of the standard library are installed, rustc also puts their path into panic messages.
fn remapped_paths(guest: &Path) -> Result<String> {
    let cargo_home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().context("neither CARGO_HOME nor HOME is set")?.join(".cargo"),
    };
    // The compiler sees a folder's real path, whatever links cargo followed.
    let root = repository().canonicalize()?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let rustc = |arguments: &[&str]| run(Command::new("rustc").args(arguments).current_dir(guest), RUST_ADVICE);
    let sources = Path::new(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust");
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    // Cargo splits the variable at this character, so paths may hold spaces.
    Ok([remap(&cargo_home, "/cargo"), remap(&root, "/taskcell"), remap(&sources, &format!("/rustc/{commit}"))]
        .join("\u{1f}"))
}

/// Reads `name` from the manifest's `[package]` table.
fn package_name(manifest: &str) -> Option<&str> {
    let package = manifest.lines().map(str::trim).skip_while(|line| *line != "[package]").skip(1);
    let mut entries = package.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    entries.find(|(key, _)| key.trim() == "name")?.1.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn a_guest_is_named_by_its_package_table() {
        let manifest =
            "[dependencies.x]\nname = \"no\"\n[package]\nedition = \"2024\"\nname = \"a-guest\"\n[lib]\nname = \"no\"";
        assert_eq!(package_name(manifest), Some("a-guest"));
        assert_eq!(package_name("[workspace]"), None);
    }
}
