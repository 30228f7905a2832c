//! A guest that does what hosts fear, and what is hard to see from outside. The text of the last message says which
//! of it; any other text gets a good answer.
//!
//! Each behavior is a file in `behaviors`: `answers` are to a request, and what the work of a task does; `beginnings`
//! is how a request becomes a task; `work` is what only the work of a task does.

use exports::taskcell::handlers::{augmented_sampling, background, cancel_task, get_task, get_task_result, sampling};
use prelude::{Answer, Cell, create, error, said};
use taskcell::handlers::tasks::{self, TaskOptions};
use taskcell::handlers::types::*;

mod prelude;

include!(concat!(env!("OUT_DIR"), "/behaviors.rs"));

wit_bindgen::generate!({
    inline: "
        package taskcell:hostile;
        package wasi:io@0.2.3 {
            interface error { resource error; }
            interface streams {
                use error.{error};
                variant stream-error { last-operation-failed(error), closed }
                resource output-stream {
                    blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                }
            }
        }
        package wasi:cli@0.2.3 {
            interface exit { exit: func(status: result); }
            interface stdout {
                use wasi:io/streams@0.2.3.{output-stream};
                get-stdout: func() -> output-stream;
            }
        }
        world hostile {
            import taskcell:handlers/tasks@0.1.0;
            import taskcell:handlers/progress@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:cli/exit@0.2.3;
            import wasi:cli/stdout@0.2.3;
            export taskcell:handlers/sampling@0.1.0;
            export taskcell:handlers/augmented-sampling@0.1.0;
            export taskcell:handlers/get-task@0.1.0;
            export taskcell:handlers/get-task-result@0.1.0;
            export taskcell:handlers/cancel-task@0.1.0;
            export taskcell:handlers/background@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:hostile/hostile",
    generate_all,
});

struct Handler;

impl sampling::Guest for Handler {
    fn handle(context: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        answer(&context, last_text(&request))
    }
}

impl augmented_sampling::Guest for Handler {
    fn handle(
        _: RequestContext,
        task: TaskMetadata,
        request: CreateMessageRequest,
    ) -> Result<CreateTaskResult, RpcError> {
        let task = tasks::create(task, &TaskOptions { poll_interval: None, status_message: None })?;
        if let Some(behave) = find(beginnings::TABLE, last_text(&request)) {
            return behave(task, request);
        }
        tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
        Ok(CreateTaskResult { task, meta: None })
    }
}

impl background::Guest for Handler {
    fn run(context: RequestContext, task: Task, input: TaskInput) -> Result<TaskOutput, RpcError> {
        let TaskInput::Sampling(request) = &input else { return Err(error("no such work was spawned")) };
        tasks::update(&task.task_id, TaskStatus::Working, Some("begun"))?;
        let behavior = last_text(request);
        if find(beginnings::TABLE, behavior).is_some() {
            // Work of a request that failed should not run. Should it, this task tells of it.
            return create().and(Err(error("it ran")));
        }
        match find(work::TABLE, behavior) {
            Some(behave) => behave(&task, &input),
            None => answer(&context, behavior).map(TaskOutput::Sampling),
        }
    }
}

impl get_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        let mut task = tasks::get(&task_id)?;
        if task.status_message.as_deref() == Some("another's") {
            task.task_id = "another".to_owned();
        }
        Ok(TaskResult { task, meta: None })
    }
}

impl get_task_result::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        tasks::wait_for_result(&task_id)
    }
}

impl cancel_task::Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskResult, RpcError> {
        Ok(TaskResult { task: tasks::cancel(&task_id)?, meta: None })
    }
}

fn answer(context: &RequestContext, behavior: &str) -> Answer {
    let (name, argument) = behavior.split_once(' ').unwrap_or((behavior, ""));
    match find(answers::TABLE, name) {
        Some(behave) => behave(&Cell { context, argument }),
        None => Ok(said("good")),
    }
}

fn find<F: Copy>(table: &[(&str, F)], name: &str) -> Option<F> {
    table.iter().find(|(behavior, _)| *behavior == name).map(|(_, behave)| *behave)
}

fn last_text(request: &CreateMessageRequest) -> &str {
    match request.messages.last().and_then(|message| message.content.last()) {
        Some(SamplingContent::Text(content)) => &content.text,
        _ => "",
    }
}

export!(Handler);
