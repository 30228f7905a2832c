//! Server of streamable HTTP that answers by a script, for faults that real servers have only sometimes.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Request that came.
#[derive(Debug, Clone)]
pub struct HttpAsked {
    /// Method of HTTP.
    pub method: String,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// Body as it came.
    pub body: String,
}

/// Piece of a body.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Pause(Duration),
    /// The connection breaks off.
    Cut,
    /// Nothing more comes.
    Hang,
}

/// Response of a script.
#[derive(Debug, Clone)]
pub struct HttpReply {
    status: u16,
    headers: Vec<(String, String)>,
    parts: Vec<Part>,
}

type Script = dyn Fn(&HttpAsked, usize) -> HttpReply + Send + Sync;

/// Server that runs until dropped.
pub struct ScriptedHttp {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<HttpAsked>>,
    counts: Mutex<HashMap<(String, String), usize>>,
    /// Bodies that the client did not read to their end.
    abandoned: AtomicUsize,
    changed: Notify,
}

impl HttpAsked {
    /// Value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Body as JSON, or null.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Method of the message in the body; empty for a response, and without a body.
    #[must_use]
    pub fn message(&self) -> String {
        self.member("method").as_str().unwrap_or_default().to_owned()
    }

    fn member(&self, name: &str) -> Value {
        self.json().get(name).cloned().unwrap_or_default()
    }

    /// Response to the request in the body.
    #[must_use]
    pub fn result(&self, result: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.member("id"), "result": result })
    }

    /// Error in response to the request in the body.
    #[must_use]
    pub fn error(&self, code: i32, message: &str) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.member("id"), "error": { "code": code, "message": message } })
    }
}

impl HttpReply {
    /// Creates a response without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), parts: Vec::new() }
    }

    /// Creates a response with a body of this content type.
    #[must_use]
    pub fn body(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self::status(status).header("Content-Type", kind).text(body)
    }

    /// Creates a response with a body of JSON.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::body(200, "application/json", body.to_string())
    }

    /// Creates a stream that begins with this text.
    #[must_use]
    pub fn stream(text: impl Into<String>) -> Self {
        Self::body(200, "text/event-stream", text)
    }

    /// Creates a stream of one message.
    #[must_use]
    pub fn event(message: &Value) -> Self {
        Self::stream(format!("data: {message}\n\n"))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds text to the body.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.part(Part::Text(text.into()))
    }

    /// Adds a pause.
    #[must_use]
    pub fn pause(self, time: Duration) -> Self {
        self.part(Part::Pause(time))
    }

    /// Breaks the connection off.
    #[must_use]
    pub fn cut(self) -> Self {
        // What was written before is sent first.
        self.pause(Duration::from_millis(20)).part(Part::Cut)
    }

    /// Leaves the body open.
    #[must_use]
    pub fn hang(self) -> Self {
        self.part(Part::Hang)
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

impl ScriptedHttp {
    /// Starts a server on a port of this machine. The script gets each request, and the number of requests of the same
    /// method of HTTP and the same message method before it.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(script: impl Fn(&HttpAsked, usize) -> HttpReply + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            counts: Mutex::default(),
            abandoned: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the scripted server ended: {error}");
            }
        });
        Ok(Self { address, shared, serving })
    }

    /// URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<HttpAsked> {
        lock(&self.shared.asked).clone()
    }

    /// Requests so far, each as its method of HTTP, the method of its message and its session.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        let line = |asked: &HttpAsked| {
            let line = [asked.method.clone(), asked.message(), asked.header("mcp-session-id").to_owned()];
            line.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        self.asked().iter().map(line).collect()
    }

    /// Waits until requests fulfill a condition.
    pub async fn until(&self, holds: impl Fn(&[HttpAsked]) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            if holds(&self.asked()) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the client has dropped a response before its end.
    pub async fn until_abandoned(&self) {
        loop {
            let changed = self.shared.changed.notified();
            if self.shared.abandoned.load(Ordering::Acquire) > 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for ScriptedHttp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, method: Method, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let body = String::from_utf8_lossy(&body).into_owned();
    let asked = HttpAsked { method: method.to_string(), headers, body };
    let nth = {
        let mut counts = lock(&shared.counts);
        let count = counts.entry((asked.method.clone(), asked.message())).or_default();
        std::mem::replace(count, count.saturating_add(1))
    };
    lock(&shared.asked).push(asked.clone());
    shared.changed.notify_waiters();
    let reply = (shared.script)(&asked, nth);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let open = OpenBody { shared, ended: reply.parts.is_empty() };
    let body = stream::unfold((reply.parts.into_iter(), open), |(mut parts, mut open)| async move {
        loop {
            match parts.next() {
                Some(Part::Text(text)) => return Some((Ok(Bytes::from(text)), (parts, open))),
                Some(Part::Pause(time)) => tokio::time::sleep(time).await,
                Some(Part::Cut) => {
                    open.ended = true;
                    return Some((Err(io::Error::other("cut")), (parts, open)));
                }
                Some(Part::Hang) => std::future::pending().await,
                None => {
                    open.ended = true;
                    drop(open);
                    return None;
                }
            }
        }
    });
    response.body(Body::from_stream(body)).unwrap_or_default()
}

/// Body that is being sent.
struct OpenBody {
    shared: Arc<Shared>,
    ended: bool,
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.abandoned.fetch_add(1, Ordering::AcqRel);
            self.shared.changed.notify_waiters();
        }
    }
}
