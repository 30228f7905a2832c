//! Fake application behind guests that delegate everything: a model and a user that remember each request.
//!
//! Words in the text of a request decide the reaction:
//!
//! | word | brings about |
//! |---|---|
//! | `slow` | nothing, forever |
//! | `soon` | the reaction to the other words, after [`MOMENT`] |
//! | `refuse` | the error of a user who refused |
//! | `decline`, `cancel` | that action of the user |
//! | `misfit` | a `name` that is a number, from the user |
//! | `give JSON` | this JSON as the model's result or as the content of the user's acceptance, whatever the request |
//! | anything else | a text that quotes the request, or a form with the name Ada |

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, Model, ModelContext, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};

/// Error of a user who refused.
pub const REFUSAL: (i32, &str) = (-1, "User rejected sampling request");
/// Delay of the word `soon`.
pub const MOMENT: Duration = Duration::from_millis(50);

/// A model and a user.
#[derive(Debug, Default)]
pub struct FakeApplication {
    shown: Mutex<Vec<Value>>,
}

impl FakeApplication {
    /// Requests shown to the model and the user, in order, as JSON; those to the user also have the member `server`.
    #[must_use]
    pub fn shown(&self) -> Vec<Value> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, what: Value) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// Waits or refuses as the text demands.
async fn consider(text: &str) -> Result<(), RpcError> {
    if text.contains("slow") {
        std::future::pending::<()>().await;
    }
    if text.contains("soon") {
        tokio::time::sleep(MOMENT).await;
    }
    if text.contains("refuse") {
        let (code, message) = REFUSAL;
        return Err(RpcError { code, message: message.to_owned(), data: None });
    }
    Ok(())
}

/// Parses the JSON after the word `give`.
fn given(text: &str) -> Option<Value> {
    let (_, json) = text.split_once("give ")?;
    serde_json::from_str(json).ok()
}

#[async_trait]
impl Model for FakeApplication {
    async fn create_message(
        &self,
        _: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError> {
        let request = json!(request);
        self.show(request.clone());
        let last = request.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
        let text = last.and_then(|message| message.pointer("/content/text")).and_then(Value::as_str);
        let text = text.unwrap_or_default();
        consider(text).await?;
        let content = json!({ "type": "text", "text": format!("Scripted answer to: {text}") });
        let quoted = json!({ "role": "assistant", "content": content, "model": "scripted", "stopReason": "endTurn" });
        read(&given(text).unwrap_or(quoted))
    }
}

/// Reads a type from JSON text, as a peer would send it: some types keep the text of their members.
fn read<T: DeserializeOwned>(value: &Value) -> Result<T, RpcError> {
    let wrong = |error| RpcError { code: -32603, message: format!("the test is wrong: {error}: {value}"), data: None };
    serde_json::from_str(&value.to_string()).map_err(wrong)
}

#[async_trait]
impl User for FakeApplication {
    async fn elicit(&self, server: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let request = json!(request);
        self.show(json!({ "server": server, "request": request }));
        let text = request.get("message").and_then(Value::as_str).unwrap_or_default();
        consider(text).await?;
        let content = given(text).or_else(|| match request.get("mode").and_then(Value::as_str) {
            Some("url") => None,
            _ if text.contains("misfit") => Some(json!({ "name": 7 })),
            _ => Some(json!({ "name": "Ada" })),
        });
        let said = ["decline", "cancel"].into_iter().find(|action| text.contains(action));
        read(&match (said, content) {
            (Some(action), _) => json!({ "action": action }),
            (None, Some(content)) => json!({ "action": "accept", "content": content }),
            (None, None) => json!({ "action": "accept" }),
        })
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(RpcError { code: -32603, message: "nobody asks for a confirmation".to_owned(), data: None })
    }
}
