//! SessionContext with one server.
//!
//! Messages of the server go in; answers and notifications come out of one queue in the order in which the peer may see
//! them. A task's status comes only after the answer that named the task. Requests are served concurrently, each in a
//! cell of its own, so a waiting request delays no other.

mod background;
mod cells;
mod dispatch;
mod in_flight;
mod managed;
mod open_progress;
mod outbox;
mod payload;
mod reply;
mod requests;
mod revision;
mod serve;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Span;

pub use outbox::Outbox;

/// Observation of single polls of [`Session::handle`]: whether the request waits, and how much memory its guest took.
pub mod polled {
    pub use crate::support::polled::{Polled, listen};
}

use crate::grants::{SessionContext, SessionIdentity};
use crate::handlers::{ActiveHandlers, Change, HandlerRegistry, HandlersObserver, Responder};
use crate::kinds::Kind;
use crate::protocol::jsonrpc::Message;
use crate::protocol::types::{Implementation, RpcError, Task};
use crate::protocol::{MRTR_PROTOCOL_VERSION, PROTOCOL_VERSION, params};
use crate::tasks::{AuditLog, MemoryStore, TaskLimits, TaskStore, Tasks};
use crate::telemetry;
use crate::{CellError, LoadError};
use background::UnsentWorkGuard;
use cells::Cells;
use in_flight::InFlight;
use open_progress::OpenProgress;
use outbox::NotSent;
use reply::Reply;

/// Number of task results that may be read from the store and not yet sent. A request of 80 bytes can ask for 4 MiB.
const RESULTS: usize = 2;

/// Settings of a [`Session`].
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Name and version of the server, from its `initialize` result. Handlers see them.
    pub server: Implementation,
    /// Negotiated MCP revision. Handlers see it.
    pub protocol_version: String,
    /// HandlerInfo of the session's tasks; no other principal sees them. By default a random name, so the tasks are the
    /// session's own.
    pub principal: String,
    /// Store of the tasks. In memory by default.
    pub store: Arc<dyn TaskStore>,
    /// Limits of the tasks.
    pub tasks: TaskLimits,
    /// Log of who did what to which task. None by default.
    pub audit: Option<Arc<AuditLog>>,
    /// Treatment of a request for a task whose kind no handler exports.
    pub undeclared: Undeclared,
    /// Callback for events, to show or to count them. It runs on the request path, so it must not block.
    pub observer: Option<Observer>,
}

impl SessionOptions {
    /// Returns the default settings for a session with `server`.
    #[must_use]
    pub fn new(server: Implementation) -> Self {
        Self {
            server,
            protocol_version: PROTOCOL_VERSION.to_owned(),
            principal: uuid::Uuid::new_v4().to_string(),
            store: Arc::new(MemoryStore::new()),
            tasks: TaskLimits::default(),
            audit: None,
            undeclared: Undeclared::Refuse,
            observer: None,
        }
    }
}

impl std::fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionOptions").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Treatment of a request for a task whose kind no handler exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Undeclared {
    /// Answers with the kind's default error, as the reference does.
    #[default]
    Refuse,
    /// Serves the request as a plain one, as MCP 2025-11-25 demands of a receiver that declared no such capability.
    /// [basic/utilities/tasks, Task Support and Handling]
    Process,
}

/// Callback for the events of a session.
pub type Observer = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Event in a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was answered.
    Answered(&'a Answered<'a>),
    /// The cell that did the work of a task ended without an answer, so the task fails.
    WorkFailed(&'a WorkFailed<'a>),
    /// A task changed.
    Task(&'a Task),
    /// Handlers were replaced. New requests use the new ones.
    Replaced(&'a Change),
    /// Replacing a handler failed. The running handler stays.
    #[non_exhaustive]
    NotReplaced {
        /// Name of the handler.
        handler: &'a str,
        /// Fault of the component that was to replace it.
        error: &'a LoadError,
    },
}

/// Work of a task whose cell ended without an answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkFailed<'a> {
    /// Id of the task.
    pub task: &'a str,
    /// Name of the component.
    pub handler: &'a str,
    /// Error that ended the cell.
    pub error: &'a CellError,
    /// Last lines that the guest printed, as in [`Answered::printed`].
    pub printed: &'a [String],
}

/// Answer to a request of the server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answered<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Kind of the request; none for `ping` and for methods that no kind has.
    pub kind: Option<Kind>,
    /// Name of the component that answered, or `native` for a closure; none when the host answered.
    pub handler: Option<&'a str>,
    /// Error, when the answer is one.
    pub error: Option<&'a RpcError>,
    /// Time from the request's text to its answer.
    pub elapsed: Duration,
    /// Request as it came: JSON, and private to the user it is about.
    pub request: &'a [u8],
    /// Response as it goes out: JSON, and private like the request.
    pub response: &'a [u8],
    /// Last lines that the guest printed, oldest first, when its cell ended without an answer; empty otherwise. At most
    /// 20 lines of 1,000 characters, printable, with the handler's secrets redacted. The lines are for the author of
    /// the handler and never go to the server.
    pub printed: &'a [String],
}

/// SessionContext with one server. Dropping it ends its background work. In a store that outlives the session, the next
/// session of the same principal resumes the work.
#[derive(Debug)]
pub struct Session {
    pub(crate) inner: Arc<SessionInner>,
}

pub(crate) struct SessionInner {
    pub(crate) handlers: HandlerRegistry,
    server: Arc<Implementation>,
    /// View of the session that its cells get.
    context: Arc<SessionContext>,
    pub(crate) protocol_version: Arc<str>,
    tasks: Arc<Tasks>,
    principal: String,
    audit: Option<Arc<AuditLog>>,
    undeclared: Undeclared,
    in_flight: InFlight,
    cells: Cells,
    /// Whether the server was promised notifications of changed roots.
    roots_list_changed: bool,
    progress: Arc<OpenProgress>,
    outbox: outbox::Sender,
    /// Permits to read results of tasks.
    results: Arc<Semaphore>,
    observer: Option<Observer>,
    /// Span of the session.
    span: Span,
}

impl std::fmt::Debug for SessionInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("server", &self.server.name).finish_non_exhaustive()
    }
}

impl SessionInner {
    /// Answers a message; see [`Session::answer`]. The span of a request is a child of `parent`.
    pub(crate) async fn answer(self: &Arc<Self>, message: &[u8], parent: &Span) -> Option<Vec<u8>> {
        let reply = self.reply(message, parent).await?;
        background::start(self, reply.work);
        Some(reply.message)
    }
}

impl HandlersObserver for SessionInner {
    fn follow(&self, active: &ActiveHandlers) {
        self.cells.serve(&active.handlers);
        self.tasks.set_json_depth(active.bounds.depth);
    }

    fn replaced(&self, change: &Change) {
        if change.is_empty() {
            return;
        }
        if let Some(observer) = &self.observer {
            observer(&Event::Replaced(change));
        }
        if self.roots_list_changed && change.concerns(Kind::Roots) {
            self.outbox.notify("notifications/roots/list_changed", &serde_json::json!({}));
        }
    }

    fn not_replaced(&self, handler: &str, error: &LoadError) {
        if let Some(observer) = &self.observer {
            observer(&Event::NotReplaced { handler, error });
        }
    }
}

impl Session {
    /// Starts a conversation. All outgoing messages come out of the [`Outbox`].
    ///
    /// Work that a stopped host left of this principal's tasks is started again. Outside of a tokio runtime that waits
    /// for the first task of this session.
    ///
    /// `handlers` are [`Handlers`](crate::Handlers), or [`HandlerRegistry`] that several sessions share.
    #[must_use]
    pub fn new(handlers: impl Into<HandlerRegistry>, options: SessionOptions) -> (Self, Outbox) {
        let handlers = handlers.into();
        let (outbox, receiver) = outbox::outbox();
        let SessionOptions { server, protocol_version, principal, store, tasks, audit, undeclared, observer } = options;
        let progress = Arc::new(OpenProgress::default());
        let on_change = {
            let (outbox, observer, progress) = (outbox.clone(), observer.clone(), Arc::clone(&progress));
            move |task: &Task| {
                if task.status.is_final() {
                    progress.close(&task.task_id);
                }
                if let Some(observer) = &observer {
                    observer(&Event::Task(task));
                }
                outbox.notify("notifications/tasks/status", task);
            }
        };
        let span = telemetry::session(&server.name, &protocol_version);
        let tasks = Tasks::new(store, &principal, tasks, Box::new(on_change)).with_audit(audit.clone());
        // A server of the later revision takes no notifications of a client.
        let roots_list_changed =
            handlers.active().declares_roots_list_changed() && *protocol_version != *MRTR_PROTOCOL_VERSION;
        let (server, tasks) = (Arc::new(server), Arc::new(tasks));
        let context = SessionContext {
            server: Arc::clone(&server),
            session: Arc::new(SessionIdentity::new(&principal, audit.clone())),
            tasks: Arc::clone(&tasks),
        };
        let inner = Arc::new(SessionInner {
            handlers,
            cells: Cells::new(),
            roots_list_changed,
            server,
            context: Arc::new(context),
            protocol_version: protocol_version.into(),
            tasks,
            principal,
            audit,
            undeclared,
            in_flight: InFlight::default(),
            progress,
            outbox,
            results: Arc::new(Semaphore::new(RESULTS)),
            observer,
            span,
        });
        inner.handlers.join(&inner);
        inner.tasks.keep(&inner);
        (Self { inner }, receiver)
    }

    /// Handles a message of the server: a request, whose answer goes to the [`Outbox`], or a notification. A session
    /// takes no responses to requests that the client sent.
    ///
    /// Call it concurrently for each message. Dropping the future drops the cell that serves the message. A request
    /// does not start while the [`Outbox`] is full, so the reader of the server should limit how many messages it
    /// handles at once, and stop reading at the limit.
    pub async fn handle(&self, message: &[u8]) {
        let outbox = &self.inner.outbox;
        // A notification has no answer and never waits: it may cancel a request that waits here.
        let mut place = None;
        if outbox.is_full() && is_request(message) {
            place = outbox.ready().await;
        }
        let reply = self.inner.reply(message, &self.inner.span);
        let reply = match place.is_some() {
            false => reply.await,
            true => {
                let mut reply = Box::pin(reply);
                match tokio::time::timeout(outbox::HELD, reply.as_mut()).await {
                    Ok(reply) => reply,
                    Err(_) => {
                        place = None;
                        reply.await
                    }
                }
            }
        };
        let Some(Reply { message, work, _result }) = reply else { return };
        let unsent = UnsentWorkGuard::new(&self.inner, work);
        match outbox.send(message).await {
            // `Closed` means that the outbox was dropped.
            Ok(()) | Err(NotSent::Closed) => unsent.start(),
            Err(NotSent::Refused(error, answer)) => {
                error.log(None, "an answer is dropped");
                let id = Message::read(&answer).ok().and_then(|answer| answer.id);
                let _ = outbox.send(Reply::error(id, &error.to_rpc()).message).await;
                // The requestor never hears of its tasks; dropping `unsent` ends them.
            }
        }
        drop(place);
    }

    /// Handles a message like [`Session::handle`], and passes the answer to `send` instead of the [`Outbox`].
    /// Notifications about the answer's task come after that.
    pub async fn handle_with(&self, message: &[u8], send: impl FnOnce(Vec<u8>)) {
        let Some(reply) = self.inner.reply(message, &self.inner.span).await else { return };
        let unsent = UnsentWorkGuard::new(&self.inner, reply.work);
        send(reply.message);
        unsent.start();
    }

    /// Handles a message like [`Session::handle`], and returns the answer. None for a notification, a response, or a
    /// request that was cancelled meanwhile.
    pub async fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.inner.answer(message, &self.inner.span).await
    }

    /// Whether a message is a request of a kind that the handlers serve. An application that answers some requests
    /// itself asks this first and keeps the others, which would get the kind's default error or that of an unknown
    /// method.
    ///
    /// False for notifications. Pass the server's notifications to the session anyway: it needs
    /// `notifications/cancelled` and ignores the others.
    ///
    /// ```
    /// use taskcell::protocol::jsonrpc::Message;
    /// use taskcell::protocol::types::{Implementation, ListRootsResult};
    /// use taskcell::{Handlers, NativeHandler, Session, SessionOptions};
    ///
    /// let roots = NativeHandler::roots(|_context| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
    /// let handlers = Handlers::default().native(roots)?;
    /// let server = Implementation::new("a server", "1");
    /// let (session, _outbox) = Session::new(handlers, SessionOptions::new(server));
    ///
    /// let of_the_handlers = Message::read(br#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).unwrap();
    /// let of_the_application = Message::read(br#"{"jsonrpc":"2.0","id":2,"method":"custom/ask"}"#).unwrap();
    /// assert!(session.handles(&of_the_handlers));
    /// assert!(!session.handles(&of_the_application));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handles(&self, message: &Message<'_>) -> bool {
        let (Some(_), Some(method)) = (message.id, &message.method) else { return false };
        let augmented = message.params.is_some_and(params::is_augmented);
        let active = self.inner.handlers.active();
        let serves = |kind: Kind| !matches!(active.handlers.responder(kind), Responder::Default);
        let processes = |kind: Kind| self.inner.undeclared == Undeclared::Process && kind.plain().is_some_and(serves);
        Kind::of(method, augmented).is_some_and(|kind| serves(kind) || processes(kind))
    }

    /// Whether a request belongs to the handlers in an application that answers the other requests: a request that
    /// [`Session::handles`], or a request for a task of a kind that the handlers serve only as a plain request, which
    /// they refuse.
    pub fn takes(&self, message: &Message<'_>) -> bool {
        let active = self.inner.handlers.active();
        let serves = |kind: Kind| !matches!(active.handlers.responder(kind), Responder::Default);
        let plain = message.method.as_deref().and_then(|method| Kind::of(method, false));
        self.handles(message) || (message.id.is_some() && plain.is_some_and(serves))
    }

    /// Returns the handlers of the session, which can be replaced.
    #[must_use]
    pub fn handlers(&self) -> &HandlerRegistry {
        &self.inner.handlers
    }

    /// Ends the conversation and its background work, and waits until everything is stored. The next host can then
    /// resume unfinished work at once instead of waiting for its lease to run out.
    pub async fn close(self) {
        self.end().await;
    }

    /// Ends the conversation like [`Session::close`], for a session that is shared.
    pub async fn end(&self) {
        self.inner.tasks.close().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Running work holds the tasks, which would keep it alive forever.
        self.inner.tasks.stop();
    }
}

/// Whether a message is a request, judged by its members alone.
fn is_request(message: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Members {
        id: Option<serde::de::IgnoredAny>,
        method: Option<serde::de::IgnoredAny>,
    }
    // A text that is no message is answered with an error, so it counts as a request.
    serde_json::from_slice(message).map_or(true, |Members { id, method }| id.is_some() && method.is_some())
}
