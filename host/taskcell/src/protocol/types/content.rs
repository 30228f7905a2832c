//! The pieces that messages and tool results are made of.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Icon, Json};
use crate::protocol::wire::{json, number, tagged::tagged_enum};

/// Author of a message. MCP: `Role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum Role {
    /// The person or the program asking the model.
    #[component(name = "user")]
    User,
    /// The model.
    #[component(name = "assistant")]
    Assistant,
}

/// Hints on the use of a piece of content. MCP: `Annotations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// For whom the content is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<Role>>,
    /// Importance, from 0 (optional) to 1 (required).
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// When it was last modified, ISO 8601.
    #[component(name = "last-modified")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// Text to or from a model. MCP: `TextContent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TextContent {
    /// The text.
    pub text: String,
    /// Hints on its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// A picture to or from a model. MCP: `ImageContent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ImageContent {
    /// The bytes in base64.
    pub data: String,
    /// The MIME type, such as `image/png`.
    #[component(name = "mime-type")]
    pub mime_type: String,
    /// Hints on its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// Sound to or from a model. MCP: `AudioContent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct AudioContent {
    /// The bytes in base64.
    pub data: String,
    /// The MIME type, such as `audio/wav`.
    #[component(name = "mime-type")]
    pub mime_type: String,
    /// Hints on its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// A resource that the reader may fetch. MCP: `ResourceLink`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ResourceLink {
    /// The resource's URI.
    pub uri: String,
    /// The identifier for programs.
    pub name: String,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the resource, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The MIME type, when known.
    #[component(name = "mime-type")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The raw size in bytes; a whole number.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub size: Option<f64>,
    /// Pictures for a user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<Vec<Icon>>,
    /// Hints on its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// The content of an embedded resource. MCP: `TextResourceContents`, `BlobResourceContents`.
#[derive(Debug, Clone, PartialEq, Serialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(untagged)]
pub enum ResourceContents {
    /// A resource that is text.
    #[component(name = "text")]
    Text(TextResourceContents),
    /// A resource that is bytes.
    #[component(name = "blob")]
    Blob(BlobResourceContents),
}

/// The content of a resource that is text. MCP: `TextResourceContents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TextResourceContents {
    /// The resource's URI.
    pub uri: String,
    /// The MIME type, when known.
    #[component(name = "mime-type")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The text.
    pub text: String,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// The content of a resource that is bytes. MCP: `BlobResourceContents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct BlobResourceContents {
    /// The resource's URI.
    pub uri: String,
    /// The MIME type, when known.
    #[component(name = "mime-type")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The bytes in base64.
    pub blob: String,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// A resource sent along. MCP: `EmbeddedResource`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedResource {
    /// The content.
    pub resource: ResourceContents,
    /// Hints on its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// One piece of what a tool gave. MCP: `ContentBlock`.
///
/// Not the same as `sampling-content`: a tool's result holds resources and no further tool use, and WIT
/// types do not recurse.
#[derive(Debug, Clone, PartialEq, Serialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBlock {
    /// Text.
    #[component(name = "text")]
    Text(TextContent),
    /// A picture.
    #[component(name = "image")]
    Image(ImageContent),
    /// Sound.
    #[component(name = "audio")]
    Audio(AudioContent),
    /// A resource to fetch.
    #[component(name = "resource-link")]
    ResourceLink(ResourceLink),
    /// A resource sent along.
    #[component(name = "resource")]
    Resource(EmbeddedResource),
}

/// A model's wish to call a tool. MCP: `ToolUseContent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ToolUseContent {
    /// Pairs this use with its result.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments: a JSON object that fits the tool's input schema.
    #[serde(with = "json::object")]
    pub input: Json,
    /// `_meta`; keep it when the use is sent again.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// Result of a tool, on its way to the model. MCP: `ToolResultContent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ToolResultContent {
    /// The `id` of the tool use that this answers.
    #[component(name = "tool-use-id")]
    pub tool_use_id: String,
    /// Content of the result.
    pub content: Vec<ContentBlock>,
    /// Content of the result as a JSON object, when the tool declares an output schema.
    #[component(name = "structured-content")]
    #[serde(default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Json>,
    /// Whether the tool failed; absent means it did not.
    #[component(name = "is-error")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// `_meta`; keep it when the result is sent again.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// One piece of a message to or from a model. MCP: `SamplingMessageContentBlock`.
#[derive(Debug, Clone, PartialEq, Serialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SamplingContent {
    /// Text.
    #[component(name = "text")]
    Text(TextContent),
    /// A picture.
    #[component(name = "image")]
    Image(ImageContent),
    /// Sound.
    #[component(name = "audio")]
    Audio(AudioContent),
    /// The model wants to call a tool.
    #[component(name = "tool-use")]
    ToolUse(ToolUseContent),
    /// A tool's result for the model.
    #[component(name = "tool-result")]
    ToolResult(ToolResultContent),
}

tagged_enum!(ContentBlock by "type" {
    "text" => Text,
    "image" => Image,
    "audio" => Audio,
    "resource_link" => ResourceLink,
    "resource" => Resource,
});

tagged_enum!(SamplingContent by "type" {
    "text" => Text,
    "image" => Image,
    "audio" => Audio,
    "tool_use" => ToolUse,
    "tool_result" => ToolResult,
});

impl<'de> Deserialize<'de> for ResourceContents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members {
            text: Option<serde::de::IgnoredAny>,
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let members: Members = serde_json::from_str(raw).map_err(D::Error::custom)?;
        match members.text {
            Some(_) => serde_json::from_str(raw).map(Self::Text),
            None => serde_json::from_str(raw).map(Self::Blob),
        }
        .map_err(D::Error::custom)
    }
}
