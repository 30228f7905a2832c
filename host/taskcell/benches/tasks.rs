//! Bench of tasks in the stores: create, get and result, with few and with many live tasks, and durable creations per
//! second.
//!
//! The stores take turns in short rounds, and each is judged by its median. The bars: the cost of an operation does not
//! grow with the number of live tasks, and SQLite makes 2,000 durable creations per second.
#![allow(clippy::indexing_slicing, reason = "a bench fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::measure::median;
use taskcell::protocol::types::{
    CreateMessageResult, Role, SamplingContent, TaskInput, TaskMetadata, TaskOutput, TextContent,
};
use taskcell::tasks::{Actor, CreateOptions, Job, MemoryStore, RateLimit, SqliteStore, TaskLimits, TaskStore, Tasks};
use tokio::task::JoinSet;
use wasmtime::Result;

const LIVE: [usize; 3] = [1, 100, 10_000];
const ROUNDS: usize = 15;
const PER_ROUND: usize = 40;
const CREATIONS: usize = 4_000;
const CALLERS: [usize; 3] = [1, 8, 64];

fn main() -> Result<()> {
    // `cargo test` also runs this program, without `--bench`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        println!("microseconds: create, get, finish, result, list (a page); median of {ROUNDS} rounds of {PER_ROUND}");
        for live in LIVE {
            let file = folder.path().join(format!("{live}.db"));
            let sqlite = SqliteStore::open(&file).await.map_err(taskcell_error)?;
            let stores: [(&str, Arc<dyn TaskStore>); 2] =
                [("memory", Arc::new(MemoryStore::new())), ("sqlite", Arc::new(sqlite))];
            let mut samples = vec![vec![Vec::new(); 5]; stores.len()];
            let mut tasks = Vec::new();
            for (_, store) in &stores {
                let of_one = tasks_of(store, "bench");
                fill(&of_one, live).await?;
                tasks.push(of_one);
            }
            for _ in 0..ROUNDS {
                for (tasks, samples) in tasks.iter().zip(&mut samples) {
                    for (step, took) in round(tasks).await?.into_iter().enumerate() {
                        samples[step].push(took);
                    }
                }
            }
            for ((name, _), samples) in stores.iter().zip(samples) {
                let medians = samples.into_iter().map(|samples| format!("{:8.1}", median(samples)));
                println!("{name:>8}, {live:>6} live: {}", medians.collect::<String>());
            }
        }
        println!("\ndurable creations a second, task and work in one step");
        for callers in CALLERS {
            let file = folder.path().join(format!("callers-{callers}.db"));
            let store: Arc<dyn TaskStore> = Arc::new(SqliteStore::open(&file).await.map_err(taskcell_error)?);
            let tasks = tasks_of(&store, "bench");
            let creations = if callers == 1 { CREATIONS / 8 } else { CREATIONS };
            let start = Instant::now();
            let mut running = JoinSet::new();
            for _ in 0..callers {
                let tasks = Arc::clone(&tasks);
                running.spawn(async move {
                    for _ in 0..creations / callers {
                        let created = tasks.create_with_work(options(), job()).await;
                        assert!(created.is_ok(), "{created:?}");
                    }
                });
            }
            while running.join_next().await.transpose()?.is_some() {}
            println!("{callers:>3} callers: {:6.0}", creations as f64 / start.elapsed().as_secs_f64());
        }
        println!("bars: no operation grows with the live tasks; 2,000 creations a second");
        Ok(())
    })
}

fn tasks_of(store: &Arc<dyn TaskStore>, principal: &str) -> Arc<Tasks> {
    let mut limits = TaskLimits::default();
    (limits.tasks, limits.rate, limits.lease) = (1_000_000, RateLimit::none(), Duration::from_secs(600));
    Arc::new(Tasks::new(Arc::clone(store), principal, limits, Box::new(|_| {})))
}

/// Creates `live` tasks, from many callers at once.
async fn fill(tasks: &Arc<Tasks>, live: usize) -> Result<()> {
    let mut running = JoinSet::new();
    for part in 0..64 {
        let tasks = Arc::clone(tasks);
        running.spawn(async move {
            for _ in (part..live).step_by(64) {
                let created = tasks.create(options()).await;
                assert!(created.is_ok(), "{created:?}");
            }
        });
    }
    while running.join_next().await.transpose()?.is_some() {}
    Ok(())
}

/// Measures each step of a task's life, in microseconds.
async fn round(tasks: &Arc<Tasks>) -> Result<[f64; 5]> {
    let mut took = [0.0; 5];
    let mut ids = Vec::new();
    let mut timed = |step: usize, start: Instant| took[step] = start.elapsed().as_secs_f64() * 1e6 / PER_ROUND as f64;
    let start = Instant::now();
    for _ in 0..PER_ROUND {
        ids.push(tasks.create(options()).await?.task_id);
    }
    timed(0, start);
    let start = Instant::now();
    for id in &ids {
        tasks.get(id).await?;
    }
    timed(1, start);
    let (start, output) = (Instant::now(), Ok(output()));
    for id in &ids {
        tasks.finish(id, &output, Actor::default()).await?;
    }
    timed(2, start);
    let start = Instant::now();
    for id in &ids {
        tasks.wait(id).await?.map_err(|error| wasmtime::format_err!("{}", error.message))?;
    }
    timed(3, start);
    let start = Instant::now();
    for _ in 0..PER_ROUND {
        tasks.list(None).await?;
    }
    timed(4, start);
    Ok(took)
}

fn options() -> CreateOptions {
    CreateOptions::new(TaskMetadata { ttl: None }, Arc::default())
}

fn job() -> Job {
    Job {
        kind: "augmented-sampling".to_owned(),
        context: common::context(),
        input: TaskInput::Custom("{\"prompt\":\"hello\"}".to_owned()),
    }
}

fn output() -> TaskOutput {
    let content = TextContent { text: "A short answer.".to_owned(), annotations: None, meta: None };
    TaskOutput::Sampling(CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(content)],
        model: "bench".to_owned(),
        stop_reason: None,
        meta: None,
    })
}

fn taskcell_error(error: taskcell::tasks::StoreError) -> wasmtime::Error {
    wasmtime::format_err!("{error}")
}
