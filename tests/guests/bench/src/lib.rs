//! The guest of the benches: answers at once and imports nothing, so that what is measured is the host.

use exports::taskcell::handlers::{get_task, sampling};
use taskcell::handlers::types::{
    CreateMessageRequest, CreateMessageResult, RequestContext, Role, RpcError, SamplingContent, Task, TaskResult,
    TaskStatus, TextContent,
};

#[cfg(target_arch = "wasm32")]
#[path = "../../../../guest-examples/rust-scripted/src/alloc.rs"]
mod alloc;

wit_bindgen::generate!({
    inline: "
        package taskcell:bench;
        world bench {
            export taskcell:handlers/get-task@0.1.0;
            export taskcell:handlers/sampling@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:bench/bench",
    generate_all,
});

struct Handler;

impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        let task = Task {
            task_id,
            status: TaskStatus::Working,
            status_message: None,
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            last_updated_at: "2026-01-01T00:00:00.000Z".to_owned(),
            ttl: Some(60_000),
            poll_interval: Some(300),
        };
        Ok(TaskResult { task, meta: None })
    }
}

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let text = format!("answer to {} messages", request.messages.len());
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(TextContent { text, annotations: None, meta: None })],
            model: "fake-model".to_owned(),
            stop_reason: Some("endTurn".to_owned()),
            meta: None,
        })
    }
}

export!(Handler);
