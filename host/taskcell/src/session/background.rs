//! Background work of tasks: a cell or a call of a closure for each, started after the answer that named the task.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::Instrument;

use super::work::Work;
use super::{Event, SessionInner, WorkFailed};
use crate::CellError;
use crate::grants::CallContext;
use crate::handlers::{self, Background, Export, Handler, Handlers, KindExport, KindHandler, NativeContext, Responder};
use crate::kinds::Kind;
use crate::protocol::types::{RequestContext, RpcError, TaskInput, TaskOutput};
use crate::tasks::{Actor, Claim, Outcome, Runner};
use crate::telemetry::WorkWatch;
use crate::validation::ExpectedResult;

/// Pauses between attempts to get a cell for the work of a task, before the task fails. No requestor waits here who
/// could be asked to retry. The attempts are limited because requests that wait for this task may hold all cells.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Starts the work that an answer left.
pub(super) fn start(session: &Arc<SessionInner>, work: Work) {
    if work.claims.is_empty() {
        return;
    }
    session.tasks.keep(session);
    for claim in work.claims {
        let id = claim.lease.id.clone();
        if let Some(progress) = &work.progress {
            session.progress.open(&id, progress);
        }
        session.tasks.start(claim, &Arc::new(RunningWorkGuard { session: Arc::clone(session), id }));
    }
}

/// Work whose answer is not sent yet. Dropping the guard ends the tasks, because the requestor never hears of them.
pub(super) struct UnsentWorkGuard<'a> {
    session: &'a Arc<SessionInner>,
    work: Work,
}

impl<'a> UnsentWorkGuard<'a> {
    pub(super) fn new(session: &'a Arc<SessionInner>, work: Work) -> Self {
        Self { session, work }
    }

    pub(super) fn add(&mut self, claim: Claim) {
        self.work.claims.push(claim);
    }

    /// Hands the work to the sender of the answer.
    pub(super) fn into_work(mut self) -> Work {
        std::mem::take(&mut self.work)
    }

    /// Starts the work, once the answer is sent.
    pub(super) fn start(self) {
        let session = self.session;
        start(session, self.into_work());
    }
}

impl Drop for UnsentWorkGuard<'_> {
    fn drop(&mut self) {
        let claims = std::mem::take(&mut self.work.claims);
        // Without a runtime the process is ending, and the leases run out.
        if let (false, Ok(runtime)) = (claims.is_empty(), tokio::runtime::Handle::try_current()) {
            let tasks = Arc::clone(&self.session.tasks);
            runtime.spawn(async move {
                let error = RpcError::internal("cancelled", "The request was cancelled");
                for Claim { lease, .. } in &claims {
                    // The handler may have ended the task itself.
                    let by = Actor { quiet: true, ..Actor::work(lease) };
                    let _ = tasks.finish(&lease.id, &Err(error.clone()), by).await;
                }
            });
        }
    }
}

#[async_trait]
impl Runner for SessionInner {
    async fn run(&self, claim: &Claim) -> Outcome {
        let id = &claim.lease.id;
        let kind = Kind::of_export(&claim.job.kind);
        let attempt = u32::try_from(claim.lease.fence).unwrap_or(u32::MAX);
        let mut watch = WorkWatch::begin(&self.span, kind, id, attempt, claim.job.context.meta.as_deref());
        let span = watch.span().clone();
        let done = async {
            let kind = kind.ok_or_else(gone)?;
            let context = RequestContext { attempt, ..claim.job.context.clone() };
            // Work finishes with the handlers that it started with, even if they are replaced meanwhile.
            let active = self.handlers.active();
            match active.handlers.responder(kind) {
                Responder::Handler(handler) if handler.has_background() => {
                    let task = self.tasks.get(id).await?;
                    self.work::<Background>(handler, kind, claim, (&context, &task, &claim.job.input)).await
                }
                Responder::Managed => self.plain(&active.handlers, kind, claim, &context).await,
                Responder::Handler(_) | Responder::Native(_) | Responder::Default => Err(gone()),
            }
        };
        let done = done.instrument(span).await;
        watch.ended(&done);
        done.unwrap_or_else(Err)
    }
}

/// The answer of a handler, or an error of the host when there is no answer.
type Done<T> = Result<Result<T, RpcError>, RpcError>;

impl SessionInner {
    /// Runs the handler of the plain kind on the request that made the task.
    async fn plain(
        &self,
        handlers: &Handlers,
        kind: Kind,
        claim: &Claim,
        context: &RequestContext,
    ) -> Done<TaskOutput> {
        let handler = kind.plain().and_then(|plain| handlers.handler_for(plain)).ok_or_else(gone)?;
        match &claim.job.input {
            TaskInput::Sampling(request) => {
                let params = (context, request);
                let answer = self.plain_by::<handlers::Sampling>(handler, kind, claim, context, params).await?;
                Ok(answer.map(TaskOutput::Sampling))
            }
            TaskInput::Elicitation(request) => {
                let params = (context, request);
                let answer = self.plain_by::<handlers::Elicitation>(handler, kind, claim, context, params).await?;
                Ok(answer.map(TaskOutput::Elicitation))
            }
            TaskInput::Custom(_) => Err(gone()),
        }
    }

    async fn plain_by<E: KindExport>(
        &self,
        handler: &KindHandler,
        kind: Kind,
        claim: &Claim,
        context: &RequestContext,
        params: E::Params<'_>,
    ) -> Done<E::Output> {
        match handler {
            KindHandler::Component(handler) => self.work::<E>(handler, kind, claim, params).await,
            KindHandler::Native(native) => {
                let progress = self.progress.get(&claim.lease.id);
                let context =
                    NativeContext::new(context.clone(), kind, ExpectedResult::Anything, &self.tasks, progress);
                native.answer::<E>(context, params).await
            }
        }
    }

    async fn work<E: Export>(
        &self,
        handler: &Arc<Handler>,
        kind: Kind,
        claim: &Claim,
        params: E::Params<'_>,
    ) -> Done<E::Output> {
        let cell = || CallContext {
            kind: Some(kind),
            lease: Some(claim.lease.clone()),
            session: Some(Arc::clone(&self.context)),
            progress: self.progress.get(&claim.lease.id),
            ..CallContext::new(handler.info())
        };
        let mut pauses = PAUSES.iter();
        loop {
            let (answer, cell, slice) = self.cells.call::<E>(handler, cell(), params).await;
            drop(slice);
            let made: Vec<String> = cell.created.ids().map(str::to_owned).collect();
            cell.created.keep();
            if let Err(error) = self.tasks.confirm(&made).await {
                tracing::warn!(%error, "the tasks that the work of a task created cannot be kept");
            }
            match (answer, pauses.next()) {
                (Err(CellError::Overloaded { .. } | CellError::SessionOverloaded { .. }), Some(pause)) => {
                    tokio::time::sleep(*pause).await
                }
                (answer, _) => {
                    if let (Err(error), Some(observer)) = (&answer, &self.observer) {
                        let (task, handler, printed) = (&*claim.lease.id, handler.name(), &*cell.printed);
                        observer(&Event::WorkFailed(&WorkFailed { task, handler, error, printed }));
                    }
                    return answer.map_err(|error| error.to_rpc());
                }
            }
        }
    }
}

/// Work of a task that this session runs. Dropping it closes the progress of the task, also when the task ended before
/// the work started.
struct RunningWorkGuard {
    session: Arc<SessionInner>,
    id: String,
}

#[async_trait]
impl Runner for RunningWorkGuard {
    async fn run(&self, claim: &Claim) -> Outcome {
        self.session.run(claim).await
    }
}

impl Drop for RunningWorkGuard {
    fn drop(&mut self) {
        self.session.progress.close(&self.id);
    }
}

/// Returns the error for work that was stored by a host with other handlers.
fn gone() -> RpcError {
    RpcError::internal("no_handler", "The handler that took this task is not loaded any more")
}
