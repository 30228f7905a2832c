//! View of a message by the few members that the relay decides by. Everything else stays as it came.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use taskcell::protocol::jsonrpc::Message;

/// Sort of a message, with the members that it is routed by. All of them point into the message.
#[derive(Debug)]
pub(crate) enum Peek<'a> {
    Request {
        id: &'a RawValue,
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    Notification {
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    Response {
        /// None for an error that names no request.
        id: Option<&'a RawValue>,
        outcome: Result<Option<&'a RawValue>, &'a RawValue>,
    },
    /// Several messages in one text, as revision 2025-03-26 has them.
    Batch(Vec<&'a RawValue>),
    /// Text that is no message.
    Other,
}

impl<'a> Peek<'a> {
    /// Looks at a frame.
    pub(crate) fn at(frame: &'a [u8]) -> Self {
        let Ok(text) = std::str::from_utf8(frame) else { return Self::Other };
        // Serde would read a list as a struct.
        match text.trim_ascii_start().as_bytes().first() {
            Some(b'{') => {}
            Some(b'[') => return serde_json::from_str(text).map_or(Self::Other, Self::Batch),
            _ => return Self::Other,
        }
        let Ok(message) = serde_json::from_str::<Message<'_>>(text) else { return Self::Other };
        match (message.method, message.id) {
            (Some(method), Some(id)) => Self::Request { id, method, params: message.params },
            (Some(method), None) => Self::Notification { method, params: message.params },
            (None, id) => match (message.result, message.error) {
                (_, Some(error)) => Self::Response { id, outcome: Err(error) },
                (Some(result), None) => Self::Response { id, outcome: Ok(Some(result)) },
                // A null result is one, too.
                (None, None) if id.is_some() => Self::Response { id, outcome: Ok(None) },
                (None, None) => Self::Other,
            },
        }
    }
}

/// Members of requests that tell which capability of the client they need, and members that name something.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct QuestionParams<'a> {
    pub(crate) task: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(crate) mode: Option<Cow<'a, str>>,
    pub(crate) tools: Option<IgnoredAny>,
    pub(crate) tool_choice: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(crate) include_context: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) task_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) cursor: Option<Cow<'a, str>>,
}

/// Reads the parameters of a request of the server. Those that cannot be read name nothing.
pub(crate) fn question(params: Option<&RawValue>) -> QuestionParams<'_> {
    read(params).unwrap_or_default()
}

/// Progress token of a request, as it was written: `params._meta.progressToken`.
pub(crate) fn progress_token(params: Option<&RawValue>) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "progressToken")]
        token: Option<&'a RawValue>,
    }
    read::<Meta<'_>>(read::<Params<'_>>(params)?.meta)?.token
}

/// Parameters of `notifications/progress`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProgressParams<'a> {
    #[serde(borrow)]
    pub(crate) progress_token: &'a RawValue,
    pub(crate) progress: f64,
}

/// Parameters of `notifications/cancelled`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelledParams<'a> {
    #[serde(borrow)]
    pub(crate) request_id: &'a RawValue,
}

/// Reads parameters; none when there are none, or they have another form.
pub(crate) fn read<'a, T: Deserialize<'a>>(params: Option<&'a RawValue>) -> Option<T> {
    let text = params?.get();
    // Serde would read a list as a struct.
    if text.starts_with('{') { serde_json::from_str(text).ok() } else { None }
}

/// Request or response of which only the ends are known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Truncated {
    /// With its id, as it was written.
    Request(Box<str>),
    /// With its id, as it was written.
    Response(Box<str>),
    Unknown,
}

/// Looks at a message that is too long, by its first and its last bytes. SDKs write the id either before the parameters
/// or the result, or as the last member.
pub(crate) fn truncated(beginning: &[u8], end: &[u8]) -> Truncated {
    let (mut id, mut method) = (None, false);
    let mut rest = beginning.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    while let Some((name, value)) = member(rest) {
        match name {
            b"id" => id = scalar(value).map(|(id, _)| id),
            b"method" => method = true,
            b"result" | b"error" => {
                return id.or_else(|| last_id(end)).map_or(Truncated::Unknown, |id| Truncated::Response(id.into()));
            }
            _ => {}
        }
        let Some((_, after)) = scalar(value) else { break };
        rest = after.trim_ascii_start().strip_prefix(b",").unwrap_or_default();
    }
    match id.or_else(|| last_id(end)) {
        Some(id) if method => Truncated::Request(id.into()),
        _ => Truncated::Unknown,
    }
}

/// Splits off the name of a member. Returns it and the rest, which begins with the value.
fn member(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, after) = scalar(text.trim_ascii_start())?;
    let name = name.as_bytes().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some((name, after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start()))
}

/// Splits off a string or a number. Returns it, as it is written, and the rest.
fn scalar(text: &[u8]) -> Option<(&str, &[u8])> {
    let length = match text.strip_prefix(b"\"") {
        Some(string) => {
            let end = string.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            (string.get(end) == Some(&b'"')).then_some(end)?.checked_add(2)?
        }
        None => text.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))?,
    };
    let (scalar, rest) = text.split_at_checked(length)?;
    Some((std::str::from_utf8(scalar).ok().filter(|scalar| !scalar.is_empty())?, rest))
}

/// Id that is the last member of a message.
fn last_id(end: &[u8]) -> Option<&str> {
    let end = end.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let (before, after) = end.split_at_checked(memmem::rfind(end, b"\"id\"")?)?;
    let value = after.strip_prefix(b"\"id\"")?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let value = std::str::from_utf8(value).ok()?;
    // Within a string the quote would be escaped.
    let is_member = before.trim_ascii_end().ends_with(b",");
    let is_scalar = !value.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(value).is_ok();
    (is_member && is_scalar).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sort, id and method of a message.
    fn seen(frame: &str) -> (&'static str, Option<String>, Option<String>) {
        let owned = |id: &RawValue| Some(id.get().to_owned());
        match Peek::at(frame.as_bytes()) {
            Peek::Request { id, method, .. } => ("request", owned(id), Some(method.into_owned())),
            Peek::Notification { method, .. } => ("notification", None, Some(method.into_owned())),
            Peek::Response { id, outcome: Ok(_) } => ("result", id.and_then(owned), None),
            Peek::Response { id, outcome: Err(_) } => ("error", id.and_then(owned), None),
            Peek::Batch(messages) => ("batch", Some(messages.len().to_string()), None),
            Peek::Other => ("other", None, None),
        }
    }

    #[test]
    fn messages_are_told_apart() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,               ("request", Some("1"), Some("ping"))),
            (r#"{"method":"x","x":[1e999],"id":"a\u0041\"","jsonrpc":"1"}"#,  ("request", Some(r#""a\u0041\"""#), Some("x"))),
            (r#"{"id":{"a":1},"method":"pi\u006eg"}"#,                     ("request", Some(r#"{"a":1}"#), Some("ping"))),
            (r#"{"jsonrpc":"2.0","method":"notifications/x","id":null}"#, ("notification", None, Some("notifications/x"))),
            (r#"{"result":{},"jsonrpc":"2.0","id":1.50}"#,                ("result", Some("1.50"), None)),
            (r#"{"id":1,"result":null}"#,                                 ("result", Some("1"), None)),
            (r#"{"id":1,"error":{}}"#,                                    ("error", Some("1"), None)),
            (r#"{"error":{"code":1}}"#,                                   ("error", None, None)),
            (r#" [{"id":1},{"method":"x"}]"#,                             ("batch", Some("2"), None)),
            ("[]",                                                        ("batch", Some("0"), None)),
            (r#"{"id":1,"id":2,"method":"x"}"#,                           ("other", None, None)),
            (r#"{"id":1,"method":7}"#,                                    ("other", None, None)),
            (r#"{"id":1"#,                                                ("other", None, None)),
            ("{}", ("other", None, None)), ("", ("other", None, None)), ("1", ("other", None, None)),
        ];
        for (frame, (sort, id, method)) in rows {
            assert_eq!(seen(frame), (sort, id.map(str::to_owned), method.map(str::to_owned)), "{frame}");
        }
        assert!(matches!(Peek::at(b"{\"method\":\"\xff\"}"), Peek::Other));
    }

    #[test]
    fn the_ends_of_a_long_message_tell_its_request() {
        use Truncated::{Request, Response, Unknown};
        #[rustfmt::skip]
        let rows = [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"x":"#,   "xxx\"}}",                          Response("7".into())),
            (r#"{"result":{"x":"#,                          "x\"},\"jsonrpc\":\"2.0\",\"id\":\"a\"}",  Response("\"a\"".into())),
            (r#"{"id":"a","method":"tools/call","params":"#, "}}",                              Request("\"a\"".into())),
            (r#"{"method":"tools/call","params":"#,         "},\"jsonrpc\":\"2.0\",\"id\":3}\r",  Request("3".into())),
            // Not the member of the message: within its result, within a string, no scalar.
            (r#"{"result":{"x":"#,                          "x\",\"id\":3}}",                   Unknown),
            (r#"{"result":""#,                              ",\\\"id\\\":3\"}",               Unknown),
            (r#"{"method":"x","params":"#,                  "},\"id\":{}}",                    Unknown),
            (r#"{"method":"notifications/x","params":"#,    "}}",                              Unknown),
            ("",                                            "",                                Unknown),
            (r#"{"id":1e"#,                                 "}",                               Unknown),
        ];
        for (beginning, end, expected) in rows {
            assert_eq!(truncated(beginning.as_bytes(), end.as_bytes()), expected, "{beginning} {end}");
        }
    }

    #[test]
    fn the_progress_token_is_kept_as_written() {
        for (params, expected) in [
            (r#"{"_meta":{"progressToken":1.0}}"#, Some("1.0")),
            (r#"{"name":"x","_meta":{"a":1,"progressToken":"t\u0041"}}"#, Some(r#""t\u0041""#)),
            (r#"{"_meta":{}}"#, None),
            (r#"{"_meta":[1]}"#, None),
            ("[]", None),
        ] {
            let params: Box<RawValue> = serde_json::from_str(params).unwrap();
            assert_eq!(progress_token(Some(&params)).map(RawValue::get), expected, "{params}");
        }
    }
}
