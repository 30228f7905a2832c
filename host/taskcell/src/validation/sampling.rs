//! Sampling: tools only where the client declared them, and a conversation in which each tool use has its result.
//! [client/sampling, Message Content Constraints]
//!
//! A handler may pass the conversation to a provider that refuses a broken one much later and in its own words. So the
//! server gets the error from the host, before a cell is made.

use super::{MAX_QUOTE, read_own};
use crate::protocol::types::{
    CreateMessageRequest, CreateMessageResult, Role, RpcError, SamplingContent, SamplingMessage,
};
use crate::text::one_line;

/// Checks that a request is one that a client must or should accept, whichever handler serves it.
///
/// # Errors
/// -32602 [client/sampling, Error Handling]; also for `tools` and `toolChoice` when the capability `sampling.tools` was
/// not declared [schema, CreateMessageRequestParams].
pub(crate) fn check_request(request: &CreateMessageRequest, tools_declared: bool) -> Result<(), RpcError> {
    let asked = [("tools", request.tools.is_some()), ("toolChoice", request.tool_choice.is_some())];
    if let Some((member, _)) = asked.iter().find(|(_, present)| *present && !tools_declared) {
        return Err(RpcError::invalid_params(format!("`{member}` without the client's capability sampling.tools")));
    }
    if let Some(index) = request.messages.iter().position(is_mixed) {
        return Err(RpcError::invalid_params(format!("Tool results mixed with other content: messages[{index}]")));
    }
    for (index, message) in request.messages.iter().enumerate() {
        let next = index.saturating_add(1);
        check_results(message, request.messages.get(next))
            .map_err(|fault| RpcError::invalid_params(format!("{fault}: messages[{next}]")))?;
    }
    Ok(())
}

/// Whether a user message mixes tool results with other content. [client/sampling, Tool Result Messages]
fn is_mixed(message: &SamplingMessage) -> bool {
    let is_result = |content: &SamplingContent| matches!(content, SamplingContent::ToolResult(_));
    message.role == Role::User && message.content.iter().any(is_result) && !message.content.iter().all(is_result)
}

/// Checks that each tool use of an assistant's message has exactly one result in the next message. [client/sampling,
/// Tool Use and Result Balance]
fn check_results(message: &SamplingMessage, next: Option<&SamplingMessage>) -> Result<(), String> {
    if message.role != Role::Assistant {
        return Ok(());
    }
    let mut uses = ids(Some(message), |content| match content {
        SamplingContent::ToolUse(tool_use) => Some(&tool_use.id),
        _ => None,
    });
    if uses.is_empty() {
        return Ok(());
    }
    let mut results = ids(next.filter(|next| next.role == Role::User), |content| match content {
        SamplingContent::ToolResult(result) => Some(&result.tool_use_id),
        _ => None,
    });
    uses.sort_unstable();
    results.sort_unstable();
    if let Some(id) = uses.iter().find(|id| results.binary_search(id).is_err()) {
        return Err(format!("Tool result missing in request: of `{}`", one_line(id, MAX_QUOTE)));
    }
    if uses != results {
        return Err("Tool results and tool uses are not one to one".to_owned());
    }
    Ok(())
}

fn ids<'a>(
    message: Option<&'a SamplingMessage>,
    id: impl Fn(&'a SamplingContent) -> Option<&'a String>,
) -> Vec<&'a str> {
    message.into_iter().flat_map(|message| &message.content).filter_map(id).map(String::as_str).collect()
}

/// Checks that a handler's own JSON object is a `CreateMessageResult`.
///
/// # Errors
/// The place of the fault in the object.
pub(crate) fn check_custom(object: &str) -> Result<(), String> {
    read_own::<CreateMessageResult>(object, "CreateMessageResult").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::jsonrpc::code;

    /// Parses messages in short form: a role, then its contents, by `t`ext, `i`mage, use `uX`, result `rX` of id X.
    fn request(messages: &str) -> CreateMessageRequest {
        let content = |word: &str| match (&word[..1], &word[1..]) {
            ("t", _) => r#"{"type":"text","text":"t"}"#.to_owned(),
            ("i", _) => r#"{"type":"image","data":"","mimeType":"image/png"}"#.to_owned(),
            ("u", id) => format!(r#"{{"type":"tool_use","id":"{id}","name":"n","input":{{}}}}"#),
            (_, id) => format!(r#"{{"type":"tool_result","toolUseId":"{id}","content":[]}}"#),
        };
        let message = |text: &str| {
            let (role, contents) = text.split_once(':').unwrap();
            let contents: Vec<_> = contents.split_whitespace().map(content).collect();
            let role = if role.trim() == "user" { "user" } else { "assistant" };
            format!(r#"{{"role":"{role}","content":[{}]}}"#, contents.join(","))
        };
        let messages: Vec<_> = messages.split(',').filter(|text| !text.is_empty()).map(message).collect();
        let text = format!(r#"{{"maxTokens":1,"messages":[{}]}}"#, messages.join(","));
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn tool_uses_and_their_results() {
        let cases = [
            ("", None),
            ("user: t", None),
            ("user: t i, ai: t, user: t", None),
            ("user: t, ai: uA, user: rA", None),
            ("user: t, ai: t uA uB, user: rB rA, ai: t", None),
            ("user: t, ai: uA, user: rA, ai: uB, user: rB", None),
            // The specification shows a message of results alone.
            ("user: rA", None),
            ("user: rA rB", None),
            // A tool use of a user, or an empty message, is no fault.
            ("user: uA", None),
            ("user:", None),
            ("ai:, user: t", None),
            ("user: t rA", Some("Tool results mixed with other content: messages[0]")),
            ("user: rA i", Some("Tool results mixed with other content: messages[0]")),
            ("user: t, ai: uA, user: rA t", Some("Tool results mixed with other content: messages[2]")),
            ("user: t, ai: uA uB, user: rA t", Some("Tool results mixed with other content: messages[2]")),
            ("user: t, ai: uA uB, user: rA, ai: t", Some("Tool result missing in request: of `B`: messages[2]")),
            ("user: t, ai: uA", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, user: t", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, user:", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, ai: t, user: rA", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, ai: rA", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, user: rB", Some("Tool result missing in request: of `A`: messages[2]")),
            ("user: t, ai: uA, user: ra", Some("Tool result missing in request: of `A`: messages[2]")),
            ("ai: uA, user: rA rB", Some("Tool results and tool uses are not one to one: messages[1]")),
            ("ai: uA, user: rA rA", Some("Tool results and tool uses are not one to one: messages[1]")),
            ("ai: uA uA, user: rA", Some("Tool results and tool uses are not one to one: messages[1]")),
            ("ai: uA, user: rA, ai: uB, user: t", Some("Tool result missing in request: of `B`: messages[3]")),
        ];
        for (messages, expected) in cases {
            let expected = expected.map_or(Ok(()), |message| Err(RpcError::new(code::INVALID_PARAMS, message)));
            assert_eq!(check_request(&request(messages), true), expected, "{messages}");
        }
    }

    #[test]
    fn tools_only_where_they_were_declared() {
        let cases = [
            ("", true),
            (r#","tools":null,"toolChoice":null"#, true),
            (r#","tools":[]"#, false),
            (r#","tools":[{"name":"n","inputSchema":{}}]"#, false),
            (r#","toolChoice":{}"#, false),
            (r#","toolChoice":{"mode":"none"}"#, false),
        ];
        for (members, plain) in cases {
            let request = serde_json::from_str(&format!(r#"{{"maxTokens":1,"messages":[]{members}}}"#)).unwrap();
            assert_eq!(check_request(&request, true), Ok(()), "{members}");
            let undeclared = check_request(&request, false).map_err(|error| error.code);
            assert_eq!(undeclared, if plain { Ok(()) } else { Err(code::INVALID_PARAMS) }, "{members}");
        }
    }

    #[test]
    fn an_own_result_must_be_one() {
        let good = [
            r#"{"role":"assistant","content":{"type":"text","text":"t"},"model":"m"}"#,
            r#"{"role":"assistant","content":[],"model":"m","stopReason":"x","_meta":{},"more":1}"#,
        ];
        for object in good {
            assert_eq!(check_custom(object), Ok(()), "{object}");
        }
        let bad = [
            ("", "no JSON object"),
            (r#"["assistant",[],"m"]"#, "no JSON object"),
            ("{}", "wrong at `.`"),
            (r#"{"role":"assistant","content":{"type":"text","text":"SECRET"}}"#, "wrong at `.`"),
            (r#"{"role":"assistant","content":"SECRET","model":"m"}"#, "wrong at `content`"),
            (r#"{"role":"SECRET","content":[],"model":"m"}"#, "wrong at `role`"),
            (r#"{"role":"assistant","content":[],"model":7}"#, "wrong at `model`"),
            (r#"{"role":"assistant","content":[],"model":"m"} SECRET"#, "more text after it"),
        ];
        for (object, expected) in bad {
            let fault = check_custom(object).unwrap_err();
            assert!(fault.ends_with(expected), "{object}: {fault}");
            assert!(!fault.contains("SECRET"), "{fault}");
        }
    }
}
