//! An MCP client over a server's stdio: agrees on a revision, calls tools, and lets a session answer the server.
//!
//! Servers of both eras are served by the same session. One of 2025-11-25 sends requests, which [`serve`] hands to it; one
//! of 2026-07-28 asks by its results, which a [`Caller`] reads.

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use tokio::process::ChildStdout;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tracing::Instrument;

use super::negotiate::{Protocol, Spoken};
use super::notices::Notices;
use super::peer::{self, Answer, Closed, Lines, Peer};
use super::process::{GRACE, ServerProcess};
use super::started::{Started, forward, gone, message, named, this_program};
use super::tasks_args::TaskKeeping;
use super::terminal::{self, Progress};
use super::unasked;
use crate::observe::{CallWatch, outgoing};
use crate::protocol::PROTOCOL_VERSION;
use crate::protocol::types::{Implementation, RpcError};
use crate::session::rounds::{self, CallError, Caller, RemoteTask, Response, SendError};
use crate::session::{Observer, Undeclared};
use crate::{LiveHandlers, Session, SessionOptions};

/// Older revisions that differ in nothing that this client does.
const ALSO_SPOKEN: &[&str] = &["2025-06-18", "2025-03-26", "2024-11-05"];
/// Messages of the server that are worked on at once; what comes on top waits in the pipe.
const AT_ONCE: usize = 4_096;
/// Pages of tools to ask for: a server whose list does not end must not keep the client.
const MAX_PAGES: usize = 1_000;

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
}

/// A connection to a server whose revision is known.
pub(super) struct Client {
    process: ServerProcess,
    link: Arc<Link>,
    /// Makes the calls of revision 2026-07-28.
    caller: Option<Caller>,
    /// Reads the server; none once it has ended and said how.
    reader: Option<JoinHandle<anyhow::Result<()>>>,
    /// Ends the reader, and the session with it, when it is dropped.
    reading: oneshot::Sender<Infallible>,
    /// Has the session answer requests of this program's own.
    own: mpsc::Sender<Own>,
    /// What the server says it is, and the revision that is spoken: `serverInfo` and `protocolVersion`.
    pub(super) server: Value,
    /// What was declared to it.
    pub(super) capabilities: Value,
}

/// A request of this program's own to the session, and where its answer goes.
struct Own {
    request: Vec<u8>,
    answer: oneshot::Sender<Option<Vec<u8>>>,
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
        revision: Option<&Value>,
        timeout: Duration,
    ) -> anyhow::Result<Answer> {
        let mut watch = CallWatch::begin(revision.and_then(Value::as_str).unwrap_or_default(), method);
        let meta: Map<String, Value> =
            watch.span().in_scope(|| outgoing().map(|(name, value)| (name.to_owned(), value.into())).collect());
        if let (Some(params), false) = (params.as_object_mut(), meta.is_empty()) {
            match params.get_mut("_meta").and_then(Value::as_object_mut) {
                Some(members) => members.extend(meta),
                None => drop(params.insert("_meta".to_owned(), meta.into())),
            }
        }
        let answer = self.peer.request(method, params, timeout).instrument(watch.span().clone()).await?;
        watch.answered(&answer);
        Ok(answer)
    }
}

#[async_trait]
impl rounds::Server for Link {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let answer = self.peer.request_raw(method, &params, self.timeout).await;
        // As it is, so that it is found again.
        answer.map_err(|error| if error.is::<Closed>() { Closed.into() } else { error.into() })
    }
}

impl Client {
    /// Starts a server and agrees with it on a revision.
    pub(super) async fn connect(command: &[OsString], options: Options<'_>) -> anyhow::Result<Self> {
        let mut started = Started::new(command, options.secrets, options.progress)?;
        let calls = calls(options.progress);
        let handlers = options.handlers.current();
        let probe = rounds::discover(&handlers, &calls);
        let mut spoken = match options.protocol {
            Protocol::Initialize => Spoken::Legacy,
            Protocol::Auto | Protocol::Discover => match started.probe(&probe, options.timeout).await {
                Ok(spoken) => spoken,
                // Some end when the first request is another than `initialize`.
                Err(error) if gone(&error) && options.protocol == Protocol::Auto => {
                    started = Started::new(command, options.secrets, options.progress)?;
                    Spoken::Legacy
                }
                Err(error) => return Err(started.ended(error).await),
            },
        };
        if options.protocol == Protocol::Discover && !matches!(spoken, Spoken::Modern(_)) {
            bail!("the server does not speak MCP {}; --protocol auto speaks others, too", rounds::PROTOCOL_VERSION);
        }
        let mut initialized = None;
        let capabilities = handlers.capabilities();
        // Nobody holds those that are replaced.
        drop(handlers);
        if !matches!(spoken, Spoken::Modern(_)) {
            unasked::tell_declared(options.progress, &capabilities);
            match started.initialize(&capabilities, options.timeout).await {
                Ok(Ok(server)) => initialized = Some(server),
                Ok(Err(error)) => {
                    // It may have been slow to start, and knows no `initialize`.
                    if matches!(spoken, Spoken::Silent) {
                        let again = started.probe(&probe, options.timeout).await;
                        spoken = again.unwrap_or(Spoken::Legacy);
                    }
                    if !matches!(spoken, Spoken::Modern(_)) {
                        bail!("the server refused initialize: {} {}", error.code, error.message);
                    }
                }
                Err(error) => return Err(started.ended(error).await),
            }
        }
        match (spoken, initialized) {
            (_, Some(server)) => Self::legacy(started, options, server, capabilities).await,
            (Spoken::Modern(server), None) => Ok(Self::modern(started, options, calls, server)),
            (Spoken::Legacy | Spoken::Silent, None) => bail!("the server speaks no revision that this client does"),
        }
    }

    /// The connection to a server that was initialized.
    async fn legacy(
        started: Started,
        options: Options<'_>,
        server: Value,
        capabilities: Value,
    ) -> anyhow::Result<Self> {
        let Started { process, peer, lines, to_server } = started;
        let (timeout, progress) = (options.timeout, options.progress);
        let notices = Arc::clone(&options.notices);
        let (handlers, session_options) = session(options, identity(&server)?, negotiated(&server)?);
        let (session, outbox) = Session::new(handlers, session_options);
        tokio::spawn(forward(outbox, to_server));
        let (reading, stop) = oneshot::channel();
        let (own, owned) = mpsc::channel(1);
        let inner = Inner { session, asks: Asks::BySending, own: owned, notices, progress };
        let reader = tokio::spawn(read(lines, Arc::clone(&peer), inner, stop));
        let link = Arc::new(Link { peer, timeout });
        let client = Self { process, link, caller: None, reader: Some(reader), reading, own, server, capabilities };
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        if let Err(error) = client.link.peer.send(&initialized).await {
            client.close().await;
            return Err(error);
        }
        Ok(client)
    }

    /// The connection to a server of revision 2026-07-28, which needs nothing more.
    fn modern(started: Started, options: Options<'_>, calls: rounds::Options, server: Option<Implementation>) -> Self {
        let Started { process, peer, lines, .. } = started;
        let (timeout, progress) = (options.timeout, options.progress);
        let notices = Arc::clone(&options.notices);
        // It need not say what it is. [2026-07-28, basic, Per-response protocol fields]
        let server = server.unwrap_or_else(|| named("unnamed", ""));
        let said = json!({ "protocolVersion": rounds::PROTOCOL_VERSION, "serverInfo": server });
        let (handlers, session_options) = session(options, server, rounds::PROTOCOL_VERSION.to_owned());
        // The revision has no messages of a client but requests and their cancellation.
        let (session, _) = Session::new(handlers, session_options);
        let link = Arc::new(Link { peer: Arc::clone(&peer), timeout });
        let caller = Caller::new(&session, Arc::<Link>::clone(&link), calls);
        let capabilities = caller.capabilities();
        unasked::tell_declared(progress, &capabilities);
        let (reading, stop) = oneshot::channel();
        let (own, owned) = mpsc::channel(1);
        let inner = Inner { session, asks: Asks::ByResults, own: owned, notices, progress };
        let reader = tokio::spawn(read(lines, peer, inner, stop));
        let caller = Some(caller);
        Self { process, link, caller, reader: Some(reader), reading, own, server: said, capabilities }
    }

    /// Sends a request, and whatever it takes to have its result. A connection that ends meanwhile is an error that says
    /// how.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Answer> {
        let timeout = self.link.timeout;
        self.request_within(method, params, timeout).await
    }

    /// The same, with a time for the answer where the revision has no rounds.
    pub(super) async fn request_within(
        &mut self,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> anyhow::Result<Answer> {
        let Some(reader) = &mut self.reader else { bail!("the connection has ended") };
        let answer = async {
            match &self.caller {
                Some(caller) => called(caller.call(method, &to_raw_value(&params)?).await),
                None => self.link.call(method, params, self.server.get("protocolVersion"), timeout).await,
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
        };
        self.reader = None;
        match ended.context("reading the server failed")? {
            Ok(()) => bail!("{}, before {method} was answered", self.process.how_it_ended().await),
            Err(error) => Err(error),
        }
    }

    /// Has the session answer a request, as if the server had sent it.
    ///
    /// # Errors
    /// The connection has ended, or the request is not answered.
    pub(super) async fn answer(&mut self, request: &Value) -> anyhow::Result<Value> {
        let (answer, answered) = oneshot::channel();
        let own = Own { request: serde_json::to_vec(request)?, answer };
        self.own.send(own).await.ok().context("the connection has ended")?;
        let answer = answered.await.context("the connection has ended")?.context("the request had no answer")?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// All tools of the server.
    pub(super) async fn tools(&mut self) -> anyhow::Result<Result<Vec<Value>, RpcError>> {
        let mut tools = Vec::new();
        let mut cursor = None::<String>;
        for _ in 0..MAX_PAGES {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let mut page = match self.request("tools/list", params).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(Value::Array(more)) = page.get_mut("tools").map(Value::take) {
                tools.extend(more);
            }
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(Ok(tools)),
            }
        }
        bail!("the server's list of tools has more than {MAX_PAGES} pages")
    }

    /// Ends the connection and the server. Work that is not finished is given back: another run can do it at once.
    pub(super) async fn close(self) {
        // Tasks that were given up are cancelled while the server still listens.
        if let Some(caller) = &self.caller {
            caller.settle().await;
        }
        drop(self.caller);
        // With the session and the peer the last sender to the writer goes, which closes the server's stdin.
        drop(self.reading);
        if let Some(reader) = self.reader {
            let _ = reader.await;
        }
        drop(self.link);
        self.process.stop().await;
    }
}

/// How calls of revision 2026-07-28 are made.
fn calls(progress: Progress) -> rounds::Options {
    let observer = move |task: &RemoteTask| {
        let RemoteTask { id, status, message, .. } = task;
        let message = message.as_deref().unwrap_or_default();
        progress.line(format!("server's task {id} is {}  {message}", terminal::status(*status)));
    };
    rounds::Options { client: Some(this_program()), observer: Some(Arc::new(observer)), ..rounds::Options::default() }
}

/// What came of a call, in the words of a request.
fn called(outcome: Result<Box<RawValue>, CallError>) -> anyhow::Result<Answer> {
    match outcome {
        Ok(result) => Ok(Ok(serde_json::from_str(result.get()).unwrap_or_default())),
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

/// How a server asks the client for something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// By requests of its own.
    BySending,
    /// By its results alone. [2026-07-28, basic/transports/stdio, Receiving Messages]
    ByResults,
}

/// Who takes what the server sends.
struct Inner {
    session: Session,
    asks: Asks,
    own: mpsc::Receiver<Own>,
    notices: Arc<Notices>,
    progress: Progress,
}

/// Reads what the server sends until it ends or is to be stopped, and ends the session.
async fn read(
    lines: Lines<ChildStdout>,
    peer: Arc<Peer>,
    inner: Inner,
    stop: oneshot::Receiver<Infallible>,
) -> anyhow::Result<()> {
    let Inner { session, asks, own, notices, progress } = inner;
    let session = Arc::new(session);
    let mut work = JoinSet::new();
    let ended = tokio::select! {
        ended = serve(lines, &peer, &session, asks, &mut work, (&notices, progress)) => ended,
        _ = stop => Ok(()),
        never = answer_own(own, &session) => match never {},
    };
    peer.close();
    work.shutdown().await;
    if let Some(session) = Arc::into_inner(session) {
        session.close().await;
    }
    ended
}

/// Answers this program's own requests, one after the other.
async fn answer_own(mut own: mpsc::Receiver<Own>, session: &Session) -> Infallible {
    while let Some(Own { request, answer }) = own.recv().await {
        // Whoever asked may have gone.
        let _ = answer.send(session.answer(&request).await);
    }
    std::future::pending().await
}

/// Has each message of the server worked on by itself.
async fn serve(
    mut lines: Lines<ChildStdout>,
    peer: &Peer,
    session: &Arc<Session>,
    asks: Asks,
    work: &mut JoinSet<()>,
    (notices, progress): (&Notices, Progress),
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(line) = peer::next_line(&mut lines).await.context("reading from the server failed")? {
        let message = message(&line)?;
        if message.method.is_none() {
            peer.response(&message);
            continue;
        }
        if message.id.is_none() {
            notices.take(&message);
        }
        if asks == Asks::ByResults {
            if message.id.is_some() {
                let method = message.method.as_deref().unwrap_or_default();
                progress.line(format!("server asked {method}, which it must not in this revision: there is no answer"));
            }
            continue;
        }
        while work.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await;
        let session = Arc::clone(session);
        work.spawn(async move {
            session.handle(line.as_bytes()).await;
            drop(place);
        });
    }
    Ok(())
}

/// What the server says it is.
fn identity(server: &Value) -> anyhow::Result<Implementation> {
    let info = server.get("serverInfo").context("the server's initialize result has no serverInfo")?;
    serde_json::from_value(info.clone()).context("the server's serverInfo is not what MCP says")
}

/// The revision that the server chose.
fn negotiated(server: &Value) -> anyhow::Result<String> {
    let version = server.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    if version != PROTOCOL_VERSION && !ALSO_SPOKEN.contains(&version) {
        bail!("the server speaks MCP {:?}, this client {PROTOCOL_VERSION}", terminal::one_line(version));
    }
    Ok(version.to_owned())
}
