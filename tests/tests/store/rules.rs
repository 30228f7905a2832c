//! The rules of a task's life.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use taskcell::tasks::StoreError;

use super::*;

pub(super) async fn a_task_starts_working(store: Store) {
    let tasks = tasks(&store);
    let mut ids = std::collections::HashSet::new();
    for (poll_interval, expected, message) in [(None, 500, None), (Some(7), 7, Some("soon")), (Some(0), 0, Some(""))] {
        let message = message.map(str::to_owned);
        let task = tasks.create(TaskMetadata { ttl: None }, poll_interval, message.clone()).await.unwrap();
        assert_eq!(task.status, TaskStatus::Working);
        assert_eq!((task.poll_interval, &task.status_message), (Some(expected), &message));
        assert_eq!(task.created_at, task.last_updated_at);
        assert_eq!(tasks.get(&task.task_id).await.unwrap(), task);
        is_a_time(&task.created_at);
        is_a_random_id(&task.task_id);
        assert!(ids.insert(task.task_id));
    }
}

/// A time of ISO 8601 with milliseconds in UTC: `2025-11-25T10:30:00.000Z`.
fn is_a_time(text: &str) {
    let time: Timestamp = text.parse().unwrap();
    let pattern: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(pattern, "0000-00-00T00:00:00.000Z");
    assert!(time.duration_since(Timestamp::now()).unsigned_abs() < MINUTE, "{text}");
}

/// A UUID of version 4.
fn is_a_random_id(id: &str) {
    let parts: Vec<_> = id.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())), "{id}");
    assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
}

/// From every status, everything that can be asked: the status that follows, or the words of the refusal.
pub(super) async fn the_state_machine(store: Store) {
    let tasks = tasks(&store);
    let no = |status: &str| Err(format!("Cannot update task to '{status}': use complete, fail or cancel"));
    for from in [Working, InputRequired] {
        let expected = [
            Ok(Working),
            Ok(InputRequired),
            no("completed"),
            no("failed"),
            no("cancelled"),
            Ok(Completed),
            Ok(Failed),
            Ok(Cancelled),
        ];
        for (ask, expected) in ASKS.into_iter().zip(expected) {
            let id = task_in(&tasks, from).await;
            let before = tasks.get(&id).await.unwrap();
            let after = ask.of(&tasks, &id).await;
            let kept = tasks.get(&id).await.unwrap();
            match (after, expected) {
                (Ok(task), Ok(status)) => assert_eq!((task.status, &task), (status, &kept), "{from:?} {ask:?}"),
                (Err(error), Err(message)) => {
                    assert_eq!(rpc(error), (-32602, message, None), "{from:?} {ask:?}");
                    assert_eq!(kept, before, "{from:?} {ask:?}");
                }
                (after, expected) => panic!("{from:?} {ask:?}: {after:?} instead of {expected:?}"),
            }
        }
    }
}

pub(super) async fn a_final_status_never_changes(store: Store) {
    let changes = Arc::new(AtomicUsize::new(0));
    let tasks = {
        let changes = Arc::clone(&changes);
        let on_change = move |_: &Task| {
            changes.fetch_add(1, Ordering::SeqCst);
        };
        Tasks::new(store, "me".to_owned(), TaskLimits::default(), Box::new(on_change))
    };
    for (from, name) in [(Completed, "completed"), (Failed, "failed"), (Cancelled, "cancelled")] {
        let id = task_in(&tasks, from).await;
        let before = (tasks.get(&id).await.unwrap(), tasks.wait(&id).await.unwrap(), changes.load(Ordering::SeqCst));
        for ask in ASKS {
            let expected = match ask {
                Ask::Update(status) if status.is_final() => "use complete, fail or cancel".to_owned(),
                Ask::Cancel => format!("Cannot cancel task: already in terminal status '{name}'"),
                _ => format!("Cannot change task: already in terminal status '{name}'"),
            };
            let (code, message, data) = rpc(ask.of(&tasks, &id).await.unwrap_err());
            assert!(code == -32602 && message.ends_with(&expected) && data.is_none(), "{from:?} {ask:?}: {message}");
            let after = (tasks.get(&id).await.unwrap(), tasks.wait(&id).await.unwrap(), changes.load(Ordering::SeqCst));
            assert_eq!(after, before, "{from:?} {ask:?}");
        }
    }
}

pub(super) async fn one_of_many_ends_a_task(store: Store) {
    // Several owners of one principal, as several hosts on one store would be.
    let owners = [tasks(&store), tasks(&store)];
    for _ in 0..20 {
        let id = create(&owners[0]).await;
        let asks: Vec<_> = (0..12)
            .map(|number: usize| {
                let (tasks, id) = (Arc::clone(&owners[number % 2]), id.clone());
                let ask = [Ask::Complete, Ask::Fail, Ask::Cancel][number % 3];
                tokio::spawn(async move { ask.of(&tasks, &id).await })
            })
            .collect();
        let mut ended = Vec::new();
        for ask in asks {
            match soon(ask).await.unwrap() {
                Ok(task) => ended.push(task),
                Err(error) => assert!(matches!(error, TaskError::Final { .. }), "{error}"),
            }
        }
        assert_eq!(ended, [owners[0].get(&id).await.unwrap()]);
    }
}

pub(super) async fn a_change_tells_when_it_was(store: Store) {
    let tasks = tasks(&store);
    for (number, ask) in [(1, Ask::Update(InputRequired)), (2, Ask::Complete), (3, Ask::Fail), (4, Ask::Cancel)] {
        let old = record(number, MINUTE * 10, MINUTE * 60);
        store.create(old.clone()).await.unwrap();
        let task = ask.of(&tasks, &old.id).await.unwrap();
        assert_eq!(task.created_at, old.task().created_at);
        is_a_time(&task.last_updated_at);
    }
}

pub(super) async fn every_change_is_told_unless_quiet(store: Store) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let on_change = {
        let told = Arc::clone(&told);
        move |task: &Task| told.lock().unwrap().push(task.clone())
    };
    let tasks = Tasks::new(store, "me".to_owned(), TaskLimits::default(), Box::new(on_change));
    let id = create(&tasks).await;
    let mut expected = Vec::new();
    tasks.update(&id, Working, Some("quiet".to_owned()), true).await.unwrap();
    expected.push(tasks.update(&id, InputRequired, Some("asking".to_owned()), false).await.unwrap());
    expected.push(tasks.update(&id, InputRequired, None, false).await.unwrap());
    expected.push(tasks.finish(&id, Err(failure()), false).await.unwrap());
    let quiet = create(&tasks).await;
    tasks.finish(&quiet, Ok(output("x")), true).await.unwrap();
    let cancelled = create(&tasks).await;
    expected.push(tasks.cancel(&cancelled).await.unwrap());
    let messages: Vec<_> = expected.iter().map(|task| task.status_message.as_deref()).collect();
    assert_eq!(messages, [Some("asking"), None, Some("User rejected"), None]);
    assert_eq!(*told.lock().unwrap(), expected);
}

pub(super) async fn the_time_to_live_is_honoured_up_to_the_maximum(store: Store) {
    let hour = 60 * 60 * 1_000;
    let limits = |default, max| {
        let mut limits = TaskLimits::default();
        limits.default_ttl = Duration::from_millis(default);
        limits.max_ttl = Duration::from_millis(max);
        limits
    };
    let rows = [
        (TaskLimits::default(), None, hour),
        (TaskLimits::default(), Some(0), 0),
        (TaskLimits::default(), Some(1), 1),
        (TaskLimits::default(), Some(24 * hour), 24 * hour),
        (TaskLimits::default(), Some(24 * hour + 1), 24 * hour),
        (TaskLimits::default(), Some(u32::MAX), 24 * hour),
        (limits(5_000, 60_000), None, 5_000),
        (limits(5_000, 60_000), Some(59_999), 59_999),
        (limits(5_000, 60_000), Some(60_001), 60_000),
        (limits(60_000, 5_000), None, 5_000),
        (limits(5_000, u64::MAX), Some(u32::MAX), u32::MAX),
    ];
    for (limits, asked, kept) in rows {
        let what = format!("{asked:?} within {limits:?}");
        let tasks = tasks_with(&store, "me", limits);
        let task = tasks.create(TaskMetadata { ttl: asked }, None, None).await.unwrap();
        assert_eq!(task.ttl, Some(kept), "{what}");
        // What is reported is what is kept.
        let record = store.get("me", &task.task_id).await.unwrap().unwrap();
        let expires = record.expires_at().duration_since(record.created_at);
        assert_eq!(expires.as_millis(), kept.into(), "{what}");
        if kept > 1_000 {
            let task = tasks.update(&task.task_id, Working, None, false).await.unwrap();
            assert_eq!(task.ttl, Some(kept), "{what}: a change does not prolong it");
        }
    }
}

pub(super) async fn unknown_foreign_and_expired_are_alike(store: Store) {
    let (mine, yours) = (tasks(&store), tasks_with(&store, "you", TaskLimits::default()));
    let foreign = create(&yours).await;
    let stopped = start_endless(&yours, &foreign).await;
    let before = yours.get(&foreign).await.unwrap();
    let expired = record(1, MINUTE * 2, MINUTE);
    store.create(expired.clone()).await.unwrap();
    let short = mine.create(TaskMetadata { ttl: Some(0) }, None, None).await.unwrap().task_id;
    let ids = ["", "none", "00000000-0000-4000-8000-000000000000", &foreign, &expired.id, &short];
    let not_found = |verb: &str| (-32602, format!("Failed to {verb} task: Task not found"), None);
    for id in ids {
        assert_eq!(rpc(mine.get(id).await.unwrap_err()), not_found("retrieve"), "{id}");
        assert_eq!(rpc(soon(mine.wait(id)).await.unwrap_err()), not_found("retrieve"), "{id}");
        for ask in [Ask::Update(Working), Ask::Complete, Ask::Fail] {
            assert_eq!(rpc(ask.of(&mine, id).await.unwrap_err()), not_found("retrieve"), "{id} {ask:?}");
        }
        assert_eq!(rpc(mine.cancel(id).await.unwrap_err()), not_found("cancel"), "{id}");
    }
    assert_eq!(mine.list(None).await.unwrap().tasks, []);
    assert_eq!(yours.get(&foreign).await.unwrap(), before);
    assert!(!stopped.load(Ordering::SeqCst), "somebody else's work was stopped");
}

pub(super) async fn there_may_be_too_many_tasks(store: Store) {
    let mut limits = TaskLimits::default();
    limits.tasks = 3;
    let tasks = tasks_with(&store, "me", limits.clone());
    store.create(record(1, MINUTE * 2, MINUTE)).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(create(&tasks).await);
    }
    // One that has ended is kept, and counts.
    tasks.cancel(&ids[0]).await.unwrap();
    let error = tasks.create(TaskMetadata { ttl: None }, None, None).await.unwrap_err();
    let expected = (-32603, "Too many tasks: 3 are kept".to_owned(), Some(r#"{"kind":"tasks"}"#.to_owned()));
    assert_eq!(rpc(error), expected);
    assert_eq!(tasks.list(None).await.unwrap().tasks.len(), 3);
    create(&tasks_with(&store, "you", limits)).await;
    store.remove_expired(Timestamp::now().checked_add(MINUTE * 60 * 24).unwrap()).await.unwrap();
    create(&tasks).await;
}

/// A store that cannot.
struct Broken;

#[async_trait]
impl TaskStore for Broken {
    async fn create(&self, _: TaskRecord) -> Result<(), StoreError> {
        Err(StoreError("/var/secret: disk full".to_owned()))
    }

    async fn get(&self, _: &str, _: &str) -> Result<Option<TaskRecord>, StoreError> {
        Err(StoreError("/var/secret: disk full".to_owned()))
    }

    async fn replace(&self, _: TaskRecord, _: u64) -> Result<bool, StoreError> {
        Err(StoreError("/var/secret: disk full".to_owned()))
    }

    async fn list(&self, _: &str, _: Option<&Position>, _: usize) -> Result<Vec<TaskRecord>, StoreError> {
        Err(StoreError("/var/secret: disk full".to_owned()))
    }

    async fn count(&self, _: &str) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn changed(&self, _: &str, _: &str, _: u64) -> Result<(), StoreError> {
        Err(StoreError("/var/secret: disk full".to_owned()))
    }

    async fn remove_expired(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A failing store is an internal error, and the peer does not learn why.
#[tokio::test]
async fn a_failing_store_is_an_internal_error() {
    let tasks = tasks_with(&(Arc::new(Broken) as Store), "me", TaskLimits::default());
    let errors = [
        tasks.create(TaskMetadata { ttl: None }, None, None).await.unwrap_err(),
        tasks.get("x").await.unwrap_err(),
        tasks.list(None).await.unwrap_err(),
        tasks.update("x", Working, None, false).await.unwrap_err(),
        tasks.finish("x", Ok(output("x")), false).await.unwrap_err(),
        tasks.cancel("x").await.unwrap_err(),
        tasks.wait("x").await.unwrap_err(),
    ];
    for error in errors {
        let expected = (-32603, "The task store failed".to_owned(), Some(r#"{"kind":"task_store"}"#.to_owned()));
        assert_eq!(rpc(error), expected);
    }
}
