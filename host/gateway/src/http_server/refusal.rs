//! Responses of HTTP that refuse a request: a status, and a JSON-RPC error that says what to do.

use http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use serde_json::value::RawValue;
use taskcell::protocol::code;

use super::body::{Body, with_type};

/// Refusal of a request.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: i32,
    message: String,
    /// Id of the refused request, as the client wrote it; none where it was not read.
    id: Option<Box<RawValue>>,
    data: Option<serde_json::Value>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: code::INVALID_REQUEST, message: message.into(), id: None, data: None }
    }

    /// Refusal with another code than that of an invalid request.
    pub(super) fn with_code(self, code: i32) -> Self {
        Self { code, ..self }
    }

    pub(super) fn with_data(self, data: serde_json::Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Refusal that names the request.
    pub(super) fn of(self, id: &RawValue) -> Self {
        Self { id: Some(id.to_owned()), ..self }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self { status, code, message, id, data } = self;
        tracing::debug!(%status, message, "a request was refused");
        let mut error = json!({ "code": code, "message": message });
        if let (Some(members), Some(data)) = (error.as_object_mut(), data) {
            members.insert("data".to_owned(), data);
        }
        let text = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
        let mut response = with_type("application/json", Full::from(text).boxed());
        *response.status_mut() = status;
        let header = match status {
            StatusCode::UNAUTHORIZED => (WWW_AUTHENTICATE, "Bearer"),
            StatusCode::METHOD_NOT_ALLOWED => (ALLOW, "GET, POST, DELETE"),
            _ => return response,
        };
        response.headers_mut().insert(header.0, HeaderValue::from_static(header.1));
        response
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }
}
