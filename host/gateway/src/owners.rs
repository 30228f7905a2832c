//! Tasks that the client made for the server. All other tasks are the handlers'.

use std::collections::{HashSet, VecDeque};

/// Number of tasks that are remembered.
const TASKS: usize = 10_000;
/// Bytes of an id that is remembered.
const MAX_ID: usize = 1_024;

/// Ids of the client's tasks, the newest of them.
#[derive(Debug, Default)]
pub(crate) struct ClientTasks {
    ids: HashSet<Box<str>>,
    order: VecDeque<Box<str>>,
}

impl ClientTasks {
    /// Remembers a task.
    pub(crate) fn add(&mut self, id: &str) {
        if id.len() > MAX_ID || !self.ids.insert(id.into()) {
            return;
        }
        self.order.push_back(id.into());
        if self.order.len() > TASKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Whether the client made the task.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_tasks_are_remembered() {
        let mut tasks = ClientTasks::default();
        (0..TASKS + 1).for_each(|id| tasks.add(&id.to_string()));
        tasks.add(&"x".repeat(MAX_ID + 1));
        tasks.add("5");
        assert!(!tasks.has("0") && tasks.has("1") && tasks.has(&TASKS.to_string()));
        assert_eq!((tasks.ids.len(), tasks.order.len()), (TASKS, TASKS));
    }
}
