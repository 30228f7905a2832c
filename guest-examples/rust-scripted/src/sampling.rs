//! Sampling: a text in place of a model's.

use crate::Handler;
use crate::bindings::exports::taskcell::handlers::{augmented_sampling, sampling};
use crate::bindings::taskcell::handlers::types::{
    CreateMessageRequest, CreateMessageResult, CreateTaskResult, RequestContext, Role, RpcError, SamplingContent,
    SamplingMessage, TaskInput, TaskMetadata, TextContent,
};
use crate::script::{Answer, Script, choose};
use crate::{settings, tasks};

/// What the model says when no rule gives a text.
const DEFAULT_ANSWER: &str = "Scripted answer to: {prompt}";

impl sampling::Guest for Handler {
    fn handle(context: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        answer(settings::script()?, &request, context.attempt).outcome
    }
}

impl augmented_sampling::Guest for Handler {
    fn handle(
        _: RequestContext,
        task: TaskMetadata,
        request: CreateMessageRequest,
    ) -> Result<CreateTaskResult, RpcError> {
        tasks::start(task, &TaskInput::Sampling(request), "Waiting for the model")
    }
}

/// What the script says to a request that is being answered for the `attempt`-th time.
pub(crate) fn answer(script: Script, request: &CreateMessageRequest, attempt: u32) -> Answer<CreateMessageResult> {
    let prompt = last_user_text(&request.messages);
    let rule = choose(&script.sampling, prompt, |rule| &rule.r#match);
    let delay_ms = rule.and_then(|rule| rule.delay_ms).unwrap_or(script.delay_ms);
    if let Some(refusal) = rule.and_then(|rule| rule.error.as_ref()) {
        return Answer { outcome: Err(refusal.into()), delay_ms };
    }
    let text = rule.and_then(|rule| rule.answer.as_deref()).unwrap_or(DEFAULT_ANSWER);
    let stop_reason = rule.and_then(|rule| rule.stop_reason.as_deref()).unwrap_or("endTurn");
    let text = text.replace("{prompt}", prompt).replace("{attempt}", &attempt.to_string());
    let text = TextContent { text, annotations: None, meta: None };
    let result = CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(text)],
        stop_reason: Some(stop_reason.into()),
        model: script.model,
        meta: None,
    };
    Answer { outcome: Ok(result), delay_ms }
}

/// The last text that the user wrote, or nothing.
fn last_user_text(messages: &[SamplingMessage]) -> &str {
    let user = messages.iter().filter(|message| message.role == Role::User);
    let mut contents = user.flat_map(|message| &message.content).rev();
    let text = contents.find_map(|content| match content {
        SamplingContent::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    fn text(text: &str) -> SamplingContent {
        SamplingContent::Text(TextContent { text: text.into(), annotations: None, meta: None })
    }

    fn request(messages: &[(Role, &[&str])]) -> CreateMessageRequest {
        let messages = messages.iter().map(|(role, texts)| SamplingMessage {
            role: *role,
            content: texts.iter().copied().map(text).collect(),
            meta: None,
        });
        CreateMessageRequest {
            messages: messages.collect(),
            model_preferences: None,
            system_prompt: None,
            include_context: None,
            temperature: None,
            max_tokens: 10,
            stop_sequences: None,
            metadata: None,
            tools: None,
            tool_choice: None,
        }
    }

    fn ask(script: &str, messages: &[(Role, &[&str])]) -> Answer<CreateMessageResult> {
        answer(Script::parse(script).unwrap(), &request(messages), 1)
    }

    #[test]
    fn the_default_quotes_the_last_text_of_the_user() {
        let turns: [(Role, &[&str]); 4] =
            [(Role::User, &["one"]), (Role::User, &["two", "three"]), (Role::User, &[]), (Role::Assistant, &["four"])];
        let answer = ask("{}", &turns);
        let result = answer.outcome.unwrap();
        assert_eq!(result.content, [text("Scripted answer to: three")]);
        assert_eq!(result.role, Role::Assistant);
        assert_eq!((result.model.as_str(), result.stop_reason.as_deref()), ("scripted", Some("endTurn")));
        assert_eq!(answer.delay_ms, 300);
    }

    #[test]
    fn nothing_is_quoted_where_the_user_wrote_nothing() {
        let result = ask("{}", &[(Role::Assistant, &["hello"])]).outcome.unwrap();
        assert_eq!(result.content, [text("Scripted answer to: ")]);
    }

    #[test]
    fn a_rule_sets_what_it_names_and_leaves_the_rest() {
        let script = r#"{
            "model": "m", "delayMs": 7,
            "sampling": [
                {"match": "weather", "answer": "{prompt} {prompt}", "stopReason": "maxTokens", "delayMs": 0},
                {"match": "no", "error": {"message": "busy"}},
                {}
            ]
        }"#;
        let answer = ask(script, &[(Role::User, &["Weather?"])]);
        let result = answer.outcome.unwrap();
        assert_eq!(result.content, [text("Weather? Weather?")]);
        assert_eq!((result.model.as_str(), result.stop_reason.as_deref()), ("m", Some("maxTokens")));
        assert_eq!(answer.delay_ms, 0);

        let refused = ask(script, &[(Role::User, &["No!"])]);
        let error = refused.outcome.unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (-1, "busy"));
        assert_eq!(refused.delay_ms, 7);

        let result = ask(script, &[(Role::User, &["hi"])]).outcome.unwrap();
        assert_eq!(result.content, [text("Scripted answer to: hi")]);
    }
}
