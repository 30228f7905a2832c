//! Shapes of the parts of messages and tool results.

use super::{annotations, icon, meta};
use crate::shape::Shape::{self, Flag, Number, Object, OneOf, Text, Word};
use crate::shape::{list, optional, record, required};

/// `TextContent`
#[must_use]
pub fn text_content() -> Shape {
    record([required("type", Word(&["text"])), required("text", Text), optional("annotations", annotations()), meta()])
}

/// `ImageContent`
#[must_use]
pub fn image_content() -> Shape {
    media_content(&["image"])
}

/// `AudioContent`
#[must_use]
pub fn audio_content() -> Shape {
    media_content(&["audio"])
}

fn media_content(tag: &'static [&'static str]) -> Shape {
    record([
        required("type", Word(tag)),
        required("data", Text),
        required("mimeType", Text),
        optional("annotations", annotations()),
        meta(),
    ])
}

/// `ResourceLink`
#[must_use]
pub fn resource_link() -> Shape {
    record([
        required("type", Word(&["resource_link"])),
        required("uri", Text),
        required("name", Text),
        optional("title", Text),
        optional("description", Text),
        optional("mimeType", Text),
        optional("size", Number),
        optional("icons", list(icon())),
        optional("annotations", annotations()),
        meta(),
    ])
}

/// `TextResourceContents`
#[must_use]
pub fn text_resource_contents() -> Shape {
    record([required("uri", Text), optional("mimeType", Text), required("text", Text), meta()])
}

/// `BlobResourceContents`
#[must_use]
pub fn blob_resource_contents() -> Shape {
    record([required("uri", Text), optional("mimeType", Text), required("blob", Text), meta()])
}

/// `EmbeddedResource`
#[must_use]
pub fn embedded_resource() -> Shape {
    record([
        required("type", Word(&["resource"])),
        required("resource", OneOf(vec![text_resource_contents(), blob_resource_contents()])),
        optional("annotations", annotations()),
        meta(),
    ])
}

/// `ContentBlock`
#[must_use]
pub fn content_block() -> Shape {
    OneOf(vec![text_content(), image_content(), audio_content(), resource_link(), embedded_resource()])
}

/// `ToolUseContent`
#[must_use]
pub fn tool_use_content() -> Shape {
    record([
        required("type", Word(&["tool_use"])),
        required("id", Text),
        required("name", Text),
        required("input", Object),
        meta(),
    ])
}

/// `ToolResultContent`
#[must_use]
pub fn tool_result_content() -> Shape {
    record([
        required("type", Word(&["tool_result"])),
        required("toolUseId", Text),
        required("content", list(content_block())),
        optional("structuredContent", Object),
        optional("isError", Flag),
        meta(),
    ])
}

/// `SamplingMessageContentBlock`
#[must_use]
pub fn sampling_content() -> Shape {
    OneOf(vec![text_content(), image_content(), audio_content(), tool_use_content(), tool_result_content()])
}
