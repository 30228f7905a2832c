//! What has expired goes by itself.

use super::*;

pub(super) async fn what_has_expired_is_swept_away(store: Store) {
    let tasks = tasks(&store);
    let (runner, _begins) = told();
    tasks.keep(&runner);
    let mut ids = vec![put(&store, record(MINUTE * 2, MINUTE)).await];
    ids.push(put(&store, TaskRecord { principal: "you".into(), ..record(MINUTE * 2, MINUTE) }).await);
    // Ended or not, and with an outcome or not.
    ids.push(tasks.create(wanted(Some(300))).await.unwrap().task_id);
    let ended = tasks.create(wanted(Some(300))).await.unwrap().task_id;
    tasks.finish(&ended, &Ok(output("x")), Actor::default()).await.unwrap();
    ids.push(ended);
    let stays = create(&tasks).await;
    for id in ids {
        until(|| async { store.get(PrincipalFilter::Anyone, &id).await.unwrap().is_none() }).await;
        assert_eq!(store.outcome(PrincipalFilter::Anyone, &id).await.unwrap(), None);
    }
    tasks.get(&stays).await.unwrap();
    tasks.close().await;
}

/// A store removes some hundreds at a time.
pub(super) async fn more_than_a_portion_is_swept_away(store: Store) {
    for _ in 0..1_100 {
        put(&store, record(MINUTE * 2, MINUTE)).await;
    }
    let tasks = tasks_with(&store, "me", limits(|limits| limits.tasks = 1));
    create(&tasks).await;
    assert_eq!(store.list(PrincipalFilter::Anyone, None, usize::MAX).await.unwrap().len(), 1);
}
