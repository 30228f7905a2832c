//! A guest that asks the user and answers what the user answers. A form without fields whose message ends with a
//! question mark is asked as a yes-or-no question instead.

use exports::taskcell::handlers::elicitation;
use taskcell::handlers::types::*;
use taskcell::handlers::user;

wit_bindgen::generate!({
    inline: "
        package taskcell:user;
        world user {
            import taskcell:handlers/user@0.1.0;
            export taskcell:handlers/elicitation@0.1.0;
        }
    ",
    path: "../../../wit",
    world: "taskcell:user/user",
    generate_all,
});

struct Handler;

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        match request {
            ElicitRequest::Form(form) if form.requested_schema.properties.is_empty() && form.message.ends_with('?') => {
                let action = match user::confirm(&form.message)? {
                    user::Confirmation::Accepted => ElicitAction::Accept(None),
                    user::Confirmation::Declined => ElicitAction::Decline,
                    user::Confirmation::Cancelled => ElicitAction::Cancel,
                };
                Ok(ElicitResult { action, meta: None })
            }
            request => user::elicit(&request),
        }
    }
}

export!(Handler);
