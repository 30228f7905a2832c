//! Lists, page by page.

use super::*;

/// The ids on each page of the list.
async fn pages(tasks: &Tasks) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = tasks.list(cursor.as_deref()).await.unwrap();
        pages.push(page.tasks.into_iter().map(|task| task.task_id).collect());
        cursor = page.next_cursor;
        if cursor.is_none() {
            return pages;
        }
    }
}

fn paged(page: usize) -> TaskLimits {
    limits(|limits| limits.page = page)
}

pub(super) async fn a_list_has_pages(store: Store) {
    let tasks = tasks_with(&store, "me", paged(3));
    let mut ids: Vec<String> = Vec::new();
    for count in 0..8 {
        let expected: Vec<_> = if count == 0 { vec![vec![]] } else { ids.chunks(3).map(<[_]>::to_vec).collect() };
        assert_eq!(pages(&tasks).await, expected, "{count} tasks");
        ids.push(create(&tasks).await);
        // Somebody else's tasks stand between.
        create(&tasks_with(&store, "you", TaskLimits::default())).await;
    }
    assert_eq!(tasks.list(None).await.unwrap().meta, None);
}

pub(super) async fn a_list_holds_only_what_is_there(store: Store) {
    let tasks = tasks_with(&store, "me", paged(2));
    let mut kept = Vec::new();
    for (ttl, stays) in [(MINUTE, false), (HOUR, true), (MINUTE, false), (HOUR, true)] {
        let id = put(&store, record(MINUTE * 10, ttl)).await;
        kept.extend(stays.then_some(id));
    }
    tasks.finish(&kept[0], &Ok(output("x")), Actor::default()).await.unwrap();
    assert_eq!(pages(&tasks).await, [kept.clone()]);
    for (task, id) in tasks.list(None).await.unwrap().tasks.iter().zip(&kept) {
        assert_eq!(*task, tasks.get(id).await.unwrap());
    }
}

pub(super) async fn a_list_is_in_the_order_of_creation_whatever_the_clock_says(store: Store) {
    let mut ids = Vec::new();
    let now = Timestamp::now();
    for at in [0, 3_000, -2_000, 1_000, 1_000, 1_000, -3_000, 0] {
        let mut record = record(Duration::ZERO, HOUR * 2);
        record.created_at = now.checked_add(jiff::SignedDuration::from_secs(at)).unwrap();
        record.updated_at = record.created_at;
        ids.push(put(&store, record).await);
    }
    for page in [1, 2, 3, 7, 8, 9] {
        let expected: Vec<_> = ids.chunks(page).map(<[_]>::to_vec).collect();
        assert_eq!(pages(&tasks_with(&store, "me", paged(page))).await, expected, "{page} a page");
    }
}

/// Every page but the last is full, wherever expired tasks stand: first, between, at an end of a page, or all of it.
pub(super) async fn a_page_is_full_though_expired_tasks_stand_between(store: Store) {
    let mut kept = Vec::new();
    for stays in [0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0] {
        let id = put(&store, record(MINUTE * 2, if stays == 1 { HOUR } else { MINUTE })).await;
        kept.extend((stays == 1).then_some(id));
    }
    for page in 1..10 {
        let expected: Vec<_> = kept.chunks(page).map(<[_]>::to_vec).collect();
        assert_eq!(pages(&tasks_with(&store, "me", paged(page))).await, expected, "{page} a page");
    }
    // Nothing but what has expired is an empty page.
    put(&store, TaskRecord { principal: "you".into(), ..record(MINUTE * 2, MINUTE) }).await;
    assert_eq!(pages(&tasks_with(&store, "you", paged(1))).await, [[""; 0]]);
}

pub(super) async fn a_cursor_outlives_its_task(store: Store) {
    let tasks = tasks_with(&store, "me", paged(1));
    put(&store, record(MINUTE * 5, MINUTE * 6)).await;
    let second = put(&store, record(MINUTE * 4, HOUR)).await;
    let third = put(&store, record(MINUTE * 3, HOUR)).await;
    let cursor = tasks.list(None).await.unwrap().next_cursor;
    let later = Timestamp::now().checked_add(MINUTE * 6).unwrap();
    assert_eq!(store.remove_expired(later).await.unwrap().len(), 1);
    // Another host takes it, too; and it can be used again.
    for tasks in [tasks_with(&store, "me", paged(1)), tasks] {
        let page = tasks.list(cursor.as_deref()).await.unwrap();
        assert_eq!(page.tasks[0].task_id, second);
        let page = tasks.list(page.next_cursor.as_deref()).await.unwrap();
        assert_eq!((&page.tasks[0].task_id, page.next_cursor), (&third, None));
    }
}

pub(super) async fn bad_cursors_are_refused(store: Store) {
    let tasks = tasks_with(&store, "me", paged(1));
    let yours = tasks_with(&store, "you", paged(1));
    let other: Store = Arc::new(MemoryStore::new());
    let elsewhere = tasks_with(&other, "me", paged(1));
    for tasks in [&tasks, &yours, &elsewhere] {
        create(tasks).await;
        create(tasks).await;
    }
    let good = tasks.list(None).await.unwrap().next_cursor.unwrap();
    let mut bad: Vec<String> = ["", ".", "0", "\u{0}", "ü", &good[1..], &good[..good.len() - 1], &good.to_uppercase()]
        .map(str::to_owned)
        .to_vec();
    bad.extend([
        format!("{good}0"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}{good}"),
        "0".repeat(good.len()),
        "f".repeat(100_000),
        yours.list(None).await.unwrap().next_cursor.unwrap(),
        elsewhere.list(None).await.unwrap().next_cursor.unwrap(),
    ]);
    for at in 0..good.len() {
        for byte in ['0', '1', 'f', 'F', '-', 'ü'] {
            bad.push(good.chars().enumerate().map(|(place, c)| if place == at { byte } else { c }).collect());
        }
    }
    for cursor in bad.iter().filter(|cursor| **cursor != good) {
        let error = tasks.list(Some(cursor)).await.unwrap_err();
        assert!(matches!(error, TaskError::Cursor), "{cursor:?}");
        assert_eq!(rpc(error), (-32602, "Invalid cursor".to_owned(), None), "{cursor:?}");
    }
    assert_eq!(tasks.list(Some(&good)).await.unwrap().tasks.len(), 1);
    // It tells nothing of the task.
    assert!(!good.contains(&tasks.list(None).await.unwrap().tasks[0].task_id));
}

/// Whoever pages through the list while tasks are made sees each of those that were there exactly once.
pub(super) async fn each_task_is_listed_once_while_others_are_made(store: Store) {
    const MAKERS: usize = 4;
    const EACH: usize = 40;
    let mine = tasks_with(&store, "me", paged(7));
    let makers: Vec<_> = (0..MAKERS)
        .map(|_| {
            let tasks = tasks_with(&store, "me", TaskLimits::default());
            tokio::spawn(async move {
                let mut made = Vec::new();
                for _ in 0..EACH {
                    made.push(create(&tasks).await);
                }
                made
            })
        })
        .collect();
    let mut before: Vec<String> = Vec::new();
    while !makers.iter().all(tokio::task::JoinHandle::is_finished) {
        let listed = pages(&mine).await.concat();
        // What was listed once is listed again, in the same order, before what is new.
        assert_eq!(listed[..before.len()], before);
        before = listed;
    }
    let mut made = Vec::new();
    for maker in makers {
        made.extend(maker.await.unwrap());
    }
    let mut listed = pages(&mine).await.concat();
    for id in &listed {
        mine.get(id).await.unwrap();
    }
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
}
