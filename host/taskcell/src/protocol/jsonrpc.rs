//! JSON-RPC 2.0 messages, borrowed from their text.
//!
//! Ids and parameters stay slices of the message. An id is echoed exactly as it was written. Parameters are parsed
//! once, by the type of their request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use super::code;
use super::plain;
use super::types::RpcError;

/// Bytes of a request's id, as it is written. It is echoed and kept, and no server needs more: a UUID has 38.
pub const MAX_ID: usize = 128;

/// Any message: a request has `id` and `method`, a notification only `method`, a response only `id`.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Message<'a> {
    /// `"2.0"`.
    #[serde(borrow)]
    pub jsonrpc: Option<Cow<'a, str>>,
    /// The id as it was written; a null counts as none, since MCP forbids it.
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    /// The method of a request or notification.
    #[serde(borrow)]
    pub method: Option<Cow<'a, str>>,
    /// The parameters of a request or notification.
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
    /// The result of a response.
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
    /// The error of a response.
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// With the error to answer: -32700 where the text is no JSON, -32600 where it is no JSON-RPC 2.0 message.
    pub fn read(text: &'a [u8]) -> Result<Self, RpcError> {
        Self::read_text(utf8(text)?)
    }

    /// Reads a message from text.
    pub fn read_text(text: &'a str) -> Result<Self, RpcError> {
        // A struct may be written as a list of its members as far as serde is concerned; a message may not.
        if text.trim_ascii_start().starts_with('[') {
            return Err(RpcError::new(code::INVALID_REQUEST, "Not a JSON-RPC message: a list, and MCP has no batches"));
        }
        let message: Message<'a> = serde_json::from_str(text).map_err(|error| {
            let code = if error.is_data() { code::INVALID_REQUEST } else { code::PARSE_ERROR };
            RpcError::new(code, format!("Not a JSON-RPC message: {}", plain(&error.to_string())))
        })?;
        message.check().map(|()| message)
    }

    /// Refuses messages that serde accepts and JSON-RPC does not.
    pub fn check(&self) -> Result<(), RpcError> {
        if self.jsonrpc.as_deref() != Some("2.0") {
            return Err(RpcError::new(code::INVALID_REQUEST, "Not a JSON-RPC message: `jsonrpc` is not \"2.0\""));
        }
        if self.id.is_some_and(|id| id.get().starts_with(['{', '[', 't', 'f'])) {
            return Err(RpcError::new(code::INVALID_REQUEST, "Not a JSON-RPC message: `id` is no string or number"));
        }
        if let (Some(id), Some(_)) = (self.id, &self.method)
            && id.get().len() > MAX_ID
        {
            let message = format!("The request's `id` has {} bytes, the limit is {MAX_ID}", id.get().len());
            return Err(RpcError::of_kind(code::INVALID_REQUEST, "id_size", message));
        }
        Ok(())
    }
}

/// The text of a message. JSON between systems is UTF-8, also where nobody looks. [RFC 8259, 8.1]
pub fn utf8(text: &[u8]) -> Result<&str, RpcError> {
    std::str::from_utf8(text)
        .map_err(|error| RpcError::new(code::PARSE_ERROR, format!("Not a JSON-RPC message: {error}")))
}

#[derive(Serialize)]
struct Response<'a, T> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

/// Writes a response as one line of JSON. The id is null only when the request's own id could not be read.
pub fn response<T: Serialize>(
    id: Option<&RawValue>,
    outcome: Result<&T, &RpcError>,
) -> Result<Vec<u8>, serde_json::Error> {
    let (result, error) = match outcome {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(error)),
    };
    serde_json::to_vec(&Response { jsonrpc: "2.0", id, result, error })
}

#[derive(Serialize)]
struct Request<'a, I, P> {
    jsonrpc: &'static str,
    id: I,
    method: &'a str,
    params: &'a P,
}

/// Writes a request as one line of JSON.
pub fn request<I: Serialize, P: Serialize>(id: I, method: &str, params: &P) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Request { jsonrpc: "2.0", id, method, params })
}

#[derive(Serialize)]
struct Notification<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a P,
}

/// Writes a notification as one line of JSON.
pub fn notification<P: Serialize>(method: &str, params: &P) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Notification { jsonrpc: "2.0", method, params })
}
