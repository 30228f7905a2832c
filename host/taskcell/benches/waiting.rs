//! Bench of ten thousand cells that wait in a host call: held, woken, finished, and their cost.
//!
//! Each waits in a `tasks/result` for the same unfinished task. One cell above the configured maximum is refused.
#![allow(clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::measure::resident;
use serde_json::Value;
use taskcell::protocol::types::{CreateMessageResult, Role, SamplingContent, TaskMetadata, TaskOutput, TextContent};
use taskcell::tasks::{Actor, CreateOptions, MemoryStore, RateLimit, TaskLimits, TaskStore, Tasks};
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
    options.limits.session_cells = CELLS;
    let engine = Engine::new(options)?;
    let mut grants = Grants::default();
    grants.tasks = true;
    let handler = Handler::from_bytes(&engine, "waiting", common::guest("waiting")?, grants).await?;

    let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
    let mut session = SessionOptions::new(common::server());
    (session.store, session.principal) = (Arc::clone(&store), "bench".to_owned());
    session.tasks.rate = RateLimit::none();
    let tasks = Tasks::new(store, "bench", TaskLimits::default(), Box::new(|_| {}));
    let options = CreateOptions::new(TaskMetadata { ttl: None }, Arc::default());
    let task = tasks.create(options).await?.task_id;
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
    let waiting = Arc::new(AtomicU32::new(0));
    let start = Instant::now();
    let cells: Vec<_> = (0..CELLS).map(|id| tokio::spawn(counted(Arc::clone(&waiting), ask(id)))).collect();
    while waiting.load(Ordering::Relaxed) < CELLS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (held, started) = (resident(), start.elapsed());
    println!("{CELLS} cells wait after {started:.1?}: {:.0} MB resident, {:.0} MB before", held / 1e6, before / 1e6);
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
    tasks.finish(&id, &Ok(output), Actor::default()).await?;
    let mut finished = 0;
    for cell in cells {
        finished += u32::from(cell.await?["result"]["content"]["text"] == "done");
    }
    println!("{finished} of {CELLS} finished in {:.1?}: {:.0} MB resident", start.elapsed(), resident() / 1e6);
    println!("bars: all finish, below 500 MB, one more is refused as overloaded");
    Ok(())
}

/// Counts a future once it waits.
async fn counted<F: Future>(waiting: Arc<AtomicU32>, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut first = true;
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if std::mem::take(&mut first) {
            waiting.fetch_add(1, Ordering::Relaxed);
        }
        polled
    })
    .await
}
