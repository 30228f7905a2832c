//! Rules that hold for a handler as a whole, independent of its answers.

use serde_json::Value;

use super::report::Row;
use super::verdict::{Fault, Verdict, see};
use crate::client::unasked::unasked;
use taskcell::kinds::Kind;

/// Returns a row for each fault of the served kinds and the declared capabilities.
pub(super) fn rows(kinds: &[Kind], capabilities: &Value) -> impl Iterator<Item = Row> {
    [no_kind(kinds), nobody_to_ask(kinds)].into_iter().flatten().chain(nobody_asks(capabilities))
}

fn no_kind(kinds: &[Kind]) -> Option<Row> {
    let fault = Fault {
        got: "no kind is exported: every request gets its default".to_owned(),
        fix: "export an interface of taskcell:handlers, such as `sampling`; see that the world of the build has it"
            .to_owned(),
        see: "docs/handlers.md, wit/worlds.wit".to_owned(),
    };
    kinds.is_empty().then(|| row(None, "it exports a kind", Verdict::Failed(fault)))
}

/// Warns about tasks that no server can ask about: servers poll for the end of a task. [basic/utilities/tasks, Getting
/// Tasks, Result Retrieval]
fn nobody_to_ask(kinds: &[Kind]) -> Option<Row> {
    let augmented = kinds.iter().copied().find(|kind| kind.info().augmented)?;
    let missing: Vec<_> = [Kind::GetTask, Kind::GetTaskResult]
        .into_iter()
        .filter(|kind| !kinds.contains(kind))
        .map(|kind| kind.info().export)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let fault = Fault {
        got: format!(
            "tasks are made, but {} is not exported: no server learns what became of them",
            missing.join(" and ")
        ),
        fix: "export them, or export the plain kinds alone and let the host make the tasks (--tasks managed)"
            .to_owned(),
        see: see(augmented),
    };
    Some(row(Some(augmented), "tasks that are made can be asked for", Verdict::Warned(fault)))
}

/// Warns about an augmented kind whose plain kind is not declared: servers may then hold back their requests.
fn nobody_asks(capabilities: &Value) -> impl Iterator<Item = Row> {
    unasked(capabilities).map(|found| {
        let plain = found.plain();
        let fault = Fault {
            got: found.to_string(),
            fix: format!("export `{plain}` too, or `{plain}` alone and let the host make the tasks (--tasks managed)"),
            see: "docs/handlers.md".to_owned(),
        };
        row(Some(found.kind), "servers ask for what is declared", Verdict::Warned(fault))
    })
}

fn row(kind: Option<Kind>, name: &str, verdict: Verdict) -> Row {
    Row { kind, group: "tasks", name: name.to_owned(), verdict, request: None, printed: Vec::new() }
}
