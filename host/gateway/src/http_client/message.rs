//! Parts of a message that the transport needs. The message itself is sent as it was written.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::transport::Frame;

/// Member of `_meta` that names the revision of a request of 2026-07-28. [2026-07-28, basic, Per-request protocol
/// fields]
const REVISION: &str = "io.modelcontextprotocol/protocolVersion";

/// Methods whose requests are named in `Mcp-Name`, and the parameter with the name. [2026-07-28,
/// basic/transports/streamable-http, Standard Request Headers; ext-tasks, Streamable HTTP]
const NAMED: [(&str, &str); 6] = [
    ("tools/call", "name"),
    ("prompts/get", "name"),
    ("resources/read", "uri"),
    ("tasks/get", "taskId"),
    ("tasks/update", "taskId"),
    ("tasks/cancel", "taskId"),
];

/// Summary of a message to the server.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Id of a request, as it was written; none for other messages.
    pub(super) id: Option<Box<RawValue>>,
    /// Method of a request or notification; empty for responses and for text that is no message.
    pub(super) method: String,
    /// Revision that the message names itself. Revisions before 2026-07-28 name it by `initialize` alone.
    pub(super) revision: Option<String>,
    /// Tool, prompt, resource or task that a request is about.
    pub(super) name: Option<String>,
    /// Id of the request that a `notifications/cancelled` is about, as it was written.
    pub(super) cancels: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "taskId")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId")]
    request_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

impl Summary {
    /// Reads the summary of a message. Text that is no message has an empty one: judging it is the server's part.
    pub(super) fn read(frame: &Frame) -> Self {
        let Ok(Envelope { id, method: Some(method), params, .. }) = serde_json::from_slice(frame) else {
            return Self::default();
        };
        let params: Params<'_> = params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        let meta = params.meta.and_then(|meta| serde_json::from_str::<serde_json::Value>(meta.get()).ok());
        let revision = meta.and_then(|meta| meta.get(REVISION)?.as_str().map(str::to_owned));
        let member = NAMED.iter().find(|(named, _)| *named == method).map(|(_, member)| *member);
        let name = match member {
            Some("name") => params.name,
            Some("uri") => params.uri,
            Some(_) => params.task_id,
            None => None,
        };
        let cancels = params.request_id.filter(|_| id.is_none() && method == "notifications/cancelled");
        Self {
            id: id.map(ToOwned::to_owned),
            revision,
            name: name.and_then(|name| serde_json::from_str(name.get()).ok()),
            cancels: cancels.map(ToOwned::to_owned),
            method: method.into_owned(),
        }
    }

    /// Whether the message is of revision 2026-07-28 or later, which have no sessions.
    pub(super) fn is_modern(&self) -> bool {
        self.revision.is_some()
    }
}

/// Key of an id: ids of the same text in another spelling (`1`, `"1"`) are the same request.
pub(super) fn key(id: &RawValue) -> String {
    id.get().trim_matches('"').to_owned()
}

/// Response of the server, as far as the transport looks into it.
#[derive(Debug)]
pub(super) struct ServerAnswer {
    /// Result, if the response has one.
    pub(super) result: Option<Box<RawValue>>,
    /// Error, if the response has one.
    pub(super) error: Option<Box<RawValue>>,
}

impl ServerAnswer {
    /// Reads a message if it is the response to request `id`. An error without an id is the response to the request
    /// that its exchange carried.
    pub(super) fn read(text: &[u8], id: &RawValue) -> Option<Self> {
        let Ok(Envelope { id: found, method: None, result, error, .. }) = serde_json::from_slice(text) else {
            return None;
        };
        let is_its = match found {
            Some(found) if found.get() != "null" => key(found) == key(id),
            _ => error.is_some(),
        };
        let owned = |value: Option<&RawValue>| value.map(ToOwned::to_owned);
        (is_its && (result.is_some() || error.is_some())).then(|| Self { result: owned(result), error: owned(error) })
    }

    /// Code of the error.
    pub(super) fn code(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Code {
            code: i64,
        }
        serde_json::from_str::<Code>(self.error.as_ref()?.get()).ok().map(|error| error.code)
    }
}

/// Whether the bytes are one JSON text.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// Turns a JSON text into a frame. Line breaks can only stand between its tokens, so each becomes a blank.
pub(super) fn flat(mut text: Vec<u8>) -> Frame {
    for byte in &mut text {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Frame::from(text)
}

/// Writes a request of the transport's own.
pub(super) fn request(id: &str, method: &str, params: &RawValue) -> Frame {
    let id = serde_json::Value::from(id);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).into()
}

/// Writes the response that gives `error` to request `id`.
pub(super) fn refusal(id: &RawValue, error: &RawValue) -> Frame {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// Writes the response that gives `result` to request `id`.
pub(super) fn response(id: &RawValue, result: &RawValue) -> Frame {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into()
}

/// Returns the parameters of a request, as they were written.
pub(super) fn params(frame: &Frame) -> Option<Box<RawValue>> {
    serde_json::from_slice::<Envelope<'_>>(frame).ok()?.params.map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, method, id, name, and whether it is of the later revision.
    type Row<'a> = (String, &'a str, Option<&'a str>, Option<&'a str>, bool);

    #[test]
    fn a_summary_holds_what_the_headers_need() {
        let modern = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        #[rustfmt::skip]
        let table: [Row<'_>; 10] = [
            (r#"{"id":1,"method":"tools/call","params":{"name":"echo"}}"#.into(),                "tools/call", Some("1"),   Some("echo"),     false),
            (format!(r#"{{"id":"a","method":"tools/call","params":{{"name":"e",{modern}}}}}"#),  "tools/call", Some("\"a\""), Some("e"),      true),
            (r#"{"id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#.into(),        "resources/read", Some("1"), Some("file:///a"), false),
            (r#"{"id":1,"method":"tasks/get","params":{"taskId":"t","name":"n"}}"#.into(),       "tasks/get", Some("1"),    Some("t"),        false),
            (r#"{"id":1,"method":"tools/list","params":{"name":"n"}}"#.into(),                   "tools/list", Some("1"),   None,             false),
            (r#"{"id":1,"method":"tools/call","params":{"name":7}}"#.into(),                     "tools/call", Some("1"),   None,             false),
            (r#"{"id":1,"method":"tools/call","params":[7]}"#.into(),                            "tools/call", Some("1"),   None,             false),
            (r#"{"method":"notifications/initialized"}"#.into(),                                 "notifications/initialized", None, None,     false),
            (r#"{"id":1,"result":{}}"#.into(),                                                   "",           None,        None,             false),
            ("[]".into(),                                                                        "",           None,        None,             false),
        ];
        for (text, method, id, name, is_modern) in table {
            let about = Summary::read(&Frame::from(text.clone()));
            let read = (about.method.as_str(), about.id.as_deref().map(RawValue::get), about.name.as_deref());
            assert_eq!((read, about.is_modern()), ((method, id, name), is_modern), "{text}");
        }
        let about = Summary::read(&Frame::from(r#"{"method":"notifications/cancelled","params":{"requestId":"7"}}"#));
        assert_eq!(about.cancels.map(|id| key(&id)).as_deref(), Some("7"));
    }

    #[test]
    fn an_answer_is_known_by_its_id() {
        let id = RawValue::from_string("1".to_owned()).unwrap();
        #[rustfmt::skip]
        let table = [
            (r#"{"id":1,"result":{}}"#,                     true),
            (r#"{"id":"1","result":{}}"#,                   true),
            (r#"{"id":2,"result":{}}"#,                     false),
            (r#"{"id":1,"method":"ping"}"#,                 false),
            (r#"{"id":1}"#,                                 false),
            (r#"{"id":null,"error":{"code":-32000}}"#,      true),
            (r#"{"error":{"code":-32000}}"#,                true),
            (r#"{"id":null,"result":{}}"#,                  false),
            ("nothing",                                     false),
        ];
        for (text, expected) in table {
            assert_eq!(ServerAnswer::read(text.as_bytes(), &id).is_some(), expected, "{text}");
        }
    }
}
