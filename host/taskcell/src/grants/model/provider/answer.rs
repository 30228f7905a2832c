//! From genai's answer to MCP's result. [client/sampling]

use genai::chat::{BinarySource, ChatResponse, ContentPart, StopReason};

use super::failure::Failure;
use super::models::MAX_NAME;
use crate::protocol::json::check_depth;
use crate::protocol::types::{CreateMessageResult, ImageContent, Role, SamplingContent, TextContent, ToolUseContent};
use crate::text::one_line;

/// Usage that a provider reported. Missing or impossible numbers are `None`.
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
}

impl Tokens {
    pub(super) fn of(response: &ChatResponse) -> Self {
        // Nothing is read and nothing written for no tokens at all: who says so does not count.
        let count =
            |tokens: Option<i32>| tokens.and_then(|tokens| u64::try_from(tokens).ok()).filter(|tokens| *tokens > 0);
        Self { input: count(response.usage.prompt_tokens), output: count(response.usage.completion_tokens) }
    }
}

/// Makes an answer of genai a result of MCP. Reasoning is left out: MCP has no place for it.
///
/// # Errors
/// When it is no answer: there is nothing in it, or a use of a tool without an object as input.
pub(super) fn result(response: ChatResponse) -> Result<CreateMessageResult, Failure> {
    let ChatResponse { content, stop_reason, provider_model_iden, .. } = response;
    let mut pieces = Vec::new();
    for part in content.into_parts() {
        match part {
            ContentPart::Text(text) => {
                pieces.push(SamplingContent::Text(TextContent { text, annotations: None, meta: None }));
            }
            ContentPart::ToolCall(call) => {
                let input = call.fn_arguments;
                let text = input.to_string();
                if !input.is_object() || check_depth(&text).is_err() {
                    return Err(Failure::NoAnswer("a use of a tool whose input is no JSON object"));
                }
                pieces.push(SamplingContent::ToolUse(ToolUseContent {
                    id: call.call_id,
                    name: call.fn_name,
                    input: text,
                    meta: None,
                }));
            }
            ContentPart::Binary(binary) if binary.is_image() => {
                if let BinarySource::Base64(data) = binary.source {
                    pieces.push(SamplingContent::Image(ImageContent {
                        data: data.as_ref().to_owned(),
                        mime_type: binary.content_type,
                        annotations: None,
                        meta: None,
                    }));
                }
            }
            _ => {}
        }
    }
    let uses_tools = pieces.iter().any(|piece| matches!(piece, SamplingContent::ToolUse(_)));
    if pieces.is_empty() {
        if stop_reason.is_none() {
            return Err(Failure::NoAnswer("no message of a model"));
        }
        // It may have nothing to say.
        pieces.push(SamplingContent::Text(TextContent { text: String::new(), annotations: None, meta: None }));
    }
    Ok(CreateMessageResult {
        role: Role::Assistant,
        content: pieces,
        model: one_line(&provider_model_iden.model_name, MAX_NAME),
        stop_reason: stop_reason.map(|reason| match reason {
            // Some end with `stop` whatever it was.
            _ if uses_tools => "toolUse".to_owned(),
            StopReason::Completed(_) => "endTurn".to_owned(),
            StopReason::MaxTokens(_) => "maxTokens".to_owned(),
            StopReason::ToolCall(_) => "toolUse".to_owned(),
            StopReason::StopSequence(_) => "stopSequence".to_owned(),
            StopReason::ContentFilter(word) | StopReason::Other(word) => one_line(&word, MAX_NAME),
        }),
        meta: None,
    })
}
