//! The work that handlers spawn: a cell of its own for each task, after the answer that named the task.

use std::sync::Arc;

use super::Shared;
use super::payload::Payload;
use crate::grants::{Progress, Scope};
use crate::protocol::types::{RequestContext, RpcError, TaskInput, TaskOutput};
use crate::sandbox::{self, Background, Handler};

/// Work to start once an answer is out.
#[derive(Default)]
pub(super) struct Work {
    /// What to do, for each task.
    pub(super) spawned: Vec<(String, TaskInput)>,
    /// Where it was spawned; there when anything was.
    pub(super) origin: Option<Origin>,
}

/// The request that work was spawned by.
pub(super) struct Origin {
    pub(super) handler: Arc<Handler>,
    pub(super) context: RequestContext,
    pub(super) progress: Option<Arc<Progress>>,
}

/// Starts the work.
pub(super) fn start(shared: &Arc<Shared>, work: Work) {
    let Some(origin) = work.origin else { return };
    let origin = Arc::new(origin);
    for (id, input) in work.spawned {
        let (shared, origin) = (Arc::clone(shared), Arc::clone(&origin));
        let tasks = Arc::clone(&shared.tasks);
        tasks.start(id.clone(), async move { run(&shared, &origin, &id, input).await });
    }
}

async fn run(shared: &Shared, origin: &Origin, id: &str, input: TaskInput) -> Result<TaskOutput, RpcError> {
    let task = shared.tasks.get(id).await?;
    if let Some(progress) = &origin.progress {
        shared.progress.open(id, progress);
    }
    let scope = Scope {
        grants: Arc::clone(origin.handler.grants()),
        server: Some(Arc::clone(&shared.server)),
        tasks: Some(Arc::clone(&shared.tasks)),
        progress: origin.progress.clone(),
        ..Scope::default()
    };
    let params = (&origin.context, &task, &input);
    let (answer, scope) = sandbox::call::<Background>(&origin.handler, scope, params).await;
    scope.created.keep();
    shared.progress.close(id);
    let output = answer.unwrap_or_else(|error| Err(error.to_rpc()))?;
    // Work whose result cannot be given has failed; found out only by `tasks/result`, it would seem completed.
    Payload::check(output, id, origin.handler.message_size()).map_err(|error| error.to_rpc())
}
