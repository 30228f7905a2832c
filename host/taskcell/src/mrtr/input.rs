//! Inputs that a server asks for: each becomes the request that a server of 2025-11-25 would send, and is answered like
//! it.
//!
//! Both revisions ask for the same inputs. Their parameters differ: revision 2026-07-28 has neither tasks of clients
//! nor `elicitationId`, which the handlers know [changelog, Major changes 6, Minor changes 11].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::{RawValue, to_raw_value};
use tokio::task::JoinSet;
use tracing::{Instrument, Span};

use super::error::MAX_QUOTE;
use super::members::Members;
use super::{CallError, Caller, FallbackHandler};
use crate::kinds::Kind;
use crate::protocol::jsonrpc::{self, Message};
use crate::protocol::types::RpcError;
use crate::session::SessionInner;
use crate::text::one_line;

/// Counter of the inputs of this process. Inputs have no ids, and handlers tell their requests apart by ids.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Prefix of the ids of requests that are made of inputs.
pub const INPUT: &str = "input-";

/// Input that a server asks for.
struct Input {
    /// Server's name for the input.
    key: String,
    kind: Kind,
    method: String,
    /// Request of 2025-11-25 for the same input.
    message: Vec<u8>,
}

impl Input {
    /// Reads an input of `inputRequests`.
    fn read(key: String, input: &RawValue) -> Result<Self, CallError> {
        let quoted = one_line(&key, MAX_QUOTE);
        let broken = |why: String| CallError::Answer(format!("the input `{quoted}`: {why}"));
        let members = Members::read(input.get()).map_err(broken)?;
        let method = members.text("method").and_then(|method| method.ok_or_else(|| "it has no `method`".to_owned()));
        let method = method.map_err(broken)?;
        // [basic/patterns/mrtr, Server Requirements]: only sampling, elicitation and roots may be asked for.
        let Some(kind) = Kind::of(&method, false).filter(|kind| !kind.is_of_tasks()) else {
            return Err(broken(format!("`{}` is nothing that can be asked of a client", one_line(&method, MAX_QUOTE))));
        };
        let mut params =
            match members.get("params").map_or(Ok(Members::default()), |params| Members::read(params.get())) {
                Ok(params) => params,
                Err(why) => {
                    let error = RpcError::invalid_params(one_line(&format!("Invalid params: {why}"), MAX_QUOTE));
                    return Err(CallError::Input { key, method, error });
                }
            };
        params.remove("task");
        if kind == Kind::Elicitation
            && params.get("mode").is_some_and(|mode| mode.get() == "\"url\"")
            // The Rust SDK writes an empty id.
            && params.get("elicitationId").is_none_or(|id| id.get() == "\"\"")
            && let Ok(id) = to_raw_value(&key)
        {
            params.set("elicitationId", id);
        }
        let id = format!("{INPUT}{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let message = jsonrpc::request(id, &method, &params);
        let message = message.map_err(|error| broken(error.to_string()))?;
        Ok(Self { key, kind, method, message })
    }

    /// Answers the input by the handlers, like any request, or by the fallback. Returns the input's name and the result
    /// as it would go out.
    async fn answer(
        self,
        session: &Arc<SessionInner>,
        fallback: Option<Arc<dyn FallbackHandler>>,
    ) -> Result<(String, Box<RawValue>), CallError> {
        let answer = match fallback.filter(|_| session.handlers.leaves(self.kind)) {
            Some(fallback) => fallback.answer(&self.message).await,
            None => session.answer(&self.message, &Span::current()).await,
        };
        let outcome = match answer.as_deref().map(Message::read) {
            Some(Ok(Message { result: Some(result), .. })) => Ok(result.to_owned()),
            Some(Ok(Message { error: Some(error), .. })) => {
                Err(serde_json::from_str(error.get()).unwrap_or_else(|error| lost(&error.to_string())))
            }
            Some(Ok(_)) => Err(lost("it is neither result nor error")),
            Some(Err(error)) => Err(error),
            None => Err(RpcError::internal("cancelled", "The request was cancelled")),
        };
        let Self { key, method, .. } = self;
        match outcome {
            Ok(result) => Ok((key, result)),
            Err(error) => Err(CallError::Input { key, method, error }),
        }
    }
}

/// Returns the error for an answer of the session that cannot be read.
fn lost(why: &str) -> RpcError {
    RpcError::internal("answer", format!("The answer is not JSON-RPC: {why}"))
}

impl Caller {
    /// Answers all inputs concurrently by the handlers, and returns the answers by the inputs' names. MCP:
    /// `InputResponses`.
    ///
    /// The first failure ends the other inputs, because without it there is no retry. [basic/patterns/mrtr, Client
    /// Requirements]
    pub(super) async fn gather(&self, inputs: Members) -> Result<Members, CallError> {
        let (count, limit) = (inputs.len(), self.options.inputs);
        if count > limit {
            return Err(CallError::Inputs { count, limit });
        }
        // All inputs are read before any is answered, so that no person is asked in vain.
        let inputs: Result<Vec<_>, _> = inputs.into_iter().map(|(key, input)| Input::read(key, &input)).collect();
        let mut asked = JoinSet::new();
        let declared = self.declared();
        for input in inputs? {
            let (session, places) = (Arc::clone(&self.session), Arc::clone(&declared.places));
            let fallback = self.options.fallback.clone();
            let answer = async move {
                let _place = places.acquire_owned().await;
                input.answer(&session, fallback).await
            };
            asked.spawn(answer.in_current_span());
        }
        let (mut answers, mut size) = (Vec::new(), 0usize);
        let limit = self.session.handlers.active().bounds.size;
        while let Some(answer) = asked.join_next().await {
            let failed = |error| CallError::Transport(Box::new(error));
            let (key, result) = answer.map_err(failed)??;
            size = size.saturating_add(key.len()).saturating_add(result.get().len());
            if size > limit {
                return Err(CallError::Size { size, limit });
            }
            answers.push((key, result));
        }
        Ok(answers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: an input, and the parameters of its request or the error.
    #[test]
    fn an_input_becomes_the_request_that_asks_the_same() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"method":"roots/list"}"#,                                    Ok("{}")),
            (r#"{"method":"roots/list","params":null}"#,                      Ok("{}")),
            (r#"{"method":"roots/list","params":{"_meta":{"a":1.0}}}"#,       Ok(r#"{"_meta":{"a":1.0}}"#)),
            // A client task is removed: the handler would answer it with a task.
            (r#"{"method":"sampling/createMessage","params":{"task":{}}}"#,   Ok("{}")),
            (r#"{"method":"elicitation/create","params":{"mode":"form"}}"#,   Ok(r#"{"mode":"form"}"#)),
            (r#"{"method":"elicitation/create","params":{"mode":"url"}}"#,    Ok(r#"{"elicitationId":"a\"key","mode":"url"}"#)),
            (r#"{"method":"elicitation/create","params":{"mode":"url","elicitationId":""}}"#, Ok(r#"{"elicitationId":"a\"key","mode":"url"}"#)),
            (r#"{"method":"elicitation/create","params":{"mode":"url","elicitationId":"7"}}"#,
                Ok(r#"{"elicitationId":"7","mode":"url"}"#)),
            // Other methods may not be asked for.
            (r#"{"method":"ping"}"#,          Err("the input `a\"key`: `ping` is nothing that can be asked of a client")),
            (r#"{"method":"tasks/get","params":{"taskId":"1"}}"#,
                Err("the input `a\"key`: `tasks/get` is nothing that can be asked of a client")),
            (r#"{"method":"tools/call"}"#,    Err("the input `a\"key`: `tools/call` is nothing that can be asked of a client")),
            (r#"{"method":7}"#,               Err("the input `a\"key`: `method`: invalid type: integer `7`, expected a string at line 1 column 1")),
            (r#"{"params":{}}"#,              Err("the input `a\"key`: it has no `method`")),
            (r#"[]"#,                         Err("the input `a\"key`: invalid type: sequence, expected an object at line 1 column 0")),
            (r#"{"method":"roots/list","params":[]}"#,
                Err("Invalid params: invalid type: sequence, expected an object at line 1 column 0")),
            (r#"{"method":"roots/list","params":{"task":{},"task":{}}}"#, Err("Invalid params: a member comes twice at line 1 column 21")),
        ];
        for (text, expected) in rows {
            let input = Input::read("a\"key".to_owned(), serde_json::from_str(text).unwrap());
            let params = match &input {
                Ok(input) => Ok(Message::read(&input.message).unwrap().params.unwrap().get()),
                Err(CallError::Answer(why)) => Err(why.as_str()),
                Err(error) => Err(error.rpc().unwrap().message.as_str()),
            };
            assert_eq!(params, expected, "{text}");
        }
    }
}
