//! Drives each kind with the rows of its table.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::bench::{Bench, Came, Conversation};
use super::cases::{self, Case, Class, Holds};
use super::report::Row;
use super::verdict::{Fault, Verdict, host_error, judge, late, see, told_error};
use crate::kinds::Kind;
use crate::session::Features;

/// Cases that are tried at once.
pub(super) const AT_ONCE: usize = 8;

/// How long a task is to be kept, in milliseconds: longer than any check takes.
const TTL: u32 = 3_600_000;

/// Drives a kind.
pub(super) async fn kind(bench: &Bench<'_>, kind: Kind, features: &Features) -> anyhow::Result<Vec<Row>> {
    let cases = stream::iter(cases::of(kind, features));
    let rows = cases.map(|case| row(bench, kind, case)).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let mut rows: Vec<_> = rows.into_iter().collect::<anyhow::Result<_>>()?;
    rows.extend(nothing_but_errors(kind, &rows));
    Ok(rows)
}

async fn row(bench: &Bench<'_>, kind: Kind, case: &Case) -> anyhow::Result<Row> {
    let params = params(kind, case);
    let method = kind.info().method;
    let conversation = bench.converse()?;
    let came = conversation.ask(method, &params).await?;
    let verdict = match (&came, case.holds) {
        (Came::Result(result), Holds::Answer | Holds::AnswerOrWarning) if kind.info().augmented => {
            work(bench, kind, &conversation, result, case.holds).await
        }
        _ => judge(kind, case.holds, &came, conversation.reached()),
    };
    let group = match case.class {
        Class::WellFormed => "well-formed",
        Class::Edge => "edge",
        Class::Malformed => "malformed",
    };
    Ok(Row {
        kind: Some(kind),
        group,
        name: case.name.to_owned(),
        verdict,
        request: Some(json!({ "method": method, "params": params })),
    })
}

/// The parameters of a case, with `task` where it is to become one.
pub(super) fn params(kind: Kind, case: &Case) -> Value {
    let params = (case.params)();
    if kind.info().augmented { cases::with(params, json!({ "task": { "ttl": TTL } })) } else { params }
}

/// What becomes of the task that a request became: what the plain request would have been answered with, or an error.
async fn work(bench: &Bench<'_>, kind: Kind, conversation: &Conversation, result: &Value, holds: Holds) -> Verdict {
    let Some(id) = result.pointer("/task/taskId").and_then(Value::as_str) else {
        return judge(kind, holds, &Came::Nothing, true);
    };
    match tokio::time::timeout(bench.patience, conversation.tasks.wait(id)).await {
        Err(_) => match late(kind) {
            Verdict::Failed(fault) => {
                Verdict::Failed(Fault { got: NOT_ENDED.to_owned(), fix: END_IT.to_owned(), ..fault })
            }
            verdict => verdict,
        },
        Ok(Err(_)) => unknown_task(kind),
        Ok(Ok(Ok(_))) => Verdict::Passed("task, result".to_owned()),
        Ok(Ok(Err(error))) => match host_error(kind, &error) {
            Some(_) => judge(kind, holds, &Came::Error(error), true),
            None => Verdict::Passed(format!("task, {}", told_error(&error))),
        },
    }
}

/// A task that nobody ends.
pub(super) const NOT_ENDED: &str = "a task that does not end";
pub(super) const END_IT: &str = "hand the work to `tasks.spawn`, whose `background.run` ends the task by returning, or end it with `tasks.complete` \
                                 or `tasks.fail`; --timeout gives it longer";

/// A task that the host does not have.
pub(super) fn unknown_task(kind: Kind) -> Verdict {
    Verdict::failed(
        kind,
        "a task that is not in the store",
        "make the task with `tasks.create`, and answer with it as it is",
    )
}

/// Handlers may refuse, but one that never answers is likely to lack something.
fn nothing_but_errors(kind: Kind, rows: &[Row]) -> Option<Row> {
    let mut passed = rows.iter().filter(|row| row.group == "well-formed").filter_map(|row| match &row.verdict {
        Verdict::Passed(got) => Some(got),
        _ => None,
    });
    let first = passed.next()?;
    let errors = |got: &String| got.contains("error ");
    if kind.is_of_tasks() && !kind.info().augmented || !errors(first) || !passed.all(errors) {
        return None;
    }
    let fix =
        "if this is not what it is for, give it what it lacks: settings by --set KEY=VALUE, others by --config FILE"
            .to_owned();
    let fault = Fault { got: format!("errors alone, the first of them: {first}"), fix, see: see(kind) };
    let name = "any well-formed request has a result".to_owned();
    Some(Row { kind: Some(kind), group: "well-formed", name, verdict: Verdict::Warned(fault), request: None })
}
