//! Managed mode: tasks that the host runs around a handler that only serves plain requests.
//!
//! A managed task is a plain request that is done later: its work is a call of the plain handler, and its result is the
//! output of that call. A handler author writes one function, and the host keeps the rules about tasks.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::SessionInner;
use super::payload::Payload;
use super::reply::{Reply, broken};
use super::serve::{Call, Route};
use super::work::Work;
use crate::handlers::Handlers;
use crate::kinds::Kind;
use crate::protocol::Bounds;
use crate::protocol::types::{CreateTaskResult, RpcError, TaskInput, TaskMetadata, TaskResult};
use crate::tasks::{CreateOptions, Job, TaskOrigin};
use crate::telemetry::Outcome;

impl SessionInner {
    /// Answers `tasks/get`, `tasks/result` and `tasks/cancel`.
    pub(super) async fn managed_task(
        &self,
        route: &mut Route<'_>,
        kind: Kind,
        task_id: &str,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let task = match kind {
            Kind::GetTaskResult => {
                self.tasks.wait_for_end(task_id).await?;
                // All requests that wait for one task wake here together. The semaphore is never closed.
                let place = Arc::clone(&self.results).acquire_owned().await.ok();
                // A failure of the task is not a failure of this request.
                let output = self.tasks.outcome(task_id).await?.inspect_err(|_| route.outcome = Outcome::Error)?;
                let payload = Payload::new(output, task_id).map_err(|error| broken(&error))?;
                return Reply::result(id, &payload, Bounds::NONE).map(|reply| Reply { _result: place, ..reply });
            }
            Kind::CancelTask => self.tasks.cancel(task_id).await?,
            _ => self.tasks.get(task_id).await?,
        };
        Reply::result(id, &TaskResult { task, meta: None }, Bounds::NONE)
    }

    /// Answers `tasks/list`.
    pub(super) async fn managed_list(&self, cursor: Option<&str>, id: &RawValue) -> Result<Reply, RpcError> {
        Reply::result(id, &self.tasks.list(cursor).await?, Bounds::NONE)
    }

    /// Creates a task for a request.
    pub(super) async fn managed_create(
        &self,
        handlers: &Handlers,
        kind: Kind,
        metadata: TaskMetadata,
        input: TaskInput,
        call: Call,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let Call { context, progress, expects } = call;
        let handler = kind.plain().and_then(|plain| handlers.handler_for(plain));
        let digest = handler.map(|handler| handler.digest().to_owned()).unwrap_or_default();
        let export = kind.info().export;
        let origin = TaskOrigin { kind: export.to_owned(), handler: digest, expects };
        let job = Job { kind: export.to_owned(), context, input };
        let (task, claim) = self.tasks.create_with_work(CreateOptions::new(metadata, Arc::new(origin)), job).await?;
        let mut reply = Reply::result(id, &CreateTaskResult { task, meta: None }, Bounds::NONE)?;
        reply.work = Work { claims: vec![claim], progress };
        Ok(reply)
    }
}
