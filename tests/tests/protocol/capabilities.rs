//! The kinds that a component exports are those that are declared and served, and no others.

use std::sync::LazyLock;

use serde_json::{Value, json};
use taskcell::grants::Grants;
use taskcell::protocol::jsonrpc::Message;
use taskcell::session::Undeclared;
use taskcell::{Engine, EngineOptions, Handler, Handlers, Session};
use taskcell_test_support::compose::component;
use taskcell_test_support::server::{Server, json_lines, options};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(EngineOptions::default()).unwrap());

/// A request that the reference was sent, with its kind and what the default handler answered.
struct Request {
    kind: &'static str,
    request: Value,
    default: Value,
}

/// The requests of `data/default-handlers.jsonl`, without `ping`.
fn requests() -> Vec<Request> {
    let rows = json_lines(include_str!("../../data/default-handlers.jsonl")).unwrap();
    let read = |row: Value| {
        let request = &row["request"];
        let augmented = !request["params"]["task"].is_null();
        let kind = match (request["method"].as_str().unwrap(), augmented) {
            ("tasks/get", _) => "get-task",
            ("tasks/result", _) => "get-task-result",
            ("tasks/list", _) => "list-tasks",
            ("tasks/cancel", _) => "cancel-task",
            ("sampling/createMessage", true) => "augmented-sampling",
            ("sampling/createMessage", false) => "sampling",
            ("elicitation/create", true) => "augmented-elicitation",
            ("elicitation/create", false) => "elicitation",
            ("roots/list", _) => "roots",
            _ => return None,
        };
        Some(Request { kind, request: request.clone(), default: row["response"].clone() })
    };
    rows.into_iter().filter_map(read).collect()
}

async fn handler(exports: &[&str]) -> Handler {
    let bytes = component(exports, &[]).unwrap();
    Handler::from_bytes(&ENGINE, "composed", bytes, Grants::default()).await.unwrap()
}

/// What is exported is answered by a cell, whose guest traps; what is not gets its default.
async fn serves_exactly(handlers: &Handlers, exports: &[&str]) {
    let server = Server::new(handlers.clone());
    for Request { kind, request, default } in requests() {
        let answer = server.send(&request).await.unwrap();
        if exports.contains(&kind) {
            let error = &answer["error"];
            assert_eq!((&error["code"], &error["data"]), (&json!(-32603), &json!({ "kind": "trap" })), "{answer}");
            assert_eq!(answer["id"], request["id"]);
        } else {
            assert_eq!(answer, default, "{exports:?}: {request}");
        }
    }
}

/// All combinations of the six kinds of the reference: declared and served as recorded.
#[tokio::test]
async fn the_truth_table_is_that_of_the_reference() {
    let rows = json_lines(include_str!("../../data/capability-truth-table.jsonl")).unwrap();
    assert_eq!(rows.len(), 64);
    for row in rows {
        let exports: Vec<_> =
            row["handlers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().replace('_', "-")).collect();
        let exports: Vec<_> = exports.iter().map(String::as_str).collect();
        let handlers = Handlers::new([handler(&exports).await]).unwrap();
        let capabilities = handlers.capabilities();
        assert_eq!(capabilities["tasks"], row["tasks"], "{exports:?}");
        let others: Vec<_> = capabilities.as_object().unwrap().keys().filter(|key| *key != "tasks").collect();
        assert!(others.is_empty(), "{exports:?} declares {others:?}");
        serves_exactly(&handlers, &exports).await;
    }
}

/// All combinations of the three plain kinds.
#[tokio::test]
async fn plain_kinds_are_declared() {
    let plain = [
        ("sampling", json!({ "sampling": {} })),
        ("elicitation", json!({ "elicitation": { "form": {}, "url": {} } })),
        ("roots", json!({ "roots": {} })),
    ];
    for combination in 0..8 {
        let chosen = plain.iter().enumerate().filter(|(bit, _)| combination >> bit & 1 == 1).map(|(_, row)| row);
        let (exports, declared): (Vec<_>, Vec<_>) = chosen.map(|(export, declared)| (*export, declared)).unzip();
        let mut expected = json!({});
        for (name, value) in declared.into_iter().flat_map(|declared| declared.as_object().unwrap()) {
            expected[name] = value.clone();
        }
        let handlers = Handlers::new([handler(&exports).await]).unwrap();
        assert_eq!(handlers.capabilities(), expected, "{exports:?}");
        serves_exactly(&handlers, &exports).await;
    }
}

/// Several handlers together are declared and served as one that exports what they export.
#[tokio::test]
async fn handlers_add_up() {
    let apart: [&[&str]; 3] =
        [&["sampling", "augmented-sampling"], &["roots", "get-task", "background"], &["list-tasks"]];
    let mut handlers = Vec::new();
    for exports in apart {
        handlers.push(handler(exports).await);
    }
    let handlers = Handlers::new(handlers).unwrap();
    let tasks = json!({ "list": {}, "requests": { "sampling": { "createMessage": {} } } });
    assert_eq!(handlers.capabilities(), json!({ "sampling": {}, "roots": {}, "tasks": tasks }));
    serves_exactly(&handlers, &apart.concat()).await;
}

/// No handlers declare nothing.
#[test]
fn nothing_is_declared_without_handlers() {
    assert_eq!(Handlers::default().capabilities(), json!({}));
    assert_eq!(Handlers::new([]).unwrap().capabilities(), json!({}));
}

/// What a handler is made of can be asked.
#[tokio::test]
async fn a_handler_tells_of_itself() {
    let bytes = component(&["roots", "sampling", "background"], &[]).unwrap();
    let handler = Handler::from_bytes(&ENGINE, "a.wasm", bytes.clone(), Grants::default()).await.unwrap();
    let kinds: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
    assert_eq!((handler.name(), handler.size(), kinds), ("a.wasm", bytes.len(), vec!["sampling", "roots"]));
    assert!(handler.has_background());
    assert_eq!(handler.protocol_version(), Some("0.1.0"));
    assert!(handler.digest().len() == 64 && handler.digest().bytes().all(|byte| byte.is_ascii_hexdigit()));
    let imports: Vec<_> = handler.imports().iter().map(|import| import.interface.as_str()).collect();
    assert_eq!(imports, ["taskcell:handlers/types@0.1.0"]);
}

/// A session says beforehand whether its handlers take a message.
#[tokio::test]
async fn a_session_knows_what_it_handles() {
    let exports = ["sampling", "augmented-elicitation", "get-task"];
    let handlers = Handlers::new([handler(&exports).await]).unwrap();
    let (session, _outbox) = Session::new(handlers, options());
    for Request { kind, request, .. } in requests() {
        let text = request.to_string();
        let message = Message::read(text.as_bytes()).unwrap();
        assert_eq!(session.handles(&message), exports.contains(&kind), "{request}");
    }
    for text in [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
        assert!(!session.handles(&Message::read(text.as_bytes()).unwrap()), "{text}");
    }
}

/// With `undeclared = "process"` a request for a task goes to the plain handler where no other takes it.
#[tokio::test]
async fn undeclared_tasks_can_be_processed() {
    let handlers = Handlers::new([handler(&["sampling", "augmented-elicitation"]).await]).unwrap();
    let mut options = options();
    options.undeclared = Undeclared::Process;
    let server = Server::with(handlers, options);
    for Request { kind, request, default } in requests() {
        let answer = server.send(&request).await.unwrap();
        match kind {
            "sampling" | "augmented-sampling" | "augmented-elicitation" => {
                assert_eq!(answer["error"]["data"]["kind"], "trap", "{request}");
            }
            _ => assert_eq!(answer, default, "{request}"),
        }
    }
    let server = {
        let mut options = taskcell_test_support::server::options();
        options.undeclared = Undeclared::Process;
        Server::with(Handlers::default(), options)
    };
    for Request { kind, request, default } in requests() {
        let answer = server.send(&request).await.unwrap();
        match kind {
            // Nobody serves the plain request either: its own default answers.
            "augmented-sampling" => assert_eq!(answer["error"]["message"], "Sampling not supported"),
            "augmented-elicitation" => assert_eq!(answer["error"]["message"], "Elicitation not supported"),
            _ => assert_eq!(answer, default, "{request}"),
        }
    }
}
