//! The tasks made in one cell, which must not outlive a request that fails.
//!
//! Their requestor learns of them by the answer. When there is none, because the handler failed or the request was
//! cancelled and its cell dropped, nobody would ever end them.

use std::sync::Arc;

use crate::protocol::types::RpcError;
use crate::tasks::{By, Tasks};

/// The tasks made in one cell. Dropping it ends them as failed.
#[derive(Default)]
pub(crate) struct Created {
    tasks: Option<Arc<Tasks>>,
    ids: Vec<String>,
}

impl Created {
    pub(super) fn add(&mut self, tasks: Arc<Tasks>, id: String) {
        self.tasks = Some(tasks);
        self.ids.push(id);
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.iter().any(|created| created == id)
    }

    /// Keeps the tasks: the requestor learns of them.
    pub(crate) fn keep(mut self) {
        self.ids.clear();
    }

    /// Ends the tasks with the error that their requestor gets instead.
    pub(crate) async fn discard(mut self, error: &RpcError) {
        discard(self.tasks.take(), std::mem::take(&mut self.ids), error).await;
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let (tasks, ids) = (self.tasks.take(), std::mem::take(&mut self.ids));
        // Without a runtime the process is ending, and the tasks in memory with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                discard(tasks, ids, &RpcError::internal("cancelled", "The request was cancelled")).await;
            });
        }
    }
}

async fn discard(tasks: Option<Arc<Tasks>>, ids: Vec<String>, error: &RpcError) {
    let Some(tasks) = tasks else { return };
    for id in ids {
        // The handler may have ended it itself.
        let _ = tasks.finish(&id, &Err(error.clone()), By { quiet: true, lease: None }).await;
    }
}
