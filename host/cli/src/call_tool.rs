//! The call that `taskcell run` makes: the arguments as the tool wants them, as a task where it must be one, and again
//! when pages were visited.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::{Map, Value, json};

use super::arguments;
use super::call_progress::TOKEN;
use super::client::Client;
use super::nearest;
use super::notices::Notices;
use super::peer::Answer;
use super::required_pages::Pages;
use super::terminal::{self, NOT_DECLARED, Progress, one_line};
use super::tool_task::{TaskSupport, ToolTask, takes_tasks};
use taskcell::mrtr;
use taskcell::protocol::types::RpcError;

/// How long the list of tools may take that only tells which names there are.
const HINT_TIME: Duration = Duration::from_secs(5);
/// What servers say when they would sample with tools and the client did not declare it: each has words of its own.
const SAMPLING_TOOLS: [&[&str]; 2] = [&["sampling.tools"], &["sampling", "tools", "support"]];

/// What is called, and how.
#[derive(Default)]
pub(super) struct Wanted {
    /// The tool; the tools are listed without one.
    pub(super) tool: Option<String>,
    /// Its arguments.
    pub(super) arguments: Map<String, Value>,
    /// More of them, whose values are made what the tool's input schema says.
    pub(super) pairs: Vec<(String, String)>,
    /// Whether the call is to be a task, and how many milliseconds the task is to be kept; none leaves it to the tool.
    pub(super) task: Option<Option<u64>>,
}

/// A call that is being made.
pub(super) struct Call {
    wanted: Wanted,
    progress: Progress,
    notices: Arc<Notices>,
    timeout: Duration,
    task: ToolTask,
}

impl Call {
    pub(super) fn new(wanted: Wanted, progress: Progress, notices: Arc<Notices>, timeout: Duration) -> Self {
        Self { wanted, progress, notices, timeout, task: ToolTask::new(progress) }
    }

    /// Makes the call, or lists the tools; gives an object with `result`, `tools` or `error`.
    ///
    /// # Errors
    /// The connection has ended, the arguments are not what the tool takes, or the server broke the protocol.
    pub(super) async fn make(&mut self, client: &mut Client) -> anyhow::Result<Value> {
        let Some(name) = self.wanted.tool.clone() else {
            return Ok(match client.tools().await? {
                Ok(tools) => json!({ "tools": tools }),
                Err(error) => json!({ "error": error }),
            });
        };
        let rounds = client.server.get("protocolVersion") == Some(&json!(mrtr::PROTOCOL_VERSION));
        let takes_tasks = takes_tasks(&client.server) && !rounds;
        // What the tool says of itself is asked for only where it matters.
        let tools = match !self.wanted.pairs.is_empty() || takes_tasks {
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

    /// Tells the server that nobody waits for the call any more.
    pub(super) async fn give_up(&mut self, client: &mut Client) {
        self.task.cancel(client).await;
    }

    /// Whether the call is to be a task, and then its `task` parameter.
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
                bail!("--task: in revision {} the server says what becomes a task", mrtr::PROTOCOL_VERSION)
            }
            Some(_) if !takes_tasks => bail!("--task: the server runs no tools as tasks"),
            Some(_) if support == TaskSupport::Forbidden => {
                bail!("--task: the tool {} does not run as a task", one_line(name))
            }
            Some(ttl) => ttl,
        };
        Ok(Some(ttl.map_or_else(|| json!({}), |ttl| json!({ "ttl": ttl }))))
    }

    /// Makes the call, as often as it takes until its pages are visited.
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

    /// Says what may be wrong with a call that failed. That is advice: what cannot be found out is not said.
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

/// What a server said of a call that failed.
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
