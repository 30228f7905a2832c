//! Members of `_meta` that each request has. [basic, Per-request protocol fields]

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::members::Members;
use super::{Options, TASKS_EXTENSION};
use crate::handlers::Handlers;
use crate::handlers::merge_capabilities;
use crate::protocol::types::Implementation;
use crate::telemetry;

/// Key of `_meta` that names the revision. [basic/versioning]
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Key of `_meta` with the client's name and version. [basic/versioning]
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// Key of `_meta` with the client's capabilities. [basic/versioning]
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Returns the capabilities of the client in the form of revision 2026-07-28: those of the plain kinds that the
/// handlers serve, the tasks extension where [`Options::tasks`] is set, and those that the application declares. The
/// revision has no client tasks. [basic/versioning, Extension Negotiation]
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

/// Members of `_meta` that all requests of a caller share.
pub(super) struct Meta(Vec<(&'static str, Box<RawValue>)>);

impl Meta {
    pub(super) fn new(version: &str, client: Option<&Implementation>, capabilities: &Value) -> Self {
        let client = client.map(|client| (CLIENT_INFO, to_raw_value(client)));
        let members = [(PROTOCOL_VERSION, to_raw_value(version)), (CLIENT_CAPABILITIES, to_raw_value(capabilities))];
        // Strings and JSON trees always serialize.
        Self(members.into_iter().chain(client).filter_map(|(name, value)| Some((name, value.ok()?))).collect())
    }

    /// Adds the members to `_meta` of a request's parameters, with the trace context of the call. Other members stay.
    pub(super) fn add_to(&self, params: &mut Members) -> Result<(), String> {
        let mut meta = match params.get("_meta") {
            Some(meta) => Members::read(meta.get()).map_err(|error| format!("`_meta`: {error}"))?,
            None => Members::default(),
        };
        for (name, value) in &self.0 {
            meta.set(name, value.clone());
        }
        // The application may have set another trace.
        if meta.get("traceparent").is_none() {
            for (name, value) in telemetry::outgoing_meta() {
                if let Ok(value) = to_raw_value(&value) {
                    meta.set(name, value);
                }
            }
        }
        params.set("_meta", meta.write());
        Ok(())
    }
}
