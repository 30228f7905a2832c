//! Rules of tasks that a handler takes part in. [basic/utilities/tasks]
//!
//! A handler that creates tasks is observed as it creates them. A handler that only answers requests about tasks gets
//! tasks of the host, in the state that the rule needs. Each of the six kinds can therefore be checked without the
//! others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::bench::{Bench, Conversation, Observed, PAGE};
use super::cases;
use super::report::Row;
use super::runner::{END_IT, NOT_ENDED, params, unknown_task};
use super::verdict::{Verdict, describe, evaluate, host_error};
use taskcell::handlers::Features;
use taskcell::kinds::Kind;
use taskcell::protocol::jsonrpc::code;
use taskcell::protocol::types::{
    CreateMessageResult, ElicitResult, Role, RpcError, SamplingContent, Task, TaskMetadata, TaskOutput, TaskStatus,
    TextContent,
};
use taskcell::tasks::{Actor, CreateOptions, ExpectedResult, TaskOrigin};

/// Time to watch `tasks/result` while its task works. An answer within this time is wrong, and so is a later one.
const WATCHED: Duration = Duration::from_millis(200);

/// Place of the task's id in the response to `tasks/result`. [basic/utilities/tasks, Associating Task-Related Messages]
const RELATED: &str = "/_meta/io.modelcontextprotocol~1related-task/taskId";

/// Rule with the kinds that it applies to. A rule returns none when it needs other kinds that the handler does not
/// export.
type Rule = for<'a> fn(&'a Trial<'a>) -> BoxFuture<'a, anyhow::Result<Option<Verdict>>>;

const AUGMENTED: &[Kind] = &[Kind::AugmentedSampling, Kind::AugmentedElicitation];

#[rustfmt::skip]
const RULES: &[(&[Kind], &str, Rule)] = &[
    (AUGMENTED,              "a task begins working, and the store knows it",   |trial| begins(trial).boxed()),
    (AUGMENTED,              "each task has an id of its own",                  |trial| ids_differ(trial).boxed()),
    (AUGMENTED,              "the work ends the task",                          |trial| ends(trial).boxed()),
    (AUGMENTED,              "tasks/get shows it",                              |trial| is_shown(trial).boxed()),
    (AUGMENTED,              "tasks/list has it",                               |trial| is_listed(trial).boxed()),
    (AUGMENTED,              "tasks/result gives what the plain request would", |trial| has_result(trial).boxed()),
    (AUGMENTED,              "it can be cancelled, and stays so",               |trial| stays_cancelled(trial).boxed()),
    (&[Kind::GetTask],       "a task at work is shown working",                 |trial| shows(trial, None).boxed()),
    (&[Kind::GetTask],       "a completed task stays completed",                |trial| shows(trial, Some(Ok(canned()))).boxed()),
    (&[Kind::GetTask],       "a failed task stays failed",                      |trial| shows(trial, Some(Err(refusal()))).boxed()),
    (&[Kind::GetTaskResult], "the result waits until the task has ended",       |trial| waits(trial).boxed()),
    (&[Kind::GetTaskResult], "the result is what the task ended with",          |trial| gives(trial, Ok(canned())).boxed()),
    (&[Kind::GetTaskResult], "the error is what the task ended with",           |trial| gives(trial, Err(refusal())).boxed()),
    (&[Kind::ListTasks],     "all tasks are listed, page by page",              |trial| lists(trial).boxed()),
    (&[Kind::CancelTask],    "a task at work becomes cancelled",                |trial| cancels(trial).boxed()),
    (&[Kind::CancelTask],    "a cancelled task cannot be cancelled again",      |trial| refuses(trial, None).boxed()),
    (&[Kind::CancelTask],    "a completed task cannot be cancelled",            |trial| refuses(trial, Some(Ok(canned()))).boxed()),
    (&[Kind::CancelTask],    "a failed task cannot be cancelled",               |trial| refuses(trial, Some(Err(refusal()))).boxed()),
];

/// A handler under test by one rule.
struct Trial<'a> {
    bench: &'a Bench<'a>,
    conversation: Conversation,
    kind: Kind,
    /// Kinds that the handler exports.
    kinds: &'a [Kind],
}

/// Tests the rules of a kind.
pub(super) async fn kind(bench: &Bench<'_>, kind: Kind, kinds: &[Kind]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (_, name, rule) in RULES.iter().filter(|(of, ..)| of.contains(&kind)) {
        let trial = Trial { bench, conversation: bench.converse()?, kind, kinds };
        if let Some(verdict) = rule(&trial).await? {
            let printed = trial.conversation.printed();
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

type RuleResult = anyhow::Result<Option<Verdict>>;

impl Trial<'_> {
    fn failed(&self, got: impl Into<String>, fix: &str) -> RuleResult {
        Ok(Some(Verdict::failed(self.kind, got, fix)))
    }

    /// Requests a task from the handler. Returns its id, or a verdict on any other response.
    async fn made(&self) -> anyhow::Result<Result<String, Verdict>> {
        let Some(case) = cases::of(self.kind, &Features::default()).next() else {
            return Ok(Err(Verdict::Passed("no case".to_owned())));
        };
        let observed = self.conversation.ask(self.kind.info().method, &params(self.kind, case)).await?;
        let Observed::Result(result) = &observed else {
            // The cases decide whether the handler may refuse.
            return Ok(Err(evaluate(self.kind, case.expectation, &observed, true)));
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

    /// Creates a task of the host with this outcome. Without an outcome, the task stays at work.
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

    /// Sends a request about a task.
    async fn ask(&self, kind: Kind, id: &str) -> anyhow::Result<Observed> {
        self.conversation.ask(kind.info().method, &json!({ "taskId": id })).await
    }

    fn exports(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    async fn status(&self, id: &str) -> Option<TaskStatus> {
        self.conversation.tasks.get(id).await.ok().map(|task| task.status)
    }

    /// Returns the verdict on a response that is not the expected result.
    fn instead(&self, observed: &Observed, fix: &str) -> RuleResult {
        match observed {
            Observed::Error(error) => match host_error(self.kind, error) {
                Some(fault) => Ok(Some(Verdict::Failed(fault))),
                None => self.failed(describe(observed), fix),
            },
            _ => self.failed(describe(observed), fix),
        }
    }
}

type Outcome = taskcell::tasks::Outcome;

/// Evaluates to the id of a task that the handler created. Any other response ends the rule with its verdict.
macro_rules! made {
    ($trial:expr) => {
        match $trial.made().await? {
            Ok(id) => id,
            Err(verdict) => return Ok(Some(verdict)),
        }
    };
}

fn passed(what: &str) -> RuleResult {
    Ok(Some(Verdict::Passed(what.to_owned())))
}

/// Tests the status of a new task. [Task Status Lifecycle]
async fn begins(trial: &Trial<'_>) -> RuleResult {
    let _ = made!(trial);
    passed("working")
}

/// Tests that ids are unique. [Task IDs]
async fn ids_differ(trial: &Trial<'_>) -> RuleResult {
    let (first, second) = (made!(trial), made!(trial));
    if first == second {
        return trial.failed("two tasks with one id", "make a task of its own for each request, with `tasks.create`");
    }
    passed("two ids")
}

async fn ends(trial: &Trial<'_>) -> RuleResult {
    let id = made!(trial);
    match tokio::time::timeout(trial.bench.patience, trial.conversation.tasks.wait(&id)).await {
        Err(_) => trial.failed(NOT_ENDED, END_IT),
        Ok(Err(_)) => Ok(Some(unknown_task(trial.kind))),
        Ok(Ok(Ok(_))) => passed("completed"),
        Ok(Ok(Err(error))) => match host_error(trial.kind, &error) {
            Some(fault) => Ok(Some(Verdict::Failed(fault))),
            None => passed("failed, by an error of its own"),
        },
    }
}

/// Tests that `tasks/get` shows a task of the handler. [Getting Tasks]
async fn is_shown(trial: &Trial<'_>) -> RuleResult {
    if !trial.exports(Kind::GetTask) {
        return Ok(None);
    }
    let id = made!(trial);
    match trial.ask(Kind::GetTask, &id).await? {
        Observed::Result(task) if task.get("taskId").and_then(Value::as_str) == Some(&id) => passed("shown"),
        observed => trial.instead(&observed, "have `get-task` give what `tasks.get` gives"),
    }
}

/// Tests that `tasks/list` has a task of the handler. [Listing Tasks]
async fn is_listed(trial: &Trial<'_>) -> RuleResult {
    if !trial.exports(Kind::ListTasks) {
        return Ok(None);
    }
    let id = made!(trial);
    match listed(trial).await? {
        Ok(ids) if ids.contains(&id) => passed("listed"),
        Ok(_) => trial.failed("a list without the task", "have `list-tasks` give what `tasks.list` gives"),
        Err(observed) => trial.instead(&observed, "have `list-tasks` give what `tasks.list` gives"),
    }
}

/// Tests the result of a task of the handler. [Result Retrieval]
async fn has_result(trial: &Trial<'_>) -> RuleResult {
    if !trial.exports(Kind::GetTaskResult) {
        return Ok(None);
    }
    const FIX: &str = "have `get-task-result` give what `tasks.wait-for-result` gives, and `background.run` what the plain handler would";
    let id = made!(trial);
    match trial.ask(Kind::GetTaskResult, &id).await? {
        Observed::Result(result) => {
            let text = result.to_string();
            let fits = match trial.kind {
                Kind::AugmentedSampling => serde_json::from_str::<CreateMessageResult>(&text).is_ok(),
                _ => serde_json::from_str::<ElicitResult>(&text).is_ok(),
            };
            match fits && result.pointer(RELATED).and_then(Value::as_str) == Some(&id) {
                true => passed("result"),
                false => trial.failed("a result of another kind", FIX),
            }
        }
        observed @ Observed::Late => trial.failed(describe(&observed), END_IT),
        observed => match &observed {
            Observed::Error(error) if host_error(trial.kind, error).is_none() => passed(&describe(&observed)),
            _ => trial.instead(&observed, FIX),
        },
    }
}

/// Tests the cancellation of a task of the handler. [Task Cancellation]
async fn stays_cancelled(trial: &Trial<'_>) -> RuleResult {
    if !trial.exports(Kind::CancelTask) {
        return Ok(None);
    }
    let id = made!(trial);
    let observed = trial.ask(Kind::CancelTask, &id).await?;
    match (&observed, trial.status(&id).await) {
        (Observed::Result(task), Some(TaskStatus::Cancelled)) if is(task, &id, "cancelled") => passed("cancelled"),
        // The task ended before the cancellation.
        (Observed::Error(error), Some(TaskStatus::Completed | TaskStatus::Failed))
            if error.code == code::INVALID_PARAMS =>
        {
            passed("done before it could be cancelled")
        }
        (_, status) => {
            let got =
                format!("{}; the task is {}", describe(&observed), status.map_or("gone", |status| status.as_str()));
            trial.failed(got, "have `cancel-task` give what `tasks.cancel` gives")
        }
    }
}

/// Tests that `tasks/get` shows a task of the host unchanged. [Getting Tasks]
async fn shows(trial: &Trial<'_>, outcome: Option<Outcome>) -> RuleResult {
    let task = trial.host_made(outcome.as_ref()).await?;
    for _ in 0..2 {
        let observed = trial.ask(Kind::GetTask, &task.task_id).await?;
        match &observed {
            Observed::Result(shown) if is(shown, &task.task_id, task.status.as_str()) => {}
            _ => {
                let got = format!("{} for a task that is {}", describe_task(&observed), task.status.as_str());
                return trial.instead_of(&observed, got, "give what `tasks.get` gives");
            }
        }
    }
    match trial.status(&task.task_id).await == Some(task.status) {
        true => passed(task.status.as_str()),
        false => trial.failed("a task that was changed by asking", "change nothing in `get-task`"),
    }
}

/// Tests that `tasks/result` waits for the end of the task. [Result Retrieval]
async fn waits(trial: &Trial<'_>) -> RuleResult {
    let task = trial.host_made(None).await?;
    let mut answer = pin!(trial.ask(Kind::GetTaskResult, &task.task_id));
    if let Ok(observed) = tokio::time::timeout(WATCHED, &mut answer).await {
        let observed = observed?;
        return trial.instead_of(&observed, format!("{} while the task is working", describe(&observed)), WAIT);
    }
    trial.conversation.tasks.finish(&task.task_id, &Ok(canned()), Actor::default()).await?;
    match answer.await? {
        Observed::Result(_) => passed("waits"),
        observed => trial.instead(&observed, WAIT),
    }
}

const WAIT: &str = "wait by `tasks.wait-for-result`, and give what it gives";

/// Tests that `tasks/result` returns the outcome of the task. [Result Retrieval]
async fn gives(trial: &Trial<'_>, outcome: Outcome) -> RuleResult {
    let task = trial.host_made(Some(&outcome)).await?;
    let observed = trial.ask(Kind::GetTaskResult, &task.task_id).await?;
    let same = match (&observed, &outcome) {
        (Observed::Result(result), Ok(TaskOutput::Sampling(output))) => {
            let mut result = result.clone();
            let related = result.pointer(RELATED).and_then(Value::as_str) == Some(&task.task_id);
            if let Value::Object(members) = &mut result {
                members.remove("_meta");
            }
            related && result == serde_json::to_value(output)?
        }
        (Observed::Error(error), Err(wanted)) => error == wanted,
        _ => false,
    };
    match same {
        true => passed(&describe(&observed)),
        false => trial.instead_of(&observed, format!("another outcome: {}", describe(&observed)), WAIT),
    }
}

/// Tests the pages of `tasks/list`. [Task Listing]
async fn lists(trial: &Trial<'_>) -> RuleResult {
    const FIX: &str = "give what `tasks.list` gives, with its `next-cursor`, and hand the cursor of the request on";
    let mut made = Vec::new();
    for _ in 0..=PAGE {
        made.push(trial.host_made(None).await?.task_id);
    }
    match listed(trial).await? {
        Ok(ids) if ids == made => passed("two pages"),
        Ok(ids) => trial.failed(format!("{} of {} tasks, or in another order", ids.len(), made.len()), FIX),
        Err(observed) => trial.instead(&observed, FIX),
    }
}

/// Returns the task ids of all pages, or the response that is not a page.
async fn listed(trial: &Trial<'_>) -> anyhow::Result<Result<Vec<String>, Observed>> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    // A list without an end has more pages than there are tasks.
    for _ in 0..8 {
        let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let page = match trial.conversation.ask(Kind::ListTasks.info().method, &params).await? {
            Observed::Result(page) => page,
            observed => return Ok(Err(observed)),
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

/// Tests that `tasks/cancel` cancels a task of the host. [Task Cancellation]
async fn cancels(trial: &Trial<'_>) -> RuleResult {
    let task = trial.host_made(None).await?;
    let observed = trial.ask(Kind::CancelTask, &task.task_id).await?;
    let stored = trial.status(&task.task_id).await;
    match &observed {
        Observed::Result(shown) if is(shown, &task.task_id, "cancelled") && stored == Some(TaskStatus::Cancelled) => {
            passed("cancelled")
        }
        _ => {
            let got = format!(
                "{}; the task is {}",
                describe_task(&observed),
                stored.map_or("gone", |status| status.as_str())
            );
            trial.instead_of(&observed, got, "cancel the task by `tasks.cancel`, and give what it gives")
        }
    }
}

/// Tests that `tasks/cancel` refuses a task that has ended. [Task Cancellation]
async fn refuses(trial: &Trial<'_>, outcome: Option<Outcome>) -> RuleResult {
    const FIX: &str = "give the error of `tasks.cancel`: a task that has ended stays as it is";
    let task = trial.host_made(outcome.as_ref()).await?;
    let id = &task.task_id;
    let status = match outcome {
        Some(_) => task.status,
        None => trial.conversation.tasks.cancel(id).await?.status,
    };
    let observed = trial.ask(Kind::CancelTask, id).await?;
    match &observed {
        Observed::Error(error) if error.code == code::INVALID_PARAMS && trial.status(id).await == Some(status) => {
            passed("refused")
        }
        _ => {
            trial.instead_of(&observed, format!("{} for a task that is {}", describe(&observed), status.as_str()), FIX)
        }
    }
}

impl Trial<'_> {
    /// Returns the verdict on an unexpected response, with the text `got` unless the host answered in place of the
    /// handler.
    fn instead_of(&self, observed: &Observed, got: String, fix: &str) -> RuleResult {
        match observed {
            Observed::Error(error) => match host_error(self.kind, error) {
                Some(fault) => Ok(Some(Verdict::Failed(fault))),
                None => self.failed(got, fix),
            },
            _ => self.failed(got, fix),
        }
    }
}

/// Whether a result is this task with this status.
fn is(task: &Value, id: &str, status: &str) -> bool {
    task.get("taskId").and_then(Value::as_str) == Some(id) && task.get("status").and_then(Value::as_str) == Some(status)
}

fn describe_task(observed: &Observed) -> String {
    match observed {
        Observed::Result(task) => match task.get("status").and_then(Value::as_str) {
            Some(status) => format!("status {status}"),
            None => describe(observed),
        },
        _ => describe(observed),
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
