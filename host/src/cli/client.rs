//! An MCP client over a server's stdio: initializes, calls tools, and lets a session answer the server.

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::peer::{self, Answer, Closed, Lines, Peer};
use super::process::{GRACE, ServerProcess};
use super::tasks_args::TaskKeeping;
use super::terminal::{self, Progress};
use crate::protocol::types::Implementation;
use crate::protocol::{PROTOCOL_VERSION, jsonrpc};
use crate::session::{Observer, Undeclared};
use crate::{Handlers, Session, SessionOptions};

/// What this program says it is.
pub(super) fn this_program() -> Implementation {
    Implementation {
        name: "taskcell".to_owned(),
        title: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: None,
        website_url: None,
        icons: None,
    }
}

/// Older revisions that differ in nothing that this client does.
const ALSO_SPOKEN: &[&str] = &["2025-06-18", "2025-03-26", "2024-11-05"];
/// Messages of the server that are worked on at once; what comes on top waits in the pipe.
const AT_ONCE: usize = 4_096;
/// Pages of tools to ask for: a server whose list does not end must not keep the client.
const MAX_PAGES: usize = 1_000;

/// How to connect.
pub(super) struct Options<'a> {
    pub(super) handlers: Handlers,
    /// Environment variables that the server does not get.
    pub(super) secrets: &'a [String],
    pub(super) tasks: &'a TaskKeeping,
    pub(super) timeout: Duration,
    pub(super) progress: Progress,
    pub(super) observer: Observer,
    pub(super) undeclared: Undeclared,
}

/// A connection to a server that was initialized.
pub(super) struct Client {
    process: ServerProcess,
    peer: Arc<Peer>,
    /// Reads the server; none once it has ended and said how.
    reader: Option<JoinHandle<anyhow::Result<()>>>,
    /// Ends the reader, and the session with it, when it is dropped.
    reading: oneshot::Sender<Infallible>,
    timeout: Duration,
    /// The result of `initialize`.
    pub(super) server: Value,
}

impl Client {
    /// Starts a server and initializes it.
    pub(super) async fn connect(command: &[OsString], options: Options<'_>) -> anyhow::Result<Self> {
        let Options { handlers, secrets, tasks, timeout, progress, observer, undeclared } = options;
        let (mut process, stdin, stdout) = ServerProcess::start(command, secrets, progress)?;
        let (peer, requests) = Peer::new();
        let mut lines = peer::lines(stdout);
        let (to_server, outgoing) = mpsc::channel(64);
        tokio::spawn(forward(requests, to_server.clone()));
        tokio::spawn(write(outgoing, stdin));

        let capabilities = handlers.capabilities();
        progress.line(format!("declared     {capabilities}"));
        let initialize = peer.request(
            "initialize",
            json!({
                "protocolVersion": PROTOCOL_VERSION,
                "capabilities": capabilities,
                "clientInfo": this_program(),
            }),
            timeout,
        );
        let answer = tokio::select! {
            answer = initialize => answer,
            Err(error) = until_response(&mut lines, &peer) => Err(error),
        };
        let server = match answer {
            Ok(Ok(server)) => server,
            Ok(Err(error)) => bail!("the server refused initialize: {} {}", error.code, error.message),
            Err(error) if error.is::<Ended>() || error.is::<Closed>() => bail!(process.how_it_ended().await),
            Err(error) => return Err(error),
        };
        let mut session_options = SessionOptions::new(identity(&server)?);
        session_options.protocol_version = negotiated(&server)?;
        session_options.observer = Some(observer);
        session_options.undeclared = undeclared;
        tasks.set(&mut session_options);
        let name = &session_options.server;
        progress.line(format!("connected to {} {} ({})", name.name, name.version, session_options.protocol_version));

        let (session, outbox) = Session::new(handlers, session_options);
        tokio::spawn(forward(outbox, to_server));
        let (reading, stop) = oneshot::channel();
        let reader = tokio::spawn(read(lines, Arc::clone(&peer), session, stop, progress));
        let client = Self { process, peer, reader: Some(reader), reading, timeout, server };
        if let Err(error) = client.peer.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await
        {
            client.close().await;
            return Err(error);
        }
        Ok(client)
    }

    /// Sends a request. A connection that ends meanwhile is an error that says how.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Answer> {
        let Some(reader) = &mut self.reader else { bail!("the connection has ended") };
        let ended = tokio::select! {
            // An answer that came just before the end counts.
            biased;
            answer = self.peer.request(method, params, self.timeout) => {
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

    /// All tools of the server.
    pub(super) async fn tools(&mut self) -> anyhow::Result<Result<Vec<Value>, crate::protocol::types::RpcError>> {
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
        // With the session and the peer the last sender to the writer goes, which closes the server's stdin.
        drop(self.reading);
        if let Some(reader) = self.reader {
            let _ = reader.await;
        }
        drop(self.peer);
        self.process.stop().await;
    }
}

/// The server closed its stdout.
#[derive(Debug, thiserror::Error)]
#[error("the server closed its stdout")]
struct Ended;

/// Reads until a response came, answering pings: before it nothing else may be asked. [basic/lifecycle,
/// Initialization] Ends only with an error; the response wakes whoever asked for it.
async fn until_response(lines: &mut Lines<ChildStdout>, peer: &Peer) -> anyhow::Result<Infallible> {
    loop {
        let Some(line) = peer::next_line(lines).await.context("reading from the server failed")? else {
            return Err(Ended.into());
        };
        let message = message(&line)?;
        match (message.method.as_deref(), message.id) {
            (Some("ping"), Some(id)) => {
                peer.send(&json!({ "jsonrpc": "2.0", "id": id, "result": {} })).await?;
            }
            (None, Some(_)) => {
                peer.response(&message);
                std::future::pending::<()>().await;
            }
            _ => {}
        }
    }
}

/// Reads what the server sends until it ends or is to be stopped, and ends the session.
async fn read(
    lines: Lines<ChildStdout>,
    peer: Arc<Peer>,
    session: Session,
    stop: oneshot::Receiver<Infallible>,
    progress: Progress,
) -> anyhow::Result<()> {
    let session = Arc::new(session);
    let mut work = JoinSet::new();
    let ended = tokio::select! {
        ended = serve(lines, &peer, &session, &mut work, progress) => ended,
        _ = stop => Ok(()),
    };
    peer.close();
    work.shutdown().await;
    if let Some(session) = Arc::into_inner(session) {
        session.close().await;
    }
    ended
}

/// Has each message of the server worked on by itself.
async fn serve(
    mut lines: Lines<ChildStdout>,
    peer: &Peer,
    session: &Arc<Session>,
    work: &mut JoinSet<()>,
    progress: Progress,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(line) = peer::next_line(&mut lines).await.context("reading from the server failed")? {
        let message = message(&line)?;
        if message.method.is_none() {
            peer.response(&message);
            continue;
        }
        if message.id.is_none() {
            show_notification(&message, progress);
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

fn message(line: &str) -> anyhow::Result<jsonrpc::Message<'_>> {
    peer::message(line).context("the server's stdout has what is no MCP (a server logs on stderr)")
}

fn show_notification(message: &jsonrpc::Message<'_>, progress: Progress) {
    let params: Value = message.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
    match message.method.as_deref() {
        Some("notifications/message") => {
            let data = params.get("data").map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned));
            progress.line(format!("server logs  {}", data.unwrap_or_default()));
        }
        Some("notifications/progress") => {
            let number = |key| params.get(key).map(Value::to_string).unwrap_or_default();
            progress.line(format!("progress     {} of {}", number("progress"), number("total")));
        }
        _ => {}
    }
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

async fn forward(mut from: mpsc::Receiver<Vec<u8>>, to: mpsc::Sender<Vec<u8>>) {
    while let Some(message) = from.recv().await {
        if to.send(message).await.is_err() {
            return;
        }
    }
}

async fn write(messages: mpsc::Receiver<Vec<u8>>, stdin: ChildStdin) {
    if let Err(error) = peer::write_lines(messages, stdin).await {
        // A server that closed its stdin has ended or will; the reader says how.
        tracing::debug!(%error, "the server takes no more messages");
    }
}
