//! From a message to its answer: parse, find the kind, check the request, and let whoever serves the kind answer.

use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_util::poll;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{Instrument, Span};

use super::payload::Payload;
use super::reply::{Reply, broken, invalid};
use super::serve::{Call, Route};
use super::{Event, SessionInner, Undeclared, revision};
use crate::grants::{Created, Progress};
use crate::handlers::{self, ActiveHandlers, KindHandler, Responder};
use crate::kinds::Kind;
use crate::protocol::jsonrpc::code;
use crate::protocol::request::{Incoming, ListParams, NoParams, Params, TaskParams};
use crate::protocol::types::{
    CreateMessageResult, CreateTaskResult, ElicitRequest, ListRootsResult, RequestContext, RpcError, TaskInput,
    TaskMetadata, TaskResult, TaskStatus,
};
use crate::protocol::{Bounds, RequestParams, json};
use crate::tasks::Audited;
use crate::telemetry::{Outcome, RequestWatch, Usage, limit_hit};
use crate::text::one_line;
use crate::validation::{self, ExpectedResult, related};

/// Characters of the peer's text that an error quotes.
const MAX_QUOTE: usize = 200;

/// The result of `ping`.
#[derive(Serialize)]
struct Empty {}

impl SessionInner {
    /// Answers a message; none when it wants no answer. A request is seen under `parent`.
    pub(super) async fn reply(self: &Arc<Self>, text: &[u8], parent: &Span) -> Option<Reply> {
        // What serves it from here to its end.
        let active = self.handlers.active();
        let Bounds { size: limit, depth } = active.bounds;
        if text.len() > limit {
            let message = format!("The message has {} bytes: too many", text.len());
            let usage = Usage { current: Some(text.len() as u64), limit: limit as u64 };
            limit_hit::log("message_size", usage, None, &message, "a message is refused");
            return Some(Reply::error(None, &RpcError::of_kind(code::INVALID_REQUEST, "message_size", message)));
        }
        // What nests too deeply is read again with the request's parameters, and refused there.
        let mut incoming = match json::within(depth, || Incoming::read(text)).0 {
            Ok(incoming) => incoming,
            Err(error) => return Some(Reply::error(None, &error)),
        };
        let method = incoming.message.method.take()?;
        let method = &*method;
        let Some(id) = incoming.message.id else {
            self.notification(method, incoming.message.params);
            return None;
        };
        let (kind, outcome) = (Kind::of(method, false), Outcome::Refused);
        let mut route = Route { active: &active, kind, handler: None, task: None, printed: Vec::new(), outcome };
        let mut watch = RequestWatch::begin(parent, &self.protocol_version, method, id, text);
        if self.in_flight.was_cancelled(id.get()) {
            watch.ended(Outcome::Cancelled, route.kind, None, None);
            return None;
        }
        let start = self.observer.as_ref().map(|_| Instant::now());
        let outcome = 'request: {
            let request = pin!(self.request(text, incoming, method, id, &mut route));
            // Pinned before it is instrumented: moving it would copy a kilobyte on each request.
            let mut request = pin!(request.instrument(watch.span().clone()));
            match poll!(request.as_mut()) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => {
                    let mut entry = self.in_flight.enter(id.get());
                    tokio::select! {
                        biased;
                        // The request was cancelled: its cell is dropped here, and nobody waits for an answer.
                        Ok(()) = &mut entry.cancelled => break 'request None,
                        outcome = request => Some(outcome),
                    }
                }
            }
        };
        let Some(outcome) = outcome else {
            watch.ended(Outcome::Cancelled, route.kind, route.handler.map(KindHandler::name), None);
            return None;
        };
        let (reply, error) = match outcome {
            Ok(reply) => (reply, None),
            Err(error) => (Reply::error(Some(id), &error), Some(error)),
        };
        let outcome = if error.is_none() { Outcome::Ok } else { route.outcome };
        watch.ended(outcome, route.kind, route.handler.map(KindHandler::name), error.as_ref());
        if let (Some(audit), Some(kind)) = (&self.audit, route.kind)
            && kind.is_of_tasks()
        {
            audit.request(&Audited {
                principal: &self.principal,
                server: &self.server.name,
                method,
                kind,
                handler: route.handler.map(KindHandler::digest),
                task: route.task.as_deref(),
                error: error.as_ref().map(|error| error.code),
                request: text,
                response: &reply.message,
            });
        }
        if let (Some(observer), Some(start)) = (&self.observer, start) {
            let Route { kind, handler, printed, .. } = &route;
            let handler = handler.map(KindHandler::name);
            observer(&Event::Answered {
                method,
                kind: *kind,
                handler,
                error: error.as_ref(),
                elapsed: start.elapsed(),
                request: text,
                response: &reply.message,
                printed,
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
            reason: Option<&'a RawValue>,
        }
        if method == "notifications/cancelled"
            && let Some(params) = params
            && let Ok(Cancelled { request_id: Some(id), reason }) = serde_json::from_str(params.get())
        {
            let reason = reason.map(|reason| one_line(reason.get(), MAX_QUOTE));
            tracing::debug!(request.id = id.get(), reason, "the server cancels a request");
            self.in_flight.cancel(id.get());
        }
    }

    /// Answers a request. An error is the answer, too.
    async fn request(
        self: &Arc<Self>,
        text: &[u8],
        mut incoming: Incoming<'_>,
        method: &str,
        id: &RawValue,
        route: &mut Route<'_>,
    ) -> Result<Reply, RpcError> {
        let ActiveHandlers { handlers, bounds, .. } = route.active;
        if method == "ping" {
            return Reply::result(id, &Empty {}, Bounds::NONE);
        }
        let Some(kind) = route.kind else {
            return Err(RpcError::new(
                code::METHOD_NOT_FOUND,
                format!("Method not found: {}", one_line(method, MAX_QUOTE)),
            ));
        };
        let (params, too_deep) = json::within(bounds.depth, || incoming.take_params(kind));
        let params = params.map_err(|error| {
            let message = one_line(&error.to_string(), MAX_QUOTE);
            if !too_deep {
                return RpcError::invalid_params(message);
            }
            let limit = bounds.depth as u64;
            let usage = Usage { current: Some(limit.saturating_add(1)), limit };
            limit_hit::log("json_depth", usage, None, &message, "a request is refused");
            RpcError::of_kind(code::INVALID_PARAMS, "json_depth", message)
        })?;
        match params {
            Params::Task(params) => {
                let (call, TaskParams { task_id }) = self.open(params, id);
                if self.audit.is_some() {
                    route.task = Some(task_id.clone());
                }
                self.tasks.admit()?;
                if let Responder::Managed = handlers.responder(kind) {
                    return self.managed_task(route, kind, &task_id, id).await;
                }
                let params = (&call.context, &task_id);
                let named = |result: TaskResult, _: &Created| {
                    ready(match result.task.task_id == task_id {
                        true => Ok(result),
                        false => Err(invalid("it is about another task than was asked for".to_owned())),
                    })
                };
                match kind {
                    Kind::GetTaskResult => {
                        let mark =
                            |output, _: &Created| ready(Payload::new(output, &task_id).map_err(|error| broken(&error)));
                        self.serve::<handlers::GetTaskResult, _, _>(route, &call, params, id, mark).await
                    }
                    Kind::CancelTask => self.serve::<handlers::CancelTask, _, _>(route, &call, params, id, named).await,
                    _ => self.serve::<handlers::GetTask, _, _>(route, &call, params, id, named).await,
                }
            }
            Params::List(params) => {
                let (call, ListParams { cursor }) = self.open(params, id);
                self.tasks.admit()?;
                if let Responder::Managed = handlers.responder(kind) {
                    return self.managed_list(cursor.as_deref(), id).await;
                }
                self.serve::<handlers::ListTasks, _, _>(route, &call, (&call.context, &cursor), id, unchanged).await
            }
            Params::Sampling(params) => {
                let (kind, task) = self.augmentation(route, kind, params.task.clone())?;
                let (mut call, body) = self.open(*params, id);
                validation::sampling::check_request(&body, handlers.features().tools)?;
                call.expects = ExpectedResult::Sampling;
                match (task, handlers.responder(kind)) {
                    (Some(task), Responder::Managed) => {
                        self.managed_create(handlers, kind, task, TaskInput::Sampling(body), call, id).await
                    }
                    (Some(task), _) => {
                        let params = (&call.context, &task, &body);
                        self.serve::<handlers::AugmentedSampling, _, _>(route, &call, params, id, begun).await
                    }
                    (None, _) => {
                        let related = |result: CreateMessageResult, _: &Created| {
                            let result = revision::sampling(&self.protocol_version, &body, result).map_err(invalid);
                            ready(result.and_then(|mut result| call.relate(&mut result.meta).map(|()| result)))
                        };
                        let params = (&call.context, &body);
                        self.serve::<handlers::Sampling, _, _>(route, &call, params, id, related).await
                    }
                }
            }
            Params::Elicitation(params) => {
                let (kind, task) = self.augmentation(route, kind, params.task.clone())?;
                let (mut call, mut body) = self.open(*params, id);
                handlers.features().check(&body)?;
                let schema = match &body {
                    ElicitRequest::Form(_) => Some(self.tasks.form_schema(text).await?),
                    ElicitRequest::Url(_) => None,
                };
                validation::elicitation::simplify(&mut body);
                match (task, handlers.responder(kind)) {
                    (Some(task), served) => {
                        call.expects = schema.map_or(ExpectedResult::Page, ExpectedResult::Form);
                        if let Responder::Managed = served {
                            return self
                                .managed_create(handlers, kind, task, TaskInput::Elicitation(body), call, id)
                                .await;
                        }
                        let params = (&call.context, &task, &body);
                        self.serve::<handlers::AugmentedElicitation, _, _>(route, &call, params, id, begun).await
                    }
                    (None, _) => {
                        let (schema, call) = (schema.as_deref(), &call);
                        let checked = |result, _: &Created| async move {
                            let mut result = self.tasks.fitting(schema, result).await?.map_err(invalid)?;
                            call.relate(&mut result.meta).map(|()| result)
                        };
                        let params = (&call.context, &body);
                        self.serve::<handlers::Elicitation, _, _>(route, call, params, id, checked).await
                    }
                }
            }
            Params::Roots(params) => {
                let (call, NoParams {}) = self.open(params, id);
                let checked = |mut result: ListRootsResult, _: &Created| {
                    let checked = validation::roots::check(&result).map_err(invalid);
                    ready(checked.and_then(|()| call.relate(&mut result.meta)).map(|()| result))
                };
                self.serve::<handlers::Roots, _, _>(route, &call, (&call.context,), id, checked).await
            }
        }
    }

    /// Parts what every request has from what is its own.
    fn open<T>(&self, params: RequestParams<T>, id: &RawValue) -> (Call, T) {
        let progress = params.token.map(|token| {
            let outbox = self.outbox.clone();
            let progress = Progress::new(token, move |update| {
                // A flood of progress leaves room for what says more.
                if !outbox.is_half_full() {
                    outbox.notify("notifications/progress", update);
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
        (Call { context, progress, expects: ExpectedResult::Anything }, params.body)
    }

    /// The kind that a request is of, with the requestor's wishes when it is served as a task. Gives the default of
    /// a kind that nobody serves.
    fn augmentation(
        &self,
        route: &mut Route<'_>,
        plain: Kind,
        task: Option<TaskMetadata>,
    ) -> Result<(Kind, Option<TaskMetadata>), RpcError> {
        let augmented = task.zip(Kind::of(plain.info().method, true));
        let handlers = &route.active.handlers;
        let unserved = |kind: Kind| matches!(handlers.responder(kind), Responder::Default);
        let augmented = augmented.filter(|(_, kind)| self.undeclared != Undeclared::Process || !unserved(*kind));
        let (kind, task) = match augmented {
            Some((task, kind)) => (kind, Some(task)),
            None => (plain, None),
        };
        route.kind = Some(kind);
        if task.is_some() {
            self.tasks.admit()?;
        }
        if unserved(kind) { Err(route.default_answer(kind)) } else { Ok((kind, task)) }
    }
}

/// The output is the result.
fn unchanged<T>(output: T, _: &Created) -> Ready<Result<T, RpcError>> {
    ready(Ok(output))
}

/// A task begins `working`, as whoever asked for it is told, though its handler may have ended it by now.
/// [basic/utilities/tasks, Task Status Lifecycle]
fn begun(mut result: CreateTaskResult, created: &Created) -> Ready<Result<CreateTaskResult, RpcError>> {
    if result.task.status != TaskStatus::Working {
        match created.get(&result.task.task_id) {
            Some(made) => result.task = made.clone(),
            None => return ready(Err(invalid("a task begins `working`".to_owned()))),
        }
    }
    ready(Ok(result))
}
