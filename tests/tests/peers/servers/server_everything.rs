//! `@modelcontextprotocol/server-everything`, with the tools that it has.
//!
//! Two things it cannot drive. It never sends `tasks/list` nor `tasks/cancel`. And its tasks live for minutes, whatever
//! the tool is told, while the tool ends when the task does: none expires in its sight. The servers of `sdk.rs` do
//! these.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_test_support::cli::run;
use taskcell_test_support::http_server::HttpServer;
use taskcell_test_support::provision::{node_peers, peers_skipped};

use super::{Called, Mode, PROGRAM, call, call_with_store};

/// A call: tool, its arguments, the script, what the tool's text must hold, and kinds that must have answered.
type Row = (&'static str, Value, Value, &'static [&'static str], &'static [&'static str]);

/// Between two looks into the store.
const POLL: Duration = Duration::from_millis(20);

const SAMPLING_TASK: &[&str] = &["augmented-sampling", "get-task", "get-task-result"];
const ELICITATION_TASK: &[&str] = &["augmented-elicitation", "get-task", "get-task-result"];

fn rows() -> Vec<Row> {
    let prompt = || json!({ "prompt": "hello", "maxTokens": 20 });
    let page = json!({ "url": "https://example.com/sign-in", "message": "Sign in" });
    let required = json!({ "url": "https://example.com/sign-in", "message": "Sign in", "errorPath": true });
    let sampling = |rule: Value| json!({ "sampling": [rule] });
    let elicitation = |rule: Value| json!({ "elicitation": [rule] });
    let error = json!({ "error": { "code": -7, "message": "It broke" } });
    #[rustfmt::skip]
    let rows = vec![
        ("trigger-sampling-request", prompt(), json!({}), &["Scripted answer to: Resource trigger-sampling-request context: hello"] as &[_], &["sampling"] as &[_]),
        ("trigger-elicitation-request", json!({}), json!({}), &["User provided the requested information"], &["elicitation"]),
        ("trigger-url-elicitation", page, json!({}), &["accept"], &["elicitation"]),
        // The call is refused until the page is visited (-32042), and made again.
        ("trigger-url-elicitation", required, json!({}), &["accept"], &["elicitation"]),
        ("get-roots-list", json!({}), json!({}), &["file:///workspace"], &["roots"]),
        ("trigger-sampling-request-async", prompt(), json!({}), &["[COMPLETED]", "Scripted answer to"], SAMPLING_TASK),
        ("trigger-elicitation-request-async", json!({}), json!({}), &["[COMPLETED]", "- Name: Ada"], ELICITATION_TASK),
        // A status that is not `completed` is shown, and no result asked for.
        ("trigger-sampling-request-async", prompt(), sampling(error.clone()), &["[FAILED] It broke", ": failed - It broke"], &["augmented-sampling", "get-task"]),
        ("trigger-elicitation-request-async", json!({}), elicitation(error), &["[FAILED] It broke", ": failed - It broke"], &["augmented-elicitation", "get-task"]),
        // A user who goes away is a result like any other: the task itself is completed.
        ("trigger-elicitation-request-async", json!({}), elicitation(json!({ "action": "decline" })), &["[DECLINED]", ": completed"], ELICITATION_TASK),
        ("trigger-elicitation-request-async", json!({}), elicitation(json!({ "action": "cancel" })), &["[CANCELLED]", ": completed"], ELICITATION_TASK),
    ];
    rows
}

/// How to start the server, where it is installed, with one of its transports.
fn server_over(folder: &Path, transport: &str) -> Vec<String> {
    let script = folder.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    ["node".to_owned(), script.display().to_string(), transport.to_owned()].into()
}

fn server(folder: &Path) -> Vec<String> {
    server_over(folder, "stdio")
}

fn check(mode: Mode, server: &[String], row: &Row) {
    let (tool, arguments, script, _, kinds) = row;
    if mode == Mode::OwnHandlers || !kinds.contains(&"roots") {
        check_called(mode, &call(mode, server, script, tool, arguments), row);
    }
}

fn check_called(mode: Mode, called: &Called, (tool, _, script, holds, kinds): &Row) {
    assert_eq!(called.code, Some(0), "{mode:?} {tool} {script}: {}", called.text);
    for part in *holds {
        assert!(called.text.contains(part), "{mode:?} {tool} {script}: {part:?} is not in {:?}", called.text);
    }
    for kind in *kinds {
        let asked = called.kinds.iter().any(|asked| asked == kind);
        assert!(asked, "{mode:?} {tool} {script}: no {kind} in {:?}", called.kinds);
    }
}

#[test]
fn everything_with_own_handlers() {
    if peers_skipped("everything_with_own_handlers") {
        return;
    }
    let server = server(&node_peers().unwrap());
    rows().iter().for_each(|row| check(Mode::OwnHandlers, &server, row));
}

#[test]
fn everything_managed() {
    if peers_skipped("everything_managed") {
        return;
    }
    let server = server(&node_peers().unwrap());
    rows().iter().for_each(|row| check(Mode::Managed, &server, row));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_http() {
    if peers_skipped("everything_over_http") {
        return;
    }
    let server = HttpServer::start(&server_over(&node_peers().unwrap(), "streamableHttp")).await.unwrap();
    for mode in [Mode::OwnHandlers, Mode::Managed] {
        rows().iter().for_each(|row| check(mode, &[server.url()], row));
    }
}

/// A task that is cancelled on the client's side, by its operator: the tool is shown the status and asks for no result.
#[test]
fn everything_sees_that_the_operator_cancelled() {
    if peers_skipped("everything_sees_that_the_operator_cancelled") {
        return;
    }
    let server = server(&node_peers().unwrap());
    let row: Row = (
        "trigger-elicitation-request-async",
        json!({}),
        json!({ "delayMs": 600_000 }),
        &["[CANCELLED]", ": cancelled"],
        &["augmented-elicitation", "get-task"],
    );
    for mode in [Mode::OwnHandlers, Mode::Managed] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("tasks.db").display().to_string();
        let running = {
            let (store, server, (tool, arguments, script, ..)) = (store.clone(), server.clone(), row.clone());
            thread::spawn(move || call_with_store(&store, mode, &server, &script, tool, &arguments))
        };
        let task = loop {
            assert!(!running.is_finished(), "{mode:?}: the run ended by itself");
            // There is no store before the run has made one.
            let listed = run(PROGRAM, &["tasks", "list", "--json", "--store", &store]).unwrap();
            match listed.json().unwrap_or_default()["tasks"][0]["taskId"].as_str() {
                Some(task) => break task.to_owned(),
                None => thread::sleep(POLL),
            }
        };
        let cancelled = run(PROGRAM, &["tasks", "cancel", &task, "--store", &store]).unwrap();
        assert_eq!(cancelled.code, Some(0), "{mode:?}: {cancelled:?}");
        let called = running.join().unwrap();
        assert!(called.text.contains(&task), "{mode:?}: {}", called.text);
        check_called(mode, &called, &row);
    }
}

/// A tool that must run as a task of the server's, and that asks the client for input while the client waits for the
/// result.
#[test]
fn everything_asks_from_within_its_own_task() {
    if peers_skipped("everything_asks_from_within_its_own_task") {
        return;
    }
    let server = server(&node_peers().unwrap());
    let arguments = json!({ "topic": "python", "ambiguous": true });
    let snake = json!({ "match": "python", "content": { "interpretation": "snake" } });
    #[rustfmt::skip]
    let rows: [Row; 2] = [
        ("simulate-research-query", arguments.clone(), json!({ "elicitation": [snake] }), &["**Clarification**: snake", "Stage 4"], &["elicitation"]),
        ("simulate-research-query", arguments, json!({ "elicitation": [{ "action": "decline" }] }), &["**Clarification**: User declined", "Stage 4"], &["elicitation"]),
    ];
    for (row, mode) in rows.iter().zip([Mode::OwnHandlers, Mode::Managed]) {
        check(mode, &server, row);
    }
}
