//! Grant `progress`: progress notifications for the request being served.

mod host;

use std::sync::{Mutex, MutexGuard};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::support::lock;

/// Characters of a progress message that go out.
const MAX_MESSAGE: usize = 1_000;

/// Where a request's progress goes. It stays until the request, or the task made from it, has ended.
pub struct Progress {
    /// As the requestor wrote it.
    token: Box<RawValue>,
    state: Mutex<State>,
    send: Box<dyn Fn(&Update<'_>) + Send + Sync>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("token", &self.token).finish_non_exhaustive()
    }
}

struct State {
    /// The last value sent; progress only grows. [basic/utilities/progress]
    last: Last,
    /// The task that the progress is of. [basic/utilities/tasks, Associating Task-Related Messages]
    related: Option<RelatedTask>,
}

#[derive(Clone, Copy)]
enum Last {
    Nothing,
    Sent(f64),
    /// The reported operation has ended.
    Closed,
}

/// The parameters of `notifications/progress`. MCP: `ProgressNotificationParams`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update<'a> {
    progress_token: &'a RawValue,
    progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'a>>,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/related-task")]
    related: &'a RelatedTask,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RelatedTask {
    task_id: String,
}

impl Progress {
    pub(crate) fn new(token: Box<RawValue>, send: impl Fn(&Update<'_>) + Send + Sync + 'static) -> Self {
        let state = State { last: Last::Nothing, related: None };
        Self { token, state: Mutex::new(state), send: Box::new(send) }
    }

    /// Says which task the progress is of from now on.
    pub(crate) fn relate(&self, task_id: String) {
        self.lock().related = Some(RelatedTask { task_id });
    }

    /// Lets nothing more through: what the progress was of has ended.
    pub(crate) fn close(&self) {
        self.lock().last = Last::Closed;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        if !progress.is_finite() {
            return;
        }
        // Held while sending, so that two reports go out in their order.
        let mut state = self.lock();
        match state.last {
            Last::Closed => return,
            Last::Sent(last) if progress <= last => return,
            Last::Sent(_) | Last::Nothing => {}
        }
        state.last = Last::Sent(progress);
        let total = total.filter(|total| total.is_finite());
        let message = message.map(|message| message.chars().take(MAX_MESSAGE).collect());
        let meta = state.related.as_ref().map(|related| Meta { related });
        (self.send)(&Update { progress_token: &self.token, progress, total, message, meta });
    }
}
