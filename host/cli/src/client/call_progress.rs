//! Progress of the tool call, as its server reports it. [basic/utilities/progress]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::terminal::{self, Progress};

/// Progress token of the program's calls. One token is enough, because one call is made at a time.
pub(crate) const TOKEN: &str = "taskcell-call";
/// Minimum time between two lines; a server may report faster than people read.
const BETWEEN_LINES: Duration = Duration::from_millis(500);
/// Minimum time between two states of the row that is redrawn.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);
/// Characters shown of a message. Each message soon gives way to the next, so it is kept short.
const MAX: usize = 100;

/// Display of progress notifications, limited to a readable rate: one row that is redrawn at a terminal, else a line
/// each.
pub(crate) struct CallProgress {
    progress: Progress,
    between: Duration,
    shown: Mutex<Option<Instant>>,
}

impl CallProgress {
    pub(crate) fn new(progress: Progress) -> Self {
        let between = if terminal::is_at_terminal() { BETWEEN_CHANGES } else { BETWEEN_LINES };
        Self { progress, between, shown: Mutex::default() }
    }

    /// Takes the parameters of a progress notification.
    pub(crate) fn take(&self, params: &Value) {
        let Some(told) = told(params) else { return };
        let now = Instant::now();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = shown.is_some_and(|shown| now.saturating_duration_since(shown) < self.between);
        if !soon || is_last(params) {
            *shown = Some(now);
            self.progress.changing(told);
        }
    }
}

/// Whether the notification reports that everything is done.
fn is_last(params: &Value) -> bool {
    let number = |key| params.get(key).and_then(Value::as_f64);
    number("total").is_some_and(|total| number("progress").is_some_and(|progress| progress >= total))
}

/// Formats the line for a notification; `None` when the notification has no progress.
fn told(params: &Value) -> Option<String> {
    let number = |key| params.get(key).filter(|value| value.is_number()).map(Value::to_string);
    let progress = number("progress")?;
    let of = number("total").map(|total| format!(" of {total}")).unwrap_or_default();
    let message = params.get("message").and_then(Value::as_str).unwrap_or_default();
    let message = taskcell::text::one_line(message, MAX);
    Some(format!("progress     {progress}{of}  {message}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn progress_is_a_line() {
        for (params, expected) in [
            (json!({ "progressToken": TOKEN, "progress": 3, "total": 6 }), Some("progress     3 of 6")),
            (json!({ "progress": 0.5 }), Some("progress     0.5")),
            (
                json!({ "progress": 1, "total": 4, "message": "reading\nfiles" }),
                Some("progress     1 of 4  reading files"),
            ),
            (json!({ "progress": "a lot", "total": 4 }), None),
            (json!(null), None),
        ] {
            assert_eq!(told(&params).as_deref(), expected, "{params}");
        }
    }

    #[test]
    fn the_last_notification_is_shown() {
        assert!(is_last(&json!({ "progress": 6, "total": 6 })) && is_last(&json!({ "progress": 7, "total": 6.5 })));
        assert!(!is_last(&json!({ "progress": 5, "total": 6 })) && !is_last(&json!({ "progress": 5 })));
    }
}
