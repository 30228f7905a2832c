//! Work of a worker that stopped, was late, or was thought dead.

use std::collections::BTreeSet;

use super::faulty::Faulty;
use super::*;

/// A lease that nobody waits for in a test, and one that runs out at once.
const LONG: Duration = HOUR;
const SHORT: Duration = Duration::from_millis(100);
/// One whose worker looks for work each second.
const OFTEN: Duration = Duration::from_secs(3);

fn leased(store: &Store, principal: &str, lease: Duration) -> Arc<Tasks> {
    tasks_with(store, principal, limits(|limits| limits.lease = lease))
}

/// Ends work well, and sees that this is its task's result.
async fn ends_well(tasks: &Tasks, work: StartedWork) {
    let (id, result) = (work.id().to_owned(), Ok(output(&format!("attempt {}", work.fence()))));
    work.end.send(result.clone()).unwrap();
    assert_eq!(tasks.wait(&id).await.unwrap(), result);
    assert_eq!(tasks.get(&id).await.unwrap().status, Completed);
}

pub(super) async fn closing_gives_work_back_at_once(store: Store) {
    let (here, there) = (leased(&store, "me", LONG), leased(&store, "me", OFTEN));
    let (work, (runner, mut begins)) = (work_on(&here, None).await, told());
    there.keep(&runner);
    here.close().await;
    assert!(work.is_gone(), "the work goes on after `close` returned");
    let again = begins.recv().await.unwrap();
    assert_eq!((again.id(), again.fence(), &again.claim.job), (work.id(), 2, &work.claim.job));
    assert_eq!(there.get(again.id()).await.unwrap().status, Working);
    ends_well(&there, again).await;
    there.close().await;
}

pub(super) async fn stopping_gives_work_back_at_once(store: Store) {
    let (here, there) = (leased(&store, "me", LONG), leased(&store, "me", OFTEN));
    let (work, (runner, mut begins)) = (work_on(&here, None).await, told());
    here.stop();
    set(&work.gone).await;
    there.keep(&runner);
    let again = begins.recv().await.unwrap();
    assert_eq!((again.id(), again.fence()), (work.id(), 2));
    ends_well(&there, again).await;
    there.close().await;
}

/// Who was stopped starts nothing more, though a request that is still being answered would have it so: nobody would
/// stop that again.
pub(super) async fn nothing_starts_after_the_end(store: Store) {
    let (here, there) = (leased(&store, "me", SHORT), leased(&store, "me", OFTEN));
    let (refused, mut none) = told();
    let (task, claim) = here.create_with_work(wanted(None), job()).await.unwrap();
    here.close().await;
    here.start(claim, &refused);
    let (late, claim) = here.create_with_work(wanted(None), job()).await.unwrap();
    here.start(claim, &refused);
    here.keep(&refused);
    // Both are somebody else's to do.
    let (runner, mut begins) = told();
    there.keep(&runner);
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let begun = begins.recv().await.unwrap();
        ids.insert(begun.id().to_owned());
        ends_well(&there, begun).await;
    }
    assert_eq!(ids, BTreeSet::from([task.task_id, late.task_id]));
    assert!(none.try_recv().is_err(), "work began after `close`");
    there.close().await;
}

/// A worker without its keeper is heard of once. Its work goes to another, and nothing that it does is taken any more.
pub(super) async fn a_dead_worker_loses_its_work(store: Store) {
    let (dead, alive) = (leased(&store, "me", SHORT), leased(&store, "me", OFTEN));
    let old = work_on(&dead, None).await;
    let (runner, mut begins) = told();
    alive.keep(&runner);
    let new = begins.recv().await.unwrap();
    assert_eq!((new.id(), new.fence(), &new.claim.job), (old.id(), 2, &old.claim.job));
    assert_ne!(new.claim.lease.worker, old.claim.lease.worker);

    let (before, lease) = (alive.get(old.id()).await.unwrap(), old.claim.lease.clone());
    for ask in [Ask::Update(InputRequired), Ask::Complete, Ask::Fail] {
        let error = ask.by(&dead, old.id(), Actor::work(&lease)).await.unwrap_err();
        assert!(matches!(error, TaskError::LeaseLost { .. }), "{ask:?}: {error}");
    }
    assert_eq!(alive.get(old.id()).await.unwrap(), before);
    // It ends its work, and the task goes on.
    old.end.send(Err(failure())).unwrap();
    set(&old.gone).await;
    let lease = new.claim.lease.clone();
    alive.update(new.id(), InputRequired, Some("mine"), Actor::work(&lease)).await.unwrap();
    let task = alive.get(new.id()).await.unwrap();
    assert_eq!((task.status, task.status_message.as_deref()), (InputRequired, Some("mine")));
    ends_well(&alive, new).await;
    alive.close().await;
}

pub(super) async fn a_late_worker_stops_and_goes_on_under_a_new_name(store: Store) {
    let faulty = Faulty::new(&store);
    let tasks = leased(&(Arc::clone(&faulty) as Store), "me", SHORT * 5);
    let old = work_on(&tasks, None).await;
    // Without a keeper it is late.
    tokio::time::sleep(SHORT * 10).await;
    let (runner, mut begins) = told();
    tasks.keep(&runner);
    let new = begins.recv().await.unwrap();
    set(&old.gone).await;
    assert_eq!((new.id(), new.fence() >= 2), (old.id(), true));
    assert_ne!(new.claim.lease.worker, old.claim.lease.worker);
    tasks.close().await;
}

/// Nobody may be left to say that the leases ran out.
pub(super) async fn a_worker_that_cannot_reach_the_store_stops_in_time(store: Store) {
    let faulty = Faulty::new(&store);
    let tasks = leased(&(Arc::clone(&faulty) as Store), "me", SHORT * 5);
    let work = work_on(&tasks, None).await;
    faulty.breaks(&["renew", "claim"]);
    let (runner, mut begins) = told();
    tasks.keep(&runner);
    set(&work.gone).await;
    assert!(begins.try_recv().is_err());
    assert_eq!(tasks.get(work.id()).await.unwrap().status, Working);
    faulty.repair();
    let again = begins.recv().await.unwrap();
    assert_eq!((again.id(), again.fence() >= 2), (work.id(), true));
    tasks.close().await;
}

pub(super) async fn another_principal_takes_no_work(store: Store) {
    let (mine, yours) = (leased(&store, "me", LONG), leased(&store, "you", LONG));
    let mut lost = BTreeSet::new();
    for owner in [&mine, &yours, &mine] {
        let before = leased(&store, if Arc::ptr_eq(owner, &mine) { "me" } else { "you" }, LONG);
        let work = work_on(&before, None).await;
        if Arc::ptr_eq(owner, &mine) {
            lost.insert(work.id().to_owned());
        }
        before.close().await;
    }
    let ((my, mut my_begins), (your, mut your_begins)) = (told(), told());
    // You have had your turn when your own work is done.
    yours.keep(&your);
    let work = your_begins.recv().await.unwrap();
    assert!(!lost.contains(work.id()));
    ends_well(&yours, work).await;
    mine.keep(&my);
    for _ in 0..2 {
        let work = my_begins.recv().await.unwrap();
        assert!(lost.remove(work.id()) && work.fence() == 2);
        ends_well(&mine, work).await;
    }
    assert!(your_begins.try_recv().is_err() && my_begins.try_recv().is_err());
    mine.close().await;
    yours.close().await;
}

/// Work of a host that stopped, oldest first.
async fn left(store: &Store, count: usize) -> Vec<String> {
    let before = leased(store, "me", LONG);
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(before.create_with_work(wanted(None), job()).await.unwrap().0.task_id);
    }
    before.close().await;
    ids
}

pub(super) async fn what_was_left_is_done_in_portions(store: Store) {
    const PORTION: usize = 3;
    let ids = left(&store, 10).await;
    let limits = limits(|limits| {
        limits.recovered = PORTION;
        limits.lease = LONG;
    });
    let tasks = tasks_with(&store, "me", limits);
    // New work is not a part of any portion.
    let new = work_on(&tasks, None).await;
    let (runner, mut begins) = told();
    tasks.keep(&runner);
    let mut running = Vec::new();
    let mut done = BTreeSet::new();
    while done.len() < ids.len() {
        if running.len() < PORTION.min(ids.len() - done.len()) {
            running.push(begins.recv().await.unwrap());
            continue;
        }
        // What is beyond the portion is nobody's yet: another host could have it.
        assert!(begins.try_recv().is_err(), "more than a portion runs");
        let work: StartedWork = running.pop().unwrap();
        done.insert(work.id().to_owned());
        ends_well(&tasks, work).await;
    }
    assert_eq!(done, ids.into_iter().collect());
    assert!(!new.is_gone());
    tasks.close().await;
}

pub(super) async fn the_oldest_is_done_first(store: Store) {
    let ids = left(&store, 5).await;
    let tasks = tasks_with(&store, "me", limits(|limits| limits.recovered = 1));
    let (runner, mut begins) = told();
    tasks.keep(&runner);
    for id in ids {
        let work = begins.recv().await.unwrap();
        assert_eq!(work.id(), id);
        ends_well(&tasks, work).await;
    }
    tasks.close().await;
}

/// Begins work so often, each time on a host that is lost: nobody hears of it again.
async fn begun(store: &Store, attempts: u32) -> String {
    let lost = Faulty::new(store);
    lost.breaks(&["resign"]);
    let lost = Arc::clone(&lost) as Store;
    let limits = limits(|limits| {
        limits.attempts = attempts;
        limits.lease = SHORT;
    });
    let first = tasks_with(&lost, "me", limits.clone());
    let work = work_on(&first, None).await;
    first.close().await;
    for attempt in 2..=u64::from(attempts) {
        let tasks = tasks_with(&lost, "me", limits.clone());
        let (runner, mut begins) = told();
        tasks.keep(&runner);
        let again = begins.recv().await.unwrap();
        assert_eq!((again.id(), again.fence()), (work.id(), attempt));
        tasks.close().await;
    }
    work.id().to_owned()
}

/// Hosts that end in good order do not count.
pub(super) async fn work_is_begun_again_after_every_good_end(store: Store) {
    let limits = limits(|limits| {
        limits.attempts = 1;
        limits.lease = LONG;
    });
    let first = tasks_with(&store, "me", limits.clone());
    let work = work_on(&first, None).await;
    first.close().await;
    for attempt in 2..10 {
        let tasks = tasks_with(&store, "me", limits.clone());
        let (runner, mut begins) = told();
        tasks.keep(&runner);
        let again = begins.recv().await.unwrap();
        assert_eq!((again.id(), again.fence()), (work.id(), attempt));
        tasks.close().await;
    }
}

pub(super) async fn work_that_never_ends_fails_at_last(store: Store) {
    for attempts in [1, 3] {
        let id = begun(&store, attempts).await;
        let limits = limits(|limits| {
            limits.attempts = attempts;
            limits.lease = SHORT;
        });
        let tasks = tasks_with(&store, "me", limits);
        let (runner, mut begins) = told();
        tasks.keep(&runner);
        let error = tasks.wait(&id).await.unwrap().unwrap_err();
        assert_eq!((error.code, kind(&error).as_str()), (-32603, "attempts"));
        assert!(error.message.contains(&attempts.to_string()), "{error:?}");
        assert_eq!(tasks.get(&id).await.unwrap().status, Failed);
        assert!(begins.try_recv().is_err(), "it was begun once more");
        tasks.close().await;
    }
}

/// The same where the store fails at that very moment: nobody else has the work, so it must not be forgotten.
pub(super) async fn work_that_never_ends_fails_once_the_store_can(store: Store) {
    let id = begun(&store, 1).await;
    let faulty = Faulty::new(&store);
    faulty.breaks(&["transition"]);
    let limits = limits(|limits| {
        limits.attempts = 1;
        limits.lease = SHORT;
    });
    let tasks = tasks_with(&(Arc::clone(&faulty) as Store), "me", limits);
    let (runner, _begins) = told();
    tasks.keep(&runner);
    faulty.failed("transition", 1).await;
    faulty.repair();
    assert_eq!(kind(&tasks.wait(&id).await.unwrap().unwrap_err()), "attempts");
    tasks.close().await;
}
