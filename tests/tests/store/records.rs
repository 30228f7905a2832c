//! What is asked of a store.

use super::*;

pub(super) async fn a_record_comes_back_as_it_was(store: Store) {
    let plain = record(1, MINUTE, MINUTE * 2);
    let full = TaskRecord {
        id: record(2, MINUTE, MINUTE).id,
        status: TaskStatus::Failed,
        status_message: Some("a \u{0} \"ü\"\n".to_owned()),
        updated_at: Timestamp::now(),
        poll_interval: u32::MAX,
        version: 9,
        outcome: Some(Err(failure())),
        ..plain.clone()
    };
    let done = TaskRecord { id: record(3, MINUTE, MINUTE).id, outcome: Some(Ok(output("x"))), ..full.clone() };
    for record in [&plain, &full, &done] {
        store.create(record.clone()).await.unwrap();
    }
    for record in [plain, full, done] {
        assert_eq!(store.get("me", &record.id).await.unwrap().as_ref(), Some(&record));
        assert_eq!(store.get("you", &record.id).await.unwrap(), None);
    }
    assert_eq!(store.get("me", "none").await.unwrap(), None);
}

pub(super) async fn a_record_is_replaced_only_in_the_version_seen(store: Store) {
    let first = record(1, MINUTE, MINUTE * 2);
    store.create(first.clone()).await.unwrap();
    let second = TaskRecord { version: 1, status: TaskStatus::InputRequired, ..first.clone() };
    assert!(store.replace(second.clone(), 0).await.unwrap());
    for stale in [0, 2] {
        let third = TaskRecord { version: stale + 1, status: TaskStatus::Completed, ..first.clone() };
        assert!(!store.replace(third, stale).await.unwrap());
    }
    let foreign = TaskRecord { principal: "you".to_owned(), version: 2, ..first.clone() };
    assert!(!store.replace(foreign, 1).await.unwrap());
    assert!(!store.replace(record(2, MINUTE, MINUTE), 0).await.unwrap(), "one that is not there was replaced");
    assert_eq!(store.get("me", &first.id).await.unwrap(), Some(second));
    assert_eq!((store.count("me").await.unwrap(), store.count("you").await.unwrap()), (1, 0));
}

pub(super) async fn records_are_listed_in_order(store: Store) {
    let same = record(9, MINUTE, MINUTE * 2).created_at;
    // By age first, then by id; stored in another order.
    let mut records = vec![record(5, MINUTE * 3, MINUTE * 9)];
    for number in [1, 2, 3] {
        records.push(TaskRecord { created_at: same, ..record(number, MINUTE, MINUTE * 9) });
    }
    records.push(record(4, Duration::ZERO, MINUTE * 9));
    for place in [3, 0, 4, 2, 1] {
        store.create(records[place].clone()).await.unwrap();
    }
    store.create(TaskRecord { principal: "you".to_owned(), ..record(7, MINUTE * 2, MINUTE * 9) }).await.unwrap();
    assert_eq!(store.list("me", None, 10).await.unwrap(), records);
    assert_eq!(store.list("me", None, 2).await.unwrap(), records[..2]);
    for (place, record) in records.iter().enumerate() {
        let after = record.position();
        assert_eq!(store.list("me", Some(&after), 10).await.unwrap(), records[place + 1..]);
        assert_eq!(
            store.list("me", Some(&after), 1).await.unwrap(),
            records[place + 1..].iter().take(1).cloned().collect::<Vec<_>>()
        );
    }
    let between = Position { created_at: same, id: "00000000-0000-4000-8000-000000000001x".to_owned() };
    assert_eq!(store.list("me", Some(&between), 10).await.unwrap(), records[2..]);
    assert_eq!(store.list("nobody", None, 10).await.unwrap(), []);
}

pub(super) async fn records_are_counted_by_principal(store: Store) {
    for number in 0..5 {
        let principal = if number < 2 { "me" } else { "you" }.to_owned();
        store.create(TaskRecord { principal, ..record(number, MINUTE, MINUTE * 2) }).await.unwrap();
    }
    for (principal, count) in [("me", 2), ("you", 3), ("nobody", 0)] {
        assert_eq!(store.count(principal).await.unwrap(), count);
    }
}

pub(super) async fn a_change_is_told(store: Store) {
    let first = record(1, MINUTE, MINUTE * 2);
    store.create(first.clone()).await.unwrap();
    // Already of another version, not there, not mine: nothing to wait for.
    soon(store.changed("me", &first.id, 5)).await.unwrap();
    soon(store.changed("me", "none", 0)).await.unwrap();
    soon(store.changed("you", &first.id, 0)).await.unwrap();
    // May return early, so the version is asked for again each time.
    let change = |change: &'static str| {
        let (store, first) = (Arc::clone(&store), first.clone());
        async move {
            match change {
                "replaced" => assert!(store.replace(TaskRecord { version: 1, ..first }, 0).await.unwrap()),
                _ => store.remove_expired(Timestamp::now().checked_add(MINUTE * 5).unwrap()).await.unwrap(),
            }
        }
    };
    for (seen, what) in [(0, "replaced"), (1, "removed")] {
        let waiting = tokio::spawn({
            let (store, id) = (Arc::clone(&store), first.id.clone());
            async move {
                while store.get("me", &id).await.unwrap().is_some_and(|record| record.version == seen) {
                    store.changed("me", &id, seen).await.unwrap();
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        change(what).await;
        soon(waiting).await.unwrap();
    }
}

pub(super) async fn what_has_expired_is_removed(store: Store) {
    let now = Timestamp::now();
    for (number, age, ttl) in [(1, 10, 9), (2, 10, 11), (3, 1, 0), (4, 0, 1)] {
        store.create(record(number, MINUTE * age, MINUTE * ttl)).await.unwrap();
    }
    for _ in 0..2 {
        store.remove_expired(now).await.unwrap();
        let left: Vec<_> = store.list("me", None, 10).await.unwrap().into_iter().map(|record| record.id).collect();
        assert_eq!(left, [record(2, MINUTE, MINUTE).id, record(4, MINUTE, MINUTE).id]);
        assert_eq!(store.count("me").await.unwrap(), 2);
    }
    store.remove_expired(now.checked_add(MINUTE * 60).unwrap()).await.unwrap();
    assert_eq!(store.count("me").await.unwrap(), 0);
    assert_eq!(store.list("me", None, 10).await.unwrap(), []);
}
