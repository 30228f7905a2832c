//! Guards of a provider's model: limits of its calls, and the state that they need.
//!
//! A call is admitted or refused before anything is sent. At that time the tokens that it may use of the session's are
//! reserved, by an estimate that is never too low. They are settled when the provider has reported its usage.
//! Concurrent calls therefore cannot spend the same tokens twice.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::SessionIdentity;
use super::failure::Failure;
use crate::support::lock;

/// Limits of the calls of a provider's model. Each applies to all sessions together that use the model, except for
/// `session_tokens`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelGuards {
    /// Names of models that may run; one with `*` at its end allows all names that begin so. None: only the default
    /// model.
    pub allowed: Vec<String>,
    /// Tokens that a call may have the model write. A larger wish is cut.
    pub max_tokens: u32,
    /// Calls in a minute; so many may also come at once.
    pub requests_per_minute: NonZeroU32,
    /// Tokens that all calls of a session may use together, read and written.
    pub session_tokens: u64,
    /// Calls at once.
    pub calls: usize,
    /// Time limit of a call.
    pub timeout: Duration,
    /// Bytes of an answer of the provider.
    pub answer_size: usize,
}

impl Default for ModelGuards {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            max_tokens: 4_096,
            requests_per_minute: NonZeroU32::new(60).unwrap_or(NonZeroU32::MIN),
            session_tokens: 200_000,
            calls: 4,
            timeout: Duration::from_secs(120),
            answer_size: 4 << 20,
        }
    }
}

/// The state of the guards.
pub(super) struct Gate {
    rate: DefaultDirectRateLimiter,
    places: Arc<Semaphore>,
    calls: usize,
    per_minute: u32,
    session_tokens: u64,
    sessions: Arc<Mutex<Sessions>>,
}

/// Tokens that each session has spent or reserved, by the address of its identity. An address is not reused while its
/// `Weak` is held.
type Sessions = HashMap<usize, (Weak<SessionIdentity>, u64)>;

/// A call that was admitted. Dropped as it is, what was set aside stays spent: nobody knows what the provider did.
pub(super) struct Admitted {
    _place: OwnedSemaphorePermit,
    sessions: Arc<Mutex<Sessions>>,
    session: usize,
    tokens: u64,
}

impl Gate {
    pub(super) fn new(guards: &ModelGuards) -> Self {
        Self {
            rate: RateLimiter::direct(Quota::per_minute(guards.requests_per_minute)),
            places: Arc::new(Semaphore::new(guards.calls.min(Semaphore::MAX_PERMITS))),
            calls: guards.calls,
            per_minute: guards.requests_per_minute.get(),
            session_tokens: guards.session_tokens,
            sessions: Arc::default(),
        }
    }

    /// Admits a call of a session that uses so many tokens at most.
    pub(super) fn admit(&self, session: &Arc<SessionIdentity>, tokens: u64) -> Result<Admitted, Failure> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Failure::Busy { limit: self.calls })?;
        let key = Arc::as_ptr(session).addr();
        {
            let mut sessions = lock(&self.sessions);
            if !sessions.contains_key(&key) {
                // Sessions that have ended leave when the next one comes.
                sessions.retain(|_, (session, _)| session.strong_count() > 0);
            }
            let (_, spent) = sessions.entry(key).or_insert_with(|| (Arc::downgrade(session), 0));
            let current = spent.saturating_add(tokens);
            if current > self.session_tokens {
                return Err(Failure::Budget { current, limit: self.session_tokens });
            }
            // Last, for what is refused must not use it up.
            if self.rate.check().is_err() {
                return Err(Failure::Rate { limit: self.per_minute });
            }
            *spent = current;
        }
        Ok(Admitted { _place: place, sessions: Arc::clone(&self.sessions), session: key, tokens })
    }
}

impl Admitted {
    /// Counts what was used in place of what was set aside.
    pub(super) fn settle(self, used: u64) {
        let mut sessions = lock(&self.sessions);
        if let Some((_, spent)) = sessions.get_mut(&self.session) {
            *spent = spent.saturating_sub(self.tokens).saturating_add(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(guards: &ModelGuards) -> (Gate, Arc<SessionIdentity>) {
        (Gate::new(guards), Arc::default())
    }

    /// Reserved tokens count until they are settled, and forever if they never are.
    #[test]
    fn a_session_spends_its_tokens_once() {
        let (gate, session) = gate(&ModelGuards { session_tokens: 100, ..ModelGuards::default() });
        let kind = |tokens| gate.admit(&session, tokens).map(drop).map_err(|failure| failure.kind());
        let one = gate.admit(&session, 60).unwrap();
        assert_eq!(kind(41), Err("model_budget"), "beside another");
        one.settle(10);
        assert_eq!(kind(91), Err("model_budget"));
        assert_eq!(kind(90), Ok(()));
        assert_eq!(kind(1), Err("model_budget"), "one that never said what it used");
        let other = Arc::default();
        assert!(gate.admit(&other, 100).is_ok(), "another session has its own");
    }

    #[test]
    fn what_ended_sessions_spent_is_forgotten() {
        let (gate, _) = gate(&ModelGuards { requests_per_minute: NonZeroU32::MAX, ..ModelGuards::default() });
        for _ in 0..100 {
            drop(gate.admit(&Arc::default(), 1).unwrap());
        }
        assert_eq!(gate.sessions.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_is_refused_uses_nothing_up() {
        let guards = ModelGuards {
            requests_per_minute: NonZeroU32::MIN,
            calls: 1,
            session_tokens: 10,
            ..ModelGuards::default()
        };
        let (gate, session) = gate(&guards);
        let kind = |tokens| gate.admit(&session, tokens).err().map(|failure| failure.kind());
        assert_eq!(kind(11), Some("model_budget"));
        let one = gate.admit(&session, 1).unwrap();
        assert_eq!(kind(1), Some("model_busy"));
        drop(one);
        assert_eq!(kind(1), Some("model_rate"));
        assert_eq!(kind(10), Some("model_budget"), "the one that was refused by the rate set nothing aside");
    }
}
