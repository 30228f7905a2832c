//! What the behaviors share.

pub(crate) use std::hint::black_box;

pub(crate) use crate::taskcell::handlers::progress;
pub(crate) use crate::taskcell::handlers::tasks::{self, TaskOptions};
pub(crate) use crate::taskcell::handlers::types::*;

use crate::wasi::cli0_2_3::stdout::get_stdout;

/// More than any limit for messages and host calls that a test sets.
pub(crate) const BIG: usize = 1 << 20;
/// What those who take something bit by bit take at once.
pub(crate) const BIT: usize = 64 << 10;
/// More memory than a cell can have.
pub(crate) const ALL: usize = 1 << 30;

/// What an answer is made from.
pub(crate) struct Cell<'a> {
    pub(crate) context: &'a RequestContext,
    /// What follows the behavior's name in the request.
    pub(crate) argument: &'a str,
}

pub(crate) type Answer = Result<CreateMessageResult, RpcError>;

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// Waits for a task that nobody works on.
pub(crate) fn wait(task: &Task) -> Result<TaskOutput, RpcError> {
    tasks::wait_for_result(&task.task_id)
}

/// Makes a task that nobody asked for.
pub(crate) fn create() -> Result<Task, RpcError> {
    tasks::create(TaskMetadata { ttl: None }, &TaskOptions { poll_interval: None, status_message: None })
}

/// Prints a character again and again, as many at once as may be.
pub(crate) fn print_for_ever(character: &[u8; 1]) -> ! {
    let (stdout, text) = (get_stdout(), character.repeat(4_096));
    loop {
        _ = stdout.blocking_write_and_flush(&text);
    }
}

pub(crate) fn said(what: &str) -> CreateMessageResult {
    CreateMessageResult {
        role: Role::Assistant,
        content: vec![text(what, None)],
        model: "hostile".to_owned(),
        stop_reason: Some("endTurn".to_owned()),
        meta: None,
    }
}

pub(crate) fn text(text: &str, priority: Option<f64>) -> SamplingContent {
    let annotations = priority.map(|_| Annotations { audience: None, priority, last_modified: None });
    SamplingContent::Text(TextContent { text: text.to_owned(), annotations, meta: None })
}

pub(crate) fn error(message: &str) -> RpcError {
    RpcError { code: -7, message: message.to_owned(), data: None }
}
