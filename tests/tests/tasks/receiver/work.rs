//! Waiting for a task, and the work behind it.

use super::faulty::Faulty;
use super::*;

pub(super) async fn a_wait_ends_with_the_task(store: Store) {
    // The one who waits need not be the one who ends it.
    let (waiting, tasks) = (tasks(&store), tasks(&store));
    let cancelled = RpcError::new(-32603, "Task was cancelled");
    for (ask, expected) in
        [(Ask::Complete, Ok(output("x"))), (Ask::Fail, Err(failure())), (Ask::Cancel, Err(cancelled))]
    {
        let id = create(&tasks).await;
        let waits: Vec<_> = (0..3)
            .map(|_| {
                let (tasks, id) = (Arc::clone(&waiting), id.clone());
                tokio::spawn(async move { tasks.wait(&id).await })
            })
            .collect();
        tokio::task::yield_now().await;
        ask.of(&tasks, &id).await.unwrap();
        for wait in waits {
            assert_eq!(wait.await.unwrap().unwrap(), expected, "{ask:?}");
        }
        // Once it is final there is nothing to wait for, however often it is asked.
        for _ in 0..2 {
            assert_eq!(tasks.wait(&id).await.unwrap(), expected, "{ask:?}");
        }
    }
}

pub(super) async fn a_wait_ends_when_the_task_expires(store: Store) {
    let tasks = tasks(&store);
    let id = tasks.create(wanted(Some(20))).await.unwrap().task_id;
    let error = tasks.wait(&id).await.unwrap_err();
    assert_eq!(rpc(error), (-32602, "Failed to retrieve task: Task not found".to_owned(), None));
}

pub(super) async fn an_update_does_not_end_a_wait(store: Store) {
    let tasks = tasks(&store);
    let id = create(&tasks).await;
    let wait = tokio::spawn({
        let (tasks, id) = (Arc::clone(&tasks), id.clone());
        async move { tasks.wait(&id).await }
    });
    for status in [InputRequired, Working, InputRequired] {
        tasks.update(&id, status, None, Actor::default()).await.unwrap();
        // Long enough for a wait that is wrong to end.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!wait.is_finished(), "{status:?} ended it");
    }
    tasks.finish(&id, &Ok(output("x")), Actor::default()).await.unwrap();
    assert_eq!(wait.await.unwrap().unwrap(), Ok(output("x")));
}

pub(super) async fn work_ends_its_task(store: Store) {
    let tasks = tasks(&store);
    for (outcome, status, message) in
        [(Ok(output("x")), Completed, None), (Err(failure()), Failed, Some("User rejected".to_owned()))]
    {
        let work = work_on(&tasks, None).await;
        let id = work.id().to_owned();
        assert_eq!(tasks.get(&id).await.unwrap().status, Working);
        work.end.send(outcome.clone()).unwrap();
        assert_eq!(tasks.wait(&id).await.unwrap(), outcome);
        let task = tasks.get(&id).await.unwrap();
        assert_eq!((task.status, task.status_message), (status, message));
    }
}

/// Work may be given later to a task that has none, once.
pub(super) async fn work_is_stored_with_its_task_or_after_it(store: Store) {
    let tasks = tasks(&store);
    let (runner, mut begins) = told();
    let (with, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
    assert_eq!((&claim.lease.id, claim.lease.fence, &*claim.job), (&with.task_id, 1, &job()));
    let after = create(&tasks).await;
    let spawned = tasks.spawn(&after, job()).await.unwrap();
    assert_eq!((&spawned.lease.id, spawned.lease.fence, &*spawned.job), (&after, 1, &job()));
    for id in [&with.task_id, &after] {
        assert!(matches!(tasks.spawn(id, job()).await, Err(TaskError::NotFound { .. })), "a second work");
    }
    for claim in [claim, spawned] {
        tasks.start(claim.clone(), &runner);
        let begun = begins.recv().await.unwrap();
        assert_eq!(begun.claim, claim);
        begun.end.send(Ok(output("x"))).unwrap();
        assert_eq!(tasks.wait(&claim.lease.id).await.unwrap(), Ok(output("x")));
    }
}

pub(super) async fn work_cannot_change_what_is_final(store: Store) {
    let tasks = tasks(&store);
    for (ask, ended) in
        [(Ask::Complete, Ok(output("x"))), (Ask::Cancel, Err(RpcError::new(-32603, "Task was cancelled")))]
    {
        // Work that goes on and ends though it was told of the end: it cannot be stopped before its next pause.
        let (go, gone) = (Arc::new(AtomicBool::new(false)), Gone::default());
        let (runs, flag) = (Arc::new(AtomicBool::new(false)), Arc::clone(&gone.0));
        let gone = Arc::new(std::sync::Mutex::new(Some(gone)));
        let busy = {
            let (go, runs) = (Arc::clone(&go), Arc::clone(&runs));
            runner(move |_| {
                let (go, runs, gone) = (Arc::clone(&go), Arc::clone(&runs), gone.lock().unwrap().take());
                async move {
                    let _gone = gone;
                    runs.store(true, Ordering::SeqCst);
                    tokio::task::block_in_place(|| {
                        while !go.load(Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    });
                    Err(failure())
                }
            })
        };
        let (task, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
        tasks.start(claim, &busy);
        set(&runs).await;
        let ends = tokio::spawn({
            let (tasks, id) = (Arc::clone(&tasks), task.task_id.clone());
            async move { ask.of(&tasks, &id).await }
        });
        until(|| async { tasks.get(&task.task_id).await.unwrap().status.is_final() }).await;
        go.store(true, Ordering::SeqCst);
        let task = ends.await.unwrap().unwrap();
        set(&flag).await;
        assert_eq!(tasks.get(&task.task_id).await.unwrap(), task);
        assert_eq!(tasks.wait(&task.task_id).await.unwrap(), ended);
    }
}

pub(super) async fn cancelling_stops_the_work_first(store: Store) {
    let tasks = tasks(&store);
    let other = work_on(&tasks, None).await;
    for _ in 0..20 {
        let work = work_on(&tasks, None).await;
        assert_eq!(tasks.cancel(work.id()).await.unwrap().status, Cancelled);
        assert!(work.is_gone(), "the work goes on after `cancel` returned");
    }
    assert!(!other.is_gone(), "another task's work was stopped");
}

pub(super) async fn a_task_cancelled_elsewhere_stops_here(store: Store) {
    let (here, there) = (tasks(&store), tasks(&store));
    for ask in [Ask::Cancel, Ask::Complete, Ask::Fail] {
        let (work, other) = (work_on(&here, None).await, work_on(&here, None).await);
        let ended = ask.of(&there, work.id()).await.unwrap();
        set(&work.gone).await;
        assert_eq!(here.get(work.id()).await.unwrap(), ended);
        assert!(!other.is_gone(), "another task's work was stopped");
    }
}

/// A handler may cancel the very task that it works on: nobody waits for ever.
pub(super) async fn work_that_cancels_its_own_task_is_stopped(store: Store) {
    let tasks = tasks(&store);
    let gone = Gone::default();
    let flag = Arc::clone(&gone.0);
    let gone = std::sync::Mutex::new(Some(gone));
    let cancelling = {
        let tasks = Arc::clone(&tasks);
        runner(move |claim| {
            let (tasks, gone) = (Arc::clone(&tasks), gone.lock().unwrap().take());
            async move {
                let _gone = gone;
                tasks.cancel(&claim.lease.id).await.unwrap();
                Ok(output("x"))
            }
        })
    };
    let (task, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
    tasks.start(claim, &cancelling);
    set(&flag).await;
    assert_eq!(tasks.get(&task.task_id).await.unwrap().status, Cancelled);
    assert_eq!(tasks.wait(&task.task_id).await.unwrap().unwrap_err().message, "Task was cancelled");
}

pub(super) async fn expiry_stops_the_work(store: Store) {
    let tasks = tasks(&store);
    let other = work_on(&tasks, None).await;
    let work = work_on(&tasks, Some(1_000)).await;
    assert!(!work.is_gone());
    let (idle, _begins) = told();
    tasks.keep(&idle);
    set(&work.gone).await;
    assert!(matches!(tasks.get(work.id()).await, Err(TaskError::NotFound { .. })));
    assert!(!other.is_gone(), "another task's work was stopped");
    tasks.close().await;
}

pub(super) async fn work_of_an_ended_task_does_not_start(store: Store) {
    let tasks = tasks(&store);
    for ask in [Ask::Complete, Ask::Fail, Ask::Cancel] {
        let begun = Arc::new(AtomicBool::new(false));
        let gone = Gone::default();
        let flag = Arc::clone(&gone.0);
        let runner = {
            let begun = Arc::clone(&begun);
            runner(move |_| {
                let (_, begun) = (&gone, Arc::clone(&begun));
                async move {
                    begun.store(true, Ordering::SeqCst);
                    std::future::pending().await
                }
            })
        };
        let (task, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
        ask.of(&tasks, &task.task_id).await.unwrap();
        tasks.start(claim, &runner);
        drop(runner);
        // The runner goes with the work.
        set(&flag).await;
        assert!(!begun.load(Ordering::SeqCst), "the work of a task that has ended runs: {ask:?}");
    }
}

pub(super) async fn a_runner_that_panics_fails_its_task(store: Store) {
    let tasks = tasks(&store);
    for late in [false, true] {
        let runner = runner(move |_| async move {
            if late {
                tokio::task::yield_now().await;
            }
            panic!("a secret")
        });
        let (task, claim) = tasks.create_with_work(wanted(None), job()).await.unwrap();
        tasks.start(claim, &runner);
        let error = tasks.wait(&task.task_id).await.unwrap().unwrap_err();
        assert_eq!((error.code, kind(&error).as_str()), (-32603, "panic"));
        assert!(!error.message.contains("secret"), "{error:?}");
        assert_eq!(tasks.get(&task.task_id).await.unwrap().status, Failed);
    }
}

pub(super) async fn an_answer_that_cannot_be_given_fails_the_task(store: Store) {
    let custom = |text: &str| Ok(TaskOutput::Custom(text.to_owned()));
    let table = [
        ("invalid_answer", custom("7")),
        ("invalid_answer", custom("{")),
        ("answer_size", Ok(output(&"x".repeat(100)))),
        ("invalid_answer", Err(RpcError { data: Some("{".to_owned()), ..failure() })),
        ("answer_size", Err(RpcError { message: "x".repeat(100_000), ..failure() })),
    ];
    // However little a result may be, the error that stands for it is stored.
    for size in [0, 100] {
        let tasks = tasks_with(&store, "me", limits(|limits| limits.result_size = size));
        for (expected, outcome) in table.clone() {
            let work = work_on(&tasks, None).await;
            let id = work.id().to_owned();
            work.end.send(outcome.clone()).unwrap();
            let error = tasks.wait(&id).await.unwrap().unwrap_err();
            assert_eq!((error.code, kind(&error).as_str()), (-32603, expected), "{outcome:?}");
            assert_eq!(tasks.get(&id).await.unwrap().status, Failed);
        }
    }
}

pub(super) async fn an_outcome_is_stored_once_the_store_can(store: Store) {
    let faulty = Faulty::new(&store);
    let tasks = tasks_with(&(Arc::clone(&faulty) as Store), "me", TaskLimits::default());
    for broken in [&["transition"][..], &["get", "transition", "changed"]] {
        let work = work_on(&tasks, None).await;
        let id = work.id().to_owned();
        faulty.breaks(broken);
        work.end.send(Ok(output("x"))).unwrap();
        faulty.failed(broken[0], 2).await;
        assert!(!store.get(PrincipalFilter::Anyone, &id).await.unwrap().unwrap().status.is_final());
        faulty.repair();
        assert_eq!(tasks.wait(&id).await.unwrap(), Ok(output("x")));
    }
}

/// A request that is cancelled while its task is being stored: the store has it, nobody hears of it.
pub(super) async fn no_work_is_left_behind_by_a_creation_that_is_dropped(store: Store) {
    let faulty = Faulty::new(&store);
    let tasks = tasks_with(&(Arc::clone(&faulty) as Store), "me", TaskLimits::default());
    let all = || async { store.list(PrincipalFilter::Anyone, None, 10).await.unwrap().len() };
    let kept = create(&tasks).await;
    faulty.stall();
    for with_work in [true, false] {
        let creates = tokio::spawn({
            let tasks = Arc::clone(&tasks);
            async move {
                if with_work {
                    tasks.create_with_work(wanted(None), job()).await.map(|_| ())
                } else {
                    tasks.create(wanted(None)).await.map(|_| ())
                }
            }
        });
        until(|| async { all().await == 2 }).await;
        creates.abort();
        until(|| async { all().await == 1 }).await;
        tasks.get(&kept).await.unwrap();
    }
}
