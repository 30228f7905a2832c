//! Cases about records: tasks are created, changed, listed and removed.

use std::collections::BTreeSet;
use std::slice;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::Handle;
use super::values::*;
use crate::protocol::types::TaskStatus;
use crate::tasks::{NewTask, PrincipalFilter, Room, StoreOutcome, TaskOrigin, TaskRecord, Work};
use crate::validation::ExpectedResult;

pub(super) async fn each_field_is_kept(one: Handle, other: Handle) {
    let base = record(SOMEBODY);
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    let mut records = vec![
        TaskRecord { status: TaskStatus::InputRequired, ..record(SOMEBODY) },
        TaskRecord { ttl: Duration::ZERO, poll_interval: 0, ..record(SOMEBODY) },
        TaskRecord { ttl: Duration::from_millis(u32::MAX.into()), poll_interval: u32::MAX, ..record(SOMEBODY) },
        TaskRecord { ttl: Duration::from_nanos(1_000_000_001), ..record(SOMEBODY) },
        TaskRecord { created_at: Timestamp::UNIX_EPOCH, updated_at: time("2261-12-31T23:59:59Z"), ..base },
        TaskRecord { created_at: time("1900-01-01T00:00:00.000000001Z"), ..record(SOMEBODY) },
        TaskRecord { created_at: time("2261-12-31T23:59:59.999999999Z"), ..record(SOMEBODY) },
        TaskRecord { status_message: Some("x".repeat(1 << 20)), ..record(&"p".repeat(10_000)) },
    ];
    for odd in ODD {
        let origin = TaskOrigin {
            kind: (*odd).to_owned(),
            handler: (*odd).to_owned(),
            expects: ExpectedResult::Form(format!("{odd}{{\"a\": 1.0}}\n")),
        };
        records.push(TaskRecord { status_message: Some((*odd).to_owned()), origin: origin.into(), ..record(odd) });
    }
    for expects in [ExpectedResult::Anything, ExpectedResult::Page] {
        let origin = TaskOrigin { kind: String::new(), handler: String::new(), expects };
        records.push(TaskRecord { origin: origin.into(), ..record(SOMEBODY) });
    }
    for record in records {
        let record = create(&one, record).await;
        assert_eq!(
            other.get(PrincipalFilter::Of(&record.principal), &record.id).await.unwrap().as_ref(),
            Some(&record)
        );
        assert_eq!(other.outcome(PrincipalFilter::Anyone, &record.id).await.unwrap(), None);
        let listed = other.list(PrincipalFilter::Anyone, Some(record.sequence - 1), 2).await.unwrap();
        assert_eq!(listed, slice::from_ref(&record));
        // A change keeps all of the record, too.
        let change = change(&record);
        assert_eq!(other.transition(change.clone()).await.unwrap(), StoreOutcome::Applied);
        assert_eq!(seen(&one, &record.id).await, Some(change.record));
    }
}

pub(super) async fn places_are_given_in_the_order_of_creation(one: Handle, other: Handle) {
    let mut last = 0;
    // The clock is set back between each two tasks, and the newest task is removed.
    for year in (1990..2010).rev() {
        let created_at = format!("{year}-01-01T00:00:00Z").parse().expect("a time");
        let (store, remover) = if year % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let first = create(store, TaskRecord { created_at, ..record("x") }).await;
        assert!(first.sequence > last, "{} after {last}", first.sequence);
        let second = create(store, TaskRecord { created_at, ..record(SOMEBODY) }).await;
        assert!(second.sequence > first.sequence);
        last = second.sequence;
        assert!(remover.remove(PrincipalFilter::Anyone, &second.id).await.unwrap());
    }
    let listed = one.list(PrincipalFilter::Anyone, None, 100).await.unwrap();
    assert_eq!(listed.len(), 20);
    assert!(listed.is_sorted_by_key(|record| record.sequence));
}

pub(super) async fn an_id_is_given_once(one: Handle, other: Handle) {
    let first = create(&one, record(SOMEBODY)).await;
    let again = TaskRecord { id: first.id.clone(), ..record("another") };
    let refused = other.create(NewTask { record: again, work: Work::None }, NO_LIMIT).await;
    assert!(refused.is_err(), "the id of another task was taken: {refused:?}");
    assert_eq!(seen(&one, &first.id).await, Some(first));
    assert_eq!(one.list(PrincipalFilter::Of("another"), None, 10).await.unwrap(), []);
    // A refused task does not count.
    assert!(
        one.create(NewTask { record: record("another"), work: Work::None }, Room::for_tasks(1)).await.unwrap().is_ok()
    );
}

pub(super) async fn the_limit_is_exact(one: Handle, other: Handle) {
    let limit = 10;
    let mut creating = JoinSet::new();
    for turn in 0..50 {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        let task = NewTask { record: record(SOMEBODY), work: Work::None };
        creating.spawn(async move { store.create(task, Room::for_tasks(limit)).await.unwrap() });
    }
    let places: Vec<u64> = creating.join_all().await.into_iter().flatten().collect();
    assert_eq!(places.len(), limit);
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), limit, "a place was given twice");
    let listed = other.list(PrincipalFilter::Of(SOMEBODY), None, 100).await.unwrap();
    assert_eq!(listed.len(), limit);

    let room = async |limit: usize| {
        let task = NewTask { record: record(SOMEBODY), work: Work::None };
        other.create(task, Room::for_tasks(limit)).await.unwrap().is_ok()
    };
    assert!(!room(limit).await);
    assert!(!room(0).await);
    assert!(
        one.create(NewTask { record: record("another"), work: Work::None }, Room::for_tasks(limit))
            .await
            .unwrap()
            .is_ok()
    );
    // The end of a task makes no room; its removal does.
    assert_eq!(one.transition(end(&listed[0], custom("{}"))).await.unwrap(), StoreOutcome::Applied);
    assert!(!room(limit).await);
    assert!(one.remove(PrincipalFilter::Of(SOMEBODY), &listed[0].id).await.unwrap());
    assert!(room(limit).await);
    assert!(!room(limit).await);
    assert!(room(limit + 1).await);
}

pub(super) async fn a_change_is_made_from_the_last_version(one: Handle, other: Handle) {
    let first = create(&one, record(SOMEBODY)).await;
    let second = change(&first);
    assert_eq!(other.transition(second.clone()).await.unwrap(), StoreOutcome::Applied);
    assert_eq!(seen(&one, &first.id).await.as_ref(), Some(&second.record));
    // The changes are based on a past version, on a future version, and on a task that does not exist.
    let (mut late, mut early) = (change(&first), change(&second.record));
    late.record.status_message = Some("late".to_owned());
    early.seen += 1;
    for outdated in [late, early, change(&record(SOMEBODY))] {
        assert_eq!(one.transition(outdated).await.unwrap(), StoreOutcome::Conflict);
    }
    let mut foreign = change(&second.record);
    foreign.record.principal = "another".into();
    assert_eq!(one.transition(foreign).await.unwrap(), StoreOutcome::Conflict);
    assert_eq!(seen(&other, &first.id).await, Some(second.record));
}

pub(super) async fn one_of_many_changes_wins(one: Handle, other: Handle) {
    let first = create(&one, record(SOMEBODY)).await;
    let mut changing = JoinSet::new();
    for turn in 0..50 {
        let store = if turn % 2 == 0 { one.clone() } else { other.clone() };
        let mut change = change(&first);
        change.record.status_message = Some(format!("by {turn}"));
        changing.spawn(async move { (store.transition(change.clone()).await.unwrap(), change.record) });
    }
    let changed = changing.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(stored, _)| *stored == StoreOutcome::Applied);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|(stored, _)| *stored == StoreOutcome::Conflict));
    assert_eq!(seen(&one, &first.id).await.as_ref(), Some(&won[0].1));
}

pub(super) async fn an_outcome_is_kept_as_it_goes_out(one: Handle, other: Handle) {
    for outcome in outcomes() {
        let task = create(&one, record(SOMEBODY)).await;
        assert_eq!(other.outcome(PrincipalFilter::Of(SOMEBODY), &task.id).await.unwrap(), None);
        assert_eq!(one.transition(end(&task, outcome.clone())).await.unwrap(), StoreOutcome::Applied);
        assert_eq!(other.outcome(PrincipalFilter::Of(SOMEBODY), &task.id).await.unwrap(), Some(outcome.clone()));
        assert_eq!(one.outcome(PrincipalFilter::Anyone, &task.id).await.unwrap(), Some(outcome));
    }
}

pub(super) async fn an_outcome_does_not_change(one: Handle, other: Handle) {
    let task = create(&one, record(SOMEBODY)).await;
    let ended = end(&task, custom("{\"first\":true}"));
    assert_eq!(one.transition(ended.clone()).await.unwrap(), StoreOutcome::Applied);
    // The work ends after the task.
    for store in [&one, &other] {
        assert_eq!(store.transition(end(&task, custom("{\"first\":false}"))).await.unwrap(), StoreOutcome::Conflict);
        assert_eq!(store.outcome(PrincipalFilter::Anyone, &task.id).await.unwrap(), ended.outcome);
        assert_eq!(seen(store, &task.id).await.as_ref(), Some(&ended.record));
    }
}

pub(super) async fn a_list_is_paged(one: Handle, other: Handle) {
    let mut all = Vec::new();
    for turn in 0..25 {
        let store = if turn % 2 == 0 { &one } else { &other };
        all.push(create(store, record(["a", "b", "c"][turn % 3])).await);
    }
    // A removed task leaves a gap, and its position stays valid as the start of a page.
    let gone = all.remove(12);
    assert!(one.remove(PrincipalFilter::Anyone, &gone.id).await.unwrap());
    for filter in
        [PrincipalFilter::Of("a"), PrincipalFilter::Of("b"), PrincipalFilter::Anyone, PrincipalFilter::Of("nobody")]
    {
        let expected: Vec<_> = all.iter().filter(|task| filter.includes(&task.principal)).cloned().collect();
        for page in [1, 2, 7, 24, 100] {
            let (mut listed, mut after) = (Vec::new(), None);
            loop {
                let tasks = other.list(filter, after, page).await.unwrap();
                assert!(tasks.len() <= page);
                let Some(last) = tasks.last() else { break };
                after = Some(last.sequence);
                listed.extend(tasks);
            }
            assert_eq!(listed, expected);
        }
        assert_eq!(one.list(filter, None, 0).await.unwrap(), []);
        assert_eq!(one.list(filter, Some(0), usize::MAX).await.unwrap(), expected);
        assert_eq!(one.list(filter, Some(u64::MAX), 10).await.unwrap(), []);
        let after: Vec<_> = expected.iter().filter(|task| task.sequence > gone.sequence).cloned().collect();
        assert_eq!(one.list(filter, Some(gone.sequence), 100).await.unwrap(), after);
    }
}

pub(super) async fn a_principal_sees_its_own(one: Handle, other: Handle) {
    // Principals that differ by case, by a blank or by the text after a NUL are different.
    let mut tasks = Vec::new();
    for principal in ODD {
        let task = create(&one, record(principal)).await;
        assert_eq!(one.transition(end(&task, custom("{}"))).await.unwrap(), StoreOutcome::Applied);
        tasks.push(create(&one, record(principal)).await);
        tasks.push(seen(&one, &task.id).await.expect("it was just stored"));
    }
    let worker = "worker";
    assert!(one.renew(worker, LONG).await.unwrap());
    for principal in ODD {
        let filter = PrincipalFilter::Of(principal);
        let listed = other.list(filter, None, 100).await.unwrap();
        assert_eq!(listed.len(), 2, "{principal:?}");
        assert!(listed.iter().all(|task| *task.principal == **principal), "{principal:?}");
        for foreign in tasks.iter().filter(|task| *task.principal != **principal) {
            assert_eq!(other.get(filter, &foreign.id).await.unwrap(), None);
            assert_eq!(other.outcome(filter, &foreign.id).await.unwrap(), None);
            assert!(!other.remove(filter, &foreign.id).await.unwrap());
            assert_eq!(other.enqueue(filter, &foreign.id, &job(), worker, u64::MAX).await.unwrap(), Ok(None));
        }
    }
    for task in tasks {
        assert_eq!(other.get(PrincipalFilter::Of(&task.principal), &task.id).await.unwrap().as_ref(), Some(&task));
        assert_eq!(other.get(PrincipalFilter::Anyone, &task.id).await.unwrap(), Some(task));
    }
}

pub(super) async fn what_is_removed_is_gone(one: Handle, other: Handle) {
    let (worker, next) = ("worker", "next");
    assert!(one.renew(worker, LONG).await.unwrap() && one.renew(next, LONG).await.unwrap());
    let (task, _) = create_leased(&one, SOMEBODY, worker).await;
    let kept = create(&one, record(SOMEBODY)).await;
    assert!(other.remove(PrincipalFilter::Of(SOMEBODY), &task.id).await.unwrap());
    for store in [&one, &other] {
        assert_eq!(seen(store, &task.id).await, None);
        assert_eq!(store.outcome(PrincipalFilter::Anyone, &task.id).await.unwrap(), None);
        assert_eq!(store.list(PrincipalFilter::Anyone, None, 10).await.unwrap(), slice::from_ref(&kept));
        assert_eq!(store.transition(change(&task)).await.unwrap(), StoreOutcome::Conflict);
        assert!(!store.remove(PrincipalFilter::Anyone, &task.id).await.unwrap());
        assert_eq!(store.enqueue(PrincipalFilter::Anyone, &task.id, &job(), worker, u64::MAX).await.unwrap(), Ok(None));
    }
    one.resign(worker).await.unwrap();
    assert_eq!(one.claim(SOMEBODY, next, 10).await.unwrap(), [], "its work is still there");
}

pub(super) async fn what_has_expired_is_removed(one: Handle, other: Handle) {
    let start: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
    let task = |milliseconds, principal| {
        let ttl = Duration::from_millis(milliseconds);
        TaskRecord { created_at: start, updated_at: start, ttl, ..record(principal) }
    };
    let third = create(&one, task(30, SOMEBODY)).await;
    let first = create(&one, task(10, SOMEBODY)).await;
    let second = create(&one, task(20, "another")).await;
    let forever = create(&one, TaskRecord { ttl: Duration::from_millis(u32::MAX.into()), ..task(0, SOMEBODY) }).await;

    let after = |nanoseconds| start.checked_add(Duration::from_nanos(nanoseconds)).expect("a time");
    assert_eq!(other.remove_expired(Timestamp::MIN).await.unwrap(), []);
    assert_eq!(other.remove_expired(after(9_999_999)).await.unwrap(), []);
    // An expired task may stay until it is removed.
    assert_eq!(other.remove_expired(after(10_000_000)).await.unwrap(), slice::from_ref(&first));
    assert_eq!(one.remove_expired(after(10_000_000)).await.unwrap(), []);
    assert_eq!(seen(&one, &first.id).await, None);
    let mut removed = other.remove_expired(after(30_000_000)).await.unwrap();
    removed.sort_by_key(|record| record.sequence);
    assert_eq!(removed, [third, second]);
    assert_eq!(one.list(PrincipalFilter::Anyone, None, 10).await.unwrap(), slice::from_ref(&forever));

    // The removal makes room.
    let mut room = Vec::new();
    for _ in 0..2 {
        let task = NewTask { record: task(u32::MAX.into(), SOMEBODY), work: Work::None };
        room.push(one.create(task, Room::for_tasks(2)).await.unwrap().is_ok());
    }
    assert_eq!(room, [true, false]);

    // A change that shortens the time to live takes effect.
    let mut shorter = change(&forever);
    shorter.record.ttl = Duration::ZERO;
    assert_eq!(one.transition(shorter.clone()).await.unwrap(), StoreOutcome::Applied);
    assert_eq!(other.remove_expired(start).await.unwrap(), [shorter.record]);
}

pub(super) async fn many_expired_go_step_by_step(one: Handle, other: Handle) {
    let count = 1_500;
    let mut creating = JoinSet::new();
    for _ in 0..count {
        let (store, task) = (one.clone(), TaskRecord { ttl: Duration::ZERO, ..record(SOMEBODY) });
        creating.spawn(async move { create(&store, task).await.id });
    }
    let mut expected: Vec<String> = creating.join_all().await;
    let mut removed = Vec::new();
    loop {
        let step = other.remove_expired(Timestamp::now()).await.unwrap();
        assert!(step.len() < 1_000, "{} tasks in one step", step.len());
        if step.is_empty() {
            break;
        }
        removed.extend(step.into_iter().map(|record| record.id));
    }
    expected.sort();
    removed.sort();
    assert_eq!(removed, expected);
}

pub(super) async fn the_secret_is_one(one: Handle, other: Handle) {
    let secret = one.secret().await.unwrap();
    assert_ne!(secret, [0; 32]);
    assert_eq!(one.secret().await.unwrap(), secret);
    assert_eq!(other.secret().await.unwrap(), secret);
}
