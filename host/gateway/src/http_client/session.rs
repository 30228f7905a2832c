//! Session that a server gave the connection, in revisions before 2026-07-28. [2025-11-25, basic/transports, Session
//! Management]

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use super::headers::{SESSION, VERSION};
use crate::transport::Frame;

/// Longest session id that is taken, in bytes.
const MAX_ID: usize = 4 << 10;

/// State of the session, shared by all exchanges.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HttpSession>);

/// A session. The default is a connection that is not initialized.
#[derive(Debug, Clone, Default)]
pub(super) struct HttpSession {
    /// Number of sessions that the connection had before this one.
    pub(super) number: u64,
    /// Id of the session; none where the server gives none.
    pub(super) id: Option<HeaderValue>,
    /// Agreed revision.
    version: Option<HeaderValue>,
    /// Message that began the session, to begin another one.
    initialize: Option<Frame>,
}

impl HttpSession {
    /// Adds the session's headers.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in [(SESSION, &self.id), (VERSION, &self.version)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }

    /// Whether the server answered `initialize`.
    pub(super) fn is_initialized(&self) -> bool {
        self.version.is_some()
    }

    /// Returns the agreed revision.
    pub(super) fn agreed(&self) -> Option<String> {
        self.version.as_ref()?.to_str().ok().map(str::to_owned)
    }

    /// Message that began the session.
    pub(super) fn initialize(&self) -> Option<&Frame> {
        self.initialize.as_ref()
    }
}

impl Sessions {
    /// Returns the current session.
    pub(super) fn current(&self) -> HttpSession {
        self.lock().clone()
    }

    /// Begins a session with the result of `initialize`. The headers are those of its response.
    pub(super) fn begin(&self, initialize: Frame, headers: &HeaderMap, result: &RawValue) {
        let mut session = self.lock();
        let number = session.number.saturating_add(u64::from(session.is_initialized()));
        *session = HttpSession {
            number,
            id: id(headers),
            version: version(result).and_then(|version| HeaderValue::try_from(version).ok()),
            initialize: Some(initialize),
        };
    }

    /// Replaces a session that the server ended.
    pub(super) fn renew(&self, headers: &HeaderMap) {
        let mut session = self.lock();
        session.number = session.number.saturating_add(1);
        session.id = id(headers);
    }

    fn lock(&self) -> MutexGuard<'_, HttpSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the id of a session. One that breaks the rules for ids counts as none.
fn id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(SESSION)?;
    let is_id = !id.is_empty() && id.len() <= MAX_ID && id.as_bytes().iter().all(u8::is_ascii_graphic);
    let mut id = id.clone();
    // Whoever has the id has the session.
    id.set_sensitive(true);
    is_id.then_some(id)
}

/// Reads the revision that a result of `initialize` names.
pub(super) fn version(result: &RawValue) -> Option<String> {
    let result: Value = serde_json::from_str(result.get()).ok()?;
    result.get("protocolVersion")?.as_str().map(str::to_owned)
}
