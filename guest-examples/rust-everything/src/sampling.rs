//! Sampling: the last text of the user says what is answered.

use crate::Handler;
use crate::exports::taskcell::handlers::sampling::Guest;
use crate::taskcell::handlers::model;
use crate::taskcell::handlers::types::*;

impl Guest for Handler {
    fn handle(_: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        answer(&request)
    }
}

/// The answer to a request, plain or as the work of a task.
pub fn answer(request: &CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
    let text = last_user_text(&request.messages);
    match text {
        "reject" => Err(RpcError {
            code: -1,
            message: "User rejected sampling request".into(),
            data: Some(r#"{"by":"everything"}"#.into()),
        }),
        "trap" => panic!("trap"),
        _ if text.starts_with("ask") => model::create_message(request),
        "image" => Ok(said(first_image(&request.messages).into_iter().collect(), "endTurn")),
        "tool" => Ok(said(first_tool(request).into_iter().collect(), "toolUse")),
        _ => {
            let mut text =
                format!("{} messages, at most {} tokens: {text}", request.messages.len(), request.max_tokens);
            if let Some(temperature) = request.temperature {
                text += &format!(" at {}", (temperature * 100.0).round() as i64);
            }
            Ok(said(vec![SamplingContent::Text(TextContent { text, annotations: None, meta: None })], "endTurn"))
        }
    }
}

fn said(content: Vec<SamplingContent>, stop_reason: &str) -> CreateMessageResult {
    CreateMessageResult {
        role: Role::Assistant,
        content,
        model: "everything".into(),
        stop_reason: Some(stop_reason.into()),
        meta: None,
    }
}

/// The last text in the last message of the user; empty when there is none.
fn last_user_text(messages: &[SamplingMessage]) -> &str {
    let last = messages.iter().rfind(|message| message.role == Role::User);
    let text = last.and_then(|message| {
        message.content.iter().rev().find_map(|content| match content {
            SamplingContent::Text(content) => Some(content.text.as_str()),
            _ => None,
        })
    });
    text.unwrap_or_default()
}

fn first_image(messages: &[SamplingMessage]) -> Option<SamplingContent> {
    let mut contents = messages.iter().flat_map(|message| &message.content);
    contents.find(|content| matches!(content, SamplingContent::Image(_))).cloned()
}

fn first_tool(request: &CreateMessageRequest) -> Option<SamplingContent> {
    let tool = request.tools.as_ref()?.first()?;
    let (id, name, input) = ("call-1".into(), tool.name.clone(), r#"{"n":1}"#.into());
    Some(SamplingContent::ToolUse(ToolUseContent { id, name, input, meta: None }))
}
