//! Passes every request of a server on to the person at the client: forms and pages as they are, a prompt for a model
//! as a form for its answer. It makes up nothing.

mod bindings;
mod prompt;

use bindings::exports::taskcell::handlers::{elicitation, sampling};
use bindings::taskcell::handlers::types::{
    CreateMessageRequest, CreateMessageResult, ElicitAction, ElicitForm, ElicitRequest, ElicitResult, ElicitValue,
    PrimitiveSchema, RequestContext, RequestedSchema, Role, RpcError, SamplingContent, SchemaProperty, StringSchema,
    TextContent,
};
use bindings::taskcell::handlers::user;

/// The code of a request that the user refused. [client/sampling, Error Handling]
const REJECTED: i32 = -1;
/// The name of the form's field.
const ANSWER: &str = "answer";

struct Handler;

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        user::elicit(&request)
    }
}

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let rejected = |why: &str| RpcError { code: REJECTED, message: why.to_owned(), data: None };
        let content = match user::elicit(&ElicitRequest::Form(form(&request)))?.action {
            ElicitAction::Accept(content) => content.unwrap_or_default(),
            ElicitAction::Decline => return Err(rejected("User rejected sampling request")),
            ElicitAction::Cancel => return Err(rejected("User went away without an answer to the sampling request")),
        };
        let text = content.into_iter().find_map(|entry| match entry.value {
            ElicitValue::Text(text) if entry.name == ANSWER => Some(text),
            _ => None,
        });
        let text = text.ok_or_else(|| rejected("User gave no answer to the sampling request"))?;
        let text = TextContent { text, annotations: None, meta: None };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(text)],
            model: "user".to_owned(),
            stop_reason: Some("endTurn".to_owned()),
            meta: None,
        })
    }
}

/// A form for the answer that a model would give.
fn form(request: &CreateMessageRequest) -> ElicitForm {
    let answer = StringSchema {
        title: Some("Your answer, in place of a model's".to_owned()),
        description: None,
        min_length: Some(1),
        max_length: None,
        format: None,
        default: None,
    };
    let answer = SchemaProperty { name: ANSWER.to_owned(), schema: PrimitiveSchema::Text(answer) };
    let requested_schema =
        RequestedSchema { dialect: None, properties: vec![answer], required: Some(vec![ANSWER.to_owned()]) };
    ElicitForm { message: prompt::shown(request), requested_schema }
}
