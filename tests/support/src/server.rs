//! The server's side of a session: what a test sends, and what it gets back.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use taskcell::SessionOptions;
use taskcell::protocol::types::Implementation;

/// A session, as tests use one.
#[derive(Debug)]
pub struct Server {
    session: taskcell::Session,
    _outbox: taskcell::Outbox,
}

impl Server {
    /// Talks to a session with these handlers.
    #[must_use]
    pub fn new(handlers: taskcell::Handlers) -> Self {
        Self::with(handlers, options())
    }

    /// Talks to a session without handlers.
    #[must_use]
    pub fn without_handlers() -> Self {
        Self::new(taskcell::Handlers::default())
    }

    /// The same as [`Server::new`] with other options.
    #[must_use]
    pub fn with(handlers: taskcell::Handlers, options: SessionOptions) -> Self {
        let (session, outbox) = taskcell::Session::new(handlers, options);
        Self { session, _outbox: outbox }
    }

    /// Sends a message and gives the text of its answer; none when there is no answer.
    pub async fn send_text(&self, message: &str) -> Option<String> {
        let answer = self.session.answer(message.as_bytes()).await?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Sends a request and gives its answer.
    ///
    /// # Errors
    /// When there is no answer, or it is no JSON.
    pub async fn send(&self, request: &Value) -> Result<Value> {
        let answer = self.send_text(&request.to_string()).await.with_context(|| format!("no answer to {request}"))?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Sends a request twice, with its members in one order and in the reverse, which makes no difference, and gives
    /// the answer.
    ///
    /// # Errors
    /// When there is no answer, it is no JSON, or there are two.
    pub async fn ask(&self, request: &Value) -> Result<Value> {
        let members = request.as_object().context("a request is an object")?;
        let mut members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        let forth = self.send_text(&format!("{{{}}}", members.join(","))).await.context("no answer")?;
        members.reverse();
        let back = self.send_text(&format!("{{{}}}", members.join(","))).await.context("no answer")?;
        ensure!(forth == back, "{request} is answered with {forth} or {back}");
        Ok(serde_json::from_str(&forth)?)
    }

    /// Sends a request of a method and gives its answer.
    ///
    /// # Errors
    /// When there is no answer, or it is no JSON.
    pub async fn request(&self, method: &str, params: &Value) -> Result<Value> {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
    }
}

/// The options of a session with a server that tells of itself only what it must.
#[must_use]
pub fn options() -> SessionOptions {
    SessionOptions::new(Implementation::new("test", "1"))
}

/// The rows of a file of JSON lines.
///
/// # Errors
/// When a line is no JSON.
pub fn json_lines(text: &str) -> Result<Vec<Value>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
