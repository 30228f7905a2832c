//! Native handlers: closures of the application that take a kind beside components, or instead of one.
//!
//! A client often has an answer at hand that needs no sandbox: its own roots, its own dialogue. A closure has the type
//! of the export that it stands for, so that everything around an export (rules, capabilities, managed tasks,
//! cancellation) is around it, too. Limits of a cell are not: it is the application's own code, trusted with whatever
//! it can reach.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::exports::{self, Export, KindExport};
use crate::grants::Progress;
use crate::kinds::Kind;
use crate::protocol::types::{
    CreateMessageRequest, CreateMessageResult, CreateTaskResult, ElicitRequest, ElicitResult, ListRootsResult,
    ListTasksResult, RequestContext, RpcError, TaskMetadata, TaskOutput, TaskResult,
};
use crate::tasks::{TaskOrigin, Tasks};
use crate::validation::ExpectedResult;

/// Stand-in for a component's name and digest: in events, in the audit log, in a task's [`TaskOrigin`].
pub(crate) const NAME: &str = "native";

/// A closure as it is kept: with the parameters and the result of the export that it stands for.
type Closure<E> =
    Box<dyn for<'a> Fn(NativeContext, <E as Export>::Params<'a>) -> BoxFuture<'static, Answer<E>> + Send + Sync>;

type Answer<E> = Result<<E as Export>::Output, RpcError>;

/// A handler of one kind that is an async closure of the application. Cloning it is cheap.
///
/// The closure is called for each request and gives the result, or the error that goes out word for word. It runs as
/// part of the request: when that is cancelled its future is dropped, and when it panics the answer is -32603 with
/// `panic` (not where the application is built with `panic = "abort"`, of course). No limit of a cell bounds its time
/// or memory.
///
/// ```
/// use taskcell::protocol::types::{ListRootsResult, Root};
/// use taskcell::{Handlers, NativeHandler};
///
/// let roots = NativeHandler::roots(|_context| async move {
///     let project = Root { uri: "file:///home/user/project".to_owned(), name: None, meta: None };
///     Ok(ListRootsResult { roots: vec![project], meta: None })
/// });
/// let handlers = Handlers::default().native(roots)?;
/// assert_eq!(handlers.capabilities().to_string(), r#"{"roots":{}}"#);
/// # Ok::<(), taskcell::LoadError>(())
/// ```
#[derive(Clone)]
pub struct NativeHandler {
    kind: Kind,
    /// The [`Closure`] of the export that is the kind's.
    closure: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for NativeHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeHandler").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Context of the request that a native handler answers, with its means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NativeContext {
    /// Context that a component would get.
    pub request: RequestContext,
    /// The tasks of the conversation.
    pub tasks: Arc<Tasks>,
    /// Origin of a task that is created for this request: [`CreateOptions::new`](crate::tasks::CreateOptions::new)
    /// takes it, and the task's result is validated against it.
    pub origin: Arc<TaskOrigin>,
    progress: Option<Arc<Progress>>,
}

impl NativeContext {
    pub(crate) fn new(
        request: RequestContext,
        kind: Kind,
        expects: ExpectedResult,
        tasks: &Arc<Tasks>,
        progress: Option<Arc<Progress>>,
    ) -> Self {
        let origin = TaskOrigin { kind: kind.info().export.to_owned(), handler: NAME.to_owned(), expects };
        Self { request, tasks: Arc::clone(tasks), origin: Arc::new(origin), progress }
    }

    /// Reports progress to the requestor, if it asked for any; otherwise nothing happens, and so it does for a value
    /// that is not more than the last, or after the request was answered. [basic/utilities/progress]
    pub fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        if let Some(to) = &self.progress {
            to.report(progress, total, message);
        }
    }
}

macro_rules! natives {
    ($($(#[$doc:meta])* $name:ident = $kind:ident($($param:ident: $type:ty),*) -> $output:ty;)+) => {
        impl NativeHandler {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name<F, R>(answer: F) -> Self
                where
                    F: Fn(NativeContext, $($type),*) -> R + Send + Sync + 'static,
                    R: Future<Output = Result<$output, RpcError>> + Send + 'static,
                {
                    let closure: Closure<exports::$kind> =
                        Box::new(move |context, (_, $($param,)*)| answer(context, $($param.clone()),*).boxed());
                    Self { kind: Kind::$kind, closure: Arc::new(closure) }
                }
            )+
        }
    };
}

natives! {
    /// Answers `sampling/createMessage`: runs a model.
    sampling = Sampling(request: CreateMessageRequest) -> CreateMessageResult;
    /// Answers `elicitation/create`: asks the user.
    elicitation = Elicitation(request: ElicitRequest) -> ElicitResult;
    /// Answers `roots/list`.
    roots = Roots() -> ListRootsResult;
    /// Answers `sampling/createMessage` with `task`, for an application that does the work of tasks itself. Otherwise
    /// [`Handlers::managed`](super::Handlers::managed) makes tasks of [`NativeHandler::sampling`].
    ///
    /// The requestor knows the task only by the answer: what changes it before is
    /// [`Actor::quiet`](crate::tasks::Actor::quiet), and a closure that fails after it made a task has to end it, for
    /// nobody else will.
    augmented_sampling =
        AugmentedSampling(metadata: TaskMetadata, request: CreateMessageRequest) -> CreateTaskResult;
    /// Answers `elicitation/create` with `task`, for an application that does the work of tasks itself. Otherwise
    /// [`Handlers::managed`](super::Handlers::managed) makes tasks of [`NativeHandler::elicitation`].
    augmented_elicitation = AugmentedElicitation(metadata: TaskMetadata, request: ElicitRequest) -> CreateTaskResult;
    /// Answers `tasks/get` for the task of this id.
    get_task = GetTask(task_id: String) -> TaskResult;
    /// Answers `tasks/result` for the task of this id, once it has ended.
    get_task_result = GetTaskResult(task_id: String) -> TaskOutput;
    /// Answers `tasks/list` from this cursor on.
    list_tasks = ListTasks(cursor: Option<String>) -> ListTasksResult;
    /// Answers `tasks/cancel` for the task of this id.
    cancel_task = CancelTask(task_id: String) -> TaskResult;
}

impl NativeHandler {
    /// The kind that it takes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether both are the same closure.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.closure, &other.closure)
    }

    /// Calls the closure.
    ///
    /// # Errors
    /// The host's own, when it gave no answer.
    pub(crate) async fn answer<E: KindExport>(
        &self,
        context: NativeContext,
        params: E::Params<'_>,
    ) -> Result<Answer<E>, RpcError> {
        let Some(closure) = self.closure.downcast_ref::<Closure<E>>() else {
            return Err(RpcError::internal("kind", "The native handler is of another kind"));
        };
        // Whatever the application's code does, the conversation goes on. It is called inside, for it may panic before
        // it gives a future.
        let answer = AssertUnwindSafe(async { closure(context, params).await }).catch_unwind().await;
        answer.map_err(|_| {
            tracing::error!(kind = self.kind.info().export, error.r#type = "panic", "a native handler panicked");
            RpcError::internal("panic", "The handler panicked")
        })
    }
}
