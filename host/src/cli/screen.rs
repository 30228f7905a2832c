//! The terminal that questions and lines share: while a question is on it, lines wait.
//!
//! A question redraws itself where it stands, in the terminal's raw mode. A line in between would tear it, and could
//! pass for a part of it. So what the program shows on stderr goes through here: progress, what the server says, the
//! log.

use std::io::{Write, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of lines that wait; what comes on top is counted and left out.
const MAX_WAITING: usize = 256 * 1024;

/// What waits while a question is on the screen.
struct Screen {
    asking: bool,
    waiting: String,
    left_out: usize,
}

static SCREEN: Mutex<Screen> = Mutex::new(Screen { asking: false, waiting: String::new(), left_out: 0 });

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The screen is taken by a question, until this is dropped.
pub(super) struct Taken(());

/// Takes the screen for a question. There is one question at a time, which the caller sees to.
pub(super) fn take() -> Taken {
    screen().asking = true;
    Taken(())
}

impl Drop for Taken {
    fn drop(&mut self) {
        screen().give_back();
    }
}

/// Shows a line, which is printable; now, or when no question is on the screen any more.
pub(super) fn line(text: &str) {
    screen().show(&format!("{text}\n"));
}

/// Makes the terminal what it was before, whatever is on it, for the last words of the program. A question that nobody
/// waits for any more cannot be taken away: it waits for a key.
pub(super) fn leave() {
    use crossterm::cursor::Show;
    use crossterm::event::DisableBracketedPaste;
    use crossterm::terminal;

    if terminal::is_raw_mode_enabled().unwrap_or(false) {
        let _ = terminal::disable_raw_mode();
        let _ = crossterm::execute!(stderr(), DisableBracketedPaste, Show);
        let _ = writeln!(stderr());
    }
    screen().give_back();
}

/// The log, as a stream of lines.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        screen().show(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn show(&mut self, text: &str) {
        if !self.asking {
            // There is nobody to tell that stderr is gone.
            let _ = stderr().write_all(text.as_bytes());
        } else if self.waiting.len().saturating_add(text.len()) <= MAX_WAITING {
            self.waiting.push_str(text);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    fn give_back(&mut self) {
        self.asking = false;
        let waiting = std::mem::take(&mut self.waiting);
        self.show(&waiting);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.show(&format!("({left_out} more lines were left out while a question was asked)\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_and_are_bounded() {
        let mut screen = Screen { asking: true, waiting: String::new(), left_out: 0 };
        screen.show("one\n");
        screen.show(&"x".repeat(MAX_WAITING));
        screen.show("two\n");
        assert_eq!((screen.waiting.as_str(), screen.left_out), ("one\ntwo\n", 1));
        screen.give_back();
        assert!(!screen.asking && screen.waiting.is_empty() && screen.left_out == 0);
    }
}
