//! The call that `taskcell run` makes. Converts arguments to the types in the tool's input schema, runs the call as a
//! task where the tool requires one, and repeats it after pages were visited.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::{Map, Value, json};

use super::call_progress::TOKEN;
use super::connection::Answer;
use super::notices::Notices;
use super::required_pages::Pages;
use super::tool_task::{TaskSupport, ToolTask, takes_tasks};
use crate::client::Client;
use crate::config::arguments;
use crate::terminal::nearest;
use crate::terminal::{self, NOT_DECLARED, Progress, one_line};
use taskcell::mrtr;
use taskcell::protocol::types::RpcError;

/// Time for the list of tools when it serves only to suggest tool names.
const HINT_TIME: Duration = Duration::from_secs(5);
/// Word sets that identify a server's complaint about undeclared sampling with tools; servers phrase it differently.
const SAMPLING_TOOLS: [&[&str]; 2] = [&["sampling.tools"], &["sampling", "tools", "support"]];

/// Request of the command line: the tool to call and how to call it.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Name of the tool; `None` lists the tools.
    pub(crate) tool: Option<String>,
    /// Arguments of the call.
    pub(crate) arguments: Map<String, Value>,
    /// Further arguments as text, converted to the types in the tool's input schema.
    pub(crate) pairs: Vec<(String, String)>,
    /// Task request: `None` leaves the choice to the tool; the inner value is the time in milliseconds to keep the
    /// task.
    pub(crate) task: Option<Option<u64>>,
}

/// State of a call in progress.
pub(crate) struct Call {
    wanted: Wanted,
    progress: Progress,
    notices: Arc<Notices>,
    timeout: Duration,
    task: ToolTask,
}

impl Call {
    pub(crate) fn new(wanted: Wanted, progress: Progress, notices: Arc<Notices>, timeout: Duration) -> Self {
        Self { wanted, progress, notices, timeout, task: ToolTask::new(progress) }
    }

    /// Makes the call, or lists the tools. Returns an object with `result`, `tools` or `error`.
    ///
    /// # Errors
    /// When the connection has ended, the arguments do not fit the tool, or the server broke the protocol.
    pub(crate) async fn make(&mut self, client: &mut Client) -> anyhow::Result<Value> {
        let Some(name) = self.wanted.tool.clone() else {
            return Ok(match client.tools().await? {
                Ok(tools) => json!({ "tools": tools }),
                Err(error) => json!({ "error": error }),
            });
        };
        let rounds = client.server.get("protocolVersion") == Some(&json!(mrtr::PROTOCOL_VERSION));
        let takes_tasks = takes_tasks(&client.server) && !rounds;
        // The list of tools is requested only when it matters.
        let tools = match !self.wanted.pairs.is_empty() || takes_tasks || client.repeats_arguments() {
            true => client.tools().await?.ok(),
            false => None,
        };
        let tool = tools.iter().flatten().find(|tool| is_named(tool, &name));
        if !self.wanted.pairs.is_empty() {
            ensure!(tools.is_none() || tool.is_some(), no_such_tool(&name, tools.as_deref().unwrap_or_default()));
            let schema = tool.and_then(|tool| tool.get("inputSchema")).unwrap_or(&Value::Null);
            arguments::add_pairs(&mut self.wanted.arguments, &self.wanted.pairs, schema)?;
        }
        let as_task = self.as_task(&name, tool, takes_tasks, rounds)?;
        let outcome = self.call(client, &name, as_task).await?;
        self.explain(client, &name, tools.as_deref(), &outcome).await;
        let mut document = json!({ "tool": name });
        if let Value::Object(members) = &mut document {
            if let Some(task) = self.task.last.take() {
                members.insert("serverTask".to_owned(), task);
            }
            let (key, value) = match outcome {
                Ok(result) => ("result", result),
                Err(error) => ("error", serde_json::to_value(error)?),
            };
            members.insert(key.to_owned(), value);
        }
        Ok(document)
    }

    /// Tells the server that the call is abandoned.
    pub(crate) async fn give_up(&mut self, client: &mut Client) {
        self.task.cancel(client).await;
    }

    /// Decides whether the call runs as a task; returns its `task` parameter if so.
    fn as_task(
        &self,
        name: &str,
        tool: Option<&Value>,
        takes_tasks: bool,
        rounds: bool,
    ) -> anyhow::Result<Option<Value>> {
        let support = tool.map_or(TaskSupport::Forbidden, TaskSupport::of);
        let ttl = match self.wanted.task {
            None if takes_tasks && support == TaskSupport::Required => None,
            None => return Ok(None),
            Some(_) if rounds => {
                bail!("--task: in revision {} the server decides which calls become tasks", mrtr::PROTOCOL_VERSION)
            }
            Some(_) if !takes_tasks => bail!("--task: the server runs no tools as tasks"),
            Some(_) if support == TaskSupport::Forbidden => {
                bail!("--task: the tool {} does not run as a task", one_line(name))
            }
            Some(ttl) => ttl,
        };
        Ok(Some(ttl.map_or_else(|| json!({}), |ttl| json!({ "ttl": ttl }))))
    }

    /// Makes the call, repeating it until its pages are visited.
    async fn call(&mut self, client: &mut Client, name: &str, as_task: Option<Value>) -> anyhow::Result<Answer> {
        let mut params = json!({ "name": name, "arguments": self.wanted.arguments });
        if let Value::Object(params) = &mut params {
            params.extend(as_task.clone().map(|task| ("task".to_owned(), task)));
            if self.progress.is_shown() {
                params.insert("_meta".to_owned(), json!({ "progressToken": TOKEN }));
            }
        }
        let notices = Arc::clone(&self.notices);
        let mut pages = Pages::new(&notices, self.progress, self.timeout);
        loop {
            let answer = client.request("tools/call", params.clone()).await?;
            let answer = match (answer, &as_task) {
                (Ok(made), Some(_)) => self.task.finish(client, made).await?,
                (answer, _) => answer,
            };
            match answer {
                Err(error) if pages.visit(client, &error).await? => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Explains what may be wrong with a failed call. This is advice only: what cannot be found out is left out.
    async fn explain(&self, client: &mut Client, name: &str, tools: Option<&[Value]>, outcome: &Answer) {
        let Some(said) = failure(outcome) else { return };
        let lower = said.to_lowercase();
        let declared = client.capabilities.pointer("/sampling/tools").is_some();
        if !declared && SAMPLING_TOOLS.iter().any(|words| words.iter().all(|word| lower.contains(word))) {
            self.progress.line(NOT_DECLARED);
        }
        if !self.progress.is_shown() {
            return;
        }
        let listed = match tools {
            Some(tools) => Some(tools.to_vec()),
            None => match tokio::time::timeout(HINT_TIME, client.tools()).await {
                Ok(Ok(Ok(tools))) => Some(tools),
                _ => None,
            },
        };
        if let Some(tools) = listed.filter(|tools| !tools.iter().any(|tool| is_named(tool, name))) {
            self.progress.line(no_such_tool(name, &tools));
        }
    }
}

/// Returns the server's text about a failed call.
fn failure(outcome: &Answer) -> Option<String> {
    match outcome {
        Err(RpcError { message, .. }) => Some(message.clone()),
        Ok(result) if result.get("isError") == Some(&Value::Bool(true)) => Some(terminal::tool_result(result)),
        Ok(_) => None,
    }
}

fn is_named(tool: &Value, name: &str) -> bool {
    tool.get("name").and_then(Value::as_str) == Some(name)
}

fn no_such_tool(name: &str, tools: &[Value]) -> String {
    let names: Vec<_> = tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    format!("the server has no tool {:?}{}", one_line(name), nearest::hint(name, &names))
}
