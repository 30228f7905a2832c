//! A raw MCP client over a child's stdio, which does no work between a line and the next.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A started child and its pipes.
pub(crate) struct StdioClient {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl StdioClient {
    /// Starts a command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &[String]) -> Result<Self> {
        let (program, arguments) = command.split_first().context("a command")?;
        let mut child = Command::new(program);
        child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().with_context(|| format!("{program} cannot be started"))?;
        let stdin = child.stdin.take().context("a pipe")?;
        let stdout = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { child, stdin, stdout, line: String::new() })
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Writes a message.
    ///
    /// # Errors
    /// When the child has ended.
    pub(crate) fn send(&mut self, message: &str) -> Result<()> {
        self.stdin.write_all(message.as_bytes())?;
        self.stdin.write_all(b"\n")?;
        Ok(self.stdin.flush()?)
    }

    /// Writes a request, answers the server's sampling requests until its response comes, and returns that.
    ///
    /// # Errors
    /// When the child has ended or answers with an error.
    pub(crate) fn request(&mut self, id: u64, message: &str) -> Result<String> {
        self.send(message)?;
        let mark = format!("\"id\":{id}");
        loop {
            self.line.clear();
            if self.stdout.read_line(&mut self.line)? == 0 {
                bail!("the server ended");
            }
            if self.line.contains("\"method\":\"sampling/createMessage\"") {
                self.sample()?;
            } else if self.line.contains(&mark) && !self.line.contains("\"method\":") {
                break;
            }
        }
        if self.line.contains("\"error\":") {
            bail!("{}", self.line.trim_end());
        }
        Ok(self.line.clone())
    }

    /// Answers a sampling request at once.
    fn sample(&mut self) -> Result<()> {
        let request: Value = serde_json::from_str(&self.line)?;
        let content = serde_json::json!({ "type": "text", "text": "You said: hello" });
        let result = serde_json::json!({ "role": "assistant", "content": content, "model": "fixed" });
        self.send(&serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string())
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        // A gateway that is killed may leave its server; both end by themselves when stdin does.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
