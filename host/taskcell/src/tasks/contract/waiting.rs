//! Cases about waiting: callers that wait for a change learn of it, whichever host makes it.

use jiff::Timestamp;
use std::time::Duration;
use tokio::task::JoinSet;

use super::Handle;
use super::values::*;
use crate::tasks::{PrincipalFilter, StoreOutcome, TaskRecord};

/// Waits until a task has another version or is gone. A store may return early, so this function checks the record.
async fn wait(store: Handle, task: TaskRecord) -> Option<TaskRecord> {
    loop {
        store.changed(&task.id, task.version).await.unwrap();
        let now = seen(&store, &task.id).await;
        if now.as_ref().map(|now| now.version) != Some(task.version) {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

/// Starts several waiters through both handles.
fn waiters(one: &Handle, other: &Handle, task: &TaskRecord) -> JoinSet<Option<TaskRecord>> {
    let mut waiting = JoinSet::new();
    for store in [one, other, one, other] {
        waiting.spawn(wait(store.clone(), task.clone()));
    }
    waiting
}

pub(super) async fn a_change_wakes(one: Handle, other: Handle) {
    let mut task = create(&one, record(SOMEBODY)).await;
    // Each handle makes changes, while the waiters of the other are at any stage.
    for store in [&one, &other, &one, &other] {
        let waiting = waiters(&one, &other, &task);
        tokio::task::yield_now().await;
        let change = change(&task);
        task = change.record.clone();
        assert_eq!(store.transition(change).await.unwrap(), StoreOutcome::Applied);
        for woken in waiting.join_all().await {
            assert_eq!(woken.as_ref(), Some(&task));
        }
    }
    let waiting = waiters(&one, &other, &task);
    let ended = end(&task, custom("{}"));
    assert_eq!(other.transition(ended.clone()).await.unwrap(), StoreOutcome::Applied);
    for woken in waiting.join_all().await {
        assert_eq!(woken.as_ref(), Some(&ended.record));
    }
}

pub(super) async fn the_end_of_a_task_wakes(one: Handle, other: Handle) {
    let task = create(&one, record(SOMEBODY)).await;
    let waiting = waiters(&one, &other, &task);
    assert!(one.remove(PrincipalFilter::Anyone, &task.id).await.unwrap());
    assert!(waiting.join_all().await.iter().all(Option::is_none));

    let task = create(&one, TaskRecord { ttl: Duration::ZERO, ..record(SOMEBODY) }).await;
    let waiting = waiters(&one, &other, &task);
    assert_eq!(other.remove_expired(Timestamp::now()).await.unwrap().len(), 1);
    assert!(waiting.join_all().await.iter().all(Option::is_none));
}

pub(super) async fn what_has_changed_is_not_waited_for(one: Handle, other: Handle) {
    let task = create(&one, record(SOMEBODY)).await;
    assert_eq!(one.transition(change(&task)).await.unwrap(), StoreOutcome::Applied);
    for store in [&one, &other] {
        store.changed(&task.id, task.version).await.unwrap();
        store.changed(&task.id, u64::MAX >> 1).await.unwrap();
        store.changed("no such task", 0).await.unwrap();
    }
}

pub(super) async fn no_change_is_missed(one: Handle, other: Handle) {
    // Each waiter follows the task from version to version while the task changes as fast as it can.
    let task = create(&one, record(SOMEBODY)).await;
    let last = 100;
    let mut following = JoinSet::new();
    for store in [&one, &other, &one, &other] {
        let (store, mut task) = (store.clone(), task.clone());
        following.spawn(async move {
            while task.version < last {
                let next = wait(store.clone(), task.clone()).await.expect("it stays");
                assert!(next.version > task.version);
                task = next;
            }
        });
    }
    let mut task = task;
    while task.version < last {
        let change = change(&task);
        task = change.record.clone();
        let store = if task.version % 2 == 0 { &one } else { &other };
        assert_eq!(store.transition(change).await.unwrap(), StoreOutcome::Applied);
    }
    following.join_all().await;
}
