//! Elicitation: a scripted user who fills in forms.

use crate::Handler;
use crate::bindings::exports::taskcell::handlers::{augmented_elicitation, elicitation};
use crate::bindings::taskcell::handlers::types::{
    CreateTaskResult, ElicitAction, ElicitRequest, ElicitResult, RequestContext, RpcError, TaskInput, TaskMetadata,
};
use crate::script::{Action, Answer, Script, choose};
use crate::{form, settings, tasks};

impl elicitation::Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        answer(&settings::script()?, request).outcome
    }
}

impl augmented_elicitation::Guest for Handler {
    fn handle(_: RequestContext, task: TaskMetadata, request: ElicitRequest) -> Result<CreateTaskResult, RpcError> {
        tasks::start(task, &TaskInput::Elicitation(request), "Waiting for the user")
    }
}

/// What the script's user does with a request.
pub(crate) fn answer(script: &Script, request: ElicitRequest) -> Answer<ElicitResult> {
    let message = match &request {
        ElicitRequest::Form(form) => &form.message,
        ElicitRequest::Url(page) => &page.message,
    };
    let rule = choose(&script.elicitation, message, |rule| &rule.r#match);
    let delay_ms = rule.and_then(|rule| rule.delay_ms).unwrap_or(script.delay_ms);
    if let Some(refusal) = rule.and_then(|rule| rule.error.as_ref()) {
        return Answer { outcome: Err(refusal.into()), delay_ms };
    }
    let action = match (rule.map_or(Action::Accept, |rule| rule.action), request) {
        (Action::Accept, ElicitRequest::Form(form)) => {
            let content = rule.map(|rule| &rule.content);
            // A form that no answer fits is the server's fault, and not to be broken.
            form::fill(form.requested_schema, content)
                .map_or(ElicitAction::Decline, |content| ElicitAction::Accept(Some(content)))
        }
        // A page takes the data itself: there is none to send.
        (Action::Accept, ElicitRequest::Url(_)) => ElicitAction::Accept(None),
        (Action::Decline, _) => ElicitAction::Decline,
        (Action::Cancel, _) => ElicitAction::Cancel,
    };
    Answer { outcome: Ok(ElicitResult { action, meta: None }), delay_ms }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;
    use crate::bindings::taskcell::handlers::types::{
        ElicitEntry, ElicitForm, ElicitUrl, ElicitValue, PrimitiveSchema, RequestedSchema, SchemaProperty,
    };

    const SCRIPT: &str = r#"{"elicitation": [
        {"match": "color", "content": {"name": "Grace", "unasked": 1}, "delayMs": 5},
        {"match": "secret", "action": "decline"},
        {"match": "later", "action": "cancel"},
        {"match": "never", "action": "decline", "error": {"code": 7}}
    ]}"#;

    fn form(message: &str) -> ElicitRequest {
        let schema = PrimitiveSchema::Other(r#"{"type":["string","null"]}"#.into());
        let name = SchemaProperty { name: "name".into(), schema };
        let requested_schema =
            RequestedSchema { dialect: None, properties: vec![name], required: Some(vec!["name".into()]) };
        ElicitRequest::Form(ElicitForm { message: message.into(), requested_schema })
    }

    fn act(request: ElicitRequest) -> ElicitAction {
        answer(&Script::parse(SCRIPT).unwrap(), request).outcome.unwrap().action
    }

    fn accepted(name: &str) -> ElicitAction {
        let name = ElicitEntry { name: "name".into(), value: ElicitValue::Text(name.into()) };
        ElicitAction::Accept(Some(vec![name]))
    }

    #[test]
    fn a_form_is_accepted_with_the_rules_content() {
        assert_eq!(act(form("Your favorite Color?")), accepted("Grace"));
        assert_eq!(act(form("Your name?")), accepted("Ada"));
    }

    #[test]
    fn a_page_is_accepted_with_nothing() {
        let page = |message: &str| {
            ElicitRequest::Url(ElicitUrl {
                message: message.into(),
                elicitation_id: "1".into(),
                url: "https://example.com/".into(),
            })
        };
        assert_eq!(act(page("Pay")), ElicitAction::Accept(None));
        assert_eq!(act(page("Color")), ElicitAction::Accept(None));
        assert_eq!(act(page("Secret")), ElicitAction::Decline);
    }

    #[test]
    fn a_rule_may_decline_cancel_and_fail() {
        assert_eq!(act(form("secret")), ElicitAction::Decline);
        assert_eq!(act(form("later")), ElicitAction::Cancel);
        let failed = answer(&Script::parse(SCRIPT).unwrap(), form("never"));
        assert_eq!(failed.outcome.unwrap_err().code, 7);
    }

    #[test]
    fn the_delay_is_the_rules_or_the_scripts() {
        let delay = |message| answer(&Script::parse(SCRIPT).unwrap(), form(message)).delay_ms;
        assert_eq!((delay("color"), delay("secret")), (5, 300));
    }
}
