//! Context of the request being served, for a cell's grants.
//!
//! Cells of one handler, and requests of one conversation, share the data that is the same for all of them. A request
//! therefore counts two references instead of one for each thing it could ask for: processors that count the same
//! reference wait for each other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Created, Grants, Progress, SessionIdentity};
use crate::kinds::Kind;
use crate::protocol::types::{Implementation, TaskInput};
use crate::tasks::{Actor, Lease, TaskError, TaskOrigin, Tasks, json_size};
use crate::validation::ExpectedResult;

/// Bytes of work that a cell may spawn: the host keeps it outside of the cell's memory, so it is bounded as that is.
const MAX_SPAWNED: usize = 16 << 20;

/// A handler, as its cells know it.
pub(crate) struct HandlerInfo {
    /// The name it was loaded under.
    pub(crate) name: Arc<str>,
    /// The digest of the component.
    pub(crate) digest: Arc<str>,
    /// Grants of the handler.
    pub(crate) grants: Grants,
}

/// A conversation, as the cells that serve it know it.
pub(crate) struct SessionContext {
    /// Server that asks.
    pub(crate) server: Arc<Implementation>,
    /// In which session.
    pub(crate) session: Arc<SessionIdentity>,
    /// The tasks of the conversation.
    pub(crate) tasks: Arc<Tasks>,
}

/// Context of the request being served, for a cell's grants.
pub(crate) struct CallContext {
    /// Handler that the cell belongs to.
    pub(crate) handler: Arc<HandlerInfo>,
    /// The kind of the request, and what the result of a task made for it has to be.
    pub(crate) kind: Option<Kind>,
    pub(crate) expects: ExpectedResult,
    /// The lease under which this cell works on a task; none when it serves a request.
    pub(crate) lease: Option<Lease>,
    /// Session of the request; `None` outside of a session.
    pub(crate) session: Option<Arc<SessionContext>>,
    /// Places to read the results of tasks in, where the request is answered with one.
    pub(crate) results: Option<Arc<Semaphore>>,
    /// The place that this cell has, until the answer is sent: what it holds by then is as large as a result.
    pub(crate) result: Option<OwnedSemaphorePermit>,
    /// Where progress goes.
    pub(crate) progress: Option<Arc<Progress>>,
    /// Bytes of work that may be spawned; none where none may be. A handler with a `background` spawns work while it
    /// serves a request. Work that spawned work could go on for ever.
    pub(crate) spawn_room: Option<usize>,
    /// The tasks made in this cell. Their requestor does not know them before the answer is out.
    pub(crate) created: Created,
    /// Limits of this cell that were already reported to the operator.
    pub(crate) told: Vec<&'static str>,
    /// Number of refusals by a store in this cell.
    pub(crate) refusals: u32,
    /// The work to start once the answer is out.
    pub(crate) spawned: Vec<(String, TaskInput)>,
    /// Bytes of that work as JSON.
    pub(crate) spawned_size: u64,
    /// The last lines that the cell printed; empty unless it ended without an answer.
    pub(crate) printed: Vec<String>,
}

impl CallContext {
    /// Of a handler's cell that serves nobody.
    pub(crate) fn new(handler: &Arc<HandlerInfo>) -> Self {
        Self {
            handler: Arc::clone(handler),
            kind: None,
            expects: ExpectedResult::default(),
            lease: None,
            session: None,
            results: None,
            result: None,
            progress: None,
            spawn_room: None,
            created: Created::default(),
            told: Vec::new(),
            refusals: 0,
            spawned: Vec::new(),
            spawned_size: 0,
            printed: Vec::new(),
        }
    }

    /// The room for spawned work of a handler whose cells may have so much memory.
    pub(crate) fn room_for_work(memory: usize) -> usize {
        MAX_SPAWNED.min(memory)
    }

    /// Bytes of all spawned work with one more piece.
    pub(super) fn spawned_with(&self, input: &TaskInput, room: usize) -> Result<u64, TaskError> {
        let size = self.spawned_size.saturating_add(json_size(input)?);
        if size > room as u64 { Err(TaskError::SpawnedTooMuch { size, limit: room }) } else { Ok(size) }
    }

    /// Origin of a task that is created in this cell.
    pub(crate) fn origin(&self) -> Arc<TaskOrigin> {
        let kind = self.kind.map(|kind| kind.info().export).unwrap_or_default().to_owned();
        Arc::new(TaskOrigin { kind, handler: self.handler.digest.as_ref().to_owned(), expects: self.expects.clone() })
    }

    /// On whose behalf this cell changes a task.
    pub(crate) fn by(&self, task: &str) -> Actor<'_> {
        Actor { quiet: self.created.contains(task), lease: self.lease.as_ref().filter(|lease| lease.id == task) }
    }
}
