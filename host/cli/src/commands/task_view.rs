//! Formats of a stored task for its operator: a row, a sheet and JSON.
//!
//! All text comes from servers, handlers and a file that anyone may have written. All of it is made printable.

use std::io::Write;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::terminal::one_line;
use taskcell::protocol::types::TaskOutput;
use taskcell::tasks::{Outcome, TaskRecord};
use taskcell::text;

/// Columns of a list.
const COLUMNS: [&str; 6] = ["ID", "STATUS", "KIND", "CREATED", "EXPIRES", "PRINCIPAL"];
/// Maximum number of characters of a field in a row.
const MAX_CELL: usize = 60;

/// Prints tasks as rows under aligned columns.
pub(crate) fn table(records: &[TaskRecord], now: Timestamp, out: &mut impl Write) -> std::io::Result<()> {
    let row = |record: &TaskRecord| {
        let cells = [
            &record.id,
            record.status.as_str(),
            &record.origin.kind,
            &seconds(record.created_at),
            &expiry(record, now),
            &record.principal,
        ];
        cells.map(|cell| text::one_line(cell, MAX_CELL))
    };
    let rows: Vec<_> = std::iter::once(COLUMNS.map(str::to_owned)).chain(records.iter().map(row)).collect();
    let mut widths = [0; COLUMNS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Prints all fields of a task, one a line. A long outcome is cut.
pub(crate) fn sheet(
    record: &TaskRecord,
    outcome: Option<&Outcome>,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let ttl = SignedDuration::try_from(record.ttl).unwrap_or(SignedDuration::MAX);
    let mut fields = vec![
        ("task", record.id.clone()),
        ("status", record.status.as_str().to_owned()),
        ("message", record.status_message.clone().unwrap_or_default()),
        ("kind", record.origin.kind.clone()),
        ("principal", record.principal.to_string()),
        ("handler", record.origin.handler.clone()),
        ("created", record.task().created_at),
        ("last updated", record.task().last_updated_at),
        ("time to live", format!("{ttl:#}")),
        ("expires", expiry(record, now)),
        ("poll interval", format!("{} ms", record.poll_interval)),
        ("version", record.version.to_string()),
    ];
    fields.extend(match outcome {
        Some(Ok(output)) => Some(("result", result(output)?.to_string())),
        Some(Err(error)) => Some(("error", format!("{} {}", error.code, error.message))),
        None => None,
    });
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<14}{}", one_line(value))?;
    }
    Ok(())
}

/// Returns a task as its requestor sees it, with the fields for its operator.
pub(crate) fn document(record: &TaskRecord, now: Timestamp) -> serde_json::Result<Map<String, Value>> {
    let Value::Object(mut document) = serde_json::to_value(record.task())? else { return Ok(Map::new()) };
    let handler = Some(&record.origin.handler).filter(|digest| !digest.is_empty());
    let more = [
        ("expiresAt", json!(format!("{:.3}", record.expires_at()))),
        ("expired", json!(record.expires_at() <= now)),
        ("principal", json!(*record.principal)),
        ("kind", json!(record.origin.kind)),
        ("handler", json!(handler)),
        ("version", json!(record.version)),
    ];
    document.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Ok(document)
}

/// Returns the JSON of [`document`] with the complete outcome.
pub(crate) fn whole(record: &TaskRecord, outcome: Option<&Outcome>, now: Timestamp) -> serde_json::Result<Value> {
    let mut document = document(record, now)?;
    let outcome = match outcome {
        Some(Ok(output)) => Some(("result", result(output)?)),
        Some(Err(error)) => Some(("error", serde_json::to_value(error)?)),
        None => None,
    };
    document.extend(outcome.map(|(name, value)| (name.to_owned(), value)));
    Ok(document.into())
}

/// Returns the result of a task as its requestor gets it, without the related-task mark.
fn result(output: &TaskOutput) -> serde_json::Result<Value> {
    match output {
        TaskOutput::Sampling(result) => serde_json::to_value(result),
        TaskOutput::Elicitation(result) => serde_json::to_value(result),
        TaskOutput::Custom(object) => serde_json::from_str(object),
    }
}

/// Returns the expiry time of a task. The text marks an expired task that is not removed yet.
fn expiry(record: &TaskRecord, now: Timestamp) -> String {
    let at = seconds(record.expires_at());
    if record.expires_at() <= now { format!("{at} (over)") } else { at }
}

fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}
