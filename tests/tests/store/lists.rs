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
    let mut limits = TaskLimits::default();
    limits.page = page;
    limits
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
        // The clock may be too coarse to tell two tasks apart; their order is then that of their ids.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(tasks.list(None).await.unwrap().meta, None);
}

pub(super) async fn a_list_holds_only_what_is_there(store: Store) {
    let tasks = tasks_with(&store, "me", paged(2));
    for (number, ttl) in [(1, MINUTE), (2, MINUTE * 60), (3, MINUTE), (4, MINUTE * 60)] {
        store.create(record(number, MINUTE * (10 - u32::from(number)), ttl)).await.unwrap();
    }
    let done = record(2, MINUTE, MINUTE).id;
    tasks.finish(&done, Ok(output("x")), false).await.unwrap();
    assert_eq!(pages(&tasks).await, [[done, record(4, MINUTE, MINUTE).id]]);
}

pub(super) async fn a_page_may_end_between_equals(store: Store) {
    let same = Timestamp::now();
    let mut ids = Vec::new();
    for number in 0..7 {
        let record = TaskRecord { created_at: same, ..record(number, MINUTE, MINUTE) };
        ids.push(record.id.clone());
        store.create(record).await.unwrap();
    }
    for page in [1, 2, 3, 7, 8] {
        let expected: Vec<_> = ids.chunks(page).map(<[_]>::to_vec).collect();
        assert_eq!(pages(&tasks_with(&store, "me", paged(page))).await, expected, "{page} a page");
    }
}

pub(super) async fn a_cursor_outlives_its_task(store: Store) {
    let tasks = tasks_with(&store, "me", paged(1));
    let expires = MINUTE * 6;
    for (number, age, ttl) in [(1, 5, expires), (2, 4, MINUTE * 60), (3, 3, MINUTE * 60)] {
        store.create(record(number, MINUTE * age, ttl)).await.unwrap();
    }
    let cursor = tasks.list(None).await.unwrap().next_cursor;
    store.remove_expired(Timestamp::now().checked_add(expires).unwrap()).await.unwrap();
    let page = tasks.list(cursor.as_deref()).await.unwrap();
    assert_eq!(page.tasks[0].task_id, record(2, MINUTE, MINUTE).id);
    let page = tasks.list(page.next_cursor.as_deref()).await.unwrap();
    assert_eq!((page.tasks[0].task_id.clone(), page.next_cursor), (record(3, MINUTE, MINUTE).id, None));
}

pub(super) async fn bad_cursors_are_refused(store: Store) {
    let tasks = tasks_with(&store, "me", paged(1));
    for number in [1, 2] {
        store.create(record(number, MINUTE, MINUTE * 2)).await.unwrap();
    }
    let good = tasks.list(None).await.unwrap().next_cursor.unwrap();
    let (time, id) = good.split_once('.').unwrap();
    let bad = [
        "".to_owned(),
        ".".to_owned(),
        "0".to_owned(),
        "\u{0}".to_owned(),
        "ü".to_owned(),
        time.to_owned(),
        id.to_owned(),
        format!("{time}."),
        format!(".{id}"),
        format!("{id}.{time}"),
        format!("{good}0"),
        format!("{good} "),
        format!("g{good}"),
        format!("{good}.{id}"),
        format!("{time}.{}", id.replace('-', "x")),
        format!("{}.{id}", "f".repeat(31)),
        format!("{}.{id}", "f".repeat(100_000)),
        record(1, MINUTE, MINUTE).id,
    ];
    for cursor in bad {
        let error = tasks.list(Some(&cursor)).await.unwrap_err();
        assert_eq!(rpc(error), (-32602, "Invalid cursor".to_owned(), None), "{cursor:?}");
    }
    assert_eq!(tasks.list(Some(&good)).await.unwrap().tasks.len(), 1);
}

/// A cursor leads back to its place.
#[test]
fn cursors_are_read_as_they_are_written() {
    for created_at in [Timestamp::UNIX_EPOCH, Timestamp::now(), Timestamp::from_nanosecond(1).unwrap(), Timestamp::MAX]
    {
        let position = Position { created_at, id: record(1, MINUTE, MINUTE).id };
        assert_eq!(Position::from_cursor(&position.to_cursor()), Some(position));
    }
}
