//! Real servers, unmodified, over stdio and streamable HTTP, and rmcp's own client with the adapter.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use taskcell::session::Event;
use taskcell::{Handlers, SessionOptions};
use taskcell_rmcp::Adapter;
use taskcell_test_support::conversation::soon;
use taskcell_test_support::handlers::{cells, stock};
use taskcell_test_support::http_server::{self, HttpServer};
use taskcell_test_support::provision::{node_peers, peers_skipped, python_peers};
use tokio::process::Command;

use super::application::{Own, Sampler};
use crate::sampling_script;

/// A call: tool, its arguments, what its text holds, and kinds that the handlers must have answered.
type Row = (&'static str, Value, &'static [&'static str], &'static [&'static str]);

/// How the server is reached.
#[derive(Clone, Copy, Debug)]
enum Over {
    Stdio,
    Http,
}

/// The kinds that handlers answered.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<Vec<String>>>);

impl Answered {
    fn adapter(&self, handlers: Handlers) -> Adapter {
        let answered = self.clone();
        Adapter::new(handlers).sessions(move |server| {
            let mut options = SessionOptions::new(server);
            let answered = answered.clone();
            options.observer = Some(Arc::new(move |event| {
                if let Event::Answered(event) = event
                    && let (Some(kind), Some(_)) = (event.kind, event.handler)
                {
                    answered.0.lock().unwrap().push(kind.info().export.to_owned());
                }
            }));
            options
        })
    }
}

async fn call(client: &RunningService<RoleClient, Own>, tool: &str, arguments: &Value) -> String {
    let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.as_object().cloned().unwrap());
    let result = soon(client.call_tool(params)).await.unwrap().unwrap_or_else(|error| panic!("{tool}: {error}"));
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect::<Vec<_>>().join("\n")
}

/// Calls the tools of one server with one client.
async fn check(over: Over, server: &[String], handlers: Handlers, rows: &[Row]) {
    let answered = Answered::default();
    let adapter = answered.adapter(handlers);
    let (mut _listening, mut arguments) = (None, server.iter().skip(1));
    let client = match over {
        Over::Stdio => {
            let mut command = Command::new(&server[0]);
            command.args(arguments.by_ref());
            Own::default().serve(adapter.child_process(command).unwrap()).await
        }
        Over::Http => {
            let server = HttpServer::start(server).await.unwrap();
            let config = StreamableHttpClientTransportConfig::with_uri(server.url());
            _listening = Some(server);
            Own::default().serve(adapter.http(http_server::client(), config)).await
        }
    };
    let client = client.unwrap();
    for (tool, arguments, holds, kinds) in rows {
        answered.0.lock().unwrap().clear();
        let text = call(&client, tool, arguments).await;
        for part in *holds {
            assert!(text.contains(part), "{over:?} {tool}: {part:?} is not in {text:?}");
        }
        let answered = answered.0.lock().unwrap().clone();
        for kind in *kinds {
            assert!(answered.iter().any(|answered| answered == kind), "{over:?} {tool}: no {kind} in {answered:?}");
        }
    }
    soon(client.cancel()).await.unwrap().unwrap();
}

fn everything(mode: &str) -> Vec<String> {
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    ["node".to_owned(), script.display().to_string(), mode.to_owned()].into()
}

fn python() -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/python/server.py");
    vec![python_peers().unwrap().display().to_string(), script.display().to_string()]
}

const SAMPLING_TASK: &[&str] = &["augmented-sampling", "get-task", "get-task-result"];
const ELICITATION_TASK: &[&str] = &["augmented-elicitation", "get-task", "get-task-result"];

fn everything_rows() -> Vec<Row> {
    let prompt = || json!({ "prompt": "hello", "maxTokens": 20 });
    let page = json!({ "url": "https://example.com/sign-in", "message": "Sign in" });
    #[rustfmt::skip]
    let rows = vec![
        ("trigger-sampling-request",          prompt(),  &["Scripted answer to"] as &[_],            &["sampling"] as &[_]),
        ("trigger-elicitation-request",       json!({}), &["User provided the requested information"], &["elicitation"]),
        ("trigger-url-elicitation",           page,      &["accept"],                                &["elicitation"]),
        // It keeps the roots that it asked for when it was initialized.
        ("get-roots-list",                    json!({}), &["file:///workspace"],                     &[]),
        ("trigger-sampling-request-async",    prompt(),  &["[COMPLETED]", "Scripted answer to"],     SAMPLING_TASK),
        ("trigger-elicitation-request-async", json!({}), &["[COMPLETED]", "- Name: Ada"],            ELICITATION_TASK),
    ];
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_answered() {
    if peers_skipped("everything_is_answered") {
        return;
    }
    for (over, mode) in [(Over::Stdio, "stdio"), (Over::Http, "streamableHttp")] {
        let handlers = stock(cells(8), &json!({})).await.unwrap();
        check(over, &everything(mode), handlers, &everything_rows()).await;
    }
}

/// Sampling is the handlers', and the rest the application's own.
#[tokio::test(flavor = "multi_thread")]
async fn the_application_keeps_what_the_handlers_do_not_take() {
    if peers_skipped("the_application_keeps_what_the_handlers_do_not_take") {
        return;
    }
    #[rustfmt::skip]
    let rows: [Row; 4] = [
        ("trigger-sampling-request",       json!({ "prompt": "hello" }), &["hello, 1", "handlers"],    &["sampling"]),
        ("trigger-sampling-request-async", json!({ "prompt": "hello" }), &["[COMPLETED]", "hello, 1"], &[]),
        ("trigger-elicitation-request",    json!({}),                    &["own"],                     &[]),
        ("get-roots-list",                 json!({}),                    &["file:///own"],             &[]),
    ];
    for (over, mode) in [(Over::Stdio, "stdio"), (Over::Http, "streamableHttp")] {
        check(over, &everything(mode), Sampler::default().handlers(), &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_python_is_answered() {
    if peers_skipped("the_sdk_of_python_is_answered") {
        return;
    }
    let script = sampling_script();
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("sample_plain",   json!({}),                  &["OK", "Scripted answer to: Say hi"], &["sampling"]),
        ("sample_plain",   json!({ "text": "Fail" }),  &["ERROR", "The model exploded"],      &["sampling"]),
        ("elicit_plain",   json!({}),                  &["OK", "accept"],                     &["elicitation"]),
        ("elicit_url",     json!({}),                  &["OK", "accept"],                     &["elicitation"]),
        ("roots",          json!({}),                  &["OK", "file:///workspace"],          &["roots"]),
        ("sample_as_task", json!({}),                  &["OK", "Scripted answer to"],         SAMPLING_TASK),
        ("elicit_as_task", json!({}),                  &["OK", "accept"],                     ELICITATION_TASK),
        ("result_at_once", json!({}),                  &["OK"],                               &["get-task-result"]),
        ("list",           json!({}),                  &["OK"],                               &["list-tasks"]),
        ("cancel",         json!({}),                  &["OK"],                               &["cancel-task"]),
        ("failure",        json!({}),                  &["OK", "The model exploded"],         &["get-task-result"]),
        ("progress",       json!({}),                  &["OK"],                               &["augmented-sampling"]),
        ("unknown_id",     json!({}),                  &["Task not found"],                   &["get-task"]),
    ];
    for over in [Over::Stdio, Over::Http] {
        let handlers = stock(cells(256), &script).await.unwrap();
        check(over, &python(), handlers, &rows).await;
    }
}
