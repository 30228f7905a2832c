//! A request for a model as text for a person, who is to see all that a model would.

use crate::bindings::taskcell::handlers::types::{
    ContentBlock, CreateMessageRequest, Role, SamplingContent, ToolResultContent,
};

/// The request as text.
pub(crate) fn shown(request: &CreateMessageRequest) -> String {
    let mut text = String::from("(A prompt for a language model. None is asked: what you type is the answer.)\n");
    if let Some(system) = &request.system_prompt {
        text.push_str(&format!("system: {system}\n"));
    }
    for message in &request.messages {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for content in &message.content {
            text.push_str(&format!("{role}: {}\n", piece(content)));
        }
    }
    for tool in request.tools.iter().flatten() {
        let does = tool.description.as_deref().unwrap_or_default();
        text.push_str(&format!("(a tool, which you cannot call: {} {does})\n", tool.name));
    }
    text.push_str(&format!("(at most {} tokens)", request.max_tokens));
    text
}

fn piece(content: &SamplingContent) -> String {
    match content {
        SamplingContent::Text(text) => text.text.clone(),
        SamplingContent::Image(image) => format!("(a picture, {})", image.mime_type),
        SamplingContent::Audio(audio) => format!("(sound, {})", audio.mime_type),
        SamplingContent::ToolUse(tool) => format!("(calls the tool {} with {})", tool.name, tool.input),
        SamplingContent::ToolResult(result) => format!("(the tool gave: {})", given(result)),
    }
}

fn given(result: &ToolResultContent) -> String {
    let block = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("a picture, {}", image.mime_type),
        ContentBlock::Audio(audio) => format!("sound, {}", audio.mime_type),
        ContentBlock::ResourceLink(link) => link.uri.clone(),
        ContentBlock::Resource(_) => "a resource".to_owned(),
    };
    let blocks = result.content.iter().map(block);
    blocks.chain(result.structured_content.clone()).collect::<Vec<_>>().join(", ")
}
