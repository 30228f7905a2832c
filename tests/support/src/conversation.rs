//! A session as a transport drives it: messages are handled concurrently, and everything comes out of one queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use taskcell::{HandlerRegistry, Outbox, Session, SessionOptions};
use tokio::task::JoinSet;

/// Timeout longer than any wait, only to end a test that hangs.
const GUARD: Duration = Duration::from_secs(60);

/// Waits for a future that completes soon.
///
/// # Errors
/// When the future does not complete within `GUARD`.
pub async fn soon<F: Future>(future: F) -> Result<F::Output> {
    tokio::time::timeout(GUARD, future).await.context("it hangs")
}

/// Polls a future once, which runs it until it first waits.
pub async fn start<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// A request.
#[must_use]
pub fn request(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// Parameters of `sampling/createMessage` with one text of the user.
#[must_use]
pub fn prompt(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }], "maxTokens": 10 })
}

/// Parameters like [`prompt`]'s that ask for a task.
#[must_use]
pub fn task_prompt(text: &str) -> Value {
    let mut params = prompt(text);
    if let Value::Object(params) = &mut params {
        params.insert("task".to_owned(), json!({}));
    }
    params
}

/// The server's side of a session.
#[derive(Debug)]
pub struct Conversation {
    session: Arc<Session>,
    outbox: Outbox,
    running: JoinSet<()>,
    seen: Vec<Value>,
    next_id: u64,
}

impl Conversation {
    /// Starts a session.
    #[must_use]
    pub fn new(handlers: impl Into<HandlerRegistry>, options: SessionOptions) -> Self {
        let (session, outbox) = Session::new(handlers, options);
        Self { session: Arc::new(session), outbox, running: JoinSet::new(), seen: Vec::new(), next_id: 1_000 }
    }

    /// The session, for calls that are not messages.
    #[must_use]
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// Hands a message to the session, to be handled concurrently.
    pub fn send(&mut self, message: &Value) {
        let (session, message) = (Arc::clone(&self.session), message.to_string());
        self.running.spawn(async move { session.handle(message.as_bytes()).await });
    }

    /// Hands a message to the session and waits until it is handled.
    ///
    /// # Errors
    /// When the session hangs.
    pub async fn handle(&self, message: &Value) -> Result<()> {
        soon(self.session.handle(message.to_string().as_bytes())).await
    }

    /// Returns the next message of the session.
    ///
    /// # Errors
    /// When no message comes, or it is not one line of JSON.
    pub async fn next(&mut self) -> Result<Value> {
        let message = soon(self.outbox.recv()).await?.context("the session has ended")?;
        let message = line(&message)?;
        self.seen.push(message.clone());
        Ok(message)
    }

    /// Waits for the response to the request with this id.
    ///
    /// # Errors
    /// When the response does not come.
    pub async fn answer(&mut self, id: impl Into<Value>) -> Result<Value> {
        let id = id.into();
        let is_it = |message: &Value| message.get("id") == Some(&id);
        if let Some(answer) = self.seen.iter().find(|message| is_it(message)) {
            return Ok(answer.clone());
        }
        loop {
            let message = self.next().await?;
            if is_it(&message) {
                return Ok(message);
            }
        }
    }

    /// Sends a request under a new id and waits for its response.
    ///
    /// # Errors
    /// When the response does not come.
    pub async fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.next_id += 1;
        self.send(&request(self.next_id, method, params));
        self.answer(self.next_id).await
    }

    /// Creates a task from a prompt and returns its id.
    ///
    /// # Errors
    /// When the response holds no task.
    pub async fn create(&mut self, text: &str) -> Result<String> {
        let answer = self.ask("sampling/createMessage", &task_prompt(text)).await?;
        let id = answer.pointer("/result/task/taskId").and_then(Value::as_str);
        Ok(id.with_context(|| format!("no task was made: {answer}"))?.to_owned())
    }

    /// Sends a request about a task.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn ask_task(&mut self, method: &str, task: &str) -> Result<Value> {
        self.ask(method, &json!({ "taskId": task })).await
    }

    /// All messages of the session so far, in order.
    #[must_use]
    pub fn seen(&self) -> &[Value] {
        &self.seen
    }

    /// Ends the session with its unfinished work, and waits until its tasks are back in the store.
    ///
    /// # Errors
    /// When the session does not end.
    pub async fn close(mut self) -> Result<()> {
        self.running.shutdown().await;
        let session = Arc::into_inner(self.session).context("the session is still used")?;
        soon(session.close()).await
    }

    /// Ends the session with its unfinished work, and returns all its messages in order.
    ///
    /// # Errors
    /// When the session does not end.
    pub async fn end(mut self) -> Result<Vec<Value>> {
        self.running.shutdown().await;
        drop(self.session);
        while let Some(message) = soon(self.outbox.recv()).await? {
            self.seen.push(line(&message)?);
        }
        Ok(self.seen)
    }
}

/// Parses a message as it travels: one line of JSON.
fn line(message: &[u8]) -> Result<Value> {
    anyhow::ensure!(!message.contains(&b'\n') && !message.contains(&b'\r'), "a message of several lines");
    serde_json::from_slice(message).with_context(|| format!("no JSON: {}", String::from_utf8_lossy(message)))
}
