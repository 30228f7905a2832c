//! Signals that end the program.
//!
//! SIGINT, SIGTERM, SIGHUP and SIGQUIT ask the program to end: the server is stopped and unfinished work is released.
//! The server leads its own process group, which receives no signals from the terminal or from the sender of the
//! signal. A dedicated thread handles the signals, so the program also ends while all other threads wait or compute.

use std::time::Duration;

use tokio::sync::watch;

use crate::terminal::screen;

/// Time for an orderly end. The program ends within 3 seconds.
const ORDERLY: Duration = Duration::from_millis(2_800);
/// Time for the end after a second signal.
const HURRY: Duration = Duration::from_millis(300);
/// Error of an interrupted command.
pub(super) const INTERRUPTED: &str = "interrupted; the server was stopped";

/// Receiver of the number of signals so far.
#[derive(Clone)]
pub(super) struct Signals(watch::Receiver<usize>);

impl Signals {
    /// Starts to handle the signals.
    ///
    /// # Errors
    /// Fails when the system refuses the signal handlers.
    pub(super) fn take() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(0);
        #[cfg(unix)]
        unix::take(sender)?;
        #[cfg(not(unix))]
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                came(&sender);
            }
        });
        Ok(Self(receiver))
    }

    /// Waits for the signal with this number.
    pub(super) async fn came(&mut self, times: usize) {
        if self.0.wait_for(|came| *came >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Counts a signal, and ends the program if it does not end in time.
fn came(signals: &watch::Sender<usize>) {
    signals.send_modify(|came| *came = came.saturating_add(1));
    let time = if *signals.borrow() == 1 { ORDERLY } else { HURRY };
    // If no thread can be started, the next signal ends the program.
    let _ = std::thread::Builder::new().name("last-resort".to_owned()).spawn(move || {
        std::thread::sleep(time);
        screen::status("");
        screen::line(&format!("taskcell: {INTERRUPTED}"));
        screen::flush();
        std::process::exit(2);
    });
}

#[cfg(unix)]
mod unix {
    use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use tokio::sync::watch;

    pub(super) fn take(sender: watch::Sender<usize>) -> std::io::Result<()> {
        let mut all = vec![SIGINT, SIGTERM, SIGQUIT];
        if !is_ignored(SIGHUP) {
            all.push(SIGHUP);
        }
        let mut signals = signal_hook::iterator::Signals::new(all)?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for _ in signals.forever() {
                super::came(&sender);
            }
        })?;
        Ok(())
    }

    /// Whether a signal was ignored when the program started: `nohup` keeps a program alive after its terminal closes.
    /// Only Linux provides this information.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let bit = u32::try_from(signal.saturating_sub(1)).ok().and_then(|bit| 1_u64.checked_shl(bit));
        ignored.zip(bit).is_some_and(|(ignored, bit)| ignored & bit != 0)
    }
}
