//! The rules of tasks, and what they ask of a store. Every rule is a function over a store: a new back end is one more
//! module in `contract!`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use taskcell::protocol::types::TaskStatus::{self, Cancelled, Completed, Failed, InputRequired, Working};
use taskcell::protocol::types::{RpcError, Task, TaskMetadata, TaskOutput};
use taskcell::tasks::{MemoryStore, Position, TaskError, TaskLimits, TaskRecord, TaskStore, Tasks};
use tokio::sync::oneshot;

type Store = Arc<dyn TaskStore>;

mod lists;
mod records;
mod rules;
mod work;

/// Runs every rule on every back end.
macro_rules! contract {
    ($($file:ident: $($rule:ident),+;)+) => {
        mod memory {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    $file::$rule(Arc::new(MemoryStore::new())).await;
                }
            )+)+
        }
    };
}

contract! {
    records:
        a_record_comes_back_as_it_was,
        a_record_is_replaced_only_in_the_version_seen,
        records_are_listed_in_order,
        records_are_counted_by_principal,
        a_change_is_told,
        what_has_expired_is_removed;
    rules:
        a_task_starts_working,
        the_state_machine,
        a_final_status_never_changes,
        one_of_many_ends_a_task,
        a_change_tells_when_it_was,
        every_change_is_told_unless_quiet,
        the_time_to_live_is_honoured_up_to_the_maximum,
        unknown_foreign_and_expired_are_alike,
        there_may_be_too_many_tasks;
    lists:
        a_list_has_pages,
        a_list_holds_only_what_is_there,
        a_page_may_end_between_equals,
        a_cursor_outlives_its_task,
        bad_cursors_are_refused;
    work:
        a_wait_ends_with_the_task,
        a_wait_ends_when_the_task_expires,
        an_update_does_not_end_a_wait,
        work_ends_its_task,
        work_cannot_change_what_is_final,
        cancelling_stops_the_work_first,
        cancelling_stops_all_work_of_the_task,
        work_of_an_ended_task_does_not_start,
        work_ends_with_its_owner;
}

const MINUTE: Duration = Duration::from_secs(60);

fn tasks_with(store: &Store, principal: &str, limits: TaskLimits) -> Arc<Tasks> {
    Arc::new(Tasks::new(Arc::clone(store), principal.to_owned(), limits, Box::new(|_| {})))
}

fn tasks(store: &Store) -> Arc<Tasks> {
    tasks_with(store, "me", TaskLimits::default())
}

async fn create(tasks: &Tasks) -> String {
    tasks.create(TaskMetadata { ttl: None }, None, None).await.unwrap().task_id
}

/// A record of mine, created so long ago.
fn record(number: u8, age: Duration, ttl: Duration) -> TaskRecord {
    let created_at = Timestamp::now().checked_sub(age).unwrap();
    TaskRecord {
        principal: "me".to_owned(),
        id: format!("00000000-0000-4000-8000-0000000000{number:02x}"),
        status: TaskStatus::Working,
        status_message: None,
        created_at,
        updated_at: created_at,
        ttl,
        poll_interval: 7,
        version: 0,
        outcome: None,
    }
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

/// A future that would take for ever is an error instead.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(MINUTE, future).await.expect("it takes for ever")
}

/// Sets a flag when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Starts work that never ends, waits until it runs, and gives the flag that is set when it is dropped.
async fn start_endless(tasks: &Arc<Tasks>, id: &str) -> Arc<AtomicBool> {
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&dropped));
    let (started, runs) = oneshot::channel();
    tasks.start(id.to_owned(), async move {
        let _guard = guard;
        started.send(()).unwrap();
        std::future::pending().await
    });
    soon(runs).await.unwrap();
    assert!(!dropped.load(Ordering::SeqCst));
    dropped
}

/// What can be asked of a task.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Update(TaskStatus),
    Complete,
    Fail,
    Cancel,
}

impl Ask {
    async fn of(self, tasks: &Tasks, id: &str) -> Result<Task, TaskError> {
        match self {
            Self::Update(status) => tasks.update(id, status, Some("message".to_owned()), false).await,
            Self::Complete => tasks.finish(id, Ok(output("x")), false).await,
            Self::Fail => tasks.finish(id, Err(failure()), false).await,
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
