//! A program at a terminal: its stdin and stderr are a pseudo-terminal, and the test reads and types.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Timeout longer than any program takes to show something.
const LIMIT: Duration = Duration::from_secs(60);

/// A program that runs at a terminal.
pub struct AtTerminal {
    program: Child,
    terminal: File,
    shown: Receiver<Vec<u8>>,
    /// All output, as it came.
    pub raw: Vec<u8>,
    /// Bytes of the plain text that the test has waited for already.
    seen: usize,
}

/// Opens a pseudo-terminal: the side of the person, and that of the program.
///
/// # Errors
/// When the system has none available.
pub fn terminal() -> Result<(OwnedFd, File)> {
    let mine = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&mine)?;
    unlockpt(&mine)?;
    let name = ptsname(&mine, Vec::new())?;
    let theirs = File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
    Ok((mine, theirs))
}

impl AtTerminal {
    /// Starts a program whose stdin and stderr are a terminal, and whose stdout is kept.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(command: Command) -> Result<Self> {
        Self::start_at(command, terminal()?, None)
    }

    fn start_at(mut command: Command, (mine, theirs): (OwnedFd, File), size: Option<(u16, u16)>) -> Result<Self> {
        if let Some((columns, rows)) = size {
            tcsetwinsize(&mine, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        }
        command.stdin(theirs.try_clone()?).stderr(theirs).stdout(Stdio::piped());
        let program = command.spawn()?;
        // The command still holds the program's side, and the terminal ends only when no process holds it.
        drop(command);
        let terminal = File::from(mine);
        let mut reading = terminal.try_clone()?;
        let (to, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reading.read(&mut buffer) {
                if to.send(buffer.iter().take(read).copied().collect()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { program, terminal, shown, raw: Vec::new(), seen: 0 })
    }

    /// Starts a program like [`Self::start`], at a terminal of this size.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start_sized(command: Command, columns: u16, rows: u16) -> Result<Self> {
        Self::start_at(command, terminal()?, Some((columns, rows)))
    }

    /// Resizes the terminal.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.terminal, size)?)
    }

    /// Rows that a terminal of this size shows after all output read so far, without trailing blanks.
    #[must_use]
    pub fn screen(&self, columns: u16, rows: u16) -> Vec<String> {
        let at_least_one = |count: u16| NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN);
        let mut terminal = vt100::Parser::new(at_least_one(rows), at_least_one(columns), 0);
        terminal.process(&self.raw);
        terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until the program shows this text, after the text waited for before.
    ///
    /// # Errors
    /// When the text does not appear, with all output.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        loop {
            let plain = plain(&self.raw);
            let rest = plain.get(self.seen..).unwrap_or_default();
            let found =
                (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|rest| rest.starts_with(text.as_bytes())));
            if let Some(at) = found {
                self.seen += at + text.len();
                return Ok(());
            }
            let more = self.shown.recv_timeout(LIMIT);
            self.raw.extend(more.with_context(|| format!("{text:?} is not shown: {}", self.text()))?);
        }
    }

    /// Types keys.
    ///
    /// # Errors
    /// When the terminal takes no input.
    pub fn keys(&mut self, keys: &str) -> Result<()> {
        Ok(self.terminal.write_all(keys.as_bytes())?)
    }

    /// All output, without cursor movements and colors.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&plain(&self.raw)).into_owned()
    }

    /// Whether the terminal echoes input and passes it on by lines, the state before and after a program.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn is_as_before(&self) -> Result<bool> {
        Ok(tcgetattr(&self.terminal)?.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO))
    }

    /// Whether the program has ended.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.program.try_wait()?.is_some())
    }

    /// Sends the program a signal by name.
    ///
    /// # Errors
    /// When no signal can be sent.
    pub fn signal(&self, name: &str) -> Result<bool> {
        crate::cli::signal(&self.program, name)
    }

    /// Waits until the program ends, reading all its output. Returns its exit code and its stdout.
    ///
    /// # Errors
    /// When the program does not end.
    pub fn end(&mut self) -> Result<(Option<i32>, String)> {
        let mut stdout = String::new();
        let mut pipe = self.program.stdout.take().context("it has ended before")?;
        let (done, printed) = mpsc::channel();
        std::thread::spawn(move || {
            let read = pipe.read_to_string(&mut stdout).map(|_| stdout);
            let _ = done.send(read);
        });
        let Ok(printed) = printed.recv_timeout(LIMIT) else { bail!("it does not end: {}", self.text()) };
        let code = self.program.wait()?.code();
        // The terminal ends with the program.
        while let Ok(more) = self.shown.recv_timeout(LIMIT) {
            self.raw.extend(more);
        }
        Ok((code, printed?))
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The bytes without control sequences.
fn plain(raw: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        if *byte != 0x1b {
            plain.push(*byte);
        } else if bytes.next() == Some(&b'[') {
            let _ = bytes.by_ref().find(|byte| (0x40..=0x7e).contains(*byte));
        }
    }
    plain
}
