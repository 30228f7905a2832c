//! Command `taskcell record`: writes fixtures from a live run.
//!
//! Each request of the server becomes a fixture for `taskcell check --fixtures`, with the answer that it got. Values
//! that differ from run to run (ids and times of tasks, the status of a task) become wildcards. All requests about one
//! task become one fixture, because the task's id differs from run to run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::{Value, json};

use super::run;
use crate::check::fixtures::{EXPECTED, REQUEST};
use crate::check::matching::{ANY, MORE, literal, request_literal};
use crate::outcome::Outcome;
use crate::terminal::screen;
use taskcell::kinds::Kind;
use taskcell::session::Event;

/// Maximum number of requests to record. Prompts and answers stay in memory until the run ends.
const MAX_RECORDED: usize = 1_000;
/// Reference to the task id in the first answer of a fixture.
const TASK_ID: &str = "$1.result.task.taskId";

// Two argument groups of one command cannot both be called `Args`.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// The folder to add fixtures to; existing files stay unchanged
    folder: PathBuf,
    #[command(flatten)]
    run: run::Args,
}

pub(crate) async fn record(args: Args) -> anyhow::Result<Outcome> {
    let Args { folder, run } = args;
    // Creates the folder first: an error after the run would lose its fixtures.
    make_folder(&folder, true).with_context(|| folder.display().to_string())?;
    let recorder = Arc::new(Recorder::default());
    let observe = {
        let recorder = Arc::clone(&recorder);
        move |event: &Event<'_>| {
            if let Event::Answered(answered) = event {
                recorder.answered(answered.request, answered.response);
            }
        }
    };
    let ended = run::run_with(run, observe).await;
    let written = recorder.write(&folder)?;
    screen::line(&format!("taskcell: {written} fixtures were written to {}", folder.display()));
    ended
}

/// Stores the requests of a server and their responses.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Exchanges in the order of the responses.
    exchanges: Vec<Exchange>,
    left_out: usize,
}

/// A request and its response.
struct Exchange {
    request: Value,
    response: Value,
}

/// A fixture to write.
struct Recorded {
    name: String,
    exchanges: Vec<Exchange>,
    /// Id of the task that the fixture is about.
    task: Option<String>,
}

impl Recorder {
    /// Stores a request with its response. Requests of other kinds are ignored.
    fn answered(&self, request: &[u8], response: &[u8]) {
        let read = |message| serde_json::from_slice::<Value>(message).ok();
        let (Some(request), Some(response)) = (read(request), read(response)) else { return };
        let kind = request.get("method").and_then(Value::as_str).and_then(|method| Kind::of(method, false));
        if kind.is_none() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.exchanges.len() < MAX_RECORDED {
            seen.exchanges.push(Exchange { request, response });
        } else {
            seen.left_out = seen.left_out.saturating_add(1);
        }
    }

    /// Writes a fixture for each recorded request next to the existing fixtures, and returns the number of new ones.
    fn write(&self, folder: &Path) -> anyhow::Result<usize> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.left_out > 0 {
            tracing::warn!(
                requests = seen.left_out,
                limit = MAX_RECORDED,
                "requests were not recorded: there were too many"
            );
        }
        let fixtures = fixtures(seen.exchanges);
        let mut number = last_number(folder).with_context(|| folder.display().to_string())?;
        for fixture in &fixtures {
            number = number.saturating_add(1);
            let place = folder.join(format!("{number:03}-{}", fixture.name));
            fixture.write(&place).with_context(|| place.display().to_string())?;
        }
        Ok(fixtures.len())
    }
}

/// Groups the exchanges by task.
fn fixtures(exchanges: Vec<Exchange>) -> Vec<Recorded> {
    let mut fixtures: Vec<Recorded> = Vec::new();
    let mut by_task = BTreeMap::new();
    for exchange in exchanges {
        let method = exchange.request.get("method").and_then(Value::as_str).unwrap_or_default().replace('/', "-");
        let made = exchange.response.pointer("/result/task/taskId").and_then(Value::as_str).map(str::to_owned);
        let about = exchange.request.pointer("/params/taskId").and_then(Value::as_str);
        let of_task = about.and_then(|id| by_task.get(id)).and_then(|index: &usize| fixtures.get_mut(*index));
        match (of_task, made) {
            (Some(fixture), _) => fixture.exchanges.push(exchange),
            (None, Some(id)) => {
                by_task.insert(id.clone(), fixtures.len());
                fixtures.push(Recorded { name: format!("{method}-task"), exchanges: vec![exchange], task: Some(id) });
            }
            (None, None) => fixtures.push(Recorded { name: method, exchanges: vec![exchange], task: None }),
        }
    }
    fixtures.iter_mut().for_each(Recorded::put_in_order);
    fixtures
}

impl Recorded {
    /// Sorts the exchanges for a replay, which sends one request after the other. Exchanges stand in the order of their
    /// responses. A `tasks/result` that was pending during a cancellation must follow the cancellation, or the replay
    /// would wait for it.
    fn put_in_order(&mut self) {
        let cancelled = |exchange: &Exchange| exchange.of() == Some(Kind::CancelTask) && exchange.has_result();
        let result = |exchange: &Exchange| exchange.of() == Some(Kind::GetTaskResult);
        let (cancelled, result) = (self.exchanges.iter().position(cancelled), self.exchanges.iter().position(result));
        if let (Some(cancelled), Some(result)) = (cancelled, result)
            && result < cancelled
        {
            let cancelled = self.exchanges.remove(cancelled);
            self.exchanges.insert(result, cancelled);
        }
    }

    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        // An existing folder is an error.
        make_folder(folder, false)?;
        let task = self.task.as_deref();
        let requests: Vec<_> = self.exchanges.iter().map(|exchange| exchange.asked(task)).collect();
        let expected: Vec<_> = self.exchanges.iter().map(|exchange| exchange.expected(task)).collect();
        for (name, mut values) in [(REQUEST, requests), (EXPECTED, expected)] {
            let one = if values.len() == 1 { values.pop() } else { None };
            let text = format!("{:#}\n", one.unwrap_or(Value::Array(values)));
            new_file(&folder.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

impl Exchange {
    fn of(&self) -> Option<Kind> {
        let augmented = self.request.pointer("/params/task").is_some_and(|task| !task.is_null());
        Kind::of(self.request.get("method")?.as_str()?, augmented)
    }

    fn has_result(&self) -> bool {
        self.response.get("result").is_some()
    }

    /// Returns the request as the replay sends it.
    fn asked(&self, task: Option<&str>) -> Value {
        let mut request = request_literal(&self.request);
        if let (Some(task), Some(id)) = (task, request.pointer_mut("/params/taskId"))
            && *id == task
        {
            *id = TASK_ID.into();
        }
        request
    }

    /// Returns the expected response with wildcards.
    fn expected(&self, task: Option<&str>) -> Value {
        if let Some(error) = self.response.get("error") {
            return json!({ "error": literal(error) });
        }
        let result = self.response.get("result").cloned().unwrap_or_default();
        let made = matches!(self.of(), Some(Kind::AugmentedSampling | Kind::AugmentedElicitation));
        let mut expected = with_wildcards(&literal(&result), if made { None } else { task });
        match (self.of(), &mut expected) {
            // The list has all tasks of the conversation, in any state.
            (Some(Kind::ListTasks), expected) => *expected = json!({ "tasks": [MORE], MORE: ANY }),
            (Some(Kind::GetTask), Value::Object(members)) => {
                members.retain(|key, _| !["statusMessage", "pollInterval"].contains(&key.as_str()));
                members.insert("status".to_owned(), ANY.into());
                members.insert(MORE.to_owned(), ANY.into());
            }
            (Some(kind), expected) if kind.info().augmented => {
                if let Some(id) = expected.pointer_mut("/task/taskId") {
                    *id = ANY.into();
                }
            }
            _ => {}
        }
        json!({ "result": expected })
    }
}

/// Replaces the times of tasks by wildcards and the id of `task` by a reference.
fn with_wildcards(value: &Value, task: Option<&str>) -> Value {
    match value {
        Value::String(text) if Some(text.as_str()) == task => TASK_ID.into(),
        Value::Array(elements) => elements.iter().map(|element| with_wildcards(element, task)).collect(),
        Value::Object(members) => {
            let is_task = members.contains_key("taskId") && members.contains_key("createdAt");
            let member = |(key, value): (&String, &Value)| match key.as_str() {
                "createdAt" | "lastUpdatedAt" if is_task => (key.clone(), ANY.into()),
                _ => (key.clone(), with_wildcards(value, task)),
            };
            Value::Object(members.iter().map(member).collect())
        }
        value => value.clone(),
    }
}

/// Returns the largest number that a name in the folder begins with, or 0.
fn last_number(folder: &Path) -> std::io::Result<usize> {
    let mut last = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits: String = name.to_string_lossy().chars().take_while(char::is_ascii_digit).collect();
        last = last.max(digits.parse().unwrap_or(0));
    }
    Ok(last)
}

/// Creates a folder that only this user can read, because prompts and users' answers are private.
fn make_folder(folder: &Path, may_be_there: bool) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(may_be_there);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a new file that only this user can read. An existing file is an error.
fn new_file(path: &Path) -> anyhow::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn recorder(messages: &[(Value, Value)]) -> Recorder {
        let recorder = Recorder::default();
        for (request, response) in messages {
            recorder.answered(request.to_string().as_bytes(), response.to_string().as_bytes());
        }
        recorder
    }

    fn ask(id: u32, method: &str, params: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    fn answer(id: u32, result: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "result": result })
    }

    fn task(status: &str) -> Value {
        json!({ "taskId": "t-1", "status": status, "createdAt": "c", "lastUpdatedAt": "u", "ttl": 5, "pollInterval": 9, "statusMessage": "m" })
    }

    #[test]
    fn a_task_is_one_fixture_without_its_id_and_its_times() {
        let augmented = json!({ "messages": [], "maxTokens": 1, "task": {} });
        let related = json!({ "x": "*", "_meta": { "related-task": { "taskId": "t-1" } } });
        let recorder = recorder(&[
            (ask(1, "sampling/createMessage", augmented.clone()), answer(1, json!({ "task": task("working") }))),
            (ask(2, "tasks/get", json!({ "taskId": "t-1" })), answer(2, task("working"))),
            (ask(3, "roots/list", json!({})), answer(3, json!({ "roots": [] }))),
            (ask(4, "tasks/result", json!({ "taskId": "t-1" })), answer(4, related)),
            (
                ask(5, "tasks/get", json!({ "taskId": "another" })),
                json!({ "id": 5, "error": { "code": 1, "message": "*" } }),
            ),
            (ask(6, "ping", json!({})), answer(6, json!({}))),
            (ask(7, "tasks/list", json!({})), answer(7, json!({ "tasks": [task("working")] }))),
        ]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("041-mine")).unwrap();
        assert_eq!(recorder.write(folder.path()).unwrap(), 4);
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap()
        };
        assert_eq!(
            read("042-sampling-createMessage-task/request.json"),
            json!([
                ask(1, "sampling/createMessage", augmented),
                ask(2, "tasks/get", json!({ "taskId": TASK_ID })),
                ask(4, "tasks/result", json!({ "taskId": TASK_ID })),
            ])
        );
        let made = json!({ "taskId": "*", "status": "working", "createdAt": "*", "lastUpdatedAt": "*", "ttl": 5, "pollInterval": 9, "statusMessage": "m" });
        let shown =
            json!({ "taskId": TASK_ID, "status": "*", "createdAt": "*", "lastUpdatedAt": "*", "ttl": 5, "**": "*" });
        assert_eq!(
            read("042-sampling-createMessage-task/expected.json"),
            json!([
                { "result": { "task": made } },
                { "result": shown },
                { "result": { "x": "\\*", "_meta": { "related-task": { "taskId": TASK_ID } } } },
            ])
        );
        assert_eq!(read("043-roots-list/expected.json"), json!({ "result": { "roots": [] } }));
        assert_eq!(read("044-tasks-get/request.json"), ask(5, "tasks/get", json!({ "taskId": "another" })));
        assert_eq!(read("044-tasks-get/expected.json"), json!({ "error": { "code": 1, "message": "\\*" } }));
        assert_eq!(read("045-tasks-list/expected.json"), json!({ "result": { "tasks": ["**"], "**": "*" } }));
    }

    #[test]
    fn a_cancelled_task_is_cancelled_before_its_result_is_waited_for() {
        let recorder = recorder(&[
            (ask(1, "sampling/createMessage", json!({ "task": {} })), answer(1, json!({ "task": task("working") }))),
            (
                ask(2, "tasks/result", json!({ "taskId": "t-1" })),
                json!({ "id": 2, "error": { "code": 2, "message": "m" } }),
            ),
            (ask(3, "tasks/cancel", json!({ "taskId": "t-1" })), answer(3, task("cancelled"))),
        ]);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(recorder.write(folder.path()).unwrap(), 1);
        let requests =
            std::fs::read_to_string(folder.path().join("001-sampling-createMessage-task/request.json")).unwrap();
        assert!(requests.find("tasks/cancel") < requests.find("tasks/result"), "{requests}");
    }
}
