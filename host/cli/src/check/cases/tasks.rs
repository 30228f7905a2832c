//! Requests about tasks that do not exist. Module `task_rules` has the requests about existing tasks, which need a task
//! first. [basic/utilities/tasks, Protocol Errors]

use serde_json::json;

use super::{Case, STRANGE, deep, long};

/// Rows of `tasks/get`, `tasks/result` and `tasks/cancel`.
pub(super) const IDS: &[Case] = &[
    Case::well_formed("an id that no task has", || json!({ "taskId": "786512e2-9e0d-44bd-8f29-789f320fe840" }))
        .unknown(),
    Case::edge("an empty id", || json!({ "taskId": "" })).unknown(),
    Case::edge("a long id", || json!({ "taskId": long() })).unknown(),
    Case::edge("an id with null, accents and emoji", || json!({ "taskId": STRANGE })).unknown(),
    Case::edge("an id that is a path", || json!({ "taskId": "../../etc/passwd" })).unknown(),
    Case::edge("an id that is SQL", || json!({ "taskId": "' OR 1=1 --" })).unknown(),
    Case::edge("an id and deep _meta", || json!({ "taskId": "none", "_meta": deep() })).unknown(),
    Case::malformed("the id is missing", || json!({})),
    Case::malformed("the id is a number", || json!({ "taskId": 7 })),
    Case::malformed("the parameters are a list", || json!(["none"])),
];

/// Rows of `tasks/list`.
pub(super) const LISTS: &[Case] = &[
    Case::well_formed("no tasks", || json!({})),
    Case::edge("no cursor, said so", || json!({ "cursor": null })),
    Case::edge("deep _meta", || json!({ "_meta": deep() })),
    Case::well_formed("a cursor that was never given", || json!({ "cursor": "check" })).unknown(),
    Case::edge("an empty cursor", || json!({ "cursor": "" })).unknown(),
    Case::edge("a cursor with null, accents and emoji", || json!({ "cursor": STRANGE })).unknown(),
    Case::malformed("the cursor is a number", || json!({ "cursor": 7 })),
];
