//! Servers of revision 2026-07-28: rmcp's client gets the final result of each call.

use std::path::{Path, PathBuf};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, Peer, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use taskcell::{Handlers, NativeHandler};
use taskcell_rmcp::Adapter;
use taskcell_test_support::conversation::soon;
use taskcell_test_support::handlers::{cells, stock};
use taskcell_test_support::http_server::{self, HttpServer};
use taskcell_test_support::provision::{node_peers_2026, peers_skipped, python_peers_2026};
use tokio::process::Command;

use super::application::{Own, Sampler};
use super::wire::{Wire, pipe};

const RUST: &str = env!("CARGO_BIN_EXE_rmcp-server");
const OURS: &str = env!("CARGO_BIN_EXE_modern-server");

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python() -> Vec<String> {
    [python_peers_2026().unwrap(), here("peers/python-2026/server.py")].map(|path| path.display().to_string()).into()
}

fn typescript() -> Vec<String> {
    let paths = [here("peers/node-2026/server.mjs"), node_peers_2026().unwrap()];
    std::iter::once("node".to_owned()).chain(paths.map(|path| path.display().to_string())).collect()
}

fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

/// What the handlers answer.
async fn scripted() -> Handlers {
    let script = json!({
        "elicitation": [{ "match": "name", "content": { "name": "Ada" } }],
        "sampling": [{ "match": "capital", "answer": "Paris" }],
    });
    stock(cells(8), &script).await.unwrap()
}

fn text(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone()));
    texts.collect()
}

async fn call(peer: &Peer<RoleClient>, tool: &'static str) -> String {
    let result = soon(peer.call_tool(CallToolRequestParams::new(tool))).await.unwrap();
    text(&result.unwrap_or_else(|error| panic!("{tool}: {error}")))
}

/// Makes the calls that all servers know. They are made by the peer, which does not go on with a call itself.
async fn check(client: &RunningService<RoleClient, Own>, tools: &[(&'static str, &str)]) {
    let peer = client.peer();
    for (tool, expected) in tools {
        assert_eq!(&call(peer, tool).await, expected, "{tool}");
    }
    let prompt = soon(peer.get_prompt(GetPromptRequestParams::new("greeting"))).await.unwrap().unwrap();
    assert!(json!(prompt).to_string().contains("Hello Ada"), "{prompt:?}");
    let resource = soon(peer.read_resource(ReadResourceRequestParams::new("asks://it"))).await.unwrap().unwrap();
    assert!(json!(resource).to_string().contains("it of Ada"), "{resource:?}");
}

const TOOLS: [(&str, &str); 3] = [
    ("three", "Ada, Paris, file:///workspace"),
    ("rounds", "paged known Ada, accept"),
    ("stateless", "file:///workspace, None"),
];

async fn over_stdio(server: &[String], adapter: &Adapter) -> RunningService<RoleClient, Own> {
    let mut command = Command::new(&server[0]);
    command.args(&server[1..]);
    let transport = adapter.child_process(command).unwrap();
    soon(Own::default().serve_with_lifecycle(transport, modern())).await.unwrap().unwrap()
}

async fn over_http(server: &HttpServer, adapter: &Adapter) -> RunningService<RoleClient, Own> {
    let config = StreamableHttpClientTransportConfig::with_uri(server.url());
    let transport = adapter.http(http_server::client(), config);
    soon(Own::default().serve_with_lifecycle(transport, modern())).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_sdks_end_with_their_results() {
    if peers_skipped("calls_of_sdks_end_with_their_results") {
        return;
    }
    for server in [python(), typescript()] {
        let client = over_stdio(&server, &Adapter::new(scripted().await)).await;
        check(&client, &TOOLS).await;
        soon(client.cancel()).await.unwrap().unwrap();
    }
    let server = HttpServer::start(&python()).await.unwrap();
    let client = over_http(&server, &Adapter::new(scripted().await)).await;
    check(&client, &TOOLS).await;
}

/// rmcp's own server, which has tasks, and answers over HTTP by streams or by plain JSON.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_rmcp_end_with_their_results() {
    let mut tools = TOOLS.to_vec();
    tools.push(("task", "Ada, Paris"));
    let adapter = Adapter::new(scripted().await);
    check(&over_stdio(&[RUST.to_owned()], &adapter).await, &tools).await;
    for argument in ["streams", "json"] {
        let server = HttpServer::start(&[RUST.to_owned(), argument.to_owned()]).await.unwrap();
        check(&over_http(&server, &adapter).await, &tools).await;
    }
}

/// What the handlers do not take is the application's, in one call.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_other_kinds_are_the_applications() {
    let adapter = Adapter::new(Sampler::default().handlers());
    let server = HttpServer::start(&[RUST.to_owned()]).await.unwrap();
    for client in [over_stdio(&[RUST.to_owned()], &adapter).await, over_http(&server, &adapter).await] {
        assert_eq!(call(client.peer(), "three").await, "own, Capital of France?, 1, file:///own");
        assert_eq!(call(client.peer(), "task").await, "own, Capital of France?, 1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_our_own_server_are_followed() {
    let roots = r#"[{"uri":"file:///workspace","name":"workspace"}]"#;
    let client = over_stdio(&[OURS.to_owned(), "plain".to_owned()], &Adapter::new(scripted().await)).await;
    for tool in ["roots", "task"] {
        assert_eq!(call(client.peer(), tool).await, roots, "{tool}");
    }
}

// ---- A stream with a server that the test is ----

/// Connects to it.
async fn discovered(adapter: &Adapter) -> (RunningService<RoleClient, Own>, Wire, Value) {
    let ((read, write), mut wire) = pipe();
    let starting = tokio::spawn(Own::default().serve_with_lifecycle(adapter.stdio(read, write), modern()));
    let discover = wire.next().await;
    assert_eq!(discover["method"], "server/discover");
    let result = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
        "capabilities": { "tools": {} },
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "a server", "version": "7" } },
    });
    answer(&mut wire, &discover, &result).await;
    let client = soon(starting).await.unwrap().unwrap().unwrap();
    (client, wire, discover)
}

async fn answer(wire: &mut Wire, request: &Value, result: &Value) {
    wire.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).await;
}

fn complete(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

fn asks(inputs: &Value, state: &str) -> Value {
    json!({ "resultType": "input_required", "inputRequests": inputs, "requestState": state })
}

fn prompt(text: &str) -> Value {
    json!({ "method": "sampling/createMessage", "params": taskcell_test_support::conversation::prompt(text) })
}

type Calling = tokio::task::JoinHandle<Result<CallToolResult, rmcp::ServiceError>>;

fn calling(client: &RunningService<RoleClient, Own>) -> Calling {
    let peer = client.peer().clone();
    tokio::spawn(async move { peer.call_tool(CallToolRequestParams::new("t")).await })
}

const CAPABILITIES: &str = "/params/_meta/io.modelcontextprotocol~1clientCapabilities";

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_the_same_request_with_what_was_asked_for() {
    let (client, mut wire, discover) = discovered(&Adapter::new(Sampler::default().handlers())).await;
    let mut declared = super::application::own_capabilities();
    declared["sampling"] = json!({});
    declared["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
    assert_eq!(discover.pointer(CAPABILITIES), Some(&declared));

    let calling = calling(&client);
    let first = wire.next().await;
    assert_eq!(first.pointer(CAPABILITIES), Some(&declared));
    // Before it asks, the server may say something.
    let progress = json!({ "progressToken": first["params"]["_meta"]["progressToken"], "progress": 1 });
    wire.send(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": progress })).await;
    let state = "\u{e9}\u{1f600}\\\"";
    answer(&mut wire, &first, &asks(&json!({ "a": prompt("one"), "b": { "method": "roots/list" } }), state)).await;
    let retry = wire.next().await;
    assert_ne!(retry["id"], first["id"]);
    let given = &retry["params"]["inputResponses"];
    assert_eq!(given["a"]["content"]["text"], "one, 1", "{retry}");
    assert_eq!(given["b"]["roots"][0]["uri"], "file:///own", "{retry}");
    assert_eq!(retry["params"]["requestState"], state);
    let (mut of_first, mut of_retry) = (first["params"].clone(), retry["params"].clone());
    for member in ["inputResponses", "requestState"] {
        of_retry.as_object_mut().unwrap().remove(member);
    }
    // In which order members stand is no matter.
    assert_eq!(of_retry.take(), of_first.take());
    answer(&mut wire, &retry, &complete("done")).await;
    assert_eq!(text(&soon(calling).await.unwrap().unwrap().unwrap()), "done");
}

/// What the application hears when a call fails on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_on_the_way_is_an_error() {
    let refusing = NativeHandler::sampling(|_context, _request| async {
        Err(taskcell::protocol::types::RpcError::new(-7, "The model exploded"))
    });
    let (client, mut wire, _) = discovered(&Adapter::new(Handlers::default().native(refusing).unwrap())).await;
    #[rustfmt::skip]
    let rows = [
        (asks(&json!({ "a": prompt("hi") }), "s"),            "The model exploded"),
        (asks(&json!({ "a": { "method": "ping" } }), "s"),    "nothing that can be asked of a client"),
        (asks(&json!([1]), "s"),                              "inputRequests"),
        (json!({ "resultType": "task", "status": "working" }), "taskId"),
    ];
    for (result, expected) in rows {
        let calling = calling(&client);
        let request = wire.next().await;
        answer(&mut wire, &request, &result).await;
        let error = soon(calling).await.unwrap().unwrap().unwrap_err().to_string();
        assert!(error.contains(expected), "{result}: {error}");
    }
    // A type that nobody knows is rmcp's to judge, as is one of a request that may not ask.
    let calling = calling(&client);
    let request = wire.next().await;
    answer(&mut wire, &request, &complete("fine")).await;
    assert_eq!(text(&soon(calling).await.unwrap().unwrap().unwrap()), "fine");
}

/// Whoever gives a call up gives up what it goes on with.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_ends() {
    let sampler = Sampler::default();
    let (client, mut wire, _) = discovered(&Adapter::new(sampler.handlers())).await;
    // While a handler is asked.
    let first = calling(&client);
    let request = wire.next().await;
    answer(&mut wire, &request, &asks(&json!({ "a": prompt("slow") }), "s")).await;
    sampler.until_running(1).await;
    first.abort();
    sampler.until_running(0).await;
    // While the server has the retry: it hears of that.
    let second = calling(&client);
    let request = wire.next().await;
    answer(&mut wire, &request, &asks(&json!({ "a": prompt("hi") }), "s")).await;
    let retry = wire.next().await;
    second.abort();
    let cancelled = wire.next().await;
    assert_eq!(cancelled["method"], "notifications/cancelled", "{cancelled}");
    assert_eq!(cancelled["params"]["requestId"], retry["id"]);
    // While it is a task.
    let third = calling(&client);
    let request = wire.next().await;
    let task = json!({
        "resultType": "task", "taskId": "t", "status": "working", "ttlMs": null, "pollIntervalMs": 20,
        "createdAt": "2026-08-01T00:00:00Z", "lastUpdatedAt": "2026-08-01T00:00:00Z",
    });
    answer(&mut wire, &request, &task).await;
    assert_eq!(wire.next().await["method"], "tasks/get");
    third.abort();
    wire.find(|message| message["method"] == "tasks/cancel" && message["params"]["taskId"] == "t").await;
}

/// Tasks are the application's where it says so.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_can_stay_the_applications() {
    let mut calls = taskcell::mrtr::Options::default();
    calls.tasks = false;
    let (client, mut wire, discover) = discovered(&Adapter::new(Sampler::default().handlers()).calls(calls)).await;
    assert!(discover.pointer(CAPABILITIES).unwrap().get("extensions").is_none(), "{discover}");
    let peer = client.peer().clone();
    let calling = tokio::spawn(async move { peer.call_tool_once(CallToolRequestParams::new("t")).await });
    let request = wire.next().await;
    let task = json!({
        "resultType": "task", "taskId": "t", "status": "working", "ttlMs": null,
        "createdAt": "2026-08-01T00:00:00Z", "lastUpdatedAt": "2026-08-01T00:00:00Z",
    });
    answer(&mut wire, &request, &task).await;
    let response = soon(calling).await.unwrap().unwrap().unwrap();
    assert!(matches!(response, rmcp::model::CallToolResponse::Task(_)), "{response:?}");
}
