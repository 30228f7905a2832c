//! The stores of tasks: the contract over each of them, and files that are not what they should be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use taskcell::protocol::types::{RpcError, TaskOutput, TaskStatus};
use taskcell::tasks::contract::{self, Handle};
use taskcell::tasks::{
    Clear, Full, MemoryStore, NewTask, PrincipalFilter, Room, SqliteStore, StoreOutcome, TaskOrigin, TaskRecord,
    TaskStore, Transition, Work,
};
use taskcell_test_support::jobs::job;
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
        origin: Arc::new(TaskOrigin::default()),
        status: TaskStatus::Working,
        status_message: None,
        created_at: now,
        updated_at: now,
        ttl: Duration::from_secs(3_600),
        poll_interval: 500,
        version: 0,
    }
}

async fn create(store: &SqliteStore, id: &str) -> TaskRecord {
    let mut record = record(id);
    let task = NewTask { record: record.clone(), work: Work::None };
    record.sequence = store.create(task, Room::for_tasks(usize::MAX)).await.unwrap().unwrap();
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
        task.sequence = store
            .create(NewTask { record: task.clone(), work: Work::None }, Room::for_tasks(1_000))
            .await
            .unwrap()
            .unwrap();
        tasks.push(task);
    }
    store.close().await;
    (path, tasks)
}

/// Whether all of the tasks are in the file.
async fn assert_there(path: &Path, tasks: &[TaskRecord]) {
    let store = SqliteStore::open_existing(path).await.unwrap();
    assert_eq!(store.list(PrincipalFilter::Anyone, None, 1_000).await.unwrap(), tasks);
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
    let working = NewTask {
        record: record("working"),
        work: Work::Leased { job: Arc::new(job("sampling")), worker: "worker".to_owned() },
    };
    store.create(working, Room::for_tasks(10)).await.unwrap().unwrap();
    let mut ended = create(&store, "ended").await;
    (ended.version, ended.status) = (1, TaskStatus::Failed);
    let outcome = Err(RpcError::internal("trap", "unreachable"));
    let end =
        Transition { record: ended.clone(), seen: 0, outcome: Some(outcome.clone()), lease: None, room: u64::MAX };
    assert_eq!(store.transition(end).await.unwrap(), StoreOutcome::Applied);
    let last = create(&store, "last").await;
    assert!(store.remove(PrincipalFilter::Anyone, "last").await.unwrap());
    // As a killed process leaves it: nobody closes anything.
    std::mem::forget(store);

    let store = SqliteStore::open_existing(&path).await.unwrap();
    assert_eq!(store.secret().await.unwrap(), secret);
    assert_eq!(store.get(PrincipalFilter::Anyone, "kept").await.unwrap(), Some(kept));
    assert_eq!(store.get(PrincipalFilter::Anyone, "ended").await.unwrap(), Some(ended));
    assert_eq!(store.outcome(PrincipalFilter::Anyone, "ended").await.unwrap(), Some(outcome));
    // The lease is still held; with its worker gone, it passes on.
    assert!(store.renew("next", Duration::from_secs(3_600)).await.unwrap());
    assert_eq!(store.claim("somebody", "next", 10).await.unwrap(), []);
    store.resign("worker").await.unwrap();
    let claims = store.claim("somebody", "next", 10).await.unwrap();
    assert_eq!((claims.len(), &*claims[0].lease.id, claims[0].lease.fence), (1, "working", 2));
    assert_eq!(*claims[0].job, job("sampling"));
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
    // But not that everybody may put work into it.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = SqliteStore::open(&path).await.unwrap_err().to_string();
    assert!(said.contains("everybody may change it (mode 666): `chmod 600` it"), "{said}");
    // The folders that are made are its owner's, too.
    let deep = folder.path().join("one/two/tasks.db");
    SqliteStore::open(&deep).await.unwrap();
    for made in ["one", "one/two"] {
        assert_eq!(folder.path().join(made).metadata().unwrap().permissions().mode() & 0o777, 0o700, "{made}");
    }
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
    assert_eq!(stores[0].list(PrincipalFilter::Anyone, None, 100).await.unwrap().len(), 8);
}

/// A copy of a file that build 6887b39 wrote.
fn earlier(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/6887b39").join(name), &path).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// The same with times to live that have begun just now.
async fn earlier_tasks(folder: &TempDir) -> PathBuf {
    let path = earlier(folder, "tasks.db");
    let now = Timestamp::now().as_nanosecond();
    let begin = format!("UPDATE tasks SET created_at = {now}, updated_at = {now}, expires_at = {now} + ttl");
    meddle(&path, &[&begin]).await;
    path
}

/// Principal and status of each task.
async fn standing(store: &SqliteStore) -> Vec<(String, TaskStatus)> {
    let all = store.list(PrincipalFilter::Anyone, None, 100).await.unwrap();
    all.iter().map(|task| (task.principal.split(':').take(2).collect::<Vec<_>>().join(":"), task.status)).collect()
}

const EARLIER: [(&str, TaskStatus); 9] = [
    ("waiting", TaskStatus::Working),
    ("failing", TaskStatus::Failed),
    ("me", TaskStatus::Cancelled),
    ("me", TaskStatus::Completed),
    ("stdio:fake-server", TaskStatus::Working),
    ("stdio:server.mjs", TaskStatus::Completed),
    ("stdio:server.mjs", TaskStatus::Working),
    ("killed", TaskStatus::Working),
    ("killed", TaskStatus::Working),
];

/// A store of an earlier version is looked into, and tasks of it are ended and removed, with its tables as they are:
/// the earlier program may be using them.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_an_earlier_version_is_looked_into() {
    let folder = TempDir::new().unwrap();
    let path = earlier_tasks(&folder).await;
    let expected = EARLIER.map(|(principal, status)| (principal.to_owned(), status));
    for store in [SqliteStore::open_to_look(&path).await.unwrap(), SqliteStore::open_existing(&path).await.unwrap()] {
        assert_eq!(standing(&store).await, expected);
        store.close().await;
    }
    let store = SqliteStore::open_existing(&path).await.unwrap();
    let mut task = store.list(PrincipalFilter::Of("waiting"), None, 1).await.unwrap().remove(0);
    (task.version, task.status) = (task.version + 1, TaskStatus::Cancelled);
    let seen = task.version - 1;
    let outcome = Some(Err(RpcError::internal("cancelled", "cancelled")));
    let end = Transition { record: task.clone(), seen, outcome, lease: None, room: u64::MAX };
    assert_eq!(store.transition(end).await.unwrap(), StoreOutcome::Applied);
    store.close().await;
    let clear = Clear { principal: Some("waiting"), ended: true, now: Timestamp::now() };
    let cleared = SqliteStore::clear(&path, clear).await.unwrap();
    assert_eq!((cleared.expired.len(), cleared.ended.len(), cleared.wiped), (0, 1, true));
    let versions = connect(&path).await;
    assert_eq!(versions, 1, "the tables were changed");
}

async fn connect(path: &Path) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let version = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    version.unwrap()
}

/// The same store is brought up to this version: its work is claimed, what it keeps is counted, and a task that a kill
/// left without work ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_an_earlier_version_is_brought_up() {
    let folder = TempDir::new().unwrap();
    let path = earlier_tasks(&folder).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let mut expected = EARLIER.map(|(principal, status)| (principal.to_owned(), status));
    expected[8].1 = TaskStatus::Failed;
    assert_eq!(standing(&store).await, expected);
    let killed = store.list(PrincipalFilter::Of("killed"), None, 10).await.unwrap();
    let outcome = store.outcome(PrincipalFilter::Anyone, &killed[1].id).await.unwrap().unwrap().unwrap_err();
    assert_eq!(outcome.data.as_deref(), Some(r#"{"kind":"no_work"}"#));
    assert_eq!(killed[1].status_message.as_deref(), Some(&*outcome.message));
    // Its work goes on, and the task that is left with work is the other one.
    assert!(store.renew("worker", Duration::from_secs(60)).await.unwrap());
    for (principal, count) in [("waiting", 1), ("killed", 1), ("me", 0)] {
        assert_eq!(store.claim(principal, "worker", 10).await.unwrap().len(), count, "{principal}");
    }
    // What was there counts: there is no room for more than it is, and what goes makes room.
    let of = |principal: &str| NewTask {
        record: TaskRecord { principal: principal.into(), ..record("new") },
        work: Work::None,
    };
    let room = Room { tasks: 100, bytes: 300 };
    assert_eq!(store.create(of("me"), room).await.unwrap(), Err(Full::Bytes));
    for task in store.list(PrincipalFilter::Of("me"), None, 10).await.unwrap() {
        assert!(store.remove(PrincipalFilter::Anyone, &task.id).await.unwrap());
    }
    assert!(store.create(of("me"), room).await.unwrap().is_ok());
    store.close().await;
    // It is the same store ever after.
    assert_eq!(
        SqliteStore::open(&path).await.unwrap().list(PrincipalFilter::Anyone, None, 100).await.unwrap().len(),
        8
    );
}

/// Tasks of one principal become another's, with their work.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_given_to_another_principal() {
    let folder = TempDir::new().unwrap();
    let path = earlier_tasks(&folder).await;
    let old = SqliteStore::open_to_look(&path).await.unwrap().list(PrincipalFilter::Anyone, None, 100).await.unwrap();
    let old = old.iter().find(|task| task.principal.starts_with("stdio:server.mjs:")).unwrap().principal.clone();
    let moved = SqliteStore::transfer(&path, &old, "new").await.unwrap();
    assert_eq!(moved.iter().map(|task| &*task.principal).collect::<Vec<_>>(), ["new", "new"]);
    assert_eq!(SqliteStore::transfer(&path, &old, "new").await.unwrap(), []);
    assert_eq!(SqliteStore::transfer(&path, "new", "new").await.unwrap(), []);
    assert_eq!(SqliteStore::transfer(&path, "waiting", "new").await.unwrap().len(), 1);
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.list(PrincipalFilter::Of(&old), None, 10).await.unwrap(), []);
    assert!(store.renew("worker", Duration::from_secs(60)).await.unwrap());
    assert_eq!(store.claim("new", "worker", 10).await.unwrap().len(), 2);
    // They count as the new one's: three, and no more.
    let one_more =
        |name: &str| NewTask { record: TaskRecord { principal: name.into(), ..record(name) }, work: Work::None };
    assert_eq!(store.create(one_more("new"), Room::for_tasks(3)).await.unwrap(), Err(Full::Tasks));
    assert!(store.create(one_more("new"), Room::for_tasks(4)).await.unwrap().is_ok());
    assert!(store.create(one_more("waiting"), Room::for_tasks(1)).await.unwrap().is_ok());
}

/// A file that was put together again from a dump, or from a part of one, says what it lacks and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_half_restored_says_what_it_lacks() {
    let mark = "PRAGMA application_id = 0";
    let table: [(&[&str], &str); 7] = [
        (&[mark], "but not their mark (application_id), which `.dump` leaves out"),
        (&[mark, "DROP TABLE jobs"], "half restored (it has no jobs, nor the mark application_id)"),
        (&["DROP TABLE jobs"], "half restored (it has no jobs, "),
        (&["DROP TRIGGER task_went"], "half restored (it has no task_went)"),
        (&["DROP INDEX tasks_by_expiry", "DROP INDEX jobs_by_worker"], "it has no tasks_by_expiry, jobs_by_worker)"),
        (&["DELETE FROM _sqlx_migrations"], "half restored (its _sqlx_migrations is empty)"),
        (&["DROP TABLE _sqlx_migrations"], "half restored (it has no _sqlx_migrations)"),
    ];
    for (statements, expected) in table {
        let folder = TempDir::new().unwrap();
        let (path, tasks) = filled(&folder).await;
        meddle(&path, statements).await;
        let before = std::fs::read(&path).unwrap();
        let said = refusal(&path).await;
        assert!(said.contains(expected), "{statements:?}: {said}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{statements:?}: it was changed");
        if statements == [mark] {
            // What it says to run is what it takes.
            let command = said.split("'PRAGMA ").nth(1).unwrap().split('\'').next().unwrap();
            meddle(&path, &[&format!("PRAGMA {command}")]).await;
            assert_there(&path, &tasks).await;
        }
    }
    // A secret that is lost is made anew: only the cursors of before are.
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;
    meddle(&path, &["DELETE FROM meta"]).await;
    assert_there(&path, &tasks).await;
    assert_ne!(SqliteStore::open(&path).await.unwrap().secret().await.unwrap(), [0; 32]);
}

/// Who looks needs nothing beside the file: neither on a disk that is full nor on one that cannot be written.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_looked_into_where_nothing_can_be_written() {
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;
    // What SQLite would make beside the file cannot be made: something else is in its place.
    let beside = folder.path().join("tasks.db-shm");
    std::fs::create_dir(&beside).unwrap();
    let before = std::fs::read(&path).unwrap();
    let said = SqliteStore::open(&path).await.unwrap_err().to_string();
    assert!(said.contains("tasks.db: "), "{said}");
    let store = SqliteStore::open_to_look(&path).await.unwrap();
    assert_eq!(store.list(PrincipalFilter::Anyone, None, 1_000).await.unwrap(), tasks);
    assert_eq!(store.get(PrincipalFilter::Anyone, "task 7").await.unwrap().as_ref(), Some(&tasks[7]));
    assert!(store.remove(PrincipalFilter::Anyone, "task 7").await.is_err());
    store.close().await;
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::remove_dir(&beside).unwrap();

    // The same of one whose log was not put into the file, as a kill leaves it.
    let store = SqliteStore::open(&path).await.unwrap();
    create(&store, "in the log").await;
    for name in ["tasks.db", "tasks.db-wal"] {
        std::fs::copy(folder.path().join(name), folder.path().join(format!("copy of {name}"))).unwrap();
    }
    store.close().await;
    let copy = folder.path().join("copy of tasks.db");
    std::fs::create_dir(folder.path().join("copy of tasks.db-shm")).unwrap();
    let store = SqliteStore::open_to_look(&copy).await.unwrap();
    assert!(store.get(PrincipalFilter::Anyone, "in the log").await.unwrap().is_some());
    store.close().await;
}

/// A purge gives the disk back and leaves nothing of what it removed, in the file or beside it; of a store of an
/// earlier version, too, which kept its free pages and what stood in them.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_gives_the_disk_back_and_leaves_nothing() {
    let word = "a-word-that-stands-nowhere-else";
    let found = |folder: &TempDir| {
        let file = |name: &String| std::fs::read(folder.path().join(name)).unwrap();
        names(folder.path()).iter().filter(|name| contains(&file(name), word)).cloned().collect::<Vec<_>>()
    };
    for is_earlier in [false, true] {
        let folder = TempDir::new().unwrap();
        let path = if is_earlier { earlier_tasks(&folder).await } else { filled(&folder).await.0 };
        if is_earlier {
            // As that version did it: removed by no more than being forgotten.
            let text = format!("'{}'", word.repeat(2_000));
            let insert = format!("UPDATE tasks SET outcome = {text} WHERE principal = 'failing'");
            meddle(&path, &[&insert, "PRAGMA foreign_keys = ON", "DELETE FROM tasks WHERE principal = 'failing'"])
                .await;
            assert_eq!(found(&folder), ["tasks.db"], "what an earlier version left is there");
        }
        let before = path.metadata().unwrap().len();
        if is_earlier {
            // Its tables stay as they are, so nothing new is put into them.
            let text = format!("'{}'", word.repeat(50_000));
            meddle(&path, &[&format!("UPDATE tasks SET outcome = {text} WHERE principal = 'me'")]).await;
        } else {
            let store = SqliteStore::open(&path).await.unwrap();
            for turn in 0..20 {
                let mut ended = create(&store, &format!("large {turn}")).await;
                (ended.version, ended.status) = (1, TaskStatus::Completed);
                let outcome = Some(Ok(TaskOutput::Custom(format!("{{\"a\":\"{}\"}}", word.repeat(5_000)))));
                let end = Transition { record: ended, seen: 0, outcome, lease: None, room: u64::MAX };
                assert_eq!(store.transition(end).await.unwrap(), StoreOutcome::Applied);
            }
            store.close().await;
        }
        let large = path.metadata().unwrap().len();
        assert!(large > before + 2_000_000, "{large}");
        assert_eq!(found(&folder), ["tasks.db"]);
        let clear = Clear { principal: None, ended: true, now: Timestamp::now() };
        let cleared = SqliteStore::clear(&path, clear).await.unwrap();
        assert_eq!((cleared.ended.len(), cleared.wiped), (if is_earlier { 3 } else { 20 }, true));
        let after = path.metadata().unwrap().len();
        assert!(after <= before + 50_000, "{before} bytes, {large} with the tasks, {after} without them");
        assert_eq!(found(&folder), Vec::<String>::new());
        assert_eq!(names(folder.path()), ["tasks.db"]);
    }
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|found| found == word.as_bytes())
}

/// Beside a host that goes on, too. What that one still reads is wiped when it has read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_runs_beside_a_host() {
    let folder = TempDir::new().unwrap();
    let (path, tasks) = filled(&folder).await;
    let host = SqliteStore::open(&path).await.unwrap();
    let clear = Clear { principal: None, ended: false, now: Timestamp::MAX };
    let cleared = SqliteStore::clear(&path, clear).await.unwrap();
    assert_eq!(cleared.expired, tasks);
    assert_eq!(host.list(PrincipalFilter::Anyone, None, 10).await.unwrap(), []);
    create(&host, "next").await;
    host.close().await;
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

/// What is stored in a file that nobody can find any more is lost, so it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_taken_away_or_replaced_is_noticed() {
    for how in ["removed", "moved", "replaced", "copied over"] {
        let folder = TempDir::new().unwrap();
        let (path, _) = filled(&folder).await;
        let copy = folder.path().join("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        create(&store, "before").await;
        assert!(store.check_place().is_ok());
        match how {
            "removed" => std::fs::remove_file(&path).unwrap(),
            "moved" => std::fs::rename(&path, folder.path().join("elsewhere.db")).unwrap(),
            "replaced" => std::fs::rename(&copy, &path).unwrap(),
            _ => {
                std::fs::remove_file(&path).unwrap();
                std::fs::copy(&copy, &path).unwrap();
            }
        }
        let task = NewTask { record: record("after"), work: Work::None };
        let refused = store.create(task, Room::for_tasks(usize::MAX)).await.unwrap_err().to_string();
        assert!(refused.contains("was used: nothing more is stored"), "{how}: {refused}");
        assert!(store.renew("worker", Duration::from_secs(60)).await.is_err(), "{how}");
        store.close().await;
        assert!(store.check_place().is_err(), "{how}");
    }
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
    assert!(said.contains("written by a newer taskcell (schema 7, this one knows 2)"), "{said}");
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
            match store.get(PrincipalFilter::Anyone, &task.id).await {
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
        assert_there(
            &path,
            &[SqliteStore::open(&path).await.unwrap().get(PrincipalFilter::Anyone, "a").await.unwrap().unwrap()],
        )
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
    let task = NewTask {
        record: record("a"),
        work: Work::Leased { job: Arc::new(job("sampling")), worker: "first".to_owned() },
    };
    store.create(task, Room::for_tasks(10)).await.unwrap().unwrap();

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
    let task = NewTask {
        record: record("a"),
        work: Work::Leased { job: Arc::new(job("sampling")), worker: "yesterday's".to_owned() },
    };
    store.create(task, Room::for_tasks(10)).await.unwrap().unwrap();
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
        let refused = store
            .create(NewTask { record: task, work: Work::None }, Room::for_tasks(10))
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with("the task cannot be stored: "), "{refused}");
        assert_eq!(store.get(PrincipalFilter::Anyone, &id).await.unwrap(), None);
    }
    let mut task = create(&store, "a").await;
    (task.version, task.status) = (1, TaskStatus::Completed);
    let outcome = Some(Ok(TaskOutput::Custom("no JSON".to_owned())));
    assert!(
        store.transition(Transition { record: task, seen: 0, outcome, lease: None, room: u64::MAX }).await.is_err()
    );
    assert_eq!(store.get(PrincipalFilter::Anyone, "a").await.unwrap().unwrap().version, 0);
    assert_eq!(store.remove_expired(Timestamp::MAX).await.unwrap().len(), 1);
}
