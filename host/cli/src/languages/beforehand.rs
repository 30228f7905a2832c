//! Requirements of a language before any project exists. The build of a project checks what the project installs for
//! itself.

use std::path::Path;
use std::slice;

use super::toolchain::{Tool, at_least};

/// Required tools, by the name of the language.
const TOOLS: [(&str, Tool); 2] = [
    (
        "rust",
        Tool {
            what: "Rust's standard library for wasm32-unknown-unknown",
            command: &["rustc", "--print", "target-libdir", "--target", "wasm32-unknown-unknown"],
            accepts: |said| Path::new(said.trim()).is_dir(),
            install: "rustup target add wasm32-unknown-unknown",
        },
    ),
    (
        "python",
        Tool {
            what: "Python 3.10 or newer with venv",
            command: &["python3", "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')"],
            accepts: |said| at_least(said, (3, 10)),
            install: "https://www.python.org, or your system's packages of Python and its module venv",
        },
    ),
];

/// Returns the requirements of a language, each with the one tool that meets it.
pub(super) fn of(language: &str) -> impl Iterator<Item = &'static [Tool]> {
    TOOLS.iter().filter(move |(name, _)| *name == language).map(|(_, tool)| slice::from_ref(tool))
}
