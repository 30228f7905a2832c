//! A model provider with OpenAI's interface, on loopback: it answers by a script and remembers its requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Way in which the server answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status and this JSON.
    Json(u16, Value),
    /// A status, a content type and this text.
    Text(u16, &'static str, String),
    /// A redirect to this address.
    Redirect(String),
    /// JSON of this many bytes.
    Huge(usize),
    /// JSON that never ends.
    Endless,
    /// No answer until the client closes the connection.
    Never,
}

impl Answer {
    /// A text of the model, which read ten tokens and wrote five.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::choice(json!({ "content": text }), "stop", json!({ "prompt_tokens": 10, "completion_tokens": 5 }))
    }

    /// A message of the model, with the reason why it stopped and its usage.
    #[must_use]
    pub fn choice(mut message: Value, finish: &str, usage: Value) -> Self {
        if let Value::Object(message) = &mut message {
            message.insert("role".to_owned(), "assistant".into());
        }
        let choices = json!([{ "index": 0, "message": message, "finish_reason": finish }]);
        Self::Json(200, json!({ "id": "1", "model": "served-model", "choices": choices, "usage": usage }))
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path, with the query.
    pub path: String,
    /// The header `authorization`.
    pub authorization: String,
    /// The body.
    pub body: Value,
}

/// The server, which ends when dropped.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Asked>>,
    arrived: Notify,
    left: Notify,
    sent: Arc<AtomicUsize>,
}

impl ModelServer {
    /// Starts a server that gives this answer.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            asked: Mutex::default(),
            arrived: Notify::new(),
            left: Notify::new(),
            sent: Arc::default(),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let running = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, running })
    }

    /// Base URL to configure as the provider's.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1/", self.address)
    }

    /// Changes the answer from now on.
    pub fn answer(&self, answer: Answer) {
        *lock(&self.shared.answer) = answer;
    }

    /// Requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Waits for a request; one that came earlier counts.
    pub async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// Waits until a client leaves without an answer; one that left earlier counts.
    pub async fn left(&self) {
        self.shared.left.notified().await;
    }

    /// Bytes of endless answers that were passed to connections.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Guard of a pending answer, which reports on drop that the client left.
struct Left(Arc<Shared>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    lock(&shared.asked).push(Asked {
        path: uri.to_string(),
        authorization: authorization.unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    shared.arrived.notify_one();
    let answer = lock(&shared.answer).clone();
    let response = |status, kind: &str, body: Body| {
        Response::builder().status(status).header(header::CONTENT_TYPE, kind).body(body).unwrap_or_default()
    };
    const JSON: &str = "application/json";
    match answer {
        Answer::Json(status, json) => response(status, JSON, Body::from(json.to_string())),
        Answer::Text(status, kind, text) => response(status, kind, Body::from(text)),
        Answer::Redirect(to) => (axum::http::StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Huge(size) => response(200, JSON, Body::from(format!("{{}}{}", " ".repeat(size)))),
        Answer::Endless => {
            let sent = Arc::clone(&shared.sent);
            response(200, JSON, Body::new(EndlessBody { sent }))
        }
        Answer::Never => {
            let _left = Left(Arc::clone(&shared));
            tokio::time::sleep(Duration::from_secs(600)).await;
            response(500, JSON, Body::empty())
        }
    }
}

/// An endless body of blanks.
struct EndlessBody {
    sent: Arc<AtomicUsize>,
}

impl http_body::Body for EndlessBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        const BLANKS: Bytes = Bytes::from_static(&[b' '; 16 << 10]);
        self.sent.fetch_add(BLANKS.len(), Ordering::SeqCst);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(BLANKS))))
    }
}
