//! Cases about reservations: a reserved task belongs to its worker, and is removed when the worker is lost before its
//! requestor learns of the task.

use std::slice;
use std::time::Duration;

use jiff::Timestamp;

use super::Handle;
use super::values::*;
use crate::tasks::{Lease, NewTask, PrincipalFilter, StoreOutcome, TaskRecord, Work};

const MAKER: &str = "maker";
const NEXT: &str = "next";

/// Stores a task that `worker` reserves.
async fn reserve(store: &Handle, worker: &str) -> TaskRecord {
    let mut record = record(SOMEBODY);
    let task = NewTask { record: record.clone(), work: Work::Reserved { worker: worker.to_owned() } };
    record.sequence = store.create(task, NO_LIMIT).await.unwrap().expect("there is room");
    record
}

async fn both_have_time(store: &Handle) {
    assert!(store.renew(MAKER, LONG).await.unwrap() && store.renew(NEXT, LONG).await.unwrap());
}

/// Lets the time of the reserving worker run out, and returns the tasks that are removed for it.
async fn lose(store: &Handle, other: &Handle) -> Vec<TaskRecord> {
    assert!(store.renew(MAKER, Duration::ZERO).await.unwrap());
    other.remove_expired(Timestamp::now()).await.unwrap()
}

pub(super) async fn a_task_that_is_confirmed_stays(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (task, gone) = (reserve(&one, MAKER).await, reserve(&one, MAKER).await);
    assert_eq!(other.get(PrincipalFilter::Of(SOMEBODY), &task.id).await.unwrap().as_ref(), Some(&task), "it is there");
    assert_eq!(other.remove_expired(Timestamp::now()).await.unwrap(), [], "its maker lives");
    one.confirm(&[task.id.clone(), "no such task".to_owned()], MAKER).await.unwrap();
    assert_eq!(lose(&one, &other).await, [gone]);
    assert_eq!(seen(&other, &task.id).await, Some(task));
}

pub(super) async fn a_task_that_gets_its_job_stays(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let task = reserve(&one, MAKER).await;
    // A reservation is no work: no other worker can claim it, whatever happens to the reserving worker.
    assert_eq!(other.claim(SOMEBODY, NEXT, 10).await.unwrap(), []);
    let lease = one.enqueue(PrincipalFilter::Of(SOMEBODY), &task.id, &job(), MAKER, u64::MAX).await.unwrap();
    let lease = lease.expect("there is room").expect("it is reserved by this one");
    assert_eq!(lease, Lease { id: task.id.clone(), worker: MAKER.to_owned(), fence: 1 });
    assert_eq!(one.enqueue(PrincipalFilter::Anyone, &task.id, &job(), MAKER, u64::MAX).await.unwrap(), Ok(None));
    // The confirmation does not affect the job.
    one.confirm(slice::from_ref(&task.id), MAKER).await.unwrap();
    assert_eq!(lose(&one, &other).await, []);
    let claims = other.claim(SOMEBODY, NEXT, 10).await.unwrap();
    assert_eq!((claims.len(), claims[0].lease.fence, claims[0].lost), (1, 2, 1));
    assert_eq!(*claims[0].job, job());
}

pub(super) async fn a_task_whose_maker_is_lost_goes(one: Handle, other: Handle) {
    both_have_time(&one).await;
    // The worker's time runs out, it resigns, and it is gone before the task is stored.
    let lost = reserve(&one, MAKER).await;
    assert_eq!(lose(&one, &other).await, slice::from_ref(&lost));
    assert_eq!(seen(&one, &lost.id).await, None);
    let resigned = reserve(&one, NEXT).await;
    one.resign(NEXT).await.unwrap();
    assert_eq!(other.remove_expired(Timestamp::now()).await.unwrap(), [resigned]);
    let late = reserve(&one, "a worker that nobody knows").await;
    assert_eq!(other.remove_expired(Timestamp::now()).await.unwrap(), [late]);
    // A task that its worker has ended is a task like any other.
    assert!(one.renew(NEXT, LONG).await.unwrap());
    let ended = reserve(&one, NEXT).await;
    assert_eq!(one.transition(end(&ended, custom("{}"))).await.unwrap(), StoreOutcome::Applied);
    one.resign(NEXT).await.unwrap();
    assert_eq!(other.remove_expired(Timestamp::now()).await.unwrap(), []);
    assert_eq!(one.list(PrincipalFilter::Anyone, None, 10).await.unwrap().len(), 1);
}

pub(super) async fn a_reservation_is_its_makers(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let task = reserve(&one, MAKER).await;
    other.confirm(slice::from_ref(&task.id), NEXT).await.unwrap();
    assert_eq!(other.enqueue(PrincipalFilter::Anyone, &task.id, &job(), NEXT, u64::MAX).await.unwrap(), Ok(None));
    assert_eq!(lose(&one, &other).await, slice::from_ref(&task));
    // Neither call affects a task that is gone.
    one.confirm(slice::from_ref(&task.id), MAKER).await.unwrap();
    assert_eq!(one.enqueue(PrincipalFilter::Anyone, &task.id, &job(), MAKER, u64::MAX).await.unwrap(), Ok(None));
    assert_eq!(one.list(PrincipalFilter::Anyone, None, 10).await.unwrap(), []);
    assert_eq!(other.claim(SOMEBODY, NEXT, 10).await.unwrap(), []);
}
