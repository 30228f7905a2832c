//! Questions at the terminal: drawn at the cursor, answered by keys.
//!
//! Keys pressed before a question appears are meant for something else, so pending input is discarded when it appears.
//! A question that gives consent also ignores keys until none has come for [`QUIET`], so that a person who is typing
//! does not answer it by accident.

mod draw;
mod line;
mod list;

use std::io::{self, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;

use super::wrap::{self, Size};
use draw::{Drawn, Frame};
pub(super) use line::Line;
pub(super) use list::List;

/// Time without keys after which a question that gives consent accepts a key.
const QUIET: Duration = Duration::from_millis(500);
/// Interval at which a question checks whether it is still wanted and how large the terminal is.
const TICK: Duration = Duration::from_millis(100);
/// Maximum time for discarding input: a paste may be endless.
const DISCARDING: Duration = Duration::from_millis(100);

/// Check whether a value is an answer; the error tells the person why not.
type Accept<'a, T> = Box<dyn Fn(&T) -> Result<(), String> + 'a>;

/// Reason why a question has no answer.
#[derive(Debug)]
pub(super) enum Gone {
    /// The person dismissed the question.
    Cancelled,
    /// The person dismissed this question and all waiting ones.
    Interrupted,
    /// The answer is no longer wanted.
    Withdrawn,
    /// The terminal cannot be used.
    Failed(io::Error),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Effect of a key or a paste on a question.
pub(super) enum Reply<A> {
    /// The question stays open.
    GoesOn,
    /// The person dismisses the question.
    Cancel,
    /// The question is answered.
    Answer(A),
}

/// A question at the terminal.
pub(super) trait Prompt {
    /// Type of the answer.
    type Answer;

    /// Draws the question for a terminal of this size.
    fn frame(&self, size: Size) -> Frame;

    /// Handles a key.
    fn key(&mut self, key: KeyEvent) -> Reply<Self::Answer>;

    /// Handles pasted text.
    fn paste(&mut self, text: &str);

    /// Printable line with the question and its answer, which stays on the screen.
    fn answered(&self, answer: &Self::Answer) -> String;
}

/// Guard of the terminal on stdin and stderr, which is in raw mode until the guard is dropped.
pub(super) struct Terminal {
    withdrawn: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal for a conversation, whose questions end when `withdrawn` is set.
    ///
    /// # Errors
    /// When the terminal's mode cannot be set.
    pub(super) fn take(withdrawn: Arc<AtomicBool>) -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let taken = Self { withdrawn };
        crossterm::execute!(stderr(), event::EnableBracketedPaste)?;
        Ok(taken)
    }

    /// Shows a printable line, wrapped behind a bar.
    pub(super) fn say(&self, line: &str) {
        self.show(&wrap::rows(line, wrap::size().columns));
    }

    /// Shows rows that fit the terminal.
    #[allow(clippy::unused_self, reason = "rows end in CR LF only in raw mode, which `self` proves")]
    pub(super) fn show(&self, rows: &[String]) {
        let text: String = rows.iter().flat_map(|row| [row.as_str(), "\r\n"]).collect();
        // There is nowhere to report that the terminal is gone; the next question fails.
        let _ = stderr().write_all(text.as_bytes());
    }

    /// Asks a question that gives consent.
    pub(super) fn ask_carefully<P: Prompt>(&self, prompt: &mut P) -> Result<P::Answer, Gone> {
        self.answer(prompt, QUIET)
    }

    /// Asks a question.
    pub(super) fn ask<P: Prompt>(&self, prompt: &mut P) -> Result<P::Answer, Gone> {
        self.answer(prompt, Duration::ZERO)
    }

    fn answer<P: Prompt>(&self, prompt: &mut P, quiet: Duration) -> Result<P::Answer, Gone> {
        discard()?;
        let mut drawn = Drawn::default();
        let answer = self.until_answered(prompt, quiet, &mut drawn);
        drawn.erase(wrap::size())?;
        let answer = answer?;
        self.say(&prompt.answered(&answer));
        Ok(answer)
    }

    fn until_answered<P: Prompt>(&self, prompt: &mut P, quiet: Duration, drawn: &mut Drawn) -> Result<P::Answer, Gone> {
        let mut takes_keys = Instant::now().checked_add(quiet);
        loop {
            if self.withdrawn.load(Ordering::SeqCst) {
                return Err(Gone::Withdrawn);
            }
            let size = wrap::size();
            drawn.draw(prompt.frame(size), size)?;
            let Some(event) = next_event()? else { continue };
            let key = match &event {
                Event::Key(key) if key.kind != KeyEventKind::Release => Some(*key),
                Event::Paste(_) => None,
                _ => continue,
            };
            if key.is_some_and(|key| is_control(key, 'c')) {
                return Err(Gone::Interrupted);
            }
            let now = Instant::now();
            if takes_keys.is_some_and(|from| now < from) {
                // Discard all input that came at once: the event reader keeps what exceeds a single read.
                discard()?;
                takes_keys = Instant::now().checked_add(quiet);
                continue;
            }
            takes_keys = None;
            let reply = match (key, event) {
                (Some(key), _) if is_control(key, 'd') => Reply::Cancel,
                (Some(key), _) => prompt.key(key),
                (None, Event::Paste(text)) => {
                    prompt.paste(&text);
                    Reply::GoesOn
                }
                (None, _) => Reply::GoesOn,
            };
            match reply {
                Reply::GoesOn => {}
                Reply::Cancel => return Err(Gone::Cancelled),
                Reply::Answer(answer) => return Ok(answer),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = crossterm::execute!(stderr(), event::DisableBracketedPaste);
        let _ = terminal::disable_raw_mode();
    }
}

/// Whether the key is this letter with Ctrl.
fn is_control(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(letter)
}

/// Returns the character that a key types.
fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Some(c),
        _ => None,
    }
}

/// Discards typed input that was not read yet, from the system's buffer and the event reader's.
fn discard() -> io::Result<()> {
    let begun = Instant::now();
    #[cfg(unix)]
    rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush)?;
    while is_there() && event::poll(Duration::ZERO)? && begun.elapsed() < DISCARDING {
        event::read()?;
    }
    Ok(())
}

/// Returns the next event if one comes within [`TICK`].
fn next_event() -> io::Result<Option<Event>> {
    if !is_there() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal is gone"));
    }
    if event::poll(TICK)? { event::read().map(Some) } else { Ok(None) }
}

/// Whether the terminal still has another end. The event reader would otherwise try forever to read a terminal that is
/// gone.
fn is_there() -> bool {
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let stdin = io::stdin();
        let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
        let polled = poll(&mut terminal, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        polled.is_ok() && !terminal.iter().any(|terminal| terminal.revents().intersects(gone))
    }
    #[cfg(not(unix))]
    true
}
