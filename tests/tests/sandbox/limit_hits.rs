//! Each limit that is hit is told of by the same word in the answer, in the log and in the counter, with how much there
//! was and how much may be. The table is held against that of `docs/limits.md`.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::protocol::types::{RpcError, TaskInput, TaskMetadata, TaskStatus};
use taskcell::tasks::{
    Actor, Claim, CreateOptions, ExpectedResult, Job, MemoryStore, Outcome, RateLimit, Runner, TaskLimits, TaskOrigin,
    TaskStore, Tasks,
};
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Limits, Outbox, Session};
use taskcell_test_support::compose::component_text;
use taskcell_test_support::conversation::{prompt, request, soon, start, task_prompt};
use taskcell_test_support::guests::build_guest_for;
use taskcell_test_support::handlers::{cells, engine, guest};
use taskcell_test_support::log_capture::{Captured, captured};
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::options;

const SAMPLING: &str = "sampling/createMessage";

/// How a limit is hit.
enum Way {
    /// The hostile guest does this.
    Guest(&'static str),
    /// A message of the server that is this much too large.
    Message(usize),
    /// Parameters that nest so deeply.
    Nested(usize),
    /// A component of this core module, so often, is loaded.
    Component(&'static str, usize),
    /// A component of some thousand functions is loaded, which is in no cache.
    SlowToCompile,
    /// A file of so many bytes is loaded.
    File(u64),
    /// A guest prints without end.
    Printing,
    /// One request more than there are places.
    Crowd,
    /// One task more than there may be.
    TooManyTasks,
    /// A task where there is no room for what it is made from.
    LargeTask,
    /// The guest does this as the work of a task.
    Work(&'static str),
    /// One request about tasks too many.
    TooOften,
    /// A worker comes back whose work was given to another.
    LateWorker,
    /// Work at which so many hosts were lost.
    Lost(u32),
}
use Way::*;

/// What is said of how much there was.
enum Current {
    /// Nothing.
    Unknown,
    /// This.
    Is(u64),
    /// As much as may be, or more.
    Over,
}
use Current::*;

/// The limit, what it is set to, how it is hit, and what is said: the kind, how much there was, how much may be.
type Row = (&'static str, fn(&mut Limits, &mut TaskLimits), Way, &'static str, Current, u64);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("Limits::memory",          |limits, _| limits.memory = 4 << 20,       Guest("drip"),                        "memory",             Over,        4 << 20),
    ("Limits::table_elements",  |limits, _| limits.table_elements = 100,   Component("(table 101 funcref)", 1),  "table",              Is(101),     100),
    ("Limits::core_instances",  |limits, _| limits.core_instances = 5,     Component("", 6),                     "core_instances",     Is(6),       5),
    ("Limits::memories",        |limits, _| limits.memories = 2,           Component("(memory 1)", 3),           "memories",           Is(3),       2),
    ("Limits::tables",          |limits, _| limits.tables = 2,             Component("(table 1 funcref)", 3),    "tables",             Is(3),       2),
    ("Limits::handles",         |limits, _| limits.handles = 100,          Guest("leak"),                        "handles",            Is(101),     100),
    ("Limits::stack",           |limits, _| limits.stack = 256 << 10,      Guest("recurse"),                     "stack",              Unknown,     256 << 10),
    ("Limits::cpu_time",        |limits, _| limits.cpu_time = ms(200),     Guest("loop"),                        "cpu_time",           Over,        200),
    ("Limits::wall_time",       |limits, _| limits.wall_time = ms(100),    Guest("wait"),                        "wall_time",          Over,        100),
    ("Limits::host_call",       |limits, _| limits.host_call = 64 << 10,   Guest("big-host-call"),               "host_call",          Unknown,     64 << 10),
    ("Limits::message_size",    |limits, _| limits.message_size = 9_000,   Message(9_001),                       "message_size",       Is(9_001),   9_000),
    ("Limits::message_size",    |limits, _| limits.message_size = 9_000,   Guest("many"),                        "answer_size",        Over,        9_000),
    ("Limits::json_depth",      |limits, _| limits.json_depth = 9,         Nested(10),                           "json_depth",         Is(10),      9),
    ("Limits::json_depth",      |_, _| (),                                 Guest("deep-json"),                   "json_depth",         Is(65),      64),
    ("Limits::json_depth",      |_, _| (),                                 Work("deep-json"),                    "json_depth",         Is(65),      64),
    ("Limits::component_size",  |limits, _| limits.component_size = 1_000, File(100 << 30),                      "component_size",     Is(100 << 30), 1_000),
    ("Limits::compile_time",    |limits, _| limits.compile_time = ms(0),   SlowToCompile,                        "compile_time",       Unknown,     0),
    ("Limits::output",          |limits, _| limits.output = 1_000,         Printing,                             "output",             Over,        1_000),
    ("Limits::output",          |limits, _| limits.output = 64 << 20,      Printing,                             "output",             Is(100_002), 1_000),
    ("Limits::cells",           |limits, _| limits.cells = 1,              Crowd,                                "overloaded",         Is(2),       1),
    ("Limits::session_cells",   |limits, _| limits.session_cells = 1,      Crowd,                                "session_overloaded", Is(2),       1),
    ("TaskLimits::tasks",       |_, tasks| tasks.tasks = 1,                TooManyTasks,                         "tasks",              Is(2),       1),
    ("TaskLimits::total_size",  |_, tasks| tasks.total_size = 50,          LargeTask,                            "total_size",         Unknown,     50),
    ("TaskLimits::result_size", |_, tasks| tasks.result_size = 9_000,      Work("many"),                         "answer_size",        Over,        9_000),
    ("TaskLimits::rate",        |_, tasks| tasks.rate = one(),             TooOften,                             "rate_limit",         Unknown,     1),
    ("TaskLimits::lease",       |_, tasks| tasks.lease = ms(1),            LateWorker,                           "lease_lost",         Unknown,     1),
    ("TaskLimits::attempts",    |_, tasks| tasks.attempts = 2,             Lost(3),                              "attempts",           Is(3),       2),
];

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn one() -> RateLimit {
    RateLimit::per_second(NonZeroU32::new(1), NonZeroU32::new(1))
}

/// Every row, and no limit of the documents without one.
#[test]
fn each_limit_has_its_word_its_line_and_its_count() {
    for (limit, set, by, kind, current, most) in ROWS {
        let (mut limits, mut tasks) = (cells(4), TaskLimits::default());
        set(&mut limits, &mut tasks);
        let (said, Captured { lines, hits }) = here(hit(limits, tasks, by));
        let expected = if *kind == "output" { "" } else { kind };
        assert_eq!(said, expected, "{limit}");
        assert!(hits.get(*kind).is_some_and(|count| *count >= 1) && hits.len() == 1, "{limit}: {hits:?}");
        assert!(!lines.is_empty(), "{limit}: no line in the log");
        for line in lines {
            let number = |field: &str| line.get(field).map(|number| number.parse::<u64>().unwrap());
            assert_eq!((&*line["error.type"], number("limit")), (*kind, Some(*most)), "{limit}: {line:?}");
            match (current, number("current")) {
                (Unknown, None) => {}
                (Is(current), Some(found)) if *current == found => {}
                (Over, Some(found)) if found >= *most => {}
                (_, found) => panic!("{limit}: {found:?}: {line:?}"),
            }
        }
    }
    let docs = fs::read_to_string(repository().join("docs/limits.md")).unwrap();
    let rows = docs.lines().filter(|line| line.starts_with("| `Limits::") || line.starts_with("| `TaskLimits::"));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let documented: BTreeSet<_> = rows
        .flat_map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            let limit = words(cells[1]).remove(0);
            words(cells[5]).into_iter().map(move |kind| (limit.clone(), kind))
        })
        .collect();
    let tested: BTreeSet<_> =
        ROWS.iter().map(|(limit, _, _, kind, ..)| ((*limit).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(documented, tested);
}

/// A guest that hits the same limit again and again fills no log: each is counted, and told of once a cell.
#[test]
fn a_line_is_written_once_a_cell() {
    let ask = async {
        let mut options = options();
        options.tasks.tasks = 1;
        let (session, _outbox) = Session::new(guest(cells(2), "tests/guests/hostile").await.unwrap(), options);
        answer(&session, SAMPLING, &prompt("create-for-ever")).await
    };
    let (answer, Captured { lines, hits }) = here(ask);
    assert_eq!(answer["result"]["content"]["text"], "999 were refused", "{answer}");
    assert_eq!((lines.len(), hits["tasks"]), (1, 999), "{lines:?}");
}

/// Who computes and waits in turn is charged for what it computed, and ended within 10 milliseconds of computing, on a
/// busy machine, too: the clock is that of the thread.
#[test]
fn cpu_time_is_kept_to_ten_milliseconds() {
    for _ in 0..5 {
        let mut limits = cells(1);
        limits.cpu_time = ms(100);
        let (kind, Captured { lines, .. }) = here(hit(limits, TaskLimits::default(), &Guest("alternate")));
        assert_eq!(kind, "cpu_time");
        let used: u64 = lines[0]["current"].parse().unwrap();
        assert!((100..110).contains(&used), "it was ended when it had computed for {used} ms");
    }
}

/// Does something on this thread alone.
fn here<F: Future>(work: F) -> (F::Output, Captured) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    captured(|| runtime.block_on(async { soon(work).await.unwrap() }))
}

/// Hits a limit, and gives the kind of the error that whoever asked gets; none where there is an answer all the same.
async fn hit(limits: Limits, tasks: TaskLimits, by: &Way) -> String {
    match by {
        Guest(behavior) => {
            let (session, _outbox) = hostile(limits, tasks).await;
            kind(&answer(&session, SAMPLING, &prompt(behavior)).await)
        }
        Message(size) => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let rest = request(1, SAMPLING, &prompt("")).to_string().len();
            kind(&answer(&session, SAMPLING, &prompt(&"x".repeat(size - rest))).await)
        }
        Nested(depth) => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let mut params = prompt("good");
            params["_meta"] = (1..*depth).fold(json!({}), |inner, _| json!({ "a": inner }));
            kind(&answer(&session, SAMPLING, &params).await)
        }
        Component(module, count) => {
            let instances = "(core instance (instantiate $m))".repeat(*count);
            let bytes = component_text(&format!("(component (core module $m {module}) {instances})")).unwrap();
            let loaded = Handler::from_bytes(&engine(limits).unwrap(), "handler.wasm", bytes, Grants::default()).await;
            loaded.unwrap_err().kind().to_owned()
        }
        SlowToCompile => {
            let function =
                format!("(func (param i32) (result i32) (local.get 0) {})", "(i32.const 7) (i32.mul)".repeat(50));
            let bytes = component_text(&format!("(component (core module {}))", function.repeat(5_000))).unwrap();
            let mut uncached = EngineOptions::default();
            uncached.limits = limits;
            let engine = Engine::new(uncached).unwrap();
            Handler::from_bytes(&engine, "slow.wasm", bytes, Grants::default()).await.unwrap_err().kind().to_owned()
        }
        File(size) => {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(*size).unwrap();
            let loaded = Handler::from_file(&engine(limits).unwrap(), file.path(), Grants::default()).await;
            loaded.unwrap_err().kind().to_owned()
        }
        Printing => {
            let guest = build_guest_for(&repository().join("tests/guests/stdio"), "wasm32-wasip2").unwrap();
            let handler = Handler::from_file(&engine(limits).unwrap(), &guest, Grants::default()).await.unwrap();
            let (session, _outbox) = Session::new(Handlers::new([handler]).unwrap(), options());
            kind(&answer(&session, "roots/list", &json!({})).await)
        }
        Crowd => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let waits = request(1, SAMPLING, &prompt("wait")).to_string().into_bytes();
            let mut one = pin!(session.answer(&waits));
            assert!(start(one.as_mut()).await.is_pending());
            kind(&answer(&session, SAMPLING, &prompt("good")).await)
        }
        LargeTask => {
            let (session, _outbox) = hostile(limits, tasks).await;
            kind(&answer(&session, SAMPLING, &task_prompt("wait-own")).await)
        }
        TooManyTasks => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let created = answer(&session, SAMPLING, &task_prompt("wait-own")).await;
            assert!(created["result"]["task"].is_object(), "{created}");
            kind(&answer(&session, SAMPLING, &task_prompt("good")).await)
        }
        Work(behavior) => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let created = answer(&session, SAMPLING, &task_prompt(behavior)).await;
            let id = json!({ "taskId": created["result"]["task"]["taskId"] });
            kind(&answer(&session, "tasks/result", &id).await)
        }
        TooOften => {
            let (session, _outbox) = hostile(limits, tasks).await;
            let params = json!({ "taskId": "unknown" });
            assert_eq!(kind(&answer(&session, "tasks/get", &params).await), "");
            kind(&answer(&session, "tasks/get", &params).await)
        }
        LateWorker => {
            let (store, tasks, claim) = worked_on(tasks).await;
            assert!(store.renew("another", ms(60_000)).await.unwrap());
            let taken = async {
                while store.claim("me", "another", 1).await.unwrap().is_empty() {
                    tokio::time::sleep(ms(1)).await;
                }
            };
            soon(taken).await.unwrap();
            let id = &claim.lease.id;
            let late = tasks.update(id, TaskStatus::InputRequired, None, Actor::work(&claim.lease)).await.unwrap_err();
            kind(&json!({ "error": RpcError::from(late) }))
        }
        Lost(lost) => {
            let (_store, tasks, mut claim) = worked_on(tasks).await;
            claim.lost = *lost;
            let id = claim.lease.id.clone();
            tasks.start(claim, &Arc::new(NeverRuns));
            kind(&json!({ "error": tasks.wait(&id).await.unwrap().unwrap_err() }))
        }
    }
}

async fn hostile(limits: Limits, tasks: TaskLimits) -> (Session, Outbox) {
    let mut options = options();
    options.tasks = tasks;
    Session::new(guest(limits, "tests/guests/hostile").await.unwrap(), options)
}

async fn answer(session: &Session, method: &str, params: &Value) -> Value {
    let message = request(1, method, params).to_string().into_bytes();
    serde_json::from_slice(&session.answer(&message).await.unwrap()).unwrap()
}

fn kind(answer: &Value) -> String {
    answer["error"]["data"]["kind"].as_str().unwrap_or_default().to_owned()
}

/// A task with work that was claimed.
async fn worked_on(limits: TaskLimits) -> (Arc<dyn TaskStore>, Arc<Tasks>, Claim) {
    let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
    let tasks = Arc::new(Tasks::new(Arc::clone(&store), "me", limits, Box::new(|_| ())));
    let origin = TaskOrigin { kind: "sampling".to_owned(), handler: String::new(), expects: ExpectedResult::Anything };
    let wanted = CreateOptions::new(TaskMetadata { ttl: None }, Arc::new(origin));
    let context = serde_json::from_value(json!({
        "requestId": "1", "server": options().server, "protocolVersion": "2025-11-25", "attempt": 1
    }));
    let job = Job { kind: "sampling".to_owned(), context: context.unwrap(), input: TaskInput::Custom("{}".to_owned()) };
    let (_, claim) = tasks.create_with_work(wanted, job).await.unwrap();
    (store, tasks, claim)
}

struct NeverRuns;

#[async_trait]
impl Runner for NeverRuns {
    async fn run(&self, _: &Claim) -> Outcome {
        panic!("the work was begun")
    }
}

/// What is no file is no component, and nothing waits for it to end.
#[tokio::test]
async fn what_is_no_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let engine = engine(cells(1)).unwrap();
    for (path, why) in [
        (pipe.as_path(), "no regular file"),
        (Path::new("/dev/zero"), "no regular file"),
        (folder.path(), "is a directory"),
        (&folder.path().join("missing"), "No such file"),
    ] {
        let loaded = soon(Handler::from_file(&engine, path, Grants::default())).await.unwrap();
        let error = loaded.unwrap_err();
        assert_eq!(error.kind(), "read", "{error}");
        assert!(error.to_string().contains(why) && error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}
