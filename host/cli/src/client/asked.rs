//! Record of a server's requests during a run, for the JSON document only.
//!
//! A server may send requests without end. The record is bounded in entries and bytes, and the document states how many
//! entries were left out.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::terminal::one_line;
use taskcell::session::{Answered, Event};

/// Entries allowed in each list of the document.
pub(crate) const MAX_ENTRIES: usize = 10_000;
/// Bytes allowed in each list; entries hold text of a server, such as the message of an error.
const MAX_BYTES: usize = 16 << 20;

/// A server's requests and the changes of its tasks.
#[derive(Default)]
pub(crate) struct Asked {
    requests: BoundedList,
    tasks: BoundedList,
}

/// Entries in order of arrival.
#[derive(Default)]
struct BoundedList {
    entries: Vec<Box<RawValue>>,
    bytes: usize,
    left_out: u64,
}

impl BoundedList {
    /// Adds the entry that `make` returns, unless the list is full.
    fn add(&mut self, make: impl FnOnce() -> Value) {
        let entry = (self.entries.len() < MAX_ENTRIES).then(make).and_then(|entry| to_raw_value(&entry).ok());
        let size = entry.as_ref().map_or(0, |entry| entry.get().len());
        match entry {
            Some(entry) if self.bytes.saturating_add(size) <= MAX_BYTES => {
                self.bytes = self.bytes.saturating_add(size);
                self.entries.push(entry);
            }
            _ => self.left_out = self.left_out.saturating_add(1),
        }
    }
}

impl Asked {
    /// Adds an event of the session.
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Answered(Answered { method, kind, handler, error, elapsed, .. }) => self.requests.add(|| {
                json!({
                    "method": one_line(method),
                    "kind": kind.map(|kind| kind.info().export),
                    "handler": handler,
                    "error": error,
                    "milliseconds": elapsed.as_secs_f64() * 1e3,
                })
            }),
            Event::Task(task) => self.tasks.add(|| json!(task)),
            _ => {}
        }
    }

    /// Returns the members of the document: `requests` and `tasks`, and `leftOut` with two numbers if any entries were
    /// left out.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (String, Value)> {
        let Self { requests, tasks } = self;
        let left_out = (requests.left_out > 0 || tasks.left_out > 0)
            .then(|| ("leftOut", json!({ "requests": requests.left_out, "tasks": tasks.left_out })));
        let lists = [("requests", json!(requests.entries)), ("tasks", json!(tasks.entries))];
        lists.into_iter().chain(left_out).map(|(name, value)| (name.to_owned(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(asked: Asked) -> serde_json::Map<String, Value> {
        asked.into_members().collect()
    }

    #[test]
    fn lists_are_bounded_in_entries_and_in_bytes_and_say_what_is_missing() {
        let list = |count: usize, size: usize| {
            let mut list = BoundedList::default();
            for _ in 0..count {
                list.add(|| json!("x".repeat(size)));
            }
            (list.entries.len(), list.left_out)
        };
        assert_eq!(list(3, 10), (3, 0));
        assert_eq!(list(MAX_ENTRIES, 1), (MAX_ENTRIES, 0));
        assert_eq!(list(MAX_ENTRIES + 7, 1), (MAX_ENTRIES, 7));
        // An entry of 4 MiB also has two quotes.
        assert_eq!(list(5, 4 << 20), (3, 2));
        let whole = members(Asked::default());
        assert_eq!(whole.keys().collect::<Vec<_>>(), ["requests", "tasks"]);
        let mut asked = Asked::default();
        asked.tasks.left_out = 2;
        assert_eq!(members(asked)["leftOut"], json!({ "requests": 0, "tasks": 2 }));
    }
}
