//! The folders and files that a server may work on.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Json;
use crate::protocol::wire::json;

/// A folder or file that the server may work on. MCP: `Root`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// URI of the root, which must start with `file://`.
    pub uri: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// All roots. MCP: `ListRootsResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ListRootsResult {
    /// The roots.
    pub roots: Vec<Root>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}
