//! Real servers, unmodified, over stdio: each asks the client what it can ask, and the stock handler answers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use taskcell_tests::cli::{Ran, run};
use taskcell_tests::provision::{node_peers, peers_skipped, python_peers};

/// Calls a tool of a server; gives its text and the whole document.
fn call(server: &[String], tool: &str, arguments: &Value) -> (String, Value) {
    let arguments = arguments.to_string();
    let mut command = vec!["run", "--json", "--tool", tool, "--args", &arguments, "--"];
    command.extend(server.iter().map(String::as_str));
    let ran: Ran = run(env!("CARGO_BIN_EXE_taskcell-cli"), &command).unwrap();
    assert_eq!(ran.code, Some(0), "{tool}: {ran:?}");
    let document = ran.json().unwrap();
    let blocks = document["result"]["content"].as_array().unwrap();
    let text = blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n");
    (text, document)
}

/// The kinds that answered, in order.
fn kinds(document: &Value) -> Vec<&str> {
    document["requests"].as_array().unwrap().iter().filter_map(|request| request["kind"].as_str()).collect()
}

/// The tools of `@modelcontextprotocol/server-everything`: tool, arguments, what its text must hold, and the kinds
/// that must have answered.
#[test]
fn server_everything() {
    if peers_skipped("server_everything") {
        return;
    }
    let folder = node_peers().unwrap();
    let script = folder.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let server = ["node".to_owned(), script.display().to_string(), "stdio".to_owned()];
    let prompt = json!({ "prompt": "hello", "maxTokens": 20 });
    let page = json!({ "url": "https://example.com/sign-in", "message": "Sign in" });
    let task = |kind| vec![kind, "get-task", "get-task-result"];
    #[rustfmt::skip]
    let table: [(&str, Value, &[&str], Vec<&str>); 6] = [
        ("trigger-sampling-request", prompt.clone(), &["Scripted answer to: Resource trigger-sampling-request context: hello"], vec!["sampling"]),
        ("trigger-elicitation-request", json!({}), &["User provided the requested information"], vec!["elicitation"]),
        ("trigger-url-elicitation", page, &["accept"], vec!["elicitation"]),
        ("get-roots-list", json!({}), &["file:///workspace"], vec!["roots"]),
        ("trigger-sampling-request-async", prompt, &["[COMPLETED]", "Scripted answer to"], task("augmented-sampling")),
        ("trigger-elicitation-request-async", json!({}), &["[COMPLETED]", "Ada"], task("augmented-elicitation")),
    ];
    for (tool, arguments, holds, expected) in table {
        let (text, document) = call(&server, tool, &arguments);
        for part in holds {
            assert!(text.contains(part), "{tool}: {part:?} is not in {text:?}");
        }
        let answered = kinds(&document);
        for kind in expected {
            assert!(answered.contains(&kind), "{tool}: {kind} did not answer, but {answered:?}");
        }
    }
}

/// A server of the Python SDK that uses its experimental requests for tasks: tool and what its answer must hold.
#[test]
fn python_sdk() {
    if peers_skipped("python_sdk") {
        return;
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/python/server.py");
    let server = [python_peers().unwrap().display().to_string(), script.display().to_string()];
    let said = json!({ "role": "assistant", "content": { "type": "text", "text": "Scripted answer to: Say hi" }, "model": "scripted", "stopReason": "endTurn" });
    let table = [
        ("sample_plain", vec![("", said.clone())]),
        ("elicit_plain", vec![("/action", json!("accept")), ("/content/confirm", json!(true))]),
        ("elicit_url", vec![("", json!({ "action": "accept" }))]),
        ("roots", vec![("/roots/0/uri", json!("file:///workspace"))]),
        ("sample_as_task", vec![("/content", said["content"].clone()), ("/model", json!("scripted"))]),
        ("elicit_as_task", vec![("/action", json!("accept")), ("/content/confirm", json!(true))]),
        (
            "list_and_cancel",
            vec![
                ("/created/status", json!("working")),
                ("/listed", json!(1)),
                ("/cancelled/status", json!("cancelled")),
                ("/cancel_again/code", json!(-32602)),
                ("/cancel_again/message", json!("Cannot cancel task: already in terminal status 'cancelled'")),
            ],
        ),
    ];
    for (tool, expected) in table {
        let (text, _) = call(&server, tool, &json!({}));
        let answer: Value =
            serde_json::from_str(text.strip_prefix("OK ").unwrap_or_else(|| panic!("{tool}: {text}"))).unwrap();
        for (pointer, value) in expected {
            assert_eq!(answer.pointer(pointer), Some(&value), "{tool}: {pointer} of {answer}");
        }
        if tool.ends_with("as_task") {
            let related = &answer["_meta"]["io.modelcontextprotocol/related-task"]["taskId"];
            assert!(related.is_string(), "{tool}: {answer} does not name its task");
        }
    }
}
