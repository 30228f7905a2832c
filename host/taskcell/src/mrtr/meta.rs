//! What each request says of the client. [basic, Per-request protocol fields]

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::members::Members;
use super::{Options, TASKS_EXTENSION};
use crate::handlers::Handlers;
use crate::handlers::merge_capabilities;
use crate::protocol::types::Implementation;
use crate::telemetry;

/// The keys of `_meta` that this revision reserves.
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The key of `_meta` that names the client. [basic/versioning]
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The key of `_meta` with the client's capabilities. [basic/versioning]
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The capabilities of handlers as this revision has them: what follows from the plain kinds, and the extension of
/// tasks where the caller polls them; and what the application declares. It knows no tasks of clients. [basic/versioning, Extension Negotiation]
#[must_use]
pub fn capabilities(handlers: &Handlers, options: &Options) -> Value {
    let mut capabilities = handlers.capabilities();
    if let Some(members) = capabilities.as_object_mut() {
        members.remove("tasks");
        // A client of this revision sends no notifications about itself.
        if let Some(roots) = members.get_mut("roots").and_then(Value::as_object_mut) {
            roots.remove("listChanged");
        }
        if options.tasks {
            members.insert("extensions".to_owned(), json!({ TASKS_EXTENSION: {} }));
        }
    }
    let Some(Value::Object(declared)) = &options.declared else { return capabilities };
    let mut declared = declared.clone();
    merge_capabilities(&mut declared, capabilities);
    Value::Object(declared)
}

/// The members of `_meta` that are the same in all requests of a caller.
pub(super) struct Meta(Vec<(&'static str, Box<RawValue>)>);

impl Meta {
    pub(super) fn new(version: &str, client: Option<&Implementation>, capabilities: &Value) -> Self {
        let client = client.map(|client| (CLIENT_INFO, to_raw_value(client)));
        let members = [(PROTOCOL_VERSION, to_raw_value(version)), (CLIENT_CAPABILITIES, to_raw_value(capabilities))];
        // Text and trees of JSON can be written.
        Self(members.into_iter().chain(client).filter_map(|(name, value)| Some((name, value.ok()?))).collect())
    }

    /// Adds them to `_meta` of a request's parameters, whose other members stay; and the trace that the call is in.
    pub(super) fn add_to(&self, params: &mut Members) -> Result<(), String> {
        let mut meta = match params.get("_meta") {
            Some(meta) => Members::read(meta.get()).map_err(|error| format!("`_meta`: {error}"))?,
            None => Members::default(),
        };
        for (name, value) in &self.0 {
            meta.set(name, value.clone());
        }
        // Whoever calls may be in another trace.
        if meta.get("traceparent").is_none() {
            for (name, value) in telemetry::outgoing() {
                if let Ok(value) = to_raw_value(&value) {
                    meta.set(name, value);
                }
            }
        }
        params.set("_meta", meta.write());
        Ok(())
    }
}
