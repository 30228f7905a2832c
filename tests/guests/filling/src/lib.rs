//! A guest that knows MCP's own fields and nothing else: it fills in each typed field with a value of its case, and
//! declines a form that needs a field of `other`.

use bindings::exports::taskcell::handlers::elicitation;
use bindings::taskcell::handlers::types::*;

include!("../../plain_kinds/src/forms.rs");
#[allow(dead_code, reason = "only the type of its values is needed")]
#[path = "../../../../guest-examples/rust-scripted/src/script.rs"]
mod script;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package taskcell:filling;
            world filling {
                export taskcell:handlers/elicitation@0.1.0;
            }
        ",
        path: "../../../wit",
        world: "taskcell:filling/filling",
        generate_all,
        additional_derives: [PartialEq],
    });

    export!(Handler);

    use crate::Handler;
}

/// The schema of a field that is left out.
const UNKNOWN: &str = r#"{"not":{}}"#;

struct Handler;

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let action = match request {
            ElicitRequest::Form(ElicitForm { mut requested_schema, .. }) => {
                for field in &mut requested_schema.properties {
                    if let PrimitiveSchema::Other(schema) = &mut field.schema {
                        UNKNOWN.clone_into(schema);
                    }
                }
                form::fill(requested_schema, None)
                    .map_or(ElicitAction::Decline, |content| ElicitAction::Accept(Some(content)))
            }
            ElicitRequest::Url(_) => ElicitAction::Accept(None),
        };
        Ok(ElicitResult { action, meta: None })
    }
}
