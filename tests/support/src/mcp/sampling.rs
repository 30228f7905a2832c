//! Shapes of requests to run a model, and of the model's answers.

use super::{icon, meta, role, sampling_content};
use crate::shape::Shape::{self, Count, Flag, Number, Object, OneOf, Text, Word};
use crate::shape::{list, optional, record, required};

/// `Tool`
#[must_use]
pub fn tool() -> Shape {
    record([
        required("name", Text),
        optional("title", Text),
        optional("description", Text),
        required("inputSchema", Object),
        optional("execution", tool_execution()),
        optional("outputSchema", Object),
        optional("annotations", tool_annotations()),
        optional("icons", list(icon())),
        meta(),
    ])
}

/// `ToolExecution`
#[must_use]
pub fn tool_execution() -> Shape {
    record([optional("taskSupport", Word(&["forbidden", "optional", "required"]))])
}

/// `ToolAnnotations`
#[must_use]
pub fn tool_annotations() -> Shape {
    record([
        optional("title", Text),
        optional("readOnlyHint", Flag),
        optional("destructiveHint", Flag),
        optional("idempotentHint", Flag),
        optional("openWorldHint", Flag),
    ])
}

/// `SamplingMessage`
#[must_use]
pub fn sampling_message() -> Shape {
    record([required("role", role()), required("content", Shape::OneOrMany(Box::new(sampling_content()))), meta()])
}

/// `ModelHint`
#[must_use]
pub fn model_hint() -> Shape {
    record([optional("name", Text)])
}

/// `ModelPreferences`
#[must_use]
pub fn model_preferences() -> Shape {
    record([
        optional("hints", list(model_hint())),
        optional("costPriority", Number),
        optional("speedPriority", Number),
        optional("intelligencePriority", Number),
    ])
}

/// `ToolChoice`
#[must_use]
pub fn tool_choice() -> Shape {
    record([optional("mode", Word(&["auto", "required", "none"]))])
}

/// `CreateMessageRequestParams`, without `task` and `_meta`
#[must_use]
pub fn create_message_request() -> Shape {
    record([
        required("messages", list(sampling_message())),
        optional("modelPreferences", model_preferences()),
        optional("systemPrompt", Text),
        optional("includeContext", Word(&["none", "thisServer", "allServers"])),
        optional("temperature", Number),
        required("maxTokens", Count),
        optional("stopSequences", list(Text)),
        optional("metadata", Object),
        optional("tools", list(tool())),
        optional("toolChoice", tool_choice()),
    ])
}

/// `CreateMessageResult`
#[must_use]
pub fn create_message_result() -> Shape {
    record([
        required("role", role()),
        required("content", Shape::OneOrMany(Box::new(sampling_content()))),
        required("model", Text),
        optional("stopReason", OneOf(vec![Word(&["endTurn", "stopSequence", "maxTokens", "toolUse"]), Text])),
        meta(),
    ])
}
