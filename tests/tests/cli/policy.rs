//! The handlers of `taskcell.toml`: what each may reach, what is said of it, and what nobody is told.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::compose::component;
use taskcell_test_support::guests::build_guest_for;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const VARIABLE: &str = "TASKCELL_TEST_KEY";
const SECRET: &str = "correct-horse-battery-staple";

fn stock() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/cli/assets/stock.wasm").canonicalize().unwrap()
}

/// A guest that tells what it was given.
fn clocks_and_random() -> PathBuf {
    build_guest_for(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/clocks_and_random"), "wasm32-wasip2").unwrap()
}

/// A configuration in a folder of its own. A `HANDLER` in it becomes the path of the component.
fn configuration(text: &str, handler: &Path) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taskcell.toml");
    fs::write(&file, text.replace("HANDLER", handler.to_str().unwrap())).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

/// Runs the program with the secret in the environment.
fn run(arguments: &[&str]) -> Ran {
    let output = cli::command(PROGRAM).env(VARIABLE, SECRET).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(2), "", 1), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
    }
}

fn sha256(file: &Path) -> String {
    Sha256::digest(fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The facts that the guest `clocks_and_random` answers with, under a configuration.
fn told(text: &str, guest: &Path) -> Value {
    let (_folder, config) = configuration(text, guest);
    let answer = run(&["call", "--config", &config, "roots/list"]).json().unwrap();
    let roots = answer["result"]["roots"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let fact = |root: &Value| (root["name"].as_str().unwrap().to_owned(), root["uri"].clone());
    roots.iter().map(fact).collect()
}

/// The handlers of the file answer, each found from the file's folder; those of the command line take their place.
#[test]
fn the_handlers_of_the_file_answer() {
    let (folder, config) =
        configuration("[[handler]]\npath = 'it.wasm'\ngrants = ['tasks', 'progress']\nconfig = {}", &stock());
    fs::copy(stock(), folder.path().join("it.wasm")).unwrap();
    let params = r#"{"messages":[],"maxTokens":1}"#;
    let answer = |options: &[&str]| {
        run(&[&["-v", "call", "--config", &config], options, &["sampling/createMessage", params]].concat())
    };
    assert_eq!(answer(&[]).code, Some(0));
    // A component of no kind: its default is the answer, and the file's handler has none.
    let other = folder.path().join("other.wasm");
    fs::write(&other, component(&["roots"], &[]).unwrap()).unwrap();
    let ran = answer(&["--handler", other.to_str().unwrap()]);
    assert_eq!(ran.json().unwrap()["error"]["message"], "Sampling not supported");
    assert!(ran.stderr.contains("in place of those of the configuration"), "{ran:?}");
    for flag in [["--grant", "tasks"], ["--set", "a=b"]] {
        refused(&answer(&flag), &["--grant and --set are for the handlers of --handler", "taskcell.toml:1:"]);
    }
}

/// The file's settings: a text, a secret, a file.
#[test]
fn settings_reach_the_handler() {
    let script = r#"{"roots":[{"uri":"file:///from-a-setting"}]}"#;
    let grants = "[[handler]]\npath = 'HANDLER'\ngrants = ['tasks', 'progress']\n[handler.config]\n";
    let origins = [
        format!("script = '{script}'"),
        "script = { file = 'script.json' }".to_owned(),
        format!("script = {{ env = '{VARIABLE}' }}"),
    ];
    for origin in origins {
        let (folder, config) = configuration(&format!("{grants}{origin}"), &stock());
        fs::write(folder.path().join("script.json"), script).unwrap();
        let mut command = cli::command(PROGRAM);
        let output = command.env(VARIABLE, script).args(["call", "--config", &config, "roots/list"]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["result"]["roots"][0]["uri"], "file:///from-a-setting", "{origin}: {answer}");
    }
}

/// What is not granted is refused when the handler is loaded, whatever else is granted, with the line that would allow
/// it, and nothing in the handler can change that.
#[test]
fn what_is_not_granted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = "wasi:config/store@0.2.0-rc.1";
    #[rustfmt::skip]
    let table = [
        ("tasks",    "",                                 "`tasks` would allow it; add grants = [\"tasks\"] to the handler at ", ":1:1"),
        ("tasks",    "grants = ['progress']\nconfig={}", "`tasks` would allow it; add \"tasks\" to the grants at ",             ":3:10"),
        ("progress", "\ngrants = ['tasks']",             "`progress` would allow it; add \"progress\" to the grants at ",       ":4:10"),
        (config,     "grants = ['tasks']",               "`config` would allow it; add a table [handler.config] to the handler at ", ":1:1"),
        ("model",    "grants = ['tasks']",               "`model` would allow it; add a table [handler.model] to the handler at ", ":1:1"),
        ("user",     "",                                 "`user` would allow it; add grants = [\"user\"] to the handler at ",   ":1:1"),
    ];
    for (import, lines, remedy, place) in table {
        let wasm = folder.path().join("it.wasm");
        fs::write(&wasm, component(&["roots"], &[import]).unwrap()).unwrap();
        let (_folder, config) = configuration(&format!("[[handler]]\npath = 'HANDLER'\n{lines}"), &wasm);
        let ran = run(&["call", "--config", &config, "roots/list"]);
        refused(&ran, &["not granted", remedy, &format!("{config}{place}")]);
        // The same, said before anything runs.
        let inspected = run(&["inspect", "--config", &config]);
        let said = remedy.split_once("; ").unwrap().1;
        assert!(inspected.stdout.contains(&format!("refused: {said}{config}{place}")), "{inspected:?}");
    }
}

/// What the program has not got is not granted, even where the file says so.
#[test]
fn what_is_not_there_cannot_be_granted() {
    let table = [("model", "taskcell.toml:3:11: model is granted by a table [handler.model]"), ("user", "terminal")];
    for (grant, why) in table {
        let (_folder, config) =
            configuration(&format!("[[handler]]\npath = 'HANDLER'\ngrants = ['{grant}']"), &stock());
        refused(&run(&["call", "--config", &config, "roots/list"]), &[why]);
    }
}

/// A component that is not the one that was meant is not even compiled.
#[test]
fn another_digest_is_refused() {
    let found = sha256(&stock());
    let text = |digest: &str| {
        format!("[[handler]]\npath = 'HANDLER'\nsha256 = '{digest}'\ngrants = ['tasks', 'progress', 'config']")
    };
    for digest in [found.clone(), found.to_uppercase()] {
        let (_folder, config) = configuration(&text(&digest), &stock());
        assert_eq!(run(&["call", "--config", &config, "roots/list"]).code, Some(0));
    }
    let wanted = "0".repeat(64);
    let (folder, config) = configuration(&text(&wanted), &stock());
    let cache = folder.path().join("cache");
    for command in [&["call", "roots/list"] as &[_], &["inspect"], &["inspect", stock().to_str().unwrap()]] {
        let ran = run(&[command, &["--config", &config, "--cache", cache.to_str().unwrap()]].concat());
        refused(&ran, &["taskcell.toml:3:10: ", "stock.wasm", &found, &wanted]);
    }
    let compiled = fs::read_dir(&cache).map_or(0, Iterator::count);
    assert_eq!(compiled, 0, "something was compiled");
}

/// A setting that cannot be had, and a component that is not there.
#[test]
fn what_is_missing_is_named() {
    let handler = "[[handler]]\npath = 'HANDLER'\n[handler.config]\n";
    let table = [
        ("key = { env = 'TASKCELL_NOT_SET' }", ":4:7: ", "variable TASKCELL_NOT_SET"),
        ("key = { file = 'none.json' }", ":4:7: ", "none.json cannot be read"),
    ];
    for (line, place, words) in table {
        let (_folder, config) = configuration(&format!("{handler}{line}"), &stock());
        refused(&run(&["call", "--config", &config, "ping"]), &[&format!("{config}{place}"), "key", words]);
        // Nothing of it is needed to look.
        assert_eq!(run(&["inspect", "--config", &config]).code, Some(0));
    }
    let (_folder, config) = configuration("\n[[handler]]\npath = 'none.wasm'", &stock());
    refused(&run(&["call", "--config", &config, "ping"]), &["taskcell.toml:2:1", "none.wasm", "cannot be read"]);
    let not_there = configuration("tasks = 'own'", &stock());
    refused(&run(&["inspect", "--config", &not_there.1]), &["name a component", "[[handler]]"]);
}

/// What `inspect` says of each import: the line that grants it, or the line that would.
#[test]
fn inspect_names_the_line() {
    let text = "[[handler]]\npath = 'HANDLER'\ngrants = [\n  'tasks',\n]\n[handler.config]\nplain = 'value'\n\
                key = { env = 'TASKCELL_TEST_KEY' }\nscript = { file = 'script.json' }\n";
    let (folder, config) = configuration(text, &stock());
    let documents = run(&["inspect", "--json", "--config", &config]).json().unwrap();
    let document = &documents[0];
    assert_eq!(documents.as_array().unwrap().len(), 1);
    let said = |grant: &str| {
        let imports = document["imports"].as_array().unwrap().iter();
        let import = imports.clone().find(|import| import["grant"] == grant).unwrap();
        (import["granted"].clone(), import["refused"].clone())
    };
    assert_eq!(said("tasks"), (json!(format!("{config}:4:3")), Value::Null));
    assert_eq!(said("config"), (json!(format!("{config}:6:1")), Value::Null));
    assert_eq!(said("progress"), (Value::Null, json!(format!("add \"progress\" to the grants at {config}:3:10"))));
    let settings = json!({
        "plain": format!("text at {config}:7:9"),
        "key": format!("secret from the environment variable {VARIABLE} at {config}:8:7"),
        "script": format!("file {} at {config}:9:10", folder.path().join("script.json").display()),
    });
    assert_eq!(document["settings"], settings);

    // For people, and for one component, however its path is written.
    let ran = run(&[
        "inspect",
        "--config",
        &config,
        stock().parent().unwrap().join("../assets/stock.wasm").to_str().unwrap(),
    ]);
    for words in [&format!("grant tasks granted: {config}:4:3") as &str, "grant progress refused: add"] {
        assert!(ran.stdout.contains(words), "{words} is not in {ran:?}");
    }
    // A component that the file does not name has nothing of it.
    let other = folder.path().join("other.wasm");
    fs::copy(stock(), &other).unwrap();
    let ran = run(&["inspect", "--json", "--config", &config, other.to_str().unwrap()]);
    let imports = ran.json().unwrap()["imports"].as_array().unwrap().clone();
    let granted = imports.iter().filter(|import| !import["grant"].is_null());
    let refused = "no [[handler]] of the configuration has this path";
    assert!(granted.clone().count() >= 3 && granted.clone().all(|import| import["refused"] == refused), "{imports:?}");
}

/// A secret reaches its handler and nobody else: no output of the program has it, nor does the server.
#[test]
fn a_secret_is_never_shown() {
    let text = format!(
        "[[handler]]\npath = 'HANDLER'\ngrants = ['tasks', 'progress']\n[handler.config]\nkey = {{ env = '{VARIABLE}' }}"
    );
    let no_secret = |what: &str, text: &str| assert!(!text.contains(SECRET), "{what}: {text}");
    let (folder, guest_config) = configuration(&text, &clocks_and_random());
    let (_stock_folder, stock_config) = configuration(&text, &stock());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (audit, environment) = (path("audit.jsonl"), path("environment"));
    let auditing = ["--audit", &audit, "--audit-payloads"];
    // A handler that prints what it was given.
    let ran = run(&["-vv", "call", "--config", &guest_config, "roots/list"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("key is [secret], by itself"), "{ran:?}");
    no_secret("call", &format!("{ran:?}"));
    // A server, which sees the environment.
    let server = format!("env > {environment}; exec \"$0\" demo-server");
    for (config, tool) in [(&guest_config, "roots"), (&stock_config, "sample_as_task")] {
        let run_it = ["-vv", "run", "--config", config, "--tool", tool];
        let ran = run(&[&run_it, &auditing[..], &["--", "sh", "-c", &server, PROGRAM]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        no_secret("run", &format!("{ran:?}"));
        let seen = fs::read_to_string(&environment).unwrap();
        assert!(seen.contains("PATH=") && !seen.contains(VARIABLE), "{seen}");
        no_secret("the server", &seen);
    }
    let audit = fs::read_to_string(&audit).unwrap();
    assert!(audit.contains("sampling/createMessage"), "{audit}");
    no_secret("the audit log", &audit);
    // What only looks, and what goes wrong.
    let not_granted = configuration(&text.replace("'tasks', ", ""), &stock());
    let wrong = configuration(&text.replace(VARIABLE, SECRET), &stock());
    for config in [&guest_config, &stock_config, &not_granted.1, &wrong.1] {
        no_secret("inspect", &format!("{:?}", run(&["-vv", "inspect", "--config", config])));
        no_secret("inspect --json", &format!("{:?}", run(&["-vv", "inspect", "--json", "--config", config])));
        no_secret("an error", &format!("{:?}", run(&["-vv", "call", "--config", config, "no/such/method"])));
    }
    refused(&run(&["call", "--config", &wrong.1, "ping"]), &[":5:7: ", "`env` takes the name", "not shown"]);
}

/// Fixed clocks and random numbers are the same in each cell, and others without.
#[test]
fn a_run_can_be_repeated() {
    let guest = clocks_and_random();
    let text = |rest: &str| format!("[[handler]]\npath = 'HANDLER'\ngrants = ['config']\n{rest}");
    let fixed = |seed| text(&format!("clocks = {{ now = '2026-01-01T00:00:00.5Z' }}\nrandom = {{ seed = {seed} }}"));
    let [first, again, other] = [7, 7, 8].map(|seed| told(&fixed(seed), &guest));
    assert_eq!(first, again);
    assert_eq!(first["wall-clock"], "file:///1767225600500000000");
    assert_eq!(first["between-two-instants"], "file:///1000000");
    let random = ["random", "random-number", "insecure", "insecure-seed"];
    for name in random {
        assert_ne!(first[name], other[name], "{name}");
    }
    assert_ne!(first["random"], first["insecure"]);

    // Real is the default, and each can be had alone.
    let real = "clocks = 'real'\nrandom = 'real'";
    for rest in ["", real, "[handler.clocks]\nnow = '2026-01-01T00:00:00Z'", "[handler.random]\nseed = 0"] {
        let (one, other) = (told(&text(rest), &guest), told(&text(rest), &guest));
        assert_eq!(one["wall-clock"] == other["wall-clock"], rest.contains("now"), "{rest}: {one} {other}");
        for name in random {
            assert_eq!(one[name] == other[name], rest.contains("seed"), "{rest}: {name}: {one} {other}");
        }
    }
}
