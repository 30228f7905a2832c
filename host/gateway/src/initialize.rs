//! The client's `initialize`: what it says, and what the server hears of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::declare::OF_QUESTIONS;
use crate::peek;
use crate::route::ClientFacts;
use crate::text;
use crate::transport::Frame;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    #[serde(borrow)]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_info: Option<Info<'a>>,
    #[serde(borrow)]
    capabilities: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// Reads what a plan is made of; none when the parameters cannot be read.
pub(crate) fn facts(params: Option<&RawValue>) -> Option<ClientFacts> {
    let Params { protocol_version, client_info, capabilities } = peek::read(params)?;
    let capabilities = match capabilities {
        Some(capabilities) => serde_json::from_str(capabilities.get()).ok().filter(Value::is_object)?,
        None => Value::Object(serde_json::Map::new()),
    };
    Some(ClientFacts {
        name: client_info.and_then(|info| info.name).unwrap_or_default().into_owned(),
        revision: protocol_version.unwrap_or_default().into_owned(),
        capabilities,
    })
}

/// Puts the declared capabilities in the place of the client's. Members that the gateway has no word on, and
/// everything else of the frame, stay as they came.
pub(crate) fn with_capabilities(frame: &Frame, params: Option<&RawValue>, client: &Value, declared: &Value) -> Frame {
    let (Some(params), false) = (params, client == declared) else { return frame.clone() };
    let Some(Params { capabilities, .. }) = peek::read(Some(params)) else { return frame.clone() };
    let mut members = capabilities.and_then(text::members).unwrap_or_default();
    for name in OF_QUESTIONS {
        match (client.get(name), declared.get(name)) {
            (before, after) if before == after => {}
            (_, None) => drop(members.remove(name)),
            (_, Some(after)) => {
                if let Some(after) = text::member(after) {
                    members.insert(name.into(), after);
                }
            }
        }
    }
    let object = text::object(&members);
    match capabilities {
        Some(capabilities) => text::splice(frame, capabilities.get(), &object),
        None => {
            let (before, after) = params.get().split_at_checked(1).unwrap_or_default();
            let comma = if after.trim_start().starts_with('}') { "" } else { "," };
            text::splice(frame, before, &format!("{{\"capabilities\":{object}{comma}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::peek::Peek;

    #[test]
    fn only_the_capabilities_change() {
        let declared = json!({ "sampling": {}, "x": { "a": 1 } });
        #[rustfmt::skip]
        let rows = [
            // The members of others stay as written, numbers included.
            (r#"{"id":1,"method":"initialize","params":{"x":1e400,"capabilities":{"x": {"a" : 1}, "roots":{}},"clientInfo":{"name":"n"}},"z":1}"#,
             r#"{"id":1,"method":"initialize","params":{"x":1e400,"capabilities":{"sampling":{},"x":{"a" : 1}},"clientInfo":{"name":"n"}},"z":1}"#),
            (r#"{"id":1,"method":"initialize","params":{ "protocolVersion":"2025-11-25"}}"#,
             r#"{"id":1,"method":"initialize","params":{"capabilities":{"sampling":{}}, "protocolVersion":"2025-11-25"}}"#),
            (r#"{"id":1,"method":"initialize","params":{}}"#,
             r#"{"id":1,"method":"initialize","params":{"capabilities":{"sampling":{}}}}"#),
            // Nothing to change, or nothing that can be read.
            (r#"{"id":1,"method":"initialize","params":{"capabilities":{"x":{"a":1},  "sampling":{} }}}"#,
             r#"{"id":1,"method":"initialize","params":{"capabilities":{"x":{"a":1},  "sampling":{} }}}"#),
            (r#"{"id":1,"method":"initialize","params":[]}"#, r#"{"id":1,"method":"initialize","params":[]}"#),
            (r#"{"id":1,"method":"initialize"}"#,             r#"{"id":1,"method":"initialize"}"#),
        ];
        for (came, goes) in rows {
            let frame = Frame::from_static(came.as_bytes());
            let Peek::Request { params, .. } = Peek::at(&frame) else { panic!("{came}") };
            let client = facts(params).map(|facts| facts.capabilities).unwrap_or_default();
            let sent = with_capabilities(&frame, params, &client, &declared);
            assert_eq!(std::str::from_utf8(&sent).unwrap(), goes);
        }
    }
}
