//! Tests of internals: query plans, batches, and a full disk.

use std::task::Poll;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Row};
use tokio::task::JoinSet;

use super::writer::{Operation, Step};
use super::*;
use crate::protocol::types::TaskStatus;
use crate::tasks::{TaskLimits, Tasks};

/// Every statement, with the way in which SQLite finds its rows in each table. A search by equal values, or from a
/// position on in the order of the answer, costs the same for any number of tasks. Only the few workers are scanned.
const PLANS: &[(&str, &[&str])] = &[
    (
        sql::CREATE,
        &["SEARCH principals USING PRIMARY KEY (name=?)", "SEARCH principals USING PRIMARY KEY (name=?)", JOB],
    ),
    (sql::TASKS_OF, &["SEARCH principals USING PRIMARY KEY (name=?)"]),
    (sql::BYTES_WITH, &["SEARCH principals USING PRIMARY KEY (name=?)"]),
    (sql::CREATE_JOB, &["SEARCH workers USING PRIMARY KEY (id=?)"]),
    (sql::RESERVE, &["SEARCH workers USING PRIMARY KEY (id=?)"]),
    (sql::CONFIRM, &[JOB, PLACE_BY_ID]),
    (sql::PRINCIPAL, &[TASK_BY_ID]),
    (sql::JOB_SIZE, &[JOB, PLACE_BY_ID]),
    (sql::REMOVE_PLACE, &[TASK, JOB]),
    (sql::ENQUEUE, &[TASK_BY_ID, "SEARCH workers USING PRIMARY KEY (id=?)"]),
    (sql::GET, &[TASK_BY_ID]),
    (sql::LIST_OF, &["SEARCH tasks USING INDEX tasks_of_principal (principal=? AND sequence>?)"]),
    (sql::LIST_ALL, &["SEARCH tasks USING INTEGER PRIMARY KEY (rowid>?)"]),
    (sql::OUTCOME, &[TASK_BY_ID]),
    (sql::VERSION, &[TASK_BY_ID]),
    (sql::STANDING, &[TASK_BY_ID, JOB]),
    (sql::TRANSITION, &[TASK_BY_ID]),
    (sql::REMOVE_JOB, &[JOB, PLACE_BY_ID]),
    (sql::REMOVE, &[TASK_BY_ID, JOB]),
    (
        sql::ANY_EXPIRED,
        &["SEARCH tasks USING COVERING INDEX tasks_by_expiry (expires_at<?)", RESERVED, "SCAN workers", RESERVED],
    ),
    (sql::ABANDONED, &[RESERVED, "SCAN workers", RESERVED]),
    (sql::REMOVE_EXPIRED, &[TASK, "SEARCH tasks USING COVERING INDEX tasks_by_expiry (expires_at<?)", JOB]),
    (sql::RENEW, &["SEARCH workers USING PRIMARY KEY (id=?)"]),
    (sql::ENTER, &[]),
    (sql::FORGET, &["SCAN workers", HELD]),
    (sql::RESIGN, &["SEARCH workers USING PRIMARY KEY (id=?)", HELD]),
    (sql::RELEASE, &[JOB, PLACE_BY_ID]),
    (sql::HAS_TIME, &["SEARCH workers USING PRIMARY KEY (id=?)"]),
    (sql::CLAIMABLE, &[JOBS_OF_WORKER, "SCAN workers", JOBS_OF_WORKER]),
    (sql::CLAIM, &[JOB, TASK]),
    // Statements of the triggers, which no query plan shows.
    ("UPDATE principals SET tasks = 1 WHERE name = ?1", &["SEARCH principals USING PRIMARY KEY (name=?)"]),
    ("DELETE FROM principals WHERE name = ?1 AND tasks <= 0", &["SEARCH principals USING PRIMARY KEY (name=?)"]),
];

const TASK: &str = "SEARCH tasks USING INTEGER PRIMARY KEY (rowid=?)";
const TASK_BY_ID: &str = "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)";
const PLACE_BY_ID: &str = "SEARCH tasks USING COVERING INDEX sqlite_autoindex_tasks_1 (id=?)";
const JOB: &str = "SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)";
const HELD: &str = "SEARCH jobs USING COVERING INDEX jobs_by_worker (worker=?)";
const JOBS_OF_WORKER: &str = "SEARCH jobs USING INDEX jobs_by_worker (worker=? AND principal=?)";
const RESERVED: &str = "SEARCH jobs USING COVERING INDEX jobs_reserved (worker=?)";

/// Statement that the writer runs on its connection.
struct Run(&'static str);

impl Operation for Run {
    type Answer = ();

    async fn run(&self, step: &mut Step<'_>) -> Result<(), sqlx::Error> {
        sqlx::query(self.0).execute(&mut *step.connection).await?;
        Ok(())
    }
}

async fn store(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(&folder.path().join("tasks.db")).await.unwrap()
}

fn task(id: &str, text: usize) -> NewTask {
    let now = Timestamp::now();
    let record = TaskRecord {
        principal: "somebody".into(),
        id: id.to_owned(),
        sequence: 0,
        origin: Arc::default(),
        status: TaskStatus::Working,
        status_message: Some("x".repeat(text)),
        created_at: now,
        updated_at: now,
        ttl: Duration::from_secs(60),
        poll_interval: 500,
        version: 0,
    };
    NewTask { record, work: Work::None }
}

#[tokio::test]
async fn no_statement_costs_more_with_more_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let mut wrong = Vec::new();
    for (statement, expected) in PLANS {
        let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let steps: Vec<String> =
            explain.fetch_all(&store.readers).await.unwrap().iter().map(|step| step.get("detail")).collect();
        // Rows that no table supplies are constants or results of another step.
        let of_tables =
            |step: &&String| (step.starts_with("SCAN ") || step.starts_with("SEARCH ")) && *step != "SCAN CONSTANT ROW";
        let found: Vec<&String> = steps.iter().filter(of_tables).collect();
        if found != *expected {
            wrong.push((statement, found.into_iter().cloned().collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn each_of_a_batch_is_told_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder).await);
    store.create(task("taken", 1), Room::for_tasks(1_000)).await.unwrap().unwrap();
    // All operations are queued before the writer, which runs on this thread, takes the first batch.
    let mut creating = JoinSet::new();
    for turn in 0..100 {
        let store = Arc::clone(&store);
        let id = if turn % 10 == 3 { "taken".to_owned() } else { turn.to_string() };
        creating.spawn(async move { (id.clone(), store.create(task(&id, 1), Room::for_tasks(1_000)).await) });
    }
    for (id, created) in creating.join_all().await {
        assert_eq!(created.is_err(), id == "taken", "{id}: {created:?}");
    }
    assert_eq!(store.list(PrincipalFilter::Of("somebody"), None, 1_000).await.unwrap().len(), 91);
    // Removed tasks are not counted.
    assert!(store.create(task("last", 1), Room::for_tasks(92)).await.unwrap().is_ok());
    assert!(store.create(task("one too many", 1), Room::for_tasks(92)).await.unwrap().is_err());
}

/// A session may end while its worker registers. Each claim scans the rows of workers.
#[tokio::test]
async fn a_worker_whose_session_ends_while_it_registers_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder).await);
    for _ in 0..20 {
        let tasks = Tasks::new(Arc::clone(&store) as _, "somebody", TaskLimits::default(), Box::new(|_| ()));
        let mut naming = Box::pin(tasks.worker.name(&tasks.store, Duration::from_secs(60)));
        let first = std::future::poll_fn(|context| Poll::Ready(naming.as_mut().poll(context).is_pending()));
        assert!(first.await, "it waits for the disk");
        drop(naming);
        // Operations spawned on this thread are queued now, and done before those queued behind them.
        tokio::task::yield_now().await;
        store.resign("somebody else").await.unwrap();
    }
    let workers: i64 = sqlx::query_scalar("SELECT count(*) FROM workers").fetch_one(&store.readers).await.unwrap();
    assert_eq!(workers, 0);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    let store = Arc::new(store(&folder).await);
    // SQLite reports a file that may not grow in the same way as a full disk.
    store.writer.call(Run("PRAGMA max_page_count = 100")).await.unwrap();
    let mut creating = JoinSet::new();
    for turn in 0..200 {
        let store = Arc::clone(&store);
        creating.spawn(async move {
            let id = turn.to_string();
            (id.clone(), store.create(task(&id, 10_000), Room::for_tasks(1_000)).await)
        });
    }
    let (kept, refused): (Vec<_>, Vec<_>) =
        creating.join_all().await.into_iter().partition(|(_, created)| created.is_ok());
    assert!(!kept.is_empty() && !refused.is_empty());
    for (_, error) in &refused {
        let error = error.as_ref().unwrap_err().to_string();
        assert!(error.contains("tasks.db: the disk is full: free some space"), "{error}");
    }
    // The store holds exactly the acknowledged tasks, now and when it is opened again, and works again once there is
    // space.
    let next = SqliteStore::open(&path).await.unwrap();
    for store in [&*store, &next] {
        for (id, _) in &kept {
            assert!(store.get(PrincipalFilter::Anyone, id).await.unwrap().is_some(), "{id} is lost");
        }
        assert_eq!(store.list(PrincipalFilter::Anyone, None, 1_000).await.unwrap().len(), kept.len());
    }
    assert!(store.create(task("small enough", 10_000), Room::for_tasks(1_000)).await.is_err());
    store.writer.call(Run("PRAGMA max_page_count = 100000")).await.unwrap();
    assert!(store.create(task("small enough", 10_000), Room::for_tasks(1_000)).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder).await);
    store.create(task("a", 1), Room::for_tasks(10)).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.changed("a", 0).await }
    });
    store.watchers.wanted().await;
    store.close().await;
    store.close().await;
    let closed = waiting.await.unwrap().unwrap_err().to_string();
    assert!(closed.ends_with("it is closed"), "{closed}");
    for error in [
        store.create(task("b", 1), Room::for_tasks(10)).await.unwrap_err(),
        store.get(PrincipalFilter::Anyone, "a").await.unwrap_err(),
        store.changed("a", 0).await.unwrap_err(),
        store.resign("worker").await.unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("it is closed"), "{error}");
    }
    // The store is a single file.
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tasks.db"]);
}
