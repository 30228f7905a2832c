//! Capabilities that the client declares: those of the application and of the handlers, in one object.

use rmcp::model::{ClientRequest, CustomRequest, GetMeta};
use serde_json::Value;

use taskcell::handlers::Handlers;
use taskcell::handlers::merge_capabilities;
use taskcell::mrtr::{CLIENT_CAPABILITIES, CLIENT_INFO};
use taskcell::protocol::types::Implementation;

/// Adds the capabilities of the handlers to an `initialize` request. rmcp's type has no `tasks`, so the request becomes
/// a custom one with the same text.
pub(super) fn into_initialize(request: &mut ClientRequest, handlers: impl FnOnce() -> Handlers) {
    if let ClientRequest::InitializeRequest(initialize) = request
        // rmcp's types always serialize.
        && let Ok(mut params) = serde_json::to_value(&initialize.params)
    {
        if let Some(declared) = params.get_mut("capabilities").and_then(Value::as_object_mut) {
            merge_capabilities(declared, handlers().capabilities());
        }
        let mut custom = CustomRequest::new("initialize", Some(params));
        custom.extensions = initialize.extensions.clone();
        *request = ClientRequest::CustomRequest(custom);
    }
}

/// Client as rmcp declares it in a request of revision 2026-07-28.
pub(super) struct ClientIdentity {
    /// Capabilities of the application.
    pub(super) capabilities: Value,
    pub(super) client: Option<Implementation>,
}

/// Replaces the declared capabilities in a request that has some, as requests of revision 2026-07-28 do. [basic,
/// Per-request protocol fields]
pub(super) fn add_to_meta(request: &mut ClientRequest, declare: impl FnOnce(ClientIdentity) -> Value) {
    // Other requests get no `_meta`.
    if !request.get_meta().0.0.contains_key(CLIENT_CAPABILITIES) {
        return;
    }
    let meta = &mut request.get_meta_mut().0.0;
    let client = meta.get(CLIENT_INFO).and_then(|client| serde_json::from_value(client.clone()).ok());
    if let Some(capabilities) = meta.get_mut(CLIENT_CAPABILITIES) {
        let identity = ClientIdentity { capabilities: capabilities.take(), client };
        *capabilities = declare(identity);
    }
}
