//! Runner of an arbitrary component: loads it and, if that succeeds, sends it every kind of request, under small
//! limits.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell::protocol::types::{Icon, Implementation};
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Limits, LoadError, Session, SessionOptions};

use super::messages::{Sent, sent};
use crate::compose::component_of;
use crate::conversation::{prompt, request, task_prompt};
use crate::server::options;

/// Timeout longer than any wait.
const GUARD: Duration = Duration::from_secs(20);

/// Limits that are soon reached.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.memory = 2 << 20;
    limits.table_elements = 1_000;
    limits.core_instances = 16;
    limits.memories = 2;
    limits.tables = 4;
    limits.handles = 100;
    limits.stack = 128 << 10;
    limits.cpu_time = Duration::from_millis(5);
    limits.wall_time = Duration::from_millis(100);
    limits.host_call = 64 << 10;
    limits.message_size = 64 << 10;
    limits.component_size = 512 << 10;
    limits.output = 1 << 10;
    // In tests several targets run side by side.
    limits.cells = 64;
    limits
}

/// An engine without a cache, because no two inputs are equal.
fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let mut options = EngineOptions::default();
        options.limits = limits();
        Engine::new(options).expect("an engine")
    });
    &ENGINE
}

fn grants() -> Grants {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    grants.config = Some([("key".to_owned(), "value".to_owned())].into_iter().collect());
    grants
}

/// Loads a component and sends it a request of each kind. Whatever the component does, each request gets an answer, and
/// a neighbor on the same engine still answers afterwards.
///
/// # Errors
/// The error of loading the component.
pub(super) async fn exercise(bytes: Vec<u8>) -> Result<(), LoadError> {
    let loaded = Handler::from_bytes(engine(), "fuzz", bytes, grants()).await;
    if let Err(error) = &loaded {
        assert!(!error.kind().is_empty() && !error.to_string().is_empty());
    }
    let outcome = match loaded {
        Ok(handler) => {
            ask(handler).await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    neighbor().await;
    outcome
}

async fn ask(handler: Handler) {
    let handlers = Handlers::new([handler]).expect("one handler").managed();
    let (session, mut outbox) = Session::new(handlers, with_icons());
    let mut tasks = vec!["none".to_owned()];
    for (id, (method, params)) in requests().into_iter().enumerate() {
        let answer = answer(&session, &request(id, method, &params)).await;
        let made = answer.ok().and_then(|answer| serde_json::from_str::<Value>(&answer).ok());
        tasks.extend(made.and_then(|made| Some(made["task"]["taskId"].as_str()?.to_owned())));
    }
    for task in &tasks {
        for method in ["tasks/get", "tasks/cancel", "tasks/result"] {
            let _ = answer(&session, &request(method, method, &json!({ "taskId": task }))).await;
        }
    }
    drop(session);
    while let Some(message) = tokio::time::timeout(GUARD, outbox.recv()).await.expect("the session does not end") {
        sent(&message);
    }
}

/// Returns a session's response, which must answer this request.
async fn answer(session: &Session, request: &Value) -> Result<String, super::messages::Failure> {
    let message = request.to_string();
    let answer = tokio::time::timeout(GUARD, session.answer(message.as_bytes())).await.expect("it hangs");
    match sent(&answer.expect("no answer")) {
        Sent::Answer { id, outcome } => {
            assert_eq!(id, request["id"].to_string());
            outcome
        }
        Sent::Notification { method, .. } => panic!("an answer that is the notification {method}"),
    }
}

/// A request of each kind, with most members present.
fn requests() -> Vec<(&'static str, Value)> {
    let meta = json!({ "progressToken": 7, "x": "a longer text, so that it takes more than one word of memory" });
    let with_meta = |mut params: Value| {
        params["_meta"] = meta.clone();
        params
    };
    let form = json!({
        "message": "m",
        "requestedSchema": { "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "number" } } },
    });
    let page = json!({ "mode": "url", "message": "m", "url": "https://example.com/", "elicitationId": "1" });
    let mut task_form = form.clone();
    task_form["task"] = json!({ "ttl": 60_000 });
    vec![
        ("roots/list", json!({ "_meta": meta })),
        ("sampling/createMessage", with_meta(prompt("text"))),
        ("elicitation/create", form),
        ("elicitation/create", page),
        ("sampling/createMessage", with_meta(task_prompt("text"))),
        ("elicitation/create", task_form),
        ("tasks/list", json!({ "cursor": "c" })),
    ]
}

/// Options of a server with icons: a list whose items have an alignment.
fn with_icons() -> SessionOptions {
    let icon = Icon { src: "data:,".to_owned(), mime_type: None, sizes: None, theme: None };
    SessionOptions::new(Implementation { icons: Some(vec![icon; 3]), ..options().server })
}

/// Sends a request to a well-behaved component on the same engine, which has no roots.
async fn neighbor() {
    const MODULE: &str = r#"(module
        (memory (export "memory") 2)
        (global $free (mut i32) (i32.const 4096))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
            (global.set $free (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
        (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32) (i32.const 1024)))"#;
    static NEIGHBOR: LazyLock<Handlers> = LazyLock::new(|| {
        // Loaded on another thread, because this one is running a future.
        let loaded = std::thread::spawn(|| {
            let bytes = component_of(MODULE, &[], &["roots"], &[]).expect("a component");
            let handler = super::block_on(Handler::from_bytes(engine(), "neighbor", bytes, Grants::default()));
            Handlers::new([handler.expect("a handler")]).expect("one handler")
        });
        loaded.join().expect("the neighbor")
    });
    let (session, _outbox) = Session::new(NEIGHBOR.clone(), options());
    let answer = answer(&session, &request(1, "roots/list", &json!({}))).await;
    assert_eq!(answer.as_deref().ok(), Some(r#"{"roots":[]}"#), "{answer:?}");
}
