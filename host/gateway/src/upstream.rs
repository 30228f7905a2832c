//! Connection with the server: its session with the handlers, and its restarts.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskcell::Session;
use taskcell::protocol::types::Implementation;
use tokio::time::Instant;

use crate::transport::{Receiver, Sender};

/// First pause between the end of a server and its restart. It doubles with each end.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Time after which a server counts as well, so that its end is the first again.
const WELL: Duration = Duration::from_secs(60);

/// Open connection with the server.
pub(crate) struct Upstream {
    pub(crate) sender: Arc<dyn Sender>,
    /// Session with the handlers; none before the server has answered `initialize`.
    pub(crate) session: OnceLock<Arc<Session>>,
}

/// Connection whose messages are to be received.
pub(crate) struct Opened {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) receiver: Box<dyn Receiver>,
}

/// When the server may be started again.
#[derive(Debug)]
pub(crate) struct Backoff(Mutex<State>);

#[derive(Debug)]
struct State {
    started: Instant,
    ends: u32,
    next: Instant,
    /// Description of the last end.
    how: String,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State { started: now, ends: 0, next: now, how: String::new() }))
    }

    /// Notes a start.
    pub(crate) fn started(&self, now: Instant) {
        self.lock().started = now;
    }

    /// Notes an end, or a start that failed. The first one lets the server be started again at once.
    pub(crate) fn ended(&self, how: &str, now: Instant) {
        let mut state = self.lock();
        if now.saturating_duration_since(state.started) >= WELL {
            state.ends = 0;
        }
        let pause = match state.ends.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(MAX_PAUSE),
        };
        state.ends = state.ends.saturating_add(1);
        state.next = now + pause;
        how.clone_into(&mut state.how);
    }

    /// Whether the server may be started now.
    ///
    /// # Errors
    /// The text for a request that comes too early.
    pub(crate) fn may_start(&self, now: Instant) -> Result<(), String> {
        let state = self.lock();
        let left = state.next.saturating_duration_since(now);
        if left.is_zero() {
            return Ok(());
        }
        Err(format!("{}; it can be started again in {:.1} s", state.how, left.as_secs_f64()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Result of `initialize`, as far as the gateway needs it.
pub(crate) struct Initialized {
    pub(crate) server: Implementation,
    pub(crate) revision: String,
    /// Notifications that the server promises for its lists.
    pub(crate) list_changed: Vec<&'static str>,
}

/// Lists of a server, with the notification of a change of each.
const LISTS: [(&str, &str); 3] = [
    ("tools", "notifications/tools/list_changed"),
    ("prompts", "notifications/prompts/list_changed"),
    ("resources", "notifications/resources/list_changed"),
];

/// Reads the result of `initialize`; the error says what is missing.
pub(crate) fn initialized(result: Option<&RawValue>) -> Result<Initialized, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        protocol_version: String,
        server_info: Implementation,
        #[serde(default)]
        capabilities: serde_json::Value,
    }
    let answer = serde_json::from_str::<Answer>(result.map(RawValue::get).unwrap_or("null"));
    let answer = answer.map_err(|error| format!("the server's answer to initialize cannot be read: {error}"))?;
    let promises = |list: &str| answer.capabilities.pointer(&format!("/{list}/listChanged")) == Some(&true.into());
    Ok(Initialized {
        server: answer.server_info,
        revision: answer.protocol_version,
        list_changed: LISTS.iter().filter(|(list, _)| promises(list)).map(|(_, method)| *method).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_doubles_the_pause() {
        let (backoff, now) = (Backoff::new(), Instant::now());
        let pause = |now: Instant| {
            backoff.ended("it ended", now);
            backoff.lock().next.duration_since(now).as_millis()
        };
        backoff.started(now);
        assert_eq!([0; 4].map(|_| pause(now)), [0, 500, 1_000, 2_000]);
        assert!(backoff.may_start(now).is_err_and(|why| why == "it ended; it can be started again in 2.0 s"));
        assert!(backoff.may_start(now + Duration::from_secs(2)).is_ok());
        for _ in 0..40 {
            pause(now);
        }
        assert_eq!(pause(now), 30_000);
        assert_eq!(pause(now + WELL), 0, "it was well for long enough");
    }

    #[test]
    fn the_answer_to_initialize_is_read() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let result = raw(
            r#"{"protocolVersion":"2025-11-25","serverInfo":{"name":"s","version":"1","x":1},"capabilities":{"tools":{"listChanged":true},"prompts":{}}}"#,
        );
        let read = initialized(Some(&result)).unwrap();
        assert_eq!((read.server.name.as_str(), read.revision.as_str()), ("s", "2025-11-25"));
        assert_eq!(read.list_changed, ["notifications/tools/list_changed"]);
        assert!(initialized(Some(&raw("{}"))).is_err() && initialized(None).is_err());
    }
}
