//! Tasks: made here, kept by the host, worked on in the background.

use crate::exports::taskcell::handlers::{
    augmented_elicitation, augmented_sampling, background, cancel_task, get_task, get_task_result, list_tasks,
};
use crate::taskcell::handlers::tasks::{self, TaskOptions};
use crate::taskcell::handlers::{progress, types::*};
use crate::{Handler, elicitation, sampling};

impl augmented_sampling::Guest for Handler {
    fn handle(
        _: RequestContext,
        task: TaskMetadata,
        request: CreateMessageRequest,
    ) -> Result<CreateTaskResult, RpcError> {
        begin(task, TaskInput::Sampling(request))
    }
}

impl augmented_elicitation::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: ElicitRequest) -> Result<CreateTaskResult, RpcError> {
        begin(task, TaskInput::Elicitation(request))
    }
}

/// Makes a task and hands its work to the background.
fn begin(metadata: TaskMetadata, input: TaskInput) -> Result<CreateTaskResult, RpcError> {
    let options = TaskOptions { poll_interval: Some(100), status_message: Some("begun".into()) };
    let task = tasks::create(metadata, &options)?;
    tasks::spawn(&task.task_id, &input)?;
    Ok(CreateTaskResult { task, meta: None })
}

impl background::Guest for Handler {
    fn run(_: RequestContext, _: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        progress::report(1.0, Some(2.0), Some("half"));
        match input {
            TaskInput::Sampling(request) => sampling::answer(&request).map(TaskOutput::Sampling),
            TaskInput::Elicitation(request) => elicitation::answer(&request).map(TaskOutput::Elicitation),
            TaskInput::Custom(input) => Ok(TaskOutput::Custom(input)),
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
