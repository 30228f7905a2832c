//! The stores of tasks: the contract over each of them, and files that are not what they should be.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use taskcell::protocol::types::{Implementation, RequestContext, RpcError, TaskInput, TaskOutput, TaskStatus};
use taskcell::tasks::contract::{self, Handle};
use taskcell::tasks::{
    Job, MemoryStore, NewTask, Origin, SqliteStore, Stored, TaskRecord, TaskStore, Transition, Whose,
};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    contract::check(|| async {
        let store: Handle = Arc::new(MemoryStore::new());
        (Arc::clone(&store), store)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    let (folder, count) = (TempDir::new().unwrap(), AtomicUsize::new(0));
    contract::check(|| async {
        let path = folder.path().join(count.fetch_add(1, Ordering::Relaxed).to_string());
        let store: Handle = Arc::new(SqliteStore::open(&path).await.unwrap());
        (Arc::clone(&store), store)
    })
    .await;
}

/// Two handles of one process are to SQLite what two processes are: they share nothing but the file.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract_between_two_that_share_a_file() {
    let (folder, count) = (TempDir::new().unwrap(), AtomicUsize::new(0));
    contract::check(|| async {
        let path = folder.path().join(count.fetch_add(1, Ordering::Relaxed).to_string());
        let one: Handle = Arc::new(SqliteStore::open(&path).await.unwrap());
        let other: Handle = Arc::new(SqliteStore::open(&path).await.unwrap());
        (one, other)
    })
    .await;
}

fn record(id: &str) -> TaskRecord {
    let now = Timestamp::now();
    TaskRecord {
        principal: "somebody".into(),
        id: id.to_owned(),
        sequence: 0,
        origin: Arc::new(Origin::default()),
        status: TaskStatus::Working,
        status_message: None,
        created_at: now,
        updated_at: now,
        ttl: Duration::from_secs(3_600),
        poll_interval: 500,
        version: 0,
    }
}

fn job() -> Job {
    let server = Implementation {
        name: "server".to_owned(),
        title: None,
        version: "1".to_owned(),
        description: None,
        website_url: None,
        icons: None,
    };
    Job {
        kind: "sampling".to_owned(),
        context: RequestContext {
            request_id: "1".to_owned(),
            progress_token: None,
            meta: None,
            server: Arc::new(server),
            protocol_version: "2025-11-25".into(),
            attempt: 1,
        },
        input: TaskInput::Custom("{}".to_owned()),
    }
}

async fn create(store: &SqliteStore, id: &str) -> TaskRecord {
    let mut record = record(id);
    let task = NewTask { record: record.clone(), job: None };
    record.sequence = store.create(task, usize::MAX).await.unwrap().unwrap();
    record
}

/// A file with some tasks in it, closed in good order.
async fn filled(folder: &TempDir) -> (PathBuf, Vec<TaskRecord>) {
    let path = folder.path().join("tasks.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut tasks = Vec::new();
    for turn in 0..100 {
        let mut task = record(&format!("task {turn}"));
        task.status_message = Some("x".repeat(500));
        task.sequence = store.create(NewTask { record: task.clone(), job: None }, 1_000).await.unwrap().unwrap();
        tasks.push(task);
    }
    store.close().await;
    (path, tasks)
}

/// Whether all of the tasks are in the file.
async fn assert_there(path: &Path, tasks: &[TaskRecord]) {
    let store = SqliteStore::open_existing(path).await.unwrap();
    assert_eq!(store.list(Whose::Anyone, None, 1_000).await.unwrap(), tasks);
    store.close().await;
}

/// What opening says, of both ways to open.
async fn refusal(path: &Path) -> String {
    let said = SqliteStore::open(path).await.err().map(|error| error.to_string());
    let existing = SqliteStore::open_existing(path).await.err().map(|error| error.to_string());
    let said = said.unwrap_or_else(|| panic!("{} was opened", path.display()));
    assert_eq!(Some(&said), existing.as_ref());
    assert!(said.starts_with(&format!("the task store {}: ", path.display())), "{said}");
    said
}

/// Does something to a database file that the store would not.
async fn meddle(path: &Path, statements: &[&str]) {
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(*statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a new folder").join("tasks.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let secret = store.secret().await.unwrap();
    assert!(store.renew("worker", Duration::from_secs(3_600)).await.unwrap());
    let kept = create(&store, "kept").await;
    let working = NewTask { record: record("working"), job: Some((Arc::new(job()), "worker".to_owned())) };
    store.create(working, 10).await.unwrap().unwrap();
    let mut ended = create(&store, "ended").await;
    (ended.version, ended.status) = (1, TaskStatus::Failed);
    let outcome = Err(RpcError::internal("trap", "unreachable"));
    let end = Transition { record: ended.clone(), seen: 0, outcome: Some(outcome.clone()), lease: None };
    assert_eq!(store.transition(end).await.unwrap(), Stored::Yes);
    let last = create(&store, "last").await;
    assert!(store.remove(Whose::Anyone, "last").await.unwrap());
    // As a killed process leaves it: nobody closes anything.
    std::mem::forget(store);

    let store = SqliteStore::open_existing(&path).await.unwrap();
    assert_eq!(store.secret().await.unwrap(), secret);
    assert_eq!(store.get(Whose::Anyone, "kept").await.unwrap(), Some(kept));
    assert_eq!(store.get(Whose::Anyone, "ended").await.unwrap(), Some(ended));
    assert_eq!(store.outcome(Whose::Anyone, "ended").await.unwrap(), Some(outcome));
    // The lease is still held; with its worker gone, it passes on.
    assert!(store.renew("next", Duration::from_secs(3_600)).await.unwrap());
    assert_eq!(store.claim("somebody", "next", 10).await.unwrap(), []);
    store.resign("worker").await.unwrap();
    let claims = store.claim("somebody", "next", 10).await.unwrap();
    assert_eq!((claims.len(), &*claims[0].lease.id, claims[0].lease.fence), (1, "working", 2));
    assert_eq!(*claims[0].job, job());
    // A place is never given again, though the last task is gone.
    assert!(create(&store, "next").await.sequence > last.sequence);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    let store = SqliteStore::open(&path).await.unwrap();
    create(&store, "a").await;
    for name in names(folder.path()) {
        let mode = folder.path().join(&name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // What its owner decided later stays.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    SqliteStore::open(&path).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_may_be_made_by_several_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        opening.spawn(async move { SqliteStore::open(&path).await.unwrap() });
    }
    let stores = opening.join_all().await;
    let secret = stores[0].secret().await.unwrap();
    for (turn, store) in stores.iter().enumerate() {
        assert_eq!(store.secret().await.unwrap(), secret);
        create(store, &turn.to_string()).await;
    }
    assert_eq!(stores[0].list(Whose::Anyone, None, 100).await.unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_an_older_version_is_only_looked_at() {
    let folder = TempDir::new().unwrap();
    let (path, _) = filled(&folder).await;
    meddle(&path, &["DELETE FROM _sqlx_migrations"]).await;
    let before = std::fs::read(&path).unwrap();
    let said = SqliteStore::open_existing(&path).await.unwrap_err().to_string();
    assert!(said.contains("written by an older taskcell (schema 0, this one knows 1)"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "it was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_version_is_refused() {
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (7, 'later', TRUE, x'', 0)";
    meddle(&path, &[newer]).await;
    let before = std::fs::read(&path).unwrap();
    let said = refusal(&path).await;
    assert!(said.contains("written by a newer taskcell (schema 7, this one knows 1)"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["tasks.db"]);
    meddle(&path, &["DELETE FROM _sqlx_migrations WHERE version = 7"]).await;
    assert_there(&path, &tasks).await;
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_not_touched() {
    let folder = TempDir::new().unwrap();
    let of = |name: &str| folder.path().join(name);
    std::fs::write(of("short"), "a note").unwrap();
    std::fs::write(of("long"), "a note\n".repeat(10_000)).unwrap();
    std::fs::write(of("zeros"), [0; 8192]).unwrap();
    let table = "CREATE TABLE tasks (id TEXT PRIMARY KEY)";
    meddle(&of("unmarked"), &[table]).await;
    meddle(&of("marked"), &["PRAGMA application_id = 1234", table]).await;
    meddle(&of("marked and empty"), &["PRAGMA application_id = 1234", table, "DROP TABLE tasks"]).await;
    meddle(&of("logged"), &["PRAGMA journal_mode = WAL", table]).await;
    let files = names(folder.path());
    for (name, expected) in [
        ("short", "it is no SQLite database, and was not touched"),
        ("long", "it is no SQLite database, and was not touched"),
        ("zeros", "it is no SQLite database, and was not touched"),
        ("unmarked", "it is the database of another program, and was not touched"),
        ("marked", "it is the database of another program, and was not touched"),
        ("marked and empty", "it is the database of another program, and was not touched"),
        ("logged", "it is the database of another program, and was not touched"),
    ] {
        let before = std::fs::read(of(name)).unwrap();
        let said = refusal(&of(name)).await;
        assert!(said.contains(expected), "{name}: {said}");
        assert_eq!(std::fs::read(of(name)).unwrap(), before, "{name}");
    }
    assert_eq!(names(folder.path()), files, "something was left behind");

    let said = refusal(folder.path()).await;
    assert!(said.contains("it is no file"), "{said}");
}

#[tokio::test]
async fn looking_into_a_store_makes_none() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    let missing = SqliteStore::open_existing(&path).await.unwrap_err().to_string();
    assert!(missing.contains("there is no such file"), "{missing}");
    assert!(names(folder.path()).is_empty());
    std::fs::write(&path, "").unwrap();
    let empty = SqliteStore::open_existing(&path).await.unwrap_err().to_string();
    assert!(empty.contains("it is empty"), "{empty}");
    assert_eq!(path.metadata().unwrap().len(), 0);
    // An empty file is one that nobody has put anything into yet.
    create(&SqliteStore::open(&path).await.unwrap(), "a").await;
}

#[tokio::test]
async fn a_damaged_file_gives_errors_and_keeps_the_rest() {
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;
    let whole = std::fs::read(&path).unwrap();
    let page = 4096;
    assert!(whole.len() > 20 * page);

    for length in [whole.len() / 2, whole.len() - page, page, 100] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let said = refusal(&path).await;
        assert!(said.contains("the file is damaged") || said.contains("no SQLite database"), "{length}: {said}");
        assert_eq!(std::fs::read(&path).unwrap(), &whole[..length]);
    }
    // One page after the other is lost: what is answered is right, or an error.
    let mut found = 0;
    for start in (0..whole.len()).step_by(page) {
        let mut damaged = whole.clone();
        damaged[start..start + page].fill(0xff);
        std::fs::write(&path, &damaged).unwrap();
        let store = match SqliteStore::open(&path).await {
            Ok(store) => store,
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains("the file is damaged") || said.contains("no SQLite database"), "{said}");
                continue;
            }
        };
        for task in &tasks {
            match store.get(Whose::Anyone, &task.id).await {
                Ok(answer) => {
                    assert_eq!(answer.as_ref(), Some(task), "page {}", start / page);
                    found += 1;
                }
                Err(error) => assert!(error.to_string().contains("the file is damaged"), "{error}"),
            }
        }
        store.close().await;
    }
    assert!(found > tasks.len(), "a lost page must not make all the rest unreadable");
    std::fs::write(&path, &whole).unwrap();
    assert_there(&path, &tasks).await;
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;

    // A file whose header names a write version of the future may be read only, whoever asks.
    let whole = std::fs::read(&path).unwrap();
    let mut locked = whole.clone();
    locked[18] = 3;
    std::fs::write(&path, &locked).unwrap();
    let said = SqliteStore::open(&path).await.unwrap_err().to_string();
    // Who only looks may.
    assert_there(&path, &tasks).await;
    assert!(said.contains("it cannot be written: give the user that runs this program the right"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), locked);
    std::fs::write(&path, &whole).unwrap();

    // Permissions do not bind the superuser, for whom the store is just opened.
    let allow = |path: &Path, writable: bool| {
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(!writable);
        std::fs::set_permissions(path, permissions).unwrap();
    };
    for forbidden in [&*path, folder.path()] {
        allow(forbidden, false);
        let probe = folder.path().join("probe");
        let binds = match forbidden == path {
            true => std::fs::OpenOptions::new().append(true).open(&path).is_err(),
            false => std::fs::write(&probe, "").is_err(),
        };
        if binds {
            let said = SqliteStore::open(&path).await.unwrap_err().to_string();
            assert!(said.contains("it cannot be written") || said.contains("it cannot be opened"), "{said}");
        } else {
            assert_there(&path, &tasks).await;
        }
        allow(forbidden, true);
        let _ = std::fs::remove_file(probe);
    }
    assert_there(&path, &tasks).await;

    // A folder that cannot be made, because a file is in its place.
    let inside = path.join("folder").join("tasks.db");
    let said = SqliteStore::open(&inside).await.unwrap_err().to_string();
    assert!(said.contains("its file cannot be made"), "{said}");
}

#[tokio::test]
async fn a_name_that_sqlite_takes_for_something_else_is_a_file() {
    let folder = TempDir::new().unwrap();
    for name in [":memory:", "file:tasks.db?mode=memory", "a?b#c%20"] {
        let path = folder.path().join(name);
        let store = SqliteStore::open(&path).await.unwrap();
        create(&store, "a").await;
        store.close().await;
        assert_there(&path, &[SqliteStore::open(&path).await.unwrap().get(Whose::Anyone, "a").await.unwrap().unwrap()])
            .await;
    }
    assert!(SqliteStore::open(Path::new("")).await.is_err());
}

#[tokio::test]
async fn a_clock_that_was_set_back_ends_the_time_of_workers() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for worker in ["first", "second"] {
        assert!(store.renew(worker, Duration::from_secs(600)).await.unwrap());
    }
    let task = NewTask { record: record("a"), job: Some((Arc::new(job()), "first".to_owned())) };
    store.create(task, 10).await.unwrap().unwrap();

    // By a few seconds, as clocks are corrected: it goes on.
    meddle(&path, &["UPDATE workers SET until_ms = until_ms + 5000 WHERE id = 'first'"]).await;
    assert_eq!(store.claim("somebody", "second", 10).await.unwrap(), []);
    assert!(store.renew("first", Duration::from_secs(600)).await.unwrap());

    // By a day: nobody waits until then for a worker that may be gone.
    meddle(&path, &["UPDATE workers SET until_ms = until_ms + 86400000 WHERE id = 'first'"]).await;
    assert_eq!(store.claim("somebody", "first", 10).await.unwrap(), []);
    let claims = store.claim("somebody", "second", 10).await.unwrap();
    assert_eq!((claims.len(), claims[0].lease.fence), (1, 2));
    assert!(!store.renew("first", Duration::from_secs(600)).await.unwrap());
    // Forward by a day: as if all of it had passed.
    meddle(&path, &["UPDATE workers SET until_ms = until_ms - 86400000 WHERE id = 'second'"]).await;
    assert!(!store.renew("second", Duration::from_secs(600)).await.unwrap());
}

#[tokio::test]
async fn a_worker_is_remembered_for_a_day() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for worker in ["yesterday's", "today's"] {
        assert!(store.renew(worker, Duration::from_secs(600)).await.unwrap());
    }
    let task = NewTask { record: record("a"), job: Some((Arc::new(job()), "yesterday's".to_owned())) };
    store.create(task, 10).await.unwrap().unwrap();
    meddle(
        &path,
        &[
            "UPDATE workers SET until_ms = until_ms - 90000000 WHERE id = 'yesterday''s'",
            "UPDATE workers SET until_ms = until_ms - 80000000 WHERE id = 'today''s'",
        ],
    )
    .await;
    assert!(store.renew("new", Duration::from_secs(600)).await.unwrap());
    assert!(!store.renew("today's", Duration::from_secs(600)).await.unwrap(), "it is told that its time ran out");
    // The other is forgotten, and its job is free. Should it come back it holds nothing.
    assert!(store.renew("yesterday's", Duration::from_secs(600)).await.unwrap());
    assert_eq!(store.claim("somebody", "new", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_without_harm() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("tasks.db")).await.unwrap();
    let far = TaskRecord { created_at: Timestamp::MAX, ..record("far") };
    let long = TaskRecord { ttl: Duration::MAX, ..record("long") };
    let old = TaskRecord { version: u64::MAX, ..record("old") };
    for task in [far, long, old] {
        let id = task.id.clone();
        let refused = store.create(NewTask { record: task, job: None }, 10).await.unwrap_err().to_string();
        assert!(refused.starts_with("the task cannot be stored: "), "{refused}");
        assert_eq!(store.get(Whose::Anyone, &id).await.unwrap(), None);
    }
    let mut task = create(&store, "a").await;
    (task.version, task.status) = (1, TaskStatus::Completed);
    let outcome = Some(Ok(TaskOutput::Custom("no JSON".to_owned())));
    assert!(store.transition(Transition { record: task, seen: 0, outcome, lease: None }).await.is_err());
    assert_eq!(store.get(Whose::Anyone, "a").await.unwrap().unwrap().version, 0);
    assert_eq!(store.remove_expired(Timestamp::MAX).await.unwrap().len(), 1);
}
