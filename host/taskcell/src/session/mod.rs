//! One conversation with one server.
//!
//! Messages of the server go in, answers and notifications come out of one queue, in the order in which the peer
//! may see them: a task's status only after the answer that named the task. Requests are served side by side;
//! each has a cell of its own, and one that waits holds up no other.

mod background;
mod cells;
mod dispatch;
mod in_flight;
mod managed;
mod open_progress;
mod outbox;
mod payload;
mod reply;
mod revision;
mod serve;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Span;

pub use outbox::Outbox;

/// Word of a poll of [`Session::handle`]: whether the request waits, and what its guest took.
pub mod polled {
    pub use crate::support::polled::{Polled, listen};
}

use crate::Error;
use crate::grants::{SessionContext, SessionIdentity};
use crate::handlers::{ActiveHandlers, Change, HandlerRegistry, HandlersObserver, Responder};
use crate::kinds::Kind;
use crate::protocol::jsonrpc::Message;
use crate::protocol::types::{Implementation, RpcError, Task};
use crate::protocol::{MRTR_PROTOCOL_VERSION, PROTOCOL_VERSION, params};
use crate::tasks::{AuditLog, MemoryStore, TaskLimits, TaskStore, Tasks};
use crate::telemetry;
use background::UnsentWorkGuard;
use cells::Cells;
use in_flight::InFlight;
use open_progress::OpenProgress;
use outbox::NotSent;
use reply::Reply;

/// Results of tasks that are read from the store and not yet sent: a request of 80 bytes asks for 4 MiB.
const RESULTS: usize = 2;

/// How to set up a [`Session`].
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// What the server says it is, from its `initialize` result. Handlers see it.
    pub server: Implementation,
    /// The revision that was negotiated. Handlers see it.
    pub protocol_version: String,
    /// Whose tasks these are; no other principal sees them. Random by default: a session's own.
    pub principal: String,
    /// Where tasks are kept. In memory by default.
    pub store: Arc<dyn TaskStore>,
    /// What bounds the tasks.
    pub tasks: TaskLimits,
    /// Where it is written who did what to which task. Nowhere by default.
    pub audit: Option<Arc<AuditLog>>,
    /// What to do with a request for a task whose kind no handler exports.
    pub undeclared: Undeclared,
    /// Told of what happens, to show or to count it. Called on the request path: it must not block.
    pub observer: Option<Observer>,
}

impl SessionOptions {
    /// The defaults, for a session with this server.
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

/// What to do with a request for a task whose kind no handler exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Undeclared {
    /// Answer with the kind's default error, as the reference does.
    #[default]
    Refuse,
    /// Serve it as the plain request, as MCP 2025-11-25 asks of a receiver that declared no such capability
    /// (basic/utilities/tasks, Task Support and Handling).
    Process,
}

/// Told of what happens in a session.
pub type Observer = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// What happens in a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was answered.
    #[non_exhaustive]
    Answered {
        /// The request's method.
        method: &'a str,
        /// Its kind; none for `ping` and methods that no kind has.
        kind: Option<Kind>,
        /// The name of the component that answered, or `native` for a closure; none when the host did.
        handler: Option<&'a str>,
        /// The error, when that was the answer.
        error: Option<&'a RpcError>,
        /// How long it took.
        elapsed: Duration,
        /// The request as it came, which is private to whoever it is about.
        request: &'a [u8],
        /// The response as it goes out; private, too.
        response: &'a [u8],
        /// The last lines that the guest printed, oldest first, where its cell ended without an answer; empty
        /// otherwise. 20 lines of 1,000 characters at most, printable, without the handler's secrets. They are
        /// for the author of the handler, and never go to the server.
        printed: &'a [String],
    },
    /// The cell that did the work of a task ended without an answer, so the task fails.
    #[non_exhaustive]
    WorkFailed {
        /// The task's id.
        task: &'a str,
        /// The name of the component.
        handler: &'a str,
        /// What ended the cell.
        error: &'a Error,
        /// The last lines that the guest printed, as in [`Event::Answered`].
        printed: &'a [String],
    },
    /// A task changed.
    Task(&'a Task),
    /// Handlers were replaced, and answer what is asked from now on. Told by whoever replaced them.
    Replaced(&'a Change),
    /// A handler was to be replaced and was not; nothing has changed.
    #[non_exhaustive]
    NotReplaced {
        /// The handler's name.
        handler: &'a str,
        /// What is wrong with the component that was to take its place.
        error: &'a Error,
    },
}

/// One conversation with one server. Dropping it ends its background work; in a store that outlives it, the work is
/// done by whoever serves the same principal next.
#[derive(Debug)]
pub struct Session {
    pub(crate) inner: Arc<SessionInner>,
}

pub(crate) struct SessionInner {
    pub(crate) handlers: HandlerRegistry,
    server: Arc<Implementation>,
    /// What cells know of it.
    context: Arc<SessionContext>,
    pub(crate) protocol_version: Arc<str>,
    tasks: Arc<Tasks>,
    principal: String,
    audit: Option<Arc<AuditLog>>,
    undeclared: Undeclared,
    in_flight: InFlight,
    cells: Cells,
    /// Whether the server was told that it will hear of other roots.
    roots_list_changed: bool,
    progress: Arc<OpenProgress>,
    outbox: outbox::Sender,
    /// Places to read the results of tasks in.
    results: Arc<Semaphore>,
    observer: Option<Observer>,
    /// That of the session.
    span: Span,
}

impl std::fmt::Debug for SessionInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("server", &self.server.name).finish_non_exhaustive()
    }
}

impl SessionInner {
    /// See [`Session::answer`]. A request is seen under `parent`.
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

    fn not_replaced(&self, handler: &str, error: &Error) {
        if let Some(observer) = &self.observer {
            observer(&Event::NotReplaced { handler, error });
        }
    }
}

impl Session {
    /// Starts a conversation. Everything to be sent comes out of the [`Outbox`].
    ///
    /// Work that a stopped host left of this principal's tasks is begun again. Called outside of a tokio runtime, it
    /// waits for the first task of this session to do so.
    ///
    /// It takes [`Handlers`], or [`HandlerRegistry`] that it shares with other sessions.
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

    /// Takes a message of the server: a request, whose answer goes to the [`Outbox`], or a notification. Responses
    /// to requests of the client's own are not for a session.
    ///
    /// Run one of these for each message, side by side; dropping it drops the cell that serves the message. A request is
    /// not begun while the [`Outbox`] is full, so whoever reads the server should bound what is handled at once, and read no
    /// further then.
    pub async fn handle(&self, message: &[u8]) {
        let outbox = &self.inner.outbox;
        // A notification has no answer, and some tell that a request is given up that waits here.
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
            // The other error is that nobody takes messages any more.
            Ok(()) | Err(NotSent::Closed) => unsent.start(),
            Err(NotSent::Refused(error, answer)) => {
                error.log(None, "an answer is dropped");
                let id = Message::read(&answer).ok().and_then(|answer| answer.id);
                let _ = outbox.send(Reply::error(id, &error.to_rpc()).message).await;
                // The requestor never hears of its tasks, which end with `unsent`.
            }
        }
        drop(place);
    }

    /// The same, giving the answer to `send` instead of the [`Outbox`]. What may be told of the answer's task comes
    /// afterwards.
    pub async fn handle_with(&self, message: &[u8], send: impl FnOnce(Vec<u8>)) {
        let Some(reply) = self.inner.reply(message, &self.inner.span).await else { return };
        let unsent = UnsentWorkGuard::new(&self.inner, reply.work);
        send(reply.message);
        unsent.start();
    }

    /// The same, giving the answer to the caller. There is none for a notification, a response, or a request that
    /// was cancelled meanwhile.
    pub async fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.inner.answer(message, &self.inner.span).await
    }

    /// Whether a message is a request of a kind that the handlers take. An application that answers some requests itself
    /// asks this first, and keeps the rest; all others would get the kind's default error, or that of an unknown method.
    ///
    /// Notifications are no requests. Those of the server belong to the session, too: it needs `notifications/cancelled`
    /// and ignores all others.
    ///
    /// ```
    /// use taskcell::protocol::jsonrpc::Message;
    /// use taskcell::protocol::types::{Implementation, ListRootsResult};
    /// use taskcell::{Handlers, NativeHandler, Session, SessionOptions};
    ///
    /// let roots = NativeHandler::roots(|_context| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
    /// let handlers = Handlers::default().native(roots)?;
    /// let server: Implementation = serde_json::from_str(r#"{"name":"a server","version":"1"}"#)?;
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

    /// Whether a request is for the handlers where an application answers the others: one that [`Session::handles`], or one
    /// for a task of a kind that they take plainly, whose error is theirs.
    pub fn takes(&self, message: &Message<'_>) -> bool {
        let active = self.inner.handlers.active();
        let serves = |kind: Kind| !matches!(active.handlers.responder(kind), Responder::Default);
        let plain = message.method.as_deref().and_then(|method| Kind::of(method, false));
        self.handles(message) || (message.id.is_some() && plain.is_some_and(serves))
    }

    /// The handlers that answer. They can be replaced.
    #[must_use]
    pub fn handlers(&self) -> &HandlerRegistry {
        &self.inner.handlers
    }

    /// Ends the conversation and its background work, and waits until all is stored: unfinished work can be taken up
    /// by the next host at once, where it would wait for its lease to run out otherwise.
    pub async fn close(self) {
        self.end().await;
    }

    /// The same of a session that others have, too.
    pub async fn end(&self) {
        self.inner.tasks.close().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Running work holds the tasks, so it would go on for ever otherwise.
        self.inner.tasks.stop();
    }
}

/// Whether a message is a request, by its members alone.
fn is_request(message: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Members {
        id: Option<serde::de::IgnoredAny>,
        method: Option<serde::de::IgnoredAny>,
    }
    // What is no message is answered with an error, too.
    serde_json::from_slice(message).map_or(true, |Members { id, method }| id.is_some() && method.is_some())
}
