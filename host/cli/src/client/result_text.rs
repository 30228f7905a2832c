//! Outcome of a run, formatted for people: the result of a tool, an error with all its content, or the list of tools.

use serde_json::Value;

use super::listing;
use super::required_pages;
use crate::terminal::color::{self, Tone};
use crate::terminal::{self, one_line};
use taskcell::text;

/// Characters shown of an error's `data`.
const MAX_DATA: usize = 4_000;

/// Formats the outcome as text, with ANSI colors if `color` is set.
pub(crate) fn shown(outcome: &Value, color: bool) -> String {
    if let Some(error) = outcome.get("error") {
        let mut lines = error_lines(error);
        if let Some(first) = lines.first_mut() {
            *first = color::painted(first, Tone::Bad, color);
        }
        return lines.join("\n");
    }
    if let Some(result) = outcome.get("result") {
        return terminal::tool_result(result);
    }
    let tools = outcome.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listing::shown(tools, listing::width())
}

/// Whether the outcome is an error or the result of a failed tool.
pub(crate) fn failed(outcome: &Value) -> bool {
    outcome.get("error").is_some() || outcome.pointer("/result/isError") == Some(&Value::Bool(true))
}

/// Lines of an error: code and message, followed by its other content.
fn error_lines(error: &Value) -> Vec<String> {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![format!("error {}: {}", error.get("code").unwrap_or(&Value::Null), one_line(message))];
    let pages = required_pages::of(error);
    lines.extend(pages.iter().flat_map(required_pages::Page::lines));
    // An error that asks for pages carries nothing else.
    if let (Some(data), true) = (error.get("data").filter(|data| !data.is_null()), pages.is_empty()) {
        let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        lines.push(format!("data: {}", text::one_line(&text, MAX_DATA)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_an_error_carries_is_hidden() {
        let page =
            json!({ "mode": "url", "elicitationId": "1", "url": "https://example.com/\u{430}", "message": "Sign\nin" });
        #[rustfmt::skip]
        let table = [
            (json!({ "code": -1, "message": "no" }), "error -1: no"),
            (json!({ "code": -1, "message": "no", "data": null }), "error -1: no"),
            (json!({ "code": -1, "message": "no", "data": { "retryAfter": 3 } }), "error -1: no\ndata: {\"retryAfter\":3}"),
            (json!({ "code": -1, "message": "no", "data": "why\u{1b}[2J" }), "error -1: no\ndata: why\u{fffd}[2J"),
            (json!({ "code": -32042, "message": "more", "data": { "elicitations": [page] } }), "error -32042: more\npage: Sign in\n      https://example.com/%D0%B0"),
            (json!({ "code": -32042, "message": "more", "data": { "elicitations": [] } }), "error -32042: more\ndata: {\"elicitations\":[]}"),
        ];
        for (error, expected) in &table {
            assert_eq!(shown(&json!({ "error": error }), false), *expected, "{error}");
        }
    }
}
