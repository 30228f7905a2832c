//! Expectations about the messages of a session: the response that a message needs, and the form of a response.
//!
//! The expectation comes from the library's slow reader, [`Message::read`]; the session uses the fast one.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use taskcell::protocol::jsonrpc::Message;

/// Response that a message needs.
#[derive(Debug, PartialEq)]
pub(super) enum Wants {
    /// No response: the message is a notification or a response.
    Nothing,
    /// A response with this id, as written.
    Answer(String),
    /// An error with this code and no id: the text is not a message.
    Refusal(i32),
}

/// Determines the response that a message needs.
pub(super) fn wants(message: &[u8]) -> Wants {
    match Message::read(message) {
        Err(error) => Wants::Refusal(error.code),
        Ok(Message { id: Some(id), method: Some(_), .. }) => Wants::Answer(id.get().to_owned()),
        Ok(_) => Wants::Nothing,
    }
}

/// A message that a session sends.
#[derive(Debug)]
pub(super) enum Sent {
    /// A response with its id and result as written: a `_meta` may hold numbers that no number type represents.
    Answer { id: String, outcome: Result<String, Failure> },
    /// A notification. Its parameters are the host's own, so they can be read.
    Notification { method: String, params: Value },
}

/// Error of a response.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

/// Reads a message of a session, which must be JSON-RPC: one line, no member missing, none superfluous.
pub(super) fn sent(bytes: &[u8]) -> Sent {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line<'a> {
        jsonrpc: String,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        method: Option<String>,
        params: Option<Value>,
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        error: Option<Failure>,
    }
    let shown = || String::from_utf8_lossy(bytes);
    assert!(!bytes.contains(&b'\n') && !bytes.contains(&b'\r'), "several lines: {}", shown());
    let line: Line<'_> = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    assert_eq!(line.jsonrpc, "2.0", "{}", shown());
    let id = || line.id.map_or("null", RawValue::get).to_owned();
    match (line.method, line.params, line.result, line.error) {
        (Some(method), Some(params), None, None) if line.id.is_none() => Sent::Notification { method, params },
        (None, None, Some(result), None) if line.id.is_some() => {
            assert!(result.get().starts_with('{'), "a result that is no object: {}", shown());
            Sent::Answer { id: id(), outcome: Ok(result.get().to_owned()) }
        }
        // serde reads null as `None`.
        (None, None, None, Some(error)) => {
            assert!(bytes.starts_with(br#"{"jsonrpc":"2.0","id":"#), "no id: {}", shown());
            Sent::Answer { id: id(), outcome: Err(error) }
        }
        _ => panic!("neither an answer nor a notification: {}", shown()),
    }
}
