//! Call of a handler: the grants of its cell, the result of its output, and the work that it leaves.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::poll;
use serde::Serialize;
use serde_json::value::RawValue;

use super::SessionInner;
use super::background::UnsentWorkGuard;
use super::reply::{Reply, bounded, broken};
use super::work::Work;
use crate::CellError;
use crate::grants::{CallContext, Created, Progress};
use crate::handlers::{ActiveHandlers, Answer, KindExport, KindHandler, NativeContext, NativeHandler};
use crate::kinds::Kind;
use crate::protocol::Bounds;
use crate::protocol::types::{Json, RequestContext, RpcError};
use crate::support::polled;
use crate::tasks::{Job, TaskError};
use crate::telemetry::Outcome;
use crate::validation::{ExpectedResult, related};

/// Context that every request has.
pub(super) struct Call {
    pub(super) context: RequestContext,
    pub(super) progress: Option<Arc<Progress>>,
    /// Result that a task made for the request must give.
    pub(super) expects: ExpectedResult,
}

impl Call {
    /// Marks the result of a request that the server made for one of its own tasks. [basic/utilities/tasks, Associating
    /// Task-Related Messages]
    pub(super) fn relate(&self, meta: &mut Option<Json>) -> Result<(), RpcError> {
        match related::task_of(self.context.meta.as_deref()) {
            Some(task) => related::mark(meta, &task).map_err(|error| broken(&error)),
            None => Ok(()),
        }
    }
}

/// Record of how a request is served, for the observer and the audit log.
pub(super) struct Route<'a> {
    /// Handlers that serve the request.
    pub(super) active: &'a ActiveHandlers,
    pub(super) kind: Option<Kind>,
    pub(super) handler: Option<&'a KindHandler>,
    /// Task that the request is about.
    pub(super) task: Option<String>,
    /// Last lines that the guest printed, when its cell ended without an answer.
    pub(super) printed: Vec<String>,
    /// Outcome to report when the request ends with an error: a refusal of the host until a handler is called.
    pub(super) outcome: Outcome,
}

impl<'a> Route<'a> {
    pub(super) fn new(active: &'a ActiveHandlers, kind: Option<Kind>) -> Self {
        Self { active, kind, handler: None, task: None, printed: Vec::new(), outcome: Outcome::Refused }
    }

    /// Returns the kind's default answer, for a kind without a handler.
    pub(super) fn default_answer(&mut self, kind: Kind) -> RpcError {
        self.outcome = Outcome::Default;
        kind.default_answer()
    }

    /// Returns an error of the handler in the form in which it goes out.
    fn returned(&mut self, id: &RawValue, error: RpcError, bounds: Bounds) -> RpcError {
        match bounded(id, error, bounds) {
            Ok(error) => {
                self.outcome = Outcome::Error;
                error
            }
            Err(instead) => instead,
        }
    }
}

impl SessionInner {
    /// Calls the kind's handler, a component in a cell or a closure, or gives the kind's default answer. `finish` turns
    /// the output into the result.
    pub(super) async fn serve<E: KindExport, R: Serialize, F: Future<Output = Result<R, RpcError>>>(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        call: &Call,
        params: E::Params<'_>,
        id: &RawValue,
        finish: impl FnOnce(E::Output, &Created) -> F,
    ) -> Result<Reply, RpcError> {
        let kind = E::KIND;
        let ActiveHandlers { handlers, bounds, .. } = route.active;
        let Some(taker) = handlers.handler_for(kind) else { return Err(route.default_answer(kind)) };
        route.handler = Some(taker);
        route.outcome = Outcome::Failed;
        let handler = match taker {
            KindHandler::Component(handler) => handler,
            KindHandler::Native(native) => {
                let answer = self.call_native::<E>(native, kind, call, params).await?;
                let output = answer.map_err(|error| route.returned(id, error, *bounds))?;
                // Without a cell nothing was created in one.
                let result = finish(output, &Created::default()).await?;
                return Reply::result(id, &result, *bounds);
            }
        };
        let cell = CallContext {
            kind: Some(kind),
            expects: call.expects.clone(),
            session: Some(Arc::clone(&self.context)),
            progress: call.progress.clone(),
            results: (kind == Kind::GetTaskResult).then(|| Arc::clone(&self.results)),
            spawn_room: handler.has_background().then(|| CallContext::room_for_work(handler.limits().memory)),
            ..CallContext::new(handler.info())
        };
        if handler.info().grants.tasks {
            // A new task stays with this host only while its lease is renewed.
            self.tasks.keep(self);
        }
        let bounds = handler.limits().bounds();
        let (answer, mut cell, mut slice) = self.cells.call::<E>(handler, cell, params).await;
        let reply = match answer {
            Ok(Ok(output)) => {
                let mut finishing = pin!(finish(output, &cell.created));
                let finished = match poll!(finishing.as_mut()) {
                    Poll::Ready(finished) => finished,
                    Poll::Pending => {
                        // Waiting must not hold a CPU slice.
                        drop(slice.take());
                        finishing.await
                    }
                };
                finished.and_then(|result| Reply::result(id, &result, bounds))
            }
            Ok(Err(error)) => Err(route.returned(id, error, bounds)),
            Err(error) => {
                route.printed = std::mem::take(&mut cell.printed);
                if matches!(error, CellError::Overloaded { .. } | CellError::SessionOverloaded { .. }) {
                    route.outcome = Outcome::Refused;
                }
                Err(error.to_rpc())
            }
        };
        // The host's work on the answer counts as the handler's CPU time.
        drop(slice);
        let reply = match reply {
            Ok(reply) => self.store_work(reply, kind, call, &mut cell).await,
            error => error,
        };
        match reply {
            Ok(reply) => {
                cell.created.keep();
                Ok(Reply { _result: cell.result.take(), ..reply })
            }
            Err(error) => {
                cell.created.discard(&error).await;
                Err(error)
            }
        }
    }

    /// Calls a closure.
    async fn call_native<E: KindExport>(
        &self,
        native: &NativeHandler,
        kind: Kind,
        call: &Call,
        params: E::Params<'_>,
    ) -> Result<Answer<E::Output>, RpcError> {
        let progress = call.progress.clone();
        // The closure may leave its context to a task that outlives the request.
        let _open = progress.clone().map(CloseOnDrop);
        let context = NativeContext::new(call.context.clone(), kind, call.expects.clone(), &self.tasks, progress);
        polled::outside(native.answer::<E>(context, params)).await
    }

    /// Stores the work that a handler spawned, before the requestor hears of its tasks, and confirms the tasks that the
    /// handler created without work.
    async fn store_work(
        self: &Arc<Self>,
        mut reply: Reply,
        kind: Kind,
        call: &Call,
        cell: &mut CallContext,
    ) -> Result<Reply, RpcError> {
        let spawned = std::mem::take(&mut cell.spawned);
        let with_work: HashSet<&str> = spawned.iter().map(|(id, _)| id.as_str()).collect();
        let without: Vec<String> = cell.created.ids().filter(|id| !with_work.contains(id)).map(str::to_owned).collect();
        let mut unsent = UnsentWorkGuard::new(self, Work { claims: Vec::new(), progress: call.progress.clone() });
        for (id, input) in spawned {
            let job = Job { kind: kind.info().export.to_owned(), context: call.context.clone(), input };
            match self.tasks.spawn(&id, job).await {
                Ok(claim) => unsent.add(claim),
                // The task has ended meanwhile, or is being worked on.
                Err(TaskError::NotFound { .. }) => {
                    tracing::warn!(task.id = id, "work was spawned for a task that needs none; it is not started");
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.tasks.confirm(&without).await?;
        reply.work = unsent.into_work();
        Ok(reply)
    }
}

/// Closes the progress of a request when the request ends, with or without an answer.
struct CloseOnDrop(Arc<Progress>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
