//! The requests of each kind: the rules of the kind, the call of its handler, and what its answer becomes.

use std::future::{Ready, ready};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::payload::Payload;
use super::reply::{Reply, broken, invalid};
use super::serve::{Call, Route};
use super::{SessionInner, Undeclared, revision};
use crate::grants::{Created, Progress};
use crate::handlers::{self, Responder};
use crate::kinds::Kind;
use crate::protocol::RequestParams;
use crate::protocol::request::{ListParams, NoParams, TaskParams};
use crate::protocol::types::{
    CreateMessageRequest, CreateMessageResult, CreateTaskResult, ElicitRequest, ListRootsResult, RequestContext,
    RpcError, TaskInput, TaskMetadata, TaskResult, TaskStatus,
};
use crate::validation::{self, ExpectedResult, related};

impl SessionInner {
    /// Answers `tasks/get`, `tasks/result` and `tasks/cancel`.
    pub(super) async fn task(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        kind: Kind,
        params: RequestParams<TaskParams>,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let (call, TaskParams { task_id }) = self.open(params, id);
        if self.audit.is_some() {
            route.task = Some(task_id.clone());
        }
        self.tasks.admit()?;
        if let Responder::Managed = route.active.handlers.responder(kind) {
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
                let mark = |output, _: &Created| ready(Payload::new(output, &task_id).map_err(|error| broken(&error)));
                self.serve::<handlers::GetTaskResult, _, _>(route, &call, params, id, mark).await
            }
            Kind::CancelTask => self.serve::<handlers::CancelTask, _, _>(route, &call, params, id, named).await,
            _ => self.serve::<handlers::GetTask, _, _>(route, &call, params, id, named).await,
        }
    }

    /// Answers `tasks/list`.
    pub(super) async fn list_tasks(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        kind: Kind,
        params: RequestParams<ListParams>,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let (call, ListParams { cursor }) = self.open(params, id);
        self.tasks.admit()?;
        if let Responder::Managed = route.active.handlers.responder(kind) {
            return self.managed_list(cursor.as_deref(), id).await;
        }
        self.serve::<handlers::ListTasks, _, _>(route, &call, (&call.context, &cursor), id, unchanged).await
    }

    /// Answers `sampling/createMessage`, plain or as a task.
    pub(super) async fn sampling(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        plain: Kind,
        params: RequestParams<CreateMessageRequest>,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let handlers = &route.active.handlers;
        let (kind, task) = self.augmentation(route, plain, params.task.clone())?;
        let (mut call, body) = self.open(params, id);
        validation::sampling::check_request(&body, handlers.features().tools)?;
        call.expects = ExpectedResult::Sampling;
        match (task, handlers.responder(kind)) {
            (Some(task), Responder::Managed) => {
                self.managed_create(handlers, kind, task, TaskInput::Sampling(body), call, id).await
            }
            (Some(task), _) => {
                let params = (&call.context, &task, &body);
                self.serve::<handlers::AugmentedSampling, _, _>(route, &call, params, id, working).await
            }
            (None, _) => {
                let related = |result: CreateMessageResult, _: &Created| {
                    let result = revision::sampling(&self.protocol_version, &body, result).map_err(invalid);
                    ready(result.and_then(|mut result| call.relate(&mut result.meta).map(|()| result)))
                };
                self.serve::<handlers::Sampling, _, _>(route, &call, (&call.context, &body), id, related).await
            }
        }
    }

    /// Answers `elicitation/create`, plain or as a task. The schema of a form is read from `text`, the request's own,
    /// whose constraints the typed request leaves out.
    pub(super) async fn elicitation(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        plain: Kind,
        params: RequestParams<ElicitRequest>,
        id: &RawValue,
        text: &[u8],
    ) -> Result<Reply, RpcError> {
        let handlers = &route.active.handlers;
        let (kind, task) = self.augmentation(route, plain, params.task.clone())?;
        let (mut call, mut body) = self.open(params, id);
        handlers.features().check(&body)?;
        let schema = match &body {
            ElicitRequest::Form(_) => Some(self.tasks.form_schema(text).await?),
            ElicitRequest::Url(_) => None,
        };
        validation::elicitation::simplify(&mut body);
        let Some(task) = task else {
            let (schema, call) = (schema.as_deref(), &call);
            let checked = |result, _: &Created| async move {
                let mut result = self.tasks.fitting(schema, result).await?.map_err(invalid)?;
                call.relate(&mut result.meta).map(|()| result)
            };
            return self.serve::<handlers::Elicitation, _, _>(route, call, (&call.context, &body), id, checked).await;
        };
        call.expects = schema.map_or(ExpectedResult::Page, ExpectedResult::Form);
        if let Responder::Managed = handlers.responder(kind) {
            return self.managed_create(handlers, kind, task, TaskInput::Elicitation(body), call, id).await;
        }
        let params = (&call.context, &task, &body);
        self.serve::<handlers::AugmentedElicitation, _, _>(route, &call, params, id, working).await
    }

    /// Answers `roots/list`.
    pub(super) async fn roots(
        self: &Arc<Self>,
        route: &mut Route<'_>,
        params: RequestParams<NoParams>,
        id: &RawValue,
    ) -> Result<Reply, RpcError> {
        let (call, NoParams {}) = self.open(params, id);
        let checked = |mut result: ListRootsResult, _: &Created| {
            let checked = validation::roots::check(&result).map_err(invalid);
            ready(checked.and_then(|()| call.relate(&mut result.meta)).map(|()| result))
        };
        self.serve::<handlers::Roots, _, _>(route, &call, (&call.context,), id, checked).await
    }

    /// Separates the context of a request from its body.
    fn open<T>(&self, params: RequestParams<T>, id: &RawValue) -> (Call, T) {
        let progress = params.token.map(|token| {
            let outbox = self.outbox.clone();
            let progress = Progress::new(token, move |update| {
                // A flood of progress leaves room for messages of more value.
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

    /// Returns the kind of a request, with its task metadata when it is served as a task.
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

/// Returns the output unchanged, as the result.
fn unchanged<T>(output: T, _: &Created) -> Ready<Result<T, RpcError>> {
    ready(Ok(output))
}

/// Returns the result of a request for a task, whose status is `working` as the requestor must see it first, even when
/// the handler has ended the task by now. [basic/utilities/tasks, Task Status Lifecycle]
fn working(mut result: CreateTaskResult, created: &Created) -> Ready<Result<CreateTaskResult, RpcError>> {
    if result.task.status != TaskStatus::Working {
        match created.get(&result.task.task_id) {
            Some(made) => result.task = made.clone(),
            None => return ready(Err(invalid("a task begins `working`".to_owned()))),
        }
    }
    ready(Ok(result))
}
