//! Waiting for a task, and the work behind it.

use super::*;

pub(super) async fn a_wait_ends_with_the_task(store: Store) {
    let tasks = tasks(&store);
    let cancelled = RpcError::new(-32603, "Task was cancelled");
    for (ask, expected) in
        [(Ask::Complete, Ok(output("x"))), (Ask::Fail, Err(failure())), (Ask::Cancel, Err(cancelled))]
    {
        let id = create(&tasks).await;
        let waits: Vec<_> = (0..3)
            .map(|_| {
                let (tasks, id) = (Arc::clone(&tasks), id.clone());
                tokio::spawn(async move { tasks.wait(&id).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(5)).await;
        ask.of(&tasks, &id).await.unwrap();
        for wait in waits {
            assert_eq!(soon(wait).await.unwrap().unwrap(), expected, "{ask:?}");
        }
        // Once it is final there is nothing to wait for, however often it is asked.
        for _ in 0..2 {
            assert_eq!(soon(tasks.wait(&id)).await.unwrap(), expected, "{ask:?}");
        }
    }
}

pub(super) async fn a_wait_ends_when_the_task_expires(store: Store) {
    let tasks = tasks(&store);
    let id = tasks.create(TaskMetadata { ttl: Some(20) }, None, None).await.unwrap().task_id;
    let error = soon(tasks.wait(&id)).await.unwrap_err();
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
        tasks.update(&id, status, None, false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!wait.is_finished(), "{status:?} ended it");
    }
    tasks.finish(&id, Ok(output("x")), false).await.unwrap();
    assert_eq!(soon(wait).await.unwrap().unwrap(), Ok(output("x")));
}

pub(super) async fn work_ends_its_task(store: Store) {
    let tasks = tasks(&store);
    for (outcome, status, message) in
        [(Ok(output("x")), Completed, None), (Err(failure()), Failed, Some("User rejected".to_owned()))]
    {
        let id = create(&tasks).await;
        let given = outcome.clone();
        tasks.start(id.clone(), async move { given });
        assert_eq!(soon(tasks.wait(&id)).await.unwrap(), outcome);
        let task = tasks.get(&id).await.unwrap();
        assert_eq!((task.status, task.status_message), (status, message));
    }
}

pub(super) async fn work_cannot_change_what_is_final(store: Store) {
    let tasks = tasks(&store);
    let id = create(&tasks).await;
    let (go, gone) = oneshot::channel::<()>();
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&dropped));
    tasks.start(id.clone(), async move {
        let _guard = guard;
        gone.await.unwrap();
        Err(failure())
    });
    // The handler ends the task itself while its work goes on.
    let task = tasks.finish(&id, Ok(output("first")), false).await.unwrap();
    go.send(()).unwrap();
    while !dropped.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(tasks.get(&id).await.unwrap(), task);
    assert_eq!(tasks.wait(&id).await.unwrap(), Ok(output("first")));
}

pub(super) async fn cancelling_stops_the_work_first(store: Store) {
    let tasks = tasks(&store);
    for _ in 0..20 {
        let (id, other) = (create(&tasks).await, create(&tasks).await);
        let (stopped, others) = (start_endless(&tasks, &id).await, start_endless(&tasks, &other).await);
        assert_eq!(soon(tasks.cancel(&id)).await.unwrap().status, Cancelled);
        assert!(stopped.load(Ordering::SeqCst), "the work goes on after `cancel` returned");
        assert!(!others.load(Ordering::SeqCst), "another task's work was stopped");
    }
}

pub(super) async fn cancelling_stops_all_work_of_the_task(store: Store) {
    let tasks = tasks(&store);
    let id = create(&tasks).await;
    let first = start_endless(&tasks, &id).await;
    // Two would race for one result, so a second one does not start.
    let (started, runs) = oneshot::channel();
    tasks.start(id.clone(), async move {
        started.send(()).unwrap();
        std::future::pending().await
    });
    assert!(soon(runs).await.is_err(), "the second work runs");
    soon(tasks.cancel(&id)).await.unwrap();
    assert!(first.load(Ordering::SeqCst), "the first work goes on");
}

pub(super) async fn work_of_an_ended_task_does_not_start(store: Store) {
    let tasks = tasks(&store);
    for status in [Completed, Failed, Cancelled] {
        let id = task_in(&tasks, status).await;
        let (started, runs) = oneshot::channel();
        tasks.start(id.clone(), async move {
            started.send(()).unwrap();
            std::future::pending().await
        });
        assert!(soon(runs).await.is_err(), "the work of a task that is {status:?} runs");
    }
}

pub(super) async fn work_ends_with_its_owner(store: Store) {
    let tasks = tasks(&store);
    let id = create(&tasks).await;
    let stopped = start_endless(&tasks, &id).await;
    tasks.stop_all();
    until(&stopped).await;
    assert_eq!(tasks.get(&id).await.unwrap().status, Working);
    let dropped = start_endless(&tasks, &id).await;
    drop(tasks);
    until(&dropped).await;
}

/// Waits until a flag is set.
async fn until(flag: &AtomicBool) {
    soon(async {
        while !flag.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
