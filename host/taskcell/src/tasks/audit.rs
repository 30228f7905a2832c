//! Audit log: every operation on a task and every call of a model, as JSON lines. [basic/utilities/tasks, Audit and
//! Logging]
//!
//! The line of a request is written before its response goes out. The line of a change is written as soon as the change
//! is stored. Payloads (prompts, answers, text that users typed) are left out unless the application asks for them,
//! because a log outlives the tasks that it describes.

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::TaskRecord;
use crate::kinds::Kind;
use crate::support::lock;

/// Log of operations on tasks and of calls of a model.
pub struct AuditLog {
    out: Mutex<Box<dyn Write + Send>>,
    payloads: bool,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("payloads", &self.payloads).finish_non_exhaustive()
    }
}

/// Request about tasks, with its response.
pub(crate) struct Audited<'a> {
    pub(crate) principal: &'a str,
    pub(crate) server: &'a str,
    pub(crate) method: &'a str,
    pub(crate) kind: Kind,
    /// Digest of the component that answered, or `native`. None when the host answered.
    pub(crate) handler: Option<&'a str>,
    pub(crate) task: Option<&'a str>,
    pub(crate) error: Option<i32>,
    pub(crate) request: &'a [u8],
    pub(crate) response: &'a [u8],
}

/// Call of a model, with its outcome.
pub(crate) struct ModelCall<'a> {
    pub(crate) principal: &'a str,
    pub(crate) server: &'a str,
    /// Kind of the request that the handler serves.
    pub(crate) kind: Option<Kind>,
    pub(crate) handler: &'a str,
    /// Task that the handler works on.
    pub(crate) task: Option<&'a str>,
    /// Models that the handler asked for.
    pub(crate) hints: &'a [String],
    /// Model that ran.
    pub(crate) model: Option<&'a str>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    /// `ok`, `cancelled`, or the stable kind of the error.
    pub(crate) outcome: &'a str,
    pub(crate) error: Option<i32>,
    pub(crate) request: Option<&'a str>,
    pub(crate) response: Option<&'a str>,
}

/// Line of the log.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: String,
    event: &'a str,
    principal: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    hints: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a RawValue>,
}

impl AuditLog {
    /// Creates a log that writes to `out`, one line at a time. With `payloads`, lines contain requests and responses
    /// whole.
    pub fn new(out: impl Write + Send + 'static, payloads: bool) -> Self {
        Self { out: Mutex::new(Box::new(out)), payloads }
    }

    /// Opens a log that appends to the file at `path`. A missing file is created, readable by the current user alone.
    ///
    /// # Errors
    /// An I/O error when the file cannot be opened or created, belongs to another user, or can be changed by everybody.
    pub fn open(path: &Path, payloads: bool) -> std::io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        crate::support::private_file::check_rights(path, &file.metadata()?)?;
        Ok(Self::new(file, payloads))
    }

    /// Logs a change of a task.
    pub fn task(&self, event: &str, record: &TaskRecord) {
        self.write(Line {
            event,
            principal: &record.principal,
            task: Some(&record.id),
            kind: &record.origin.kind,
            handler: Some(&*record.origin.handler).filter(|digest| !digest.is_empty()),
            status: Some(record.status.as_str()),
            ..Line::default()
        });
    }

    /// Logs a request about tasks.
    pub(crate) fn request(&self, audited: &Audited<'_>) {
        // A message that is not JSON is left out: its response is an error, which the line contains.
        let payload = |text| serde_json::from_slice::<&RawValue>(text).ok().filter(|_| self.payloads);
        self.write(Line {
            event: "request",
            principal: audited.principal,
            server: Some(audited.server),
            method: Some(audited.method),
            task: audited.task,
            kind: audited.kind.info().export,
            handler: audited.handler,
            error: audited.error,
            request: payload(audited.request),
            response: payload(audited.response),
            ..Line::default()
        });
    }

    /// Whether lines contain requests and responses whole.
    pub(crate) fn has_payloads(&self) -> bool {
        self.payloads
    }

    /// Logs a call of a model.
    pub(crate) fn model(&self, call: &ModelCall<'_>) {
        let payload = |text: Option<&'_ str>| {
            text.and_then(|text| serde_json::value::RawValue::from_string(text.to_owned()).ok())
        };
        let (request, response) = (payload(call.request), payload(call.response));
        self.write(Line {
            event: "model",
            principal: call.principal,
            server: Some(call.server),
            task: call.task,
            kind: call.kind.map(|kind| kind.info().export).unwrap_or_default(),
            handler: Some(call.handler).filter(|digest| !digest.is_empty()),
            hints: call.hints,
            model: call.model,
            input_tokens: call.input_tokens,
            output_tokens: call.output_tokens,
            outcome: Some(call.outcome),
            error: call.error,
            request: request.as_deref().filter(|_| self.payloads),
            response: response.as_deref().filter(|_| self.payloads),
            ..Line::default()
        });
    }

    fn write(&self, mut line: Line<'_>) {
        line.at = format!("{:.3}", Timestamp::now());
        let mut text = match serde_json::to_vec(&line) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(%error, "a line of the audit log could not be written");
                return;
            }
        };
        // A message of the peer may have line breaks between its members. JSON strings contain none.
        text.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        text.push(b'\n');
        let mut out = lock(&self.out);
        // One write per line lets several programs append to one file.
        if let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
            tracing::error!(%error, "a line of the audit log could not be written");
        }
    }
}
