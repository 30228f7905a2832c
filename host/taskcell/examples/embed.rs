//! An MCP client with made-up server messages: a component answers sampling, a closure lists the roots, and the
//! application answers a method of its own.
//!
//!     cargo run -p taskcell --example embed -- HANDLER.wasm
//!
//! HANDLER.wasm is any component that exports sampling and not roots, such as `guest-examples/rust-minimal`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::{Implementation, ListRootsResult, Root};
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, NativeHandler, Session, SessionOptions};
use tokio::task::JoinSet;

/// Requests of the server, as a transport hands them over.
const ASKED: [&str; 4] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":10}}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"roots/list"}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"example/greet"}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}"#,
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let component = std::env::args_os().nth(1).ok_or("usage: embed HANDLER.wasm")?;
    for answer in answers(component.as_ref()).await? {
        println!("{answer}");
    }
    Ok(())
}

/// Answers all requests, in the order in which they finish.
async fn answers(component: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let engine = Engine::new(EngineOptions::default())?;
    let handler = Handler::from_file(&engine, component, Grants::default()).await?;
    let roots = NativeHandler::roots(|context| async move {
        let name = Some(format!("for {}", context.request.server.name));
        Ok(ListRootsResult {
            roots: vec![Root { uri: "file:///home/user/project".to_owned(), name, meta: None }],
            meta: None,
        })
    });
    let handlers = Handlers::new([handler])?.native(roots)?;
    eprintln!("capabilities: {}", handlers.capabilities());

    let server = Implementation::new("an example", "1");
    let (session, mut outbox) = Session::new(handlers, SessionOptions::new(server));
    let session = Arc::new(session);
    let (mut all, mut running) = (Vec::new(), JoinSet::new());
    for text in ASKED {
        match own_answer(&session, text) {
            Some(answer) => all.push(answer),
            None => {
                let session = Arc::clone(&session);
                running.spawn(async move { session.handle(text.as_bytes()).await });
            }
        }
    }
    running.join_all().await;
    // The outbox ends with the session.
    drop(session);
    while let Some(message) = outbox.recv().await {
        all.push(serde_json::from_slice(&message)?);
    }
    Ok(all)
}

/// Answers a request that no handler takes.
fn own_answer(session: &Session, text: &str) -> Option<Value> {
    let message = Message::read(text.as_bytes()).ok()?;
    let own = !session.handles(&message) && message.method.as_deref() == Some("example/greet");
    own.then(|| json!({ "jsonrpc": "2.0", "id": message.id, "result": { "greeting": "hello" } }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskcell_test_support::{guests::build_guest, provision::repository};

    #[tokio::test]
    async fn each_is_answered_by_whom_it_is_for() {
        let component = build_guest(&repository().join("guest-examples/rust-minimal")).unwrap();
        let mut all = answers(&component).await.unwrap();
        all.sort_by_key(|answer| answer["id"].as_u64());
        let said: Vec<_> = ["/result/content/text", "/result/roots/0/name", "/result/greeting", "/error/message"]
            .iter()
            .zip(&all)
            .map(|(place, answer)| answer.pointer(place).and_then(Value::as_str))
            .collect();
        let expected = ["You said: hi", "for an example", "hello", "Elicitation not supported"];
        assert_eq!(said, expected.map(Some), "{all:?}");
    }
}
