//! Messages whose parameters are read by the type of their kind, in one pass where the order of the members allows.
//!
//! All SDKs write `method` before `params`, so the kind is known when the parameters come, and they are read in place.
//! In any other order, and for every error, the message is read twice: first as slices, then by type.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::jsonrpc::{Message, utf8};
use super::kinds::Kind;
use super::params::{self, ParamsError, RequestBody, RequestParams};
use super::types::{CreateMessageRequest, ElicitRequest, RpcError};
use super::wire::tagged::Text;

/// Parameters of a request, by its method.
pub(crate) enum Params {
    /// Parameters of `tasks/get`, `tasks/result` and `tasks/cancel`.
    Task(RequestParams<TaskParams>),
    /// Parameters of `tasks/list`.
    List(RequestParams<ListParams>),
    /// Parameters of `sampling/createMessage`.
    Sampling(Box<RequestParams<CreateMessageRequest>>),
    /// Parameters of `elicitation/create`.
    Elicitation(Box<RequestParams<ElicitRequest>>),
    /// Parameters of `roots/list`, which has none of its own.
    Roots(RequestParams<NoParams>),
}

/// Task that the request concerns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskParams {
    pub(crate) task_id: String,
}

/// Page that the request asks for.
#[derive(Deserialize)]
pub(crate) struct ListParams {
    pub(crate) cursor: Option<String>,
}

/// No parameters.
#[derive(Deserialize)]
pub(crate) struct NoParams {}

impl RequestBody for TaskParams {}
impl RequestBody for ListParams {}
impl RequestBody for NoParams {}
impl RequestBody for CreateMessageRequest {
    const AUGMENTABLE: bool = true;
}
impl RequestBody for ElicitRequest {
    const AUGMENTABLE: bool = true;
}

/// Reads the parameters of a kind.
struct ParamsOf(Kind);

impl<'de> DeserializeSeed<'de> for ParamsOf {
    type Value = Params;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Params, D::Error> {
        Ok(match self.0 {
            Kind::GetTask | Kind::GetTaskResult | Kind::CancelTask => {
                Params::Task(Deserialize::deserialize(deserializer)?)
            }
            Kind::ListTasks => Params::List(Deserialize::deserialize(deserializer)?),
            Kind::Sampling | Kind::AugmentedSampling => Params::Sampling(Deserialize::deserialize(deserializer)?),
            Kind::Elicitation | Kind::AugmentedElicitation => {
                Params::Elicitation(Deserialize::deserialize(deserializer)?)
            }
            Kind::Roots => Params::Roots(Deserialize::deserialize(deserializer)?),
        })
    }
}

/// A message of the server.
pub(crate) struct Incoming<'a> {
    /// The message; its `params` are none when they were read already.
    pub(crate) message: Message<'a>,
    read: Option<Params>,
}

impl<'a> Incoming<'a> {
    /// Reads a message.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, RpcError> {
        let text = utf8(text)?;
        match serde_json::from_str::<Incoming<'a>>(text) {
            Ok(incoming) => incoming.message.check().map(|()| incoming),
            // The slow way gives a better message for whatever is wrong.
            Err(_) => Message::read_text(text).map(|message| Self { message, read: None }),
        }
    }

    /// Returns the parameters, read for the message's kind.
    pub(crate) fn take_params(&mut self, kind: Kind) -> Result<Params, ParamsError> {
        match self.read.take() {
            Some(params) => Ok(params),
            None => params::read(ParamsOf(kind), self.message.params),
        }
    }
}

impl<'de> Deserialize<'de> for Incoming<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(IncomingVisitor)
    }
}

/// The members of a message.
const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

struct IncomingVisitor;

impl<'de> Visitor<'de> for IncomingVisitor {
    type Value = Incoming<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Incoming<'de>, A::Error> {
        let mut message = Message { jsonrpc: None, id: None, method: None, params: None, result: None, error: None };
        let mut read = None;
        let mut seen = 0u8;
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            // A later reader of the message might take the other of two members with one name.
            if let Some(place) = MEMBERS.iter().position(|member| *member == key) {
                if seen & (1 << place) != 0 {
                    return Err(A::Error::custom(format!("the member `{key}` comes twice")));
                }
                seen |= 1 << place;
            }
            match &*key {
                "jsonrpc" => message.jsonrpc = Some(map.next_value::<Text<'de>>()?.0),
                "id" => message.id = map.next_value()?,
                "method" => message.method = Some(map.next_value::<Text<'de>>()?.0),
                "params" => match kind_of(message.method.as_ref()) {
                    Some(kind) => read = Some(map.next_value_seed(ParamsOf(kind))?),
                    None => message.params = map.next_value()?,
                },
                "result" => message.result = map.next_value()?,
                "error" => message.error = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Incoming { message, read })
    }
}

fn kind_of(method: Option<&Cow<'_, str>>) -> Option<Kind> {
    Kind::of(method?, false)
}
