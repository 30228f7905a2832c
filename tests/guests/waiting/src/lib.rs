//! A guest that waits in a host call: the smallest `tasks/result` there is.

use exports::taskcell::handlers::get_task_result::Guest;
use taskcell::handlers::tasks::wait_for_result;
use taskcell::handlers::types::{RequestContext, RpcError, TaskOutput};

#[cfg(target_arch = "wasm32")]
#[path = "../../../../guest-examples/rust-scripted/src/alloc.rs"]
mod alloc;

wit_bindgen::generate!({
    inline: "
        package taskcell:waiting;
        world waiting {
            import taskcell:handlers/tasks@0.1.0;
            export taskcell:handlers/get-task-result@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:waiting/waiting",
    generate_all,
});

struct Handler;

impl Guest for Handler {
    fn handle(_: RequestContext, task_id: String) -> Result<TaskOutput, RpcError> {
        wait_for_result(&task_id)
    }
}

export!(Handler);
