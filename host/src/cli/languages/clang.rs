//! C and C++, by clang and make. The project's Makefile has the flags; this program stands in for the two tools that it
//! calls beside clang.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Language;
use super::toolchain::{Tool, run};

/// Where the Makefile puts the component.
const COMPONENT: &str = "build/handler.wasm";

const INSTALL_C: &str = "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32";

const INSTALL_CPP: &str = "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 libc++-19-dev-wasm32";

const MAKE: Tool =
    Tool { what: "make", command: &["make", "--version"], accepts: |_| true, install: "apt-get install make" };

pub(super) const C: Language = Language {
    name: "c",
    aliases: &[],
    title: "C",
    is_in: |dir| has_makefile_and(dir, "c"),
    known_by: "a Makefile and a .c file",
    files: &[
        ("handler.c", include_str!("templates/c/handler.c")),
        ("Makefile", include_str!("templates/c/Makefile")),
        ("README.md", include_str!("templates/c/README.md")),
        (".gitignore", include_str!("templates/c/gitignore")),
    ],
    parts: &[],
    handler: "handler.c",
    component: COMPONENT,
    prepare: &[INSTALL_C],
    tools: &[
        MAKE,
        Tool { what: "clang 19", command: &["clang-19", "--version"], accepts: |_| true, install: INSTALL_C },
        Tool {
            what: "WASI's C library",
            command: &["clang-19", "--target=wasm32-wasi", "-print-file-name=libc.a"],
            accepts: is_file,
            install: INSTALL_C,
        },
    ],
    make,
};

pub(super) const CPP: Language = Language {
    name: "cpp",
    aliases: &["c++", "cxx"],
    title: "C++",
    is_in: |dir| has_makefile_and(dir, "cpp"),
    known_by: "a Makefile and a .cpp file",
    files: &[
        ("handler.cpp", include_str!("templates/cpp/handler.cpp")),
        ("Makefile", include_str!("templates/cpp/Makefile")),
        ("README.md", include_str!("templates/cpp/README.md")),
        (".gitignore", include_str!("templates/cpp/gitignore")),
    ],
    parts: &[],
    handler: "handler.cpp",
    component: COMPONENT,
    prepare: &[INSTALL_CPP],
    tools: &[
        MAKE,
        Tool { what: "clang++ 19", command: &["clang++-19", "--version"], accepts: |_| true, install: INSTALL_CPP },
        Tool {
            what: "WASI's C++ library",
            command: &["clang++-19", "--target=wasm32-wasi", "-print-file-name=libc++.a"],
            accepts: is_file,
            install: INSTALL_CPP,
        },
    ],
    make,
};

/// Whether clang found the file that it was asked for: otherwise it prints the bare name.
fn is_file(said: &str) -> bool {
    Path::new(said.trim()).is_absolute() && Path::new(said.trim()).is_file()
}

/// Whether the folder has a Makefile and a file that ends so.
fn has_makefile_and(dir: &Path, end: &str) -> bool {
    let ends_so = |path: PathBuf| path.extension().is_some_and(|found| found == end);
    dir.join("Makefile").is_file()
        && dir.read_dir().is_ok_and(|entries| entries.flatten().any(|entry| ends_so(entry.path())))
}

fn make(dir: &Path) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let program = program.to_str().context("this program's own path is not UTF-8")?;
    // For make, then for its shell.
    let program = format!("'{}' tool", program.replace('\'', r"'\''").replace('$', "$$"));
    let mut make = Command::new("make");
    make.current_dir(dir);
    make.env("WIT_BINDGEN", format!("{program} wit-bindgen"));
    make.env("COMPONENT_NEW", format!("{program} component-new"));
    run(&mut make)?;
    let component = dir.join(COMPONENT);
    ensure!(component.is_file(), "`make` made no {COMPONENT}: it must be the Makefile's first target");
    Ok(component)
}
