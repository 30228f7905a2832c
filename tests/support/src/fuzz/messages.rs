//! What goes in and out of a session: what a message has to be answered with, and what an answer has to be.
//!
//! What is expected is found by the library's slow way of reading, [`Message::read`]; the session takes the fast one.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use taskcell::protocol::jsonrpc::Message;

/// What a message wants.
#[derive(Debug, PartialEq)]
pub(super) enum Wants {
    /// No answer: it is a notification or a response.
    Nothing,
    /// An answer with this id, as it is written.
    Answer(String),
    /// An error with this code and no id: it is no message.
    Refusal(i32),
}

/// What a message has to be answered with.
pub(super) fn wants(message: &[u8]) -> Wants {
    match Message::read(message) {
        Err(error) => Wants::Refusal(error.code),
        Ok(Message { id: Some(id), method: Some(_), .. }) => Wants::Answer(id.get().to_owned()),
        Ok(_) => Wants::Nothing,
    }
}

/// What a session sends.
#[derive(Debug)]
pub(super) enum Sent {
    /// The id and the result as they are written: a `_meta` may hold numbers that no number type does.
    Answer { id: String, outcome: Result<String, Failure> },
    /// The parameters are the host's own, so they can be read.
    Notification { method: String, params: Value },
}

/// The error of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

/// Reads what a session sends, which must be JSON-RPC: one line, no member missing, none too many.
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
        // serde gives none for a null.
        (None, None, None, Some(error)) => {
            assert!(bytes.starts_with(br#"{"jsonrpc":"2.0","id":"#), "no id: {}", shown());
            Sent::Answer { id: id(), outcome: Err(error) }
        }
        _ => panic!("neither an answer nor a notification: {}", shown()),
    }
}
