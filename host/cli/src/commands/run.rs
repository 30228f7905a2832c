//! `taskcell run`: be the MCP client of a server.

use std::ffi::OsString;
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
use crate::client::{Client, Options};
use crate::config::arguments;
use crate::config::handler_args::{HandlerArgs, key_and_value};
use crate::config::principal;
use crate::config::setup::Setup;
use crate::config::store::Place;
use crate::config::task_args::{DefaultPrincipal, Defaults, TaskArgs};
use crate::outcome::Outcome;
use crate::signals::{INTERRUPTED, Signals};
use crate::terminal::Progress;
use crate::terminal::color;
use crate::terminal::screen;
use taskcell::session::{Event, Undeclared};
use taskcell::text;
use taskcell::{HandlerRegistry, Handlers};

/// Seconds to wait for an answer of the server.
const WITHOUT_USER: u64 = 120;
/// The same where the server may itself wait for a person: as long as a cell may wait.
const WITH_USER: u64 = 900;

/// How long a server may take to hear that its task is given up: the program has 3 seconds to end.
const GIVE_UP: Duration = Duration::from_millis(300);

/// Shown below the flags.
pub(crate) const EXAMPLES: &str = "\
Examples:
  List the tools of a server, with their arguments:
    taskcell run -- npx -y @modelcontextprotocol/server-everything stdio
  Call one; the stock handler answers what the server asks:
    taskcell run --tool trigger-sampling-request --arg prompt=hello -- npx -y @modelcontextprotocol/server-everything stdio
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
    /// An argument of the tool, which becomes what the tool's input schema says; may be given more than once, also beside
    /// --args
    #[arg(long = "arg", value_name = "KEY=VALUE|KEY=@FILE", requires = "tool", value_parser = key_and_value)]
    pairs: Vec<(String, String)>,
    /// Call the tool as a task, which the server keeps for so long after its end, such as 10m or 600000 (ms); a tool that must run as a
    /// task does so without this
    #[arg(long, value_name = "TTL", num_args = 0..=1, require_equals = true, requires = "tool", value_parser = time)]
    task: Option<Option<Duration>>,
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
    /// Reload handlers when their files change [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    watch: Option<bool>,
    /// The revision of MCP to speak [default: auto]
    #[arg(long, value_name = "REVISION", value_enum)]
    protocol: Option<Protocol>,
    /// End at a line of the server's stdout that is no MCP, instead of skipping it
    #[arg(long)]
    strict: bool,
    /// The server and its arguments
    #[arg(last = true, required = true, value_name = "SERVER")]
    server: Vec<OsString>,
}

/// A time as the configuration writes it, or in milliseconds as MCP does.
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
    let principal = DefaultPrincipal {
        name: principal::of_server(&args.server, &principal::Place::here()),
        earlier: Some(principal::of_words(&args.server)),
    };
    let defaults = Defaults { store: Place::of_user, principal };
    let Setup { config, handlers, secrets, tasks } = Setup::open(&args.handlers, args.tasks, defaults).await?;
    let watch = args.watch.or(config.watch).unwrap_or(false);
    let handlers = if watch { watchable(handlers)? } else { handlers };
    let handlers = HandlerRegistry::new(handlers);
    let timeout = args.timeout.unwrap_or(if args.handlers.asks_the_user(&config) { WITH_USER } else { WITHOUT_USER });
    let timeout = Duration::from_secs(timeout);
    let progress = Progress::new(args.quiet);
    // What nobody will read is not kept: a server may ask without end.
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
        served = serve(&args.server, options, call) => served,
        never = handlers.watch(), if watch => match never {},
    };
    let closed = tasks.store.close().await;
    screen::leave();
    let Served { server, capabilities, outcome } = served?;
    // A good result must not hide that tasks are lost.
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

/// Handlers that are replaced when their files are: the server is told that it will hear of other roots.
fn watchable(handlers: Handlers) -> anyhow::Result<Handlers> {
    anyhow::ensure!(
        handlers.components().any(|component| component.file().is_some()),
        "there is no file to watch: name a component, by --handler or in the configuration"
    );
    let mut features = handlers.features().clone();
    features.roots_list_changed = true;
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
async fn serve(server: &[OsString], options: Options<'_>, mut call: Call) -> anyhow::Result<Served> {
    let mut signals = Signals::take().context("signals cannot be taken")?;
    // Before it is connected there is no work; dropping it kills the server with all that it started.
    let mut client = tokio::select! {
        connected = Client::connect(server, options) => connected?,
        () = signals.came(1) => bail!(INTERRUPTED),
    };
    let outcome = tokio::select! {
        outcome = call.make(&mut client) => outcome,
        () = signals.came(1) => Err(anyhow!(INTERRUPTED)),
    };
    if outcome.is_err() {
        // Who is in a hurry asks again.
        tokio::select! {
            _ = tokio::time::timeout(GIVE_UP, call.give_up(&mut client)) => {}
            () = signals.came(2) => bail!(INTERRUPTED),
        }
    }
    let (server, capabilities) = (client.server.clone(), client.capabilities.clone());
    // Who is in a hurry asks again.
    tokio::select! {
        () = client.close() => {}
        () = signals.came(2) => bail!(INTERRUPTED),
    }
    Ok(Served { server, capabilities, outcome: outcome? })
}
