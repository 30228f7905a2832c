//! Installer of the real MCP peers that tests run against and of the toolchains that build guests (npm packages, Python
//! environments). Each is installed once, under the target directory, from pinned lock files.
//!
//! Test processes run side by side, so everything is installed under a file lock, which the system releases when its
//! holder dies.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::guests::add_wasm_target;

const PEERS_ADVICE: &str = "set TASKCELL_SKIP_PEERS=1 to go without the tests that need it";
const LANGUAGES_ADVICE: &str =
    "name the language in TASKCELL_SKIP_LANGUAGES (such as `python,go`) to go without the tests that need it";
const NODE_ADVICE: &str = "install Node.js 20 or newer with npm, see that npm reaches its registry";
const PYTHON_ADVICE: &str = "install Python 3.10 or newer with its venv module, see that pip reaches its index";

/// Whether to skip the test named `test` because `TASKCELL_SKIP_PEERS` is set and not empty. Reports that on stderr,
/// because a test that is skipped silently looks like one that passed.
pub fn peers_skipped(test: &str) -> bool {
    let skipped = env::var_os("TASKCELL_SKIP_PEERS").is_some_and(|value| !value.is_empty());
    if skipped {
        eprintln!("SKIPPED by TASKCELL_SKIP_PEERS: {test}");
    }
    skipped
}

/// Whether to skip the test named `test` because the comma-separated list `TASKCELL_SKIP_LANGUAGES` names its
/// `language`. Reports that on stderr, because a test that is skipped silently looks like one that passed.
pub fn language_skipped(language: &str, test: &str) -> bool {
    let skipped =
        env::var("TASKCELL_SKIP_LANGUAGES").is_ok_and(|list| list.split(',').any(|name| name.trim() == language));
    if skipped {
        eprintln!("SKIPPED by TASKCELL_SKIP_LANGUAGES: {test}");
    }
    skipped
}

/// Installs the npm packages of `tests/peers/node` if needed. Returns the folder that holds their `node_modules`.
///
/// # Errors
/// When npm is missing or fails.
pub fn node_peers() -> Result<PathBuf> {
    npm_packages("peers", "node", PEERS_ADVICE)
}

/// Installs the npm packages of `tests/peers/node-2026` if needed. Returns the folder that holds their `node_modules`.
///
/// # Errors
/// When npm is missing or fails.
pub fn node_peers_2026() -> Result<PathBuf> {
    npm_packages("peers", "node-2026", PEERS_ADVICE)
}

/// Installs the packages of `tests/peers/python` if needed. Returns the interpreter of their virtual environment.
///
/// # Errors
/// When Python 3.10 or newer is missing, or the environment cannot be made.
pub fn python_peers() -> Result<PathBuf> {
    Ok(python_packages("peers", "python", PEERS_ADVICE)?.join("bin/python"))
}

/// Installs the packages of `tests/peers/python-2026` if needed. Returns the interpreter of their virtual environment.
///
/// # Errors
/// When Python 3.10 or newer is missing, or the environment cannot be made.
pub fn python_peers_2026() -> Result<PathBuf> {
    Ok(python_packages("peers", "python-2026", PEERS_ADVICE)?.join("bin/python"))
}

/// Installs the packages of `tests/peers/python-fastmcp3` or `-fastmcp4` if needed. Returns the interpreter of their
/// virtual environment.
///
/// # Errors
/// When Python (3.11 or newer for fastmcp 4) is missing, or the environment cannot be made.
pub fn python_fastmcp(major: u32) -> Result<PathBuf> {
    Ok(python_packages("peers", &format!("python-fastmcp{major}"), PEERS_ADVICE)?.join("bin/python"))
}

/// Installs the npm packages of `tests/peers/gateways-node` if needed. Returns the folder that holds their
/// `node_modules`.
///
/// # Errors
/// When npm is missing or fails.
pub fn gateway_peers_node() -> Result<PathBuf> {
    npm_packages("peers", "gateways-node", PEERS_ADVICE)
}

/// Installs the packages of `tests/peers/gateways-python` if needed. Returns the interpreter of their virtual
/// environment.
///
/// # Errors
/// When Python 3.11 or newer is missing, or the environment cannot be made.
pub fn gateway_peers_python() -> Result<PathBuf> {
    Ok(python_packages("peers", "gateways-python", PEERS_ADVICE)?.join("bin/python"))
}

/// Installs the programs of `tests/toolchains/node` (`componentize-qjs`, `tsc`) if needed. Returns their folder.
///
/// # Errors
/// When npm is missing or fails.
pub fn node_tools() -> Result<PathBuf> {
    Ok(npm_packages("toolchains", "node", LANGUAGES_ADVICE)?.join("node_modules/.bin"))
}

/// Installs the programs of `tests/toolchains/python` (`componentize-py`, `go`) if needed. Returns their folder.
///
/// # Errors
/// When Python 3.10 or newer is missing, or the environment cannot be made.
pub fn python_tools() -> Result<PathBuf> {
    Ok(python_packages("toolchains", "python", LANGUAGES_ADVICE)?.join("bin"))
}

/// Environment of a command that builds a language: names of variables and their values.
pub type Variables = Vec<(&'static str, OsString)>;

/// Variables that select the Go of `tests/toolchains/python`, keep it from downloading anything, and keep its compiled
/// files under the target directory.
///
/// # Errors
/// Those of [`python_tools`].
pub fn go_variables() -> Result<Variables> {
    let caches = target().join("toolchains");
    Ok(vec![
        ("PATH", search_path(&python_tools()?)?),
        ("GOPROXY", "off".into()),
        ("GOTOOLCHAIN", "local".into()),
        ("GOCACHE", caches.join("go-build").into()),
        ("GOPATH", caches.join("go-path").into()),
    ])
}

/// Variables with which the zig and the make of `tests/toolchains/clang` build C and C++, installed if needed. Zig
/// compiles WASI's libraries at first use and keeps them there, too.
///
/// # Errors
/// When Python 3.10 or newer is missing, or the environment cannot be made.
pub fn c_variables() -> Result<Variables> {
    let environment = python_packages("toolchains", "clang", LANGUAGES_ADVICE)?;
    let cache = OsString::from(environment.join("cache"));
    Ok(vec![
        ("PATH", search_path(&environment.join("bin"))?),
        ("CLANG", "python-zig cc".into()),
        ("CLANGXX", "python-zig c++".into()),
        ("ZIG_GLOBAL_CACHE_DIR", cache.clone()),
        ("ZIG_LOCAL_CACHE_DIR", cache),
    ])
}

/// Variables with which `taskcell build` finds the tools of a language, installed if needed. The language has its name
/// for `taskcell new`.
///
/// # Errors
/// When the tools cannot be installed, or there is no such language.
pub fn language_variables(language: &str) -> Result<Variables> {
    match language {
        "rust" => {
            add_wasm_target(&repository(), "wasm32-unknown-unknown")?;
            Ok(Variables::new())
        }
        "c" | "cpp" => c_variables(),
        "go" => go_variables(),
        "python" => Ok(vec![("PATH", search_path(&python_tools()?)?)]),
        "javascript" | "typescript" => Ok(vec![("PATH", search_path(&node_tools()?)?)]),
        _ => bail!("no tools are known for {language}"),
    }
}

/// The search path with a folder before the others.
///
/// # Errors
/// When the folder's name cannot be part of a search path.
pub fn search_path(first: &Path) -> Result<OsString> {
    let others = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([first.to_path_buf()].into_iter().chain(env::split_paths(&others)))?)
}

/// Installs the npm packages of `tests/KIND/NAME`. Returns the folder that holds their `node_modules`.
fn npm_packages(kind: &str, name: &str, or: &str) -> Result<PathBuf> {
    let source = repository().join("tests").join(kind).join(name);
    let lock = read(&source.join("package-lock.json"))?;
    once(&target().join(kind), &format!("{name}-{}", hash(&[&lock])), |folder, held| {
        for file in ["package.json", "package-lock.json"] {
            fs::write(folder.join(file), read(&source.join(file))?)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder).stdin(held);
        npm.env("npm_config_cache", target().join("npm"));
        run(&mut npm, &format!("{NODE_ADVICE}, or {or}")).map(drop)
    })
}

/// Installs the packages of `tests/KIND/NAME` into a virtual environment.
fn python_packages(kind: &str, name: &str, or: &str) -> Result<PathBuf> {
    let advice = format!("{PYTHON_ADVICE}, or {or}");
    let requirements = repository().join("tests").join(kind).join(name).join("requirements.txt");
    let lock = read(&requirements)?;
    // An environment belongs to the interpreter that made it, which is therefore part of its name.
    let check = "import sys; print(sys.executable, sys.version); sys.exit(sys.version_info < (3, 10))";
    let python = run(Command::new("python3").args(["-c", check]), &advice)?;
    let name = format!("{name}-{}", hash(&[&lock, python.as_bytes()]));
    once(&target().join(kind), &name, |folder, held| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder).stdin(held.try_clone()?);
        run(&mut venv, &advice)?;
        let mut pip = Command::new(folder.join("bin/python"));
        // Wheels only: a source package would run its own build, with tools that no lock file pins.
        pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"]);
        pip.args(["--only-binary", ":all:", "--require-hashes", "-r"]).arg(&requirements).stdin(held);
        run(&mut pip, &advice).map(drop)
    })
}

/// Root of the repository.
pub fn repository() -> PathBuf {
    let support = Path::new(env!("CARGO_MANIFEST_DIR"));
    support.ancestors().nth(2).unwrap_or(support).to_path_buf()
}

/// Target directory of the workspace. A relative `CARGO_TARGET_DIR` counts from the repository's root.
pub(crate) fn target() -> PathBuf {
    repository().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Fills the folder `parent/name` by `make` unless it is complete. A stamp, written last, marks it as complete; a
/// folder without a stamp was interrupted and is removed.
///
/// `make` also gets the lock's file, to pass as (empty) standard input to the processes that it starts. A tool that
/// outlives a killed test then keeps the lock, and no other test removes the folder under it.
pub(crate) fn once(parent: &Path, name: &str, make: impl FnOnce(&Path, File) -> Result<()>) -> Result<PathBuf> {
    let lock = lock(parent, name)?;
    let folder = parent.join(name);
    let stamp = folder.join(".complete");
    if !stamp.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir(&folder)?;
        make(&folder, lock.try_clone()?)?;
        fs::write(stamp, "")?;
    }
    Ok(folder)
}

/// Waits until no other process or thread holds the lock `parent/name.lock`, and holds it until the file is dropped.
pub(crate) fn lock(parent: &Path, name: &str) -> Result<File> {
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let path = parent.join(format!("{name}.lock"));
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = open.with_context(|| format!("cannot make {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Runs a command to its end and returns its standard output. An error names the command, quotes the end of its output,
/// and says what to do.
pub(crate) fn run(command: &mut Command, advice: &str) -> Result<String> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("`{tool}` was not found: {advice}"),
        _ => anyhow!("`{tool}` cannot be run ({error}): {advice}"),
    })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let all = printed + &String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}):\n{}\nWhat to do: {advice}", output.status, tail(&all, 30));
    }
    Ok(printed)
}

/// The last `count` lines.
fn tail(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A short name for these contents. It may change with the compiler, which only causes another installation.
pub(crate) fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.iter().for_each(|part| hasher.write(part));
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_again_after_an_interruption() -> Result<()> {
        let parent = target().join("tmp").join(format!("provision-{}", std::process::id()));
        let interrupted = once(&parent, "thing", |folder, _| {
            fs::write(folder.join("half"), "")?;
            bail!("interrupted")
        });
        assert!(interrupted.is_err());
        let folder = once(&parent, "thing", |folder, _| Ok(fs::write(folder.join("whole"), "")?))?;
        assert!(folder.join("whole").exists() && !folder.join("half").exists());
        once(&parent, "thing", |_, _| bail!("made a second time"))?;
        Ok(fs::remove_dir_all(parent)?)
    }

    #[test]
    fn errors_say_what_failed_and_what_to_do() -> Result<()> {
        let missing = run(&mut Command::new("no-such-tool"), "install it").err().context("it ran")?;
        assert_eq!(missing.to_string(), "`no-such-tool` was not found: install it");
        let failed = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), "mend it");
        let failed = failed.err().context("it succeeded")?.to_string();
        assert!(failed.contains("exit status: 3") && failed.contains("out\nerr\nWhat to do: mend it"), "{failed}");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        Ok(())
    }
}
