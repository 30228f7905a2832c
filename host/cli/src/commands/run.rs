//! Command `taskcell run`: acts as the MCP client of a server.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::client::asked::Asked;
use crate::client::call_tool::{Call, Wanted};
use crate::client::hints;
use crate::client::negotiate::Protocol;
use crate::client::notices::Notices;
use crate::client::result_text;
use crate::client::server::Target;
use crate::client::{Client, Options};
use crate::config::arguments;
use crate::config::handler_args::{HandlerArgs, key_and_value};
use crate::config::server_args::ServerArgs;
use crate::config::setup::Setup;
use crate::config::store::Place;
use crate::config::task_args::{Defaults, TaskArgs};
use crate::outcome::Outcome;
use crate::signals::{INTERRUPTED, Signals};
use crate::terminal::Progress;
use crate::terminal::color;
use crate::terminal::screen;
use taskcell::session::{Event, Undeclared};
use taskcell::text;
use taskcell::{HandlerRegistry, Handlers};

/// Default timeout of a response of the server, in seconds.
const WITHOUT_USER: u64 = 120;
/// Default timeout in seconds when the server may wait for a person: the wall time of a cell.
const WITH_USER: u64 = 900;

/// Time that a server has to acknowledge the end of its task. The program itself has 3 seconds to end.
const GIVE_UP: Duration = Duration::from_millis(300);

/// Examples shown below the flags.
pub(crate) const EXAMPLES: &str = "\
Examples:
  List the tools of a server, with their arguments:
    taskcell run -- npx -y @modelcontextprotocol/server-everything stdio
  Call one; the stock handler answers what the server asks:
    taskcell run --tool trigger-sampling-request --arg prompt=hello -- npx -y @modelcontextprotocol/server-everything stdio
  The same with a server that runs already, whose token is in a variable:
    taskcell run --url https://example.com/mcp --token-env TOKEN --tool NAME
  Answer with a handler of your own, and let the host take tasks for it:
    taskcell run --handler handler.wasm --tasks managed --tool NAME --args @arguments.json -- SERVER
  Try a handler that imports `model` without a provider:
    taskcell run --handler handler.wasm --model-answer 'forty-two' --tool NAME -- SERVER";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// The tool to call; without it, the server's tools are listed
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The tool's arguments: a JSON object, or a file of one with @, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", requires = "tool", default_value = "{}")]
    args: String,
    /// An argument of the tool; the tool's input schema determines its type; may be given more than once, also beside
    /// --args
    #[arg(long = "arg", value_name = "KEY=VALUE|KEY=@FILE", requires = "tool", value_parser = key_and_value)]
    pairs: Vec<(String, String)>,
    /// Call the tool as a task that the server keeps for this time after its end, such as 10m or 600000 (ms); a tool
    /// that must run as a task does so without this
    #[arg(long, value_name = "TTL", num_args = 0..=1, require_equals = true, requires = "tool", value_parser = time)]
    task: Option<Option<Duration>>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Do not show progress
    #[arg(short, long)]
    quiet: bool,
    /// Seconds to wait for each response of the server [default: 120, with --grant user 900]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Serve a task request as a plain one when no handler takes tasks, instead of refusing it
    #[arg(long)]
    process_undeclared: bool,
    /// Reload handlers when their files change [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    watch: Option<bool>,
    /// The revision of MCP to speak [default: auto]
    #[arg(long, value_name = "REVISION", value_enum)]
    protocol: Option<Protocol>,
    /// End at a line of the server's stdout that is not MCP, instead of skipping it
    #[arg(long, conflicts_with = "url")]
    strict: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Parses a duration, in the format of the configuration or as the milliseconds of MCP.
fn time(text: &str) -> Result<Duration, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(Duration::from_millis(milliseconds));
    }
    let duration = text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?;
    Duration::try_from(duration).map_err(|error| error.to_string())
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    run_with(args, |_| {}).await
}

/// Runs the command, and calls `observe` for each event of the session.
pub(crate) async fn run_with(
    args: Args,
    observe: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> anyhow::Result<Outcome> {
    let wanted = Wanted {
        tool: args.tool,
        arguments: arguments::object("--args", &args.args)?,
        pairs: args.pairs,
        task: args.task.map(|ttl| ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))),
    };
    let defaults = Defaults { store: Place::of_user, principal: args.server.principal()? };
    let target = args.server.target()?;
    let Setup { config, handlers, secrets, tasks } = Setup::open(&args.handlers, args.tasks, defaults).await?;
    let watch = args.watch.or(config.watch).unwrap_or(false);
    let handlers = if watch { watchable(handlers)? } else { handlers };
    let handlers = HandlerRegistry::new(handlers);
    let timeout = args.timeout.unwrap_or(if args.handlers.asks_the_user(&config) { WITH_USER } else { WITHOUT_USER });
    let timeout = Duration::from_secs(timeout);
    let progress = Progress::new(args.quiet);
    // Requests are kept only for the JSON document: a server may send any number of them.
    let asked = args.json.then(|| Arc::new(Mutex::new(Asked::default())));
    let notices = Arc::new(Notices::new(progress));
    let call = Call::new(wanted, progress, Arc::clone(&notices), timeout);
    let options = Options {
        protocol: args.protocol.or(config.protocol).unwrap_or_default(),
        strict: args.strict,
        handlers: handlers.clone(),
        secrets: &secrets,
        tasks: &tasks,
        timeout,
        progress,
        observer: progress.observer({
            let asked = asked.clone();
            move |event| {
                if let Some(asked) = &asked {
                    asked.lock().unwrap_or_else(PoisonError::into_inner).add(event);
                }
                observe(event);
            }
        }),
        undeclared: if args.process_undeclared { Undeclared::Process } else { Undeclared::Refuse },
        notices,
    };
    let served = tokio::select! {
        served = serve(&target, options, call) => served,
        never = handlers.watch(), if watch => match never {},
    };
    let closed = tasks.store.close().await;
    screen::leave();
    let Served { server, capabilities, outcome } = served?;
    // A good result must not hide lost tasks.
    closed?;
    let revision = server.get("protocolVersion").and_then(Value::as_str).unwrap_or("unknown");
    if let Some(hint) = hints::of(&outcome, revision) {
        progress.line(hint);
        screen::flush();
    }
    let failed = result_text::failed(&outcome);

    let mut out = std::io::stdout().lock();
    if let Some(asked) = asked {
        let asked = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
        let mut document = json!({
            "server": server.get("serverInfo"),
            "protocolVersion": server.get("protocolVersion"),
            "capabilities": capabilities,
        });
        if let (Value::Object(document), Value::Object(outcome)) = (&mut document, outcome) {
            document.extend(asked.into_members());
            document.extend(outcome);
        }
        writeln!(out, "{}", text::json(&document))?;
    } else {
        writeln!(out, "{}", result_text::shown(&outcome, color::is_on(&out)))?;
    }
    Ok(if failed { Outcome::ErrorResult } else { Outcome::Success })
}

/// Declares to servers that roots may change, because watched handlers can be replaced. Fails when no handler has a
/// file.
pub(super) fn watchable(handlers: Handlers) -> anyhow::Result<Handlers> {
    anyhow::ensure!(
        handlers.components().any(|component| component.file().is_some()),
        "there is no file to watch: name a component, by --handler or in the configuration"
    );
    let mut features = handlers.features().clone();
    features.roots_list_changed = true;
    Ok(handlers.with_features(features))
}

/// Result of a finished conversation.
struct Served {
    /// The server's own description and the negotiated revision.
    server: Value,
    /// Capabilities that the client declared.
    capabilities: Value,
    /// Result of the call, or the list of tools.
    outcome: Value,
}

/// Talks to a server. The server always ends with this call, and unfinished work is released.
async fn serve(target: &Target, options: Options<'_>, mut call: Call) -> anyhow::Result<Served> {
    let mut signals = Signals::take().context("signals cannot be taken")?;
    // Nothing runs before the connection. Dropping the future kills the server and its children.
    let mut client = tokio::select! {
        connected = Client::connect(target, options) => connected?,
        () = signals.came(1) => bail!(INTERRUPTED),
    };
    let outcome = tokio::select! {
        outcome = call.make(&mut client) => outcome,
        () = signals.came(1) => Err(anyhow!(INTERRUPTED)),
    };
    if outcome.is_err() {
        // A second signal skips the wait.
        tokio::select! {
            _ = tokio::time::timeout(GIVE_UP, call.give_up(&mut client)) => {}
            () = signals.came(2) => bail!(INTERRUPTED),
        }
    }
    let (server, capabilities) = (client.server.clone(), client.capabilities.clone());
    // A second signal skips the wait.
    tokio::select! {
        () = client.close() => {}
        () = signals.came(2) => bail!(INTERRUPTED),
    }
    Ok(Served { server, capabilities, outcome: outcome? })
}
