//! JavaScript and TypeScript, with the `build` script of package.json: componentize-qjs combines the engine QuickJS and
//! the author's modules into a component. For TypeScript, tsc checks the modules first.
//!
//! Both languages use QuickJS, because its components have an eighth of the size of those on SpiderMonkey and compile
//! in a seventh of the time. On QuickJS an unexpected error ends the call, with its stack in the log; on SpiderMonkey
//! the error goes to the server with code 0.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Language;
use super::modules::{missing_export, unknown_import};
use super::toolchain::{Needs, Tool, at_least, need, run};
use super::world::Names;

pub(super) const JAVASCRIPT: Language = Language {
    name: "javascript",
    aliases: &["js"],
    title: "JavaScript",
    is_in: |dir| dir.join("package.json").is_file(),
    known_by: "a package.json",
    files: &[
        ("app.js", include_str!("templates/javascript/app.js")),
        ("engine.js", include_str!("templates/javascript/engine.js")),
        ("jsconfig.json", include_str!("templates/javascript/jsconfig.json")),
        ("taskcell.d.ts", TYPES),
        ("package.json", include_str!("templates/javascript/package.json")),
        ("package-lock.json", include_str!("templates/javascript/package-lock.json")),
        ("README.md", include_str!("templates/javascript/README.md")),
        (".gitignore", include_str!("templates/javascript/gitignore")),
    ],
    parts: &["console"],
    handler: "app.js",
    component: "handler.wasm",
    prepare: &[NPM_CI],
    tools: NODE,
    make: |dir| make("JavaScript", dir),
};

pub(super) const TYPESCRIPT: Language = Language {
    name: "typescript",
    aliases: &["ts"],
    title: "TypeScript",
    is_in: |dir| dir.join("package.json").is_file() && dir.join("tsconfig.json").is_file(),
    known_by: "a package.json with a tsconfig.json",
    files: &[
        ("app.ts", include_str!("templates/typescript/app.ts")),
        ("engine.ts", include_str!("templates/typescript/engine.ts")),
        ("taskcell.d.ts", TYPES),
        ("package.json", include_str!("templates/typescript/package.json")),
        ("package-lock.json", include_str!("templates/typescript/package-lock.json")),
        ("tsconfig.json", include_str!("templates/typescript/tsconfig.json")),
        ("README.md", include_str!("templates/typescript/README.md")),
        (".gitignore", include_str!("templates/typescript/gitignore")),
    ],
    parts: &["console"],
    handler: "app.ts",
    component: "handler.wasm",
    prepare: &[NPM_CI],
    tools: NODE,
    make: |dir| make("TypeScript", dir),
};

/// Types of all interfaces, generated from the WIT.
const TYPES: &str = include_str!("../../../../guest-examples/taskcell.d.ts");

/// Command that installs the packages of package-lock.json.
const NPM_CI: &str = "npm ci";

const NODE: Needs = &[
    &[Tool {
        what: "Node.js 20 or newer",
        command: &["node", "--version"],
        accepts: |said| at_least(said, (20, 0)),
        install: "https://nodejs.org",
    }],
    &[Tool { what: "npm", command: &["npm", "--version"], accepts: |_| true, install: "https://nodejs.org" }],
];

/// Tool that package.json names. A project without packages of its own uses the search path.
const PACKAGES: Tool = Tool {
    what: "the packages of package.json",
    command: &["componentize-qjs", "--help"],
    accepts: |_| true,
    install: NPM_CI,
};

fn make(title: &str, dir: &Path) -> anyhow::Result<PathBuf> {
    if !dir.join("node_modules").is_dir() {
        need(title, &[&[PACKAGES]], dir)?;
    }
    let file = dir.join("package.json");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let package: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let component = component(&package).with_context(|| {
        format!("{} has no script `build` that says by `--output FILE` where the component goes", file.display())
    })?;
    let built = run(Command::new("npm").args(["run", "build"]).current_dir(dir));
    if let Some(wrong) = wrong_modules(dir, &package, built.is_ok()) {
        bail!("{wrong}");
    }
    built?;
    Ok(dir.join(component))
}

/// Returns the first import or export of the project's modules that its world does not have. The script `build` names
/// the modules and the world.
fn wrong_modules(dir: &Path, package: &Value, is_built: bool) -> Option<String> {
    let (entry, wit) = (option(package, &["-j", "--js"])?, option(package, &["-w", "--wit"])?);
    // The tool has reported faults of the WIT already.
    let world = Names::read(&dir.join(wit), option(package, &["-n", "--world"])).ok()?;
    if is_built { missing_export(dir, entry, &world) } else { unknown_import(dir, entry, &world) }
}

/// Returns the path of the component that the script `build` writes.
fn component(package: &Value) -> Option<&str> {
    option(package, &["-o", "--output", "--out"])
}

/// Returns the value of one of these options in the script `build`.
fn option<'a>(package: &'a Value, names: &[&str]) -> Option<&'a str> {
    let script = package.get("scripts")?.get("build")?.as_str()?;
    script.split_whitespace().skip_while(|word| !names.contains(word)).nth(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::component;

    #[test]
    fn the_build_script_says_where_the_component_goes() {
        for (script, expected) in [
            ("componentize-qjs --wit wit --js app.js --output a.wasm", Some("a.wasm")),
            ("tsc && componentize-qjs -o out/b.wasm --js app.js", Some("out/b.wasm")),
            ("tsc", None),
            ("tsc --output", None),
        ] {
            assert_eq!(component(&json!({ "scripts": { "build": script } })), expected, "{script}");
        }
        assert_eq!(component(&json!({ "scripts": [] })), None);
    }
}
