//! Lenient reader of a server's results, errors and ids. A value that the program cannot represent is an error, never a
//! silent default.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::terminal;
use taskcell::protocol::jsonrpc::code;
use taskcell::protocol::types::RpcError;

/// Error: a result that the program cannot represent.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer to {method} cannot be read: {why}")]
pub(crate) struct Unreadable {
    method: String,
    why: String,
}

/// Reads the result of a request.
///
/// # Errors
/// When the result nests too deeply or holds a number that no double can hold.
pub(crate) fn result(method: &str, text: &RawValue) -> Result<Value, Unreadable> {
    serde_json::from_str(text.get()).map_err(|error| {
        let why = error.to_string();
        let why = match why.split_once(" at line ") {
            Some(("recursion limit exceeded", place)) => format!("it nests deeper than 127 levels, at line {place}"),
            Some(("number out of range", place)) => format!("it has a number that no double holds, at line {place}"),
            _ => why,
        };
        Unreadable { method: method.to_owned(), why }
    })
}

/// Replaces each unpaired surrogate escape, which is no character, by `\ufffd`. The rest of the text stays.
pub(crate) fn without_halves(text: &str) -> Cow<'_, str> {
    let mut bytes = text.as_bytes();
    let mut halves = Vec::new();
    let mut at = 0_usize;
    while let Some(escape) = bytes.iter().position(|byte| *byte == b'\\') {
        let unit = unit(bytes.get(escape..).unwrap_or_default());
        let next = unit.map(|_| bytes.get(escape.saturating_add(6)..).unwrap_or_default());
        let length = match (unit, next.and_then(self::unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                halves.push(at.saturating_add(escape));
                6
            }
            (Some(_), _) => 6,
            // The escaped character may be a backslash.
            (None, _) => 2,
        };
        let read = escape.saturating_add(length).min(bytes.len());
        at = at.saturating_add(read);
        bytes = bytes.get(read..).unwrap_or_default();
    }
    if halves.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    for half in halves {
        text.replace_range(half..half.saturating_add(6), "\\ufffd");
    }
    Cow::Owned(text)
}

/// Decodes the UTF-16 unit of a `\u` escape at the start of the bytes.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Reads the id of a response as a number, in any of the spellings `7`, `"7"`, `7.0`.
pub(crate) fn id(text: &RawValue) -> Option<u64> {
    let text = text.get();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let whole = text.split_once('.').filter(|(_, rest)| !rest.is_empty() && rest.bytes().all(|digit| digit == b'0'));
    whole.map_or(text, |(whole, _)| whole).parse().ok()
}

/// Reads the error of a response.
///
/// JSON-RPC requires an object with an integer `code` and a `message`. Whatever is present is kept. A code that is not
/// an integer becomes -32603, and the message quotes the original code. [JSON-RPC 2.0, section 5.1]
pub(crate) fn error(text: &RawValue) -> RpcError {
    #[derive(Deserialize)]
    struct Loose<'a> {
        #[serde(borrow)]
        code: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let Ok(Loose { code, message, data }) = serde_json::from_str(text.get()) else {
        return RpcError::new(code::INTERNAL_ERROR, said(text));
    };
    let mut message = message.map(said).filter(|message| !message.is_empty()).unwrap_or_else(|| match data {
        Some(data) => said(data),
        None => "the server gave no message".to_owned(),
    });
    let number = code.and_then(whole);
    if number.is_none() {
        let code = code.map_or_else(|| "none".to_owned(), said);
        message = format!("{message} (code: {code})");
    }
    let data = data.map(|data| data.get().to_owned());
    RpcError { data, ..RpcError::new(number.unwrap_or(code::INTERNAL_ERROR), message) }
}

/// Reads an integer code, also from a string or with a fraction of zero.
#[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
fn whole(code: &RawValue) -> Option<i32> {
    let text = code.get();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        let in_range = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
        in_range.then_some(number as i32)
    })
}

/// Returns a JSON string's text, and any other value as JSON.
fn said(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// Describes an error in one line, with its data.
pub(crate) fn words(error: &RpcError) -> String {
    let data = error.data.as_deref().map(|data| format!("; data: {data}")).unwrap_or_default();
    terminal::one_line(&format!("{} {}{data}", error.code, error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn half_a_pair_is_no_character() {
        #[rustfmt::skip]
        let table = [
            (r#""plain""#,                   r#""plain""#),
            (r#""\ud83d\ude00""#,            r#""\ud83d\ude00""#),
            (r#""\ud83d""#,                  r#""\ufffd""#),
            (r#""\uDE00 \uD83D\uD83D\uDE00""#, r#""\ufffd \ufffd\uD83D\uDE00""#),
            (r#""\\ud83d \ud83d""#,          r#""\\ud83d \ufffd""#),
            (r#""\u00e4\n\ud83d\u0041""#,    r#""\u00e4\n\ufffd\u0041""#),
            (r#""\ud83dä""#,                 r#""\ufffdä""#),
        ];
        for (text, expected) in table {
            assert_eq!(without_halves(text), expected);
            assert!(serde_json::from_str::<Value>(&without_halves(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn ids_are_numbers_however_they_are_spelled() {
        let table = [
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("7.0", Some(7)),
            ("\"7.00\"", Some(7)),
            ("7.5", None),
            ("7.", None),
            ("\"x7\"", None),
            ("-7", None),
            ("\"\"", None),
        ];
        for (text, expected) in table {
            // `7.` is not valid JSON, but may stand in a string.
            let Ok(text) = serde_json::from_str::<Box<RawValue>>(text) else { continue };
            assert_eq!(id(&text), expected, "{text}");
        }
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        #[rustfmt::skip]
        let table = [
            (r#"{"code":-32000,"message":"no"}"#,            -32000, "no", None),
            (r#"{"code":"-32000","message":"no"}"#,          -32000, "no", None),
            (r#"{"code":-32000.0,"message":"no"}"#,          -32000, "no", None),
            (r#"{"code":-3.2e4,"message":"no"}"#,            -32000, "no", None),
            (r#"{"code":"E_GONE","message":"no"}"#,          -32603, "no (code: E_GONE)", None),
            (r#"{"code":1.5,"message":"no"}"#,               -32603, "no (code: 1.5)", None),
            (r#"{"code":4294967296,"message":"no"}"#,        -32603, "no (code: 4294967296)", None),
            (r#"{"code":1e400,"message":"no"}"#,             -32603, "no (code: 1e400)", None),
            (r#"{"message":"no"}"#,                          -32603, "no (code: none)", None),
            (r#"{"code":null,"message":"no"}"#,              -32603, "no (code: none)", None),
            (r#"{"code":5,"data":{"why":"disk"}}"#,          5,      r#"{"why":"disk"}"#, Some(r#"{"why":"disk"}"#)),
            (r#"{"code":5,"message":{"de":"nein"},"data":1}"#, 5,    r#"{"de":"nein"}"#, Some("1")),
            (r#"{"code":5}"#,                                5,      "the server gave no message", None),
            (r#"{"code":5,"message":""}"#,                   5,      "the server gave no message", None),
            (r#""it broke""#,                                -32603, "it broke", None),
            (r#"["it broke"]"#,                              -32603, r#"["it broke"]"#, None),
            ("17",                                           -32603, "17", None),
        ];
        for (text, code, message, data) in table {
            let expected = RpcError { data: data.map(str::to_owned), ..RpcError::new(code, message) };
            assert_eq!(error(&raw(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_held_is_an_error() {
        let deep = format!("{}{}", "[".repeat(140), "]".repeat(140));
        for (text, words) in [(deep.as_str(), "nests deeper"), ("[1e400]", "no double holds")] {
            let error = result("tools/call", &raw(text)).unwrap_err().to_string();
            assert!(error.contains("tools/call") && error.contains(words), "{error}");
        }
        assert!(result("tools/call", &raw(r#"{"a":[1]}"#)).is_ok());
    }
}
