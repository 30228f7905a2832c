//! A call of a handler: what its cell may use, what its answer becomes, and the work that it leaves.

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
use crate::Error;
use crate::grants::{CallContext, Created, Progress};
use crate::handlers::{ActiveHandlers, Answer, Export, KindHandler, NativeContext, NativeHandler};
use crate::kinds::Kind;
use crate::protocol::Bounds;
use crate::protocol::types::{Json, RequestContext, RpcError};
use crate::support::polled;
use crate::tasks::{Job, TaskError};
use crate::telemetry::Outcome;
use crate::validation::{ExpectedResult, related};

/// What every request has.
pub(super) struct Call {
    pub(super) context: RequestContext,
    pub(super) progress: Option<Arc<Progress>>,
    /// What the result of a task made for it has to be.
    pub(super) expects: ExpectedResult,
}

impl Call {
    /// Marks the result of a request that the server made for a task of its own.
    /// [basic/utilities/tasks, Associating Task-Related Messages]
    pub(super) fn relate(&self, meta: &mut Option<Json>) -> Result<(), RpcError> {
        match related::task_of(self.context.meta.as_deref()) {
            Some(task) => related::mark(meta, &task).map_err(|error| broken(&error)),
            None => Ok(()),
        }
    }
}

/// Who served a request, for the observer and the audit log.
pub(super) struct Route<'a> {
    /// What serves it.
    pub(super) active: &'a ActiveHandlers,
    pub(super) kind: Option<Kind>,
    pub(super) handler: Option<&'a KindHandler>,
    /// The task it was about.
    pub(super) task: Option<String>,
    /// The last lines that the guest printed, when its cell ended without an answer.
    pub(super) printed: Vec<String>,
    /// What it is that an error tells of: a refusal of the host's own, until somebody was asked.
    pub(super) outcome: Outcome,
}

impl Route<'_> {
    /// The answer when nobody serves the kind.
    pub(super) fn default_answer(&mut self, kind: Kind) -> RpcError {
        self.outcome = Outcome::Default;
        kind.default_answer()
    }

    /// An error that the handler returned, as it goes out.
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
    /// Calls the kind's handler, a component in a cell, or gives the kind's default. `finish` makes the result of the output.
    pub(super) async fn serve<E: Export, R: Serialize, F: Future<Output = Result<R, RpcError>>>(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        call: &Call,
        params: E::Params<'_>,
        id: &RawValue,
        finish: impl FnOnce(E::Output, &Created) -> F,
    ) -> Result<Reply, RpcError> {
        let Some(kind) = E::KIND else { return Err(RpcError::internal("kind", "The export is no kind")) };
        let ActiveHandlers { handlers, bounds, .. } = route.active;
        let Some(taker) = handlers.handler_for(kind) else { return Err(route.default_answer(kind)) };
        route.handler = Some(taker);
        route.outcome = Outcome::Failed;
        let handler = match taker {
            KindHandler::Component(handler) => handler,
            KindHandler::Native(native) => {
                let answer = self.call_native::<E>(native, kind, call, params).await?;
                let output = answer.map_err(|error| route.returned(id, error, *bounds))?;
                // No cell, so nothing was made in one.
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
            // A task that is being made stays this host's only as long as the lease is renewed.
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
                        // Nobody waits with a slice.
                        drop(slice.take());
                        finishing.await
                    }
                };
                finished.and_then(|result| Reply::result(id, &result, bounds))
            }
            Ok(Err(error)) => Err(route.returned(id, error, bounds)),
            Err(error) => {
                route.printed = std::mem::take(&mut cell.printed);
                if matches!(error, Error::Overloaded { .. } | Error::SessionOverloaded { .. }) {
                    route.outcome = Outcome::Refused;
                }
                Err(error.to_rpc())
            }
        };
        // What the answer costs the host counts for the handler, too.
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

    /// Calls a closure. An error is the host's own.
    async fn call_native<E: Export>(
        &self,
        native: &NativeHandler,
        kind: Kind,
        call: &Call,
        params: E::Params<'_>,
    ) -> Result<Answer<E::Output>, RpcError> {
        let progress = call.progress.clone();
        // A closure may leave its context to something that goes on when the request has ended.
        let _open = progress.clone().map(CloseOnDrop);
        let context = NativeContext::new(call.context.clone(), kind, call.expects.clone(), &self.tasks, progress);
        polled::outside(native.answer::<E>(context, params)).await
    }

    /// Stores the work that a handler spawned, before the requestor hears of its tasks. Those that a handler made without
    /// work are confirmed.
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
                // It has ended meanwhile, or is being worked on.
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

/// Lets no more progress through when the request has ended, be it answered or dropped.
struct CloseOnDrop(Arc<Progress>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
