//! Capture of the lines of the log with their fields, and of the counter of limits that were hit.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Fields of a line, as text.
pub type Line = BTreeMap<String, String>;

/// Limit hits as an operator sees them.
#[derive(Debug, Default)]
pub struct Captured {
    /// Lines of the log that have an `error.type`.
    pub lines: Vec<Line>,
    /// The counter of limit hits, by kind.
    pub hits: BTreeMap<String, u64>,
}

/// Runs `work` on this thread and also returns what an operator sees of it.
pub fn captured<T>(work: impl FnOnce() -> T) -> (T, Captured) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let lines = Lines::default();
    let done = metrics::with_local_recorder(&recorder, || tracing::subscriber::with_default(lines.clone(), work));
    let mut hits = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if let ("taskcell_limit_hits_total", DebugValue::Counter(count)) = (key.key().name(), value) {
            let kind = key.key().labels().find(|label| label.key() == "kind").map(|label| label.value().to_owned());
            hits.insert(kind.unwrap_or_default(), count);
        }
    }
    let lines = std::mem::take(&mut *lines.lock());
    (done, Captured { lines, hits })
}

/// Layer that keeps the lines of taskcell that report an error.
#[derive(Debug, Default, Clone)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("taskcell")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Line::from([("level".to_owned(), event.metadata().level().to_string())]));
        event.record(&mut fields);
        if fields.0.contains_key("error.type") {
            self.lock().push(fields.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
