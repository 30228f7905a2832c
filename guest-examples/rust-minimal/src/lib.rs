//! A handler: it answers what an MCP server asks of its client.

wit_bindgen::generate!({ world: "sampling-handler", path: "../../wit", generate_all });

mod alloc;

use exports::taskcell::handlers::*;
use taskcell::handlers::types::*;

struct Handler;

impl sampling::Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        answer(request)
    }
}

/// Quotes the last thing that the user said.
fn answer(request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
    let messages = request.messages.into_iter().filter(|message| message.role == Role::User);
    let said = messages.flat_map(|message| message.content).rev().find_map(|content| match content {
        SamplingContent::Text(content) => Some(content.text),
        _ => None,
    });
    let text = format!("You said: {}", said.unwrap_or_default());
    Ok(CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(TextContent { text, annotations: None, meta: None })],
        model: "fixed".into(),
        stop_reason: Some("endTurn".into()),
        meta: None,
    })
}

export!(Handler);
