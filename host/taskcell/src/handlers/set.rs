//! A set of handlers: which one takes which kind, and what the host supplies around them.

use std::sync::Arc;

use serde_json::Value;

use super::component::Handler;
use super::native::{self, NativeHandler};
use crate::error::{LoadError, LoadFault};
use crate::kinds::{self, KINDS, Kind};
use crate::protocol::Bounds;
use crate::protocol::types::{ElicitRequest, RpcError};
use crate::sandbox::Limits;

/// A set of handlers in which each kind has one at most. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Handlers {
    by_kind: [Option<KindHandler>; KINDS.len()],
    /// Components, including those that export no kind: another version of such a component may export one.
    components: Vec<Arc<Handler>>,
    managed: bool,
    features: Features,
}

/// Handler of a kind.
#[derive(Debug, Clone)]
pub(crate) enum KindHandler {
    Component(Arc<Handler>),
    Native(NativeHandler),
}

impl KindHandler {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Component(handler) => handler.name(),
            Self::Native(_) => native::NAME,
        }
    }

    /// Digest of the handler's code, for the audit log.
    pub(crate) fn digest(&self) -> &str {
        match self {
            Self::Component(handler) => handler.digest(),
            Self::Native(_) => native::NAME,
        }
    }

    /// Whether both are the same handler, not only the same code.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Component(one), Self::Component(other)) => Arc::ptr_eq(one, other),
            (Self::Native(one), Self::Native(other)) => one.is(other),
            _ => false,
        }
    }
}

/// Supported features of a kind. No export can state them, so the code that loads the handlers does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Elicitation by a form: `elicitation.form`. On by default. [client/elicitation, Capabilities]
    pub form: bool,
    /// Elicitation by a page: `elicitation.url`. On by default.
    pub url: bool,
    /// Sampling with tools: `sampling.tools`. Off by default. [client/sampling, Capabilities]
    pub tools: bool,
    /// Whether the server is told that the roots may be others now, when what answers `roots/list` was
    /// [replaced](super::HandlerRegistry): `roots.listChanged`. Off by default. [client/roots, Capabilities]
    pub roots_list_changed: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { form: true, url: true, tools: false, roots_list_changed: false }
    }
}

impl Features {
    /// Refuses a request to ask the user in a mode that was not declared. [client/elicitation, Error Handling]
    pub(crate) fn check(&self, request: &ElicitRequest) -> Result<(), RpcError> {
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

/// Responder to requests of a kind.
#[derive(Debug, Clone, Copy)]
pub enum Responder<'a> {
    /// A component.
    Handler(&'a Arc<Handler>),
    /// A closure of the application.
    Native(&'a NativeHandler),
    /// The host's own task runtime, around a handler of the plain kind.
    Managed,
    /// The kind's default error.
    Default,
}

impl Handlers {
    /// Puts handlers together.
    ///
    /// # Errors
    /// [`LoadFault::DuplicateKind`] when two export the same kind.
    pub fn new(handlers: impl IntoIterator<Item = Handler>) -> Result<Self, LoadError> {
        Self::shared(handlers.into_iter().map(Arc::new))
    }

    /// Creates a set from handlers that other sets may share.
    pub fn shared(handlers: impl IntoIterator<Item = Arc<Handler>>) -> Result<Self, LoadError> {
        let mut set = Self::default();
        for handler in handlers {
            set.put_all(&handler)?;
            set.components.push(handler);
        }
        Ok(set)
    }

    /// Creates a set in which one component is replaced.
    ///
    /// # Errors
    /// [`LoadFault::DuplicateKind`] when the new component exports a kind that another handler takes.
    pub(crate) fn with_component(&self, old: &Arc<Handler>, new: &Arc<Handler>) -> Result<Self, LoadError> {
        let mut set = self.clone();
        let is_old =
            |taker: &mut KindHandler| matches!(taker, KindHandler::Component(taker) if Arc::ptr_eq(taker, old));
        for place in &mut set.by_kind {
            place.take_if(is_old);
        }
        set.put_all(new)?;
        for component in &mut set.components {
            if Arc::ptr_eq(component, old) {
                component.clone_from(new);
            }
        }
        Ok(set)
    }

    /// Adds a closure of the application as the handler of its kind.
    ///
    /// # Errors
    /// [`LoadFault::DuplicateKind`] when the kind is taken.
    pub fn native(mut self, native: NativeHandler) -> Result<Self, LoadError> {
        self.put(native.kind(), KindHandler::Native(native))?;
        Ok(self)
    }

    fn put_all(&mut self, handler: &Arc<Handler>) -> Result<(), LoadError> {
        handler.kinds().try_for_each(|kind| self.put(kind, KindHandler::Component(Arc::clone(handler))))
    }

    fn put(&mut self, kind: Kind, taker: KindHandler) -> Result<(), LoadError> {
        let Some(place) = self.by_kind.get_mut(kind as usize) else { return Ok(()) };
        if let Some(first) = place {
            let first = first.name().to_owned();
            return Err(LoadFault::DuplicateKind { kind, first }.of(taker.name()));
        }
        *place = Some(taker);
        Ok(())
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

    /// Supported features of the handlers.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The component that takes a kind; none where a closure does, or the host.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&Arc<Handler>> {
        match self.handler_for(kind)? {
            KindHandler::Component(handler) => Some(handler),
            KindHandler::Native(_) => None,
        }
    }

    /// Returns the handler of a kind; `None` means that the host answers.
    pub(crate) fn handler_for(&self, kind: Kind) -> Option<&KindHandler> {
        self.by_kind.get(kind as usize)?.as_ref()
    }

    /// Returns the responder to a kind.
    #[must_use]
    pub fn responder(&self, kind: Kind) -> Responder<'_> {
        match self.handler_for(kind) {
            Some(KindHandler::Component(handler)) => Responder::Handler(handler),
            Some(KindHandler::Native(native)) => Responder::Native(native),
            None if self.managed && self.manages(kind) => Responder::Managed,
            None => Responder::Default,
        }
    }

    /// Whether the runtime can supply a kind: a task by the plain handler, the rest where there are tasks at all.
    fn manages(&self, kind: Kind) -> bool {
        let takes = |kind: Kind| {
            self.handler_for(kind).is_some() || kind.plain().is_some_and(|plain| self.handler_for(plain).is_some())
        };
        if kind.info().augmented {
            return takes(kind);
        }
        kind.is_of_tasks() && KINDS.iter().any(|row| row.augmented && takes(row.kind))
    }

    /// The kinds that are served by more than their default.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.kind).filter(|kind| !matches!(self.responder(*kind), Responder::Default))
    }

    /// Bounds of messages that are read, and of closures' answers: the lowest of all components' engines, or the
    /// defaults when there is no component.
    pub(crate) fn bounds(&self) -> Bounds {
        let bounds = self.components().map(|handler| handler.limits().bounds());
        bounds.reduce(Bounds::least).unwrap_or_else(|| Limits::default().bounds())
    }

    /// Number of cells that a session may have at once: the lowest of all components' engines.
    pub(crate) fn session_cells(&self) -> Option<u32> {
        self.components().map(|handler| handler.limits().session_cells).min()
    }

    /// The components, those that export no kind among them.
    pub fn components(&self) -> impl Iterator<Item = &Arc<Handler>> {
        self.components.iter()
    }

    /// The capabilities to declare in `initialize`.
    #[must_use]
    pub fn capabilities(&self) -> Value {
        let Features { form, url, tools, roots_list_changed } = self.features;
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
        if let Some(roots) = capabilities.get_mut("roots").and_then(Value::as_object_mut)
            && roots_list_changed
        {
            roots.insert("listChanged".to_owned(), true.into());
        }
        capabilities
    }
}
