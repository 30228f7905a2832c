//! Calls of revision 2026-07-28, in which the server asks by its result.
//!
//! A server of that revision sends no requests. What it wants of the client stands in the result of `tools/call`,
//! `prompts/get` or `resources/read`; the client gathers it and makes the same call again, as often as the server asks
//! [basic/patterns/mrtr]. With the tasks extension it stands in the task that the client polls [ext-tasks, Tasks].
//! Each input is the request that a server of 2025-11-25 would send, so it is made one and goes the way of all requests
//! of the [`Session`]: the same handlers answer it, under the same rules and limits. What is here is what goes around
//! that: rounds, polls, and what each request has to say of the client.
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
//!             Some(roots) => serde_json::json!({ "resultType": "complete", "content": [], "structuredContent": roots }),
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
//! let server: Implementation = serde_json::from_str(r#"{"name":"a server","version":"1"}"#)?;
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

use std::sync::{Arc, Mutex, PoisonError};
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
use crate::telemetry::CallWatch;
use answer::Answer;
use members::Members;
use meta::Meta;

/// The revision of MCP whose calls these are.
pub const PROTOCOL_VERSION: &str = MRTR_PROTOCOL_VERSION;

/// The extension by which a server answers a call with a task. [ext-tasks, Extension Identifier]
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// The requests whose results may ask for input. [basic/patterns/mrtr, Supported Requests]
pub const INPUT_REQUIRED_METHODS: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// The request that may be answered with a task. [ext-tasks, Supported Methods]
const MAY_BE_A_TASK: &str = "tools/call";

/// How long to wait before a call is made again of which the server wants nothing but that: it sheds load.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(250)];

/// What a server answers to a request: the result as it was written, or an error.
pub type Response = Result<Box<RawValue>, RpcError>;

/// Why a request got no answer: the transport's own error.
pub type SendError = Box<dyn std::error::Error + Send + Sync>;

/// The way to a server: what an application's transport does.
#[async_trait]
pub trait Server: Send + Sync + 'static {
    /// Sends a request and waits for its answer. Each request gets an id of its own, also one that repeats another
    /// [basic/patterns/mrtr, Client Requirements]. When the future is dropped, the request is cancelled as the transport
    /// does that [basic/patterns/cancellation].
    ///
    /// # Errors
    /// When there is no answer.
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError>;
}

/// Told of each state of a server's task that the client sees.
pub type TaskObserver = Arc<dyn Fn(&RemoteTask) + Send + Sync>;

/// Answers inputs of kinds that the session's handlers do not take, as an application answers such requests of a server of
/// 2025-11-25 itself.
#[async_trait]
pub trait FallbackHandler: Send + Sync + 'static {
    /// Answers a request of 2025-11-25: a JSON-RPC message. None when there is no answer, which ends the call.
    async fn answer(&self, request: &[u8]) -> Option<Vec<u8>>;
}

/// How calls are made.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What the client says it is, in each request. Nothing by default. [basic, Per-request protocol fields]
    pub client: Option<Implementation>,
    /// Whether the server may answer a call with a task: the extension [`TASKS_EXTENSION`]. Yes by default.
    pub tasks: bool,
    /// How often one call may be answered with a wish for more input, or a task may be given some. Default 10, as in the
    /// SDKs.
    pub rounds: u32,
    /// Inputs that a server may want at once. Default 64.
    pub inputs: usize,
    /// How long a task may take, from the answer that named it. Default 1 hour.
    pub task_time: Duration,
    /// Told of each state of a task that the client sees. It must not block.
    pub observer: Option<TaskObserver>,
    /// Who answers inputs that no handler takes. Nobody by default: they end the call with the kind's default error.
    pub fallback: Option<Arc<dyn FallbackHandler>>,
    /// The capabilities of the application itself, such as those of its `fallback`: an object, as in `initialize`. They are
    /// declared beside those of the handlers, whose word counts where both have one. None by default.
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

/// Whether a result wants more than to be read: input, or to be polled for as a task.
pub fn asks(result: &RawValue, options: &Options) -> bool {
    match wire::type_of(result).ok().flatten().as_deref() {
        Some("input_required") => true,
        Some("task") => options.tasks,
        _ => false,
    }
}

/// Makes calls to one server of revision 2026-07-28 and answers what the server asks on the way.
///
/// Calls run side by side. Dropping the future of one ends the cells that gather input for it; a task of it is cancelled.
pub struct Caller {
    session: Arc<SessionInner>,
    server: Arc<dyn Server>,
    options: Options,
    declared: Mutex<Arc<Declared>>,
    cancelling: Mutex<Vec<JoinHandle<()>>>,
}

/// What follows from the handlers that serve.
struct Declared {
    /// Of which [`ActiveHandlers`] it is.
    version: u64,
    capabilities: Value,
    meta: Meta,
    /// Inputs wait here for a cell, where requests of a server that does not wait would be refused.
    places: Arc<Semaphore>,
    /// How many places there are.
    cells: usize,
}

impl Declared {
    fn new(active: &ActiveHandlers, session: &SessionInner, options: &Options, before: Option<&Self>) -> Arc<Self> {
        let capabilities = meta::capabilities(&active.handlers, options);
        let cells = active.session_cells().max(1) as usize;
        // Inputs that wait need not know that the handlers are others.
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
    /// A caller whose inputs the session answers. The session's `protocol_version` is the one that requests name, so it
    /// has to be [`PROTOCOL_VERSION`]; its outbox has nothing that a server of this revision takes, and can be dropped.
    #[must_use]
    pub fn new(session: &Session, server: Arc<dyn Server>, options: Options) -> Self {
        let session = Arc::clone(&session.inner);
        let declared = Declared::new(&session.handlers.active(), &session, &options, None);
        Self { session, server, options, declared: Mutex::new(declared), cancelling: Mutex::default() }
    }

    /// What a request that is sent now declares: what follows from the session's handlers in this revision's shape, and the
    /// extension [`TASKS_EXTENSION`]. [basic, Per-request protocol fields]
    #[must_use]
    pub fn capabilities(&self) -> Value {
        self.declared().capabilities.clone()
    }

    /// What follows from the handlers that serve now.
    fn declared(&self) -> Arc<Declared> {
        let active = self.session.handlers.active();
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if declared.version != active.version {
            *declared = Declared::new(&active, &self.session, &self.options, Some(&declared));
        }
        Arc::clone(&declared)
    }

    /// Makes a call and gives its final result as the server wrote it. Inputs that the server asks for on the way are
    /// gathered side by side, and tasks are polled to their end.
    ///
    /// Any method will do; only the results of [`INPUT_REQUIRED_METHODS`] may ask for input. `_meta` of the parameters goes out with what
    /// the revision demands of it.
    ///
    /// # Errors
    /// See [`CallError`]. A handler's error ends the call, for a retry has no place for one.
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

    /// Goes on with a call that was made elsewhere, from its first result.
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
            // Whatever the call began with, a retry carries only what this answer asks for.
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

    /// Polls a task that an earlier call was answered with, until it has ended.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn resume(&self, task_id: &str) -> Result<Box<RawValue>, CallError> {
        let mut watch = CallWatch::begin(&self.session.protocol_version, "tasks/get");
        let outcome = self.finish(task::TaskState::begun(task_id)).instrument(watch.span().clone()).await;
        watch.ended(&outcome);
        outcome
    }

    /// Tells the server that nobody waits for a task any more. It need not stop. [ext-tasks, Task Cancellation]
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn cancel_task(&self, task_id: &str) -> Result<(), CallError> {
        self.request("tasks/cancel", &self.task_params(task_id)).await.map(drop)
    }

    /// Waits until the tasks of calls that were dropped are cancelled. To be awaited before the transport is closed.
    pub async fn settle(&self) {
        let cancelling = std::mem::take(&mut *self.cancelling());
        for cancelling in cancelling {
            let _ = cancelling.await;
        }
    }

    /// Sends a request with what it has to say of the client; handlers may have been replaced since the last one.
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
