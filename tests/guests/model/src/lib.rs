//! A guest that asks the model what it is asked, and imports nothing else.

use exports::taskcell::handlers::sampling;
use taskcell::handlers::model;
use taskcell::handlers::types::*;

wit_bindgen::generate!({
    inline: "
        package taskcell:model;
        world model {
            import taskcell:handlers/model@0.1.0;
            export taskcell:handlers/sampling@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:model/model",
    generate_all,
});

struct Handler;

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        model::create_message(&request)
    }
}

export!(Handler);
