//! client/sampling: what is asked of a client, between the server and the model.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell::handlers::Features;
use taskcell_test_support::conversation::Conversation;
use taskcell_test_support::server::options;

use super::{SAMPLING, and, create, each, error, id, model_and_user, prompt, refused};
use taskcell_test_support::fake_application::FakeApplication;

/// A conversation whose model is an application.
async fn modeled() -> (Conversation, Arc<FakeApplication>) {
    let application = Arc::new(FakeApplication::default());
    let handlers = model_and_user(&application, "").await;
    (Conversation::new(handlers, options()), application)
}

fn said(role: &str, content: Value) -> Value {
    json!({ "role": role, "content": content })
}

fn text() -> Value {
    json!({ "type": "text", "text": "hello" })
}

fn tool_use(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "weather", "input": {} })
}

fn tool_result(id: &str) -> Value {
    json!({ "type": "tool_result", "toolUseId": id, "content": [text()] })
}

fn messages<const N: usize>(messages: [Value; N]) -> Value {
    json!({ "messages": messages.to_vec(), "maxTokens": 10 })
}

fn with_tools(handlers: Handlers) -> Handlers {
    let mut features = Features::default();
    features.tools = true;
    handlers.with_features(features)
}

// ---- Capabilities ----

#[tokio::test]
async fn tools_are_declared_where_they_are_supported() {
    each(async |handlers| {
        assert_eq!(handlers.capabilities()["sampling"], json!({}));
        assert_eq!(with_tools(handlers).capabilities()["sampling"], json!({ "tools": {} }));
    })
    .await;
    assert_eq!(with_tools(Handlers::default()).capabilities(), json!({}));
}

/// Tools for a client that declared none are refused, plain and as a task.
#[tokio::test]
async fn undeclared_tools_are_invalid_params() {
    let tools = json!({ "tools": [{ "name": "weather", "inputSchema": { "type": "object" } }] });
    let choice = json!({ "toolChoice": { "mode": "none" } });
    each(async |handlers| {
        for members in [tools.clone(), choice.clone(), json!({ "tools": [] }), and(tools.clone(), choice.clone())] {
            for task in [json!({}), json!({ "task": {} })] {
                let params = and(and(prompt("hello"), members.clone()), task);
                let mut server = Conversation::new(handlers.clone(), options());
                refused(&server.ask(SAMPLING, &params).await.unwrap(), -32602, None);
                let mut server = Conversation::new(with_tools(handlers.clone()), options());
                let answer = server.ask(SAMPLING, &params).await.unwrap();
                assert!(answer.get("result").is_some(), "{params}: {answer}");
            }
        }
    })
    .await;
}

/// What the server wants of tools reaches the model as it was sent.
#[tokio::test]
async fn tools_and_their_choice_reach_the_model() {
    let application = Arc::new(FakeApplication::default());
    let mut server = Conversation::new(with_tools(model_and_user(&application, "").await), options());
    for mode in ["auto", "required", "none"] {
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
        let tool = json!({ "name": "weather", "description": "The weather", "inputSchema": schema });
        let params = and(prompt("hello"), json!({ "tools": [tool], "toolChoice": { "mode": mode } }));
        server.ask(SAMPLING, &params).await.unwrap();
        assert_eq!(application.shown().last(), Some(&params));
    }
}

// ---- Error Handling ----

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_is_minus_one() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let plain = server.ask(SAMPLING, &prompt("refuse")).await.unwrap();
        assert_eq!(error(&plain), (-1, "User rejected sampling request"));
        let task = create(&mut server, SAMPLING, prompt("refuse")).await;
        let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
        assert_eq!(error(&result), (-1, "User rejected sampling request"));
    })
    .await;
}

// ---- Message Content Constraints ----

/// A message with tool results has nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn tool_results_stand_alone() {
    let asks = || said("assistant", json!([tool_use("1")]));
    let table = [
        messages([asks(), said("user", json!([tool_result("1"), text()]))]),
        messages([asks(), said("user", json!([text(), tool_result("1")]))]),
        messages([
            asks(),
            said("user", json!([{ "type": "image", "data": "", "mimeType": "image/png" }, tool_result("1")])),
        ]),
    ];
    refuse_all(&table).await;
}

/// Every tool use gets its result in the next message, and nothing else comes before it.
#[tokio::test(flavor = "multi_thread")]
async fn every_tool_use_gets_its_result() {
    let two = || said("assistant", json!([tool_use("1"), tool_use("2")]));
    let results = |ids: &[&str]| said("user", ids.iter().map(|id| tool_result(id)).collect());
    let table = [
        messages([two()]),
        messages([two(), said("user", text())]),
        messages([two(), results(&["1"])]),
        messages([two(), results(&["1", "3"])]),
        messages([two(), results(&["1"]), results(&["2"])]),
        messages([two(), said("assistant", text()), results(&["1", "2"])]),
        messages([two(), results(&["1"]), said("assistant", text())]),
    ];
    refuse_all(&table).await;
    let good = [
        messages([two(), results(&["1", "2"])]),
        messages([two(), results(&["2", "1"])]),
        messages([said("user", text()), two(), results(&["1", "2"]), said("assistant", text()), said("user", text())]),
        messages([
            said("assistant", json!([text(), tool_use("1")])),
            said("user", tool_result("1")),
            said("assistant", tool_use("2")),
            said("user", tool_result("2")),
        ]),
    ];
    let (mut server, _) = modeled().await;
    for params in good {
        let answer = server.ask(SAMPLING, &params).await.unwrap();
        assert!(answer.get("result").is_some(), "{params} gives {answer}");
    }
}

/// Each of these is refused, plain and as a task, and reaches no model.
async fn refuse_all(table: &[Value]) {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for params in table {
            for members in [json!({}), json!({ "task": {} })] {
                let answer = server.ask(SAMPLING, &and(params.clone(), members)).await.unwrap();
                assert_eq!(error(&answer).0, -32602, "{params}: {answer}");
            }
        }
        let list = server.ask("tasks/list", &json!({})).await.unwrap();
        assert_eq!(list["result"]["tasks"], json!([]));
    })
    .await;
    let (mut server, application) = modeled().await;
    for params in table {
        refused(&server.ask(SAMPLING, params).await.unwrap(), -32602, None);
    }
    assert_eq!(application.shown(), Vec::<Value>::new());
}

// ---- Model Preferences ----

/// Whatever the server prefers, limits or adds reaches the model as it was sent.
#[tokio::test]
async fn preferences_reach_the_model() {
    let (mut server, application) = modeled().await;
    let params = json!({
        "messages": [{ "role": "user", "content": { "type": "text", "text": "hello" } }],
        "modelPreferences": {
            "hints": [{ "name": "claude-3-sonnet" }, { "name": "claude" }],
            "costPriority": 0.25, "speedPriority": 0.75, "intelligencePriority": 0.5,
        },
        "systemPrompt": "You are brief.",
        "temperature": 0.5,
        "maxTokens": 100,
        "stopSequences": ["\n"],
        "metadata": { "provider": "any" },
    });
    server.ask(SAMPLING, &params).await.unwrap();
    assert_eq!(application.shown(), [params]);
}
