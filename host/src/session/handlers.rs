//! The handlers of a session: which one takes which kind, and what the host supplies around them.

use std::sync::Arc;

use serde_json::Value;

use crate::Error;
use crate::kinds::{self, KINDS, Kind};
use crate::protocol::types::{ElicitRequest, RpcError};
use crate::sandbox::Handler;

/// A set of handlers in which each kind has one at most. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Handlers {
    by_kind: [Option<Arc<Handler>>; KINDS.len()],
    managed: bool,
    features: Features,
}

/// What the handlers support of a kind: no export can say it, so whoever loads them does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Elicitation by a form: `elicitation.form`. On by default. [client/elicitation, Capabilities]
    pub form: bool,
    /// Elicitation by a page: `elicitation.url`. On by default.
    pub url: bool,
    /// Sampling with tools: `sampling.tools`. Off by default. [client/sampling, Capabilities]
    pub tools: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { form: true, url: true, tools: false }
    }
}

impl Features {
    /// Refuses a request to ask the user in a mode that was not declared. [client/elicitation, Error Handling]
    pub(super) fn check(&self, request: &ElicitRequest) -> Result<(), RpcError> {
        let (declared, mode) = match request {
            ElicitRequest::Form(_) => (self.form, "form"),
            ElicitRequest::Url(_) => (self.url, "url"),
        };
        if declared {
            return Ok(());
        }
        Err(RpcError::invalid_params(format!("Invalid params: elicitation mode `{mode}` was not declared")))
    }
}

/// Who answers a kind.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Served<'a> {
    /// A handler.
    Handler(&'a Arc<Handler>),
    /// The host's own task runtime, around a handler of the plain kind.
    Managed,
    /// The kind's default error.
    Default,
}

impl Handlers {
    /// Puts handlers together.
    ///
    /// # Errors
    /// [`Error::DuplicateKind`] when two export the same kind.
    pub fn new(handlers: impl IntoIterator<Item = Handler>) -> Result<Self, Error> {
        Self::shared(handlers.into_iter().map(Arc::new))
    }

    /// The same of handlers that others have, too.
    pub(crate) fn shared(handlers: impl IntoIterator<Item = Arc<Handler>>) -> Result<Self, Error> {
        let mut set = Self::default();
        for handler in handlers {
            for kind in handler.kinds() {
                let Some(place) = set.by_kind.get_mut(kind as usize) else { continue };
                if let Some(first) = place {
                    let (first, second) = (first.name().to_owned(), handler.name().to_owned());
                    return Err(Error::DuplicateKind { kind, first, second });
                }
                *place = Some(Arc::clone(&handler));
            }
        }
        Ok(set)
    }

    /// Supplies what a receiver of tasks needs around handlers that only know plain requests: a request for a task
    /// whose plain kind has a handler becomes one, whose work is that handler's; `tasks/get`, `tasks/result`,
    /// `tasks/list` and `tasks/cancel` are answered from the store. Kinds that a handler exports stay its own.
    #[must_use]
    pub fn managed(mut self) -> Self {
        self.managed = true;
        self
    }

    /// Says what the handlers support.
    #[must_use]
    pub fn with_features(mut self, features: Features) -> Self {
        self.features = features;
        self
    }

    /// What the handlers support.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The handler of a kind; none means that the host answers.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&Arc<Handler>> {
        self.by_kind.get(kind as usize)?.as_ref()
    }

    /// Who answers a kind.
    #[must_use]
    pub fn served(&self, kind: Kind) -> Served<'_> {
        match self.get(kind) {
            Some(handler) => Served::Handler(handler),
            None if self.managed && self.manages(kind) => Served::Managed,
            None => Served::Default,
        }
    }

    /// Whether the runtime can supply a kind: a task by the plain handler, the rest where there are tasks at all.
    fn manages(&self, kind: Kind) -> bool {
        let takes =
            |kind: Kind| self.get(kind).is_some() || kind.plain().is_some_and(|plain| self.get(plain).is_some());
        if kind.info().augmented {
            return takes(kind);
        }
        kind.is_of_tasks() && KINDS.iter().any(|row| row.augmented && takes(row.kind))
    }

    /// The kinds that are served by more than their default.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.kind).filter(|kind| !matches!(self.served(*kind), Served::Default))
    }

    /// The largest message to read, in bytes: the least that any handler's engine allows.
    pub(super) fn message_size(&self) -> Option<usize> {
        self.by_kind.iter().flatten().map(|handler| handler.message_size()).min()
    }

    /// The capabilities to declare in `initialize`.
    #[must_use]
    pub fn capabilities(&self) -> Value {
        let Features { form, url, tools } = self.features;
        // An object without a mode would say that forms are supported. [client/elicitation, Capabilities]
        let declared = |kind: &Kind| form || url || kind.info().method != Kind::Elicitation.info().method;
        let mut capabilities = kinds::capabilities(self.kinds().filter(declared));
        if let Some(modes) = capabilities.get_mut("elicitation").and_then(Value::as_object_mut) {
            modes.retain(|mode, _| (mode != "form" || form) && (mode != "url" || url));
        }
        if let Some(sampling) = capabilities.get_mut("sampling").and_then(Value::as_object_mut)
            && tools
        {
            sampling.insert("tools".to_owned(), serde_json::json!({}));
        }
        capabilities
    }
}
