//! The epoch ticker: makes running guests yield every millisecond.
//!
//! One thread an engine. While no cell is polled it parks, so an idle host wakes nobody; the price on the request
//! path is one relaxed load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::EngineError;

/// Time for which a guest computes before it yields.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Quiet ticks before the thread parks.
const PATIENCE: u32 = 100;

#[derive(Debug)]
pub(super) struct Ticker {
    flags: Arc<Flags>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Flags {
    /// A cell was polled since the last tick.
    active: AtomicBool,
    parked: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: wasmtime::Engine) -> Result<Self, EngineError> {
        let flags = Arc::new(Flags::default());
        let seen = Arc::clone(&flags);
        let handle: JoinHandle<()> = std::thread::Builder::new()
            .name("taskcell-ticker".to_owned())
            .spawn(move || run(&engine, &seen))
            .map_err(|error| EngineError(format!("no thread for the epoch ticker: {error}")))?;
        Ok(Self { flags, thread: handle.thread().clone() })
    }

    /// Says that a cell is about to be polled.
    pub(super) fn touch(&self) {
        if self.flags.active.load(Ordering::Relaxed) {
            return;
        }
        // The thread sets `parked` and then reads `active`; here it is the other way round, so one of the two
        // sees the other.
        self.flags.active.store(true, Ordering::SeqCst);
        if self.flags.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.flags.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn run(engine: &wasmtime::Engine, flags: &Flags) {
    let mut quiet = 0;
    while !flags.stop.load(Ordering::SeqCst) {
        std::thread::sleep(TICK);
        engine.increment_epoch();
        quiet = if flags.active.swap(false, Ordering::SeqCst) { 0 } else { quiet + 1 };
        if quiet >= PATIENCE {
            flags.parked.store(true, Ordering::SeqCst);
            if !flags.active.load(Ordering::SeqCst) && !flags.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            flags.parked.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }
}
