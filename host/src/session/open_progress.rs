//! The progress of tasks that are being worked on, closed when the task ends.
//!
//! A task's progress token is valid until the task has ended, by whoever ended it [basic/utilities/tasks, Task Progress
//! Notifications]. The work itself may be about to report at that very moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::grants::Progress;

#[derive(Default)]
pub(super) struct OpenProgress {
    by_task: Mutex<HashMap<String, Arc<Progress>>>,
}

impl OpenProgress {
    pub(super) fn open(&self, task: &str, progress: &Arc<Progress>) {
        progress.relate(task.to_owned());
        self.lock().insert(task.to_owned(), Arc::clone(progress));
    }

    pub(super) fn get(&self, task: &str) -> Option<Arc<Progress>> {
        self.lock().get(task).cloned()
    }

    /// Lets no more progress of a task through.
    pub(super) fn close(&self, task: &str) {
        if let Some(progress) = self.lock().remove(task) {
            progress.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Progress>>> {
        self.by_task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
