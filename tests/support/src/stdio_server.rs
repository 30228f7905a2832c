//! A server process over an application's transport: requests go to its stdin, responses come from its stdout.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use async_trait::async_trait;
use serde_json::json;
use serde_json::value::RawValue;
use taskcell::mrtr::{Response, SendError, Server};
use taskcell::protocol::jsonrpc::Message;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

/// A server that runs until dropped.
#[derive(Debug)]
pub struct StdioServer {
    _process: Child,
    stdin: tokio::sync::Mutex<(ChildStdin, u64)>,
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<String, oneshot::Sender<Response>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Response>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: &str) -> Result<(), SendError> {
        let message = Message::read(line.as_bytes()).map_err(|error| error.message)?;
        let waiting = message.id.and_then(|id| self.lock().remove(id.get()));
        if let Some(waiting) = waiting {
            let answer = match (message.result, message.error) {
                (Some(result), _) => Ok(result.to_owned()),
                (None, error) => Err(serde_json::from_str(error.map_or("null", RawValue::get))?),
            };
            let _ = waiting.send(answer);
        }
        Ok(())
    }
}

impl StdioServer {
    /// Starts a server by its program and arguments.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn start(command: &[String]) -> Result<Self> {
        let (program, arguments) = command.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| program.clone())?;
        let stdin = process.stdin.take().context("no stdin")?;
        let stdout = process.stdout.take().context("no stdout")?;
        let waiting = Arc::<Waiting>::default();
        tokio::spawn(read(stdout, Arc::clone(&waiting)));
        Ok(Self { _process: process, stdin: tokio::sync::Mutex::new((stdin, 0)), waiting })
    }
}

/// Reads responses until the server ends or writes anything that is not a message, which also ends all waiting
/// requests.
async fn read(stdout: ChildStdout, waiting: Arc<Waiting>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if waiting.take(&line).is_err() {
            break;
        }
    }
    waiting.lock().clear();
}

#[async_trait]
impl Server for StdioServer {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut stdin = self.stdin.lock().await;
            let (stdin, id) = &mut *stdin;
            *id = id.saturating_add(1);
            self.waiting.lock().insert(id.to_string(), answer);
            let head = json!({ "jsonrpc": "2.0", "id": id, "method": method }).to_string();
            let head = head.strip_suffix('}').unwrap_or_default();
            stdin.write_all(format!("{head},\"params\":{params}}}\n").as_bytes()).await?;
            stdin.flush().await?;
        }
        Ok(answered.await?)
    }
}
