//! Ten thousand cells that wait in a host call: held, woken, finished, and what they cost.
//!
//! Each is a `tasks/result` for one task that is still being worked on. One more than the configured maximum is
//! refused.
#![allow(clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use taskcell::protocol::types::{CreateMessageResult, Role, SamplingContent, TaskMetadata, TaskOutput, TextContent};
use taskcell::tasks::{MemoryStore, Position, StoreError, TaskLimits, TaskRecord, TaskStore, Tasks};
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Session, SessionOptions};

const CELLS: u32 = 10_000;

fn main() -> wasmtime::Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(waiting())
}

async fn waiting() -> wasmtime::Result<()> {
    let mut options = EngineOptions::default();
    options.limits.cells = CELLS;
    let engine = Engine::new(options)?;
    let mut grants = Grants::default();
    grants.tasks = true;
    let handler = Handler::from_bytes(&engine, "waiting", common::guest("waiting")?, grants).await?;

    let counted = Arc::new(Counted::default());
    let store: Arc<dyn TaskStore> = Arc::clone(&counted) as _;
    let mut session = SessionOptions::new(common::server());
    (session.store, session.principal) = (Arc::clone(&store), "bench".to_owned());
    let tasks = Tasks::new(store, "bench".to_owned(), TaskLimits::default(), Box::new(|_| {}));
    let task = tasks.create(TaskMetadata { ttl: None }, None, None).await?.task_id;
    let (session, _outbox) = Session::new(Handlers::new([handler])?, session);
    let session = Arc::new(session);
    let ask = move |id: u32| {
        let (session, task) = (Arc::clone(&session), task.clone());
        async move {
            let params = serde_json::json!({ "taskId": task });
            let request = serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": "tasks/result", "params": params });
            let answer = session.answer(request.to_string().as_bytes()).await.unwrap_or_default();
            serde_json::from_slice::<Value>(&answer).unwrap_or_default()
        }
    };

    let before = resident();
    let start = Instant::now();
    let cells: Vec<_> = (0..CELLS).map(|id| tokio::spawn(ask(id))).collect();
    // A cell counts once it waits for a change of the task.
    while counted.waiting.load(Ordering::Relaxed) < CELLS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (held, started) = (resident(), start.elapsed());
    println!("{CELLS} cells wait after {started:.1?}: {held} MB resident, {before} MB before");
    println!("one more: {}", ask(CELLS).await["error"]);

    let start = Instant::now();
    let content = TextContent { text: "done".to_owned(), annotations: None, meta: None };
    let output = TaskOutput::Sampling(CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(content)],
        model: "bench".to_owned(),
        stop_reason: None,
        meta: None,
    });
    let id = tasks.list(None).await?.tasks[0].task_id.clone();
    tasks.finish(&id, Ok(output), true).await?;
    let mut finished = 0;
    for cell in cells {
        finished += u32::from(cell.await?["result"]["content"]["text"] == "done");
    }
    println!("{finished} of {CELLS} finished in {:.1?}: {} MB resident", start.elapsed(), resident());
    println!("bars: all finish, below 500 MB, one more is refused as overloaded");
    Ok(())
}

/// The memory store, counting those who wait.
#[derive(Default)]
struct Counted {
    store: MemoryStore,
    waiting: AtomicU32,
}

#[async_trait]
impl TaskStore for Counted {
    async fn create(&self, record: TaskRecord) -> Result<(), StoreError> {
        self.store.create(record).await
    }

    async fn get(&self, principal: &str, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        self.store.get(principal, id).await
    }

    async fn replace(&self, record: TaskRecord, seen: u64) -> Result<bool, StoreError> {
        self.store.replace(record, seen).await
    }

    async fn list(
        &self,
        principal: &str,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        self.store.list(principal, after, limit).await
    }

    async fn count(&self, principal: &str) -> Result<usize, StoreError> {
        self.store.count(principal).await
    }

    async fn changed(&self, principal: &str, id: &str, seen: u64) -> Result<(), StoreError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.store.changed(principal, id, seen).await
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.remove_expired(now).await
    }
}

/// Resident memory of this process in MB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
