//! C and C++, with make and a compiler: clang with a C library for WASI, or zig, which includes both. The project's
//! Makefile has the flags. This program replaces the two other tools that the Makefile calls.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Language;
use super::toolchain::{Tool, at_least, found, run};

/// Path of the component that the Makefile writes.
const COMPONENT: &str = "build/handler.wasm";

const MAKE: Tool =
    Tool { what: "make", command: &["make", "--version"], accepts: |_| true, install: "apt-get install make" };

/// Compilers of a language, in the order of preference: the compiler that the author names, clang, and zig from any
/// source. Clang comes before zig, because an author's Makefile may have flags that only clang knows.
macro_rules! compilers {
    ($variable:literal, $clang:expr) => {
        &[
            // make passes the variable on.
            Tool {
                what: concat!("the compiler that ", $variable, " names"),
                command: &["sh", "-c", concat!("$", $variable, " --version")],
                accepts: |_| true,
                install: "",
            },
            $clang,
            zig(&[".venv/bin/python-zig", "version"], ""),
            zig(&["zig", "version"], "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1"),
            // Name of zig in an active Python environment.
            zig(&["python-zig", "version"], ""),
        ]
    };
}

const fn zig(command: &'static [&'static str], install: &'static str) -> Tool {
    Tool { what: "zig 0.17 or newer", command, accepts: |said| at_least(said, (0, 17)), install }
}

const C_COMPILERS: &[Tool] = compilers!(
    "CLANG",
    Tool {
        what: "clang 19 with WASI's C library",
        command: &["clang-19", "--target=wasm32-wasi", "-print-file-name=libc.a"],
        accepts: is_file,
        install: "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32",
    }
);

const CPP_COMPILERS: &[Tool] = compilers!(
    "CLANGXX",
    Tool {
        what: "clang++ 19 with WASI's C++ library",
        command: &["clang++-19", "--target=wasm32-wasi", "-print-file-name=libc++.a"],
        accepts: is_file,
        install: "apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 libc++-19-dev-wasm32",
    }
);

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
    prepare: &["python3 -m venv .venv", ".venv/bin/pip install ziglang==0.17.1"],
    tools: &[&[MAKE], C_COMPILERS],
    make: |dir| make(dir, C_COMPILERS),
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
    prepare: &["python3 -m venv .venv", ".venv/bin/pip install ziglang==0.17.1"],
    tools: &[&[MAKE], CPP_COMPILERS],
    make: |dir| make(dir, CPP_COMPILERS),
};

/// Whether clang found the requested file. Otherwise clang prints the bare name.
fn is_file(said: &str) -> bool {
    Path::new(said.trim()).is_absolute() && Path::new(said.trim()).is_file()
}

/// Whether the folder has a Makefile and a file with this ending.
fn has_makefile_and(dir: &Path, end: &str) -> bool {
    let ends_so = |path: PathBuf| path.extension().is_some_and(|found| found == end);
    dir.join("Makefile").is_file()
        && dir.read_dir().is_ok_and(|entries| entries.flatten().any(|entry| ends_so(entry.path())))
}

fn make(dir: &Path, compilers: &[Tool]) -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("this program's own path is not known")?;
    let program = program.to_str().context("this program's own path is not UTF-8")?;
    // Quotes the path for make and then for the shell that make starts.
    let program = format!("'{}' tool", program.replace('\'', r"'\''").replace('$', "$$"));
    let mut make = Command::new("make");
    make.current_dir(dir);
    make.env("WIT_BINDGEN", format!("{program} wit-bindgen"));
    make.env("COMPONENT_NEW", format!("{program} component-new"));
    // Without a value, the Makefile uses clang.
    let compiler = found(compilers, dir).and_then(|tool| tool.command.first());
    if let Some(zig) = compiler.filter(|program| program.ends_with("zig")) {
        for (variable, command) in [("CLANG", "cc"), ("CLANGXX", "c++")] {
            if env::var_os(variable).is_none() {
                make.env(variable, format!("{zig} {command}"));
            }
        }
    }
    run(&mut make)?;
    let component = dir.join(COMPONENT);
    ensure!(component.is_file(), "`make` made no {COMPONENT}: it must be the Makefile's first target");
    Ok(component)
}
