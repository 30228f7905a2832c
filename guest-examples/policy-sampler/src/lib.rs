//! Lets a server's prompts reach a model under the rules of the client: it refuses some, blots out words in others, and
//! caps the tokens of all. Works plain and as a task.

wit_bindgen::generate!({ world: "policy-sampler", path: "../../wit", generate_all });

#[path = "../../rust-minimal/src/alloc.rs"]
mod alloc;
mod policy;
mod settings;

use exports::taskcell::handlers::*;
use taskcell::handlers::types::*;
use taskcell::handlers::{model, tasks};

struct Handler;

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        model::create_message(&settings::policy()?.apply(request)?)
    }
}

impl augmented_sampling::Guest for Handler {
    /// The rules come first: what is refused becomes no task, and what was blotted out is kept nowhere.
    fn handle(
        _: RequestContext,
        metadata: TaskMetadata,
        request: CreateMessageRequest,
    ) -> Result<CreateTaskResult, RpcError> {
        let request = settings::policy()?.apply(request)?;
        let task = tasks::create(metadata, &tasks::TaskOptions { poll_interval: None, status_message: None })?;
        tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
        Ok(CreateTaskResult { task, meta: None })
    }
}

impl background::Guest for Handler {
    fn run(_: RequestContext, _: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        match input {
            TaskInput::Sampling(request) => model::create_message(&request).map(TaskOutput::Sampling),
            _ => Err(error(-32603, "This handler spawns no such work".into())),
        }
    }
}

impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::get(&task_id)?, meta: None })
    }
}

impl get_task_result::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        tasks::wait_for_result(&task_id)
    }
}

impl list_tasks::Guest for Handler {
    fn handle(_: RequestContext, cursor: Option<String>) -> Result<ListTasksResult, RpcError> {
        tasks::list(cursor.as_deref())
    }
}

impl cancel_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::cancel(&task_id)?, meta: None })
    }
}

fn error(code: i32, message: String) -> RpcError {
    RpcError { code, message, data: None }
}

export!(Handler);
