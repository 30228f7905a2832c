//! What only shows from inside: plans of statements, batches, a disk that is full.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use tokio::task::JoinSet;

use super::writer::{Operation, Step};
use super::*;
use crate::protocol::types::TaskStatus;

/// Every statement, and what it may look through from end to end: nothing, or the few workers.
const STATEMENTS: &[(&str, &[&str])] = &[
    (sql::CREATE, &[]),
    (sql::CREATE_JOB, &[]),
    (sql::ENQUEUE, &[]),
    (sql::GET, &[]),
    (sql::LIST_OF, &[]),
    (sql::LIST_ALL, &[]),
    (sql::OUTCOME, &[]),
    (sql::VERSION, &[]),
    (sql::STANDING, &[]),
    (sql::TRANSITION, &[]),
    (sql::REMOVE_JOB, &[]),
    (sql::REMOVE, &[]),
    (sql::ANY_EXPIRED, &[]),
    (sql::REMOVE_EXPIRED, &[]),
    (sql::RENEW, &[]),
    (sql::ENTER, &[]),
    (sql::FORGET, &["SCAN workers"]),
    (sql::RESIGN, &[]),
    (sql::RELEASE, &[]),
    (sql::HAS_TIME, &[]),
    (sql::CLAIMABLE, &["SCAN workers"]),
    (sql::CLAIM, &[]),
];

/// What a trigger or a foreign key does, which a plan does not show.
const IMPLIED: &[&str] = &[
    "UPDATE principals SET tasks = tasks - 1 WHERE name = ?1",
    "DELETE FROM principals WHERE name = ?1 AND tasks <= 0",
    "DELETE FROM jobs WHERE sequence = ?1",
    "UPDATE jobs SET worker = NULL WHERE worker = ?1",
];

/// Something that the writer does to its connection.
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
    NewTask { record, job: None }
}

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let steps = sqlx::query(AssertSqlSafe(explain)).fetch_all(connection).await.unwrap();
    steps.iter().map(|step| step.get("detail")).collect()
}

#[tokio::test]
async fn no_statement_looks_through_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let mut connection = store.readers.acquire().await.unwrap();
    let implied = IMPLIED.iter().map(|statement| (*statement, [].as_slice()));
    for (statement, allowed) in STATEMENTS.iter().copied().chain(implied) {
        let steps = plan(&mut connection, statement).await;
        let scans: Vec<_> = steps.iter().filter(|step| step.starts_with("SCAN ")).collect();
        // Constant rows, what a subquery has just found, and what is searched in order are no such thing.
        let of_a_table = |step: &&&String| {
            let named = |table| step.contains(table);
            ["tasks", "jobs", "principals", "workers"].into_iter().any(named) && !allowed.contains(&step.as_str())
        };
        let bad: Vec<_> = scans.iter().filter(of_a_table).collect();
        assert!(bad.is_empty(), "{bad:?} in the plan of{statement}\n{steps:#?}");
    }
}

#[tokio::test]
async fn each_of_a_batch_is_told_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder).await);
    store.create(task("taken", 1), 1_000).await.unwrap();
    // All of them are queued before the writer, which runs on this thread, takes the first batch.
    let mut creating = JoinSet::new();
    for turn in 0..100 {
        let store = Arc::clone(&store);
        let id = if turn % 10 == 3 { "taken".to_owned() } else { turn.to_string() };
        creating.spawn(async move { (id.clone(), store.create(task(&id, 1), 1_000).await) });
    }
    for (id, created) in creating.join_all().await {
        assert_eq!(created.is_err(), id == "taken", "{id}: {created:?}");
    }
    assert_eq!(store.list(Whose::Of("somebody"), None, 1_000).await.unwrap().len(), 91);
    // What was taken back is not counted.
    assert!(store.create(task("last", 1), 92).await.unwrap().is_some());
    assert!(store.create(task("one too many", 1), 92).await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    let store = Arc::new(store(&folder).await);
    // What SQLite says of a file that may not grow is what it says of a disk that is full.
    store.writer.call(Run("PRAGMA max_page_count = 100")).await.unwrap();
    let mut creating = JoinSet::new();
    for turn in 0..200 {
        let store = Arc::clone(&store);
        creating.spawn(async move {
            let id = turn.to_string();
            (id.clone(), store.create(task(&id, 10_000), 1_000).await)
        });
    }
    let (kept, refused): (Vec<_>, Vec<_>) =
        creating.join_all().await.into_iter().partition(|(_, created)| created.is_ok());
    assert!(!kept.is_empty() && !refused.is_empty());
    for (_, error) in &refused {
        let error = error.as_ref().unwrap_err().to_string();
        assert!(error.contains("tasks.db: the disk is full: free some space"), "{error}");
    }
    // Nothing more and nothing less, neither now nor for who opens it next; and it goes on when there is space.
    let next = SqliteStore::open(&path).await.unwrap();
    for store in [&*store, &next] {
        for (id, _) in &kept {
            assert!(store.get(Whose::Anyone, id).await.unwrap().is_some(), "{id} is lost");
        }
        assert_eq!(store.list(Whose::Anyone, None, 1_000).await.unwrap().len(), kept.len());
    }
    assert!(store.create(task("small enough", 10_000), 1_000).await.is_err());
    store.writer.call(Run("PRAGMA max_page_count = 100000")).await.unwrap();
    assert!(store.create(task("small enough", 10_000), 1_000).await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder).await);
    store.create(task("a", 1), 10).await.unwrap();
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
        store.create(task("b", 1), 10).await.unwrap_err(),
        store.get(Whose::Anyone, "a").await.unwrap_err(),
        store.changed("a", 0).await.unwrap_err(),
        store.resign("worker").await.unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("it is closed"), "{error}");
    }
    // All is in the one file.
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tasks.db"]);
}
