//! What a server says for people, on stderr and in `notifications/message`: shown a little at a time.
//!
//! A stack trace of two hundred lines hides the result that stands above it. What comes too fast is counted instead; `-v`
//! shows all.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::screen;
use super::terminal::Progress;

/// Lines that are shown at once.
const BURST: u32 = 20;
/// How long until one more is shown.
const PAUSE: Duration = Duration::from_millis(200);

/// Shows the lines of one server.
pub(super) struct Chatter {
    progress: Progress,
    /// Whether each line is shown.
    all: bool,
    state: Mutex<State>,
}

struct State {
    /// Lines that may be shown now, as of `at`.
    left: u32,
    at: Instant,
    /// Lines that were left out since the last that was shown.
    folded: u64,
    /// Whether the server has nothing more to say.
    muted: bool,
}

impl State {
    /// Takes a line, and says how many were left out before it; none where it is left out, too.
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
    pub(super) fn new(progress: Progress) -> Self {
        let state = State { left: BURST, at: Instant::now(), folded: 0, muted: false };
        Self { progress, all: screen::is_verbose(), state: Mutex::new(state) }
    }

    /// Shows a line behind a word that says where it comes from, or counts it.
    pub(super) fn line(&self, from: &str, text: &str) {
        if !self.all {
            let Some(folded) = self.state().take(Instant::now()) else { return };
            self.folded(folded);
        }
        self.progress.line(format!("{from:<12} {text}"));
    }

    /// Shows nothing more: what a server says while it ends is of no use, but with `-v`.
    pub(super) fn mute(&self) {
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

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_counted() {
        let start = Instant::now();
        let mut state = State { left: BURST, at: start, folded: 0, muted: false };
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
