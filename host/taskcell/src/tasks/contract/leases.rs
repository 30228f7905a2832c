//! Cases about leases: the holder of the newest lease does the work, which passes on when the holder's time runs out.
//!
//! A time of zero runs out at once, so hardly any case has to wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Handle;
use super::values::*;
use crate::protocol::types::TaskInput;
use crate::tasks::{
    Claim, Full, Job, Lease, NewTask, PrincipalFilter, Room, StoreOutcome, TaskRecord, Transition, Work,
};

const FIRST: &str = "first worker";
const SECOND: &str = "second worker";

/// Gives both workers time.
async fn both_have_time(store: &Handle) {
    assert!(store.renew(FIRST, LONG).await.unwrap());
    assert!(store.renew(SECOND, LONG).await.unwrap());
}

/// Lets the time of a worker run out.
async fn run_out(store: &Handle, worker: &str) {
    assert!(store.renew(worker, Duration::ZERO).await.unwrap());
}

fn under(lease: &Lease, change: Transition) -> Transition {
    Transition { lease: Some(lease.clone()), ..change }
}

fn ids(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.lease.id.as_str()).collect()
}

pub(super) async fn a_task_is_made_with_its_job(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (task, lease) = create_leased(&one, SOMEBODY, FIRST).await;
    assert_eq!(other.claim(SOMEBODY, SECOND, 10).await.unwrap(), [], "it is held");
    assert_eq!(other.claim(SOMEBODY, FIRST, 10).await.unwrap(), [], "it is held by this one");
    // A change of the task leaves the lease as it is.
    let step = change(&task);
    assert_eq!(other.transition(under(&lease, step.clone())).await.unwrap(), StoreOutcome::Applied);
    assert_eq!(one.transition(under(&lease, end(&step.record, custom("{}")))).await.unwrap(), StoreOutcome::Applied);

    // A job without room is not stored.
    let refused =
        NewTask { record: record(SOMEBODY), work: Work::Leased { job: Arc::new(job()), worker: FIRST.to_owned() } };
    assert_eq!(one.create(refused, Room::for_tasks(1)).await.unwrap(), Err(Full::Tasks));
    one.resign(FIRST).await.unwrap();
    assert_eq!(other.claim(SOMEBODY, SECOND, 10).await.unwrap(), []);
}

pub(super) async fn a_job_is_kept_whole(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let asked = "{\"message\":\"\\u0000\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}";
    let asked = TaskInput::Elicitation(serde_json::from_str(asked).expect("a request"));
    for job in [job(), Job { input: asked, ..job() }, Job { kind: ODD.concat(), ..job() }] {
        let task = NewTask {
            record: record(SOMEBODY),
            work: Work::Leased { job: Arc::new(job.clone()), worker: FIRST.to_owned() },
        };
        let made = task.record.id.clone();
        one.create(task, NO_LIMIT).await.unwrap().expect("there is room");
        let added = create(&one, record(SOMEBODY)).await.id;
        let lease = other
            .enqueue(PrincipalFilter::Of(SOMEBODY), &added, &job, FIRST, u64::MAX)
            .await
            .unwrap()
            .expect("there is room");
        for lease in [Lease { id: made, worker: FIRST.to_owned(), fence: 1 }, lease.expect("it has none")] {
            one.release(&lease).await.unwrap();
            let claims = other.claim(SOMEBODY, SECOND, 10).await.unwrap();
            let lease = Lease { worker: SECOND.to_owned(), fence: 2, ..lease };
            assert_eq!(claims, [Claim { lease, lost: 0, job: Arc::new(job.clone()) }]);
        }
    }
}

pub(super) async fn a_job_is_added_once(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let task = create(&one, record(SOMEBODY)).await;
    let lease = other
        .enqueue(PrincipalFilter::Of(SOMEBODY), &task.id, &job(), FIRST, u64::MAX)
        .await
        .unwrap()
        .expect("there is room");
    assert_eq!(lease, Some(Lease { id: task.id.clone(), worker: FIRST.to_owned(), fence: 1 }));
    assert_eq!(one.claim(SOMEBODY, SECOND, 10).await.unwrap(), []);
    let (with_job, _) = create_leased(&one, SOMEBODY, FIRST).await;
    let ended = create(&one, record(SOMEBODY)).await;
    assert_eq!(one.transition(end(&ended, custom("{}"))).await.unwrap(), StoreOutcome::Applied);
    for store in [&one, &other] {
        for id in [&task.id, &with_job.id, &ended.id, "no such task"] {
            assert_eq!(store.enqueue(PrincipalFilter::Anyone, id, &job(), SECOND, u64::MAX).await.unwrap(), Ok(None));
        }
    }
    assert_eq!(
        other.transition(under(&lease.expect("it had none"), change(&task))).await.unwrap(),
        StoreOutcome::Applied
    );
}

pub(super) async fn only_the_newest_lease_counts(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (task, first) = create_leased(&one, SOMEBODY, FIRST).await;
    run_out(&one, FIRST).await;
    let second = other.claim(SOMEBODY, SECOND, 10).await.unwrap().remove(0).lease;
    assert_eq!(second, Lease { worker: SECOND.to_owned(), fence: 2, ..first.clone() });

    let wrong = [
        first.clone(),
        Lease { fence: 3, ..second.clone() },
        Lease { fence: u64::MAX, ..second.clone() },
        Lease { worker: FIRST.to_owned(), ..second.clone() },
    ];
    let elsewhere = change(&record(SOMEBODY));
    for lease in &wrong {
        assert_eq!(one.transition(under(lease, change(&task))).await.unwrap(), StoreOutcome::Fenced);
        // The lease is checked before the version, but a task that is gone has no lease.
        let outdated = Transition { seen: 5, ..change(&task) };
        assert_eq!(one.transition(under(lease, outdated)).await.unwrap(), StoreOutcome::Fenced);
        assert_eq!(one.transition(under(lease, elsewhere.clone())).await.unwrap(), StoreOutcome::Conflict);
        one.release(lease).await.unwrap();
    }
    // The lease of another task counts no more than none.
    let (_, strange) = create_leased(&one, SOMEBODY, SECOND).await;
    assert_eq!(one.transition(under(&strange, change(&task))).await.unwrap(), StoreOutcome::Fenced);
    assert_eq!(seen(&one, &task.id).await.as_ref(), Some(&task));

    let outdated = Transition { seen: 5, ..change(&task) };
    assert_eq!(one.transition(under(&second, outdated)).await.unwrap(), StoreOutcome::Conflict);
    assert_eq!(one.transition(under(&second, change(&task))).await.unwrap(), StoreOutcome::Applied);
    // A change without a lease needs none: a cancellation has none.
    let task = seen(&one, &task.id).await.expect("it is there");
    assert_eq!(other.transition(end(&task, custom("{}"))).await.unwrap(), StoreOutcome::Applied);
}

pub(super) async fn a_job_ends_with_its_task(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (held, lease) = create_leased(&one, SOMEBODY, FIRST).await;
    let (free, free_lease) = create_leased(&one, SOMEBODY, FIRST).await;
    other.release(&free_lease).await.unwrap();
    for task in [&held, &free] {
        assert_eq!(other.transition(end(task, custom("{}"))).await.unwrap(), StoreOutcome::Applied);
    }
    assert_eq!(one.transition(under(&lease, change(&held))).await.unwrap(), StoreOutcome::Fenced);
    one.release(&lease).await.unwrap();
    one.resign(FIRST).await.unwrap();
    assert_eq!(other.claim(SOMEBODY, SECOND, 10).await.unwrap(), []);
}

pub(super) async fn the_oldest_are_claimed_first(one: Handle, other: Handle) {
    both_have_time(&one).await;
    assert!(one.renew("third", LONG).await.unwrap());
    let mut made = Vec::new();
    for turn in 0..9 {
        // Jobs of two workers whose time runs out, and jobs that no worker holds, have one common order.
        let (_, lease) = create_leased(&one, SOMEBODY, [FIRST, "third", SECOND][turn % 3]).await;
        if turn % 3 == 2 {
            one.release(&lease).await.unwrap();
        }
        made.push(lease.id);
    }
    run_out(&one, FIRST).await;
    run_out(&one, "third").await;
    assert_eq!(other.claim(SOMEBODY, SECOND, 0).await.unwrap(), []);
    let mut claimed = Vec::new();
    for (limit, expected) in [(2, 2), (4, 4), (100, 3), (100, 0)] {
        let claims = other.claim(SOMEBODY, SECOND, limit).await.unwrap();
        assert_eq!(claims.len(), expected);
        claimed.extend(ids(&claims).into_iter().map(str::to_owned));
    }
    assert_eq!(claimed, made);
}

pub(super) async fn work_stays_with_its_principal(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let mut made = Vec::new();
    for principal in ODD {
        made.push(create_leased(&one, principal, FIRST).await.0);
    }
    run_out(&one, FIRST).await;
    assert_eq!(other.claim("nobody", SECOND, 10).await.unwrap(), []);
    for TaskRecord { principal, id, .. } in made {
        let claims = other.claim(&principal, SECOND, 10).await.unwrap();
        assert_eq!(ids(&claims), [id.as_str()], "{principal:?}");
    }
}

pub(super) async fn time_runs_out(one: Handle, other: Handle) {
    assert!(one.renew(SECOND, LONG).await.unwrap());
    assert!(one.renew(FIRST, Duration::from_millis(50)).await.unwrap());
    let (_, lease) = create_leased(&one, SOMEBODY, FIRST).await;
    let claims = loop {
        let claims = other.claim(SOMEBODY, SECOND, 10).await.unwrap();
        if !claims.is_empty() {
            break claims;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(claims[0].lease, Lease { worker: SECOND.to_owned(), fence: 2, ..lease });
    // The worker learns of its loss each time. Under another name it may go on.
    for store in [&one, &other] {
        assert!(!store.renew(FIRST, LONG).await.unwrap());
    }
    assert!(one.renew("first worker again", LONG).await.unwrap());
    assert_eq!(one.claim(SOMEBODY, "first worker again", 10).await.unwrap(), [], "it is the second worker's");
}

pub(super) async fn a_worker_without_time_gets_nothing(one: Handle, other: Handle) {
    assert!(one.renew(SECOND, LONG).await.unwrap());
    let (task, lease) = create_leased(&one, SOMEBODY, SECOND).await;
    one.release(&lease).await.unwrap();
    assert!(one.renew(FIRST, LONG).await.unwrap());
    run_out(&one, FIRST).await;
    assert_eq!(other.claim(SOMEBODY, FIRST, 10).await.unwrap(), []);
    assert_eq!(other.claim(SOMEBODY, "a worker that nobody knows", 10).await.unwrap(), []);
    assert_eq!(ids(&other.claim(SOMEBODY, SECOND, 10).await.unwrap()), [task.id.as_str()]);
}

pub(super) async fn time_is_extended(one: Handle, other: Handle) {
    assert!(one.renew(SECOND, LONG).await.unwrap());
    assert!(one.renew(FIRST, LONG).await.unwrap());
    create_leased(&one, SOMEBODY, FIRST).await;
    for store in [&one, &other, &one] {
        assert!(store.renew(FIRST, LONG).await.unwrap());
        assert!(store.renew(FIRST, Duration::MAX).await.unwrap());
        assert_eq!(store.claim(SOMEBODY, SECOND, 10).await.unwrap(), []);
    }
}

pub(super) async fn a_lease_is_given_back(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (task, first) = create_leased(&one, SOMEBODY, FIRST).await;
    one.release(&first).await.unwrap();
    assert_eq!(one.transition(under(&first, change(&task))).await.unwrap(), StoreOutcome::Fenced, "it was given back");
    let second = other.claim(SOMEBODY, SECOND, 10).await.unwrap().remove(0).lease;
    assert_eq!(second.fence, 2);
    // The lease that is given back again is not the newest any more.
    one.release(&first).await.unwrap();
    assert_eq!(one.claim(SOMEBODY, FIRST, 10).await.unwrap(), []);
    one.release(&Lease { id: "no such task".to_owned(), ..second.clone() }).await.unwrap();
    other.release(&second).await.unwrap();
    let third = one.claim(SOMEBODY, FIRST, 10).await.unwrap().remove(0).lease;
    assert_eq!(third, Lease { fence: 3, ..first });
}

pub(super) async fn a_worker_resigns(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let (task, first) = create_leased(&one, SOMEBODY, FIRST).await;
    let (_, kept) = create_leased(&one, SOMEBODY, SECOND).await;
    other.resign("a worker that nobody knows").await.unwrap();
    one.resign(FIRST).await.unwrap();
    assert_eq!(other.transition(under(&first, change(&task))).await.unwrap(), StoreOutcome::Fenced);
    let claims = other.claim(SOMEBODY, SECOND, 10).await.unwrap();
    assert_eq!(ids(&claims), [task.id.as_str()]);
    assert_eq!(claims[0].lease.fence, 2);
    assert_eq!(one.claim(SOMEBODY, FIRST, 10).await.unwrap(), [], "it is gone");
    // The worker may return under its name, because it holds nothing.
    assert!(other.renew(FIRST, LONG).await.unwrap());
    assert_eq!(one.claim(SOMEBODY, FIRST, 10).await.unwrap(), []);
    one.release(&kept).await.unwrap();
    assert_eq!(ids(&other.claim(SOMEBODY, FIRST, 10).await.unwrap()), [kept.id.as_str()]);
}

pub(super) async fn work_of_a_worker_that_is_gone_is_not_lost(one: Handle, other: Handle) {
    both_have_time(&one).await;
    // The worker resigned, or its time ran out, while the task was being stored.
    assert!(one.renew("late", LONG).await.unwrap());
    run_out(&one, "late").await;
    one.resign(FIRST).await.unwrap();
    let mut made = Vec::new();
    for worker in [FIRST, "late"] {
        made.push(create_leased(&one, SOMEBODY, worker).await.0.id);
        let task = create(&one, record(SOMEBODY)).await;
        one.enqueue(PrincipalFilter::Anyone, &task.id, &job(), worker, u64::MAX)
            .await
            .unwrap()
            .expect("there is room")
            .expect("it has none");
        made.push(task.id);
    }
    let claims = other.claim(SOMEBODY, SECOND, 10).await.unwrap();
    assert_eq!(ids(&claims), made);
    assert!(claims.iter().all(|claim| claim.lease.fence == 2));
}

pub(super) async fn a_job_is_claimed_by_one(one: Handle, other: Handle) {
    both_have_time(&one).await;
    let mut made = BTreeSet::new();
    for _ in 0..50 {
        made.insert(create_leased(&one, SOMEBODY, FIRST).await.0.id);
    }
    one.resign(FIRST).await.unwrap();
    let mut claiming = JoinSet::new();
    for turn in 0..20 {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        claiming.spawn(async move {
            let worker = format!("worker {turn}");
            assert!(store.renew(&worker, LONG).await.unwrap());
            store.claim(SOMEBODY, &worker, 3).await.unwrap()
        });
    }
    let claims: Vec<Claim> = claiming.join_all().await.into_iter().flatten().collect();
    assert_eq!(claims.len(), made.len());
    assert!(claims.iter().all(|claim| claim.lease.fence == 2));
    assert_eq!(claims.into_iter().map(|claim| claim.lease.id).collect::<BTreeSet<_>>(), made);
}
