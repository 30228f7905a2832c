//! basic/lifecycle: what is asked of a client, by what the program sends to a server.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use taskcell_test_support::cli::{Ran, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");

/// Runs the program against the fake server in a mode, and gives what it sent, a message a line. It speaks this
/// revision and does not ask for the next one.
fn sent(mode: &str, options: &[&str]) -> (Ran, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("sent");
    let script = r#"tee "$1" | "$2" "$3""#;
    let server = ["sh", "-c", script, "sh", log.to_str().unwrap(), SERVER, mode];
    let ran =
        run(PROGRAM, &[&["run", "-q", "--protocol", "2025-11-25"], options, &["--"], &server[..]].concat()).unwrap();
    (ran, read(&log))
}

fn read(log: &Path) -> Vec<Value> {
    fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `initialize` comes first, says what it must, and is followed by `initialized` and nothing else until the server has
/// answered.
#[test]
fn initialize_comes_first() {
    let (ran, sent) = sent("ok", &["--tool", "echo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let methods: Vec<_> = sent.iter().map(|message| message["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized", "tools/call"]);
    let params = &sent[0]["params"];
    assert_eq!(params["protocolVersion"], "2025-11-25");
    assert!(params["clientInfo"]["name"] == "taskcell" && params["clientInfo"]["version"].is_string(), "{params}");
    let declared = json!({
        "sampling": {},
        "elicitation": { "form": {}, "url": {} },
        "roots": {},
        "tasks": {
            "list": {}, "cancel": {},
            "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } },
        },
    });
    assert_eq!(params["capabilities"], declared);
}

/// Before the server has answered nothing is sent but `initialize`.
#[test]
fn nothing_is_asked_before_the_answer() {
    for mode in ["hangs", "refuses"] {
        let (ran, sent) = sent(mode, &["--timeout", "8"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let methods: Vec<_> = sent.iter().filter_map(|message| message["method"].as_str()).collect();
        assert_eq!(methods, ["initialize"], "{mode}");
    }
}

/// A version that is not spoken ends the connection.
#[test]
fn an_unknown_version_ends_the_connection() {
    let (ran, sent) = sent("too-old", &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(sent.len(), 1, "{sent:?}");
}

/// Ids are whole numbers or strings, never null, and each is used once; notifications have none.
#[test]
fn ids_are_used_once() {
    let (_, sent) = sent("ok", &[]);
    let ids: Vec<_> = sent.iter().filter(|message| message.get("id").is_some()).map(|sent| &sent["id"]).collect();
    assert!(ids.len() >= 3 && ids.iter().all(|id| id.is_u64() || id.is_string()), "{sent:?}");
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "{id} comes twice");
    }
    let notifications: Vec<_> = sent.iter().filter(|message| message.get("id").is_none()).collect();
    assert_eq!(notifications, [&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })]);
}

/// No request of the program asks for a task.
#[test]
fn no_request_is_augmented() {
    for options in [&[][..], &["--tool", "echo"]] {
        let (_, sent) = sent("ok", options);
        assert!(sent.iter().all(|message| message["params"].get("task").is_none()), "{sent:?}");
    }
}

/// A request that timed out is cancelled, and no other; `initialize` never is.
#[test]
fn a_request_that_timed_out_is_cancelled() {
    for mode in ["hangs", "hangs-later", "refuses", "no-tools", "ok"] {
        let (_, sent) = sent(mode, &["--timeout", "2"]);
        let cancelled: Vec<_> =
            sent.iter().filter(|message| message["method"] == "notifications/cancelled").cloned().collect();
        let list = sent.iter().find(|message| message["method"] == "tools/list").map(|list| &list["id"]);
        let expected = match (mode, list) {
            ("hangs-later", Some(id)) => {
                let params = json!({ "requestId": id });
                vec![json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })]
            }
            _ => Vec::new(),
        };
        assert_eq!(cancelled, expected, "{mode}: {sent:?}");
    }
}

/// Cursors of a server are handed back as they came, whatever is in them.
#[test]
fn cursors_go_back_as_they_came() {
    let (ran, sent) = sent("strange-answers", &["--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lists: Vec<_> = sent.iter().filter(|message| message["method"] == "tools/list").collect();
    let cursors: Vec<_> = lists.iter().map(|list| list["params"].get("cursor")).collect();
    assert_eq!(cursors, [None, Some(&json!("")), Some(&json!("  \u{0}{\"page\":3}\u{e4}/+=\n"))]);
}

/// Answers to nothing, and two to one request, change nothing.
#[test]
fn strange_answers_are_ignored() {
    let (ran, _) = sent("strange-answers", &["--json"]);
    let names: Vec<_> =
        ran.json().unwrap()["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!((ran.code, names), (Some(0), vec![json!("one"), json!("two"), json!("three")]), "{ran:?}");
}
