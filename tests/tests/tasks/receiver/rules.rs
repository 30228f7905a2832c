//! The rules of a task's life.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::faulty::Faulty;
use super::*;

pub(super) async fn a_task_starts_working(store: Store) {
    let tasks = tasks(&store);
    let mut ids = HashSet::new();
    for message in [None, Some("soon"), Some("")] {
        let mut options = wanted(None);
        options.status_message = message.map(str::to_owned);
        let task = tasks.create(options).await.unwrap();
        assert_eq!((task.status, task.status_message.as_deref()), (Working, message));
        assert_eq!(task.created_at, task.last_updated_at);
        assert_eq!(tasks.get(&task.task_id).await.unwrap(), task);
        is_a_time(&task.created_at);
        is_a_random_id(&task.task_id);
        assert!(ids.insert(task.task_id));
    }
    let (task, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
    assert_eq!((task.status, &claim.lease.id, claim.lease.fence), (Working, &task.task_id, 1));
    assert_eq!(tasks.get(&task.task_id).await.unwrap(), task);
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

/// What a task that has ended says of itself is about its end, not about what was done before.
pub(super) async fn a_message_about_the_work_ends_with_it(store: Store) {
    let tasks = tasks(&store);
    let said = Some("thinking");
    for end in [Completed, Failed, Cancelled] {
        let id = create(&tasks).await;
        tasks.update(&id, Working, said, Actor::default()).await.unwrap();
        let ended = match end {
            Completed => tasks.finish(&id, &Ok(output("done")), Actor::default()).await,
            Failed => tasks.finish(&id, &Err(failure()), Actor::default()).await,
            _ => tasks.cancel(&id).await,
        };
        let expected = (end == Failed).then(|| failure().message);
        assert_eq!(ended.unwrap().status_message, expected);
        assert_eq!(tasks.get(&id).await.unwrap().status_message, expected);
    }
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
        Tasks::new(store, "me", TaskLimits::default(), Box::new(on_change))
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
        assert!(matches!(tasks.spawn(&id, job()).await, Err(TaskError::NotFound { .. })), "{from:?}");
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
            match ask.await.unwrap() {
                Ok(task) => ended.push(task),
                Err(error) => assert!(matches!(error, TaskError::Final { .. }), "{error}"),
            }
        }
        assert_eq!(ended, [owners[0].get(&id).await.unwrap()]);
    }
}

pub(super) async fn a_change_tells_when_it_was(store: Store) {
    let tasks = tasks(&store);
    for ask in [Ask::Update(InputRequired), Ask::Complete, Ask::Fail, Ask::Cancel] {
        let old = record(MINUTE * 10, HOUR);
        let id = put(&store, old.clone()).await;
        let task = ask.of(&tasks, &id).await.unwrap();
        assert_eq!(task.created_at, old.task().created_at);
        is_a_time(&task.last_updated_at);
    }
}

/// A task that was made before the clock was set back an hour: no change of it is before its creation, or before the
/// change before.
pub(super) async fn a_clock_may_jump_back(store: Store) {
    let tasks = tasks(&store);
    for ask in [Ask::Update(InputRequired), Ask::Complete, Ask::Fail, Ask::Cancel] {
        let mut future = record(Duration::ZERO, MINUTE);
        future.created_at = future.created_at.checked_add(HOUR).unwrap();
        future.updated_at = future.created_at.checked_add(MINUTE).unwrap();
        let id = put(&store, future.clone()).await;
        assert_eq!(tasks.get(&id).await.unwrap(), future.task());
        let task = ask.of(&tasks, &id).await.unwrap();
        assert_eq!((task.created_at, task.last_updated_at), (future.task().created_at, future.task().last_updated_at));
    }
}

pub(super) async fn every_change_is_told_unless_quiet(store: Store) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let on_change = {
        let told = Arc::clone(&told);
        move |task: &Task| told.lock().unwrap().push(task.clone())
    };
    let tasks = Tasks::new(store, "me", TaskLimits::default(), Box::new(on_change));
    let mut quietly = Actor::default();
    quietly.quiet = true;
    let id = create(&tasks).await;
    let mut expected = Vec::new();
    tasks.update(&id, Working, Some("quiet"), quietly).await.unwrap();
    expected.push(tasks.update(&id, InputRequired, Some("asking"), Actor::default()).await.unwrap());
    expected.push(tasks.update(&id, InputRequired, None, Actor::default()).await.unwrap());
    expected.push(tasks.finish(&id, &Err(failure()), Actor::default()).await.unwrap());
    let quiet = create(&tasks).await;
    tasks.finish(&quiet, &Ok(output("x")), quietly).await.unwrap();
    let cancelled = create(&tasks).await;
    expected.push(tasks.cancel(&cancelled).await.unwrap());
    let messages: Vec<_> = expected.iter().map(|task| task.status_message.as_deref()).collect();
    assert_eq!(messages, [Some("asking"), None, Some("User rejected"), None]);
    assert_eq!(*told.lock().unwrap(), expected);
}

pub(super) async fn the_time_to_live_is_honored_up_to_the_maximum(store: Store) {
    let hour = 60 * 60 * 1_000;
    let within = |default, max| {
        limits(|limits| {
            limits.default_ttl = Duration::from_millis(default);
            limits.max_ttl = Duration::from_millis(max);
        })
    };
    let rows = [
        (TaskLimits::default(), None, hour),
        (TaskLimits::default(), Some(0), 0),
        (TaskLimits::default(), Some(1), 1),
        (TaskLimits::default(), Some(24 * hour), 24 * hour),
        (TaskLimits::default(), Some(24 * hour + 1), 24 * hour),
        (TaskLimits::default(), Some(u32::MAX), 24 * hour),
        (within(5_000, 60_000), None, 5_000),
        (within(5_000, 60_000), Some(59_999), 59_999),
        (within(5_000, 60_000), Some(60_001), 60_000),
        (within(60_000, 5_000), None, 5_000),
        (within(5_000, u64::MAX), Some(u32::MAX), u32::MAX),
    ];
    for (limits, asked, kept) in rows {
        let what = format!("{asked:?} within {limits:?}");
        let tasks = tasks_with(&store, "me", limits);
        let task = tasks.create(wanted(asked)).await.unwrap();
        assert_eq!(task.ttl, Some(kept), "{what}");
        // What is reported is what is kept.
        let record = store.get(PrincipalFilter::Of("me"), &task.task_id).await.unwrap().unwrap();
        let expires = record.expires_at().duration_since(record.created_at);
        assert_eq!(expires.as_millis(), kept.into(), "{what}");
        if kept > 1_000 {
            let task = tasks.update(&task.task_id, Working, None, Actor::default()).await.unwrap();
            assert_eq!(task.ttl, Some(kept), "{what}: a change does not prolong it");
        }
    }
}

pub(super) async fn the_poll_interval_is_the_limits_unless_the_handler_names_one(store: Store) {
    let other = limits(|limits| limits.poll_interval = Duration::from_secs(7));
    for (limits, named, given) in [
        (TaskLimits::default(), None, 500),
        (TaskLimits::default(), Some(0), 0),
        (TaskLimits::default(), Some(u32::MAX), u32::MAX),
        (other.clone(), None, 7_000),
        (other, Some(1), 1),
    ] {
        let tasks = tasks_with(&store, "me", limits);
        let mut options = wanted(None);
        options.poll_interval = named;
        let task = tasks.create(options).await.unwrap();
        assert_eq!(task.poll_interval, Some(given), "{named:?}");
        let task = tasks.update(&task.task_id, InputRequired, None, Actor::default()).await.unwrap();
        assert_eq!(task.poll_interval, Some(given), "{named:?}");
    }
}

pub(super) async fn unknown_foreign_and_expired_are_alike(store: Store) {
    let (mine, yours) = (tasks(&store), tasks_with(&store, "you", TaskLimits::default()));
    let foreign = work_on(&yours, None).await;
    let before = yours.get(foreign.id()).await.unwrap();
    let expired = put(&store, record(MINUTE * 2, MINUTE)).await;
    let short = mine.create(wanted(Some(0))).await.unwrap().task_id;
    let ids = ["", "none", "00000000-0000-4000-8000-ffffffffffff", "\u{0}", "ü", foreign.id(), &expired, &short];
    let not_found = |verb: &str| (-32602, format!("Failed to {verb} task: Task not found"), None);
    for id in ids {
        assert_eq!(rpc(mine.get(id).await.unwrap_err()), not_found("retrieve"), "{id}");
        assert_eq!(rpc(mine.wait(id).await.unwrap_err()), not_found("retrieve"), "{id}");
        for ask in [Ask::Update(Working), Ask::Complete, Ask::Fail] {
            assert_eq!(rpc(ask.of(&mine, id).await.unwrap_err()), not_found("retrieve"), "{id} {ask:?}");
        }
        assert_eq!(rpc(mine.cancel(id).await.unwrap_err()), not_found("cancel"), "{id}");
    }
    for id in ["none", foreign.id()] {
        assert_eq!(rpc(mine.spawn(id, job()).await.unwrap_err()), not_found("retrieve"), "{id}");
    }
    assert_eq!(mine.list(None).await.unwrap().tasks, []);
    assert_eq!(yours.get(foreign.id()).await.unwrap(), before);
    assert!(!foreign.is_gone(), "somebody else's work was stopped");
}

pub(super) async fn there_may_be_too_many_tasks(store: Store) {
    let limits = limits(|limits| limits.tasks = 3);
    let tasks = tasks_with(&store, "me", limits.clone());
    // What has expired does not count, though nobody has swept it away.
    for _ in 0..3 {
        put(&store, record(MINUTE * 2, MINUTE)).await;
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(create(&tasks).await);
    }
    // One that has ended is kept, and counts.
    tasks.cancel(&ids[0]).await.unwrap();
    let expected = (-32603, "Too many tasks: 3 are kept".to_owned(), Some(r#"{"kind":"tasks"}"#.to_owned()));
    assert_eq!(rpc(tasks.create(wanted(None)).await.unwrap_err()), expected);
    assert_eq!(rpc(tasks.create_with_work(wanted(None), job()).await.unwrap_err()), expected);
    assert_eq!(tasks.list(None).await.unwrap().tasks.len(), 3);
    create(&tasks_with(&store, "you", limits)).await;
    store.remove(PrincipalFilter::Of("me"), &ids[1]).await.unwrap();
    create(&tasks).await;
    assert_eq!(rpc(tasks.create(wanted(None)).await.unwrap_err()), expected);
}

/// What cannot be a result is refused, and the task goes on.
pub(super) async fn what_a_task_ends_with_is_checked(store: Store) {
    let tasks = tasks_with(&store, "me", limits(|limits| limits.result_size = 100));
    let custom = |text: &str| Ok(TaskOutput::Custom(text.to_owned()));
    // An error of the host's own fits in any limit.
    let (long, longer) = ("x".repeat(100), "x".repeat(100_000));
    let error = |message: &str, data: Option<&str>| {
        Err(RpcError { code: -1, message: message.to_owned(), data: data.map(str::to_owned) })
    };
    let table = [
        ("invalid_answer", custom("")),
        ("invalid_answer", custom("{")),
        ("invalid_answer", custom("7")),
        ("invalid_answer", custom("[]")),
        ("invalid_answer", custom("null")),
        ("invalid_answer", custom("{} {}")),
        ("json_depth", custom(&("{\"a\":".repeat(200) + "1" + &"}".repeat(200)))),
        ("invalid_answer", error("", Some("{"))),
        ("invalid_answer", error("", Some(""))),
        ("answer_size", Ok(output(&long))),
        ("answer_size", error(&longer, None)),
        ("answer_size", error("", Some(&json!(longer).to_string()))),
    ];
    for (expected, outcome) in table {
        let id = create(&tasks).await;
        let before = tasks.get(&id).await.unwrap();
        let refused = RpcError::from(tasks.finish(&id, &outcome, Actor::default()).await.unwrap_err());
        assert_eq!((refused.code, kind(&refused).as_str()), (-32603, expected), "{outcome:?}");
        assert_eq!(tasks.get(&id).await.unwrap(), before, "{outcome:?}");
        // It can still be ended well.
        tasks.finish(&id, &Ok(output("x")), Actor::default()).await.unwrap();
        assert_eq!(tasks.wait(&id).await.unwrap(), Ok(output("x")));
    }
}

/// A failing store is an internal error, and the peer does not learn why.
#[tokio::test]
async fn a_failing_store_is_an_internal_error() {
    let store: Store = Arc::new(MemoryStore::new());
    let tasks = tasks_with(&(Faulty::altogether(&store) as Store), "me", TaskLimits::default());
    let errors = [
        tasks.create(wanted(None)).await.unwrap_err(),
        tasks.create_with_work(wanted(None), job()).await.unwrap_err(),
        tasks.get("x").await.unwrap_err(),
        tasks.list(None).await.unwrap_err(),
        tasks.update("x", Working, None, Actor::default()).await.unwrap_err(),
        tasks.finish("x", &Ok(output("x")), Actor::default()).await.unwrap_err(),
        tasks.cancel("x").await.unwrap_err(),
        tasks.wait("x").await.unwrap_err(),
        tasks.spawn("x", job()).await.unwrap_err(),
    ];
    for error in errors {
        let expected = (-32603, "The task store failed".to_owned(), Some(r#"{"kind":"task_store"}"#.to_owned()));
        assert_eq!(rpc(error), expected);
    }
}
