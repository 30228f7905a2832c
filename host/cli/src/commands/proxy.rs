//! Command `taskcell proxy`: stands between a client, on stdin and stdout, and a server that it starts or reaches by a
//! URL.
//!
//! stdout is the client's alone. Everything for people goes to stderr, which most clients keep as the server's log, or
//! to a file.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use serde_json::Value;

use super::listen::{ListenArgs, serve_clients};
use super::run::watchable;
use crate::client::chatter::Chatter;
use crate::client::launch;
use crate::config::arguments;
use crate::config::handler_args::HandlerArgs;
use crate::config::principal;
use crate::config::proxy::ProxyProtocol;
use crate::config::server_args::UrlArgs;
use crate::config::setup::Setup;
use crate::config::store::Place;
use crate::config::task_args::{DefaultPrincipal, Defaults, TaskArgs};
use crate::outcome::Outcome;
use crate::signals::{INTERRUPTED, Signals};
use crate::terminal::{Progress, one_line, screen};
use taskcell::protocol::types::Implementation;
use taskcell::{HandlerRegistry, SessionOptions};
use taskcell_gateway::stdio::{self, StdioServer};
use taskcell_gateway::{
    Audit, ClientFacts, Connection, Connector, Frame, GatewayOptions, Plan, Receiver, Rule, TransportError, serve,
};

/// Examples shown below the flags.
pub(crate) const EXAMPLES: &str = "\
Examples:
  In a client's configuration, the command of a server, with a handler of your own for what the server asks:
    taskcell proxy --handler handler.wasm -- npx -y @modelcontextprotocol/server-everything stdio
  The same by a file, which names the server, the handlers and the rules:
    taskcell proxy --config taskcell.toml
  The same with a server that runs already, whose token is in a variable:
    taskcell proxy --handler handler.wasm --url https://mcp.example/mcp --token-env MCP_TOKEN
  The same for clients that connect by URL, to http://127.0.0.1:8765/mcp:
    taskcell proxy --handler handler.wasm --listen 127.0.0.1:8765 -- npx -y @modelcontextprotocol/server-everything stdio
  See who would answer what for a client, and why:
    taskcell proxy --config taskcell.toml --explain --client claude-ai --client-capabilities '{\"elicitation\":{}}'";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    tasks: TaskArgs,
    /// Rule of who answers a kind of question, such as sampling=handler; may be given more than once. Kinds: sampling,
    /// sampling-tools, sampling-context, elicitation-form, elicitation-url, roots, tasks. Rules: auto, client, handler,
    /// handler-then-client, off [default: auto]
    #[arg(long = "answer", value_name = "KIND=RULE", value_parser = kind_and_rule)]
    answers: Vec<(String, Rule)>,
    /// Time that an elicitation which a handler answers may hold a call of a client that gave no progress token
    /// [default: 50s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    patience: Option<Duration>,
    /// Revision of MCP [default: 2025-11-25]
    #[arg(long, value_name = "REVISION", value_enum)]
    protocol: Option<ProxyProtocol>,
    /// Reload handlers when their files change [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    watch: Option<bool>,
    /// Append everything for people to this file, instead of stderr
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Show only what goes wrong
    #[arg(short, long)]
    quiet: bool,
    /// Show what would be declared to the server, who would answer what, and why, and end
    #[arg(long)]
    explain: bool,
    /// With --explain: the client's name, as in its clientInfo
    #[arg(long, value_name = "NAME", requires = "explain", default_value = "a client")]
    client: String,
    /// With --explain: the client's capabilities
    #[arg(long, value_name = "JSON|@FILE", requires = "explain", default_value = "{}")]
    client_capabilities: String,
    #[command(flatten)]
    clients: ListenArgs,
    #[command(flatten)]
    url: UrlArgs,
    /// The server and its arguments [default: the `command` of the configuration]
    #[arg(last = true, value_name = "SERVER")]
    server: Vec<OsString>,
}

fn kind_and_rule(text: &str) -> Result<(String, Rule), String> {
    let (kind, rule) = text.split_once('=').ok_or("expected KIND=RULE")?;
    Ok((kind.to_owned(), rule.parse()?))
}

fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?;
    Duration::try_from(time).map_err(|error| error.to_string())
}

pub(crate) async fn proxy(mut args: Args) -> anyhow::Result<Outcome> {
    if let Some(file) = &args.log {
        screen::write_to(append(file).with_context(|| format!("the log {} cannot be opened", file.display()))?);
    }
    let config = args.tasks.config()?;
    let remote = args.url.connector()?;
    let server: Vec<OsString> = match (&config.proxy.command, args.server.is_empty()) {
        _ if remote.is_some() => Vec::new(),
        (Some(command), true) => command.iter().map(OsString::from).collect(),
        _ => std::mem::take(&mut args.server),
    };
    ensure!(
        args.explain || remote.is_some() || !server.is_empty(),
        "no server was given: end with -- SERVER ARGS..., say --url URL, or name it as `command` in the table [proxy] of --config FILE"
    );
    let principal = args.url.principal()?.unwrap_or_else(|| DefaultPrincipal {
        name: principal::of_server(&server, &principal::Place::here()),
        earlier: None,
    });
    let mut defaults = Defaults { store: Place::of_user, principal };
    if args.explain {
        defaults.store = || Ok(Place::Memory);
    }
    // A client's user must not get canned answers.
    args.handlers.without_stock();
    let Setup { config, handlers, secrets, tasks } =
        Setup::with_config(config, &args.handlers, args.tasks, defaults).await?;
    let watch = args.watch.or(config.watch).unwrap_or(false);
    let handlers = HandlerRegistry::new(if watch { watchable(handlers)? } else { handlers });
    let progress = Progress::new(args.quiet);
    let mut options = GatewayOptions::new(handlers.clone());
    options.policy = config.answer;
    for (kind, rule) in &args.answers {
        options.policy.set(kind, *rule).with_context(|| format!("--answer {kind}={rule}"))?;
    }
    options.dead_clients = config.dead_clients.clone();
    if options.dead_clients.is_empty() {
        options.dead_clients = taskcell_gateway::dead_clients::shipped();
    }
    if args.explain {
        let capabilities = Value::Object(arguments::object("--client-capabilities", &args.client_capabilities)?);
        explain(&args.client, capabilities, &options)?;
        return Ok(Outcome::Success);
    }
    options.patience = args.patience.or(config.proxy.patience()).unwrap_or(options.patience);
    let clients = args.clients.settle(&config.proxy)?;
    options.discover = args.protocol.or(config.proxy.protocol) == Some(ProxyProtocol::Auto);
    options.notice = Arc::new(move |line| progress.line(format!("gateway      {line}")));
    options.audit = match &tasks.audit_file {
        Some(file) => Some(Arc::new(Audit::new(append(file).context("the audit log cannot be opened")?))),
        None => None,
    };
    let tasks = Arc::new(tasks);
    options.session = Arc::new({
        let tasks = Arc::clone(&tasks);
        move |server: Implementation| {
            let mut options = SessionOptions::new(server);
            options.observer = Some(progress.observer(|_| {}));
            tasks.set(&mut options);
            options
        }
    });
    let connector: Arc<dyn Connector> = match remote {
        Some(remote) => {
            // The program holds the credentials.
            launch::hide();
            Arc::new(remote)
        }
        None => connector(&server, &secrets, progress)?,
    };
    let mut signals = Signals::take().context("signals cannot be taken")?;
    let first = signals.clone();
    let serving = async {
        match clients {
            Some(clients) => serve_clients(clients, connector, options, first).await,
            None => Ok(serve(client(&first), connector, options).await?),
        }
    };
    let served = tokio::select! {
        served = serving => served,
        never = handlers.watch(), if watch => match never {},
        // A second signal skips the orderly end.
        () = signals.came(2) => Err(anyhow::anyhow!(INTERRUPTED)),
    };
    tasks.store.close().await?;
    served?;
    Ok(Outcome::Success)
}

/// Describes the server for the gateway.
fn connector(server: &[OsString], secrets: &[String], progress: Progress) -> anyhow::Result<Arc<dyn Connector>> {
    let name = launch::name(server);
    let command = launch::command(server, secrets).with_context(|| format!("the server {name} cannot be started"))?;
    let chatter = Chatter::new(progress);
    let log = Arc::new(move |line: &str| chatter.line("server says", line));
    let notice = Arc::new(move |line: &str| progress.line(format!("not MCP      {line}")));
    Ok(Arc::new(StdioServer::new(command, name, log, notice)))
}

/// Opens a file to append to, for this user alone.
fn append(file: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// The client on stdin and stdout, whose connection ends at a signal, too.
fn client(signals: &Signals) -> Connection {
    let Connection { sender, receiver } = stdio::client();
    Connection { sender, receiver: Box::new(UntilSignal { receiver, signals: signals.clone() }) }
}

struct UntilSignal {
    receiver: Box<dyn Receiver>,
    signals: Signals,
}

#[async_trait]
impl Receiver for UntilSignal {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        tokio::select! {
            received = self.receiver.next() => received,
            () = self.signals.came(1) => None,
        }
    }
}

/// Writes the plan for a client.
fn explain(name: &str, capabilities: Value, options: &GatewayOptions) -> anyhow::Result<()> {
    let revision = taskcell::protocol::PROTOCOL_VERSION.to_owned();
    let facts = ClientFacts { name: name.to_owned(), revision, capabilities };
    let handlers = options.handlers.current().capabilities();
    let plan = Plan::new(&facts, &handlers, &options.policy, &options.dead_clients);
    let mut out = std::io::stdout().lock();
    writeln!(out, "client {}: {}", one_line(name), facts.capabilities)?;
    writeln!(out, "handlers: {handlers}")?;
    writeln!(out, "declared to the server: {}\n", plan.declared)?;
    writeln!(out, "{:<31} {:<19} {:<20} why", "question", "rule", "answered by")?;
    for row in &plan.rows {
        let (topic, rule, route) = (row.topic.to_string(), row.rule.word(), row.route.to_string());
        writeln!(out, "{topic:<31} {rule:<19} {route:<20} {}", one_line(&row.why))?;
    }
    Ok(())
}
