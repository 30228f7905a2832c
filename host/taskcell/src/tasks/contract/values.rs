//! Values that the cases store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Handle;
use crate::protocol::types::{
    Implementation, ProgressToken, RequestContext, RpcError, TaskInput, TaskOutput, TaskStatus,
};
use crate::tasks::{Job, Lease, NewTask, Outcome, PrincipalFilter, Room, TaskOrigin, TaskRecord, Transition, Work};
use crate::validation::ExpectedResult;

/// Time that does not run out while a case runs.
pub(super) const LONG: Duration = Duration::from_secs(60 * 60);

/// Principal of tasks in cases where the principal does not matter.
pub(super) const SOMEBODY: &str = "somebody";

/// Limits above all that a case stores.
pub(super) const NO_LIMIT: Room = Room { tasks: 1_000_000, bytes: u64::MAX };

/// Texts that a store may corrupt.
pub(super) const ODD: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "a ",
    "a\0",
    "a\0b",
    "\u{1}\u{7f}\r\n\t\u{1b}[2J",
    "\u{e4}",
    "a\u{308}",
    "\u{6f22}\u{5b57}\u{1f980}\u{202e}\u{feff}\u{ffff}",
    "'; DROP TABLE tasks; --",
    "%_\\\"'?1:x@y$z",
    "null",
    "1",
];

/// Returns a record of version 0.
pub(super) fn record(principal: &str) -> TaskRecord {
    let now = Timestamp::now();
    TaskRecord {
        principal: principal.into(),
        id: uuid::Uuid::new_v4().to_string(),
        sequence: 0,
        origin: Arc::new(TaskOrigin {
            kind: "augmented-sampling".to_owned(),
            handler: "0".repeat(64),
            expects: ExpectedResult::Sampling,
        }),
        status: TaskStatus::Working,
        status_message: None,
        created_at: now,
        updated_at: now,
        ttl: LONG,
        poll_interval: 500,
        version: 0,
    }
}

/// Stores a record and returns it with its sequence.
pub(super) async fn create(store: &Handle, mut record: TaskRecord) -> TaskRecord {
    let task = NewTask { record: record.clone(), work: Work::None };
    record.sequence = store.create(task, NO_LIMIT).await.unwrap().expect("there is room");
    record
}

/// Stores a task with a job that `worker`, which gets time, holds.
pub(super) async fn create_leased(store: &Handle, principal: &str, worker: &str) -> (TaskRecord, Lease) {
    let mut record = record(principal);
    let task =
        NewTask { record: record.clone(), work: Work::Leased { job: Arc::new(job()), worker: worker.to_owned() } };
    record.sequence = store.create(task, NO_LIMIT).await.unwrap().expect("there is room");
    let lease = Lease { id: record.id.clone(), worker: worker.to_owned(), fence: 1 };
    (record, lease)
}

/// Returns the change of a record to another message.
pub(super) fn change(record: &TaskRecord) -> Transition {
    let mut changed = record.clone();
    changed.version += 1;
    changed.updated_at = Timestamp::now();
    changed.status_message = Some(format!("version {}", changed.version));
    Transition { record: changed, seen: record.version, outcome: None, lease: None, room: u64::MAX }
}

/// Returns the change that ends a task.
pub(super) fn end(record: &TaskRecord, outcome: Outcome) -> Transition {
    let mut ended = change(record);
    ended.record.status = if outcome.is_ok() { TaskStatus::Completed } else { TaskStatus::Failed };
    ended.outcome = Some(outcome);
    ended
}

/// Returns a custom result of a handler.
pub(super) fn custom(json: &str) -> Outcome {
    Ok(TaskOutput::Custom(json.to_owned()))
}

/// Returns a job.
pub(in crate::tasks) fn job() -> Job {
    Job {
        kind: "sampling".to_owned(),
        context: RequestContext {
            request_id: "7".to_owned(),
            progress_token: Some(ProgressToken::Number(0)),
            meta: Some("{\"progressToken\":0,\"a\":[1.0,1e300,\"\\u0000\"]}".to_owned()),
            server: Arc::new(Implementation { title: Some(ODD.concat()), ..Implementation::new("server", "1") }),
            protocol_version: "2025-11-25".into(),
            attempt: 1,
        },
        input: TaskInput::Custom("{\"b\":1,\"a\":123456789012345678901234567890}".to_owned()),
    }
}

/// Returns results and errors of all kinds, in the form in which they go out.
pub(super) fn outcomes() -> Vec<Outcome> {
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20));
    let json = [
        "{}",
        "{\"z\":1,\"a\":{\"z\":1,\"a\":[null,true,[]]}}",
        "{\"n\":[0.1,1.0,-0,1E5,1e300,123456789012345678901234567890.10]}",
        "{\"s\":\"\\u0000\\ud83e\\udd80 \u{1f980}\\/\\n\"}",
        &large,
    ];
    let mut outcomes: Vec<Outcome> = json.into_iter().map(custom).collect();
    let typed = [
        "{\"sampling\":{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"a\\u0000b\"},\"model\":\"m\",\
         \"stopReason\":\"endTurn\",\"_meta\":{\"b\":1.0,\"a\":2}}}",
        "{\"sampling\":{\"role\":\"assistant\",\"content\":[],\"model\":\"\"}}",
        "{\"elicitation\":{\"action\":\"accept\",\"content\":{\"z\":1,\"a\":0.1,\"t\":\"\",\"b\":false,\"l\":[]}}}",
        "{\"elicitation\":{\"action\":\"accept\"}}",
        "{\"elicitation\":{\"action\":\"decline\"}}",
        "{\"elicitation\":{\"action\":\"cancel\",\"_meta\":{}}}",
    ];
    outcomes.extend(typed.into_iter().map(|text| Ok(serde_json::from_str(text).expect("an output"))));
    let error = |code, message: &str, data: Option<&str>| {
        Err(RpcError { code, message: message.to_owned(), data: data.map(str::to_owned) })
    };
    outcomes.extend([
        error(-1, "User rejected sampling request", None),
        error(-32603, "", Some("{\"kind\":\"trap\"}")),
        error(i32::MIN, &ODD.concat(), Some("[1.0,\"a\"]")),
        error(i32::MAX, "text", Some("\"text\"")),
    ]);
    outcomes
}

/// Returns the record as the handle sees it.
pub(super) async fn seen(store: &Handle, id: &str) -> Option<TaskRecord> {
    store.get(PrincipalFilter::Anyone, id).await.unwrap()
}
