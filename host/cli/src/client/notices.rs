//! Notifications of a server: log messages, progress of the call, pages that were visited.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::call_progress::CallProgress;
use super::chatter::Chatter;
use crate::terminal::Progress;
use taskcell::protocol::jsonrpc::Message;

/// Bounds on the visited pages that are remembered: their number, and the bytes of an id.
const MAX_COMPLETED: usize = 256;
const MAX_ID: usize = 1_024;

/// State kept from a server's notifications.
pub(crate) struct Notices {
    /// Shows the server's log messages.
    pub(crate) chatter: Arc<Chatter>,
    /// Progress of the program's current call.
    pub(crate) call: CallProgress,
    completed: Mutex<VecDeque<String>>,
    changed: Notify,
}

impl Notices {
    /// Creates an empty state.
    pub(crate) fn new(progress: Progress) -> Self {
        let (completed, changed) = (Mutex::default(), Notify::new());
        let chatter = Arc::new(Chatter::new(progress));
        Self { chatter, call: CallProgress::new(progress), completed, changed }
    }

    /// Handles a notification, and shows its content for people.
    pub(crate) fn take(&self, message: &Message<'_>) {
        // A notification has no response, so an unreadable one is ignored.
        let params = || message.params.and_then(|params| serde_json::from_str::<Value>(params.get()).ok());
        match message.method.as_deref() {
            Some("notifications/message") => {
                let data = params().and_then(|mut params| params.get_mut("data").map(Value::take));
                let data = data.map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned));
                // Unreadable data is shown as it came.
                let as_it_came = || message.params.map(RawValue::get).unwrap_or_default().to_owned();
                self.chatter.line("server logs", &data.unwrap_or_else(as_it_came));
            }
            Some("notifications/progress") => self.call.take(&params().unwrap_or_default()),
            Some("notifications/elicitation/complete") => {
                let params = params().unwrap_or_default();
                if let Some(id) = params.get("elicitationId").and_then(Value::as_str).filter(|id| id.len() <= MAX_ID) {
                    self.complete(id);
                }
            }
            _ => {}
        }
    }

    fn complete(&self, id: &str) {
        let mut completed = self.ids();
        if completed.len() >= MAX_COMPLETED {
            completed.pop_front();
        }
        completed.push_back(id.to_owned());
        drop(completed);
        self.changed.notify_waiters();
    }

    /// Waits until the server has reported all these pages as visited.
    pub(crate) async fn completed(&self, ids: &[&str]) {
        loop {
            let changed = self.changed.notified();
            if ids.iter().all(|id| self.ids().iter().any(|completed| completed == id)) {
                return;
            }
            changed.await;
        }
    }

    fn ids(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.completed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
