//! Audit log: a line of JSON for each question of the server.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Log of the questions. It may share its file with a log of tasks, as each line is one write.
pub struct Audit {
    out: Mutex<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

/// Question with its outcome.
pub(crate) struct Audited<'a> {
    pub(crate) server: &'a str,
    pub(crate) method: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) rule: &'a str,
    /// `client`, `handler` or `gateway`.
    pub(crate) by: &'a str,
    /// `ok`, `error`, `cancelled`, `gave_up` (patience), `fell_through`.
    pub(crate) outcome: &'a str,
    pub(crate) error: Option<i64>,
    pub(crate) params: &'a str,
    pub(crate) elapsed: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    event: &'a str,
    server: &'a str,
    method: &'a str,
    topic: &'a str,
    rule: &'a str,
    by: &'a str,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<i64>,
    /// SHA-256 of the parameters as they came.
    params: &'a str,
    milliseconds: u64,
}

/// Digest of a question's parameters, as the log has it.
pub(crate) fn digest(params: &str) -> String {
    Sha256::digest(params.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Audit {
    /// Creates a log that writes to `out`, one line at a time.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Box::new(out)) }
    }

    pub(crate) fn question(&self, audited: &Audited<'_>) {
        let Audited { server, method, topic, rule, by, outcome, error, params, elapsed } = *audited;
        let at = format!("{:.3}", Timestamp::now());
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let event = "question";
        let line = Line { at, event, server, method, topic, rule, by, outcome, error, params, milliseconds };
        let written = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(&line)?;
            out.flush()
        });
        if let Err(error) = written {
            tracing::error!(%error, "a line of the audit log could not be written");
        }
    }
}
