//! Rate limit for what a server says to people, on stderr and in `notifications/message`.
//!
//! A stack trace of two hundred lines hides the result above it. Lines that come too fast are counted instead of shown;
//! `-v` shows all.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::terminal::Progress;
use crate::terminal::screen;

/// Lines that may be shown in one burst.
const BURST: u32 = 20;
/// Interval after which one more line may be shown.
const PAUSE: Duration = Duration::from_millis(200);

/// Shows the lines of one server.
pub(crate) struct Chatter {
    progress: Progress,
    /// Whether every line is shown.
    all: bool,
    state: Mutex<LineBudget>,
}

struct LineBudget {
    /// Lines that may be shown now, as of `at`.
    left: u32,
    at: Instant,
    /// Lines left out since the last one shown.
    folded: u64,
    /// Whether all further lines are left out.
    muted: bool,
}

impl LineBudget {
    /// Takes a line and returns how many were left out before it; `None` when this line is left out, too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.muted {
            return None;
        }
        let passed = now.saturating_duration_since(self.at).as_millis() / PAUSE.as_millis();
        if passed > 0 {
            self.left = self.left.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX)).min(BURST);
            self.at = now;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.folded = self.folded.saturating_add(1);
            return None;
        };
        self.left = left;
        Some(std::mem::take(&mut self.folded))
    }
}

impl Chatter {
    pub(crate) fn new(progress: Progress) -> Self {
        let state = LineBudget { left: BURST, at: Instant::now(), folded: 0, muted: false };
        Self { progress, all: screen::is_verbose(), state: Mutex::new(state) }
    }

    /// Shows a line after the label `from`, or counts it.
    pub(crate) fn line(&self, from: &str, text: &str) {
        if !self.all {
            let Some(folded) = self.state().take(Instant::now()) else { return };
            self.folded(folded);
        }
        self.progress.line(format!("{from:<12} {text}"));
    }

    /// Stops showing lines: what a server says while it ends helps nobody. With `-v` lines are still shown.
    pub(crate) fn mute(&self) {
        if !self.all {
            let folded = {
                let mut state = self.state();
                state.muted = true;
                std::mem::take(&mut state.folded)
            };
            self.folded(folded);
        }
    }

    fn folded(&self, lines: u64) {
        if lines > 0 {
            self.progress.line(format!("server says  … {lines} more lines; -v shows them"));
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, LineBudget> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_counted() {
        let start = Instant::now();
        let mut state = LineBudget { left: BURST, at: start, folded: 0, muted: false };
        assert!((0..BURST).all(|_| state.take(start) == Some(0)));
        assert!((0..100).all(|_| state.take(start).is_none()));
        assert_eq!(state.take(start + PAUSE), Some(100));
        assert_eq!(state.take(start + PAUSE), None);
        assert_eq!(state.take(start + 1_000 * PAUSE), Some(1));
        assert_eq!(state.left, BURST - 1);
        state.muted = true;
        assert_eq!(state.take(start + 2_000 * PAUSE), None);
    }
}
