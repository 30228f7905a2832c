//! Headers that repeat what a message of revision 2026-07-28 says. [2026-07-28, basic/transports/streamable-http,
//! Request Metadata]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::message::Summary;

/// Session of a connection before revision 2026-07-28. [2025-11-25, basic/transports, Session Management]
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Agreed revision. [2025-11-25, basic/transports, Protocol Version Header]
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Last event that arrived of a stream. [2025-11-25, basic/transports, Resumability and Redelivery]
pub(super) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Marks around a value in Base64. [2026-07-28, basic/transports/streamable-http, Value Encoding]
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// Content type of a stream of events.
pub(super) const EVENTS: &str = "text/event-stream";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_OR_EVENTS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Writes the headers of a POST, but for the session's.
pub(super) fn of_post(about: &Summary) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, JSON_OR_EVENTS);
    headers.insert(CONTENT_TYPE, JSON);
    let Some(revision) = &about.revision else { return headers };
    let fields = [(VERSION, Some(revision)), (METHOD, Some(&about.method)), (NAME, about.name.as_ref())];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| encoded(value)) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Writes a value so that it arrives as it is: in Base64 where a header could not hold it.
pub(super) fn encoded(value: &str) -> Option<HeaderValue> {
    let is_printable = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let is_padded = value.starts_with(' ') || value.ends_with(' ');
    let looks_encoded = value.starts_with(ENCODED.0) && value.ends_with(ENCODED.1);
    let text = match is_printable && !is_padded && !looks_encoded {
        true => value.to_owned(),
        false => format!("{}{}{}", ENCODED.0, BASE64_STANDARD.encode(value), ENCODED.1),
    };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Frame;

    /// The examples of the specification, and a tab.
    #[test]
    fn a_value_arrives_as_it_is() {
        #[rustfmt::skip]
        let table = [
            ("us-west1",              "us-west1"),
            ("Hello, 世界",           "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ",              "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2",          "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=",    "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("=?base64?literal",      "=?base64?literal"),
            ("a\tb",                  "=?base64?YQli?="),
            ("",                      ""),
        ];
        for (value, expected) in table {
            assert_eq!(encoded(value).unwrap().to_str().unwrap(), expected, "{value:?}");
        }
    }

    #[test]
    fn only_the_later_revision_repeats_its_message_in_headers() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        for (meta, expected) in
            [("", [None, None, None]), (meta, [Some("2026-07-28"), Some("prompts/get"), Some("hi")])]
        {
            let comma = if meta.is_empty() { "" } else { "," };
            let text = format!(r#"{{"id":1,"method":"prompts/get","params":{{"name":"hi"{comma}{meta}}}}}"#);
            let headers = of_post(&Summary::read(&Frame::from(text)));
            let found =
                [VERSION, METHOD, NAME].map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()));
            assert_eq!(found.each_ref().map(Option::as_deref), expected);
            assert_eq!(headers[ACCEPT], "application/json, text/event-stream");
        }
    }
}
