//! `taskcell new` and `taskcell build` in Python, JavaScript and TypeScript: what is written builds and passes
//! `taskcell check`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use taskcell_test_support::cli;
use taskcell_test_support::provision::{language_skipped, node_tools, python_tools};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

fn tools(language: &str) -> PathBuf {
    if language == "python" { python_tools().unwrap() } else { node_tools().unwrap() }
}

/// The search path with a folder before the others.
fn path(first: &Path) -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths([first.to_path_buf()].into_iter().chain(env::split_paths(&others))).unwrap()
}

fn taskcell(path: &OsString, arguments: &[&str]) -> Output {
    cli::command(PROGRAM).args(arguments).env("PATH", path).output().unwrap()
}

fn well(output: &Output) -> String {
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{log}", output.status);
    said.into_owned()
}

fn written(language: &str, kinds: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("handler").to_str().unwrap().to_owned();
    well(&taskcell(&env::var_os("PATH").unwrap(), &["new", &project, "--lang", language, "--kinds", kinds]));
    (folder, project)
}

fn change(project: &str, file: &str, from: &str, to: &str) {
    let file = Path::new(project).join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

fn builds_and_passes(language: &str, kinds: &str) {
    if language_skipped(language, "new") {
        return;
    }
    let (_folder, project) = written(language, kinds);
    let path = path(&tools(language));
    let said = well(&taskcell(&path, &["build", &project]));
    assert!(said.contains("handler.wasm: "), "{said}");
    let (component, fixtures) = (format!("{project}/handler.wasm"), format!("{project}/fixtures"));
    well(&taskcell(&path, &["check", &component, "--fixtures", &fixtures]));
}

#[test]
fn python_builds_and_passes() {
    builds_and_passes("python", "all");
}

#[test]
fn javascript_builds_and_passes() {
    builds_and_passes("javascript", "sampling");
    builds_and_passes("javascript", "all");
}

#[test]
fn typescript_builds_and_passes() {
    builds_and_passes("typescript", "roots");
    builds_and_passes("typescript", "all");
}

/// What the modules lack that the world exports, or import that it does not, is said by the build and not by a trap.
#[test]
fn modules_are_held_against_the_world() {
    // The language; what is done to a file of the project; what the last line says.
    let table = [
        ("javascript", "app.js", "export const roots", "const roots", "app.js has no export `roots`"),
        ("javascript", "app.js", "export const roots", "export const root", "did you mean its export `root`?"),
        (
            "javascript",
            "app.js",
            "import \"./engine.js\";",
            "import \"./engine.js\";\nimport * as user from \"taskcell:handlers/user@0.1.0\";",
            "app.js:4: imports taskcell:handlers/user@0.1.0, which the world in wit does not import: add `import taskcell",
        ),
        (
            "javascript",
            "engine.js",
            "wasi:cli/stderr@0.2.6",
            "wasi:cli/stderr@0.2.0",
            "engine.js:3: imports wasi:cli/stderr@0.2.0, which the world in wit has as wasi:cli/stderr@0.2.6",
        ),
        ("typescript", "app.ts", "export const roots", "const roots", "build/app.js has no export `roots`"),
    ];
    for (language, file, from, to, said) in table {
        if language_skipped(language, "modules") {
            continue;
        }
        let (_folder, project) = written(language, "roots");
        change(&project, file, from, to);
        let output = taskcell(&path(&tools(language)), &["build", &project]);
        let log = String::from_utf8_lossy(&output.stderr);
        let last = log.lines().last().unwrap();
        assert!(output.status.code() == Some(2) && last.contains(said), "{language}: no {said:?} in {log}");
    }
}

/// `console` writes to the log, whatever it is given.
#[test]
fn javascript_has_a_console() {
    let calls = r#"console.log("text", 1, true, null, undefined, [1, "a"], { b: 2 }); console.warn(new Error("why"));
        const ring = {}; ring.ring = ring; console.error(ring, 10n, () => 1); console.info(); console.debug("\u{1f469} é");
        console.info("x".repeat(5000) + "end");"#;
    for (language, file) in [("javascript", "app.js"), ("typescript", "app.ts")] {
        if language_skipped(language, "console") {
            continue;
        }
        let (_folder, project) = written(language, "roots");
        let calls =
            calls.replace("const ring", if language == "typescript" { "const ring: any" } else { "const ring" });
        // What was the body is that of another function.
        let code = format!(
            "handle: (context) => {{\n{calls}\nreturn {{ roots: [] }};\n}},\n}};\nexport const other = {{\n  handle: () => ("
        );
        change(&project, file, "handle: (context) => (", &code);
        let path = path(&tools(language));
        well(&taskcell(&path, &["build", &project]));
        let component = format!("{project}/handler.wasm");
        let ran = taskcell(&path, &["-v", "call", "--handler", &component, "roots/list"]);
        let log = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(well(&ran).contains("\"roots\": []"), "{log}");
        for line in [
            r#"text 1 true null undefined [1,"a"] {"b":2}"#,
            "Error: why",
            "[object Object] 10 () => 1",
            "\u{1f469} é",
            &"x".repeat(900),
        ] {
            assert!(log.contains(&format!("guest prints: {line}")), "{language}: no {line} in {log}");
        }
    }
}

/// A handler whose work lies behind a setting: without the setting the check says that it has seen errors alone, and
/// with it, by a flag or a configuration, it finds what is wrong behind.
#[test]
fn build_checks_what_a_setting_opens() {
    if language_skipped("javascript", "settings") {
        return;
    }
    let (_folder, project) = written("javascript", "elicitation");
    change(&project, "wit/world.wit", "// import wasi:config", "import wasi:config");
    let import = "import \"./engine.js\";\nimport { get } from \"wasi:config/store@0.2.0-rc.1\";";
    change(&project, "app.js", "import \"./engine.js\";", import);
    let code = r#"if (request.tag === "url") return { action: { tag: "decline" } };
        if (get("profile") == null) throw { code: -1, message: "no profile was configured" };
        const extra = { name: "nobody asked", value: { tag: "boolean", val: true } };
        return { action: { tag: "accept", val: [extra] } };"#;
    change(&project, "app.js", "return { action: { tag: \"decline\" } };", code);
    let path = path(&tools("javascript"));
    let built = taskcell(&path, &["build", &project]);
    let (said, log) = (well(&built), String::from_utf8_lossy(&built.stderr));
    assert!(said.contains(" with an error of the handler), 1 warned, 0 failed"), "{said}");
    assert!(log.contains("any well-formed form has a result") && log.contains("no profile was configured"), "{log}");

    let config = format!("{project}/taskcell.toml");
    let handler = "[[handler]]\npath = \"handler.wasm\"\n[handler.config]\nprofile = \"ada\"\n";
    fs::write(&config, handler).unwrap();
    for given in [["--set", "profile=ada"], ["--config", &config]] {
        let built = taskcell(&path, &[&["build", project.as_str()], &given[..]].concat());
        let (said, log) = (well(&built), String::from_utf8_lossy(&built.stderr));
        assert!(!said.contains(" 0 failed") && !said.contains("with an error"), "{said}");
        assert!(log.contains("failed: elicitation: ") && log.contains("as its schema says"), "{log}");
    }
}

/// What an exception says stands once under the check of `build`, and under the answer of `call`.
#[test]
fn an_exception_says_why() {
    if language_skipped("javascript", "exception") {
        return;
    }
    let (_folder, project) = written("javascript", "sampling");
    change(
        &project,
        "app.js",
        "handle: (context, request) => answer(request)",
        "handle() { throw new Error(\"boom\"); }",
    );
    let path = path(&tools("javascript"));
    let built = taskcell(&path, &["build", &project]);
    let (said, log) = (well(&built), String::from_utf8_lossy(&built.stderr));
    assert!(said.contains("27 failed"), "{said}");
    assert_eq!(log.matches("boom").count(), 1, "{log}");
    assert!(log.contains("  printed  ") && !log.contains("WARN"), "{log}");

    let component = format!("{project}/handler.wasm");
    let checked = taskcell(&path, &["check", "--json", &component]);
    let document: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let trapped = document["checks"].as_array().unwrap().iter().filter(|case| case["verdict"] == "failed");
    for case in trapped {
        let words: Vec<_> = case["printed"].as_array().unwrap().iter().filter_map(|line| line.as_str()).collect();
        assert!(words.iter().any(|line| line.contains("boom")), "{case:#}");
    }
    assert_eq!(String::from_utf8_lossy(&checked.stderr), "", "the report says it all");

    let prompt = r#"{"messages":[],"maxTokens":1}"#;
    let called = taskcell(&path, &["call", "--handler", &component, "sampling/createMessage", prompt]);
    let (said, log) = (String::from_utf8_lossy(&called.stdout), String::from_utf8_lossy(&called.stderr));
    assert!(log.lines().any(|line| line.starts_with("printed ") && line.contains("boom")), "{log}");
    assert!(said.contains("\"trap\"") && !said.contains("boom"), "{said}");
}

/// Numbers of 2^31 and more: unchanged, and by the helpers, they are right; as positive numbers the check finds them.
#[test]
fn large_numbers_reach_the_host() {
    for (language, file) in [("javascript", "app.js"), ("typescript", "app.ts")] {
        if language_skipped(language, "numbers") {
            continue;
        }
        for (ttl, warned) in [("toU32(fromU32(metadata.ttl))", false), ("metadata.ttl >>> 0", true)] {
            let (_folder, project) = written(language, "augmented-sampling,sampling,get-task,get-task-result");
            change(&project, file, "import \"./engine.js\"", "import { fromU32, toU32 } from \"./engine.js\"");
            let ttl =
                if language == "typescript" { ttl.replace("metadata.ttl", "metadata.ttl!") } else { ttl.to_owned() };
            change(&project, file, "tasks.create(metadata, {})", &format!("tasks.create({{ ttl: {ttl} }}, {{}})"));
            let output = taskcell(&path(&tools(language)), &["build", &project]);
            let (said, log) = (well(&output), String::from_utf8_lossy(&output.stderr));
            assert!(
                said.contains(if warned { "1 warned, 0 failed" } else { "0 warned, 0 failed" }),
                "{language}: {said}{log}"
            );
            let told = log.contains("a ttl of 2147483647 ms where 2147483648 was asked for");
            assert_eq!(told, warned, "{language}: {log}");
        }
    }
}

/// What is missing is named, with the command that installs it; what the tool says of the author's file is shown.
#[test]
fn errors_say_what_to_do() {
    // The language; what is done to the file; what is said, with the tools and without.
    let table = [
        (
            "python",
            ("app.py", "exports.Sampling", "exports.Sampler"),
            "has no attribute 'Sampler'",
            "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt",
        ),
        ("javascript", ("app.js", "handle: (", "handle: (("), "/app.js:", "npm ci"),
        ("typescript", ("app.ts", "model: \"fixed\",", ""), "app.ts(", "npm ci"),
        ("javascript", ("package.json", "--output handler.wasm", ""), "--output FILE", "npm ci"),
    ];
    for (language, (file, from, to), said, install) in table {
        if language_skipped(language, "errors") {
            continue;
        }
        let (_folder, project) = written(language, "sampling");
        change(&project, file, from, to);
        for (path, said) in [(path(&tools(language)), said), (env::var_os("PATH").unwrap(), install)] {
            let output = taskcell(&path, &["build", &project]);
            let log = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && log.contains(said), "{language}: no {said:?} in {log}");
        }
    }
}
