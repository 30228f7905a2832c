//! Multi round-trip requests: calls of MCP revision 2026-07-28, in which the server asks for input in its result.
//!
//! A server of that revision sends no requests. The inputs that it asks for stand in the result of `tools/call`,
//! `prompts/get` or `resources/read`. The client gathers them and repeats the call, as often as the server asks
//! [basic/patterns/mrtr]. With the tasks extension the inputs stand in the task that the client polls [ext-tasks,
//! Tasks]. Each input becomes the request that a server of 2025-11-25 would send, and goes through the [`Session`] like
//! any request: the same handlers answer it, under the same rules and limits. This module adds the rounds, the polls
//! and the `_meta` of each request.
//!
//! ```
//! use std::sync::Arc;
//! use taskcell::protocol::types::{Implementation, ListRootsResult};
//! use taskcell::mrtr::{self, Caller, Options, Response, SendError, Server};
//! use taskcell::{Handlers, NativeHandler, Session, SessionOptions};
//! use serde_json::value::{RawValue, to_raw_value};
//!
//! /// The transport of an application; this one is a server itself.
//! struct Transport;
//!
//! #[async_trait::async_trait]
//! impl Server for Transport {
//!     async fn request(&self, _method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
//!         let params: serde_json::Value = serde_json::from_str(params.get())?;
//!         let result = match params.pointer("/inputResponses/where/roots") {
//!             Some(roots) => {
//!                 serde_json::json!({ "resultType": "complete", "content": [], "structuredContent": roots })
//!             }
//!             None => serde_json::json!({
//!                 "resultType": "input_required", "inputRequests": { "where": { "method": "roots/list" } },
//!             }),
//!         };
//!         Ok(Ok(to_raw_value(&result)?))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let roots = NativeHandler::roots(|_context| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
//! let handlers = Handlers::default().native(roots)?;
//! // From the result of `server/discover`; see `mrtr::discovered`.
//! let server = Implementation::new("a server", "1");
//! let mut options = SessionOptions::new(server);
//! options.protocol_version = mrtr::PROTOCOL_VERSION.to_owned();
//! // Nothing of the outbox is for a server of this revision.
//! let (session, _) = Session::new(handlers, options);
//! let caller = Caller::new(&session, Arc::new(Transport), Options::default());
//!
//! let params = to_raw_value(&serde_json::json!({ "name": "count-roots", "arguments": {} }))?;
//! let result = caller.call("tools/call", &params).await?;
//! assert!(result.get().contains(r#""structuredContent":[]"#));
//! # Ok(()) }
//! ```

mod answer;
mod discover;
mod error;
mod input;
mod members;
mod meta;
mod task;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::Instrument;

pub use discover::{Discovered, discover, discovered};
pub use error::CallError;
pub use task::RemoteTask;

pub use input::INPUT;
pub use meta::{CLIENT_CAPABILITIES, CLIENT_INFO, capabilities};

use crate::handlers::ActiveHandlers;
use crate::protocol::MRTR_PROTOCOL_VERSION;
use crate::protocol::types::{Implementation, RpcError};
use crate::session::{Session, SessionInner};
use crate::support::lock;
use crate::telemetry::CallWatch;
use answer::Answer;
use members::Members;
use meta::Meta;

/// MCP revision of the calls.
pub const PROTOCOL_VERSION: &str = MRTR_PROTOCOL_VERSION;

/// Extension by which a server answers a call with a task. [ext-tasks, Extension Identifier]
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Requests whose results may ask for input. [basic/patterns/mrtr, Supported Requests]
pub const INPUT_REQUIRED_METHODS: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// Request that may be answered with a task. [ext-tasks, Supported Methods]
const MAY_BE_A_TASK: &str = "tools/call";

/// Pauses before a call is repeated for which the server asks no input. A server does so to shed load.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(250)];

/// Answer of a server to a request: the result as it was written, or an error.
pub type Response = Result<Box<RawValue>, RpcError>;

/// Error of a transport that returned no answer.
pub type SendError = Box<dyn std::error::Error + Send + Sync>;

/// Transport to a server, implemented by the application.
#[async_trait]
pub trait Server: Send + Sync + 'static {
    /// Sends a request and waits for its answer. Each request gets an id of its own, also a retry [basic/patterns/mrtr,
    /// Client Requirements]. Dropping the future cancels the request in the way of the transport
    /// [basic/patterns/cancellation].
    ///
    /// # Errors
    /// The transport's own error, when there is no answer.
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError>;
}

/// Callback for each state of a server's task that the client sees.
pub type TaskObserver = Arc<dyn Fn(&RemoteTask) + Send + Sync>;

/// Handler of inputs whose kinds the session's handlers do not serve, as an application answers such requests of a
/// server of 2025-11-25 itself.
#[async_trait]
pub trait FallbackHandler: Send + Sync + 'static {
    /// Answers a request of 2025-11-25, a JSON-RPC message, with a response. None ends the call.
    async fn answer(&self, request: &[u8]) -> Option<Vec<u8>>;
}

/// Settings of calls.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Name and version of the client, sent with each request. None by default. [basic, Per-request protocol fields]
    pub client: Option<Implementation>,
    /// Whether the server may answer a call with a task, by the extension [`TASKS_EXTENSION`]. True by default.
    pub tasks: bool,
    /// Number of times that the server may ask for input in one call or for one task. 10 by default, as in the SDKs.
    pub rounds: u32,
    /// Number of inputs that a server may ask for at once. 64 by default.
    pub inputs: usize,
    /// Time limit of a task, from the answer that named it. 1 hour by default.
    pub task_time: Duration,
    /// Callback for each state of a task that the client sees. It must not block.
    pub observer: Option<TaskObserver>,
    /// Handler of inputs that no handler serves. None by default: such an input ends the call with the kind's default
    /// error.
    pub fallback: Option<Arc<dyn FallbackHandler>>,
    /// Capabilities of the application itself, such as those of its `fallback`: an object, as in `initialize`. They are
    /// declared beside those of the handlers, which win where both declare one. None by default.
    pub declared: Option<Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: None,
            tasks: true,
            rounds: 10,
            inputs: 64,
            task_time: Duration::from_secs(60 * 60),
            observer: None,
            fallback: None,
            declared: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("client", &self.client).field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// Whether a result asks for input, or is a task to be polled.
pub fn asks(result: &RawValue, options: &Options) -> bool {
    match wire::type_of(result).ok().flatten().as_deref() {
        Some("input_required") => true,
        Some("task") => options.tasks,
        _ => false,
    }
}

/// Client of one server of revision 2026-07-28, which answers the inputs that the server asks for.
///
/// Calls may run concurrently. Dropping the future of a call ends the cells that gather its input, and cancels its
/// task.
pub struct Caller {
    session: Arc<SessionInner>,
    server: Arc<dyn Server>,
    options: Options,
    declared: Mutex<Arc<Declared>>,
    cancelling: Mutex<Vec<JoinHandle<()>>>,
}

/// Declarations that follow from the current handlers.
struct Declared {
    /// Version of the [`ActiveHandlers`] handlers.
    version: u64,
    capabilities: Value,
    meta: Meta,
    /// Permits of inputs, which wait here for a cell. Without them they would be refused like requests of a server that
    /// does not wait.
    places: Arc<Semaphore>,
    /// Number of permits.
    cells: usize,
}

impl Declared {
    fn new(active: &ActiveHandlers, session: &SessionInner, options: &Options, before: Option<&Self>) -> Arc<Self> {
        let capabilities = meta::capabilities(&active.handlers, options);
        let cells = active.session_cells().max(1) as usize;
        // Waiting inputs keep their queue when the handlers are replaced.
        let places = before.filter(|before| before.cells == cells).map(|before| Arc::clone(&before.places));
        Arc::new(Self {
            version: active.version,
            meta: Meta::new(&session.protocol_version, options.client.as_ref(), &capabilities),
            capabilities,
            places: places.unwrap_or_else(|| Arc::new(Semaphore::new(cells))),
            cells,
        })
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("session", &self.session).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Caller {
    /// Creates a caller whose inputs `session` answers. The session's `protocol_version` goes into the requests, so it
    /// must be [`PROTOCOL_VERSION`]. The session's outbox can be dropped: a server of this revision takes nothing of
    /// it.
    #[must_use]
    pub fn new(session: &Session, server: Arc<dyn Server>, options: Options) -> Self {
        let session = Arc::clone(&session.inner);
        let declared = Declared::new(&session.handlers.active(), &session, &options, None);
        Self { session, server, options, declared: Mutex::new(declared), cancelling: Mutex::default() }
    }

    /// Returns the capabilities that a request declares now: those of the session's handlers in the form of this
    /// revision, and the extension [`TASKS_EXTENSION`]. [basic, Per-request protocol fields]
    #[must_use]
    pub fn capabilities(&self) -> Value {
        self.declared().capabilities.clone()
    }

    /// Returns the declarations of the current handlers.
    fn declared(&self) -> Arc<Declared> {
        let active = self.session.handlers.active();
        let mut declared = lock(&self.declared);
        if declared.version != active.version {
            *declared = Declared::new(&active, &self.session, &self.options, Some(&declared));
        }
        Arc::clone(&declared)
    }

    /// Makes a call and returns its final result as the server wrote it. Inputs that the server asks for are gathered
    /// concurrently, and tasks are polled to their end.
    ///
    /// Any method is allowed; only the results of [`INPUT_REQUIRED_METHODS`] may ask for input. The members that the
    /// revision demands are added to `_meta` of the parameters.
    ///
    /// # Errors
    /// Any [`CallError`]. A handler's error ends the call, because a retry cannot carry one.
    pub async fn call(&self, method: &str, params: &RawValue) -> Result<Box<RawValue>, CallError> {
        let mut watch = CallWatch::begin(&self.session.protocol_version, method);
        let outcome = async {
            let mut params = Members::read(params.get()).map_err(CallError::Params)?;
            let result = self.send(method, &mut params).await?;
            self.resume_call(method, params, result, &watch).await
        };
        let outcome = outcome.instrument(watch.span().clone()).await;
        watch.ended(&outcome);
        outcome
    }

    /// Continues a call that was made elsewhere with `params`, from its first result. Errors are those of
    /// [`Caller::call`].
    pub async fn continue_call(
        &self,
        method: &str,
        params: &RawValue,
        result: Box<RawValue>,
    ) -> Result<Box<RawValue>, CallError> {
        let mut watch = CallWatch::begin(&self.session.protocol_version, method);
        let outcome = async {
            let params = Members::read(params.get()).map_err(CallError::Params)?;
            self.resume_call(method, params, result, &watch).await
        };
        let outcome = outcome.instrument(watch.span().clone()).await;
        watch.ended(&outcome);
        outcome
    }

    async fn resume_call(
        &self,
        method: &str,
        mut params: Members,
        mut result: Box<RawValue>,
        watch: &CallWatch,
    ) -> Result<Box<RawValue>, CallError> {
        let (mut pauses, mut left) = (PAUSES.iter(), self.options.rounds);
        loop {
            watch.rounds(self.options.rounds.saturating_sub(left));
            let asked = match Answer::read(result, self.session.handlers.active().bounds).map_err(CallError::Answer)? {
                Answer::Complete(result) => return Ok(result),
                Answer::Task(task) if self.options.tasks && method == MAY_BE_A_TASK => return self.finish(task).await,
                Answer::InputRequired(asked) if INPUT_REQUIRED_METHODS.contains(&method) => asked,
                Answer::Task(_) => return Err(CallError::Answer(format!("{method} was answered with a task"))),
                Answer::InputRequired(_) => return Err(CallError::Answer(format!("{method} asks for input"))),
            };
            left = left.checked_sub(1).ok_or(CallError::Rounds { limit: self.options.rounds })?;
            // A retry carries only the inputs of this answer, whatever the call began with.
            params.remove("inputResponses");
            params.remove("requestState");
            if asked.inputs.is_empty() {
                let pause = pauses.next().or(PAUSES.last()).copied().unwrap_or_default();
                tokio::time::sleep(pause).await;
            } else {
                params.set("inputResponses", self.gather(asked.inputs).await?.write());
                pauses = PAUSES.iter();
            }
            if let Some(state) = asked.state {
                params.set("requestState", state);
            }
            result = self.send(method, &mut params).await?;
        }
    }

    /// Polls a task that an earlier call was answered with, until it ends.
    ///
    /// # Errors
    /// As for [`Caller::call`].
    pub async fn resume(&self, task_id: &str) -> Result<Box<RawValue>, CallError> {
        let mut watch = CallWatch::begin(&self.session.protocol_version, "tasks/get");
        let outcome = self.finish(task::TaskState::begun(task_id)).instrument(watch.span().clone()).await;
        watch.ended(&outcome);
        outcome
    }

    /// Tells the server that the client does not need a task any more. The server may let it run. [ext-tasks, Task
    /// Cancellation]
    ///
    /// # Errors
    /// As for [`Caller::call`].
    pub async fn cancel_task(&self, task_id: &str) -> Result<(), CallError> {
        self.request("tasks/cancel", &self.task_params(task_id)).await.map(drop)
    }

    /// Waits until the tasks of dropped calls are cancelled. Call it before closing the transport.
    pub async fn settle(&self) {
        let cancelling = std::mem::take(&mut *self.cancelling());
        for cancelling in cancelling {
            let _ = cancelling.await;
        }
    }

    /// Sends a request with the current declarations: the handlers may have been replaced since the last one.
    async fn send(&self, method: &str, params: &mut Members) -> Result<Box<RawValue>, CallError> {
        self.declared().meta.add_to(params).map_err(CallError::Params)?;
        self.request(method, params).await
    }

    /// Sends a request whose `_meta` is complete.
    async fn request(&self, method: &str, params: &Members) -> Result<Box<RawValue>, CallError> {
        let answer = self.server.request(method, params.write()).await.map_err(CallError::Transport)?;
        answer.map_err(CallError::Refused)
    }
}
