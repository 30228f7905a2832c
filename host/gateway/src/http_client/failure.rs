//! Errors of exchanges, in words that say what to do.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use taskcell::protocol::jsonrpc::code::METHOD_NOT_FOUND;
use taskcell::text::one_line;

use super::target::Endpoint;
use crate::transport::TransportError;

/// Bytes that are read of a body that is no answer, and the time for it.
const MAX_BODY: usize = 16 << 10;
const BODY_TIME: Duration = Duration::from_secs(5);
/// Characters of the server's text that are shown.
const MAX_TEXT: usize = 300;

/// Describes an exchange that did not come about, or that broke off.
pub(super) fn broken(error: &reqwest::Error, endpoint: &Endpoint, connect_time: Duration) -> TransportError {
    let (name, host) = (endpoint.name(), endpoint.host());
    let chain = causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let chain = one_line(&chain, MAX_TEXT);
    let system = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let text = match system {
        Some(io::ErrorKind::ConnectionRefused) => {
            format!("nothing listens at {name} (connection refused): start the server, or correct the URL")
        }
        // rustls has no type here, only words.
        _ if error.is_connect() && chain.contains("certificate") => format!(
            "the certificate of {host} is not trusted ({chain}): \
             SSL_CERT_FILE names the file of a private certificate authority"
        ),
        _ if error.is_connect() && chain.contains("corrupt message") => {
            format!("{host} does not answer by TLS ({chain}): use http:// for a server without it")
        }
        _ if error.is_timeout() && error.is_connect() => {
            format!("{name} was not reached within {} s", connect_time.as_secs())
        }
        _ if error.is_timeout() => return TransportError::Ended(format!("{name} was silent for too long")),
        _ if chain.contains("dns error") || chain.contains("failed to lookup") => {
            format!("the name {host} was not found: correct the URL")
        }
        _ if error.is_connect() => format!("{name} cannot be reached: {chain}"),
        _ => return TransportError::Ended(format!("the exchange with {name} broke off: {chain}")),
    };
    TransportError::Connect(text)
}

/// Response that is no answer of MCP.
pub(super) struct Refusal {
    /// Status of the response.
    pub(super) status: StatusCode,
    headers: HeaderMap,
    /// Beginning of the body.
    pub(super) body: Vec<u8>,
}

impl Refusal {
    /// Reads the beginning of a body.
    pub(super) async fn read(mut response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() >= MAX_BODY {
                    break;
                }
            }
        };
        // What came in time is enough for a message.
        let _ = tokio::time::timeout(BODY_TIME, reading).await;
        body.truncate(MAX_BODY);
        Self { status, headers, body }
    }

    /// Whether the status is one with which a server of the transport HTTP+SSE refuses a POST. [2025-11-25,
    /// basic/transports, Backwards Compatibility]
    pub(super) fn may_be_of_http_and_sse(&self) -> bool {
        [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&self.status)
    }

    /// Whether the response, to a message of a session, says that the session has ended. The specification has 404 for
    /// it. Servers made from the TypeScript SDK's examples, such as server-everything 2026.8.31, answer 400 instead.
    pub(super) fn ends_session(&self) -> bool {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        match self.status {
            // With this error a server says that it has no such method. [2026-07-28, basic/transports/streamable-http]
            StatusCode::NOT_FOUND => body.pointer("/error/code") != Some(&METHOD_NOT_FOUND.into()),
            StatusCode::BAD_REQUEST => message(&body).is_some_and(|said| said.to_lowercase().contains("session")),
            _ => false,
        }
    }

    /// Describes the response, and says what to do.
    pub(super) fn error(&self, endpoint: &Endpoint) -> TransportError {
        let (name, status, said) = (endpoint.name(), self.status, self.said());
        let text = match status.as_u16() {
            401 => {
                let text = format!(
                    "{name} wants credentials ({status}{said}): \
                     --token-env or --token-file name a bearer token, --header any other"
                );
                return TransportError::Unauthorized(text);
            }
            403 => {
                let text = format!("{name} refuses this client or its credentials ({status}{said})");
                return TransportError::Unauthorized(text);
            }
            300..=399 => {
                let to = self.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
                let to = one_line(to, MAX_TEXT);
                format!("{name} redirects to {to} ({status}), which is not followed: name that URL if you trust it")
            }
            _ if self.is_page() => format!(
                "{name} answers with a web page instead of MCP ({status}): \
                 the URL must be that of the server's MCP endpoint, which often ends in /mcp"
            ),
            404 | 405 => {
                format!("{name} is no MCP endpoint ({status}{said}): the URL often ends in /mcp")
            }
            429 => {
                let after = self.headers.get("retry-after").and_then(|after| after.to_str().ok());
                let after = after.map(|after| format!("; again after {}", one_line(after, 40))).unwrap_or_default();
                format!("{name} takes no more requests for now ({status}{said}{after})")
            }
            200..=299 => {
                let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
                let kind = one_line(kind, 60);
                format!("{name} answers with content of type {kind} instead of MCP ({status}{said})")
            }
            _ => format!("{name} refuses the message ({status}{said})"),
        };
        TransportError::Ended(text)
    }

    fn is_page(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.starts_with("text/html") || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Text of the server about the refusal: what its body says, or else the challenge.
    fn said(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let said = serde_json::from_slice::<Value>(&self.body).ok().and_then(|body| message(&body));
        let challenge = self.headers.get(WWW_AUTHENTICATE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let said = said.unwrap_or_else(|| if self.is_page() { String::new() } else { body.into_owned() });
        let said = if said.trim().is_empty() { challenge.unwrap_or_default().into_owned() } else { said };
        match one_line(&said, MAX_TEXT) {
            said if said.is_empty() => said,
            said => format!("; it says: {said}"),
        }
    }
}

/// Finds the message in the JSON of an error: of JSON-RPC, of OAuth, or of a framework.
fn message(body: &Value) -> Option<String> {
    const PLACES: [&str; 6] = ["/error/message", "/error_description", "/message", "/detail", "/error", "/title"];
    PLACES.iter().find_map(|place| body.pointer(place)?.as_str().map(str::to_owned))
}

/// Error of JSON-RPC in a body, as it was written.
pub(super) fn error_in(body: &[u8]) -> Option<Box<serde_json::value::RawValue>> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Box<serde_json::value::RawValue>,
    }
    let error = serde_json::from_slice::<Envelope>(body).ok()?.error;
    let read: Value = serde_json::from_str(error.get()).ok()?;
    // The errors of OAuth and of frameworks have a text here, or no code.
    read.get("code")?.as_i64().map(|_| error)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}
