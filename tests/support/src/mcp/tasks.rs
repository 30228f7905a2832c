//! Shapes of tasks, and of the data that the host keeps beyond MCP's.

use super::{create_message_request, create_message_result, elicit_form, elicit_result, elicit_url, meta};
use crate::shape::Shape::{self, Count, Object, OneOf, Text, Word};
use crate::shape::{Member, list, nullable, optional, record, required};

/// `TaskMetadata`
#[must_use]
pub fn task_metadata() -> Shape {
    record([optional("ttl", Count)])
}

/// `Task`
#[must_use]
pub fn task() -> Shape {
    Shape::Record(task_members())
}

fn task_members() -> Vec<Member> {
    vec![
        required("taskId", Text),
        required("status", Word(&["working", "input_required", "completed", "failed", "cancelled"])),
        optional("statusMessage", Text),
        required("createdAt", Text),
        required("lastUpdatedAt", Text),
        nullable("ttl", Count),
        optional("pollInterval", Count),
    ]
}

/// `CreateTaskResult`
#[must_use]
pub fn create_task_result() -> Shape {
    record([required("task", task()), meta()])
}

/// `GetTaskResult`, `CancelTaskResult`: the task's members beside `_meta`
#[must_use]
pub fn task_result() -> Shape {
    let mut members = task_members();
    members.push(meta());
    Shape::Record(members)
}

/// `ListTasksResult`
#[must_use]
pub fn list_tasks_result() -> Shape {
    record([required("tasks", list(task())), optional("nextCursor", Text), meta()])
}

/// Input of a task
#[must_use]
pub fn task_input() -> Shape {
    OneOf(vec![
        Shape::Single("sampling", Box::new(create_message_request())),
        Shape::Single("elicitation", Box::new(OneOf(vec![elicit_form(), elicit_url()]))),
        Shape::Single("custom", Box::new(Object)),
    ])
}

/// Output of a task
#[must_use]
pub fn task_output() -> Shape {
    OneOf(vec![
        Shape::Single("sampling", Box::new(create_message_result())),
        Shape::Single("elicitation", Box::new(elicit_result())),
        Shape::Single("custom", Box::new(Object)),
    ])
}
