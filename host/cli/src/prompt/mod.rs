//! Questions at the terminal: drawn where the cursor stands, answered by keys.
//!
//! Keys that were pressed before a question is shown are for something else. So the input that waits is discarded when
//! a question appears, and a question that gives consent also ignores keys until none came for [`QUIET`]: somebody who
//! types does not answer it.

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

/// How long no key may come before a question that gives consent takes one.
const QUIET: Duration = Duration::from_millis(500);
/// How often a question looks whether it is still wanted and how large the terminal is.
const TICK: Duration = Duration::from_millis(100);
/// How long input is discarded at most: somebody may paste without end.
const DISCARDING: Duration = Duration::from_millis(100);

/// Whether something is an answer, or why not, for the person.
type Accept<'a, T> = Box<dyn Fn(&T) -> Result<(), String> + 'a>;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Gone {
    /// The person went away.
    Cancelled,
    /// The person went away from what waits, too.
    Interrupted,
    /// Nobody waits for the answer any more.
    Withdrawn,
    /// The terminal cannot be used.
    Failed(io::Error),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// What a key or a paste does to a question.
pub(super) enum Reply<A> {
    /// The question goes on.
    GoesOn,
    /// The person goes away.
    Cancel,
    /// This is the answer.
    Answer(A),
}

/// A question.
pub(super) trait Prompt {
    /// What answers it.
    type Answer;

    /// What to draw on a terminal of this size.
    fn frame(&self, size: Size) -> Frame;

    /// Takes a key.
    fn key(&mut self, key: KeyEvent) -> Reply<Self::Answer>;

    /// Takes text that was pasted.
    fn paste(&mut self, text: &str);

    /// What stays on the screen of the question and its answer: a printable line.
    fn answered(&self, answer: &Self::Answer) -> String;
}

/// The terminal that stdin and stderr are, in raw mode until this is dropped.
pub(super) struct Terminal {
    withdrawn: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal for a conversation; its questions end when `withdrawn` is set.
    ///
    /// # Errors
    /// When the terminal cannot be set.
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

    /// Shows rows that fit.
    #[allow(clippy::unused_self, reason = "in raw mode alone are rows ended so")]
    pub(super) fn show(&self, rows: &[String]) {
        let text: String = rows.iter().flat_map(|row| [row.as_str(), "\r\n"]).collect();
        // There is nobody to tell that the terminal is gone; the next question finds out.
        let _ = stderr().write_all(text.as_bytes());
    }

    /// Asks something that gives consent.
    pub(super) fn ask_carefully<P: Prompt>(&self, prompt: &mut P) -> Result<P::Answer, Gone> {
        self.answer(prompt, QUIET)
    }

    /// Asks something.
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
                // With all that came at once: the reader of keys leaves what is more than it reads in one go.
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

/// Whether a key is this one with Ctrl.
fn is_control(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(letter)
}

/// The character that a key types.
fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Some(c),
        _ => None,
    }
}

/// Discards what was typed and not read yet: by the system, and by the reader of keys.
fn discard() -> io::Result<()> {
    let begun = Instant::now();
    #[cfg(unix)]
    rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush)?;
    while is_there() && event::poll(Duration::ZERO)? && begun.elapsed() < DISCARDING {
        event::read()?;
    }
    Ok(())
}

/// The next event, if one comes soon.
fn next_event() -> io::Result<Option<Event>> {
    if !is_there() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal is gone"));
    }
    if event::poll(TICK)? { event::read().map(Some) } else { Ok(None) }
}

/// Whether somebody is at the other end of the terminal. The reader of keys would try for ever to read one that is gone.
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
