//! The server's side of a session: sends requests and returns the responses.

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
    /// Creates a server of a session with these handlers.
    #[must_use]
    pub fn new(handlers: taskcell::Handlers) -> Self {
        Self::with(handlers, options())
    }

    /// Creates a server of a session without handlers.
    #[must_use]
    pub fn without_handlers() -> Self {
        Self::new(taskcell::Handlers::default())
    }

    /// Creates a server like [`Server::new`], with other options.
    #[must_use]
    pub fn with(handlers: taskcell::Handlers, options: SessionOptions) -> Self {
        let (session, outbox) = taskcell::Session::new(handlers, options);
        Self { session, _outbox: outbox }
    }

    /// Sends a message and returns the text of its response, if any.
    pub async fn send_text(&self, message: &str) -> Option<String> {
        let answer = self.session.answer(message.as_bytes()).await?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Sends a request and returns its response.
    ///
    /// # Errors
    /// When there is no response, or it is not JSON.
    pub async fn send(&self, request: &Value) -> Result<Value> {
        let answer = self.send_text(&request.to_string()).await.with_context(|| format!("no answer to {request}"))?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Sends a request twice, with its members in one order and in the reverse, which must make no difference, and
    /// returns the response.
    ///
    /// # Errors
    /// When there is no response, it is not JSON, or the two differ.
    pub async fn ask(&self, request: &Value) -> Result<Value> {
        let members = request.as_object().context("a request is an object")?;
        let mut members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        let forth = self.send_text(&format!("{{{}}}", members.join(","))).await.context("no answer")?;
        members.reverse();
        let back = self.send_text(&format!("{{{}}}", members.join(","))).await.context("no answer")?;
        ensure!(forth == back, "{request} is answered with {forth} or {back}");
        Ok(serde_json::from_str(&forth)?)
    }

    /// Sends a request of a method and returns its response.
    ///
    /// # Errors
    /// When there is no response, or it is not JSON.
    pub async fn request(&self, method: &str, params: &Value) -> Result<Value> {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
    }
}

/// Options of a session with a server that identifies itself as briefly as possible.
#[must_use]
pub fn options() -> SessionOptions {
    SessionOptions::new(Implementation::new("test", "1"))
}

/// Parses the rows of a file of JSON lines.
///
/// # Errors
/// When a line is not JSON.
pub fn json_lines(text: &str) -> Result<Vec<Value>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
