//! The conversations of a soak: what is asked, and what must come back.
#![allow(clippy::indexing_slicing, reason = "in a JSON value, what is not there is null")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use taskcell::protocol::types::{ListRootsResult, Root};
use taskcell::tasks::{SqliteStore, TaskLimits, TaskStore};
use taskcell::{Engine, Grants, Handler, Handlers, NativeHandler, SessionOptions};
use taskcell_test_support::compose::component_text;
use taskcell_test_support::conversation::{Conversation, prompt, request, task_prompt};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{STOCK, cells, engine};
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::options;

/// One conversation of so many is with a hostile guest.
const HOSTILE: usize = 10;
/// What a conversation has the hostile guest do.
const FAULTS_EACH: usize = 4;
/// Unexpected answers that are kept to be shown.
const SHOWN: usize = 20;

/// What the hostile guest does, and the kind of the error that it ends with.
const FAULTS: &[(&str, &str)] = &[
    ("loop", "cpu_time"),
    ("loop-host", "cpu_time"),
    ("alternate", "cpu_time"),
    ("recurse", "stack"),
    ("grow", "memory"),
    ("drip", "memory"),
    ("leak", "handles"),
    ("trap", "trap"),
    ("panic", "trap"),
    ("exit", "trap"),
    ("big", "answer_size"),
    ("many", "answer_size"),
    ("nan", "invalid_answer"),
    ("bad-meta", "invalid_answer"),
    ("deepest-json", "json_depth"),
];

/// Work that the hostile guest is left at when its session ends.
const WORK: &[&str] = &["loop", "wait-own", "progress-for-ever", "drip", "trap", "end-twice"];

/// What is counted of all conversations.
#[derive(Default)]
pub(crate) struct Tally {
    latencies: Mutex<Vec<Duration>>,
    requests: AtomicU64,
    due: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    unexpected: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut *held(&self.latencies))
    }

    /// The requests and the errors that were due since the last time.
    pub(crate) fn take_counts(&self) -> (u64, u64) {
        (self.requests.swap(0, Relaxed), self.due.swap(0, Relaxed))
    }

    /// The errors that were due, by kind.
    pub(crate) fn errors(&self) -> String {
        let errors = held(&self.errors);
        errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn unexpected(&self) -> Vec<String> {
        held(&self.unexpected).clone()
    }

    fn error(&self, kind: &str) {
        self.due.fetch_add(1, Relaxed);
        *held(&self.errors).entry(kind.to_owned()).or_default() += 1;
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that conversations share, as they do in a host: an engine, handlers, a durable store, the limits of tasks.
pub(crate) struct Load {
    engine: Engine,
    own: Handlers,
    managed: Handlers,
    hostile: Handlers,
    folder: tempfile::TempDir,
    store: Arc<dyn TaskStore>,
    limits: TaskLimits,
    begun: AtomicUsize,
}

impl Load {
    pub(crate) async fn new() -> Result<Self> {
        let mut limits = cells(200);
        limits.session_cells = 50;
        limits.cpu_time = Duration::from_millis(50);
        limits.memory = 8 << 20;
        limits.handles = 100;
        limits.message_size = 64 << 10;
        let engine = engine(limits)?;
        let script = json!({
            "delayMs": 2,
            "sampling": [{ "match": "slow", "delayMs": 600_000 }],
            "elicitation": [{ "match": "slow", "delayMs": 600_000 }],
        });
        let mut grants = Grants::default();
        (grants.tasks, grants.progress) = (true, true);
        grants.config = Some([("script".to_owned(), script.to_string())].into_iter().collect());
        let load = |folder: &'static str| {
            let (engine, grants) = (engine.clone(), grants.clone());
            async move {
                let file = build_guest(&repository().join(folder))?;
                anyhow::Ok(Handler::from_file(&engine, &file, grants).await?)
            }
        };
        let roots = NativeHandler::roots(|_| async {
            let root = Root { uri: "file:///workspace".to_owned(), name: None, meta: None };
            Ok(ListRootsResult { roots: vec![root], meta: None })
        });
        let stock = Handler::from_bytes(&engine, "stock", STOCK.to_vec(), grants.clone()).await?;
        let own = Handlers::new([stock])?;
        let managed = Handlers::new([load("tests/guests/plain_kinds").await?])?.native(roots)?.managed();
        let hostile = Handlers::new([load("tests/guests/hostile").await?])?;
        let folder = tempfile::tempdir()?;
        let store = Arc::new(SqliteStore::open(&folder.path().join("tasks.db")).await?);
        let mut limits = TaskLimits::default();
        // What is left of a conversation is to be gone while the soak still runs.
        limits.default_ttl = Duration::from_secs(5);
        limits.tasks = 50;
        Ok(Self { engine, own, managed, hostile, folder, store, limits, begun: AtomicUsize::new(0) })
    }

    /// Bytes of the durable store's files.
    pub(crate) fn store_size(&self) -> Result<u64> {
        let sizes = self.folder.path().read_dir()?.map(|entry| Ok(entry?.metadata()?.len()));
        sizes.sum()
    }

    /// Bytes that the engine's pool keeps for the next cells.
    pub(crate) fn pool_size(&self) -> usize {
        self.engine.pool().idle
    }

    /// Holds the next conversation.
    pub(crate) async fn converse(&self, tally: &Tally) {
        let number = self.begun.fetch_add(1, Relaxed);
        let held_it = match number % HOSTILE {
            0 => self.hostile(tally, number / HOSTILE).await,
            _ => self.well_behaved(tally, number).await,
        };
        if let Err(error) = held_it {
            let mut unexpected = held(&tally.unexpected);
            if unexpected.len() < SHOWN {
                unexpected.push(format!("conversation {number}: {error:#}"));
            }
        }
    }

    fn options(&self, durable: bool) -> SessionOptions {
        let mut options = options();
        options.tasks = self.limits.clone();
        if durable {
            options.store = Arc::clone(&self.store);
        }
        options
    }

    /// All nine kinds, progress and cancellations; the tasks are the handler's own or the host's, in memory or on disk.
    async fn well_behaved(&self, tally: &Tally, number: usize) -> Result<()> {
        let handlers = if number.is_multiple_of(2) { &self.own } else { &self.managed };
        let server = Conversation::new(handlers.clone(), self.options((number / 2).is_multiple_of(2)));
        let mut server = Asked { server, tally };

        let mut hi = prompt("hi");
        hi["_meta"] = json!({ "progressToken": number });
        let form = json!({ "message": "Who?", "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } } });
        for (method, params, pointer, due) in [
            ("ping", &json!({}), "/result", json!({})),
            ("sampling/createMessage", &hi, "/result/content/text", json!("Scripted answer to: hi")),
            ("elicitation/create", &form, "/result/action", json!("accept")),
            ("roots/list", &json!({}), "/result/roots/0/uri", json!("file:///workspace")),
        ] {
            server.gives(method, params, pointer, &due).await?;
        }
        server.fails("no/such/method", &json!({}), "/error/code", &json!(-32601)).await?;

        let task = server.task("sampling/createMessage", &task_prompt("hi")).await?;
        server.gives("tasks/get", &task, "/result/taskId", &task["taskId"]).await?;
        server.gives("tasks/list", &json!({}), "/result/tasks/0/taskId", &task["taskId"]).await?;
        let answer = "/result/content/text";
        server.untimed("tasks/result", &task, answer, &json!("Scripted answer to: hi")).await?;

        let mut slow = form;
        (slow["message"], slow["task"]) = (json!("slow"), json!({}));
        let task = server.task("elicitation/create", &slow).await?;
        server.cancelled_request("tasks/result", &task).await?;
        server.gives("tasks/cancel", &task, "/result/status", &json!("cancelled")).await?;

        // Work that is still being done when the conversation ends, be it closed or dropped.
        server.task("sampling/createMessage", &task_prompt("slow")).await?;
        if number.is_multiple_of(3) { server.server.close().await } else { server.server.end().await.map(drop) }
    }

    /// Some of what a hostile guest does to a request, to tasks and to the loader, and that it still answers.
    async fn hostile(&self, tally: &Tally, number: usize) -> Result<()> {
        let server = Conversation::new(self.hostile.clone(), self.options(number.is_multiple_of(2)));
        let mut server = Asked { server, tally };
        for (behavior, kind) in FAULTS.iter().cycle().skip(number * FAULTS_EACH % FAULTS.len()).take(FAULTS_EACH) {
            let params = prompt(behavior);
            server.fails("sampling/createMessage", &params, "/error/data/kind", &json!(kind)).await?;
            server.untimed("sampling/createMessage", &prompt("good"), "/result/content/text", &json!("good")).await?;
        }
        server.cancelled_request("sampling/createMessage", &prompt("wait")).await?;
        let work = WORK.iter().cycle().nth(number % WORK.len()).context("no work")?;
        server.task("sampling/createMessage", &task_prompt(work)).await?;
        let thousands = task_prompt("spawn-thousands");
        server.fails("sampling/createMessage", &thousands, "/error/data/kind", &json!("tasks")).await?;

        let start = "(func $f (loop $l (br $l))) (start $f)";
        let text = format!("(component (core module $m {start}) (core instance (instantiate $m)))");
        let loaded = Handler::from_bytes(&self.engine, "a start", component_text(&text)?, Grants::default()).await;
        let kind = loaded.err().map(|error| error.kind());
        ensure!(kind == Some("cpu_time"), "a start function that loops: {kind:?}");
        tally.error("cpu_time");
        server.server.end().await.map(drop)
    }
}

/// A conversation whose answers are counted and held against what is due.
struct Asked<'a> {
    server: Conversation,
    tally: &'a Tally,
}

impl Asked<'_> {
    /// Asks what a well-behaved handler answers at once.
    async fn gives(&mut self, method: &str, params: &Value, pointer: &str, due: &Value) -> Result<()> {
        let start = Instant::now();
        self.untimed(method, params, pointer, due).await?;
        held(&self.tally.latencies).push(start.elapsed());
        Ok(())
    }

    /// Asks what takes its time.
    async fn untimed(&mut self, method: &str, params: &Value, pointer: &str, due: &Value) -> Result<()> {
        self.tally.requests.fetch_add(1, Relaxed);
        let answer = self.server.ask(method, params).await.with_context(|| format!("{method} {params}"))?;
        let shown = || answer.to_string().chars().take(300).collect::<String>();
        ensure!(answer.pointer(pointer) == Some(due), "{method} {params}: {pointer} is not {due}: {}", shown());
        Ok(())
    }

    /// Asks what ends in this error.
    async fn fails(&mut self, method: &str, params: &Value, pointer: &str, due: &Value) -> Result<()> {
        self.untimed(method, params, pointer, due).await?;
        self.tally.error(&due.as_str().map_or_else(|| due.to_string(), str::to_owned));
        Ok(())
    }

    /// Makes a task and gives what names it.
    async fn task(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.tally.requests.fetch_add(1, Relaxed);
        let answer = self.server.ask(method, params).await?;
        let id = answer.pointer("/result/task/taskId");
        Ok(json!({ "taskId": id.with_context(|| format!("{method} {params} made no task: {answer}"))? }))
    }

    /// Sends a request that nobody waits for any more.
    async fn cancelled_request(&mut self, method: &str, params: &Value) -> Result<()> {
        self.tally.requests.fetch_add(1, Relaxed);
        self.server.send(&request("cancelled", method, params));
        let params = json!({ "requestId": "cancelled" });
        self.server.handle(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })).await
    }
}
