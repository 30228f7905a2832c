//! Tasks: made here, kept by the host. Only making one needs the script.

use crate::bindings::exports::taskcell::handlers::{cancel_task, get_task, get_task_result, list_tasks};
use crate::bindings::taskcell::handlers::tasks::{self, TaskOptions};
use crate::bindings::taskcell::handlers::types::{
    CreateTaskResult, ListTasksResult, RequestContext, RpcError, TaskInput, TaskMetadata, TaskOutput, TaskResult,
};
use crate::{Handler, settings};

/// Makes a task of a request and hands its work to the background.
pub(crate) fn start(metadata: TaskMetadata, input: &TaskInput, status: &str) -> Result<CreateTaskResult, RpcError> {
    let options =
        TaskOptions { poll_interval: Some(settings::script()?.poll_interval_ms), status_message: Some(status.into()) };
    let task = tasks::create(metadata, &options)?;
    // Without work behind it the task would stay `working` for ever.
    tasks::spawn(&task.task_id, input).inspect_err(|error| {
        _ = tasks::fail(&task.task_id, error);
    })?;
    Ok(CreateTaskResult { task, meta: None })
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
