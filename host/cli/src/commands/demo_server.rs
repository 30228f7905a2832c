//! MCP server of the demo. Its tools send the client each kind of request that a client can receive.
//!
//! The server uses stdin and stdout like any other server and knows nothing of the host. The demo therefore shows what
//! a real server would see.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};

use crate::client::connection::Peer;
use crate::outcome::Outcome;
use taskcell::protocol::PROTOCOL_VERSION;
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::RpcError;
use taskcell_gateway::stdio::lines;

/// Time to wait for a response of the client.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Polls of one task before the server gives up.
const MAX_POLLS: usize = 100;

/// The tools, each with a description of its request to the client.
pub(crate) const TOOLS: &[(&str, &str)] = &[
    ("sample", "Asks for a message of a model"),
    ("elicit_form", "Asks the user to fill in a form"),
    ("elicit_url", "Asks the user to visit a page"),
    ("roots", "Asks for the roots"),
    ("sample_as_task", "Asks for a message as a task, polls it, fetches the result"),
    ("elicit_as_task", "Asks the user as a task, waits for the result"),
    ("cancel_a_task", "Starts a task, finds it in the list, cancels it"),
];

/// Serves on stdin and stdout until stdin ends.
pub(crate) async fn serve() -> anyhow::Result<Outcome> {
    let (client, outgoing) = Peer::new();
    let writer = tokio::spawn(outgoing.write(tokio::io::stdout()));
    let mut lines = lines::messages(tokio::io::stdin());
    while let Some(line) = lines::next(&mut lines).await? {
        let line = line.whole()?;
        let message = Message::read(&line).map_err(|error| anyhow!("the client sent no message: {}", error.message))?;
        let Some(method) = message.method.as_deref() else {
            let _ = client.response(&message, |_| ());
            continue;
        };
        let Some(id) = message.id else { continue };
        let id: Value = serde_json::from_str(id.get())?;
        let params: Value =
            message.params.map(|params| serde_json::from_str(params.get())).transpose()?.unwrap_or_default();
        match method {
            "initialize" => client.send(&result(&id, initialized())).await?,
            "tools/list" => client.send(&result(&id, json!({ "tools": tools() }))).await?,
            "tools/call" => {
                let name = params.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                let client = Arc::clone(&client);
                tokio::spawn(async move {
                    let (text, failed) = match call(&client, &name).await {
                        Ok(text) => (text, false),
                        Err(error) => (format!("{error:#}"), true),
                    };
                    let content = json!([{ "type": "text", "text": text }]);
                    client.send(&result(&id, json!({ "content": content, "isError": failed }))).await
                });
            }
            _ => {
                let error = RpcError::new(taskcell::protocol::jsonrpc::code::METHOD_NOT_FOUND, "Method not found");
                client.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error })).await?;
            }
        }
    }
    writer.abort();
    Ok(Outcome::Success)
}

fn result(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn initialized() -> Value {
    json!({
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "taskcell-demo-server", "version": env!("CARGO_PKG_VERSION") },
    })
}

fn tools() -> Vec<Value> {
    let schema = json!({ "type": "object" });
    TOOLS.iter().map(|(name, does)| json!({ "name": name, "description": does, "inputSchema": schema })).collect()
}

/// Calls a tool and returns a text about the client's answer. An answer that breaks the rules of MCP is an error.
async fn call(client: &Peer, tool: &str) -> anyhow::Result<String> {
    match tool {
        "sample" => said(&ask(client, "sampling/createMessage", sampling("What is a cell?")).await?),
        "elicit_form" => accepted(&ask(client, "elicitation/create", form()).await?),
        "elicit_url" => {
            let page = json!({
                "mode": "url", "message": "Please sign in", "elicitationId": "demo-1", "url": "https://example.com/sign-in",
            });
            let answer = ask(client, "elicitation/create", page).await?;
            ensure!(answer == json!({ "action": "accept" }), "an accepted page has no content: {answer}");
            Ok("the user went to the page".to_owned())
        }
        "roots" => {
            let answer = ask(client, "roots/list", json!({})).await?;
            let first = answer.pointer("/roots/0/uri").and_then(Value::as_str).context("no root has a URI")?;
            Ok(format!("the first root is {first}"))
        }
        "sample_as_task" => {
            let task = create(client, "sampling/createMessage", sampling("What is a task?")).await?;
            let polls = poll(client, &task).await?;
            let answer = fetch(client, &task).await?;
            Ok(format!("{} (after {polls} polls)", said(&answer)?))
        }
        "elicit_as_task" => {
            let task = create(client, "elicitation/create", form()).await?;
            // The client holds back the result of a task that still runs.
            accepted(&fetch(client, &task).await?)
        }
        "cancel_a_task" => cancel(client).await,
        _ => anyhow::bail!("no such tool"),
    }
}

async fn cancel(client: &Peer) -> anyhow::Result<String> {
    let task = create(client, "sampling/createMessage", sampling("Never mind")).await?;
    let listed = ask(client, "tasks/list", json!({})).await?;
    let tasks = listed.get("tasks").and_then(Value::as_array).context("the list has no tasks")?;
    let found = tasks.iter().any(|listed| listed.get("taskId").and_then(Value::as_str) == Some(&task));
    ensure!(found, "the task is not in the list: {listed}");
    let answer = ask(client, "tasks/cancel", json!({ "taskId": task })).await?;
    ensure!(status(&answer) == "cancelled", "the task was not cancelled: {answer}");
    let again = client.request("tasks/cancel", json!({ "taskId": task }), TIMEOUT).await?;
    ensure!(again.as_ref().is_err_and(|error| error.code == -32602), "cancelling twice is an error: {again:?}");
    Ok(format!("task {task} was listed and cancelled"))
}

/// Sends a request and returns its result. An error response is an error.
async fn ask(client: &Peer, method: &str, params: Value) -> anyhow::Result<Value> {
    let answer = client.request(method, params, TIMEOUT).await?;
    answer.map_err(|error| anyhow::anyhow!("{method}: {} {}", error.code, error.message))
}

/// Sends a task-augmented request and returns the id of the task.
async fn create(client: &Peer, method: &str, mut params: Value) -> anyhow::Result<String> {
    if let Value::Object(params) = &mut params {
        params.insert("task".to_owned(), json!({ "ttl": 60_000 }));
    }
    let created = ask(client, method, params).await?;
    let task = created.get("task").context("the answer holds no task")?;
    ensure!(status(task) == "working", "a task starts working: {task}");
    ensure!(task.get("ttl") == Some(&json!(60_000)), "the task has another ttl: {task}");
    Ok(task.get("taskId").and_then(Value::as_str).context("the task has no id")?.to_owned())
}

/// Polls a task until it is completed and returns the number of polls.
async fn poll(client: &Peer, task: &str) -> anyhow::Result<usize> {
    for polls in 1..=MAX_POLLS {
        let state = ask(client, "tasks/get", json!({ "taskId": task })).await?;
        match status(&state) {
            "completed" => return Ok(polls),
            "working" => {
                let interval = state.get("pollInterval").and_then(Value::as_u64).unwrap_or(100);
                tokio::time::sleep(Duration::from_millis(interval.min(1_000))).await;
            }
            other => anyhow::bail!("the task is {other}"),
        }
    }
    anyhow::bail!("the task does not end")
}

/// Fetches the result of a task.
async fn fetch(client: &Peer, task: &str) -> anyhow::Result<Value> {
    let answer = ask(client, "tasks/result", json!({ "taskId": task })).await?;
    let related = answer.pointer("/_meta/io.modelcontextprotocol~1related-task/taskId").and_then(Value::as_str);
    ensure!(related == Some(task), "the result does not name its task: {answer}");
    Ok(answer)
}

fn status(task: &Value) -> &str {
    task.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn sampling(prompt: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }], "maxTokens": 100 })
}

fn form() -> Value {
    json!({
        "message": "Who are you?",
        "requestedSchema": {
            "type": "object",
            "properties": {
                "name": { "type": "string", "title": "Name", "minLength": 1 },
                "color": { "type": "string", "enum": ["red", "green", "blue"] },
                "age": { "type": "integer", "minimum": 18 },
            },
            "required": ["name"],
        },
    })
}

fn said(answer: &Value) -> anyhow::Result<String> {
    let text = answer.pointer("/content/text").and_then(Value::as_str).context("the message has no text")?;
    ensure!(answer.get("role") == Some(&json!("assistant")), "the message is not the model's: {answer}");
    Ok(format!("the model said {text:?}"))
}

fn accepted(answer: &Value) -> anyhow::Result<String> {
    ensure!(answer.get("action") == Some(&json!("accept")), "the user did not accept: {answer}");
    let content = answer.get("content").context("an accepted form has content")?;
    ensure!(content.get("name").is_some_and(Value::is_string), "the required field is missing: {answer}");
    Ok(format!("the user answered {content}"))
}
