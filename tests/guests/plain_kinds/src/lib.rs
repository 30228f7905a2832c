//! A guest that knows nothing of tasks: it answers sampling and elicitation, takes its time, and tells how far it is.
//!
//! It reads the script of `guest-examples/rust-scripted`, so what is expected of that one's tasks can be expected of
//! the tasks that a host makes of these plain answers.

use bindings::exports::taskcell::handlers::{elicitation, sampling};
use bindings::taskcell::handlers::progress;
use bindings::taskcell::handlers::types::*;
use bindings::wasi::clocks::monotonic_clock;
use script::{Action, choose};

include!("forms.rs");
#[allow(dead_code, reason = "the script is also of roots and of tasks, which this guest leaves out")]
#[path = "../../../../guest-examples/rust-scripted/src/script.rs"]
mod script;
#[path = "../../../../guest-examples/rust-scripted/src/settings.rs"]
mod settings;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package taskcell:plain-kinds;
            world plain-kinds {
                import taskcell:handlers/progress@0.1.0;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:clocks/monotonic-clock@0.2.6;
                export taskcell:handlers/sampling@0.1.0;
                export taskcell:handlers/elicitation@0.1.0;
            }
        ",
        path: "../../../wit",
        world: "taskcell:plain-kinds/plain-kinds",
        generate_all,
        additional_derives: [PartialEq],
    });

    export!(Handler);

    use crate::Handler;
}

/// Progress is told in two steps: begun and done.
const STEPS: f64 = 2.0;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

struct Handler;

impl sampling::Guest for Handler {
    fn handle(context: RequestContext, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let script = settings::script()?;
        let prompt = match request.messages.last().and_then(|message| message.content.last()) {
            Some(SamplingContent::Text(content)) => content.text.as_str(),
            _ => "",
        };
        let rule = choose(&script.sampling, prompt, |rule| &rule.r#match);
        take_time(rule.and_then(|rule| rule.delay_ms).unwrap_or(script.delay_ms));
        if let Some(error) = rule.and_then(|rule| rule.error.as_ref()) {
            return Err(error.into());
        }
        let answer = rule.and_then(|rule| rule.answer.as_deref()).unwrap_or("Scripted answer to: {prompt}");
        let text = answer.replace("{prompt}", prompt).replace("{attempt}", &context.attempt.to_string());
        let text = TextContent { text, annotations: None, meta: None };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(text)],
            model: script.model,
            stop_reason: Some("endTurn".into()),
            meta: None,
        })
    }
}

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let script = settings::script()?;
        let message = match &request {
            ElicitRequest::Form(form) => &form.message,
            ElicitRequest::Url(page) => &page.message,
        };
        let rule = choose(&script.elicitation, message, |rule| &rule.r#match);
        take_time(rule.and_then(|rule| rule.delay_ms).unwrap_or(script.delay_ms));
        if let Some(error) = rule.and_then(|rule| rule.error.as_ref()) {
            return Err(error.into());
        }
        let action = match (rule.map_or(Action::Accept, |rule| rule.action), request) {
            (Action::Accept, ElicitRequest::Form(form)) => {
                form::fill(form.requested_schema, rule.map(|rule| &rule.content))
                    .map_or(ElicitAction::Decline, |content| ElicitAction::Accept(Some(content)))
            }
            (Action::Accept, ElicitRequest::Url(_)) => ElicitAction::Accept(None),
            (Action::Decline, _) => ElicitAction::Decline,
            (Action::Cancel, _) => ElicitAction::Cancel,
        };
        Ok(ElicitResult { action, meta: None })
    }
}

/// Waits as long as the script says, and tells of the begin and of the end.
fn take_time(milliseconds: u32) {
    progress::report(1.0, Some(STEPS), Some("Begun"));
    monotonic_clock::subscribe_duration(u64::from(milliseconds) * NANOSECONDS_PER_MILLISECOND).block();
    progress::report(STEPS, Some(STEPS), Some("Done"));
}
