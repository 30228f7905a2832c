//! Test of each kind with the rows of its table.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::bench::{Bench, Conversation, Observed};
use super::cases::{self, Case, Category, Expectation};
use super::report::Row;
use super::verdict::{Fault, Verdict, describe_error, evaluate, host_error, late, see, several_pieces};
use taskcell::handlers::Features;
use taskcell::kinds::Kind;
use taskcell::protocol::types::TaskOutput;

/// Number of cases that run concurrently.
pub(super) const AT_ONCE: usize = 8;

/// Time to live of a task in milliseconds, longer than any check takes.
const TTL: u32 = 3_600_000;

/// Tests a kind with its rows.
pub(super) async fn kind(bench: &Bench<'_>, kind: Kind, features: &Features) -> anyhow::Result<Vec<Row>> {
    let cases = stream::iter(cases::of(kind, features));
    let rows = cases.map(|case| row(bench, kind, case)).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let mut rows: Vec<_> = rows.into_iter().collect::<anyhow::Result<_>>()?;
    let warnings: Vec<_> = topics(kind).iter().filter_map(|topic| nothing_but_errors(kind, topic, &rows)).collect();
    rows.extend(warnings);
    Ok(rows)
}

async fn row(bench: &Bench<'_>, kind: Kind, case: &Case) -> anyhow::Result<Row> {
    let params = params(kind, case);
    let method = kind.info().method;
    let conversation = bench.converse()?;
    let observed = conversation.ask(method, &params).await?;
    let (verdict, pieces) = match (&observed, case.expectation) {
        (Observed::Result(result), Expectation::Answer | Expectation::AnswerOrWarning) if kind.info().augmented => {
            work(bench, kind, &conversation, result, case.expectation).await
        }
        (Observed::Result(result), expectation) => {
            (evaluate(kind, expectation, &observed, conversation.reached()), pieces(kind, result))
        }
        (_, expectation) => (evaluate(kind, expectation, &observed, conversation.reached()), 0),
    };
    let verdict = match verdict {
        Verdict::Passed(_) if params.get("tools").is_none() => {
            several_pieces(kind, pieces).map_or(verdict, Verdict::Warned)
        }
        verdict => verdict,
    };
    let group = match case.category {
        Category::WellFormed => "well-formed",
        Category::Edge => "edge",
        Category::Malformed => "malformed",
    };
    Ok(Row {
        kind: Some(kind),
        group,
        name: case.name.to_owned(),
        verdict,
        request: Some(json!({ "method": method, "params": params })),
        printed: conversation.printed(),
    })
}

/// Returns the parameters of a case. An augmented kind adds `task`.
pub(super) fn params(kind: Kind, case: &Case) -> Value {
    let params = (case.params)();
    if kind.info().augmented { cases::with(params, json!({ "task": { "ttl": TTL } })) } else { params }
}

/// Returns the number of content pieces of a sampling result, or 0 for another kind.
fn pieces(kind: Kind, result: &Value) -> usize {
    let content = result.get("content").filter(|_| kind == Kind::Sampling);
    content.and_then(Value::as_array).map_or(0, Vec::len)
}

/// Waits for the task of an augmented request, and evaluates its outcome like the answer to the plain request. Also
/// returns the number of content pieces of a sampling result.
async fn work(
    bench: &Bench<'_>,
    kind: Kind,
    conversation: &Conversation,
    result: &Value,
    expectation: Expectation,
) -> (Verdict, usize) {
    let Some(id) = result.pointer("/task/taskId").and_then(Value::as_str) else {
        return (evaluate(kind, expectation, &Observed::Nothing, true), 0);
    };
    let mut pieces = 0;
    let verdict = match tokio::time::timeout(bench.patience, conversation.tasks.wait(id)).await {
        Err(_) => match late(kind) {
            Verdict::Failed(fault) => {
                Verdict::Failed(Fault { got: NOT_ENDED.to_owned(), fix: END_IT.to_owned(), ..fault })
            }
            verdict => verdict,
        },
        Ok(Err(_)) => unknown_task(kind),
        Ok(Ok(Ok(output))) => {
            if let TaskOutput::Sampling(result) = output {
                pieces = result.content.len();
            }
            Verdict::Passed("task, result".to_owned())
        }
        Ok(Ok(Err(error))) => match host_error(kind, &error) {
            Some(_) => evaluate(kind, expectation, &Observed::Error(error), true),
            None => Verdict::PassedWithError(format!("task, {}", describe_error(&error))),
        },
    };
    (verdict, pieces)
}

/// Fault: a task that nobody ends.
pub(super) const NOT_ENDED: &str = "a task that does not end";
pub(super) const END_IT: &str = "hand the work to `tasks.spawn`, whose `background.run` ends the task by returning, or end it with `tasks.complete` \
                                 or `tasks.fail`; --timeout allows more time";

/// Fault: a task that the host does not have.
pub(super) fn unknown_task(kind: Kind) -> Verdict {
    Verdict::failed(
        kind,
        "a task that is not in the store",
        "make the task with `tasks.create`, and answer with it as it is",
    )
}

/// Group of well-formed requests. A handler may return nothing but errors for one group alone.
struct Topic {
    /// Name of a request of the group.
    what: &'static str,
    /// Whether a request with these parameters belongs to the group.
    is_of: fn(&Value) -> bool,
}

/// Returns the groups of a kind. Forms and pages are separate, because most handlers decline pages.
fn topics(kind: Kind) -> &'static [Topic] {
    const REQUESTS: &[Topic] = &[Topic { what: "request", is_of: |_| true }];
    const MODES: &[Topic] =
        &[Topic { what: "form", is_of: |params| !is_page(params) }, Topic { what: "page", is_of: is_page }];
    match kind.plain().unwrap_or(kind) {
        Kind::Elicitation => MODES,
        Kind::Sampling | Kind::Roots => REQUESTS,
        _ => &[],
    }
}

fn is_page(params: &Value) -> bool {
    params.get("mode").is_some_and(|mode| mode == "url")
}

/// Warns when every well-formed request has an error. A handler may refuse requests, but one that refuses all probably
/// lacks something.
fn nothing_but_errors(kind: Kind, topic: &Topic, rows: &[Row]) -> Option<Row> {
    let is_of = |row: &&Row| {
        let params = row.request.as_ref().and_then(|request| request.get("params"));
        row.group == "well-formed" && params.is_some_and(topic.is_of)
    };
    let mut first = None;
    for row in rows.iter().filter(is_of) {
        match &row.verdict {
            Verdict::PassedWithError(got) => first = first.or(Some(got)),
            Verdict::Passed(_) | Verdict::Warned(_) => return None,
            Verdict::Failed(_) => {}
        }
    }
    let first = first?;
    let fix =
        "if this is not what it is for, give it what it lacks: settings by --set KEY=VALUE, others by --config FILE"
            .to_owned();
    let fault = Fault { got: format!("errors alone, the first of them: {first}"), fix, see: see(kind) };
    let name = format!("any well-formed {} has a result", topic.what);
    Some(Row {
        kind: Some(kind),
        group: "well-formed",
        name,
        verdict: Verdict::Warned(fault),
        request: None,
        printed: Vec::new(),
    })
}
