//! A handler: it answers what an MCP server asks of its client.

wit_bindgen::generate!({ world: "handler", path: "wit", generate_all });

mod alloc;

use exports::taskcell::handlers::*;
//[[ augmented-sampling augmented-elicitation get-task get-task-result list-tasks cancel-task
use taskcell::handlers::tasks;
//]]
use taskcell::handlers::types::*;

struct Handler;

//[[ sampling
impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        answer(request)
    }
}

//]]
//[[ sampling augmented-sampling
/// Quotes the last thing that the user said.
fn answer(request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
    let messages = request.messages.into_iter().filter(|message| message.role == Role::User);
    let said = messages.flat_map(|message| message.content).rev().find_map(|content| match content {
        SamplingContent::Text(content) => Some(content.text),
        _ => None,
    });
    let text = format!("You said: {}", said.unwrap_or_default());
    Ok(CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(TextContent { text, annotations: None, meta: None })],
        model: "fixed".into(),
        stop_reason: Some("endTurn".into()),
        meta: None,
    })
}

//]]
//[[ elicitation
impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        ask(request)
    }
}

//]]
//[[ elicitation augmented-elicitation
/// Says no. To ask the person at the client, import `user` and give what `user::elicit(&request)` gives.
fn ask(_: ElicitRequest) -> Result<ElicitResult, RpcError> {
    Ok(ElicitResult { action: ElicitAction::Decline, meta: None })
}

//]]
//[[ roots
impl roots::Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        let root = Root { uri: "file:///workspace".into(), name: Some("workspace".into()), meta: None };
        Ok(ListRootsResult { roots: vec![root], meta: None })
    }
}

//]]
//[[ augmented-sampling
impl augmented_sampling::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
        start(task, TaskInput::Sampling(request))
    }
}

//]]
//[[ augmented-elicitation
impl augmented_elicitation::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: ElicitRequest) -> Result<CreateTaskResult, RpcError> {
        start(task, TaskInput::Elicitation(request))
    }
}

//]]
//[[ background
/// Makes a task whose work `background` does once this answer is out.
fn start(metadata: TaskMetadata, input: TaskInput) -> Result<CreateTaskResult, RpcError> {
    let task = tasks::create(metadata, &tasks::TaskOptions { poll_interval: None, status_message: None })?;
    tasks::spawn(&task.task_id, &input)?;
    Ok(CreateTaskResult { task, meta: None })
}

impl background::Guest for Handler {
    fn run(_: RequestContext, _: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        match input {
            //[[ augmented-sampling
            TaskInput::Sampling(request) => answer(request).map(TaskOutput::Sampling),
            //]]
            //[[ augmented-elicitation
            TaskInput::Elicitation(request) => ask(request).map(TaskOutput::Elicitation),
            //]]
            _ => Err(RpcError { code: -32603, message: "No such work is spawned".into(), data: None }),
        }
    }
}

//]]
//[[ get-task
impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::get(&task_id)?, meta: None })
    }
}

//]]
//[[ get-task-result
impl get_task_result::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        tasks::wait_for_result(&task_id)
    }
}

//]]
//[[ list-tasks
impl list_tasks::Guest for Handler {
    fn handle(_: RequestContext, cursor: Option<String>) -> Result<ListTasksResult, RpcError> {
        tasks::list(cursor.as_deref())
    }
}

//]]
//[[ cancel-task
impl cancel_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::cancel(&task_id)?, meta: None })
    }
}

//]]
export!(Handler);
