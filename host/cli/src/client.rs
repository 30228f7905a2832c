//! An MCP client over a server's stdio: agrees on a revision, calls tools, and lets a session answer the server.
//!
//! Servers of both eras are served by the same session. One of 2025-11-25 sends requests, which a [`Service`] hands to it;
//! one of 2026-07-28 asks by its results, which a [`Caller`] reads.

use std::convert::Infallible;
use std::ffi::OsString;
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

use super::foreign;
use super::incoming::Incoming;
use super::negotiate::{self, Agreed, BATCHES, Protocol};
use super::notices::Notices;
use super::outgoing::Closed;
use super::peer::{Answer, Peer};
use super::process::{GRACE, ServerProcess};
use super::service::{Asks, Service, quiet};
use super::started::{Started, forward, named, this_program};
use super::tasks_args::TaskKeeping;
use super::terminal::{self, Progress};
use super::unasked;
use taskcell::mrtr::{self, CallError, Caller, RemoteTask, Response, SendError};
use taskcell::protocol::types::Implementation;
use taskcell::session::{Observer, Undeclared};
use taskcell::telemetry::{CallWatch, outgoing};
use taskcell::{LiveHandlers, Session, SessionOptions};

/// How to connect.
pub(super) struct Options<'a> {
    pub(super) protocol: Protocol,
    pub(super) handlers: LiveHandlers,
    /// Environment variables that the server does not get.
    pub(super) secrets: &'a [String],
    pub(super) tasks: &'a TaskKeeping,
    pub(super) timeout: Duration,
    pub(super) progress: Progress,
    pub(super) observer: Observer,
    pub(super) undeclared: Undeclared,
    /// What the server's notifications come to.
    pub(super) notices: Arc<Notices>,
    /// Whether a line of the server's stdout that is no message ends the connection.
    pub(super) strict: bool,
}

/// A connection to a server whose revision is known.
pub(super) struct Client {
    process: ServerProcess,
    link: Arc<Link>,
    /// Makes the calls of revision 2026-07-28.
    caller: Option<Caller>,
    /// Reads the server; none once it has ended and said how.
    reader: Option<JoinHandle<anyhow::Result<()>>>,
    /// Lets the reader end the session, when it is dropped.
    reading: oneshot::Sender<Infallible>,
    /// How many requests of the server are open; none once the server was quiet.
    open: Option<watch::Receiver<usize>>,
    /// Answers the server, and requests of this program's own.
    session: Arc<Session>,
    notices: Arc<Notices>,
    pub(super) progress: Progress,
    /// What the server says it is, and the revision that is spoken: `serverInfo` and `protocolVersion`.
    pub(super) server: Value,
    /// What was declared to it.
    pub(super) capabilities: Value,
}

/// The way to the server.
struct Link {
    peer: Arc<Peer>,
    timeout: Duration,
}

impl Link {
    /// Sends a request of a revision that has no rounds, in the trace of a call.
    async fn call(
        &self,
        method: &str,
        mut params: Value,
        revision: &str,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        let mut watch = CallWatch::begin(revision, method);
        let meta: Map<String, Value> =
            watch.span().in_scope(|| outgoing().map(|(name, value)| (name.to_owned(), value.into())).collect());
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
        // As it is, so that it is found again.
        answer.map_err(|error| if error.is::<Closed>() { Closed.into() } else { error.into() })
    }
}

impl Client {
    /// Starts a server and agrees with it on a revision.
    pub(super) async fn connect(command: &[OsString], options: Options<'_>) -> anyhow::Result<Self> {
        let mut started = Started::new(command, options.secrets, &options.notices, options.progress, options.strict)?;
        let calls = calls(options.progress);
        let handlers = options.handlers.current();
        let (protocol, timeout, progress) = (options.protocol, options.timeout, options.progress);
        let agreed = negotiate::agree(&mut started, protocol, &handlers, &calls, timeout, progress).await;
        let capabilities = handlers.capabilities();
        // Nobody holds those that are replaced.
        drop(handlers);
        match agreed {
            Ok(Agreed::Legacy { server, version }) => {
                Self::legacy(started, options, server, version, capabilities).await
            }
            Ok(Agreed::Modern(server)) => Ok(Self::modern(started, options, calls, server)),
            Err(error) => Err(started.ended(error).await),
        }
    }

    /// The connection to a server that was initialized.
    async fn legacy(
        started: Started,
        options: Options<'_>,
        server: Value,
        version: String,
        capabilities: Value,
    ) -> anyhow::Result<Self> {
        let Started { process, peer, mut incoming } = started;
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
            process,
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
            // The next request finds out why the connection has ended.
            Err(error) if !error.is::<Closed>() => {
                client.close().await;
                Err(error)
            }
            _ => Ok(client),
        }
    }

    /// The connection to a server of revision 2026-07-28, which needs nothing more.
    fn modern(started: Started, options: Options<'_>, calls: mrtr::Options, server: Option<Implementation>) -> Self {
        let Started { process, peer, incoming } = started;
        let (timeout, progress) = (options.timeout, options.progress);
        let notices = Arc::clone(&options.notices);
        // It need not say what it is. [2026-07-28, basic, Per-response protocol fields]
        let server = server.unwrap_or_else(|| named("unnamed", ""));
        let said = json!({ "protocolVersion": mrtr::PROTOCOL_VERSION, "serverInfo": server });
        let (handlers, session_options) = session(options, server, mrtr::PROTOCOL_VERSION.to_owned());
        // The revision has no messages of a client but requests and their cancellation.
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
        Self { process, link, caller, reader, reading, open: None, session, notices, progress, server, capabilities }
    }

    /// Sends a request, and whatever it takes to have its result. A connection that ends meanwhile is an error that says
    /// how.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Answer> {
        self.request_within(method, params, self.timeout()).await
    }

    /// The same, with a time for the answer where the revision has no rounds.
    pub(super) async fn request_within(
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

    /// The same with the result as the server wrote it.
    pub(super) async fn request_raw(
        &mut self,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        if let Some(open) = self.open.take() {
            // A server asks for what its tools need when it is initialized, such as the roots.
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
            // An answer that came just before the end counts.
            biased;
            answer = answer => {
                if !answer.as_ref().is_err_and(|error| error.is::<Closed>()) {
                    return answer;
                }
                // The reader is about to say why, unless the server closed its stdin alone.
                match tokio::time::timeout(GRACE, &mut *reader).await {
                    Ok(ended) => ended,
                    Err(_) => bail!("the server takes no more messages: {method} could not be sent"),
                }
            }
            ended = &mut *reader => ended,
            // Something that it started may keep its stdout open.
            () = self.process.is_over() => Ok(Ok(())),
        };
        if reader.is_finished() {
            self.reader = None;
        }
        match ended.context("reading the server failed")? {
            Ok(()) => bail!("{}, before {method} was answered", self.process.how_it_ended().await),
            Err(error) => Err(error),
        }
    }

    /// Has the session answer a request, as if the server had sent it.
    ///
    /// # Errors
    /// The request is not answered.
    pub(super) async fn answer(&self, request: &Value) -> anyhow::Result<Value> {
        let answer = self.session.answer(&serde_json::to_vec(request)?).await.context("the request had no answer")?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// How long an answer of the server may take.
    pub(super) fn timeout(&self) -> Duration {
        self.link.timeout
    }

    /// Ends the connection and the server. Work that is not finished is given back: another run can do it at once.
    ///
    /// The server's stdin is closed, and its stdout read until it ends: a server that cannot write dies of it.
    /// [basic/lifecycle, Shutdown]
    pub(super) async fn close(self) {
        let until = Instant::now() + GRACE;
        // Tasks that were given up are cancelled while the server still listens.
        if let Some(caller) = &self.caller {
            let _ = timeout_at(until, caller.settle()).await;
        }
        drop(self.caller);
        self.notices.chatter.mute();
        drop(self.reading);
        self.process.stop(until).await;
        if let Some(mut reader) = self.reader {
            // A process that the server started may keep its stdout open, or the store be slow.
            if timeout_at(until + GRACE / 3, &mut reader).await.is_err() {
                reader.abort();
            }
        }
    }
}

/// How calls of revision 2026-07-28 are made.
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

/// What came of a call, in the words of a request.
fn called(outcome: Result<Box<RawValue>, CallError>) -> anyhow::Result<Response> {
    match outcome {
        Ok(result) => Ok(Ok(result)),
        Err(CallError::Refused(error) | CallError::Input { error, .. }) => Ok(Err(error)),
        Err(CallError::Transport(error)) if error.is::<Closed>() => Err(Closed.into()),
        Err(error) => Err(error.into()),
    }
}

/// The handlers and how their session is set up.
fn session(options: Options<'_>, server: Implementation, version: String) -> (LiveHandlers, SessionOptions) {
    options.progress.line(format!("connected to {} {} ({version})", server.name, server.version));
    let mut session_options = SessionOptions::new(server);
    session_options.protocol_version = version;
    session_options.observer = Some(options.observer);
    session_options.undeclared = options.undeclared;
    options.tasks.set(&mut session_options);
    (options.handlers, session_options)
}

/// Reads what the server sends until it ends or is to be stopped, and ends the session.
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

/// What the server says it is.
fn identity(server: &Value) -> anyhow::Result<Implementation> {
    let info = server.get("serverInfo").context("the server's initialize result has no serverInfo")?;
    serde_json::from_value(info.clone()).context("the server's serverInfo is not what MCP says")
}
