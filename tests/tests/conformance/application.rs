//! The application behind the guest `plain`: a model and a user that go by the words of a request, and remember what
//! they were shown.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, Model, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};

use super::{MOMENT, REFUSAL};

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

/// Does what a word says of time and refusal.
async fn obey(text: &str) -> Result<(), RpcError> {
    match text {
        "slow" => std::future::pending().await,
        "soon" => tokio::time::sleep(Duration::from_millis(MOMENT)).await,
        "refuse" => return Err(RpcError { code: REFUSAL.0, message: REFUSAL.1.to_owned(), data: None }),
        _ => {}
    }
    Ok(())
}

#[async_trait]
impl Model for Application {
    async fn create_message(&self, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        let request = json!(request);
        self.show(request.clone());
        let last = request["messages"].as_array().and_then(|messages| messages.last());
        let text = last.and_then(|message| message["content"]["text"].as_str()).unwrap_or_default();
        obey(text).await?;
        let content = json!({ "type": "text", "text": format!("Scripted answer to: {text}") });
        let result = json!({ "role": "assistant", "content": content, "model": "scripted", "stopReason": "endTurn" });
        Ok(serde_json::from_value(result).unwrap())
    }
}

#[async_trait]
impl User for Application {
    /// A message `give JSON` is answered with an acceptance of that content, whatever was asked.
    async fn elicit(&self, server: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        let request = json!(request);
        self.show(json!({ "server": server, "request": request }));
        let text = request["message"].as_str().unwrap_or_default();
        obey(text).await?;
        let result = match (text, text.strip_prefix("give ")) {
            ("decline" | "cancel", _) => json!({ "action": text }),
            ("misfit", _) => json!({ "action": "accept", "content": { "name": 7 } }),
            (_, Some(content)) => {
                json!({ "action": "accept", "content": serde_json::from_str::<Value>(content).unwrap() })
            }
            _ if request["mode"] == "url" => json!({ "action": "accept" }),
            _ => json!({ "action": "accept", "content": { "name": "Ada" } }),
        };
        Ok(serde_json::from_value(result).unwrap())
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(RpcError { code: -32603, message: "nobody asks for a confirmation".to_owned(), data: None })
    }
}
