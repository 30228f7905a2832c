//! Why a call of a model failed, as the handler and the log are told.
//!
//! Neither is told what the provider sent: it may quote the key. The log of the program at `-vv` has the provider's own
//! words, without the key, because nobody can repair a refused request otherwise.

use std::time::Duration;

use genai::webc;
use reqwest::StatusCode;
use serde_json::Value;

use super::super::super::Secret;
use crate::protocol::types::RpcError;
use crate::telemetry::{Usage, limit_hit};
use crate::text::one_line;

/// Characters of the provider's words in the log.
const MAX_WORDS: usize = 300;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// As many calls run as may.
    #[error("too many calls of the model are running; try again")]
    Busy { limit: usize },
    /// The session would use more tokens than it may.
    #[error("the session has used up its tokens")]
    Budget { current: u64, limit: u64 },
    /// There were too many calls in the last minute.
    #[error("the model is called too often; try again in a minute")]
    Rate { limit: u32 },
    /// The provider did not answer in time.
    #[error("the model did not answer within {limit:?}")]
    Timeout { limit: Duration },
    /// The provider's answer is too large.
    #[error("the answer of the model's provider is larger than {limit} bytes")]
    AnswerSize { limit: usize },
    /// The provider answered with an error.
    #[error("the model's provider answered with the status {}{}", status.as_u16(), hint(*status))]
    Status { status: StatusCode },
    /// There is no connection to the provider.
    #[error("the model's provider cannot be reached")]
    Unreachable,
    /// The provider's response is not an answer.
    #[error("the model's provider sent {0}")]
    NoAnswer(&'static str),
    /// The host could not ask.
    #[error("the model's provider cannot be asked: {0}")]
    Host(&'static str),
}

/// Explains a status for people.
fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => ": redirects are not followed",
        401 | 403 => ": it does not take the key",
        404 => ": it does not know the model, or the address is wrong",
        413 => ": the request is too large for it",
        429 => ": it is asked too often",
        400..=499 => ": it does not take the request",
        _ => "",
    }
}

impl Failure {
    /// The stable word: log field `error.type`, and `data.kind`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "model_busy",
            Self::Budget { .. } => "model_budget",
            Self::Rate { .. } => "model_rate",
            Self::Timeout { .. } => "model_timeout",
            Self::AnswerSize { .. } => "model_answer_size",
            Self::Status { .. } | Self::Unreachable | Self::NoAnswer(_) | Self::Host(_) => "model",
        }
    }

    /// Whether the provider certainly ran no model.
    pub(super) fn is_free(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::Unreachable | Self::Host(_))
    }

    /// Writes the line in the log, and counts the limit if one was hit.
    pub(super) fn log(&self, handler: &str) {
        const WHAT: &str = "a call of a model failed";

        let (current, limit) = match self {
            Self::Busy { limit } => (Some(limit.saturating_add(1) as u64), *limit as u64),
            Self::Budget { current, limit } => (Some(*current), *limit),
            Self::Rate { limit } => (Some(u64::from(*limit).saturating_add(1)), u64::from(*limit)),
            Self::Timeout { limit } => (None, u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            Self::AnswerSize { limit } => (None, *limit as u64),
            _ => {
                tracing::warn!(handler, error.r#type = self.kind(), error = %self, "{WHAT}");
                return;
            }
        };
        limit_hit::log(self.kind(), Usage { current, limit }, Some(handler), self, WHAT);
    }

    /// The error as the handler gets it.
    pub(super) fn to_rpc(&self) -> RpcError {
        let mut message = self.to_string();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        RpcError::internal(self.kind(), message)
    }

    /// Converts an error of genai.
    pub(super) fn of(error: genai::Error, key: Option<&Secret>) -> Self {
        use genai::Error;

        match error {
            Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => match webc_error {
                webc::Error::ResponseFailedStatus { status, body, .. } => {
                    log_words(status, &body, key);
                    Self::Status { status }
                }
                webc::Error::ResponseFailedNotJson { .. } => Self::NoAnswer("no JSON"),
                webc::Error::ResponseFailedInvalidJson { .. } => Self::NoAnswer("JSON that is broken"),
                webc::Error::JsonValueExt(_) => Self::NoAnswer("no answer of a model"),
                webc::Error::Reqwest(error) if error.is_builder() => Self::Host("the request cannot be written"),
                webc::Error::Reqwest(error) if error.is_connect() => Self::Unreachable,
                webc::Error::Reqwest(_) => Self::NoAnswer("an answer that breaks off"),
            },
            Error::ChatResponseGeneration { .. }
            | Error::NoChatResponse { .. }
            | Error::InvalidJsonResponseElement { .. }
            | Error::ChatResponse { .. }
            | Error::JsonValueExt(_)
            | Error::SerdeJson(_) => Self::NoAnswer("no answer of a model"),
            Error::MessageContentTypeNotSupported { .. }
            | Error::MessageRoleNotSupported { .. }
            | Error::AdapterNotSupported { .. } => Self::Host("it cannot take such a conversation"),
            _ => Self::Host("its settings are incomplete"),
        }
    }
}

/// The provider's own words, without the key. One that refuses the key is apt to quote a part of it.
fn log_words(status: StatusCode, body: &str, key: Option<&Secret>) {
    if matches!(status.as_u16(), 401 | 403) {
        return;
    }
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let words = ["/error/message", "/message", "/error"].iter().find_map(|place| body.pointer(place)?.as_str());
    let Some(words) = words else { return };
    let words = match key {
        Some(key) if !key.expose().is_empty() => words.replace(key.expose(), "[secret]"),
        _ => words.to_owned(),
    };
    tracing::debug!(status = status.as_u16(), "the model's provider says: {}", one_line(&words, MAX_WORDS));
}
