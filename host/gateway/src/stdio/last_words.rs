//! Cause of a server's end, found in the last lines of its log.
//!
//! A dying runtime writes a trace. Depending on the language, the cause stands at its start, at its end or in the
//! middle. The last line is often just the runtime's version.

use std::collections::VecDeque;

/// Lines that are kept.
const LINES: usize = 200;
/// Characters of a line that are kept.
const CHARACTERS: usize = 1_000;

/// The last lines of a log.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    lines: VecDeque<String>,
}

/// Beginnings of lines that name a cause, besides names of errors.
const CAUSES: [&str; 10] = [
    "panic: ",
    "fatal error: ",
    "fatal: ",
    "FATAL",
    "error: ",
    "Error: ",
    "Uncaught ",
    "Unhandled exception",
    "Exception in thread",
    "Caused by: ",
];
/// Beginnings of lines that follow the cause.
const TRAILERS: [&str; 9] = [
    "Node.js v",
    "Bun v",
    "note: ",
    "exit status ",
    "goroutine ",
    "error Command failed",
    "npm error A complete log",
    "npm ERR! A complete log",
    "[process exited",
];
/// Prefixes that launchers put before each line of a message. The first such line with text for people is the cause.
const PREFIXES: [&str; 2] = ["npm error ", "npm ERR! "];
/// Beginnings of prefixed lines without text for people.
const FIELDS: [&str; 6] = ["code ", "errno ", "syscall ", "path ", "dest ", "command "];

impl LastWords {
    /// Adds a line.
    pub(super) fn add(&mut self, line: &str) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.trim_end().chars().take(CHARACTERS).collect());
    }

    /// Returns the line that most likely names the cause, or the last line if none does.
    pub(super) fn cause(&self) -> Option<String> {
        let named =
            |line: &&String| FIELDS.iter().any(|field| without_prefix(line).is_some_and(|l| l.starts_with(field)));
        let mut launcher = self.lines.iter().filter(|line| without_prefix(line).is_some() && !is_trailer(line));
        if let Some(line) = launcher.find(|line| !named(line)) {
            return Some(line.clone());
        }
        if let Some(at) = self.lines.iter().rposition(|line| is_cause(line)) {
            return self.lines.get(at).cloned();
        }
        // Rust prints the message on the next line.
        if let Some(at) =
            self.lines.iter().rposition(|line| line.starts_with("thread '") && line.contains(" panicked at "))
        {
            let message = self.lines.get(at.saturating_add(1)).filter(|line| !is_trailer(line));
            let place = self.lines.get(at)?;
            return Some(message.map_or_else(|| place.clone(), |message| format!("{place} {message}")));
        }
        self.lines.iter().rev().find(|line| !is_trailer(line)).or(self.lines.back()).cloned()
    }
}

fn without_prefix(line: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| line.strip_prefix(prefix))
}

fn is_trailer(line: &str) -> bool {
    TRAILERS.iter().any(|start| line.starts_with(start))
}

/// Whether a line begins with the name of an error: `TypeError: ...`, `java.io.IOException: ...`, `panic: ...`.
fn is_cause(line: &str) -> bool {
    if is_trailer(line) {
        return false;
    }
    if CAUSES.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'));
    // Node puts a code after the name: `Error [ERR_MODULE_NOT_FOUND]: ...`.
    let rest = line.get(name.len()..).unwrap_or_default();
    let ends = rest.is_empty() || rest.starts_with(':') || rest.starts_with(" [");
    is_name && ends && ["Error", "Exception", "Exit", "Interrupt"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_traces() {
        #[rustfmt::skip]
        let table: [(&str, Option<&str>); 15] = [
            ("", None),
            ("no configuration was found", Some("no configuration was found")),
            ("listening\nthe database is gone\n", Some("the database is gone")),
            (
                "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module '/srv/x.js'\n    at Module._load (node:internal)\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}\n\nNode.js v20.20.2",
                Some("Error: Cannot find module '/srv/x.js'"),
            ),
            (
                "node:events:502\n      throw er; // Unhandled 'error' event\n      ^\n\nError [ERR_STREAM_WRITE_AFTER_END]: write after end\n    at x\n\nNode.js v22.1.0",
                Some("Error [ERR_STREAM_WRITE_AFTER_END]: write after end"),
            ),
            (
                "Traceback (most recent call last):\n  File \"s.py\", line 1, in <module>\n    import nope\nModuleNotFoundError: No module named 'nope'",
                Some("ModuleNotFoundError: No module named 'nope'"),
            ),
            (
                "Traceback (most recent call last):\n  File \"a\"\nKeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\npydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
                Some("pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings"),
            ),
            ("Traceback (most recent call last):\n  File \"s.py\"\nKeyboardInterrupt", Some("KeyboardInterrupt")),
            (
                "panic: no such file\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:4 +0x1\nexit status 2",
                Some("panic: no such file"),
            ),
            (
                "thread 'main' panicked at src/main.rs:2:5:\nno port\nnote: run with `RUST_BACKTRACE=1`",
                Some("thread 'main' panicked at src/main.rs:2:5: no port"),
            ),
            (
                "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat A.main(A.java:1)\nCaused by: java.io.IOException: the disk is full\n\tat B.b(B.java:2)",
                Some("Caused by: java.io.IOException: the disk is full"),
            ),
            (
                "Unhandled exception. System.InvalidOperationException: no\n   at P.Main()",
                Some("Unhandled exception. System.InvalidOperationException: no"),
            ),
            (
                "npm error code E404\nnpm error 404 Not Found - GET https://r.example/x\nnpm error 404\nnpm error A complete log of this run can be found in: /x",
                Some("npm error 404 Not Found - GET https://r.example/x"),
            ),
            ("error: Uncaught (in promise) Error: boom\n    at file:///x.ts:1:7", Some("error: Uncaught (in promise) Error: boom")),
            ("a DeprecationWarning: x\nready\nNode.js v20.0.0", Some("ready")),
        ];
        for (log, expected) in table {
            let mut words = LastWords::default();
            log.lines().filter(|line| !line.trim().is_empty()).for_each(|line| words.add(line));
            assert_eq!(words.cause().as_deref(), expected, "{log}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut words = LastWords::default();
        (0..1_000).for_each(|_| words.add(&"x".repeat(100_000)));
        assert!(words.lines.len() == LINES && words.cause().is_some_and(|line| line.len() == CHARACTERS));
    }
}
