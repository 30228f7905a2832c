//! Contents of an answer by the negotiated revision.
//!
//! A handler writes answers of the newest revision. A server of an older revision refuses content that its revision
//! does not have, often with an error that names neither the answer nor the handler. So an answer is brought into the
//! older form where that loses nothing, and refused otherwise. Content that a server writes in its request is allowed
//! in the answer, whatever the negotiated revision: many servers negotiate an older revision than their SDK speaks.

use crate::protocol::types::{CreateMessageRequest, CreateMessageResult, SamplingContent, TextContent};

/// Revision that introduced lists of content, and tools in sampling.
const LISTS: &str = "2025-11-25";

/// Returns the revision that introduced a kind of content, and the name of the content; none for text and images, which
/// every revision has. [schema of each revision, CreateMessageResult]
fn since(content: &SamplingContent) -> Option<(&'static str, &'static str)> {
    match content {
        SamplingContent::Text(_) | SamplingContent::Image(_) => None,
        SamplingContent::Audio(_) => Some(("2025-03-26", "sound")),
        SamplingContent::ToolUse(_) => Some(("2025-11-25", "the use of a tool")),
        SamplingContent::ToolResult(_) => Some(("2025-11-25", "the result of a tool")),
    }
}

/// Returns the newest revision whose members a request uses.
fn written(request: &CreateMessageRequest) -> &'static str {
    let has_tools = request.tools.is_some() || request.tool_choice.is_some();
    if has_tools || request.messages.iter().any(|message| message.content.len() != 1) {
        return LISTS;
    }
    let content = request.messages.iter().flat_map(|message| &message.content);
    content.filter_map(since).map(|(since, _)| since).max().unwrap_or_default()
}

/// Brings the answer to a sampling request into the form of a revision.
///
/// # Errors
/// The content that the revision does not have.
pub(super) fn sampling(
    revision: &str,
    request: &CreateMessageRequest,
    mut result: CreateMessageResult,
) -> Result<CreateMessageResult, String> {
    // Revisions are dates; any other name counts as newer than all known ones.
    let is_date = revision.starts_with(|first: char| first.is_ascii_digit());
    if !is_date || revision >= LISTS {
        return Ok(result);
    }
    let known = revision.max(written(request));
    if known >= LISTS {
        return Ok(result);
    }
    if let Some((since, what)) = result.content.iter().filter_map(since).find(|(since, _)| known < *since) {
        return Err(format!("it has {what}, which came with MCP {since}; {revision} was negotiated"));
    }
    result.content = folded(result.content);
    match result.content.len() {
        1 => Ok(result),
        pieces => Err(format!("it has {pieces} pieces, where MCP before {LISTS} has one; {revision} was negotiated")),
    }
}

/// Joins consecutive texts by a line break. A text with annotations or `_meta` stays separate.
fn folded(pieces: Vec<SamplingContent>) -> Vec<SamplingContent> {
    let is_plain = |text: &TextContent| text.annotations.is_none() && text.meta.is_none();
    let mut folded: Vec<SamplingContent> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (folded.last_mut(), piece) {
            (Some(SamplingContent::Text(before)), SamplingContent::Text(text))
                if is_plain(before) && is_plain(&text) =>
            {
                before.text.push('\n');
                before.text.push_str(&text.text);
            }
            (_, piece) => folded.push(piece),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn content(words: &str) -> Vec<Value> {
        let piece = |word: &str| match word {
            "image" => json!({ "type": "image", "data": "", "mimeType": "image/png" }),
            "sound" => json!({ "type": "audio", "data": "", "mimeType": "audio/wav" }),
            "use" => json!({ "type": "tool_use", "id": "1", "name": "n", "input": {} }),
            "result" => json!({ "type": "tool_result", "toolUseId": "1", "content": [] }),
            "hinted" => json!({ "type": "text", "text": "hinted", "annotations": { "priority": 1 } }),
            "marked" => json!({ "type": "text", "text": "marked", "_meta": {} }),
            text => json!({ "type": "text", "text": text }),
        };
        words.split_whitespace().map(piece).collect()
    }

    /// Columns: content of the request, its other members, the revision, content of the answer, and the content or the
    /// error that goes out.
    #[test]
    fn an_answer_has_the_form_of_its_revision() {
        let plain = json!({});
        let tools = json!({ "tools": [] });
        #[rustfmt::skip]
        let rows = [
            ("a",       &plain, "2025-11-25", "a b use",      Ok("a b use")),
            ("a",       &plain, "2026-07-28", "a b",          Ok("a b")),
            ("a",       &plain, "draft",      "a b",          Ok("a b")),
            ("a",       &plain, "2025-06-18", "a",            Ok("a")),
            ("a",       &plain, "2025-06-18", "image",        Ok("image")),
            ("a",       &plain, "2025-06-18", "a b c",        Ok("a\nb\nc")),
            ("a",       &plain, "2024-11-05", "a b",          Ok("a\nb")),
            ("a",       &plain, "2025-06-18", "a image",      Err("it has 2 pieces")),
            ("a",       &plain, "2025-06-18", "a b image c d", Err("it has 3 pieces")),
            ("a",       &plain, "2025-06-18", "",             Err("it has 0 pieces")),
            ("a",       &plain, "2025-06-18", "hinted",       Ok("hinted")),
            ("a",       &plain, "2025-06-18", "hinted b",     Err("it has 2 pieces")),
            ("a",       &plain, "2025-06-18", "a marked",     Err("it has 2 pieces")),
            ("a",       &plain, "2025-06-18", "use",          Err("it has the use of a tool, which came with MCP 2025-11-25; 2025-06-18 was negotiated")),
            ("a",       &plain, "2025-06-18", "a result",     Err("it has the result of a tool")),
            ("a",       &plain, "2025-03-26", "sound",        Ok("sound")),
            ("a",       &plain, "2024-11-05", "sound",        Err("it has sound, which came with MCP 2025-03-26; 2024-11-05 was negotiated")),
            // A server can read the content that it writes.
            ("sound",   &plain, "2024-11-05", "sound",        Ok("sound")),
            ("sound",   &plain, "2024-11-05", "a b",          Ok("a\nb")),
            ("a",       &tools, "2025-06-18", "a use",        Ok("a use")),
            ("a b",     &plain, "2024-11-05", "a image",      Ok("a image")),
            ("use",     &plain, "2025-06-18", "a",            Ok("a")),
        ];
        for (asked, members, revision, answered, expected) in rows {
            let mut request =
                json!({ "maxTokens": 1, "messages": [{ "role": "assistant", "content": content(asked) }] });
            for (name, value) in members.as_object().unwrap() {
                request[name] = value.clone();
            }
            let request = serde_json::from_str(&request.to_string()).unwrap();
            let result = json!({ "role": "assistant", "model": "m", "content": content(answered) });
            let sent = sampling(revision, &request, serde_json::from_str(&result.to_string()).unwrap());
            match (sent, expected) {
                (Ok(sent), Ok(expected)) => {
                    let expected: Vec<_> = expected.split(' ').filter(|word| !word.is_empty()).collect();
                    let expected = expected.iter().flat_map(|words| match words.contains('\n') {
                        true => vec![json!({ "type": "text", "text": words })],
                        false => content(words),
                    });
                    let sent: Vec<_> = sent.content.iter().map(|piece| json!(piece)).collect();
                    assert_eq!(sent, expected.collect::<Vec<_>>(), "{revision}: {answered}");
                }
                (Err(said), Err(expected)) => assert!(said.starts_with(expected), "{revision}: {answered}: {said}"),
                (sent, _) => panic!("{revision}: {answered}: {sent:?}"),
            }
        }
    }
}
