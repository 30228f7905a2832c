//! Servers of our own on the Python and the TypeScript SDK: the same tools, each sending what its SDK sends.
//!
//! The two differ where the SDKs do. That of TypeScript repeats `task` in `tasks/get` and `tasks/result`, and takes a
//! task that is not `completed` for an error of its own without asking for the result; that of Python always asks for
//! it. Both count their requests from 0, which is the first progress token, too.

use std::path::Path;

use serde_json::{Value, json};
use taskcell_test_support::http_server::HttpServer;
use taskcell_test_support::provision::{node_peers, peers_skipped, python_peers};

use super::{Mode, call};
use crate::sampling_script;

/// A call: tool, its arguments, the first word of its text, what stands where in the JSON that follows, and the kinds
/// that must have answered, and no others.
type Row = (&'static str, Value, &'static str, Vec<(&'static str, Value)>, &'static [&'static str]);

/// How long tasks take is said by the prompt.
fn script() -> Value {
    let mut script = sampling_script();
    script["elicitation"] = json!([{ "match": "fail", "error": { "code": -7, "message": "The form caught fire" } }]);
    script
}

/// What both servers must see.
fn rows() -> Vec<Row> {
    let none = || json!({});
    let content = json!({ "type": "text", "text": "Scripted answer to: Say hi" });
    let said = json!({ "role": "assistant", "content": content, "model": "scripted", "stopReason": "endTurn" });
    let error = |code: i32, message: &str| json!({ "code": code, "message": message });
    let exploded = error(-7, "The model exploded");
    let cancelled = error(-32603, "Task was cancelled");
    let not_found = error(-32602, "Failed to retrieve task: Task not found");
    let cancel = |status| error(-32602, &format!("Cannot cancel task: already in terminal status '{status}'"));
    // What all is answered about a task that is not there.
    let denied = json!({ "get": not_found, "result": not_found, "cancel": error(-32602, "Failed to cancel task: Task not found") });
    vec![
        ("sample_plain", none(), "OK", vec![("", said.clone())], &["sampling"]),
        ("sample_plain", json!({ "text": "Fail" }), "ERROR", vec![("", exploded.clone())], &["sampling"]),
        (
            "elicit_plain",
            none(),
            "OK",
            vec![("/action", json!("accept")), ("/content/confirm", json!(true))],
            &["elicitation"],
        ),
        ("elicit_url", none(), "OK", vec![("", json!({ "action": "accept" }))], &["elicitation"]),
        ("roots", none(), "OK", vec![("/roots/0/uri", json!("file:///workspace"))], &["roots"]),
        (
            "sample_as_task",
            none(),
            "OK",
            vec![
                ("/role", said["role"].clone()),
                ("/content", content.clone()),
                ("/model", said["model"].clone()),
                ("/stopReason", said["stopReason"].clone()),
            ],
            &["augmented-sampling", "get-task", "get-task-result"],
        ),
        (
            "elicit_as_task",
            none(),
            "OK",
            vec![("/action", json!("accept")), ("/content/confirm", json!(true))],
            &["augmented-elicitation", "get-task", "get-task-result"],
        ),
        (
            "result_at_once",
            none(),
            "OK",
            vec![
                ("/created/status", json!("working")),
                ("/created/ttl", json!(60_000)),
                ("/status", json!("completed")),
                ("/related", json!(true)),
                ("/result/content", content.clone()),
            ],
            &["augmented-sampling", "get-task", "get-task-result"],
        ),
        (
            "list",
            json!({ "count": 110 }),
            "OK",
            vec![("", json!({ "pages": 3, "listed": 110, "missing": [], "unknown": [] }))],
            &["augmented-sampling", "list-tasks"],
        ),
        (
            "cancel",
            none(),
            "OK",
            vec![
                ("/created/status", json!("working")),
                ("/meanwhile/status", json!("working")),
                ("/cancelled/status", json!("cancelled")),
                ("/waited", cancelled.clone()),
                ("/again", cancel("cancelled")),
                ("/other", json!("completed")),
                ("/seen/status", json!("cancelled")),
                ("/result", cancelled),
                ("/notified", json!("cancelled")),
                ("/silent", json!(true)),
            ],
            &["augmented-sampling", "cancel-task", "get-task", "get-task-result"],
        ),
        (
            "failure",
            none(),
            "OK",
            vec![(
                "",
                json!({ "status": "failed", "statusMessage": "The model exploded", "result": exploded, "again": exploded, "cancel": cancel("failed"), "notified": "failed" }),
            )],
            &["augmented-sampling", "cancel-task", "get-task", "get-task-result"],
        ),
        (
            "expiry",
            json!({ "ttl": 2_000 }),
            "OK",
            vec![
                ("/ttl", json!([2_000, 2_000])),
                ("/result/content", content),
                ("/waited", not_found),
                ("/listed", json!([])),
                ("/done", denied.clone()),
                ("/open", denied.clone()),
            ],
            &["augmented-sampling", "cancel-task", "get-task", "get-task-result", "list-tasks"],
        ),
        (
            "unknown_id",
            none(),
            "OK",
            vec![("/answers", json!(vec![denied; 4]))],
            &["cancel-task", "get-task", "get-task-result"],
        ),
        (
            "bad_cursor",
            none(),
            "OK",
            vec![("/answers", json!(vec![error(-32602, "Invalid cursor"); 3]))],
            &["list-tasks"],
        ),
        (
            "tampered_cursor",
            none(),
            "OK",
            vec![("/answers", json!([error(-32602, "Invalid cursor")]))],
            &["augmented-sampling", "list-tasks"],
        ),
        (
            "progress",
            none(),
            "OK",
            vec![(
                "",
                json!({ "status": "completed", "notified": "completed", "tokens": [0], "reports": 2, "growing": true, "related": true, "silent": true }),
            )],
            &["augmented-sampling", "get-task", "get-task-result"],
        ),
    ]
}

/// A task that fails, followed by the SDK itself: Python's asks for the result all the same and gets the handler's
/// error.
fn python_rows() -> Vec<Row> {
    let row = |tool, text, message| {
        let kind: &[_] = if tool == "sample_as_task" {
            &["augmented-sampling", "get-task", "get-task-result"]
        } else {
            &["augmented-elicitation", "get-task", "get-task-result"]
        };
        (tool, json!({ "text": text }), "ERROR", vec![("", json!({ "code": -7, "message": message }))], kind)
    };
    vec![row("sample_as_task", "Fail", "The model exploded"), row("elicit_as_task", "Fail?", "The form caught fire")]
}

/// The same on TypeScript's, which makes its error of the status.
fn typescript_rows() -> Vec<Row> {
    vec![
        (
            "sample_as_task",
            json!({ "text": "Fail" }),
            "ERROR",
            vec![("/code", json!(-32603))],
            &["augmented-sampling", "get-task"],
        ),
        (
            "elicit_as_task",
            json!({ "text": "Fail?" }),
            "ERROR",
            vec![("/code", json!(-32603))],
            &["augmented-elicitation", "get-task"],
        ),
    ]
}

fn check(mode: Mode, server: &[String], (tool, arguments, word, holds, kinds): Row) {
    if mode == Mode::Managed && kinds.contains(&"roots") {
        return;
    }
    let called = call(mode, server, &script(), tool, &arguments);
    let row = format!("{mode:?} {tool} {arguments}");
    let text = called.text.strip_prefix(word).unwrap_or_else(|| panic!("{row}: {}", called.text));
    assert_eq!(called.code, Some(i32::from(word != "OK")), "{row}");
    let answer: Value = serde_json::from_str(text).unwrap();
    for (pointer, value) in holds {
        assert_eq!(answer.pointer(pointer), Some(&value), "{row}: {pointer} of {answer}");
    }
    // A result that came as a task's names the task; one that did not names none.
    let related = answer.pointer("/_meta/io.modelcontextprotocol~1related-task/taskId");
    assert_eq!(related.is_some_and(Value::is_string), word == "OK" && tool.ends_with("_as_task"), "{row}: {answer}");
    let mut asked = called.kinds;
    asked.sort();
    asked.dedup();
    assert_eq!(asked, kinds, "{row}");
}

fn python() -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/python/server.py");
    vec![python_peers().unwrap().display().to_string(), script.display().to_string()]
}

fn typescript() -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node/server.mjs");
    vec!["node".to_owned(), script.display().to_string(), node_peers().unwrap().display().to_string()]
}

fn every_row(test: &str, mode: Mode, server: impl FnOnce() -> Vec<String>, its_own: Vec<Row>) {
    if peers_skipped(test) {
        return;
    }
    let server = server();
    rows().into_iter().chain(its_own).for_each(|row| check(mode, &server, row));
}

#[test]
fn python_sdk_with_own_handlers() {
    every_row("python_sdk_with_own_handlers", Mode::OwnHandlers, python, python_rows());
}

#[test]
fn python_sdk_managed() {
    every_row("python_sdk_managed", Mode::Managed, python, python_rows());
}

#[test]
fn typescript_sdk_with_own_handlers() {
    every_row("typescript_sdk_with_own_handlers", Mode::OwnHandlers, typescript, typescript_rows());
}

#[test]
fn typescript_sdk_managed() {
    every_row("typescript_sdk_managed", Mode::Managed, typescript, typescript_rows());
}

/// Over streamable HTTP each call has a server of its own, too: the SDK logs an error when a client closes the stream
/// of its session, which the server would take for the next call's.
#[tokio::test(flavor = "multi_thread")]
async fn python_sdk_over_http() {
    const TOOLS: [&str; 6] =
        ["sample_plain", "elicit_plain", "elicit_url", "roots", "sample_as_task", "elicit_as_task"];
    if peers_skipped("python_sdk_over_http") {
        return;
    }
    for (mode, tools) in [(Mode::OwnHandlers, &TOOLS[..]), (Mode::Managed, &["sample_as_task"])] {
        for row in rows().into_iter().filter(|row| tools.contains(&row.0) && row.2 == "OK") {
            let server = HttpServer::start(&python()).await.unwrap();
            check(mode, &[server.url()], row);
        }
    }
}
