//! A stream with a server that does what real ones do not.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::SessionOptions;
use taskcell::tasks::MemoryStore;
use taskcell_rmcp::Adapter;
use taskcell_test_support::conversation::{prompt, soon, task_prompt};

use super::application::{Sampler, own_capabilities};
use super::wire::{Connected, connect};

fn form() -> Value {
    json!({ "message": "Who?", "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } } })
}

fn augmented(mut params: Value) -> Value {
    params["task"] = json!({});
    params
}

/// Who answers what.
#[tokio::test(flavor = "multi_thread")]
async fn the_handlers_answer_their_kinds_and_the_application_the_rest() {
    let Connected { mut wire, client, .. } = connect(Some(&Adapter::new(Sampler::default().handlers()))).await;
    #[rustfmt::skip]
    let rows = [
        (json!(1),        "sampling/createMessage", prompt("hi"),           "/result/model",          json!("handlers")),
        (json!("a\n\u{e9}"), "sampling/createMessage", prompt("hi"),        "/result/content/text",   json!("hi, 1")),
        (json!(-3),       "sampling/createMessage", prompt("hi"),           "/result/model",          json!("handlers")),
        // rmcp's own ids are 64 bits with a sign; the handlers' answers name what came.
        (json!(u64::MAX), "sampling/createMessage", prompt("hi"),           "/result/model",          json!("handlers")),
        (json!(1.5),      "sampling/createMessage", prompt("hi"),           "/result/model",          json!("handlers")),
        (json!(2),        "sampling/createMessage", json!({}),              "/error/code",            json!(-32602)),
        (json!(3),        "sampling/createMessage", task_prompt("slow"),    "/result/task/status",    json!("working")),
        (json!(4),        "tasks/get",              json!({ "taskId": "none" }), "/error/code",       json!(-32602)),
        (json!(5),        "tasks/list",             json!({}),              "/result/tasks/0/status", json!("working")),
        (json!(6),        "elicitation/create",     form(),                 "/result/content/name",   json!("own")),
        // rmcp does not see `task`, and a client that did not declare it answers plainly.
        (json!(7),        "elicitation/create",     augmented(form()),      "/result/content/name",   json!("own")),
        (json!(8),        "roots/list",             json!({}),              "/result/roots/0/uri",    json!("file:///own")),
        (json!(9),        "ping",                   json!({}),              "/result",                json!({})),
        (json!(10),       "custom/ask",             json!({}),              "/result/own",            json!("custom/ask")),
    ];
    for (id, method, params, place, expected) in rows {
        let answer = wire.ask(id, method, &params).await;
        assert_eq!(answer.pointer(place), Some(&expected), "{method} {params}: {answer}");
    }
    client.cancel().await.unwrap();
}

/// A kind that the handlers take plainly and not as a task: the error is theirs, not an answer of the application.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_a_kind_that_is_taken_plainly_is_refused_by_the_handlers() {
    let roots = taskcell::NativeHandler::sampling(|_context, _request| async {
        Err(taskcell::protocol::types::RpcError::new(-7, "no"))
    });
    let handlers = taskcell::Handlers::default().native(roots).unwrap();
    let Connected { mut wire, client: _client, .. } = connect(Some(&Adapter::new(handlers))).await;
    assert_eq!(wire.ask(1, "sampling/createMessage", &prompt("hi")).await["error"]["code"], -7);
    let answer = wire.ask(2, "sampling/createMessage", &task_prompt("hi")).await;
    assert_eq!(answer["error"]["message"], "Task-augmented sampling not supported", "{answer}");
    assert_eq!(wire.ask(3, "tasks/get", &json!({})).await["result"]["own"], "tasks/get");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_made_notified_of_and_asked_for_its_result() {
    let Connected { mut wire, client: _client, .. } = connect(Some(&Adapter::new(Sampler::default().handlers()))).await;
    let mut params = task_prompt("hi");
    params["_meta"] = json!({ "progressToken": "p" });
    let created = wire.ask(1, "sampling/createMessage", &params).await;
    let task = json!({ "taskId": created["result"]["task"]["taskId"] });
    let status = wire.find(|message| message["method"] == "notifications/tasks/status").await;
    assert_eq!(status["params"]["taskId"], task["taskId"]);
    let result = wire.ask(2, "tasks/result", &task).await;
    assert_eq!(result["result"]["content"]["text"], "hi, 1", "{result}");
    let progress = wire.find(|message| message["method"] == "notifications/progress").await;
    assert_eq!(progress["params"]["progressToken"], "p");
    assert_eq!(wire.ask(3, "tasks/get", &task).await["result"]["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_reaches_whom_it_is_for() {
    let sampler = Sampler::default();
    let Connected { mut wire, own, client: _client, .. } = connect(Some(&Adapter::new(sampler.handlers()))).await;
    let cancel =
        |id: Value| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let slow =
        |id: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": prompt("slow") });
    wire.send(&slow(json!("a"))).await;
    wire.send(&slow(json!(7))).await;
    sampler.until_running(2).await;
    wire.send(&cancel(json!(7))).await;
    sampler.until_running(1).await;
    wire.send(&cancel(json!("a"))).await;
    sampler.until_running(0).await;
    // None of the handlers'.
    wire.send(&cancel(json!(99))).await;
    let seen = async {
        while own.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(seen).await.unwrap();
    assert_eq!(own.seen(), ["cancelled 99"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_declare_what_they_can() {
    let Connected { initialize, client, mut wire, .. } =
        connect(Some(&Adapter::new(Sampler::default().handlers()))).await;
    let mut expected = own_capabilities();
    expected["sampling"] = json!({});
    expected["tasks"] = json!({ "list": {}, "cancel": {}, "requests": { "sampling": { "createMessage": {} } } });
    assert_eq!(initialize["params"]["capabilities"], expected);
    assert_eq!(initialize["params"]["clientInfo"]["name"], "application");
    assert_eq!(client.peer_info().unwrap().server_info.as_ref().unwrap().name, "a server");
    drop(client);
    while wire.line().await.is_some() {}
}

/// What each session is told of the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_set_up_with_the_server() {
    let native = taskcell::NativeHandler::roots(|context| async move {
        let taskcell::protocol::types::RequestContext { server, protocol_version, .. } = context.request;
        let uri = format!("file:///{}/{}/{protocol_version}", server.name, server.title.clone().unwrap_or_default());
        Ok(serde_json::from_value(json!({ "roots": [{ "uri": uri }] })).unwrap())
    });
    let handlers = taskcell::Handlers::default().native(native).unwrap();
    let adapter = Adapter::new(handlers).sessions(|mut server| {
        server.name = server.name.to_uppercase();
        SessionOptions::new(server)
    });
    let Connected { mut wire, client: _client, .. } = connect(Some(&adapter)).await;
    let answer = wire.ask(1, "roots/list", &json!({})).await;
    assert_eq!(answer["result"]["roots"][0]["uri"], "file:///A SERVER/A server/2025-11-25", "{answer}");
}

/// Requests end with the service, however it ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_with_the_service() {
    for way in ["cancel", "drop", "the server goes"] {
        let sampler = Sampler::default();
        let Connected { mut wire, client, .. } = connect(Some(&Adapter::new(sampler.handlers()))).await;
        let request =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": prompt("slow") });
        wire.send(&request).await;
        assert_eq!(
            wire.ask(2, "sampling/createMessage", &task_prompt("slow")).await["result"]["task"]["status"],
            "working"
        );
        sampler.until_running(2).await;
        match way {
            "cancel" => drop(soon(client.cancel()).await.unwrap().unwrap()),
            "drop" => drop(client),
            _ => {
                drop(wire);
                soon(client.waiting()).await.unwrap().unwrap();
            }
        }
        sampler.until_running(0).await;
    }
}

/// Work that is kept in a store is given back when the service is closed: the next session begins it at once.
#[tokio::test(flavor = "multi_thread")]
async fn work_is_given_back() {
    let (store, sampler) = (Arc::new(MemoryStore::new()), Sampler::default());
    let adapter = Adapter::new(sampler.handlers()).sessions(move |server| {
        let mut options = SessionOptions::new(server);
        options.store = Arc::<MemoryStore>::clone(&store);
        options.principal = "one".to_owned();
        options
    });
    let Connected { mut wire, client, .. } = connect(Some(&adapter)).await;
    wire.ask(1, "sampling/createMessage", &task_prompt("slow")).await;
    sampler.until_running(1).await;
    soon(client.cancel()).await.unwrap().unwrap();
    assert_eq!(sampler.calls(), 1);
    let Connected { client, wire: _wire, .. } = connect(Some(&adapter)).await;
    sampler.until_running(1).await;
    assert_eq!(sampler.calls(), 2);
    soon(client.cancel()).await.unwrap().unwrap();
}

/// What the client writes when the server writes this, and then asks for a ping.
async fn answers(adapter: Option<&Adapter>, bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let Connected { mut wire, own, client, .. } = connect(adapter).await;
    let listing = tokio::spawn(async move { client.list_all_tools().await.map(|tools| (tools, client)) });
    let mut lines = vec![wire.line().await.unwrap()];
    wire.send_bytes(bytes).await;
    wire.send_bytes(b"{\"jsonrpc\":\"2.0\",\"id\":\"end\",\"method\":\"ping\"}\n").await;
    loop {
        let line = wire.line().await.unwrap();
        let end = line.contains("\"end\"");
        lines.push(line);
        if end {
            break;
        }
    }
    let id = serde_json::from_str::<Value>(&lines[0]).unwrap()["id"].clone();
    let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
    wire.send(&json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [tool] } })).await;
    let (tools, client) = soon(listing).await.unwrap().unwrap().unwrap();
    assert_eq!(tools.len(), 1);
    drop(client);
    while let Some(line) = wire.line().await {
        lines.push(line);
    }
    // rmcp answers side by side.
    lines.sort();
    let mut seen = own.seen();
    seen.sort();
    (lines, seen)
}

/// Whatever is not for the handlers has the same outcome with the adapter as without.
#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_untouched() {
    let long = |size: usize| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "custom/ask", "params": { "a": "x".repeat(size) } });
        format!("{message}\n").into_bytes()
    };
    let mut rows: Vec<Vec<u8>> = [
        &b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n"[..],
        b"no JSON\n",
        b"\n\r\n",
        b"[]\n",
        b"{\"foo\":1}\n",
        b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"roots/list\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"sampling/createMessage\"}\n",
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\r\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}   \n",
        b"\xff\xfe\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\u0070ing\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":[]}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"task\":{},\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}\n",
    ]
    .map(<[u8]>::to_vec)
    .into();
    rows.push(format!("{}\n", "[".repeat(100_000)).into_bytes());
    // What fits a chunk, what does not, and what rmcp takes for too long.
    rows.extend([64 << 10, 1 << 20, 17 << 20].map(long));
    let adapter = Adapter::new(Sampler::default().handlers());
    for bytes in rows {
        let without = answers(None, &bytes).await;
        let with = answers(Some(&adapter), &bytes).await;
        // Both declare differently, which was before.
        assert!(
            with == without,
            "{}: {with:?} for {without:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
        );
    }
}

/// More than the handlers take is refused, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_the_handlers_is_bounded() {
    let Connected { mut wire, client: _client, .. } = connect(Some(&Adapter::new(Sampler::default().handlers()))).await;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": prompt(&"x".repeat(5 << 20)) });
    wire.send(&request).await;
    let refused = wire.find(|message| message.get("error").is_some()).await;
    assert_eq!(refused["error"]["data"]["kind"], "message_size", "{refused}");
    assert_eq!(wire.ask(2, "sampling/createMessage", &prompt("hi")).await["result"]["model"], "handlers");
}
