//! `taskcell run`: be the MCP client of a server.

use std::ffi::OsString;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::Ended;
use super::client::{Client, Options};
use super::handlers::{HandlerArgs, Loaded};
use super::negotiate::Protocol;
use super::principal;
use super::record::Recorder;
use super::screen;
use super::store::Place;
use super::tasks_args::{Defaults, TaskArgs};
use super::terminal::{self, Progress};
use crate::printable;
use crate::session::{Event, Features, Undeclared};
use crate::{Handlers, LiveHandlers};

/// Seconds to wait for an answer of the server.
const WITHOUT_USER: u64 = 120;
/// The same where the server may itself wait for a person: as long as a cell may wait.
const WITH_USER: u64 = 900;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// The tool to call; without it, the server's tools are listed
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The tool's arguments, as a JSON object
    #[arg(long, value_name = "JSON", requires = "tool", default_value = "{}")]
    args: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Show nothing of what happens on the way
    #[arg(short, long)]
    quiet: bool,
    /// Seconds to wait for each answer of the server [default: 120, with --grant user 900]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Serve a request for a task as a plain one where no handler takes tasks, instead of refusing it
    #[arg(long)]
    process_undeclared: bool,
    /// Replace handlers while they run, when their files are [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    watch: Option<bool>,
    /// The revision of MCP to speak
    #[arg(long, value_name = "REVISION", value_enum, default_value_t)]
    protocol: Protocol,
    /// The server and its arguments
    #[arg(last = true, required = true, value_name = "SERVER")]
    server: Vec<OsString>,
}

/// What a server asked, for the JSON document.
#[derive(Default)]
struct Record {
    requests: Vec<Value>,
    tasks: Vec<Value>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Ended> {
    run_with(args, None).await
}

/// The same, with somebody who sees what the server asks and what it is answered.
pub(super) async fn run_with(args: Args, recorder: Option<Arc<Recorder>>) -> anyhow::Result<Ended> {
    let arguments: Value = serde_json::from_str(&args.args).context("--args is not JSON")?;
    anyhow::ensure!(arguments.is_object(), "--args is not a JSON object");
    let config = args.tasks.config()?;
    let tasks = args
        .tasks
        .settle(&config, Defaults { store: Place::of_user, principal: principal::of_server(&args.server) })?;
    let Loaded { handlers, secrets } = args.handlers.load(&config).await?;
    let (handlers, tasks) = tasks.open(handlers).await?;
    let watch = args.watch.or(config.watch).unwrap_or(false);
    let handlers = if watch { watchable(handlers)? } else { handlers };
    let handlers = LiveHandlers::new(handlers);
    let timeout = args.timeout.unwrap_or(if args.handlers.asks_the_user(&config) { WITH_USER } else { WITHOUT_USER });
    let progress = Progress::new(args.quiet);
    let record = Arc::new(Mutex::new(Record::default()));
    let options = Options {
        protocol: args.protocol,
        handlers: handlers.clone(),
        secrets: &secrets,
        tasks: &tasks,
        timeout: Duration::from_secs(timeout),
        progress,
        observer: progress.observer({
            let record = Arc::clone(&record);
            move |event| {
                record.lock().unwrap_or_else(PoisonError::into_inner).add(event);
                if let (Some(recorder), Event::Answered { request, response, .. }) = (&recorder, event) {
                    recorder.answered(request, response);
                }
            }
        }),
        undeclared: if args.process_undeclared { Undeclared::Process } else { Undeclared::Refuse },
    };
    let served = tokio::select! {
        served = serve(&args.server, options, args.tool.as_deref(), arguments) => served,
        never = handlers.watch(), if watch => match never {},
    };
    tasks.store.close().await;
    screen::leave();
    let Served { server, capabilities, outcome } = served?;
    let failed = outcome.get("error").is_some() || outcome.pointer("/result/isError") == Some(&Value::Bool(true));

    let mut out = std::io::stdout().lock();
    if args.json {
        let record = std::mem::take(&mut *record.lock().unwrap_or_else(PoisonError::into_inner));
        let mut document = json!({
            "server": server.get("serverInfo"),
            "protocolVersion": server.get("protocolVersion"),
            "capabilities": capabilities,
            "requests": record.requests,
            "tasks": record.tasks,
        });
        if let (Value::Object(document), Value::Object(outcome)) = (&mut document, outcome) {
            document.extend(outcome);
        }
        writeln!(out, "{}", printable::json(&document))?;
    } else {
        writeln!(out, "{}", shown(&outcome))?;
    }
    Ok(if failed { Ended::WithError } else { Ended::Well })
}

/// Handlers that are replaced when their files are: the server is told that it will hear of other roots.
fn watchable(handlers: Handlers) -> anyhow::Result<Handlers> {
    anyhow::ensure!(
        handlers.components().any(|component| component.file().is_some()),
        "there is no file to watch: name a component, by --handler or in the configuration"
    );
    let features = Features { roots_list_changed: true, ..handlers.features().clone() };
    Ok(handlers.with_features(features))
}

/// A conversation that is over.
struct Served {
    /// What the server said of itself, and the revision that was spoken.
    server: Value,
    /// What was declared to it.
    capabilities: Value,
    /// What came of it.
    outcome: Value,
}

/// Talks to a server. However that ends, the server ends too, and unfinished work is given back.
async fn serve(
    server: &[OsString],
    options: Options<'_>,
    tool: Option<&str>,
    arguments: Value,
) -> anyhow::Result<Served> {
    const INTERRUPTED: &str = "interrupted; the server was stopped";
    let mut interrupt = pin!(interrupted());
    // Before it is connected there is no work; dropping it kills the server with all that it started.
    let mut client = tokio::select! {
        connected = Client::connect(server, options) => connected?,
        () = &mut interrupt => bail!(INTERRUPTED),
    };
    let outcome = tokio::select! {
        outcome = talk(&mut client, tool, arguments) => outcome,
        () = interrupt => Err(anyhow!(INTERRUPTED)),
    };
    let (server, capabilities) = (client.server.clone(), client.capabilities.clone());
    // Who is in a hurry asks again.
    tokio::select! {
        () = client.close() => {}
        () = interrupted() => bail!(INTERRUPTED),
    }
    Ok(Served { server, capabilities, outcome: outcome? })
}

/// Calls the tool, or lists all; gives `result`, `tools` or `error`.
async fn talk(client: &mut Client, tool: Option<&str>, arguments: Value) -> anyhow::Result<Value> {
    Ok(match tool {
        Some(name) => match client.request("tools/call", json!({ "name": name, "arguments": arguments })).await? {
            Ok(result) => json!({ "tool": name, "result": result }),
            Err(error) => json!({ "tool": name, "error": error }),
        },
        None => match client.tools().await? {
            Ok(tools) => json!({ "tools": tools }),
            Err(error) => json!({ "error": error }),
        },
    })
}

impl Record {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Answered { method, kind, handler, error, elapsed, .. } => self.requests.push(json!({
                "method": method,
                "kind": kind.map(|kind| kind.info().export),
                "handler": handler,
                "error": error,
                "milliseconds": elapsed.as_secs_f64() * 1e3,
            })),
            Event::Task(task) => self.tasks.push(json!(task)),
            Event::Replaced(_) | Event::NotReplaced { .. } => {}
        }
    }
}

/// The outcome for people.
fn shown(outcome: &Value) -> String {
    let word = |value: &Value, key| terminal::one_line(value.get(key).and_then(Value::as_str).unwrap_or_default());
    if let Some(error) = outcome.get("error") {
        return format!("error {}: {}", error.get("code").unwrap_or(&Value::Null), word(error, "message"));
    }
    if let Some(result) = outcome.get("result") {
        return terminal::tool_result(result);
    }
    let tools = outcome.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let lines = tools.iter().map(|tool| format!("{:<32} {}", word(tool, "name"), word(tool, "description")));
    lines.collect::<Vec<_>>().join("\n")
}

/// Waits for the signal to end: the server leads a process group of its own, which the terminal does not signal.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
