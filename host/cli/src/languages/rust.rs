//! Rust, with cargo: for `wasm32-unknown-unknown`, with the linker that writes components. rustup installs both.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::Language;
use super::toolchain::{Tool, at_least, named};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) const RUST: Language = Language {
    name: "rust",
    aliases: &["rs"],
    title: "Rust",
    is_in: |dir| dir.join("Cargo.toml").is_file(),
    known_by: "a Cargo.toml",
    files: &[
        ("src/lib.rs", include_str!("templates/rust/lib.rs")),
        ("src/alloc.rs", include_str!("templates/rust/alloc.rs")),
        ("Cargo.toml", include_str!("templates/rust/package.toml")),
        ("Cargo.lock", include_str!("templates/rust/lock.toml")),
        (".cargo/config.toml", include_str!("templates/rust/cargo-config.toml")),
        ("README.md", include_str!("templates/rust/README.md")),
        (".gitignore", include_str!("templates/rust/gitignore")),
    ],
    parts: &[],
    handler: "src/lib.rs",
    component: "target/wasm32-unknown-unknown/release/handler.wasm",
    prepare: &["rustup target add wasm32-unknown-unknown"],
    tools: &[&[Tool {
        what: "Rust 1.85 or newer",
        command: &["cargo", "--version"],
        accepts: |said| at_least(said, (1, 85)),
        install: "https://rustup.rs, or `rustup update stable`",
    }]],
    make,
};

/// Message of cargo about an artifact.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn make(dir: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    // The path of the component depends on the target directory and the package's name, which cargo knows.
    cargo.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    cargo.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped());
    named(&cargo);
    let mut child = cargo.spawn().context("`cargo` cannot be started")?;
    let mut component = None;
    for line in BufReader::new(child.stdout.take().context("cargo's output is a pipe")?).lines() {
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        let made = message.filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"));
        component = made.or(component);
    }
    let status = child.wait()?;
    if !status.success() {
        if !has_target(dir) {
            bail!("Rust's standard library for {TARGET} is missing; install it: rustup target add {TARGET}");
        }
        bail!("`cargo` failed ({status}); what it says is wrong stands above");
    }
    component.with_context(|| {
        format!(
            "cargo made no .wasm file of {}: Cargo.toml needs `crate-type = [\"cdylib\"]` under [lib], and \
             .cargo/config.toml `target = \"{TARGET}\"` under [build]",
            dir.display()
        )
    })
}

/// Whether the toolchain of this folder can build for the target.
fn has_target(dir: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(dir).stdin(Stdio::null());
    rustc.output().is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
