//! The rules of a receiver of tasks, over every store. Every rule is a function over a store: a new back end is one
//! more line in `on_each_store!`.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use taskcell::protocol::types::TaskStatus::{self, Cancelled, Completed, Failed, InputRequired, Working};
use taskcell::protocol::types::{RpcError, Task, TaskMetadata, TaskOutput};
use taskcell::tasks::{
    Actor, Claim, CreateOptions, Job, MemoryStore, NewTask, Outcome, PrincipalFilter, Room, Runner, SqliteStore,
    TaskError, TaskLimits, TaskOrigin, TaskRecord, TaskStore, Tasks, Work,
};
use taskcell_test_support::jobs;
use tokio::sync::{mpsc, oneshot};

mod audit;
mod faulty;
mod hygiene;
mod leases;
mod lists;
mod rates;
mod rules;
mod work;

type Store = Arc<dyn TaskStore>;

/// An empty store in a folder that goes with the test.
async fn memory(_: &Path) -> Store {
    Arc::new(MemoryStore::new())
}

/// The same, in a file.
async fn sqlite(folder: &Path) -> Store {
    Arc::new(SqliteStore::open(&folder.join("tasks.db")).await.unwrap())
}

/// Runs every rule on every back end.
macro_rules! on_each_store {
    ($($rules:tt)+) => {
        on_store!(memory: $($rules)+);
        on_store!(sqlite: $($rules)+);
    };
}

macro_rules! on_store {
    ($store:ident: $($file:ident: $($rule:ident),+;)+) => {
        mod $store {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::$store(folder.path()).await;
                    soon($file::$rule(store)).await;
                }
            )+)+
        }
    };
}

on_each_store! {
    rules:
        a_task_starts_working,
        the_state_machine,
        a_message_about_the_work_ends_with_it,
        a_final_status_never_changes,
        one_of_many_ends_a_task,
        a_change_tells_when_it_was,
        a_clock_may_jump_back,
        every_change_is_told_unless_quiet,
        the_time_to_live_is_honored_up_to_the_maximum,
        the_poll_interval_is_the_limits_unless_the_handler_names_one,
        unknown_foreign_and_expired_are_alike,
        there_may_be_too_many_tasks,
        what_a_task_ends_with_is_checked;
    lists:
        a_list_has_pages,
        a_list_holds_only_what_is_there,
        a_list_is_in_the_order_of_creation_whatever_the_clock_says,
        a_page_is_full_though_expired_tasks_stand_between,
        a_cursor_outlives_its_task,
        bad_cursors_are_refused,
        each_task_is_listed_once_while_others_are_made;
    work:
        a_wait_ends_with_the_task,
        a_wait_ends_when_the_task_expires,
        an_update_does_not_end_a_wait,
        work_ends_its_task,
        work_is_stored_with_its_task_or_after_it,
        work_cannot_change_what_is_final,
        cancelling_stops_the_work_first,
        a_task_cancelled_elsewhere_stops_here,
        work_that_cancels_its_own_task_is_stopped,
        expiry_stops_the_work,
        work_of_an_ended_task_does_not_start,
        a_runner_that_panics_fails_its_task,
        an_answer_that_cannot_be_given_fails_the_task,
        an_outcome_is_stored_once_the_store_can,
        no_work_is_left_behind_by_a_creation_that_is_dropped;
    leases:
        closing_gives_work_back_at_once,
        stopping_gives_work_back_at_once,
        nothing_starts_after_the_end,
        a_dead_worker_loses_its_work,
        a_late_worker_stops_and_goes_on_under_a_new_name,
        a_worker_that_cannot_reach_the_store_stops_in_time,
        another_principal_takes_no_work,
        what_was_left_is_done_in_portions,
        the_oldest_is_done_first,
        work_that_never_ends_fails_at_last,
        work_is_begun_again_after_every_good_end,
        work_that_never_ends_fails_once_the_store_can;
    hygiene:
        what_has_expired_is_swept_away,
        more_than_a_portion_is_swept_away;
    audit:
        each_change_is_a_line,
        expiry_is_a_line;
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

// ---- Tasks ----

fn tasks_with(store: &Store, principal: &str, limits: TaskLimits) -> Arc<Tasks> {
    Arc::new(Tasks::new(Arc::clone(store), principal, limits, Box::new(|_| {})))
}

fn tasks(store: &Store) -> Arc<Tasks> {
    tasks_with(store, "me", TaskLimits::default())
}

/// The default limits, but for what is set.
fn limits(set: impl FnOnce(&mut TaskLimits)) -> TaskLimits {
    let mut limits = TaskLimits::default();
    set(&mut limits);
    limits
}

fn origin() -> Arc<TaskOrigin> {
    Arc::new(TaskOrigin { kind: "augmented-sampling".to_owned(), handler: "ab".repeat(32), ..TaskOrigin::default() })
}

fn wanted(ttl: Option<u32>) -> CreateOptions {
    CreateOptions::new(TaskMetadata { ttl }, origin())
}

async fn create(tasks: &Tasks) -> String {
    tasks.create(wanted(None)).await.unwrap().task_id
}

/// A record of mine, created so long ago.
fn record(age: Duration, ttl: Duration) -> TaskRecord {
    let created_at = Timestamp::now().checked_sub(age).unwrap();
    TaskRecord {
        principal: "me".into(),
        id: random_id(),
        sequence: 0,
        origin: origin(),
        status: Working,
        status_message: None,
        created_at,
        updated_at: created_at,
        ttl,
        poll_interval: 7,
        version: 0,
    }
}

/// Stores a record and gives its id.
async fn put(store: &Store, record: TaskRecord) -> String {
    let id = record.id.clone();
    store.create(NewTask { record, work: Work::None }, Room::for_tasks(usize::MAX)).await.unwrap().unwrap();
    id
}

fn output(text: &str) -> TaskOutput {
    TaskOutput::Custom(json!({ "text": text }).to_string())
}

fn failure() -> RpcError {
    RpcError { code: -1, message: "User rejected".to_owned(), data: Some(r#"{"a":1}"#.to_owned()) }
}

/// Code, message and data of an error as the peer gets it.
fn rpc(error: TaskError) -> (i32, String, Option<String>) {
    let RpcError { code, message, data } = error.into();
    (code, message, data)
}

/// The `data.kind` of an error.
fn kind(error: &RpcError) -> String {
    let data: serde_json::Value = serde_json::from_str(error.data.as_deref().unwrap()).unwrap();
    data["kind"].as_str().unwrap().to_owned()
}

/// A future that would take for ever is an error instead.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(MINUTE, future).await.expect("it takes for ever")
}

/// Waits until something is so.
async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until a flag is set.
async fn set(flag: &AtomicBool) {
    until(|| async { flag.load(Ordering::SeqCst) }).await;
}

// ---- Work ----

fn job() -> Job {
    jobs::job("augmented-sampling")
}

/// Does work by a function.
struct Does<F>(F);

#[async_trait]
impl<F, W> Runner for Does<F>
where
    F: Fn(Claim) -> W + Send + Sync + 'static,
    W: Future<Output = Outcome> + Send + 'static,
{
    async fn run(&self, claim: &Claim) -> Outcome {
        (self.0)(claim.clone()).await
    }
}

fn runner<F, W>(work: F) -> Arc<Does<F>>
where
    F: Fn(Claim) -> W + Send + Sync + 'static,
    W: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(Does(work))
}

/// Work that has begun, and ends as it is told. Dropped, the work never ends.
struct StartedWork {
    claim: Claim,
    end: oneshot::Sender<Outcome>,
    /// Set when the work is gone, done or dropped.
    gone: Arc<AtomicBool>,
}

impl StartedWork {
    fn id(&self) -> &str {
        &self.claim.lease.id
    }

    fn fence(&self) -> u64 {
        self.claim.lease.fence
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }
}

/// What has begun, in its order.
type Begins = mpsc::UnboundedReceiver<StartedWork>;

/// A runner whose work is in the test's hands.
fn told() -> (Arc<impl Runner>, Begins) {
    let (begins, begun) = mpsc::unbounded_channel();
    let runner = runner(move |claim| {
        let begins = begins.clone();
        async move {
            let gone = Gone::default();
            let (end, told) = oneshot::channel();
            // Nobody looks any more when the test is over.
            let _ = begins.send(StartedWork { claim, end, gone: Arc::clone(&gone.0) });
            match told.await {
                Ok(outcome) => outcome,
                Err(_) => std::future::pending().await,
            }
        }
    });
    (runner, begun)
}

/// Sets its flag when it is dropped.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes a task with work and starts it: gives what begins.
async fn work_on(tasks: &Arc<Tasks>, ttl: Option<u32>) -> StartedWork {
    let (runner, mut begins) = told();
    let (_, claim) = tasks.create_with_work(wanted(ttl), job()).await.unwrap();
    tasks.start(claim, &runner);
    begins.recv().await.unwrap()
}

// ---- What can be asked of a task ----

#[derive(Debug, Clone, Copy)]
enum Ask {
    Update(TaskStatus),
    Complete,
    Fail,
    Cancel,
}

impl Ask {
    async fn of(self, tasks: &Tasks, id: &str) -> Result<Task, TaskError> {
        self.by(tasks, id, Actor::default()).await
    }

    async fn by(self, tasks: &Tasks, id: &str, by: Actor<'_>) -> Result<Task, TaskError> {
        match self {
            Self::Update(status) => tasks.update(id, status, Some("message"), by).await,
            Self::Complete => tasks.finish(id, &Ok(output("x")), by).await,
            Self::Fail => tasks.finish(id, &Err(failure()), by).await,
            Self::Cancel => tasks.cancel(id).await,
        }
    }
}

const ASKS: [Ask; 8] = [
    Ask::Update(Working),
    Ask::Update(InputRequired),
    Ask::Update(Completed),
    Ask::Update(Failed),
    Ask::Update(Cancelled),
    Ask::Complete,
    Ask::Fail,
    Ask::Cancel,
];

/// A new task in a status.
async fn task_in(tasks: &Tasks, status: TaskStatus) -> String {
    let id = create(tasks).await;
    let ask = match status {
        Working | InputRequired => Ask::Update(status),
        Completed => Ask::Complete,
        Failed => Ask::Fail,
        Cancelled => Ask::Cancel,
    };
    assert_eq!(ask.of(tasks, &id).await.unwrap().status, status);
    id
}

/// An id that no other record has.
fn random_id() -> String {
    let at = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("00000000-0000-4000-8000-{at:012x}")
}

static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
