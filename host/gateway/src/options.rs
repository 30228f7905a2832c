//! Settings of a gateway.

use std::sync::Arc;
use std::time::Duration;

use taskcell::protocol::types::Implementation;
use taskcell::{HandlerRegistry, SessionOptions};

use crate::audit::Audit;
use crate::dead_clients::{DeadClient, shipped};
use crate::policy::Policy;
use crate::stdio::Notice;

/// Makes the options of the session with a server that has named itself.
pub type SessionFor = Arc<dyn Fn(Implementation) -> SessionOptions + Send + Sync>;

/// Settings of a gateway.
#[derive(Clone)]
#[non_exhaustive]
pub struct GatewayOptions {
    /// Rules of who answers what. By default `auto` for all.
    pub policy: Policy,
    /// Clients that declare what they never answer. By default [`shipped`].
    pub dead_clients: Vec<DeadClient>,
    /// Handlers that answer. None by default.
    pub handlers: HandlerRegistry,
    /// Options of the session that the handlers answer in: the store of tasks, their principal, an observer.
    pub session: SessionFor,
    /// Time that an elicitation which a handler answers may hold a tool call without a progress token. 50 seconds by
    /// default: most clients give a call up after 60.
    pub patience: Duration,
    /// Interval at which a client that gave a progress token hears that its call waits for a handler. 10 seconds by
    /// default.
    pub progress: Duration,
    /// Whether a client may ask the server for revision 2026-07-28 by `server/discover`. By default the gateway answers
    /// that the method does not exist, as a server of 2025-11-25 does: the client goes on with `initialize`, and the
    /// server keeps its way to ask.
    pub discover: bool,
    /// Receives lines for people: what the gateway decides and what goes wrong.
    pub notice: Notice,
    /// Log of the questions. None by default.
    pub audit: Option<Arc<Audit>>,
}

impl std::fmt::Debug for GatewayOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayOptions").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl GatewayOptions {
    /// Returns the default settings, with these handlers.
    #[must_use]
    pub fn new(handlers: impl Into<HandlerRegistry>) -> Self {
        Self {
            policy: Policy::default(),
            dead_clients: shipped(),
            handlers: handlers.into(),
            session: Arc::new(SessionOptions::new),
            patience: Duration::from_secs(50),
            progress: Duration::from_secs(10),
            discover: false,
            notice: Arc::new(|_| {}),
            audit: None,
        }
    }
}
