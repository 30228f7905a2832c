//! The rules of tasks, as far as a handler takes part in them. [basic/utilities/tasks]
//!
//! A handler that makes tasks is watched making them. One that only answers about tasks gets tasks of the host's own, in the
//! state that a rule is about, so each of the six kinds can be checked without the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::bench::{Bench, Came, Conversation, PAGE};
use super::cases;
use super::drive::{END_IT, NOT_ENDED, params, unknown_task};
use super::report::Row;
use super::verdict::{Verdict, host_error, told};
use taskcell::handlers::Features;
use taskcell::kinds::Kind;
use taskcell::protocol::jsonrpc::code;
use taskcell::protocol::types::{
    CreateMessageResult, ElicitResult, Role, RpcError, SamplingContent, Task, TaskMetadata, TaskOutput, TaskStatus,
    TextContent,
};
use taskcell::tasks::{Actor, CreateOptions, ExpectedResult, TaskOrigin};

/// How long `tasks/result` is watched while its task is at work: an answer that comes sooner is wrong, whenever it comes.
const WATCHED: Duration = Duration::from_millis(200);

/// Where the answer to `tasks/result` says which task it is of. [basic/utilities/tasks, Associating Task-Related Messages]
const RELATED: &str = "/_meta/io.modelcontextprotocol~1related-task/taskId";

/// What is asked of a handler, with the kinds that it is asked of; none where other kinds are needed that it does not export.
type Rule = for<'a> fn(&'a Tried<'a>) -> BoxFuture<'a, anyhow::Result<Option<Verdict>>>;

const AUGMENTED: &[Kind] = &[Kind::AugmentedSampling, Kind::AugmentedElicitation];

#[rustfmt::skip]
const RULES: &[(&[Kind], &str, Rule)] = &[
    (AUGMENTED,              "a task begins working, and the store knows it",   |tried| begins(tried).boxed()),
    (AUGMENTED,              "each task has an id of its own",                  |tried| ids_differ(tried).boxed()),
    (AUGMENTED,              "the work ends the task",                          |tried| ends(tried).boxed()),
    (AUGMENTED,              "tasks/get shows it",                              |tried| is_shown(tried).boxed()),
    (AUGMENTED,              "tasks/list has it",                               |tried| is_listed(tried).boxed()),
    (AUGMENTED,              "tasks/result gives what the plain request would", |tried| has_result(tried).boxed()),
    (AUGMENTED,              "it can be cancelled, and stays so",               |tried| stays_cancelled(tried).boxed()),
    (&[Kind::GetTask],       "a task at work is shown working",                 |tried| shows(tried, None).boxed()),
    (&[Kind::GetTask],       "a completed task stays completed",                |tried| shows(tried, Some(Ok(canned()))).boxed()),
    (&[Kind::GetTask],       "a failed task stays failed",                      |tried| shows(tried, Some(Err(refusal()))).boxed()),
    (&[Kind::GetTaskResult], "the result waits until the task has ended",       |tried| waits(tried).boxed()),
    (&[Kind::GetTaskResult], "the result is what the task ended with",          |tried| gives(tried, Ok(canned())).boxed()),
    (&[Kind::GetTaskResult], "the error is what the task ended with",           |tried| gives(tried, Err(refusal())).boxed()),
    (&[Kind::ListTasks],     "all tasks are listed, page by page",              |tried| lists(tried).boxed()),
    (&[Kind::CancelTask],    "a task at work becomes cancelled",                |tried| cancels(tried).boxed()),
    (&[Kind::CancelTask],    "a cancelled task cannot be cancelled again",      |tried| refuses(tried, None).boxed()),
    (&[Kind::CancelTask],    "a completed task cannot be cancelled",            |tried| refuses(tried, Some(Ok(canned()))).boxed()),
    (&[Kind::CancelTask],    "a failed task cannot be cancelled",               |tried| refuses(tried, Some(Err(refusal()))).boxed()),
];

/// A handler that a rule is asked of.
struct Tried<'a> {
    bench: &'a Bench<'a>,
    conversation: Conversation,
    kind: Kind,
    /// The kinds that it exports.
    kinds: &'a [Kind],
}

/// Asks the rules of a kind.
pub(super) async fn kind(bench: &Bench<'_>, kind: Kind, kinds: &[Kind]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (_, name, rule) in RULES.iter().filter(|(of, ..)| of.contains(&kind)) {
        let tried = Tried { bench, conversation: bench.converse()?, kind, kinds };
        if let Some(verdict) = rule(&tried).await? {
            let printed = tried.conversation.printed();
            rows.push(Row {
                kind: Some(kind),
                group: "tasks",
                name: (*name).to_owned(),
                verdict,
                request: None,
                printed,
            });
        }
    }
    Ok(rows)
}

type Held = anyhow::Result<Option<Verdict>>;

impl Tried<'_> {
    fn failed(&self, got: impl Into<String>, fix: &str) -> Held {
        Ok(Some(Verdict::failed(self.kind, got, fix)))
    }

    /// Has the handler make a task of a request; or gives what came instead.
    async fn made(&self) -> anyhow::Result<Result<String, Verdict>> {
        let Some(case) = cases::of(self.kind, &Features::default()).next() else {
            return Ok(Err(Verdict::Passed("no case".to_owned())));
        };
        let came = self.conversation.ask(self.kind.info().method, &params(self.kind, case)).await?;
        let Came::Result(result) = &came else {
            // Whether it may refuse is for the cases to say.
            return Ok(Err(super::verdict::judge(self.kind, case.holds, &came, true)));
        };
        let field = |name: &str| result.pointer(&format!("/task/{name}")).and_then(Value::as_str).unwrap_or_default();
        Ok(match (field("status"), self.conversation.tasks.get(field("taskId")).await) {
            ("working", Ok(task)) => Ok(task.task_id),
            ("working", Err(_)) => Err(unknown_task(self.kind)),
            (status, _) => {
                Err(Verdict::failed(self.kind, format!("status {status}"), "begin with the status `working`"))
            }
        })
    }

    /// A task of the host's own, which has ended like this; none leaves it at work.
    async fn host_made(&self, outcome: Option<&Outcome>) -> anyhow::Result<Task> {
        let tasks = &self.conversation.tasks;
        let kind = Kind::AugmentedSampling.info().export.to_owned();
        let handler = self.bench.handler().digest().to_owned();
        let origin = TaskOrigin { kind, handler, expects: ExpectedResult::Sampling };
        let task = tasks.create(CreateOptions::new(TaskMetadata { ttl: None }, Arc::new(origin))).await?;
        match outcome {
            Some(outcome) => Ok(tasks.finish(&task.task_id, outcome, Actor::default()).await?),
            None => Ok(task),
        }
    }

    /// Asks about a task, by a kind.
    async fn ask(&self, kind: Kind, id: &str) -> anyhow::Result<Came> {
        self.conversation.ask(kind.info().method, &json!({ "taskId": id })).await
    }

    fn exports(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    async fn status(&self, id: &str) -> Option<TaskStatus> {
        self.conversation.tasks.get(id).await.ok().map(|task| task.status)
    }

    /// What came instead of a result.
    fn instead(&self, came: &Came, fix: &str) -> Held {
        match came {
            Came::Error(error) => match host_error(self.kind, error) {
                Some(fault) => Ok(Some(Verdict::Failed(fault))),
                None => self.failed(told(came), fix),
            },
            _ => self.failed(told(came), fix),
        }
    }
}

type Outcome = taskcell::tasks::Outcome;

/// The id of a task that the handler made; otherwise the rule ends with what came instead.
macro_rules! made {
    ($tried:expr) => {
        match $tried.made().await? {
            Ok(id) => id,
            Err(verdict) => return Ok(Some(verdict)),
        }
    };
}

fn passed(what: &str) -> Held {
    Ok(Some(Verdict::Passed(what.to_owned())))
}

/// [Task Status Lifecycle]
async fn begins(tried: &Tried<'_>) -> Held {
    let _ = made!(tried);
    passed("working")
}

/// [Task IDs]
async fn ids_differ(tried: &Tried<'_>) -> Held {
    let (first, second) = (made!(tried), made!(tried));
    if first == second {
        return tried.failed("two tasks with one id", "make a task of its own for each request, with `tasks.create`");
    }
    passed("two ids")
}

async fn ends(tried: &Tried<'_>) -> Held {
    let id = made!(tried);
    match tokio::time::timeout(tried.bench.patience, tried.conversation.tasks.wait(&id)).await {
        Err(_) => tried.failed(NOT_ENDED, END_IT),
        Ok(Err(_)) => Ok(Some(unknown_task(tried.kind))),
        Ok(Ok(Ok(_))) => passed("completed"),
        Ok(Ok(Err(error))) => match host_error(tried.kind, &error) {
            Some(fault) => Ok(Some(Verdict::Failed(fault))),
            None => passed("failed, by an error of its own"),
        },
    }
}

/// [Getting Tasks]
async fn is_shown(tried: &Tried<'_>) -> Held {
    if !tried.exports(Kind::GetTask) {
        return Ok(None);
    }
    let id = made!(tried);
    match tried.ask(Kind::GetTask, &id).await? {
        Came::Result(task) if task.get("taskId").and_then(Value::as_str) == Some(&id) => passed("shown"),
        came => tried.instead(&came, "have `get-task` give what `tasks.get` gives"),
    }
}

/// [Listing Tasks]
async fn is_listed(tried: &Tried<'_>) -> Held {
    if !tried.exports(Kind::ListTasks) {
        return Ok(None);
    }
    let id = made!(tried);
    match listed(tried).await? {
        Ok(ids) if ids.contains(&id) => passed("listed"),
        Ok(_) => tried.failed("a list without the task", "have `list-tasks` give what `tasks.list` gives"),
        Err(came) => tried.instead(&came, "have `list-tasks` give what `tasks.list` gives"),
    }
}

/// [Result Retrieval]
async fn has_result(tried: &Tried<'_>) -> Held {
    if !tried.exports(Kind::GetTaskResult) {
        return Ok(None);
    }
    const FIX: &str = "have `get-task-result` give what `tasks.wait-for-result` gives, and `background.run` what the plain handler would";
    let id = made!(tried);
    match tried.ask(Kind::GetTaskResult, &id).await? {
        Came::Result(result) => {
            let text = result.to_string();
            let fits = match tried.kind {
                Kind::AugmentedSampling => serde_json::from_str::<CreateMessageResult>(&text).is_ok(),
                _ => serde_json::from_str::<ElicitResult>(&text).is_ok(),
            };
            match fits && result.pointer(RELATED).and_then(Value::as_str) == Some(&id) {
                true => passed("result"),
                false => tried.failed("a result of another kind", FIX),
            }
        }
        came @ Came::Late => tried.failed(told(&came), END_IT),
        came => match &came {
            Came::Error(error) if host_error(tried.kind, error).is_none() => passed(&told(&came)),
            _ => tried.instead(&came, FIX),
        },
    }
}

/// [Task Cancellation]
async fn stays_cancelled(tried: &Tried<'_>) -> Held {
    if !tried.exports(Kind::CancelTask) {
        return Ok(None);
    }
    let id = made!(tried);
    let came = tried.ask(Kind::CancelTask, &id).await?;
    match (&came, tried.status(&id).await) {
        (Came::Result(task), Some(TaskStatus::Cancelled)) if is(task, &id, "cancelled") => passed("cancelled"),
        // It was done by then.
        (Came::Error(error), Some(TaskStatus::Completed | TaskStatus::Failed))
            if error.code == code::INVALID_PARAMS =>
        {
            passed("done before it could be cancelled")
        }
        (_, status) => {
            let got = format!("{}; the task is {}", told(&came), status.map_or("gone", |status| status.as_str()));
            tried.failed(got, "have `cancel-task` give what `tasks.cancel` gives")
        }
    }
}

/// [Getting Tasks]
async fn shows(tried: &Tried<'_>, outcome: Option<Outcome>) -> Held {
    let task = tried.host_made(outcome.as_ref()).await?;
    for _ in 0..2 {
        let came = tried.ask(Kind::GetTask, &task.task_id).await?;
        match &came {
            Came::Result(shown) if is(shown, &task.task_id, task.status.as_str()) => {}
            _ => {
                let got = format!("{} for a task that is {}", told_task(&came), task.status.as_str());
                return tried.instead_of(&came, got, "give what `tasks.get` gives");
            }
        }
    }
    match tried.status(&task.task_id).await == Some(task.status) {
        true => passed(task.status.as_str()),
        false => tried.failed("a task that was changed by asking", "change nothing in `get-task`"),
    }
}

/// [Result Retrieval]
async fn waits(tried: &Tried<'_>) -> Held {
    let task = tried.host_made(None).await?;
    let mut answer = pin!(tried.ask(Kind::GetTaskResult, &task.task_id));
    if let Ok(came) = tokio::time::timeout(WATCHED, &mut answer).await {
        let came = came?;
        return tried.instead_of(&came, format!("{} while the task is working", told(&came)), WAIT);
    }
    tried.conversation.tasks.finish(&task.task_id, &Ok(canned()), Actor::default()).await?;
    match answer.await? {
        Came::Result(_) => passed("waits"),
        came => tried.instead(&came, WAIT),
    }
}

const WAIT: &str = "wait by `tasks.wait-for-result`, and give what it gives";

/// [Result Retrieval]
async fn gives(tried: &Tried<'_>, outcome: Outcome) -> Held {
    let task = tried.host_made(Some(&outcome)).await?;
    let came = tried.ask(Kind::GetTaskResult, &task.task_id).await?;
    let same = match (&came, &outcome) {
        (Came::Result(result), Ok(TaskOutput::Sampling(output))) => {
            let mut result = result.clone();
            let related = result.pointer(RELATED).and_then(Value::as_str) == Some(&task.task_id);
            if let Value::Object(members) = &mut result {
                members.remove("_meta");
            }
            related && result == serde_json::to_value(output)?
        }
        (Came::Error(error), Err(wanted)) => error == wanted,
        _ => false,
    };
    match same {
        true => passed(&told(&came)),
        false => tried.instead_of(&came, format!("another outcome: {}", told(&came)), WAIT),
    }
}

/// [Task Listing]
async fn lists(tried: &Tried<'_>) -> Held {
    const FIX: &str = "give what `tasks.list` gives, with its `next-cursor`, and hand the cursor of the request on";
    let mut made = Vec::new();
    for _ in 0..=PAGE {
        made.push(tried.host_made(None).await?.task_id);
    }
    match listed(tried).await? {
        Ok(ids) if ids == made => passed("two pages"),
        Ok(ids) => tried.failed(format!("{} of {} tasks, or in another order", ids.len(), made.len()), FIX),
        Err(came) => tried.instead(&came, FIX),
    }
}

/// The ids of all pages of the list; or what came instead.
async fn listed(tried: &Tried<'_>) -> anyhow::Result<Result<Vec<String>, Came>> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    // A list that does not end has more pages than there are tasks.
    for _ in 0..8 {
        let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let page = match tried.conversation.ask(Kind::ListTasks.info().method, &params).await? {
            Came::Result(page) => page,
            came => return Ok(Err(came)),
        };
        let tasks = page.get("tasks").and_then(Value::as_array).into_iter().flatten();
        ids.extend(tasks.filter_map(|task| Some(task.get("taskId")?.as_str()?.to_owned())));
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(Ok(ids)),
        }
    }
    Ok(Ok(ids))
}

/// [Task Cancellation]
async fn cancels(tried: &Tried<'_>) -> Held {
    let task = tried.host_made(None).await?;
    let came = tried.ask(Kind::CancelTask, &task.task_id).await?;
    let stored = tried.status(&task.task_id).await;
    match &came {
        Came::Result(shown) if is(shown, &task.task_id, "cancelled") && stored == Some(TaskStatus::Cancelled) => {
            passed("cancelled")
        }
        _ => {
            let got = format!("{}; the task is {}", told_task(&came), stored.map_or("gone", |status| status.as_str()));
            tried.instead_of(&came, got, "cancel the task by `tasks.cancel`, and give what it gives")
        }
    }
}

/// [Task Cancellation]
async fn refuses(tried: &Tried<'_>, outcome: Option<Outcome>) -> Held {
    const FIX: &str = "give the error of `tasks.cancel`: a task that has ended stays as it is";
    let task = tried.host_made(outcome.as_ref()).await?;
    let id = &task.task_id;
    let status = match outcome {
        Some(_) => task.status,
        None => tried.conversation.tasks.cancel(id).await?.status,
    };
    let came = tried.ask(Kind::CancelTask, id).await?;
    match &came {
        Came::Error(error) if error.code == code::INVALID_PARAMS && tried.status(id).await == Some(status) => {
            passed("refused")
        }
        _ => tried.instead_of(&came, format!("{} for a task that is {}", told(&came), status.as_str()), FIX),
    }
}

impl Tried<'_> {
    /// The same with other words where the handler answered itself.
    fn instead_of(&self, came: &Came, got: String, fix: &str) -> Held {
        match came {
            Came::Error(error) => match host_error(self.kind, error) {
                Some(fault) => Ok(Some(Verdict::Failed(fault))),
                None => self.failed(got, fix),
            },
            _ => self.failed(got, fix),
        }
    }
}

/// Whether a result is this task in this status.
fn is(task: &Value, id: &str, status: &str) -> bool {
    task.get("taskId").and_then(Value::as_str) == Some(id) && task.get("status").and_then(Value::as_str) == Some(status)
}

fn told_task(came: &Came) -> String {
    match came {
        Came::Result(task) => match task.get("status").and_then(Value::as_str) {
            Some(status) => format!("status {status}"),
            None => told(came),
        },
        _ => told(came),
    }
}

fn canned() -> TaskOutput {
    let text = TextContent { text: "Of the host's own.".to_owned(), annotations: None, meta: None };
    TaskOutput::Sampling(CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(text)],
        model: "check".to_owned(),
        stop_reason: Some("endTurn".to_owned()),
        meta: None,
    })
}

fn refusal() -> RpcError {
    RpcError { code: -1, message: "Of the host's own.".to_owned(), data: Some(r#"{"check":true}"#.to_owned()) }
}
