//! Jobs for tests of the task runtime and of its stores.

use std::sync::Arc;

use taskcell::protocol::types::{Implementation, RequestContext, TaskInput};
use taskcell::tasks::Job;

/// Returns a job of a kind, such as `sampling`, with an empty JSON object as its input.
#[must_use]
pub fn job(kind: &str) -> Job {
    let context = RequestContext {
        request_id: "1".to_owned(),
        progress_token: None,
        meta: None,
        server: Arc::new(Implementation::new("test", "1")),
        protocol_version: "2025-11-25".into(),
        attempt: 1,
    };
    Job { kind: kind.to_owned(), context, input: TaskInput::Custom("{}".to_owned()) }
}
