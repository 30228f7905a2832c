//! The signals that end the program.
//!
//! SIGINT, SIGTERM, SIGHUP and SIGQUIT ask the program to end: the server is stopped, unfinished work is given back. The
//! server leads a process group of its own, which neither the terminal nor whoever ends the program signals. A thread of its
//! own takes the signals, so that the program ends also where everything else waits or computes.

use std::time::Duration;

use tokio::sync::watch;

use crate::terminal::screen;

/// How long the program has to end in good order: within 3 seconds it is gone.
const ORDERLY: Duration = Duration::from_millis(2_800);
/// How long it has when it was asked again.
const HURRY: Duration = Duration::from_millis(300);
/// What the program says that is interrupted.
pub(super) const INTERRUPTED: &str = "interrupted; the server was stopped";

/// Tells of the signals that came.
#[derive(Clone)]
pub(super) struct Signals(watch::Receiver<usize>);

impl Signals {
    /// Begins to take signals.
    ///
    /// # Errors
    /// When the system does not let the program.
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

    /// Waits until so many signals came.
    pub(super) async fn came(&mut self, times: usize) {
        if self.0.wait_for(|came| *came >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells of a signal, and ends the program where it does not end itself.
fn came(signals: &watch::Sender<usize>) {
    signals.send_modify(|came| *came = came.saturating_add(1));
    let time = if *signals.borrow() == 1 { ORDERLY } else { HURRY };
    // Without a thread the next signal ends the program.
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

    /// Whether a signal was ignored when the program began: `nohup` keeps it alive when the terminal goes away. Linux alone
    /// says so.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let bit = u32::try_from(signal.saturating_sub(1)).ok().and_then(|bit| 1_u64.checked_shl(bit));
        ignored.zip(bit).is_some_and(|(ignored, bit)| ignored & bit != 0)
    }
}
