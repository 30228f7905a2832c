//! Cases about room: the data kept for a principal's tasks is limited in bytes, which every store counts in the same
//! way.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Handle;
use super::values::*;
use crate::protocol::types::TaskInput;
use crate::tasks::{
    Full, Job, NewTask, Outcome, PrincipalFilter, Room, StoreOutcome, TaskOrigin, TaskRecord, Transition, Work,
    json_size,
};

const WORKER: &str = "worker";

/// Returns the bytes of a task's origin.
fn origin() -> u64 {
    json_size(&*record(SOMEBODY).origin).expect("JSON")
}

/// Returns a job of a little more than `bytes` bytes.
fn large(bytes: usize) -> Job {
    Job { input: TaskInput::Custom(format!("{{\"a\":\"{}\"}}", "\u{e4}".repeat(bytes / 2))), ..job() }
}

fn with(job: &Job) -> NewTask {
    let work = Work::Leased { job: Arc::new(job.clone()), worker: WORKER.to_owned() };
    NewTask { record: record(SOMEBODY), work }
}

/// Whether a task without work has room when the limit is `bytes`.
async fn fits(store: &Handle, bytes: u64) -> bool {
    let task = NewTask { record: record(SOMEBODY), work: Work::None };
    let id = task.record.id.clone();
    let made = store.create(task, Room { tasks: 1_000, bytes }).await.unwrap();
    assert!(made.is_ok() || made == Err(Full::Bytes), "{made:?}");
    made.is_ok() && store.remove(PrincipalFilter::Anyone, &id).await.unwrap()
}

/// Returns the change that ends a task within the limit `room`.
fn end_within(task: &TaskRecord, outcome: Outcome, room: u64) -> Transition {
    Transition { room, ..end(task, outcome) }
}

pub(super) async fn what_is_kept_is_bounded(one: Handle, other: Handle) {
    assert!(one.renew(WORKER, LONG).await.unwrap());
    let job = large(10_000);
    let size = origin() + json_size(&job).expect("JSON");
    for (bytes, made) in [(0, false), (size - 1, false), (size, true)] {
        let created = one.create(with(&job), Room { tasks: 10, bytes }).await.unwrap();
        assert_eq!(created.is_ok(), made, "{bytes} of {size}: {created:?}");
    }
    // Nothing is left of refused tasks, and other principals have room of their own.
    assert_eq!(other.list(PrincipalFilter::Anyone, None, 10).await.unwrap().len(), 1);
    let others = NewTask { record: record("another"), ..with(&job) };
    assert!(other.create(others, Room { tasks: 10, bytes: size }).await.unwrap().is_ok());
    assert!(!fits(&other, size).await && fits(&other, size + origin()).await);

    // Work that is added later counts, and so does the outcome of a task.
    let task = create(&one, record(SOMEBODY)).await;
    for (room, expected) in [(2 * size - 1, false), (2 * size, true)] {
        let added = other.enqueue(PrincipalFilter::Of(SOMEBODY), &task.id, &job, WORKER, room).await.unwrap();
        assert_eq!(added.is_ok_and(|lease| lease.is_some()), expected, "{room}");
    }
    let plain = create(&one, record(SOMEBODY)).await;
    let result = custom(&format!("{{\"a\":\"{}\"}}", "x".repeat(5_000)));
    let room = 2 * size + origin() + json_size(&result).expect("JSON");
    assert_eq!(other.transition(end_within(&plain, result.clone(), room - 1)).await.unwrap(), StoreOutcome::Full);
    assert_eq!(seen(&one, &plain.id).await.as_ref(), Some(&plain), "it is as it was");
    assert_eq!(other.transition(end_within(&plain, result, room)).await.unwrap(), StoreOutcome::Applied);
    // A change that reduces the bytes is accepted, however little room there is.
    assert_eq!(one.transition(end_within(&task, custom("{}"), 0)).await.unwrap(), StoreOutcome::Applied);
}

pub(super) async fn what_goes_makes_room(one: Handle, other: Handle) {
    assert!(one.renew(WORKER, LONG).await.unwrap());
    assert!(fits(&one, origin()).await);
    let job = large(10_000);
    let size = origin() + json_size(&job).expect("JSON");
    let task = with(&job);
    let ended = task.record.clone();
    one.create(task, NO_LIMIT).await.unwrap().expect("there is room");
    let removed = with(&job);
    let id = removed.record.id.clone();
    one.create(removed, NO_LIMIT).await.unwrap().expect("there is room");
    assert!(!fits(&other, 3 * origin()).await && fits(&other, 2 * size + origin()).await);
    // The end of a task removes its work; the removal of the task removes all its data.
    let outcome = custom("{}");
    let left = origin() + json_size(&outcome).expect("JSON");
    assert_eq!(other.transition(end(&ended, outcome)).await.unwrap(), StoreOutcome::Applied);
    assert!(!fits(&one, left + size + origin() - 1).await && fits(&one, left + size + origin()).await);
    assert!(other.remove(PrincipalFilter::Anyone, &id).await.unwrap());
    assert!(!fits(&one, left + origin() - 1).await && fits(&one, left + origin()).await);
    assert!(one.remove(PrincipalFilter::Anyone, &ended.id).await.unwrap());
    assert!(fits(&other, origin()).await && !fits(&other, origin() - 1).await);
    // An expired task counts until it is removed.
    let brief = TaskRecord { ttl: std::time::Duration::ZERO, ..record(SOMEBODY) };
    create(&one, brief).await;
    assert!(!fits(&other, origin()).await);
    assert_eq!(other.remove_expired(jiff::Timestamp::now()).await.unwrap().len(), 1);
    assert!(fits(&other, origin()).await);
}

pub(super) async fn the_bound_is_exact(one: Handle, other: Handle) {
    let made_from = Arc::new(TaskOrigin { handler: "x".repeat(1_000), ..TaskOrigin::default() });
    let size = json_size(&*made_from).expect("JSON");
    let mut creating = JoinSet::new();
    for turn in 0..50 {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        let record = TaskRecord { origin: Arc::clone(&made_from), ..record(SOMEBODY) };
        let task = NewTask { record, work: Work::None };
        let room = Room { tasks: 1_000, bytes: 10 * size + size / 2 };
        creating.spawn(async move { store.create(task, room).await.unwrap() });
    }
    let made = creating.join_all().await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 10);
    assert!(made.iter().all(|made| made.is_ok() || *made == Err(Full::Bytes)));
}
