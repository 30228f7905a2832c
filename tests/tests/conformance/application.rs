//! The application behind the guest `asking`: a model and a user that say yes, and remember what they were shown.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, Model, ModelContext, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};

#[derive(Default)]
pub(super) struct Application {
    shown: Mutex<Vec<Value>>,
}

impl Application {
    /// What the model and the user were shown, in order: the request as JSON, and for the user also the `server`.
    pub(super) fn shown(&self) -> Vec<Value> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, what: Value) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

#[async_trait]
impl Model for Application {
    async fn create_message(
        &self,
        _: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError> {
        let request = json!(request);
        self.show(request.clone());
        let last = request["messages"].as_array().and_then(|messages| messages.last());
        let text = last.and_then(|message| message["content"]["text"].as_str()).unwrap_or_default();
        let content = json!({ "type": "text", "text": format!("Scripted answer to: {text}") });
        let result = json!({ "role": "assistant", "content": content, "model": "scripted", "stopReason": "endTurn" });
        Ok(read(&result))
    }
}

/// Reads a type as its peer sends it: from text, for some keep the text of their members.
fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_str(&value.to_string()).unwrap()
}

#[async_trait]
impl User for Application {
    /// A message `give JSON` is answered with an acceptance of that content, whatever was asked.
    async fn elicit(&self, server: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let request = json!(request);
        self.show(json!({ "server": server, "request": request }));
        let text = request["message"].as_str().unwrap_or_default();
        let result = match text.strip_prefix("give ") {
            Some(content) => {
                json!({ "action": "accept", "content": serde_json::from_str::<Value>(content).unwrap() })
            }
            None if request["mode"] == "url" => json!({ "action": "accept" }),
            None => json!({ "action": "accept", "content": { "name": "Ada" } }),
        };
        Ok(read(&result))
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(RpcError { code: -32603, message: "nobody asks for a confirmation".to_owned(), data: None })
    }
}
