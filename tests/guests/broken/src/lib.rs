//! A guest with the mistakes that authors make, one at a time: the setting `mistake` says which. Without one it makes
//! none.

use exports::taskcell::handlers::{
    augmented_elicitation, augmented_sampling, background, cancel_task, elicitation, get_task, get_task_result,
    list_tasks, roots, sampling,
};
use taskcell::handlers::tasks::{self, TaskOptions};
use taskcell::handlers::types::*;
use taskcell::handlers::{model, user};
use wasi::config::store;

wit_bindgen::generate!({
    inline: "
        package taskcell:broken;
        world broken {
            include taskcell:handlers/host@0.1.0;
            import wasi:config/store@0.2.0-rc.1;
        }
    ",
    path: "../../../wit",
    world: "taskcell:broken/broken",
    generate_all,
});

struct Handler;

/// The answer to a request for a task.
type Created = Result<CreateTaskResult, RpcError>;

/// Whether this is the mistake to make.
fn makes(mistake: &str) -> bool {
    store::get("mistake").is_ok_and(|made| made.as_deref() == Some(mistake))
}

impl sampling::Guest for Handler {
    fn handle(context: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        if makes("asks the model") {
            return model::create_message(&request);
        }
        if makes("takes the last of no messages") {
            let _ = &request.messages[request.messages.len() - 1];
        }
        if makes("cuts text between bytes") {
            for content in request.messages.iter().flat_map(|message| &message.content) {
                if let SamplingContent::Text(content) = content {
                    let _ = &content.text[..content.text.len().min(5)];
                }
            }
        }
        if makes("refuses everything") {
            return Err(error(-1, "no"));
        }
        // Cut in the middle it is no JSON.
        let meta = context.meta.filter(|_| makes("cuts the meta")).map(|meta| meta[..meta.len() - 1].to_owned());
        let text = TextContent { text: "good".to_owned(), annotations: None, meta: None };
        let pieces = if makes("answers in pieces") { 2 } else { 1 };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(text); pieces],
            model: "broken".to_owned(),
            stop_reason: None,
            meta,
        })
    }
}

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let accept = |content| Ok(ElicitResult { action: ElicitAction::Accept(content), meta: None });
        match &request {
            ElicitRequest::Url(_) if makes("refuses pages") => return Err(error(-1, "no")),
            ElicitRequest::Form(_) if makes("refuses forms") => return Err(error(-1, "no")),
            _ => {}
        }
        let form = match &request {
            ElicitRequest::Url(_) => return accept(None),
            ElicitRequest::Form(form) => form,
        };
        let schema = &form.requested_schema;
        if makes("answers what was not asked") && schema.properties.is_empty() {
            return accept(Some(vec![ElicitEntry { name: "extra".to_owned(), value: ElicitValue::Boolean(true) }]));
        }
        if makes("answers yes to everything") {
            let yes =
                |field: &SchemaProperty| ElicitEntry { name: field.name.clone(), value: ElicitValue::Boolean(true) };
            return accept(Some(schema.properties.iter().map(yes).collect()));
        }
        if makes("leaves texts short") {
            let entry = |field: &SchemaProperty| {
                let PrimitiveSchema::Text(_) = field.schema else { return None };
                Some(ElicitEntry { name: field.name.clone(), value: ElicitValue::Text("xx".to_owned()) })
            };
            let entries: Option<Vec<_>> = schema.properties.iter().map(entry).collect();
            if let Some(entries) = entries {
                return accept(Some(entries));
            }
        }
        user::elicit(&request)
    }
}

impl roots::Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        let uri = match () {
            () if makes("names a page as a root") => "https://example.com/",
            () if makes("names a path as a root") => "/home",
            () => "file:///home",
        };
        Ok(ListRootsResult { roots: vec![Root { uri: uri.to_owned(), name: None, meta: None }], meta: None })
    }
}

impl augmented_sampling::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: CreateMessageRequest) -> Created {
        let mut task = create(task)?;
        tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
        if makes("makes an id up") {
            task.task_id = "task-1".to_owned();
        }
        Ok(CreateTaskResult { task, meta: None })
    }
}

impl augmented_elicitation::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: ElicitRequest) -> Created {
        let task = create(task)?;
        if !makes("forgets to spawn") {
            tasks::spawn(&task.task_id, &TaskInput::Elicitation(request))?;
        }
        Ok(CreateTaskResult { task, meta: None })
    }
}

impl background::Guest for Handler {
    fn run(context: RequestContext, _: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        match input {
            TaskInput::Sampling(request) if makes("ends a task with something else") => {
                let _ = request;
                Ok(TaskOutput::Elicitation(ElicitResult { action: ElicitAction::Decline, meta: None }))
            }
            TaskInput::Sampling(request) => {
                <Handler as sampling::Guest>::handle(context, request).map(TaskOutput::Sampling)
            }
            TaskInput::Elicitation(request) => {
                <Handler as elicitation::Guest>::handle(context, request).map(TaskOutput::Elicitation)
            }
            TaskInput::Custom(object) => Ok(TaskOutput::Custom(object)),
        }
    }
}

impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        let mut task = tasks::get(&task_id).map_err(|found| match makes("has errors of its own") {
            true => error(-32000, "no such task"),
            false => found,
        })?;
        if makes("shows every task working") {
            task.status = TaskStatus::Working;
        }
        Ok(TaskResult { task, meta: None })
    }
}

impl get_task_result::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        if makes("does not wait") && tasks::get(&task_id)?.status == TaskStatus::Working {
            return Err(error(-32000, "try again"));
        }
        tasks::wait_for_result(&task_id)
    }
}

impl list_tasks::Guest for Handler {
    fn handle(_: RequestContext, cursor: Option<String>) -> Result<ListTasksResult, RpcError> {
        tasks::list(if makes("ignores cursors") { None } else { cursor.as_deref() })
    }
}

impl cancel_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        let task = match makes("says cancelled and goes on") {
            true => Task { status: TaskStatus::Cancelled, ..tasks::get(&task_id)? },
            false => tasks::cancel(&task_id)?,
        };
        Ok(TaskResult { task, meta: None })
    }
}

fn create(mut metadata: TaskMetadata) -> Result<Task, RpcError> {
    // What a positive number becomes that a tool takes for one of 31 bits.
    if makes("changes long times") {
        metadata.ttl = metadata.ttl.map(|ttl| ttl.min(i32::MAX.unsigned_abs()));
    }
    if makes("has times of its own") {
        metadata.ttl = Some(60_000);
    }
    tasks::create(metadata, &TaskOptions { poll_interval: None, status_message: None })
}

fn error(code: i32, message: &str) -> RpcError {
    RpcError { code, message: message.to_owned(), data: None }
}

export!(Handler);
