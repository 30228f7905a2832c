//! From a message to its answer: parse, find the kind, call the handler or give the default.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::background::{Unsent, Work};
use super::payload::Payload;
use super::{Event, QUEUE, Served, Shared, Undeclared, notify};
use crate::Error;
use crate::first_poll::first_poll;
use crate::grants::{Progress, Scope};
use crate::kinds::Kind;
use crate::printable::one_line;
use crate::protocol::RequestParams;
use crate::protocol::jsonrpc::{self, code};
use crate::protocol::request::{Incoming, ListParams, NoParams, Params, TaskParams};
use crate::protocol::types::{
    CreateMessageResult, Json, ListRootsResult, RequestContext, RpcError, TaskInput, TaskMetadata,
};
use crate::rules::{self, related};
use crate::sandbox::{self, Export, Handler};
use crate::tasks::{Audited, Expects, Job, TaskError};

/// Characters of the peer's text that an error quotes.
const MAX_QUOTE: usize = 200;

/// An answer that is ready to be sent, and what to start after it was.
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) work: Work,
}

/// What every request has.
pub(super) struct Call {
    pub(super) context: RequestContext,
    pub(super) progress: Option<Arc<Progress>>,
    /// What the result of a task made for it has to be.
    pub(super) expects: Expects,
}

impl Call {
    /// Marks the result of a request that the server made for a task of its own.
    /// [basic/utilities/tasks, Associating Task-Related Messages]
    fn relate(&self, meta: &mut Option<Json>) -> Result<(), RpcError> {
        match related::task_of(self.context.meta.as_deref()) {
            Some(task) => related::mark(meta, &task).map_err(|error| broken(&error)),
            None => Ok(()),
        }
    }
}

/// The result of `ping`.
#[derive(Serialize)]
struct Empty {}

impl Shared {
    /// Answers a message; none when it wants no answer.
    pub(super) async fn reply(self: &Arc<Self>, text: &[u8]) -> Option<Reply> {
        let limit = self.handlers.message_size();
        if limit.is_some_and(|limit| text.len() > limit) {
            let error = RpcError::new(code::INVALID_REQUEST, format!("The message has {} bytes: too many", text.len()));
            return Some(Reply::error(None, &error));
        }
        let mut incoming = match Incoming::read(text) {
            Ok(incoming) => incoming,
            Err(error) => return Some(Reply::error(None, &error)),
        };
        let method = incoming.message.method.take()?;
        let method = &*method;
        let Some(id) = incoming.message.id else {
            self.notification(method, incoming.message.params);
            return None;
        };
        if self.in_flight.was_cancelled(id.get()) {
            return None;
        }
        let start = self.observer.as_ref().map(|_| Instant::now());
        let mut route = Route { kind: Kind::of(method, false), handler: None, task: None };
        let outcome = {
            let mut request = pin!(self.request(incoming, method, id, &mut route));
            match first_poll(request.as_mut()).await {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    let mut entry = self.in_flight.enter(id.get());
                    tokio::select! {
                        biased;
                        // The request was cancelled: its cell is dropped here, and nobody waits for an answer.
                        Ok(()) = &mut entry.cancelled => return None,
                        outcome = request => outcome,
                    }
                }
            }
        };
        let (reply, error) = match outcome {
            Ok(reply) => (reply, None),
            Err(error) => (Reply::error(Some(id), &error), Some(error)),
        };
        if let (Some(audit), Some(kind)) = (&self.audit, route.kind)
            && kind.is_of_tasks()
        {
            audit.request(&Audited {
                principal: &self.principal,
                server: &self.server.name,
                method,
                kind,
                handler: route.handler.as_deref().map(Handler::digest),
                task: route.task.as_deref(),
                error: error.as_ref().map(|error| error.code),
                request: text,
                response: &reply.message,
            });
        }
        if let (Some(observer), Some(start)) = (&self.observer, start) {
            let Route { kind, handler, .. } = &route;
            let handler = handler.as_deref().map(Handler::name);
            observer(&Event::Answered {
                method,
                kind: *kind,
                handler,
                error: error.as_ref(),
                elapsed: start.elapsed(),
            });
        }
        Some(reply)
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled<'a> {
            #[serde(borrow)]
            request_id: Option<&'a RawValue>,
            #[serde(borrow)]
            reason: Option<Cow<'a, str>>,
        }
        if method == "notifications/cancelled"
            && let Some(params) = params
            && let Ok(Cancelled { request_id: Some(id), reason }) = serde_json::from_str(params.get())
        {
            let reason = reason.as_deref().map(|reason| one_line(reason, MAX_QUOTE));
            tracing::debug!(request.id = id.get(), reason, "the server cancels a request");
            self.in_flight.cancel(id.get());
        }
    }

    /// Answers a request. An error is the answer, too.
    async fn request(
        self: &Arc<Self>,
        mut incoming: Incoming<'_>,
        method: &str,
        id: &RawValue,
        route: &mut Route,
    ) -> Result<Reply, RpcError> {
        if method == "ping" {
            return Reply::result(id, &Empty {}, usize::MAX);
        }
        let Some(kind) = route.kind else {
            return Err(RpcError::new(
                code::METHOD_NOT_FOUND,
                format!("Method not found: {}", one_line(method, MAX_QUOTE)),
            ));
        };
        let params = incoming
            .take_params(kind)
            .map_err(|error| RpcError::invalid_params(one_line(&error.to_string(), MAX_QUOTE)))?;
        match params {
            Params::Task(params) => {
                let (call, TaskParams { task_id }) = self.open(params, id);
                if self.audit.is_some() {
                    route.task = Some(task_id.clone());
                }
                self.admit()?;
                if let Served::Managed = self.handlers.served(kind) {
                    return self.managed_task(kind, &task_id, id).await;
                }
                let params = (&call.context, &task_id);
                match kind {
                    Kind::GetTaskResult => {
                        let mark = |output| Payload::new(output, &task_id).map_err(|error| broken(&error));
                        self.serve::<sandbox::GetTaskResult, _>(route, &call, params, id, mark).await
                    }
                    Kind::CancelTask => self.serve::<sandbox::CancelTask, _>(route, &call, params, id, Ok).await,
                    _ => self.serve::<sandbox::GetTask, _>(route, &call, params, id, Ok).await,
                }
            }
            Params::List(params) => {
                let (call, ListParams { cursor }) = self.open(params, id);
                self.admit()?;
                if let Served::Managed = self.handlers.served(kind) {
                    return self.managed_list(cursor.as_deref(), id).await;
                }
                self.serve::<sandbox::ListTasks, _>(route, &call, (&call.context, &cursor), id, Ok).await
            }
            Params::Sampling(params) => {
                let (kind, task) = self.augmentation(route, kind, params.task.clone())?;
                let (mut call, body) = self.open(*params, id);
                rules::sampling::check_request(&body, self.handlers.features().tools)?;
                call.expects = Expects::Sampling;
                match (task, self.handlers.served(kind)) {
                    (Some(task), Served::Managed) => {
                        self.managed_create(kind, task, TaskInput::Sampling(body), call, id).await
                    }
                    (Some(task), _) => {
                        let params = (&call.context, &task, &body);
                        self.serve::<sandbox::AugmentedSampling, _>(route, &call, params, id, Ok).await
                    }
                    (None, _) => {
                        let related = |mut result: CreateMessageResult| call.relate(&mut result.meta).map(|()| result);
                        let params = (&call.context, &body);
                        self.serve::<sandbox::Sampling, _>(route, &call, params, id, related).await
                    }
                }
            }
            Params::Elicitation(params) => {
                let (kind, task) = self.augmentation(route, kind, params.task.clone())?;
                let (mut call, body) = self.open(*params, id);
                self.handlers.features().check(&body)?;
                let schema = rules::elicitation::schema(&body)?;
                match (task, self.handlers.served(kind)) {
                    (Some(task), served) => {
                        call.expects = schema.map_or(Expects::Page, Expects::Form);
                        if let Served::Managed = served {
                            return self.managed_create(kind, task, TaskInput::Elicitation(body), call, id).await;
                        }
                        let params = (&call.context, &task, &body);
                        self.serve::<sandbox::AugmentedElicitation, _>(route, &call, params, id, Ok).await
                    }
                    (None, _) => {
                        let checked = |result| {
                            let mut result = rules::elicitation::check(schema.as_deref(), result).map_err(invalid)?;
                            call.relate(&mut result.meta).map(|()| result)
                        };
                        let params = (&call.context, &body);
                        self.serve::<sandbox::Elicitation, _>(route, &call, params, id, checked).await
                    }
                }
            }
            Params::Roots(params) => {
                let (call, NoParams {}) = self.open(params, id);
                let checked = |mut result: ListRootsResult| {
                    rules::roots::check(&result).map_err(invalid)?;
                    call.relate(&mut result.meta).map(|()| result)
                };
                self.serve::<sandbox::Roots, _>(route, &call, (&call.context,), id, checked).await
            }
        }
    }

    /// Parts what every request has from what is its own.
    fn open<T>(&self, params: RequestParams<T>, id: &RawValue) -> (Call, T) {
        let progress = params.progress_token.clone().map(|token| {
            let outbox = self.outbox.clone();
            let progress = Progress::new(token, move |update| {
                // A flood of progress leaves room for what says more.
                if outbox.capacity() > QUEUE / 2 {
                    notify(&outbox, "notifications/progress", update);
                }
            });
            if let Some(task) = related::task_of(params.meta.as_deref()) {
                progress.relate(task);
            }
            Arc::new(progress)
        });
        let context = RequestContext {
            request_id: id.get().to_owned(),
            progress_token: params.progress_token,
            meta: params.meta,
            server: Arc::clone(&self.server),
            protocol_version: Arc::clone(&self.protocol_version),
            attempt: 1,
        };
        (Call { context, progress, expects: Expects::Anything }, params.body)
    }

    /// The kind that a request is of, with the requestor's wishes when it is served as a task. Gives the default of
    /// a kind that nobody serves.
    fn augmentation(
        &self,
        route: &mut Route,
        plain: Kind,
        task: Option<TaskMetadata>,
    ) -> Result<(Kind, Option<TaskMetadata>), RpcError> {
        let augmented = task.zip(Kind::of(plain.info().method, true));
        let unserved = |kind: Kind| matches!(self.handlers.served(kind), Served::Default);
        let augmented = augmented.filter(|(_, kind)| self.undeclared != Undeclared::Process || !unserved(*kind));
        let (kind, task) = match augmented {
            Some((task, kind)) => (kind, Some(task)),
            None => (plain, None),
        };
        route.kind = Some(kind);
        if task.is_some() {
            self.admit()?;
        }
        if unserved(kind) { Err(kind.default_answer()) } else { Ok((kind, task)) }
    }

    /// Refuses a request about tasks of a principal that makes too many.
    fn admit(&self) -> Result<(), RpcError> {
        if self.tasks.admits() {
            return Ok(());
        }
        Err(RpcError::internal("rate_limit", "Too many requests about tasks; ask less often"))
    }

    /// Calls the kind's handler in a cell, or gives the kind's default. `finish` makes the result of the output.
    async fn serve<E: Export, R: Serialize>(
        self: &Arc<Self>,
        route: &mut Route,
        call: &Call,
        params: E::Params<'_>,
        id: &RawValue,
        finish: impl FnOnce(E::Output) -> Result<R, RpcError>,
    ) -> Result<Reply, RpcError> {
        let Some(kind) = E::KIND else { return Err(RpcError::internal("kind", "The export is no kind")) };
        let Some(handler) = self.handlers.get(kind) else { return Err(kind.default_answer()) };
        route.handler = Some(Arc::clone(handler));
        let scope = Scope {
            grants: Arc::clone(handler.grants()),
            digest: handler.shared_digest(),
            kind: Some(kind),
            expects: call.expects.clone(),
            server: Some(Arc::clone(&self.server)),
            tasks: Some(Arc::clone(&self.tasks)),
            progress: call.progress.clone(),
            may_spawn: handler.has_background(),
            ..Scope::default()
        };
        let (answer, mut scope) = sandbox::call::<E>(handler, scope, params).await;
        let reply = match answer {
            Ok(Ok(output)) => finish(output).and_then(|result| Reply::result(id, &result, handler.message_size())),
            Ok(Err(error)) => Err(bounded(id, error, handler.message_size())),
            Err(error) => Err(error.to_rpc()),
        };
        let reply = match reply {
            Ok(reply) => self.store_work(reply, kind, call, std::mem::take(&mut scope.spawned)).await,
            error => error,
        };
        match reply {
            Ok(reply) => {
                scope.created.keep();
                Ok(reply)
            }
            Err(error) => {
                scope.created.discard(&error).await;
                Err(error)
            }
        }
    }
}

impl Shared {
    /// Stores the work that a handler spawned, before the requestor hears of its tasks.
    async fn store_work(
        self: &Arc<Self>,
        mut reply: Reply,
        kind: Kind,
        call: &Call,
        spawned: Vec<(String, TaskInput)>,
    ) -> Result<Reply, RpcError> {
        let mut unsent = Unsent::new(self, Work { claims: Vec::new(), progress: call.progress.clone() });
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
        reply.work = unsent.into_work();
        Ok(reply)
    }
}

/// Who served a request, for the observer and the audit log.
struct Route {
    kind: Option<Kind>,
    handler: Option<Arc<Handler>>,
    /// The task it was about.
    task: Option<String>,
}

impl Reply {
    pub(super) fn result<R: Serialize>(id: &RawValue, result: &R, limit: usize) -> Result<Self, RpcError> {
        let message = jsonrpc::response(Some(id), Ok(result)).map_err(|error| broken(&error))?;
        if message.len() > limit {
            return Err(Error::AnswerTooLarge { size: message.len(), limit }.to_rpc());
        }
        Ok(Self { message, work: Work::default() })
    }

    fn error(id: Option<&RawValue>, error: &RpcError) -> Self {
        let message = jsonrpc::response::<()>(id, Err(error)).or_else(|broken_by| {
            // The handler's own error cannot be written: its data is no JSON.
            jsonrpc::response::<()>(id, Err(&broken(&broken_by)))
        });
        Self { message: message.unwrap_or_default(), work: Work::default() }
    }
}

/// The handler's error, unless its message is larger than an answer may be.
fn bounded(id: &RawValue, error: RpcError, limit: usize) -> RpcError {
    match jsonrpc::response::<()>(Some(id), Err(&error)) {
        Ok(message) if message.len() > limit => Error::AnswerTooLarge { size: message.len(), limit }.to_rpc(),
        _ => error,
    }
}

/// What the handler gave is no answer to the request.
fn invalid(why: String) -> RpcError {
    Error::InvalidAnswer(why).to_rpc()
}

/// What the handler gave has no JSON.
pub(super) fn broken(error: &serde_json::Error) -> RpcError {
    Error::InvalidAnswer(error.to_string()).to_rpc()
}
