//! Answers `sampling/createMessage` with a text that quotes the last thing the user said.

wit_bindgen::generate!({ world: "sampling-handler", path: "../../wit", generate_all });

use exports::taskcell::handlers::sampling::Guest;
use taskcell::handlers::types::*;

struct Handler;

impl Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
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
}

export!(Handler);
