//! A guest of plain kinds only, that decides nothing: the test stands behind `model` and `user`, and what it answers
//! there is what the guest answers. Roots are the lines of the setting `roots`.

use exports::taskcell::handlers::{elicitation, roots, sampling};
use taskcell::handlers::types::*;
use taskcell::handlers::{model, progress, user};
use wasi::config::store;

wit_bindgen::generate!({
    inline: "
        package taskcell:model-and-user;
        world model-and-user {
            import taskcell:handlers/model@0.1.0;
            import taskcell:handlers/user@0.1.0;
            import taskcell:handlers/progress@0.1.0;
            import wasi:config/store@0.2.0-rc.1;
            export taskcell:handlers/sampling@0.1.0;
            export taskcell:handlers/elicitation@0.1.0;
            export taskcell:handlers/roots@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:model-and-user/model-and-user",
    generate_all,
});

/// Progress is told in two steps: begun and done.
const STEPS: f64 = 2.0;

struct Handler;

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        in_steps(|| model::create_message(&request))
    }
}

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        in_steps(|| user::elicit(&request))
    }
}

impl roots::Guest for Handler {
    fn handle(_: RequestContext) -> Result<ListRootsResult, RpcError> {
        let setting = store::get("roots").ok().flatten().unwrap_or_default();
        let roots = setting.lines().map(|uri| Root { uri: uri.to_owned(), name: None, meta: None });
        Ok(ListRootsResult { roots: roots.collect(), meta: None })
    }
}

fn in_steps<T>(work: impl FnOnce() -> Result<T, RpcError>) -> Result<T, RpcError> {
    progress::report(1.0, Some(STEPS), Some("begun"));
    let outcome = work();
    progress::report(STEPS, Some(STEPS), Some("done"));
    outcome
}

export!(Handler);
