//! `taskcell check`, as an author uses it.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use taskcell_test_support::cli::{Ran, run};
use taskcell_test_support::compose::{component, component_for};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::json_lines;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

static BROKEN: LazyLock<String> = LazyLock::new(|| guest("tests/guests/broken"));
static STOCK: LazyLock<String> = LazyLock::new(|| text(&repository().join("host/cli/assets/stock.wasm")));

fn guest(folder: &str) -> String {
    text(&build_guest(&repository().join(folder)).unwrap())
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn check(arguments: &[&str]) -> Ran {
    run(PROGRAM, &[&["check"], arguments].concat()).unwrap()
}

/// The document, and the kind and the name of each case with this verdict.
fn report(arguments: &[&str], verdict: &str) -> (Value, Vec<(String, String)>) {
    let ran = check(&[arguments, &["--json"]].concat());
    let document = ran.json().unwrap();
    assert_eq!(ran.code, Some(if document["ok"] == true { 0 } else { 1 }), "{ran:?}");
    let cases = ran.cases(verdict).unwrap();
    (document, cases)
}

/// Correct handlers pass, and nothing of them is warned of.
#[test]
fn correct_handlers_pass() {
    let minimal = guest("guest-examples/rust-minimal");
    let everything = repository().join("guest-examples/rust-everything");
    let mut handlers: Vec<Vec<&str>> =
        vec![vec![&STOCK], vec![&BROKEN], vec![&minimal], vec![&minimal, "--tasks", "managed"]];
    handlers.push(vec![&STOCK, "--sampling-tools", "--elicitation", "form"]);
    for arguments in handlers {
        let (document, warned) = report(&arguments, "warned");
        assert_eq!((&document["ok"], &warned[..]), (&json!(true), &[][..]), "{arguments:?}: {document:#}");
    }
    if everything.exists() {
        // It fills in forms without a look at their bounds, of which it is warned.
        let (document, _) = report(&[&guest("guest-examples/rust-everything")], "warned");
        assert_eq!(document["ok"], true, "{document:#}");
    }
}

/// Managed, a handler of one function is checked as one of tasks.
#[test]
fn managed_tasks_are_checked() {
    let (document, _) = report(&[&guest("guest-examples/rust-minimal"), "--tasks", "managed"], "passed");
    let kinds = ["get-task", "get-task-result", "list-tasks", "cancel-task", "augmented-sampling", "sampling"];
    assert_eq!(document["kinds"], json!(kinds));
}

enum Fails {
    /// These cases and no others.
    Cases(&'static [(&'static str, &'static str)]),
    /// Among others of these kinds, these.
    Among(&'static [&'static str], &'static [&'static str]),
}

/// A mistake, what fails of it, and what the report says.
type Mistake = (&'static str, Fails, &'static str);

const SAMPLING: &[&str] = &["sampling", "augmented-sampling"];
const ELICITATION: &[&str] = &["elicitation", "augmented-elicitation"];

#[rustfmt::skip]
const MISTAKES: &[Mistake] = &[
    ("takes the last of no messages", Fails::Cases(&[("augmented-sampling", "no messages"), ("sampling", "no messages")]), "return an rpc-error"),
    ("cuts text between bytes", Fails::Cases(&[("augmented-sampling", "null, accents and emoji"), ("sampling", "null, accents and emoji")]), "return an rpc-error"),
    ("cuts the meta", Fails::Among(SAMPLING, &["progress is wanted", "all optional members", "deep _meta and metadata"]), "CreateMessageResult"),
    ("answers what was not asked", Fails::Cases(&[("augmented-elicitation", "no fields"), ("elicitation", "no fields")]), "as its schema says"),
    ("answers yes to everything", Fails::Among(ELICITATION, &["a text", "a number", "a choice with labels", "every type of field"]), "as its schema says"),
    ("names a page as a root", Fails::Cases(&[("roots", "the roots"), ("roots", "progress is wanted"), ("roots", "deep _meta"), ("roots", "members that nobody knows")]), "`file://`"),
    ("names a path as a root", Fails::Cases(&[("roots", "the roots"), ("roots", "progress is wanted"), ("roots", "deep _meta"), ("roots", "members that nobody knows")]), "`file://`"),
    ("makes an id up", Fails::Among(&["augmented-sampling"], &["a task begins working, and the store knows it", "one text"]), "`tasks.create`"),
    ("forgets to spawn", Fails::Among(&["augmented-elicitation"], &["the work ends the task", "a text"]), "`tasks.spawn`"),
    ("ends a task with something else", Fails::Among(&["augmented-sampling"], &["the work ends the task", "one text"]), "CreateMessageResult"),
    ("shows every task working", Fails::Cases(&[("get-task", "a completed task stays completed"), ("get-task", "a failed task stays failed")]), "`tasks.get`"),
    ("has errors of its own", Fails::Among(&["get-task"], &["an id that no task has", "an empty id"]), "-32602"),
    ("does not wait", Fails::Cases(&[("get-task-result", "the result waits until the task has ended")]), "`tasks.wait-for-result`"),
    ("ignores cursors", Fails::Among(&["list-tasks"], &["all tasks are listed, page by page", "a cursor that was never given"]), "`next-cursor`"),
    ("says cancelled and goes on", Fails::Among(&["cancel-task", "augmented-sampling", "augmented-elicitation"], &["a task at work becomes cancelled", "a completed task cannot be cancelled"]), "`tasks.cancel`"),
];

/// Each mistake fails the cases that are about it, and the report says what to change.
#[test]
fn mistakes_are_found_and_named() {
    for (mistake, fails, fix) in MISTAKES {
        let setting = format!("mistake={mistake}");
        // Nothing is slow here but the work that never ends, which each of its cases waits for.
        let timeout = if *mistake == "forgets to spawn" { "1" } else { "30" };
        let (document, failed) = report(&[&BROKEN, "--set", &setting, "--timeout", timeout], "failed");
        let failed: Vec<_> = failed.iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
        match fails {
            Fails::Cases(cases) => assert_eq!(failed, *cases, "{mistake}"),
            Fails::Among(kinds, names) => {
                assert!(failed.iter().all(|(kind, _)| kinds.contains(kind)), "{mistake}: {failed:?}");
                for name in *names {
                    assert!(failed.iter().any(|(_, failed)| failed == name), "{mistake}: {name} is not in {failed:?}");
                }
            }
        }
        let fixes: Vec<_> =
            document["checks"].as_array().unwrap().iter().filter_map(|case| case["fix"].as_str()).collect();
        assert!(fixes.iter().any(|said| said.contains(fix)), "{mistake}: {fixes:?}");
    }
}

/// What a handler may do and seldom means to is a warning: it passes, and hears of it.
#[test]
fn what_may_be_meant_is_a_warning() {
    let cases = [
        ("refuses everything", vec!["augmented-sampling", "sampling"], "any well-formed request has a result"),
        ("refuses forms", ELICITATION.to_vec(), "any well-formed form has a result"),
        ("refuses pages", ELICITATION.to_vec(), "any well-formed page has a result"),
        ("leaves texts short", ELICITATION.to_vec(), "a text of at least 40 characters"),
        ("answers in pieces", SAMPLING.to_vec(), "one text"),
        ("changes long times", vec!["augmented-sampling", "augmented-elicitation"], "a long ttl is kept"),
    ];
    for (mistake, kinds, name) in cases {
        let (document, warned) = report(&[&BROKEN, "--set", &format!("mistake={mistake}")], "warned");
        assert_eq!(document["ok"], true, "{mistake}");
        for kind in kinds {
            assert!(warned.contains(&(kind.to_owned(), name.to_owned())), "{mistake}: {warned:?}");
        }
    }
}

/// A handler that keeps all forms back passes by its errors, and the report says how many there were.
#[test]
fn errors_of_the_handler_are_counted() {
    let (document, _) = report(&[&BROKEN], "passed");
    assert_eq!(document["errors"], 0, "{document:#}");
    let setting = "mistake=refuses forms";
    let (document, warned) = report(&[&BROKEN, "--set", setting], "warned");
    let names: Vec<_> = warned.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["any well-formed form has a result"; 2]);
    let with_error = document["checks"].as_array().unwrap().iter().filter(|case| case["error"] == true);
    assert_eq!(document["errors"], with_error.count());

    let ran = check(&[&BROKEN, "--set", setting]);
    let line = |begin: &str| ran.stdout.lines().find(|line| line.starts_with(begin)).unwrap().to_owned();
    // The one without an error is the page.
    let forms = line("elicitation            well-formed");
    assert!(forms.ends_with("passed (15 with an error of the handler)"), "{forms}");
    assert!(ran.stdout.contains(" with an error of the handler), 2 warned, 0 failed"), "{ran:?}");
    assert!(!line("roots                  well-formed").contains("error"), "{ran:?}");
}

/// A handler may have times to live of its own, and several pieces where the request has tools.
#[test]
fn what_is_meant_is_no_warning() {
    for arguments in [["--set", "mistake=has times of its own"], ["--elicitation", "form"]] {
        let (document, warned) = report(&[&[&**BROKEN], &arguments[..]].concat(), "warned");
        assert_eq!((&document["ok"], &warned[..]), (&json!(true), &[][..]), "{arguments:?}");
    }
    let (_, warned) = report(&[&BROKEN, "--set", "mistake=answers in pieces", "--sampling-tools"], "warned");
    assert!(warned.iter().all(|(_, name)| name != "tools") && !warned.is_empty(), "{warned:?}");
}

/// Handlers of the reference's 64 combinations, alone and beside the plain kinds: a server on the TypeScript SDK does
/// not ask for what is declared for tasks alone, which `inspect` and `check` say.
#[test]
fn what_servers_will_not_ask_for_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    let (mut handlers, mut expected) = (String::new(), Vec::new());
    for row in json_lines(include_str!("../../data/capability-truth-table.jsonl")).unwrap() {
        let kinds = row["handlers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().replace('_', "-"));
        let kinds: Vec<_> = kinds.collect();
        for plain in [&[][..], &["sampling"], &["elicitation"], &["sampling", "elicitation"]] {
            let exports: Vec<_> = kinds.iter().map(String::as_str).chain(plain.iter().copied()).collect();
            let path = folder.path().join(format!("{}.wasm", expected.len()));
            fs::write(&path, component(&exports, &[]).unwrap()).unwrap();
            handlers.push_str(&format!("[[handler]]\npath = {path:?}\n"));
            let is_unasked =
                |name: &&str| exports.contains(&format!("augmented-{name}").as_str()) && !exports.contains(name);
            expected.push(["sampling", "elicitation"].into_iter().filter(is_unasked).collect::<Vec<_>>());
        }
    }
    assert_eq!(expected.len(), 4 * 64);
    fs::write(&config, handlers).unwrap();
    let inspected = run(PROGRAM, &["inspect", "--json", "--config", config.to_str().unwrap()]).unwrap();
    for (document, kinds) in inspected.json().unwrap().as_array().unwrap().iter().zip(&expected) {
        let warnings = document["warnings"].as_array().unwrap();
        let named = |kind: &&str| format!("tasks.requests.{kind} is declared without {kind}: ");
        assert_eq!(warnings.len(), kinds.len(), "{document:#}");
        for (warning, kind) in warnings.iter().zip(kinds) {
            assert!(warning.as_str().unwrap().starts_with(&named(kind)), "{warning}");
        }
    }

    let file = folder.path().join("alone.wasm");
    fs::write(&file, component(&["augmented-sampling", "get-task", "get-task-result", "background"], &[]).unwrap())
        .unwrap();
    let table = run(PROGRAM, &["inspect", &text(&file)]).unwrap().stdout;
    assert!(table.contains("warning       tasks.requests.sampling is declared without sampling"), "{table}");
    let checked = check(&[&text(&file)]).stdout;
    assert!(checked.contains("warning: augmented-sampling: tasks: servers ask for what is declared"), "{checked}");
}

/// The table says it once, with the request to try it with.
#[test]
fn the_table_says_what_to_fix() {
    let ran = check(&[&BROKEN, "--set", "mistake=takes the last of no messages"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for line in [
        "kinds      get-task, get-task-result, list-tasks,",
        "stand-ins  model, user",
        "sampling               edge         17 of 18 passed",
        "failed: sampling: edge: no messages",
        "  request  sampling/createMessage {\"m",
        "  got      error -32603 the handler trapped",
        "  fix      return an rpc-error",
        "  see      https://modelcontextprotocol.io/specification/2025-11-25/client/sampling, wit/sampling.wit",
        "234 passed, 0 warned, 2 failed",
    ] {
        assert!(ran.stdout.contains(line), "{line:?} is not in {}", ran.stdout);
    }
    let ran = check(&[&BROKEN, "--set", "mistake=makes an id up"]);
    assert_eq!(ran.stdout.matches("a task that is not in the store").count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("  also     several messages; "), "{}", ran.stdout);
}

/// The members of the document, which programs read.
#[test]
fn the_document_has_these_members() {
    let (document, _) = report(&[&BROKEN, "--set", "mistake=does not wait"], "failed");
    let keys = |value: &Value| {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    assert_eq!(keys(&document), "background checks errors failed file kinds ok passed sha256 size standIns warned");
    assert_eq!((&document["failed"], &document["warned"], &document["passed"]), (&json!(1), &json!(0), &json!(235)));
    assert_eq!(document["background"], true);
    assert_eq!(document["standIns"], json!(["model", "user"]));
    let docs = fs::read_to_string(repository().join("docs/check.md")).unwrap();
    for case in document["checks"].as_array().unwrap() {
        assert_eq!(keys(case), "error fix got group kind name printed request see verdict");
        let group = case["group"].as_str().unwrap();
        assert!(docs.contains(&format!("`{group}`")), "docs/check.md does not explain {group}");
        assert_eq!(case["fix"].is_null(), case["verdict"] == "passed", "{case}");
    }
    for key in document.as_object().unwrap().keys().chain(document["checks"][0].as_object().unwrap().keys()) {
        assert!(docs.contains(&format!("`{key}`")), "docs/check.md does not explain {key}");
    }
}

/// A component that cannot be loaded is no result of a check, and neither is a folder without fixtures.
#[test]
fn what_cannot_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        text(&path)
    };
    let newer = file("newer.wasm", &component_for("0.9.0", &["roots"], &[]).unwrap());
    let garbage = file("garbage.wasm", b"garbage");
    let empty = text(folder.path());
    let wrong = folder.path().join("wrong");
    fs::create_dir_all(wrong.join("one")).unwrap();
    fs::write(wrong.join("one/request.json"), "{").unwrap();
    let wrong = text(&wrong);
    let nowhere = format!("{empty}/nowhere");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let no_fixtures = format!("{empty}/empty");
    for (arguments, said) in [
        (vec![garbage.as_str()], "is not a WebAssembly component"),
        (vec![&newer], "this host speaks"),
        (vec![&STOCK, "--fixtures", &nowhere], "nowhere"),
        (vec![&STOCK, "--fixtures", &no_fixtures], "holds no fixture"),
        (vec![&STOCK, "--fixtures", &wrong], "is not JSON"),
    ] {
        let ran = check(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran:?}");
    }
}

/// A configuration says which imports there are and which settings; what is behind them is a stand-in all the same.
#[test]
fn a_configuration_says_what_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    let check = |grants: &str, more: &str| {
        let handler = format!("[[handler]]\npath = {:?}\ngrants = {grants}\n{more}", &**BROKEN);
        fs::write(&config, handler).unwrap();
        check(&[&BROKEN, "--json", "--config", config.to_str().unwrap()])
    };
    let settings = "[handler.config]\nmistake = \"does not wait\"\n[handler.model]\nprovider = \"openai\"\nkey = { env = \"NO_SUCH_KEY\" }\ndefault = \"m\"\n";
    let ran = check("[\"tasks\", \"user\"]", settings);
    assert_eq!((ran.code, &ran.json().unwrap()["failed"]), (Some(1), &json!(1)), "{ran:?}");
    let ran = check("[\"user\"]", settings);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("add \"tasks\" to the grants"), "{ran:?}");
}

fn write_fixture(folder: &Path, name: &str, files: &[(&str, Value)]) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    for (file, value) in files {
        fs::write(folder.join(format!("{file}.json")), value.to_string()).unwrap();
    }
}

/// Fixtures with settings of their own, wildcards, and references to an earlier answer.
#[test]
fn fixtures_are_played() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let prompt = json!({ "messages": [], "maxTokens": 1 });
    let augmented = json!({ "messages": [], "maxTokens": 1, "task": {} });
    let form =
        json!({ "message": "m", "requestedSchema": { "type": "object", "properties": { "a": { "type": "string" } } } });
    let said = |text: &str| json!({ "role": "assistant", "content": { "type": "text", "text": text }, "model": "m" });
    let asks = json!({ "mistake": "asks the model" });
    #[rustfmt::skip]
    let fixtures = [
        ("1-good", vec![("request", ask("sampling/createMessage", prompt.clone())), ("expected", json!({ "result": { "content": { "text": "good", "**": "*" }, "**": "*" } }))]),
        ("2-model", vec![("request", ask("sampling/createMessage", prompt.clone())), ("expected", json!({ "jsonrpc": "2.0", "id": 1, "result": said("of the fixture") })), ("settings", json!({ "config": asks, "model": said("of the fixture") }))]),
        ("3-user", vec![("request", ask("elicitation/create", form.clone())), ("expected", json!({ "result": { "action": "decline" } })), ("settings", json!({ "user": { "action": "decline" } }))]),
        ("4-willing", vec![("request", ask("elicitation/create", form)), ("expected", json!({ "result": { "action": "accept", "content": { "a": "Ada" } } }))]),
        ("5-error", vec![("request", ask("tasks/get", json!({ "taskId": "none" }))), ("expected", json!({ "error": { "code": -32602, "message": "*" } }))]),
        ("6-task", vec![
            ("request", json!([ask("sampling/createMessage", augmented), ask("tasks/result", json!({ "taskId": "$1.result.task.taskId" })), ask("tasks/list", json!({}))])),
            ("expected", json!([
                { "result": { "task": { "taskId": "*", "status": "working", "**": "*" } } },
                { "result": { "content": { "text": "good", "**": "*" }, "_meta": { "io.modelcontextprotocol/related-task": { "taskId": "$1.result.task.taskId" } }, "**": "*" } },
                { "result": { "tasks": [{ "taskId": "$1.result.task.taskId", "status": "completed", "**": "*" }] } },
            ])),
        ]),
    ];
    for (name, files) in &fixtures {
        write_fixture(folder.path(), name, files);
    }
    let fixtures = text(folder.path());
    let (document, failed) = report(&[&BROKEN, "--fixtures", &fixtures], "failed");
    assert_eq!(failed, [], "{document:#}");
    assert_eq!(document["checks"].as_array().unwrap().iter().filter(|case| case["group"] == "fixture").count(), 6);

    write_fixture(
        folder.path(),
        "1-good",
        &[("expected", json!({ "result": { "content": { "type": "text", "text": "bad" }, "role": "assistant" } }))],
    );
    let ran = check(&[&BROKEN, "--fixtures", &fixtures]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for line in [
        "fixtures               fixture      5 of 6 passed",
        "failed: fixtures: fixture: 1-good",
        "  got      result.content.text: expected \"bad\", got \"good\"",
        "           result.model: expected nothing, got \"broken\"",
        "1-good/expected.json",
    ] {
        assert!(ran.stdout.contains(line), "{line:?} is not in {}", ran.stdout);
    }
}
