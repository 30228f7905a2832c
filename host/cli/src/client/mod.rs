//! An MCP client over a server's stdio or over streamable HTTP: agrees on a revision, calls tools, and lets a session
//! answer the server's requests.
//!
//! One session type serves servers of both eras. A server of 2025-11-25 sends requests, and a [`Service`] hands them to
//! the session. A server of 2026-07-28 asks in its results, and a [`Caller`] reads those.

pub(crate) mod asked;
pub(crate) mod batch;
pub(crate) mod call_progress;
pub(crate) mod call_tool;
pub(crate) mod chatter;
pub(crate) mod child;
pub(crate) mod connection;
pub(crate) mod foreign;
pub(crate) mod hints;
pub(crate) mod incoming;
pub(crate) mod launch;
pub(crate) mod listing;
pub(crate) mod negotiate;
pub(crate) mod notices;
pub(crate) mod outgoing;
pub(crate) mod required_pages;
pub(crate) mod result_text;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod tool_list;
pub(crate) mod tool_task;
pub(crate) mod unasked;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::config::task_args::TaskKeeping;
use crate::terminal::{self, Progress};
use child::{Started, forward, this_program};
use connection::{Answer, Peer};
use incoming::Incoming;
use negotiate::{Agreed, BATCHES, Protocol};
use notices::Notices;
use outgoing::Closed;
use server::{Server, Target};
use service::{Asks, Service, quiet};
use taskcell::mrtr::{self, CallError, Caller, RemoteTask, Response, SendError};
use taskcell::protocol::types::Implementation;
use taskcell::session::{Observer, Undeclared};
use taskcell::telemetry::{CallWatch, outgoing_meta};
use taskcell::{HandlerRegistry, Session, SessionOptions};
use taskcell_gateway::stdio::GRACE;

/// Settings of a connection to a server.
pub(crate) struct Options<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) handlers: HandlerRegistry,
    /// Names of the environment variables that the server does not inherit.
    pub(crate) secrets: &'a [String],
    pub(crate) tasks: &'a TaskKeeping,
    pub(crate) timeout: Duration,
    pub(crate) progress: Progress,
    pub(crate) observer: Observer,
    pub(crate) undeclared: Undeclared,
    /// State that the server's notifications change: log lines shown, progress of a call, pages visited.
    pub(crate) notices: Arc<Notices>,
    /// Whether a line on the server's stdout that is not a message ends the connection.
    pub(crate) strict: bool,
}

/// A connection to a server whose revision has been agreed.
pub(crate) struct Client {
    end: Server,
    /// Whether the server is reached by a URL.
    is_remote: bool,
    link: Arc<Link>,
    /// Makes the calls of revision 2026-07-28; absent in earlier revisions.
    caller: Option<Caller>,
    /// Task that reads the server's messages; `None` once it has ended and its outcome was reported.
    reader: Option<JoinHandle<anyhow::Result<()>>>,
    /// Dropping this sender makes the reader end the session.
    reading: oneshot::Sender<Infallible>,
    /// Number of open requests of the server; `None` once the server has been quiet.
    open: Option<watch::Receiver<usize>>,
    /// Answers the server's requests, and requests that this program makes itself.
    session: Arc<Session>,
    notices: Arc<Notices>,
    pub(crate) progress: Progress,
    /// The server's identity and the agreed revision: `serverInfo` and `protocolVersion`.
    pub(crate) server: Value,
    /// Client capabilities that were declared to the server.
    pub(crate) capabilities: Value,
}

/// Connection over which requests are sent, and the time for each response.
struct Link {
    peer: Arc<Peer>,
    timeout: Duration,
}

impl Link {
    /// Sends a request of a revision without multi round-trip requests, inside the trace span of the call.
    async fn call(
        &self,
        method: &str,
        mut params: Value,
        revision: &str,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        let mut watch = CallWatch::begin(revision, method);
        let meta: Map<String, Value> =
            watch.span().in_scope(|| outgoing_meta().map(|(name, value)| (name.to_owned(), value.into())).collect());
        if let (Some(params), false) = (params.as_object_mut(), meta.is_empty()) {
            match params.get_mut("_meta").and_then(Value::as_object_mut) {
                Some(members) => members.extend(meta),
                None => drop(params.insert("_meta".to_owned(), meta.into())),
            }
        }
        let answer = self.peer.request_raw(method, &params, timeout).instrument(watch.span().clone()).await?;
        watch.answered(&answer);
        Ok(answer)
    }
}

#[async_trait]
impl mrtr::Server for Link {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let answer = self.peer.request_raw(method, &params, self.timeout).await;
        // `Closed` stays the outermost error, so that callers can test for it.
        answer.map_err(|error| if error.is::<Closed>() { Closed.into() } else { error.into() })
    }
}

impl Client {
    /// Connects to a server and agrees with it on a revision.
    pub(crate) async fn connect(target: &Target, options: Options<'_>) -> anyhow::Result<Self> {
        let Options { secrets, progress, strict, .. } = options;
        let mut started = Started::new(target, secrets, &options.notices, progress, strict).await?;
        let is_remote = target.is_url();
        let calls = calls(options.progress);
        let handlers = options.handlers.current();
        let (protocol, timeout, progress) = (options.protocol, options.timeout, options.progress);
        let agreed = negotiate::agree(&mut started, protocol, &handlers, &calls, timeout, progress).await;
        let capabilities = handlers.capabilities();
        // Handlers that are replaced later must not be kept alive from here.
        drop(handlers);
        match agreed {
            Ok(Agreed::Legacy { server, version }) => {
                Self::legacy(started, is_remote, options, server, version, capabilities).await
            }
            Ok(Agreed::Modern(server)) => Ok(Self::modern(started, is_remote, options, calls, server)),
            Err(error) => Err(started.ended(error).await),
        }
    }

    /// Builds the connection to a server that has answered `initialize`.
    async fn legacy(
        started: Started,
        is_remote: bool,
        options: Options<'_>,
        server: Value,
        version: String,
        capabilities: Value,
    ) -> anyhow::Result<Self> {
        let Started { server: end, peer, mut incoming } = started;
        let (timeout, progress) = (options.timeout, options.progress);
        let notices = Arc::clone(&options.notices);
        incoming.batches = version == BATCHES;
        let (handlers, session_options) = session(options, identity(&server)?, version);
        let (session, outbox) = Session::new(handlers, session_options);
        tokio::spawn(forward(outbox, peer.outgoing().clone()));
        let service = Service::new(session, peer.outgoing().clone(), Asks::BySending, progress);
        let (open, session) = (Some(service.open()), service.session());
        let (reading, stop) = oneshot::channel();
        let reader = Some(tokio::spawn(read(incoming, Arc::clone(&peer), service, stop)));
        let link = Arc::new(Link { peer, timeout });
        let client = Self {
            end,
            is_remote,
            link,
            caller: None,
            reader,
            reading,
            open,
            session,
            notices,
            progress,
            server,
            capabilities,
        };
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        match client.link.peer.send(&initialized).await {
            // The next request reports why the connection has ended.
            Err(error) if !error.is::<Closed>() => {
                client.close().await;
                Err(error)
            }
            _ => Ok(client),
        }
    }

    /// Builds the connection to a server of revision 2026-07-28, which needs no further messages.
    fn modern(
        started: Started,
        is_remote: bool,
        options: Options<'_>,
        calls: mrtr::Options,
        server: Option<Implementation>,
    ) -> Self {
        let Started { server: end, peer, incoming } = started;
        let (timeout, progress) = (options.timeout, options.progress);
        let notices = Arc::clone(&options.notices);
        // A server need not identify itself. [2026-07-28, basic, Per-response protocol fields]
        let server = server.unwrap_or_else(|| Implementation::new("unnamed", ""));
        let said = json!({ "protocolVersion": mrtr::PROTOCOL_VERSION, "serverInfo": server });
        let (handlers, session_options) = session(options, server, mrtr::PROTOCOL_VERSION.to_owned());
        // In this revision a client sends only requests and cancellations, so the session's outbox is not used.
        let (session, _) = Session::new(handlers, session_options);
        let link = Arc::new(Link { peer: Arc::clone(&peer), timeout });
        let caller = Caller::new(&session, Arc::<Link>::clone(&link), calls);
        let capabilities = caller.capabilities();
        unasked::tell_declared(progress, &capabilities);
        let service = Service::new(session, peer.outgoing().clone(), Asks::ByResults, progress);
        let session = service.session();
        let (reading, stop) = oneshot::channel();
        let reader = Some(tokio::spawn(read(incoming, peer, service, stop)));
        let (caller, server) = (Some(caller), said);
        Self {
            end,
            is_remote,
            link,
            caller,
            reader,
            reading,
            open: None,
            session,
            notices,
            progress,
            server,
            capabilities,
        }
    }

    /// Sends a request and whatever messages its result needs.
    ///
    /// # Errors
    /// When the connection ends before the response: the error says how it ended. When the result cannot be read.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Answer> {
        self.request_within(method, params, self.timeout()).await
    }

    /// Sends a request like [`Self::request`], with its own time limit for the response. Revision 2026-07-28 ignores
    /// the limit.
    pub(crate) async fn request_within(
        &mut self,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> anyhow::Result<Answer> {
        Ok(match self.request_raw(method, params, timeout).await? {
            Ok(result) => Ok(foreign::result(method, &result)?),
            Err(error) => Err(error),
        })
    }

    /// Sends a request like [`Self::request_within`] and returns the result as the server wrote it.
    pub(crate) async fn request_raw(
        &mut self,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        if let Some(open) = self.open.take() {
            // Right after initialization a server asks for what its tools need, such as the roots.
            quiet(open).await;
        }
        let Some(reader) = &mut self.reader else { bail!("the connection has ended") };
        let revision = self.server.get("protocolVersion").and_then(Value::as_str).unwrap_or("unknown");
        let answer = async {
            match &self.caller {
                Some(caller) => called(caller.call(method, &to_raw_value(&params)?).await),
                None => self.link.call(method, params, revision, timeout).await,
            }
        };
        let ended = tokio::select! {
            // Prefer a response that arrived just before the end.
            biased;
            answer = answer => {
                if !answer.as_ref().is_err_and(|error| error.is::<Closed>()) {
                    return answer;
                }
                // The reader reports the reason soon, unless the server closed only its stdin.
                match tokio::time::timeout(GRACE, &mut *reader).await {
                    Ok(ended) => ended,
                    Err(_) => bail!("the server takes no more messages: {method} could not be sent"),
                }
            }
            ended = &mut *reader => ended,
            // A process that the server started may keep the server's stdout open.
            () = self.end.is_over() => Ok(Ok(())),
        };
        if reader.is_finished() {
            self.reader = None;
        }
        match ended.context("reading the server failed")? {
            Ok(()) => bail!("{}, before {method} was answered", self.end.how_it_ended().await),
            Err(error) => Err(error),
        }
    }

    /// Lets the session answer `request`, as if the server had sent it.
    ///
    /// # Errors
    /// When the session does not answer the request.
    pub(crate) async fn answer(&self, request: &Value) -> anyhow::Result<Value> {
        let answer = self.session.answer(&serde_json::to_vec(request)?).await.context("the request had no answer")?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Whether arguments of a call may have to be repeated in headers, which the list of tools says. [2026-07-28,
    /// basic/transports/streamable-http, Client Behavior]
    pub(crate) fn repeats_arguments(&self) -> bool {
        self.is_remote && self.caller.is_some()
    }

    /// Time limit for a response of the server.
    pub(crate) fn timeout(&self) -> Duration {
        self.link.timeout
    }

    /// Ends the connection, and the server or the session with it. Unfinished work returns to the store, so that
    /// another run can do it at once.
    ///
    /// The server's stdin is closed. Its stdout is read until it ends, because a server that cannot write dies of
    /// SIGPIPE. [basic/lifecycle, Shutdown]
    pub(crate) async fn close(self) {
        let until = Instant::now() + GRACE;
        // Abandoned tasks are cancelled while the server still listens.
        if let Some(caller) = &self.caller {
            let _ = timeout_at(until, caller.settle()).await;
        }
        drop(self.caller);
        self.notices.chatter.mute();
        drop(self.reading);
        self.end.stop(until).await;
        if let Some(mut reader) = self.reader {
            // A process that the server started may keep the server's stdout open, or the task store may be slow.
            if timeout_at(until + GRACE / 3, &mut reader).await.is_err() {
                reader.abort();
            }
        }
    }
}

/// Options for the calls of revision 2026-07-28.
fn calls(progress: Progress) -> mrtr::Options {
    let observer = move |task: &RemoteTask| {
        let RemoteTask { id, status, message, .. } = task;
        let message = message.as_deref().unwrap_or_default();
        progress.line(format!("server's task {id} is {}  {message}", terminal::status(*status)));
    };
    let mut options = mrtr::Options::default();
    options.client = Some(this_program());
    options.observer = Some(Arc::new(observer));
    options
}

/// Converts the outcome of a multi round-trip call into the response of a request.
fn called(outcome: Result<Box<RawValue>, CallError>) -> anyhow::Result<Response> {
    match outcome {
        Ok(result) => Ok(Ok(result)),
        Err(CallError::Refused(error) | CallError::Input { error, .. }) => Ok(Err(error)),
        Err(CallError::Transport(error)) if error.is::<Closed>() => Err(Closed.into()),
        Err(error) => Err(error.into()),
    }
}

/// Splits the options into the handlers and the options of their session, and reports the connection.
fn session(options: Options<'_>, server: Implementation, version: String) -> (HandlerRegistry, SessionOptions) {
    options.progress.line(format!("connected to {} {} ({version})", server.name, server.version));
    let mut session_options = SessionOptions::new(server);
    session_options.protocol_version = version;
    session_options.observer = Some(options.observer);
    session_options.undeclared = options.undeclared;
    options.tasks.set(&mut session_options);
    (options.handlers, session_options)
}

/// Reads the server's messages until the server ends or `stop` fires, then ends the session.
async fn read(
    mut incoming: Incoming,
    peer: Arc<Peer>,
    mut service: Service,
    stop: oneshot::Receiver<Infallible>,
) -> anyhow::Result<()> {
    let ended = tokio::select! {
        ended = service.serve(&mut incoming) => Some(ended),
        _ = stop => None,
    };
    peer.close();
    service.close(incoming, ended.is_some()).await;
    ended.unwrap_or(Ok(()))
}

/// Reads the server's identity from its `initialize` result.
fn identity(server: &Value) -> anyhow::Result<Implementation> {
    let info = server.get("serverInfo").context("the server's initialize result has no serverInfo")?;
    serde_json::from_value(info.clone()).context("the server's serverInfo does not follow MCP's schema")
}
