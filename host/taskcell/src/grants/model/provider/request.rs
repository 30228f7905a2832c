//! From MCP's request to genai's. [client/sampling]
//!
//! genai leaves out what a provider has no place for. What would be left out is refused here instead: a model that
//! answers without having seen the picture is worse than an error.

use genai::adapter::AdapterKind;
use genai::chat::{
    Binary, ChatMessage, ChatOptions, ChatRequest, ChatRole, ContentPart, MessageContent, Tool as ModelTool, ToolCall,
    ToolChoice as Choice, ToolResponse,
};
use serde_json::{Value, json};

use super::models::MAX_NAME;
use crate::protocol::types::{
    ContentBlock, CreateMessageRequest, IncludeContext, ResourceContents, Role, RpcError, SamplingContent,
    SamplingMessage, Tool, ToolChoiceMode, ToolResultContent,
};
use crate::text::one_line;

/// Tokens that a message or a tool has besides its text.
const FRAME: u64 = 16;
/// Tokens of a picture or a sound besides its size, and bytes of base64 for one more.
const MEDIUM: u64 = 4_096;
const MEDIUM_BYTES: u64 = 16;

/// A request as genai takes it.
pub(super) struct Prepared {
    pub(super) chat: ChatRequest,
    pub(super) options: ChatOptions,
    /// Tokens that it has at most: one for each byte of text, for no tokenizer makes more.
    pub(super) input_tokens: u64,
}

/// Result of converting a conversation.
struct Mapping {
    adapter: AdapterKind,
    /// The tools that were used, by the id of the use: some providers want the name with the result.
    used: Vec<(String, String)>,
    tokens: u64,
}

/// Makes a request of MCP one of genai, which asks for `max_tokens` at most.
///
/// # Errors
/// -32602, with the place of what genai or the provider cannot carry.
pub(super) fn prepare(
    adapter: AdapterKind,
    request: CreateMessageRequest,
    max_tokens: u32,
    with_metadata: bool,
) -> Result<Prepared, RpcError> {
    if !matches!(request.include_context, None | Some(IncludeContext::None)) {
        return Err(RpcError::invalid_params("`includeContext` can only be none here: no context is kept"));
    }
    if request.messages.is_empty() {
        return Err(RpcError::invalid_params("`messages` is empty: a model needs something to answer"));
    }
    if request.temperature.is_some_and(|temperature| !temperature.is_finite()) {
        return Err(RpcError::invalid_params("`temperature` is no number"));
    }
    let mut mapping = Mapping { adapter, used: Vec::new(), tokens: 0 };
    let mut chat = ChatRequest::default();
    if let Some(system) = request.system_prompt {
        mapping.count(&system);
        chat.system = Some(system);
    }
    for (index, message) in request.messages.into_iter().enumerate() {
        let messages = mapping.message(message);
        chat.messages.extend(messages.map_err(|why| RpcError::invalid_params(format!("messages[{index}]: {why}")))?);
    }
    let mut options = ChatOptions::default().with_max_tokens(request.max_tokens.min(max_tokens).max(1));
    options.temperature = request.temperature;
    options.stop_sequences = request.stop_sequences.unwrap_or_default();
    if let Some(tools) = request.tools.filter(|tools| !tools.is_empty()) {
        let tools: Result<Vec<_>, _> = tools.into_iter().map(|tool| mapping.tool(tool)).collect();
        chat.tools = Some(tools?);
        options.tool_choice = request.tool_choice.and_then(|choice| choice.mode).map(|mode| match mode {
            ToolChoiceMode::Auto => Choice::Auto,
            ToolChoiceMode::Required => Choice::Required,
            ToolChoiceMode::None => Choice::None,
        });
    }
    if let Some(metadata) = request.metadata.filter(|_| with_metadata) {
        mapping.count(&metadata);
        // In a member of its own: merged into the body, it could set any other.
        options.extra_body = Some(json!({ "metadata": read("metadata", &metadata)? }));
    }
    Ok(Prepared { chat, options, input_tokens: mapping.tokens })
}

fn read(what: &str, text: &str) -> Result<Value, RpcError> {
    serde_json::from_str(text).map_err(|_| RpcError::invalid_params(format!("{what} is no JSON")))
}

impl Mapping {
    fn count(&mut self, text: &str) {
        self.tokens = self.tokens.saturating_add(text.len() as u64).saturating_add(FRAME);
    }

    /// A message of MCP, whose tool results are messages of their own for genai.
    fn message(&mut self, message: SamplingMessage) -> Result<Vec<ChatMessage>, String> {
        let (mut parts, mut results) = (Vec::new(), Vec::new());
        for content in message.content {
            match (content, message.role) {
                (SamplingContent::Text(content), _) => {
                    self.count(&content.text);
                    parts.push(ContentPart::Text(content.text));
                }
                (SamplingContent::Image(image), Role::User) => {
                    parts.push(self.medium("image", image.mime_type, image.data)?);
                }
                (SamplingContent::Audio(audio), Role::User) => {
                    parts.push(self.medium("audio", audio.mime_type, audio.data)?);
                }
                (SamplingContent::Image(_) | SamplingContent::Audio(_), Role::Assistant) => {
                    return Err("a model cannot be given a picture or a sound as its own".to_owned());
                }
                (SamplingContent::ToolUse(tool_use), Role::Assistant) => {
                    self.count(&tool_use.name);
                    self.count(&tool_use.input);
                    let input = serde_json::from_str(&tool_use.input);
                    self.used.push((tool_use.id.clone(), tool_use.name.clone()));
                    parts.push(ContentPart::ToolCall(ToolCall {
                        call_id: tool_use.id,
                        fn_name: tool_use.name,
                        fn_arguments: input.map_err(|_| "the input of a tool is no JSON".to_owned())?,
                        thought_signatures: None,
                    }));
                }
                (SamplingContent::ToolResult(result), Role::User) => {
                    results.push(ContentPart::ToolResponse(self.result(result)?));
                }
                (SamplingContent::ToolUse(_), Role::User) => return Err("a user uses no tools".to_owned()),
                (SamplingContent::ToolResult(_), Role::Assistant) => {
                    return Err("an assistant gives no results of tools".to_owned());
                }
            }
        }
        let role = if message.role == Role::User { ChatRole::User } else { ChatRole::Assistant };
        let mut messages = Vec::new();
        if !results.is_empty() {
            messages.push(ChatMessage::new(ChatRole::Tool, MessageContent::from_parts(results)));
        }
        if !parts.is_empty() || messages.is_empty() {
            messages.push(ChatMessage::new(role, MessageContent::from_parts(parts)));
        }
        Ok(messages)
    }

    /// A picture or a sound. Its type is checked, for genai takes it for what the type says.
    fn medium(&mut self, what: &str, mime_type: String, data: String) -> Result<ContentPart, String> {
        let is_type = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        let subtype = mime_type.strip_prefix(what).and_then(|rest| rest.strip_prefix('/'));
        if !subtype.is_some_and(|subtype| !subtype.is_empty() && subtype.chars().all(is_type)) {
            return Err(format!("`{}` is no type of {what}", one_line(&mime_type, MAX_NAME)));
        }
        if !carries(self.adapter, what) {
            return Err(format!("the provider {} is given no {what}", self.adapter.as_lower_str()));
        }
        let size = MEDIUM.saturating_add(data.len() as u64 / MEDIUM_BYTES);
        self.tokens = self.tokens.saturating_add(size);
        Ok(ContentPart::Binary(Binary::from_base64(mime_type, data, None)))
    }

    /// The result of a tool, which is text for genai.
    fn result(&mut self, result: ToolResultContent) -> Result<ToolResponse, String> {
        let mut texts = Vec::new();
        for block in result.content {
            texts.push(match block {
                ContentBlock::Text(content) => content.text,
                ContentBlock::ResourceLink(link) => link.uri,
                ContentBlock::Resource(resource) => match resource.resource {
                    ResourceContents::Text(contents) => contents.text,
                    ResourceContents::Blob(_) => return Err("the result of a tool can only be text here".to_owned()),
                },
                ContentBlock::Image(_) | ContentBlock::Audio(_) => {
                    return Err("the result of a tool can only be text here".to_owned());
                }
            });
        }
        // [server/tools, Structured Content]: who gives structured content gives it as text, too.
        let structured = result.structured_content.filter(|_| texts.is_empty());
        texts.extend(structured);
        let mut text = texts.join("\n");
        if result.is_error == Some(true) {
            text.insert_str(0, "The tool failed: ");
        }
        self.count(&text);
        let name = self.used.iter().rev().find(|(id, _)| *id == result.tool_use_id).map(|(_, name)| name.clone());
        Ok(ToolResponse { call_id: result.tool_use_id, fn_name: name, content: text })
    }

    fn tool(&mut self, tool: Tool) -> Result<ModelTool, RpcError> {
        self.count(&tool.name);
        self.count(&tool.input_schema);
        let mut mapped = ModelTool::new(tool.name.as_str());
        mapped.schema = Some(read("the inputSchema of a tool", &tool.input_schema)?);
        if let Some(description) = tool.description {
            self.count(&description);
            mapped.description = Some(description);
        }
        Ok(mapped)
    }
}

/// Whether genai's adapter gives the provider pictures (`image`) or sounds (`audio`). Those of which it is not certain
/// are refused.
fn carries(adapter: AdapterKind, what: &str) -> bool {
    match what {
        "image" => adapter != AdapterKind::Cohere,
        _ => matches!(
            adapter,
            AdapterKind::OpenAI | AdapterKind::OpenRouter | AdapterKind::Gemini | AdapterKind::GeminiIx
        ),
    }
}
