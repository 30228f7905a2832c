//! The terminal that questions and lines share: while a question is on it, lines wait.
//!
//! A question redraws itself where it stands, in the terminal's raw mode. A line in between would tear it, and could
//! pass for a part of it. So what the program shows on stderr goes through here: progress, what the server says, the
//! log.
//!
//! A thread of its own writes. Whoever started the program need not read its stderr, and nothing but that thread may wait
//! for it.

use std::io::{Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of lines that wait; what comes on top is counted and left out.
const MAX_WAITING: usize = 256 * 1024;
/// How long a question, or the end of the program, waits for lines that nobody reads.
const PATIENCE: Duration = Duration::from_millis(500);

/// What waits to be written.
struct Screen {
    /// Whether a question is on the screen.
    asking: bool,
    /// Whether lines are being written.
    writing: bool,
    waiting: String,
    left_out: usize,
}

static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { asking: false, writing: false, waiting: String::new(), left_out: 0 });
/// Told of each change of the screen.
static CHANGED: Condvar = Condvar::new();
/// Starts the thread that writes.
static WRITER: Once = Once::new();
/// Whether everything is shown.
static VERBOSE: AtomicBool = AtomicBool::new(false);

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has everything shown, also what is a count otherwise.
pub(super) fn be_verbose() {
    VERBOSE.store(true, Ordering::Relaxed);
}

/// Whether everything is shown.
pub(super) fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// The screen is taken by a question, until this is dropped.
pub(super) struct Taken(());

/// Takes the screen for a question, once what waits is written. There is one question at a time, which the caller sees to.
pub(super) fn take() -> Taken {
    flush();
    let mut screen = screen();
    screen.asking = true;
    drop(screen);
    Taken(())
}

impl Drop for Taken {
    fn drop(&mut self) {
        screen().give_back();
    }
}

/// Shows a line, which is printable; now, or when no question is on the screen any more.
pub(super) fn line(text: &str) {
    show(&format!("{text}\n"));
}

/// Waits until what was shown is written, for a while.
pub(super) fn flush() {
    let end = Instant::now() + PATIENCE;
    let mut screen = screen();
    while screen.writing || (!screen.asking && screen.has_lines()) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        screen = CHANGED.wait_timeout(screen, left).unwrap_or_else(PoisonError::into_inner).0;
    }
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
    flush();
}

/// The log, as a stream of lines.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        show(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn show(text: &str) {
    WRITER.call_once(|| {
        let writer = std::thread::Builder::new().name("stderr".to_owned()).spawn(write);
        if let Err(error) = writer {
            // There is no other way to tell.
            let _ = writeln!(stderr(), "taskcell: nothing more is shown: {error}");
        }
    });
    screen().add(text);
    CHANGED.notify_all();
}

/// Writes what waits, for ever.
fn write() {
    loop {
        let mut screen = screen();
        while screen.asking || !screen.has_lines() {
            screen = CHANGED.wait(screen).unwrap_or_else(PoisonError::into_inner);
        }
        let text = screen.next();
        screen.writing = true;
        drop(screen);
        // There is nobody to tell that stderr is gone.
        let _ = stderr().write_all(text.as_bytes());
        self::screen().writing = false;
        CHANGED.notify_all();
    }
}

impl Screen {
    fn has_lines(&self) -> bool {
        !self.waiting.is_empty() || self.left_out > 0
    }

    fn add(&mut self, text: &str) {
        // What comes after a gap stays behind it.
        if self.left_out == 0 && self.waiting.len().saturating_add(text.len()) <= MAX_WAITING {
            self.waiting.push_str(text);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// The lines that wait, and how many are missing after them.
    fn next(&mut self) -> String {
        let mut text = std::mem::take(&mut self.waiting);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            text.push_str(&format!("({left_out} more lines were left out: they came faster than they were read)\n"));
        }
        text
    }

    fn give_back(&mut self) {
        self.asking = false;
        CHANGED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_and_are_bounded() {
        let mut screen = Screen { asking: true, writing: false, waiting: String::new(), left_out: 0 };
        screen.add("one\n");
        screen.add(&"x".repeat(MAX_WAITING));
        screen.add("two\n");
        assert!(screen.has_lines());
        let left_out = "(2 more lines were left out: they came faster than they were read)\n";
        assert_eq!(screen.next(), format!("one\n{left_out}"));
        assert!(!screen.has_lines());
        screen.add("three\n");
        screen.give_back();
        assert_eq!((screen.next().as_str(), screen.asking), ("three\n", false));
    }
}
