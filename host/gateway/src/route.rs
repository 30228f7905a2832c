//! Ways of questions, and facts that they are chosen by.

use serde_json::Value;

use crate::policy::{Rule, Topic};

/// Revision that brought tasks, pages and tools of sampling. A handler's are declared from this revision on.
pub(crate) const REVISION: &str = "2025-11-25";

/// Way of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// To the client.
    Client,
    /// To a handler.
    Handler,
    /// To the client, and to a handler when the client does not support the method after all.
    ClientThenHandler,
    /// To a handler, and to the client when the handler says that the question is not its own.
    HandlerThenClient,
    /// To the client, which did not declare it, as without a gateway.
    Undeclared,
    /// Nowhere: the gateway answers with the error for an unsupported question.
    Refused,
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Handler => "handler",
            Self::ClientThenHandler => "client, then handler",
            Self::HandlerThenClient => "handler, then client",
            Self::Undeclared => "nobody (not declared)",
            Self::Refused => "nobody (refused)",
        })
    }
}

impl Route {
    /// Whether the server is told that it may ask.
    #[must_use]
    pub fn is_declared(self) -> bool {
        !matches!(self, Self::Undeclared | Self::Refused)
    }

    /// Whether the client may be asked, having declared it.
    pub(crate) fn has_client(self) -> bool {
        matches!(self, Self::Client | Self::ClientThenHandler | Self::HandlerThenClient)
    }

    /// Whether a handler may be asked.
    pub(crate) fn has_handler(self) -> bool {
        matches!(self, Self::Handler | Self::ClientThenHandler | Self::HandlerThenClient)
    }
}

/// Client as it initializes.
#[derive(Debug, Clone, Default)]
pub struct ClientFacts {
    /// `clientInfo.name`.
    pub name: String,
    /// `protocolVersion`, which the client asks for.
    pub revision: String,
    /// `capabilities`.
    pub capabilities: Value,
}

/// Row of a plan: one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanRow {
    /// Kind of question.
    pub topic: Topic,
    /// Rule that was applied.
    pub rule: Rule,
    /// Outcome.
    pub route: Route,
    /// Reason, for people.
    pub why: String,
}

/// Whether `revision` has what came with [`REVISION`]. Revisions are dates; any other name counts as newer than all
/// known ones.
pub(crate) fn is_current(revision: &str) -> bool {
    !revision.starts_with(|first: char| first.is_ascii_digit()) || revision >= REVISION
}
