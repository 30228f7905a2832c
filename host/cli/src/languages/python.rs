//! Python, with componentize-py: the author's module, the interpreter and the imported modules become one component.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::Language;
use super::toolchain::{Tool, at_least, need, run};

pub(super) const PYTHON: Language = Language {
    name: "python",
    aliases: &["py"],
    title: "Python",
    is_in: |dir| dir.join("app.py").is_file(),
    known_by: "an app.py",
    files: &[
        ("app.py", include_str!("templates/python/app.py")),
        ("requirements.txt", include_str!("../../../../guest-examples/python-minimal/requirements.txt")),
        ("README.md", include_str!("templates/python/README.md")),
        (".gitignore", include_str!("templates/python/gitignore")),
    ],
    parts: &[],
    handler: "app.py",
    component: "handler.wasm",
    prepare: &[VENV, PIP],
    tools: &[],
    make,
};

/// Command that creates the project's own environment.
const VENV: &str = "python3 -m venv .venv";
/// Command that installs the packages of requirements.txt into the project's environment.
const PIP: &str = ".venv/bin/pip install --require-hashes -r requirements.txt";

/// Tool in the project's own environment, at the path of the README.
const IN_PROJECT: Tool = tool(&[".venv/bin/componentize-py", "--version"]);
/// Tool in an active environment or on the machine.
const IN_PATH: Tool = tool(&["componentize-py", "--version"]);

const fn tool(command: &'static [&'static str]) -> Tool {
    Tool {
        what: "componentize-py 0.25 or newer",
        command,
        accepts: |said| at_least(said, (0, 25)),
        install: "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt",
    }
}

fn make(dir: &Path) -> anyhow::Result<PathBuf> {
    let own = dir.join(".venv/bin/componentize-py");
    let (program, tool) = if own.is_file() { (own, IN_PROJECT) } else { ("componentize-py".into(), IN_PATH) };
    need("Python", &[&[tool]], dir)?;
    ensure!(
        dir.join("wit").is_dir(),
        "{} holds no folder wit with the world of the handler: where the WIT is elsewhere, build with componentize-py itself",
        dir.display()
    );
    let component = "handler.wasm";
    // The folder wit has one package with one world.
    run(Command::new(program).args(["-d", "wit", "componentize", "app", "-o", component]).current_dir(dir))?;
    Ok(dir.join(component))
}
