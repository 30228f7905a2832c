//! Progress of tasks in work, closed when the task ends.
//!
//! A task's progress token is valid until the task ends, for whatever reason [basic/utilities/tasks, Task Progress
//! Notifications]. The work may be about to report progress at that moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::grants::Progress;
use crate::support::lock;

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

    /// Stops the progress of a task.
    pub(super) fn close(&self, task: &str) {
        if let Some(progress) = self.lock().remove(task) {
            progress.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Progress>>> {
        lock(&self.by_task)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use crate::grants::Progress;
    use crate::handlers::Handlers;
    use crate::protocol::types::{Implementation, RequestContext, RpcError, TaskInput, TaskMetadata};
    use crate::session::work::Work;
    use crate::session::{Session, SessionOptions, background};
    use crate::tasks::{Actor, CreateOptions, Job};
    use std::sync::Arc;

    /// Progress of tasks that ended must not pile up, because a session may last for weeks.
    #[tokio::test]
    async fn a_task_that_ended_before_its_work_began_leaves_no_progress() {
        let server = Implementation::new("test", "1");
        let (session, _outbox) = Session::new(Handlers::default(), SessionOptions::new(server));
        let inner = Arc::clone(&session.inner);
        for number in 0..100 {
            let context = RequestContext {
                request_id: number.to_string(),
                progress_token: None,
                meta: None,
                server: Arc::clone(&inner.server),
                protocol_version: Arc::clone(&inner.protocol_version),
                attempt: 1,
            };
            let job = Job { kind: "sampling".to_owned(), context, input: TaskInput::Custom("{}".to_owned()) };
            let options = CreateOptions::new(TaskMetadata { ttl: None }, Arc::default());
            let (task, claim) = inner.tasks.create_with_work(options, job).await.unwrap();
            let progress = Arc::new(Progress::new(to_raw_value(&number).unwrap(), |_| ()));
            let ended = Err(RpcError::internal("test", "by the handler itself"));
            // Half of them end before their work is handed over, half before it is polled.
            if number % 2 == 0 {
                inner.tasks.finish(&task.task_id, &ended, Actor::default()).await.unwrap();
            }
            background::start(&inner, Work { claims: vec![claim], progress: Some(progress) });
            if number % 2 == 1 {
                inner.tasks.cancel(&task.task_id).await.unwrap();
            }
        }
        inner.tasks.close().await;
        assert_eq!(inner.progress.lock().len(), 0);
    }
}
