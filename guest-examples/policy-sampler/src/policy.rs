//! What may reach the model: rules over all text of a request.

use crate::taskcell::handlers::types::*;

/// What stands where words were blotted out.
const BLOT: &str = "[redacted]";

pub struct Policy {
    pub rules: Vec<Rule>,
    pub max_tokens: u32,
}

pub struct Rule {
    /// Where it stands in the setting; all that a server learns of it.
    pub line: usize,
    pub action: Action,
    /// In lower case.
    pub words: String,
}

pub enum Action {
    /// The request is refused.
    Refuse,
    /// The words are blotted out.
    Redact,
}

impl Policy {
    /// The request as the model may see it, or the error that the server gets.
    pub fn apply(&self, mut request: CreateMessageRequest) -> Result<CreateMessageRequest, RpcError> {
        for rule in &self.rules {
            for text in texts(&mut request) {
                match rule.action {
                    Action::Refuse if rule.is_in(text) => return Err(rule.refusal()),
                    Action::Refuse => {}
                    Action::Redact => rule.blot(text),
                }
            }
            // JSON cannot be changed as if it were text: what would have to be is refused.
            if json(&request).any(|text| rule.is_in(text)) {
                return Err(rule.refusal());
            }
        }
        request.max_tokens = request.max_tokens.min(self.max_tokens);
        Ok(request)
    }
}

impl Rule {
    fn is_in(&self, text: &str) -> bool {
        text.to_ascii_lowercase().contains(&self.words)
    }

    fn blot(&self, text: &mut String) {
        // Lower case of ASCII keeps every place.
        let lower = text.to_ascii_lowercase();
        let mut blotted = String::with_capacity(text.len());
        let mut end = 0;
        for (at, words) in lower.match_indices(&self.words) {
            blotted.push_str(&text[end..at]);
            blotted.push_str(BLOT);
            end = at + words.len();
        }
        blotted.push_str(&text[end..]);
        *text = blotted;
    }

    fn refusal(&self) -> RpcError {
        let message = "The client's policy refuses this prompt".into();
        RpcError { code: -1, message, data: Some(format!(r#"{{"rule":{}}}"#, self.line)) }
    }
}

/// All text of a request that goes to the model.
fn texts(request: &mut CreateMessageRequest) -> Vec<&mut String> {
    let mut texts: Vec<_> = request.system_prompt.iter_mut().collect();
    texts.extend(request.stop_sequences.iter_mut().flatten());
    for tool in request.tools.iter_mut().flatten() {
        texts.extend([&mut tool.title, &mut tool.description].into_iter().flatten());
    }
    for content in request.messages.iter_mut().flat_map(|message| &mut message.content) {
        match content {
            SamplingContent::Text(content) => texts.push(&mut content.text),
            SamplingContent::ToolResult(result) => texts.extend(result.content.iter_mut().filter_map(text_of_a_block)),
            SamplingContent::Image(_) | SamplingContent::Audio(_) | SamplingContent::ToolUse(_) => {}
        }
    }
    texts
}

fn text_of_a_block(block: &mut ContentBlock) -> Option<&mut String> {
    match block {
        ContentBlock::Text(content) => Some(&mut content.text),
        ContentBlock::Resource(EmbeddedResource { resource: ResourceContents::Text(resource), .. }) => {
            Some(&mut resource.text)
        }
        _ => None,
    }
}

/// All JSON of a request that goes to the model.
fn json(request: &CreateMessageRequest) -> impl Iterator<Item = &String> {
    let contents = request.messages.iter().flat_map(|message| &message.content);
    let of_contents = contents.filter_map(|content| match content {
        SamplingContent::ToolUse(usage) => Some(&usage.input),
        SamplingContent::ToolResult(result) => result.structured_content.as_ref(),
        _ => None,
    });
    let of_tools = request.tools.iter().flatten().map(|tool| &tool.input_schema);
    request.metadata.iter().chain(of_contents).chain(of_tools)
}
