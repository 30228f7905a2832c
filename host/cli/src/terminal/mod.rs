//! Output for the person at the terminal.
//!
//! Names, messages and results come from servers and guests. All such text passes through this module on its way to the
//! terminal: it is made printable and wrapped before the terminal wraps it.

pub(crate) mod color;
pub(crate) mod nearest;
pub(crate) mod progress_line;
mod prompt;
mod question;
pub(crate) mod screen;
pub(crate) mod url_prompt;
pub(crate) mod user;
pub(crate) mod wrap;

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use taskcell::protocol::types::TaskStatus;
use taskcell::session::{Answered, Event, Observer, WorkFailed};
use taskcell::text;

/// Maximum characters of foreign text on one line.
const MAX: usize = 300;
/// Columns of the label at the start of a line. Only the program writes blanks there.
const LABEL: usize = 13;

/// Puts text on one line, bounded, with control characters made visible.
pub(crate) fn one_line(text: &str) -> String {
    text::one_line(text, MAX)
}

/// Whether stderr is a terminal.
pub(crate) fn is_at_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Returns a text in one line: its label unchanged, then foreign text in which each run of blanks becomes one blank.
fn labeled(line: &str) -> String {
    let end = line.char_indices().nth(LABEL).map_or(line.len(), |(end, _)| end);
    let (label, rest) = line.split_at_checked(end).unwrap_or((line, ""));
    let padding = if label.ends_with(' ') || rest.starts_with(' ') { " " } else { "" };
    let label = text::lines(label).replace(['\n', '\t'], " ");
    format!("{}{padding}{}", label.strip_suffix(' ').unwrap_or(&label), one_line(rest))
}

/// Display of a session's events on stderr.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether lines are shown.
    pub(crate) fn is_shown(self) -> bool {
        !self.quiet
    }

    /// Shows a line. Foreign text in it need not be printable. After the label, each run of blanks becomes one blank.
    pub(crate) fn line(self, text: impl Display) {
        self.show(&labeled(&text.to_string()));
    }

    /// Shows progress: at a terminal in the row below all lines, replacing its text, else as a line.
    pub(crate) fn changing(self, text: impl Display) {
        if !is_at_terminal() {
            self.line(text);
        } else if !self.quiet {
            screen::status(&wrap::one_row(labeled(&text.to_string()).trim_end()));
        }
    }

    /// Shows a printable line, wrapped where the terminal would wrap it.
    fn show(self, line: &str) {
        if !self.quiet {
            screen::line(&wrap::for_stderr(line.trim_end()));
        }
    }

    /// Creates an observer that shows each request and each change of a task, after passing the event to `record`.
    pub(crate) fn observer(self, record: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Observer {
        Arc::new(move |event| {
            record(event);
            self.event(event);
        })
    }

    /// Shows the last lines that a handler printed, if its cell ended without an answer.
    pub(super) fn printed(self, event: &Event<'_>) {
        if let Event::Answered(Answered { printed, .. }) | Event::WorkFailed(WorkFailed { printed, .. }) = event {
            for line in *printed {
                self.line(format!("printed      {line}"));
            }
        }
    }

    fn event(self, event: &Event<'_>) {
        match event {
            Event::Answered(Answered { method, kind, handler, error, elapsed, .. }) => {
                let method = one_line(method);
                let kind = kind.map_or("", |kind| kind.info().export);
                let by = one_line(handler.unwrap_or("the host"));
                let outcome =
                    error.map_or_else(String::new, |error| format!(": {} {}", error.code, one_line(&error.message)));
                let elapsed = duration(*elapsed);
                self.show(&format!("server asked {method:<22} {kind:<22} answered by {by} in {elapsed}{outcome}"));
                if error.is_some_and(|error| error.message.contains("capability sampling.tools")) {
                    self.line(NOT_DECLARED);
                }
            }
            Event::Task(task) => {
                let message = task.status_message.as_deref().unwrap_or_default();
                self.line(format!("task {} is {} {message}", task.task_id, status(task.status)));
            }
            Event::Replaced(change) => self.line(format!("replaced     {change}")),
            Event::WorkFailed(WorkFailed { task, handler, error, .. }) => {
                self.line(format!("work failed  task {task}: {handler} gave no answer: {error}"));
            }
            // Other events are warnings, and the log has a line for each.
            _ => {}
        }
        self.printed(event);
    }
}

/// Hint for a server that wants to sample with tools.
pub(crate) const NOT_DECLARED: &str =
    "the server wants to sample with tools, which was not declared: --sampling-tools declares it";

/// Formats a duration in the unit that fits its size.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match () {
        () if seconds < 0.1 => format!("{:.2} ms", seconds * 1e3),
        () if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        () if seconds < 100.0 => format!("{seconds:.1} s"),
        () => format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

pub(crate) fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Working => "working",
        TaskStatus::InputRequired => "waiting for input",
        TaskStatus::Completed => "completed",
        TaskStatus::Failed => "failed",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// Formats the result of a tool as text: its text blocks, and a placeholder for each other block.
pub(crate) fn tool_result(result: &Value) -> String {
    let blocks = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let block = |block: &Value| match block.get("text").and_then(Value::as_str) {
        Some(block) => text::lines(block),
        None => format!("[{}]", one_line(block.get("type").and_then(Value::as_str).unwrap_or("?"))),
    };
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_their_unit() {
        for (milliseconds, expected) in [
            (0.25, "0.25 ms"),
            (12.0, "12.00 ms"),
            (250.4, "250 ms"),
            (1_500.0, "1.5 s"),
            (72_882.97, "72.9 s"),
            (754_000.0, "12 min 34 s"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(milliseconds / 1e3)), expected, "{milliseconds}");
        }
    }
}
