//! Types common to all requests: the requestor, its token, and errors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::protocol::code;
use crate::protocol::wire::{json, shared};

/// A JSON document as UTF-8 text: the WIT type `json`.
pub type Json = String;

/// The token a requestor chose for progress notifications. MCP: `ProgressToken`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(untagged)]
pub enum ProgressToken {
    /// A token that is a JSON string.
    #[component(name = "text")]
    Text(String),
    /// A token that is a whole JSON number.
    #[component(name = "number")]
    Number(i64),
}

/// Identity of a peer. MCP: `Implementation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Implementation {
    /// The identifier for programs.
    pub name: String,
    /// The name for people, when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The version, in whatever form the peer uses.
    pub version: String,
    /// Purpose of the peer, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The peer's web site.
    #[component(name = "website-url")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Pictures for a user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<Vec<Icon>>,
}

impl Implementation {
    /// Describes a peer by its name and its version, and leaves the optional members out.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            version: version.into(),
            description: None,
            website_url: None,
            icons: None,
        }
    }
}

/// A picture for a user interface. MCP: `Icon`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Icon {
    /// An http, https or data URI. Chosen by the peer: do not fetch it without a policy.
    pub src: String,
    /// The MIME type, when the source's own is missing or generic.
    #[component(name = "mime-type")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Sizes as `WxH`, or `any` for scalable pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Vec<String>>,
    /// The background the picture is drawn for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<IconTheme>,
}

/// The background an icon is drawn for. MCP: `Icon.theme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum IconTheme {
    /// For a light background.
    #[component(name = "light")]
    Light,
    /// For a dark background.
    #[component(name = "dark")]
    Dark,
}

/// Context of the request being handled.
///
/// It goes to guests and never comes back. With the work of a task it is stored, hence its JSON form. Parts that all
/// requests of a session have in common are shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The JSON text of the request's id: `7`, `"a"`. Unique among the requests in flight, not for ever.
    #[component(name = "request-id")]
    pub request_id: Json,
    /// The progress token, when the requestor wants progress. MCP: `RequestParams._meta.progressToken`.
    #[component(name = "progress-token")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_token: Option<ProgressToken>,
    /// The request's whole `_meta` object, when there is one. MCP: `RequestParams._meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
    /// The server that asks.
    #[serde(with = "shared")]
    pub server: Arc<Implementation>,
    /// The revision of MCP that was negotiated, such as `2025-11-25`.
    #[component(name = "protocol-version")]
    #[serde(with = "shared")]
    pub protocol_version: Arc<str>,
    /// Number of times that the work was started, including this one. It exceeds 1 only for the work of a task that is
    /// repeated because the host stopped before the work was done.
    pub attempt: u32,
}

/// An error as it goes out in a JSON-RPC error response, word for word. MCP: `Error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct RpcError {
    /// The JSON-RPC code: -32602 invalid params, -32603 internal, -1 rejected by the user.
    pub code: i32,
    /// One short sentence.
    pub message: String,
    /// More about the error, of any shape.
    #[serde(default, with = "json::any::option", skip_serializing_if = "json::any::option::is_absent")]
    pub data: Option<Json>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// -32602: the parameters do not fit, or name no task that the requestor may see.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// -32603: the host or the handler failed; `kind` is one of the fixed words of [`crate::CellError::kind`].
    pub fn internal(kind: &str, message: impl Into<String>) -> Self {
        Self::of_kind(code::INTERNAL_ERROR, kind, message)
    }

    /// An error of this code that the same words tell apart.
    pub(crate) fn of_kind(code: i32, kind: &str, message: impl Into<String>) -> Self {
        Self { data: Some(serde_json::json!({ "kind": kind }).to_string()), ..Self::new(code, message) }
    }
}
