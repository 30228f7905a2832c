//! The terminal that questions and output lines share: lines wait while a question is on the screen.
//!
//! A question redraws itself in place, in the terminal's raw mode. A line in between would tear the question and could
//! look like part of it. Everything the program shows on stderr therefore passes through this module: progress, the
//! server's messages, the log.
//!
//! A dedicated thread writes to stderr. The program's parent may never read stderr, and no other thread may block on
//! it.

use std::io::{Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of waiting lines; lines beyond that are dropped and counted.
const MAX_WAITING: usize = 256 * 1024;
/// Time that a question, or the end of the program, waits for lines to be written.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lines that wait to be written, and the state of the screen.
struct Screen {
    /// Whether a question is on the screen.
    asking: bool,
    /// Whether lines are being written.
    writing: bool,
    waiting: String,
    left_out: usize,
    /// Row wanted below all lines, and the row that is drawn there; empty for none.
    status: String,
    drawn: String,
}

/// Control sequence that moves to the start of the cursor's row and clears it. [ECMA-48, 8.3.41]
const CLEAR_ROW: &str = "\r\x1b[2K";

static SCREEN: Mutex<Screen> = Mutex::new(Screen::new());
/// Notified of each change of the screen.
static CHANGED: Condvar = Condvar::new();
/// Guards the start of the writing thread.
static WRITER: Once = Once::new();
/// File that takes everything in the place of stderr.
static FILE: OnceLock<std::fs::File> = OnceLock::new();
/// Whether all lines are shown.
static VERBOSE: AtomicBool = AtomicBool::new(false);

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows all lines from now on, including those that are only counted otherwise.
pub(crate) fn be_verbose() {
    VERBOSE.store(true, Ordering::Relaxed);
}

/// Writes everything to a file from now on, instead of stderr.
pub(crate) fn write_to(file: std::fs::File) {
    // The first file stays.
    let _ = FILE.set(file);
}

/// Whether all lines are shown.
pub(crate) fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// Guard of a question's hold on the screen, which ends when the guard is dropped.
pub(crate) struct Taken(());

/// Takes the screen for a question, after waiting lines are written. Callers ensure that there is one question at a
/// time.
pub(crate) fn take() -> Taken {
    flush();
    screen().asking = true;
    CHANGED.notify_all();
    // Clears the row below the lines while the question is shown.
    flush();
    Taken(())
}

impl Drop for Taken {
    fn drop(&mut self) {
        screen().give_back();
    }
}

/// Shows a printable line, at once or when no question is on the screen any more.
pub(crate) fn line(text: &str) {
    show(&format!("{text}\n"));
}

/// Replaces the row below all lines; an empty text removes it. The text must be printable and fit the terminal, and
/// stderr must be one.
pub(crate) fn status(row: &str) {
    change(|screen| row.clone_into(&mut screen.status));
}

/// Waits, up to [`PATIENCE`], until all lines are written.
pub(crate) fn flush() {
    let end = Instant::now() + PATIENCE;
    let mut screen = screen();
    while screen.writing || screen.has_work() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        screen = CHANGED.wait_timeout(screen, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Restores the terminal for the last words of the program, which stand below all else. A question left on the screen
/// cannot be removed, because its thread waits for a key.
pub(crate) fn leave() {
    use crossterm::cursor::Show;
    use crossterm::event::DisableBracketedPaste;
    use crossterm::terminal;

    if terminal::is_raw_mode_enabled().unwrap_or(false) {
        let _ = terminal::disable_raw_mode();
        let _ = crossterm::execute!(stderr(), DisableBracketedPaste, Show);
        let _ = writeln!(stderr());
    }
    let mut screen = screen();
    screen.status.clear();
    screen.give_back();
    drop(screen);
    flush();
}

/// Writer of the log to the screen.
pub(crate) struct Log;

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
    change(|screen| screen.add(text));
}

/// Changes what is to be on the screen.
fn change(change: impl FnOnce(&mut Screen)) {
    WRITER.call_once(|| {
        let writer = std::thread::Builder::new().name("stderr".to_owned()).spawn(write);
        if let Err(error) = writer {
            // Writing directly is the only way left.
            let _ = writeln!(stderr(), "taskcell: the output stops here: {error}");
        }
    });
    change(&mut screen());
    CHANGED.notify_all();
}

/// Writes waiting lines forever.
fn write() {
    loop {
        let mut screen = screen();
        while !screen.has_work() {
            screen = CHANGED.wait(screen).unwrap_or_else(PoisonError::into_inner);
        }
        let text = screen.next();
        screen.writing = true;
        drop(screen);
        // There is nowhere to report that stderr is gone, or the file's disk is full.
        let _ = match FILE.get() {
            Some(mut file) => file.write_all(text.as_bytes()),
            None => stderr().write_all(text.as_bytes()),
        };
        self::screen().writing = false;
        CHANGED.notify_all();
    }
}

impl Screen {
    const fn new() -> Self {
        Self {
            asking: false,
            writing: false,
            waiting: String::new(),
            left_out: 0,
            status: String::new(),
            drawn: String::new(),
        }
    }

    fn has_lines(&self) -> bool {
        !self.waiting.is_empty() || self.left_out > 0
    }

    /// Whether something is to be written. Nothing is written beside a question.
    fn has_work(&self) -> bool {
        if self.asking { !self.drawn.is_empty() } else { self.has_lines() || self.status != self.drawn }
    }

    fn add(&mut self, text: &str) {
        // After a dropped line, later lines are dropped, too, so that the gap stays at the end.
        if self.left_out == 0 && self.waiting.len().saturating_add(text.len()) <= MAX_WAITING {
            self.waiting.push_str(text);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Takes the waiting lines, with a note of how many were dropped after them, and the row below them.
    fn next(&mut self) -> String {
        let mut text = if self.drawn.is_empty() { String::new() } else { CLEAR_ROW.to_owned() };
        self.drawn.clear();
        if self.asking {
            return text;
        }
        text.push_str(&std::mem::take(&mut self.waiting));
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            text.push_str(&format!("({left_out} more lines were left out: they came faster than they were read)\n"));
        }
        text.push_str(&self.status);
        self.drawn.clone_from(&self.status);
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
        let mut screen = Screen::new();
        screen.asking = true;
        screen.add("one\n");
        screen.add(&"x".repeat(MAX_WAITING));
        screen.add("two\n");
        assert!(screen.has_lines() && !screen.has_work());
        screen.asking = false;
        let left_out = "(2 more lines were left out: they came faster than they were read)\n";
        assert_eq!(screen.next(), format!("one\n{left_out}"));
        assert!(!screen.has_lines());
        screen.add("three\n");
        screen.asking = true;
        screen.give_back();
        assert_eq!((screen.next().as_str(), screen.asking), ("three\n", false));
    }

    #[test]
    fn one_row_stands_below_the_lines() {
        let mut screen = Screen::new();
        for (line, status, written) in [
            ("one\n", "", "one\n"),
            ("", "1 of 3", "1 of 3"),
            ("", "2 of 3", "\r\x1b[2K2 of 3"),
            ("two\n", "2 of 3", "\r\x1b[2Ktwo\n2 of 3"),
        ] {
            screen.add(line);
            status.clone_into(&mut screen.status);
            assert!(screen.has_work());
            assert_eq!((screen.next().as_str(), screen.has_work()), (written, false));
        }
        // A question has the screen for itself.
        screen.asking = true;
        screen.add("three\n");
        assert_eq!((screen.has_work(), screen.next().as_str(), screen.has_work()), (true, "\r\x1b[2K", false));
        screen.give_back();
        assert_eq!(screen.next(), "three\n2 of 3");
        screen.status.clear();
        assert_eq!((screen.has_work(), screen.next().as_str(), screen.has_work()), (true, "\r\x1b[2K", false));
    }
}
